/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of IIO DMA buffers: a DMA that does what the test says when the
 * test says it, an IIO device with a buffer on it, and DMABUFs without memory.
 */
#ifndef _IIO_BUFFER_MOCK_DMA_H
#define _IIO_BUFFER_MOCK_DMA_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/iio/buffer-dma.h>

#include "../../iio_core.h"
#include "../industrialio-buffer-dmabuf.h"

#define MOCK_SIZE	(4 * PAGE_SIZE)

struct dma_fence;

/**
 * struct mock_dma - The DMA, and the buffer on it
 * @queue: the queue
 * @test: the test
 * @ib: the buffer and its device, as the ioctls take them
 * @list: blocks submitted and not ended, in order
 * @submitted: number of blocks submitted
 * @prepared: number of blocks prepared
 * @aborted: number of aborts
 * @submit_error: what submitting returns
 * @prepare_error: what preparing returns
 * @released: the buffer was released
 */
struct mock_dma {
	struct iio_dma_buffer_queue queue;
	struct kunit *test;
	struct iio_dev_buffer_pair ib;
	struct list_head list;
	unsigned int submitted;
	unsigned int prepared;
	unsigned int aborted;
	int submit_error;
	int prepare_error;
	bool released;
};

/**
 * struct mock_dmabuf - A DMABUF
 * @dmabuf: as everybody knows it; the test has a reference
 * @mapped: number of mappings
 * @map_error: what mapping returns
 * @attaching: buffer that is attached the DMABUF, for mapping to look at it
 * @refused: read() and write() of @attaching would have been refused then
 */
struct mock_dmabuf {
	struct dma_buf *dmabuf;
	int mapped;
	int map_error;
	struct iio_buffer *attaching;
	bool refused;
};

struct mock_dma *mock_dma(struct kunit *test, enum iio_buffer_direction dir);
void mock_dma_enable(struct mock_dma *dma);
void mock_dma_disable(struct mock_dma *dma);
void mock_dma_unbind(struct mock_dma *dma);
void mock_dma_complete(struct mock_dma *dma, int error);
bool mock_dma_active(struct mock_dma *dma, struct mock_dmabuf *buf);

struct mock_dmabuf *mock_dmabuf(struct kunit *test);
struct mock_dmabuf *mock_dmabuf_attached(struct mock_dma *dma);
int mock_attach(struct mock_dma *dma, struct mock_dmabuf *buf);
int mock_detach(struct mock_dma *dma, struct mock_dmabuf *buf);
int mock_enqueue(struct mock_dma *dma, struct mock_dmabuf *buf, u32 flags);
struct dma_fence *mock_fence(struct kunit *test, struct mock_dmabuf *buf);

#endif
