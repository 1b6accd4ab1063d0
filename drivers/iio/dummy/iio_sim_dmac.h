/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA controller of the simulated converter, as its other parts see it:
 * two channels, each wired to one port of the converter.
 */
#ifndef _IIO_SIM_DMAC_H_
#define _IIO_SIM_DMAC_H_

#include <linux/atomic.h>
#include <linux/dmaengine.h>
#include <linux/ktime.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "virt-dma.h"

struct dentry;
struct task_struct;

/* Width of the data path: the converter makes and takes 32-bit words */
#define IIO_SIM_WORD_BYTES	4

/**
 * enum iio_sim_dir - The two directions of the converter
 * @IIO_SIM_RX: capture, from the converter to memory
 * @IIO_SIM_TX: playback, from memory to the converter
 * @IIO_SIM_NUM_DIRS: how many there are
 */
enum iio_sim_dir {
	IIO_SIM_RX,
	IIO_SIM_TX,
	IIO_SIM_NUM_DIRS,
};

struct iio_sim_port;

/**
 * struct iio_sim_port_ops - What the converter does with the data
 * @xfer: move at most @len bytes between @buf and the converter and return how
 *	many were moved, 0 if none can be now. @len is a multiple of
 *	%IIO_SIM_WORD_BYTES and not 0. Called by the channel's thread with @buf
 *	mapped locally: must not sleep.
 * @ready: whether @xfer would move anything. Whoever makes it true wakes up
 *	the port's wait queue.
 */
struct iio_sim_port_ops {
	size_t (*xfer)(struct iio_sim_port *port, void *buf, size_t len);
	bool (*ready)(struct iio_sim_port *port);
};

/**
 * struct iio_sim_port - One direction of the converter
 * @ops: what it does
 * @wait: where the channel's thread waits, for anything
 * @byte_rate: bytes per second, 0 for as fast as possible
 * @null: the data does not matter: memory is not touched, @ops not called
 *
 * @byte_rate and @null may be written at any time (WRITE_ONCE()) and count for
 * what is moved from then on.
 */
struct iio_sim_port {
	const struct iio_sim_port_ops *ops;
	wait_queue_head_t wait;
	u32 byte_rate;
	bool null;
};

/**
 * struct iio_sim_faults - What a test wants a channel to do wrong
 * @delay_us: microseconds that each transfer takes in addition
 * @hold: transfers do not end while this is set
 * @fail_transfers: that many transfers from now move nothing and end in error
 * @short_transfers: that many transfers from now leave @short_residue bytes out
 * @short_residue: bytes that a short transfer does not move
 * @fail_prep: that many descriptors from now cannot be prepared
 * @fail_submit: that many descriptors from now cannot be submitted
 */
struct iio_sim_faults {
	u32 delay_us;
	bool hold;
	atomic_t fail_transfers;
	atomic_t short_transfers;
	u32 short_residue;
	atomic_t fail_prep;
	atomic_t fail_submit;
};

/**
 * struct iio_sim_desc - A transfer
 * @vd: the virtual descriptor
 * @len: length of the transfer in bytes, the sum of @vecs
 * @period: bytes after which the client is called back, @len if not @cyclic
 * @cyclic: starts over at the end, until terminated
 * @done: bytes moved, in this round if @cyclic
 * @vec: index of the next vector to move; for the thread
 * @offset: bytes of that vector that were moved; for the thread
 * @nents: number of @vecs
 * @vecs: the memory, as the device sees it
 */
struct iio_sim_desc {
	struct virt_dma_desc vd;
	size_t len;
	size_t period;
	bool cyclic;
	size_t done;
	unsigned int vec;
	size_t offset;
	unsigned int nents;
	struct dma_vec vecs[] __counted_by(nents);
};

/**
 * struct iio_sim_chan - A DMA channel
 * @vc: the virtual channel, with the queues of descriptors
 * @port: where the channel is wired to
 * @dir: the direction, which is also the number of the channel
 * @faults: injected faults
 * @thread: does the work, exists while the channel is requested
 * @active: descriptor being worked on. Protected by @vc.lock.
 * @busy: @thread looks at a descriptor, @active or not any more. Protected by
 *	@vc.lock.
 * @paused: nothing is moved while this is set. Protected by @vc.lock.
 * @rate: the port's rate that @clock goes by; for @thread
 * @clock: when, at this rate, the last word moved is due; for @thread
 */
struct iio_sim_chan {
	struct virt_dma_chan vc;
	struct iio_sim_port *port;
	enum iio_sim_dir dir;
	struct iio_sim_faults faults;
	struct task_struct *thread;
	struct iio_sim_desc *active;
	bool busy;
	bool paused;
	u32 rate;
	ktime_t clock;
};

/**
 * struct iio_sim_dmac - The DMA controller
 * @ddev: as the dmaengine core knows it
 * @map: names of the channels, "rx" and "tx", for dma_request_chan()
 * @chan: the channels
 * @release: called when nobody can use the controller any more, with the
 *	dmaengine core's lock held
 */
struct iio_sim_dmac {
	struct dma_device ddev;
	struct dma_slave_map map[IIO_SIM_NUM_DIRS];
	struct iio_sim_chan chan[IIO_SIM_NUM_DIRS];
	void (*release)(struct iio_sim_dmac *dmac);
};

static inline struct iio_sim_chan *to_iio_sim_chan(struct dma_chan *chan)
{
	return container_of(chan, struct iio_sim_chan, vc.chan);
}

static inline struct iio_sim_desc *to_iio_sim_desc(struct virt_dma_desc *vd)
{
	return container_of(vd, struct iio_sim_desc, vd);
}

static inline struct device *iio_sim_chan_dev(struct iio_sim_chan *c)
{
	return c->vc.chan.device->dev;
}

int devm_iio_sim_dmac_register(struct device *dev, struct iio_sim_dmac *dmac);

/* iio_sim_chan.c */
int iio_sim_chan_thread(void *data);
void iio_sim_chan_issue(struct iio_sim_chan *c);

/* iio_sim_fault.c */
bool iio_sim_fault_hit(atomic_t *count);
bool iio_sim_fault_none(struct iio_sim_faults *faults);
void iio_sim_fault_debugfs(struct iio_sim_chan *c, const char *name,
			   struct dentry *root);

#endif /* _IIO_SIM_DMAC_H_ */
