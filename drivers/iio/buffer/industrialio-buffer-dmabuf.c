// SPDX-License-Identifier: GPL-2.0-only
/*
 * IIO buffers: the ioctls for DMABUFs
 *
 * Responsible for which DMABUFs a buffer has and for their mapping. Transfers
 * and their fences are in industrialio-buffer-dmabuf-xfer.c. The order of the
 * transfers, and doing them, is left to the buffer's access functions.
 *
 * Life of an attachment: made by ATTACH, it goes on the buffer's list at once,
 * so that whoever takes the device away can wait for it, and is live, that is
 * found by the other ioctls, when nothing can fail any more. From then on it
 * has a reference for being attached; each transfer has another. DETACH, the
 * closing of the file and the end of the device make it dead, let go of its
 * block (which ends what had not been started) and drop the first reference.
 * With the last reference the mapping goes, and then the attachment leaves the
 * list. A transfer ends where sleeping is not allowed; if its reference is the
 * last, the buffer's work does this. The buffer outlives its attachments by
 * iio_buffer_remove_dmabufs().
 *
 * Life of a block: it is made by attach_dmabuf() for an attachment, and that
 * has it until detach_dmabuf(). What becomes of it inside is described in
 * industrialio-buffer-dma.c.
 *
 * The lock order is in buffer-dma.h.
 */
#include <linux/cleanup.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <kunit/visibility.h>

#include <linux/iio/buffer_impl.h>
#include <linux/iio/iio.h>
#include <linux/iio/iio-opaque.h>

#include "../iio_core.h"
#include "industrialio-buffer-dmabuf.h"

MODULE_IMPORT_NS(DMA_BUF);

/* For those who wait until there are no DMABUFs */
static void iio_dmabuf_wake(struct iio_buffer *buffer)
{
	if (wq_has_sleeper(&buffer->pollq))
		wake_up(&buffer->pollq);
}

static void iio_dmabuf_free(struct iio_dmabuf_attach *attach)
{
	iio_dmabuf_timeline_put(attach->timeline);
	kfree(attach);
}

/* Off the list last: iio_buffer_remove_dmabufs() waits for all of the above */
static void iio_dmabuf_unlink(struct iio_dmabuf_attach *attach)
{
	struct iio_buffer *buffer = attach->buffer;

	scoped_guard(mutex, &buffer->dmabufs_mutex) {
		list_del_init_careful(&attach->entry);
	}
	iio_dmabuf_wake(buffer);
	iio_dmabuf_free(attach);
}

static void iio_dmabuf_unmap(struct iio_dmabuf_attach *attach)
{
	struct dma_buf *dmabuf = attach->dbattach->dmabuf;

	dma_buf_unmap_attachment_unlocked(attach->dbattach, attach->sgt,
					  iio_dmabuf_dir(attach->buffer));
	dma_buf_detach(dmabuf, attach->dbattach);
}

static void iio_dmabuf_destroy(struct iio_dmabuf_attach *attach)
{
	struct dma_buf *dmabuf = attach->dbattach->dmabuf;

	iio_dmabuf_unmap(attach);
	dma_buf_put(dmabuf);
	iio_dmabuf_unlink(attach);
}

static void iio_dmabuf_release(struct kref *kref)
{
	iio_dmabuf_destroy(container_of(kref, struct iio_dmabuf_attach, kref));
}

/* Drop a reference where sleeping is allowed and no lock is held */
void iio_dmabuf_put(struct iio_dmabuf_attach *attach)
{
	might_sleep();
	kref_put(&attach->kref, iio_dmabuf_release);
}

static void iio_dmabuf_release_later(struct kref *kref)
{
	struct iio_dmabuf_attach *attach =
		container_of(kref, struct iio_dmabuf_attach, kref);
	struct iio_buffer *buffer = attach->buffer;

	llist_add(&attach->gone, &buffer->dmabufs_gone);
	queue_work(system_unbound_wq, &buffer->dmabufs_work);
}

/* Drop a reference anywhere */
void iio_dmabuf_put_later(struct iio_dmabuf_attach *attach)
{
	kref_put(&attach->kref, iio_dmabuf_release_later);
}

static void iio_dmabuf_release_work(struct work_struct *work)
{
	struct iio_buffer *buffer = container_of(work, struct iio_buffer,
						 dmabufs_work);
	struct iio_dmabuf_attach *attach, *tmp;

	llist_for_each_entry_safe(attach, tmp,
				  llist_del_all(&buffer->dmabufs_gone), gone)
		iio_dmabuf_destroy(attach);
}

/**
 * iio_buffer_init_dmabufs() - The DMABUF part of iio_buffer_init()
 * @buffer: the buffer
 */
void iio_buffer_init_dmabufs(struct iio_buffer *buffer)
{
	init_llist_head(&buffer->dmabufs_gone);
	INIT_WORK(&buffer->dmabufs_work, iio_dmabuf_release_work);
}

/* The live attachment of @dmabuf. Called with buffer->dmabufs_mutex held. */
static struct iio_dmabuf_attach *
iio_dmabuf_find_locked(struct iio_buffer *buffer, const struct dma_buf *dmabuf)
{
	struct iio_dmabuf_attach *attach;

	lockdep_assert_held(&buffer->dmabufs_mutex);

	list_for_each_entry(attach, &buffer->dmabufs, entry)
		if (attach->live && attach->dbattach->dmabuf == dmabuf)
			return attach;

	return NULL;
}

static void iio_dmabuf_set_live(struct iio_dmabuf_attach *attach, bool live)
{
	struct iio_buffer *buffer = attach->buffer;

	lockdep_assert_held(&buffer->dmabufs_mutex);

	WRITE_ONCE(attach->live, live);
	WRITE_ONCE(buffer->dmabufs_live, buffer->dmabufs_live + (live ? 1 : -1));
}

/*
 * The same with a reference, if @detach is not set; if it is, the attachment is
 * made dead and its first reference is the caller's.
 */
struct iio_dmabuf_attach *
iio_dmabuf_find(struct iio_dev_buffer_pair *ib, const struct dma_buf *dmabuf,
		bool detach)
{
	struct iio_buffer *buffer = ib->buffer;
	struct iio_dmabuf_attach *attach;

	guard(mutex)(&buffer->dmabufs_mutex);

	/* What was attached is detached by the end of the device */
	if (!READ_ONCE(ib->indio_dev->info))
		return ERR_PTR(-ENODEV);

	attach = iio_dmabuf_find_locked(buffer, dmabuf);
	if (!attach)
		return ERR_PTR(-EPERM);
	if (detach)
		iio_dmabuf_set_live(attach, false);
	else
		kref_get(&attach->kref);

	return attach;
}

/* After the attachment was made dead */
static void iio_dmabuf_detach(struct iio_dmabuf_attach *attach)
{
	struct iio_buffer *buffer = attach->buffer;

	buffer->access->detach_dmabuf(buffer, attach->block);
	iio_dmabuf_put(attach);
}

/**
 * iio_buffer_detach_dmabufs() - Detach all DMABUFs, as DETACH does
 * @buffer: the buffer
 *
 * Context: may sleep; takes the locks of the queue and of the DMABUFs.
 */
void iio_buffer_detach_dmabufs(struct iio_buffer *buffer)
{
	struct iio_dmabuf_attach *attach;
	bool found;

	do {
		found = false;
		scoped_guard(mutex, &buffer->dmabufs_mutex) {
			list_for_each_entry(attach, &buffer->dmabufs, entry) {
				found = attach->live;
				if (found)
					break;
			}
			if (found)
				iio_dmabuf_set_live(attach, false);
		}
		if (found)
			iio_dmabuf_detach(attach);
	} while (found);
}
EXPORT_SYMBOL_IF_KUNIT(iio_buffer_detach_dmabufs);

/**
 * iio_buffer_remove_dmabufs() - Detach all DMABUFs, and see them gone
 * @buffer: the buffer, of a device that was unregistered
 *
 * For implementations of a buffer to call before their DMA device, or what
 * their access functions need, goes away. All transfers must have been ended.
 *
 * Context: may sleep; takes the locks of the queue and of the DMABUFs.
 */
void iio_buffer_remove_dmabufs(struct iio_buffer *buffer)
{
	iio_buffer_detach_dmabufs(buffer);
	wait_event(buffer->pollq, list_empty_careful(&buffer->dmabufs));
	/* The work itself may have emptied the list just now */
	flush_work(&buffer->dmabufs_work);
}
EXPORT_SYMBOL_GPL(iio_buffer_remove_dmabufs);

/* On the list from the start, see the top of the file */
static struct iio_dmabuf_attach *
iio_dmabuf_link(struct iio_dev_buffer_pair *ib)
{
	struct iio_buffer *buffer = ib->buffer;
	struct iio_dmabuf_attach *attach;

	attach = kzalloc(sizeof(*attach), GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	attach->timeline = iio_dmabuf_timeline_alloc();
	if (!attach->timeline) {
		kfree(attach);
		return ERR_PTR(-ENOMEM);
	}
	attach->buffer = buffer;
	kref_init(&attach->kref);

	guard(mutex)(&buffer->dmabufs_mutex);
	if (!READ_ONCE(ib->indio_dev->info)) {
		iio_dmabuf_free(attach);
		return ERR_PTR(-ENODEV);
	}
	list_add(&attach->entry, &buffer->dmabufs);

	return attach;
}

/*
 * Mapping waits for what the exporter is still doing to the memory. Who does not
 * want to wait is not let in for that.
 */
static int iio_dmabuf_lock_to_map(struct dma_resv *resv, bool nonblock)
{
	int ret;

	ret = iio_dmabuf_resv_lock(resv, nonblock);
	if (ret)
		return ret;
	if (nonblock && !dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL)) {
		dma_resv_unlock(resv);
		return -EBUSY;
	}

	return 0;
}

static int iio_dmabuf_map(struct iio_dmabuf_attach *attach,
			  struct dma_buf *dmabuf, bool nonblock)
{
	struct iio_buffer *buffer = attach->buffer;
	int ret;

	/*
	 * dma_buf_attach() waits for the lock, and may map, whatever the caller
	 * wants. Who has it for long has it now, so meet him here.
	 */
	ret = iio_dmabuf_lock_to_map(dmabuf->resv, nonblock);
	if (ret)
		return ret;
	dma_resv_unlock(dmabuf->resv);

	attach->dbattach = dma_buf_attach(dmabuf,
					  buffer->access->get_dma_dev(buffer));
	if (IS_ERR(attach->dbattach))
		return PTR_ERR(attach->dbattach);

	ret = iio_dmabuf_lock_to_map(dmabuf->resv, nonblock);
	if (ret)
		goto err_detach;

	attach->sgt = dma_buf_map_attachment(attach->dbattach,
					     iio_dmabuf_dir(buffer));
	dma_resv_unlock(dmabuf->resv);
	if (IS_ERR(attach->sgt)) {
		ret = PTR_ERR(attach->sgt);
		goto err_detach;
	}

	return 0;

err_detach:
	dma_buf_detach(dmabuf, attach->dbattach);
	return ret;
}

static int iio_dmabuf_publish(struct iio_dev_buffer_pair *ib,
			      struct iio_dmabuf_attach *attach)
{
	struct iio_buffer *buffer = ib->buffer;

	guard(mutex)(&buffer->dmabufs_mutex);
	if (!READ_ONCE(ib->indio_dev->info))
		return -ENODEV;
	if (iio_dmabuf_find_locked(buffer, attach->dbattach->dmabuf))
		return -EBUSY;
	iio_dmabuf_set_live(attach, true);
	/*
	 * A read() or write() that is waiting has nothing to wait for now. It
	 * looks without a barrier: only the lock of the wait queue makes sure
	 * that one of the two sees the other. Exclusive waiters are all told.
	 */
	wake_up_all(&buffer->pollq);

	return 0;
}

/**
 * iio_dmabuf_add() - Attach a DMABUF
 * @ib: the buffer
 * @dmabuf: the DMABUF. If this succeeds it consumes the caller's reference.
 * @nonblock: do not wait for a lock
 *
 * Context: may sleep.
 * Return: 0 or an errno of ATTACH.
 */
int iio_dmabuf_add(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf,
		   bool nonblock)
{
	struct iio_buffer *buffer = ib->buffer;
	struct iio_dmabuf_attach *attach;
	int ret;

	attach = iio_dmabuf_link(ib);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	ret = iio_dmabuf_map(attach, dmabuf, nonblock);
	if (ret)
		goto err_unlink;

	attach->block = buffer->access->attach_dmabuf(buffer,
						      attach->dbattach);
	if (IS_ERR(attach->block)) {
		ret = PTR_ERR(attach->block);
		goto err_unmap;
	}

	ret = iio_dmabuf_publish(ib, attach);
	if (ret)
		goto err_detach_block;

	return 0;

err_detach_block:
	buffer->access->detach_dmabuf(buffer, attach->block);
err_unmap:
	iio_dmabuf_unmap(attach);
err_unlink:
	iio_dmabuf_unlink(attach);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(iio_dmabuf_add);

/**
 * iio_dmabuf_remove() - Detach a DMABUF
 * @ib: the buffer
 * @dmabuf: the DMABUF
 *
 * Context: may sleep.
 * Return: 0 or an errno of DETACH.
 */
int iio_dmabuf_remove(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf)
{
	struct iio_dmabuf_attach *attach = iio_dmabuf_find(ib, dmabuf, true);

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	iio_dmabuf_detach(attach);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(iio_dmabuf_remove);

static bool iio_buffer_takes_dmabufs(const struct iio_buffer *buffer)
{
	const struct iio_buffer_access_funcs *access = buffer->access;

	return access->attach_dmabuf && access->detach_dmabuf &&
	       access->enqueue_dmabuf && access->get_dma_dev &&
	       access->lock_queue && access->unlock_queue;
}

static int iio_dmabuf_ioctl_attach(struct iio_dev_buffer_pair *ib,
				   int __user *arg, bool nonblock)
{
	struct dma_buf *dmabuf;
	int fd, ret;

	if (!iio_buffer_takes_dmabufs(ib->buffer))
		return -EPERM;
	if (get_user(fd, arg))
		return -EFAULT;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = iio_dmabuf_add(ib, dmabuf, nonblock);
	if (ret)
		dma_buf_put(dmabuf);

	return ret;
}

static int iio_dmabuf_ioctl_detach(struct iio_dev_buffer_pair *ib,
				   int __user *arg)
{
	struct dma_buf *dmabuf;
	int fd, ret;

	if (get_user(fd, arg))
		return -EFAULT;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = iio_dmabuf_remove(ib, dmabuf);
	dma_buf_put(dmabuf);

	return ret;
}

/**
 * iio_buffer_dmabuf_ioctl() - The ioctls of a buffer's file
 * @filp: the file
 * @cmd: one of IIO_BUFFER_DMABUF_*_IOCTL
 * @arg: pointer to its argument
 *
 * Context: may sleep.
 * Return: 0, or for any of them -EFAULT, -EBADF and -EINVAL for a file
 * descriptor that is not open or not a DMABUF, -ENODEV when the device is
 * gone, and
 *
 * * -EINVAL: @cmd is none of them. ENQUEUE: unknown flag, cyclic input,
 *   number of bytes not possible
 * * -EPERM: ATTACH: not for this buffer. DETACH, ENQUEUE: not attached.
 *   ENQUEUE: queued already
 * * -EBUSY: ATTACH: attached already, or enabled for read() or write().
 *   ENQUEUE: in transfer, or the fences of others did not signal in time. Both,
 *   if the file is non-blocking: somebody has the DMABUF locked. ATTACH, too:
 *   the exporter is not done with its memory
 * * -EINTR: a signal came
 * * -ENOMEM
 * * other: what the DMABUF's exporter says to ATTACH, or the driver to ENQUEUE
 */
long iio_buffer_dmabuf_ioctl(struct file *filp, unsigned int cmd,
			     unsigned long arg)
{
	struct iio_dev_buffer_pair *ib = filp->private_data;
	void __user *argp = (void __user *)arg;
	bool nonblock = filp->f_flags & O_NONBLOCK;

	switch (cmd) {
	case IIO_BUFFER_DMABUF_ATTACH_IOCTL:
		return iio_dmabuf_ioctl_attach(ib, argp, nonblock);
	case IIO_BUFFER_DMABUF_DETACH_IOCTL:
		return iio_dmabuf_ioctl_detach(ib, argp);
	case IIO_BUFFER_DMABUF_ENQUEUE_IOCTL:
		return iio_dmabuf_ioctl_enqueue(ib, argp, nonblock);
	default:
		return -EINVAL;
	}
}
