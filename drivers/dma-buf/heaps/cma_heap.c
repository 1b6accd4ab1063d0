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
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "heap-buffer.h"

/* The name that stays the same on every platform. */
#define CMA_HEAP_DEFAULT_NAME	"default_cma_region"

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

static struct page *cma_heap_take(struct cma *cma, unsigned long nr_pages)
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

static int cma_heap_get(const struct heap_pages *pages, unsigned long nr_pages,
			struct list_head *chunks)
{
	struct cma *cma = pages->priv;
	struct page *page;
	int ret;

	if (nr_pages > cma_get_size(cma) >> PAGE_SHIFT)
		return -ENOMEM;

	page = cma_heap_take(cma, nr_pages);
	if (!page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;

	ret = cma_heap_zero(page, nr_pages);
	if (ret) {
		cma_release(cma, page, nr_pages);
		return ret;
	}

	heap_buffer_add_chunk(chunks, page, nr_pages);
	return 0;
}

static void cma_heap_put(const struct heap_pages *pages, struct page *page,
			 unsigned long nr_pages)
{
	cma_release(pages->priv, page, nr_pages);
}

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = heap_buffer_allocate,
};

static int __init cma_heap_add_name(struct heap_pages *pages, const char *name)
{
	struct dma_heap_export_info info = {
		.name = name,
		.ops = &cma_heap_ops,
		.priv = pages,
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
	struct heap_pages *pages = kzalloc(sizeof(*pages), GFP_KERNEL);
	int ret;

	if (!pages)
		return;

	pages->owner = THIS_MODULE;
	pages->get = cma_heap_get;
	pages->put = cma_heap_put;
	pages->priv = cma;

	ret = cma_heap_add_name(pages, name);
	if (old_name && strcmp(old_name, name) &&
	    !cma_heap_add_name(pages, old_name))
		ret = 0;
	if (ret)
		kfree(pages);
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
	return cma_for_each_area(cma_heap_add_region, NULL);
}
module_init(cma_heap_init);

MODULE_DESCRIPTION("DMA-BUF CMA heap");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF_HEAP);
