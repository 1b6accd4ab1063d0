// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access(): what the exporter
 * sees, and which fences the CPU waits for.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>

#include "mock-exporter.h"
#include "mock-fence.h"

static void cpu_access_null(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(NULL, DMA_TO_DEVICE),
			-EINVAL);
}

static const struct cpu_dir {
	const char *name;
	enum dma_data_direction dir;
} cpu_dirs[] = {
	{ "to_device", DMA_TO_DEVICE },
	{ "from_device", DMA_FROM_DEVICE },
	{ "bidirectional", DMA_BIDIRECTIONAL },
};

KUNIT_ARRAY_PARAM_DESC(cpu_dir, cpu_dirs, name);

static void begin_tells_direction(struct kunit *test)
{
	const struct cpu_dir *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);

	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, param->dir), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_BEGIN], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_END], 0);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_BEGIN], param->dir);
}

static void end_tells_direction(struct kunit *test)
{
	const struct cpu_dir *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);

	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(exp->dmabuf, param->dir),
			0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_BEGIN], 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_END], 1);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_END], param->dir);
}

static const struct cpu_error {
	const char *name;
	int error;
} cpu_errors[] = {
	{ "eintr", -EINTR },
	{ "erestartsys", -ERESTARTSYS },
	{ "eio", -EIO },
};

KUNIT_ARRAY_PARAM_DESC(cpu_error, cpu_errors, name);

static void begin_passes_errno(struct kunit *test)
{
	const struct cpu_error *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);

	exp->error[OP_BEGIN] = param->error;
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE),
			param->error);
}

static void end_passes_errno(struct kunit *test)
{
	const struct cpu_error *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);

	exp->error[OP_END] = param->error;
	KUNIT_EXPECT_EQ(test,
			dma_buf_end_cpu_access(exp->dmabuf, DMA_TO_DEVICE),
			param->error);
}

static void cpu_access_without_ops(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE),
			0);
	KUNIT_EXPECT_EQ(test,
			dma_buf_end_cpu_access(exp->dmabuf, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

/*
 * Reads wait for writers, writes for all; the kernel's own moves are waited
 * for by both, bookkeeping by neither.
 */
static const struct cpu_fence {
	const char *name;
	enum dma_data_direction dir;
	enum dma_resv_usage usage;
	bool waits;
} cpu_fences[] = {
	{ "read_for_kernel", DMA_FROM_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "read_for_write", DMA_FROM_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "read_for_read", DMA_FROM_DEVICE, DMA_RESV_USAGE_READ, false },
	{ "write_for_kernel", DMA_TO_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "write_for_write", DMA_TO_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "write_for_read", DMA_TO_DEVICE, DMA_RESV_USAGE_READ, true },
	{ "write_for_bookkeep", DMA_TO_DEVICE, DMA_RESV_USAGE_BOOKKEEP, false },
	{ "both_for_write", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_WRITE, true },
	{ "both_for_read", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_READ, true },
};

KUNIT_ARRAY_PARAM_DESC(cpu_fence, cpu_fences, name);

static void begin_with_pending_fence(struct kunit *test)
{
	const struct cpu_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  param->usage);

	mock_fence_signal_in(fence, param->waits ? MOCK_FENCE_SOON_MS :
			     MOCK_FENCE_LATE_MS);
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, param->dir), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(&fence->base),
			param->waits);
}

static void begin_waits_for_exporters_without_op(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_WRITE);

	mock_fence_signal_in(fence, MOCK_FENCE_SOON_MS);
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, DMA_FROM_DEVICE),
			0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
}

static void start_moving(struct mock_exporter *exp)
{
	struct dma_resv *resv = exp->dmabuf->resv;
	struct kunit *test = exp->test;
	struct mock_fence *fence = mock_fence_add(test, resv,
						  DMA_RESV_USAGE_KERNEL);

	mock_fence_signal_in(fence, MOCK_FENCE_SOON_MS);
	test->priv = fence;
}

/* What the exporter has started in its operation is over on return. */
static void begin_waits_for_exporters_move(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	struct mock_fence *fence;

	exp->on_begin = start_moving;
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(exp->dmabuf, DMA_FROM_DEVICE),
			0);
	fence = test->priv;
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
}

static void end_does_not_wait(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_WRITE);

	mock_fence_signal_in(fence, MOCK_FENCE_LATE_MS);
	KUNIT_EXPECT_EQ(test,
			dma_buf_end_cpu_access(exp->dmabuf, DMA_BIDIRECTIONAL),
			0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
}

/* A signal ends the wait, and no access is left begun. */
static void begin_is_interruptible(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_WRITE);
	int ret;

	mock_fence_signal_in(fence, MOCK_FENCE_LATE_MS);
	mock_fence_interrupt();
	ret = dma_buf_begin_cpu_access(exp->dmabuf, DMA_FROM_DEVICE);
	mock_fence_resume();

	KUNIT_EXPECT_TRUE(test, ret == -EINTR || ret == -ERESTARTSYS);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_BEGIN], exp->calls[OP_END]);
}

static void start_long_move(struct mock_exporter *exp)
{
	struct mock_fence *fence = mock_fence_add(exp->test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_KERNEL);

	mock_fence_signal_in(fence, MOCK_FENCE_LATE_MS);
	exp->test->priv = fence;
	mock_fence_interrupt();
}

/* The exporter has begun then: it is told of the end. */
static void begin_is_interruptible_in_exporters_move(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	struct mock_fence *fence;
	int ret;

	exp->on_begin = start_long_move;
	ret = dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE);
	mock_fence_resume();

	KUNIT_EXPECT_TRUE(test, ret == -EINTR || ret == -ERESTARTSYS);
	fence = test->priv;
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_BEGIN], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_END], 1);
	KUNIT_EXPECT_EQ(test, exp->dir[OP_END], DMA_TO_DEVICE);
}

static struct kunit_case cpu_access_cases[] = {
	KUNIT_CASE(cpu_access_null),
	KUNIT_CASE_PARAM(begin_tells_direction, cpu_dir_gen_params),
	KUNIT_CASE_PARAM(end_tells_direction, cpu_dir_gen_params),
	KUNIT_CASE_PARAM(begin_passes_errno, cpu_error_gen_params),
	KUNIT_CASE_PARAM(end_passes_errno, cpu_error_gen_params),
	KUNIT_CASE(cpu_access_without_ops),
	KUNIT_CASE_PARAM(begin_with_pending_fence, cpu_fence_gen_params),
	KUNIT_CASE(begin_waits_for_exporters_without_op),
	KUNIT_CASE(begin_waits_for_exporters_move),
	KUNIT_CASE(end_does_not_wait),
	KUNIT_CASE(begin_is_interruptible),
	KUNIT_CASE(begin_is_interruptible_in_exporters_move),
	{}
};

static struct kunit_suite cpu_access_suite = {
	.name = "dma_buf_cpu_access",
	.test_cases = cpu_access_cases,
};

kunit_test_suite(cpu_access_suite);
