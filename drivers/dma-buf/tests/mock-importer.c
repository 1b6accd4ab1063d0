// SPDX-License-Identifier: GPL-2.0-only
/*
 * The importer of the tests. A device comes from KUnit and goes with the test;
 * an attachment left when the test ends is detached.
 */
#include <kunit/device.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>

#include "mock-fence.h"
#include "mock-importer.h"

static void mock_importer_moved(struct dma_buf_attachment *attach)
{
	struct mock_importer *imp = attach->importer_priv;

	imp->moved++;
	if (!dma_resv_is_locked(attach->dmabuf->resv))
		imp->moved_unlocked++;
}

static void mock_importer_revoked(struct dma_buf_attachment *attach)
{
	struct mock_importer *imp = attach->importer_priv;

	imp->revoked += dma_resv_is_locked(attach->dmabuf->resv);
	if (imp->last)
		mock_fence_signal_in(imp->last, MOCK_FENCE_SOON_MS);
}

const struct dma_buf_attach_ops mock_importer_ops = {
	.move_notify = mock_importer_moved,
};

const struct dma_buf_attach_ops mock_revocable_ops = {
	.move_notify = mock_importer_moved,
	.revoked = mock_importer_revoked,
};

/* A device, not attached to anything; @name is unique within the test. */
struct mock_importer *mock_importer_create(struct kunit *test, const char *name)
{
	struct mock_importer *imp;
	int ret;

	imp = kunit_kzalloc(test, sizeof(*imp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, imp);

	imp->dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp->dev);

	imp->dev->dma_parms = &imp->dma_parms;
	ret = dma_coerce_mask_and_coherent(imp->dev, DMA_BIT_MASK(64));
	KUNIT_ASSERT_EQ(test, ret, 0);

	return imp;
}

static void mock_importer_do_detach(void *data)
{
	struct mock_importer *imp = data;

	dma_buf_detach(imp->attach->dmabuf, imp->attach);
	imp->attach = NULL;
}

/*
 * Attach through the call that suits @ops, statically if that is NULL. Returns
 * 0 or the errno.
 */
int mock_importer_attach_with(struct kunit *test, struct mock_importer *imp,
			      struct dma_buf *dmabuf,
			      const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	if (ops)
		attach = dma_buf_dynamic_attach(dmabuf, imp->dev, ops, imp);
	else
		attach = dma_buf_attach(dmabuf, imp->dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	imp->attach = attach;
	return kunit_add_action_or_reset(test, mock_importer_do_detach, imp);
}

int mock_importer_attach(struct kunit *test, struct mock_importer *imp,
			 struct dma_buf *dmabuf, bool dynamic)
{
	return mock_importer_attach_with(test, imp, dmabuf,
					 dynamic ? &mock_importer_ops : NULL);
}

void mock_importer_detach(struct kunit *test, struct mock_importer *imp)
{
	kunit_release_action(test, mock_importer_do_detach, imp);
}

/* A new device, attached; ends the test if that fails. */
struct mock_importer *mock_importer_attached(struct kunit *test,
					     const char *name,
					     struct dma_buf *dmabuf,
					     bool dynamic)
{
	struct mock_importer *imp = mock_importer_create(test, name);

	KUNIT_ASSERT_EQ(test,
			mock_importer_attach(test, imp, dmabuf, dynamic), 0);
	KUNIT_ASSERT_NOT_NULL(test, imp->attach);
	return imp;
}

/* dma_buf_map_attachment() the way a driver that locks for itself calls it. */
struct sg_table *mock_importer_map(struct mock_importer *imp,
				   enum dma_data_direction dir)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	struct sg_table *sgt;

	dma_resv_lock(resv, NULL);
	sgt = dma_buf_map_attachment(imp->attach, dir);
	dma_resv_unlock(resv);

	return sgt;
}

void mock_importer_unmap(struct mock_importer *imp, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_unmap_attachment(imp->attach, sgt, dir);
	dma_resv_unlock(resv);
}
