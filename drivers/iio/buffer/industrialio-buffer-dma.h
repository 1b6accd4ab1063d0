/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the DMA queue offers to industrialio-buffer-dma-io.c
 */
#ifndef _INDUSTRIALIO_BUFFER_DMA_H_
#define _INDUSTRIALIO_BUFFER_DMA_H_

#include <linux/container_of.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/iio/buffer-dma.h>

static inline struct iio_dma_buffer_queue *
iio_buffer_to_queue(struct iio_buffer *buffer)
{
	return container_of(buffer, struct iio_dma_buffer_queue, buffer);
}

static inline bool iio_dma_queue_is_input(struct iio_dma_buffer_queue *queue)
{
	return queue->buffer.direction == IIO_BUFFER_DIRECTION_IN;
}

struct iio_dma_buffer_block *
iio_dma_block_alloc(struct iio_dma_buffer_queue *queue, size_t coherent_size);
void iio_dma_block_put(struct iio_dma_buffer_block *block);
void iio_dma_block_abort(struct iio_dma_buffer_block *block);
int __iio_dma_block_prepare(struct iio_dma_buffer_block *block);
int iio_dma_queue_run(struct iio_dma_buffer_queue *queue,
		      struct iio_dma_buffer_block *new);
void iio_dma_fileio_end(struct iio_dma_buffer_queue *queue);

/* User space may have a block of fileio mode. Others may be looking at the list. */
static inline void iio_dma_fileio_give(struct iio_dma_buffer_block *block)
{
	struct iio_dma_buffer_queue *queue = block->queue;

	lockdep_assert_held(&queue->list_lock);
	list_add_tail(&block->head, &queue->fileio.done);
}

/* Most transfers of a block are like the one before */
static inline int iio_dma_block_prepare(struct iio_dma_buffer_block *block)
{
	if (!block->queue->ops->prepare ||
	    block->prepared_size == block->bytes_used)
		return 0;

	return __iio_dma_block_prepare(block);
}

#endif
