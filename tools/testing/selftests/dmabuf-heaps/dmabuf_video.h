/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Video devices that need no hardware, for dmabuf_v4l2.c: vivid, which captures
 * and plays, and vim2m, which turns one frame into another. As in
 * dmabuf_test.h nothing here decides whether a test passes, and errors are
 * -errno.
 */
#ifndef DMABUF_VIDEO_H
#define DMABUF_VIDEO_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/videodev2.h>

#define VIDEO_WAIT_MS	20000

/* The devices: bus is what QUERYCAP says of them, caps what they must have */
#define VIVID_VMALLOC	"platform:vivid-000"
#define VIVID_CONTIG	"platform:vivid-001"
#define VIM2M		"platform:vim2m"

int video_open(const char *bus, __u32 caps);
bool vivid_is_contig(void);

/* Controls go by their names and items by how they begin */
int video_menu(int fd, const char *control, const char *item);
int video_capture_format(int fd, __u32 width, __u32 height);
int video_loop_connect(int capture);
int video_loop_format(int capture, int output);

/**
 * struct video_queue - one direction of a device
 * @fd: the device
 * @type: V4L2_BUF_TYPE_VIDEO_CAPTURE or _OUTPUT
 * @memory: V4L2_MEMORY_DMABUF or _MMAP
 * @size: bytes of a frame, once it has a format
 */
struct video_queue {
	int fd;
	__u32 type;
	__u32 memory;
	size_t size;
};

int queue_format(struct video_queue *queue, __u32 width, __u32 height);
int queue_request(struct video_queue *queue, unsigned int count);
int queue_put(struct video_queue *queue, unsigned int slot, int buf);
int queue_get(struct video_queue *queue);
int queue_stream(struct video_queue *queue, bool on);
int queue_poll(struct video_queue *queue, int ms);
int queue_export(struct video_queue *queue, unsigned int slot, int flags);
void *queue_map(struct video_queue *queue, unsigned int slot, size_t *len);

/* Frames of RGB24, all of one colour */
enum colour { RED, GREEN, BLUE, COLOURS };
const char *colour_pattern(enum colour colour);
int frame_colour(const void *addr, size_t size);

/* A dma-buf seen by the processor, between the SYNCs that belong there */
int filled_buffer(const char *heap, size_t len, __u64 seed);
long buffer_differs(int fd, size_t len, __u64 seed);
int buffer_colour(int fd, size_t size);

#endif /* DMABUF_VIDEO_H */
