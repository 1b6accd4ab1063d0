// SPDX-License-Identifier: GPL-2.0-only
/*
 * IIO buffers: transfers between a buffer and its DMABUFs
 *
 * Responsible for ENQUEUE and for the fences by which everybody else learns
 * about the transfers.
 *
 * Life of a fence: one for each ENQUEUE, made with a reference that ENQUEUE
 * drops when it returns. enqueue_dmabuf() takes one for the transfer. Once it
 * has said yes the fence goes into the DMABUF's dma_resv object, and not
 * before: what ENQUEUE refuses nobody gets to see. It is signalled exactly
 * once, by iio_buffer_signal_dmabuf_done(), and may then exist for as long as
 * somebody likes: it has a reference to its timeline, which has its lock, and
 * does not refer to the attachment any more. An attachment has a timeline of
 * its own, as it has one transfer at a time; numbers are given with the queue
 * locked.
 *
 * Memory of fences: a timeline comes with two, which take turns: the last one
 * stays in the dma_resv object until the next one takes its place. If those are
 * held by others a fence is allocated, and freed after a RCU grace period. One
 * of the two is used again without such a period. So somebody who has found it
 * in the dma_resv object, under RCU and without a reference yet, may get hold of
 * its next life. That is the next transfer of the same DMABUF in the same
 * direction, which he would have found had he looked a moment later; should
 * ENQUEUE refuse that, it signals without an error. While it is set up he may
 * read one thing of it and another of the former life, which was signalled and
 * has a lower number: he takes it for signalled, or goes on to wait. To wait he
 * takes the lock, and then all is set. The memory itself goes with the timeline,
 * after a grace period.
 *
 * The lock order is in buffer-dma.h.
 */
#include <linux/cleanup.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <kunit/visibility.h>

#include <linux/iio/buffer_impl.h>
#include <linux/iio/iio.h>
#include <linux/iio/iio-opaque.h>

#include "../iio_core.h"
#include "industrialio-buffer-dmabuf.h"

/* How long a blocking ENQUEUE waits for the fences of others */
#define IIO_DMABUF_FENCE_TIMEOUT	(5 * HZ)

/**
 * struct iio_dmabuf_fence - The fence of a transfer
 * @base: the fence
 * @timeline: its timeline, with a reference while the fence exists
 * @attach: the attachment, with a reference, until the fence is signalled
 * @kept: it is one of the timeline's own. Constant.
 * @used: it exists, if @kept. Set with the DMABUF's dma_resv lock held.
 */
struct iio_dmabuf_fence {
	struct dma_fence base;
	struct iio_dmabuf_timeline *timeline;
	struct iio_dmabuf_attach *attach;
	bool kept;
	bool used;
};

/**
 * struct iio_dmabuf_timeline - The transfers of an attachment, as fences
 * @kref: one reference of the attachment's and one of each fence's
 * @lock: the lock of all fences
 * @context: the number of the timeline
 * @seqno: number of the last transfer. Protected by the queue's lock.
 * @fences: those that take turns
 * @rcu: to be freed
 */
struct iio_dmabuf_timeline {
	struct kref kref;
	spinlock_t lock; /* of all fences */
	u64 context;
	u64 seqno;
	struct iio_dmabuf_fence fences[2];
	struct rcu_head rcu;
};

static void iio_dmabuf_timeline_release(struct kref *kref)
{
	struct iio_dmabuf_timeline *timeline =
		container_of(kref, struct iio_dmabuf_timeline, kref);

	kfree_rcu(timeline, rcu);
	module_put(THIS_MODULE);
}

/**
 * iio_dmabuf_timeline_put() - The attachment has no transfers any more
 * @timeline: what iio_dmabuf_timeline_alloc() returned
 *
 * Context: any.
 */
void iio_dmabuf_timeline_put(struct iio_dmabuf_timeline *timeline)
{
	kref_put(&timeline->kref, iio_dmabuf_timeline_release);
}

/**
 * iio_dmabuf_timeline_alloc() - Make the timeline of an attachment
 *
 * Context: may sleep.
 * Return: the timeline, or NULL without memory.
 */
struct iio_dmabuf_timeline *iio_dmabuf_timeline_alloc(void)
{
	struct iio_dmabuf_timeline *timeline;
	unsigned int i;

	timeline = kzalloc(sizeof(*timeline), GFP_KERNEL);
	if (!timeline)
		return NULL;

	/* Somebody may hold a fence when everything else of IIO is gone */
	__module_get(THIS_MODULE);
	kref_init(&timeline->kref);
	spin_lock_init(&timeline->lock);
	timeline->context = dma_fence_context_alloc(1);
	for (i = 0; i < ARRAY_SIZE(timeline->fences); i++)
		timeline->fences[i].kept = true;

	return timeline;
}

static const char *iio_dmabuf_fence_driver_name(struct dma_fence *fence)
{
	return "iio";
}

static const char *iio_dmabuf_fence_timeline_name(struct dma_fence *fence)
{
	return "iio-dmabuf";
}

static void iio_dmabuf_fence_release(struct dma_fence *base)
{
	struct iio_dmabuf_fence *fence =
		container_of(base, struct iio_dmabuf_fence, base);
	struct iio_dmabuf_timeline *timeline = fence->timeline;

	if (fence->kept)
		/* All was done to it: iio_dmabuf_fence_alloc() */
		smp_store_release(&fence->used, false);
	else
		dma_fence_free(base);
	iio_dmabuf_timeline_put(timeline);
}

static const struct dma_fence_ops iio_dmabuf_fence_ops = {
	.get_driver_name = iio_dmabuf_fence_driver_name,
	.get_timeline_name = iio_dmabuf_fence_timeline_name,
	.release = iio_dmabuf_fence_release,
};

/* Memory for the next fence. Only ENQUEUE, under the lock, takes what is free. */
static struct iio_dmabuf_fence *
iio_dmabuf_fence_alloc(struct iio_dmabuf_attach *attach)
{
	struct iio_dmabuf_timeline *timeline = attach->timeline;
	struct iio_dmabuf_fence *fence;
	unsigned int i;

	dma_resv_assert_held(attach->dbattach->dmabuf->resv);

	for (i = 0; i < ARRAY_SIZE(timeline->fences); i++) {
		fence = &timeline->fences[i];
		/* Pairs with iio_dmabuf_fence_release() */
		if (!smp_load_acquire(&fence->used)) {
			fence->used = true;
			return fence;
		}
	}

	fence = kmalloc(sizeof(*fence), GFP_KERNEL);
	if (fence)
		fence->kept = false;

	return fence;
}

/* Take @fence into use for the next transfer. The queue is locked. */
static void iio_dmabuf_fence_init(struct iio_dmabuf_fence *fence,
				  struct iio_dmabuf_attach *attach)
{
	struct iio_dmabuf_timeline *timeline = attach->timeline;

	kref_get(&timeline->kref);
	fence->timeline = timeline;
	fence->attach = attach;
	/* Who gets a reference to it too early waits here, see above */
	spin_lock_irq(&timeline->lock);
	dma_fence_init(&fence->base, &iio_dmabuf_fence_ops, &timeline->lock,
		       timeline->context, ++timeline->seqno);
	spin_unlock_irq(&timeline->lock);
}

/**
 * iio_buffer_signal_dmabuf_done() - A transfer from or to a DMABUF has ended
 * @fence: the fence that enqueue_dmabuf() was called with
 * @ret: 0, or the negative errno with which the transfer failed; -EINTR if it
 *	was aborted
 *
 * To be called once per transfer, by whom enqueue_dmabuf() succeeded for. The
 * block may be queued again before this is called. The caller keeps its
 * reference to the fence.
 *
 * Context: any.
 */
void iio_buffer_signal_dmabuf_done(struct dma_fence *fence, int ret)
{
	struct iio_dmabuf_fence *iio_fence =
		container_of(fence, struct iio_dmabuf_fence, base);
	struct iio_dmabuf_attach *attach = iio_fence->attach;

	if (ret)
		dma_fence_set_error(fence, ret);
	dma_fence_signal(fence);
	iio_dmabuf_put_later(attach);
}
EXPORT_SYMBOL_GPL(iio_buffer_signal_dmabuf_done);

/*
 * A fence, with a reference, that a transfer has to wait for: of a writer, and
 * of a reader too if the transfer writes. Transfers of this attachment do not
 * count, the queue knows about them.
 */
static struct dma_fence *
iio_dmabuf_foreign_fence(struct iio_dmabuf_attach *attach)
{
	bool write = iio_dmabuf_dir(attach->buffer) == DMA_FROM_DEVICE;
	struct dma_resv *resv = attach->dbattach->dmabuf->resv;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_assert_held(resv);

	dma_resv_for_each_fence(&cursor, resv, dma_resv_usage_rw(write), fence)
		if (fence->context != attach->timeline->context &&
		    !dma_fence_is_signaled(fence))
			return dma_fence_get(fence);

	return NULL;
}

/*
 * Look up the attachment and lock the DMABUF when there is nothing left to wait
 * for. The wait is done without the lock and without a reference, for others
 * and a DETACH to get on; so look again after it.
 */
static struct iio_dmabuf_attach *
iio_dmabuf_lock_idle(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf,
		     bool nonblock)
{
	long left = nonblock ? 0 : IIO_DMABUF_FENCE_TIMEOUT;
	struct iio_dmabuf_attach *attach;
	struct dma_fence *fence;
	int ret;

	for (;;) {
		attach = iio_dmabuf_find(ib, dmabuf, false);
		if (IS_ERR(attach))
			return attach;

		ret = iio_dmabuf_resv_lock(dmabuf->resv, nonblock);
		if (ret) {
			iio_dmabuf_put(attach);
			return ERR_PTR(ret);
		}
		fence = iio_dmabuf_foreign_fence(attach);
		if (!fence)
			return attach;

		dma_resv_unlock(dmabuf->resv);
		iio_dmabuf_put(attach);
		if (left > 0)
			left = dma_fence_wait_timeout(fence, true, left);
		else
			/* Some signal only when somebody wants to know */
			dma_fence_enable_sw_signaling(fence);
		dma_fence_put(fence);
		if (left <= 0)
			return ERR_PTR(left ? -EINTR : -EBUSY);
	}
}

/* All that publishing a fence needs and that can fail */
static struct iio_dmabuf_fence *
iio_dmabuf_fence_reserve(struct iio_dmabuf_attach *attach)
{
	int ret = dma_resv_reserve_fences(attach->dbattach->dmabuf->resv, 1);
	struct iio_dmabuf_fence *fence;

	if (ret)
		return ERR_PTR(ret);
	fence = iio_dmabuf_fence_alloc(attach);

	return fence ?: ERR_PTR(-ENOMEM);
}

/*
 * Queue the transfer and, when that has succeeded, publish its fence. Consumes
 * the reference to @attach and unlocks the DMABUF.
 */
static int iio_dmabuf_queue(struct iio_dev_buffer_pair *ib,
			    struct iio_dmabuf_attach *attach, size_t size,
			    bool cyclic)
{
	struct dma_resv *resv = attach->dbattach->dmabuf->resv;
	struct iio_buffer *buffer = ib->buffer;
	struct iio_dmabuf_fence *fence;
	int ret;

	fence = iio_dmabuf_fence_reserve(attach);
	if (IS_ERR(fence)) {
		dma_resv_unlock(resv);
		iio_dmabuf_put(attach);
		return PTR_ERR(fence);
	}

	buffer->access->lock_queue(buffer);
	iio_dmabuf_fence_init(fence, attach);
	/* Made dead before detach_dmabuf(), which locks the queue */
	if (READ_ONCE(attach->live))
		ret = buffer->access->enqueue_dmabuf(buffer, attach->block,
						     &fence->base, attach->sgt,
						     size, cyclic);
	else
		ret = READ_ONCE(ib->indio_dev->info) ? -EPERM : -ENODEV;
	buffer->access->unlock_queue(buffer);

	if (!ret)
		dma_resv_add_fence(resv, &fence->base,
				   iio_dmabuf_dir(buffer) == DMA_FROM_DEVICE ?
				   DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_resv_unlock(resv);

	/* Somebody may have it already, see above, and it is not his error */
	if (ret)
		iio_buffer_signal_dmabuf_done(&fence->base, 0);
	dma_fence_put(&fence->base);

	return ret;
}

/*
 * Whole scans only. While the buffer is enabled the queue checks that; before,
 * this checks it by the channels that are chosen so far.
 */
static int iio_dmabuf_check_scans(struct iio_dev_buffer_pair *ib, size_t size)
{
	struct iio_dev_opaque *opaque = to_iio_dev_opaque(ib->indio_dev);
	struct iio_buffer *buffer = ib->buffer;
	int bytes;

	if (!list_empty_careful(&buffer->buffer_list))
		return 0;

	/* The mask is freed when the device is unregistered */
	guard(mutex)(&opaque->info_exist_lock);
	if (!ib->indio_dev->info)
		return 0;
	bytes = iio_compute_scan_bytes(ib->indio_dev, buffer->scan_mask,
				       buffer->scan_timestamp);

	return bytes > 0 && size % bytes ? -EINVAL : 0;
}

/**
 * iio_dmabuf_enqueue() - Queue a transfer
 * @ib: the buffer
 * @dmabuf: the DMABUF to transfer to or from
 * @req: the request. Its flags are known and fit the buffer; its file
 *	descriptor does not matter.
 * @nonblock: do not wait for a lock or a fence
 *
 * Context: may sleep.
 * Return: 0 or an errno of ENQUEUE.
 */
int iio_dmabuf_enqueue(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf,
		       const struct iio_dmabuf *req, bool nonblock)
{
	struct iio_dmabuf_attach *attach;
	int ret;

	if (!req->bytes_used || req->bytes_used > dmabuf->size)
		return -EINVAL;
	ret = iio_dmabuf_check_scans(ib, req->bytes_used);
	if (ret)
		return ret;

	attach = iio_dmabuf_lock_idle(ib, dmabuf, nonblock);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	return iio_dmabuf_queue(ib, attach, req->bytes_used,
				req->flags & IIO_BUFFER_DMABUF_CYCLIC);
}
EXPORT_SYMBOL_IF_KUNIT(iio_dmabuf_enqueue);

/**
 * iio_dmabuf_ioctl_enqueue() - The ENQUEUE ioctl
 * @ib: the buffer
 * @arg: its argument
 * @nonblock: the file is non-blocking
 *
 * Context: may sleep.
 * Return: see iio_buffer_dmabuf_ioctl().
 */
int iio_dmabuf_ioctl_enqueue(struct iio_dev_buffer_pair *ib,
			     struct iio_dmabuf __user *arg, bool nonblock)
{
	struct iio_dmabuf req;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (req.flags & ~IIO_BUFFER_DMABUF_SUPPORTED_FLAGS)
		return -EINVAL;
	if ((req.flags & IIO_BUFFER_DMABUF_CYCLIC) &&
	    ib->buffer->direction == IIO_BUFFER_DIRECTION_IN)
		return -EINVAL;

	dmabuf = dma_buf_get(req.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = iio_dmabuf_enqueue(ib, dmabuf, &req, nonblock);
	dma_buf_put(dmabuf);

	return ret;
}
