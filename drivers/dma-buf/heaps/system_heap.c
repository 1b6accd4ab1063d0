// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system heap: cacheable pages of the buddy allocator, in chunks as large as
 * it gives without effort, or of buffers that are gone.
 */

#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pageblock-flags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "heap-buffer.h"
#include "page-pool.h"

/*
 * A large chunk is taken where one lies ready: going after it by reclaim or
 * compaction costs more than it brings. Single pages may reclaim; they fail
 * rather than have the OOM killer look for somebody else to pay.
 */
#define SYSTEM_HEAP_GFP		(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN)
#define SYSTEM_HEAP_GFP_LARGE	((SYSTEM_HEAP_GFP | __GFP_COMP | \
				  __GFP_NORETRY) & ~__GFP_RECLAIM)
#define SYSTEM_HEAP_GFP_SINGLE	(SYSTEM_HEAP_GFP | __GFP_RETRY_MAYFAIL)

/*
 * What the pool holds is free to be used by others, but not by those who take
 * only what lies ready: a tenth leaves them enough, and is several frames of
 * video on any machine that has video.
 */
static unsigned int system_heap_pool_percent = 10;
static struct heap_pool *system_heap_pool;

static unsigned long system_heap_pool_limit(void)
{
	return mult_frac(totalram_pages(), system_heap_pool_percent, 100);
}

static int system_heap_set_pool_percent(const char *val,
					const struct kernel_param *kp)
{
	int ret = param_set_uint_minmax(val, kp, 0, 100);

	if (!ret)
		heap_pool_set_limit(system_heap_pool, system_heap_pool_limit());
	return ret;
}

static const struct kernel_param_ops system_heap_pool_percent_ops = {
	.set = system_heap_set_pool_percent,
	.get = param_get_uint,
};

module_param_cb(pool_percent, &system_heap_pool_percent_ops,
		&system_heap_pool_percent, 0644);
MODULE_PARM_DESC(pool_percent,
		 "Percentage of memory that freed buffers may keep for the next (default 10, 0 none)");

static struct page *system_heap_get_chunk(unsigned int order)
{
	struct page *page = heap_pool_get(system_heap_pool, order);

	if (page)
		return page;

	return alloc_pages(order ? SYSTEM_HEAP_GFP_LARGE :
			   SYSTEM_HEAP_GFP_SINGLE, order);
}

/*
 * A request that is a visible part of the machine is refused at the start if it
 * cannot be met, instead of after everything else has been pushed out.
 */
static bool system_heap_could_fit(unsigned long nr_pages)
{
	if (nr_pages <= MAX_ORDER_NR_PAGES)
		return true;

	return nr_pages <= max(si_mem_available(), 0L) + get_nr_swap_pages();
}

static int system_heap_get(const struct heap_pages *pages,
			   unsigned long nr_pages, struct list_head *chunks)
{
	/* The largest that the page allocator tries to keep in one piece. */
	unsigned int order = pageblock_order;

	if (!system_heap_could_fit(nr_pages))
		return -ENOMEM;

	while (nr_pages) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		/* What was not there a moment ago is not tried again. */
		order = min_t(unsigned int, order, ilog2(nr_pages));
		page = system_heap_get_chunk(order);
		if (!page && !order)
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		if (!page) {
			order--;
			continue;
		}

		heap_buffer_add_chunk(chunks, page, 1UL << order);
		nr_pages -= 1UL << order;
	}

	return 0;
}

static void system_heap_put(const struct heap_pages *pages, struct page *page,
			    unsigned long nr_pages)
{
	heap_pool_put(system_heap_pool, page, ilog2(nr_pages));
}

static const struct heap_pages system_heap_pages = {
	.owner = THIS_MODULE,
	.get = system_heap_get,
	.put = system_heap_put,
};

static const struct dma_heap_ops system_heap_ops = {
	.allocate = heap_buffer_allocate,
};

static int __init system_heap_init(void)
{
	struct dma_heap_export_info info = {
		.name = "system",
		.ops = &system_heap_ops,
		.priv = (void *)&system_heap_pages,
	};
	struct heap_pool *pool;
	struct dma_heap *heap;

	/* Without a pool, the heap works all the same. */
	system_heap_pool = heap_pool_create("system", system_heap_pool_limit(),
					    true);

	heap = dma_heap_add(&info);
	if (!IS_ERR(heap))
		return 0;

	pool = system_heap_pool;
	system_heap_pool = NULL;
	heap_pool_destroy(pool);
	return PTR_ERR(heap);
}
module_init(system_heap_init);

MODULE_DESCRIPTION("DMA-BUF system heap");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF_HEAP);
