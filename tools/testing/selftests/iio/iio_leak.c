// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred thousand transfers of a few samples, of which each is looked at: all
 * of them arrive, in order, and nothing else is left of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_test.h"
#include "iio_xfer.h"

/* So little that no kernel is too slow for all of it */
#define LEN		256
#define LEN_SCANS	(LEN / SAMPLE)
#define BLOCKS		8
#define ROUNDS		12500
#define WARM		500

#define LIVES		4000

/* Of LIVES, and how long it takes more of them */
#define ENOUGH		20
#define ENOUGH_MS	25000

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* What the rest of the system may take meanwhile; objects with its caches */
#define OTHERS_KIB	(4 * KIB)
#define OTHERS		2000

/*
 * A kernel that looks for leaks itself keeps back what was freed, for a long
 * time, and its numbers say nothing.
 */
static bool numbers_count(void)
{
	return access(KMEMLEAK, F_OK) != 0;
}

/* Objects of kmalloc(), of all sizes */
static long objects(void)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[LINE_LEN];
	long sum = 0, n;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "kmalloc-%*s %ld", &n) == 1)
			sum += n;
	fclose(file);
	return sum;
}

FIXTURE(leak) {
	struct iio_mark mark;
	struct sim sim;
	int device, buffer;
	struct ring ring;
};

FIXTURE_VARIANT(leak) {
	bool out;
};

FIXTURE_VARIANT_ADD(leak, capture) {
	.out = false,
};

FIXTURE_VARIANT_ADD(leak, playback) {
	.out = true,
};

FIXTURE_SETUP(leak)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	self->device = variant->out ? self->sim.dac : self->sim.adc;
	ASSERT_EQ(0, buffer_channels(self->device, variant->out, 1));
	self->buffer = buffer_open(self->device, 0);
	ASSERT_LE(0, self->buffer);
	ASSERT_EQ(0, ring_make(&self->ring, self->buffer, HEAP_SYSTEM, BLOCKS,
			       LEN));
	ASSERT_EQ(0, iio_write(self->device,
			       variant->out ? "checker" : "generator",
			       "counter"));
	ASSERT_EQ(0, buffer_enable(self->device, true));
}

FIXTURE_TEARDOWN(leak)
{
	const char *left;

	ring_free(&self->ring);
	close(self->buffer);
	EXPECT_EQ(0, sim_remove(&self->sim));
	left = iio_mark_left(&self->mark);
	EXPECT_EQ(NULL, left) {
		TH_LOG("left: %s", left);
	}
}

/* All blocks once; whether the last one's end is the end of all */
static bool one_round(struct ring *ring)
{
	unsigned int i;

	if (ring_enqueue_all(ring) || !ring_ready(ring, BLOCKS - 1, SOON_MS))
		return false;
	for (i = 0; i < BLOCKS; i++)
		if (!ring_ready(ring, i, 0))
			return false;
	return true;
}

/* What a round captured: in the order of its transfers, from @scan on */
static long capture_wrong(struct ring *ring, __u32 scan)
{
	long wrong = 0;
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		wrong += block_wrong(&ring->block[i], LEN, 1,
				     scan + i * LEN_SCANS);
	return wrong;
}

/* What a round is to play, likewise */
static bool play_fill(struct ring *ring, __u32 scan)
{
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		if (block_fill(&ring->block[i], 1, scan + i * LEN_SCANS))
			return false;
	return true;
}

/* Fences are freed by RCU, so some of the last ones may still be there */
static bool back_to(long (*number)(void), long most)
{
	long long end = now_ms() + SOON_MS;

	while (number() > most) {
		if (now_ms() > end)
			return false;
		sleep_ms(20);
	}
	return true;
}

/*
 * KiB that were ever allocated less those ever freed: good for differences. What
 * /proc/meminfo has does not count the free pages in the lists of each CPU, and
 * they come and go by megabytes.
 */
static long memory_taken(void)
{
	return (vmstat_sum("pgalloc_") - vmstat_sum("pgfree")) *
	       (long)(PAGE / KIB);
}

TEST_F_TIMEOUT(leak, transfers, 300)
{
	long fences, before = 0, taken = 0;
	unsigned int n;
	__u32 scan = 0;

	for (n = 0; n < ROUNDS; n++) {
		/* When all that is allocated once is */
		if (n == WARM) {
			before = objects();
			ASSERT_LT(0, before);
			taken = memory_taken();
		}
		if (variant->out)
			ASSERT_TRUE(play_fill(&self->ring, scan));
		ASSERT_TRUE(one_round(&self->ring));
		if (!variant->out)
			ASSERT_EQ(0, capture_wrong(&self->ring, scan));
		scan += BLOCKS * LEN_SCANS;
	}
	if (variant->out) {
		EXPECT_EQ((long)n * BLOCKS * LEN_SCANS,
			  iio_read(self->device, "checked"));
		EXPECT_EQ(0, iio_read(self->device, "mismatches"));
	}
	fences = iio_fences_made() - self->mark.made;
	EXPECT_EQ((long)n * BLOCKS, fences);
	EXPECT_EQ(fences, iio_fences_signalled() - self->mark.signalled);
	EXPECT_EQ(self->mark.buffers + BLOCKS, buffers_live());
	if (!numbers_count())
		return;
	EXPECT_TRUE(back_to(objects, before + OTHERS)) {
		TH_LOG("objects: %ld, were %ld", objects(), before);
	}
	EXPECT_TRUE(back_to(memory_taken, taken + OTHERS_KIB)) {
		TH_LOG("%ld KiB more than before", memory_taken() - taken);
	}
}

/* After @n lives: a kernel that looks for leaks itself is slow, and lives less */
static bool goes_on(unsigned int n, long long end)
{
	if (numbers_count())
		return n < LIVES;
	return n <= LIVES / ENOUGH || (n < LIVES && now_ms() < end);
}

/* Whole lives: attach, transfer, detach and close, of a new buffer each time */
TEST_F_TIMEOUT(leak, lives, 120)
{
	long long end = now_ms() + ENOUGH_MS;
	long live = buffers_live(), before = 0;
	unsigned int n;

	for (n = 0; goes_on(n, end); n++) {
		int fd = memory(HEAP_SYSTEM, LEN);

		if (n == LIVES / ENOUGH)
			before = objects();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, buffer_attach(self->buffer, fd));
		ASSERT_EQ(0, buffer_enqueue(self->buffer, fd, 0, LEN));
		if (n % 2)
			ASSERT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
		ASSERT_EQ(0, buffer_detach(self->buffer, fd));
		close(fd);
	}
	EXPECT_TRUE(back_to(buffers_live, live));
	if (!numbers_count())
		return;
	EXPECT_TRUE(back_to(objects, before + OTHERS)) {
		TH_LOG("objects: %ld, were %ld", objects(), before);
	}
}

TEST_HARNESS_MAIN
