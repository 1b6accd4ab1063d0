// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences of a buffer as programs meet them: poll and epoll, SYNC that waits,
 * sync_files in and out. The fences are those of sw_sync, which signal when a
 * test says so: a timeline at 0 passes a fence of value n by n steps.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define BOTH		(POLLIN | POLLOUT)
#define LONG_MS		20000

FIXTURE(fence) {
	struct heap_mark mark;
	int fd, timeline;
};

FIXTURE_SETUP(fence)
{
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->fd = heap_buffer(HEAP_SYSTEM, PAGE);
	ASSERT_LE(0, self->fd);
	self->timeline = timeline_open();
	ASSERT_LE(0, self->timeline);
}

FIXTURE_TEARDOWN(fence)
{
	close(self->timeline);
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Puts a fence that the timeline reaches at value onto the buffer */
static int pend(int fd, int timeline, __u32 usage, unsigned int value)
{
	int fence = timeline_fence(timeline, value);
	int ret;

	if (fence < 0)
		return fence;
	ret = buf_add_fence(fd, usage, fence);
	close(fence);
	return ret;
}

/* What poll() says within ms of the events asked for; -1 if it fails */
static int poll_for(int fd, short events, int ms)
{
	struct pollfd pfd = { fd, events, 0 };

	return poll(&pfd, 1, ms) < 0 ? -1 : pfd.revents;
}

TEST_F(fence, writer_stops_both)
{
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN, 0));
	EXPECT_EQ(0, poll_for(self->fd, POLLOUT, 0));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, 0));
}

TEST_F(fence, reader_stops_writers)
{
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 1));
	EXPECT_EQ(POLLIN, poll_for(self->fd, POLLIN, 0));
	EXPECT_EQ(0, poll_for(self->fd, POLLOUT, 0));
	EXPECT_EQ(POLLIN, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, 0));
}

/* Two readers and a writer leave one after the other */
TEST_F(fence, last_one_counts)
{
	int other = timeline_open();

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 1));
	ASSERT_EQ(0, pend(self->fd, other, DMA_BUF_SYNC_WRITE, 1));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(other, 1));
	EXPECT_EQ(POLLIN, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, 0));
	close(other);
}

/* A later point of a timeline is not reached by an earlier one */
TEST_F(fence, points_of_a_timeline)
{
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 3));
	ASSERT_EQ(0, timeline_advance(self->timeline, 2));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, 0));
}

/* A child that ends with what poll() told it once it was told anything */
static pid_t fork_poller(int fd, short events)
{
	pid_t pid = fork();

	if (!pid)
		_exit(poll_for(fd, events, LONG_MS));
	return pid;
}

TEST_F(fence, signal_wakes_pollers)
{
	pid_t reader, writer;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	reader = fork_poller(self->fd, POLLIN);
	writer = fork_poller(self->fd, POLLOUT);
	EXPECT_TRUE(child_sleeps(reader));
	EXPECT_TRUE(child_sleeps(writer));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, child_status(reader));
	EXPECT_EQ(POLLOUT, child_status(writer));
}

/* The writer's fence comes first, the readers' later: each wakes its own */
TEST_F(fence, reader_wakes_before_writer)
{
	int other = timeline_open();
	pid_t reader, writer;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	ASSERT_EQ(0, pend(self->fd, other, DMA_BUF_SYNC_READ, 1));
	reader = fork_poller(self->fd, POLLIN);
	writer = fork_poller(self->fd, POLLOUT);
	EXPECT_TRUE(child_sleeps(reader));
	EXPECT_TRUE(child_sleeps(writer));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, child_status(reader));
	EXPECT_EQ(0, waitpid(writer, NULL, WNOHANG));
	ASSERT_EQ(0, timeline_advance(other, 1));
	EXPECT_EQ(POLLOUT, child_status(writer));
	close(other);
}

TEST_F_TIMEOUT(fence, many_pollers, 60)
{
	enum { COUNT = 40 };
	static const short events[] = { POLLIN, POLLOUT, BOTH };
	pid_t pids[COUNT];
	int i;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	for (i = 0; i < COUNT; i++) {
		pids[i] = fork_poller(self->fd, events[i % 3]);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < COUNT; i++) {
		EXPECT_TRUE(child_sleeps(pids[i])) {
			TH_LOG("poller %d", i);
		}
	}
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	for (i = 0; i < COUNT; i++) {
		int seen = child_status(pids[i]);

		/* Whoever asked for both may have been told of one first */
		EXPECT_LT(0, seen) TH_LOG("poller %d", i);
		EXPECT_EQ(0, seen & ~events[i % 3]);
	}
}

/* A poller that gave up leaves the next one its place */
TEST_F(fence, poller_that_gave_up)
{
	pid_t pid;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN, 20));
	EXPECT_EQ(0, poll_for(self->fd, POLLOUT, 20));
	pid = fork_poller(self->fd, POLLIN);
	EXPECT_TRUE(child_sleeps(pid));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, child_status(pid));
}

static int epoll_with(int fd, unsigned int events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	return epoll;
}

static int epoll_rearm(int epoll, int fd, unsigned int events)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

/* The events told within ms, 0 for none */
static int epoll_told(int epoll, int ms)
{
	struct epoll_event event = { 0 };
	int count = epoll_wait(epoll, &event, 1, ms);

	return count < 0 ? -errno : count ? (int)event.events : 0;
}

TEST_F(fence, epoll_level)
{
	int epoll;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	epoll = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, epoll);
	EXPECT_EQ(0, epoll_told(epoll, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_told(epoll, LONG_MS));
	EXPECT_EQ(EPOLLIN, epoll_told(epoll, LONG_MS));

	/* Busy again, and told again */
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 2));
	EXPECT_EQ(0, epoll_told(epoll, 20));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_told(epoll, LONG_MS));
	close(epoll);
}

TEST_F(fence, epoll_edge)
{
	const unsigned int events = EPOLLOUT | EPOLLET;
	int epoll;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 1));
	epoll = epoll_with(self->fd, events);
	ASSERT_LE(0, epoll);
	EXPECT_EQ(0, epoll_told(epoll, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLOUT, epoll_told(epoll, LONG_MS));
	EXPECT_EQ(0, epoll_told(epoll, 20));

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 2));
	ASSERT_EQ(0, epoll_rearm(epoll, self->fd, events));
	EXPECT_EQ(0, epoll_told(epoll, 20));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLOUT, epoll_told(epoll, LONG_MS));
	EXPECT_EQ(0, epoll_told(epoll, 20));
	close(epoll);
}

struct exclusive_waiter {
	pthread_t thread;
	int epoll, told;
};

static void *wait_exclusively(void *arg)
{
	struct exclusive_waiter *waiter = arg;

	waiter->told = epoll_told(waiter->epoll, LONG_MS);
	return NULL;
}

/*
 * Who waits for another event is of no use to wake in the place of somebody. The
 * reader's fence is the first, so that there is one callback for each event.
 */
TEST_F(fence, epoll_exclusive)
{
	struct exclusive_waiter waiters[] = {
		{ .epoll = epoll_with(self->fd, EPOLLOUT | EPOLLEXCLUSIVE) },
		{ .epoll = epoll_with(self->fd, EPOLLIN | EPOLLEXCLUSIVE) },
	};
	int readers = timeline_open(), i;

	ASSERT_LE(0, readers);
	ASSERT_EQ(0, pend(self->fd, readers, DMA_BUF_SYNC_READ, 1));
	EXPECT_EQ(0, poll_for(self->fd, POLLOUT, 0));
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, epoll_told(waiters[i].epoll, 0));
		ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL,
					    wait_exclusively, &waiters[i]));
		usleep(50000);
	}
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, pthread_join(waiters[1].thread, NULL));
	EXPECT_EQ(EPOLLIN, waiters[1].told);
	ASSERT_EQ(0, timeline_advance(readers, 1));
	EXPECT_EQ(0, pthread_join(waiters[0].thread, NULL));
	EXPECT_EQ(EPOLLOUT, waiters[0].told);
	for (i = 0; i < 2; i++)
		close(waiters[i].epoll);
	close(readers);
}

/*
 * R06: what the fence calls back must be there when it signals, though
 * everything that led to it was closed; and it must go afterwards.
 */
TEST_F(fence, signalled_after_close)
{
	unsigned long inodes[8];
	int i;

	for (i = 0; i < 8; i++) {
		int fd = heap_buffer(HEAP_SYSTEM, PAGE);
		int epoll;

		ASSERT_LE(0, fd);
		inodes[i] = fd_inode(fd);
		ASSERT_EQ(0, pend(fd, self->timeline, i & 1 ?
				  DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ, 1));
		epoll = epoll_with(fd, EPOLLIN | EPOLLOUT);
		ASSERT_LE(0, epoll);
		EXPECT_EQ(0, poll_for(fd, POLLOUT, 0));
		/* In either order */
		close(i & 2 ? epoll : fd);
		close(i & 2 ? fd : epoll);
	}
	sleep_ms(20);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	close(self->timeline);
	close(self->fd);
	self->timeline = -1;
	self->fd = -1;
	EXPECT_TRUE(heap_mark_back(&self->mark));
	for (i = 0; i < 8; i++) {
		EXPECT_FALSE(stats_present(inodes[i])) {
			TH_LOG("buffer %d", i);
		}
	}
}

/* R06: the same when it is the timeline that goes first */
TEST_F(fence, timeline_closed_first)
{
	int epoll;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	epoll = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, epoll);
	EXPECT_EQ(0, epoll_told(epoll, 0));
	close(self->timeline);
	self->timeline = -1;
	EXPECT_EQ(EPOLLIN, epoll_told(epoll, LONG_MS));
	close(epoll);
}

/* A fence that fails is over too: closing its timeline fails it */
TEST_F(fence, failed)
{
	int fence;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	fence = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, fence_status(fence));
	close(self->timeline);
	self->timeline = -1;
	EXPECT_EQ(-ENOENT, fence_status(fence));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, LONG_MS));
	EXPECT_EQ(0, buf_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buf_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	close(fence);
}

TEST_F(fence, merged)
{
	int other = timeline_open();
	int one = timeline_fence(self->timeline, 1);
	int two = timeline_fence(other, 1);
	int both = fence_merge(one, two);

	ASSERT_LE(0, both);
	ASSERT_EQ(0, buf_add_fence(self->fd, DMA_BUF_SYNC_WRITE, both));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(other, 1));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(self->fd, BOTH, 0));
	close(both);
	close(two);
	close(one);
	close(other);
}

/* What comes out: writers' fences for who reads, all of them for who writes */
TEST_F(fence, exported)
{
	int reader, writer;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 1));
	reader = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	writer = buf_get_fence(self->fd, DMA_BUF_SYNC_WRITE);
	EXPECT_EQ(1, fence_status(reader));
	EXPECT_EQ(0, fence_status(writer));
	close(reader);

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 2));
	reader = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	EXPECT_EQ(0, fence_status(reader));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, fence_status(writer));
	EXPECT_EQ(0, fence_status(reader));
	close(writer);
	writer = buf_get_fence(self->fd, DMA_BUF_SYNC_RW);
	EXPECT_EQ(0, fence_status(writer));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, fence_status(reader));
	EXPECT_EQ(1, fence_status(writer));
	close(reader);
	close(writer);
}

/* The sync_file is of its own: the buffer may go, and fences come after it */
TEST_F(fence, exported_stands_alone)
{
	int fence;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	fence = buf_get_fence(self->fd, DMA_BUF_SYNC_WRITE);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 9));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, fence_status(fence));
	EXPECT_EQ(0, poll_for(fence, POLLIN, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_for(fence, POLLIN, LONG_MS));
	EXPECT_EQ(1, fence_status(fence));
	ASSERT_EQ(0, timeline_advance(self->timeline, 8));
	close(fence);
}

/* Fences go from one buffer to the next as sync_files */
TEST_F(fence, passed_on)
{
	int other = heap_buffer(HEAP_SYSTEM, PAGE), fence;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	fence = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, buf_add_fence(other, DMA_BUF_SYNC_READ, fence));
	EXPECT_EQ(POLLIN, poll_for(other, BOTH, 0));
	EXPECT_EQ(0, poll_for(self->fd, BOTH, 0));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(BOTH, poll_for(other, BOTH, LONG_MS));
	close(fence);
	close(other);
}

/* A child that ends with 0 once SYNC let it through, else with the errno */
static pid_t fork_sync(int fd, __u64 flags)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-buf_sync(fd, flags));
	return pid;
}

/* Readers wait for writers and not for each other */
TEST_F(fence, sync_to_read)
{
	const __u64 start = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ;
	pid_t pid;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ, 1));
	pid = fork_sync(self->fd, start);
	EXPECT_EQ(0, child_status(pid));

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 2));
	pid = fork_sync(self->fd, start);
	EXPECT_TRUE(child_sleeps(pid));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(0, timeline_advance(self->timeline, 2));
	EXPECT_EQ(0, child_status(pid));
}

TEST_F(fence, sync_to_write)
{
	static const __u64 flags[] = { DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		pid_t pid;

		ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_READ,
				  i + 1));
		pid = fork_sync(self->fd, DMA_BUF_SYNC_START | flags[i]);
		EXPECT_TRUE(child_sleeps(pid));
		EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
		ASSERT_EQ(0, timeline_advance(self->timeline, 1));
		EXPECT_EQ(0, child_status(pid));
	}
}

/* The end of an access waits for nobody */
TEST_F(fence, sync_end_does_not_wait)
{
	pid_t pid;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	pid = fork_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST_F(fence, sync_interrupted)
{
	pid_t pid;

	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	pid = fork();
	if (!pid) {
		struct sigaction act = { .sa_handler = nothing };

		sigaction(SIGUSR1, &act, NULL);
		_exit(-buf_sync(self->fd,
				DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	}
	EXPECT_TRUE(child_sleeps(pid));
	EXPECT_EQ(0, kill(pid, SIGUSR1));
	EXPECT_EQ(EINTR, child_status(pid));

	/* And killed: a wait for a fence that never comes ends nobody's exit */
	pid = fork_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	EXPECT_TRUE(child_sleeps(pid));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, child_status(pid));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
}

TEST_F(fence, shown_in_bufinfo)
{
	char text[LINE_LEN], name[64];
	bool here = false, seen = false;
	FILE *file;

	snprintf(name, sizeof(name), "fenced-%d", getpid());
	ASSERT_EQ(0, buf_set_name(self->fd, name));
	ASSERT_EQ(0, pend(self->fd, self->timeline, DMA_BUF_SYNC_WRITE, 1));
	file = fopen(BUFINFO, "re");
	ASSERT_NE(NULL, file);
	while (fgets(text, sizeof(text), file)) {
		/* From this buffer's row to the next one */
		if (strspn(text, "0123456789") >= 8)
			here = strstr(text, name);
		seen |= here && strstr(text, "write fence:") &&
			strstr(text, "unsignalled");
	}
	fclose(file);
	EXPECT_TRUE(seen);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
}

/*
 * R22: what merging, importing and exporting take, they give back: a fence that
 * stays keeps its timeline, and the fixture counts those.
 */
TEST_F_TIMEOUT(fence, merges_leak_nothing, 120)
{
	int other = timeline_open(), i;

	for (i = 0; i < 10000; i++) {
		int one = timeline_fence(self->timeline, i + 1);
		int two = timeline_fence(other, i + 1);
		int both = fence_merge(one, two);
		int out;

		ASSERT_EQ(0, buf_add_fence(self->fd, DMA_BUF_SYNC_READ, both));
		out = buf_get_fence(self->fd, DMA_BUF_SYNC_WRITE);
		ASSERT_EQ(0, fence_status(out));
		ASSERT_EQ(0, timeline_advance(self->timeline, 1));
		ASSERT_EQ(0, timeline_advance(other, 1));
		ASSERT_EQ(1, fence_status(out));
		close(out);
		close(both);
		close(two);
		close(one);
	}
	close(other);
}

TEST_HARNESS_MAIN
