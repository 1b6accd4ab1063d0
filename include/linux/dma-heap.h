/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf heaps: memory that user space allocates as a dma-buf from a
 * character device per kind of memory, /dev/dma_heap/NAME.
 */
#ifndef _DMA_HEAPS_H
#define _DMA_HEAPS_H

#include <linux/types.h>

struct dma_buf;
struct dma_heap;

/**
 * struct dma_heap_ops - what a heap does
 * @allocate: make a buffer of @len bytes, a multiple of PAGE_SIZE and not 0,
 *	      zeroed. @fd_flags holds the access mode for
 *	      &dma_buf_export_info.flags; @heap_flags has passed
 *	      DMA_HEAP_VALID_HEAP_FLAGS. Process context, may sleep. Returns
 *	      the buffer, or an ERR_PTR(): -ENOMEM, or -EINTR when the caller
 *	      is being killed.
 */
struct dma_heap_ops {
	struct dma_buf *(*allocate)(struct dma_heap *heap,
				    unsigned long len,
				    u32 fd_flags,
				    u64 heap_flags);
};

/**
 * struct dma_heap_export_info - arguments of dma_heap_add()
 * @name: of the heap and of its device node, outlives the heap
 * @ops: the heap's operations
 * @priv: the heap's own
 */
struct dma_heap_export_info {
	const char *name;
	const struct dma_heap_ops *ops;
	void *priv;
};

void *dma_heap_get_drvdata(struct dma_heap *heap);
const char *dma_heap_get_name(struct dma_heap *heap);
struct dma_heap *dma_heap_add(const struct dma_heap_export_info *exp_info);

#endif /* _DMA_HEAPS_H */
