// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of the system heap, which keeps the memory of former buffers: nobody
 * sees what they held, and nobody is short of memory because of it. What the
 * pool has is read from debugfs.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define POOL		"/sys/kernel/debug/dma_heap/system"
#define POOL_PERCENT	"/sys/module/system_heap/parameters/pool_percent"
#define MEMINFO		"/proc/meminfo"
#define BUF_LEN		(4 * MIB)
#define BUFS		8

/* Pages in the pool, -errno where there is none */
static long pool_held(void)
{
	return table_number(POOL, "held");
}

/* Chunks of all orders that were zeroed in the background so far */
static long pool_zeroed(void)
{
	FILE *file = fopen(POOL, "re");
	char line[LINE_LEN];
	long sum = 0, zeroed;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*d %*u %*u %*u %*u %ld", &zeroed) == 1)
			sum += zeroed;
	}
	fclose(file);
	return sum;
}

/* Free, if only in the lists that each CPU keeps */
static long all_free_kib(void)
{
	long kib = table_number(MEMINFO, "MemFree");
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[LINE_LEN];
	long count;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " count: %ld", &count) == 1)
			kib += count * (long)(PAGE / KIB);
	}
	if (file)
		fclose(file);
	return kib;
}

static long kept_kib(void)
{
	return table_number(MEMINFO, "KReclaimable") -
	       table_number(MEMINFO, "SReclaimable");
}

/* An empty pool, as it is configured, and the heap */
FIXTURE(pool) {
	struct heap_mark mark;
	char percent[32];
	int heap;
};

FIXTURE_SETUP(pool)
{
	ASSERT_LT(0, read_file(POOL_PERCENT, self->percent,
			       sizeof(self->percent)));
	ASSERT_TRUE(heap_pool_emptied(POOL));
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->heap = heap_open(HEAP_SYSTEM);
	ASSERT_LE(0, self->heap);
}

FIXTURE_TEARDOWN(pool)
{
	close(self->heap);
	EXPECT_EQ(0, write_text(POOL_PERCENT, self->percent));
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Buffers that were there at once, and are gone; false if there were not */
static bool use_buffers(int heap, int count, size_t len)
{
	bool all = true;
	int fds[64], i;

	for (i = 0; i < count; i++) {
		fds[i] = heap_alloc(heap, len);
		all = all && fds[i] >= 0;
	}
	for (i = 0; i < count; i++)
		close(fds[i]);
	return all;
}

/* One buffer after the other, each of another size: what is not zero in them */
static int used_words(int heap, unsigned int seed, int rounds)
{
	int i, used = 0;

	for (i = 0; i < rounds; i++) {
		size_t len = (1 + rand_r(&seed) % (3 * MIB / PAGE)) * PAGE;
		int fd = heap_alloc(heap, len);
		void *addr = fd < 0 ? NULL : buf_map(fd, len);

		if (!addr)
			return -1;
		used += !all_zero(addr, len);
		memset(addr, 0xdb, len);
		/* The mapping may be the last that holds it, or the fd */
		if (i % 2)
			munmap(addr, len);
		close(fd);
		if (!(i % 2))
			munmap(addr, len);
	}
	return used;
}

/*
 * Whether a chunk was zeroed in the background, is just being zeroed or was not
 * touched yet depends on how the processes meet.
 */
TEST_F_TIMEOUT(pool, never_shows_former_data, 120)
{
	enum { CHILDREN = 3, ROUNDS = 80 };
	pid_t pids[CHILDREN];
	int i;

	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(used_words(self->heap, i, ROUNDS) ? 1 : 0);
	}
	for (i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, child_status(pids[i]));
}

/* Nor what a process wrote that was killed in the middle of it */
TEST_F_TIMEOUT(pool, never_shows_data_of_the_killed, 120)
{
	int i;

	for (i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (;;)
				used_words(self->heap, i, 100);
		}
		sleep_ms(20 + 5 * i);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, child_status(pid));
		EXPECT_EQ(0, used_words(self->heap, i, 3));
	}
}

/* Who is moved to a processor of another node has the memory of that one */
static int stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* The same memory goes round, and no other is taken meanwhile */
TEST_F(pool, memory_is_used_again)
{
	long taken;
	int i;

	ASSERT_EQ(0, stay_here());
	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_LE((long)(BUFS * BUF_LEN / PAGE), pool_held());
	taken = heap_pages_used(HEAP_SYSTEM);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_GT((long)(BUF_LEN / PAGE),
		  labs(heap_pages_used(HEAP_SYSTEM) - taken));
}

/* What is wanted a second time is zeroed before a third */
TEST_F(pool, gets_ready_in_the_background)
{
	long long until = now_ms() + 20000;
	long before = pool_zeroed();

	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	sleep_ms(100);
	EXPECT_EQ(before, pool_zeroed());
	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	while (pool_zeroed() == before && now_ms() < until)
		sleep_ms(5);
	EXPECT_LT(before, pool_zeroed());
}

TEST_F(pool, gives_back_when_asked)
{
	const long kib = BUFS * BUF_LEN / KIB;
	long before = all_free_kib();

	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_LE(kib, pool_held() * (long)(PAGE / KIB));
	EXPECT_TRUE(heap_pool_emptied(POOL));
	EXPECT_GT(table_number(MEMINFO, "MemTotal") / 100,
		  before - all_free_kib());
}

/* What is kept is shown as memory to be had */
TEST_F(pool, counts_as_available)
{
	const long kib = BUFS * BUF_LEN / KIB;
	long available = table_number(MEMINFO, "MemAvailable");
	long kept = kept_kib();

	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_LT(kib * 3 / 4, kept_kib() - kept);
	/* The kernel counts on half of what is reclaimable, or a little more */
	EXPECT_GT(kib * 3 / 4,
		  available - table_number(MEMINFO, "MemAvailable"));
	EXPECT_EQ(0, heap_pool_drain());
	EXPECT_GT(kib / 4, kept_kib() - kept);
}

TEST_F(pool, has_a_limit)
{
	long most = table_number(MEMINFO, "MemTotal") / 100 * KIB / PAGE;

	ASSERT_EQ(0, write_text(POOL_PERCENT, "1"));
	ASSERT_TRUE(use_buffers(self->heap, 2 + most * PAGE / BUF_LEN,
				BUF_LEN));
	EXPECT_GE(most, pool_held());
	EXPECT_LT(most / 2, pool_held());
}

TEST_F(pool, can_be_turned_off)
{
	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_LT(0, pool_held());
	EXPECT_EQ(0, write_text(POOL_PERCENT, "0"));
	EXPECT_EQ(0, pool_held());
	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_EQ(0, pool_held());
	EXPECT_EQ(0, used_words(self->heap, 1, 20));
}

TEST_F(pool, limit_is_a_percentage)
{
	EXPECT_EQ(-EINVAL, write_text(POOL_PERCENT, "101"));
	EXPECT_EQ(-EINVAL, write_text(POOL_PERCENT, "-1"));
	EXPECT_EQ(-EINVAL, write_text(POOL_PERCENT, "all"));
	EXPECT_EQ(atol(self->percent), read_number(POOL_PERCENT));
	EXPECT_EQ(0, write_text(POOL_PERCENT, "100"));
}

/* Anonymous memory in pages as large (or not) as advised, all of it touched */
static char *take_memory(size_t len, int advice)
{
	char *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (addr == MAP_FAILED)
		return NULL;
	madvise(addr, len, advice);
	for (i = 0; i < len; i += PAGE)
		addr[i] = 1;
	return addr;
}

/*
 * A process takes memory until the pool is empty, and no more: there is nothing
 * to be given back then. It is the one that would be killed if that came too
 * late.
 */
TEST_F_TIMEOUT(pool, gives_back_before_anybody_is_killed, 240)
{
	long kills = table_number("/proc/vmstat", "oom_kill");
	/* With highmem, half of it is for others */
	const long most = 128 * MIB / KIB;
	pid_t pid;

	ASSERT_TRUE(use_buffers(self->heap, BUFS, BUF_LEN));
	EXPECT_LE((long)(BUFS * BUF_LEN / PAGE), pool_held());
	pid = fork();
	if (!pid) {
		if (write_text("/proc/self/oom_score_adj", "1000"))
			_exit(1);
		while (pool_held() > 0) {
			if (table_number(MEMINFO, "MemFree") > most)
				take_memory(16 * MIB, MADV_HUGEPAGE);
			else
				take_memory(128 * KIB, MADV_NOHUGEPAGE);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(kills, table_number("/proc/vmstat", "oom_kill"));
}

TEST_HARNESS_MAIN
