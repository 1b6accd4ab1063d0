// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a dma-buf as a program sees it: allocate, name, map, announce
 * CPU access, pass to another process, wait for devices. Each function is one
 * call of the interface and what to think about when it fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "share.h"

/* A heap is a device node; whoever may open it may allocate from it. */
void buffer_alloc(struct buffer *buf, const char *heap, size_t bytes)
{
	struct dma_heap_allocation_data arg = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[280], step[320];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	snprintf(step, sizeof(step), "open %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(step, errno == EACCES ?
		     "heaps belong to root unless udev says otherwise" :
		     "ls /dev/dma_heap shows the heaps that there are");

	snprintf(step, sizeof(step), "allocate %zu bytes from %s", bytes, path);
	if (ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &arg) < 0)
		fail(step, errno == ENOMEM ?
		     "compare MemFree, for CMA CmaFree, in /proc/meminfo; try --size 1280x720" :
		     NULL);
	close(fd);	/* the buffer does not need it */

	buf->fd = arg.fd;
	buf->heap = heap;
}

/* Shown in fdinfo, in /proc/PID/maps and in debugfs. */
void buffer_set_name(struct buffer *buf, const char *name)
{
	snprintf(buf->name, sizeof(buf->name), "%s", name);
	if (ioctl(buf->fd, DMA_BUF_SET_NAME_B, buf->name) < 0)
		fail("name a buffer", "at most 31 characters");
}

/* Always MAP_SHARED: a private copy of a shared buffer makes no sense. */
void buffer_map(struct buffer *buf, size_t bytes, int prot)
{
	void *mem = mmap(NULL, bytes, prot, MAP_SHARED, buf->fd, 0);

	if (mem == MAP_FAILED)
		fail("mmap a buffer", NULL);
	buf->mem = mem;
}

void buffer_unmap(struct buffer *buf, size_t bytes)
{
	if (munmap(buf->mem, bytes) < 0)
		fail("munmap a buffer", NULL);
	buf->mem = NULL;
}

static void sync_cpu(const struct buffer *buf, unsigned int flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	/* START waits for devices, and a signal may end the wait. */
	while (ioctl(buf->fd, DMA_BUF_IOCTL_SYNC, &arg) < 0) {
		if (errno != EINTR)
			fail("SYNC", NULL);
	}
}

/*
 * Before the first access through the mapping: see what devices have written.
 * Without it the data is right by luck, on hardware with coherent caches.
 */
void buffer_begin(const struct buffer *buf, unsigned int direction)
{
	sync_cpu(buf, DMA_BUF_SYNC_START | direction);
}

/* After the last access, with the same direction: let devices see it. */
void buffer_end(const struct buffer *buf, unsigned int direction)
{
	sync_cpu(buf, DMA_BUF_SYNC_END | direction);
}

/* How a process that was handed a descriptor learns how large it is. */
size_t buffer_size(const struct buffer *buf)
{
	off_t size = lseek(buf->fd, 0, SEEK_END);

	if (size < 0)
		fail("lseek a buffer", NULL);
	return size;
}

/* Two descriptors are the same buffer if they have the same inode. */
__u64 buffer_inode(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail("fstat a buffer", NULL);
	return st.st_ino;
}

/*
 * What somebody who is about to read (or write) has to wait for, as a
 * sync_file: for interfaces that want to be told instead of looking at the
 * buffer.
 */
int buffer_export_fences(const struct buffer *buf, unsigned int direction)
{
	struct dma_buf_export_sync_file arg = { .flags = direction };

	if (ioctl(buf->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg) < 0)
		fail("export a sync_file", NULL);
	return arg.fd;
}

/* The other way: make everybody who uses the buffer wait for a sync_file. */
void buffer_import_fences(const struct buffer *buf, int sync_file,
			  unsigned int direction)
{
	struct dma_buf_import_sync_file arg = {
		.flags = direction,
		.fd = sync_file,
	};

	if (ioctl(buf->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg) < 0)
		fail("import a sync_file", NULL);
}

/*
 * poll() of a dma-buf: POLLIN, nobody writes any more, so it may be read;
 * POLLOUT, nobody uses it at all, so it may be written. A sync_file has POLLIN
 * once all its fences have signalled.
 */
bool is_ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, timeout_ms);

	if (n < 0 || (p.revents & (POLLERR | POLLNVAL)))
		fail("poll", NULL);
	return n == 1;
}

/*
 * A descriptor travels beside the data of a message (see unix(7)). The
 * receiver gets one of its own for the same buffer, which lives until the last
 * of them, and the last mapping, is gone.
 */
union fd_message {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

/* fd < 0: a message without a descriptor. */
void send_with_fd(int sock, const void *msg, size_t len, int fd)
{
	union fd_message control = { 0 };
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		mh.msg_control = control.room;
		mh.msg_controllen = sizeof(control.room);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}

	if (sendmsg(sock, &mh, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send to the other process",
		     "it has said above why it ended");
}

/* False when the other process has closed its end; *fd is -1 if none came. */
bool receive_with_fd(int sock, void *msg, size_t len, int *fd)
{
	union fd_message control = { 0 };
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c;
	ssize_t n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);

	if (n == 0)
		return false;
	if (n != (ssize_t)len || (mh.msg_flags & MSG_CTRUNC))
		fail("receive from the other process",
		     errno == EAGAIN ? "no answer for 60 seconds" :
		     "it has ended early");

	*fd = -1;
	c = CMSG_FIRSTHDR(&mh);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return true;
}
