// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap of the tests. A heap once added stays, so there is one, added by
 * the first suite that wants it, and it keeps this module loaded.
 *
 * A buffer of it is made of one physically contiguous block of single pages;
 * how they are grouped and ordered is the test's choice.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "mock-heap.h"

#define MOCK_HEAP_ORDER	ilog2(MOCK_HEAP_PAGES)

struct mock_heap mock_heap;

static void mock_heap_free(struct page *page, unsigned long nr_pages)
{
	while (nr_pages--)
		__free_page(page++);
}

static int mock_heap_get(const struct heap_pages *pages,
			 unsigned long nr_pages, struct list_head *chunks)
{
	unsigned long step = mock_heap.chunk_pages;
	unsigned int i, n = MOCK_HEAP_PAGES / step;
	struct page *page;

	if (nr_pages != MOCK_HEAP_PAGES)
		return -ENOMEM;
	mock_heap.block = alloc_pages(GFP_KERNEL | __GFP_ZERO,
				      MOCK_HEAP_ORDER);
	if (!mock_heap.block)
		return -ENOMEM;
	split_page(mock_heap.block, MOCK_HEAP_ORDER);

	for (i = 0; i < n; i++) {
		page = mock_heap.block + step * (mock_heap.reverse ? n - 1 - i :
						 i);
		if (mock_heap.error && i >= mock_heap.fail_after) {
			mock_heap_free(page, step);
			continue;
		}
		mock_heap.chunk[i].page = page;
		mock_heap.chunk[i].nr_pages = step;
		mock_heap.out++;
		heap_buffer_add_chunk(chunks, page, step);
	}
	return mock_heap.error;
}

static void mock_heap_take_back(const struct heap_pages *pages,
				struct page *page, unsigned long nr_pages)
{
	unsigned int i;

	might_sleep();
	for (i = 0; i < MOCK_HEAP_PAGES; i++)
		if (mock_heap.chunk[i].page == page)
			break;
	if (i == MOCK_HEAP_PAGES || mock_heap.chunk[i].nr_pages != nr_pages) {
		mock_heap.mistakes++;
		return;
	}
	mock_heap.chunk[i].page = NULL;
	mock_heap_free(page, nr_pages);
	mock_heap.out--;
}

static const struct heap_pages mock_heap_pages = {
	.owner = THIS_MODULE,
	.get = mock_heap_get,
	.put = mock_heap_take_back,
};

static const struct dma_heap_ops mock_heap_ops = {
	.allocate = heap_buffer_allocate,
};

/* Returns 0 when the heap is there. */
int mock_heap_add(void)
{
	const struct dma_heap_export_info info = {
		.name = "kunit",
		.ops = &mock_heap_ops,
		.priv = (void *)&mock_heap_pages,
	};
	struct dma_heap *heap;

	if (mock_heap.heap)
		return 0;

	heap = dma_heap_add(&info);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	__module_get(THIS_MODULE);
	mock_heap.heap = heap;
	return 0;
}

/* Buffers of one chunk that succeed, nothing recorded. */
void mock_heap_reset(struct kunit *test)
{
	struct dma_heap *heap = mock_heap.heap;

	mock_heap = (struct mock_heap) {
		.heap = heap,
		.test = test,
		.chunk_pages = MOCK_HEAP_PAGES,
	};
}

/* The pages of a buffer that is put come back from a worker. */
static void mock_heap_put_buffer(void *data)
{
	struct kunit *test = mock_heap.test;
	unsigned int out;

	dma_buf_put(data);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, read_poll_timeout(READ_ONCE, out, !out,
						USEC_PER_MSEC, USEC_PER_SEC,
						false, mock_heap.out), 0);
	KUNIT_EXPECT_EQ(test, mock_heap.mistakes, 0);
}

/*
 * A buffer of MOCK_HEAP_SIZE bytes, put when the test ends if not before; ends
 * the test if there is none.
 */
struct dma_buf *mock_heap_alloc(struct kunit *test)
{
	struct dma_buf *dmabuf;
	int ret;

	dmabuf = heap_buffer_allocate(mock_heap.heap, MOCK_HEAP_SIZE, O_RDWR,
				      0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	ret = kunit_add_action_or_reset(test, mock_heap_put_buffer, dmabuf);
	KUNIT_ASSERT_EQ(test, ret, 0);
	return dmabuf;
}

/* Put the buffer now, and see all its pages come back. */
void mock_heap_put(struct kunit *test, struct dma_buf *dmabuf)
{
	kunit_release_action(test, mock_heap_put_buffer, dmabuf);
}

MODULE_IMPORT_NS(DMA_BUF_HEAP);
