// SPDX-License-Identifier: GPL-2.0-only
/*
 * IIO DMA buffers: the queue between IIO and a driver that does DMA
 *
 * Responsible for the order of transfers, for the state of each block, and for
 * every transfer to end: by completion, or aborted when the buffer is disabled,
 * the DMABUF detached or the device gone. What an attachment and a fence are
 * is the business of industrialio-buffer-dmabuf.c; industrialio-buffer-dma-io.c
 * is how user space gets at the queue.
 *
 * Life of a block: it comes into being with its attachment (or with fileio
 * mode) and is DONE, that is idle. Queued, it waits on the incoming list; the
 * queue runs while the buffer is enabled and submits blocks in order, which
 * makes them ACTIVE. When the driver gives a block back it is DONE again, or,
 * if its DMABUF was detached meanwhile, stays DEAD and goes with its last
 * reference. The fence that a block holds a reference to is the one of the
 * transfer under way; the block drops it as it is signalled.
 *
 * A cyclic block does not end by itself and must be possible to end alone.
 * So it is with the driver alone: it is held back until the driver has nothing
 * else, and all that is queued after it is held back until it is aborted.
 *
 * The lock order is in buffer-dma.h.
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include <linux/iio/buffer-dma.h>

#include "industrialio-buffer-dma.h"

/*
 * The last reference to a block with coherent memory is dropped where sleeping
 * is allowed: fileio mode only ends when the driver has none of its blocks.
 */
static void iio_dma_block_release(struct kref *kref)
{
	struct iio_dma_buffer_block *block =
		container_of(kref, struct iio_dma_buffer_block, kref);

	if (block->vaddr)
		dma_free_coherent(block->queue->dev, PAGE_ALIGN(block->size),
				  block->vaddr, block->phys_addr);
	kvfree(block->priv);
	kfree(block);
}

/**
 * iio_dma_block_put() - Drop a reference to a block
 * @block: the block
 *
 * Context: for the block of a DMABUF, interrupts, or where sleeping is allowed,
 * as a large vector of vmalloc() is freed with it; may sleep for one of fileio
 * mode.
 */
void iio_dma_block_put(struct iio_dma_buffer_block *block)
{
	kref_put(&block->kref, iio_dma_block_release);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_block_put, IIO_DMA_BUFFER);

/**
 * iio_dma_block_alloc() - Make an idle block
 * @queue: where it belongs
 * @coherent_size: bytes of memory to go with it, for fileio mode, or 0
 *
 * Context: may sleep.
 * Return: the block, or NULL without memory.
 */
struct iio_dma_buffer_block *
iio_dma_block_alloc(struct iio_dma_buffer_queue *queue, size_t coherent_size)
{
	struct iio_dma_buffer_block *block;

	block = kzalloc(sizeof(*block), GFP_KERNEL);
	if (!block)
		return NULL;

	block->queue = queue;
	block->state = IIO_BLOCK_STATE_DONE;
	kref_init(&block->kref);
	if (!coherent_size)
		return block;

	block->fileio = true;
	block->size = coherent_size;
	block->bytes_used = coherent_size;
	/* How much is asked for is up to user space */
	block->vaddr = dma_alloc_coherent(queue->dev, PAGE_ALIGN(coherent_size),
					  &block->phys_addr,
					  GFP_KERNEL | __GFP_NOWARN);
	if (!block->vaddr) {
		iio_dma_block_put(block);
		return NULL;
	}

	return block;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_block_alloc, IIO_DMA_BUFFER);

/*
 * Take back a block that the transfer is over for. After this it may be queued
 * again, so what is left to be done is done by iio_dma_block_complete() with
 * the fence returned here.
 */
static struct dma_fence *
iio_dma_block_retire(struct iio_dma_buffer_block *block, int error)
{
	struct iio_dma_buffer_queue *queue = block->queue;
	struct dma_fence *fence = block->fence;

	lockdep_assert_held(&queue->list_lock);

	block->fence = NULL;
	block->error = error;
	if (block->state != IIO_BLOCK_STATE_DEAD)
		/* The next may have it from here on: iio_dma_queue_may_add() */
		smp_store_release(&block->state, IIO_BLOCK_STATE_DONE);
	if (block->fileio)
		iio_dma_fileio_give(block);

	return fence;
}

/*
 * Tell who waits for the transfer and drop its reference to the block. All of
 * it may be in the way of somebody's memory reclaim: no allocation, no lock
 * that is held around one.
 */
static void iio_dma_block_complete(struct iio_dma_buffer_block *block,
				   struct dma_fence *fence, int error)
{
	struct iio_buffer *buffer = &block->queue->buffer;
	bool cookie;

	if (fence) {
		cookie = dma_fence_begin_signalling();
		iio_buffer_signal_dmabuf_done(fence, error);
		dma_fence_end_signalling(cookie);
		dma_fence_put(fence);
	} else {
		wake_up_interruptible_poll(&buffer->pollq,
					   iio_dma_queue_is_input(block->queue) ?
					   EPOLLIN | EPOLLRDNORM :
					   EPOLLOUT | EPOLLWRNORM);
	}
	iio_dma_block_put(block);
}

/* The driver has @block no more */
static void iio_dma_queue_driver_done(struct iio_dma_buffer_queue *queue,
				      struct iio_dma_buffer_block *block)
{
	lockdep_assert_held(&queue->list_lock);

	queue->num_active--;
	if (queue->cyclic == block)
		queue->cyclic = NULL;
}

static void iio_dma_block_done(struct iio_dma_buffer_block *block, bool listed)
{
	struct iio_dma_buffer_queue *queue = block->queue;
	struct dma_fence *fence;
	unsigned long flags;
	int error;

	spin_lock_irqsave(&queue->list_lock, flags);
	if (listed)
		list_del(&block->head);
	error = block->error;
	iio_dma_queue_driver_done(queue, block);
	fence = iio_dma_block_retire(block, error);
	if (queue->held && !queue->num_active)
		schedule_work(&queue->kick);
	spin_unlock_irqrestore(&queue->list_lock, flags);

	iio_dma_block_complete(block, fence, error);
}

/**
 * iio_dma_buffer_block_done() - The transfer of a block is over
 * @block: block that was submitted, off the driver's list. The driver has set
 *	@block->bytes_used to what was transferred, and @block->error if that
 *	failed.
 *
 * To be called by drivers once per submitted block, in the order of
 * submission and one at a time; the fences of a DMABUF signal in the order of
 * its transfers because of that. The driver must not use @block afterwards.
 *
 * Context: interrupts, hard or soft, or where sleeping is allowed; takes the
 * queue's list_lock.
 */
void iio_dma_buffer_block_done(struct iio_dma_buffer_block *block)
{
	iio_dma_block_done(block, false);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_block_done, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_listed_block_done() - iio_dma_buffer_block_done(), list and all
 * @block: block that was submitted, on the driver's list
 *
 * Context: as iio_dma_buffer_block_done().
 */
void iio_dma_buffer_listed_block_done(struct iio_dma_buffer_block *block)
{
	iio_dma_block_done(block, true);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_listed_block_done, IIO_DMA_BUFFER);

/**
 * iio_dma_block_abort() - End a transfer that was not made
 * @block: block that was taken off the queue's list or the driver's
 *
 * In fileio mode input is still to be filled, and queued again; output is
 * dropped. The transfer of a DMABUF ends with -EINTR.
 *
 * Context: the queue's lock is held.
 */
void iio_dma_block_abort(struct iio_dma_buffer_block *block)
{
	struct iio_dma_buffer_queue *queue = block->queue;
	struct dma_fence *fence = NULL;

	lockdep_assert_held(&queue->lock);

	scoped_guard(spinlock_irqsave, &queue->list_lock) {
		if (block->fileio && iio_dma_queue_is_input(queue)) {
			block->state = IIO_BLOCK_STATE_QUEUED;
			list_add_tail(&block->head, &queue->incoming);
			return;
		}
		fence = iio_dma_block_retire(block, block->fileio ? 0 : -EINTR);
	}
	iio_dma_block_complete(block, fence, -EINTR);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_block_abort, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_block_list_abort() - Give back blocks that were not completed
 * @queue: the queue
 * @list: list of submitted blocks; empty afterwards
 *
 * For a driver's abort operation, when the DMA does not touch the blocks any
 * more. Transfers of DMABUFs end with -EINTR.
 *
 * Context: the queue's lock is held; takes its list_lock.
 */
void iio_dma_buffer_block_list_abort(struct iio_dma_buffer_queue *queue,
				     struct list_head *list)
{
	struct iio_dma_buffer_block *block;

	for (;;) {
		scoped_guard(spinlock_irqsave, &queue->list_lock) {
			block = list_first_entry_or_null(list,
							 typeof(*block), head);
			if (!block)
				return;
			list_del(&block->head);
			iio_dma_queue_driver_done(queue, block);
		}
		iio_dma_block_abort(block);
	}
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_block_list_abort, IIO_DMA_BUFFER);

/* Put an idle block at the end of the queue, which takes a reference to it */
static void iio_dma_queue_append(struct iio_dma_buffer_block *block)
{
	struct iio_dma_buffer_queue *queue = block->queue;

	lockdep_assert_held(&queue->lock);
	lockdep_assert_held(&queue->list_lock);

	kref_get(&block->kref);
	block->error = 0;
	block->state = IIO_BLOCK_STATE_QUEUED;
	list_add_tail(&block->head, &queue->incoming);
}

/* Queue @new, if any, and move the next block to the driver, if it can go there */
static struct iio_dma_buffer_block *
iio_dma_queue_claim(struct iio_dma_buffer_queue *queue,
		    struct iio_dma_buffer_block *new)
{
	struct iio_dma_buffer_block *block = NULL;

	lockdep_assert_held(&queue->lock);

	spin_lock_irq(&queue->list_lock);
	if (new)
		iio_dma_queue_append(new);
	if (!queue->active)
		goto unlock;
	block = list_first_entry_or_null(&queue->incoming, typeof(*block),
					 head);
	queue->held = block && (queue->cyclic ||
				(block->cyclic && queue->num_active));
	if (queue->held)
		block = NULL;
	if (block) {
		list_del(&block->head);
		block->state = IIO_BLOCK_STATE_ACTIVE;
		queue->num_active++;
		if (block->cyclic)
			queue->cyclic = block;
	}
unlock:
	spin_unlock_irq(&queue->list_lock);

	return block;
}

/* The driver did not take @block. Returns true if that is left to the caller. */
static bool iio_dma_queue_refused(struct iio_dma_buffer_queue *queue,
				  struct iio_dma_buffer_block *block,
				  struct iio_dma_buffer_block *new, int error)
{
	struct dma_fence *fence;

	scoped_guard(spinlock_irq, &queue->list_lock) {
		iio_dma_queue_driver_done(queue, block);
		fence = iio_dma_block_retire(block, error);
	}
	if (block != new || block->fileio) {
		iio_dma_block_complete(block, fence, error);
		return false;
	}
	dma_fence_put(fence);
	iio_dma_block_put(block);

	return true;
}

/**
 * iio_dma_queue_run() - Submit what can be
 * @queue: the queue
 * @new: idle block to be put at the end of the queue first, or NULL; the queue
 *	takes a reference to it
 *
 * The transfer of a block that cannot be submitted ends with the error. If it
 * is @new, and that of a DMABUF, it is only made idle again then: its fence is
 * left to the caller.
 *
 * Context: the queue's lock is held; may sleep.
 * Return: 0, or the errno of submitting @new that is left to the caller.
 */
int iio_dma_queue_run(struct iio_dma_buffer_queue *queue,
		      struct iio_dma_buffer_block *new)
{
	struct iio_dma_buffer_block *block;
	int ret;

	lockdep_assert_held(&queue->lock);

	if (!queue->active && !new)
		return 0;

	/* Once at least: what was held may be on the list no more */
	block = iio_dma_queue_claim(queue, new);
	while (block) {
		ret = queue->ops->submit(queue, block);
		if (ret && iio_dma_queue_refused(queue, block, new, ret))
			return ret;
		if (list_empty(&queue->incoming))
			break;
		block = iio_dma_queue_claim(queue, NULL);
	}

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_queue_run, IIO_DMA_BUFFER);

static void iio_dma_queue_kick(struct work_struct *work)
{
	struct iio_dma_buffer_queue *queue =
		container_of(work, struct iio_dma_buffer_queue, kick);

	guard(mutex)(&queue->lock);
	iio_dma_queue_run(queue, NULL);
}

/**
 * __iio_dma_block_prepare() - Have the driver make ready for a transfer
 * @block: idle block with its size in @block->bytes_used
 *
 * Context: the queue's lock is held; may sleep.
 * Return: 0 or the errno of the driver.
 */
int __iio_dma_block_prepare(struct iio_dma_buffer_block *block)
{
	struct iio_dma_buffer_queue *queue = block->queue;
	int ret;

	lockdep_assert_held(&queue->lock);

	block->prepared_size = 0;
	ret = queue->ops->prepare(queue, block);
	if (!ret)
		block->prepared_size = block->bytes_used;

	return ret;
}
EXPORT_SYMBOL_NS_GPL(__iio_dma_block_prepare, IIO_DMA_BUFFER);

/* End all transfers, those under way and those that wait */
static void iio_dma_queue_abort(struct iio_dma_buffer_queue *queue)
{
	struct iio_dma_buffer_block *block, *tmp;
	LIST_HEAD(list);

	lockdep_assert_held(&queue->lock);

	queue->ops->abort(queue);
	WARN_ONCE(queue->num_active, "driver keeps blocks after abort\n");

	list_splice_init(&queue->incoming, &list);
	list_for_each_entry_safe(block, tmp, &list, head) {
		list_del(&block->head);
		iio_dma_block_abort(block);
	}
}

/**
 * iio_dma_buffer_enable() - The enable operation of a DMA buffer
 * @buffer: the buffer
 * @indio_dev: the device it belongs to
 *
 * Submits what was queued while the buffer was disabled.
 *
 * Context: may sleep; takes the queue's lock.
 * Return: 0, or -ENODEV after iio_dma_buffer_exit().
 */
int iio_dma_buffer_enable(struct iio_buffer *buffer, struct iio_dev *indio_dev)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);

	guard(mutex)(&queue->lock);
	if (queue->dead)
		return -ENODEV;
	queue->active = true;
	iio_dma_queue_run(queue, NULL);

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_enable, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_disable() - The disable operation of a DMA buffer
 * @buffer: the buffer
 * @indio_dev: the device it belongs to
 *
 * Ends all transfers. What read() can still get was transferred before.
 *
 * Context: may sleep; takes the queue's lock.
 * Return: 0.
 */
int iio_dma_buffer_disable(struct iio_buffer *buffer, struct iio_dev *indio_dev)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);

	guard(mutex)(&queue->lock);
	queue->active = false;
	iio_dma_queue_abort(queue);

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_disable, IIO_DMA_BUFFER);

/**
 * iio_dma_fileio_end() - Leave fileio mode
 * @queue: the queue, not active
 *
 * Context: the queue's lock and that of its fileio state are held; may sleep.
 */
void iio_dma_fileio_end(struct iio_dma_buffer_queue *queue)
{
	struct iio_dma_buffer_queue_fileio *fileio = &queue->fileio;
	struct iio_dma_buffer_block *block;
	unsigned int i;

	lockdep_assert_held(&fileio->lock);
	lockdep_assert_held(&queue->lock);

	fileio->enabled = false;
	scoped_guard(spinlock_irq, &queue->list_lock) {
		INIT_LIST_HEAD(&fileio->done);
		fileio->active_block = NULL;
	}
	for (i = 0; i < ARRAY_SIZE(fileio->blocks); i++) {
		block = fileio->blocks[i];
		fileio->blocks[i] = NULL;
		if (!block)
			continue;
		if (block->state == IIO_BLOCK_STATE_QUEUED) {
			list_del(&block->head);
			iio_dma_block_put(block);
		}
		iio_dma_block_put(block);
	}
}
EXPORT_SYMBOL_NS_GPL(iio_dma_fileio_end, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_init() - Set up a queue
 * @queue: the queue, zeroed
 * @dma_dev: the device that does the DMA. The queue keeps a reference.
 * @ops: what the driver does
 *
 * Context: may sleep.
 * Return: 0.
 */
int iio_dma_buffer_init(struct iio_dma_buffer_queue *queue,
			struct device *dma_dev,
			const struct iio_dma_buffer_ops *ops)
{
	iio_buffer_init(&queue->buffer);
	queue->buffer.length = PAGE_SIZE;
	queue->buffer.watermark = PAGE_SIZE / 2;

	queue->dev = get_device(dma_dev);
	queue->ops = ops;
	queue->align = 1;
	mutex_init(&queue->lock);
	spin_lock_init(&queue->list_lock);
	INIT_LIST_HEAD(&queue->incoming);
	INIT_WORK(&queue->kick, iio_dma_queue_kick);
	mutex_init(&queue->fileio.lock);
	INIT_LIST_HEAD(&queue->fileio.done);

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_init, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_exit() - The device goes away
 * @queue: the queue
 *
 * Ends all transfers, detaches all DMABUFs and frees what was allocated for
 * the DMA device. The driver is not called any more after this. To be called
 * when the IIO device was unregistered and while the DMA device still works.
 *
 * Context: may sleep; takes the locks of the queue and those of the DMABUFs.
 */
void iio_dma_buffer_exit(struct iio_dma_buffer_queue *queue)
{
	scoped_guard(mutex, &queue->fileio.lock) {
		guard(mutex)(&queue->lock);
		queue->dead = true;
		queue->active = false;
		iio_dma_queue_abort(queue);
		iio_dma_fileio_end(queue);
	}
	iio_buffer_remove_dmabufs(&queue->buffer);
	cancel_work_sync(&queue->kick);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_exit, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_release() - Undo iio_dma_buffer_init()
 * @queue: the queue, after iio_dma_buffer_exit()
 *
 * For the buffer's release operation; the driver frees @queue afterwards.
 *
 * Context: may sleep.
 */
void iio_dma_buffer_release(struct iio_dma_buffer_queue *queue)
{
	mutex_destroy(&queue->fileio.lock);
	mutex_destroy(&queue->lock);
	put_device(queue->dev);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_release, IIO_DMA_BUFFER);

MODULE_DESCRIPTION("IIO DMA buffers: the queue");
MODULE_LICENSE("GPL");
