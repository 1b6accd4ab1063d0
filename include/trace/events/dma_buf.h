/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events in the life of a dma-buf. Each is fired while the caller holds a
 * reference, so what it records is still there.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf

#if !defined(_TRACE_DMA_BUF_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_BUF_H

#include <linux/dma-buf.h>
#include <linux/tracepoint.h>

#define show_dma_data_direction(dir)			\
	__print_symbolic(dir,				\
		{ DMA_BIDIRECTIONAL, "bidirectional" },	\
		{ DMA_TO_DEVICE, "to-device" },		\
		{ DMA_FROM_DEVICE, "from-device" },	\
		{ DMA_NONE, "none" })

DECLARE_EVENT_CLASS(dma_buf,
	TP_PROTO(struct dma_buf *dmabuf),
	TP_ARGS(dmabuf),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(size_t, size)
		__string(exp_name, dmabuf->exp_name)
	),
	TP_fast_assign(
		__entry->ino = file_inode(dmabuf->file)->i_ino;
		__entry->size = dmabuf->size;
		__assign_str(exp_name);
	),
	TP_printk("ino=%lu size=%zu exp_name=%s", __entry->ino, __entry->size,
		  __get_str(exp_name))
);

DEFINE_EVENT(dma_buf, dma_buf_export,
	     TP_PROTO(struct dma_buf *dmabuf), TP_ARGS(dmabuf));
DEFINE_EVENT(dma_buf, dma_buf_get,
	     TP_PROTO(struct dma_buf *dmabuf), TP_ARGS(dmabuf));
DEFINE_EVENT(dma_buf, dma_buf_put,
	     TP_PROTO(struct dma_buf *dmabuf), TP_ARGS(dmabuf));

TRACE_EVENT(dma_buf_fd,
	TP_PROTO(struct dma_buf *dmabuf, int fd),
	TP_ARGS(dmabuf, fd),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(int, fd)
	),
	TP_fast_assign(
		__entry->ino = file_inode(dmabuf->file)->i_ino;
		__entry->fd = fd;
	),
	TP_printk("ino=%lu fd=%d", __entry->ino, __entry->fd)
);

TRACE_EVENT(dma_buf_mmap,
	TP_PROTO(struct dma_buf *dmabuf, unsigned long pgoff,
		 unsigned long nr_pages),
	TP_ARGS(dmabuf, pgoff, nr_pages),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(unsigned long, pgoff)
		__field(unsigned long, nr_pages)
	),
	TP_fast_assign(
		__entry->ino = file_inode(dmabuf->file)->i_ino;
		__entry->pgoff = pgoff;
		__entry->nr_pages = nr_pages;
	),
	TP_printk("ino=%lu pgoff=%lu nr_pages=%lu", __entry->ino,
		  __entry->pgoff, __entry->nr_pages)
);

DECLARE_EVENT_CLASS(dma_buf_attachment,
	TP_PROTO(struct dma_buf_attachment *attach),
	TP_ARGS(attach),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__string(device, dev_name(attach->dev))
		__field(bool, dynamic)
	),
	TP_fast_assign(
		__entry->ino = file_inode(attach->dmabuf->file)->i_ino;
		__assign_str(device);
		__entry->dynamic = attach->importer_ops;
	),
	TP_printk("ino=%lu device=%s %s", __entry->ino, __get_str(device),
		  __entry->dynamic ? "dynamic" : "static")
);

DEFINE_EVENT(dma_buf_attachment, dma_buf_attach,
	     TP_PROTO(struct dma_buf_attachment *attach), TP_ARGS(attach));
DEFINE_EVENT(dma_buf_attachment, dma_buf_detach,
	     TP_PROTO(struct dma_buf_attachment *attach), TP_ARGS(attach));

DECLARE_EVENT_CLASS(dma_buf_mapping,
	TP_PROTO(struct dma_buf_attachment *attach,
		 enum dma_data_direction dir),
	TP_ARGS(attach, dir),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__string(device, dev_name(attach->dev))
		__field(unsigned int, dir)
	),
	TP_fast_assign(
		__entry->ino = file_inode(attach->dmabuf->file)->i_ino;
		__assign_str(device);
		__entry->dir = dir;
	),
	TP_printk("ino=%lu device=%s dir=%s", __entry->ino, __get_str(device),
		  show_dma_data_direction(__entry->dir))
);

DEFINE_EVENT(dma_buf_mapping, dma_buf_map,
	     TP_PROTO(struct dma_buf_attachment *attach,
		      enum dma_data_direction dir),
	     TP_ARGS(attach, dir));
DEFINE_EVENT(dma_buf_mapping, dma_buf_unmap,
	     TP_PROTO(struct dma_buf_attachment *attach,
		      enum dma_data_direction dir),
	     TP_ARGS(attach, dir));

DECLARE_EVENT_CLASS(dma_buf_cpu_access,
	TP_PROTO(struct dma_buf *dmabuf, enum dma_data_direction dir),
	TP_ARGS(dmabuf, dir),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(unsigned int, dir)
	),
	TP_fast_assign(
		__entry->ino = file_inode(dmabuf->file)->i_ino;
		__entry->dir = dir;
	),
	TP_printk("ino=%lu dir=%s", __entry->ino,
		  show_dma_data_direction(__entry->dir))
);

DEFINE_EVENT(dma_buf_cpu_access, dma_buf_begin_cpu_access,
	     TP_PROTO(struct dma_buf *dmabuf, enum dma_data_direction dir),
	     TP_ARGS(dmabuf, dir));
DEFINE_EVENT(dma_buf_cpu_access, dma_buf_end_cpu_access,
	     TP_PROTO(struct dma_buf *dmabuf, enum dma_data_direction dir),
	     TP_ARGS(dmabuf, dir));

#endif /* _TRACE_DMA_BUF_H */

#include <trace/define_trace.h>
