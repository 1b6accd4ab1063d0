// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers on both sides of video devices: a frame is read from one and
 * written to another, by vim2m, or by vivid playing what it captures. As in
 * dmabuf_v4l2.c, it is the buffers that are tested.
 */
#include <fcntl.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"
#include "dmabuf_video.h"

#define CAPTURE		V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT		V4L2_BUF_TYPE_VIDEO_OUTPUT

/* Frames out of a buffer, and frames into one */
FIXTURE(through) {
	struct heap_mark mark;
	struct video_queue from;
	struct video_queue to;
	int out[2];
	int in[2];
};

FIXTURE_VARIANT(through) {
	const char *out;
	const char *in;
	bool loop;
};

FIXTURE_VARIANT_ADD(through, vim2m_system_cma) {
	.out = HEAP_SYSTEM,
	.in = HEAP_CMA,
};

FIXTURE_VARIANT_ADD(through, vim2m_cma_system) {
	.out = HEAP_CMA,
	.in = HEAP_SYSTEM,
};

/* vivid plays, and vivid captures what is played */
FIXTURE_VARIANT_ADD(through, vivid_system_cma) {
	.out = HEAP_SYSTEM,
	.in = HEAP_CMA,
	.loop = true,
};

FIXTURE_VARIANT_ADD(through, vivid_cma_system) {
	.out = HEAP_CMA,
	.in = HEAP_SYSTEM,
	.loop = true,
};

/* The CMA region's pages are counted one by one: it is what is marked */
FIXTURE_SETUP(through)
{
	struct video_queue *from = &self->from, *to = &self->to;
	int i;

	heap_mark_take(&self->mark, HEAP_CMA);
	*from = (struct video_queue){ -1, OUTPUT, V4L2_MEMORY_DMABUF };
	*to = (struct video_queue){ -1, CAPTURE, V4L2_MEMORY_DMABUF };
	if (variant->loop) {
		from->fd = video_open(VIVID_VMALLOC, V4L2_CAP_VIDEO_OUTPUT);
		to->fd = video_open(VIVID_VMALLOC, V4L2_CAP_VIDEO_CAPTURE);
	} else {
		from->fd = video_open(VIM2M, V4L2_CAP_VIDEO_M2M);
		to->fd = dup(from->fd);
	}
	ASSERT_LE(0, from->fd);
	ASSERT_LE(0, to->fd);
	if (variant->loop)
		ASSERT_EQ(0, video_loop_format(to->fd, from->fd));
	ASSERT_EQ(0, queue_format(from, 640, 480));
	ASSERT_EQ(0, queue_format(to, 640, 480));
	ASSERT_EQ(from->size, to->size);
	for (i = 0; i < 2; i++) {
		self->out[i] = filled_buffer(variant->out, from->size, 80 + i);
		self->in[i] = filled_buffer(variant->in, to->size, 90 + i);
		ASSERT_LE(0, self->out[i]);
		ASSERT_LE(0, self->in[i]);
	}
	ASSERT_EQ(2, queue_request(from, 2));
	ASSERT_EQ(2, queue_request(to, 2));
}

FIXTURE_TEARDOWN(through)
{
	int i;

	close(self->from.fd);
	close(self->to.fd);
	for (i = 0; i < 2; i++) {
		close(self->out[i]);
		close(self->in[i]);
	}
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/*
 * Words of a captured frame that are neither fill_words(seed) nor, as vivid may
 * have played the second before the first is captured, the one after. Noise, in
 * which no word is right, is what vivid captures when it is not connected.
 */
static long captured_differs(struct video_queue *to, const int in[2],
			     __u64 seed)
{
	const long words = to->size / sizeof(__u64);
	time_t last = time(NULL) + VIDEO_WAIT_MS / 1000;
	long bad;

	do {
		int slot = queue_get(to);

		if (slot < 0)
			return slot;
		bad = buffer_differs(in[slot], to->size, seed);
		if (bad == words)
			bad = buffer_differs(in[slot], to->size, seed + 1);
		if (bad != words || queue_put(to, slot, in[slot]))
			break;
		video_loop_connect(to->fd);
	} while (time(NULL) < last);
	return bad;
}

/* The frame of one heap's buffer, word for word, in the other heap's */
TEST_F(through, frame_is_the_same)
{
	struct video_queue *from = &self->from, *to = &self->to;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_put(from, i, self->out[i]));
		ASSERT_EQ(0, queue_put(to, i, self->in[i]));
	}
	ASSERT_EQ(0, queue_stream(from, true));
	ASSERT_EQ(0, queue_stream(to, true));
	EXPECT_EQ(0, captured_differs(to, self->in, 80));
	EXPECT_EQ(0, buffer_differs(self->out[0], from->size, 80));
	EXPECT_EQ(0, buffer_differs(self->out[1], from->size, 81));
	EXPECT_LE(0, queue_get(from));
}

/* No frame goes through: both queues give back what they have */
TEST_F(through, taken_back_while_queued)
{
	unsigned long inode = fd_inode(self->out[0]);
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_put(&self->from, i, self->out[i]));
		ASSERT_EQ(0, queue_put(&self->to, i, self->in[i]));
		close(self->out[i]);
		close(self->in[i]);
		self->out[i] = -1;
		self->in[i] = -1;
	}
	EXPECT_TRUE(stats_present(inode));
	EXPECT_EQ(0, queue_request(&self->from, 0));
	EXPECT_EQ(0, queue_request(&self->to, 0));
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* Captured into the driver's own buffer, which is another device's source */
TEST_F(through, own_buffer_is_the_source)
{
	struct video_queue own = { -1, CAPTURE, V4L2_MEMORY_MMAP };
	struct video_queue *from = &self->from, *to = &self->to;
	int i, fds[2];

	if (variant->loop)
		own.fd = video_open(VIM2M, V4L2_CAP_VIDEO_M2M);
	else
		own.fd = video_open(VIVID_VMALLOC, V4L2_CAP_VIDEO_CAPTURE);
	ASSERT_LE(0, own.fd);
	if (!variant->loop)
		ASSERT_EQ(0, video_capture_format(own.fd, 640, 480));
	ASSERT_EQ(0, queue_format(&own, 640, 480));
	ASSERT_EQ(from->size, own.size);
	ASSERT_EQ(2, queue_request(&own, 2));
	for (i = 0; i < 2; i++) {
		size_t len;
		void *addr = queue_map(&own, i, &len);

		ASSERT_NE(NULL, addr);
		fill_words(addr, len, 85 + i);
		munmap(addr, len);
		fds[i] = queue_export(&own, i, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, queue_put(from, i, fds[i]));
		ASSERT_EQ(0, queue_put(to, i, self->in[i]));
	}
	ASSERT_EQ(0, queue_stream(from, true));
	ASSERT_EQ(0, queue_stream(to, true));
	EXPECT_EQ(0, captured_differs(to, self->in, 85));
	for (i = 0; i < 2; i++)
		close(fds[i]);
	close(own.fd);
}

TEST_HARNESS_MAIN
