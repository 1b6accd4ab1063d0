// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a transfer says about itself: poll(), SYNC and sync_files while it is
 * under way and when it has ended, well or not; and what it waits for itself.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <linux/sync_file.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"
#include "iio_xfer.h"

#define LEN_SCANS	(LEN / SAMPLE)
#define EMPTY		0xa5a5a5a5

/* One direction of a converter that holds its transfers, and three blocks */
FIXTURE(dir) {
	struct iio_mark mark;
	struct sim sim;
	int device, buffer;
	struct ring ring;
};

FIXTURE_VARIANT(dir) {
	bool out;
	const char *chan;
};

FIXTURE_VARIANT_ADD(dir, capture) { .out = false, .chan = "rx" };
FIXTURE_VARIANT_ADD(dir, playback) { .out = true, .chan = "tx" };

FIXTURE_SETUP(dir)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	self->device = variant->out ? self->sim.dac : self->sim.adc;
	ASSERT_EQ(0, buffer_channels(self->device, variant->out, 1));
	self->buffer = buffer_open(self->device, 0);
	ASSERT_LE(0, self->buffer);
	ASSERT_EQ(0, ring_make(&self->ring, self->buffer, HEAP_SYSTEM, 3, LEN));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 1));
	ASSERT_EQ(0, buffer_enable(self->device, true));
}

FIXTURE_TEARDOWN(dir)
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

/* Nobody writes what is played: it may be read meanwhile */
TEST_F(dir, poll_before_and_after)
{
	int fd = self->ring.block[0].fd;

	EXPECT_TRUE(poll_in_time(fd, POLLIN | POLLOUT, 0));
	ASSERT_EQ(0, ring_enqueue(&self->ring, 0));
	EXPECT_EQ(variant->out, poll_in_time(fd, POLLIN, 20));
	EXPECT_FALSE(poll_in_time(fd, POLLOUT, 20));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	EXPECT_TRUE(poll_in_time(fd, POLLIN | POLLOUT, 0));
}

TEST_F(dir, sync_file_before_and_after)
{
	int fd = self->ring.block[0].fd, writers, all, later;

	ASSERT_EQ(0, ring_enqueue(&self->ring, 0));
	writers = fence_of(fd, DMA_BUF_SYNC_READ);
	all = fence_of(fd, DMA_BUF_SYNC_RW);
	EXPECT_EQ(variant->out, fence_result(writers, 20));
	EXPECT_EQ(0, fence_result(all, 20));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_EQ(1, fence_result(writers, SOON_MS));
	EXPECT_EQ(1, fence_result(all, SOON_MS));
	later = fence_of(fd, DMA_BUF_SYNC_RW);
	EXPECT_EQ(1, fence_status(later));
	close(writers);
	close(all);
	close(later);
}

/* SYNC waits for who is in its way, and for nobody else */
TEST_F(dir, sync_waits)
{
	struct caller caller = {
		.call = call_sync,
		.fd = self->ring.block[0].fd,
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};

	ASSERT_EQ(0, ring_enqueue(&self->ring, 0));
	if (variant->out) {
		EXPECT_EQ(0, buf_sync(caller.fd, DMA_BUF_SYNC_START |
				      DMA_BUF_SYNC_READ));
		EXPECT_EQ(0, buf_sync(caller.fd, DMA_BUF_SYNC_END |
				      DMA_BUF_SYNC_READ));
	}
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	EXPECT_FALSE(caller_done(&caller, 20));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_EQ(0, caller_join(&caller));
	EXPECT_TRUE(poll_in_time(caller.fd, POLLOUT, 0));
	EXPECT_EQ(0, buf_sync(caller.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

/* Three transfers; the sync_files tell of each */
static void three(struct __test_metadata *_metadata, FIXTURE_DATA(dir) *self,
		  int *fences)
{
	int i;

	ASSERT_EQ(0, ring_enqueue_all(&self->ring));
	for (i = 0; i < 3; i++) {
		fences[i] = fence_of(self->ring.block[i].fd, DMA_BUF_SYNC_RW);
		ASSERT_LE(0, fences[i]);
		ASSERT_EQ(0, fence_status(fences[i]));
	}
}

static void close_all(int *fences)
{
	int i;

	for (i = 0; i < 3; i++)
		close(fences[i]);
}

/* And the one that failed can be used again at once */
static void again(struct __test_metadata *_metadata, FIXTURE_DATA(dir) *self,
		  unsigned int n)
{
	int fence = -1;

	ASSERT_EQ(0, buffer_enable(self->device, false));
	ASSERT_EQ(0, ring_enqueue(&self->ring, n));
	fence = fence_of(self->ring.block[n].fd, DMA_BUF_SYNC_RW);
	ASSERT_EQ(0, buffer_enable(self->device, true));
	EXPECT_EQ(1, fence_result(fence, SOON_MS));
	close(fence);
}

TEST_F(dir, all_well)
{
	int fences[3], i;

	three(_metadata, self, fences);
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, fence_result(fences[i], SOON_MS));
	close_all(fences);
}

/* The first of three fails; nothing else does */
TEST_F(dir, one_fails)
{
	int fences[3];

	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "fail_transfers", 1));
	three(_metadata, self, fences);
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_EQ(-EIO, fence_result(fences[0], SOON_MS));
	EXPECT_EQ(1, fence_result(fences[1], SOON_MS));
	EXPECT_EQ(1, fence_result(fences[2], SOON_MS));
	EXPECT_EQ(0, sim_faults_left(&self->sim, variant->chan,
				     "fail_transfers"));
	close_all(fences);
	again(_metadata, self, 0);
}

TEST_F(dir, one_is_short)
{
	int fences[3];

	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "short_residue", 64));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "short_transfers",
			       1));
	three(_metadata, self, fences);
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_EQ(-ENODATA, fence_result(fences[0], SOON_MS));
	EXPECT_EQ(1, fence_result(fences[1], SOON_MS));
	EXPECT_EQ(1, fence_result(fences[2], SOON_MS));
	close_all(fences);
	again(_metadata, self, 0);
}

TEST_F(dir, all_aborted)
{
	int fences[3], i;

	three(_metadata, self, fences);
	ASSERT_EQ(0, buffer_enable(self->device, false));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EINTR, fence_result(fences[i], SOON_MS));
	close_all(fences);
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	ASSERT_EQ(0, buffer_enable(self->device, true));
	again(_metadata, self, 0);
}

/* Not started, and then refused by the driver when the buffer is enabled */
TEST_F(dir, refused_at_the_start)
{
	static const char * const faults[] = { "fail_prep", "fail_submit" };
	int fences[3], i;

	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, buffer_enable(self->device, false));
		three(_metadata, self, fences);
		ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, faults[i],
				       1));
		ASSERT_EQ(0, buffer_enable(self->device, true));
		EXPECT_EQ(-EIO, fence_result(fences[0], SOON_MS)) {
			TH_LOG("%s", faults[i]);
		}
		EXPECT_EQ(1, fence_result(fences[1], SOON_MS));
		EXPECT_EQ(1, fence_result(fences[2], SOON_MS));
		close_all(fences);
	}
}

/* In time, too, they end in the order in which they were enqueued */
TEST_F(dir, fences_in_order)
{
	struct sync_fence_info info[3];
	int fences[3], i;

	three(_metadata, self, fences);
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_EQ(1, fence_result(fences[2], SOON_MS));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, fence_info(fences[i], &info[i]));
		EXPECT_EQ(1, info[i].status);
		EXPECT_STREQ("iio", info[i].driver_name);
		EXPECT_NE(0, info[i].timestamp_ns);
	}
	EXPECT_LE(info[0].timestamp_ns, info[1].timestamp_ns);
	EXPECT_LE(info[1].timestamp_ns, info[2].timestamp_ns);
	close_all(fences);
}

/* Several in one sync_file: the last one decides, and an error is kept */
TEST_F(dir, merged)
{
	int fences[3], merged, all;

	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "fail_transfers", 1));
	three(_metadata, self, fences);
	merged = fence_merge(fences[0], fences[1]);
	all = fence_merge(merged, fences[2]);
	ASSERT_LE(0, all);
	EXPECT_EQ(0, fence_result(all, 20));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	EXPECT_TRUE(poll_in_time(all, POLLIN, SOON_MS));
	EXPECT_EQ(-EIO, fence_status(fences[0]));
	EXPECT_EQ(1, fence_status(fences[1]));
	EXPECT_EQ(1, fence_status(fences[2]));
	EXPECT_EQ(-EIO, fence_status(all));
	close(merged);
	close(all);
	close_all(fences);
}

/* A sync_file stays good when all that it came from is gone */
TEST_F(dir, outlives_all)
{
	struct sync_fence_info info;
	struct sim sim;
	int fences[3];

	three(_metadata, self, fences);
	ring_free(&self->ring);
	close(self->buffer);
	self->buffer = -1;
	ASSERT_EQ(0, sim_remove(&self->sim));
	EXPECT_EQ(-EINTR, fence_result(fences[0], SOON_MS));
	EXPECT_EQ(-EINTR, fence_result(fences[2], SOON_MS));
	/* Memory that was theirs is somebody else's now */
	ASSERT_EQ(0, sim_make(&sim, "next"));
	EXPECT_EQ(0, fence_info(fences[1], &info));
	EXPECT_EQ(-EINTR, info.status);
	close_all(fences);
	self->sim = sim;
}

/* What came before the end is there, and nothing after it */
TEST_F(iio, short_capture)
{
	struct block block;

	ASSERT_EQ(0, block_make(&block, HEAP_SYSTEM, LEN));
	ASSERT_EQ(0, block_set(&block, EMPTY));
	ASSERT_EQ(0, buffer_attach(self->in, block.fd));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "short_residue", 5000));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "short_transfers", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, block.fd, 0, LEN));
	ASSERT_TRUE(poll_in_time(block.fd, POLLOUT, SOON_MS));
	EXPECT_EQ(0, block_wrong(&block, LEN - 5000, 1, 0));
	EXPECT_EQ(0, block_others(&block, LEN - 5000, EMPTY));
	block_free(&block);
}

/* Others hold an ENQUEUE up until they are done, and that is seen by poll() */
static void foreign(struct __test_metadata *_metadata, FIXTURE_DATA(dir) *self,
		    const char *chan, int timeline, int fence)
{
	struct caller caller = {
		.call = call_enqueue,
		.fd = self->buffer,
		.other = self->ring.block[0].fd,
		.flags = LEN,
	};

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, sim_fault(&self->sim, chan, "hold", 0));
	ASSERT_EQ(0, buf_add_fence(caller.other, DMA_BUF_SYNC_WRITE, fence));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	/* In front of nobody else */
	EXPECT_EQ(0, ring_enqueue(&self->ring, 1));
	EXPECT_TRUE(ring_ready(&self->ring, 1, SOON_MS));
	EXPECT_FALSE(caller_done(&caller, 0));
	if (timeline >= 0)
		EXPECT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(0, caller_join(&caller));
	EXPECT_TRUE(ring_ready(&self->ring, 0, SOON_MS));
}

TEST_F(dir, waits_for_others)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);

	foreign(_metadata, self, variant->chan, timeline, fence);
	close(fence);
	close(timeline);
}

/* What others wait for comes never, as theirs has failed: as good as done */
TEST_F(dir, others_fail)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	int fd = self->ring.block[0].fd;

	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 0));
	ASSERT_EQ(0, fcntl(self->buffer, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, buf_add_fence(fd, DMA_BUF_SYNC_WRITE, fence));
	EXPECT_EQ(-EBUSY, ring_enqueue(&self->ring, 0));
	close(timeline);
	EXPECT_EQ(-ENOENT, fence_result(fence, SOON_MS));
	EXPECT_EQ(0, ring_enqueue(&self->ring, 0));
	EXPECT_TRUE(ring_ready(&self->ring, 0, SOON_MS));
	close(fence);
}

/* A DETACH, or the end of the device, while ENQUEUE waits for others */
TEST_F(dir, detached_while_it_waits)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	struct caller caller = {
		.call = call_enqueue,
		.fd = self->buffer,
		.other = self->ring.block[0].fd,
		.flags = LEN,
	};

	ASSERT_EQ(0, buf_add_fence(caller.other, DMA_BUF_SYNC_WRITE, fence));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	EXPECT_EQ(0, buffer_detach(self->buffer, caller.other));
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(-EPERM, caller_join(&caller));
	EXPECT_TRUE(ring_ready(&self->ring, 0, 0));
	close(fence);
	close(timeline);
}

TEST_F(dir, unbound_while_it_waits)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	struct caller caller = {
		.call = call_enqueue,
		.fd = self->buffer,
		.other = self->ring.block[0].fd,
		.flags = LEN,
	};
	struct sim sim;

	ASSERT_EQ(0, buf_add_fence(caller.other, DMA_BUF_SYNC_WRITE, fence));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	EXPECT_EQ(0, sim_remove(&self->sim));
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(-ENODEV, caller_join(&caller));
	close(fence);
	close(timeline);
	ASSERT_EQ(0, sim_make(&sim, "next"));
	self->sim = sim;
}

TEST_HARNESS_MAIN
