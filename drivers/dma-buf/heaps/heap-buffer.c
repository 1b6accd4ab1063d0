// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap buffer as a dma-buf exporter.
 *
 * The memory is an array of physically contiguous chunks, in the order in which
 * they make up the buffer, and does not change while the buffer lives. What
 * comes and goes are mappings: one for each time a device maps the buffer, with
 * a scatterlist cut to what that device takes.
 *
 * The locks are with struct heap_buffer, in heap-buffer-internal.h.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "heap-buffer.h"
#include "heap-buffer-internal.h"

/*
 * The buffer as one device sees it. Kept by its attachment while it is not
 * mapped, for the next time.
 */
struct heap_mapping {
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
	struct list_head node;
};

/*
 * What a device takes as one segment: at most @max pages, all of which have the
 * same number but for the bits of @boundary. These are of physical addresses,
 * as are those that a device without an IOMMU is given; an IOMMU's driver places
 * what it joins.
 */
struct heap_limits {
	unsigned long max;
	unsigned long boundary;
};

/* Chunks. */

/**
 * heap_buffer_add_chunk - one more piece of memory for the buffer in the making
 * @chunks: as &heap_pages.get got it
 * @page: first page, not mapped and not on any list
 * @nr_pages: pages that follow each other physically
 *
 * Context: any.
 */
void heap_buffer_add_chunk(struct list_head *chunks, struct page *page,
			   unsigned long nr_pages)
{
	set_page_private(page, nr_pages);
	list_add_tail(&page->lru, chunks);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_add_chunk, DMA_BUF_HEAP);

static struct page *heap_buffer_take_chunk(struct list_head *chunks,
					   unsigned long *nr_pages)
{
	struct page *page;

	page = list_first_entry_or_null(chunks, struct page, lru);
	if (!page)
		return NULL;

	list_del(&page->lru);
	*nr_pages = page_private(page);
	set_page_private(page, 0);
	return page;
}

static void heap_buffer_put_chunks(const struct heap_pages *pages,
				   struct list_head *chunks)
{
	unsigned long nr_pages;
	struct page *page;

	while ((page = heap_buffer_take_chunk(chunks, &nr_pages)))
		pages->put(pages, page, nr_pages);
}

static void heap_buffer_free(struct heap_buffer *buffer)
{
	unsigned int i;

	for (i = 0; i < buffer->nr_chunks; i++) {
		buffer->pages->put(buffer->pages, buffer->chunks[i].page,
				   buffer->chunks[i].nr_pages);
		cond_resched();
	}
	heap_uncharge(buffer->objcg, buffer->size);
	kvfree(buffer);
}

/*
 * Zeroed memory for an array. kvmalloc() would rather have it in one piece, and
 * wait for compaction to make room for that: beyond a page it is vmalloc()
 * straight away. Like the pages themselves it does not call the OOM killer.
 */
static void *heap_buffer_alloc_array(size_t size)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN |
			  __GFP_RETRY_MAYFAIL;

	return size > PAGE_SIZE ? __vmalloc(size, gfp) : kmalloc(size, gfp);
}

static struct heap_buffer *heap_buffer_create(const struct heap_pages *pages,
					      unsigned long len)
{
	struct heap_buffer *buffer;
	struct obj_cgroup *objcg;
	struct heap_chunk *chunk;
	unsigned long first = 0;
	LIST_HEAD(chunks);
	size_t nr_chunks;
	int ret;

	objcg = heap_charge(len);
	if (IS_ERR(objcg))
		return ERR_CAST(objcg);

	ret = pages->get(pages, len >> PAGE_SHIFT, &chunks);
	if (ret)
		goto err_put_chunks;

	nr_chunks = list_count_nodes(&chunks);
	buffer = heap_buffer_alloc_array(struct_size(buffer, chunks,
						     nr_chunks));
	if (!buffer) {
		ret = -ENOMEM;
		goto err_put_chunks;
	}

	buffer->pages = pages;
	buffer->objcg = objcg;
	buffer->size = len;
	buffer->nr_chunks = nr_chunks;
	mutex_init(&buffer->lock);
	mutex_init(&buffer->fault_lock);
	INIT_LIST_HEAD(&buffer->mappings);

	for (chunk = buffer->chunks; nr_chunks--; chunk++) {
		chunk->page = heap_buffer_take_chunk(&chunks, &chunk->nr_pages);
		chunk->pfn = page_to_pfn(chunk->page);
		chunk->first = first;
		first += chunk->nr_pages;
	}

	return buffer;

err_put_chunks:
	heap_buffer_put_chunks(pages, &chunks);
	heap_uncharge(objcg, len);
	return ERR_PTR(ret);
}

/*
 * Mappings for devices.
 *
 * Several devices may have the buffer mapped at once, so mapping and unmapping
 * do no cache maintenance of their own (DMA_ATTR_SKIP_CPU_SYNC): it follows and
 * precedes them explicitly.
 */

/*
 * What @dev takes as one segment, in pages. Bounce buffers, where it needs them,
 * are found for one segment at a time.
 */
static struct heap_limits heap_limits_of(struct device *dev)
{
	size_t max = min_t(size_t, dma_get_max_seg_size(dev),
			   dma_max_mapping_size(dev));

	/* A segment's length is an unsigned int. */
	max = min_t(size_t, max, UINT_MAX);
	return (struct heap_limits){
		.max = max(max >> PAGE_SHIFT, 1UL),
		.boundary = dma_get_seg_boundary(dev) >> PAGE_SHIFT,
	};
}

/*
 * Where the pages that follow those of chunk *@i, which begins at @pfn, end.
 * Moves *@i past them.
 */
static unsigned long heap_buffer_run_end(struct heap_buffer *buffer,
					 unsigned long pfn, unsigned int *i)
{
	do {
		pfn += buffer->chunks[*i].nr_pages;
	} while (++*i < buffer->nr_chunks &&
		 buffer->chunks[*i].pfn == pfn);

	return pfn;
}

/* Where the segment that begins at @pfn ends; at @end there is no more. */
static unsigned long heap_limits_end(const struct heap_limits *limits,
				     unsigned long pfn, unsigned long end)
{
	/* There may be no boundary, or none after it: the last page counts. */
	unsigned long last = min(end - 1, pfn | limits->boundary);

	return min(last + 1, pfn + limits->max);
}

/*
 * Cut the buffer into segments, with chunks that follow each other joined.
 * Without @sg they are only counted. Returns how many there are.
 */
static unsigned int heap_buffer_cut(struct heap_buffer *buffer,
				    const struct heap_limits *limits,
				    struct scatterlist *sg)
{
	unsigned int count = 0;
	unsigned int i = 0;

	while (i < buffer->nr_chunks) {
		unsigned long pfn = buffer->chunks[i].pfn;
		unsigned long end = heap_buffer_run_end(buffer, pfn, &i);

		while (pfn < end) {
			unsigned long next = heap_limits_end(limits, pfn, end);

			if (sg) {
				sg_set_page(sg, pfn_to_page(pfn),
					    (next - pfn) << PAGE_SHIFT, 0);
				sg = sg_next(sg);
			}
			pfn = next;
			count++;
		}
	}

	return count;
}

static struct heap_mapping *heap_mapping_create(struct heap_buffer *buffer,
						struct device *dev)
{
	const struct heap_limits limits = heap_limits_of(dev);
	struct heap_mapping *mapping;
	int ret;

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(&mapping->sgt,
			     heap_buffer_cut(buffer, &limits, NULL),
			     GFP_KERNEL);
	if (ret) {
		kfree(mapping);
		return ERR_PTR(ret);
	}

	heap_buffer_cut(buffer, &limits, mapping->sgt.sgl);
	mapping->dev = dev;
	return mapping;
}

static void heap_mapping_destroy(struct heap_mapping *mapping)
{
	if (!mapping)
		return;

	sg_free_table(&mapping->sgt);
	kfree(mapping);
}

static void heap_buffer_detach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attach)
{
	heap_mapping_destroy(attach->priv);
}

static struct sg_table *heap_buffer_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct heap_buffer *buffer = attach->dmabuf->priv;
	struct heap_mapping *mapping = attach->priv;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!mapping) {
		mapping = heap_mapping_create(buffer, attach->dev);
		if (IS_ERR(mapping))
			return ERR_CAST(mapping);
	}
	attach->priv = NULL;

	ret = dma_map_sgtable(attach->dev, &mapping->sgt, dir,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (ret) {
		heap_mapping_destroy(mapping);
		return ERR_PTR(ret);
	}
	mapping->dir = dir;
	dma_sync_sgtable_for_device(attach->dev, &mapping->sgt, dir);

	mutex_lock(&buffer->lock);
	list_add(&mapping->node, &buffer->mappings);
	mutex_unlock(&buffer->lock);

	return &mapping->sgt;
}

static void heap_buffer_unmap(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	struct heap_buffer *buffer = attach->dmabuf->priv;
	struct heap_mapping *mapping;

	dma_resv_assert_held(attach->dmabuf->resv);

	mapping = container_of(sgt, struct heap_mapping, sgt);

	mutex_lock(&buffer->lock);
	list_del(&mapping->node);
	mutex_unlock(&buffer->lock);

	dma_sync_sgtable_for_cpu(attach->dev, sgt, mapping->dir);
	dma_unmap_sgtable(attach->dev, sgt, mapping->dir,
			  DMA_ATTR_SKIP_CPU_SYNC);

	/* An attachment that was mapped twice has kept one already. */
	if (attach->priv)
		heap_mapping_destroy(mapping);
	else
		attach->priv = mapping;
}

/*
 * CPU access. Only mappings that exist are maintained, each with the direction
 * it was made with; devices that are coherent cost nothing.
 */

static int heap_buffer_begin_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction dir)
{
	struct heap_buffer *buffer = dmabuf->priv;
	struct heap_mapping *mapping;

	mutex_lock(&buffer->lock);
	if (buffer->vaddr)
		invalidate_kernel_vmap_range(buffer->vaddr, buffer->size);
	list_for_each_entry(mapping, &buffer->mappings, node)
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt,
					 mapping->dir);
	mutex_unlock(&buffer->lock);

	return 0;
}

/*
 * Memory that was only read goes back as if it were mapped for the device to
 * write: the CPU drops what it has read, and nothing is copied into a bounce
 * buffer over what the device has written since.
 */
static void heap_mapping_hand_back(struct heap_mapping *mapping, bool written)
{
	if (written)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
					    mapping->dir);
	else if (mapping->dir != DMA_TO_DEVICE)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
					    DMA_FROM_DEVICE);
}

static int heap_buffer_end_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction dir)
{
	struct heap_buffer *buffer = dmabuf->priv;
	struct heap_mapping *mapping;

	mutex_lock(&buffer->lock);
	if (buffer->vaddr)
		flush_kernel_vmap_range(buffer->vaddr, buffer->size);
	list_for_each_entry(mapping, &buffer->mappings, node)
		heap_mapping_hand_back(mapping, dir != DMA_FROM_DEVICE);
	mutex_unlock(&buffer->lock);

	return 0;
}

/* Mappings for the CPU; those into processes are in heap-buffer-mmap.c. */

static void *heap_buffer_map_kernel(struct heap_buffer *buffer)
{
	unsigned long nr_pages = buffer->size >> PAGE_SHIFT;
	struct page **pages, **page;
	unsigned long j;
	unsigned int i;
	void *vaddr;

	pages = heap_buffer_alloc_array(array_size(nr_pages, sizeof(*pages)));
	if (!pages)
		return NULL;

	page = pages;
	for (i = 0; i < buffer->nr_chunks; i++)
		for (j = 0; j < buffer->chunks[i].nr_pages; j++)
			*page++ = nth_page(buffer->chunks[i].page, j);

	vaddr = vmap(pages, nr_pages, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	return vaddr;
}

static int heap_buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;
	void *vaddr;

	dma_resv_assert_held(dmabuf->resv);

	vaddr = heap_buffer_map_kernel(buffer);
	if (!vaddr)
		return -ENOMEM;

	mutex_lock(&buffer->lock);
	buffer->vaddr = vaddr;
	mutex_unlock(&buffer->lock);

	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void heap_buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;

	dma_resv_assert_held(dmabuf->resv);

	mutex_lock(&buffer->lock);
	buffer->vaddr = NULL;
	mutex_unlock(&buffer->lock);

	vunmap(map->vaddr);
}

static void heap_buffer_release(struct dma_buf *dmabuf)
{
	heap_buffer_free(dmabuf->priv);
}

static const struct dma_buf_ops heap_buffer_ops = {
	.detach = heap_buffer_detach,
	.map_dma_buf = heap_buffer_map,
	.unmap_dma_buf = heap_buffer_unmap,
	.begin_cpu_access = heap_buffer_begin_cpu_access,
	.end_cpu_access = heap_buffer_end_cpu_access,
	.mmap = heap_buffer_mmap,
	.vmap = heap_buffer_vmap,
	.vunmap = heap_buffer_vunmap,
	.release = heap_buffer_release,
};

/**
 * heap_buffer_allocate - &dma_heap_ops.allocate for a heap made of pages
 * @heap: the heap; its private data is a &struct heap_pages
 * @len: bytes, a multiple of PAGE_SIZE
 * @fd_flags: access mode of the buffer's file
 * @heap_flags: none are defined
 *
 * Context: process context, may sleep.
 *
 * Return: the buffer, or ERR_PTR() of
 *
 * * -ENOMEM: not that much memory, or not for the caller's control group
 * * -EINTR: the caller is being killed
 * * what dma_buf_export() returns
 */
struct dma_buf *heap_buffer_allocate(struct dma_heap *heap, unsigned long len,
				     u32 fd_flags, u64 heap_flags)
{
	const struct heap_pages *pages = dma_heap_get_drvdata(heap);
	struct dma_buf_export_info info = {
		.exp_name = dma_heap_get_name(heap),
		.owner = pages->owner,
		.ops = &heap_buffer_ops,
		.size = len,
		.flags = fd_flags,
	};
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;

	buffer = heap_buffer_create(pages, len);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		heap_buffer_free(buffer);

	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_allocate, DMA_BUF_HEAP);
