// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap on User-mode Linux, which runs on this machine's own processor: time, with
 * caches and all. What a process maps is left out, as each page table entry is a
 * system call of the host there.
 *
 * This is the only program of that kernel.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "bench.h"

#define MAX_BUFFERS	256
#define ROUNDS		20

/* How many at a time: a look at the clock is a system call there, and a slow one */
static const struct {
	const char *name;
	size_t bytes;
	int buffers;
} sizes[] = {
	{ "64K", 64 * KIB, MAX_BUFFERS },
	{ "1M", MIB, 32 },
	{ "4Kvideo", 3840UL * 2160 * 3 / 2, 4 },
	{ "32M", 32 * MIB, 2 },
};

enum { ALLOC, CLOSE, CHURN, STEPS };

static const char * const names[STEPS] = { "alloc", "close", "churn" };

/* For one buffer. What comes in between only adds to the others */
static long long least[STEPS];

static void took_each(int step, long long at, int buffers)
{
	long long each = (now() - at) / buffers;

	if (!least[step] || each < least[step])
		least[step] = each;
}

static void one_round(int heap, size_t bytes, int buffers)
{
	int fds[MAX_BUFFERS], i;
	long long at;

	/* Time for the kernel to get ready what it wants to */
	usleep(100000);
	at = now();
	for (i = 0; i < buffers; i++)
		fds[i] = heap_alloc(heap, bytes);
	took_each(ALLOC, at, buffers);
	at = now();
	for (i = 0; i < buffers; i++)
		close(fds[i]);
	took_each(CLOSE, at, buffers);

	at = now();
	for (i = 0; i < buffers; i++)
		close(heap_alloc(heap, bytes));
	took_each(CHURN, at, buffers);
}

void native_begin(void)
{
	if (mount("dev", "/dev", "devtmpfs", 0, NULL))
		fail("/dev");
}

void native_end(void)
{
	reboot(RB_POWER_OFF);
}

void bench_native(const char *part)
{
	int heap = heap_open("system");
	unsigned int i, j;
	char group[64];

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(group, sizeof(group), "%s/%s", part, sizes[i].name);
		for (j = 0; j < ROUNDS; j++)
			one_round(heap, sizes[i].bytes, sizes[i].buffers);
		for (j = 0; j < STEPS; j++) {
			report_ns(group, names[j], least[j]);
			least[j] = 0;
		}
	}
}
