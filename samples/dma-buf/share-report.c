// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a person sees: progress, the table of steps, what the kernel knows of
 * the buffers, memory before and after, and errors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "share.h"

static struct {
	const char *what;
	unsigned int calls;
	__u64 bytes, ns;
} steps[STEPS] = {
	[STEP_ALLOC]	 = { .what = "allocate" },
	[STEP_ALLOC_CMA] = { .what = "allocate (CMA)" },
	[STEP_MMAP]	 = { .what = "mmap" },
	[STEP_ZERO]	 = { .what = "look for zeroes" },
	[STEP_PRODUCE]	 = { .what = "produce: SYNC, write" },
	[STEP_CONSUME]	 = { .what = "consume: SYNC, compare" },
	[STEP_IMPORT]	 = { .what = "import into vgem" },
	[STEP_MUNMAP]	 = { .what = "munmap" },
	[STEP_CLOSE]	 = { .what = "close" },
	[STEP_CLOSE_CMA] = { .what = "close (CMA)" },
};

__u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void step_add(enum step step, size_t bytes, __u64 ns)
{
	steps[step].calls++;
	steps[step].bytes += bytes;
	steps[step].ns += ns;
}

void print_steps(void)
{
	unsigned int i;

	printf("\n%-24s %6s %12s %12s %10s\n", "step", "times", "total ms",
	       "ms each", "MB/s");
	for (i = 0; i < STEPS; i++) {
		double ms = steps[i].ns / 1e6;

		if (!steps[i].calls)
			continue;
		printf("%-24s %6u %12.3f %12.3f %10.0f\n", steps[i].what,
		       steps[i].calls, ms, ms / steps[i].calls,
		       ms > 0 ? steps[i].bytes / 1e3 / ms : 0);
	}
}

/* A line that is rewritten on a terminal, four lines anywhere else. */
void print_progress(unsigned int done, unsigned int all, size_t bytes)
{
	static __u64 start, last;
	const char *term = getenv("TERM");
	bool live = isatty(STDOUT_FILENO) && !(term && !strcmp(term, "dumb"));
	unsigned int quarter = (all + 3) / 4;
	__u64 now = now_ns();

	if (!start)
		start = now;
	if (done < all) {
		if (live ? now - last < 100000000 : done % quarter || !done)
			return;
	}
	last = now;

	printf("%sframe %4u of %u  %6.2f GB shared  %5.1f frames/s%s",
	       live ? "\r" : "", done, all, done * (double)bytes / 1e9,
	       now > start ? done * 1e9 / (now - start) : 0,
	       live && done < all ? "" : "\n");
	fflush(stdout);
}

/* /proc/PID/fdinfo/FD without what every kind of file has there. */
void print_fdinfo(const struct buffer *buf)
{
	static const char * const wanted[] = {
		"size:", "count:", "exp_name:", "name:",
	};
	char path[64], line[128];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", buf->fd);
	f = fopen(path, "r");
	if (!f)
		fail("open fdinfo", NULL);

	printf("  fd %-3d", buf->fd);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
			size_t n = strlen(wanted[i]);

			if (!strncmp(line, wanted[i], n))
				printf("  %s %s", wanted[i],
				       line + n + strspn(line + n, "\t "));
		}
	}
	printf("\n");
	fclose(f);
}

static bool is_one_of_ours(const char *line, const struct buffer *bufs,
			   unsigned int count)
{
	const char *tab = strrchr(line, '\t');
	unsigned int i;

	for (i = 0; tab && i < count; i++) {
		if (!strcmp(tab + 1, bufs[i].name))
			return true;
	}
	return false;
}

/* Every buffer is a line, its fences and devices, and an empty line. */
void print_bufinfo(const struct buffer *bufs, unsigned int count)
{
	static const char path[] = "/sys/kernel/debug/dma_buf/bufinfo";
	bool ours = false;
	char line[256];
	FILE *f = fopen(path, "r");

	if (!f) {
		printf("  %s: %s (root, and debugfs mounted)\n", path,
		       strerror(errno));
		return;
	}

	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line)
			ours = false;
		else if (!strncmp(line, "size", 4))
			printf("  %s\n", line);
		else if (ours || is_one_of_ours(line, bufs, count))
			ours = printf("  %s\n", line) > 0;
	}
	fclose(f);
}

/* Add up what follows @key at the start of a line of @path, or -1. */
static long sum_of(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long sum = -1;

	if (!f)
		fail(path, "is /proc mounted?");
	while (fgets(line, sizeof(line), f)) {
		const char *at = line + strspn(line, " ");

		if (strncmp(at, key, strlen(key)))
			continue;
		sum = (sum < 0 ? 0 : sum) + strtol(at + strlen(key), NULL, 10);
	}
	fclose(f);
	return sum;
}

/*
 * Pages that were just freed stay for a while in a list of the processor that
 * freed them, where MemFree does not count them. Those of buffers the system heap
 * keeps for the next ones, until somebody else needs them: they and slabs are
 * what KReclaimable is the sum of.
 */
struct memory memory_now(void)
{
	return (struct memory) {
		.free_kb = sum_of("/proc/meminfo", "MemFree:"),
		.cma_free_kb = sum_of("/proc/meminfo", "CmaFree:"),
		.ready_kb = sum_of("/proc/zoneinfo", "count:") *
			    (sysconf(_SC_PAGESIZE) / 1024),
		.kept_kb = sum_of("/proc/meminfo", "KReclaimable:") -
			   sum_of("/proc/meminfo", "SReclaimable:"),
	};
}

/* What the kernel needs for itself meanwhile: slabs, page tables, caches. */
#define TOLERANCE_KB	4096
#define PATIENCE_NS	5000000000ull

static long all_free(const struct memory *m)
{
	return m->free_kb + m->ready_kb + m->kept_kb;
}

bool memory_came_back(const struct memory *before)
{
	long all = all_free(before) - TOLERANCE_KB;
	long cma = before->cma_free_kb - TOLERANCE_KB;
	__u64 start = now_ns();
	struct memory m;
	bool back;

	/* Some of it is freed a moment later, by other threads of the kernel. */
	do {
		m = memory_now();
		back = all_free(&m) >= all &&
		       m.cma_free_kb + m.ready_kb >= cma;
	} while (!back && now_ns() - start < PATIENCE_NS && !usleep(10000));

	printf("\n%-24s %12s %12s\n", "memory, KiB", "before", "after");
	printf("%-24s %12ld %12ld\n", "MemFree", before->free_kb, m.free_kb);
	printf("%-24s %12ld %12ld\n", "kept ready by CPUs",
	       before->ready_kb, m.ready_kb);
	printf("%-24s %12ld %12ld\n", "kept ready by heaps",
	       before->kept_kb, m.kept_kb);
	if (before->cma_free_kb >= 0)
		printf("%-24s %12ld %12ld\n", "CmaFree (of MemFree)",
		       before->cma_free_kb, m.cma_free_kb);
	printf("%s, to within %d KiB\n",
	       back ? "all memory came back" : "MEMORY IS MISSING",
	       TOLERANCE_KB);
	return back;
}

void give_up(void)
{
	fprintf(stderr, "\n");
	exit(EXIT_FAILURE);
}

void fail(const char *step, const char *hint)
{
	const char *symbol = strerrorname_np(errno);

	fprintf(stderr, "\n%s: %s: %s (%s)\n", program_invocation_short_name,
		step, strerror(errno), symbol ? symbol : "?");
	if (hint)
		fprintf(stderr, "  hint: %s\n", hint);
	exit(EXIT_FAILURE);
}
