// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table an importer is given, and what it gives back. With
 * CONFIG_DMABUF_DEBUG it is a copy that has the addresses and no pages, so that
 * an importer that looks at pages is caught, or that gives back what is not its
 * own; without, it is the exporter's. The exporter's own is never touched.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/scatterlist.h>

#include "mock-exporter.h"
#include "mock-importer.h"

/* The exporter's table is as mock_exporter made it. */
static void expect_intact(struct kunit *test, struct mock_exporter *exp,
			  struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sgt->orig_nents, MOCK_PAGES);
	for_each_sgtable_sg(sgt, sg, i) {
		KUNIT_EXPECT_PTR_EQ(test, sg_page(sg), exp->pages[i]);
		KUNIT_EXPECT_EQ(test, sg->length, PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, sg->offset, 0);
	}
}

static const struct table_sharing {
	const char *name;
	unsigned int exporter;
	bool importer;
} table_sharings[] = {
	{ "static", 0, false },
	{ "cached", MOCK_CACHE, false },
	{ "kept_for_static_importer", MOCK_DYNAMIC, false },
	{ "kept_for_dynamic_importer", 0, true },
	{ "dynamic", MOCK_DYNAMIC, true },
};

KUNIT_ARRAY_PARAM_DESC(table_sharing, table_sharings, name);

static void table_has_pages_or_not(struct kunit *test)
{
	const struct table_sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);
	struct scatterlist *sg, *own;
	struct sg_table *sgt;
	unsigned int i;

	sgt = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG)) {
		KUNIT_EXPECT_PTR_EQ(test, sgt, exp->mapped);
	} else {
		KUNIT_EXPECT_PTR_NE(test, sgt, exp->mapped);
		own = exp->mapped->sgl;
		for_each_sgtable_dma_sg(sgt, sg, i) {
			KUNIT_EXPECT_NULL(test, sg_page(sg));
			KUNIT_EXPECT_EQ(test, sg_dma_address(sg),
					sg_dma_address(own));
			KUNIT_EXPECT_EQ(test, sg_dma_len(sg), sg_dma_len(own));
			own = sg_next(own);
		}
		KUNIT_EXPECT_EQ(test, i, exp->mapped->nents);
	}
	mock_importer_unmap(imp, sgt, DMA_BIDIRECTIONAL);
}

static void table_comes_back(struct kunit *test)
{
	const struct table_sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf,
							   param->importer);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(imp, sgt, DMA_BIDIRECTIONAL);
	mock_importer_detach(test, imp);
	KUNIT_EXPECT_PTR_EQ(test, exp->unmapped, exp->mapped);
}

/* R12: two attachments mapped at once, unmapped in the order of mapping. */
static void exporters_table_stays_intact(struct kunit *test)
{
	const struct table_sharing *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test,
							 param->exporter);
	struct mock_importer *a = mock_importer_attached(test, "a",
							 exp->dmabuf,
							 param->importer);
	struct mock_importer *b;
	struct sg_table *sgt_a, *sgt_b, *own_a, *own_b;

	sgt_a = mock_importer_map(a, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_a);
	own_a = exp->mapped;
	expect_intact(test, exp, own_a);

	b = mock_importer_attached(test, "b", exp->dmabuf, param->importer);
	sgt_b = mock_importer_map(b, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_b);
	own_b = exp->mapped;
	expect_intact(test, exp, own_a);
	expect_intact(test, exp, own_b);

	mock_importer_unmap(a, sgt_a, DMA_BIDIRECTIONAL);
	expect_intact(test, exp, own_b);
	mock_importer_unmap(b, sgt_b, DMA_BIDIRECTIONAL);
}

#if defined(CONFIG_UML) && defined(CONFIG_DMABUF_DEBUG)
/* These warn, which KUnit of 6.12 cannot suppress: see export_kunit.c. */

static void unmap_again_is_caught(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct sg_table *sgt;

	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 1);
}

static void unmap_of_anothers_table_is_caught(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *a = mock_importer_attached(test, "a",
							 exp->dmabuf, true);
	struct mock_importer *b = mock_importer_attached(test, "b",
							 exp->dmabuf, true);
	struct sg_table *sgt;

	sgt = mock_importer_map(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(b, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 0);
	mock_importer_unmap(a, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_UNMAP], 1);
	KUNIT_EXPECT_EQ(test, exp->done[OP_UNPIN], exp->done[OP_PIN]);
}
#endif

static struct kunit_case debug_cases[] = {
#if defined(CONFIG_UML) && defined(CONFIG_DMABUF_DEBUG)
	KUNIT_CASE(unmap_again_is_caught),
	KUNIT_CASE(unmap_of_anothers_table_is_caught),
#endif
	KUNIT_CASE_PARAM(table_has_pages_or_not, table_sharing_gen_params),
	KUNIT_CASE_PARAM(table_comes_back, table_sharing_gen_params),
	KUNIT_CASE_PARAM(exporters_table_stays_intact,
			 table_sharing_gen_params),
	{}
};

static struct kunit_suite debug_suite = {
	.name = "dma_buf_debug",
	.test_cases = debug_cases,
};

kunit_test_suite(debug_suite);
