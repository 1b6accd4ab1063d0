/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A heap for tests that decides where its pages lie and in which chunks it
 * hands them out, and notices when they do not come back the same way.
 */
#ifndef _DMA_BUF_MOCK_HEAP_H
#define _DMA_BUF_MOCK_HEAP_H

#include <kunit/test.h>
#include <linux/dma-heap.h>

#include "../heaps/heap-buffer.h"

#define MOCK_HEAP_PAGES	16
#define MOCK_HEAP_SIZE	(MOCK_HEAP_PAGES * PAGE_SIZE)

/**
 * struct mock_heap - the heap and how its next buffer is made
 * @heap: the heap, once added
 * @test: the test that uses it
 * @chunk_pages: pages of a chunk
 * @reverse: hand out the chunks of the block from its end
 * @fail_after: chunks handed out before @error
 * @error: errno of the allocation, 0 to succeed
 * @block: first page of the block the last buffer was made of
 * @chunk: chunks handed out, in this order
 * @out: chunks that are not back yet
 * @mistakes: chunks that came back differently from how they went
 */
struct mock_heap {
	struct dma_heap *heap;
	struct kunit *test;
	unsigned long chunk_pages;
	bool reverse;
	unsigned int fail_after;
	int error;
	struct page *block;
	struct {
		struct page *page;
		unsigned long nr_pages;
	} chunk[MOCK_HEAP_PAGES];
	unsigned int out;
	unsigned int mistakes;
};

extern struct mock_heap mock_heap;

int mock_heap_add(void);
void mock_heap_reset(struct kunit *test);
struct dma_buf *mock_heap_alloc(struct kunit *test);
void mock_heap_put(struct kunit *test, struct dma_buf *dmabuf);

#endif /* _DMA_BUF_MOCK_HEAP_H */
