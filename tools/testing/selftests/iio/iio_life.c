// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends of all kinds: each way in which a buffer, a DMABUF, a device or a
 * process goes away, with transfers that are under way, that wait behind
 * another, and that wait for the buffer to be enabled. Every fence signals with
 * what became of its transfer, and all memory comes back.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_test.h"
#include "iio_xfer.h"

#define LEN		(16 * KIB)

/* What a fence says: nothing yet, or as fence_status() has it */
#define PENDING		0
#define DONE		1

/*
 * One direction with two transfers, of ring.block[0] and [1], and a sync_file
 * of each. The converter holds what it has got.
 */
FIXTURE(life) {
	struct iio_mark mark;
	int sims;
	struct sim sim;
	int device, buffer;
	struct ring ring;
	int fence[2];
};

/*
 * @enabled: the buffer is enabled
 * @flags: of the first transfer
 * @let_go: what becomes of the first when its DMABUF is detached
 */
FIXTURE_VARIANT(life) {
	bool out;
	const char *chan;
	bool enabled;
	__u32 flags;
	int let_go, let_go_next;
};

/* The driver has both */
FIXTURE_VARIANT_ADD(life, capture) {
	.chan = "rx", .enabled = true, .let_go = DONE, .let_go_next = DONE,
};

FIXTURE_VARIANT_ADD(life, playback) {
	.out = true, .chan = "tx", .enabled = true, .let_go = DONE,
	.let_go_next = DONE,
};

/* The driver has one, which does not end by itself, and the other waits */
FIXTURE_VARIANT_ADD(life, behind_cyclic) {
	.out = true, .chan = "tx", .enabled = true,
	.flags = IIO_BUFFER_DMABUF_CYCLIC, .let_go = -EINTR,
	.let_go_next = -EINTR,
};

/* The driver has none */
FIXTURE_VARIANT_ADD(life, capture_disabled) {
	.chan = "rx", .let_go = -EINTR, .let_go_next = -EINTR,
};

FIXTURE_VARIANT_ADD(life, playback_disabled) {
	.out = true, .chan = "tx", .let_go = -EINTR, .let_go_next = -EINTR,
};

FIXTURE_SETUP(life)
{
	int i;

	ASSERT_EQ(0, iio_mark_take(&self->mark));
	self->sims = sims_live();
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	self->device = variant->out ? self->sim.dac : self->sim.adc;
	ASSERT_EQ(0, buffer_channels(self->device, variant->out, 1));
	self->buffer = buffer_open(self->device, 0);
	ASSERT_LE(0, self->buffer);
	ASSERT_EQ(0, ring_make(&self->ring, self->buffer, HEAP_SYSTEM, 2, LEN));
	ASSERT_EQ(0, sim_fault(&self->sim, variant->chan, "hold", 1));
	if (variant->enabled)
		ASSERT_EQ(0, buffer_enable(self->device, true));
	ASSERT_EQ(0, buffer_enqueue(self->buffer, self->ring.block[0].fd,
				    variant->flags, LEN));
	ASSERT_EQ(0, ring_enqueue(&self->ring, 1));
	for (i = 0; i < 2; i++) {
		self->fence[i] = fence_of(self->ring.block[i].fd,
					  DMA_BUF_SYNC_RW);
		ASSERT_LE(0, self->fence[i]);
		ASSERT_EQ(PENDING, fence_status(self->fence[i]));
	}
}

FIXTURE_TEARDOWN(life)
{
	const char *left;

	ring_free(&self->ring);
	close(self->fence[0]);
	close(self->fence[1]);
	if (self->buffer >= 0)
		close(self->buffer);
	if (self->sim.dma[0])
		EXPECT_EQ(0, sim_remove(&self->sim));
	EXPECT_GE(self->sims, sims_live());
	left = iio_mark_left(&self->mark);
	EXPECT_EQ(NULL, left) {
		TH_LOG("left: %s", left);
	}
}

static void release(FIXTURE_DATA(life) *self, const char *chan)
{
	sim_fault(&self->sim, chan, "hold", 0);
}

/* A result that comes by itself or, for DONE, when the converter lets go */
static void expect_result(struct __test_metadata *_metadata,
			  FIXTURE_DATA(life) *self, const char *chan, int n,
			  int expected)
{
	if (expected == DONE) {
		EXPECT_EQ(PENDING, fence_result(self->fence[n], 20));
		release(self, chan);
	}
	EXPECT_EQ(expected, fence_result(self->fence[n], SOON_MS)) {
		TH_LOG("transfer %d", n);
	}
}

/* All can be used anew: attached again, then four transfers that end well */
static void start_again(struct __test_metadata *_metadata,
			FIXTURE_DATA(life) *self,
			const FIXTURE_VARIANT(life) *variant)
{
	struct block *block = self->ring.block;

	release(self, variant->chan);
	/* Before the buffer is enabled, which else were for read() or write() */
	ASSERT_EQ(0, buffer_attach(self->buffer, block[0].fd));
	ASSERT_EQ(0, buffer_attach(self->buffer, block[1].fd));
	if (!variant->enabled)
		ASSERT_EQ(0, buffer_enable(self->device, true));
}

static void still_works(struct __test_metadata *_metadata,
			FIXTURE_DATA(life) *self)
{
	int i, fd;

	for (i = 0; i < 4; i++) {
		fd = self->ring.block[i % 2].fd;
		ASSERT_EQ(0, buffer_enqueue(self->buffer, fd, 0, LEN));
		ASSERT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	}
}

/* One after the other, the second first */
TEST_F(life, detach)
{
	struct ring *ring = &self->ring;

	EXPECT_EQ(0, buffer_detach(ring->buffer, ring->block[1].fd));
	EXPECT_EQ(-EPERM, ring_enqueue(ring, 1));
	EXPECT_EQ(-EPERM, buffer_detach(ring->buffer, ring->block[1].fd));
	if (variant->let_go_next != DONE) {
		EXPECT_EQ(-EINTR, fence_result(self->fence[1], SOON_MS));
		EXPECT_EQ(PENDING, fence_result(self->fence[0], 20));
	}
	EXPECT_EQ(0, buffer_detach(ring->buffer, ring->block[0].fd));
	EXPECT_EQ(-EPERM, ring_enqueue(ring, 0));
	expect_result(_metadata, self, variant->chan, 0, variant->let_go);
	EXPECT_EQ(variant->let_go_next, fence_result(self->fence[1], SOON_MS));
	EXPECT_TRUE(ring_ready(ring, 0, 0));
	EXPECT_TRUE(ring_ready(ring, 1, 0));

	start_again(_metadata, self, variant);
	still_works(_metadata, self);
}

/* Not more dma-bufs than that, soon: they may go where a transfer has ended */
static bool live_in_time(long most)
{
	long long end = now_ms() + SOON_MS;

	while (buffers_live() > most) {
		if (now_ms() > end)
			return false;
		sleep_ms(5);
	}
	return true;
}

/* What is in transfer when it is detached keeps its memory until the end */
TEST_F(life, detach_and_close_dmabuf)
{
	struct ring *ring = &self->ring;
	long live = buffers_live();

	EXPECT_EQ(0, buffer_detach(ring->buffer, ring->block[1].fd));
	EXPECT_EQ(0, buffer_detach(ring->buffer, ring->block[0].fd));
	ring_free(ring);
	if (variant->let_go == DONE) {
		EXPECT_EQ(live, buffers_live());
	}
	expect_result(_metadata, self, variant->chan, 0, variant->let_go);
	EXPECT_EQ(variant->let_go_next, fence_result(self->fence[1], SOON_MS));
	/* While the buffer is open and its device is there */
	EXPECT_TRUE(live_in_time(self->mark.buffers));
}

/* For a disabled buffer that is nothing new: transfers go on waiting */
TEST_F(life, disable)
{
	int expected = variant->enabled ? -EINTR : PENDING;
	int ms = variant->enabled ? SOON_MS : 20;

	EXPECT_EQ(0, buffer_enable(self->device, false));
	EXPECT_EQ(expected, fence_result(self->fence[0], ms));
	EXPECT_EQ(expected, fence_result(self->fence[1], ms));
	release(self, variant->chan);
	EXPECT_EQ(0, buffer_enable(self->device, true));
	if (!variant->enabled) {
		EXPECT_EQ(DONE, fence_result(self->fence[0], SOON_MS));
		EXPECT_EQ(DONE, fence_result(self->fence[1], SOON_MS));
	}
	still_works(_metadata, self);
}

/* As DETACH of all */
TEST_F(life, close_buffer)
{
	close(self->buffer);
	self->buffer = -1;
	expect_result(_metadata, self, variant->chan, 0, variant->let_go);
	EXPECT_EQ(variant->let_go_next, fence_result(self->fence[1], SOON_MS));
	EXPECT_TRUE(ring_ready(&self->ring, 0, 0));
	EXPECT_TRUE(ring_ready(&self->ring, 1, 0));

	self->buffer = buffer_open(self->device, 0);
	ASSERT_LE(0, self->buffer);
	start_again(_metadata, self, variant);
	still_works(_metadata, self);
}

/* The attachment has a reference: nothing changes until the buffer is closed */
TEST_F(life, close_dmabuf)
{
	long live = buffers_live();

	ring_free(&self->ring);
	EXPECT_EQ(PENDING, fence_result(self->fence[0], 20));
	EXPECT_EQ(PENDING, fence_result(self->fence[1], 20));
	EXPECT_EQ(live, buffers_live());
	if (!variant->enabled)
		ASSERT_EQ(0, buffer_enable(self->device, true));
	release(self, variant->chan);
	if (variant->flags & IIO_BUFFER_DMABUF_CYCLIC) {
		EXPECT_EQ(PENDING, fence_result(self->fence[0], 20));
		ASSERT_EQ(0, buffer_enable(self->device, false));
		EXPECT_EQ(-EINTR, fence_result(self->fence[0], SOON_MS));
		EXPECT_EQ(-EINTR, fence_result(self->fence[1], SOON_MS));
	} else {
		EXPECT_EQ(DONE, fence_result(self->fence[0], SOON_MS));
		EXPECT_EQ(DONE, fence_result(self->fence[1], SOON_MS));
	}
	EXPECT_EQ(live, buffers_live());
}

/* The device goes at once, whatever it was doing */
TEST_F(life, unbind)
{
	struct ring *ring = &self->ring;
	int fd = ring->block[0].fd;

	EXPECT_EQ(0, sim_remove(&self->sim));
	self->sim.dma[0] = 0;
	EXPECT_EQ(-EINTR, fence_result(self->fence[0], SOON_MS));
	EXPECT_EQ(-EINTR, fence_result(self->fence[1], SOON_MS));
	EXPECT_TRUE(ring_ready(ring, 0, 0));
	EXPECT_EQ(-ENODEV, ring_enqueue(ring, 0));
	EXPECT_EQ(-ENODEV, ring_enqueue(ring, 1));
	EXPECT_EQ(-ENODEV, buffer_attach(self->buffer, fd));
	EXPECT_EQ(-ENODEV, buffer_detach(self->buffer, fd));
	EXPECT_GE(self->sims, sims_live());
	/* The open file of the buffer keeps none of the memory */
	ring_free(ring);
	EXPECT_TRUE(live_in_time(self->mark.buffers));
}

/* The threads of poll(), on a DMABUF */
static int call_poll(struct caller *caller)
{
	return poll_in_time(caller->fd, POLLOUT, SOON_MS);
}

TEST_F(life, unbind_wakes_poll)
{
	struct caller caller = {
		.call = call_poll,
		.fd = self->ring.block[1].fd,
	};

	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	EXPECT_EQ(0, sim_remove(&self->sim));
	self->sim.dma[0] = 0;
	EXPECT_EQ(1, caller_join(&caller));
}

/* And of epoll, exclusively, on the buffer's own file */
static int call_epoll(struct caller *caller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = epoll_create1(EPOLL_CLOEXEC), count;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, caller->fd, &event))
		return -errno;
	count = epoll_wait(epoll, &event, 1, SOON_MS);
	close(epoll);
	return count == 1 ? (int)event.events : -ETIMEDOUT;
}

/* More of them than there are other reasons to wake one */
TEST_F(life, unbind_wakes_all_pollers)
{
	struct caller callers[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		callers[i] = (struct caller) {
			.call = call_epoll, .fd = self->buffer,
		};
		ASSERT_EQ(0, caller_start(&callers[i]));
		EXPECT_TRUE(caller_waits(&callers[i]));
	}
	EXPECT_EQ(0, sim_remove(&self->sim));
	self->sim.dma[0] = 0;
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		EXPECT_EQ(EPOLLERR | EPOLLHUP, caller_join(&callers[i]));
}

/* A child that owns it all, but for the sync_files that it passes on */
static void live_and_wait(FIXTURE_DATA(life) *self,
			  const FIXTURE_VARIANT(life) *variant, int sock)
{
	struct ring ring = { 0 };
	int buffer, i, fence;

	buffer = buffer_open(self->device, 0);
	if (buffer < 0 || ring_make(&ring, buffer, HEAP_CMA, 2, LEN) ||
	    (variant->enabled && buffer_enable(self->device, true)) ||
	    buffer_enqueue(buffer, ring.block[0].fd, variant->flags, LEN) ||
	    ring_enqueue(&ring, 1))
		_exit(1);
	for (i = 0; i < 2; i++) {
		fence = fence_of(ring.block[i].fd, DMA_BUF_SYNC_RW);
		if (fence < 0 || send_fd(sock, fence))
			_exit(2);
	}
	for (;;)
		pause();
}

TEST_F(life, killed)
{
	int socks[2], i;
	pid_t pid;

	/* What the fixture has in the way */
	ASSERT_EQ(0, buffer_enable(self->device, false));
	close(self->buffer);
	self->buffer = -1;
	ring_free(&self->ring);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		live_and_wait(self, variant, socks[1]);
	close(socks[1]);
	for (i = 0; i < 2; i++) {
		close(self->fence[i]);
		self->fence[i] = recv_fd(socks[0]);
		ASSERT_LE(0, self->fence[i]);
		EXPECT_EQ(PENDING, fence_status(self->fence[i]));
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, child_status(pid));
	close(socks[0]);
	expect_result(_metadata, self, variant->chan, 0, variant->let_go);
	EXPECT_EQ(variant->let_go_next, fence_result(self->fence[1], SOON_MS));
	release(self, variant->chan);
	/* The buffer is free for the next one */
	self->buffer = buffer_open(self->device, 0);
	EXPECT_LE(0, self->buffer);
}

/* A read() that waits for data when the device goes */
static int call_read(struct caller *caller)
{
	__u32 word;

	return read(caller->fd, &word, sizeof(word)) < 0 ? -errno : 0;
}

TEST(read_across_unbind)
{
	struct iio_mark mark;
	struct caller caller = { .call = call_read };
	struct sim sim;

	ASSERT_EQ(0, iio_mark_take(&mark));
	ASSERT_EQ(0, sim_make(&sim, "test"));
	ASSERT_EQ(0, buffer_channels(sim.adc, false, 1));
	ASSERT_EQ(0, sim_fault(&sim, "rx", "hold", 1));
	caller.fd = buffer_open(sim.adc, 0);
	ASSERT_EQ(0, buffer_enable(sim.adc, true));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_TRUE(caller_waits(&caller));
	ASSERT_EQ(0, sim_remove(&sim));
	EXPECT_EQ(-ENODEV, caller_join(&caller));
	EXPECT_EQ(-ENODEV, call_read(&caller));
	close(caller.fd);
	EXPECT_EQ(NULL, iio_mark_left(&mark));
}

/* Everything at once, by threads that take turns at random */
#define RUN_MS		3000
#define THREADS		8
#define DMABUFS		4

/**
 * struct crowd - what the threads share
 * @device: the IIO devices of now: capture, playback
 * @buffer: their buffers, or files of what was one
 * @dmabuf: DMABUFs that all of them use
 * @stop: the time is over
 * @wrong: answers that nobody may get
 */
struct crowd {
	int device[2];
	int buffer[2];
	int dmabuf[DMABUFS];
	bool stop;
	int wrong;
};

struct member {
	struct crowd *crowd;
	unsigned int seed, turns;
	pthread_t thread;
};

static bool may_answer(int ret)
{
	switch (ret) {
	case 0:
	case -EBUSY:
	case -EPERM:
	case -ENODEV:
	case -ENOENT:
		return true;
	default:
		return false;
	}
}

static void take_turn(struct member *member)
{
	struct crowd *crowd = member->crowd;
	unsigned int n = rand_r(&member->seed) >> 4;
	bool out = n & 1;
	int buffer = crowd->buffer[out];
	int dmabuf = crowd->dmabuf[(n >> 1) % DMABUFS];
	int device = __atomic_load_n(&crowd->device[out], __ATOMIC_RELAXED);
	int ret = 0, fence;

	switch ((n >> 4) % 8) {
	case 0:
	case 1:
		ret = buffer_enqueue(buffer, dmabuf,
				     out && n & 0x1000 ?
				     IIO_BUFFER_DMABUF_CYCLIC : 0, LEN);
		break;
	case 2:
	case 3:
		ret = buffer_attach(buffer, dmabuf);
		break;
	case 4:
		ret = buffer_detach(buffer, dmabuf);
		break;
	case 5:
		ret = buffer_enable(device, n & 0x1000);
		/* No channel is chosen yet */
		if (ret == -EINVAL)
			ret = 0;
		break;
	case 6:
		poll_in_time(n & 0x1000 ? dmabuf : buffer, POLLIN | POLLOUT, 1);
		break;
	case 7:
		fence = fence_of(dmabuf, DMA_BUF_SYNC_RW);
		if (fence < 0 || fence_status(fence) > 1)
			ret = -EILSEQ;
		close(fence);
		break;
	}
	if (!may_answer(ret))
		__atomic_store_n(&crowd->wrong, ret, __ATOMIC_RELAXED);
}

static void *take_turns(void *arg)
{
	struct member *member = arg;

	while (!__atomic_load_n(&member->crowd->stop, __ATOMIC_ACQUIRE)) {
		take_turn(member);
		member->turns++;
	}
	return NULL;
}

/* Somebody may have enabled the buffer under the number of the one before */
static int choose_channels(int device, bool out)
{
	long long end = now_ms() + SOON_MS;
	int ret;

	while ((ret = buffer_channels(device, out, 1)) && now_ms() < end)
		buffer_enable(device, false);
	return ret;
}

/* New devices for the crowd, in the place of files that others have open */
static int replace_devices(struct crowd *crowd, struct sim *sim)
{
	int dir, ret, fd;

	ret = sim_make(sim, "crowd");
	for (dir = 0; dir < 2 && !ret; dir++) {
		int device = dir ? sim->dac : sim->adc;

		ret = choose_channels(device, dir);
		fd = buffer_open(device, O_NONBLOCK);
		if (ret || fd < 0)
			return -EIO;
		if (crowd->buffer[dir] < 0) {
			crowd->buffer[dir] = fd;
		} else {
			dup3(fd, crowd->buffer[dir], O_CLOEXEC);
			close(fd);
		}
		__atomic_store_n(&crowd->device[dir], device, __ATOMIC_RELAXED);
	}
	return ret;
}

FIXTURE(crowd) {
	struct iio_mark mark;
	int sims;
};

FIXTURE_SETUP(crowd)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	self->sims = sims_live();
}

FIXTURE_TEARDOWN(crowd)
{
	EXPECT_GE(self->sims, sims_live());
	EXPECT_EQ(NULL, iio_mark_left(&self->mark));
}

TEST_F_TIMEOUT(crowd, all_at_once, 120)
{
	struct crowd crowd = { .buffer = { -1, -1 } };
	struct member members[THREADS] = { 0 };
	unsigned int lives, i;
	struct sim sim;
	long long end;

	for (i = 0; i < DMABUFS; i++)
		crowd.dmabuf[i] = memory(i & 1 ? HEAP_CMA : HEAP_SYSTEM, LEN);
	ASSERT_EQ(0, replace_devices(&crowd, &sim));
	for (i = 0; i < THREADS; i++) {
		members[i].crowd = &crowd;
		members[i].seed = i + 1;
		ASSERT_EQ(0, pthread_create(&members[i].thread, NULL,
					    take_turns, &members[i]));
	}
	end = now_ms() + RUN_MS;
	for (lives = 0; now_ms() < end || lives < 3; lives++) {
		sleep_ms(50);
		ASSERT_EQ(0, sim_remove(&sim));
		ASSERT_EQ(0, replace_devices(&crowd, &sim));
	}
	__atomic_store_n(&crowd.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < THREADS; i++) {
		pthread_join(members[i].thread, NULL);
		EXPECT_LT(0, members[i].turns);
	}
	EXPECT_EQ(0, crowd.wrong);
	close(crowd.buffer[0]);
	close(crowd.buffer[1]);
	for (i = 0; i < DMABUFS; i++)
		close(crowd.dmabuf[i]);
	ASSERT_EQ(0, sim_remove(&sim));
}

TEST_HARNESS_MAIN
