/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IIO buffers whose samples are moved by DMA
 *
 * A queue takes blocks of memory and hands them, in order, to a driver that
 * knows how to program the DMA. A block is either one of two that the queue
 * allocates for read() and write() (fileio mode), or stands for a DMABUF that
 * user space attached. A queue does one or the other, never both.
 *
 * Lock order, for all of the IIO DMA and DMABUF code, outermost first:
 *
 *   iio_dev info_exist_lock, then mlock	state of the IIO device
 *   queue fileio.lock				held while user memory is copied
 *   mmap_lock
 *   dma_resv lock of a DMABUF
 *   queue lock
 *   queue list_lock				taken with interrupts off
 *   lock of a fence
 *
 * buffer->dmabufs_mutex is a leaf: nothing is taken inside it. Nobody waits
 * for a fence with one of these locks held, and completing a transfer takes
 * none but list_lock and the fence's.
 */
#ifndef __INDUSTRIALIO_DMA_BUFFER_H__
#define __INDUSTRIALIO_DMA_BUFFER_H__

#include <linux/atomic.h>
#include <linux/iio/buffer_impl.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct device;
struct dma_buf_attachment;
struct dma_fence;
struct iio_dma_buffer_ops;
struct iio_dma_buffer_queue;
struct sg_table;

/**
 * enum iio_block_state - Where a block is
 * @IIO_BLOCK_STATE_QUEUED: on the queue's incoming list
 * @IIO_BLOCK_STATE_ACTIVE: with the driver
 * @IIO_BLOCK_STATE_DONE: idle; may be queued
 * @IIO_BLOCK_STATE_DEAD: its DMABUF was detached. The driver may still have
 *	it, but it is never queued again.
 */
enum iio_block_state {
	IIO_BLOCK_STATE_QUEUED,
	IIO_BLOCK_STATE_ACTIVE,
	IIO_BLOCK_STATE_DONE,
	IIO_BLOCK_STATE_DEAD,
};

/**
 * struct iio_dma_buffer_block - A piece of memory to be transferred
 * @head: entry of the list the block is on. The driver's while the block is
 *	with it, from a successful submit to iio_dma_buffer_block_done() or
 *	iio_dma_buffer_block_list_abort().
 * @bytes_used: bytes to transfer when submitted; bytes transferred when done
 * @vaddr: memory as the CPU sees it, in fileio mode
 * @phys_addr: memory as the DMA sees it, in fileio mode
 * @size: bytes of a fileio block
 * @queue: where the block belongs. Constant.
 * @kref: one reference belongs to the attachment or the fileio state, one to
 *	the transfer while the block is queued or active
 * @state: see enum iio_block_state. Written with the queue's list_lock held.
 *	Who finds it DONE, with the queue's lock held, has the block.
 * @cyclic: transfer the block again and again until it is aborted
 * @fileio: the block is one of the two of fileio mode. Constant.
 * @error: negative errno if the transfer failed. To be set by the driver, if
 *	so, before iio_dma_buffer_block_done(); 0 at submit.
 * @sg_table: the mapped DMABUF; its DMA entries (nents) count
 * @fence: the block's own reference to the fence of the transfer, while there
 *	is one
 * @prepared_size: for how many bytes @priv was made, 0 for none
 * @priv: for the driver's prepare operation: kvmalloc()ed memory or NULL,
 *	freed with the block
 */
struct iio_dma_buffer_block {
	struct list_head head;
	size_t bytes_used;

	void *vaddr;
	dma_addr_t phys_addr;
	size_t size;
	struct iio_dma_buffer_queue *queue;

	struct kref kref;
	enum iio_block_state state;

	bool cyclic;
	bool fileio;
	int error;

	struct sg_table *sg_table;
	struct dma_fence *fence;

	size_t prepared_size;
	void *priv;
};

/**
 * struct iio_dma_buffer_queue_fileio - State for read() and write()
 * @lock: serialises readers and writers; outside the queue's lock
 * @blocks: the blocks, or NULL
 * @active_block: the one user space reads from or writes to. Like @pos and
 *	@done, protected by the queue's list_lock; changed with @lock held too.
 * @pos: where in @active_block, in bytes
 * @done: blocks that the DMA is done with and user space has not taken yet
 * @enabled: the queue is in fileio mode. Written with @lock and the queue's
 *	lock held.
 */
struct iio_dma_buffer_queue_fileio {
	struct mutex lock; /* one reader or writer at a time */
	struct iio_dma_buffer_block *blocks[2];
	struct iio_dma_buffer_block *active_block;
	size_t pos;
	struct list_head done;
	bool enabled;
};

/**
 * struct iio_dma_buffer_queue - A queue of blocks
 * @buffer: the IIO buffer
 * @dev: the device that does the DMA
 * @ops: the driver
 * @align: transfers are a multiple of this many bytes. 1 unless the driver
 *	sets it between iio_dma_buffer_init() and registering the IIO device.
 * @lock: protects @incoming, @active and @dead and orders submission: the
 *	driver gets blocks in the order in which they were queued
 * @list_lock: protects the state of blocks, the fields below that say so, and
 *	the lists on which a driver keeps the blocks it was given
 * @incoming: blocks not submitted yet
 * @active: the IIO buffer is enabled
 * @dead: iio_dma_buffer_exit() was called
 * @held: @incoming waits until the driver has nothing left. Protected by
 *	@list_lock.
 * @num_active: number of blocks with the driver. Protected by @list_lock.
 * @cyclic: the cyclic block that is with the driver; then it is the only one.
 *	Protected by @list_lock.
 * @kick: submits what was @held
 * @num_dmabufs: number of attached DMABUFs, written with @lock held
 * @fileio: read() and write()
 */
struct iio_dma_buffer_queue {
	struct iio_buffer buffer;
	struct device *dev;
	const struct iio_dma_buffer_ops *ops;
	unsigned int align;

	struct mutex lock; /* order of submission */
	spinlock_t list_lock; /* states and lists of blocks */
	struct list_head incoming;

	bool active;
	bool dead;
	bool held;
	unsigned int num_active;
	struct iio_dma_buffer_block *cyclic;
	struct work_struct kick;
	atomic_t num_dmabufs;

	struct iio_dma_buffer_queue_fileio fileio;
};

/**
 * struct iio_dma_buffer_ops - What a driver does with a queue's blocks
 * @prepare: Optional. Make @block->priv ready for transfers of
 *	@block->bytes_used bytes. Called before a block is queued when its size
 *	or mapping is not that of the last time, so that submitting need not
 *	allocate. Returns 0 or a negative errno, which ENQUEUE returns.
 * @submit: Start the transfer of a block, after those submitted before. Must
 *	not do allocations that wait for reclaim, as others may already wait for
 *	the block's fence. Returns 0, and iio_dma_buffer_block_done() is called
 *	later; or a negative errno, and it is not. A cyclic block is submitted
 *	only when the driver has no other, and no other while it has that one.
 * @abort: End all transfers. When it returns no transfer is under way and
 *	every block was given back, through iio_dma_buffer_block_done() or
 *	iio_dma_buffer_block_list_abort().
 *
 * All are called with the queue's lock held and may sleep.
 */
struct iio_dma_buffer_ops {
	int (*prepare)(struct iio_dma_buffer_queue *queue,
		       struct iio_dma_buffer_block *block);
	int (*submit)(struct iio_dma_buffer_queue *queue,
		      struct iio_dma_buffer_block *block);
	void (*abort)(struct iio_dma_buffer_queue *queue);
};

void iio_dma_buffer_block_done(struct iio_dma_buffer_block *block);
void iio_dma_buffer_listed_block_done(struct iio_dma_buffer_block *block);
void iio_dma_buffer_block_list_abort(struct iio_dma_buffer_queue *queue,
				     struct list_head *list);

int iio_dma_buffer_enable(struct iio_buffer *buffer,
			  struct iio_dev *indio_dev);
int iio_dma_buffer_disable(struct iio_buffer *buffer,
			   struct iio_dev *indio_dev);
int iio_dma_buffer_read(struct iio_buffer *buffer, size_t n,
			char __user *user_buffer);
int iio_dma_buffer_write(struct iio_buffer *buffer, size_t n,
			 const char __user *user_buffer);
size_t iio_dma_buffer_usage(struct iio_buffer *buffer);
int iio_dma_buffer_set_bytes_per_datum(struct iio_buffer *buffer, size_t bpd);
int iio_dma_buffer_set_length(struct iio_buffer *buffer, unsigned int length);
int iio_dma_buffer_request_update(struct iio_buffer *buffer);

int iio_dma_buffer_init(struct iio_dma_buffer_queue *queue,
			struct device *dma_dev,
			const struct iio_dma_buffer_ops *ops);
void iio_dma_buffer_exit(struct iio_dma_buffer_queue *queue);
void iio_dma_buffer_release(struct iio_dma_buffer_queue *queue);

struct iio_dma_buffer_block *
iio_dma_buffer_attach_dmabuf(struct iio_buffer *buffer,
			     struct dma_buf_attachment *attach);
void iio_dma_buffer_detach_dmabuf(struct iio_buffer *buffer,
				  struct iio_dma_buffer_block *block);
int iio_dma_buffer_enqueue_dmabuf(struct iio_buffer *buffer,
				  struct iio_dma_buffer_block *block,
				  struct dma_fence *fence,
				  struct sg_table *sgt,
				  size_t size, bool cyclic);
void iio_dma_buffer_lock_queue(struct iio_buffer *buffer);
void iio_dma_buffer_unlock_queue(struct iio_buffer *buffer);
struct device *iio_dma_buffer_get_dma_dev(struct iio_buffer *buffer);

#endif
