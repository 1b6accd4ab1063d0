/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the heap buffer share, and heaps need not know. */
#ifndef __HEAP_BUFFER_INTERNAL_H__
#define __HEAP_BUFFER_INTERNAL_H__

#include <linux/compiler_attributes.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>

struct dma_buf;
struct heap_pages;
struct obj_cgroup;

/**
 * struct heap_chunk - pages that follow each other physically
 * @page: the first
 * @pfn: its page frame number, which is not for free to find out
 * @first: its number in the buffer
 * @nr_pages: how many there are
 */
struct heap_chunk {
	struct page *page;
	unsigned long pfn;
	unsigned long first;
	unsigned long nr_pages;
};

/**
 * struct heap_buffer - the memory of a dma-buf
 * @pages: where it came from
 * @objcg: who is charged for it, or NULL
 * @size: in bytes
 * @lock: protects @mappings and @vaddr; nests inside &dma_buf.resv
 * @mappings: one for each time a device has mapped the buffer
 * @vaddr: mapping into the kernel, or NULL
 * @fault_lock: one fault at a time; nests inside mmap_lock, or the lock of a vma
 * @nr_chunks: number of @chunks
 * @chunks: the memory; does not change while the buffer lives
 */
struct heap_buffer {
	const struct heap_pages *pages;
	struct obj_cgroup *objcg;
	size_t size;
	struct mutex lock;		/* protects mappings and vaddr */
	struct list_head mappings;
	void *vaddr;
	struct mutex fault_lock;	/* one fault at a time */
	unsigned int nr_chunks;
	struct heap_chunk chunks[] __counted_by(nr_chunks);
};

int heap_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

#ifdef CONFIG_MEMCG
struct obj_cgroup *heap_charge(size_t size);
void heap_uncharge(struct obj_cgroup *objcg, size_t size);
#else
static inline struct obj_cgroup *heap_charge(size_t size)
{
	return NULL;
}

static inline void heap_uncharge(struct obj_cgroup *objcg, size_t size)
{
}
#endif

#endif /* __HEAP_BUFFER_INTERNAL_H__ */
