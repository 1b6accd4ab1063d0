// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the simulated DMA controller as its clients see it, with a port
 * that counts in place of the converter.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "iio_sim_dmac.h"

#define TEST_BYTES	(4 * PAGE_SIZE)
#define TEST_WORDS	(TEST_BYTES / IIO_SIM_WORD_BYTES)
#define TEST_TIMEOUT	msecs_to_jiffies(5000)
/* For what must not happen; long enough for a thread to do it wrongly */
#define TEST_NEVER	msecs_to_jiffies(50)

/**
 * struct test_port - A port that makes, or expects, 0, 1, 2, ...
 * @port: the port
 * @dir: the direction
 * @next: next word
 * @wrong: words that were not what was expected
 * @room: bytes that it can move before it stalls
 */
struct test_port {
	struct iio_sim_port port;
	enum iio_sim_dir dir;
	u32 next;
	u32 wrong;
	size_t room;
};

struct test_dmac {
	struct iio_sim_dmac dmac;
	struct test_port ports[IIO_SIM_NUM_DIRS];
};

struct test_call {
	struct completion called;
	unsigned int count;
	struct dmaengine_result result;
};

struct test_ctx {
	struct device *dev;
	struct test_dmac *d;
	struct dma_chan *chan[IIO_SIM_NUM_DIRS];
	u32 *buf;
	dma_addr_t addr;
	struct test_call call;
};

static size_t test_port_xfer(struct iio_sim_port *port, void *buf, size_t len)
{
	struct test_port *tp = container_of(port, struct test_port, port);
	u32 *word = buf;
	size_t i;

	len = min(len, READ_ONCE(tp->room));
	for (i = 0; i < len / IIO_SIM_WORD_BYTES; i++) {
		if (tp->dir == IIO_SIM_RX)
			word[i] = tp->next;
		else if (word[i] != tp->next)
			tp->wrong++;
		tp->next++;
	}
	WRITE_ONCE(tp->room, tp->room - len);

	return len;
}

static bool test_port_ready(struct iio_sim_port *port)
{
	struct test_port *tp = container_of(port, struct test_port, port);

	return READ_ONCE(tp->room);
}

static const struct iio_sim_port_ops test_port_ops = {
	.xfer = test_port_xfer,
	.ready = test_port_ready,
};

static void test_release(struct iio_sim_dmac *dmac)
{
	kfree(container_of(dmac, struct test_dmac, dmac));
}

static void test_called(void *param, const struct dmaengine_result *result)
{
	struct test_call *call = param;

	call->result = *result;
	call->count++;
	complete(&call->called);
}

static int dmac_test_init(struct kunit *test)
{
	static const char * const names[] = { "rx", "tx" };
	struct test_ctx *ctx;
	unsigned int i;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	test->priv = ctx;
	init_completion(&ctx->call.called);

	ctx->dev = kunit_device_register(test, "iio-sim-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->dev);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(ctx->dev,
							      DMA_BIT_MASK(64)));

	ctx->d = kzalloc(sizeof(*ctx->d), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->d);
	ctx->d->dmac.release = test_release;
	for (i = 0; i < IIO_SIM_NUM_DIRS; i++) {
		ctx->d->ports[i].port.ops = &test_port_ops;
		init_waitqueue_head(&ctx->d->ports[i].port.wait);
		ctx->d->ports[i].dir = i;
		ctx->d->ports[i].room = SIZE_MAX;
		ctx->d->dmac.chan[i].port = &ctx->d->ports[i].port;
	}
	KUNIT_ASSERT_EQ(test, 0,
			devm_iio_sim_dmac_register(ctx->dev, &ctx->d->dmac));

	for (i = 0; i < IIO_SIM_NUM_DIRS; i++) {
		ctx->chan[i] = dma_request_chan(ctx->dev, names[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->chan[i]);
	}

	ctx->buf = dma_alloc_coherent(ctx->dev, TEST_BYTES, &ctx->addr,
				      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->buf);

	return 0;
}

static void dmac_test_exit(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	unsigned int i;

	if (!ctx)
		return;
	for (i = 0; i < IIO_SIM_NUM_DIRS; i++)
		if (!IS_ERR_OR_NULL(ctx->chan[i]))
			dma_release_channel(ctx->chan[i]);
	if (ctx->buf)
		dma_free_coherent(ctx->dev, TEST_BYTES, ctx->buf, ctx->addr);
}

/* The ways to describe a transfer, in both directions */
struct test_way {
	const char *name;
	enum iio_sim_dir dir;
	bool sg;
};

static const struct test_way test_ways[] = {
	{ "capture_vec", IIO_SIM_RX, false },
	{ "capture_sg", IIO_SIM_RX, true },
	{ "playback_vec", IIO_SIM_TX, false },
	{ "playback_sg", IIO_SIM_TX, true },
};

static void test_way_desc(const struct test_way *way, char *desc)
{
	strscpy(desc, way->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(test_way, test_ways, test_way_desc);

static enum dma_transfer_direction test_dma_dir(enum iio_sim_dir dir)
{
	return dir == IIO_SIM_RX ? DMA_DEV_TO_MEM : DMA_MEM_TO_DEV;
}

static struct dma_async_tx_descriptor *
test_prep(struct test_ctx *ctx, const struct test_way *way,
	  const struct dma_vec *vecs, unsigned int nents)
{
	enum dma_transfer_direction dir = test_dma_dir(way->dir);
	struct dma_async_tx_descriptor *tx;
	struct scatterlist sgl[4];
	unsigned int i;

	if (way->sg) {
		sg_init_table(sgl, ARRAY_SIZE(sgl));
		for (i = 0; i < nents; i++) {
			sg_dma_address(&sgl[i]) = vecs[i].addr;
			sg_dma_len(&sgl[i]) = vecs[i].len;
		}
		tx = dmaengine_prep_slave_sg(ctx->chan[way->dir], sgl, nents,
					     dir, DMA_PREP_INTERRUPT);
	} else {
		tx = dmaengine_prep_peripheral_dma_vec(ctx->chan[way->dir],
						       vecs, nents, dir,
						       DMA_PREP_INTERRUPT);
	}
	if (tx) {
		tx->callback_result = test_called;
		tx->callback_param = &ctx->call;
	}

	return tx;
}

/* Submit the whole buffer, or what @vec says */
static dma_cookie_t test_start(struct kunit *test, enum iio_sim_dir dir,
			       const struct dma_vec *vec)
{
	struct test_ctx *ctx = test->priv;
	const struct dma_vec all = { ctx->addr, TEST_BYTES };
	const struct test_way way = { .dir = dir };
	struct dma_async_tx_descriptor *tx;
	dma_cookie_t cookie;

	tx = test_prep(ctx, &way, vec ?: &all, 1);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	cookie = dmaengine_submit(tx);
	KUNIT_ASSERT_FALSE(test, dma_submit_error(cookie));
	dma_async_issue_pending(ctx->chan[dir]);

	return cookie;
}

static void test_wait(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;

	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&ctx->call.called,
							     TEST_TIMEOUT));
}

static void test_expect_result(struct kunit *test,
			       enum dmaengine_tx_result result, u32 residue)
{
	struct test_ctx *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, result, ctx->call.result.result);
	KUNIT_EXPECT_EQ(test, residue, ctx->call.result.residue);
}

static void transfer_moves_all(struct kunit *test)
{
	const struct test_way *way = test->param_value;
	struct test_ctx *ctx = test->priv;
	/* Pieces that begin and end within pages and join up */
	const struct dma_vec vecs[] = {
		{ ctx->addr, 12 },
		{ ctx->addr + 12, 2 * PAGE_SIZE },
		{ ctx->addr + 12 + 2 * PAGE_SIZE, 2 * PAGE_SIZE - 12 },
	};
	struct dma_async_tx_descriptor *tx;
	unsigned int i, wrong = 0;

	for (i = 0; i < TEST_WORDS; i++)
		ctx->buf[i] = way->dir == IIO_SIM_RX ? ~0 : i;

	tx = test_prep(ctx, way, vecs, ARRAY_SIZE(vecs));
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_FALSE(test, dma_submit_error(dmaengine_submit(tx)));
	dma_async_issue_pending(ctx->chan[way->dir]);
	test_wait(test);

	test_expect_result(test, DMA_TRANS_NOERROR, 0);
	for (i = 0; i < TEST_WORDS; i++)
		wrong += ctx->buf[i] != i;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, 0, ctx->d->ports[way->dir].wrong);
	KUNIT_EXPECT_EQ(test, TEST_WORDS, ctx->d->ports[way->dir].next);
}

static void prep_refuses(struct kunit *test)
{
	const struct test_way *way = test->param_value;
	struct test_ctx *ctx = test->priv;
	struct dma_chan *chan = ctx->chan[way->dir];
	struct dma_vec vec = { ctx->addr, TEST_BYTES };
	enum dma_transfer_direction wrong;

	wrong = test_dma_dir(way->dir == IIO_SIM_RX ? IIO_SIM_TX : IIO_SIM_RX);

	KUNIT_EXPECT_NULL(test, test_prep(ctx, way, &vec, 0));
	vec.addr = ctx->addr + 2;
	KUNIT_EXPECT_NULL(test, test_prep(ctx, way, &vec, 1));
	vec.addr = ctx->addr;
	vec.len = 6;
	KUNIT_EXPECT_NULL(test, test_prep(ctx, way, &vec, 1));
	vec.len = 0;
	KUNIT_EXPECT_NULL(test, test_prep(ctx, way, &vec, 1));

	vec.len = TEST_BYTES;
	KUNIT_EXPECT_NULL(test, dmaengine_prep_peripheral_dma_vec(chan, &vec, 1,
								  wrong, 0));
}

static void cyclic_until_terminated(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct dma_async_tx_descriptor *tx;
	unsigned int i, count;

	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_cyclic(ctx->chan[IIO_SIM_RX],
							  ctx->addr, TEST_BYTES,
							  TEST_BYTES - 4,
							  DMA_DEV_TO_MEM, 0));

	/* So slow that every period is called back for: 16 in a second */
	ctx->d->ports[IIO_SIM_RX].port.byte_rate = 16 * PAGE_SIZE;
	tx = dmaengine_prep_dma_cyclic(ctx->chan[IIO_SIM_RX], ctx->addr,
				       TEST_BYTES, PAGE_SIZE, DMA_DEV_TO_MEM,
				       DMA_PREP_INTERRUPT);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	tx->callback_result = test_called;
	tx->callback_param = &ctx->call;
	dmaengine_submit(tx);
	dma_async_issue_pending(ctx->chan[IIO_SIM_RX]);

	/* More than once around */
	for (i = 0; i < 6; i++)
		test_wait(test);
	test_expect_result(test, DMA_TRANS_NOERROR, 0);

	dmaengine_terminate_sync(ctx->chan[IIO_SIM_RX]);
	count = ctx->call.count;
	KUNIT_EXPECT_GE(test, count, 6);
	schedule_timeout_uninterruptible(msecs_to_jiffies(200));
	KUNIT_EXPECT_EQ(test, count, ctx->call.count);
	KUNIT_EXPECT_GE(test, ctx->d->ports[IIO_SIM_RX].next,
			6 * PAGE_SIZE / IIO_SIM_WORD_BYTES);
}

static void terminate_is_final(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;

	/* One is being worked on, one waits behind it */
	ctx->d->ports[IIO_SIM_RX].room = PAGE_SIZE;
	test_start(test, IIO_SIM_RX, NULL);
	test_start(test, IIO_SIM_RX, NULL);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ctx->chan[IIO_SIM_RX]));
	WRITE_ONCE(ctx->d->ports[IIO_SIM_RX].room, SIZE_MAX);
	wake_up(&ctx->d->ports[IIO_SIM_RX].port.wait);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&ctx->call.called,
						    TEST_NEVER));

	/* And the channel goes on */
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	KUNIT_EXPECT_EQ(test, 1, ctx->call.count);
	test_expect_result(test, DMA_TRANS_NOERROR, 0);
}

static void pause_stops_resume_goes_on(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct dma_chan *chan = ctx->chan[IIO_SIM_RX];
	struct dma_tx_state state;
	dma_cookie_t cookie;

	/* Stalled after a page, so that it can be paused in the middle */
	ctx->d->ports[IIO_SIM_RX].room = PAGE_SIZE;
	cookie = test_start(test, IIO_SIM_RX, NULL);
	KUNIT_EXPECT_EQ(test, DMA_IN_PROGRESS,
			dmaengine_tx_status(chan, cookie, NULL));
	while (READ_ONCE(ctx->d->ports[IIO_SIM_RX].room))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	WRITE_ONCE(ctx->d->ports[IIO_SIM_RX].room, SIZE_MAX);
	wake_up(&ctx->d->ports[IIO_SIM_RX].port.wait);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&ctx->call.called,
						    TEST_NEVER));
	KUNIT_EXPECT_EQ(test, DMA_PAUSED,
			dmaengine_tx_status(chan, cookie, &state));
	KUNIT_EXPECT_EQ(test, TEST_BYTES - PAGE_SIZE, state.residue);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	test_wait(test);
	KUNIT_EXPECT_EQ(test, DMA_COMPLETE,
			dmaengine_tx_status(chan, cookie, NULL));
}

static void pause_stops_what_moves(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct dma_chan *chan = ctx->chan[IIO_SIM_RX];
	unsigned long until = jiffies + TEST_TIMEOUT;
	struct dma_tx_state state;
	dma_cookie_t cookie;

	/* A second for each page. Once it is paused, none for those to come. */
	ctx->d->ports[IIO_SIM_RX].port.byte_rate = PAGE_SIZE;
	cookie = test_start(test, IIO_SIM_RX, NULL);
	while (!READ_ONCE(ctx->d->ports[IIO_SIM_RX].next) &&
	       time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_NE(test, 0, READ_ONCE(ctx->d->ports[IIO_SIM_RX].next));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	WRITE_ONCE(ctx->d->ports[IIO_SIM_RX].port.byte_rate, 0);
	msleep(1200);
	KUNIT_EXPECT_EQ(test, DMA_PAUSED,
			dmaengine_tx_status(chan, cookie, &state));
	KUNIT_EXPECT_NE(test, 0, state.residue);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	test_wait(test);
	KUNIT_EXPECT_EQ(test, DMA_COMPLETE,
			dmaengine_tx_status(chan, cookie, NULL));
}

static void transfers_end_in_order(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	dma_cookie_t cookies[8];
	struct dma_vec vec = { .len = 2 * IIO_SIM_WORD_BYTES };
	unsigned int i, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(cookies); i++) {
		vec.addr = ctx->addr + i * vec.len;
		cookies[i] = test_start(test, IIO_SIM_RX, &vec);
	}
	for (i = 0; i < ARRAY_SIZE(cookies); i++)
		test_wait(test);
	for (i = 0; i < 2 * ARRAY_SIZE(cookies); i++)
		wrong += ctx->buf[i] != i;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(cookies), ctx->call.count);
}

static void no_memory_is_an_error(struct kunit *test)
{
	/* Beyond what any machine has */
	const struct dma_vec vec = { (dma_addr_t)-PAGE_SIZE, PAGE_SIZE };

	test_start(test, IIO_SIM_RX, &vec);
	test_wait(test);
	test_expect_result(test, DMA_TRANS_WRITE_FAILED, PAGE_SIZE);

	test_start(test, IIO_SIM_TX, &vec);
	test_wait(test);
	test_expect_result(test, DMA_TRANS_READ_FAILED, PAGE_SIZE);
}

static void injected_faults(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct iio_sim_faults *faults = &ctx->d->dmac.chan[IIO_SIM_RX].faults;
	const struct dma_vec all = { ctx->addr, TEST_BYTES };
	const struct test_way way = { .dir = IIO_SIM_RX };
	struct dma_async_tx_descriptor *tx;

	atomic_set(&faults->fail_transfers, 1);
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	test_expect_result(test, DMA_TRANS_WRITE_FAILED, TEST_BYTES);
	KUNIT_EXPECT_EQ(test, 0, ctx->d->ports[IIO_SIM_RX].next);

	atomic_set(&faults->short_transfers, 1);
	faults->short_residue = 6;
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	test_expect_result(test, DMA_TRANS_NOERROR, 8);

	atomic_set(&faults->fail_prep, 1);
	KUNIT_EXPECT_NULL(test, test_prep(ctx, &way, &all, 1));

	atomic_set(&faults->fail_submit, 1);
	tx = test_prep(ctx, &way, &all, 1);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_EXPECT_TRUE(test, dma_submit_error(dmaengine_submit(tx)));

	/* Each happened once */
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	test_expect_result(test, DMA_TRANS_NOERROR, 0);
}

static void hold_holds(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct iio_sim_faults *faults = &ctx->d->dmac.chan[IIO_SIM_TX].faults;

	WRITE_ONCE(faults->hold, true);
	test_start(test, IIO_SIM_TX, NULL);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&ctx->call.called,
						    TEST_NEVER));
	WRITE_ONCE(faults->hold, false);
	wake_up(&ctx->d->ports[IIO_SIM_TX].port.wait);
	test_wait(test);
}

static void rate_and_delay_take_their_time(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	struct iio_sim_faults *faults = &ctx->d->dmac.chan[IIO_SIM_RX].faults;
	ktime_t begun = ktime_get();

	/* A tenth of a second each, and as much again for the second */
	ctx->d->ports[IIO_SIM_RX].port.byte_rate = 10 * TEST_BYTES;
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), begun), 100);

	faults->delay_us = 100000;
	test_start(test, IIO_SIM_RX, NULL);
	test_wait(test);
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), begun), 300);
}

static void null_port_is_instant(struct kunit *test)
{
	struct test_ctx *ctx = test->priv;
	dma_cookie_t cookie;

	ctx->d->ports[IIO_SIM_RX].port.null = true;
	cookie = test_start(test, IIO_SIM_RX, NULL);
	KUNIT_EXPECT_EQ(test, DMA_COMPLETE,
			dmaengine_tx_status(ctx->chan[IIO_SIM_RX], cookie,
					    NULL));
	test_wait(test);
	test_expect_result(test, DMA_TRANS_NOERROR, 0);
	KUNIT_EXPECT_EQ(test, 0, ctx->d->ports[IIO_SIM_RX].next);
}

static struct kunit_case dmac_test_cases[] = {
	KUNIT_CASE_PARAM(transfer_moves_all, test_way_gen_params),
	KUNIT_CASE_PARAM(prep_refuses, test_way_gen_params),
	KUNIT_CASE(cyclic_until_terminated),
	KUNIT_CASE(terminate_is_final),
	KUNIT_CASE(pause_stops_resume_goes_on),
	KUNIT_CASE(pause_stops_what_moves),
	KUNIT_CASE(transfers_end_in_order),
	KUNIT_CASE(no_memory_is_an_error),
	KUNIT_CASE(injected_faults),
	KUNIT_CASE(hold_holds),
	KUNIT_CASE(rate_and_delay_take_their_time),
	KUNIT_CASE(null_port_is_instant),
	{}
};

static struct kunit_suite dmac_test_suite = {
	.name = "iio_sim_dmac",
	.init = dmac_test_init,
	.exit = dmac_test_exit,
	.test_cases = dmac_test_cases,
};

kunit_test_suite(dmac_test_suite);
