/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A dma_fence for tests that signals when told, or by itself some time later.
 */
#ifndef _DMA_BUF_MOCK_FENCE_H
#define _DMA_BUF_MOCK_FENCE_H

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/workqueue.h>

/* Long enough for a call that does not wait to have returned. */
#define MOCK_FENCE_SOON_MS	20
#define MOCK_FENCE_LATE_MS	2000

/**
 * struct mock_fence - a fence and what signals it
 * @base: the fence
 * @lock: the fence's lock
 * @work: signals the fence
 */
struct mock_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base alone */
	struct delayed_work work;
};

struct mock_fence *mock_fence_create(struct kunit *test);
struct mock_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				  enum dma_resv_usage usage);
void mock_fence_signal_in(struct mock_fence *fence, unsigned int ms);
void mock_fence_interrupt(void);
void mock_fence_resume(void);

#endif /* _DMA_BUF_MOCK_FENCE_H */
