// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of freed buffers, kept and zeroed for the next ones.
 *
 * Zeroing is nearly all that a new buffer costs, and nobody has to wait for it:
 * a thread of the lowest priority, SCHED_IDLE, does it when the processor has
 * nothing else to do. An allocation that comes before that gets pages that are
 * not zeroed yet, and zeroes them itself; that is what it would have done with
 * pages of the page allocator. No page leaves heap_pool_get() without.
 *
 * It is done only where it is likely to be of use: for as many chunks as were
 * wanted when they were not ready, counted since memory was last short.
 *
 * What the pool holds is still the system's. It is counted as reclaimable
 * (KReclaimable, so it is in MemAvailable), a shrinker gives it back when
 * memory is short, and it has an upper bound.
 *
 * Each list has a lock of its own, under which nothing is done but to link and
 * count. A chunk whose pages are being zeroed is on no list; it is still held.
 */

#include <linux/cpuset.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/lockdep.h>
#include <linux/mempolicy.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/topology.h>
#include <linux/vmstat.h>

#include "heap-zero.h"
#include "page-pool.h"

static void heap_pool_account(struct page *page, long nr_pages)
{
	mod_node_page_state(page_pgdat(page), NR_KERNEL_MISC_RECLAIMABLE,
			    nr_pages);
}

/* To the page allocator, a chunk that is on no list any more. */
static void heap_pool_release(struct heap_pool *pool, struct page *page,
			      unsigned int order)
{
	heap_pool_account(page, -(1L << order));
	atomic_long_sub(1L << order, &pool->held);
	__free_pages(page, order);
}

static void heap_pool_add(struct heap_pool_list *list, struct page *page,
			  enum heap_pool_state state)
{
	spin_lock(&list->lock);
	list_add(&page->lru, &list->chunks[state]);
	WRITE_ONCE(list->count[state], list->count[state] + 1);
	spin_unlock(&list->lock);
}

static struct page *heap_pool_take_locked(struct heap_pool_list *list,
					  enum heap_pool_state state)
{
	struct page *page;

	lockdep_assert_held(&list->lock);

	page = list_first_entry_or_null(&list->chunks[state], struct page, lru);
	if (page) {
		list_del(&page->lru);
		WRITE_ONCE(list->count[state], list->count[state] - 1);
	}

	return page;
}

static unsigned long heap_pool_count(const struct heap_pool_list *list)
{
	return READ_ONCE(list->count[HEAP_POOL_READY]) +
	       READ_ONCE(list->count[HEAP_POOL_USED]);
}

/* One that is ready, or else one that is not: *@used. */
static struct page *heap_pool_take_any(struct heap_pool_list *list, bool *used)
{
	struct page *page;

	if (!heap_pool_count(list))
		return NULL;

	spin_lock(&list->lock);
	page = heap_pool_take_locked(list, HEAP_POOL_READY);
	*used = !page;
	if (!page) {
		page = heap_pool_take_locked(list, HEAP_POOL_USED);
		if (page)
			WRITE_ONCE(list->wanted, list->wanted + 1);
	}
	spin_unlock(&list->lock);

	return page;
}

/*
 * Where the current task is to have memory from, if it may be from there. To ask
 * an interleaving policy for its next node is to move it on: it is left to the
 * page allocator.
 */
static int heap_pool_nid(void)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;
	int nid = NUMA_NO_NODE;

	if (!policy || (policy->mode != MPOL_INTERLEAVE &&
			policy->mode != MPOL_WEIGHTED_INTERLEAVE))
		nid = mempolicy_slab_node();
	if (nid == NUMA_NO_NODE)
		return nid;
#else
	int nid = numa_mem_id();
#endif

	return node_isset(nid, cpuset_current_mems_allowed) ? nid :
							      NUMA_NO_NODE;
}

/**
 * heap_pool_get - a zeroed chunk, if the pool has one
 * @pool: the pool, or NULL
 * @order: the chunk is of 1 << @order pages
 *
 * The chunk is on the node from which the memory policy of the current task
 * would have it. A policy that interleaves nodes has none.
 *
 * Context: process context, may sleep.
 *
 * Return: the first page, as alloc_pages() gave it to whoever had it first; or
 * NULL, then ask the page allocator.
 */
struct page *heap_pool_get(struct heap_pool *pool, unsigned int order)
{
	struct heap_pool_node *node;
	struct page *page;
	bool used;
	int nid;

	if (!pool)
		return NULL;
	nid = heap_pool_nid();
	node = nid == NUMA_NO_NODE ? NULL : pool->nodes[nid];
	if (!node)
		return NULL;

	page = heap_pool_take_any(&node->lists[order], &used);
	if (!page)
		return NULL;

	/* Others can be kept in its place before it is zeroed. */
	heap_pool_account(page, -(1L << order));
	atomic_long_sub(1L << order, &pool->held);
	if (used)
		heap_zero_pages(page, 1UL << order);
	return page;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_get, DMA_BUF_HEAP);

/* What has gone is no longer wanted, until somebody takes it again. */
static struct page *heap_pool_take_back(struct heap_pool_list *list,
					enum heap_pool_state state)
{
	struct page *page;

	if (!READ_ONCE(list->count[state]))
		return NULL;

	spin_lock(&list->lock);
	page = heap_pool_take_locked(list, state);
	WRITE_ONCE(list->wanted, min(list->wanted, heap_pool_count(list)));
	spin_unlock(&list->lock);

	return page;
}

static unsigned long heap_pool_release_order(struct heap_pool_node *node,
					     enum heap_pool_state state,
					     unsigned int order,
					     unsigned long nr_pages)
{
	unsigned long freed = 0;
	struct page *page;

	while (freed < nr_pages &&
	       (page = heap_pool_take_back(&node->lists[order], state))) {
		heap_pool_release(node->pool, page, order);
		freed += 1UL << order;
	}

	return freed;
}

/* Chunks that have cost nothing yet go first, and the small ones of them. */
static unsigned long heap_pool_release_pages(struct heap_pool_node *node,
					     unsigned long nr_pages)
{
	unsigned long freed = 0;
	unsigned int i;

	for (i = 0; i < NR_PAGE_ORDERS && freed < nr_pages; i++)
		freed += heap_pool_release_order(node, HEAP_POOL_USED, i,
						 nr_pages - freed);
	for (i = 0; i < NR_PAGE_ORDERS && freed < nr_pages; i++)
		freed += heap_pool_release_order(node, HEAP_POOL_READY, i,
						 nr_pages - freed);
	return freed;
}

/* Room for a chunk, on the account of the pool if there is. */
static bool heap_pool_reserve(struct heap_pool *pool, unsigned int order)
{
	long held = atomic_long_read(&pool->held);

	do {
		if (held + (1L << order) > READ_ONCE(pool->limit))
			return false;
	} while (!atomic_long_try_cmpxchg(&pool->held, &held,
					  held + (1L << order)));

	return true;
}

static bool heap_pool_over_limit(struct heap_pool *pool)
{
	return atomic_long_read(&pool->held) > READ_ONCE(pool->limit);
}

/* A chunk that is held, but on no list so far. */
static void heap_pool_keep(struct heap_pool_node *node, struct page *page,
			   unsigned int order, enum heap_pool_state state)
{
	heap_pool_add(&node->lists[order], page, state);

	/*
	 * The limit may have been lowered meanwhile. This sees the new one, or
	 * heap_pool_set_limit(), which has the other barrier, sees the chunk.
	 */
	smp_mb();
	if (unlikely(heap_pool_over_limit(node->pool)))
		heap_pool_release_pages(node, 1UL << order);
}

/* Is there a chunk to be made ready? */
static bool heap_pool_wants(const struct heap_pool_list *list)
{
	return READ_ONCE(list->count[HEAP_POOL_USED]) &&
	       READ_ONCE(list->count[HEAP_POOL_READY]) <
	       READ_ONCE(list->wanted);
}

/**
 * heap_pool_put - keep a chunk, or free it
 * @pool: the pool, or NULL
 * @page: first page of the chunk, on no list
 * @order: as it was allocated
 *
 * A chunk that somebody else has a reference to is not kept: it must not become
 * part of another buffer.
 *
 * Context: process context.
 */
void heap_pool_put(struct heap_pool *pool, struct page *page,
		   unsigned int order)
{
	struct heap_pool_node *node;

	node = pool ? pool->nodes[page_to_nid(page)] : NULL;
	if (!node || page_ref_count(page) != 1 ||
	    !heap_pool_reserve(pool, order)) {
		__free_pages(page, order);
		return;
	}

	heap_pool_account(page, 1L << order);
	heap_pool_keep(node, page, order, HEAP_POOL_USED);
	if (node->worker && heap_pool_wants(&node->lists[order]))
		kthread_queue_delayed_work(node->worker, &node->work,
					   HEAP_ZERO_DELAY);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_put, DMA_BUF_HEAP);

/* Zeroing in the background. */

static struct page *heap_pool_take_wanted(struct heap_pool_list *list)
{
	struct page *page = NULL;

	if (!heap_pool_wants(list))
		return NULL;

	spin_lock(&list->lock);
	if (heap_pool_wants(list))
		page = heap_pool_take_locked(list, HEAP_POOL_USED);
	spin_unlock(&list->lock);

	return page;
}

/* Large chunks first: they bring most. Says whether there was one. */
static bool heap_pool_zero_next(struct heap_pool_node *node)
{
	int order;

	for (order = NR_PAGE_ORDERS - 1; order >= 0; order--) {
		struct heap_pool_list *list = &node->lists[order];
		struct page *page = heap_pool_take_wanted(list);

		if (!page)
			continue;

		heap_zero_pages(page, 1UL << order);
		WRITE_ONCE(list->zeroed, list->zeroed + 1);
		heap_pool_keep(node, page, order, HEAP_POOL_READY);
		return true;
	}

	return false;
}

static void heap_pool_work(struct kthread_work *work)
{
	struct heap_pool_node *node = container_of(work, struct heap_pool_node,
						   work.work);

	while (heap_pool_zero_next(node)) {
		/* The thread freezes between two runs of its work. */
		if (freezing(current)) {
			kthread_queue_delayed_work(node->worker, &node->work,
						   HEAP_ZERO_DELAY);
			break;
		}
	}
}

/* Giving back. */

static unsigned long heap_pool_count_objects(struct shrinker *shrinker,
					     struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;
	struct heap_pool_node *node = pool->nodes[sc->nid];
	unsigned long nr_pages = 0;
	unsigned int i;

	if (!node)
		return SHRINK_EMPTY;

	for (i = 0; i < NR_PAGE_ORDERS; i++)
		nr_pages += heap_pool_count(&node->lists[i]) << i;

	return nr_pages ?: SHRINK_EMPTY;
}

static unsigned long heap_pool_scan_objects(struct shrinker *shrinker,
					    struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;
	struct heap_pool_node *node = pool->nodes[sc->nid];

	if (!node)
		return SHRINK_STOP;

	/* A large chunk may be more than was asked for. */
	sc->nr_scanned = heap_pool_release_pages(node, sc->nr_to_scan);
	/* So that no more is taken from others than is needed besides. */
	mm_account_reclaimed_pages(sc->nr_scanned);
	return sc->nr_scanned ?: SHRINK_STOP;
}

static int heap_pool_add_shrinker(struct heap_pool *pool)
{
	pool->shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "dma-heap:%s",
					pool->name);
	if (!pool->shrinker)
		return -ENOMEM;

	pool->shrinker->count_objects = heap_pool_count_objects;
	pool->shrinker->scan_objects = heap_pool_scan_objects;
	pool->shrinker->private_data = pool;
	shrinker_register(pool->shrinker);
	return 0;
}

/**
 * heap_pool_set_limit - how much the pool may hold
 * @pool: the pool, or NULL
 * @limit: in pages. What is too much goes back at once; a chunk that is on its
 *	   way into the pool, as soon as it is there; 0 turns the pool off
 *
 * Context: process context, may sleep.
 */
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit)
{
	int nid;

	if (!pool)
		return;

	WRITE_ONCE(pool->limit, limit);
	/* Pairs with the barrier in heap_pool_keep() */
	smp_mb();
	for_each_node(nid) {
		struct heap_pool_node *node = pool->nodes[nid];

		while (node && heap_pool_over_limit(pool) &&
		       heap_pool_release_pages(node, 1))
			cond_resched();
	}
}
EXPORT_SYMBOL_NS_GPL(heap_pool_set_limit, DMA_BUF_HEAP);

/* To look at. */

static int heap_pool_show(struct seq_file *m, void *unused)
{
	struct heap_pool *pool = m->private;
	unsigned int order;
	int nid;

	seq_printf(m, "held %ld of %lu pages\n", atomic_long_read(&pool->held),
		   READ_ONCE(pool->limit));
	seq_puts(m, "node order    ready     used   wanted     zeroed\n");
	for_each_node(nid) {
		for (order = 0; pool->nodes[nid] && order < NR_PAGE_ORDERS;
		     order++) {
			struct heap_pool_list *list;

			list = &pool->nodes[nid]->lists[order];
			seq_printf(m, "%4d %5u %8lu %8lu %8lu %10lu\n", nid,
				   order,
				   READ_ONCE(list->count[HEAP_POOL_READY]),
				   READ_ONCE(list->count[HEAP_POOL_USED]),
				   READ_ONCE(list->wanted),
				   READ_ONCE(list->zeroed));
		}
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heap_pool);

/* Life of a pool. */

static struct heap_pool_node *heap_pool_create_node(struct heap_pool *pool,
						    int nid)
{
	struct heap_pool_node *node;
	unsigned int i, state;

	node = kzalloc_node(sizeof(*node), GFP_KERNEL, nid);
	if (!node)
		return NULL;

	node->pool = pool;
	kthread_init_delayed_work(&node->work, heap_pool_work);
	for (i = 0; i < NR_PAGE_ORDERS; i++) {
		spin_lock_init(&node->lists[i].lock);
		for (state = 0; state < HEAP_POOL_STATES; state++)
			INIT_LIST_HEAD(&node->lists[i].chunks[state]);
	}

	return node;
}

static int heap_pool_create_nodes(struct heap_pool *pool, bool background)
{
	struct kthread_worker *worker;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		pool->nodes[nid] = heap_pool_create_node(pool, nid);
		if (!pool->nodes[nid])
			return -ENOMEM;
		if (!background)
			continue;
		worker = heap_zero_create_worker(nid);
		if (IS_ERR(worker))
			return PTR_ERR(worker);
		pool->nodes[nid]->worker = worker;
	}

	return 0;
}

/**
 * heap_pool_destroy - free a pool and what it holds
 * @pool: the pool, or NULL; nobody uses it any more
 *
 * Context: process context, may sleep.
 */
void heap_pool_destroy(struct heap_pool *pool)
{
	int nid;

	if (!pool)
		return;

	debugfs_remove(pool->debugfs);
	shrinker_free(pool->shrinker);
	for_each_node(nid) {
		struct heap_pool_node *node = pool->nodes[nid];

		if (!node || !node->worker)
			continue;
		kthread_cancel_delayed_work_sync(&node->work);
		kthread_destroy_worker(node->worker);
	}
	heap_pool_set_limit(pool, 0);
	for_each_node(nid)
		kfree(pool->nodes[nid]);
	kfree(pool);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_destroy, DMA_BUF_HEAP);

/**
 * heap_pool_create - an empty pool
 * @name: of the heap; also of the file in the directory dma_heap of debugfs
 * @limit: how many pages it may hold
 * @background: zero pages in the background. Without, all are zeroed when they
 *		are taken
 *
 * Context: process context, may sleep.
 *
 * Return: the pool, or NULL: out of memory.
 */
struct heap_pool *heap_pool_create(const char *name, unsigned long limit,
				   bool background)
{
	struct heap_pool *pool;

	pool = kzalloc(struct_size(pool, nodes, nr_node_ids), GFP_KERNEL);
	if (!pool)
		return NULL;

	pool->name = name;
	pool->limit = limit;
	if (heap_pool_create_nodes(pool, background) ||
	    heap_pool_add_shrinker(pool)) {
		heap_pool_destroy(pool);
		return NULL;
	}
	pool->debugfs = debugfs_create_file(name, 0444, heap_pool_debugfs_dir(),
					    pool, &heap_pool_fops);
	return pool;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_create, DMA_BUF_HEAP);
