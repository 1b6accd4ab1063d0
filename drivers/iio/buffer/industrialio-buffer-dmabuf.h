/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMABUF side of a buffer's file: what industrialio-buffer.c sees of it, and
 * what its two parts share
 */
#ifndef _INDUSTRIALIO_BUFFER_DMABUF_H_
#define _INDUSTRIALIO_BUFFER_DMABUF_H_

#include <linux/compiler.h>
#include <linux/dma-direction.h>
#include <linux/dma-resv.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/types.h>
#include <linux/iio/buffer_impl.h>

struct dma_buf;
struct file;
struct iio_dev;
struct iio_dev_buffer_pair;
struct iio_dmabuf;
struct iio_dmabuf_timeline;

void iio_buffer_init_dmabufs(struct iio_buffer *buffer);
void iio_buffer_detach_dmabufs(struct iio_buffer *buffer);
long iio_buffer_dmabuf_ioctl(struct file *filp, unsigned int cmd,
			     unsigned long arg);

/*
 * A buffer with DMABUFs is not for read() and write(). One that is on its way to
 * be attached may still be refused, and does not count.
 */
static inline bool iio_buffer_has_dmabufs(struct iio_buffer *buffer)
{
	return READ_ONCE(buffer->dmabufs_live);
}

/* industrialio-buffer.c */
int iio_compute_scan_bytes(struct iio_dev *indio_dev,
			   const unsigned long *mask, bool timestamp);

/**
 * struct iio_dmabuf_attach - A DMABUF attached to a buffer
 * @entry: entry of the buffer's list. Protected by buffer->dmabufs_mutex.
 * @gone: entry of the buffer's list of what its work is to release
 * @buffer: the buffer
 * @dbattach: the dma-buf attachment, of the device that does the DMA
 * @sgt: the mapping
 * @block: what the access functions know the DMABUF by
 * @live: attached and not detached. Written with buffer->dmabufs_mutex held.
 * @timeline: the timeline of the transfers
 * @kref: one reference for being attached, one for a transfer under way, and
 *	one for each ioctl at work
 */
struct iio_dmabuf_attach {
	struct list_head entry;
	struct llist_node gone;
	struct iio_buffer *buffer;
	struct dma_buf_attachment *dbattach;
	struct sg_table *sgt;
	struct iio_dma_buffer_block *block;
	bool live;
	struct iio_dmabuf_timeline *timeline;
	struct kref kref;
};

static inline enum dma_data_direction iio_dmabuf_dir(const struct iio_buffer *buffer)
{
	return buffer->direction == IIO_BUFFER_DIRECTION_IN ?
	       DMA_FROM_DEVICE : DMA_TO_DEVICE;
}

static inline int iio_dmabuf_resv_lock(struct dma_resv *resv, bool nonblock)
{
	if (nonblock)
		return dma_resv_trylock(resv) ? 0 : -EBUSY;

	return dma_resv_lock_interruptible(resv, NULL);
}

/* industrialio-buffer-dmabuf.c */
struct iio_dmabuf_attach *
iio_dmabuf_find(struct iio_dev_buffer_pair *ib, const struct dma_buf *dmabuf,
		bool detach);
void iio_dmabuf_put(struct iio_dmabuf_attach *attach);
void iio_dmabuf_put_later(struct iio_dmabuf_attach *attach);
int iio_dmabuf_add(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf,
		   bool nonblock);
int iio_dmabuf_remove(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf);

/* industrialio-buffer-dmabuf-xfer.c */
struct iio_dmabuf_timeline *iio_dmabuf_timeline_alloc(void);
void iio_dmabuf_timeline_put(struct iio_dmabuf_timeline *timeline);
int iio_dmabuf_enqueue(struct iio_dev_buffer_pair *ib, struct dma_buf *dmabuf,
		       const struct iio_dmabuf *req, bool nonblock);
int iio_dmabuf_ioctl_enqueue(struct iio_dev_buffer_pair *ib,
			     struct iio_dmabuf __user *arg, bool nonblock);

#endif
