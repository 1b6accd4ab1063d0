/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this directory share: simulated converters, the buffers
 * of IIO devices, and what the fences of transfers say. Memory, sync_files and
 * processes are those of ../dmabuf-heaps. Nothing here decides whether a test
 * passes: functions return what they saw, and an error as -errno.
 */
#ifndef IIO_TEST_H
#define IIO_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <poll.h>

#include <linux/iio/buffer.h>

#include "../dmabuf-heaps/dmabuf_test.h"

/* As generator and checker count: scan number, and channel above it */
#define CHANNEL_SHIFT	28
#define SCAN_MASK	((1U << CHANNEL_SHIFT) - 1)
#define SAMPLE		sizeof(__u32)

/* Longer than any transfer that is not held up takes, on a slow machine */
#define SOON_MS		20000

/**
 * struct sim - a simulated converter
 * @dir: what to remove, or the PCI device it is on
 * @dma: device that does the DMA, as debugfs calls it
 * @pci: on top of a PCI device
 * @adc: number of the IIO device that captures
 * @dac: number of the IIO device that plays
 */
struct sim {
	char dir[128];
	char dma[64];
	bool pci;
	int adc, dac;
};

int sim_make(struct sim *sim, const char *name);
int sim_dma_vec(bool has);
int sim_remove(const struct sim *sim);
void sim_remove_named(const char *name);
int sim_fault(const struct sim *sim, const char *chan, const char *fault,
	      long value);
long sim_faults_left(const struct sim *sim, const char *chan,
		     const char *fault);
int sims_live(void);

/* Attributes of an IIO device */
int iio_write(int device, const char *attr, const char *value);
long iio_read(int device, const char *attr);

/* A buffer: O_NONBLOCK or 0 for flags */
int device_open(int device, int flags);
int device_get_fd(int fd, int index);
int buffer_open(int device, int flags);
int buffer_channels(int device, bool out, unsigned int mask);
int buffer_enable(int device, bool on);
int buffer_attach(int buffer, int dmabuf);
int buffer_detach(int buffer, int dmabuf);
int buffer_enqueue(int buffer, int dmabuf, __u32 flags, __u64 bytes);

/* Memory by the name of a heap, or HEAP_UDMABUF */
#define HEAP_UDMABUF	"udmabuf"
int memory(const char *kind, size_t len);
int udmabuf_ready(int fd);
bool poll_in_time(int dmabuf, short events, int ms);
int fence_of(int dmabuf, __u32 usage);
int fence_result(int fence, int ms);

/* Words as the generator makes them and the checker expects them */
void counter_fill(__u32 *words, size_t len, unsigned int mask, __u32 first);
size_t counter_check(const __u32 *words, size_t len, unsigned int mask,
		     __u32 first);

/**
 * struct iio_mark - what there was before a test
 * @made: fences of IIO made so far
 * @signalled: and signalled
 * @live: and not freed yet
 * @buffers: live dma-bufs
 * @fds: open file descriptors
 */
struct iio_mark {
	long made, signalled, live;
	long buffers;
	struct fd_table fds;
};

int iio_mark_take(struct iio_mark *mark);
const char *iio_mark_left(const struct iio_mark *mark);
long iio_fences_made(void);
long iio_fences_signalled(void);
long iio_fences_live(void);

#endif /* IIO_TEST_H */
