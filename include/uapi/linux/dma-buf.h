/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctls of a dma-buf file descriptor: CPU access, naming, fences.
 *
 * A file descriptor that is not a dma-buf answers all of them with ENOTTY
 * (or whatever its own ioctls make of the number), so a SYNC with invalid
 * flags tells whether a descriptor is one: EINVAL means it is.
 */
#ifndef _DMA_BUF_UAPI_H_
#define _DMA_BUF_UAPI_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_BASE		'b'

/* Values of dma_buf_sync.flags; the fence ioctls take READ, WRITE and RW. */
#define DMA_BUF_SYNC_READ	(1 << 0)
#define DMA_BUF_SYNC_WRITE	(1 << 1)
#define DMA_BUF_SYNC_RW		(DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE)
#define DMA_BUF_SYNC_START	(0 << 2)
#define DMA_BUF_SYNC_END	(1 << 2)
#define DMA_BUF_SYNC_VALID_FLAGS_MASK \
	(DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END)

/**
 * struct dma_buf_sync - argument of DMA_BUF_IOCTL_SYNC
 * @flags: one of DMA_BUF_SYNC_START and DMA_BUF_SYNC_END, together with
 *	DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or DMA_BUF_SYNC_RW
 */
struct dma_buf_sync {
	__u64 flags;
};

/**
 * define DMA_BUF_IOCTL_SYNC - begin or end a period of CPU access
 *
 * A program that reads or writes the buffer through mmap() says START before
 * the first access and END, with the same direction, after the last. In
 * between the CPU sees what devices wrote, and after END devices see what the
 * CPU wrote. On hardware whose caches are coherent this costs next to nothing;
 * leaving it out gives wrong data on all other hardware.
 *
 * START also waits for devices that work on the buffer and have said so with
 * a fence: for writers when the CPU is going to read, for everybody when it
 * is going to write. It keeps nobody away afterwards: START is not a lock,
 * and who may use the buffer when is for the programs to agree on.
 *
 * Errors:
 *
 * * EINVAL: a bit outside DMA_BUF_SYNC_VALID_FLAGS_MASK, or neither READ nor
 *   WRITE
 * * EFAULT: the argument cannot be read
 * * EINTR: a signal arrived while waiting; nothing has begun, call again
 * * any other: the exporter could not prepare the memory
 */
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/* Size of the buffer that a name needs, its terminating NUL included. */
#define DMA_BUF_NAME_LEN	32

/*
 * Name a buffer, for people: the name shows in fdinfo, in /proc/PID/maps and
 * in debugfs, belongs to the buffer and not to the descriptor, and replaces
 * the one before it. The argument is a pointer to a string of at most 31
 * characters and a NUL.
 *
 * One ioctl has three numbers because its size field was once the size of a
 * pointer: _A is what a 32-bit program passes, _B a 64-bit one. Each kernel
 * takes all of them and reads the argument as a pointer of the calling
 * program.
 *
 * Errors: EINVAL (longer than 31 characters), EFAULT, ENOMEM.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)

/**
 * struct dma_buf_export_sync_file - argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both: what the caller is
 *	about to do with the buffer
 * @fd: set to the new sync_file; not looked at on the way in
 */
struct dma_buf_export_sync_file {
	__u32 flags;
	__s32 fd;
};

/**
 * define DMA_BUF_IOCTL_EXPORT_SYNC_FILE - take what to wait for as a sync_file
 *
 * The new descriptor, which is always close-on-exec, holds the fences that the
 * buffer has at this moment: those of the writers for READ, all of them once
 * WRITE is given. Fences that are added later are not in it. A buffer that
 * nobody works on gives a sync_file that has signalled already.
 *
 * poll() of the sync_file for POLLIN then waits as poll() of the buffer would
 * have: for POLLIN after READ, for POLLOUT after WRITE.
 *
 * Errors:
 *
 * * EINVAL: flags are 0 or have an unknown bit
 * * EFAULT: the argument cannot be read or written; no descriptor is left
 * * ENOMEM: no memory for the sync_file
 * * EMFILE, ENFILE: no descriptor, or no file, left
 */
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE \
	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)

/**
 * struct dma_buf_import_sync_file - argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both: what the work behind
 *	the sync_file does with the buffer
 * @fd: a sync_file
 */
struct dma_buf_import_sync_file {
	__u32 flags;
	__s32 fd;
};

/**
 * define DMA_BUF_IOCTL_IMPORT_SYNC_FILE - add a sync_file's fences to a buffer
 *
 * From now on whoever waits for the buffer waits for these fences too: for
 * work that only reads (READ) those who want to write wait, for work that
 * writes (WRITE, or both) everybody does. The descriptor of the sync_file can
 * be closed afterwards.
 *
 * To export, to submit work and to import are three steps, not one: keeping
 * others off the buffer in between is for the programs to arrange.
 *
 * Errors:
 *
 * * EINVAL: flags are 0 or have an unknown bit, or fd is not a sync_file
 * * EFAULT: the argument cannot be read
 * * ENOMEM: no memory to hold the fences
 */
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE \
	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

#endif /* _DMA_BUF_UAPI_H_ */
