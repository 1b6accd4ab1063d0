// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_buf_revoke(): who can be revoked, who is told, what is waited for, and
 * what can be done with the buffer afterwards.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>

#include "mock-exporter.h"
#include "mock-fence.h"
#include "mock-importer.h"

static int locked_revoke(struct dma_buf *dmabuf)
{
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_revoke(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static struct mock_importer *revocable(struct kunit *test, const char *name,
				       struct dma_buf *dmabuf)
{
	struct mock_importer *imp = mock_importer_create(test, name);

	KUNIT_ASSERT_EQ(test, mock_importer_attach_with(test, imp, dmabuf,
							&mock_revocable_ops),
			0);
	return imp;
}

/* Each test is made with an exporter that moves and with one that does not. */
static const struct exporter_kind {
	const char *name;
	unsigned int flags;
} exporter_kinds[] = {
	{ "static_exporter", 0 },
	{ "dynamic_exporter", MOCK_DYNAMIC },
};

KUNIT_ARRAY_PARAM_DESC(exporter_kind, exporter_kinds, name);

static struct mock_exporter *exporter_of(struct kunit *test)
{
	const struct exporter_kind *kind = test->param_value;

	return mock_exporter_create(test, MOCK_ATTACH | kind->flags);
}

static void who_is_revocable(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *imp;

	imp = mock_importer_attached(test, "static", exp->dmabuf, false);
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(imp->attach));
	imp = mock_importer_attached(test, "dynamic", exp->dmabuf, true);
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(imp->attach));
	imp = revocable(test, "revocable", exp->dmabuf);
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(imp->attach));
}

static void all_are_told_once(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *a = revocable(test, "a", exp->dmabuf);
	struct mock_importer *b = revocable(test, "b", exp->dmabuf);

	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, a->revoked, 1);
	KUNIT_EXPECT_EQ(test, b->revoked, 1);
	KUNIT_EXPECT_EQ(test, a->moved + b->moved, 0);

	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, a->revoked, 1);
}

static void nobody_is_attached(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);

	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_TRUE(test, exp->dmabuf->revoked);
}

/* One that cannot cope holds the memory for all, and nobody hears of it. */
static void one_cannot(struct kunit *test, bool dynamic)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *can = revocable(test, "can", exp->dmabuf);
	struct mock_importer *cannot =
		mock_importer_attached(test, "cannot", exp->dmabuf, dynamic);
	struct sg_table *sgt;

	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), -EBUSY);
	KUNIT_EXPECT_EQ(test, can->revoked, 0);
	sgt = mock_importer_map(can, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(can, sgt, DMA_TO_DEVICE);

	mock_importer_detach(test, cannot);
	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, can->revoked, 1);
}

static void static_importer_holds_it(struct kunit *test)
{
	one_cannot(test, false);
}

static void importer_without_the_op_holds_it(struct kunit *test)
{
	one_cannot(test, true);
}

static void nothing_is_mapped_afterwards(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *imp = revocable(test, "imp", exp->dmabuf);
	unsigned int maps = exp->calls[OP_MAP];

	KUNIT_ASSERT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_PTR_EQ(test, mock_importer_map(imp, DMA_TO_DEVICE),
			    ERR_PTR(-ENODEV));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], maps);
}

static void nothing_is_pinned_afterwards(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *imp = revocable(test, "imp", exp->dmabuf);
	int ret;

	KUNIT_ASSERT_EQ(test, locked_revoke(exp->dmabuf), 0);
	dma_resv_lock(exp->dmabuf->resv, NULL);
	ret = dma_buf_pin(imp->attach);
	dma_resv_unlock(exp->dmabuf->resv);
	KUNIT_EXPECT_EQ(test, ret, -ENODEV);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_PIN], 0);
}

static void nobody_attaches_afterwards(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *late = mock_importer_create(test, "late");

	KUNIT_ASSERT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, late, exp->dmabuf,
						   false), -ENODEV);
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, late, exp->dmabuf,
						   true), -ENODEV);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], exp->calls[OP_ATTACH]);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP] + exp->calls[OP_PIN], 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
}

/* What the importer had is undone in the usual way, a pin included. */
static void mapping_is_undone_later(struct kunit *test)
{
	struct mock_exporter *exp = exporter_of(test);
	struct mock_importer *imp = revocable(test, "imp", exp->dmabuf);
	struct sg_table *sgt = mock_importer_map(imp, DMA_TO_DEVICE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP] + exp->calls[OP_UNPIN], 0);

	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	mock_importer_detach(test, imp);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], exp->calls[OP_MAP]);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], exp->calls[OP_PIN]);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 1);
}

static const enum dma_resv_usage usages[] = {
	DMA_RESV_USAGE_KERNEL,
	DMA_RESV_USAGE_WRITE,
	DMA_RESV_USAGE_READ,
	DMA_RESV_USAGE_BOOKKEEP,
};

static void usage_name(const enum dma_resv_usage *usage, char *desc)
{
	static const char * const names[] = {
		[DMA_RESV_USAGE_KERNEL] = "kernel",
		[DMA_RESV_USAGE_WRITE] = "write",
		[DMA_RESV_USAGE_READ] = "read",
		[DMA_RESV_USAGE_BOOKKEEP] = "bookkeep",
	};

	strscpy(desc, names[*usage], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(usage, usages, usage_name);

/* The DMA that the importer could not stop ends after it was told. */
static void dma_has_ended(struct kunit *test)
{
	const enum dma_resv_usage *usage = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = revocable(test, "imp", exp->dmabuf);

	imp->last = mock_fence_add(test, exp->dmabuf->resv, *usage);
	KUNIT_EXPECT_EQ(test, locked_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, imp->revoked, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&imp->last->base));
}

/* Giving up would leave devices with memory that is no longer theirs. */
static void signals_do_not_interrupt(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = revocable(test, "imp", exp->dmabuf);
	int ret;

	imp->last = mock_fence_add(test, exp->dmabuf->resv,
				   DMA_RESV_USAGE_WRITE);
	mock_fence_interrupt();
	ret = locked_revoke(exp->dmabuf);
	mock_fence_resume();
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&imp->last->base));
}

static struct kunit_case revoke_cases[] = {
	KUNIT_CASE_PARAM(who_is_revocable, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(all_are_told_once, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(nobody_is_attached, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(static_importer_holds_it, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(importer_without_the_op_holds_it,
			 exporter_kind_gen_params),
	KUNIT_CASE_PARAM(nothing_is_mapped_afterwards,
			 exporter_kind_gen_params),
	KUNIT_CASE_PARAM(nothing_is_pinned_afterwards,
			 exporter_kind_gen_params),
	KUNIT_CASE_PARAM(nobody_attaches_afterwards, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(mapping_is_undone_later, exporter_kind_gen_params),
	KUNIT_CASE_PARAM(dma_has_ended, usage_gen_params),
	KUNIT_CASE(signals_do_not_interrupt),
	{}
};

static struct kunit_suite revoke_suite = {
	.name = "dma_buf_revoke",
	.test_cases = revoke_cases,
};

kunit_test_suite(revoke_suite);
