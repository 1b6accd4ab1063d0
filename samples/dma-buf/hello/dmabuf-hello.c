// SPDX-License-Identifier: GPL-2.0-only
/* Allocate one buffer from a heap, write to it, read it back. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

static int allocate(const char *heap, size_t len)
{
	struct dma_heap_allocation_data arg = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[280];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "%s", path);
	if (ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &arg) < 0)
		err(EXIT_FAILURE, "%s: %zu bytes", path, len);
	close(fd);

	return arg.fd;
}

/* A signal can end the wait for a device; nothing has happened then. */
static void sync_cpu(int buf, __u64 flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	while (ioctl(buf, DMA_BUF_IOCTL_SYNC, &arg) < 0) {
		if (errno != EINTR)
			err(EXIT_FAILURE, "SYNC");
	}
}

int main(int argc, char **argv)
{
	const char *heap = argc > 1 ? argv[1] : "system";
	static const char text[] = "Hello, dma-buf!";
	const size_t len = 64 * 1024;
	int buf = allocate(heap, len);
	char read_back[sizeof(text)];
	char *mem;

	if (ioctl(buf, DMA_BUF_SET_NAME_B, "hello") < 0)
		err(EXIT_FAILURE, "name the buffer");

	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (mem == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");

	sync_cpu(buf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	memcpy(mem, text, sizeof(text));
	sync_cpu(buf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);

	/* Here a device would be handed "buf" and could change the memory. */

	sync_cpu(buf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	memcpy(read_back, mem, sizeof(read_back));
	sync_cpu(buf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);

	munmap(mem, len);
	close(buf);

	if (memcmp(read_back, text, sizeof(text)))
		errx(EXIT_FAILURE, "%s: something else came back", heap);
	printf("%s: %s\n", heap, read_back);
	return EXIT_SUCCESS;
}
