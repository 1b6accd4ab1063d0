// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fence of the tests. Whatever a test does, its fences are signalled when
 * it ends, so that nothing waits for ever.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mock-fence.h"

static const char *mock_fence_name(struct dma_fence *fence)
{
	return "mock";
}

static const struct dma_fence_ops mock_fence_ops = {
	.get_driver_name = mock_fence_name,
	.get_timeline_name = mock_fence_name,
};

static void mock_fence_work(struct work_struct *work)
{
	struct mock_fence *fence = container_of(to_delayed_work(work),
						struct mock_fence, work);

	dma_fence_signal(&fence->base);
}

static void mock_fence_finish(void *data)
{
	struct mock_fence *fence = data;

	cancel_delayed_work_sync(&fence->work);
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

/* A pending fence; the test need not put it. */
struct mock_fence *mock_fence_create(struct kunit *test)
{
	struct mock_fence *fence;
	int ret;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);

	spin_lock_init(&fence->lock);
	INIT_DELAYED_WORK(&fence->work, mock_fence_work);
	dma_fence_init(&fence->base, &mock_fence_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);

	ret = kunit_add_action_or_reset(test, mock_fence_finish, fence);
	KUNIT_ASSERT_EQ(test, ret, 0);

	return fence;
}

/* A pending fence in @resv. Takes the resv lock. */
struct mock_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				  enum dma_resv_usage usage)
{
	struct mock_fence *fence = mock_fence_create(test);
	int ret;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, &fence->base, usage);
	dma_resv_unlock(resv);
	KUNIT_ASSERT_EQ(test, ret, 0);

	return fence;
}

void mock_fence_signal_in(struct mock_fence *fence, unsigned int ms)
{
	schedule_delayed_work(&fence->work, msecs_to_jiffies(ms));
}

/* Every interruptible wait of the test ends at once from here on. */
void mock_fence_interrupt(void)
{
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
}

void mock_fence_resume(void)
{
	flush_signals(current);
	disallow_signal(SIGUSR1);
}
