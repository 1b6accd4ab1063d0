// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failing allocation of ATTACH and ENQUEUE: an errno that fits, nothing
 * left behind, and the checkers of the kernel say nothing. Wants a kernel with
 * fault injection. DETACH has nothing that can be made to fail. Making a device
 * and its buffer's file is not tried: when it fails, the base leaks names of DMA
 * channels, and a file that the program has not been told of.
 */
#include <string.h>

#include "../kselftest_harness.h"
#include "../dmabuf-heaps/fail_nth.h"
#include "iio_fixture.h"

/**
 * struct fail_state - what the paths start from
 * @buffer: buffer of the path
 * @dmabuf: one that is attached to @buffer, where the path needs that
 */
struct fail_state {
	int buffer, dmabuf;
};

static int do_attach(void *state)
{
	struct fail_state *st = state;

	return buffer_attach(st->buffer, st->dmabuf);
}

static int do_detach(void *state)
{
	struct fail_state *st = state;

	return buffer_detach(st->buffer, st->dmabuf);
}

static void undo_attach(void *state)
{
	do_detach(state);
}

static int run_enqueue(void *state)
{
	struct fail_state *st = state;

	return buffer_enqueue(st->buffer, st->dmabuf, 0, LEN);
}

/* What was queued has to end before it can be queued again */
static void undo_enqueue(void *state)
{
	struct fail_state *st = state;

	poll_in_time(st->dmabuf, POLLOUT, SOON_MS);
}

/* Also for what the buffer is not enabled for */
static void undo_queued(void *state)
{
	do_detach(state);
	undo_enqueue(state);
	do_attach(state);
}

static int run_cyclic(void *state)
{
	struct fail_state *st = state;

	return buffer_enqueue(st->buffer, st->dmabuf, IIO_BUFFER_DMABUF_CYCLIC,
			      LEN);
}

FIXTURE_VARIANT(iio) {
	int (*run)(void *state);
	void (*undo)(void *state);
	int other;
	int points;
	bool out, attached, enabled;
};

/* With the number of points that are there at least */
FIXTURE_VARIANT_ADD(iio, attach) {
	.run = do_attach, .undo = undo_attach, .points = 4,
};

FIXTURE_VARIANT_ADD(iio, attach_output) {
	.run = do_attach, .undo = undo_attach, .points = 4, .out = true,
};

FIXTURE_VARIANT_ADD(iio, enqueue_queued) {
	.run = run_enqueue, .undo = undo_queued, .points = 3,
	.attached = true,
};

/* The DMA engine does not say why it has no descriptor */
FIXTURE_VARIANT_ADD(iio, enqueue_capture) {
	.run = run_enqueue, .undo = undo_enqueue, .points = 3, .other = -EIO,
	.attached = true, .enabled = true,
};

FIXTURE_VARIANT_ADD(iio, enqueue_playback) {
	.run = run_enqueue, .undo = undo_enqueue, .points = 3, .other = -EIO,
	.out = true, .attached = true, .enabled = true,
};

FIXTURE_VARIANT_ADD(iio, enqueue_cyclic) {
	.run = run_cyclic, .undo = undo_queued, .points = 3, .other = -EIO,
	.out = true, .attached = true, .enabled = true,
};

TEST_F_TIMEOUT(iio, every_failure, 120)
{
	struct fail_state st = {
		.buffer = variant->out ? self->out : self->in,
		.dmabuf = self->a,
	};
	struct fail_path path = {
		variant->run, variant->undo, &st, variant->other
	};
	int device = variant->out ? self->sim.dac : self->sim.adc;
	struct fail_result result;

	ASSERT_EQ(0, fail_nth_init()) {
		TH_LOG("the kernel has no fault injection");
	}
	if (variant->attached)
		ASSERT_EQ(0, do_attach(&st));
	if (variant->enabled)
		ASSERT_EQ(0, buffer_enable(device, true));

	ASSERT_EQ(0, fail_nth_sweep(&path, &result));
	TH_LOG("%d points, %d of them refused", result.points, result.refused);
	EXPECT_EQ(0, result.bad) {
		TH_LOG("point %d: %s", result.bad, strerror(-result.said));
	}
	EXPECT_LE(variant->points, result.points);
	if (variant->enabled)
		EXPECT_EQ(0, buffer_enable(device, false));
	fail_nth_exit();
}

TEST_HARNESS_MAIN
