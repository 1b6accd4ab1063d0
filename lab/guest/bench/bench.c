// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure what dma-buf, its heaps and the DMABUFs of IIO cost the one who calls
 * them. Prints lines `GROUP/NAME<TAB>NANOSECONDS`, the median of many rounds. A
 * part that fails says so in a line that begins with #, and the others go on.
 *
 * BENCH, from the kernel's command line, names the parts to do. pair wants two
 * processors, native User-mode Linux and to be its init.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm/drm.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "bench.h"

static const struct {
	const char *group;
	void (*run)(const char *group);
} parts[] = {
	{ "system", bench_heap },
	{ "cma", bench_heap },
	{ "core", bench_core },
	{ "iio", bench_iio },
	{ "pair", bench_pair },
	{ "native", bench_native },
};

/* What it costs to look at the clock twice */
static long long overhead;

void fail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s\n", strerror(err));
	fflush(stdout);
	_exit(1);
}

static long long clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return 0;
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

long long now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void took_ns(struct step *step, long long ns)
{
	if (step->rounds < MAX_ROUNDS)
		step->took[step->rounds++] = ns > 0 ? ns : 0;
}

/* The step began at *since; the next one begins when this returns */
void took(struct step *step, long long *since)
{
	took_ns(step, now() - *since - overhead);
	*since = now();
}

void report_ns(const char *group, const char *name, long long ns)
{
	printf("%s/%s\t%lld\n", group, name, ns);
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

void report(const char *group, struct step *step)
{
	qsort(step->took, step->rounds, sizeof(step->took[0]), compare);
	report_ns(group, step->name, step->took[step->rounds / 2]);
	step->rounds = 0;
}

static void calibrate(void)
{
	static struct step nothing = { .name = "clock" };
	long long at = now();
	int i;

	for (i = 0; i < 100; i++)
		took(&nothing, &at);
	qsort(nothing.took, nothing.rounds, sizeof(nothing.took[0]), compare);
	overhead = nothing.took[nothing.rounds / 2];
}

/* CPU time of all threads of the kernel: this program and init are not meant */
static long long kernel_threads(void)
{
	long long sum = 0;
	struct dirent *de;
	clockid_t clock;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		fail("/proc");
	while ((de = readdir(proc))) {
		pid_t pid = atoi(de->d_name);

		if (pid > 1 && pid != getpid() && pid != getppid() &&
		    !clock_getcpuclockid(pid, &clock))
			sum += clock_ns(clock);
	}
	closedir(proc);
	return sum;
}

/* Let the kernel come to rest: what it does later was caused before */
static void settle(void)
{
	usleep(300000);
}

void cost_begin(struct cost *cost)
{
	settle();
	cost->others = kernel_threads();
	cost->self = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

long long cost_end(struct cost *cost)
{
	cost->self = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cost->self;
	settle();
	cost->others = kernel_threads() - cost->others;
	return cost->self + cost->others;
}

void write_file(const char *value, const char *path, ...)
{
	char name[256];
	va_list ap;
	int fd;

	va_start(ap, path);
	vsnprintf(name, sizeof(name), path, ap);
	va_end(ap);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail("%s", name);
	close(fd);
}

int do_ioctl(int fd, unsigned long cmd, void *arg, const char *what)
{
	int ret = ioctl(fd, cmd, arg);

	if (ret < 0)
		fail("%s", what);
	return ret;
}

int heap_open(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("%s", path);
	return fd;
}

int heap_alloc(int heap, size_t bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data, "allocation");
	return data.fd;
}

void *map(int fd, size_t bytes)
{
	void *addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);

	if (addr == MAP_FAILED)
		fail("mmap");
	return addr;
}

void sync_pair(int fd)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_START,
	};

	do_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync, "SYNC START");
	sync.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END;
	do_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync, "SYNC END");
}

bool ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 1000) == 1 && pfd.revents == events;
}

int vgem_open(void)
{
	int fd = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("/dev/dri/card0");
	return fd;
}

int vgem_import(int vgem, int fd)
{
	struct drm_prime_handle prime = { .fd = fd };

	do_ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, "import");
	return prime.handle;
}

void vgem_drop(int vgem, int handle)
{
	struct drm_gem_close gem = { .handle = handle };

	do_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &gem, "end of import");
}

#define SYNCS		200
#define IMPORTERS	4

static void measure_sync(const char *group, const char *name, int fd)
{
	struct step step = { .name = name };
	long long at;
	int i;

	sync_pair(fd);
	at = now();
	for (i = 0; i < SYNCS; i++) {
		sync_pair(fd);
		took(&step, &at);
	}
	report(group, &step);
}

/* With devices attached there may be more to do */
void measure_attached_sync(const char *group, int fd)
{
	int vgem[IMPORTERS], handle[IMPORTERS], i;

	measure_sync(group, "sync", fd);
	for (i = 0; i < IMPORTERS; i++) {
		vgem[i] = vgem_open();
		handle[i] = vgem_import(vgem[i], fd);
		if (!i)
			measure_sync(group, "sync-1-attached", fd);
	}
	measure_sync(group, "sync-4-attached", fd);
	for (i = 0; i < IMPORTERS; i++) {
		vgem_drop(vgem[i], handle[i]);
		close(vgem[i]);
	}
}

static bool run_part(unsigned int i)
{
	int status = 1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		parts[i].run(parts[i].group);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		printf("# %s: not all of it was measured\n", parts[i].group);
		return false;
	}
	return true;
}

int main(void)
{
	const char *only = getenv("BENCH") ?: "";
	bool good = true;
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() == 1)
		native_begin();
	calibrate();
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(only, parts[i].group))
			good &= run_part(i);
	printf("# end\n");
	if (getpid() == 1)
		native_end();
	return good ? 0 : 1;
}
