// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machines with more than one memory node: a buffer's memory is of the node
 * that the caller's policy names, new or kept from former buffers, and what is
 * kept stays with its node.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define POOL		"/sys/kernel/debug/dma_heap/system"
#define NODES		2
#define LEN		((long)(16 * MIB))
#define LEN_PAGES	(LEN / (long)PAGE)
/* What others may do to a node's memory meanwhile */
#define SLACK		((long)(2 * MIB))

static int set_policy(int mode, unsigned long nodes)
{
	return syscall(__NR_set_mempolicy, mode, mode ? &nodes : NULL,
		       mode ? 8 * sizeof(nodes) : 0) ? -errno : 0;
}

/* Pages that the pool keeps of one node; less than 0 if there is no pool */
static long kept_pages(int node)
{
	FILE *file = fopen(POOL, "re");
	unsigned int nid, order;
	char line[LINE_LEN];
	long ready, used, sum = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%u %u %ld %ld", &nid, &order, &ready,
			   &used) == 4 && nid == (unsigned int)node)
			sum += (ready + used) << order;
	}
	fclose(file);
	return sum;
}

static long free_bytes(int node)
{
	char path[64], key[32];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo",
		 node);
	snprintf(key, sizeof(key), "Node %d MemFree", node);
	return table_number(path, key) * KIB;
}

/* An empty pool, by whose record nothing is worth zeroing in the background */
FIXTURE(numa) {
	struct heap_mark mark;
	int heap;
};

FIXTURE_SETUP(numa)
{
	if (free_bytes(NODES - 1) < 0)
		SKIP(return, "one memory node only; see -numa of QEMU");
	ASSERT_TRUE(heap_pool_emptied(POOL));
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->heap = heap_open(HEAP_SYSTEM);
	ASSERT_LE(0, self->heap);
}

FIXTURE_TEARDOWN(numa)
{
	EXPECT_EQ(0, set_policy(MPOL_DEFAULT, 0));
	close(self->heap);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* A buffer that is gone; whether there was one */
static bool use_buffer(int heap)
{
	int fd = heap_alloc(heap, LEN);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

TEST_F(numa, memory_is_of_the_node_of_the_policy)
{
	int node, fd;

	for (node = 0; node < NODES; node++) {
		long before[NODES] = { free_bytes(0), free_bytes(1) };

		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
		fd = heap_alloc(self->heap, LEN);
		ASSERT_LE(0, fd);
		EXPECT_LE(LEN - SLACK, before[node] - free_bytes(node));
		EXPECT_GT(SLACK, before[!node] - free_bytes(!node));
		close(fd);
	}
}

TEST_F(numa, memory_is_kept_by_node)
{
	int node;

	for (node = 0; node < NODES; node++) {
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
		ASSERT_TRUE(use_buffer(self->heap));
		EXPECT_EQ(LEN_PAGES, kept_pages(node));
	}
	EXPECT_EQ(LEN_PAGES, kept_pages(0));
}

TEST_F(numa, what_is_kept_serves_its_node_alone)
{
	int fd;

	ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << 1));
	ASSERT_TRUE(use_buffer(self->heap));

	ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << 0));
	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	EXPECT_EQ(LEN_PAGES, kept_pages(1));
	close(fd);

	ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << 1));
	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, kept_pages(1));
	EXPECT_EQ(LEN_PAGES, kept_pages(0));
	close(fd);
}

/* To be asked for the next node moves such a policy on */
TEST_F(numa, interleaving_is_the_page_allocators)
{
	int node, fd;

	for (node = 0; node < NODES; node++) {
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
		ASSERT_TRUE(use_buffer(self->heap));
	}

	ASSERT_EQ(0, set_policy(MPOL_INTERLEAVE, 1UL << 0 | 1UL << 1));
	fd = heap_alloc(self->heap, LEN);
	ASSERT_LE(0, fd);
	for (node = 0; node < NODES; node++)
		EXPECT_EQ(LEN_PAGES, kept_pages(node));
	close(fd);
	for (node = 0; node < NODES; node++)
		EXPECT_LT(LEN_PAGES, kept_pages(node));
}

TEST_HARNESS_MAIN
