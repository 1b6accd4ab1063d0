// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers and memory control groups: with dma_heap.mem_accounting a buffer
 * counts for the group of whoever allocated it, whatever its pages were before
 * and whoever frees it; and a group does not get more than it may have.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/dmabuf_test"
#define INNER		GROUP "/inner"
#define ACCOUNTING	"/sys/module/dma_heap/parameters/mem_accounting"
#define LEN		(12 * MIB)
/*
 * Other memory of a process that does little; and a group is charged ahead of
 * its needs, by up to 64 pages for each CPU
 */
#define OTHERS		(2 * (long)MIB)

static int write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	return write_text(path, text);
}

/* The calling process, from here on */
static int join(const char *group)
{
	char path[LINE_LEN];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return write_text(path, "0");
}

static long charged(const char *group)
{
	char path[LINE_LEN];

	snprintf(path, sizeof(path), "%s/memory.current", group);
	return read_number(path);
}

static bool charge_within(const char *group, long least, long most)
{
	long long until = now_ms() + 10000;
	long now;

	do {
		now = charged(group);
		if (now >= least && now <= most)
			return true;
		sleep_ms(20);
	} while (now_ms() < until);
	printf("# %s: %ld charged, not %ld to %ld\n", group, now, least, most);
	return false;
}

/* What is charged once that stays the same: what goes back may do so late */
static long charged_at_rest(const char *group)
{
	long long since = now_ms();
	long now = charged(group);

	while (now_ms() - since < 1000) {
		long before = now;

		sleep_ms(50);
		now = charged(group);
		if (now != before)
			since = now_ms();
	}
	return now;
}

/* What has happened to the group */
static long happened(const char *what)
{
	return table_number(GROUP "/memory.events", what);
}

/*
 * A group with another in it, and accounting turned on. The test's process is in
 * neither to begin with.
 */
FIXTURE(memcg) {
	char accounting[8];
	struct heap_mark mark;
	int heap;
};

FIXTURE_VARIANT(memcg) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(memcg, system) {
	.heap = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(memcg, cma) {
	.heap = HEAP_CMA,
};

FIXTURE_SETUP(memcg)
{
	char controllers[LINE_LEN];

	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	if (read_file(CGROUPS "/cgroup.controllers", controllers,
		      sizeof(controllers)) < 0 ||
	    !strstr(controllers, "memory"))
		SKIP(return, "no controller for memory in " CGROUPS);
	ASSERT_LT(0, read_file(ACCOUNTING, self->accounting,
			       sizeof(self->accounting)));
	ASSERT_EQ(0, write_text(CGROUPS "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, write_text(GROUP "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	heap_mark_take(&self->mark, variant->heap);
	self->heap = heap_open(variant->heap);
	ASSERT_LE(0, self->heap);
	ASSERT_EQ(0, write_text(ACCOUNTING, "1"));
}

FIXTURE_TEARDOWN(memcg)
{
	EXPECT_EQ(0, write_text(ACCOUNTING, self->accounting));
	EXPECT_EQ(0, join(CGROUPS));
	close(self->heap);
	EXPECT_TRUE(!rmdir(INNER) || errno == ENOENT);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Memory of former buffers counts as any other, while it is in a buffer */
TEST_F(memcg, charged_while_it_lives)
{
	long before;
	int i, fd;

	ASSERT_EQ(0, heap_pool_drain());
	ASSERT_EQ(0, join(INNER));
	for (i = 0; i < 3; i++) {
		before = charged(INNER);
		fd = heap_alloc(self->heap, LEN);
		ASSERT_LE(0, fd);
		EXPECT_TRUE(charge_within(INNER, before + LEN - OTHERS,
					  before + LEN + OTHERS));
		close(fd);
		EXPECT_TRUE(charge_within(INNER, 0, before + OTHERS));
	}
}

TEST_F(memcg, small_buffers_count)
{
	enum { BUFS = 256, PAGES = 9 };
	long before;
	int fds[BUFS], i;

	ASSERT_EQ(0, join(INNER));
	before = charged(INNER);
	for (i = 0; i < BUFS; i++) {
		fds[i] = heap_alloc(self->heap, PAGES * PAGE);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_TRUE(charge_within(INNER, before + BUFS * PAGES * PAGE - OTHERS,
				  before + BUFS * PAGES * PAGE + OTHERS));
	for (i = 0; i < BUFS; i++)
		close(fds[i]);
	EXPECT_TRUE(charge_within(INNER, 0, before + OTHERS));
}

TEST_F(memcg, refused_at_the_limit)
{
	int fd, i;

	ASSERT_EQ(0, write_number(GROUP "/memory.max", LEN + LEN / 2));
	ASSERT_EQ(0, join(INNER));
	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ENOMEM, heap_alloc(self->heap, LEN));
	EXPECT_LT(0, happened("max"));
	EXPECT_EQ(0, happened("oom"));
	EXPECT_EQ(0, happened("oom_kill"));
	/* Nothing of those that failed is left on the account */
	EXPECT_TRUE(charge_within(INNER, LEN - OTHERS, LEN + OTHERS));
	close(fd);
	fd = heap_alloc(self->heap, LEN);
	EXPECT_LE(0, fd);
	close(fd);
}

/*
 * For pages as few as these the kernel would rather kill somebody. The process in
 * question does nothing but this one call once the limit is there: other memory,
 * of which a kernel with checkers takes more, might be what somebody is killed
 * for.
 */
TEST_F(memcg, nobody_is_killed_for_a_small_buffer)
{
	enum { PAGES = 8 };
	int go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		if (join(INNER) || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(-heap_alloc(self->heap, PAGES * PAGE));
	}
	ASSERT_TRUE(child_sleeps(pid));
	/* What is charged ahead, to both groups, goes back when it is too much */
	ASSERT_EQ(0, write_text(GROUP "/memory.high", "0"));
	ASSERT_EQ(0, write_text(GROUP "/memory.high", "max"));
	ASSERT_EQ(0, write_number(GROUP "/memory.max",
				  charged_at_rest(GROUP) +
				  (PAGES - 1) * PAGE));
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(ENOMEM, child_status(pid));
	EXPECT_LT(0, happened("max"));
	EXPECT_EQ(0, happened("oom"));
	EXPECT_EQ(0, happened("oom_kill"));
	close(go[0]);
	close(go[1]);
}

/* What can never be is refused before anything is reclaimed for it */
TEST_F(memcg, more_than_the_limit_is_refused_at_once)
{
	ASSERT_EQ(0, write_number(GROUP "/memory.max", LEN));
	ASSERT_EQ(0, join(INNER));
	EXPECT_EQ(-ENOMEM, heap_alloc(self->heap, LEN + PAGE));
	EXPECT_EQ(0, happened("max"));
	EXPECT_TRUE(charge_within(INNER, 0, OTHERS));
}

/* A failure of the heap's own leaves no charge */
TEST_F(memcg, failure_is_not_charged)
{
	__u64 len = 2ULL * KIB * table_number("/proc/meminfo", "MemTotal");

	ASSERT_EQ(0, join(INNER));
	EXPECT_EQ(-ENOMEM, heap_alloc(self->heap, len));
	EXPECT_TRUE(charge_within(INNER, 0, OTHERS));
}

TEST_F(memcg, only_when_it_is_turned_on)
{
	int on, off;

	EXPECT_EQ('N', self->accounting[0]);
	ASSERT_EQ(0, join(INNER));
	on = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, on);
	ASSERT_EQ(0, write_text(ACCOUNTING, "0"));
	off = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, off);
	EXPECT_TRUE(charge_within(INNER, LEN - OTHERS, LEN + OTHERS));
	/* Each is freed as it was charged, however it is set by then */
	close(on);
	EXPECT_TRUE(charge_within(INNER, 0, OTHERS));
	ASSERT_EQ(0, write_text(ACCOUNTING, "1"));
	on = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, on);
	close(off);
	EXPECT_TRUE(charge_within(INNER, LEN - OTHERS, LEN + OTHERS));
	close(on);
}

/* A process of INNER that allocates, passes the descriptor on and is gone */
static int buffer_of_another(int heap)
{
	int pair[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -errno;
	pid = fork();
	if (!pid) {
		fd = join(INNER);
		if (!fd)
			fd = heap_alloc(heap, LEN);
		_exit(fd < 0 || send_fd(pair[1], fd) ? 1 : 0);
	}
	fd = pid < 0 || child_status(pid) ? -ECHILD : recv_fd(pair[0]);
	close(pair[0]);
	close(pair[1]);
	return fd;
}

/* Who allocated it is charged, not who has it; and in the end nothing is left */
TEST_F(memcg, uncharged_by_another_to_nothing)
{
	int fd = buffer_of_another(self->heap);

	ASSERT_LE(0, fd);
	EXPECT_TRUE(charge_within(INNER, LEN, LEN + OTHERS));
	close(fd);
	EXPECT_TRUE(charge_within(INNER, 0, OTHERS));
	/*
	 * What is charged ahead goes back when it would be too much. Objects
	 * of the process that is gone may share a last page, and KASAN keeps
	 * all of them back for a while.
	 */
	EXPECT_EQ(0, write_number(INNER "/memory.high", 0));
	EXPECT_TRUE(charge_within(INNER, 0, 256 * KIB));
}

/* Its parent has the charge of a group that is gone */
TEST_F(memcg, outlives_the_group)
{
	int fd = buffer_of_another(self->heap);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rmdir(INNER));
	EXPECT_TRUE(charge_within(GROUP, LEN, LEN + OTHERS));
	close(fd);
	EXPECT_TRUE(charge_within(GROUP, 0, OTHERS));
}

TEST_HARNESS_MAIN
