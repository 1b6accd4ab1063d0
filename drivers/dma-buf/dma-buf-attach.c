// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that use a buffer: attach, pin, map, and word of moves and of the end.
 *
 * Either side may be dynamic. A dynamic exporter (&dma_buf_ops.pin) moves its
 * memory unless pinned; a dynamic importer (&struct dma_buf_attach_ops) can be
 * told so. Where only one of the two is, the core stands in for what the other
 * lacks: it pins and maps once, when the device attaches, and every later
 * dma_buf_map_attachment() is answered with that mapping.
 */

#include <linux/export.h>
#include <linux/slab.h>
#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

static bool dma_buf_pin_on_map(struct dma_buf_attachment *attach)
{
	return attach->dmabuf->ops->pin &&
	       (!dma_buf_attachment_is_dynamic(attach) ||
		!IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY));
}

/*
 * A static importer knows nothing of fences: it gets the mapping after the
 * exporter's moving and clearing is done.
 */
static int dma_buf_wait_for_exporter(struct dma_buf_attachment *attach)
{
	long ret;

	if (dma_buf_attachment_is_dynamic(attach) ||
	    !dma_buf_may_have_fences(attach->dmabuf))
		return 0;

	ret = dma_resv_wait_timeout(attach->dmabuf->resv,
				    DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/* Ask the exporter for a mapping, pinned where it would not stay otherwise. */
static struct sg_table *dma_buf_map_new(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;
	bool pin = dma_buf_pin_on_map(attach);
	struct sg_table *sgt, *wrapped;
	int ret;

	if (pin) {
		ret = ops->pin(attach);
		if (ret)
			return ERR_PTR(ret);
	}

	sgt = ops->map_dma_buf(attach, dir);
	if (!sgt)
		sgt = ERR_PTR(-ENOMEM);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
		goto err_unpin;
	}

	ret = dma_buf_wait_for_exporter(attach);
	if (ret)
		goto err_unmap;

	wrapped = dma_buf_debug_wrap(attach, sgt);
	if (IS_ERR(wrapped)) {
		ret = PTR_ERR(wrapped);
		goto err_unmap;
	}

	trace_dma_buf_map(attach, dir);
	return wrapped;

err_unmap:
	ops->unmap_dma_buf(attach, sgt, dir);
err_unpin:
	if (pin)
		ops->unpin(attach);
	return ERR_PTR(ret);
}

static void dma_buf_unmap_last(struct dma_buf_attachment *attach,
			       struct sg_table *sgt,
			       enum dma_data_direction dir)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	sgt = dma_buf_debug_unwrap(attach, sgt);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG) && !sgt)
		return;

	trace_dma_buf_unmap(attach, dir);
	ops->unmap_dma_buf(attach, sgt, dir);
	if (dma_buf_pin_on_map(attach))
		ops->unpin(attach);
}

/*
 * Under one hold of the lock, so that an attachment that fails has never been
 * seen. It is listed before it is mapped because exporters look through the
 * list to place the memory where every device reaches it.
 */
static int dma_buf_list_attachment(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct sg_table *sgt;
	int ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	if (dmabuf->revoked) {
		dma_resv_unlock(dmabuf->resv);
		return -ENODEV;
	}
	list_add(&attach->node, &dmabuf->attachments);

	if (dma_buf_attachment_is_dynamic(attach) != dma_buf_is_dynamic(dmabuf)) {
		sgt = dma_buf_map_new(attach, DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt)) {
			list_del(&attach->node);
			ret = PTR_ERR(sgt);
		} else {
			attach->sgt = sgt;
			attach->dir = DMA_BIDIRECTIONAL;
		}
	}

	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dma_buf_dynamic_attach - let a device use a buffer that may move
 * @dmabuf: the buffer
 * @dev: the device that will do the DMA
 * @importer_ops: what the importer does when the buffer moves; NULL for an
 *		  importer that cannot follow a move
 * @importer_priv: for &dma_buf_attachment.importer_priv
 *
 * If only one of exporter and importer is dynamic, the buffer is pinned (where
 * the exporter is dynamic) and mapped with DMA_BIDIRECTIONAL until it is
 * detached.
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 *
 * Return: the attachment, for dma_buf_detach() to free, or
 *
 * * ERR_PTR(-EINVAL): @dmabuf or @dev is NULL, or @importer_ops lacks
 *   move_notify
 * * ERR_PTR(-ENOMEM)
 * * ERR_PTR(-ENODEV): the buffer was revoked
 * * the errno of the exporter's attach, pin or map_dma_buf
 * * ERR_PTR(-ERESTARTSYS): a signal came while waiting for the exporter
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret;

	if (!dmabuf || !dev)
		return ERR_PTR(-EINVAL);
	if (importer_ops && !importer_ops->move_notify)
		return ERR_PTR(-EINVAL);

	dma_buf_assert_not_held(dmabuf);

	attach = kzalloc(sizeof(*attach), GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	attach->dmabuf = dmabuf;
	attach->dev = dev;
	attach->importer_ops = importer_ops;
	attach->importer_priv = importer_priv;
	if (importer_ops)
		attach->peer2peer = importer_ops->allow_peer2peer;
	dma_buf_debug_init_attach(attach);

	if (dmabuf->ops->attach) {
		ret = dmabuf->ops->attach(dmabuf, attach);
		if (ret)
			goto err_free;
	}

	ret = dma_buf_list_attachment(attach);
	if (ret)
		goto err_detach;

	trace_dma_buf_attach(attach);
	return attach;

err_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	kfree(attach);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, DMA_BUF);

/**
 * dma_buf_attach - let a device use a buffer
 * @dmabuf: the buffer
 * @dev: the device that will do the DMA
 *
 * For an importer that needs the memory to stay where it is while mapped; see
 * dma_buf_dynamic_attach() for the other kind.
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 *
 * Return: as dma_buf_dynamic_attach().
 */
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach, DMA_BUF);

/**
 * dma_buf_detach - the device is done with the buffer
 * @dmabuf: the buffer
 * @attach: the attachment, freed here; every mapping the importer made is
 *	    unmapped already
 *
 * Does nothing but warn when either is NULL or @attach belongs to another
 * buffer.
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	if (WARN_ON(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	dma_buf_assert_not_held(dmabuf);
	trace_dma_buf_detach(attach);

	dma_resv_lock(dmabuf->resv, NULL);
	if (attach->sgt)
		dma_buf_unmap_last(attach, attach->sgt, attach->dir);
	__list_del_entry(&attach->node);
	dma_resv_unlock(dmabuf->resv);

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
	kfree(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);

/**
 * dma_buf_pin - keep the buffer where it is
 * @attach: attachment of a dynamic importer
 *
 * For an importer that can follow moves in general but not now, as while a
 * display scans the buffer out.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 *
 * Return: 0, -EINVAL with a warning where the importer is not dynamic, -ENODEV
 * after dma_buf_revoke(), or the exporter's errno.
 */
int dma_buf_pin(struct dma_buf_attachment *attach)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (WARN_ON(!dma_buf_attachment_is_dynamic(attach)))
		return -EINVAL;
	if (attach->dmabuf->revoked)
		return -ENODEV;

	return ops->pin ? ops->pin(attach) : 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin, DMA_BUF);

/**
 * dma_buf_unpin - undo one dma_buf_pin()
 * @attach: the attachment that was pinned
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 */
void dma_buf_unpin(struct dma_buf_attachment *attach)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (WARN_ON(!dma_buf_attachment_is_dynamic(attach)))
		return;

	if (ops->unpin)
		ops->unpin(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin, DMA_BUF);

/* With the lock held, and @attach checked. */
static struct sg_table *dma_buf_map_locked(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir)
{
	struct sg_table *sgt;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->dmabuf->revoked)
		return ERR_PTR(-ENODEV);

	if (attach->sgt) {
		if (attach->dir != dir && attach->dir != DMA_BIDIRECTIONAL)
			return ERR_PTR(-EBUSY);
		return attach->sgt;
	}

	sgt = dma_buf_map_new(attach, dir);
	if (!IS_ERR(sgt) && attach->dmabuf->ops->cache_sgt_mapping) {
		attach->sgt = sgt;
		attach->dir = dir;
	}

	return sgt;
}

/**
 * dma_buf_map_attachment - addresses at which the device reaches the buffer
 * @attach: the attachment
 * @dir: direction of the DMA
 *
 * Where the core keeps a mapping of this attachment (a dynamic side with a
 * static one, or &dma_buf_ops.cache_sgt_mapping) that one is returned. A
 * static importer gets the mapping when the exporter's own fences have
 * signalled; a dynamic one has to wait for them itself.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 *
 * Return: the table; its DMA addresses and lengths are multiples of PAGE_SIZE,
 * and it is used with for_each_sgtable_dma_sg() only, for it need not have
 * pages. It is the importer's until dma_buf_unmap_attachment(). Or
 *
 * * ERR_PTR(-EINVAL): @attach is NULL
 * * ERR_PTR(-ENODEV): the buffer was revoked
 * * ERR_PTR(-EBUSY): a mapping is kept that has another direction
 * * ERR_PTR(-ENOMEM)
 * * ERR_PTR(-EINTR), ERR_PTR(-ERESTARTSYS): a signal came while waiting
 * * the errno of the exporter's pin or map_dma_buf
 */
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	might_sleep();

	if (!attach)
		return ERR_PTR(-EINVAL);

	return dma_buf_map_locked(attach, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment, DMA_BUF);

/**
 * dma_buf_map_attachment_unlocked - dma_buf_map_attachment() with its lock
 * @attach: the attachment
 * @dir: direction of the DMA
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 *
 * Return: as dma_buf_map_attachment().
 */
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir)
{
	struct sg_table *sgt;

	might_sleep();

	if (!attach)
		return ERR_PTR(-EINVAL);

	dma_resv_lock(attach->dmabuf->resv, NULL);
	sgt = dma_buf_map_locked(attach, dir);
	dma_resv_unlock(attach->dmabuf->resv);

	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment_unlocked, DMA_BUF);

/* With the lock held, and the arguments checked. */
static void dma_buf_unmap_locked(struct dma_buf_attachment *attach,
				 struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	/* One that the core keeps goes with the attachment. */
	if (attach->sgt != sgt)
		dma_buf_unmap_last(attach, sgt, dir);
}

/**
 * dma_buf_unmap_attachment - the device's access ends
 * @attach: the attachment
 * @sgt: what dma_buf_map_attachment() returned
 * @dir: direction it was mapped with
 *
 * A mapping that the core keeps stays until dma_buf_detach(). Does nothing but
 * warn when @attach or @sgt is NULL.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 */
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	might_sleep();

	if (WARN_ON(!attach || !sgt))
		return;

	dma_buf_unmap_locked(attach, sgt, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment, DMA_BUF);

/**
 * dma_buf_unmap_attachment_unlocked - dma_buf_unmap_attachment() with its lock
 * @attach: the attachment
 * @sgt: what dma_buf_map_attachment_unlocked() returned
 * @dir: direction it was mapped with
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 */
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir)
{
	might_sleep();

	if (WARN_ON(!attach || !sgt))
		return;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_unmap_locked(attach, sgt, dir);
	dma_resv_unlock(attach->dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment_unlocked, DMA_BUF);

/**
 * dma_buf_move_notify - the exporter is about to move the buffer
 * @dmabuf: the buffer
 *
 * Tells every dynamic importer. Static ones pinned the buffer, so it does not
 * move under them.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (dma_buf_attachment_is_dynamic(attach))
			attach->importer_ops->move_notify(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);

/**
 * dma_buf_attach_revocable - can the memory be taken from this importer?
 * @attach: the attachment, in &dma_buf_ops.attach at the earliest
 *
 * For exporters that have to be able to take memory back, as when a device is
 * unplugged or passed to another owner: they refuse those that cannot.
 *
 * Context: any.
 *
 * Return: true if the importer has &dma_buf_attach_ops.revoked.
 */
bool dma_buf_attach_revocable(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->revoked;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach_revocable, DMA_BUF);

/**
 * dma_buf_revoke - take the memory away from all importers, for good
 * @dmabuf: the buffer
 *
 * After success no device uses the memory any more, and none will: the
 * importers were told, their fences waited for, and attaching, pinning and
 * mapping fail with -ENODEV. What was pinned is not an obstacle. Mappings are
 * undone by the importers in their own time, so the exporter keeps what its
 * unmap_dma_buf needs. Access by the processor is the exporter's business.
 *
 * Where one importer cannot be revoked, nothing is done. Revoking again is
 * nothing but success.
 *
 * Context: process context, sleeps until the fences have signalled, not
 * interruptible. Locks: &dma_buf.resv is held.
 *
 * Return: 0, or -EBUSY if an importer is attached that cannot be revoked.
 */
int dma_buf_revoke(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	if (dmabuf->revoked)
		return 0;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (!dma_buf_attach_revocable(attach))
			return -EBUSY;

	dmabuf->revoked = true;
	list_for_each_entry(attach, &dmabuf->attachments, node)
		attach->importer_ops->revoked(attach);

	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke, DMA_BUF);
