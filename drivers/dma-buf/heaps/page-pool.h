/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of freed buffers, kept and zeroed for the next ones.
 *
 * A heap that takes its pages from the page allocator asks the pool first, and
 * offers it what it would free:
 *
 *	page = heap_pool_get(pool, order);
 *	if (!page)
 *		page = alloc_pages(GFP_HIGHUSER | __GFP_ZERO, order);
 *	...
 *	heap_pool_put(pool, page, order);
 *
 * Nothing depends on the pool: without one (NULL) all goes the ordinary way.
 */
#ifndef __HEAP_PAGE_POOL_H__
#define __HEAP_PAGE_POOL_H__

#include <linux/atomic.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mmzone.h>
#include <linux/spinlock.h>

struct dentry;
struct shrinker;

/**
 * enum heap_pool_state - what is known of a chunk in the pool
 * @HEAP_POOL_READY: it is zeroed
 * @HEAP_POOL_USED: it has a former buffer's data
 * @HEAP_POOL_STATES: number of states
 */
enum heap_pool_state {
	HEAP_POOL_READY,
	HEAP_POOL_USED,
	HEAP_POOL_STATES
};

/**
 * struct heap_pool_list - chunks of one order on one node
 * @lock: protects the rest but @zeroed
 * @chunks: by state, those that came last first
 * @count: number of chunks, by state; may be read without @lock as a hint
 * @wanted: how many chunks are worth being ready
 * @zeroed: how many chunks the worker has zeroed so far; written by it alone
 */
struct heap_pool_list {
	spinlock_t lock;		/* protects the rest */
	struct list_head chunks[HEAP_POOL_STATES];
	unsigned long count[HEAP_POOL_STATES];
	unsigned long wanted;
	unsigned long zeroed;
} ____cacheline_aligned_in_smp;

/**
 * struct heap_pool_node - what the pool has on one node
 * @pool: the whole
 * @worker: thread that zeroes; NULL where chunks are kept as they come
 * @work: its work, delayed to let several chunks come together
 * @lists: by order
 */
struct heap_pool_node {
	struct heap_pool *pool;
	struct kthread_worker *worker;
	struct kthread_delayed_work work;
	struct heap_pool_list lists[NR_PAGE_ORDERS];
};

/**
 * struct heap_pool - pages of freed buffers
 * @name: of the file in debugfs
 * @held: pages in the pool
 * @limit: the most there may be
 * @shrinker: gives them back when others need memory
 * @debugfs: file that shows what there is
 * @nodes: by node; NULL for nodes without memory when the pool was made
 */
struct heap_pool {
	const char *name;
	atomic_long_t held;
	unsigned long limit;
	struct shrinker *shrinker;
	struct dentry *debugfs;
	struct heap_pool_node *nodes[];
};

/* The worker that zeroes is left out by tests that want chunks to stay used. */
struct heap_pool *heap_pool_create(const char *name, unsigned long limit,
				   bool background);
void heap_pool_destroy(struct heap_pool *pool);
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit);

struct page *heap_pool_get(struct heap_pool *pool, unsigned int order);
void heap_pool_put(struct heap_pool *pool, struct page *page,
		   unsigned int order);

#endif /* __HEAP_PAGE_POOL_H__ */
