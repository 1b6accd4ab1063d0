// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once, for as long as one likes. The fuzzers and dmabuf_stress run
 * in many processes, each with a seed of its own; some are killed at any moment,
 * while memory is taken, torn to pieces and given back, and processors come and
 * go. What must hold all the time each of them looks at itself: new memory is
 * zero, a buffer has its own data, answers are documented, and a transfer ends
 * well at last. After each round all are killed, and then all must be back:
 * memory, buffers, timelines and converters, and every fence has signalled.
 *
 * SOAK_SECONDS in the environment makes it longer. Each round prints a SOAK_SEED,
 * with which it comes first: the same programs with the same seeds are killed
 * after the same time. Which of two processes is first does not follow from it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "iio_test.h"
#include "../dmabuf-heaps/fuzz.h"

#define ROUND_MS	20000LL
#define DEFAULT_S	10
/* Left alone by the process that takes memory: nobody is to run out of it */
#define SPARE		(256 * MIB)
#define STEP		(8 * MIB)
/* One page of so many stays taken */
#define KEPT_OF		8UL
#define CPUS		"/sys/devices/system/cpu"
/* For what was killed to be gone */
#define GONE_MS		60000

/**
 * struct kind - what a process does
 * @dir: where the program is
 * @program: to run, or
 * @run: a function that does not return
 */
struct kind {
	const char *dir, *program;
	void (*run)(struct fuzz *fuzz);
};

/**
 * struct worker - a process and its children, if there are any
 * @kind: what it does
 * @pid: of the first one, which has a session of its own
 * @seed: of what it does
 * @out: what they print
 * @kill_at: when they are killed, or 0
 */
struct worker {
	const struct kind *kind;
	pid_t pid;
	uint32_t seed;
	int out;
	long long kill_at;
};

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* A processor may be busy, the last one stays; all that is no answer */
	if (fd >= 0 && write(fd, word, strlen(word)) < 0)
		usleep(1000);
	close(fd);
}

static size_t memory_left(void)
{
	return table_number("/proc/meminfo", "MemAvailable") * KIB;
}

/* Nearly all memory, most of it given back in pieces, and what heaps keep */
static void take_memory(struct fuzz *fuzz)
{
	size_t len = table_number("/proc/meminfo", "MemTotal") * KIB, at, have;
	char *area = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (;;) {
		madvise(area, len,
			fuzz_pick(fuzz, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		for (have = 0; have < len && memory_left() > SPARE + STEP;
		     have += STEP)
			madvise(area + have, STEP, MADV_POPULATE_WRITE);
		sleep_ms(fuzz_pick(fuzz, 300));
		for (at = 0; at < have; at += KEPT_OF * PAGE)
			madvise(area + at + PAGE, (KEPT_OF - 1) * PAGE,
				MADV_DONTNEED);
		if (fuzz_pick(fuzz, 2))
			heap_pool_drain();
		else
			write_word("/proc/sys/vm/compact_memory", "1");
		sleep_ms(fuzz_pick(fuzz, 1000));
		madvise(area, have, MADV_DONTNEED);
	}
}

static void set_cpu(unsigned int cpu, bool on)
{
	char path[sizeof(CPUS) + 32];

	snprintf(path, sizeof(path), CPUS "/cpu%u/online", cpu);
	write_word(path, on ? "1" : "0");
}

static void all_cpus(void)
{
	long cpu;

	for (cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
		set_cpu(cpu, true);
}

static void plug_cpus(struct fuzz *fuzz)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (;;) {
		if (cpus > 1)
			set_cpu(1 + fuzz_pick(fuzz, cpus - 1),
				fuzz_pick(fuzz, 2));
		sleep_ms(50 + fuzz_pick(fuzz, 500));
	}
}

#define HEAPS_DIR	"../dmabuf-heaps"

static const struct kind heap_fuzz = { HEAPS_DIR, "./dmabuf_fuzz" };
static const struct kind stress = { HEAPS_DIR, "./dmabuf_stress" };
static const struct kind iio_fuzz = { ".", "./iio_fuzz" };
static const struct kind taker = { .run = take_memory };
static const struct kind plugger = { .run = plug_cpus };

/* The processes that there are at any moment */
static struct worker workers[] = {
	{ &heap_fuzz }, { &heap_fuzz }, { &heap_fuzz }, { &stress },
	{ &iio_fuzz }, { &iio_fuzz }, { &iio_fuzz },
	{ &taker }, { &plugger },
};

/* Since the beginning */
static unsigned long nr_begun, nr_killed;

/* Of a converter, and so of a process that has one */
static void name_of(const struct worker *w, char *name, size_t size)
{
	snprintf(name, size, "soak%u", (unsigned int)(w - workers));
}

static void set_number(const char *name, unsigned long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", number);
	setenv(name, text, 1);
}

static void be(struct worker *w, uint32_t ops)
{
	struct fuzz fuzz = { 0 };
	char name[16];

	setsid();
	dup2(w->out, 1);
	dup2(w->out, 2);
	if (w->kind->run) {
		fuzz_start(&fuzz, w->seed);
		w->kind->run(&fuzz);
	}
	name_of(w, name, sizeof(name));
	setenv("OTHERS_AT_WORK", name, 1);
	set_number("FUZZ_SEED", w->seed);
	set_number("FUZZ_OPS", ops);
	set_number("STRESS_SEED", w->seed);
	set_number("STRESS_SECONDS", 1 + ops / 500);
	if (!chdir(w->kind->dir))
		execl(w->kind->program, w->kind->program, NULL);
	perror(w->kind->program);
	_exit(127);
}

/* Half of them are killed, most of these early */
static bool start(struct worker *w, struct fuzz *fuzz)
{
	uint32_t ops = 100 + fuzz_pick(fuzz, 3000);

	w->seed = fuzz_random(fuzz);
	w->kill_at = 0;
	if (fuzz_pick(fuzz, 2))
		w->kill_at = now_ms() + fuzz_pick(fuzz, 1 +
						  fuzz_pick(fuzz, 4000));
	w->out = memfd_create("soak", MFD_CLOEXEC);
	w->pid = w->out < 0 ? -1 : fork();
	if (!w->pid)
		be(w, ops);
	nr_begun += w->pid > 0;
	return w->pid > 0;
}

/* All of its session: children of a test have process groups of their own */
static void kill_now(const struct worker *w)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	pid_t pid;

	while (proc && (de = readdir(proc))) {
		pid = atoi(de->d_name);
		if (pid > 1 && getsid(pid) == w->pid)
			kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
}

static void print_output(const struct worker *w)
{
	FILE *file = fdopen(dup(w->out), "re");
	char line[LINE_LEN];

	if (!file)
		return;
	rewind(file);
	while (fgets(line, sizeof(line), file))
		printf("#     %s", line);
	fclose(file);
}

FIXTURE(soak) {
	struct heap_mark system, cma;
	struct iio_mark iio;
	int sims;
};

FIXTURE_SETUP(soak)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		char path[128];

		if (workers[i].kind->run)
			continue;
		snprintf(path, sizeof(path), "%s/%s", workers[i].kind->dir,
			 workers[i].kind->program);
		ASSERT_EQ(0, access(path, X_OK)) {
			TH_LOG("no %s: TARGETS=\"dmabuf-heaps iio\"", path);
		}
	}
	/* Orphans of the killed are ours, so that we know when all are gone */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, iio_mark_take(&self->iio));
	heap_mark_take(&self->system, HEAP_SYSTEM);
	heap_mark_take(&self->cma, HEAP_CMA);
	self->sims = sims_live();
}

FIXTURE_TEARDOWN(soak)
{
}

/* What has ended by itself has ended well, and begins anew */
static bool look_after(struct worker *w, struct fuzz *fuzz)
{
	int status = 0;
	bool killed = w->kill_at && now_ms() >= w->kill_at;

	if (killed) {
		/* It may not have got as far as to have a session */
		kill(w->pid, SIGKILL);
		kill_now(w);
	}
	if (waitpid(w->pid, &status, killed ? 0 : WNOHANG) != w->pid)
		return true;
	nr_killed += killed;
	/* One that was to be killed may have ended before, and then well, too */
	if (status && !(killed && WIFSIGNALED(status) &&
			WTERMSIG(status) == SIGKILL)) {
		printf("# %s, seed %u, ended with %#x and said:\n",
		       w->kind->program ?: "a process", w->seed, status);
		print_output(w);
		return false;
	}
	close(w->out);
	return start(w, fuzz);
}

/* False if one of them holds on */
static bool end_all(void)
{
	long long until = now_ms() + GONE_MS;
	char name[16];
	size_t i;
	pid_t pid;

	do {
		for (i = 0; i < ARRAY_SIZE(workers); i++)
			kill_now(&workers[i]);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			break;
		sleep_ms(10);
	} while (now_ms() < until);
	all_cpus();
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		close(workers[i].out);
		name_of(&workers[i], name, sizeof(name));
		sim_remove_named(name);
	}
	return pid < 0;
}

static bool round_of(uint32_t seed, long long until)
{
	struct fuzz fuzz = { 0 };
	bool well = true;
	size_t i;

	printf("# SOAK_SEED=%u\n", seed);
	fflush(stdout);
	fuzz_start(&fuzz, seed);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		well = start(&workers[i], &fuzz) && well;
	while (well && now_ms() < until) {
		for (i = 0; i < ARRAY_SIZE(workers) && well; i++)
			well = look_after(&workers[i], &fuzz);
		sleep_ms(10);
	}
	if (!end_all()) {
		printf("# a process could not be killed\n");
		well = false;
	}
	return well;
}

static long setting(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

/* The limit is only for one that does not end at all */
TEST_F_TIMEOUT(soak, everything_comes_back, 7 * 24 * 3600)
{
	long long until = now_ms() + 1000 * setting("SOAK_SECONDS", DEFAULT_S);
	uint32_t seed = setting("SOAK_SEED", time(NULL));
	long long next;
	const char *left;

	do {
		next = now_ms() + ROUND_MS;
		ASSERT_TRUE(round_of(seed++, next < until ? next : until));
		ASSERT_TRUE(heap_mark_back(&self->system));
		ASSERT_TRUE(heap_mark_back(&self->cma));
		ASSERT_EQ(self->sims, sims_live());
		left = iio_mark_left(&self->iio);
		ASSERT_EQ(NULL, left) {
			TH_LOG("left: %s", left);
		}
		printf("# %lu processes, %lu of them killed, %ld transfers\n",
		       nr_begun, nr_killed, iio_fences_made());
		fflush(stdout);
	} while (now_ms() < until);
	/* Or nothing was tried */
	EXPECT_LT(ARRAY_SIZE(workers), nr_begun);
	EXPECT_LT(0, nr_killed);
}

TEST_HARNESS_MAIN
