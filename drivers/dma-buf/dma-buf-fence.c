// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fences of a buffer as user space sees them: poll, and sync_files going
 * out and coming in.
 */

#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/fcntl.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "dma-buf-internal.h"

/*
 * Poll.
 *
 * All pollers of a buffer sleep in one wait queue. For each of the two events
 * there is one callback, on any one fence that is pending; when it runs, the
 * pollers look again and the first one that finds another pending fence sets it
 * up anew. Nobody takes dma_buf.resv for this, so a poller does not wait for
 * those who do.
 *
 * A callback that is set up holds a reference to the file, because it can run
 * after every descriptor is closed, and one to its fence. It cannot drop the
 * latter itself: it runs under the fence's lock, which the fence's release may
 * need. So that is left to a work item.
 */

void dma_buf_poll_init(struct dma_buf *dmabuf)
{
	init_waitqueue_head(&dmabuf->poll);
	dmabuf->poll_in.dmabuf = dmabuf;
	dmabuf->poll_out.dmabuf = dmabuf;
}

/* Returns false if the callback is busy; then the caller will be woken. */
static bool dma_buf_poll_start(struct dma_buf_poll *poll)
{
	struct dma_buf *dmabuf = poll->dmabuf;
	bool busy;

	spin_lock_irq(&dmabuf->poll.lock);
	busy = poll->busy;
	if (busy)
		poll->missed = true;
	else
		poll->busy = true;
	spin_unlock_irq(&dmabuf->poll.lock);

	if (!busy)
		get_file(dmabuf->file);
	return !busy;
}

static void dma_buf_poll_finish(struct dma_buf_poll *poll)
{
	struct dma_buf *dmabuf = poll->dmabuf;

	spin_lock_irq(&dmabuf->poll.lock);
	poll->busy = false;
	if (poll->missed)
		wake_up_all_locked(&dmabuf->poll);
	poll->missed = false;
	spin_unlock_irq(&dmabuf->poll.lock);

	fput(dmabuf->file);
}

/* Whoever has seen it pending has to be woken. */
static void dma_buf_poll_not_pending(struct dma_buf_poll *poll)
{
	struct dma_buf *dmabuf = poll->dmabuf;

	spin_lock_irq(&dmabuf->poll.lock);
	WRITE_ONCE(poll->pending, false);
	poll->missed = true;
	spin_unlock_irq(&dmabuf->poll.lock);
}

static void dma_buf_poll_work(struct work_struct *work)
{
	struct dma_buf_poll *poll = container_of(work, struct dma_buf_poll,
						 work);

	dma_fence_put(poll->fence);
	dma_buf_poll_finish(poll);
}

static void dma_buf_poll_signaled(struct dma_fence *fence,
				  struct dma_fence_cb *cb)
{
	struct dma_buf_poll *poll = container_of(cb, struct dma_buf_poll, cb);
	struct dma_buf *dmabuf = poll->dmabuf;
	unsigned long flags;

	/*
	 * No event is named: one fence is not all of them, and aio and io_uring
	 * would pass on what they are woken with, unseen. Exclusive waiters are
	 * all woken, for they may be waiting for different events.
	 */
	spin_lock_irqsave(&dmabuf->poll.lock, flags);
	WRITE_ONCE(poll->pending, false);
	poll->missed = false;
	wake_up_all_locked(&dmabuf->poll);
	spin_unlock_irqrestore(&dmabuf->poll.lock, flags);

	schedule_work(&poll->work);
}

/* Have the callback run by a fence that is pending, if there is one. */
static bool dma_buf_poll_set_up(struct dma_buf_poll *poll,
				enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool pending = false;

	INIT_WORK(&poll->work, dma_buf_poll_work);
	dma_resv_iter_begin(&cursor, poll->dmabuf->resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		poll->fence = dma_fence_get(fence);
		/* Before the callback, which takes it back. */
		WRITE_ONCE(poll->pending, true);
		pending = !dma_fence_add_callback(fence, &poll->cb,
						  dma_buf_poll_signaled);
		if (pending)
			break;
		dma_buf_poll_not_pending(poll);
		dma_fence_put(fence);
	}
	dma_resv_iter_end(&cursor);

	return pending;
}

/*
 * Returns true if the event is there; otherwise the caller will be woken. It
 * sleeps in the wait queue already: if it sees a callback, it is not too late
 * for being woken by that.
 */
static bool dma_buf_poll_event(struct dma_buf_poll *poll,
			       enum dma_resv_usage usage)
{
	if (READ_ONCE(poll->pending))
		return false;
	if (dma_resv_test_signaled(poll->dmabuf->resv, usage))
		return true;
	if (!dma_buf_poll_start(poll) || dma_buf_poll_set_up(poll, usage))
		return false;

	dma_buf_poll_finish(poll);
	return true;
}

__poll_t dma_buf_file_poll(struct file *file, poll_table *pt)
{
	struct dma_buf *dmabuf = file->private_data;
	__poll_t wanted = poll_requested_events(pt);
	__poll_t events = 0;

	poll_wait(file, &dmabuf->poll, pt);

	if (wanted & EPOLLIN &&
	    dma_buf_poll_event(&dmabuf->poll_in, dma_resv_usage_rw(false)))
		events |= EPOLLIN;
	if (wanted & EPOLLOUT &&
	    dma_buf_poll_event(&dmabuf->poll_out, dma_resv_usage_rw(true)))
		events |= EPOLLOUT;

	return events;
}

#if IS_ENABLED(CONFIG_SYNC_FILE)
/* Sync files. */

static bool dma_buf_sync_flags_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/* All fences of a kind as one; a signalled one where there are none. */
static struct dma_fence *dma_buf_get_fence(struct dma_buf *dmabuf,
					   enum dma_resv_usage usage)
{
	struct dma_fence *fence;
	int ret;

	if (!dma_buf_may_have_fences(dmabuf))
		return dma_fence_get_stub();

	ret = dma_resv_get_singleton(dmabuf->resv, usage, &fence);
	if (ret)
		return ERR_PTR(ret);

	return fence ?: dma_fence_get_stub();
}

long dma_buf_ioctl_export_sync_file(struct dma_buf *dmabuf, void __user *uarg)
{
	struct dma_buf_export_sync_file arg;
	struct sync_file *sync_file;
	struct dma_fence *fence;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dma_buf_sync_flags_valid(arg.flags))
		return -EINVAL;

	arg.fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg.fd < 0)
		return arg.fd;

	fence = dma_buf_get_fence(dmabuf,
				  dma_resv_usage_rw(arg.flags & DMA_BUF_SYNC_WRITE));
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto err_put_fd;
	}

	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	if (!sync_file) {
		ret = -ENOMEM;
		goto err_put_fd;
	}

	if (copy_to_user(uarg, &arg, sizeof(arg))) {
		ret = -EFAULT;
		goto err_put_file;
	}

	fd_install(arg.fd, sync_file->file);
	return 0;

err_put_file:
	fput(sync_file->file);
err_put_fd:
	put_unused_fd(arg.fd);
	return ret;
}

static unsigned int dma_buf_count_fences(struct dma_fence *fence)
{
	struct dma_fence_unwrap cursor;
	unsigned int nr_fences = 0;
	struct dma_fence *f;

	if (!dma_fence_is_container(fence))
		return 1;

	dma_fence_unwrap_for_each(f, &cursor, fence)
		nr_fences++;

	return nr_fences;
}

static int dma_buf_add_fences(struct dma_buf *dmabuf, struct dma_fence *fence,
			      enum dma_resv_usage usage)
{
	unsigned int nr_fences = dma_buf_count_fences(fence);
	struct dma_fence_unwrap cursor;
	struct dma_fence *f;
	int ret;

	if (!nr_fences)
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, nr_fences);
	if (ret)
		goto unlock;

	if (dma_fence_is_container(fence))
		dma_fence_unwrap_for_each(f, &cursor, fence)
			dma_resv_add_fence(dmabuf->resv, f, usage);
	else
		dma_resv_add_fence(dmabuf->resv, fence, usage);

unlock:
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

long dma_buf_ioctl_import_sync_file(struct dma_buf *dmabuf,
				    const void __user *uarg)
{
	struct dma_buf_import_sync_file arg;
	struct dma_fence *fence;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dma_buf_sync_flags_valid(arg.flags))
		return -EINVAL;

	fence = sync_file_get_fence(arg.fd);
	if (!fence)
		return -EINVAL;

	ret = dma_buf_add_fences(dmabuf, fence,
				 arg.flags & DMA_BUF_SYNC_WRITE ?
				 DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_fence_put(fence);

	return ret;
}
#endif /* CONFIG_SYNC_FILE */
