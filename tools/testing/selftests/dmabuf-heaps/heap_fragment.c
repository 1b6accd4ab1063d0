// SPDX-License-Identifier: GPL-2.0-only
/*
 * R15: the system heap where there is plenty of memory and hardly two pages of
 * it lie side by side. It takes large chunks where they are, and does not have
 * any made for it: neither by reclaim nor by compaction, for which the caller
 * would wait.
 */
#include "../kselftest_harness.h"
#include "dmabuf_test.h"

/* Free memory left alone, so that nothing has to be reclaimed for lack of it */
#define SPARE		(48 * MIB)
/* What is fragmented */
#define AREA		(512 * MIB)
/* One page of so many stays taken */
#define KEPT_OF		8UL
/* Blocks of this order and above have become rare */
#define RARE_ORDER	5

FIXTURE(fragmented) {
	struct heap_mark mark;
	char *area, *rest;
	size_t rest_len;
};

/* Memory that only some may have: not for the system heap, nor page tables */
static size_t free_in_cma(void)
{
	return table_number("/proc/meminfo", "CmaFree") * KIB;
}

/*
 * Free memory in blocks of RARE_ORDER and above, by /proc/buddyinfo. What is
 * free of CMA is taken to be in such blocks.
 */
static size_t free_in_large(void)
{
	size_t cma = free_in_cma();
	FILE *file = fopen("/proc/buddyinfo", "re");
	char line[LINE_LEN];
	size_t bytes = 0;

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, "zone");
		int order, used = 0;
		unsigned long count;

		if (!at)
			continue;
		at += strcspn(at, "0123456789\n");
		/* The name of a zone may have digits, as DMA32 */
		if (strstr(line, "DMA32"))
			at = strstr(line, "DMA32") + strlen("DMA32");
		for (order = 0; sscanf(at, "%lu%n", &count, &used) == 1;
		     order++, at += used)
			if (order >= RARE_ORDER)
				bytes += (count << order) * PAGE;
	}
	if (file)
		fclose(file);
	return bytes > cma ? bytes - cma : 0;
}

static char *take(size_t len, int advice)
{
	char *area = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	madvise(area, len, advice);
	if (madvise(area, len, MADV_POPULATE_WRITE)) {
		munmap(area, len);
		return NULL;
	}
	return area;
}

/* Takes nearly all memory, then gives most of AREA of it back, piece by piece */
FIXTURE_SETUP(fragmented)
{
	size_t at;

	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->rest_len = table_number("/proc/meminfo", "MemFree") * KIB;
	ASSERT_LT(2 * AREA, self->rest_len);
	self->rest_len -= SPARE + AREA + free_in_cma();
	self->rest = take(self->rest_len, MADV_HUGEPAGE);
	ASSERT_NE(NULL, self->rest);
	/* Or khugepaged would compact memory for what is left of it */
	ASSERT_EQ(0, madvise(self->rest, self->rest_len, MADV_NOHUGEPAGE));
	self->area = take(AREA, MADV_NOHUGEPAGE);
	ASSERT_NE(NULL, self->area);
	for (at = 0; at < AREA; at += KEPT_OF * PAGE) {
		ASSERT_EQ(0, madvise(self->area + at + PAGE,
				     (KEPT_OF - 1) * PAGE, MADV_DONTNEED));
	}
}

FIXTURE_TEARDOWN(fragmented)
{
	munmap(self->area, AREA);
	munmap(self->rest, self->rest_len);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

TEST_F_TIMEOUT(fragmented, nobody_waits_for_large_chunks, 240)
{
	static const char * const waits[] = {
		"allocstall_", "compact_stall", "compact_fail", "pgsteal_direct",
	};
	long before[ARRAY_SIZE(waits)];
	size_t large = free_in_large(), len = AREA / 4, i;
	int fd;

	/* Or there was no need to look for any */
	ASSERT_GT(len / 4 * 3, large) {
		TH_LOG("%zu of %zu bytes in large blocks", large, len);
	}
	for (i = 0; i < ARRAY_SIZE(waits); i++)
		before[i] = vmstat_sum(waits[i]);
	fd = heap_buffer(HEAP_SYSTEM, len);
	EXPECT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		ASSERT_LE(0, before[i]);
		EXPECT_EQ(before[i], vmstat_sum(waits[i])) {
			TH_LOG("%s", waits[i]);
		}
	}
	close(fd);
}

TEST_HARNESS_MAIN
