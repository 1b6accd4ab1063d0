// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of pages of freed buffers: what goes in comes out zeroed, the rest
 * is kept within bounds and given back when it is asked for.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/iopoll.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "../heaps/page-pool.h"

#define POOL_LIMIT	4096
#define POOL_BYTE	0x5a
#define POOL_ORDER	3

KUNIT_DEFINE_ACTION_WRAPPER(pool_destroy, heap_pool_destroy,
			    struct heap_pool *);

static struct heap_pool *pool_create(struct kunit *test, bool background)
{
	struct heap_pool *pool = heap_pool_create("kunit", POOL_LIMIT,
						  background);

	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, pool_destroy, pool));
	return pool;
}

static bool chunk_holds(struct page *page, unsigned int order, u8 byte)
{
	return !memchr_inv(page_address(page), byte, PAGE_SIZE << order);
}

/* A chunk as a former buffer leaves it, on the node of this task. */
static struct page *chunk_dirty(struct kunit *test, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), POOL_BYTE, PAGE_SIZE << order);
	return page;
}

static struct heap_pool_list *pool_list(struct heap_pool *pool,
					struct page *page, unsigned int order)
{
	return &pool->nodes[page_to_nid(page)]->lists[order];
}

static void empty_pool_has_nothing(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	unsigned int order;

	for (order = 0; order < NR_PAGE_ORDERS; order++)
		KUNIT_EXPECT_NULL(test, heap_pool_get(pool, order));
}

static void no_pool_is_none(struct kunit *test)
{
	struct page *page = chunk_dirty(test, 0);

	get_page(page);
	KUNIT_EXPECT_NULL(test, heap_pool_get(NULL, 0));
	heap_pool_put(NULL, page, 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	put_page(page);
	heap_pool_set_limit(NULL, 0);
	heap_pool_destroy(NULL);
}

static const unsigned int pool_orders[] = { 0, 1, 4, 9, MAX_PAGE_ORDER };

static void pool_order_desc(const unsigned int *order, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "order_%u", *order);
}

KUNIT_ARRAY_PARAM(pool_order, pool_orders, pool_order_desc);

static void used_comes_back_zeroed(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value;
	struct heap_pool *pool = pool_create(test, false);
	struct page *page = chunk_dirty(test, order);

	heap_pool_put(pool, page, order);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 1L << order);
	KUNIT_ASSERT_PTR_EQ(test, heap_pool_get(pool, order), page);
	KUNIT_EXPECT_TRUE(test, chunk_holds(page, order, 0));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
	__free_pages(page, order);
}

static void other_orders_are_others(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);

	heap_pool_put(pool, chunk_dirty(test, POOL_ORDER), POOL_ORDER);
	KUNIT_EXPECT_NULL(test, heap_pool_get(pool, POOL_ORDER - 1));
	KUNIT_EXPECT_NULL(test, heap_pool_get(pool, POOL_ORDER + 1));
}

/* Chunks stay with the node whose memory they are. */
static void chunk_is_of_its_node(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	struct page *page = chunk_dirty(test, POOL_ORDER);
	struct heap_pool_list *list = pool_list(pool, page, POOL_ORDER);
	int nid;

	heap_pool_put(pool, page, POOL_ORDER);
	for_each_node(nid) {
		struct heap_pool_node *node = pool->nodes[nid];

		if (node)
			KUNIT_EXPECT_EQ(test,
					node->lists[POOL_ORDER].count[HEAP_POOL_USED],
					list == &node->lists[POOL_ORDER]);
	}
}

static unsigned long pool_count(struct heap_pool_list *list,
				enum heap_pool_state state)
{
	return READ_ONCE(list->count[state]);
}

/* What was wanted once is zeroed without anybody asking, when it is back. */
static void wanted_gets_ready(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, true);
	struct page *page = chunk_dirty(test, POOL_ORDER);
	struct heap_pool_list *list = pool_list(pool, page, POOL_ORDER);
	unsigned long ready;

	heap_pool_put(pool, page, POOL_ORDER);
	KUNIT_ASSERT_PTR_EQ(test, heap_pool_get(pool, POOL_ORDER), page);
	memset(page_address(page), POOL_BYTE, PAGE_SIZE << POOL_ORDER);
	heap_pool_put(pool, page, POOL_ORDER);
	KUNIT_EXPECT_EQ(test, 0,
			read_poll_timeout(pool_count, ready, ready,
					  USEC_PER_MSEC, 10 * USEC_PER_SEC,
					  false, list, HEAP_POOL_READY));
	KUNIT_EXPECT_EQ(test, READ_ONCE(list->zeroed), 1);
	KUNIT_EXPECT_TRUE(test, chunk_holds(page, POOL_ORDER, 0));
	KUNIT_ASSERT_PTR_EQ(test, heap_pool_get(pool, POOL_ORDER), page);
	KUNIT_EXPECT_TRUE(test, chunk_holds(page, POOL_ORDER, 0));
	__free_pages(page, POOL_ORDER);
}

/* Memory that nobody came back for is not worth the work. */
static void unwanted_stays_used(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, true);
	struct page *page = chunk_dirty(test, POOL_ORDER);
	struct heap_pool_node *node = pool->nodes[page_to_nid(page)];
	struct heap_pool_list *list = &node->lists[POOL_ORDER];

	heap_pool_put(pool, page, POOL_ORDER);
	kthread_mod_delayed_work(node->worker, &node->work, 0);
	kthread_flush_work(&node->work.work);
	KUNIT_EXPECT_EQ(test, pool_count(list, HEAP_POOL_USED), 1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(list->zeroed), 0);
}

/* Somebody may still look at it: it must not be part of another buffer. */
static void shared_chunk_is_not_kept(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	struct page *page = chunk_dirty(test, POOL_ORDER);

	get_page(page);
	heap_pool_put(pool, page, POOL_ORDER);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
	KUNIT_EXPECT_NULL(test, heap_pool_get(pool, POOL_ORDER));
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	put_page(page);
}

static void limit_is_kept(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	unsigned int i;

	heap_pool_set_limit(pool, 20);
	for (i = 0; i < 4; i++)
		heap_pool_put(pool, chunk_dirty(test, POOL_ORDER), POOL_ORDER);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 16);
	for (i = 0; i < 8; i++)
		heap_pool_put(pool, chunk_dirty(test, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 20);
	heap_pool_set_limit(pool, 17);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 17);
	heap_pool_set_limit(pool, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
	heap_pool_put(pool, chunk_dirty(test, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
	KUNIT_EXPECT_NULL(test, heap_pool_get(pool, 0));
}

static unsigned long pool_shrink(struct heap_pool *pool, unsigned long nr)
{
	struct shrink_control sc = { .nr_to_scan = nr };
	unsigned long freed = 0, ret;

	for_each_node_state(sc.nid, N_MEMORY) {
		ret = pool->shrinker->scan_objects(pool->shrinker, &sc);
		if (ret != SHRINK_STOP)
			freed += ret;
	}
	return freed;
}

static unsigned long pool_reclaimable(struct heap_pool *pool)
{
	struct shrink_control sc = { };
	unsigned long count = 0, ret;

	for_each_node_state(sc.nid, N_MEMORY) {
		ret = pool->shrinker->count_objects(pool->shrinker, &sc);
		if (ret != SHRINK_EMPTY)
			count += ret;
	}
	return count;
}

static void shrinks_to_nothing(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	unsigned int order;

	KUNIT_EXPECT_EQ(test, pool_reclaimable(pool), 0);
	for (order = 0; order < 8; order++)
		heap_pool_put(pool, chunk_dirty(test, order), order);
	KUNIT_EXPECT_EQ(test, pool_reclaimable(pool), 255);
	/* Not less than asked for, and no more than whole chunks of it */
	KUNIT_EXPECT_EQ(test, pool_shrink(pool, 3), 3);
	KUNIT_EXPECT_EQ(test, pool_shrink(pool, 1), 4);
	KUNIT_EXPECT_EQ(test, pool_reclaimable(pool), 248);
	KUNIT_EXPECT_EQ(test, pool_shrink(pool, ULONG_MAX), 248);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
	KUNIT_EXPECT_EQ(test, pool_reclaimable(pool), 0);
	for (order = 0; order < 8; order++)
		KUNIT_EXPECT_NULL(test, heap_pool_get(pool, order));
}

/* Whoever reclaims knows what it has got, and need not go on. */
static void shrinking_is_progress(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	struct reclaim_state state = { };

	KUNIT_ASSERT_NULL(test, current->reclaim_state);
	heap_pool_put(pool, chunk_dirty(test, POOL_ORDER), POOL_ORDER);
	heap_pool_put(pool, chunk_dirty(test, 0), 0);
	current->reclaim_state = &state;
	pool_shrink(pool, 2);
	current->reclaim_state = NULL;
	KUNIT_EXPECT_EQ(test, state.reclaimed, 1 + (1 << POOL_ORDER));
}

/* What has been given back has to be wanted anew. */
static void shrinking_forgets(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, false);
	struct page *page = chunk_dirty(test, POOL_ORDER);
	struct heap_pool_list *list = pool_list(pool, page, POOL_ORDER);

	heap_pool_put(pool, page, POOL_ORDER);
	page = heap_pool_get(pool, POOL_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, list->wanted, 1);
	heap_pool_put(pool, page, POOL_ORDER);
	KUNIT_EXPECT_EQ(test, pool_shrink(pool, 1), 1 << POOL_ORDER);
	KUNIT_EXPECT_EQ(test, list->wanted, 0);
}

/*
 * The system's counter is the sum of others that are rounded, so many pages are
 * put in.
 */
static void counted_as_reclaimable(struct kunit *test)
{
	const unsigned int order = 9;
	struct heap_pool *pool = pool_create(test, false);
	long before = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	unsigned int i;

	for (i = 0; i < POOL_LIMIT >> order; i++)
		heap_pool_put(pool, chunk_dirty(test, order), order);
	KUNIT_EXPECT_GT(test,
			global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE),
			before + POOL_LIMIT * 3 / 4);
	heap_pool_set_limit(pool, 0);
	KUNIT_EXPECT_LT(test,
			global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE),
			before + POOL_LIMIT / 4);
}

/**
 * struct pool_user - a thread that takes chunks and puts them back
 * @pool: the pool, which the threads share
 * @dirty: chunks of data it has got
 * @hits: chunks it has got
 * @done: it is through
 */
struct pool_user {
	struct heap_pool *pool;
	unsigned int dirty, hits;
	struct completion done;
};

static int pool_use(void *data)
{
	struct pool_user *user = data;
	unsigned int i, order;
	struct page *page;

	for (i = 0; i < 2000; i++) {
		order = i % 5;
		page = heap_pool_get(user->pool, order);
		if (page)
			user->hits++;
		else
			page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO,
					   order);
		if (!page)
			continue;
		if (!chunk_holds(page, order, 0))
			user->dirty++;
		memset(page_address(page), POOL_BYTE, PAGE_SIZE << order);
		heap_pool_put(user->pool, page, order);
		if (i % 64 == 63)
			pool_shrink(user->pool, 5);
		cond_resched();
	}
	complete(&user->done);
	return 0;
}

/* Two take and put and shrink while the third zeroes. */
static void users_at_once(struct kunit *test)
{
	struct heap_pool *pool = pool_create(test, true);
	struct pool_user users[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(users); i++) {
		users[i] = (struct pool_user){ .pool = pool };
		init_completion(&users[i].done);
		if (IS_ERR(kthread_run(pool_use, &users[i], "pool-user/%u",
				       i))) {
			KUNIT_FAIL(test, "no thread");
			complete(&users[i].done);
		}
	}
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		wait_for_completion(&users[i].done);
		KUNIT_EXPECT_EQ(test, users[i].dirty, 0);
		KUNIT_EXPECT_NE(test, users[i].hits, 0);
	}
	heap_pool_set_limit(pool, 0);
	KUNIT_EXPECT_EQ(test, pool_reclaimable(pool), 0);
}

#ifdef CONFIG_SMP
/**
 * struct pool_putter - a thread that puts a page
 * @pool: the pool
 * @page: the page
 * @done: it has
 */
struct pool_putter {
	struct heap_pool *pool;
	struct page *page;
	struct completion done;
};

static int pool_put_page(void *data)
{
	struct pool_putter *putter = data;

	heap_pool_put(putter->pool, putter->page, 0);
	complete(&putter->done);
	return 0;
}

/*
 * The pool is turned off while a page is accounted for and on no list yet: the
 * other processor waits for the lock of the list then.
 */
static void turned_off_beside_put(struct kunit *test)
{
	struct pool_putter putter = { };
	struct heap_pool_list *list;
	struct task_struct *task;
	struct heap_pool *pool;
	unsigned long wait;
	long held;

	if (num_online_cpus() < 2)
		kunit_skip(test, "one processor");
	pool = pool_create(test, false);
	init_completion(&putter.done);
	task = kthread_create(pool_put_page, &putter, "pool-putter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	putter.pool = pool;
	putter.page = chunk_dirty(test, 0);
	list = pool_list(pool, putter.page, 0);

	migrate_disable();
	kthread_bind(task, cpumask_any_but(cpu_online_mask,
					   smp_processor_id()));
	spin_lock(&list->lock);
	wake_up_process(task);
	for (wait = 0; wait < USEC_PER_SEC && !atomic_long_read(&pool->held);
	     wait++)
		udelay(1);
	held = atomic_long_read(&pool->held);
	/* Does not sleep: nothing is on a list, to be released */
	heap_pool_set_limit(pool, 0);
	spin_unlock(&list->lock);
	migrate_enable();
	KUNIT_EXPECT_EQ(test, held, 1);

	wait_for_completion(&putter.done);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->held), 0);
}
#endif

static struct kunit_case page_pool_cases[] = {
	KUNIT_CASE(empty_pool_has_nothing),
	KUNIT_CASE(no_pool_is_none),
	KUNIT_CASE_PARAM(used_comes_back_zeroed, pool_order_gen_params),
	KUNIT_CASE(other_orders_are_others),
	KUNIT_CASE(chunk_is_of_its_node),
	KUNIT_CASE(wanted_gets_ready),
	KUNIT_CASE(unwanted_stays_used),
	KUNIT_CASE(shared_chunk_is_not_kept),
	KUNIT_CASE(limit_is_kept),
	KUNIT_CASE(shrinks_to_nothing),
	KUNIT_CASE(shrinking_is_progress),
	KUNIT_CASE(shrinking_forgets),
	KUNIT_CASE(counted_as_reclaimable),
	KUNIT_CASE(users_at_once),
#ifdef CONFIG_SMP
	KUNIT_CASE(turned_off_beside_put),
#endif
	{}
};

static struct kunit_suite page_pool_suite = {
	.name = "dma_heap_page_pool",
	.test_cases = page_pool_cases,
};

kunit_test_suite(page_pool_suite);
