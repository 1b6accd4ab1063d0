// SPDX-License-Identifier: GPL-2.0-only
/* Video devices that need no hardware: see dmabuf_video.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/v4l2-dv-timings.h>

#include "dmabuf_test.h"
#include "dmabuf_video.h"

#define VIDEO_NODES		64
#define VIVID_ALLOCATORS	"/sys/module/vivid/parameters/allocators"

int video_open(const char *bus, __u32 caps)
{
	struct v4l2_capability cap;
	char path[32];
	int i, fd;

	for (i = 0; i < VIDEO_NODES; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!do_ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.bus_info, bus) &&
		    (cap.device_caps & caps) == caps)
			return fd;
		close(fd);
	}
	return -ENODEV;
}

/* Does the second vivid map its buffers for a device, in one piece each? */
bool vivid_is_contig(void)
{
	char text[512];
	int first, second;

	return read_file(VIVID_ALLOCATORS, text, sizeof(text)) > 0 &&
	       sscanf(text, "%d,%d", &first, &second) == 2 && second == 1;
}

static int find_control(int fd, const char *name, struct v4l2_queryctrl *query)
{
	memset(query, 0, sizeof(*query));
	query->id = V4L2_CTRL_FLAG_NEXT_CTRL;
	while (!do_ioctl(fd, VIDIOC_QUERYCTRL, query)) {
		if (!strcmp((char *)query->name, name))
			return 0;
		query->id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	return -ENOENT;
}

int video_menu(int fd, const char *control, const char *item)
{
	struct v4l2_queryctrl query;
	struct v4l2_querymenu menu;
	struct v4l2_control set;
	int i, ret;

	ret = find_control(fd, control, &query);
	if (ret)
		return ret;
	for (i = query.minimum; i <= query.maximum; i++) {
		memset(&menu, 0, sizeof(menu));
		menu.id = query.id;
		menu.index = i;
		if (do_ioctl(fd, VIDIOC_QUERYMENU, &menu) ||
		    strncmp((char *)menu.name, item, strlen(item)))
			continue;
		set.id = query.id;
		set.value = i;
		return do_ioctl(fd, VIDIOC_S_CTRL, &set);
	}
	return -ENOENT;
}

/* The webcam of vivid, as fast as it goes, with nothing but its pattern */
int video_capture_format(int fd, __u32 width, __u32 height)
{
	struct v4l2_streamparm parm = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.parm.capture.timeperframe = { 1, 120 },
	};
	struct video_queue queue = { fd, V4L2_BUF_TYPE_VIDEO_CAPTURE };
	int input = 0;
	int ret;

	ret = do_ioctl(fd, VIDIOC_S_INPUT, &input);
	if (!ret)
		ret = queue_format(&queue, width, height);
	if (!ret)
		ret = do_ioctl(fd, VIDIOC_S_PARM, &parm);
	if (!ret)
		ret = video_menu(fd, "OSD Text Mode", "None");
	return ret;
}

static int find_input(int fd, const char *name)
{
	struct v4l2_input input = { 0 };

	for (; !do_ioctl(fd, VIDIOC_ENUMINPUT, &input); input.index++)
		if (!strncmp((char *)input.name, name, strlen(name)))
			return input.index;
	return -ENOENT;
}

static int find_output(int fd, const char *name)
{
	struct v4l2_output output = { 0 };

	for (; !do_ioctl(fd, VIDIOC_ENUMOUTPUT, &output); output.index++)
		if (!strncmp((char *)output.name, name, strlen(name)))
			return output.index;
	return -ENOENT;
}

/*
 * What goes to the HDMI output of the first vivid comes in at its HDMI input,
 * unless vivid takes it back: setting the control queues work that goes through
 * all such controls, and work that is quick still finds the value of before and
 * resets the control to it. Nothing tells when that work is done.
 */
int video_loop_connect(int capture)
{
	return video_menu(capture, "HDMI 000-0 Is Connected To",
			  "Output HDMI 000");
}

int video_loop_format(int capture, int output)
{
	struct v4l2_dv_timings timings = V4L2_DV_BT_CEA_640X480P59_94;
	int in = find_input(capture, "HDMI");
	int out = find_output(output, "HDMI");
	int ret;

	if (in < 0 || out < 0)
		return -ENOENT;
	ret = do_ioctl(capture, VIDIOC_S_INPUT, &in);
	if (!ret)
		ret = do_ioctl(output, VIDIOC_S_OUTPUT, &out);
	if (!ret)
		ret = video_loop_connect(capture);
	if (!ret)
		ret = video_menu(capture, "OSD Text Mode", "None");
	if (!ret)
		ret = do_ioctl(output, VIDIOC_S_DV_TIMINGS, &timings);
	if (!ret)
		ret = do_ioctl(capture, VIDIOC_S_DV_TIMINGS, &timings);
	return ret;
}

int queue_format(struct video_queue *queue, __u32 width, __u32 height)
{
	struct v4l2_format format = { .type = queue->type };
	int ret;

	format.fmt.pix.width = width;
	format.fmt.pix.height = height;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_RGB24;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	ret = do_ioctl(queue->fd, VIDIOC_S_FMT, &format);
	if (ret)
		return ret;
	if (format.fmt.pix.width != width || format.fmt.pix.height != height ||
	    format.fmt.pix.pixelformat != V4L2_PIX_FMT_RGB24)
		return -EDOM;
	queue->size = format.fmt.pix.sizeimage;
	return 0;
}

int queue_request(struct video_queue *queue, unsigned int count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = queue->type,
		.memory = queue->memory,
	};
	int ret = do_ioctl(queue->fd, VIDIOC_REQBUFS, &request);

	return ret < 0 ? ret : (int)request.count;
}

/* @buf is the dma-buf of a queue with V4L2_MEMORY_DMABUF, else not looked at */
int queue_put(struct video_queue *queue, unsigned int slot, int buf)
{
	struct v4l2_buffer buffer = {
		.index = slot,
		.type = queue->type,
		.memory = queue->memory,
		.bytesused = queue->size,
		.field = V4L2_FIELD_NONE,
	};

	if (queue->memory == V4L2_MEMORY_DMABUF)
		buffer.m.fd = buf;
	return do_ioctl(queue->fd, VIDIOC_QBUF, &buffer);
}

/* Wait for a frame; the slot it is in */
int queue_get(struct video_queue *queue)
{
	struct v4l2_buffer buffer = {
		.type = queue->type,
		.memory = queue->memory,
	};
	int ret = queue_poll(queue, VIDEO_WAIT_MS);

	if (!(ret & (POLLIN | POLLOUT)) || ret & POLLERR)
		return -ETIMEDOUT;
	ret = do_ioctl(queue->fd, VIDIOC_DQBUF, &buffer);
	if (ret)
		return ret;
	if (buffer.flags & V4L2_BUF_FLAG_ERROR)
		return -EIO;
	return buffer.index;
}

int queue_stream(struct video_queue *queue, bool on)
{
	return do_ioctl(queue->fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF,
			&queue->type);
}

/* What of its own direction a queue is ready for, after @ms at the latest */
int queue_poll(struct video_queue *queue, int ms)
{
	struct pollfd pfd = { .fd = queue->fd };

	pfd.events = queue->type == V4L2_BUF_TYPE_VIDEO_CAPTURE ? POLLIN :
								  POLLOUT;
	return poll(&pfd, 1, ms) < 0 ? -errno : pfd.revents;
}

int queue_export(struct video_queue *queue, unsigned int slot, int flags)
{
	struct v4l2_exportbuffer export = {
		.type = queue->type,
		.index = slot,
		.flags = flags,
	};
	int ret = do_ioctl(queue->fd, VIDIOC_EXPBUF, &export);

	return ret < 0 ? ret : export.fd;
}

/* The driver's own buffer, mapped the driver's own way; NULL when refused */
void *queue_map(struct video_queue *queue, unsigned int slot, size_t *len)
{
	struct v4l2_buffer buffer = {
		.index = slot,
		.type = queue->type,
		.memory = queue->memory,
	};
	void *addr;

	if (do_ioctl(queue->fd, VIDIOC_QUERYBUF, &buffer))
		return NULL;
	*len = buffer.length;
	addr = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED,
		    queue->fd, buffer.m.offset);
	return addr == MAP_FAILED ? NULL : addr;
}

const char *colour_pattern(enum colour colour)
{
	static const char * const patterns[] = {
		"100% Red", "100% Green", "100% Blue",
	};

	return patterns[colour];
}

/* The colour that all pixels of a frame have, or -1 */
int frame_colour(const void *addr, size_t size)
{
	const unsigned char *pixel = addr;
	int i, colour = -1;

	/* the same everywhere: then the first tells for all */
	if (memcmp(pixel, pixel + 3, size - 3))
		return -1;
	for (i = 0; i < COLOURS; i++) {
		if (pixel[i] > 200 && colour < 0)
			colour = i;
		else if (pixel[i] > 50)
			return -1;
	}
	return colour;
}

/* A heap's buffer that holds what no device writes */
int filled_buffer(const char *heap, size_t len, __u64 seed)
{
	int fd = heap_buffer(heap, len);
	void *addr;

	if (fd < 0)
		return fd;
	addr = buf_map(fd, len);
	if (!addr) {
		close(fd);
		return -ENOMEM;
	}
	fill_words(addr, len, seed);
	munmap(addr, len);
	return fd;
}

/* Words of a buffer that differ from fill_words(); -1 if it cannot be read */
long buffer_differs(int fd, size_t len, __u64 seed)
{
	void *addr = buf_map(fd, len);
	long bad = -1;

	if (!addr)
		return -1;
	if (!buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)) {
		bad = check_words(addr, len, seed);
		buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	}
	munmap(addr, len);
	return bad;
}

int buffer_colour(int fd, size_t size)
{
	void *addr = buf_map(fd, size);
	int colour = -1;

	if (!addr)
		return -1;
	if (!buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)) {
		colour = frame_colour(addr, size);
		buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	}
	munmap(addr, size);
	return colour;
}
