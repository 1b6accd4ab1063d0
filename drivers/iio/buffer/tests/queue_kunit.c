// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the queue of IIO DMA buffers: order, states, ends of transfers
 */
#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/string_choices.h>

#include "mock-dma.h"

#define IN	IIO_BUFFER_DIRECTION_IN
#define OUT	IIO_BUFFER_DIRECTION_OUT
#define CYCLIC	IIO_BUFFER_DMABUF_CYCLIC

/* The status of a fence that was not signalled is 0, of a good one 1 */
#define EXPECT_STATUS(test, status, fence) \
	KUNIT_EXPECT_EQ(test, status, dma_fence_get_status(fence))

static void queue_waits_for_enable(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, 0, dma->submitted);
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 1, dma->submitted);
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, buf));
}

static void queue_keeps_order(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct dma_fence *fence[4];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fence); i++) {
		struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

		if (i == 2)
			mock_dma_enable(dma);
		KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
		fence[i] = mock_fence(test, buf);
	}
	for (i = 0; i < ARRAY_SIZE(fence); i++) {
		mock_dma_complete(dma, 0);
		for (j = 0; j < ARRAY_SIZE(fence); j++)
			EXPECT_STATUS(test, j <= i, fence[j]);
	}
}

static void queue_refuses_what_it_has(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	KUNIT_EXPECT_EQ(test, -EPERM, mock_enqueue(dma, buf, 0));
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_enqueue(dma, buf, 0));

	/* R25: what was refused has not replaced the fence of the transfer */
	KUNIT_EXPECT_PTR_EQ(test, fence, mock_fence(test, buf));
	EXPECT_STATUS(test, 0, fence);
	mock_dma_complete(dma, 0);
	EXPECT_STATUS(test, 1, fence);
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
}

static void queue_numbers_transfers(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *first, *second;

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	first = mock_fence(test, buf);
	mock_dma_complete(dma, 0);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	second = mock_fence(test, buf);
	KUNIT_EXPECT_EQ(test, first->context, second->context);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(second, first));
}

/* R28: ENQUEUE says so, and nothing is left of it */
static void queue_submit_fails_at_enqueue(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

	mock_dma_enable(dma);
	dma->submit_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(buf->dmabuf->resv,
						       DMA_RESV_USAGE_READ));
	dma->submit_error = 0;
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, buf));
}

/* R28: nobody is there to be told but by the fence */
static void queue_submit_fails_at_enable(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	dma->submit_error = -EIO;
	mock_dma_enable(dma);
	EXPECT_STATUS(test, -EIO, fence);
	dma->submit_error = 0;
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
}

/* R30 */
static void queue_reports_errors(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	mock_dma_complete(dma, -EIO);
	EXPECT_STATUS(test, -EIO, fence);

	/* The error is of that transfer only */
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, buf, 0));
	fence = mock_fence(test, buf);
	mock_dma_complete(dma, 0);
	EXPECT_STATUS(test, 1, fence);
}

static void queue_disable_ends_all(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *active = mock_dmabuf_attached(dma);
	struct mock_dmabuf *held = mock_dmabuf_attached(dma);
	struct dma_fence *fence[2];

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, active, CYCLIC));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, held, 0));
	KUNIT_EXPECT_EQ(test, 1, dma->submitted);
	fence[0] = mock_fence(test, active);
	fence[1] = mock_fence(test, held);
	mock_dma_disable(dma);
	EXPECT_STATUS(test, -EINTR, fence[0]);
	EXPECT_STATUS(test, -EINTR, fence[1]);

	/* Both can be used again */
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, active, 0));
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, held, 0));
}

/* R27: a cyclic block is with the DMA alone */
static void queue_cyclic_waits_for_its_turn(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *before = mock_dmabuf_attached(dma);
	struct mock_dmabuf *cyclic = mock_dmabuf_attached(dma);
	struct mock_dmabuf *after = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, before, 0));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, cyclic, CYCLIC));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, after, 0));
	KUNIT_EXPECT_EQ(test, 1, dma->submitted);

	mock_dma_complete(dma, 0);
	KUNIT_EXPECT_EQ(test, 2, dma->submitted);
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, cyclic));

	fence = mock_fence(test, cyclic);
	KUNIT_EXPECT_EQ(test, 0, mock_detach(dma, cyclic));
	EXPECT_STATUS(test, -EINTR, fence);
	KUNIT_EXPECT_EQ(test, 3, dma->submitted);
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, after));
}

static void queue_cyclic_failure_lets_the_next_go(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct mock_dmabuf *cyclic = mock_dmabuf_attached(dma);
	struct mock_dmabuf *after = mock_dmabuf_attached(dma);
	struct dma_fence *fence;

	mock_dma_enable(dma);
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, cyclic, CYCLIC));
	KUNIT_ASSERT_EQ(test, 0, mock_enqueue(dma, after, 0));
	fence = mock_fence(test, cyclic);
	mock_dma_complete(dma, -EIO);
	EXPECT_STATUS(test, -EIO, fence);
	KUNIT_EXPECT_TRUE(test, mock_dma_active(dma, after));
}

static void queue_prepares_once(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct iio_dmabuf req = { .bytes_used = MOCK_SIZE / 2 };
	unsigned int i;

	mock_dma_enable(dma);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
		mock_dma_complete(dma, 0);
		KUNIT_EXPECT_EQ(test, 1, dma->prepared);
	}
	KUNIT_EXPECT_EQ(test, 0, iio_dmabuf_enqueue(&dma->ib, buf->dmabuf, &req,
						    true));
	KUNIT_EXPECT_EQ(test, 2, dma->prepared);
}

static void queue_prepare_fails(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);

	dma->prepare_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, mock_enqueue(dma, buf, 0));
	KUNIT_EXPECT_EQ(test, 2, dma->prepared);
	dma->prepare_error = 0;
	KUNIT_EXPECT_EQ(test, 0, mock_enqueue(dma, buf, 0));
}

static const struct queue_size {
	size_t bytes;
	bool enabled;
	int error;
} queue_sizes[] = {
	{ .bytes = 0, .error = -EINVAL },
	{ .bytes = MOCK_SIZE + 1, .error = -EINVAL },
	{ .bytes = MOCK_SIZE, .error = 0 },
	{ .bytes = 4, .error = -EINVAL },
	{ .bytes = 8, .error = 0 },
	{ .bytes = 8, .enabled = true, .error = -EINVAL },
	{ .bytes = 24, .enabled = true, .error = 0 },
};

static void queue_size_desc(const struct queue_size *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%zu bytes, %s", size->bytes,
		 str_enabled_disabled(size->enabled));
}

KUNIT_ARRAY_PARAM(queue_size, queue_sizes, queue_size_desc);

/* The DMA takes multiples of 8 bytes, a scan has 12 */
static void queue_checks_size(struct kunit *test)
{
	const struct queue_size *size = test->param_value;
	struct mock_dma *dma = mock_dma(test, IN);
	struct mock_dmabuf *buf = mock_dmabuf_attached(dma);
	struct iio_dmabuf req = { .bytes_used = size->bytes };

	dma->queue.align = 8;
	iio_dma_buffer_set_bytes_per_datum(dma->ib.buffer, 12);
	if (size->enabled)
		mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, size->error,
			iio_dmabuf_enqueue(&dma->ib, buf->dmabuf, &req, true));
}

/* Two blocks of half the length, in whole scans that the DMA can transfer */
static void queue_fileio_blocks(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct iio_buffer *buffer = dma->ib.buffer;
	struct iio_dma_buffer_block *block;

	dma->queue.align = 8;
	iio_dma_buffer_set_bytes_per_datum(buffer, 12);
	iio_dma_buffer_set_length(buffer, 7);
	KUNIT_ASSERT_EQ(test, 0, iio_dma_buffer_request_update(buffer));
	KUNIT_EXPECT_EQ(test, 2, dma->prepared);
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 2, dma->submitted);
	list_for_each_entry(block, &dma->list, head)
		KUNIT_EXPECT_EQ(test, 48, block->bytes_used);

	KUNIT_EXPECT_EQ(test, 0, iio_dma_buffer_usage(buffer));
	mock_dma_complete(dma, 0);
	KUNIT_EXPECT_EQ(test, 48, iio_dma_buffer_usage(buffer));

	/* What was transferred stays, the rest is for when it goes on */
	mock_dma_disable(dma);
	KUNIT_EXPECT_EQ(test, 48, iio_dma_buffer_usage(buffer));
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 3, dma->submitted);
}

static void queue_fileio_room(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, OUT);
	struct iio_buffer *buffer = dma->ib.buffer;

	iio_dma_buffer_set_bytes_per_datum(buffer, 4);
	iio_dma_buffer_set_length(buffer, 8);
	KUNIT_ASSERT_EQ(test, 0, iio_dma_buffer_request_update(buffer));
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, 0, dma->submitted);
	KUNIT_EXPECT_EQ(test, 32, iio_dma_buffer_usage(buffer));
}

static void queue_fileio_cannot_prepare(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct iio_buffer *buffer = dma->ib.buffer;

	KUNIT_EXPECT_EQ(test, -EINVAL, iio_dma_buffer_request_update(buffer));
	iio_dma_buffer_set_bytes_per_datum(buffer, 4);
	dma->prepare_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, iio_dma_buffer_request_update(buffer));
	KUNIT_EXPECT_FALSE(test, dma->queue.fileio.enabled);
	KUNIT_EXPECT_TRUE(test, list_empty(&dma->queue.incoming));
}

/* R33: refused, before anything of fileio mode is looked at */
static void queue_read_in_dmabuf_mode(struct kunit *test)
{
	struct mock_dma *dma = mock_dma(test, IN);
	struct iio_buffer *buffer = dma->ib.buffer;

	iio_dma_buffer_set_bytes_per_datum(buffer, 4);
	KUNIT_EXPECT_EQ(test, 0, iio_dma_buffer_read(buffer, 4, NULL));
	mock_dmabuf_attached(dma);
	KUNIT_EXPECT_EQ(test, -EBUSY, iio_dma_buffer_read(buffer, 4, NULL));
	KUNIT_EXPECT_EQ(test, 0, iio_dma_buffer_request_update(buffer));
	mock_dma_enable(dma);
	KUNIT_EXPECT_EQ(test, -EBUSY, iio_dma_buffer_read(buffer, 4, NULL));
	KUNIT_EXPECT_EQ(test, 0, iio_dma_buffer_usage(buffer));
	mock_dma_unbind(dma);
	KUNIT_EXPECT_EQ(test, -ENODEV, iio_dma_buffer_read(buffer, 4, NULL));
}

static struct kunit_case iio_dma_queue_cases[] = {
	KUNIT_CASE(queue_waits_for_enable),
	KUNIT_CASE(queue_keeps_order),
	KUNIT_CASE(queue_refuses_what_it_has),
	KUNIT_CASE(queue_numbers_transfers),
	KUNIT_CASE(queue_submit_fails_at_enqueue),
	KUNIT_CASE(queue_submit_fails_at_enable),
	KUNIT_CASE(queue_reports_errors),
	KUNIT_CASE(queue_disable_ends_all),
	KUNIT_CASE(queue_cyclic_waits_for_its_turn),
	KUNIT_CASE(queue_cyclic_failure_lets_the_next_go),
	KUNIT_CASE(queue_prepares_once),
	KUNIT_CASE(queue_prepare_fails),
	KUNIT_CASE_PARAM(queue_checks_size, queue_size_gen_params),
	KUNIT_CASE(queue_fileio_blocks),
	KUNIT_CASE(queue_fileio_room),
	KUNIT_CASE(queue_fileio_cannot_prepare),
	KUNIT_CASE(queue_read_in_dmabuf_mode),
	{}
};

static struct kunit_suite iio_dma_queue_suite = {
	.name = "iio-dma-queue",
	.test_cases = iio_dma_queue_cases,
};

kunit_test_suite(iio_dma_queue_suite);

MODULE_DESCRIPTION("Tests of IIO DMA buffers");
MODULE_LICENSE("GPL");
