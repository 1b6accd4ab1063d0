// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of runs of pages of freed buffers of a CMA heap: what it keeps and for
 * whom, and how it gives back, moments of which no program can choose included.
 *
 * A pool stays, so all cases have the same one. They leave it empty.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/cma.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/iopoll.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/wait_bit.h>

#include "../heaps/cma-pool.h"

#define POOL_LIMIT	256
/* Of few pages, for which no thread is woken */
#define RUN_PAGES	4
#define RUN_BYTE	0x5a

static struct cma *region;
static struct cma_pool *the_pool;

/* One that has room for what is kept, whoever has some of it */
static int region_find(struct cma *cma, void *unused)
{
	if (cma_get_size(cma) < 4 * POOL_LIMIT * PAGE_SIZE)
		return 0;
	region = cma;
	return 1;
}

static int cma_pool_init(struct kunit *test)
{
	if (!region)
		cma_for_each_area(region_find, NULL);
	if (!region)
		kunit_skip(test, "no CMA region is large enough; see cma=");
	if (!the_pool) {
		the_pool = cma_pool_create(region, "kunit-cma", POOL_LIMIT);
		KUNIT_ASSERT_NOT_NULL(test, the_pool);
		/* It has a name of this module. */
		__module_get(THIS_MODULE);
	}
	cma_pool_set_limit(the_pool, POOL_LIMIT);
	KUNIT_ASSERT_EQ(test, the_pool->held, 0);
	test->priv = the_pool;
	return 0;
}

static void cma_pool_exit(struct kunit *test)
{
	struct cma_pool *pool = test->priv;

	if (!pool)
		return;
	cma_pool_set_limit(pool, 0);
	/* A run that is being zeroed goes after it. */
	kthread_flush_worker(pool->worker);
	KUNIT_EXPECT_EQ(test, pool->held, 0);
	KUNIT_EXPECT_EQ(test, pool->nr_runs, 0);
}

/* A run as a former buffer leaves it */
static struct page *run_dirty(struct kunit *test, unsigned long nr_pages)
{
	struct page *page = cma_alloc(region, nr_pages, 0, true);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	for (i = 0; i < nr_pages; i++)
		memset_page(nth_page(page, i), 0, RUN_BYTE, PAGE_SIZE);
	return page;
}

static bool run_holds(struct page *page, unsigned long nr_pages, u8 byte)
{
	unsigned long i;
	bool holds = true;

	for (i = 0; i < nr_pages && holds; i++) {
		void *addr = kmap_local_page(nth_page(page, i));

		holds = !memchr_inv(addr, byte, PAGE_SIZE);
		kunmap_local(addr);
	}
	return holds;
}

/* Put @count dirty runs of @nr_pages each, all of which are kept */
static void put_runs(struct kunit *test, unsigned int count,
		     unsigned long nr_pages)
{
	while (count--)
		KUNIT_ASSERT_TRUE(test,
				  cma_pool_put(test->priv,
					       run_dirty(test, nr_pages),
					       nr_pages));
}

static void get_and_release(struct kunit *test, unsigned long nr_pages)
{
	bool zeroed;
	struct page *page = cma_pool_get(test->priv, nr_pages, &zeroed);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, cma_release(region, page, nr_pages));
}

static int pool_recall(struct cma_pool *pool, unsigned long since,
		       struct cma *cma)
{
	return pool->cma_short.notifier_call(&pool->cma_short, since, cma);
}

static void no_pool_is_none(struct kunit *test)
{
	struct page *page = run_dirty(test, RUN_PAGES);
	bool zeroed;

	KUNIT_EXPECT_NULL(test, cma_pool_get(NULL, RUN_PAGES, &zeroed));
	KUNIT_EXPECT_FALSE(test, cma_pool_put(NULL, page, RUN_PAGES));
	cma_pool_set_limit(NULL, 1);
	cma_release(region, page, RUN_PAGES);
}

static void only_as_many_pages(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	bool zeroed;

	put_runs(test, 1, RUN_PAGES);
	KUNIT_EXPECT_NULL(test, cma_pool_get(pool, RUN_PAGES - 1, &zeroed));
	KUNIT_EXPECT_NULL(test, cma_pool_get(pool, RUN_PAGES + 1, &zeroed));
	KUNIT_EXPECT_EQ(test, pool->held, RUN_PAGES);
	get_and_release(test, RUN_PAGES);
	KUNIT_EXPECT_EQ(test, pool->held, 0);
}

/* One that is zeroed, however old, and else the youngest */
static void which_is_taken(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	struct page *pages[3];
	bool zeroed;
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = run_dirty(test, RUN_PAGES);
		KUNIT_ASSERT_TRUE(test, cma_pool_put(pool, pages[i], RUN_PAGES));
	}
	spin_lock(&pool->lock);
	pool->runs[0].zeroed = true;
	spin_unlock(&pool->lock);

	KUNIT_EXPECT_PTR_EQ(test, pages[0],
			    cma_pool_get(pool, RUN_PAGES, &zeroed));
	KUNIT_EXPECT_TRUE(test, zeroed);
	KUNIT_EXPECT_PTR_EQ(test, pages[2],
			    cma_pool_get(pool, RUN_PAGES, &zeroed));
	KUNIT_EXPECT_FALSE(test, zeroed);
	cma_release(region, pages[0], RUN_PAGES);
	cma_release(region, pages[2], RUN_PAGES);
}

static void gets_zeroed(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	const unsigned long nr_pages = POOL_LIMIT / 8;
	unsigned long before = pool->nr_zeroed;
	struct page *page;
	bool zeroed = false;
	unsigned long now;

	put_runs(test, 1, nr_pages);
	KUNIT_ASSERT_EQ(test, 0,
			read_poll_timeout(READ_ONCE, now, now != before,
					  USEC_PER_MSEC, 10 * USEC_PER_SEC,
					  false, pool->nr_zeroed));
	/* It is listed again a moment after it is counted. */
	KUNIT_ASSERT_EQ(test, 0,
			read_poll_timeout(cma_pool_get, page, page,
					  USEC_PER_MSEC, USEC_PER_SEC, false,
					  pool, nr_pages, &zeroed));
	KUNIT_EXPECT_TRUE(test, zeroed);
	KUNIT_EXPECT_TRUE(test, run_holds(page, nr_pages, 0));
	cma_release(region, page, nr_pages);
}

/* It must not become part of another buffer */
static void shared_run_is_not_kept(struct kunit *test)
{
	struct page *page = run_dirty(test, RUN_PAGES);

	get_page(nth_page(page, RUN_PAGES - 1));
	KUNIT_EXPECT_FALSE(test, cma_pool_put(test->priv, page, RUN_PAGES));
	put_page(nth_page(page, RUN_PAGES - 1));
	cma_release(region, page, RUN_PAGES);
}

static void limit_is_kept(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	struct page *page = run_dirty(test, 2 * RUN_PAGES + 1);

	cma_pool_set_limit(pool, 2 * RUN_PAGES);
	KUNIT_EXPECT_FALSE(test, cma_pool_put(pool, page, 2 * RUN_PAGES + 1));
	cma_release(region, page, 2 * RUN_PAGES + 1);

	put_runs(test, 1, RUN_PAGES);
	put_runs(test, 1, RUN_PAGES - 1);
	KUNIT_EXPECT_EQ(test, pool->held, 2 * RUN_PAGES - 1);
	/* In the place of the first */
	put_runs(test, 1, RUN_PAGES - 2);
	KUNIT_EXPECT_EQ(test, pool->held, 2 * RUN_PAGES - 3);
	KUNIT_EXPECT_EQ(test, pool->runs[0].nr_pages, RUN_PAGES - 1);
	cma_pool_set_limit(pool, RUN_PAGES - 1);
	KUNIT_EXPECT_EQ(test, pool->held, RUN_PAGES - 2);
}

static void number_of_runs_is_kept(struct kunit *test)
{
	struct cma_pool *pool = test->priv;

	put_runs(test, 1, 2);
	put_runs(test, CMA_POOL_RUNS, 1);
	KUNIT_EXPECT_EQ(test, pool->nr_runs, CMA_POOL_RUNS);
	KUNIT_EXPECT_EQ(test, pool->held, CMA_POOL_RUNS);
}

/* What cannot fit beside a run that is being zeroed sends nothing away */
static void none_goes_in_vain(struct kunit *test)
{
	const unsigned long busy = POOL_LIMIT - RUN_PAGES + 1;
	struct cma_pool *pool = test->priv;
	struct page *page = run_dirty(test, RUN_PAGES);

	put_runs(test, 2, RUN_PAGES);
	/* As if that many were being zeroed */
	spin_lock(&pool->lock);
	pool->busy = busy;
	pool->held += busy;
	spin_unlock(&pool->lock);
	KUNIT_EXPECT_FALSE(test, cma_pool_put(pool, page, RUN_PAGES));
	KUNIT_EXPECT_EQ(test, pool->nr_runs, 2);
	spin_lock(&pool->lock);
	pool->held -= busy;
	pool->busy = 0;
	spin_unlock(&pool->lock);
	cma_release(region, page, RUN_PAGES);
}

static void shrinking_is_progress_to_some(struct kunit *test)
{
	static const gfp_t gfp[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE };
	struct cma_pool *pool = test->priv;
	struct shrink_control sc = { .nr_to_scan = 1 };
	struct reclaim_state state;
	unsigned long freed;
	int i;

	KUNIT_ASSERT_NULL(test, current->reclaim_state);
	KUNIT_EXPECT_EQ(test, SHRINK_EMPTY,
			pool->shrinker->count_objects(pool->shrinker, &sc));
	KUNIT_EXPECT_EQ(test, SHRINK_STOP,
			pool->shrinker->scan_objects(pool->shrinker, &sc));
	for (i = 0; i < ARRAY_SIZE(gfp); i++) {
		put_runs(test, 2, RUN_PAGES);
		KUNIT_EXPECT_EQ(test, 2 * RUN_PAGES,
				pool->shrinker->count_objects(pool->shrinker,
							      &sc));
		state = (struct reclaim_state){ };
		sc.gfp_mask = gfp[i];
		current->reclaim_state = &state;
		freed = pool->shrinker->scan_objects(pool->shrinker, &sc);
		current->reclaim_state = NULL;
		/* A whole run, and no more than that */
		KUNIT_EXPECT_EQ(test, freed, RUN_PAGES);
		KUNIT_EXPECT_EQ(test, state.reclaimed, i ? RUN_PAGES : 0);
		get_and_release(test, RUN_PAGES);
	}
}

static void recall_empties(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	unsigned long since = jiffies;

	put_runs(test, 3, RUN_PAGES);
	/* Another region is none of its business. */
	KUNIT_EXPECT_EQ(test, pool_recall(pool, since, NULL), NOTIFY_DONE);
	KUNIT_EXPECT_EQ(test, pool->nr_runs, 3);
	KUNIT_EXPECT_EQ(test, pool_recall(pool, since, region), NOTIFY_STOP);
	KUNIT_EXPECT_EQ(test, pool->held, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&pool->recalls), 0);
}

/* What cannot be had from an empty region either is not asked for */
static void recall_is_not_for_nothing(struct kunit *test)
{
	const unsigned long all = cma_get_size(region) >> PAGE_SHIFT;
	struct cma_pool *pool = test->priv;

	put_runs(test, 1, RUN_PAGES);
	KUNIT_EXPECT_NULL(test, cma_alloc(region, all + 1, 0, true));
	KUNIT_EXPECT_NULL(test, cma_alloc(region, 0, 0, true));
	KUNIT_EXPECT_EQ(test, pool->held, RUN_PAGES);
}

/* Another attempt is worth it for what went back since the first one began */
static void recall_says_whether(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	unsigned long now = jiffies;

	pool->released = now - 5;
	KUNIT_EXPECT_EQ(test, pool_recall(pool, now - 10 * HZ, region),
			NOTIFY_STOP);
	KUNIT_EXPECT_EQ(test, pool_recall(pool, now - 5, region), NOTIFY_STOP);
	KUNIT_EXPECT_EQ(test, pool_recall(pool, now - 4, region), NOTIFY_DONE);
	/* So long ago that it seems to be yet to come */
	pool->released = now - ULONG_MAX / 2 - 10 * HZ;
	KUNIT_EXPECT_EQ(test, pool_recall(pool, now, region), NOTIFY_DONE);
	pool->released = now - HZ;
}

/* During a recall a run goes back, and that it did is known */
static void recall_refuses(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	struct page *page = run_dirty(test, RUN_PAGES);

	pool->released = jiffies - HZ;
	atomic_inc(&pool->recalls);
	KUNIT_EXPECT_TRUE(test, cma_pool_put(pool, page, RUN_PAGES));
	atomic_dec(&pool->recalls);
	KUNIT_EXPECT_EQ(test, pool->held, 0);
	KUNIT_EXPECT_TRUE(test, time_after(pool->released, jiffies - HZ / 2));
}

struct recaller {
	struct cma_pool *pool;
	unsigned long since;
	struct completion done;
	int ret;
};

static int recall_all(void *data)
{
	struct recaller *recaller = data;

	recaller->ret = pool_recall(recaller->pool, recaller->since, region);
	complete_all(&recaller->done);
	return 0;
}

/* Who finds the list empty waits for a run that somebody else has taken out */
static void recall_waits(struct kunit *test)
{
	struct cma_pool *pool = test->priv;
	struct recaller recaller = { .pool = pool, .since = jiffies };
	int recalls;

	init_completion(&recaller.done);
	atomic_inc(&pool->releasing);
	if (IS_ERR(kthread_run(recall_all, &recaller, "cma-recaller"))) {
		KUNIT_FAIL(test, "no thread");
		complete_all(&recaller.done);
	}
	read_poll_timeout(atomic_read, recalls,
			  recalls || completion_done(&recaller.done),
			  USEC_PER_MSEC, 10 * USEC_PER_SEC, false,
			  &pool->recalls);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&recaller.done, HZ / 20));
	WRITE_ONCE(pool->released, jiffies);
	if (atomic_dec_and_test(&pool->releasing))
		wake_up_var(&pool->releasing);
	wait_for_completion(&recaller.done);
	KUNIT_EXPECT_EQ(test, recaller.ret, NOTIFY_STOP);
}

static struct kunit_case cma_pool_cases[] = {
	KUNIT_CASE(no_pool_is_none),
	KUNIT_CASE(only_as_many_pages),
	KUNIT_CASE(which_is_taken),
	KUNIT_CASE(gets_zeroed),
	KUNIT_CASE(shared_run_is_not_kept),
	KUNIT_CASE(limit_is_kept),
	KUNIT_CASE(number_of_runs_is_kept),
	KUNIT_CASE(none_goes_in_vain),
	KUNIT_CASE(shrinking_is_progress_to_some),
	KUNIT_CASE(recall_empties),
	KUNIT_CASE(recall_is_not_for_nothing),
	KUNIT_CASE(recall_says_whether),
	KUNIT_CASE(recall_refuses),
	KUNIT_CASE(recall_waits),
	{}
};

static struct kunit_suite cma_pool_suite = {
	.name = "dma_heap_cma_pool",
	.init = cma_pool_init,
	.exit = cma_pool_exit,
	.test_cases = cma_pool_cases,
};

kunit_test_suite(cma_pool_suite);
