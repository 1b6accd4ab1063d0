/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of dmabuf_fuzz share: tables of what there is at the moment,
 * and the operations. Each slot of a table has something or nothing; what is
 * new takes the place of what was there.
 */
#ifndef DMABUF_FUZZ_H
#define DMABUF_FUZZ_H

#include "fuzz.h"

#define SLOTS		8
#define MAX_PAGES	32

/**
 * struct content - what a buffer has in its first word, however many refer to it
 * @word: that
 * @users: descriptors and mappings
 * @size: of the buffer
 */
struct content {
	uint64_t word;
	unsigned int users;
	size_t size;
};

/**
 * struct fuzz_buf - a descriptor of a buffer
 * @fd: that, or -1
 * @content: NULL if it is not known
 */
struct fuzz_buf {
	int fd;
	struct content *content;
};

extern struct fuzz_buf bufs[SLOTS];
extern int fences[SLOTS];

void put_content(struct content *content);
struct content *get_content(struct content *content);
unsigned int slot(struct fuzz *fuzz);
int some_fd(struct fuzz *fuzz);
int some_buf(struct fuzz *fuzz);
int some_timeline(struct fuzz *fuzz);
void drop_buf(unsigned int i);
void drop_map(unsigned int i);
void drop_fence(unsigned int i);
void drop_timeline(unsigned int i);
void fences_init(void);
void settle(void);
int touch_map(unsigned int i);

int op_mmap(struct fuzz *fuzz);
int op_look(struct fuzz *fuzz);
int op_write(struct fuzz *fuzz);
int op_munmap(struct fuzz *fuzz);
int op_mremap(struct fuzz *fuzz);
int op_mprotect(struct fuzz *fuzz);
int op_madvise(struct fuzz *fuzz);
int op_timeline(struct fuzz *fuzz);
int op_fence(struct fuzz *fuzz);
int op_advance(struct fuzz *fuzz);
int op_merge(struct fuzz *fuzz);
int op_fence_info(struct fuzz *fuzz);
int op_drop_fence(struct fuzz *fuzz);

#endif /* DMABUF_FUZZ_H */
