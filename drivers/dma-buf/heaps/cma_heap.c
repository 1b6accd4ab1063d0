// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CMA heaps: physically contiguous, cacheable memory of the default CMA
 * region, and of each further one that is there for devices.
 */

#define pr_fmt(fmt) "cma_heap: " fmt

#include <linux/array_size.h>
#include <linux/cma.h>
#include <linux/dma-heap.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/fault-inject.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cma-pool.h"
#include "heap-buffer.h"

/* The name that stays the same on every platform. */
#define CMA_HEAP_DEFAULT_NAME	"default_cma_region"

/**
 * struct cma_heap - a region and what is kept of it
 * @pages: where the pages of its buffers come from: @cma
 * @cma: the region
 * @pool: pages of freed buffers, or NULL
 * @node: in cma_heaps
 */
struct cma_heap {
	struct heap_pages pages;
	struct cma *cma;
	struct cma_pool *pool;
	struct list_head node;
};

/* Grows while the module is initialised; kernel_param_lock() protects it. */
static LIST_HEAD(cma_heaps);

/*
 * Whoever needs the region gets all that is kept of it, so it may be much. But
 * what is kept is not there for movable pages, which is what most of a region is
 * used for otherwise.
 */
static unsigned int cma_heap_pool_percent = 50;

static unsigned long cma_heap_pool_limit(const struct cma *cma)
{
	return mult_frac(cma_get_size(cma) >> PAGE_SHIFT,
			 cma_heap_pool_percent, 100);
}

static int cma_heap_set_pool_percent(const char *val,
				     const struct kernel_param *kp)
{
	int ret = param_set_uint_minmax(val, kp, 0, 100);
	struct cma_heap *heap;

	if (ret)
		return ret;

	list_for_each_entry(heap, &cma_heaps, node)
		cma_pool_set_limit(heap->pool, cma_heap_pool_limit(heap->cma));
	return 0;
}

static const struct kernel_param_ops cma_heap_pool_percent_ops = {
	.set = cma_heap_set_pool_percent,
	.get = param_get_uint,
};

module_param_cb(pool_percent, &cma_heap_pool_percent_ops,
		&cma_heap_pool_percent, 0644);
MODULE_PARM_DESC(pool_percent,
		 "Percentage of each region that freed buffers may keep for the next (default 50, 0 none)");

/* How many pages are zeroed between two looks at who else wants something. */
#define CMA_HEAP_ZERO_BATCH	64

static int cma_heap_zero(struct page *page, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++) {
		if (i % CMA_HEAP_ZERO_BATCH == 0) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		clear_highpage(nth_page(page, i));
	}
	return 0;
}

static struct page *cma_heap_alloc(struct cma *cma, unsigned long nr_pages)
{
	const unsigned int huge = PMD_SHIFT - PAGE_SHIFT;
	unsigned int align = min_t(unsigned int,
				   get_order(nr_pages << PAGE_SHIFT),
				   CONFIG_CMA_ALIGNMENT);
	struct page *page;

	/* Where processes could map it by huge pages, if there is room there. */
	if (align < huge && nr_pages >> huge) {
		page = cma_alloc(cma, nr_pages, huge, true);
		if (page || fatal_signal_pending(current))
			return page;
	}

	return cma_alloc(cma, nr_pages, align, true);
}

/* Pages of a region do not pass where fail_page_alloc is. */
static DECLARE_FAULT_ATTR(fail_cma_heap);

static int cma_heap_get(const struct heap_pages *pages, unsigned long nr_pages,
			struct list_head *chunks)
{
	struct cma_heap *heap = pages->priv;
	bool zeroed = false;
	struct page *page;
	int ret;

	if (nr_pages > cma_get_size(heap->cma) >> PAGE_SHIFT)
		return -ENOMEM;
	/* With or without pages of a former buffer */
	if (should_fail(&fail_cma_heap, nr_pages << PAGE_SHIFT))
		return -ENOMEM;

	page = cma_pool_get(READ_ONCE(heap->pool), nr_pages, &zeroed);
	if (!page)
		page = cma_heap_alloc(heap->cma, nr_pages);
	if (!page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;

	ret = zeroed ? 0 : cma_heap_zero(page, nr_pages);
	if (ret) {
		cma_release(heap->cma, page, nr_pages);
		return ret;
	}

	heap_buffer_add_chunk(chunks, page, nr_pages);
	return 0;
}

static void cma_heap_put(const struct heap_pages *pages, struct page *page,
			 unsigned long nr_pages)
{
	struct cma_heap *heap = pages->priv;

	if (!cma_pool_put(READ_ONCE(heap->pool), page, nr_pages))
		cma_release(heap->cma, page, nr_pages);
}

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = heap_buffer_allocate,
};

static int __init cma_heap_add_name(struct cma_heap *heap, const char *name)
{
	struct dma_heap_export_info info = {
		.name = name,
		.ops = &cma_heap_ops,
		.priv = &heap->pages,
	};
	int ret = PTR_ERR_OR_ZERO(dma_heap_add(&info));

	if (ret)
		pr_warn("no heap under the name %s: %d\n", name, ret);
	return ret;
}

/* A heap for the region under one name, or under two for those who know it so */
static void __init cma_heap_add(struct cma *cma, const char *name,
				const char *old_name)
{
	struct cma_heap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	struct cma_pool *pool;
	int ret;

	if (!heap)
		return;

	heap->pages.owner = THIS_MODULE;
	heap->pages.get = cma_heap_get;
	heap->pages.put = cma_heap_put;
	heap->pages.priv = heap;
	heap->cma = cma;

	ret = cma_heap_add_name(heap, name);
	if (old_name && strcmp(old_name, name) &&
	    !cma_heap_add_name(heap, old_name))
		ret = 0;
	if (ret) {
		kfree(heap);
		return;
	}

	/* Without a pool, or before it has one, the heap works all the same. */
	pool = cma_pool_create(cma, name, cma_heap_pool_limit(cma));
	/* What the pool is like comes before that there is one: READ_ONCE() */
	smp_store_release(&heap->pool, pool);
	list_add(&heap->node, &cma_heaps);
}

/*
 * Regions that others in the kernel have made for themselves: for huge pages,
 * for guests, for a dump after a crash, for a monitor's answers.
 */
static bool __init cma_heap_is_private(const char *name)
{
	static const char * const others[] = {
		"hugetlb", "kvm_cma", "fadump_cma", "vmcp",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (str_has_prefix(name, others[i]))
			return true;
	return false;
}

/* One region without a heap is no reason for the others to have none. */
static int __init cma_heap_add_region(struct cma *cma, void *unused)
{
	const char *name = cma_get_name(cma);
	const char *old_name = NULL;

	/* It could not be set up. */
	if (!cma_get_size(cma))
		return 0;

	if (cma == dev_get_cma_area(NULL)) {
		if (IS_ENABLED(CONFIG_DMABUF_HEAPS_CMA_LEGACY))
			old_name = name;
		name = CMA_HEAP_DEFAULT_NAME;
	} else if (cma_heap_is_private(name)) {
		return 0;
	}

	cma_heap_add(cma, name, old_name);
	return 0;
}

/* Nothing here fails: what has been added once could not be taken away. */
static int __init cma_heap_init(void)
{
	int ret;

	fault_create_debugfs_attr("fail_cma_heap", NULL, &fail_cma_heap);
	kernel_param_lock(THIS_MODULE);
	ret = cma_for_each_area(cma_heap_add_region, NULL);
	kernel_param_unlock(THIS_MODULE);
	return ret;
}
module_init(cma_heap_init);

MODULE_DESCRIPTION("DMA-BUF CMA heap");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF_HEAP);
