// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_heap_add(): which heaps are accepted, and that one that is not leaves
 * nothing behind. The ioctl is tested from user space.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sprintf.h>

static struct dma_buf *heap_never(struct dma_heap *heap, unsigned long len,
				  u32 fd_flags, u64 heap_flags)
{
	return ERR_PTR(-ENOMEM);
}

static const struct dma_heap_ops heap_ops = {
	.allocate = heap_never,
};

static const struct dma_heap_ops heap_no_ops;

/*
 * A name nobody has. A heap once added stays and keeps the name, so it is not
 * freed, and a suite that is run again needs a new one.
 */
static const char *heap_name(struct kunit *test)
{
	static atomic_t count;
	char *name = kasprintf(GFP_KERNEL, "kunit_%d",
			       atomic_inc_return(&count));

	KUNIT_ASSERT_NOT_NULL(test, name);
	return name;
}

/* Each test leaves one heap at most; it keeps this module loaded. */
static struct dma_heap *heap_add(struct kunit *test, const char *name,
				 void *priv)
{
	const struct dma_heap_export_info info = {
		.name = name,
		.ops = &heap_ops,
		.priv = priv,
	};
	struct dma_heap *heap = dma_heap_add(&info);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	__module_get(THIS_MODULE);
	return heap;
}

static const struct heap_bad {
	const char *name;
	struct dma_heap_export_info info;
} heap_bads[] = {
	{ "no_name", { .ops = &heap_ops } },
	{ "empty_name", { .name = "", .ops = &heap_ops } },
	{ "no_ops", { .name = "kunit_bad" } },
	{ "no_allocate", { .name = "kunit_bad", .ops = &heap_no_ops } },
};

KUNIT_ARRAY_PARAM_DESC(heap_bad, heap_bads, name);

static void heap_add_refuses(struct kunit *test)
{
	const struct heap_bad *param = test->param_value;

	KUNIT_EXPECT_PTR_EQ(test, dma_heap_add(&param->info),
			    ERR_PTR(-EINVAL));
}

static void heap_add_keeps_info(struct kunit *test)
{
	const char *name = heap_name(test);
	struct dma_heap *heap = heap_add(test, name, test);

	KUNIT_EXPECT_STREQ(test, dma_heap_get_name(heap), name);
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_get_drvdata(heap), test);
}

static void heap_add_taken_name(struct kunit *test)
{
	const struct dma_heap_export_info again = {
		.name = heap_name(test),
		.ops = &heap_ops,
	};
	struct dma_heap *heap = heap_add(test, again.name, test);

	KUNIT_EXPECT_PTR_EQ(test, dma_heap_add(&again), ERR_PTR(-EINVAL));
	/* The first one is not changed by the attempt. */
	KUNIT_EXPECT_STREQ(test, dma_heap_get_name(heap), again.name);
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_get_drvdata(heap), test);
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_add(&again), ERR_PTR(-EINVAL));
}

static void heap_refused_name_stays_free(struct kunit *test)
{
	const char *name = heap_name(test);
	const struct dma_heap_export_info bad = {
		.name = name,
		.ops = &heap_no_ops,
	};

	KUNIT_EXPECT_PTR_EQ(test, dma_heap_add(&bad), ERR_PTR(-EINVAL));
	heap_add(test, name, NULL);
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE_PARAM(heap_add_refuses, heap_bad_gen_params),
	KUNIT_CASE(heap_add_keeps_info),
	KUNIT_CASE(heap_add_taken_name),
	KUNIT_CASE(heap_refused_name_stays_free),
	{}
};

static struct kunit_suite heap_suite = {
	.name = "dma_heap",
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);
