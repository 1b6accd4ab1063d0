// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machines with more than one CMA region: each that is there for devices is a
 * heap of its own, under the region's name, and what is allocated from one is
 * not taken from another. Start the kernel with numa_cma=0:16M (it needs
 * CONFIG_DMA_NUMA_CMA) or with a reserved-memory node of the device tree; with
 * hugetlb_cma=1G there is a region that is not for devices, too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define CMA_DIR		"/sys/kernel/debug/cma"
#define PRIVATE		"hugetlb"
#define LEN		(2 * MIB)
#define BUFS_MAX	64

/* The first region that begins with @prefix, or that is a further one: NULL */
static bool find_region(char *name, size_t size, const char *prefix)
{
	const char *first = cma_region_name();
	DIR *dir = opendir(CMA_DIR);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		bool private = !strncmp(entry->d_name, PRIVATE, strlen(PRIVATE));

		if (entry->d_name[0] == '.')
			continue;
		found = prefix ? !strncmp(entry->d_name, prefix, strlen(prefix)) :
			!private && (!first || strcmp(entry->d_name, first));
		if (found)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A further region and its heap */
FIXTURE(region) {
	char name[256];
	struct heap_mark mark, first;
	int heap;
};

FIXTURE_SETUP(region)
{
	if (!find_region(self->name, sizeof(self->name), NULL))
		SKIP(return, "one CMA region only; boot with numa_cma=0:16M");
	heap_mark_take(&self->mark, self->name);
	heap_mark_take(&self->first, HEAP_CMA);
	self->heap = heap_open(self->name);
	ASSERT_LE(0, self->heap);
}

FIXTURE_TEARDOWN(region)
{
	close(self->heap);
	EXPECT_TRUE(_metadata->exit_code ||
		    (heap_mark_back(&self->mark) &&
		     heap_mark_back(&self->first)));
}

/* Pages of this region and of no other, zeroed, to be written and read */
TEST_F(region, memory_is_of_the_region)
{
	int fd = heap_alloc(self->heap, LEN);
	char exporter[64];
	void *addr;

	ASSERT_LE(0, fd);
	EXPECT_EQ(self->mark.pages + (long)(LEN / PAGE),
		  heap_pages_used(self->name));
	EXPECT_EQ(self->first.pages, heap_pages_used(HEAP_CMA));
	ASSERT_EQ(0, fdinfo_field(fd, "exp_name", exporter, sizeof(exporter)));
	EXPECT_STREQ(self->name, exporter);
	addr = buf_map(fd, LEN);
	ASSERT_NE(NULL, addr);
	EXPECT_TRUE(all_zero(addr, LEN));
	fill_words(addr, LEN, 7);
	EXPECT_EQ(0, check_words(addr, LEN, 7));
	munmap(addr, LEN);
	close(fd);
}

TEST_F(region, larger_than_the_region)
{
	long count = cma_number(self->name, "count");

	ASSERT_LT(0, count);
	EXPECT_EQ(-ENOMEM, heap_alloc(self->heap, count * PAGE + 1));
	EXPECT_EQ(self->mark.pages, heap_pages_used(self->name));
}

/* A region that is full is so for itself alone */
TEST_F(region, full_alone)
{
	int fds[BUFS_MAX], n, other;

	for (n = 0; n < BUFS_MAX; n++) {
		fds[n] = heap_alloc(self->heap, LEN);
		if (fds[n] < 0)
			break;
	}
	ASSERT_GT(BUFS_MAX, n);
	EXPECT_LT(1, n);
	EXPECT_EQ(-ENOMEM, fds[n]);
	other = heap_buffer(HEAP_CMA, LEN);
	EXPECT_LE(0, other);
	close(other);
	while (n--)
		close(fds[n]);
}

/* Huge pages would be found missing by those who set them aside */
TEST(private_region_is_no_heap)
{
	char name[256];

	if (!find_region(name, sizeof(name), PRIVATE))
		SKIP(return, "no region for huge pages; boot with hugetlb_cma=1G");
	EXPECT_EQ(-ENOENT, heap_open(name));
}

TEST_HARNESS_MAIN
