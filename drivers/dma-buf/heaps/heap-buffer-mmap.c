// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers in processes.
 *
 * A mapping is filled when it is touched, as much at once as one page table
 * covers: by one huge page where the memory and the mapping are aligned for it,
 * otherwise by all the pages there are. Neither has references to pages
 * (VM_PFNMAP); the mapping keeps the buffer. Nor does a page of the buffer ever
 * change, so a fault finds nothing, or that other threads have filled in what it
 * would fill in itself.
 *
 * With heap_buffer.fault_lock, only one thread at a time decides between a huge
 * page and a page table.
 */

#include <linux/align.h>
#include <linux/dma-buf.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pfn_t.h>
#include <linux/pgtable.h>
#include <linux/sizes.h>

#include "heap-buffer-internal.h"

#define HEAP_BUFFER_SMALL_MAPPING	SZ_64K

/* The chunk that holds page @nr of the buffer. */
static const struct heap_chunk *heap_buffer_find(struct heap_buffer *buffer,
						 unsigned long nr)
{
	unsigned int low = 0, high = buffer->nr_chunks - 1;

	while (low < high) {
		unsigned int mid = high - (high - low) / 2;

		if (buffer->chunks[mid].first <= nr)
			low = mid;
		else
			high = mid - 1;
	}

	return &buffer->chunks[low];
}

/* What page of the buffer the mapping has at @addr. */
static unsigned long heap_buffer_page_at(struct vm_area_struct *vma,
					 unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/*
 * The entry of a page; those of the pages after it follow from it. A shared
 * mapping that may be written to has that in vm_page_prot.
 */
static pte_t heap_buffer_pte(struct vm_area_struct *vma, unsigned long pfn)
{
	pte_t pte = pfn_pte(pfn, vma->vm_page_prot);

	/* Else the first write to each page may cost a fault. */
	if (vma->vm_flags & VM_WRITE)
		pte = pte_mkdirty(pte);
	return pte_mkspecial(pte_mkyoung(pte));
}

/* Once for each page, so it is short. What is there already is the same page. */
static void heap_buffer_set_ptes(struct mm_struct *mm, unsigned long addr,
				 pte_t *ptep, pte_t pte, unsigned long nr)
{
	for (; nr; nr--) {
		if (pte_none(ptep_get(ptep)))
			set_pte_at(mm, addr, ptep, pte);
		ptep++;
		addr += PAGE_SIZE;
		pte = pte_next_pfn(pte);
	}
}

/* What the mapping has from @addr to @end, into the entries from @ptep on. */
static void heap_buffer_set_table(struct heap_buffer *buffer,
				  struct vm_area_struct *vma,
				  unsigned long addr, unsigned long end,
				  pte_t *ptep)
{
	unsigned long first = heap_buffer_page_at(vma, addr);
	const struct heap_chunk *chunk = heap_buffer_find(buffer, first);
	unsigned long skip = first - chunk->first;

	while (addr < end) {
		unsigned long nr = min(chunk->nr_pages - skip,
				       (end - addr) >> PAGE_SHIFT);
		unsigned long pfn = chunk->pfn + skip;

		heap_buffer_set_ptes(vma->vm_mm, addr, ptep,
				     heap_buffer_pte(vma, pfn), nr);
		ptep += nr;
		addr += nr << PAGE_SHIFT;
		chunk++;
		skip = 0;
	}
}

/* Fill from @addr to @end, for which there is one page table. */
static int heap_buffer_fill(struct heap_buffer *buffer,
			    struct vm_area_struct *vma, unsigned long addr,
			    unsigned long end)
{
	spinlock_t *ptl;	/* that of the page table */
	pte_t *ptep;

	ptep = get_locked_pte(vma->vm_mm, addr, &ptl);
	if (ptep) {
		heap_buffer_set_table(buffer, vma, addr, end, ptep);
		pte_unmap_unlock(ptep, ptl);
	}

	return ptep ? 0 : -ENOMEM;
}

static struct heap_buffer *heap_buffer_of(struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = vma->vm_file->private_data;

	return dmabuf->priv;
}

/* All pages that the page table of this address has room for. */
static vm_fault_t heap_buffer_fill_table(struct heap_buffer *buffer,
					 struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = max(vmf->address & PMD_MASK, vma->vm_start);

	return heap_buffer_fill(buffer, vma, addr,
				pmd_addr_end(addr, vma->vm_end)) ?
	       VM_FAULT_OOM : VM_FAULT_NOPAGE;
}

static vm_fault_t heap_buffer_fault(struct vm_fault *vmf)
{
	struct heap_buffer *buffer = heap_buffer_of(vmf->vma);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	mutex_lock(&buffer->fault_lock);
	/* A huge page that has come meanwhile is as good. */
	if (!pmd_leaf(pmdp_get_lockless(vmf->pmd)))
		ret = heap_buffer_fill_table(buffer, vmf);
	mutex_unlock(&buffer->fault_lock);

	return ret;
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
/* The first page of a huge page for this address, or 0. */
static unsigned long heap_buffer_huge_pfn(struct heap_buffer *buffer,
					  struct vm_fault *vmf)
{
	unsigned long addr = vmf->address & PMD_MASK;
	struct vm_area_struct *vma = vmf->vma;
	const struct heap_chunk *chunk;
	unsigned long first, pfn;

	if (addr < vma->vm_start || vma->vm_end - addr < PMD_SIZE)
		return 0;

	first = heap_buffer_page_at(vma, addr);
	chunk = heap_buffer_find(buffer, first);
	if (chunk->first + chunk->nr_pages - first < HPAGE_PMD_NR)
		return 0;

	pfn = chunk->pfn + first - chunk->first;
	return IS_ALIGNED(pfn, HPAGE_PMD_NR) ? pfn : 0;
}

static vm_fault_t heap_buffer_huge_fault(struct vm_fault *vmf,
					 unsigned int order)
{
	struct heap_buffer *buffer = heap_buffer_of(vmf->vma);
	bool write = vmf->vma->vm_flags & VM_WRITE;
	unsigned long pfn;
	vm_fault_t ret;
	pmd_t pmd;

	if (order != HPAGE_PMD_ORDER)
		return VM_FAULT_FALLBACK;

	pfn = heap_buffer_huge_pfn(buffer, vmf);
	mutex_lock(&buffer->fault_lock);
	pmd = pmdp_get_lockless(vmf->pmd);
	if (pfn && (pmd_none(pmd) || pmd_leaf(pmd)))
		ret = vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV),
					 write);
	else
		ret = heap_buffer_fill_table(buffer, vmf);
	mutex_unlock(&buffer->fault_lock);

	return ret;
}
#endif

static const struct vm_operations_struct heap_buffer_vm_ops = {
	.fault = heap_buffer_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = heap_buffer_huge_fault,
#endif
};

/*
 * Who locks memory does not want to meet with faults. For a small mapping, the
 * fault would cost more than the pages.
 */
static bool heap_buffer_fills_at_once(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED ||
	       vma->vm_end - vma->vm_start <= HEAP_BUFFER_SMALL_MAPPING;
}

/* &dma_buf_ops.mmap: the core has checked the range. */
int heap_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	unsigned long addr, next;
	int ret;

	/* A private mapping would copy pages that devices go on using. */
	if (!(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP);
	vma->vm_ops = &heap_buffer_vm_ops;

	if (!heap_buffer_fills_at_once(vma))
		return 0;

	for (addr = vma->vm_start; addr < vma->vm_end; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		ret = heap_buffer_fill(dmabuf->priv, vma, addr, next);
		if (ret)
			return ret;
	}

	return 0;
}
