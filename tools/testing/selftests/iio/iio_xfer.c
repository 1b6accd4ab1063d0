// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <linux/udmabuf.h>

#include "iio_xfer.h"

bool bounced(void)
{
	char text[1024];

	return read_file("/proc/cmdline", text, sizeof(text)) > 0 &&
	       strstr(text, "swiotlb=force");
}

bool shows_captures(const char *kind)
{
	return !bounced() || (strcmp(kind, HEAP_UDMABUF) &&
			      strcmp(kind, HEAP_SCATTERED));
}

/* A memfd from its last page to its first */
static int scattered(size_t len)
{
	size_t pages = len / PAGE, i;
	struct udmabuf_create_list *list;
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd = memfd_create("iio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret = -ENODEV;

	list = calloc(1, sizeof(*list) + pages * sizeof(list->list[0]));
	if (list && dev >= 0 && !ftruncate(fd, len) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		list->flags = UDMABUF_FLAGS_CLOEXEC;
		list->count = pages;
		for (i = 0; i < pages; i++) {
			list->list[i].memfd = fd;
			list->list[i].offset = (pages - 1 - i) * PAGE;
			list->list[i].size = PAGE;
		}
		ret = do_ioctl(dev, UDMABUF_CREATE_LIST, list);
	}
	free(list);
	close(fd);
	close(dev);
	return ret < 0 ? ret : udmabuf_ready(ret);
}

int block_make(struct block *block, const char *kind, size_t len)
{
	block->len = len;
	block->words = NULL;
	block->fd = strcmp(kind, HEAP_SCATTERED) ? memory(kind, len) :
						   scattered(len);
	if (block->fd < 0)
		return block->fd;
	block->words = buf_map(block->fd, len);
	return block->words ? 0 : -ENOMEM;
}

void block_free(struct block *block)
{
	if (block->words)
		munmap(block->words, block->len);
	if (block->fd >= 0)
		close(block->fd);
	block->words = NULL;
	block->fd = -1;
}

int block_fill(struct block *block, unsigned int mask, __u32 first)
{
	int ret = buf_sync(block->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);

	if (ret)
		return ret;
	counter_fill(block->words, block->len, mask, first);
	return buf_sync(block->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

int block_set(struct block *block, __u32 word)
{
	int ret = buf_sync(block->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	size_t i;

	if (ret)
		return ret;
	for (i = 0; i < block->len / SAMPLE; i++)
		block->words[i] = word;
	return buf_sync(block->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

/* How many of the first words are not what the generator makes */
long block_wrong(struct block *block, size_t len, unsigned int mask,
		 __u32 first)
{
	int ret = buf_sync(block->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	long wrong;

	if (ret)
		return ret;
	wrong = counter_check(block->words, len, mask, first);
	ret = buf_sync(block->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	return ret ? ret : wrong;
}

/* How many words from there on are another than @word */
long block_others(struct block *block, size_t from, __u32 word)
{
	int ret = buf_sync(block->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	long others = 0;
	size_t i;

	if (ret)
		return ret;
	for (i = from / SAMPLE; i < block->len / SAMPLE; i++)
		others += block->words[i] != word;
	ret = buf_sync(block->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	return ret ? ret : others;
}

int ring_make(struct ring *ring, int buffer, const char *kind,
	      unsigned int count, size_t len)
{
	int ret = 0;

	ring->buffer = buffer;
	for (ring->count = 0; ring->count < count && !ret;) {
		struct block *block = &ring->block[ring->count];

		ret = block_make(block, kind, len);
		ring->count++;
		if (!ret)
			ret = buffer_attach(buffer, block->fd);
	}
	return ret;
}

void ring_free(struct ring *ring)
{
	unsigned int i;

	for (i = 0; i < ring->count; i++)
		block_free(&ring->block[i]);
	ring->count = 0;
}

/* The whole of block @n, round and round */
int ring_enqueue(struct ring *ring, unsigned int n)
{
	struct block *block = &ring->block[n % ring->count];

	return buffer_enqueue(ring->buffer, block->fd, 0, block->len);
}

int ring_enqueue_all(struct ring *ring)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ring->count && !ret; i++)
		ret = ring_enqueue(ring, i);
	return ret;
}

bool ring_ready(struct ring *ring, unsigned int n, int ms)
{
	return poll_in_time(ring->block[n % ring->count].fd, POLLOUT, ms);
}

static void *caller_run(void *arg)
{
	struct caller *caller = arg;

	__atomic_store_n(&caller->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	caller->ret = caller->call(caller);
	__atomic_store_n(&caller->done, true, __ATOMIC_RELEASE);
	return NULL;
}

int caller_start(struct caller *caller)
{
	caller->tid = 0;
	caller->done = false;
	return -pthread_create(&caller->thread, NULL, caller_run, caller);
}

/* Comes to wait in its call, and has not returned from it */
bool caller_waits(struct caller *caller)
{
	long long end = now_ms() + SOON_MS;
	pid_t tid;

	while (!(tid = __atomic_load_n(&caller->tid, __ATOMIC_ACQUIRE))) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return child_sleeps(tid) &&
	       !__atomic_load_n(&caller->done, __ATOMIC_ACQUIRE);
}

bool caller_done(struct caller *caller, int ms)
{
	long long end = now_ms() + ms;

	while (!__atomic_load_n(&caller->done, __ATOMIC_ACQUIRE)) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

int caller_join(struct caller *caller)
{
	pthread_join(caller->thread, NULL);
	return caller->ret;
}

/* ENQUEUE @other, of @flags bytes, in @fd */
int call_enqueue(struct caller *caller)
{
	return buffer_enqueue(caller->fd, caller->other, 0, caller->flags);
}

/* SYNC @fd with @flags */
int call_sync(struct caller *caller)
{
	return buf_sync(caller->fd, caller->flags);
}

int fence_info(int fence, struct sync_fence_info *info)
{
	struct sync_file_info arg = {
		.num_fences = 1,
		.sync_fence_info = (__u64)(unsigned long)info,
	};

	return do_ioctl(fence, SYNC_IOC_FILE_INFO, &arg);
}
