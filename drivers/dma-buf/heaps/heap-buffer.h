/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A heap buffer as a dma-buf exporter: the one implementation all heaps use.
 *
 * A heap says where pages come from and go to (struct heap_pages) and passes
 * heap_buffer_allocate() to dma_heap_add():
 *
 *	static const struct heap_pages my_pages = { ... };
 *
 *	static const struct dma_heap_ops my_ops = {
 *		.allocate = heap_buffer_allocate,
 *	};
 *
 *	struct dma_heap_export_info info = {
 *		.name = "mine", .ops = &my_ops, .priv = (void *)&my_pages,
 *	};
 */
#ifndef __HEAP_BUFFER_H__
#define __HEAP_BUFFER_H__

#include <linux/dma-heap.h>
#include <linux/list.h>
#include <linux/mm_types.h>

struct module;

/**
 * struct heap_pages - where the pages of a heap come from and go to
 * @owner: module of the functions
 * @get: collect @nr_pages zeroed pages. Each physically contiguous chunk is
 *	 added by heap_buffer_add_chunk() in the order it has in the buffer.
 *	 Chunks already added are taken back through @put on failure. May sleep.
 *	 Returns 0, -ENOMEM, or -EINTR when a fatal signal is pending.
 * @put: takes a chunk back, exactly as it was added. May sleep.
 * @priv: the heap's own
 */
struct heap_pages {
	struct module *owner;
	int (*get)(const struct heap_pages *pages, unsigned long nr_pages,
		   struct list_head *chunks);
	void (*put)(const struct heap_pages *pages, struct page *page,
		    unsigned long nr_pages);
	void *priv;
};

void heap_buffer_add_chunk(struct list_head *chunks, struct page *page,
			   unsigned long nr_pages);

struct dma_buf *heap_buffer_allocate(struct dma_heap *heap, unsigned long len,
				     u32 fd_flags, u64 heap_flags);

#endif /* __HEAP_BUFFER_H__ */
