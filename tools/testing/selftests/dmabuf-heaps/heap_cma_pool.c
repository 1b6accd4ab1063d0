// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the CMA heap keeps of former buffers: nobody sees what they held, and
 * whoever needs the region gets it. What is kept is read from debugfs.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define POOL		"/sys/kernel/debug/dma_heap/" HEAP_CMA
#define POOL_PERCENT	"/sys/module/cma_heap/parameters/pool_percent"
#define CMA_DIR		"/sys/kernel/debug/cma"
#define LEN		(4 * MIB)

static long pool_held(void)
{
	return table_number(POOL, "held");
}

/* Runs that were zeroed in the background so far */
static long pool_zeroed(void)
{
	return table_number(POOL, "zeroed");
}

/* As a driver has it that allocates from the region, or gives back the last */
static int region_write(const char *file, long pages)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), CMA_DIR "/%s/%s", cma_region_name(), file);
	snprintf(text, sizeof(text), "%ld", pages);
	return write_text(path, text);
}

/* One buffer that is gone again; false if it was not to be had */
static bool use_buffer(int heap, size_t len)
{
	int fd = heap_alloc(heap, len);

	close(fd);
	return fd >= 0;
}

/*
 * Waits until as many runs have been zeroed, whatever else is going on: before
 * that, one may be in the hands of the thread that does it, and not to be had.
 */
static bool pool_zeroed_is(long number)
{
	long long until = now_ms() + 20000;

	while (pool_zeroed() < number && now_ms() < until)
		sleep_ms(5);
	return pool_zeroed() == number;
}

/* An empty pool, as it is configured, and the heap */
FIXTURE(cma_pool) {
	struct heap_mark mark;
	char percent[32];
	long pages;
	int heap;
};

FIXTURE_SETUP(cma_pool)
{
	ASSERT_LT(0, read_file(POOL_PERCENT, self->percent,
			       sizeof(self->percent)));
	ASSERT_TRUE(heap_pool_emptied(POOL));
	heap_mark_take(&self->mark, HEAP_CMA);
	self->pages = cma_region_number("count");
	self->heap = heap_open(HEAP_CMA);
	ASSERT_LE(0, self->heap);
}

FIXTURE_TEARDOWN(cma_pool)
{
	close(self->heap);
	EXPECT_EQ(0, write_text(POOL_PERCENT, self->percent));
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Buffers of few sizes, one after the other: how many are not all zeroes */
static int used_buffers(int heap, unsigned int seed, int rounds)
{
	int i, used = 0;

	for (i = 0; i < rounds; i++) {
		size_t len = (1 + rand_r(&seed) % 3) * MIB;
		int fd = heap_alloc(heap, len);
		void *addr = fd < 0 ? NULL : buf_map(fd, len);

		if (!addr)
			return -1;
		used += !all_zero(addr, len);
		memset(addr, 0xdb, len);
		munmap(addr, len);
		close(fd);
		/* Sometimes it is zeroed meanwhile, or in part */
		if (rand_r(&seed) % 2)
			sleep_ms(rand_r(&seed) % 8);
	}
	return used;
}

TEST_F_TIMEOUT(cma_pool, never_shows_former_data, 120)
{
	enum { CHILDREN = 3, ROUNDS = 60 };
	pid_t pids[CHILDREN];
	int i;

	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(used_buffers(self->heap, i, ROUNDS) ? 1 : 0);
	}
	for (i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, child_status(pids[i]));
}

/* A buffer of the same size is the same memory, one of another is not */
TEST_F(cma_pool, memory_is_used_again)
{
	long before = pool_zeroed();
	int same, other;

	ASSERT_TRUE(use_buffer(self->heap, LEN));
	ASSERT_TRUE(pool_zeroed_is(before + 1));
	EXPECT_EQ((long)(LEN / PAGE), pool_held());
	EXPECT_EQ(self->mark.pages + (long)(LEN / PAGE),
		  heap_pages_used(HEAP_CMA));
	other = heap_alloc(self->heap, LEN / 2);
	ASSERT_LE(0, other);
	EXPECT_EQ((long)(LEN / PAGE), pool_held());
	same = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, same);
	EXPECT_EQ(0, pool_held());
	EXPECT_EQ(self->mark.pages + (long)(LEN / 2 * 3 / PAGE),
		  heap_pages_used(HEAP_CMA));
	close(same);
	close(other);
}

TEST_F(cma_pool, gets_ready_in_the_background)
{
	long before = pool_zeroed();
	void *addr;
	int fd;

	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	addr = buf_map(fd, LEN);
	ASSERT_NE(NULL, addr);
	memset(addr, 0xdb, LEN);
	munmap(addr, LEN);
	close(fd);
	EXPECT_TRUE(pool_zeroed_is(before + 1));
	EXPECT_EQ((long)(LEN / PAGE), pool_held());
	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, pool_held());
	addr = buf_map(fd, LEN);
	ASSERT_NE(NULL, addr);
	EXPECT_TRUE(all_zero(addr, LEN));
	munmap(addr, LEN);
	close(fd);
}

TEST_F(cma_pool, gives_back_when_memory_is_short)
{
	ASSERT_TRUE(use_buffer(self->heap, LEN));
	EXPECT_LT(self->mark.pages, heap_pages_used(HEAP_CMA));
	/* The buffer may just be zeroed: that is looked for again */
	EXPECT_TRUE(heap_mark_back(&self->mark));
	EXPECT_EQ(0, pool_held());
}

/* A driver that needs the region gets it, whatever the heap would like to keep */
TEST_F(cma_pool, gives_back_to_others)
{
	int i;

	ASSERT_EQ(0, write_text(POOL_PERCENT, "100"));
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(use_buffer(self->heap, self->pages / 4 * 3 * PAGE));
		EXPECT_EQ(self->pages / 4 * 3, pool_held());
		/* It may not have begun to be zeroed, be at it, or be ready */
		sleep_ms(2 * i);
		ASSERT_EQ(0, region_write("alloc", self->pages / 2)) {
			TH_LOG("round %d", i);
		}
		EXPECT_EQ(0, pool_held());
		EXPECT_EQ(self->mark.pages + self->pages / 2,
			  heap_pages_used(HEAP_CMA));
		ASSERT_EQ(0, region_write("free", self->pages / 2));
	}
}

/* And so does the next buffer, when it is of another size */
TEST_F(cma_pool, gives_back_to_other_sizes)
{
	long pages = self->pages / 2;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(use_buffer(self->heap, (pages - i) * PAGE)) {
			TH_LOG("round %d", i);
		}
	}
}

struct allocation {
	pthread_t thread;
	pthread_barrier_t *start;
	int heap;
	size_t len;
	int fd;
};

static void *allocate(void *arg)
{
	struct allocation *a = arg;

	pthread_barrier_wait(a->start);
	a->fd = heap_alloc(a->heap, a->len);
	return NULL;
}

#define FILL_MAX	64

/* Fills the region with small buffers and lets go of them all; how many */
static int fill_pool(int heap, size_t len)
{
	int fds[FILL_MAX], n, i;

	for (n = 0; n < FILL_MAX; n++) {
		fds[n] = heap_alloc(heap, len);
		if (fds[n] < 0)
			break;
	}
	for (i = 0; i < n; i++)
		close(fds[i]);
	return n;
}

/*
 * Two that find the region full at the same time: what is given back is for both.
 * In a region of 64 MiB they are too small for a huge page, for which the heap
 * would try twice.
 */
TEST_F_TIMEOUT(cma_pool, gives_back_to_two_at_once, 120)
{
	size_t len = self->pages / 52 * PAGE;
	pthread_barrier_t start;
	int i, j, n;

	ASSERT_EQ(0, write_text(POOL_PERCENT, "100"));
	for (i = 0; i < 20; i++) {
		struct allocation a[2];

		n = fill_pool(self->heap, len);
		ASSERT_LT(1, n);
		/* Or the region was not full */
		ASSERT_GT(FILL_MAX, n);
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
		for (j = 0; j < 2; j++) {
			a[j] = (struct allocation) {
				.start = &start, .heap = self->heap,
				.len = len / 2 * 3 / PAGE * PAGE + j * PAGE,
			};
			ASSERT_EQ(0, pthread_create(&a[j].thread, NULL,
						    allocate, &a[j]));
		}
		for (j = 0; j < 2; j++)
			pthread_join(a[j].thread, NULL);
		pthread_barrier_destroy(&start);
		for (j = 0; j < 2; j++) {
			EXPECT_LE(0, a[j].fd) {
				TH_LOG("round %d", i);
			}
			close(a[j].fd);
		}
	}
}

/* What does not fit goes, and those are kept that came last */
TEST_F(cma_pool, has_a_limit)
{
	const long quarter = self->pages / 4;
	long before = pool_zeroed();
	int fds[3], i;

	ASSERT_EQ(0, write_text(POOL_PERCENT, "30"));
	for (i = 0; i < 3; i++) {
		fds[i] = heap_alloc(self->heap, (quarter + i) * PAGE);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < 3; i++) {
		close(fds[i]);
		ASSERT_TRUE(pool_zeroed_is(before + i + 1));
	}
	EXPECT_EQ(quarter + 2, pool_held());
	ASSERT_TRUE(use_buffer(self->heap, self->pages / 2 * PAGE));
	EXPECT_GE(self->pages * 30 / 100, pool_held());
}

TEST_F(cma_pool, can_be_turned_off)
{
	ASSERT_TRUE(use_buffer(self->heap, LEN));
	ASSERT_EQ(0, write_text(POOL_PERCENT, "0"));
	EXPECT_TRUE(heap_mark_back(&self->mark));
	ASSERT_TRUE(use_buffer(self->heap, LEN));
	EXPECT_EQ(0, pool_held());
	EXPECT_EQ(self->mark.pages, heap_pages_used(HEAP_CMA));
}

TEST_F(cma_pool, limit_is_a_percentage)
{
	EXPECT_EQ(-EINVAL, write_text(POOL_PERCENT, "101"));
	EXPECT_EQ(-EINVAL, write_text(POOL_PERCENT, "-1"));
	EXPECT_EQ(0, write_text(POOL_PERCENT, "100"));
}

/* Many small buffers: as many as are looked through in no time */
TEST_F(cma_pool, keeps_a_number_of_runs)
{
	long long until = now_ms() + 20000;
	int fds[100], i;

	for (i = 0; i < 100; i++) {
		fds[i] = heap_alloc(self->heap, PAGE);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < 100; i++)
		close(fds[i]);
	/* And one that is just being zeroed, for which there is no room then */
	while (pool_held() > 64 && now_ms() < until)
		sleep_ms(5);
	EXPECT_EQ(64, pool_held());
}

TEST_HARNESS_MAIN
