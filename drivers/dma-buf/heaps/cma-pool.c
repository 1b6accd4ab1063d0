// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of pages of a CMA region that freed buffers had, kept and zeroed for the
 * next buffers of the same size.
 *
 * A buffer of a CMA heap costs twice: the region has to be cleared of whoever
 * uses it meanwhile, page by page, and then it is zeroed. A pipeline wants
 * frames of a few sizes over and over, so whole runs are kept, and given to who
 * wants exactly as many pages. They are zeroed as those of the other pool are, by
 * a thread of the lowest priority, and by who takes one that is not zeroed yet.
 *
 * To the region, a run that is kept is allocated. While it is, nothing movable
 * can be put there, and nobody can allocate it: a driver in need of the region
 * has no other memory. So it is bounded, by a limit and by a number of runs; the
 * run that was not used for longest goes first. All of it goes back when any
 * allocation from the region would fail, whosever it is (cma_short_notifier),
 * and when memory is short, by a shrinker. It is counted as reclaimable.
 *
 * A run that is being zeroed is on no list, and @zeroing is held. Who wants
 * everything back says so first (@recalls), for the thread to let go and for
 * nothing more to be kept: what is freed meanwhile goes back to the region, and is
 * not waited for. A run of the list that is on its way back is counted by
 * @releasing: who finds the list empty waits until there is none.
 */

#include <linux/atomic.h>
#include <linux/cma.h>
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/wait_bit.h>

#include "cma-pool.h"
#include "heap-zero.h"

/* How many pages are zeroed between two looks at whether they are recalled */
#define CMA_POOL_BATCH	64

/* Fewer pages are zeroed sooner by who takes them than a thread is woken */
#define CMA_POOL_WORTH_WAKING	16

static void cma_pool_account(const struct cma_pool_run *run, long nr_pages)
{
	mod_node_page_state(page_pgdat(run->page), NR_KERNEL_MISC_RECLAIMABLE,
			    nr_pages);
}

static void cma_pool_hold(struct cma_pool *pool, long nr_pages)
{
	lockdep_assert_held(&pool->lock);

	WRITE_ONCE(pool->held, pool->held + nr_pages);
}

/* Take the run at place @i out of the list. It is held all the same. */
static struct cma_pool_run cma_pool_unlist(struct cma_pool *pool,
					   unsigned int i)
{
	struct cma_pool_run run = pool->runs[i];

	lockdep_assert_held(&pool->lock);

	pool->nr_runs--;
	memmove(&pool->runs[i], &pool->runs[i + 1],
		(pool->nr_runs - i) * sizeof(run));
	return run;
}

/* The youngest run of that many pages, one that is zeroed if there is. */
static int cma_pool_find(struct cma_pool *pool, unsigned long nr_pages)
{
	int i, used = -1;

	lockdep_assert_held(&pool->lock);

	for (i = pool->nr_runs - 1; i >= 0; i--) {
		if (pool->runs[i].nr_pages != nr_pages)
			continue;
		if (pool->runs[i].zeroed)
			return i;
		if (used < 0)
			used = i;
	}

	return used;
}

/**
 * cma_pool_get - a run of pages, if the pool has one
 * @pool: the pool, or NULL
 * @nr_pages: how many pages
 * @zeroed: set to whether they are; if not, the caller has to
 *
 * Context: any but interrupts.
 *
 * Return: the first page, as cma_alloc() gave it to whoever had it first; or
 * NULL, then ask cma_alloc().
 */
struct page *cma_pool_get(struct cma_pool *pool, unsigned long nr_pages,
			  bool *zeroed)
{
	struct cma_pool_run run = { };
	int i;

	if (!pool)
		return NULL;

	spin_lock(&pool->lock);
	i = cma_pool_find(pool, nr_pages);
	if (i >= 0) {
		run = cma_pool_unlist(pool, i);
		cma_pool_hold(pool, -(long)nr_pages);
	}
	spin_unlock(&pool->lock);
	if (i < 0)
		return NULL;

	cma_pool_account(&run, -(long)nr_pages);
	*zeroed = run.zeroed;
	return run.page;
}
EXPORT_SYMBOL_NS_GPL(cma_pool_get, DMA_BUF_HEAP);

/* A run that is on no list goes back to the region. */
static void cma_pool_release(struct cma_pool *pool,
			     const struct cma_pool_run *run)
{
	cma_pool_account(run, -(long)run->nr_pages);
	cma_release(pool->cma, run->page, run->nr_pages);
	WRITE_ONCE(pool->released, jiffies);
}

/* Give back the run that came first. Says how many pages that were. */
static unsigned long cma_pool_release_one(struct cma_pool *pool)
{
	struct cma_pool_run run = { };

	spin_lock(&pool->lock);
	if (pool->nr_runs) {
		run = cma_pool_unlist(pool, 0);
		cma_pool_hold(pool, -(long)run.nr_pages);
		atomic_inc(&pool->releasing);
	}
	spin_unlock(&pool->lock);
	if (!run.page)
		return 0;

	cma_pool_release(pool, &run);
	if (atomic_dec_and_test(&pool->releasing))
		wake_up_var(&pool->releasing);

	return run.nr_pages;
}

/* Put a run at the end of the list, if there is room. */
static bool cma_pool_list(struct cma_pool *pool, const struct cma_pool_run *run)
{
	lockdep_assert_held(&pool->lock);

	if (pool->nr_runs == CMA_POOL_RUNS ||
	    pool->held + run->nr_pages > pool->limit)
		return false;

	pool->runs[pool->nr_runs++] = *run;
	cma_pool_hold(pool, run->nr_pages);
	return true;
}

/*
 * Returns 0, -EAGAIN when there is no room until another run goes, -ENOSPC when
 * that would not do, and -EBUSY while somebody wants all back.
 */
static int cma_pool_try_put(struct cma_pool *pool,
			    const struct cma_pool_run *run)
{
	int ret = 0;

	spin_lock(&pool->lock);
	if (atomic_read(&pool->recalls))
		ret = -EBUSY;
	else if (pool->busy + run->nr_pages > pool->limit)
		ret = -ENOSPC;
	else if (!cma_pool_list(pool, run))
		ret = -EAGAIN;
	spin_unlock(&pool->lock);

	return ret;
}

/* Nobody else has a reference to any of the pages. */
static bool cma_pool_may_keep(struct page *page, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++)
		if (page_ref_count(nth_page(page, i)) != 1)
			return false;
	return true;
}

/**
 * cma_pool_put - keep a run of pages, in the place of older ones if need be
 * @pool: the pool, or NULL
 * @page: the first page
 * @nr_pages: how many, as they were allocated
 *
 * Context: process context, may sleep.
 *
 * Return: true if they are kept, or have been given back to the region, as
 * somebody wants all of it; otherwise cma_release() has to be called.
 */
bool cma_pool_put(struct cma_pool *pool, struct page *page,
		  unsigned long nr_pages)
{
	const struct cma_pool_run run = { .page = page, .nr_pages = nr_pages };
	int ret;

	if (!pool || nr_pages > READ_ONCE(pool->limit) ||
	    !cma_pool_may_keep(page, nr_pages))
		return false;

	cma_pool_account(&run, nr_pages);
	do {
		ret = cma_pool_try_put(pool, &run);
	} while (ret == -EAGAIN && cma_pool_release_one(pool));
	if (ret == -EBUSY) {
		cma_pool_release(pool, &run);
		return true;
	}
	if (ret) {
		cma_pool_account(&run, -(long)nr_pages);
		return false;
	}

	if (nr_pages >= CMA_POOL_WORTH_WAKING)
		kthread_queue_delayed_work(pool->worker, &pool->work,
					   HEAP_ZERO_DELAY);
	return true;
}
EXPORT_SYMBOL_NS_GPL(cma_pool_put, DMA_BUF_HEAP);

/* Zeroing in the background. */

static bool cma_pool_zero(struct cma_pool *pool, const struct cma_pool_run *run)
{
	unsigned long i;

	for (i = 0; i < run->nr_pages; i += CMA_POOL_BATCH) {
		if (atomic_read(&pool->recalls) || freezing(current))
			return false;
		heap_zero_pages(nth_page(run->page, i),
				min(run->nr_pages - i, CMA_POOL_BATCH));
	}
	return true;
}

/* The youngest that is not zeroed: it will be the first to be taken. */
static bool cma_pool_take_used(struct cma_pool *pool, struct cma_pool_run *run)
{
	int i;

	spin_lock(&pool->lock);
	for (i = pool->nr_runs - 1; i >= 0 && pool->runs[i].zeroed; i--)
		;
	if (i >= 0) {
		*run = cma_pool_unlist(pool, i);
		pool->busy = run->nr_pages;
	}
	spin_unlock(&pool->lock);

	return i >= 0;
}

/*
 * There may be no room any more: the limit has been lowered, or others have taken
 * its place. Who wants all back waits for @zeroing, and finds it in the list.
 */
static bool cma_pool_list_again(struct cma_pool *pool,
				const struct cma_pool_run *run)
{
	bool listed;

	spin_lock(&pool->lock);
	pool->busy = 0;
	cma_pool_hold(pool, -(long)run->nr_pages);
	listed = cma_pool_list(pool, run);
	spin_unlock(&pool->lock);

	return listed;
}

/* Says whether there may be more to do. */
static bool cma_pool_zero_next(struct cma_pool *pool)
{
	struct cma_pool_run run;
	bool more;

	mutex_lock(&pool->zeroing);
	more = cma_pool_take_used(pool, &run);
	if (more) {
		run.zeroed = cma_pool_zero(pool, &run);
		more = run.zeroed;
		WRITE_ONCE(pool->nr_zeroed, pool->nr_zeroed + run.zeroed);
		if (!cma_pool_list_again(pool, &run))
			cma_pool_release(pool, &run);
	}
	mutex_unlock(&pool->zeroing);

	return more;
}

static void cma_pool_work(struct kthread_work *work)
{
	struct cma_pool *pool = container_of(work, struct cma_pool, work.work);

	while (cma_pool_zero_next(pool))
		cond_resched();
	/* The thread freezes between two runs of its work. */
	if (freezing(current))
		kthread_queue_delayed_work(pool->worker, &pool->work,
					   HEAP_ZERO_DELAY);
}

/* Giving back. */

static int cma_pool_recall(struct notifier_block *nb, unsigned long since,
			   void *cma)
{
	struct cma_pool *pool = container_of(nb, struct cma_pool, cma_short);
	unsigned long released;
	bool some = false;

	if (cma != pool->cma)
		return NOTIFY_DONE;

	atomic_inc(&pool->recalls);
	mutex_lock(&pool->zeroing);
	/* From here on, nothing comes into the list. */
	while (cma_pool_release_one(pool))
		some = true;
	mutex_unlock(&pool->zeroing);
	wait_var_event(&pool->releasing,
		       !atomic_read_acquire(&pool->releasing));
	released = READ_ONCE(pool->released);
	atomic_dec(&pool->recalls);

	/*
	 * Another attempt may succeed if something has gone back since the one
	 * that failed began, whoever of the pool's users gave it back; and not
	 * so long ago that jiffies have wrapped.
	 */
	some |= time_in_range(released, since, jiffies + HZ);
	return some ? NOTIFY_STOP : NOTIFY_DONE;
}

static unsigned long cma_pool_count_objects(struct shrinker *shrinker,
					    struct shrink_control *sc)
{
	struct cma_pool *pool = shrinker->private_data;

	return READ_ONCE(pool->held) ?: SHRINK_EMPTY;
}

static unsigned long cma_pool_scan_objects(struct shrinker *shrinker,
					   struct shrink_control *sc)
{
	struct cma_pool *pool = shrinker->private_data;
	unsigned long freed = 0, n;

	while (freed < sc->nr_to_scan && (n = cma_pool_release_one(pool)))
		freed += n;

	/* A run may be more than was asked for. */
	sc->nr_scanned = freed;
	/*
	 * So that no more is taken from others than is needed besides. It is of
	 * no use to who needs memory that cannot be moved.
	 */
	if (sc->gfp_mask & __GFP_MOVABLE)
		mm_account_reclaimed_pages(freed);
	return freed ?: SHRINK_STOP;
}

/**
 * cma_pool_set_limit - how much the pool may hold
 * @pool: the pool, or NULL
 * @limit: in pages. What is too much goes back at once, but for a run that is
 *	   being zeroed; 0 turns the pool off
 *
 * Context: process context, may sleep.
 */
void cma_pool_set_limit(struct cma_pool *pool, unsigned long limit)
{
	if (!pool)
		return;

	/* Who has read the limit of before has raised @held by now. */
	spin_lock(&pool->lock);
	WRITE_ONCE(pool->limit, limit);
	spin_unlock(&pool->lock);
	while (READ_ONCE(pool->held) > limit && cma_pool_release_one(pool))
		cond_resched();
}
EXPORT_SYMBOL_NS_GPL(cma_pool_set_limit, DMA_BUF_HEAP);

/* To look at. */

static int cma_pool_show(struct seq_file *m, void *unused)
{
	struct cma_pool *pool = m->private;
	unsigned int i;

	seq_printf(m, "held %lu of %lu pages\n", READ_ONCE(pool->held),
		   READ_ONCE(pool->limit));
	seq_printf(m, "zeroed %lu runs in the background\n",
		   READ_ONCE(pool->nr_zeroed));

	/* Under the lock: @m has room, or this is called again with more. */
	spin_lock(&pool->lock);
	for (i = 0; i < pool->nr_runs; i++)
		seq_printf(m, "%8lu %s\n", pool->runs[i].nr_pages,
			   pool->runs[i].zeroed ? "ready" : "used");
	spin_unlock(&pool->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cma_pool);

static int cma_pool_add_shrinker(struct cma_pool *pool)
{
	pool->shrinker = shrinker_alloc(0, "dma-heap:%s", pool->name);
	if (!pool->shrinker)
		return -ENOMEM;

	pool->shrinker->count_objects = cma_pool_count_objects;
	pool->shrinker->scan_objects = cma_pool_scan_objects;
	pool->shrinker->private_data = pool;
	shrinker_register(pool->shrinker);
	return 0;
}

/**
 * cma_pool_create - an empty pool, which stays for as long as the kernel runs
 * @cma: the region
 * @name: of the heap; also of the file in the directory dma_heap of debugfs
 * @limit: how many pages it may hold
 *
 * Context: process context, may sleep.
 *
 * Return: the pool, or NULL: out of memory.
 */
struct cma_pool *cma_pool_create(struct cma *cma, const char *name,
				 unsigned long limit)
{
	int nid = pfn_to_nid(PHYS_PFN(cma_get_base(cma)));
	struct cma_pool *pool;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return NULL;

	pool->cma = cma;
	pool->name = name;
	pool->limit = limit;
	spin_lock_init(&pool->lock);
	mutex_init(&pool->zeroing);
	pool->released = jiffies - HZ;
	kthread_init_delayed_work(&pool->work, cma_pool_work);
	pool->worker = heap_zero_create_worker(nid);
	if (IS_ERR(pool->worker))
		goto err_free;
	if (cma_pool_add_shrinker(pool))
		goto err_destroy_worker;

	pool->cma_short.notifier_call = cma_pool_recall;
	cma_register_short_notifier(&pool->cma_short);
	__module_get(THIS_MODULE);
	debugfs_create_file(name, 0444, heap_pool_debugfs_dir(), pool,
			    &cma_pool_fops);
	return pool;

err_destroy_worker:
	kthread_destroy_worker(pool->worker);
err_free:
	kfree(pool);
	return NULL;
}
EXPORT_SYMBOL_NS_GPL(cma_pool_create, DMA_BUF_HEAP);

MODULE_DESCRIPTION("DMA-BUF CMA heap, pages of freed buffers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF_HEAP);
