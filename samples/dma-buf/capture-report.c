// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a person sees of a capture: a line while it runs, and a table of the
 * ways in the end. Processor time is that of this program and its helper, in
 * user space and in the kernel; not that of the kernel's thread which plays
 * the converter and its DMA controller.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"

/* Processor time of a process so far */
__u64 cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t) < 0)
		return 0;
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static __u64 us(struct timeval t)
{
	return t.tv_sec * 1000000ull + t.tv_usec;
}

static void cpu_add(struct outcome *o, int sign)
{
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
	struct rusage usage;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (getrusage(whose[i], &usage) < 0)
			fail("getrusage", NULL);
		o->user_us += sign * us(usage.ru_utime);
		o->system_us += sign * us(usage.ru_stime);
	}
}

/* To be called before the helper starts, and after it has ended. */
void cpu_start(struct outcome *o)
{
	cpu_add(o, -1);
}

void cpu_stop(struct outcome *o)
{
	cpu_add(o, 1);
}

/* A line that is rewritten on a terminal, four lines anywhere else. */
void print_capture(const struct outcome *o, unsigned int done,
		   unsigned int all, __u64 cpu)
{
	static __u64 last;
	const char *term = getenv("TERM");
	bool live = isatty(STDOUT_FILENO) && !(term && !strcmp(term, "dumb"));
	unsigned int quarter = (all + 3) / 4;
	__u64 now = now_ns();

	if (done < all && (live ? now - last < 100000000 : done % quarter))
		return;
	last = now;

	printf("%s%-7s block %4u of %u  %6.1f MB  %6.1f MB/s  CPU %5.2f s%s",
	       live ? "\r" : "", o->way, done, all, o->bytes / 1e6,
	       o->ns ? o->bytes * 1e3 / o->ns : 0, cpu / 1e9,
	       live && done < all ? "" : "\n");
	fflush(stdout);
}

void print_outcomes(const struct outcome *o, unsigned int count)
{
	printf("\n%26s  %26s  %21s\n", "", "CPU, ms per 100 MB",
	       "samples checked by");
	printf("%-8s %8s %8s  %8s %8s %8s  %10s %10s %7s\n", "way", "MB", "MB/s",
	       "user", "system", "both", "program", "helper", "faults");
	for (; count--; o++) {
		double per = o->bytes / 1e8 * 1e3;

		printf("%-8s %8.1f %8.1f  %8.1f %8.1f %8.1f  %10llu %10llu %7llu\n",
		       o->way, o->bytes / 1e6, o->bytes * 1e3 / o->ns,
		       o->user_us / per, o->system_us / per,
		       (o->user_us + o->system_us) / per,
		       o->checked[0], o->checked[1], o->faults);
	}
	printf("CPU: this program and its helper, not the thread that plays the converter\n");
}
