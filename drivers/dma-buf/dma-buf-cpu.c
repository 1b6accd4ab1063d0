// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU's side of a buffer: begin and end of access, mappings into the
 * kernel (vmap, kmap) and into processes (mmap).
 *
 * One vmap of a buffer serves all its users, dma_buf_kmap() among them where
 * the exporter has nothing better. It is counted here, so that exporters need
 * not.
 */

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/* Reading waits for writers, writing waits for everybody. */
static int dma_buf_wait_for_devices(struct dma_buf *dmabuf,
				    enum dma_data_direction dir)
{
	bool write = dir == DMA_BIDIRECTIONAL || dir == DMA_TO_DEVICE;
	long ret;

	if (!dma_buf_may_have_fences(dmabuf))
		return 0;

	ret = dma_resv_wait_timeout(dmabuf->resv, dma_resv_usage_rw(write),
				    true, MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/**
 * dma_buf_begin_cpu_access - the CPU is about to access the buffer
 * @dmabuf: the buffer
 * @dir: DMA_FROM_DEVICE to read, DMA_TO_DEVICE to write, DMA_BIDIRECTIONAL for
 *	 both
 *
 * Waits until the devices are done, makes what they wrote visible, and waits
 * for what the exporter had to start for that. On success
 * dma_buf_end_cpu_access() follows, with the same @dir.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is not held.
 *
 * Return: 0, or
 *
 * * -EINVAL: @dmabuf is NULL
 * * -EINTR, -ERESTARTSYS: a signal came while waiting; access has not begun
 * * the exporter's errno
 */
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir)
{
	int ret;

	if (!dmabuf)
		return -EINVAL;

	dma_buf_assert_not_held(dmabuf);
	trace_dma_buf_begin_cpu_access(dmabuf, dir);

	ret = dma_buf_wait_for_devices(dmabuf, dir);
	if (ret || !dmabuf->ops->begin_cpu_access)
		return ret;

	ret = dmabuf->ops->begin_cpu_access(dmabuf, dir);
	if (ret)
		return ret;

	/* The exporter may have started a move. */
	ret = dma_buf_wait_for_devices(dmabuf, dir);
	if (ret)
		dma_buf_end_cpu_access(dmabuf, dir);

	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access, DMA_BUF);

/**
 * dma_buf_end_cpu_access - the CPU has accessed the buffer
 * @dmabuf: the buffer
 * @dir: as at dma_buf_begin_cpu_access()
 *
 * Makes what the CPU wrote visible to devices.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is not held.
 *
 * Return: 0, -EINVAL for a NULL @dmabuf, or the exporter's errno.
 */
int dma_buf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	if (!dmabuf)
		return -EINVAL;

	dma_buf_assert_not_held(dmabuf);
	trace_dma_buf_end_cpu_access(dmabuf, dir);

	if (!dmabuf->ops->end_cpu_access)
		return 0;

	return dmabuf->ops->end_cpu_access(dmabuf, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_end_cpu_access, DMA_BUF);

long dma_buf_ioctl_sync(struct dma_buf *dmabuf, const void __user *arg)
{
	enum dma_data_direction dir;
	struct dma_buf_sync sync;

	if (copy_from_user(&sync, arg, sizeof(sync)))
		return -EFAULT;

	if (sync.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK)
		return -EINVAL;

	switch (sync.flags & DMA_BUF_SYNC_RW) {
	case DMA_BUF_SYNC_READ:
		dir = DMA_FROM_DEVICE;
		break;
	case DMA_BUF_SYNC_WRITE:
		dir = DMA_TO_DEVICE;
		break;
	case DMA_BUF_SYNC_RW:
		dir = DMA_BIDIRECTIONAL;
		break;
	default:
		return -EINVAL;
	}

	if (sync.flags & DMA_BUF_SYNC_END)
		return dma_buf_end_cpu_access(dmabuf, dir);

	return dma_buf_begin_cpu_access(dmabuf, dir);
}

/*
 * Devices share the memory, so a mapping never outgrows the buffer and is left
 * out of core dumps, whatever the exporter thinks of it.
 */
static int dma_buf_map_vma(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	dma_buf_assert_not_held(dmabuf);
	trace_dma_buf_mmap(dmabuf, vma->vm_pgoff, vma_pages(vma));
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return dmabuf->ops->mmap(dmabuf, vma);
}

static bool dma_buf_range_fits(struct dma_buf *dmabuf, unsigned long pgoff,
			       unsigned long nr_pages)
{
	unsigned long size = dmabuf->size >> PAGE_SHIFT;

	return pgoff <= size && nr_pages <= size - pgoff;
}

int dma_buf_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;

	if (!dmabuf->ops->mmap)
		return -EINVAL;
	if (!dma_buf_range_fits(dmabuf, vma->vm_pgoff, vma_pages(vma)))
		return -EINVAL;

	return dma_buf_map_vma(dmabuf, vma);
}

/**
 * dma_buf_mmap - map a buffer into a process in place of an importer's file
 * @dmabuf: the buffer
 * @vma: the mapping, of the importer's file so far
 * @pgoff: first page of the buffer to map
 *
 * For an importer whose own mmap meets an imported buffer. The mapping becomes
 * one of the buffer's file and holds a reference to it.
 *
 * Context: process context, may sleep. Locks: mmap_lock is held for writing,
 * &dma_buf.resv is not held.
 *
 * Return: 0, or
 *
 * * -EINVAL: @dmabuf or @vma is NULL, the exporter cannot mmap, or the range
 *   ends after the buffer
 * * -EOVERFLOW: @pgoff plus the pages of @vma wraps around
 * * the exporter's errno
 */
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff)
{
	if (!dmabuf || !vma || !dmabuf->ops->mmap)
		return -EINVAL;

	if (pgoff + vma_pages(vma) < pgoff)
		return -EOVERFLOW;
	if (!dma_buf_range_fits(dmabuf, pgoff, vma_pages(vma)))
		return -EINVAL;

	mmap_assert_write_locked(vma->vm_mm);

	vma_set_file(vma, dmabuf->file);
	vma->vm_pgoff = pgoff;

	return dma_buf_map_vma(dmabuf, vma);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mmap, DMA_BUF);

/**
 * dma_buf_vmap - map the whole buffer into the kernel
 * @dmabuf: the buffer
 * @map: where to put the address; cleared on failure
 *
 * All users share one mapping. It is coherent only between
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access().
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 *
 * Return: 0, -EINVAL where @dmabuf is NULL or the exporter cannot vmap, or the
 * exporter's errno.
 */
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret;

	iosys_map_clear(map);

	if (!dmabuf)
		return -EINVAL;

	dma_resv_assert_held(dmabuf->resv);

	if (!dmabuf->ops->vmap)
		return -EINVAL;

	if (!dmabuf->vmapping_counter) {
		ret = dmabuf->ops->vmap(dmabuf, &dmabuf->vmap_ptr);
		if (ret) {
			iosys_map_clear(&dmabuf->vmap_ptr);
			return ret;
		}
	}

	/* dma_buf_kmap_atomic() reads vmap_ptr once it sees a user. */
	smp_store_release(&dmabuf->vmapping_counter,
			  dmabuf->vmapping_counter + 1);
	*map = dmabuf->vmap_ptr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap, DMA_BUF);

/**
 * dma_buf_vmap_unlocked - dma_buf_vmap() with its lock
 * @dmabuf: the buffer
 * @map: where to put the address; cleared on failure
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 *
 * Return: as dma_buf_vmap().
 */
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret;

	iosys_map_clear(map);

	if (!dmabuf)
		return -EINVAL;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_vmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);

	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap_unlocked, DMA_BUF);

/**
 * dma_buf_vunmap - undo one dma_buf_vmap()
 * @dmabuf: the buffer
 * @map: what dma_buf_vmap() gave
 *
 * Does nothing but warn when @dmabuf is NULL, is not mapped, or is mapped
 * elsewhere than @map says.
 *
 * Context: process context, may sleep. Locks: &dma_buf.resv is held.
 */
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON(!dmabuf))
		return;

	dma_resv_assert_held(dmabuf->resv);

	if (WARN_ON(!dmabuf->vmapping_counter ||
		    !iosys_map_is_equal(&dmabuf->vmap_ptr, map)))
		return;

	WRITE_ONCE(dmabuf->vmapping_counter, dmabuf->vmapping_counter - 1);
	if (dmabuf->vmapping_counter)
		return;

	/*
	 * A dma_buf_kmap_atomic() that came before saw the mapping and has
	 * counted itself; one that comes later sees that it is gone.
	 */
	smp_mb();
	wait_var_event(&dmabuf->kmap_atomic_users,
		       !atomic_read(&dmabuf->kmap_atomic_users));

	if (dmabuf->ops->vunmap)
		dmabuf->ops->vunmap(dmabuf, &dmabuf->vmap_ptr);
	iosys_map_clear(&dmabuf->vmap_ptr);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap, DMA_BUF);

/**
 * dma_buf_vunmap_unlocked - dma_buf_vunmap() with its lock
 * @dmabuf: the buffer
 * @map: what dma_buf_vmap_unlocked() gave
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 */
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON(!dmabuf))
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap_unlocked, DMA_BUF);

/**
 * dma_buf_vmap_ptr - classic form of dma_buf_vmap_unlocked()
 * @dmabuf: the buffer
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 *
 * Return: the address of the buffer; NULL when it cannot be mapped or is I/O
 * memory, which a plain pointer cannot say.
 */
void *dma_buf_vmap_ptr(struct dma_buf *dmabuf)
{
	struct iosys_map map;

	if (dma_buf_vmap_unlocked(dmabuf, &map))
		return NULL;

	if (map.is_iomem) {
		dma_buf_vunmap_unlocked(dmabuf, &map);
		return NULL;
	}

	return map.vaddr;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap_ptr, DMA_BUF);

/**
 * dma_buf_vunmap_ptr - undo one dma_buf_vmap_ptr()
 * @dmabuf: the buffer
 * @vaddr: what dma_buf_vmap_ptr() returned
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv.
 */
void dma_buf_vunmap_ptr(struct dma_buf *dmabuf, void *vaddr)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(vaddr);

	dma_buf_vunmap_unlocked(dmabuf, &map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap_ptr, DMA_BUF);

/**
 * dma_buf_kmap - map one page of a buffer for the CPU
 * @dmabuf: the buffer
 * @page_num: number of the page in the buffer
 *
 * Works for every exporter that has kmap or vmap.
 *
 * Context: process context, may sleep. Locks: takes &dma_buf.resv where the
 * exporter has no kmap.
 *
 * Return: the address of the page; NULL when it is outside of the buffer or
 * cannot be mapped. Undone by dma_buf_kunmap().
 */
void *dma_buf_kmap(struct dma_buf *dmabuf, unsigned long page_num)
{
	void *vaddr;

	might_sleep();

	if (!dmabuf || !dma_buf_range_fits(dmabuf, page_num, 1))
		return NULL;

	dma_buf_assert_not_held(dmabuf);

	if (dmabuf->ops->kmap)
		return dmabuf->ops->kmap(dmabuf, page_num);

	vaddr = dma_buf_vmap_ptr(dmabuf);
	return vaddr ? vaddr + page_num * PAGE_SIZE : NULL;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_kmap, DMA_BUF);

/**
 * dma_buf_kunmap - undo dma_buf_kmap()
 * @dmabuf: the buffer
 * @page_num: number of the page in the buffer
 * @vaddr: what dma_buf_kmap() returned; nothing is done for NULL
 *
 * Context: process context, may sleep. Locks: as dma_buf_kmap().
 */
void dma_buf_kunmap(struct dma_buf *dmabuf, unsigned long page_num, void *vaddr)
{
	might_sleep();

	if (!vaddr)
		return;

	dma_buf_assert_not_held(dmabuf);

	if (!dmabuf->ops->kmap)
		dma_buf_vunmap_ptr(dmabuf, vaddr - page_num * PAGE_SIZE);
	else if (dmabuf->ops->kunmap)
		dmabuf->ops->kunmap(dmabuf, page_num, vaddr);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_kunmap, DMA_BUF);

static void dma_buf_kmap_atomic_leave(struct dma_buf *dmabuf)
{
	if (atomic_dec_and_test(&dmabuf->kmap_atomic_users))
		wake_up_var(&dmabuf->kmap_atomic_users);
}

/* The address of the buffer if somebody has it vmapped. */
static void *dma_buf_kmap_atomic_enter(struct dma_buf *dmabuf)
{
	atomic_inc(&dmabuf->kmap_atomic_users);
	/* Pairs with the one in dma_buf_vunmap(). */
	smp_mb__after_atomic();

	/* Pairs with the release in dma_buf_vmap(). */
	if (smp_load_acquire(&dmabuf->vmapping_counter) &&
	    !dmabuf->vmap_ptr.is_iomem)
		return dmabuf->vmap_ptr.vaddr;

	dma_buf_kmap_atomic_leave(dmabuf);
	return NULL;
}

/**
 * dma_buf_kmap_atomic - map one page of a buffer without sleeping
 * @dmabuf: the buffer
 * @page_num: number of the page in the buffer
 *
 * An exporter without kmap_atomic is stood in for while its buffer is vmapped,
 * by dma_buf_vmap() or dma_buf_kmap(). The vmap may be given up before
 * dma_buf_kunmap_atomic(): it stays until then.
 *
 * Context: any but NMI. The caller does not sleep before
 * dma_buf_kunmap_atomic().
 *
 * Return: the address of the page; NULL when it is outside of the buffer or
 * cannot be mapped without sleeping.
 */
void *dma_buf_kmap_atomic(struct dma_buf *dmabuf, unsigned long page_num)
{
	void *vaddr;

	if (!dmabuf || !dma_buf_range_fits(dmabuf, page_num, 1))
		return NULL;

	if (dmabuf->ops->kmap_atomic)
		return dmabuf->ops->kmap_atomic(dmabuf, page_num);

	vaddr = dma_buf_kmap_atomic_enter(dmabuf);
	return vaddr ? vaddr + page_num * PAGE_SIZE : NULL;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_kmap_atomic, DMA_BUF);

/**
 * dma_buf_kunmap_atomic - undo dma_buf_kmap_atomic()
 * @dmabuf: the buffer
 * @page_num: number of the page in the buffer
 * @vaddr: what dma_buf_kmap_atomic() returned; nothing is done for NULL
 *
 * Context: as dma_buf_kmap_atomic(); with PREEMPT_RT not in a hard interrupt,
 * nor with a raw spinlock held.
 */
void dma_buf_kunmap_atomic(struct dma_buf *dmabuf, unsigned long page_num,
			   void *vaddr)
{
	if (!vaddr)
		return;

	if (!dmabuf->ops->kmap_atomic)
		dma_buf_kmap_atomic_leave(dmabuf);
	else if (dmabuf->ops->kunmap_atomic)
		dmabuf->ops->kunmap_atomic(dmabuf, page_num, vaddr);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_kunmap_atomic, DMA_BUF);
