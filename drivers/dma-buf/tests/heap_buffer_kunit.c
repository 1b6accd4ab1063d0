// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf that every heap exports, over a heap whose pages are known:
 * where they come from and go back to, the tables devices get, what the CPU
 * and the devices see of each other's data, mappings.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "mock-heap.h"
#include "mock-importer.h"

#define HEAP_CPU_BYTE		0xc1
#define HEAP_DEVICE_BYTE	0xd2

static int heap_buffer_suite_init(struct kunit_suite *suite)
{
	return mock_heap_add();
}

static int heap_buffer_init(struct kunit *test)
{
	mock_heap_reset(test);
	return 0;
}

static void buffer_is_of_the_heap(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);

	KUNIT_EXPECT_EQ(test, dmabuf->size, MOCK_HEAP_SIZE);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name,
			   dma_heap_get_name(mock_heap.heap));
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & O_ACCMODE, O_RDWR);
	KUNIT_EXPECT_FALSE(test, dma_buf_is_dynamic(dmabuf));
}

static const struct heap_layout {
	const char *name;
	unsigned long chunk_pages;
	bool reverse;
} heap_layouts[] = {
	{ "one_chunk", MOCK_HEAP_PAGES, false },
	{ "four_chunks", MOCK_HEAP_PAGES / 4, false },
	{ "four_chunks_reversed", MOCK_HEAP_PAGES / 4, true },
	{ "single_pages", 1, false },
	{ "single_pages_reversed", 1, true },
};

KUNIT_ARRAY_PARAM_DESC(heap_layout, heap_layouts, name);

static void use_layout(const struct heap_layout *layout)
{
	mock_heap.chunk_pages = layout->chunk_pages;
	mock_heap.reverse = layout->reverse;
}

/* The page that holds page @i of the buffer of the last allocation. */
static struct page *nth_page_of(unsigned int i)
{
	unsigned long step = mock_heap.chunk_pages;

	return mock_heap.chunk[i / step].page + i % step;
}

static void pages_come_back_as_they_went(struct kunit *test)
{
	struct dma_buf *dmabuf;

	use_layout(test->param_value);
	dmabuf = mock_heap_alloc(test);
	KUNIT_EXPECT_EQ(test, mock_heap.out,
			MOCK_HEAP_PAGES / mock_heap.chunk_pages);
	mock_heap_put(test, dmabuf);
	KUNIT_EXPECT_EQ(test, mock_heap.out, 0);
}

static const struct heap_failure {
	const char *name;
	unsigned int after;
	int error;
} heap_failures[] = {
	{ "enomem_at_once", 0, -ENOMEM },
	{ "enomem_half_way", 3, -ENOMEM },
	{ "enomem_at_the_end", MOCK_HEAP_PAGES, -ENOMEM },
	{ "killed_half_way", 3, -EINTR },
};

KUNIT_ARRAY_PARAM_DESC(heap_failure, heap_failures, name);

static void pages_fail_to_come(struct kunit *test)
{
	const struct heap_failure *param = test->param_value;

	mock_heap.chunk_pages = 1;
	mock_heap.fail_after = param->after;
	mock_heap.error = param->error;
	KUNIT_EXPECT_PTR_EQ(test,
			    heap_buffer_allocate(mock_heap.heap,
						 MOCK_HEAP_SIZE, O_RDWR, 0),
			    ERR_PTR(param->error));
	KUNIT_EXPECT_EQ(test, mock_heap.out, 0);
	KUNIT_EXPECT_EQ(test, mock_heap.mistakes, 0);
}

/* The kernel's whole mapping shows the chunks in the order they came. */
static void vmap_is_in_order(struct kunit *test)
{
	struct dma_buf *dmabuf;
	struct iosys_map map;
	unsigned int i;

	use_layout(test->param_value);
	dmabuf = mock_heap_alloc(test);
	for (i = 0; i < MOCK_HEAP_PAGES; i++)
		memset(page_address(nth_page_of(i)), i + 1, PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	for (i = 0; i < MOCK_HEAP_PAGES; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr + i * PAGE_SIZE,
						   i + 1, PAGE_SIZE));
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

static void kmap_reaches_page(struct kunit *test)
{
	struct dma_buf *dmabuf;
	unsigned int i;
	void *vaddr;

	use_layout(test->param_value);
	dmabuf = mock_heap_alloc(test);
	for (i = 0; i < MOCK_HEAP_PAGES; i++) {
		vaddr = dma_buf_kmap(dmabuf, i);
		KUNIT_ASSERT_NOT_NULL(test, vaddr);
		memset(vaddr, i + 1, PAGE_SIZE);
		dma_buf_kunmap(dmabuf, i, vaddr);
		KUNIT_EXPECT_NULL(test,
				  memchr_inv(page_address(nth_page_of(i)),
					     i + 1, PAGE_SIZE));
	}
}

/* What a device that goes by the table finds at byte @offset, or NULL. */
static u8 *device_view(struct device *dev, struct sg_table *sgt, size_t offset)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (offset < sg_dma_len(sg))
			return phys_to_virt(dma_to_phys(dev,
							sg_dma_address(sg))) +
			       offset;
		offset -= sg_dma_len(sg);
	}
	return NULL;
}

static void table_is_in_order(struct kunit *test)
{
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	struct sg_table *sgt;
	unsigned int i;
	u8 *view;

	use_layout(test->param_value);
	dmabuf = mock_heap_alloc(test);
	for (i = 0; i < MOCK_HEAP_PAGES; i++)
		memset(page_address(nth_page_of(i)), i + 1, PAGE_SIZE);

	imp = mock_importer_attached(test, "imp", dmabuf, false);
	sgt = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	for (i = 0; i < MOCK_HEAP_PAGES; i++) {
		view = device_view(imp->dev, sgt, i * PAGE_SIZE);
		KUNIT_ASSERT_NOT_NULL(test, view);
		KUNIT_EXPECT_EQ(test, *view, i + 1);
	}
	KUNIT_EXPECT_NULL(test, device_view(imp->dev, sgt, MOCK_HEAP_SIZE));
	mock_importer_unmap(imp, sgt, DMA_TO_DEVICE);
}

/* One attachment mapped twice at a time, and once more after that. */
static void table_twice(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);
	struct mock_importer *imp = mock_importer_attached(test, "imp", dmabuf,
							   false);
	struct sg_table *a, *b;

	a = mock_importer_map(imp, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	b = mock_importer_map(imp, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf,
						       DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf,
						     DMA_BIDIRECTIONAL), 0);
	mock_importer_unmap(imp, a, DMA_TO_DEVICE);
	KUNIT_EXPECT_NOT_NULL(test, device_view(imp->dev, b, 0));
	mock_importer_unmap(imp, b, DMA_FROM_DEVICE);

	a = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	mock_importer_unmap(imp, a, DMA_BIDIRECTIONAL);
}

/*
 * @segments: of how many entries the table is, none longer than @limit, nor
 * with bytes on both sides of a multiple of @boundary + 1, if there is one. The
 * memory begins at a multiple of MOCK_HEAP_SIZE.
 */
static const struct heap_segment {
	const char *name;
	unsigned int limit;
	unsigned long boundary;
	struct heap_layout layout;
	unsigned int segments;
} heap_segments[] = {
	{ "one_page", PAGE_SIZE, 0, { .chunk_pages = MOCK_HEAP_PAGES },
	  MOCK_HEAP_PAGES },
	{ "three_pages", 3 * PAGE_SIZE, 0, { .chunk_pages = MOCK_HEAP_PAGES },
	  DIV_ROUND_UP(MOCK_HEAP_PAGES, 3) },
	{ "half", MOCK_HEAP_SIZE / 2, 0, { .chunk_pages = MOCK_HEAP_PAGES },
	  2 },
	{ "all", MOCK_HEAP_SIZE, 0, { .chunk_pages = MOCK_HEAP_PAGES }, 1 },
	{ "not_whole_pages", 2 * PAGE_SIZE + 512, 0,
	  { .chunk_pages = MOCK_HEAP_PAGES }, MOCK_HEAP_PAGES / 2 },
	{ "unlimited", UINT_MAX, 0, { .chunk_pages = MOCK_HEAP_PAGES }, 1 },
	{ "unlimited_merges", UINT_MAX, 0, { .chunk_pages = 1 }, 1 },
	{ "three_pages_merges", 3 * PAGE_SIZE, 0, { .chunk_pages = 1 },
	  DIV_ROUND_UP(MOCK_HEAP_PAGES, 3) },
	{ "unlimited_not_adjacent", UINT_MAX, 0,
	  { .chunk_pages = 1, .reverse = true }, MOCK_HEAP_PAGES },
	{ "two_pages_not_adjacent", 2 * PAGE_SIZE, 0,
	  { .chunk_pages = 4, .reverse = true }, MOCK_HEAP_PAGES / 2 },
	{ "boundary", UINT_MAX, 4 * PAGE_SIZE - 1,
	  { .chunk_pages = MOCK_HEAP_PAGES }, MOCK_HEAP_PAGES / 4 },
	{ "boundary_merges", UINT_MAX, 8 * PAGE_SIZE - 1,
	  { .chunk_pages = 1 }, MOCK_HEAP_PAGES / 8 },
	{ "boundary_not_adjacent", UINT_MAX, 8 * PAGE_SIZE - 1,
	  { .chunk_pages = 4, .reverse = true }, MOCK_HEAP_PAGES / 4 },
	/* Three pages and one of four, again and again */
	{ "boundary_and_limit", 3 * PAGE_SIZE, 4 * PAGE_SIZE - 1,
	  { .chunk_pages = MOCK_HEAP_PAGES }, MOCK_HEAP_PAGES / 2 },
	{ "boundary_of_a_page", UINT_MAX, PAGE_SIZE - 1,
	  { .chunk_pages = MOCK_HEAP_PAGES }, MOCK_HEAP_PAGES },
	{ "boundary_far_away", UINT_MAX, U32_MAX,
	  { .chunk_pages = MOCK_HEAP_PAGES }, 1 },
};

KUNIT_ARRAY_PARAM_DESC(heap_segment, heap_segments, name);

/* R18: no segment that the device does not take, none shorter than need be. */
static void table_fits_device(struct kunit *test)
{
	const struct heap_segment *param = test->param_value;
	const unsigned long boundary = param->boundary ?: ULONG_MAX;
	struct mock_importer *imp = mock_importer_create(test, "imp");
	struct dma_buf *dmabuf;
	struct scatterlist *sg;
	struct sg_table *sgt;
	size_t total = 0;
	unsigned int i;

	use_layout(&param->layout);
	dmabuf = mock_heap_alloc(test);
	dma_set_max_seg_size(imp->dev, param->limit);
	dma_set_seg_boundary(imp->dev, param->boundary);
	KUNIT_ASSERT_EQ(test, mock_importer_attach(test, imp, dmabuf, false),
			0);
	sgt = mock_importer_map(imp, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	KUNIT_EXPECT_EQ(test, sgt->nents, param->segments);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_LE(test, sg_dma_len(sg), param->limit);
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg) | boundary,
				(sg_dma_address(sg) + sg_dma_len(sg) - 1) |
				boundary);
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg_dma_len(sg)));
		total += sg_dma_len(sg);
	}
	KUNIT_EXPECT_EQ(test, total, MOCK_HEAP_SIZE);
	mock_importer_unmap(imp, sgt, DMA_BIDIRECTIONAL);
}

/* R17: two devices have the buffer mapped, and both see what the CPU wrote. */
static void devices_see_cpu_writes(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);
	struct mock_importer *a = mock_importer_attached(test, "a", dmabuf,
							 false);
	struct mock_importer *b = mock_importer_attached(test, "b", dmabuf,
							 false);
	struct sg_table *sgt_a, *sgt_b;
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	sgt_a = mock_importer_map(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_a);
	sgt_b = mock_importer_map(b, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_b);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE),
			0);
	iosys_map_memset(&map, 0, HEAP_CPU_BYTE, MOCK_HEAP_SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE),
			0);

	KUNIT_EXPECT_EQ(test, *device_view(a->dev, sgt_a, 0), HEAP_CPU_BYTE);
	KUNIT_EXPECT_EQ(test, *device_view(a->dev, sgt_a, MOCK_HEAP_SIZE - 1),
			HEAP_CPU_BYTE);
	KUNIT_EXPECT_EQ(test, *device_view(b->dev, sgt_b, 0), HEAP_CPU_BYTE);
	KUNIT_EXPECT_EQ(test, *device_view(b->dev, sgt_b, MOCK_HEAP_SIZE - 1),
			HEAP_CPU_BYTE);

	mock_importer_unmap(b, sgt_b, DMA_BIDIRECTIONAL);
	mock_importer_unmap(a, sgt_a, DMA_TO_DEVICE);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* A device writes; another that only reads from memory is mapped beside it. */
static void cpu_sees_device_writes(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);
	struct mock_importer *a = mock_importer_attached(test, "a", dmabuf,
							 false);
	struct mock_importer *b = mock_importer_attached(test, "b", dmabuf,
							 false);
	struct sg_table *sgt_a, *sgt_b;
	struct iosys_map map;
	u8 *view;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	sgt_a = mock_importer_map(a, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_a);
	sgt_b = mock_importer_map(b, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt_b);

	view = device_view(a->dev, sgt_a, MOCK_HEAP_SIZE - 1);
	KUNIT_ASSERT_NOT_NULL(test, view);
	*view = HEAP_DEVICE_BYTE;
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, ((u8 *)map.vaddr)[MOCK_HEAP_SIZE - 1],
			HEAP_DEVICE_BYTE);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE),
			0);

	mock_importer_unmap(b, sgt_b, DMA_TO_DEVICE);
	mock_importer_unmap(a, sgt_a, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, ((u8 *)map.vaddr)[MOCK_HEAP_SIZE - 1],
			HEAP_DEVICE_BYTE);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* Attachments that are not mapped, or no longer, are none to synchronise. */
static void cpu_access_without_mappings(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);
	struct mock_importer *a, *b;
	struct sg_table *sgt;

	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL),
			0);
	a = mock_importer_attached(test, "a", dmabuf, false);
	b = mock_importer_attached(test, "b", dmabuf, false);
	sgt = mock_importer_map(b, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	mock_importer_unmap(b, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf,
						     DMA_BIDIRECTIONAL), 0);
	mock_importer_detach(test, a);
	KUNIT_EXPECT_EQ(test,
			dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf,
						     DMA_FROM_DEVICE), 0);
}

static unsigned long heap_mmap(struct kunit *test, struct dma_buf *dmabuf,
			       unsigned long pgoff, unsigned long pages,
			       unsigned long flags)
{
	return kunit_vm_mmap(test, dmabuf->file, 0, pages << PAGE_SHIFT,
			     PROT_READ | PROT_WRITE, flags,
			     pgoff << PAGE_SHIFT);
}

static void mmap_private(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_heap_alloc(test);

	KUNIT_EXPECT_EQ(test, (long)heap_mmap(test, dmabuf, 0, 1, MAP_PRIVATE),
			-EINVAL);
}

/* R24: how the mapping is marked; it holds no references to the pages. */
static void mmap_flags(struct kunit *test)
{
	const vm_flags_t want = VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	struct dma_buf *dmabuf = mock_heap_alloc(test);
	struct vm_area_struct *vma;
	vm_flags_t flags = 0;
	unsigned long addr;

	addr = heap_mmap(test, dmabuf, 0, 1, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_ASSERT_EQ(test, put_user(1, (u8 __user *)addr), 0);

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (vma)
		flags = vma->vm_flags;
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, flags & want, want);
	KUNIT_EXPECT_EQ(test, page_count(mock_heap.block), 1);
}

static const struct heap_mapping_range {
	const char *name;
	unsigned long pgoff;
	unsigned long pages;
} heap_mapping_ranges[] = {
	{ "whole", 0, MOCK_HEAP_PAGES },
	{ "first_page", 0, 1 },
	{ "across_chunks", 2, 5 },
	{ "last_page", MOCK_HEAP_PAGES - 1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(heap_mapping_range, heap_mapping_ranges, name);

static void mmap_shows_pages(struct kunit *test)
{
	const struct heap_mapping_range *param = test->param_value;
	struct dma_buf *dmabuf;
	unsigned long addr;
	unsigned int i;
	u8 byte;

	mock_heap.chunk_pages = 4;
	mock_heap.reverse = true;
	dmabuf = mock_heap_alloc(test);
	for (i = 0; i < MOCK_HEAP_PAGES; i++)
		memset(page_address(nth_page_of(i)), i + 1, PAGE_SIZE);

	addr = heap_mmap(test, dmabuf, param->pgoff, param->pages, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	for (i = 0; i < param->pages; i++) {
		KUNIT_ASSERT_EQ(test, get_user(byte, (u8 __user *)(addr +
				i * PAGE_SIZE)), 0);
		KUNIT_EXPECT_EQ(test, byte, param->pgoff + i + 1);
	}
}

static struct kunit_case heap_buffer_cases[] = {
	KUNIT_CASE(buffer_is_of_the_heap),
	KUNIT_CASE_PARAM(pages_come_back_as_they_went, heap_layout_gen_params),
	KUNIT_CASE_PARAM(pages_fail_to_come, heap_failure_gen_params),
	KUNIT_CASE_PARAM(vmap_is_in_order, heap_layout_gen_params),
	KUNIT_CASE_PARAM(kmap_reaches_page, heap_layout_gen_params),
	KUNIT_CASE_PARAM(table_is_in_order, heap_layout_gen_params),
	KUNIT_CASE(table_twice),
	KUNIT_CASE_PARAM(table_fits_device, heap_segment_gen_params),
	KUNIT_CASE(devices_see_cpu_writes),
	KUNIT_CASE(cpu_sees_device_writes),
	KUNIT_CASE(cpu_access_without_mappings),
	KUNIT_CASE(mmap_private),
	KUNIT_CASE(mmap_flags),
	KUNIT_CASE_PARAM(mmap_shows_pages, heap_mapping_range_gen_params),
	{}
};

static struct kunit_suite heap_buffer_suite = {
	.name = "dma_heap_buffer",
	.suite_init = heap_buffer_suite_init,
	.init = heap_buffer_init,
	.test_cases = heap_buffer_cases,
};

kunit_test_suite(heap_buffer_suite);
