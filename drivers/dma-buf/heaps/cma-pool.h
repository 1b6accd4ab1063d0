/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of pages of a CMA region that freed buffers had, kept and zeroed for the
 * next buffers of the same size.
 *
 * Nothing depends on the pool: without one (NULL) all goes the ordinary way.
 */
#ifndef __HEAP_CMA_POOL_H__
#define __HEAP_CMA_POOL_H__

#include <linux/atomic.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct cma;
struct page;
struct shrinker;

/* Searches are linear, so there must not be many. */
#define CMA_POOL_RUNS	64

/**
 * struct cma_pool_run - pages that are kept
 * @page: the first
 * @nr_pages: how many
 * @zeroed: all of them are
 */
struct cma_pool_run {
	struct page *page;
	unsigned long nr_pages;
	bool zeroed;
};

/**
 * struct cma_pool - what is kept of a region
 * @cma: the region
 * @name: of the heap
 * @lock: protects @runs, @nr_runs, @held, @busy and @limit; @held and @limit are
 *	  read without it, too
 * @runs: those that came first are first
 * @nr_runs: how many
 * @held: pages in @runs, and @busy
 * @busy: pages of the run that is being zeroed
 * @limit: the most that @held may be
 * @zeroing: held while a run is being zeroed, and by who wants all back
 * @releasing: how many runs of the list are on their way back to the region
 * @released: when the last run had gone back, in jiffies
 * @recalls: how many want all back
 * @nr_zeroed: runs that were zeroed in the background
 * @worker: the thread that does it
 * @work: its work
 * @shrinker: gives all back when memory is short
 * @cma_short: gives all back when the region is short
 */
struct cma_pool {
	struct cma *cma;
	const char *name;
	spinlock_t lock;		/* protects runs to limit */
	struct cma_pool_run runs[CMA_POOL_RUNS];
	unsigned int nr_runs;
	unsigned long held;
	unsigned long busy;
	unsigned long limit;
	struct mutex zeroing;		/* a run may be on no list */
	atomic_t releasing;
	unsigned long released;
	atomic_t recalls;
	unsigned long nr_zeroed;
	struct kthread_worker *worker;
	struct kthread_delayed_work work;
	struct shrinker *shrinker;
	struct notifier_block cma_short;
};

struct cma_pool *cma_pool_create(struct cma *cma, const char *name,
				 unsigned long limit);
void cma_pool_set_limit(struct cma_pool *pool, unsigned long limit);

struct page *cma_pool_get(struct cma_pool *pool, unsigned long nr_pages,
			  bool *zeroed);
bool cma_pool_put(struct cma_pool *pool, struct page *page,
		  unsigned long nr_pages);

#endif /* __HEAP_CMA_POOL_H__ */
