// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers: that the data is right and in order, whatever the memory, the
 * number of channels and of devices, and who else has the DMABUF.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"
#include "iio_xfer.h"

#define TRANSFERS	1000
#define LEN_SCANS	(LEN / SAMPLE)
#define EMPTY		0xa5a5a5a5

FIXTURE(memory) {
	struct iio_mark mark;
	struct sim sim;
	int sims;
	int in, out;
	bool shows;
	struct ring ring;
};

FIXTURE_VARIANT(memory) {
	const char *kind;
	bool slave_sg;
};

FIXTURE_VARIANT_ADD(memory, system) { .kind = HEAP_SYSTEM };
FIXTURE_VARIANT_ADD(memory, cma) { .kind = HEAP_CMA };
FIXTURE_VARIANT_ADD(memory, udmabuf) { .kind = HEAP_UDMABUF };
FIXTURE_VARIANT_ADD(memory, scattered) { .kind = HEAP_SCATTERED };
FIXTURE_VARIANT_ADD(memory, slave_sg) { .kind = HEAP_SYSTEM, .slave_sg = true };

FIXTURE_SETUP(memory)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	self->sims = sims_live();
	ASSERT_EQ(0, sim_dma_vec(!variant->slave_sg));
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	ASSERT_EQ(0, sim_dma_vec(true));
	ASSERT_EQ(0, buffer_channels(self->sim.adc, false, 1));
	ASSERT_EQ(0, buffer_channels(self->sim.dac, true, 1));
	self->in = buffer_open(self->sim.adc, 0);
	ASSERT_LE(0, self->in);
	self->out = buffer_open(self->sim.dac, 0);
	ASSERT_LE(0, self->out);
	self->shows = shows_captures(variant->kind);
}

FIXTURE_TEARDOWN(memory)
{
	const char *left;

	ring_free(&self->ring);
	close(self->in);
	close(self->out);
	EXPECT_EQ(0, sim_remove(&self->sim));
	EXPECT_GE(self->sims, sims_live());
	left = iio_mark_left(&self->mark);
	EXPECT_EQ(NULL, left) {
		TH_LOG("left: %s", left);
	}
}

/* Where the exporter does not show what devices do there is nothing to see */
static long wrong(FIXTURE_DATA(memory) *self, struct block *block, size_t len,
		  unsigned int mask, __u32 first)
{
	return self->shows ? block_wrong(block, len, mask, first) : 0;
}

/* When the last of a round is done, so are those before it */
TEST_F(memory, captures_in_order)
{
	struct ring *ring = &self->ring;
	unsigned int n, i;

	ASSERT_EQ(0, ring_make(ring, self->in, variant->kind, 8, LEN));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	for (n = 0; n < TRANSFERS; n += 8) {
		ASSERT_EQ(0, ring_enqueue_all(ring));
		ASSERT_TRUE(ring_ready(ring, 7, SOON_MS));
		for (i = 0; i < 8; i++) {
			ASSERT_TRUE(ring_ready(ring, i, 0));
			ASSERT_EQ(0, wrong(self, &ring->block[i], LEN, 1,
					   (n + i) * LEN_SCANS)) {
				TH_LOG("transfer %u", n + i);
			}
		}
	}
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

/* As a program does it that never lets the queue run empty */
TEST_F(memory, captures_without_a_gap)
{
	struct ring *ring = &self->ring;
	unsigned int n;

	ASSERT_EQ(0, ring_make(ring, self->in, variant->kind, 8, LEN));
	ASSERT_EQ(0, ring_enqueue_all(ring));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	for (n = 0; n < TRANSFERS; n++) {
		ASSERT_TRUE(ring_ready(ring, n, SOON_MS));
		ASSERT_EQ(0, wrong(self, &ring->block[n % 8], LEN, 1,
				   n * LEN_SCANS)) {
			TH_LOG("transfer %u", n);
		}
		ASSERT_EQ(0, ring_enqueue(ring, n));
	}
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(memory, plays_without_a_gap)
{
	struct ring *ring = &self->ring;
	unsigned int n;

	ASSERT_EQ(0, ring_make(ring, self->out, variant->kind, 8, LEN));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (n = 0; n < TRANSFERS / 4; n++) {
		ASSERT_TRUE(ring_ready(ring, n, SOON_MS));
		ASSERT_EQ(0, block_fill(&ring->block[n % 8], 1, n * LEN_SCANS));
		ASSERT_EQ(0, ring_enqueue(ring, n));
	}
	for (n = 0; n < 8; n++)
		ASSERT_TRUE(ring_ready(ring, n, SOON_MS));
	EXPECT_EQ(TRANSFERS / 4 * LEN_SCANS,
		  iio_read(self->sim.dac, "checked"));
	if (self->shows) {
		EXPECT_EQ(0, iio_read(self->sim.dac, "mismatches"));
	}
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
}

/* The same data that is played comes in again */
TEST_F(memory, loopback)
{
	struct ring *ring = &self->ring, out = { 0 };
	unsigned int n;

	ASSERT_EQ(0, iio_write(self->sim.adc, "generator", "loopback"));
	ASSERT_EQ(0, ring_make(ring, self->in, variant->kind, 4, LEN));
	ASSERT_EQ(0, ring_make(&out, self->out, variant->kind, 4, LEN));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (n = 0; n < 100; n++) {
		/* Not what it would be by itself */
		ASSERT_TRUE(ring_ready(&out, n, SOON_MS));
		ASSERT_EQ(0, block_fill(&out.block[n % 4], 4, n * 12345));
		ASSERT_EQ(0, ring_enqueue(&out, n));
		ASSERT_EQ(0, ring_enqueue(ring, n));
		ASSERT_TRUE(ring_ready(ring, n, SOON_MS));
		ASSERT_EQ(0, wrong(self, &ring->block[n % 4], LEN, 4,
				   n * 12345)) {
			TH_LOG("transfer %u", n);
		}
	}
	ring_free(&out);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(memory, captures_and_plays_at_once)
{
	struct ring *ring = &self->ring, out = { 0 };
	unsigned int n;

	ASSERT_EQ(0, ring_make(ring, self->in, variant->kind, 4, LEN));
	ASSERT_EQ(0, ring_make(&out, self->out, variant->kind, 4, LEN));
	ASSERT_EQ(0, ring_enqueue_all(ring));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (n = 0; n < 100; n++) {
		ASSERT_TRUE(ring_ready(&out, n, SOON_MS));
		ASSERT_EQ(0, block_fill(&out.block[n % 4], 1, n * LEN_SCANS));
		ASSERT_EQ(0, ring_enqueue(&out, n));
		ASSERT_TRUE(ring_ready(ring, n, SOON_MS));
		ASSERT_EQ(0, wrong(self, &ring->block[n % 4], LEN, 1,
				   n * LEN_SCANS));
		ASSERT_EQ(0, ring_enqueue(ring, n));
	}
	for (n = 0; n < 4; n++)
		ASSERT_TRUE(ring_ready(&out, n, SOON_MS));
	EXPECT_EQ(100 * LEN_SCANS, iio_read(self->sim.dac, "checked"));
	if (self->shows) {
		EXPECT_EQ(0, iio_read(self->sim.dac, "mismatches"));
	}
	ring_free(&out);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

/* Not a byte more than was asked for, and the next goes on from there */
TEST_F(memory, part_of_the_memory)
{
	static const size_t lens[] = {
		4, 4096, 4092, 4100, 8192, LEN - 4, LEN,
	};
	struct block block;
	__u32 scan = 0;
	unsigned int i;

	/* One that stays, so that the buffer is in use by DMABUFs */
	ASSERT_EQ(0, ring_make(&self->ring, self->in, variant->kind, 1, LEN));
	ASSERT_EQ(0, block_make(&block, variant->kind, LEN));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		/* A bounce buffer has the contents from ATTACH on */
		ASSERT_EQ(0, block_set(&block, EMPTY));
		ASSERT_EQ(0, buffer_attach(self->in, block.fd));
		ASSERT_EQ(0, buffer_enqueue(self->in, block.fd, 0, lens[i]));
		ASSERT_TRUE(poll_in_time(block.fd, POLLOUT, SOON_MS));
		EXPECT_EQ(0, wrong(self, &block, lens[i], 1, scan));
		EXPECT_EQ(0, block_others(&block, lens[i], EMPTY)) {
			TH_LOG("%zu bytes", lens[i]);
		}
		ASSERT_EQ(0, buffer_detach(self->in, block.fd));
		scan += lens[i] / SAMPLE;
	}
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	block_free(&block);
}

/* Every set of channels, as many whole scans as there is room for */
TEST_F(iio, sets_of_channels)
{
	unsigned int mask, i;
	struct ring in = { 0 };
	size_t len;

	ASSERT_EQ(0, ring_make(&in, self->in, HEAP_SYSTEM, 2, LEN));
	for (mask = 1; mask < 16; mask++) {
		len = __builtin_popcount(mask) * SAMPLE;
		len *= LEN / len;
		ASSERT_EQ(0, buffer_channels(self->sim.adc, false, mask));
		ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, buffer_enqueue(self->in, in.block[i].fd,
						    0, len));
		for (i = 0; i < 2; i++) {
			ASSERT_TRUE(ring_ready(&in, i, SOON_MS));
			EXPECT_EQ(0, block_wrong(&in.block[i], len, mask,
						 i * (len / SAMPLE /
						 __builtin_popcount(mask)))) {
				TH_LOG("channels %x", mask);
			}
		}
		ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	}
	ring_free(&in);
}

TEST_F(iio, sets_of_channels_played)
{
	unsigned int mask;
	struct ring out = { 0 };
	size_t len;

	ASSERT_EQ(0, ring_make(&out, self->out, HEAP_SYSTEM, 1, LEN));
	for (mask = 1; mask < 16; mask++) {
		len = __builtin_popcount(mask) * SAMPLE;
		len *= LEN / len;
		ASSERT_EQ(0, buffer_channels(self->sim.dac, true, mask));
		ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
		ASSERT_EQ(0, block_fill(&out.block[0], mask, 0));
		ASSERT_EQ(0, buffer_enqueue(self->out, out.block[0].fd, 0,
					    len));
		ASSERT_TRUE(ring_ready(&out, 0, SOON_MS));
		EXPECT_EQ(len / SAMPLE, iio_read(self->sim.dac, "checked"));
		EXPECT_EQ(0, iio_read(self->sim.dac, "mismatches")) {
			TH_LOG("channels %x", mask);
		}
		ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	}
	ring_free(&out);
}

/* The counter starts when the buffer is enabled, and that is when data comes */
TEST_F(iio, waits_to_be_enabled)
{
	struct ring in = { 0 };
	int round;
	unsigned int i;

	ASSERT_EQ(0, ring_make(&in, self->in, HEAP_SYSTEM, 4, LEN));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, block_set(&in.block[i], EMPTY));
		ASSERT_EQ(0, ring_enqueue_all(&in));
		for (i = 0; i < 4; i++)
			EXPECT_FALSE(poll_in_time(in.block[i].fd, POLLIN, 5));
		EXPECT_EQ(EMPTY, in.block[0].words[0]);
		ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
		for (i = 0; i < 4; i++) {
			EXPECT_TRUE(ring_ready(&in, i, SOON_MS));
			EXPECT_EQ(0, block_wrong(&in.block[i], LEN, 1,
						 i * LEN_SCANS));
		}
		ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	}
	ring_free(&in);
}

/* By the order of ENQUEUE, not that of ATTACH or of descriptors */
TEST_F(iio, order_is_that_of_enqueue)
{
	static const unsigned int order[] = { 5, 2, 7, 0, 1, 6, 4, 3 };
	struct ring in = { 0 };
	unsigned int i;

	ASSERT_EQ(0, ring_make(&in, self->in, HEAP_SYSTEM, 8, LEN));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, ring_enqueue(&in, order[i]));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(ring_ready(&in, order[i], SOON_MS));
		EXPECT_EQ(0, block_wrong(&in.block[order[i]], LEN, 1,
					 i * LEN_SCANS));
	}
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	ring_free(&in);
}

/*
 * A converter with a rate takes its time: 2000 scans at 80 kHz are 25 ms. The rate
 * is not that which it begins with, so that what is read back was written.
 */
TEST_F(iio, rate_of_the_converter)
{
	long other = iio_read(self->sim.dac, "sampling_frequency");
	long long begun;

	ASSERT_EQ(0, iio_write(self->sim.adc, "full_speed", "0"));
	ASSERT_EQ(0, iio_write(self->sim.adc, "sampling_frequency", "80000"));
	/* Of this device, and not of the one beside it */
	EXPECT_EQ(80000, iio_read(self->sim.adc, "sampling_frequency"));
	EXPECT_EQ(other, iio_read(self->sim.dac, "sampling_frequency"));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	begun = now_ms();
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, 2000 * SAMPLE));
	ASSERT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	EXPECT_LE(23, now_ms() - begun);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

/* Both count for themselves */
TEST_F(iio, two_converters)
{
	struct ring one = { 0 }, two = { 0 };
	struct sim sim;
	unsigned int n;
	int in;

	ASSERT_EQ(0, sim_make(&sim, "second"));
	ASSERT_NE(sim.adc, self->sim.adc);
	ASSERT_EQ(0, buffer_channels(sim.adc, false, 3));
	in = buffer_open(sim.adc, 0);
	ASSERT_EQ(0, ring_make(&one, self->in, HEAP_SYSTEM, 4, LEN));
	ASSERT_EQ(0, ring_make(&two, in, HEAP_CMA, 4, LEN));
	ASSERT_EQ(0, ring_enqueue_all(&two));
	ASSERT_EQ(0, ring_enqueue_all(&one));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(sim.adc, true));
	for (n = 0; n < 100; n++) {
		ASSERT_TRUE(ring_ready(&one, n, SOON_MS));
		ASSERT_EQ(0, block_wrong(&one.block[n % 4], LEN, 1,
					 n * LEN_SCANS));
		ASSERT_EQ(0, ring_enqueue(&one, n));
		ASSERT_TRUE(ring_ready(&two, n, SOON_MS));
		ASSERT_EQ(0, block_wrong(&two.block[n % 4], LEN, 3,
					 n * LEN_SCANS / 2));
		ASSERT_EQ(0, ring_enqueue(&two, n));
	}
	ring_free(&one);
	ring_free(&two);
	close(in);
	ASSERT_EQ(0, sim_remove(&sim));
}

/* One DMABUF on two devices: the second waits for the first */
TEST_F(iio, one_dmabuf_two_converters)
{
	struct block block;
	struct sim sim;
	int in;

	ASSERT_EQ(0, block_make(&block, HEAP_SYSTEM, LEN));
	ASSERT_EQ(0, sim_make(&sim, "second"));
	ASSERT_EQ(0, buffer_channels(sim.adc, false, 2));
	in = buffer_open(sim.adc, O_NONBLOCK);
	ASSERT_EQ(0, buffer_attach(self->in, block.fd));
	ASSERT_EQ(0, buffer_attach(in, block.fd));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(sim.adc, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, block.fd, 0, LEN));
	EXPECT_EQ(-EBUSY, buffer_enqueue(in, block.fd, 0, LEN));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	ASSERT_TRUE(poll_in_time(block.fd, POLLOUT, SOON_MS));
	if (!bounced()) {
		EXPECT_EQ(0, block_wrong(&block, LEN, 1, 0));
	}
	EXPECT_EQ(0, buffer_enqueue(in, block.fd, 0, LEN));
	ASSERT_TRUE(poll_in_time(block.fd, POLLOUT, SOON_MS));
	/* Of two bounce buffers nobody can say which one is newer */
	EXPECT_EQ(0, buffer_detach(self->in, block.fd));
	EXPECT_EQ(0, block_wrong(&block, LEN, 2, 0));
	block_free(&block);
	close(in);
	ASSERT_EQ(0, sim_remove(&sim));
}

/* What was captured is played, from the same memory */
TEST_F(iio, captured_is_played)
{
	struct ring ring = { 0 };
	unsigned int n, i;

	ASSERT_EQ(0, ring_make(&ring, self->in, HEAP_SYSTEM, 4, LEN));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, buffer_attach(self->out, ring.block[i].fd));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (n = 0; n < 100; n++) {
		struct block *block = &ring.block[n % 4];

		/* Waits for playback of the last round */
		ASSERT_EQ(0, ring_enqueue(&ring, n));
		/* Carries the data across, where devices have bounce buffers */
		ASSERT_EQ(0, block_wrong(block, LEN, 1, n * LEN_SCANS));
		ASSERT_EQ(0, buf_sync(block->fd, DMA_BUF_SYNC_START |
				      DMA_BUF_SYNC_RW));
		ASSERT_EQ(0, buf_sync(block->fd, DMA_BUF_SYNC_END |
				      DMA_BUF_SYNC_RW));
		ASSERT_EQ(0, buffer_enqueue(self->out, block->fd, 0, LEN));
	}
	for (n = 0; n < 4; n++)
		ASSERT_TRUE(ring_ready(&ring, n, SOON_MS));
	EXPECT_EQ(100 * LEN_SCANS, iio_read(self->sim.dac, "checked"));
	EXPECT_EQ(0, iio_read(self->sim.dac, "mismatches"));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	ring_free(&ring);
}

/* Playback of what is being captured waits, and the other way round */
TEST_F(iio, capture_and_playback_take_turns)
{
	struct caller play = {
		.call = call_enqueue, .fd = self->out, .other = self->a,
		.flags = LEN,
	};
	struct caller capture = {
		.call = call_enqueue, .fd = self->in, .other = self->a,
		.flags = LEN,
	};

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, caller_start(&play));
	EXPECT_TRUE(caller_waits(&play));
	EXPECT_EQ(0, iio_read(self->sim.dac, "checked"));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	EXPECT_EQ(0, caller_join(&play));
	ASSERT_EQ(0, caller_start(&capture));
	EXPECT_TRUE(caller_waits(&capture));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 0));
	EXPECT_EQ(0, caller_join(&capture));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
	EXPECT_EQ(LEN_SCANS, iio_read(self->sim.dac, "checked"));
}

static int other_process(int sock)
{
	struct block block = { .fd = recv_fd(sock), .len = LEN };
	int ret = 0;

	block.words = buf_map(block.fd, LEN);
	if (block.fd < 0 || !block.words)
		return 1;
	if (poll_in_time(block.fd, POLLIN, 0))
		ret = 2;
	if (write(sock, "", 1) != 1)
		ret = 3;
	if (!ret && !poll_in_time(block.fd, POLLIN, SOON_MS))
		ret = 4;
	if (!ret && block_wrong(&block, LEN, 1, 0))
		ret = 5;
	return ret;
}

/* Passed on while it is captured into, to somebody who waits for the end */
TEST_F(iio, another_process)
{
	int socks[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(other_process(socks[1]));
	close(socks[1]);
	ASSERT_EQ(0, send_fd(socks[0], self->a));
	EXPECT_EQ(1, read(socks[0], &byte, 1));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	EXPECT_EQ(0, child_status(pid));
	close(socks[0]);
}

/* A driver that imports it meanwhile, and what that exports again, see it */
TEST_F(iio, imported_while_captured_into)
{
	int vgem = vgem_open(), again, fence;
	__u32 handle;

	ASSERT_LE(0, vgem);
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, vgem_import(vgem, self->a, &handle));
	again = vgem_export(vgem, handle);
	ASSERT_LE(0, again);
	EXPECT_FALSE(poll_in_time(again, POLLIN, 0));
	fence = fence_of(again, DMA_BUF_SYNC_READ);
	EXPECT_EQ(0, fence_status(fence));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	EXPECT_TRUE(poll_in_time(again, POLLIN, SOON_MS));
	EXPECT_EQ(1, fence_result(fence, SOON_MS));
	close(fence);
	close(again);
	close(vgem);
}

static size_t read_all(int fd, __u32 *words, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, (char *)words + done, len - done);
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

/* read(), DMABUFs and read() again, each with the buffer disabled between */
TEST_F(iio, read_and_dmabufs_take_turns)
{
	static __u32 words[LEN_SCANS];
	struct block block;
	int round;

	ASSERT_EQ(0, block_make(&block, HEAP_SYSTEM, LEN));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
		ASSERT_EQ(LEN, read_all(self->in, words, LEN));
		EXPECT_EQ(0, counter_check(words, LEN, 1, 0));
		ASSERT_EQ(-EBUSY, buffer_attach(self->in, block.fd));
		ASSERT_EQ(0, buffer_enable(self->sim.adc, false));

		ASSERT_EQ(0, buffer_attach(self->in, block.fd));
		ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
		EXPECT_EQ(-1, read(self->in, words, LEN));
		EXPECT_EQ(EBUSY, errno);
		ASSERT_EQ(0, buffer_enqueue(self->in, block.fd, 0, LEN));
		ASSERT_TRUE(poll_in_time(block.fd, POLLOUT, SOON_MS));
		EXPECT_EQ(0, block_wrong(&block, LEN, 1, 0));
		ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
		ASSERT_EQ(0, buffer_detach(self->in, block.fd));
	}
	block_free(&block);
}

TEST_HARNESS_MAIN
