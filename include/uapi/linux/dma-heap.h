/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl of a dma-buf heap, a character device /dev/dma_heap/NAME that
 * hands out memory as dma-bufs. Heaps are told apart by their names.
 */
#ifndef _UAPI_LINUX_DMABUF_POOL_H
#define _UAPI_LINUX_DMABUF_POOL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Access mode and O_CLOEXEC of the new descriptor; needs <fcntl.h>. */
#define DMA_HEAP_VALID_FD_FLAGS		(O_CLOEXEC | O_ACCMODE)

/* No heap flag exists. */
#define DMA_HEAP_VALID_HEAP_FLAGS	(0ULL)

/**
 * struct dma_heap_allocation_data - argument of DMA_HEAP_IOCTL_ALLOC
 * @len: bytes wanted; the buffer has the next whole number of pages
 * @fd: 0 on the way in, the new dma-buf's descriptor on the way out
 * @fd_flags: O_RDONLY, O_WRONLY or O_RDWR, with or without O_CLOEXEC; a
 *	program that wants to write through mmap() needs O_RDWR
 * @heap_flags: 0
 */
struct dma_heap_allocation_data {
	__u64 len;
	__u32 fd;
	__u32 fd_flags;
	__u64 heap_flags;
};

#define DMA_HEAP_IOC_MAGIC	'H'

/**
 * define DMA_HEAP_IOCTL_ALLOC - allocate a buffer
 *
 * The memory is zero. It belongs to the buffer and goes back to the heap with
 * the buffer's last user: descriptors, mappings and devices count alike.
 *
 * The structure may grow in later versions. A caller that knows a shorter one
 * has the rest taken as zero, of a longer one the tail is ignored.
 *
 * Errors:
 *
 * * EINVAL: len is 0 or overflows when rounded up, fd is not 0, fd_flags or
 *   heap_flags has a bit it may not have, or the ioctl is not known
 * * EFAULT: the argument cannot be read or written; no descriptor and no
 *   memory is left behind
 * * ENOMEM: the heap has not got that much memory, now or ever
 * * EINTR: the caller was killed while the heap allocated
 * * EMFILE, ENFILE: no descriptor, or no file, left
 */
#define DMA_HEAP_IOCTL_ALLOC \
	_IOWR(DMA_HEAP_IOC_MAGIC, 0x0, struct dma_heap_allocation_data)

#endif /* _UAPI_LINUX_DMABUF_POOL_H */
