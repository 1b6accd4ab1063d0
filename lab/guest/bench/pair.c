// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processors that make buffers at once. The clock counts the instructions of
 * both: what one does for as many buffers, beside what both do together. Who
 * waits for a lock that the other has does so in instructions, or asleep: then
 * the process was switched away from, and that is counted, too.
 *
 * The processors take turns of up to some milliseconds. A lock that is held at
 * the end of a turn costs the other all of the next one, much more than where
 * both run at the same time; but caches that are fought for cost nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS		6
/* Many turns of the processors */
#define ROUND_NS	60000000

static const struct size sizes[] = {
	{ .name = "4K", .bytes = 4 * KIB },
	{ .name = "1M", .bytes = MIB },
	{ .name = "12M", .bytes = 12 * MIB },
};

/* What the two processes share; by process: its last round, how often it slept */
struct pair {
	pthread_barrier_t barrier;
	int buffers;
	long long began[2], ended[2], slept[2];
};

static long long sleeps(void)
{
	struct rusage usage = { };

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static void use_buffers(struct pair *pair, int me, int heap, size_t bytes)
{
	long long before = sleeps();
	int i;

	pair->began[me] = now();
	for (i = 0; i < pair->buffers; i++)
		close(heap_alloc(heap, bytes));
	pair->ended[me] = now();
	pair->slept[me] = sleeps() - before;
}

/* How many buffers make a round */
static void calibrate(struct pair *pair, int heap, size_t bytes)
{
	long long took;

	pair->buffers = 4;
	use_buffers(pair, 0, heap, bytes);
	use_buffers(pair, 0, heap, bytes);
	took = (pair->ended[0] - pair->began[0]) / pair->buffers;
	pair->buffers = took < ROUND_NS / 2 ? ROUND_NS / (took + 1) : 2;
}

/* One by itself, in turns, while the other sleeps */
static long long round_alone(struct pair *pair, int me, int who, int heap,
			     size_t bytes)
{
	pthread_barrier_wait(&pair->barrier);
	if (me == who)
		use_buffers(pair, me, heap, bytes);
	pthread_barrier_wait(&pair->barrier);
	return pair->ended[who] - pair->began[who];
}

static long long round_both(struct pair *pair, int me, int heap, size_t bytes)
{
	const long long *began = pair->began, *ended = pair->ended;

	pthread_barrier_wait(&pair->barrier);
	use_buffers(pair, me, heap, bytes);
	pthread_barrier_wait(&pair->barrier);
	return (ended[0] > ended[1] ? ended[0] : ended[1]) -
	       (began[0] < began[1] ? began[0] : began[1]);
}

/* Both do the same; the first tells what came of it */
static void run_one(struct pair *pair, int me, const char *name, int heap,
		    const struct size *size)
{
	long long alone = 0, both = 0, slept = 0;
	char group[64];
	int i;

	if (!me)
		calibrate(pair, heap, size->bytes);
	for (i = 0; i < ROUNDS; i++) {
		alone += round_alone(pair, me, i % 2, heap, size->bytes);
		both += round_both(pair, me, heap, size->bytes);
		slept += pair->slept[0] + pair->slept[1];
	}
	if (me)
		return;
	snprintf(group, sizeof(group), "pair/%s/%s", name, size->name);
	report_ns(group, "alone", alone / ROUNDS / pair->buffers);
	report_ns(group, "both", both / ROUNDS / pair->buffers / 2);
	report_ns(group, "slept", slept * 1000 / ROUNDS / pair->buffers / 2);
}

static void run_heap(struct pair *pair, int me, const char *name,
		     const char *node)
{
	int heap = heap_open(node);
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		run_one(pair, me, name, heap, &sizes[i]);
	close(heap);
}

static void run(struct pair *pair, int me)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(me, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		fail("processor %d", me);
	run_heap(pair, me, "system", "system");
	run_heap(pair, me, "cma", "reserved");
}

void bench_pair(const char *group)
{
	struct pair *pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;
	int status = 1;
	pid_t pid;

	if (pair == MAP_FAILED)
		fail("%s", group);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&pair->barrier, &attr, 2);
	pid = fork();
	if (!pid) {
		run(pair, 1);
		_exit(0);
	}
	run(pair, 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("the other process");
}
