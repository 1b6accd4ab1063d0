/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated converter: what its parts share.
 */
#ifndef _IIO_SIM_H_
#define _IIO_SIM_H_

#include <linux/kfifo.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "iio_sim_dmac.h"

struct device;

/* Channels in each direction */
#define IIO_SIM_NUM_CHANNELS	4

/* Samples in one period of the sine: one per degree */
#define IIO_SIM_SINE_SAMPLES	360

/**
 * enum iio_sim_generator - Where captured data comes from
 * @IIO_SIM_GEN_COUNTER: one more in each scan, with the channel's number on top
 * @IIO_SIM_GEN_SINE: a sine of full scale, a quarter period between channels
 * @IIO_SIM_GEN_LOOPBACK: what is played back
 * @IIO_SIM_GEN_NONE: nowhere, memory is not written
 */
enum iio_sim_generator {
	IIO_SIM_GEN_COUNTER,
	IIO_SIM_GEN_SINE,
	IIO_SIM_GEN_LOOPBACK,
	IIO_SIM_GEN_NONE,
};

/**
 * enum iio_sim_checker - What played back data is compared with
 * @IIO_SIM_CHECK_COUNTER: the counter, from where the data starts
 * @IIO_SIM_CHECK_NONE: nothing
 */
enum iio_sim_checker {
	IIO_SIM_CHECK_COUNTER,
	IIO_SIM_CHECK_NONE,
};

/**
 * struct iio_sim_stream - Position in a stream of scans
 * @running: the buffer of this direction is enabled
 * @nchan: number of enabled channels
 * @chan: the enabled channels, in the order in which they are in a scan
 * @pos: index into @chan of the next word
 * @scan: number of the scan that the next word belongs to
 */
struct iio_sim_stream {
	bool running;
	unsigned int nchan;
	u8 chan[IIO_SIM_NUM_CHANNELS];
	unsigned int pos;
	u32 scan;
};

/**
 * struct iio_sim_side - One direction of the converter
 * @port: as the DMA controller sees it
 * @stream: where the stream is; for the thread of the DMA channel while running
 * @sampling_frequency: scans per second
 * @full_speed: @sampling_frequency is ignored
 */
struct iio_sim_side {
	struct iio_sim_port port;
	struct iio_sim_stream stream;
	u32 sampling_frequency;
	bool full_speed;
};

/**
 * struct iio_sim - A simulated converter
 * @dmac: the DMA controller; its last user frees this structure
 * @side: the two directions, index is enum iio_sim_dir
 * @lock: protects what may be set while streams run: the settings of @side,
 *	@generator and @checker. Nests inside the IIO core's locks.
 * @generator: where captured data comes from
 * @checker: what played back data is compared with
 * @seeded: the checker has seen the first word
 * @checked: words compared since playback was enabled
 * @mismatches: words that were not what was expected
 * @loop: words on their way from playback to capture
 * @sine: one period
 */
struct iio_sim {
	struct iio_sim_dmac dmac;
	struct iio_sim_side side[IIO_SIM_NUM_DIRS];
	struct mutex lock; /* settings, see above */
	enum iio_sim_generator generator;
	enum iio_sim_checker checker;
	bool seeded;
	atomic64_t checked;
	atomic64_t mismatches;
	DECLARE_KFIFO_PTR(loop, __le32);
	s32 sine[IIO_SIM_SINE_SAMPLES];
};

/* iio_sim_signal.c */
int iio_sim_signal_init(struct iio_sim *sim);
void iio_sim_signal_exit(struct iio_sim *sim);
void iio_sim_signal_start(struct iio_sim *sim, enum iio_sim_dir dir,
			  const unsigned long *scan_mask);
void iio_sim_signal_stop(struct iio_sim *sim, enum iio_sim_dir dir);
s32 iio_sim_signal_peek(struct iio_sim *sim, unsigned int chan);
void iio_sim_set_frequency(struct iio_sim *sim, enum iio_sim_dir dir,
			   u32 frequency);
void iio_sim_set_full_speed(struct iio_sim *sim, enum iio_sim_dir dir,
			    bool full_speed);
void iio_sim_set_generator(struct iio_sim *sim,
			   enum iio_sim_generator generator);
void iio_sim_set_checker(struct iio_sim *sim, enum iio_sim_checker checker);

/* iio_sim_device.c */
int iio_sim_probe(struct device *dev, const char *name);

/* iio_sim_pci.c */
#ifdef CONFIG_PCI
int iio_sim_pci_register(void);
void iio_sim_pci_unregister(void);
#else
static inline int iio_sim_pci_register(void)
{
	return 0;
}

static inline void iio_sim_pci_unregister(void)
{
}
#endif

#endif /* _IIO_SIM_H_ */
