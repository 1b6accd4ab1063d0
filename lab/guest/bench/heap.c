// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap's buffers through their life: each step by itself, as a program sees
 * it that makes a buffer now and then; and all of it with what the kernel does
 * about it in the background, without a pause and without anything ready.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* 1080p and 4K: a frame of NV12, which is no whole number of huge pages */
static const struct size sizes[] = {
	{ "4K", 4 * KIB, 200 },
	{ "64K", 64 * KIB, 100 },
	{ "1M", MIB, 40 },
	{ "1080p", 1920 * 1080 * 3 / 2, 20 },
	{ "4Kvideo", 3840UL * 2160 * 3 / 2, 12 },
	{ "12M", 12 * MIB, 12 },
	{ "32M", 32 * MIB, 8 },
};

/* Some sums too: where work is done at one step or another is a choice */
enum { ALLOC, MMAP, TOUCH, MAPPED, MUNMAP, CLOSE, GONE, STEPS };

static struct step steps[STEPS] = {
	[ALLOC] = { .name = "alloc" },
	[MMAP] = { .name = "mmap" },
	[TOUCH] = { .name = "first-touch" },
	[MAPPED] = { .name = "mmap-touch" },
	[MUNMAP] = { .name = "munmap" },
	[CLOSE] = { .name = "close" },
	[GONE] = { .name = "munmap-close" },
};

static void sum(int to, int one, int other)
{
	int last = steps[one].rounds - 1;

	took_ns(&steps[to], steps[one].took[last] + steps[other].took[last]);
}

/* What a memset() takes more the first time */
static void first_touch(void *addr, size_t bytes, long long *at)
{
	long long half, end;

	memset(addr, 0x5a, bytes);
	half = now();
	memset(addr, 0xa5, bytes);
	end = now();
	took_ns(&steps[TOUCH], (half - *at) - (end - half));
	*at = now();
}

static void one_round(int heap, size_t bytes)
{
	long long at = now();
	void *addr;
	int fd;

	fd = heap_alloc(heap, bytes);
	took(&steps[ALLOC], &at);
	addr = map(fd, bytes);
	took(&steps[MMAP], &at);
	first_touch(addr, bytes, &at);
	munmap(addr, bytes);
	took(&steps[MUNMAP], &at);
	close(fd);
	took(&steps[CLOSE], &at);
	sum(MAPPED, MMAP, TOUCH);
	sum(GONE, MUNMAP, CLOSE);
}

/* The same without looking at the clock, and touching a word of each page */
static void whole_round(int heap, size_t bytes)
{
	int fd = heap_alloc(heap, bytes);
	volatile char *addr = map(fd, bytes);
	size_t i;

	for (i = 0; i < bytes; i += 4 * KIB)
		addr[i] = 1;
	munmap((void *)addr, bytes);
	close(fd);
}

static void drop_caches(void)
{
	write_file("3", "/proc/sys/vm/drop_caches");
}

/* One round; what it took with all that came between, if that is the most */
static void timed_round(int heap, size_t bytes, long long *worst)
{
	long long at = now();

	whole_round(heap, bytes);
	at = now() - at;
	if (at > *worst)
		*worst = at;
}

/* The background, which is in the first figure, too, by itself */
static void report_whole(const char *group, const char *name, long long rounds,
			 const struct cost *cost, long long worst)
{
	char part[32];

	report_ns(group, name, (cost->self + cost->others) / rounds);
	snprintf(part, sizeof(part), "%s-background", name);
	report_ns(group, part, cost->others / rounds);
	snprintf(part, sizeof(part), "%s-worst", name);
	report_ns(group, part, worst);
}

static void measure_whole(const char *group, int heap, const struct size *size)
{
	int i, colds = size->rounds / 2;
	struct cost cost, sum;
	long long worst = 0;

	cost_begin(&cost);
	for (i = 0; i < size->rounds; i++)
		timed_round(heap, size->bytes, &worst);
	cost_end(&cost);
	report_whole(group, "churn", size->rounds, &cost, worst);

	if (colds > 10)
		colds = 10;
	for (i = -1; i < colds; i++) {
		/* warm-up: others' pages may have to move from a region once */
		if (i <= 0) {
			sum = (struct cost){ };
			worst = 0;
		}
		drop_caches();
		cost_begin(&cost);
		timed_round(heap, size->bytes, &worst);
		cost_end(&cost);
		sum.self += cost.self;
		sum.others += cost.others;
	}
	report_whole(group, "cold", colds, &sum, worst);
}

/* Into a driver that attaches and maps it at once, and out again */
static void measure_devices(const char *group, int heap,
			    const struct size *size)
{
	struct step map = { .name = "attach-map" };
	struct step unmap = { .name = "unmap-detach" };
	int fd = heap_alloc(heap, size->bytes);
	int vgem = vgem_open();
	long long at = now();
	int i;

	for (i = 0; i < size->rounds; i++) {
		int handle = vgem_import(vgem, fd);

		took(&map, &at);
		vgem_drop(vgem, handle);
		took(&unmap, &at);
	}
	close(vgem);
	report(group, &map);
	report(group, &unmap);
	measure_attached_sync(group, fd);
	close(fd);
}

static void measure(const char *heap_name, int heap, const struct size *size)
{
	char group[64];
	int i;

	snprintf(group, sizeof(group), "%s/%s", heap_name, size->name);
	for (i = -2; i < size->rounds; i++) {
		one_round(heap, size->bytes);
		/* warm-up */
		if (i < 0)
			for (int s = 0; s < STEPS; s++)
				steps[s].rounds = 0;
		/* idle time costs nothing: it is not waited for here */
		usleep(50000);
	}
	for (i = 0; i < STEPS; i++)
		report(group, &steps[i]);
	measure_devices(group, heap, size);
	measure_whole(group, heap, size);
}

void bench_heap(const char *group)
{
	int heap = heap_open(!strcmp(group, "cma") ? "reserved" : group);
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(group, heap, &sizes[i]);
}
