// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failing allocation and every failing copy of every path into heaps and
 * dma-bufs: an errno that fits, nothing left behind, and the checkers of the
 * kernel say nothing. Wants a kernel with fault injection.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/udmabuf.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"
#include "fail_nth.h"

/**
 * struct fail_state - what the paths start from, and what they got
 * @heap: a heap to allocate from, and @size how much
 * @fd: a buffer
 * @fence: a sync_file that is pending
 * @vgem: the device, and @handle of an object of its own
 * @udmabuf: the device, and @memfd for it
 * @epoll: an epoll instance
 * @got: descriptor that a path got
 * @map: mapping that a path got
 */
struct fail_state {
	int heap;
	size_t size;
	int fd, fence, vgem, udmabuf, memfd, epoll;
	__u32 handle;
	int got;
	void *map;
};

static void close_got(void *state)
{
	struct fail_state *st = state;

	close(st->got);
}

static int run_alloc(void *state)
{
	struct fail_state *st = state;

	st->got = heap_alloc(st->heap, st->size);
	return st->got < 0 ? st->got : 0;
}

static int run_mmap(void *state)
{
	struct fail_state *st = state;

	st->map = mmap(NULL, st->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       st->fd, 0);
	if (st->map == MAP_FAILED)
		return -errno;
	/* A fault that fails for lack of memory is tried again */
	return probe_write(st->map) ||
	       probe_write((char *)st->map + st->size - 1) ? -EIO : 0;
}

static void undo_mmap(void *state)
{
	struct fail_state *st = state;

	munmap(st->map, st->size);
}

static int run_sync(void *state)
{
	struct fail_state *st = state;
	int ret = buf_sync(st->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	int end = buf_sync(st->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);

	return ret ? ret : end;
}

static int run_name(void *state)
{
	struct fail_state *st = state;

	return buf_set_name(st->fd, "fails");
}

static void undo_name(void *state)
{
	struct fail_state *st = state;

	buf_set_name(st->fd, "");
}

static int run_export_sync_file(void *state)
{
	struct fail_state *st = state;

	st->got = buf_get_fence(st->fd, DMA_BUF_SYNC_RW);
	return st->got < 0 ? st->got : 0;
}

static int run_import_sync_file(void *state)
{
	struct fail_state *st = state;

	return buf_add_fence(st->fd, DMA_BUF_SYNC_WRITE, st->fence);
}

static int run_epoll(void *state)
{
	struct fail_state *st = state;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };

	return epoll_ctl(st->epoll, EPOLL_CTL_ADD, st->fd, &ev) ? -errno : 0;
}

static void undo_epoll(void *state)
{
	struct fail_state *st = state;

	epoll_ctl(st->epoll, EPOLL_CTL_DEL, st->fd, NULL);
}

static int run_import(void *state)
{
	struct fail_state *st = state;

	return vgem_import(st->vgem, st->fd, &st->handle);
}

static void undo_import(void *state)
{
	struct fail_state *st = state;

	vgem_close(st->vgem, st->handle);
}

static int run_fdinfo(void *state)
{
	struct fail_state *st = state;
	char path[64], text[256];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", st->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int run_udmabuf(void *state)
{
	struct fail_state *st = state;
	struct udmabuf_create arg = {
		.memfd = st->memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = 4 * PAGE,
	};

	st->got = do_ioctl(st->udmabuf, UDMABUF_CREATE, &arg);
	return st->got < 0 ? st->got : 0;
}

FIXTURE(path) {
	struct heap_mark mark;
	struct fail_state st;
	int timeline, other;
};

FIXTURE_VARIANT(path) {
	const char *heap;
	size_t size;
	int (*run)(void *state);
	void (*undo)(void *state);
	int points;
	bool busy;
};

#define PATH(_name, _heap, _size, _run, _undo, _points)			\
	FIXTURE_VARIANT_ADD(path, _name) {				\
		.heap = _heap, .size = _size, .run = _run,		\
		.undo = _undo, .points = _points,			\
	}

/* With the number of points that are there at least */
PATH(alloc_page, HEAP_SYSTEM, 4 * KIB, run_alloc, close_got, 10);
PATH(alloc_many, HEAP_SYSTEM, MIB + 4 * KIB, run_alloc, close_got, 10);
PATH(alloc_cma, HEAP_CMA, 64 * KIB, run_alloc, close_got, 10);
PATH(mmap, HEAP_SYSTEM, 64 * KIB, run_mmap, undo_mmap, 2);
PATH(mmap_large, HEAP_SYSTEM, 4 * MIB, run_mmap, undo_mmap, 2);
PATH(mmap_cma, HEAP_CMA, 64 * KIB, run_mmap, undo_mmap, 2);
PATH(sync, HEAP_SYSTEM, 4 * KIB, run_sync, NULL, 2);
PATH(set_name, HEAP_SYSTEM, 4 * KIB, run_name, undo_name, 2);
PATH(export_fence, HEAP_SYSTEM, 4 * KIB, run_export_sync_file, close_got, 4);

/* Two fences have to be made one */
FIXTURE_VARIANT_ADD(path, export_fences) {
	.heap = HEAP_SYSTEM, .size = 4 * KIB, .run = run_export_sync_file,
	.undo = close_got, .points = 6, .busy = true,
};

PATH(import_fence, HEAP_SYSTEM, 4 * KIB, run_import_sync_file, NULL, 1);
PATH(epoll, HEAP_SYSTEM, 4 * KIB, run_epoll, undo_epoll, 2);
PATH(prime_import, HEAP_SYSTEM, MIB, run_import, undo_import, 4);
PATH(prime_import_cma, HEAP_CMA, MIB, run_import, undo_import, 4);
PATH(fdinfo, HEAP_SYSTEM, 4 * KIB, run_fdinfo, NULL, 1);
PATH(udmabuf, HEAP_SYSTEM, 4 * KIB, run_udmabuf, close_got, 10);

/* Fences of two timelines; what is pending signals when these are closed */
static int make_busy(int fd, int timeline, int other)
{
	int a = timeline_fence(timeline, 1), b = timeline_fence(other, 1);
	int ret = buf_add_fence(fd, DMA_BUF_SYNC_READ, a);

	ret = ret ? ret : buf_add_fence(fd, DMA_BUF_SYNC_READ, b);
	close(a);
	close(b);
	return ret;
}

FIXTURE_SETUP(path)
{
	struct fail_state *st = &self->st;

	heap_mark_take(&self->mark, variant->heap);
	ASSERT_EQ(0, fail_nth_init()) {
		TH_LOG("the kernel has no fault injection");
	}
	st->size = variant->size;
	st->heap = heap_open(variant->heap);
	st->fd = heap_alloc(st->heap, variant->size);
	self->timeline = timeline_open();
	self->other = timeline_open();
	st->fence = timeline_fence(self->timeline, 1);
	st->vgem = vgem_open();
	st->udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	st->memfd = memfd_create("fail_nth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	st->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, st->fd);
	ASSERT_LE(0, st->fence);
	ASSERT_LE(0, st->vgem);
	ASSERT_LE(0, st->udmabuf);
	ASSERT_LE(0, st->epoll);
	ASSERT_EQ(0, ftruncate(st->memfd, 4 * PAGE));
	ASSERT_EQ(0, fcntl(st->memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	ASSERT_EQ(0, variant->busy ?
		     make_busy(st->fd, self->timeline, self->other) : 0);
}

FIXTURE_TEARDOWN(path)
{
	close(self->st.epoll);
	close(self->st.memfd);
	close(self->st.udmabuf);
	close(self->st.vgem);
	close(self->st.fence);
	close(self->other);
	close(self->timeline);
	close(self->st.fd);
	close(self->st.heap);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

TEST_F(path, every_failure)
{
	struct fail_path path = { variant->run, variant->undo, &self->st };
	struct fail_result result;
	struct fd_table before;

	fd_table_read(&before);
	ASSERT_EQ(0, fail_nth_sweep(&path, &result));
	TH_LOG("%d points, %d of them refused", result.points, result.refused);
	EXPECT_EQ(0, result.bad) {
		TH_LOG("point %d: %s", result.bad, strerror(-result.said));
	}
	EXPECT_LE(variant->points, result.points);
	EXPECT_TRUE(fd_table_same(&before));
	fail_nth_exit();
}

/* Pages of a region are not of the page allocator: they fail by themselves */
TEST(region_has_its_attribute)
{
	int region = heap_open(HEAP_CMA);
	int heap = heap_open(HEAP_SYSTEM);
	struct heap_mark mark;
	int ret, fd;

	heap_mark_take(&mark, HEAP_CMA);
	ASSERT_EQ(0, fail_nth_init());
	ASSERT_EQ(0, fail_always("fail_cma_heap", true));
	ret = heap_alloc(region, PAGE);
	fd = heap_alloc(heap, PAGE);
	ASSERT_EQ(0, fail_always("fail_cma_heap", false));
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_LE(0, fd);
	close(fd);
	fd = heap_alloc(region, PAGE);
	EXPECT_LE(0, fd);
	close(fd);
	close(heap);
	close(region);
	fail_nth_exit();
	EXPECT_TRUE(heap_mark_back(&mark));
}

TEST_HARNESS_MAIN
