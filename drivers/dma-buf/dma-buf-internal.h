/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the dma-buf core share, and the order of its locks.
 *
 * Lock order, outermost first:
 *
 *	mmap_lock
 *	  dma_buf.resv		importers hold it for pin, unpin, map, unmap,
 *				vmap and vunmap; protects attachments, their
 *				kept mappings and the vmap count
 *	    exporter's locks
 *	      dma_fence.lock
 *		dma_buf.poll.lock	state of the poll callbacks
 *
 * Leaves, nothing is taken under them: dma_buf.name_lock, and the lock of the
 * list of live buffers in dma-buf-debug.c.
 *
 * Copying to or from user space may fault and take mmap_lock, so it is never
 * done with dma_buf.resv held.
 */
#ifndef __DMA_BUF_INTERNAL_H__
#define __DMA_BUF_INTERNAL_H__

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <uapi/linux/dma-buf.h>

/*
 * Most buffers never get a fence, and there is nothing to look through then. A
 * caller that races with the first one is as one that came a little earlier.
 */
static inline bool dma_buf_may_have_fences(struct dma_buf *dmabuf)
{
	return rcu_access_pointer(dmabuf->resv->fences);
}

/* At the top of what may take the lock or calls an exporter that may. */
static inline void dma_buf_assert_not_held(struct dma_buf *dmabuf)
{
	might_lock(&dmabuf->resv->lock.base);
}

/* dma-buf-cpu.c */
long dma_buf_ioctl_sync(struct dma_buf *dmabuf, const void __user *arg);
int dma_buf_file_mmap(struct file *file, struct vm_area_struct *vma);

/* dma-buf-fence.c */
void dma_buf_poll_init(struct dma_buf *dmabuf);
__poll_t dma_buf_file_poll(struct file *file, poll_table *pt);
#if IS_ENABLED(CONFIG_SYNC_FILE)
long dma_buf_ioctl_export_sync_file(struct dma_buf *dmabuf, void __user *arg);
long dma_buf_ioctl_import_sync_file(struct dma_buf *dmabuf,
				    const void __user *arg);
#else
static inline long dma_buf_ioctl_export_sync_file(struct dma_buf *dmabuf,
						  void __user *arg)
{
	return -ENOTTY;
}

static inline long dma_buf_ioctl_import_sync_file(struct dma_buf *dmabuf,
						  const void __user *arg)
{
	return -ENOTTY;
}
#endif

/* dma-buf-debug.c */
#if IS_ENABLED(CONFIG_DEBUG_FS)
void dma_buf_debug_add(struct dma_buf *dmabuf);
void dma_buf_debug_remove(struct dma_buf *dmabuf);
void dma_buf_debug_init(void);
#else
static inline void dma_buf_debug_add(struct dma_buf *dmabuf) { }
static inline void dma_buf_debug_remove(struct dma_buf *dmabuf) { }
static inline void dma_buf_debug_init(void) { }
#endif

#if IS_ENABLED(CONFIG_DMABUF_DEBUG)
void dma_buf_debug_init_attach(struct dma_buf_attachment *attach);
struct sg_table *dma_buf_debug_wrap(struct dma_buf_attachment *attach,
				    struct sg_table *sgt);
struct sg_table *dma_buf_debug_unwrap(struct dma_buf_attachment *attach,
				      struct sg_table *sgt);
#else
static inline void dma_buf_debug_init_attach(struct dma_buf_attachment *attach)
{
}

static inline struct sg_table *
dma_buf_debug_wrap(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	return sgt;
}

static inline struct sg_table *
dma_buf_debug_unwrap(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	return sgt;
}
#endif

/* dma-buf.c */

/**
 * dma_buf_copy_name - the buffer's name as it is now
 * @dmabuf: the buffer
 * @name: where to put it
 *
 * Return: true if it has one; otherwise @name is empty.
 */
bool dma_buf_copy_name(struct dma_buf *dmabuf, char name[DMA_BUF_NAME_LEN]);

#endif /* __DMA_BUF_INTERNAL_H__ */
