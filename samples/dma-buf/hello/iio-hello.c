// SPDX-License-Identifier: GPL-2.0-only
/*
 * iio-hello iio:deviceN: capture one buffer from a converter, without a copy.
 * Its channels are enabled before, as in Documentation/iio/iio_sim.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/iio/buffer.h>

static int open_path(int flags, const char *before, const char *name,
		     const char *after)
{
	char path[280];
	int fd;

	snprintf(path, sizeof(path), "%s%s%s", before, name, after);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "%s", path);
	return fd;
}

static void do_ioctl(int fd, unsigned long request, void *arg, const char *what)
{
	while (ioctl(fd, request, arg) < 0) {
		if (errno != EINTR)
			err(EXIT_FAILURE, "%s", what);
	}
}

static int allocate(size_t len)
{
	struct dma_heap_allocation_data arg = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open_path(O_RDONLY, "/dev/dma_heap/", "system", "");

	do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg, "allocate");
	close(heap);

	return arg.fd;
}

static void switch_to(int attribute, const char *value)
{
	if (write(attribute, value, 1) != 1)
		err(EXIT_FAILURE, "buffer0/enable");
}

static void print_samples(int buf, size_t len)
{
	struct dma_buf_sync start = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
	}, end = {
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
	};
	__u32 *word = mmap(NULL, len, PROT_READ, MAP_SHARED, buf, 0);

	if (word == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");

	do_ioctl(buf, DMA_BUF_IOCTL_SYNC, &start, "SYNC");
	printf("%08x %08x %08x ... %08x\n", word[0], word[1], word[2],
	       word[len / sizeof(*word) - 1]);
	do_ioctl(buf, DMA_BUF_IOCTL_SYNC, &end, "SYNC");

	munmap(word, len);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "iio:device0";
	const size_t len = 64 * 1024;
	int device = open_path(O_RDWR, "/dev/", name, "");
	int attribute = open_path(O_WRONLY, "/sys/bus/iio/devices/", name,
				  "/buffer0/enable");
	int buf = allocate(len);
	struct iio_dmabuf block = { .fd = buf, .bytes_used = len };
	struct pollfd captured = { .fd = buf, .events = POLLIN };
	int buffer = 0;		/* which; its descriptor takes the place */

	do_ioctl(device, IIO_BUFFER_GET_FD_IOCTL, &buffer, "GET_FD");
	do_ioctl(buffer, IIO_BUFFER_DMABUF_ATTACH_IOCTL, &buf, "ATTACH");
	do_ioctl(buffer, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL, &block, "ENQUEUE");
	switch_to(attribute, "1");

	if (poll(&captured, 1, 10000) != 1)
		errx(EXIT_FAILURE, "nothing captured in 10 seconds");
	print_samples(buf, len);

	switch_to(attribute, "0");
	do_ioctl(buffer, IIO_BUFFER_DMABUF_DETACH_IOCTL, &buf, "DETACH");
	close(buffer);
	close(buf);
	return EXIT_SUCCESS;
}
