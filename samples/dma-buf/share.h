/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of dmabuf-share have in common. iio-capture, see capture.h,
 * uses the last three as well.
 *
 *   dmabuf-share.c	what happens, in order; the two processes
 *   share-buffer.c	one dma-buf: every call of the interface, once
 *   share-vgem.c	a device that takes part, and its fences
 *   share-report.c	what is printed
 */
#ifndef SHARE_H
#define SHARE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdnoreturn.h>

#include <linux/dma-buf.h>
#include <linux/types.h>

struct buffer {
	int fd;
	const char *heap;
	char name[DMA_BUF_NAME_LEN];
	__u64 *mem;		/* this process's mapping */
	__u32 frame;		/* the frame that was written to it last */
};

/* share-buffer.c. All of them end the process on an error, with a hint. */
void buffer_alloc(struct buffer *buf, const char *heap, size_t bytes);
void buffer_set_name(struct buffer *buf, const char *name);
void buffer_map(struct buffer *buf, size_t bytes, int prot);
void buffer_unmap(struct buffer *buf, size_t bytes);
void buffer_begin(const struct buffer *buf, unsigned int direction);
void buffer_end(const struct buffer *buf, unsigned int direction);
size_t buffer_size(const struct buffer *buf);
__u64 buffer_inode(int fd);
int buffer_export_fences(const struct buffer *buf, unsigned int direction);
void buffer_import_fences(const struct buffer *buf, int sync_file,
			  unsigned int direction);
bool is_ready(int fd, short events, int timeout_ms);
void send_with_fd(int sock, const void *msg, size_t len, int fd);
bool receive_with_fd(int sock, void *msg, size_t len, int *fd);

/* share-vgem.c */
int vgem_open(void);
__u32 vgem_import(int card, int fd);
int vgem_export(int card, __u32 handle);
void vgem_forget(int card, __u32 handle);
__u32 vgem_create(int card, size_t bytes);
void *vgem_map(int card, __u32 handle, size_t bytes);
__u32 vgem_begin_work(int card, __u32 handle, bool writes);
void vgem_finish_work(int card, __u32 work);

/* share-report.c */
enum step {
	STEP_ALLOC,
	STEP_ALLOC_CMA,
	STEP_MMAP,
	STEP_ZERO,
	STEP_PRODUCE,
	STEP_CONSUME,
	STEP_IMPORT,
	STEP_MUNMAP,
	STEP_CLOSE,
	STEP_CLOSE_CMA,
	STEPS
};

struct memory {
	long free_kb;		/* CMA included */
	long ready_kb;		/* free, but kept ready by some processor */
	long kept_kb;		/* kept by heaps for the next buffer */
	long cma_free_kb;	/* -1 where there is no CMA region */
};

__u64 now_ns(void);
void step_add(enum step step, size_t bytes, __u64 ns);
void print_steps(void);
void print_progress(unsigned int done, unsigned int all, size_t bytes);
void print_fdinfo(const struct buffer *buf);
void print_bufinfo(const struct buffer *bufs, unsigned int count);
struct memory memory_now(void);
bool memory_came_back(const struct memory *before);

noreturn void give_up(void);

/* For a system call that failed: errno says why. */
noreturn void fail(const char *step, const char *hint);

/* For everything else that is not as it must be; takes what printf() takes. */
#define fail_data(...)						\
	(fprintf(stderr, "\n%s: ", program_invocation_short_name),	\
	 fprintf(stderr, __VA_ARGS__), give_up())

#endif /* SHARE_H */
