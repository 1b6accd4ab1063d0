// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of IIO DMABUF attachments: when one is mapped, found, waited for, gone
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mock-dma.h"

#define IN	IIO_BUFFER_DIRECTION_IN
#define OUT	IIO_BUFFER_DIRECTION_OUT
#define CYCLIC	IIO_BUFFER_DMABUF_CYCLIC

#define EXPECT_STATUS(test, status, fence) \
	KUNIT_EXPECT_EQ(test, status, dma_fence_get_status(fence))

static void attach_maps_once(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);

	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));
	KUNIT_EXPECT_EQ(test, 1, buf->mapped);
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_attach(dma, buf));
	KUNIT_EXPECT_EQ(test, 1, buf->mapped);
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, buf));
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
	KUNIT_EXPECT_EQ(test, -EPERM, mock_detach(dma, buf));
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));
}

static void attach_to_two_buffers(struct kunit *test)
{
	struct mock_dma *rx = mock_dma(test, IN);
	struct mock_dma *tx = mock_dma(test, OUT);
	struct mock_dmabuf *buf = mock_dmabuf(test);

	KUNIT_EXPECT_EQ(test, 0, mock_attach(rx, buf));
	KUNIT_EXPECT_EQ(test, 0, mock_attach(tx, buf));
	KUNIT_EXPECT_EQ(test, 2, buf->mapped);
	KUNIT_EXPECT_EQ(test, 0, mock_detach(rx, buf));
	KUNIT_EXPECT_EQ(test, -EPERM, mock_enqueue(rx, buf, 0));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(tx, buf, 0));
}

static void attach_fails_to_map(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);

	buf->map_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, mock_attach(dma, buf));
	KUNIT_EXPECT_FALSE(test, iio_buffer_has_dmabufs(dma->ib.buffer));
	KUNIT_EXPECT_TRUE(test, list_empty(&dma->ib.buffer->dmabufs));
	KUNIT_EXPECT_TRUE(test, list_empty(&buf->dmabuf->attachments));
}

/* An ATTACH that is refused in the end is nothing to a read() beside it */
static void attach_counts_at_its_end(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);

	buf->attaching = dma->ib.buffer;
	buf->refused = true;
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));
	KUNIT_EXPECT_FALSE(test, buf->refused);
	KUNIT_EXPECT_TRUE(test, iio_buffer_has_dmabufs(dma->ib.buffer));
}

/* No program can hold this lock for as long as a test needs it to be held */
static void attach_beside_lock(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct mock_dmabuf *other = mock_dmabuf(test);

	KUNIT_ASSERT_TRUE(test, dma_resv_trylock(buf->dmabuf->resv));
	KUNIT_ASSERT_TRUE(test, dma_resv_trylock(other->dmabuf->resv));
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_attach(dma, other));
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(dma, buf, 0));
	dma_resv_unlock(other->dmabuf->resv);
	dma_resv_unlock(buf->dmabuf->resv);

	KUNIT_EXPECT_EQ(test, 0, other->mapped);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, other));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
}

/**
 * struct lock_holder - somebody who has the lock of a DMABUF
 * @work: takes it and gives it back
 * @resv: whose lock it is
 * @held: it has been taken
 * @enough: it may be given back
 */
struct lock_holder {
	struct work_struct work;
	struct dma_resv *resv;
	struct completion held;
	struct completion enough;
};

static void lock_holder_work(struct work_struct *work)
{
	struct lock_holder *holder = container_of(work, struct lock_holder,
						  work);

	dma_resv_lock(holder->resv, NULL);
	complete(&holder->held);
	wait_for_completion_timeout(&holder->enough, 10 * HZ);
	dma_resv_unlock(holder->resv);
}

/* A program that waits for the lock can be signalled */
static void attach_is_interruptible(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);
	struct lock_holder holder = { .resv = buf->dmabuf->resv };
	int ret;

	init_completion(&holder.held);
	init_completion(&holder.enough);
	INIT_WORK_ONSTACK(&holder.work, lock_holder_work);
	schedule_work(&holder.work);
	wait_for_completion(&holder.held);

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	get_dma_buf(buf->dmabuf);
	ret = iio_dmabuf_add(&dma->ib, buf->dmabuf, false);
	flush_signals(current);
	disallow_signal(SIGUSR1);

	complete(&holder.enough);
	flush_work(&holder.work);
	destroy_work_on_stack(&holder.work);
	KUNIT_EXPECT_EQ(test, -EINTR, ret);
	if (ret)
		dma_buf_put(buf->dmabuf);
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
	KUNIT_EXPECT_FALSE(test, iio_buffer_has_dmabufs(dma->ib.buffer));
}

static void attach_in_fileio_mode(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);
	struct iio_buffer *buffer = dma->ib.buffer;

	iio_dma_buffer_set_bytes_per_datum(buffer, 4);
	KUNIT_ASSERT_EQ(test, 0, iio_dma_buffer_request_update(buffer));
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_attach(dma, buf));
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
	mock_dma_disable(dma);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));

	/* Fileio mode has left nothing behind that would be submitted */
	dma->submitted = 0;
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 0, dma->submitted);
}

/* R26 */
static void attach_keeps_what_is_queued(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	mock_dmabuf_attached(dma);
	mock_dma_enable(dma);
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, buf));
}

static void detach_ends_what_waits(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct mock_dmabuf *other = mock_dmabuf_attached(dma);
	struct dma_fence *fence[2];

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, other, 0));
	fence[0] = mock_fence(test, buf);
	fence[1] = mock_fence(test, other);
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, buf));
	EXPECT_STATUS(test, -EINTR, fence[0]);
	EXPECT_STATUS(test, 0, fence[1]);
	flush_work(&dma->ib.buffer->dmabufs_work);
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);

	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 1, dma->submitted);
}

static void detach_lets_transfer_end(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, buf));
	EXPECT_STATUS(test, 0, fence);
	KUNIT_EXPECT_EQ(test, 1, buf->mapped);
	KUNIT_EXPECT_EQ(test, -EPERM, mock_enqueue(dma, buf, 0));

	mock_dma_complete(dma, 0);
	EXPECT_STATUS(test, 1, fence);
	flush_work(&dma->ib.buffer->dmabufs_work);
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
}

/* The new attachment has its own block, and its own mapping */
static void detach_and_attach_in_transfer(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, buf));
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));
	KUNIT_EXPECT_EQ(test, 2, buf->mapped);
	/* It writes the same memory: the old transfer is somebody else's */
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(dma, buf, 0));
	mock_dma_complete(dma, 0);
	/* Nor is there anybody any more who has the DMABUF locked */
	flush_work(&dma->ib.buffer->dmabufs_work);
	KUNIT_EXPECT_EQ(test, 1, buf->mapped);
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
}

/* What closing the file does. R29 */
static void detach_all(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *cyclic = mock_dmabuf_attached(dma);
	struct mock_dmabuf *queued = mock_dmabuf_attached(dma);
	struct mock_dmabuf *idle = mock_dmabuf_attached(dma);
	struct dma_fence *fence[2];

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, cyclic, CYCLIC));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, queued, 0));
	fence[0] = mock_fence(test, cyclic);
	fence[1] = mock_fence(test, queued);
	iio_buffer_detach_dmabufs(dma->ib.buffer);
	EXPECT_STATUS(test, -EINTR, fence[0]);
	EXPECT_STATUS(test, -EINTR, fence[1]);
	flush_work(&dma->ib.buffer->dmabufs_work);
	KUNIT_EXPECT_EQ(test, 0, cyclic->mapped);
	KUNIT_EXPECT_EQ(test, 0, queued->mapped);
	KUNIT_EXPECT_EQ(test, 0, idle->mapped);
}

/* R29 */
static void unbind_ends_all(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct mock_dmabuf *gone = mock_dmabuf_attached(dma);
	struct mock_dmabuf *late = mock_dmabuf(test);
	struct dma_fence *fence[2];

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, gone, 0));
	fence[0] = mock_fence(test, buf);
	fence[1] = mock_fence(test, gone);
	KUNIT_ASSERT_EQ(test, 0, mock_detach(dma, gone));

	mock_dma_unbind(dma);
	EXPECT_STATUS(test, -EINTR, fence[0]);
	EXPECT_STATUS(test, -EINTR, fence[1]);
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
	KUNIT_EXPECT_EQ(test, 0, gone->mapped);

	KUNIT_EXPECT_EQ(test, -ENODEV, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, -ENODEV, mock_detach(dma, buf));
	KUNIT_EXPECT_EQ(test, -ENODEV, mock_attach(dma, late));
	KUNIT_EXPECT_EQ(test, 0, late->mapped);
}

static void unbind_ends_what_waits(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	mock_dma_unbind(dma);
	EXPECT_STATUS(test, -EINTR, fence);
	KUNIT_EXPECT_EQ(test, 0, dma->submitted);
}

static const struct fence_usage {
	const char *name;
	enum iio_buffer_direction dir;
	bool reader_sees_it;
} fence_usages[] = {
	{ "input writes", IN, true },
	{ "output reads", OUT, false },
};

KUNIT_ARRAY_PARAM_DESC(fence_usage, fence_usages, name);

static void fence_has_usage(struct kunit *test)
{
	const struct fence_usage *usage = test->param_value;
	struct mock_dma *dma = mock_dma(test, usage->dir);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_resv *resv = buf->dmabuf->resv;

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv,
							DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test, !usage->reader_sees_it,
			dma_resv_test_signaled(resv, DMA_RESV_USAGE_WRITE));
}

/* Two readers get along, a writer waits for each of them */
static void fence_of_another_buffer(struct kunit *test)
{
	struct mock_dma *tx = mock_dma(test, OUT);
	struct mock_dma *tx2 = mock_dma(test, OUT);
	struct mock_dma *rx = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(tx);

	KUNIT_ASSERT_EQ(test, 0, mock_attach(tx2, buf));
	KUNIT_ASSERT_EQ(test, 0, mock_attach(rx, buf));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(tx, buf, 0));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(tx2, buf, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(rx, buf, 0));
	mock_dma_disable(tx);
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(rx, buf, 0));
	mock_dma_disable(tx2);
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(rx, buf, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(tx, buf, 0));
}

/* Signals no earlier than it is asked to */
static bool lazy_enable_signaling(struct dma_fence *fence)
{
	return false;
}

static const char *lazy_name(struct dma_fence *fence)
{
	return "lazy";
}

static const struct dma_fence_ops lazy_ops = {
	.get_driver_name = lazy_name,
	.get_timeline_name = lazy_name,
	.enable_signaling = lazy_enable_signaling,
};

/* Who does not wait comes again, and must find it signalled some day */
static void fence_is_asked_to_signal(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_resv *resv = buf->dmabuf->resv;
	static DEFINE_SPINLOCK(lock);
	struct dma_fence *fence;
	int ret;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &lazy_ops, &lock, dma_fence_context_alloc(1), 1);
	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, 0, ret);

	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static const struct dma_fence_ops exporters_ops = {
	.get_driver_name = lazy_name,
	.get_timeline_name = lazy_name,
};

/* Freed as a fence, so that is the first of it */
struct exporters_fence {
	struct dma_fence base;
	struct delayed_work work;
};

static void exporter_done(struct work_struct *work)
{
	struct exporters_fence *fence = container_of(to_delayed_work(work),
						     struct exporters_fence,
						     work);

	dma_fence_signal(&fence->base);
}

/* As a move that the exporter has started: ends by itself, but not at once */
static void attach_does_not_wait_for_exporter(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf(test);
	struct dma_resv *resv = buf->dmabuf->resv;
	static DEFINE_SPINLOCK(lock);
	struct exporters_fence *fence;
	int ret;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	INIT_DELAYED_WORK(&fence->work, exporter_done);
	dma_fence_init(&fence->base, &exporters_ops, &lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, &fence->base, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, 0, ret);

	schedule_delayed_work(&fence->work, HZ / 2);
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_attach(dma, buf));
	KUNIT_EXPECT_EQ(test, 0, buf->mapped);
	flush_delayed_work(&fence->work);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(dma, buf));
	dma_fence_put(&fence->base);
}

static void fence_outlives_all(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	mock_dma_unbind(dma);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_STREQ(test, "iio", fence->ops->get_driver_name(fence));
	/* It was signalled once, and that is all */
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_fence_signal(fence));
}

/* Transfer once. Returns what was its fence, which may not exist any more. */
static const struct dma_fence *transferred(struct kunit *test,
					   struct mock_dma *dma,
					   struct mock_dmabuf *buf)
{
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_ASSERT_EQ(test, 0,
			dma_resv_get_singleton(buf->dmabuf->resv,
					       DMA_RESV_USAGE_READ, &fence));
	KUNIT_ASSERT_NOT_NULL(test, fence);
	mock_dma_complete(dma, 0);
	EXPECT_STATUS(test, 1, fence);
	dma_fence_put(fence);

	return fence;
}

/*
 * Fences that nobody keeps need no memory but that of the attachment: there are
 * two, or one where the dma_resv object forgets a signalled one in time.
 */
static void fences_take_turns(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	const struct dma_fence *first, *second, *next;
	unsigned int i;

	mock_dma_enable(dma);
	first = transferred(test, dma, buf);
	second = transferred(test, dma, buf);
	for (i = 0; i < 8; i++) {
		/* What ENQUEUE refuses gives back what it had */
		dma->submit_error = -EIO;
		KUNIT_EXPECT_EQ(test, -EIO, mock_enqueue(dma, buf, 0));
		dma->submit_error = 0;

		next = transferred(test, dma, buf);
		KUNIT_EXPECT_TRUE(test, next == first || next == second);
	}
}

/* One that somebody keeps stays what it is, however many more there are */
static void fences_are_kept(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence[6];
	unsigned int i;

	mock_dma_enable(dma);
	for (i = 0; i < ARRAY_SIZE(fence); i++) {
		KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
		fence[i] = mock_fence(test, buf);
		EXPECT_STATUS(test, 0, fence[i]);
		mock_dma_complete(dma, i % 2 ? -EIO : 0);
	}
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, buf));
	mock_dma_unbind(dma);
	for (i = 0; i < ARRAY_SIZE(fence); i++) {
		EXPECT_STATUS(test, i % 2 ? -EIO : 1, fence[i]);
		KUNIT_EXPECT_EQ(test, i + 1, fence[i]->seqno);
		KUNIT_EXPECT_EQ(test, fence[0]->context, fence[i]->context);
	}
}

static struct kunit_case iio_dmabuf_attach_cases[] = {
	KUNIT_CASE(attach_maps_once),
	KUNIT_CASE(attach_to_two_buffers),
	KUNIT_CASE(attach_fails_to_map),
	KUNIT_CASE(attach_counts_at_its_end),
	KUNIT_CASE(attach_beside_lock),
	KUNIT_CASE(attach_is_interruptible),
	KUNIT_CASE(attach_does_not_wait_for_exporter),
	KUNIT_CASE(attach_in_fileio_mode),
	KUNIT_CASE(attach_keeps_what_is_queued),
	KUNIT_CASE(detach_ends_what_waits),
	KUNIT_CASE(detach_lets_transfer_end),
	KUNIT_CASE(detach_and_attach_in_transfer),
	KUNIT_CASE(detach_all),
	KUNIT_CASE(unbind_ends_all),
	KUNIT_CASE(unbind_ends_what_waits),
	KUNIT_CASE_PARAM(fence_has_usage, fence_usage_gen_params),
	KUNIT_CASE(fence_of_another_buffer),
	KUNIT_CASE(fence_is_asked_to_signal),
	KUNIT_CASE(fence_outlives_all),
	KUNIT_CASE(fences_take_turns),
	KUNIT_CASE(fences_are_kept),
	{}
};

static struct kunit_suite iio_dmabuf_attach_suite = {
	.name = "iio-dmabuf-attach",
	.test_cases = iio_dmabuf_attach_cases,
};

kunit_test_suite(iio_dmabuf_attach_suite);
