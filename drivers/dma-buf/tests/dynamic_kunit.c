// SPDX-License-Identifier: GPL-2.0-only
/*
 * Static and dynamic exporters with static and dynamic importers: who pins and
 * maps when, the mapping kept where only one side is dynamic, move_notify.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>

#include "mock-exporter.h"
#include "mock-importer.h"

/*
 * @kept: one mapping lives as long as the attachment
 * @pins_at_attach, @pins_at_map: calls of the exporter's pin
 */
static const struct sharing {
	const char *name;
	unsigned int exporter;
	bool importer;
	bool kept;
	unsigned int pins_at_attach;
	unsigned int pins_at_map;
} sharings[] = {
	{ "static_exporter_static_importer", 0, false, false, 0, 0 },
	{ "static_exporter_dynamic_importer", 0, true, true, 0, 0 },
	{ "dynamic_exporter_static_importer", MOCK_DYNAMIC, false, true, 1, 0 },
	{ "dynamic_exporter_dynamic_importer", MOCK_DYNAMIC, true, false, 0,
	  !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) },
};

KUNIT_ARRAY_PARAM_DESC(sharing, sharings, name);

static void sharing_attach(struct kunit *test)
{
	const struct sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);

	KUNIT_EXPECT_EQ(test, exp->calls[OP_ATTACH], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_PIN], param->pins_at_attach);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], param->kept);
	KUNIT_EXPECT_EQ(test, !!imp->attach->sgt, param->kept);
	if (param->kept) {
		KUNIT_EXPECT_EQ(test, exp->dir[OP_MAP], DMA_BIDIRECTIONAL);
		KUNIT_EXPECT_EQ(test, imp->attach->dir, DMA_BIDIRECTIONAL);
	}
}

static void sharing_map(struct kunit *test)
{
	const struct sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_PIN],
			param->pins_at_attach + param->pins_at_map);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_MAP],
			param->kept ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
	if (param->kept)
		KUNIT_EXPECT_PTR_EQ(test, sgt, imp->attach->sgt);

	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], !param->kept);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], param->pins_at_map);
}

static void sharing_detach(struct kunit *test)
{
	const struct sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);

	mock_importer_detach(test, imp);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], param->pins_at_attach);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], param->kept);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
}

static void sharing_two_importers(struct kunit *test)
{
	const struct sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *a = mock_importer_attached(test, "a",
							 exp->dmabuf,
							 param->importer);
	struct mock_importer *b = mock_importer_attached(test, "b",
							 exp->dmabuf,
							 param->importer);
	struct sg_table *sgt_a, *sgt_b;

	sgt_a = mock_importer_map(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_a);
	sgt_b = mock_importer_map(b, DMA_FROM_DEVICE);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt_b);
	KUNIT_EXPECT_PTR_NE(test, sgt_a, sgt_b);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 2);

	if (!IS_ERR_OR_NULL(sgt_b))
		mock_importer_unmap(b, sgt_b, DMA_FROM_DEVICE);
	mock_importer_unmap(a, sgt_a, DMA_TO_DEVICE);
}

/*
 * R11: attach does what it can, one step fails, every step before it is undone
 * (mock_exporter_finish() compares) and the attachment is nowhere.
 */
static const struct failing_attach {
	const char *name;
	unsigned int exporter;
	bool importer;
	enum mock_op op;
	int error;
} failing_attaches[] = {
	{ "pin_for_static_importer", MOCK_DYNAMIC, false, OP_PIN, -ENOSPC },
	{ "map_for_static_importer", MOCK_DYNAMIC, false, OP_MAP, -EIO },
	{ "map_killed_for_static_importer", MOCK_DYNAMIC, false, OP_MAP, -EINTR },
	{ "map_for_dynamic_importer", 0, true, OP_MAP, -EIO },
	{ "attach_for_dynamic_importer", 0, true, OP_ATTACH, -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(failing_attach, failing_attaches, name);

static void attach_fails_half_way(struct kunit *test)
{
	const struct failing_attach *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 param->exporter);
	struct mock_importer *imp = mock_importer_create(test, "imp");

	exp->error[param->op] = param->error;
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, imp, exp->dmabuf,
						   param->importer),
			param->error);
	KUNIT_EXPECT_EQ(test, exp->calls[param->op], 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], exp->done[OP_PIN]);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], exp->done[OP_ATTACH]);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));
}

static void attach_maps_nothing(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_create(test, "imp");

	exp->map_null = true;
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, imp, exp->dmabuf,
						   false), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 1);
}

/* The pin that protects a mapping goes when the mapping fails. */
static void map_failure_unpins(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);

	exp->error[OP_MAP] = -EIO;
	KUNIT_EXPECT_PTR_EQ(test, mock_importer_map(imp, DMA_TO_DEVICE),
			    ERR_PTR(-EIO));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], exp->calls[OP_PIN]);
}

static void map_pin_failure(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);
	struct sg_table *sgt;

	exp->error[OP_PIN] = -ENOSPC;
	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	if (IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY)) {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	} else {
		KUNIT_EXPECT_PTR_EQ(test, sgt, ERR_PTR(-ENOSPC));
		KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 0);
	}
}

static int locked_pin(struct mock_importer *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = dma_buf_pin(imp->attach);
	dma_resv_unlock(resv);
	return ret;
}

static void locked_unpin(struct mock_importer *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_unpin(imp->attach);
	dma_resv_unlock(resv);
}

static void pin_reaches_exporter(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);

	KUNIT_EXPECT_EQ(test, locked_pin(imp), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_PIN], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], 0);
	locked_unpin(imp);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], 1);
}

static void pin_passes_errno(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);

	exp->error[OP_PIN] = -ENOSPC;
	KUNIT_EXPECT_EQ(test, locked_pin(imp), -ENOSPC);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNPIN], 0);
}

/* Storage that never moves is always pinned. */
static void pin_with_static_exporter(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);
	unsigned int calls = mock_exporter_total(exp);

	KUNIT_EXPECT_EQ(test, locked_pin(imp), 0);
	locked_unpin(imp);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), calls);
}

#ifdef CONFIG_UML
/* Warns, which KUnit of 6.12 cannot suppress: see export_kunit.c. */
static void pin_by_static_importer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	unsigned int calls = mock_exporter_total(exp);

	KUNIT_EXPECT_EQ(test, locked_pin(imp), -EINVAL);
	locked_unpin(imp);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), calls);
}
#endif

static void locked_move_notify(struct dma_buf *dmabuf)
{
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	dma_resv_unlock(dmabuf->resv);
}

static void move_notify_tells_dynamic_importers(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *a = mock_importer_attached(test, "a",
							 exp->dmabuf, true);
	struct mock_importer *b = mock_importer_attached(test, "b",
							 exp->dmabuf, false);
	struct mock_importer *c = mock_importer_attached(test, "c",
							 exp->dmabuf, true);

	locked_move_notify(exp->dmabuf);
	KUNIT_EXPECT_EQ(test, a->moved, 1);
	KUNIT_EXPECT_EQ(test, b->moved, 0);
	KUNIT_EXPECT_EQ(test, c->moved, 1);
	KUNIT_EXPECT_EQ(test, a->moved_unlocked + c->moved_unlocked, 0);
}

static void move_notify_tells_other_buffers_nothing(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   other->dmabuf,
							   true);

	locked_move_notify(exp->dmabuf);
	KUNIT_EXPECT_EQ(test, imp->moved, 0);
}

static void move_notify_after_detach(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);

	mock_importer_detach(test, imp);
	locked_move_notify(exp->dmabuf);
	KUNIT_EXPECT_EQ(test, imp->moved, 0);
}

/* A mapping outlives the move; the next one is made anew. */
static void move_while_mapped(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	locked_move_notify(exp->dmabuf);
	KUNIT_EXPECT_EQ(test, imp->moved, 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 0);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 1);

	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 2);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
}

static struct kunit_case dynamic_cases[] = {
	KUNIT_CASE_PARAM(sharing_attach, sharing_gen_params),
	KUNIT_CASE_PARAM(sharing_map, sharing_gen_params),
	KUNIT_CASE_PARAM(sharing_detach, sharing_gen_params),
	KUNIT_CASE_PARAM(sharing_two_importers, sharing_gen_params),
	KUNIT_CASE_PARAM(attach_fails_half_way, failing_attach_gen_params),
	KUNIT_CASE(attach_maps_nothing),
	KUNIT_CASE(map_failure_unpins),
	KUNIT_CASE(map_pin_failure),
	KUNIT_CASE(pin_reaches_exporter),
	KUNIT_CASE(pin_passes_errno),
	KUNIT_CASE(pin_with_static_exporter),
#ifdef CONFIG_UML
	KUNIT_CASE(pin_by_static_importer),
#endif
	KUNIT_CASE(move_notify_tells_dynamic_importers),
	KUNIT_CASE(move_notify_tells_other_buffers_nothing),
	KUNIT_CASE(move_notify_after_detach),
	KUNIT_CASE(move_while_mapped),
	{}
};

static struct kunit_suite dynamic_suite = {
	.name = "dma_buf_dynamic",
	.test_cases = dynamic_cases,
};

kunit_test_suite(dynamic_suite);
