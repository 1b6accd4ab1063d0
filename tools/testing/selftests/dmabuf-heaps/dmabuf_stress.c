// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight threads do to a few buffers whatever can be done to them, without
 * regard for each other, while a ninth looks at all there is to be seen. That
 * nothing was lost and nothing was said is the result; what a call answers is
 * looked at only so far as it must be an answer that fits. STRESS_SEED and
 * STRESS_SECONDS in the environment repeat a run, or make it longer.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define THREADS		8
#define SLOTS		12
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/**
 * struct stress - what all threads share
 * @slots: descriptors of buffers, -1 for none. Whoever takes one out closes it;
 *	others use it meanwhile, or find that the number is of something else.
 * @system: the system heap, and @cma
 * @vgem: device to import into
 * @stop: set when time is over
 * @ops: calls made
 * @looks: rounds of the ninth thread
 * @odd: an answer that does not fit, and @odd_op: what was asked
 */
struct stress {
	atomic_int slots[SLOTS];
	int system, cma, vgem;
	atomic_bool stop;
	atomic_long ops, looks;
	atomic_int odd, odd_op;
};

/**
 * struct worker - one thread
 * @stress: what it shares
 * @seed: of its random numbers
 * @thread: itself
 */
struct worker {
	struct stress *stress;
	unsigned int seed;
	pthread_t thread;
};

static unsigned int pick(struct worker *w, unsigned int n)
{
	return rand_r(&w->seed) % n;
}

static atomic_int *slot(struct worker *w)
{
	return &w->stress->slots[pick(w, SLOTS)];
}

/* A new buffer takes the place of another */
static int op_alloc(struct worker *w, int fd)
{
	bool cma = !pick(w, 8);
	int got = heap_alloc(cma ? w->stress->cma : w->stress->system,
			     (1 + pick(w, cma ? 16 : 64)) * PAGE);
	int old;

	if (got < 0)
		return got;
	old = atomic_exchange(slot(w), got);
	return old >= 0 && close(old) ? -errno : 0;
}

static int op_close(struct worker *w, int fd)
{
	int old = atomic_exchange(slot(w), -1);

	return old >= 0 && close(old) ? -errno : 0;
}

static int op_map(struct worker *w, int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	probe_write(map);
	return munmap(map, PAGE) ? -errno : 0;
}

static int op_sync(struct worker *w, int fd)
{
	__u64 flags = 1 + pick(w, 3);
	int ret = buf_sync(fd, DMA_BUF_SYNC_START | flags);

	return ret ? ret : buf_sync(fd, DMA_BUF_SYNC_END | flags);
}

static int op_name(struct worker *w, int fd)
{
	char name[16];

	snprintf(name, sizeof(name), "stress-%u", pick(w, 1000));
	return buf_set_name(fd, name);
}

static int op_poll(struct worker *w, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, pick(w, 3)) < 0 ? -errno : 0;
}

static int op_export(struct worker *w, int fd)
{
	int fence = buf_get_fence(fd, 1 + pick(w, 3));

	if (fence < 0)
		return fence;
	close(fence);
	return 0;
}

/* A fence that signals soon, one way or the other */
static int op_import(struct worker *w, int fd)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	int ret = fence;

	if (fence >= 0) {
		ret = buf_add_fence(fd, pick(w, 2) ? DMA_BUF_SYNC_READ :
						     DMA_BUF_SYNC_WRITE, fence);
		close(fence);
	}
	if (pick(w, 2))
		timeline_advance(timeline, 1);
	close(timeline);
	return ret;
}

/* To another process and back, as far as the kernel can tell */
static int op_send(struct worker *w, int fd)
{
	int pair[2], ret, got;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ret = send_fd(pair[0], fd);
	got = ret ? ret : recv_fd(pair[1]);
	close(pair[0]);
	close(pair[1]);
	if (got < 0)
		return got;
	close(got);
	return 0;
}

static int op_vgem(struct worker *w, int fd)
{
	__u32 handle;
	int ret = vgem_import(w->stress->vgem, fd, &handle);

	if (!ret)
		vgem_close(w->stress->vgem, handle);
	return ret;
}

static int op_info(struct worker *w, int fd)
{
	fdinfo_number(fd, "size");
	return 0;
}

static int (* const ops[])(struct worker *w, int fd) = {
	op_alloc, op_alloc, op_close, op_map, op_sync, op_name, op_poll,
	op_export, op_import, op_send, op_vgem, op_info,
};

/*
 * The number may by now be no descriptor, or that of some other file; an import
 * that another thread closes meanwhile has no handle.
 */
static bool fits(int ret)
{
	switch (ret) {
	case 0:
	case -EBADF:
	case -EINVAL:
	case -ENOTTY:
	case -ENODEV:
	case -EACCES:
	case -ENOENT:
		return true;
	case -ENOMEM:
		return others_at_work();
	default:
		return ret > 0;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned int op;
	int fd, ret;

	while (!atomic_load(&w->stress->stop)) {
		op = pick(w, ARRAY_SIZE(ops));
		fd = atomic_load(slot(w));
		ret = ops[op](w, fd);
		atomic_fetch_add(&w->stress->ops, 1);
		if (!fits(ret)) {
			atomic_store(&w->stress->odd, ret);
			atomic_store(&w->stress->odd_op, op);
		}
	}
	return NULL;
}

static void look_at_maps(const struct dirent *of)
{
	char path[sizeof("/proc//maps") + sizeof(of->d_name)], text[16384];

	if (!isdigit(of->d_name[0]))
		return;
	snprintf(path, sizeof(path), "/proc/%s/maps", of->d_name);
	read_file(path, text, sizeof(text));
}

static void look_at_link(const struct dirent *of)
{
	char text[512];

	fd_link(atoi(of->d_name), text, sizeof(text));
}

static void look_into(const char *path, void (*look_at)(const struct dirent *))
{
	DIR *dir = opendir(path);
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		look_at(de);
	if (dir)
		closedir(dir);
}

/* All that shows buffers: the list, every process's maps, names of open files */
static void *look(void *arg)
{
	struct stress *stress = arg;
	char text[16384];

	while (!atomic_load(&stress->stop)) {
		read_file(BUFINFO, text, sizeof(text));
		look_into("/proc", look_at_maps);
		look_into("/proc/self/fd", look_at_link);
		atomic_fetch_add(&stress->looks, 1);
	}
	return NULL;
}

static long setting(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

FIXTURE(stress) {
	struct heap_mark mark;
};

FIXTURE_SETUP(stress)
{
	heap_mark_take(&self->mark, HEAP_SYSTEM);
}

FIXTURE_TEARDOWN(stress)
{
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* The limit is only for one that does not end at all */
TEST_F_TIMEOUT(stress, everything_at_once, 3600)
{
	/* Longer where there is somebody to notice */
	long seconds = setting("STRESS_SECONDS",
			       access(KMEMLEAK, F_OK) ? 5 : 60);
	unsigned int seed = setting("STRESS_SEED", time(NULL));
	struct worker workers[THREADS];
	struct stress stress = { 0 };
	pthread_t looker;
	int i;

	for (i = 0; i < SLOTS; i++)
		atomic_store(&stress.slots[i], -1);
	stress.system = heap_open(HEAP_SYSTEM);
	stress.cma = heap_open(HEAP_CMA);
	stress.vgem = vgem_open();
	ASSERT_LE(0, stress.system);
	ASSERT_LE(0, stress.cma);
	ASSERT_LE(0, stress.vgem);

	TH_LOG("STRESS_SEED=%u, %ld s", seed, seconds);
	ASSERT_EQ(0, pthread_create(&looker, NULL, look, &stress));
	for (i = 0; i < THREADS; i++) {
		workers[i].stress = &stress;
		workers[i].seed = seed + i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work,
					    &workers[i]));
	}
	sleep_ms(1000 * seconds);
	atomic_store(&stress.stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_join(looker, NULL);

	for (i = 0; i < SLOTS; i++)
		if (atomic_load(&stress.slots[i]) >= 0)
			close(atomic_load(&stress.slots[i]));
	close(stress.vgem);
	close(stress.cma);
	close(stress.system);
	TH_LOG("%ld calls, %ld looks at all", atomic_load(&stress.ops),
	       atomic_load(&stress.looks));
	EXPECT_EQ(0, atomic_load(&stress.odd)) {
		TH_LOG("operation %d", atomic_load(&stress.odd_op));
	}
	EXPECT_LE(THREADS * (others_at_work() ? 1 : 100),
		  atomic_load(&stress.ops));
	EXPECT_LT(0, atomic_load(&stress.looks));
}

TEST_HARNESS_MAIN
