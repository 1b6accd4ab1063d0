// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests of IIO DMA buffers, see mock-dma.h
 */
#include <kunit/device.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/iio/iio.h>

#include "mock-dma.h"

MODULE_IMPORT_NS(DMA_BUF);
MODULE_IMPORT_NS(IIO_DMA_BUFFER);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

static struct mock_dma *to_mock_dma(struct iio_dma_buffer_queue *queue)
{
	return container_of(queue, struct mock_dma, queue);
}

static int mock_dma_prepare(struct iio_dma_buffer_queue *queue,
			    struct iio_dma_buffer_block *block)
{
	struct mock_dma *dma = to_mock_dma(queue);

	dma->prepared++;

	return dma->prepare_error;
}

static int mock_dma_submit(struct iio_dma_buffer_queue *queue,
			   struct iio_dma_buffer_block *block)
{
	struct mock_dma *dma = to_mock_dma(queue);

	if (dma->submit_error)
		return dma->submit_error;

	dma->submitted++;
	spin_lock_irq(&queue->list_lock);
	list_add_tail(&block->head, &dma->list);
	spin_unlock_irq(&queue->list_lock);

	return 0;
}

static void mock_dma_abort(struct iio_dma_buffer_queue *queue)
{
	struct mock_dma *dma = to_mock_dma(queue);

	dma->aborted++;
	iio_dma_buffer_block_list_abort(queue, &dma->list);
}

static const struct iio_dma_buffer_ops mock_dma_ops = {
	.prepare = mock_dma_prepare,
	.submit = mock_dma_submit,
	.abort = mock_dma_abort,
};

static void mock_dma_release(struct iio_buffer *buffer)
{
	struct mock_dma *dma = container_of(buffer, struct mock_dma,
					    queue.buffer);

	iio_dma_buffer_release(&dma->queue);
	dma->released = true;
}

static const struct iio_buffer_access_funcs mock_dma_access = {
	.read = iio_dma_buffer_read,
	.write = iio_dma_buffer_write,
	.data_available = iio_dma_buffer_usage,
	.space_available = iio_dma_buffer_usage,
	.release = mock_dma_release,
	.attach_dmabuf = iio_dma_buffer_attach_dmabuf,
	.detach_dmabuf = iio_dma_buffer_detach_dmabuf,
	.enqueue_dmabuf = iio_dma_buffer_enqueue_dmabuf,
	.get_dma_dev = iio_dma_buffer_get_dma_dev,
	.lock_queue = iio_dma_buffer_lock_queue,
	.unlock_queue = iio_dma_buffer_unlock_queue,
};

static const struct iio_info mock_info;

static void mock_dma_free(void *data)
{
	struct mock_dma *dma = data;

	if (!dma->queue.dead)
		mock_dma_unbind(dma);
	iio_buffer_put(&dma->queue.buffer);
	KUNIT_EXPECT_TRUE(dma->test, dma->released);
	iio_device_free(dma->ib.indio_dev);
}

/* A buffer, not enabled, that the test need not free */
struct mock_dma *mock_dma(struct kunit *test, enum iio_buffer_direction dir)
{
	static atomic_t instance;
	struct iio_dev *indio_dev;
	struct mock_dma *dma;
	struct device *dev;
	char name[32];

	dma = kunit_kzalloc(test, sizeof(*dma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dma);
	snprintf(name, sizeof(name), "iio-mock-dma%d",
		 atomic_inc_return(&instance));
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	dev->dma_mask = &dev->coherent_dma_mask;
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(dev,
							   DMA_BIT_MASK(64)));
	indio_dev = iio_device_alloc(dev, 0);
	KUNIT_ASSERT_NOT_NULL(test, indio_dev);
	indio_dev->info = &mock_info;

	dma->test = test;
	INIT_LIST_HEAD(&dma->list);
	iio_dma_buffer_init(&dma->queue, dev, &mock_dma_ops);
	dma->queue.buffer.access = &mock_dma_access;
	dma->queue.buffer.direction = dir;
	dma->ib.indio_dev = indio_dev;
	dma->ib.buffer = &dma->queue.buffer;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_dma_free,
							   dma));

	return dma;
}

void mock_dma_enable(struct mock_dma *dma)
{
	KUNIT_EXPECT_EQ(dma->test, 0,
			iio_dma_buffer_enable(dma->ib.buffer,
					      dma->ib.indio_dev));
}

void mock_dma_disable(struct mock_dma *dma)
{
	KUNIT_EXPECT_EQ(dma->test, 0,
			iio_dma_buffer_disable(dma->ib.buffer,
					       dma->ib.indio_dev));
}

/* As iio_device_unregister() and then the driver do */
void mock_dma_unbind(struct mock_dma *dma)
{
	dma->ib.indio_dev->info = NULL;
	iio_dma_buffer_exit(&dma->queue);
}

/* The transfer at the head ends. A cyclic one only does with an error. */
void mock_dma_complete(struct mock_dma *dma, int error)
{
	struct iio_dma_buffer_block *block;

	block = list_first_entry_or_null(&dma->list, typeof(*block), head);
	KUNIT_ASSERT_NOT_NULL(dma->test, block);

	spin_lock_irq(&dma->queue.list_lock);
	list_del(&block->head);
	spin_unlock_irq(&dma->queue.list_lock);
	block->error = error;
	iio_dma_buffer_block_done(block);
	/* What was held back is submitted by a work */
	flush_work(&dma->queue.kick);
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct mock_dmabuf *buf = attach->dmabuf->priv;
	struct sg_table *sgt;

	if (buf->attaching)
		buf->refused = iio_buffer_has_dmabufs(buf->attaching);
	if (buf->map_error)
		return ERR_PTR(buf->map_error);

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt || sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_dma_address(sgt->sgl) = PAGE_SIZE;
	sg_dma_len(sgt->sgl) = MOCK_SIZE;
	buf->mapped++;

	return sgt;
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct mock_dmabuf *buf = attach->dmabuf->priv;

	buf->mapped--;
	sg_free_table(sgt);
	kfree(sgt);
}

static void mock_release(struct dma_buf *dmabuf)
{
	kfree(dmabuf->priv);
}

static const struct dma_buf_ops mock_dmabuf_ops = {
	.map_dma_buf = mock_map,
	.unmap_dma_buf = mock_unmap,
	.release = mock_release,
};

static void mock_dmabuf_put(void *data)
{
	struct mock_dmabuf *buf = data;

	dma_buf_put(buf->dmabuf);
}

/*
 * A DMABUF that the test need not put. Attachments may be gone later than what
 * the test has allocated, so it is freed with its last reference.
 */
struct mock_dmabuf *mock_dmabuf(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct mock_dmabuf *buf;

	buf = kzalloc(sizeof(*buf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	info.ops = &mock_dmabuf_ops;
	info.size = MOCK_SIZE;
	info.priv = buf;
	buf->dmabuf = dma_buf_export(&info);
	if (IS_ERR(buf->dmabuf)) {
		kfree(buf);
		KUNIT_FAIL_AND_ABORT(test, "cannot export");
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   mock_dmabuf_put,
							   buf));

	return buf;
}

struct mock_dmabuf *mock_dmabuf_attached(struct mock_dma *dma)
{
	struct mock_dmabuf *buf = mock_dmabuf(dma->test);

	KUNIT_ASSERT_EQ(dma->test, 0, mock_attach(dma, buf));

	return buf;
}

int mock_attach(struct mock_dma *dma, struct mock_dmabuf *buf)
{
	int ret;

	get_dma_buf(buf->dmabuf);
	ret = iio_dmabuf_add(&dma->ib, buf->dmabuf, true);
	if (ret)
		dma_buf_put(buf->dmabuf);

	return ret;
}

int mock_detach(struct mock_dma *dma, struct mock_dmabuf *buf)
{
	return iio_dmabuf_remove(&dma->ib, buf->dmabuf);
}

int mock_enqueue(struct mock_dma *dma, struct mock_dmabuf *buf, u32 flags)
{
	struct iio_dmabuf req = {
		.flags = flags,
		.bytes_used = MOCK_SIZE,
	};

	return iio_dmabuf_enqueue(&dma->ib, buf->dmabuf, &req, true);
}

static void mock_fence_put(void *fence)
{
	dma_fence_put(fence);
}

/* The only fence of a DMABUF; the test need not put it */
struct dma_fence *mock_fence(struct kunit *test, struct mock_dmabuf *buf)
{
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0,
			dma_resv_get_singleton(buf->dmabuf->resv,
					       DMA_RESV_USAGE_READ, &fence));
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_fence_put,
							   fence));

	return fence;
}

/* The DMA has the fence of this DMABUF's transfer, and thus the transfer */
bool mock_dma_active(struct mock_dma *dma, struct mock_dmabuf *buf)
{
	struct iio_dma_buffer_block *block;
	struct dma_fence *fence = mock_fence(dma->test, buf);

	list_for_each_entry(block, &dma->list, head)
		if (block->fence == fence)
			return true;

	return false;
}
