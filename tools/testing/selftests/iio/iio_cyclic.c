// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cyclic playback: that it repeats, that nothing but its end ends it, and that
 * each of its ends does. What is played is captured by loopback and looked at.
 */
#include <fcntl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"
#include "iio_xfer.h"

#define CYCLIC		IIO_BUFFER_DMABUF_CYCLIC
#define LEN_SCANS	(LEN / SAMPLE)
#define ROUNDS		100

/* First words of what is played, which nothing else begins with */
#define SEED		0x1000
#define SEED_NEXT	0x9000

/*
 * Two blocks to play and four that capture what is played. Memory in one piece
 * may be one descriptor for the DMA, memory in pieces is several.
 */
FIXTURE(cyclic) {
	struct iio_mark mark;
	int sims;
	struct sim sim;
	int in, out;
	struct ring heard;
	struct ring played;
	/* Of the cyclic transfer, and captures that were looked at */
	int fence;
	unsigned int seen;
};

FIXTURE_VARIANT(cyclic) {
	const char *kind;
};

FIXTURE_VARIANT_ADD(cyclic, contiguous) { .kind = HEAP_CMA };
FIXTURE_VARIANT_ADD(cyclic, scattered) { .kind = HEAP_SCATTERED };

FIXTURE_SETUP(cyclic)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	self->fence = -1;
	self->sims = sims_live();
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	ASSERT_EQ(0, iio_write(self->sim.adc, "generator", "loopback"));
	ASSERT_EQ(0, buffer_channels(self->sim.adc, false, 1));
	ASSERT_EQ(0, buffer_channels(self->sim.dac, true, 1));
	self->in = buffer_open(self->sim.adc, 0);
	ASSERT_LE(0, self->in);
	self->out = buffer_open(self->sim.dac, 0);
	ASSERT_LE(0, self->out);
	ASSERT_EQ(0, ring_make(&self->heard, self->in, HEAP_SYSTEM, 4, LEN));
	/* To be filled first: see what a bounce buffer does */
	self->played.buffer = self->out;
	self->played.count = 2;
	ASSERT_EQ(0, block_make(&self->played.block[0], variant->kind, LEN));
	ASSERT_EQ(0, block_make(&self->played.block[1], variant->kind, LEN));
	ASSERT_EQ(0, block_fill(&self->played.block[0], 1, SEED));
	ASSERT_EQ(0, block_fill(&self->played.block[1], 1, SEED_NEXT));
	ASSERT_EQ(0, buffer_attach(self->out, self->played.block[0].fd));
	ASSERT_EQ(0, buffer_attach(self->out, self->played.block[1].fd));
	ASSERT_EQ(0, ring_enqueue_all(&self->heard));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
}

FIXTURE_TEARDOWN(cyclic)
{
	const char *left;

	if (self->fence >= 0)
		close(self->fence);
	ring_free(&self->heard);
	ring_free(&self->played);
	close(self->in);
	if (self->out >= 0)
		close(self->out);
	if (self->sim.dma[0])
		EXPECT_EQ(0, sim_remove(&self->sim));
	EXPECT_GE(self->sims, sims_live());
	left = iio_mark_left(&self->mark);
	EXPECT_EQ(NULL, left) {
		TH_LOG("left: %s", left);
	}
}

/* Play the first block for ever, from now on if the buffer is enabled */
static void start(struct __test_metadata *_metadata,
		  FIXTURE_DATA(cyclic) *self, size_t len)
{
	int fd = self->played.block[0].fd;

	ASSERT_EQ(0, buffer_enqueue(self->out, fd, CYCLIC, len));
	self->fence = fence_of(fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, self->fence);
	ASSERT_EQ(0, fence_status(self->fence));
}

/* The next capture, and how many words of it are not those from @first on */
static long hear(FIXTURE_DATA(cyclic) *self, __u32 first)
{
	unsigned int n = self->seen++;
	long wrong;
	int ret;

	if (!ring_ready(&self->heard, n, SOON_MS))
		return -ETIMEDOUT;
	wrong = block_wrong(&self->heard.block[n % 4], LEN, 1, first);
	ret = ring_enqueue(&self->heard, n);
	return ret ? ret : wrong;
}

/* Listen until a fence signals: what is in the fifo must be captured first */
static void hear_until(FIXTURE_DATA(cyclic) *self, int fence)
{
	unsigned int n;

	for (n = 0; n < 64 && !fence_status(fence); n++)
		if (hear(self, SEED) == -ETIMEDOUT)
			break;
}

/* Goes on and on, all of it right, and says that it is not done */
static void repeats(struct __test_metadata *_metadata,
		    FIXTURE_DATA(cyclic) *self, unsigned int rounds)
{
	unsigned int n;

	for (n = 0; n < rounds; n++) {
		ASSERT_EQ(0, hear(self, SEED)) {
			TH_LOG("round %u", n);
		}
		ASSERT_EQ(0, fence_status(self->fence));
	}
}

TEST_F(cyclic, repeats)
{
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, ROUNDS);
}

/* Enqueued before, it starts with the buffer */
TEST_F(cyclic, waits_to_be_enabled)
{
	start(_metadata, self, LEN);
	EXPECT_FALSE(ring_ready(&self->heard, 0, 20));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	repeats(_metadata, self, ROUNDS / 4);
}

/* A round is what was asked for, not all there is */
TEST_F(cyclic, part_of_the_memory)
{
	size_t len = LEN / 4 * 3;
	__u32 *words, i, wrong = 0;
	unsigned int n, word = 0;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, len);
	for (n = 0; n < ROUNDS / 4; n++) {
		struct block *block = &self->heard.block[n % 4];

		ASSERT_TRUE(ring_ready(&self->heard, n, SOON_MS));
		ASSERT_EQ(0, buf_sync(block->fd, DMA_BUF_SYNC_START |
				      DMA_BUF_SYNC_READ));
		words = block->words;
		for (i = 0; i < LEN_SCANS; i++, word++)
			wrong += words[i] != SEED + word % (len / SAMPLE);
		ASSERT_EQ(0, buf_sync(block->fd, DMA_BUF_SYNC_END |
				      DMA_BUF_SYNC_READ));
		ASSERT_EQ(0, wrong);
		ASSERT_EQ(0, ring_enqueue(&self->heard, n));
	}
}

/* It is being read, for ever; nobody writes it */
TEST_F(cyclic, poll)
{
	int fd = self->played.block[0].fd;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	EXPECT_TRUE(poll_in_time(fd, POLLIN, 0));
	EXPECT_FALSE(poll_in_time(fd, POLLOUT, 50));
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->out, fd, CYCLIC, LEN));
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->out, fd, 0, LEN));
	repeats(_metadata, self, 8);
}

TEST_F(cyclic, ends_by_disable)
{
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
	/* Both kinds are possible after it */
	close(self->fence);
	start(_metadata, self, LEN);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	EXPECT_EQ(0, fence_result(self->fence, 50));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
}

TEST_F(cyclic, ends_by_detach)
{
	int fd = self->played.block[0].fd;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
	ASSERT_EQ(0, buffer_detach(self->out, fd));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, 0));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->out, fd, CYCLIC, LEN));
	close(self->fence);
	ASSERT_EQ(0, buffer_attach(self->out, fd));
	start(_metadata, self, LEN);
	EXPECT_EQ(0, fence_result(self->fence, 50));
}

TEST_F(cyclic, ends_by_close)
{
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
	close(self->out);
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
	EXPECT_TRUE(ring_ready(&self->played, 0, 0));
	self->out = buffer_open(self->sim.dac, 0);
	ASSERT_LE(0, self->out);
	close(self->fence);
	ASSERT_EQ(0, buffer_attach(self->out, self->played.block[0].fd));
	start(_metadata, self, LEN);
	EXPECT_EQ(0, fence_result(self->fence, 50));
}

TEST_F(cyclic, ends_by_unbind)
{
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
	EXPECT_EQ(0, remove_now(&self->sim));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
}

/* Nobody listens, and it stands still in the middle of a round */
TEST_F(cyclic, ends_when_stalled)
{
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	ASSERT_TRUE(ring_ready(&self->heard, 3, SOON_MS));
	EXPECT_EQ(0, fence_result(self->fence, 50));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
}

/* Another one has its turn when this one has ended, and is heard then */
TEST_F(cyclic, another_waits)
{
	int fd = self->played.block[1].fd, fence;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	ASSERT_EQ(0, buffer_enqueue(self->out, fd, 0, LEN));
	fence = fence_of(fd, DMA_BUF_SYNC_RW);
	repeats(_metadata, self, 16);
	EXPECT_EQ(0, fence_result(fence, 20));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->out, fd, 0, LEN));
	ASSERT_EQ(0, buffer_detach(self->out, self->played.block[0].fd));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
	hear_until(self, fence);
	EXPECT_EQ(1, fence_result(fence, SOON_MS));
	close(fence);
}

/* The rounds from @first on, wherever in one of them the capture begins */
static bool is_round(struct block *block, __u32 first)
{
	__u32 begin = block->words[0] - first;

	if (begin >= LEN_SCANS)
		return false;
	return !counter_check(block->words, (LEN_SCANS - begin) * SAMPLE, 1,
			      first + begin) &&
	       !counter_check(block->words + LEN_SCANS - begin, begin * SAMPLE,
			      1, first);
}

/* What was played before is in the fifo and in some captures */
static bool comes_to(FIXTURE_DATA(cyclic) *self, __u32 first)
{
	struct block *block;
	bool found = false;
	unsigned int n;
	int i;

	for (i = 0; i < 16 && !found; i++) {
		n = self->seen++;
		block = &self->heard.block[n % 4];
		if (!ring_ready(&self->heard, n, SOON_MS) ||
		    buf_sync(block->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
			return false;
		found = is_round(block, first);
		if (buf_sync(block->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ) ||
		    ring_enqueue(&self->heard, n))
			return false;
	}
	return found;
}

/* And so has another cyclic one */
TEST_F(cyclic, another_cyclic_waits)
{
	int fd = self->played.block[1].fd, fence;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	ASSERT_EQ(0, buffer_enqueue(self->out, fd, CYCLIC, LEN));
	fence = fence_of(fd, DMA_BUF_SYNC_RW);
	EXPECT_EQ(0, fence_result(fence, 20));
	ASSERT_EQ(0, buffer_detach(self->out, self->played.block[0].fd));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
	EXPECT_TRUE(comes_to(self, SEED_NEXT));
	EXPECT_TRUE(comes_to(self, SEED_NEXT));
	EXPECT_EQ(0, fence_status(fence));
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->out, fd, CYCLIC, LEN));
	ASSERT_EQ(0, buffer_detach(self->out, fd));
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	close(fence);
}

/* After one that ends by itself: first that, whole, then this */
TEST_F(cyclic, after_another)
{
	int fd = self->played.block[1].fd;

	ASSERT_EQ(0, buffer_enqueue(self->out, fd, 0, LEN));
	start(_metadata, self, LEN);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	EXPECT_EQ(0, hear(self, SEED_NEXT));
	repeats(_metadata, self, ROUNDS / 4);
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, 0));
}

TEST_F(cyclic, with_delay)
{
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "delay_us", 2000));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, ROUNDS / 4);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
}

/* In a round that is held it can be ended as well */
TEST_F(cyclic, held)
{
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	EXPECT_EQ(0, hear(self, SEED));
	EXPECT_FALSE(ring_ready(&self->heard, 1, 20));
	ASSERT_EQ(0, buffer_detach(self->out, self->played.block[0].fd));
	EXPECT_EQ(-EINTR, fence_result(self->fence, SOON_MS));
}

/* A round that fails is the last one, and what waits is played */
static void fails(struct __test_metadata *_metadata,
		  FIXTURE_DATA(cyclic) *self, const char *fault, int expected)
{
	int fd = self->played.block[1].fd, fence;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
	ASSERT_EQ(0, buffer_enqueue(self->out, fd, 0, LEN));
	fence = fence_of(fd, DMA_BUF_SYNC_RW);
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "short_residue", 64));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", fault, 1));
	hear_until(self, self->fence);
	EXPECT_EQ(expected, fence_result(self->fence, SOON_MS));
	hear_until(self, fence);
	EXPECT_EQ(1, fence_result(fence, SOON_MS));
	close(fence);
	/* And it can be started again */
	close(self->fence);
	start(_metadata, self, LEN);
	EXPECT_EQ(0, fence_result(self->fence, 50));
}

TEST_F(cyclic, fails)
{
	fails(_metadata, self, "fail_transfers", -EIO);
}

TEST_F(cyclic, is_short)
{
	fails(_metadata, self, "short_transfers", -ENODATA);
}

/* Cannot be started: said at once, and nothing stays behind */
TEST_F(cyclic, refused)
{
	static const char * const faults[] = { "fail_prep", "fail_submit" };
	int fd = self->played.block[0].fd, i;

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (i = 0; i < 2; i++) {
		/* What is in one piece is tried in two ways */
		ASSERT_EQ(0, sim_fault(&self->sim, "tx", faults[i], 2));
		EXPECT_EQ(-EIO, buffer_enqueue(self->out, fd, CYCLIC, LEN)) {
			TH_LOG("%s", faults[i]);
		}
		ASSERT_EQ(0, sim_fault(&self->sim, "tx", faults[i], 0));
		EXPECT_TRUE(poll_in_time(fd, POLLOUT, 0));
	}
	start(_metadata, self, LEN);
	repeats(_metadata, self, 8);
}

TEST_HARNESS_MAIN
