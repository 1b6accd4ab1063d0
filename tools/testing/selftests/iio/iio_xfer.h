/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs about transfers share beyond iio_test.h: blocks of memory
 * that are mapped, rings of them that a buffer has, and calls that wait. As
 * there, functions return what they saw, and an error as -errno.
 */
#ifndef IIO_XFER_H
#define IIO_XFER_H

#include <pthread.h>

#include "iio_test.h"

#define RING_MAX	8

/*
 * Bounce buffers: what a device captures is somewhere else until the exporter
 * has it copied, and udmabuf does not do that for devices of others.
 */
bool bounced(void);
bool shows_captures(const char *kind);

/* Memory of which no two pages are next to each other in the right order */
#define HEAP_SCATTERED	"scattered"

/**
 * struct block - a DMABUF and its mapping
 * @fd: the DMABUF, or -1
 * @len: bytes
 * @words: the mapping
 */
struct block {
	int fd;
	size_t len;
	__u32 *words;
};

int block_make(struct block *block, const char *kind, size_t len);
void block_free(struct block *block);
int block_fill(struct block *block, unsigned int mask, __u32 first);
int block_set(struct block *block, __u32 word);
long block_wrong(struct block *block, size_t len, unsigned int mask,
		 __u32 first);
long block_others(struct block *block, size_t from, __u32 word);

/**
 * struct ring - blocks that are attached to a buffer
 * @buffer: the buffer
 * @count: blocks
 * @block: the blocks
 */
struct ring {
	int buffer;
	unsigned int count;
	struct block block[RING_MAX];
};

int ring_make(struct ring *ring, int buffer, const char *kind,
	      unsigned int count, size_t len);
void ring_free(struct ring *ring);
int ring_enqueue(struct ring *ring, unsigned int n);
int ring_enqueue_all(struct ring *ring);
bool ring_ready(struct ring *ring, unsigned int n, int ms);

/**
 * struct caller - a thread in a call that may wait
 * @call: the call; what it returns is in @ret
 * @fd: a file for it
 * @other: another one
 * @flags: what else it needs
 * @tid: of the thread
 * @ret: what the call returned
 */
struct caller {
	int (*call)(struct caller *caller);
	int fd, other;
	__u64 flags;
	pid_t tid;
	int ret;
	bool done;
	pthread_t thread;
};

int caller_start(struct caller *caller);
bool caller_waits(struct caller *caller);
bool caller_done(struct caller *caller, int ms);
int caller_join(struct caller *caller);
int call_enqueue(struct caller *caller);
int call_sync(struct caller *caller);

/* What a sync_file knows about the one fence that it has */
struct sync_fence_info;
int fence_info(int fence, struct sync_fence_info *info);

#endif /* IIO_XFER_H */
