// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of heap buffers that are large enough for huge pages: they are
 * filled a page table at a time and without a page table where that is
 * possible, and every page of them can still be treated on its own.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

/* What one page table covers, and a huge page, where pages are of 4 KiB */
#define TABLE		(PAGE * PAGE / sizeof(__u64))
#define TABLE_PAGES	(TABLE / PAGE)
#define BUF_PAGES	(4 * TABLE_PAGES + 5)

/* A buffer whose pages begin with their number plus one, not mapped so far */
FIXTURE(huge) {
	struct heap_mark mark;
	size_t len;
	char *area;
	int fd;
};

FIXTURE_VARIANT(huge) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(huge, system) {
	.heap = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(huge, cma) {
	.heap = HEAP_CMA,
};

static void *map_pages(int fd, void *addr, size_t first, size_t count)
{
	return mmap(addr, count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (addr ? MAP_FIXED : 0), fd, first * PAGE);
}

/* The word at the beginning of a page, which others may be looking at, too */
static __u64 page_word(char *addr, size_t i)
{
	return __atomic_load_n((__u64 *)(addr + i * PAGE), __ATOMIC_RELAXED);
}

static void set_page_word(char *addr, size_t i, __u64 word)
{
	__atomic_store_n((__u64 *)(addr + i * PAGE), word, __ATOMIC_RELAXED);
}

/* Pages of the mapping that are not those of the buffer from first on */
static size_t wrong_pages(char *addr, size_t first, size_t count)
{
	size_t wrong = 0, i;

	for (i = 0; i < count; i++)
		wrong += page_word(addr, i) != first + i + 1;
	return wrong;
}

FIXTURE_SETUP(huge)
{
	char *addr;
	size_t i;

	heap_mark_take(&self->mark, variant->heap);
	self->len = BUF_PAGES * PAGE;
	self->fd = heap_buffer(variant->heap, self->len);
	ASSERT_LE(0, self->fd);
	addr = buf_map(self->fd, self->len);
	ASSERT_NE(NULL, addr);
	for (i = 0; i < BUF_PAGES; i++)
		set_page_word(addr, i, i + 1);
	munmap(addr, self->len);
	/* Addresses to map it at, of any alignment */
	self->area = mmap(NULL, self->len + 2 * TABLE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->area);
}

FIXTURE_TEARDOWN(huge)
{
	munmap(self->area, self->len + 2 * TABLE);
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* The first address of the area where a huge page may begin */
static char *aligned(char *area)
{
	return (char *)(((size_t)area + TABLE - 1) / TABLE * TABLE);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* A mapping wherever the kernel puts it; no more faults than page tables */
TEST_F(huge, fault_for_many_pages)
{
	char *addr = buf_map(self->fd, self->len);
	long before;

	ASSERT_NE(NULL, addr);
	before = faults();
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	memset(addr, 1, self->len);
	EXPECT_GE((long)(2 * (BUF_PAGES / TABLE_PAGES + 2)),
		  faults() - before);
	munmap(addr, self->len);
}

/* For 32-bit programs the kernel chooses addresses to save them, not tables */
#if __SIZEOF_LONG__ == 8
/* The kernel chooses an address at which huge pages are possible */
TEST_F(huge, address_is_aligned)
{
	char *addr = buf_map(self->fd, self->len);

	ASSERT_NE(NULL, addr);
	EXPECT_EQ((size_t)0, (size_t)addr % TABLE);
	munmap(addr, self->len);
	addr = map_pages(self->fd, NULL, 3, BUF_PAGES - 3);
	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(3 * PAGE, (size_t)addr % TABLE);
	munmap(addr, (BUF_PAGES - 3) * PAGE);
}

/* Where there are huge pages there are no page tables below */
TEST_F(huge, takes_no_page_tables)
{
	const size_t len = 16 * TABLE;
	int fd = heap_buffer(variant->heap, len);
	char *addr;
	long kib;

	ASSERT_LE(0, fd);
	addr = buf_map(fd, len);
	ASSERT_NE(NULL, addr);
	kib = table_number("/proc/self/status", "VmPTE");
	memset(addr, 1, len);
	EXPECT_GT((long)(len / TABLE / 2 * PAGE / KIB),
		  table_number("/proc/self/status", "VmPTE") - kib);
	munmap(addr, len);
	close(fd);
}
#endif

TEST_F(huge, part_unmapped)
{
	const size_t holes[][2] = {
		/* inside of a huge page, across two, one of them, the end */
		{ 100, 1 }, { TABLE_PAGES - 3, 7 },
		{ 2 * TABLE_PAGES, TABLE_PAGES }, { 0, 1 },
		{ TABLE_PAGES + 9, 2 * TABLE_PAGES },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		size_t from = holes[i][0], to = from + holes[i][1];
		char *addr = map_pages(self->fd, aligned(self->area), 0,
				       BUF_PAGES);

		ASSERT_NE(MAP_FAILED, (void *)addr);
		EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
		ASSERT_EQ(0, munmap(addr + from * PAGE, (to - from) * PAGE));
		EXPECT_EQ(0, wrong_pages(addr, 0, from));
		EXPECT_EQ(0, wrong_pages(addr + to * PAGE, to, BUF_PAGES - to));
		EXPECT_EQ(SIGSEGV, probe_read(addr + from * PAGE));
		EXPECT_EQ(SIGSEGV, probe_read(addr + to * PAGE - 1));
		munmap(addr, self->len);
	}
}

/* Moved to addresses of other alignments, with some of it touched before */
TEST_F(huge, moved)
{
	const size_t shifts[] = { 0, 1, TABLE_PAGES / 2 };
	const size_t touched[] = { 0, 1, TABLE_PAGES + 1, BUF_PAGES };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (j = 0; j < ARRAY_SIZE(touched); j++) {
			char *to = aligned(self->area) + shifts[i] * PAGE;
			char *addr = buf_map(self->fd, self->len);

			ASSERT_NE(NULL, addr);
			EXPECT_EQ(0, wrong_pages(addr, 0, touched[j]));
			ASSERT_EQ((void *)to, mremap(addr, self->len, self->len,
						     MREMAP_MAYMOVE |
						     MREMAP_FIXED, to));
			EXPECT_EQ(SIGSEGV, probe_read(addr));
			EXPECT_EQ(0, wrong_pages(to, 0, BUF_PAGES)) {
				TH_LOG("by %zu, %zu touched", shifts[i],
				       touched[j]);
			}
			/* Or the next mapping may be made there */
			ASSERT_EQ((void *)to, mmap(to, self->len, PROT_NONE,
						   MAP_PRIVATE | MAP_FIXED |
						   MAP_ANONYMOUS, -1, 0));
		}
	}
}

/* A piece out of the middle, and what is left around it */
TEST_F(huge, piece_moved)
{
	const size_t from = TABLE_PAGES + 7, count = TABLE_PAGES + 11;
	char *to = aligned(self->area) + 3 * PAGE;
	char *addr = buf_map(self->fd, self->len);

	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	ASSERT_EQ((void *)to, mremap(addr + from * PAGE, count * PAGE,
				     count * PAGE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(0, wrong_pages(to, from, count));
	EXPECT_EQ(0, wrong_pages(addr, 0, from));
	EXPECT_EQ(0, wrong_pages(addr + (from + count) * PAGE, from + count,
				 BUF_PAGES - from - count));
	EXPECT_EQ(SIGSEGV, probe_read(addr + from * PAGE));
	munmap(addr, self->len);
	munmap(to, count * PAGE);
}

TEST_F(huge, shrunk)
{
	char *addr = buf_map(self->fd, self->len);

	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	ASSERT_EQ((void *)addr, mremap(addr, self->len,
				       (TABLE_PAGES + 3) * PAGE, 0));
	EXPECT_EQ(0, wrong_pages(addr, 0, TABLE_PAGES + 3));
	EXPECT_EQ(SIGSEGV, probe_read(addr + (TABLE_PAGES + 3) * PAGE));
	munmap(addr, self->len);
}

TEST_F(huge, page_protected)
{
	const size_t pages[] = { 0, 77, TABLE_PAGES - 1, TABLE_PAGES };
	char *addr = map_pages(self->fd, aligned(self->area), 0, BUF_PAGES);
	size_t i;

	ASSERT_NE(MAP_FAILED, (void *)addr);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		char *at = addr + pages[i] * PAGE;

		EXPECT_EQ(0, probe_write(at));
		ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ));
		EXPECT_EQ(0, probe_read(at));
		EXPECT_EQ(SIGSEGV, probe_write(at));
		EXPECT_EQ(0, probe_write(at + PAGE));
		ASSERT_EQ(0, mprotect(at, PAGE, PROT_NONE));
		EXPECT_EQ(SIGSEGV, probe_read(at));
		ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ | PROT_WRITE));
		EXPECT_EQ(0, probe_write(at));
	}
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
}

/* Protected as a whole, untouched and touched, and writable again */
TEST_F(huge, all_protected)
{
	int touch;

	for (touch = 0; touch < 2; touch++) {
		char *addr = buf_map(self->fd, self->len);

		ASSERT_NE(NULL, addr);
		if (touch)
			EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
		ASSERT_EQ(0, mprotect(addr, self->len, PROT_READ));
		EXPECT_EQ(SIGSEGV, probe_write(addr));
		EXPECT_EQ(SIGSEGV, probe_write(addr + TABLE));
		EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
		ASSERT_EQ(0, mprotect(addr, self->len, PROT_NONE));
		EXPECT_EQ(SIGSEGV, probe_read(addr + TABLE));
		ASSERT_EQ(0, mprotect(addr, self->len,
				      PROT_READ | PROT_WRITE));
		EXPECT_EQ(0, probe_write(addr + 2 * TABLE));
		EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
		munmap(addr, self->len);
	}
}

/* A descriptor for reading: no huge page lets its mapping be written */
TEST_F(huge, read_only_stays_so)
{
	struct dma_heap_allocation_data data = {
		.len = self->len,
		.fd_flags = O_RDONLY | O_CLOEXEC,
	};
	int heap = heap_open(variant->heap);
	char *addr;

	ASSERT_EQ(0, heap_alloc_ioctl(heap, &data));
	close(heap);
	addr = mmap(NULL, self->len, PROT_READ, MAP_SHARED, data.fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(SIGSEGV, probe_write(addr));
	EXPECT_EQ(0, probe_read(addr));
	EXPECT_EQ(SIGSEGV, probe_write(addr));
	EXPECT_TRUE(all_zero(addr, self->len));
	munmap(addr, self->len);
	close(data.fd);
}

/* What the parent has touched, and what it has not, is the child's as well */
TEST_F(huge, fork_shares)
{
	char *addr = map_pages(self->fd, aligned(self->area), 0, BUF_PAGES);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, 2 * TABLE_PAGES));
	pid = fork();
	if (!pid) {
		if (wrong_pages(addr, 0, BUF_PAGES))
			_exit(1);
		set_page_word(addr, 1, 99);
		set_page_word(addr, 3 * TABLE_PAGES, 98);
		/* Its own mapping only */
		munmap(addr + TABLE, PAGE);
		_exit(0);
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(99, page_word(addr, 1));
	EXPECT_EQ(98, page_word(addr, 3 * TABLE_PAGES));
	EXPECT_EQ(0, wrong_pages(addr + TABLE, TABLE_PAGES, TABLE_PAGES));
}

TEST_F(huge, dropped_and_faulted_again)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
	};
	char *addr = buf_map(self->fd, self->len);
	size_t i;

	ASSERT_NE(NULL, addr);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
		EXPECT_TRUE(!madvise(addr + PAGE, 3 * TABLE, advice[i]) ||
			    errno == EINVAL);
	}
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	munmap(addr, self->len);
}

/* Locked memory is there without a fault */
TEST_F(huge, locked_is_filled)
{
	char *addr = mmap(NULL, self->len, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_LOCKED, self->fd, 0);
	long before;

	ASSERT_NE(MAP_FAILED, (void *)addr);
	before = faults();
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	EXPECT_GE(1, faults() - before);
	munmap(addr, self->len);
}

struct toucher {
	pthread_t thread;
	pthread_barrier_t *start;
	char *addr;
	size_t wrong;
	unsigned int first;
};

/* Every page, beginning at different ones */
static void *touch(void *arg)
{
	struct toucher *t = arg;
	size_t i;

	pthread_barrier_wait(t->start);
	for (i = 0; i < BUF_PAGES; i++) {
		size_t at = (i + t->first) % BUF_PAGES;

		t->wrong += page_word(t->addr, at) != at + 1;
		set_page_word(t->addr, at, at + 1);
	}
	return NULL;
}

/*
 * All threads fault at the same places at once, and meanwhile huge pages come
 * and go out of use for the process.
 */
TEST_F_TIMEOUT(huge, faults_at_once, 120)
{
	enum { THREADS = 4, ROUNDS = 50 };
	struct toucher t[THREADS];
	pthread_barrier_t start;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		char *addr = buf_map(self->fd, self->len);

		ASSERT_NE(NULL, addr);
		pthread_barrier_init(&start, NULL, THREADS + 1);
		for (i = 0; i < THREADS; i++) {
			t[i] = (struct toucher) {
				.start = &start, .addr = addr,
				.first = i / 2 * TABLE_PAGES,
			};
			ASSERT_EQ(0, pthread_create(&t[i].thread, NULL, touch,
						    &t[i]));
		}
		pthread_barrier_wait(&start);
		for (i = 0; i < 20; i++)
			prctl(PR_SET_THP_DISABLE, i % 2, 0, 0, 0);
		for (i = 0; i < THREADS; i++) {
			pthread_join(t[i].thread, NULL);
			EXPECT_EQ(0, t[i].wrong);
		}
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
		pthread_barrier_destroy(&start);
		munmap(addr, self->len);
	}
}

/* A process for which there are no huge pages */
TEST_F(huge, without_huge_pages)
{
	char *addr;

	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	addr = buf_map(self->fd, self->len);
	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	EXPECT_EQ(0, probe_write(addr + self->len - 1));
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	munmap(addr, self->len);
}

TEST_HARNESS_MAIN
