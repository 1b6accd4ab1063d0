// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers and a camera: frames are captured into dma-bufs, and the
 * camera's own buffers are exported. The camera is vivid; nothing here tests it
 * or videobuf2, but that a buffer of this core serves them.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"
#include "dmabuf_video.h"

#define SLOTS		4
#define WIDTH		320
#define HEIGHT		180
/* Frames that may be on their way when a pattern changes */
#define LATE_FRAMES	(4 * SLOTS)

FIXTURE(capture) {
	struct heap_mark mark;
	struct video_queue queue;
	size_t len;
	int bufs[SLOTS];
};

FIXTURE_VARIANT(capture) {
	const char *heap;
	const char *bus;
};

FIXTURE_VARIANT_ADD(capture, system) {
	.heap = HEAP_SYSTEM,
	.bus = VIVID_VMALLOC,
};

FIXTURE_VARIANT_ADD(capture, cma) {
	.heap = HEAP_CMA,
	.bus = VIVID_VMALLOC,
};

/* An importer that maps a buffer for its device and wants it in one piece */
FIXTURE_VARIANT_ADD(capture, contiguous) {
	.heap = HEAP_CMA,
	.bus = VIVID_CONTIG,
};

FIXTURE_SETUP(capture)
{
	struct video_queue *queue = &self->queue;
	int i;

	if (!strcmp(variant->bus, VIVID_CONTIG) && !vivid_is_contig())
		SKIP(return, "no vivid.n_devs=2 vivid.allocators=0,1");
	heap_mark_take(&self->mark, variant->heap);
	queue->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	queue->memory = V4L2_MEMORY_DMABUF;
	queue->fd = video_open(variant->bus, V4L2_CAP_VIDEO_CAPTURE);
	ASSERT_LE(0, queue->fd);
	ASSERT_EQ(0, video_capture_format(queue->fd, WIDTH, HEIGHT));
	ASSERT_EQ(0, queue_format(queue, WIDTH, HEIGHT));
	ASSERT_EQ(0, video_menu(queue->fd, "Test Pattern",
				colour_pattern(RED)));
	self->len = (queue->size / PAGE + 2) * PAGE;
	for (i = 0; i < SLOTS; i++) {
		self->bufs[i] = filled_buffer(variant->heap, self->len, i);
		ASSERT_LE(0, self->bufs[i]);
	}
	ASSERT_EQ(SLOTS, queue_request(queue, SLOTS));
}

FIXTURE_TEARDOWN(capture)
{
	int i;

	close(self->queue.fd);
	for (i = 0; i < SLOTS; i++)
		close(self->bufs[i]);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

static int put_all(struct video_queue *queue, const int *bufs)
{
	int i, ret = 0;

	for (i = 0; !ret && i < SLOTS; i++)
		ret = queue_put(queue, i, bufs[i]);
	return ret;
}

/* Each frame arrives in the buffer of its slot, and nothing beyond it */
TEST_F(capture, frames_arrive)
{
	struct video_queue *queue = &self->queue;
	size_t room = self->len - PAGE;
	int i, slot;
	void *addr;

	for (i = 0; i < SLOTS; i++)
		ASSERT_EQ(-1, buffer_colour(self->bufs[i], queue->size));
	ASSERT_EQ(0, put_all(queue, self->bufs));
	ASSERT_EQ(0, queue_stream(queue, true));
	for (i = 0; i < SLOTS; i++) {
		slot = queue_get(queue);
		ASSERT_LE(0, slot);
		EXPECT_EQ(RED, buffer_colour(self->bufs[slot], queue->size));
	}
	ASSERT_EQ(0, queue_stream(queue, false));
	ASSERT_LE(queue->size, room);
	for (i = 0; i < SLOTS; i++) {
		addr = buf_map(self->bufs[i], self->len);
		ASSERT_NE(NULL, addr);
		/* put back what was under the frame: the rest is as it was */
		fill_words(addr, room, i);
		EXPECT_EQ(0, check_words(addr, self->len, i));
		munmap(addr, self->len);
	}
}

/* Buffers go round, and what is seen in them changes with what is captured */
TEST_F(capture, buffers_go_round)
{
	struct video_queue *queue = &self->queue;
	int i, slot, colour, seen;

	ASSERT_EQ(0, put_all(queue, self->bufs));
	ASSERT_EQ(0, queue_stream(queue, true));
	for (colour = BLUE; colour >= RED; colour--) {
		ASSERT_EQ(0, video_menu(queue->fd, "Test Pattern",
					colour_pattern(colour)));
		for (i = 0, seen = 0; i < LATE_FRAMES && seen < SLOTS; i++) {
			slot = queue_get(queue);
			ASSERT_LE(0, slot);
			seen += buffer_colour(self->bufs[slot], queue->size) ==
				colour;
			ASSERT_EQ(0, queue_put(queue, slot, self->bufs[slot]));
		}
		EXPECT_EQ(SLOTS, seen);
	}
}

/* Nothing to wait for, then a frame, then none any more */
TEST_F(capture, poll_tells_of_a_frame)
{
	struct video_queue *queue = &self->queue;

	EXPECT_EQ(POLLERR, queue_poll(queue, 0) & (POLLERR | POLLIN));
	ASSERT_EQ(0, queue_put(queue, 0, self->bufs[0]));
	ASSERT_EQ(0, queue_put(queue, 1, self->bufs[1]));
	ASSERT_EQ(0, queue_stream(queue, true));
	EXPECT_EQ(POLLIN, queue_poll(queue, VIDEO_WAIT_MS) & POLLIN);
	EXPECT_LE(0, queue_get(queue));
	EXPECT_LE(0, queue_get(queue));
	EXPECT_EQ(0, queue_poll(queue, 0) & POLLIN);
	/* the device's work leaves no fence: the buffers are ready by now */
	EXPECT_EQ(0, buf_sync(self->bufs[0], DMA_BUF_SYNC_START |
				      DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buf_sync(self->bufs[0], DMA_BUF_SYNC_END |
				      DMA_BUF_SYNC_RW));
}

/* One buffer in two slots: two attachments of it */
TEST_F(capture, one_buffer_in_two_slots)
{
	struct video_queue *queue = &self->queue;

	ASSERT_EQ(0, queue_put(queue, 0, self->bufs[0]));
	ASSERT_EQ(0, queue_put(queue, 1, self->bufs[0]));
	ASSERT_EQ(0, queue_stream(queue, true));
	EXPECT_LE(0, queue_get(queue));
	EXPECT_LE(0, queue_get(queue));
	EXPECT_EQ(RED, buffer_colour(self->bufs[0], queue->size));
}

/* A slot keeps its buffer, until another comes in its place */
TEST_F(capture, another_buffer_in_the_slot)
{
	struct video_queue *queue = &self->queue;
	unsigned long inode = fd_inode(self->bufs[0]);
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, queue_put(queue, i, self->bufs[i]));
	ASSERT_EQ(0, queue_stream(queue, true));
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, queue_get(queue));
	close(self->bufs[0]);
	self->bufs[0] = -1;
	EXPECT_TRUE(stats_present(inode));
	ASSERT_EQ(0, queue_put(queue, 0, self->bufs[2]));
	EXPECT_FALSE(stats_present(inode));
	EXPECT_EQ(0, queue_get(queue));
	EXPECT_EQ(RED, buffer_colour(self->bufs[2], queue->size));
}

/* What is no buffer for a frame is refused, and nothing is kept of it */
TEST_F(capture, wrong_buffers_are_refused)
{
	struct video_queue *queue = &self->queue;
	int memfd = memfd_create("not-a-dma-buf", MFD_CLOEXEC);
	int small = heap_buffer(variant->heap, PAGE);
	unsigned long inode = fd_inode(small);
	long live = buffers_live();

	ASSERT_LE(0, memfd);
	ASSERT_LE(0, small);
	ASSERT_EQ(0, ftruncate(memfd, self->len));
	EXPECT_EQ(-EINVAL, queue_put(queue, 0, memfd));
	EXPECT_EQ(-EINVAL, queue_put(queue, 0, small));
	EXPECT_EQ(live, buffers_live());
	close(small);
	EXPECT_FALSE(stats_present(inode));
	close(memfd);
	EXPECT_EQ(-EINVAL, queue_put(queue, 0, small));
	EXPECT_EQ(-EINVAL, queue_put(queue, 0, -1));
	EXPECT_EQ(-EINVAL, queue_put(queue, SLOTS, self->bufs[0]));

	/* and the slot is as good as before */
	ASSERT_EQ(0, put_all(queue, self->bufs));
	ASSERT_EQ(0, queue_stream(queue, true));
	EXPECT_EQ(0, queue_get(queue));
	EXPECT_EQ(RED, buffer_colour(self->bufs[0], queue->size));
}

/* Only the device has them, and then nobody */
TEST_F(capture, taken_back_while_queued)
{
	struct video_queue *queue = &self->queue;
	unsigned long inodes[SLOTS];
	int i;

	ASSERT_EQ(0, put_all(queue, self->bufs));
	for (i = 0; i < SLOTS; i++) {
		inodes[i] = fd_inode(self->bufs[i]);
		close(self->bufs[i]);
		self->bufs[i] = -1;
		EXPECT_TRUE(stats_present(inodes[i]));
	}
	EXPECT_EQ(0, queue_request(queue, 0));
	for (i = 0; i < SLOTS; i++)
		EXPECT_FALSE(stats_present(inodes[i]));
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

TEST_F(capture, closed_while_capturing)
{
	struct video_queue *queue = &self->queue;
	int i;

	ASSERT_EQ(0, put_all(queue, self->bufs));
	ASSERT_EQ(0, queue_stream(queue, true));
	EXPECT_LE(0, queue_get(queue));
	for (i = 0; i < SLOTS; i++) {
		close(self->bufs[i]);
		self->bufs[i] = -1;
	}
	close(queue->fd);
	queue->fd = -1;
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* The last descriptors of device and buffers go with the process */
TEST_F(capture, killed_while_capturing)
{
	struct video_queue *queue = &self->queue;
	int i, ready[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		byte = put_all(queue, self->bufs) ||
		       queue_stream(queue, true) || queue_get(queue) < 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(queue->fd);
	queue->fd = -1;
	for (i = 0; i < SLOTS; i++) {
		close(self->bufs[i]);
		self->bufs[i] = -1;
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_LT(self->mark.buffers, buffers_live());
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_status(pid));
	EXPECT_TRUE(heap_mark_back(&self->mark));
	close(ready[0]);
	close(ready[1]);
}

/* The device's own buffers, exported */
FIXTURE(export) {
	struct heap_mark mark;
	struct video_queue queue;
	size_t len;
	void *own;
	int fd;
};

FIXTURE_VARIANT(export) {
	const char *bus;
};

FIXTURE_VARIANT_ADD(export, vmalloc) {
	.bus = VIVID_VMALLOC,
};

FIXTURE_VARIANT_ADD(export, contiguous) {
	.bus = VIVID_CONTIG,
};

FIXTURE_SETUP(export)
{
	struct video_queue *queue = &self->queue;

	if (!strcmp(variant->bus, VIVID_CONTIG) && !vivid_is_contig())
		SKIP(return, "no vivid.n_devs=2 vivid.allocators=0,1");
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	queue->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	queue->memory = V4L2_MEMORY_MMAP;
	queue->fd = video_open(variant->bus, V4L2_CAP_VIDEO_CAPTURE);
	ASSERT_LE(0, queue->fd);
	ASSERT_EQ(0, video_capture_format(queue->fd, WIDTH, HEIGHT));
	ASSERT_EQ(0, queue_format(queue, WIDTH, HEIGHT));
	ASSERT_EQ(0, video_menu(queue->fd, "Test Pattern",
				colour_pattern(GREEN)));
	ASSERT_EQ(SLOTS, queue_request(queue, SLOTS));
	self->fd = queue_export(queue, 0, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->own = queue_map(queue, 0, &self->len);
	ASSERT_NE(NULL, self->own);
}

FIXTURE_TEARDOWN(export)
{
	munmap(self->own, self->len);
	close(self->queue.fd);
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

TEST_F(export, same_memory_both_ways)
{
	void *addr = buf_map(self->fd, self->len);

	ASSERT_NE(NULL, addr);
	EXPECT_EQ((off_t)((self->len + PAGE - 1) / PAGE * PAGE),
		  lseek(self->fd, 0, SEEK_END));
	fill_words(self->own, self->len, 71);
	EXPECT_EQ(0, check_words(addr, self->len, 71));
	fill_words(addr, self->len, 72);
	EXPECT_EQ(0, check_words(self->own, self->len, 72));
	munmap(addr, self->len);
	EXPECT_EQ(NULL, buf_map(self->fd, self->len + PAGE));
}

/* Frames captured the driver's own way are seen through the dma-buf */
TEST_F(export, frames_are_seen)
{
	struct video_queue *queue = &self->queue;
	int i;

	fill_words(self->own, self->len, 73);
	ASSERT_EQ(-1, buffer_colour(self->fd, queue->size));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, queue_put(queue, i, -1));
	ASSERT_EQ(0, queue_stream(queue, true));
	ASSERT_EQ(0, queue_get(queue));
	EXPECT_EQ(GREEN, buffer_colour(self->fd, queue->size));
}

TEST_F(export, flags_and_faults)
{
	struct video_queue *queue = &self->queue;
	struct fd_table before;
	struct rlimit old;
	int fd, ret;

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL) & O_ACCMODE);
	fd = queue_export(queue, 1, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(NULL, buf_map(fd, self->len));
	close(fd);

	fd_table_read(&before);
	EXPECT_EQ(-EINVAL, queue_export(queue, SLOTS, O_RDWR));
	EXPECT_EQ(-EINVAL, queue_export(queue, 1, O_RDWR | O_APPEND));
	fd_limit_full(&old);
	ret = queue_export(queue, 1, O_RDWR);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_TRUE(fd_table_same(&before));
}

/* A driver of another kind imports it, and hands out the same one again */
TEST_F(export, imported_by_vgem)
{
	unsigned long inode = fd_inode(self->fd);
	int vgem = vgem_open();
	__u32 handle;
	int fd;

	ASSERT_LE(0, vgem);
	ASSERT_EQ(0, vgem_import(vgem, self->fd, &handle));
	fill_words(self->own, self->len, 74);
	close(self->fd);
	self->fd = -1;
	fd = vgem_export(vgem, handle);
	ASSERT_LE(0, fd);
	EXPECT_EQ(inode, fd_inode(fd));
	EXPECT_EQ(0, buffer_differs(fd, self->len, 74));
	close(fd);
	close(vgem);
	EXPECT_FALSE(stats_present(inode));
}

/* The buffer outlives the device's own reference to it */
TEST_F(export, outlives_the_queue)
{
	struct video_queue *queue = &self->queue;
	unsigned long inode = fd_inode(self->fd);

	fill_words(self->own, self->len, 75);
	munmap(self->own, self->len);
	self->own = NULL;
	ASSERT_EQ(0, queue_request(queue, 0));
	close(queue->fd);
	queue->fd = -1;
	EXPECT_TRUE(stats_present(inode));
	EXPECT_EQ(0, buffer_differs(self->fd, self->len, 75));
	close(self->fd);
	self->fd = -1;
	EXPECT_FALSE(stats_present(inode));
}

TEST_HARNESS_MAIN
