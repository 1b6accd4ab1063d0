// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_buf_map_attachment() and dma_buf_unmap_attachment(), locked and not:
 * tables, directions, errors, the mapping an exporter has cached, and the
 * fences that a static importer has to have waited for.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>

#include "mock-exporter.h"
#include "mock-fence.h"
#include "mock-importer.h"

static void map_null(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_map_attachment(NULL, DMA_TO_DEVICE),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(NULL, DMA_TO_DEVICE),
			    ERR_PTR(-EINVAL));
}

static const struct map_dir {
	const char *name;
	enum dma_data_direction dir;
} map_dirs[] = {
	{ "to_device", DMA_TO_DEVICE },
	{ "from_device", DMA_FROM_DEVICE },
	{ "bidirectional", DMA_BIDIRECTIONAL },
};

KUNIT_ARRAY_PARAM_DESC(map_dir, map_dirs, name);

static void map_tells_exporter_direction(struct kunit *test)
{
	const struct map_dir *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, param->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_MAP], param->dir);
	mock_importer_unmap(imp, sgt, param->dir);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_UNMAP], param->dir);
}

static void map_unlocked_takes_lock(struct kunit *test)
{
	const struct map_dir *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(imp->attach, param->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_MAP], param->dir);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));

	dma_buf_unmap_attachment_unlocked(imp->attach, sgt, param->dir);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_UNMAP], param->dir);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));
	KUNIT_EXPECT_EQ(test, exp->misused, 0);
}

static void map_covers_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct scatterlist *sg, *own;
	struct sg_table *sgt;
	size_t total = 0;
	unsigned int i;

	sgt = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, exp->mapped->nents);

	own = exp->mapped->sgl;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg), sg_dma_address(own));
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), sg_dma_len(own));
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg_dma_address(sg)));
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg_dma_len(sg)));
		total += sg_dma_len(sg);
		own = sg_next(own);
	}
	KUNIT_EXPECT_EQ(test, total, MOCK_SIZE);
	mock_importer_unmap(imp, sgt, DMA_BIDIRECTIONAL);
}

static void unmap_returns_exporters_table(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(imp, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_PTR_EQ(test, exp->unmapped, exp->mapped);
}

/* Each mapping of a static pair is the exporter's own work. */
static void map_again_asks_exporter_again(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		sgt = mock_importer_map(imp, DMA_TO_DEVICE);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
		KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], i);
		KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], i);
		KUNIT_EXPECT_NULL(test, imp->attach->sgt);
	}
}

static const struct map_error {
	const char *name;
	int error;
} map_errors[] = {
	{ "eintr", -EINTR },
	{ "enomem", -ENOMEM },
	{ "eio", -EIO },
};

KUNIT_ARRAY_PARAM_DESC(map_error, map_errors, name);

static void map_passes_errno(struct kunit *test)
{
	const struct map_error *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	exp->error[OP_MAP] = param->error;
	KUNIT_EXPECT_PTR_EQ(test, mock_importer_map(imp, DMA_TO_DEVICE),
			    ERR_PTR(param->error));
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(imp->attach,
							    DMA_TO_DEVICE),
			    ERR_PTR(param->error));
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));
	KUNIT_EXPECT_NULL(test, imp->attach->sgt);
}

static void map_of_nothing(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	exp->map_null = true;
	KUNIT_EXPECT_PTR_EQ(test, mock_importer_map(imp, DMA_TO_DEVICE),
			    ERR_PTR(-ENOMEM));
}

static void map_after_failure(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CACHE);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	exp->error[OP_MAP] = -EIO;
	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, sgt, ERR_PTR(-EIO));
	exp->error[OP_MAP] = 0;
	sgt = mock_importer_map(imp, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_MAP], DMA_FROM_DEVICE);
	mock_importer_unmap(imp, sgt, DMA_FROM_DEVICE);
}

static void cached_mapping_is_kept(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CACHE);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *first, *second;

	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 0);
	first = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	mock_importer_unmap(imp, first, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 0);

	second = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 1);
	mock_importer_unmap(imp, second, DMA_TO_DEVICE);

	mock_importer_detach(test, imp);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 1);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_UNMAP], DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, exp->unmapped, exp->mapped);
}

static void cached_mapping_is_per_attachment(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CACHE);
	struct mock_importer *a = mock_importer_attached(test, "a",
							 exp->dmabuf, false);
	struct mock_importer *b = mock_importer_attached(test, "b",
							 exp->dmabuf, false);
	struct sg_table *sgt_a, *sgt_b;

	sgt_a = mock_importer_map(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_a);
	sgt_b = mock_importer_map(b, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_b);
	KUNIT_EXPECT_PTR_NE(test, sgt_a, sgt_b);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 2);
}

/*
 * @error: what mapping in direction @then answers when a mapping was kept in
 *	   direction @kept
 */
static const struct map_kept {
	const char *name;
	enum dma_data_direction kept;
	enum dma_data_direction then;
	int error;
} map_kepts[] = {
	{ "to_then_to", DMA_TO_DEVICE, DMA_TO_DEVICE, 0 },
	{ "to_then_from", DMA_TO_DEVICE, DMA_FROM_DEVICE, -EBUSY },
	{ "to_then_both", DMA_TO_DEVICE, DMA_BIDIRECTIONAL, -EBUSY },
	{ "from_then_to", DMA_FROM_DEVICE, DMA_TO_DEVICE, -EBUSY },
	{ "from_then_from", DMA_FROM_DEVICE, DMA_FROM_DEVICE, 0 },
	{ "both_then_to", DMA_BIDIRECTIONAL, DMA_TO_DEVICE, 0 },
	{ "both_then_from", DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, 0 },
	{ "both_then_both", DMA_BIDIRECTIONAL, DMA_BIDIRECTIONAL, 0 },
};

KUNIT_ARRAY_PARAM_DESC(map_kept, map_kepts, name);

static void cached_mapping_has_a_direction(struct kunit *test)
{
	const struct map_kept *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CACHE);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *kept, *then;

	kept = mock_importer_map(imp, param->kept);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kept);
	then = mock_importer_map(imp, param->then);
	if (param->error)
		KUNIT_EXPECT_PTR_EQ(test, then, ERR_PTR(param->error));
	else
		KUNIT_EXPECT_PTR_EQ(test, then, kept);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 1);
}

/*
 * @waits: mapping returns only after the fence has signalled. Where it must
 *	   not wait, the fence signals late enough to be seen pending.
 */
static const struct map_fence {
	const char *name;
	enum dma_resv_usage usage;
	unsigned int exporter;
	bool importer;
	bool waits;
} map_fences[] = {
	{ "static_kernel", DMA_RESV_USAGE_KERNEL, 0, false, true },
	{ "static_write", DMA_RESV_USAGE_WRITE, 0, false, false },
	{ "static_read", DMA_RESV_USAGE_READ, 0, false, false },
	{ "dynamic_kernel", DMA_RESV_USAGE_KERNEL, MOCK_DYNAMIC, true, false },
};

KUNIT_ARRAY_PARAM_DESC(map_fence, map_fences, name);

static void map_with_pending_fence(struct kunit *test)
{
	const struct map_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);
	struct mock_fence *fence;
	struct sg_table *sgt;

	fence = mock_fence_add(test, exp->dmabuf->resv, param->usage);
	mock_fence_signal_in(fence, param->waits ? MOCK_FENCE_SOON_MS :
			     MOCK_FENCE_LATE_MS);
	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(&fence->base),
			param->waits);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
}

/* A dynamic exporter moves by a KERNEL fence; attach maps for good. */
static void attach_waits_before_keeping_mapping(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_fence *fence;

	fence = mock_fence_add(test, exp->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, MOCK_FENCE_SOON_MS);
	mock_importer_attached(test, "imp", exp->dmabuf, false);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
}

/*
 * A signal ends the wait for the exporter's fences, and what was done before
 * it is undone (mock_exporter_finish() compares).
 */
static void map_is_interruptible(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	mock_fence_signal_in(mock_fence_add(test, exp->dmabuf->resv,
					    DMA_RESV_USAGE_KERNEL),
			     MOCK_FENCE_LATE_MS);
	mock_fence_interrupt();
	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	mock_fence_resume();

	KUNIT_EXPECT_PTR_EQ(test, sgt, ERR_PTR(-ERESTARTSYS));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], exp->done[OP_MAP]);
	KUNIT_EXPECT_NULL(test, imp->attach->sgt);
}

static void attach_is_interruptible(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_create(test, "imp");
	int ret;

	mock_fence_signal_in(mock_fence_add(test, exp->dmabuf->resv,
					    DMA_RESV_USAGE_KERNEL),
			     MOCK_FENCE_LATE_MS);
	mock_fence_interrupt();
	ret = mock_importer_attach(test, imp, exp->dmabuf, false);
	mock_fence_resume();

	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 1);
}

#ifdef CONFIG_UML
/* Warns, which KUnit of 6.12 cannot suppress: see export_kunit.c. */
static void unmap_null(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment(NULL, sgt, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(NULL, sgt, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(imp->attach, NULL, DMA_TO_DEVICE);
	mock_importer_unmap(imp, NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 0);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
}
#endif

static struct kunit_case map_cases[] = {
	KUNIT_CASE(map_null),
	KUNIT_CASE_PARAM(map_tells_exporter_direction, map_dir_gen_params),
	KUNIT_CASE_PARAM(map_unlocked_takes_lock, map_dir_gen_params),
	KUNIT_CASE(map_covers_buffer),
	KUNIT_CASE(unmap_returns_exporters_table),
	KUNIT_CASE(map_again_asks_exporter_again),
	KUNIT_CASE_PARAM(map_passes_errno, map_error_gen_params),
	KUNIT_CASE(map_of_nothing),
	KUNIT_CASE(map_after_failure),
	KUNIT_CASE(cached_mapping_is_kept),
	KUNIT_CASE(cached_mapping_is_per_attachment),
	KUNIT_CASE_PARAM(cached_mapping_has_a_direction, map_kept_gen_params),
	KUNIT_CASE_PARAM(map_with_pending_fence, map_fence_gen_params),
	KUNIT_CASE(attach_waits_before_keeping_mapping),
	KUNIT_CASE(map_is_interruptible),
	KUNIT_CASE(attach_is_interruptible),
#ifdef CONFIG_UML
	KUNIT_CASE(unmap_null),
#endif
	{}
};

static struct kunit_suite map_suite = {
	.name = "dma_buf_map",
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);
