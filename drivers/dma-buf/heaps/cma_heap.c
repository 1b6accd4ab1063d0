// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CMA heap: physically contiguous, cacheable memory of the default CMA
 * region.
 */

#define pr_fmt(fmt) "cma_heap: " fmt

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

static struct heap_pages cma_heap_pages = {
	.owner = THIS_MODULE,
	.get = cma_heap_get,
	.put = cma_heap_put,
};

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = heap_buffer_allocate,
};

static int __init cma_heap_add(const char *name)
{
	struct dma_heap_export_info info = {
		.name = name,
		.ops = &cma_heap_ops,
		.priv = &cma_heap_pages,
	};

	return PTR_ERR_OR_ZERO(dma_heap_add(&info));
}

static int __init cma_heap_init(void)
{
	struct cma *cma = dev_get_cma_area(NULL);
	int ret;

	if (!cma)
		return 0;

	cma_heap_pages.priv = cma;
	ret = cma_heap_add(CMA_HEAP_DEFAULT_NAME);
	if (ret)
		return ret;

	/*
	 * The region's own name differs between platforms. Without it the heap
	 * is there all the same.
	 */
	if (IS_ENABLED(CONFIG_DMABUF_HEAPS_CMA_LEGACY) &&
	    strcmp(cma_get_name(cma), CMA_HEAP_DEFAULT_NAME) &&
	    cma_heap_add(cma_get_name(cma)))
		pr_warn("no heap under the name %s\n", cma_get_name(cma));

	return 0;
}
module_init(cma_heap_init);

MODULE_DESCRIPTION("DMA-BUF CMA heap");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF_HEAP);
