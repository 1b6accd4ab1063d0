// SPDX-License-Identifier: GPL-2.0-only
/*
 * IIO DMA buffers on a dmaengine channel
 *
 * Responsible for making descriptors of blocks and for what the DMA controller
 * says about them when they are done. A controller is used through
 * device_prep_peripheral_dma_vec() if it has that, else device_prep_slave_sg().
 *
 * A cyclic block that is contiguous for the DMA is one cyclic descriptor if
 * the controller can do that. Otherwise it is kept going by its completions:
 * two descriptors of it are queued at any time, so the controller always has
 * the next one.
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dmaengine.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include <linux/iio/buffer.h>
#include <linux/iio/buffer-dma.h>
#include <linux/iio/buffer-dmaengine.h>
#include <linux/iio/buffer_impl.h>
#include <linux/iio/iio.h>
#include <linux/iio/sysfs.h>

/**
 * struct iio_dmaengine_buffer - A buffer on a channel
 * @queue: the queue
 * @chan: the channel
 * @own_chan: the channel was requested here and is released here
 * @max_seg: longest piece of memory for the controller, in bytes
 * @active: submitted blocks in their order. Protected by the queue's list_lock.
 * @cyclic: the one of them that is cyclic. Protected by the queue's list_lock.
 * @resubmit: @cyclic is kept going by its completions
 * @sync: callbacks of a cyclic block that failed may still come. Set with the
 *	queue's list_lock held, cleared with its lock held when no block is
 *	active.
 */
struct iio_dmaengine_buffer {
	struct iio_dma_buffer_queue queue;
	struct dma_chan *chan;
	bool own_chan;
	size_t max_seg;
	struct list_head active;
	struct iio_dma_buffer_block *cyclic;
	bool resubmit;
	bool sync;
};

/**
 * struct iio_dmaengine_mem - A block's memory as the controller takes it
 * @nents: number of entries in use
 * @contiguous: they are one piece
 * @addr: where the first one starts
 * @vec: the entries, for device_prep_peripheral_dma_vec()
 * @sg: the entries, for device_prep_slave_sg()
 */
struct iio_dmaengine_mem {
	unsigned int nents;
	bool contiguous;
	dma_addr_t addr;
	union {
		DECLARE_FLEX_ARRAY(struct dma_vec, vec);
		DECLARE_FLEX_ARRAY(struct scatterlist, sg);
	};
};

static struct iio_dmaengine_buffer *from_buffer(struct iio_buffer *buffer)
{
	return container_of(buffer, struct iio_dmaengine_buffer, queue.buffer);
}

static bool iio_dmaengine_has_vec(struct iio_dmaengine_buffer *dmaengine)
{
	return dmaengine->chan->device->device_prep_peripheral_dma_vec;
}

static enum dma_transfer_direction
iio_dmaengine_dir(struct iio_dmaengine_buffer *dmaengine)
{
	return dmaengine->queue.buffer.direction == IIO_BUFFER_DIRECTION_IN ?
	       DMA_DEV_TO_MEM : DMA_MEM_TO_DEV;
}

/* How many entries the whole of a block can need */
static size_t iio_dmaengine_count(struct iio_dmaengine_buffer *dmaengine,
				  struct iio_dma_buffer_block *block)
{
	const size_t max = dmaengine->max_seg;
	struct scatterlist *sg;
	size_t count = 0;
	unsigned int i;

	/* DIV_ROUND_UP() would wrap around where a size_t has 32 bits. */
	if (block->fileio)
		return block->size / max + !!(block->size % max);

	for_each_sgtable_dma_sg(block->sg_table, sg, i)
		count += sg_dma_len(sg) / max + !!(sg_dma_len(sg) % max);

	return count;
}

static struct iio_dmaengine_mem *
iio_dmaengine_mem_alloc(struct iio_dmaengine_buffer *dmaengine,
			struct iio_dma_buffer_block *block)
{
	size_t count = iio_dmaengine_count(dmaengine, block);
	struct iio_dmaengine_mem *mem;

	if (iio_dmaengine_has_vec(dmaengine))
		return kvmalloc(struct_size(mem, vec, count), GFP_KERNEL);

	mem = kvmalloc(struct_size(mem, sg, count), GFP_KERNEL);
	if (mem)
		sg_init_table(mem->sg, count);

	return mem;
}

/* Add a piece, cut to what the controller can take. Returns the bytes added. */
static size_t iio_dmaengine_mem_add(struct iio_dmaengine_buffer *dmaengine,
				    struct iio_dmaengine_mem *mem,
				    dma_addr_t addr, size_t len)
{
	size_t done, n;

	for (done = 0; done < len; done += n) {
		n = min(len - done, dmaengine->max_seg);
		if (iio_dmaengine_has_vec(dmaengine)) {
			mem->vec[mem->nents].addr = addr + done;
			mem->vec[mem->nents].len = n;
		} else {
			sg_dma_address(&mem->sg[mem->nents]) = addr + done;
			sg_dma_len(&mem->sg[mem->nents]) = n;
		}
		mem->nents++;
	}

	return len;
}

/* Put together the first @block->bytes_used bytes of the block's memory */
static int iio_dmaengine_prepare(struct iio_dma_buffer_queue *queue,
				 struct iio_dma_buffer_block *block)
{
	struct iio_dmaengine_buffer *dmaengine = from_buffer(&queue->buffer);
	size_t left = block->bytes_used;
	struct iio_dmaengine_mem *mem;
	struct scatterlist *sg;
	dma_addr_t end;
	unsigned int i;

	if (!block->priv)
		block->priv = iio_dmaengine_mem_alloc(dmaengine, block);
	mem = block->priv;
	if (!mem)
		return -ENOMEM;

	mem->nents = 0;
	mem->contiguous = true;
	if (block->fileio) {
		mem->addr = block->phys_addr;
		left -= iio_dmaengine_mem_add(dmaengine, mem, mem->addr, left);
	} else {
		mem->addr = sg_dma_address(block->sg_table->sgl);
		end = mem->addr;
		for_each_sgtable_dma_sg(block->sg_table, sg, i) {
			if (!left)
				break;
			if (sg_dma_address(sg) != end)
				mem->contiguous = false;
			end = sg_dma_address(sg) + sg_dma_len(sg);
			left -= iio_dmaengine_mem_add(dmaengine, mem,
						      sg_dma_address(sg),
						      min_t(size_t, left,
							    sg_dma_len(sg)));
		}
	}
	/* Less may be mapped than the DMABUF has */
	return left ? -EINVAL : 0;
}

static int iio_dmaengine_error(const struct dmaengine_result *result)
{
	switch (result->result) {
	case DMA_TRANS_NOERROR:
		return 0;
	case DMA_TRANS_ABORTED:
		return -EINTR;
	default:
		return -EIO;
	}
}

static void iio_dmaengine_block_done(void *data,
				     const struct dmaengine_result *result)
{
	struct iio_dma_buffer_block *block = data;
	size_t residue = min_t(size_t, result->residue, block->bytes_used);

	block->bytes_used -= residue;
	block->error = iio_dmaengine_error(result);
	/* read() says how much there is, a fence can only say it is not all */
	if (residue && !block->error && !block->fileio)
		block->error = -ENODATA;

	iio_dma_buffer_listed_block_done(block);
}

static int iio_dmaengine_tx(struct dma_async_tx_descriptor *desc,
			    dma_async_tx_callback_result callback, void *param)
{
	if (!desc)
		return -EIO;

	desc->callback_result = callback;
	desc->callback_param = param;

	return dma_submit_error(dmaengine_submit(desc));
}

static int iio_dmaengine_tx_block(struct iio_dmaengine_buffer *dmaengine,
				  struct iio_dma_buffer_block *block,
				  dma_async_tx_callback_result callback,
				  void *param)
{
	enum dma_transfer_direction dir = iio_dmaengine_dir(dmaengine);
	struct iio_dmaengine_mem *mem = block->priv;
	struct dma_async_tx_descriptor *desc;

	if (iio_dmaengine_has_vec(dmaengine))
		desc = dmaengine_prep_peripheral_dma_vec(dmaengine->chan,
							 mem->vec, mem->nents,
							 dir,
							 DMA_PREP_INTERRUPT);
	else
		desc = dmaengine_prep_slave_sg(dmaengine->chan, mem->sg,
					       mem->nents, dir,
					       DMA_PREP_INTERRUPT);

	return iio_dmaengine_tx(desc, callback, param);
}

/*
 * A round of the cyclic block is over. The block does not come with the
 * callback, as one may be under way when the block has failed or was aborted.
 */
static void iio_dmaengine_cyclic_done(void *data,
				      const struct dmaengine_result *result)
{
	struct iio_dmaengine_buffer *dmaengine = data;
	struct iio_dma_buffer_block *block;
	int error;

	scoped_guard(spinlock_irqsave, &dmaengine->queue.list_lock) {
		block = dmaengine->cyclic;
		if (!block)
			return;
		error = iio_dmaengine_error(result);
		if (!error && result->residue)
			error = -ENODATA;
		if (!error && dmaengine->resubmit)
			error = iio_dmaengine_tx_block(dmaengine, block,
						       iio_dmaengine_cyclic_done,
						       dmaengine);
		if (error) {
			list_del(&block->head);
			dmaengine->cyclic = NULL;
			dmaengine->sync = true;
			block->error = error;
		}
	}
	if (!error) {
		if (dmaengine->resubmit)
			dma_async_issue_pending(dmaengine->chan);
		return;
	}

	dmaengine_terminate_async(dmaengine->chan);
	iio_dma_buffer_block_done(block);
}

static int iio_dmaengine_start_cyclic(struct iio_dmaengine_buffer *dmaengine,
				      struct iio_dma_buffer_block *block)
{
	struct dma_async_tx_descriptor *desc = NULL;
	struct iio_dmaengine_mem *mem = block->priv;
	int ret;

	if (mem->contiguous &&
	    dma_has_cap(DMA_CYCLIC, dmaengine->chan->device->cap_mask))
		desc = dmaengine_prep_dma_cyclic(dmaengine->chan, mem->addr,
						 block->bytes_used,
						 block->bytes_used,
						 iio_dmaengine_dir(dmaengine),
						 DMA_PREP_INTERRUPT);
	dmaengine->resubmit = !desc;
	if (desc)
		return iio_dmaengine_tx(desc, iio_dmaengine_cyclic_done,
					dmaengine);

	ret = iio_dmaengine_tx_block(dmaengine, block,
				     iio_dmaengine_cyclic_done, dmaengine);
	if (ret)
		return ret;

	ret = iio_dmaengine_tx_block(dmaengine, block,
				     iio_dmaengine_cyclic_done, dmaengine);
	/* The first one was not issued, and it was the only one */
	if (ret)
		dmaengine_terminate_sync(dmaengine->chan);

	return ret;
}

static int iio_dmaengine_submit(struct iio_dma_buffer_queue *queue,
				struct iio_dma_buffer_block *block)
{
	struct iio_dmaengine_buffer *dmaengine = from_buffer(&queue->buffer);
	int ret;

	/* Set before the cyclic block was given back, and this one comes after */
	if (READ_ONCE(dmaengine->sync)) {
		WRITE_ONCE(dmaengine->sync, false);
		dmaengine_synchronize(dmaengine->chan);
	}

	if (block->cyclic)
		ret = iio_dmaengine_start_cyclic(dmaengine, block);
	else
		ret = iio_dmaengine_tx_block(dmaengine, block,
					     iio_dmaengine_block_done, block);
	if (ret)
		return ret;

	/* Nothing can be done before it is issued */
	scoped_guard(spinlock_irq, &queue->list_lock) {
		list_add_tail(&block->head, &dmaengine->active);
		if (block->cyclic)
			dmaengine->cyclic = block;
	}
	dma_async_issue_pending(dmaengine->chan);

	return 0;
}

static void iio_dmaengine_abort(struct iio_dma_buffer_queue *queue)
{
	struct iio_dmaengine_buffer *dmaengine = from_buffer(&queue->buffer);

	/* The callback is not to keep going what is to end */
	scoped_guard(spinlock_irq, &queue->list_lock) {
		dmaengine->cyclic = NULL;
		dmaengine->sync = false;
	}
	dmaengine_terminate_sync(dmaengine->chan);
	iio_dma_buffer_block_list_abort(queue, &dmaengine->active);
}

static const struct iio_dma_buffer_ops iio_dmaengine_ops = {
	.prepare = iio_dmaengine_prepare,
	.submit = iio_dmaengine_submit,
	.abort = iio_dmaengine_abort,
};

static void iio_dmaengine_release(struct iio_buffer *buffer)
{
	struct iio_dmaengine_buffer *dmaengine = from_buffer(buffer);

	iio_dma_buffer_release(&dmaengine->queue);
	kfree(dmaengine);
	module_put(THIS_MODULE);
}

static const struct iio_buffer_access_funcs iio_dmaengine_access = {
	.read = iio_dma_buffer_read,
	.write = iio_dma_buffer_write,
	.data_available = iio_dma_buffer_usage,
	.space_available = iio_dma_buffer_usage,
	.request_update = iio_dma_buffer_request_update,
	.set_bytes_per_datum = iio_dma_buffer_set_bytes_per_datum,
	.set_length = iio_dma_buffer_set_length,
	.enable = iio_dma_buffer_enable,
	.disable = iio_dma_buffer_disable,
	.release = iio_dmaengine_release,
	.attach_dmabuf = iio_dma_buffer_attach_dmabuf,
	.detach_dmabuf = iio_dma_buffer_detach_dmabuf,
	.enqueue_dmabuf = iio_dma_buffer_enqueue_dmabuf,
	.get_dma_dev = iio_dma_buffer_get_dma_dev,
	.lock_queue = iio_dma_buffer_lock_queue,
	.unlock_queue = iio_dma_buffer_unlock_queue,
	.modes = INDIO_BUFFER_HARDWARE,
	/* One block of fileio mode, whatever anybody would like */
	.flags = INDIO_BUFFER_FLAG_FIXED_WATERMARK,
};

static ssize_t length_align_bytes_show(struct device *dev,
				       struct device_attribute *attr, char *buf)
{
	struct iio_buffer *buffer = to_iio_dev_attr(attr)->buffer;

	return sysfs_emit(buf, "%u\n", from_buffer(buffer)->queue.align);
}

static IIO_DEVICE_ATTR_RO(length_align_bytes, 0);

static const struct iio_dev_attr *iio_dmaengine_attrs[] = {
	&iio_dev_attr_length_align_bytes,
	NULL,
};

/* The smallest in a mask of numbers of bytes. Many controllers say 0, too. */
static unsigned int iio_dmaengine_width(u32 widths)
{
	return __ffs((widths & ~BIT(DMA_SLAVE_BUSWIDTH_UNDEFINED)) ?:
		     BIT(DMA_SLAVE_BUSWIDTH_1_BYTE));
}

/* Make a buffer of @chan. The channel stays the caller's, until it says so. */
static struct iio_dmaengine_buffer *iio_dmaengine_alloc(struct dma_chan *chan)
{
	struct iio_dmaengine_buffer *dmaengine;
	struct dma_slave_caps caps;
	int ret = dma_get_slave_caps(chan, &caps);

	if (ret)
		return ERR_PTR(ret);

	dmaengine = kzalloc(sizeof(*dmaengine), GFP_KERNEL);
	if (!dmaengine)
		return ERR_PTR(-ENOMEM);

	/* A file of the buffer needs this module longer than its driver does */
	__module_get(THIS_MODULE);
	dmaengine->chan = chan;
	INIT_LIST_HEAD(&dmaengine->active);
	iio_dma_buffer_init(&dmaengine->queue, chan->device->dev,
			    &iio_dmaengine_ops);

	dmaengine->queue.align = max(iio_dmaengine_width(caps.src_addr_widths),
				     iio_dmaengine_width(caps.dst_addr_widths));
	dmaengine->max_seg = rounddown(dma_get_max_seg_size(chan->device->dev),
				       dmaengine->queue.align);

	dmaengine->queue.buffer.attrs = iio_dmaengine_attrs;
	dmaengine->queue.buffer.access = &iio_dmaengine_access;

	return dmaengine;
}

/**
 * iio_dmaengine_buffer_free() - Undo iio_dmaengine_buffer_setup_ext()
 * @buffer: the buffer
 *
 * To be called when the IIO device was unregistered.
 *
 * Context: may sleep.
 */
void iio_dmaengine_buffer_free(struct iio_buffer *buffer)
{
	struct iio_dmaengine_buffer *dmaengine = from_buffer(buffer);

	iio_dma_buffer_exit(&dmaengine->queue);
	if (dmaengine->own_chan)
		dma_release_channel(dmaengine->chan);
	iio_buffer_put(buffer);
}
EXPORT_SYMBOL_NS_GPL(iio_dmaengine_buffer_free, IIO_DMAENGINE_BUFFER);

static struct iio_buffer *iio_dmaengine_setup(struct iio_dev *indio_dev,
					      struct dma_chan *chan,
					      enum iio_buffer_direction dir)
{
	struct iio_dmaengine_buffer *dmaengine;
	struct iio_buffer *buffer;
	int ret;

	dmaengine = iio_dmaengine_alloc(chan);
	if (IS_ERR(dmaengine))
		return ERR_CAST(dmaengine);

	buffer = &dmaengine->queue.buffer;
	buffer->direction = dir;
	indio_dev->modes |= INDIO_BUFFER_HARDWARE;

	ret = iio_device_attach_buffer(indio_dev, buffer);
	if (ret) {
		iio_dmaengine_buffer_free(buffer);
		return ERR_PTR(ret);
	}

	return buffer;
}

/**
 * iio_dmaengine_buffer_setup_ext() - Give an IIO device a buffer with DMA
 * @dev: device whose DMA channel it is
 * @indio_dev: the IIO device, not registered yet
 * @channel: name of the channel, as for dma_request_chan()
 * @dir: direction of the buffer
 *
 * Context: may sleep.
 * Return: the buffer, to be freed by iio_dmaengine_buffer_free(); ERR_PTR() of
 * -ENOMEM or what dma_request_chan() or dma_get_slave_caps() returned.
 */
struct iio_buffer *iio_dmaengine_buffer_setup_ext(struct device *dev,
						  struct iio_dev *indio_dev,
						  const char *channel,
						  enum iio_buffer_direction dir)
{
	struct iio_buffer *buffer;
	struct dma_chan *chan;

	chan = dma_request_chan(dev, channel);
	if (IS_ERR(chan))
		return ERR_CAST(chan);

	buffer = iio_dmaengine_setup(indio_dev, chan, dir);
	if (IS_ERR(buffer))
		dma_release_channel(chan);
	else
		from_buffer(buffer)->own_chan = true;

	return buffer;
}
EXPORT_SYMBOL_NS_GPL(iio_dmaengine_buffer_setup_ext, IIO_DMAENGINE_BUFFER);

static void iio_dmaengine_free_action(void *buffer)
{
	iio_dmaengine_buffer_free(buffer);
}

static int iio_dmaengine_devm(struct device *dev, struct iio_buffer *buffer)
{
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	return devm_add_action_or_reset(dev, iio_dmaengine_free_action, buffer);
}

/**
 * devm_iio_dmaengine_buffer_setup_ext() - iio_dmaengine_buffer_setup_ext(),
 *	undone when the device is unbound
 * @dev: device whose DMA channel it is, and that the buffer goes with
 * @indio_dev: the IIO device, not registered yet
 * @channel: name of the channel, as for dma_request_chan()
 * @dir: direction of the buffer
 *
 * Context: may sleep.
 * Return: 0, or the errno of iio_dmaengine_buffer_setup_ext().
 */
int devm_iio_dmaengine_buffer_setup_ext(struct device *dev,
					struct iio_dev *indio_dev,
					const char *channel,
					enum iio_buffer_direction dir)
{
	return iio_dmaengine_devm(dev,
				  iio_dmaengine_buffer_setup_ext(dev, indio_dev,
								 channel, dir));
}
EXPORT_SYMBOL_NS_GPL(devm_iio_dmaengine_buffer_setup_ext, IIO_DMAENGINE_BUFFER);

/**
 * devm_iio_dmaengine_buffer_setup_with_handle() - Give an IIO device a buffer
 *	on a channel that its driver has
 * @dev: device that the buffer goes with when it is unbound
 * @indio_dev: the IIO device, not registered yet
 * @chan: the channel. It stays the driver's, which releases it later than the
 *	buffer goes.
 * @dir: direction of the buffer
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, or what dma_get_slave_caps() returned.
 */
int devm_iio_dmaengine_buffer_setup_with_handle(struct device *dev,
						struct iio_dev *indio_dev,
						struct dma_chan *chan,
						enum iio_buffer_direction dir)
{
	return iio_dmaengine_devm(dev,
				  iio_dmaengine_setup(indio_dev, chan, dir));
}
EXPORT_SYMBOL_NS_GPL(devm_iio_dmaengine_buffer_setup_with_handle,
		     IIO_DMAENGINE_BUFFER);

MODULE_DESCRIPTION("IIO DMA buffers on dmaengine channels");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(IIO_DMA_BUFFER);
