// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of heap buffers: what may be mapped and what not, that every piece
 * shows the right page whatever is done to the mapping, and that the memory
 * cannot be had in any way that would keep its pages.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

#define BUF_PAGES	9

/* A buffer of BUF_PAGES pages, each filled with its own number as the seed */
FIXTURE(map) {
	struct heap_mark mark;
	int fd;
	size_t len;
	char *addr;
};

FIXTURE_VARIANT(map) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(map, system) {
	.heap = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(map, cma) {
	.heap = HEAP_CMA,
};

FIXTURE_SETUP(map)
{
	int i;

	heap_mark_take(&self->mark, variant->heap);
	self->len = BUF_PAGES * PAGE;
	self->fd = heap_buffer(variant->heap, self->len);
	ASSERT_LE(0, self->fd);
	self->addr = buf_map(self->fd, self->len);
	ASSERT_NE(NULL, self->addr);
	for (i = 0; i < BUF_PAGES; i++)
		fill_words(self->addr + i * PAGE, PAGE, i);
}

FIXTURE_TEARDOWN(map)
{
	munmap(self->addr, self->len);
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Words wrong in count pages at addr, which are the buffer's from first on */
static size_t wrong_pages(const char *addr, int first, int count)
{
	size_t wrong = 0;
	int i;

	for (i = 0; i < count; i++)
		wrong += check_words(addr + i * PAGE, PAGE, first + i);
	return wrong;
}

static void *map_at(int fd, size_t len, int page)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    page * PAGE);
}

TEST_F(map, private_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(map, every_part)
{
	int first, count;

	for (first = 0; first < BUF_PAGES; first++) {
		for (count = 1; first + count <= BUF_PAGES; count++) {
			void *addr = map_at(self->fd, count * PAGE, first);

			ASSERT_NE(MAP_FAILED, addr);
			EXPECT_EQ(0, wrong_pages(addr, first, count)) {
				TH_LOG("%d pages from %d", count, first);
			}
			munmap(addr, count * PAGE);
		}
	}
}

/* R03: no page past the end, from wherever the mapping starts */
TEST_F(map, past_the_end_is_refused)
{
	static const struct {
		int page, pages;
	} rows[] = {
		{ 0, BUF_PAGES + 1 },
		{ 1, BUF_PAGES },
		{ BUF_PAGES - 1, 2 },
		{ BUF_PAGES, 1 },
		{ BUF_PAGES + 1, 1 },
		{ 1000, 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(MAP_FAILED, map_at(self->fd, rows[i].pages * PAGE,
					     rows[i].page)) {
			TH_LOG("%d pages from %d", rows[i].pages, rows[i].page);
		}
		EXPECT_EQ(EINVAL, errno);
	}
}

/* Not by mmap(), which refuses offsets that are negative by itself */
static long map_far(int fd, size_t len, unsigned long offset)
{
#ifdef SYS_mmap2
	/* in units that do not depend on the size of a page */
	return syscall(SYS_mmap2, NULL, len, PROT_READ, MAP_SHARED, fd,
		       offset / 4096);
#else
	return syscall(SYS_mmap, NULL, len, PROT_READ, MAP_SHARED, fd, offset);
#endif
}

/* Offsets whose end wraps around, in bytes and in pages */
TEST_F(map, offset_that_wraps_is_refused)
{
	const unsigned long top = ~(~0UL >> 1);
	const unsigned long offsets[] = {
		-2 * PAGE, -BUF_PAGES * PAGE, top, top - PAGE,
		-1UL << (4 * sizeof(long)),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		errno = 0;
		EXPECT_EQ(-1, map_far(self->fd, PAGE, offsets[i]));
		EXPECT_EQ(EINVAL, errno) TH_LOG("offset %#lx", offsets[i]);
	}
	/* The end of this one does not fit an offset: mm says so */
	EXPECT_EQ(-1, map_far(self->fd, 4 * PAGE, -1 * PAGE));
	EXPECT_EQ(EOVERFLOW, errno);
}

/* R03: a mapping cannot be stretched over the end, in place or elsewhere */
TEST_F(map, cannot_grow)
{
	char *addr = map_at(self->fd, 2 * PAGE, BUF_PAGES - 2);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(MAP_FAILED, mremap(addr, 2 * PAGE, 3 * PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(addr, 2 * PAGE, 3 * PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(addr, 0, 3 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, wrong_pages(addr, BUF_PAGES - 2, 2));
	munmap(addr, 2 * PAGE);
}

/* R03: the old call that moves the window of a mapping checks its end too */
TEST_F(map, window_stays_inside)
{
	char *addr = map_at(self->fd, 2 * PAGE, 0);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(-1, remap_file_pages(addr, 2 * PAGE, 0, BUF_PAGES - 1, 0));
	EXPECT_EQ(EINVAL, errno);
	munmap(addr, 2 * PAGE);

	addr = map_at(self->fd, 2 * PAGE, 0);
	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(0, remap_file_pages(addr, 2 * PAGE, 0, BUF_PAGES - 2, 0));
	EXPECT_EQ(0, wrong_pages(addr, BUF_PAGES - 2, 2));
	munmap(addr, 2 * PAGE);
}

TEST_F(map, access_past_the_mapping_faults)
{
	size_t len = self->len;
	char *area = mmap(NULL, len + PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)area);
	ASSERT_EQ((void *)area, mmap(area, len, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_EQ(0, probe_read(area + len - 1));
	EXPECT_EQ(0, probe_write(area + len - 1));
	EXPECT_EQ(SIGSEGV, probe_read(area + len));
	munmap(area, len + PAGE);
}

TEST_F(map, moves)
{
	char *to = mmap(NULL, self->len, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *addr = map_at(self->fd, self->len, 0);

	ASSERT_NE(MAP_FAILED, (void *)to);
	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, 1));
	ASSERT_EQ((void *)to, mremap(addr, self->len, self->len,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(SIGSEGV, probe_read(addr));
	EXPECT_EQ(0, wrong_pages(to, 0, BUF_PAGES));
	munmap(to, self->len);
}

TEST_F(map, shrinks)
{
	char *addr = map_at(self->fd, self->len, 0);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	ASSERT_EQ((void *)addr, mremap(addr, self->len, 4 * PAGE, 0));
	EXPECT_EQ(0, wrong_pages(addr, 0, 4));
	EXPECT_EQ(SIGSEGV, probe_read(addr + 4 * PAGE));
	munmap(addr, 4 * PAGE);
}

TEST_F(map, hole_in_the_middle)
{
	char *addr = map_at(self->fd, self->len, 0);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	ASSERT_EQ(0, munmap(addr + 3 * PAGE, 2 * PAGE));
	EXPECT_EQ(0, wrong_pages(addr, 0, 3));
	EXPECT_EQ(SIGSEGV, probe_read(addr + 3 * PAGE));
	EXPECT_EQ(SIGSEGV, probe_read(addr + 5 * PAGE - 1));
	EXPECT_EQ(0, wrong_pages(addr + 5 * PAGE, 5, BUF_PAGES - 5));
	munmap(addr, self->len);
}

TEST_F(map, protection_changes)
{
	char *at = self->addr + 4 * PAGE;

	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ));
	EXPECT_EQ(0, probe_read(at));
	EXPECT_EQ(SIGSEGV, probe_write(at));
	EXPECT_EQ(0, probe_write(at + PAGE));
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, probe_read(at));
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, probe_write(at));
	EXPECT_EQ(0, wrong_pages(self->addr, 0, BUF_PAGES));
}

TEST_F(map, starts_without_access)
{
	char *addr = mmap(NULL, self->len, PROT_NONE, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(SIGSEGV, probe_read(addr));
	ASSERT_EQ(0, mprotect(addr, self->len, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	EXPECT_EQ(0, probe_write(addr));
	munmap(addr, self->len);
}

/* Shared memory opened for reading never becomes writable */
TEST_F(map, read_only_stays_so)
{
	struct dma_heap_allocation_data data = {
		.len = PAGE,
		.fd_flags = O_RDONLY | O_CLOEXEC,
	};
	int heap = heap_open(variant->heap);
	char *addr;

	ASSERT_EQ(0, heap_alloc_ioctl(heap, &data));
	close(heap);
	addr = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, data.fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(-1, mprotect(addr, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(SIGSEGV, probe_write(addr));
	munmap(addr, PAGE);
	close(data.fd);
}

/*
 * Whether or not the kernel lets such a mapping be emptied, what is seen
 * afterwards is the buffer.
 */
TEST_F(map, dropped_and_faulted_again)
{
	EXPECT_TRUE(!madvise(self->addr, self->len, MADV_DONTNEED) ||
		    errno == EINVAL);
	EXPECT_EQ(0, wrong_pages(self->addr, 0, BUF_PAGES));
	EXPECT_TRUE(!madvise(self->addr, self->len, MADV_PAGEOUT) ||
		    errno == EINVAL);
	EXPECT_EQ(0, wrong_pages(self->addr, 0, BUF_PAGES));
}

TEST_F(map, populated_at_once)
{
	char *addr = mmap(NULL, self->len, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)addr);
	EXPECT_EQ(0, wrong_pages(addr, 0, BUF_PAGES));
	munmap(addr, self->len);
}

TEST_F(map, two_mappings_one_memory)
{
	char *other = map_at(self->fd, 3 * PAGE, 4);

	ASSERT_NE(MAP_FAILED, (void *)other);
	fill_words(other + PAGE, PAGE, 77);
	EXPECT_EQ(0, check_words(self->addr + 5 * PAGE, PAGE, 77));
	fill_words(self->addr + 6 * PAGE, PAGE, 78);
	EXPECT_EQ(0, check_words(other + 2 * PAGE, PAGE, 78));
	EXPECT_EQ(0, wrong_pages(self->addr, 0, 5));
	munmap(other, 3 * PAGE);
}

TEST_F(map, fork_shares)
{
	pid_t pid = fork();

	if (!pid) {
		if (wrong_pages(self->addr, 0, BUF_PAGES))
			_exit(1);
		fill_words(self->addr + PAGE, PAGE, 99);
		_exit(0);
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(0, check_words(self->addr + PAGE, PAGE, 99));
	EXPECT_EQ(0, wrong_pages(self->addr + 2 * PAGE, 2, BUF_PAGES - 2));
}

TEST_F(map, not_for_the_child_if_told)
{
	pid_t pid;

	ASSERT_EQ(0, madvise(self->addr, 2 * PAGE, MADV_DONTFORK));
	pid = fork();
	if (!pid) {
		int sig = probe_read(self->addr);

		_exit(sig == SIGSEGV &&
		      !wrong_pages(self->addr + 2 * PAGE, 2, 2) ? 0 : 1);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, wrong_pages(self->addr, 0, BUF_PAGES));
}

TEST_F(map, outlives_the_descriptor)
{
	unsigned long inode = fd_inode(self->fd);

	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(stats_present(inode));
	EXPECT_EQ(0, wrong_pages(self->addr, 0, BUF_PAGES));
	/* A piece of it is enough to keep the whole */
	munmap(self->addr, (BUF_PAGES - 1) * PAGE);
	EXPECT_TRUE(stats_present(inode));
	EXPECT_EQ(0, wrong_pages(self->addr + (BUF_PAGES - 1) * PAGE,
				 BUF_PAGES - 1, 1));
	munmap(self->addr, self->len);
	EXPECT_FALSE(stats_present(inode));
	self->fd = -1;
}

/* VmFlags of the mapping at addr in smaps, with a space at either end */
static int vm_flags(const void *addr, char *flags, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[LINE_LEN];
	bool here = false;
	int ret = -ENOENT;

	while (file && ret && fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)addr &&
			       (unsigned long)addr < end;
		if (!here || strncmp(line, "VmFlags:", 8))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(flags, size, "%.*s ", (int)size - 2, line + 8);
		ret = 0;
	}
	if (file)
		fclose(file);
	return ret;
}

/* R24: not to be expanded, not in core dumps, frames without references */
TEST_F(map, flags_of_the_mapping)
{
	char flags[LINE_LEN] = "";

	ASSERT_EQ(0, vm_flags(self->addr, flags, sizeof(flags)));
	EXPECT_NE(NULL, strstr(flags, " sh "));
	EXPECT_NE(NULL, strstr(flags, " de ")) TH_LOG("%s", flags);
	EXPECT_NE(NULL, strstr(flags, " dd ")) TH_LOG("%s", flags);
	EXPECT_NE(NULL, strstr(flags, " pf ")) TH_LOG("%s", flags);
	/* Nor can it be put into core dumps again */
	EXPECT_EQ(-1, madvise(self->addr, self->len, MADV_DODUMP));
	EXPECT_EQ(EINVAL, errno);
}

/* R04: memory of a heap is not the process's own, nor file pages of it */
TEST_F(map, touching_is_not_resident)
{
	static const char * const fields[] = { "RssFile", "RssShmem" };
	const size_t len = 16 * MIB;
	long before[2];
	char *addr;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		before[i] = table_number("/proc/self/status", fields[i]);
	fd = heap_buffer(variant->heap, len);
	ASSERT_LE(0, fd);
	addr = buf_map(fd, len);
	ASSERT_NE(NULL, addr);
	memset(addr, 1, len);
	/* The counters are per CPU and summed loosely: a sixteenth for that */
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		long now = table_number("/proc/self/status", fields[i]);

		EXPECT_LE(0, now);
		EXPECT_GT((long)(len / KIB / 16), labs(now - before[i])) {
			TH_LOG("%s %ld -> %ld kB", fields[i], before[i], now);
		}
	}
	munmap(addr, len);
	close(fd);
}

/* Nobody gets at the pages themselves, only at what is in them */
TEST_F(map, pages_cannot_be_kept)
{
	char copy[64];
	struct iovec from = { self->addr, sizeof(copy) };
	struct iovec to = { copy, sizeof(copy) };
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, vmsplice(ends[1], &from, 1, SPLICE_F_GIFT));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(sizeof(copy), write(ends[1], self->addr, sizeof(copy)));
	EXPECT_EQ(sizeof(copy), read(ends[0], copy, sizeof(copy)));
	EXPECT_EQ(0, memcmp(copy, self->addr, sizeof(copy)));
	close(ends[0]);
	close(ends[1]);
}

/*
 * Large enough for the largest pages, seen through mappings that start at
 * other pages of the buffer and at other alignments of the address.
 */
TEST_F(map, any_alignment)
{
	static const struct {
		int page, shift;
	} rows[] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 511, 0 }, { 512, 0 },
		     { 513, 511 }, { 700, 3 } };
	const size_t len = (3 * 512 + 5) * PAGE, align = 512 * PAGE;
	int fd = heap_buffer(variant->heap, len);
	__u64 *whole, *at;
	char *area;
	size_t i, j;

	ASSERT_LE(0, fd);
	whole = (void *)buf_map(fd, len);
	ASSERT_NE(NULL, whole);
	for (i = 0; i < len / PAGE; i++)
		whole[i * PAGE / sizeof(*whole)] = i + 1;
	area = mmap(NULL, len + 2 * align, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)area);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t part = len - rows[i].page * PAGE;
		size_t base = ((size_t)area + align - 1) / align * align;

		at = mmap((char *)base + rows[i].shift * PAGE, part,
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			  rows[i].page * PAGE);
		ASSERT_NE(MAP_FAILED, (void *)at);
		for (j = 0; j < part / PAGE; j++) {
			ASSERT_EQ(rows[i].page + j + 1,
				  at[j * PAGE / sizeof(*at)]) {
				TH_LOG("page %zu of row %zu", j, i);
			}
		}
		munmap(at, part);
	}
	munmap(area, len + 2 * align);
	munmap(whole, len);
	close(fd);
}

TEST_HARNESS_MAIN
