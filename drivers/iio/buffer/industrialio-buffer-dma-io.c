// SPDX-License-Identifier: GPL-2.0-only
/*
 * IIO DMA buffers: what user space does with the queue
 *
 * Responsible for the two ways in which blocks get to the queue, and for the
 * choice between them: DMABUFs that were attached, and fileio mode, in which
 * two blocks of coherent memory go round between the DMA and read() or write().
 * The choice is made when the buffer is enabled and holds until it is disabled.
 */
#include <linux/cleanup.h>
#include <linux/dma-fence.h>
#include <linux/lcm.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include <linux/iio/buffer-dma.h>

#include "industrialio-buffer-dma.h"

/**
 * iio_dma_buffer_lock_queue() - The lock_queue operation
 * @buffer: the buffer
 *
 * Context: may sleep; a DMABUF's dma_resv lock may be held.
 */
void iio_dma_buffer_lock_queue(struct iio_buffer *buffer)
{
	mutex_lock(&iio_buffer_to_queue(buffer)->lock);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_lock_queue, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_unlock_queue() - The unlock_queue operation
 * @buffer: the buffer
 */
void iio_dma_buffer_unlock_queue(struct iio_buffer *buffer)
{
	mutex_unlock(&iio_buffer_to_queue(buffer)->lock);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_unlock_queue, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_get_dma_dev() - The get_dma_dev operation
 * @buffer: the buffer
 *
 * Return: the device that does the DMA.
 */
struct device *iio_dma_buffer_get_dma_dev(struct iio_buffer *buffer)
{
	return iio_buffer_to_queue(buffer)->dev;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_get_dma_dev, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_attach_dmabuf() - The attach_dmabuf operation
 * @buffer: the buffer
 * @attach: the attachment, mapped for as long as the block exists
 *
 * Context: may sleep; takes the locks of the queue.
 * Return: a block that stands for the DMABUF in this queue; ERR_PTR(-EBUSY) if
 * the buffer is enabled for read() or write(), -ENODEV after
 * iio_dma_buffer_exit(), -ENOMEM.
 */
struct iio_dma_buffer_block *
iio_dma_buffer_attach_dmabuf(struct iio_buffer *buffer,
			     struct dma_buf_attachment *attach)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	struct iio_dma_buffer_block *block;

	guard(mutex)(&queue->fileio.lock);
	guard(mutex)(&queue->lock);

	if (queue->dead)
		return ERR_PTR(-ENODEV);
	if (queue->fileio.enabled && queue->active)
		return ERR_PTR(-EBUSY);

	block = iio_dma_block_alloc(queue, 0);
	if (!block)
		return ERR_PTR(-ENOMEM);

	if (queue->fileio.enabled)
		iio_dma_fileio_end(queue);
	atomic_inc(&queue->num_dmabufs);

	return block;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_attach_dmabuf, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_detach_dmabuf() - The detach_dmabuf operation
 * @buffer: the buffer
 * @block: the block of the DMABUF, not to be used by the caller any more
 *
 * A transfer that waits in the queue, or is cyclic, is aborted. One that the
 * driver has already goes on and signals its fence as ever; until then the
 * DMABUF must stay mapped.
 *
 * Context: may sleep; takes the queue's lock.
 */
void iio_dma_buffer_detach_dmabuf(struct iio_buffer *buffer,
				  struct iio_dma_buffer_block *block)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	enum iio_block_state state;
	bool cyclic;

	scoped_guard(mutex, &queue->lock) {
		scoped_guard(spinlock_irq, &queue->list_lock) {
			state = block->state;
			block->state = IIO_BLOCK_STATE_DEAD;
			if (state == IIO_BLOCK_STATE_QUEUED)
				list_del(&block->head);
			cyclic = queue->cyclic == block;
		}
		if (state == IIO_BLOCK_STATE_QUEUED)
			iio_dma_block_abort(block);
		/* A cyclic block is the only one that the driver has */
		if (cyclic)
			queue->ops->abort(queue);
		atomic_dec(&queue->num_dmabufs);
		iio_dma_queue_run(queue, NULL);
	}
	iio_dma_block_put(block);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_detach_dmabuf, IIO_DMA_BUFFER);

static int iio_dma_queue_may_add(struct iio_dma_buffer_queue *queue,
				 struct iio_dma_buffer_block *block,
				 size_t size)
{
	size_t scan = queue->buffer.bytes_per_datum;

	if (queue->dead)
		return -ENODEV;
	/* The scan may change while the buffer is disabled */
	if (size % queue->align || (queue->active && scan && size % scan))
		return -EINVAL;

	/* With the queue locked, only the end of the transfer changes it */
	switch (smp_load_acquire(&block->state)) {
	case IIO_BLOCK_STATE_DONE:
		return 0;
	case IIO_BLOCK_STATE_ACTIVE:
		return -EBUSY;
	default:
		return -EPERM;
	}
}

/**
 * iio_dma_buffer_enqueue_dmabuf() - The enqueue_dmabuf operation
 * @buffer: the buffer
 * @block: the block of the DMABUF
 * @fence: fence of the transfer; the block takes its own reference
 * @sgt: the mapped DMABUF, always the same for a block
 * @size: bytes to transfer, not 0 and not more than are mapped
 * @cyclic: repeat the transfer until it is aborted
 *
 * If this succeeds the fence is signalled, by iio_buffer_signal_dmabuf_done(),
 * when the transfer ends, which may be before this returns. If not, the fence
 * is the caller's as before and the block can be queued again.
 *
 * Context: the queue's lock is held, see iio_dma_buffer_lock_queue(); may
 * sleep.
 * Return: 0; -EBUSY if the block is in transfer, -EPERM if it is queued or
 * detached; -EINVAL if @size is not what the DMA can do or not a number of
 * whole scans; -ENODEV after iio_dma_buffer_exit(); the errno of the driver.
 */
int iio_dma_buffer_enqueue_dmabuf(struct iio_buffer *buffer,
				  struct iio_dma_buffer_block *block,
				  struct dma_fence *fence,
				  struct sg_table *sgt,
				  size_t size, bool cyclic)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	int ret;

	lockdep_assert_held(&queue->lock);

	ret = iio_dma_queue_may_add(queue, block, size);
	if (ret)
		return ret;

	block->sg_table = sgt;
	block->bytes_used = size;
	block->cyclic = cyclic;
	ret = iio_dma_block_prepare(block);
	if (ret)
		return ret;

	block->fence = dma_fence_get(fence);

	return iio_dma_queue_run(queue, block);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_enqueue_dmabuf, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_set_bytes_per_datum() - The set_bytes_per_datum operation
 * @buffer: the buffer, not enabled
 * @bpd: bytes of a scan
 *
 * Return: 0.
 */
int iio_dma_buffer_set_bytes_per_datum(struct iio_buffer *buffer, size_t bpd)
{
	buffer->bytes_per_datum = bpd;

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_set_bytes_per_datum, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_set_length() - The set_length operation
 * @buffer: the buffer, not enabled
 * @length: scans that the two blocks of fileio mode hold together, at least 2
 *
 * Return: 0.
 */
int iio_dma_buffer_set_length(struct iio_buffer *buffer, unsigned int length)
{
	buffer->length = max(length, 2U);
	buffer->watermark = buffer->length / 2;

	return 0;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_set_length, IIO_DMA_BUFFER);

static int iio_dma_fileio_fill(struct iio_dma_buffer_queue *queue, size_t size)
{
	struct iio_dma_buffer_queue_fileio *fileio = &queue->fileio;
	struct iio_dma_buffer_block *block;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(fileio->blocks); i++) {
		block = iio_dma_block_alloc(queue, size);
		if (!block)
			return -ENOMEM;
		fileio->blocks[i] = block;

		ret = iio_dma_block_prepare(block);
		if (ret)
			return ret;
		if (iio_dma_queue_is_input(queue)) {
			iio_dma_queue_run(queue, block);
			continue;
		}
		spin_lock_irq(&queue->list_lock);
		iio_dma_fileio_give(block);
		spin_unlock_irq(&queue->list_lock);
	}
	fileio->enabled = true;

	return 0;
}

/**
 * iio_dma_buffer_request_update() - The request_update operation
 * @buffer: the buffer, not enabled
 *
 * Decides, before the buffer is enabled, between the two modes: without an
 * attached DMABUF, two blocks of half the buffer's length are set up for
 * read() or write(). They are whole scans and what the DMA can transfer.
 *
 * Context: may sleep; takes the locks of the queue.
 * Return: 0; -EINVAL if a scan has no size; -ENOMEM; or the errno of the
 * driver's prepare operation.
 */
int iio_dma_buffer_request_update(struct iio_buffer *buffer)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	u64 size = (u64)buffer->bytes_per_datum * (buffer->length / 2 +
						   buffer->length % 2);
	int ret;

	guard(mutex)(&queue->fileio.lock);
	guard(mutex)(&queue->lock);

	iio_dma_fileio_end(queue);
	if (atomic_read(&queue->num_dmabufs))
		return 0;

	if (!buffer->bytes_per_datum)
		return -EINVAL;
	size = roundup_u64(size, lcm(buffer->bytes_per_datum, queue->align));
	/* Whole pages are allocated, and the number of them must not wrap */
	if (size > SIZE_MAX - PAGE_SIZE)
		return -ENOMEM;
	ret = iio_dma_fileio_fill(queue, size);
	if (ret)
		iio_dma_fileio_end(queue);

	return ret;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_request_update, IIO_DMA_BUFFER);

/* Bytes of a block that user space can read, or write */
static size_t iio_dma_fileio_bytes(struct iio_dma_buffer_block *block)
{
	/* The whole of a block that failed, for read() to come and be told */
	if (iio_dma_queue_is_input(block->queue) && !block->error)
		return block->bytes_used;

	return block->size;
}

/**
 * iio_dma_buffer_usage() - The data_available and space_available operations
 * @buffer: the buffer
 *
 * Context: any but NMI; takes the queue's list_lock.
 * Return: how many bytes can be read or written at once; 0 outside of fileio
 * mode.
 */
size_t iio_dma_buffer_usage(struct iio_buffer *buffer)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	struct iio_dma_buffer_block *block;
	unsigned long flags;
	size_t usage = 0;

	spin_lock_irqsave(&queue->list_lock, flags);
	if (queue->fileio.active_block)
		usage = iio_dma_fileio_bytes(queue->fileio.active_block) -
			queue->fileio.pos;
	list_for_each_entry(block, &queue->fileio.done, head)
		usage += iio_dma_fileio_bytes(block);
	spin_unlock_irqrestore(&queue->list_lock, flags);

	return usage;
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_usage, IIO_DMA_BUFFER);

static struct iio_dma_buffer_block *
iio_dma_fileio_take(struct iio_dma_buffer_queue *queue)
{
	struct iio_dma_buffer_queue_fileio *fileio = &queue->fileio;
	struct iio_dma_buffer_block *block;

	spin_lock_irq(&queue->list_lock);
	block = fileio->active_block;
	if (!block && !list_empty(&fileio->done)) {
		block = list_first_entry(&fileio->done, typeof(*block), head);
		list_del(&block->head);
		fileio->active_block = block;
		fileio->pos = 0;
	}
	spin_unlock_irq(&queue->list_lock);

	return block;
}

/* User space moved @n bytes; a block it is done with goes back to the queue */
static void iio_dma_fileio_advance(struct iio_dma_buffer_queue *queue,
				   struct iio_dma_buffer_block *block, size_t n)
{
	scoped_guard(spinlock_irq, &queue->list_lock) {
		queue->fileio.pos += n;
		if (queue->fileio.pos < iio_dma_fileio_bytes(block))
			return;
		queue->fileio.active_block = NULL;
	}
	block->bytes_used = block->size;

	guard(mutex)(&queue->lock);
	iio_dma_queue_run(queue, block);
}

/*
 * The error of a transfer is said once. A block that was to be read is filled
 * anew; one to be written, which failed with its former data, is at hand.
 */
static int iio_dma_fileio_failed(struct iio_dma_buffer_queue *queue,
				 struct iio_dma_buffer_block *block)
{
	int error = block->error;

	if (iio_dma_queue_is_input(queue)) {
		iio_dma_fileio_advance(queue, block, block->size);
	} else {
		spin_lock_irq(&queue->list_lock);
		block->error = 0;
		spin_unlock_irq(&queue->list_lock);
	}

	return error;
}

static int iio_dma_fileio_io(struct iio_buffer *buffer, size_t n,
			     char __user *to, const char __user *from)
{
	struct iio_dma_buffer_queue *queue = iio_buffer_to_queue(buffer);
	struct iio_dma_buffer_block *block;
	unsigned long left;
	size_t pos, room;

	guard(mutex)(&queue->fileio.lock);
	if (queue->dead)
		return -ENODEV;
	if (!queue->fileio.enabled)
		return READ_ONCE(queue->active) ||
		       atomic_read(&queue->num_dmabufs) ? -EBUSY : 0;
	if (n < buffer->bytes_per_datum)
		return -EINVAL;

	block = iio_dma_fileio_take(queue);
	if (!block)
		return 0;

	pos = queue->fileio.pos;
	room = iio_dma_fileio_bytes(block) - pos;
	if (block->error)
		return iio_dma_fileio_failed(queue, block);

	n = min(rounddown(n, buffer->bytes_per_datum), room);
	left = to ? copy_to_user(to, block->vaddr + pos, n) :
		    copy_from_user(block->vaddr + pos, from, n);
	if (left)
		return -EFAULT;
	iio_dma_fileio_advance(queue, block, n);

	return n;
}

/**
 * iio_dma_buffer_read() - The read operation of a DMA buffer
 * @buffer: the buffer
 * @n: at most that many bytes
 * @user_buffer: where to
 *
 * Context: may sleep; takes the queue's locks.
 * Return: number of bytes read, 0 if there are none yet; -EBUSY in DMABUF
 * mode; -EINVAL if @n is less than a scan; -EFAULT; -ENODEV; the error of the
 * transfer.
 */
int iio_dma_buffer_read(struct iio_buffer *buffer, size_t n,
			char __user *user_buffer)
{
	return iio_dma_fileio_io(buffer, n, user_buffer, NULL);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_read, IIO_DMA_BUFFER);

/**
 * iio_dma_buffer_write() - The write operation of a DMA buffer
 * @buffer: the buffer
 * @n: at most that many bytes
 * @user_buffer: where from
 *
 * Context: may sleep; takes the queue's locks.
 * Return: number of bytes written, 0 if there is no room; errors as
 * iio_dma_buffer_read(), that of a transfer being one of earlier data.
 */
int iio_dma_buffer_write(struct iio_buffer *buffer, size_t n,
			 const char __user *user_buffer)
{
	return iio_dma_fileio_io(buffer, n, NULL, user_buffer);
}
EXPORT_SYMBOL_NS_GPL(iio_dma_buffer_write, IIO_DMA_BUFFER);

MODULE_DESCRIPTION("IIO DMA buffers: DMABUFs, read() and write()");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(IIO_DMA_BUFFER);
