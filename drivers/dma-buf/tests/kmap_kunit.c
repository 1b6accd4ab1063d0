// SPDX-License-Identifier: GPL-2.0-only
/*
 * One page mapped for the kernel: dma_buf_kmap() and dma_buf_kmap_atomic() for
 * exporters with the operation, with vmap in its stead, and with nothing.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/workqueue.h>

#include "mock-exporter.h"

#define KMAP_PAGE	2

/* Called where sleeping is a bug, which DEBUG_ATOMIC_SLEEP reports. */
static void *atomic_kmap(struct dma_buf *dmabuf, unsigned long page)
{
	void *vaddr;

	preempt_disable();
	vaddr = dma_buf_kmap_atomic(dmabuf, page);
	preempt_enable();
	return vaddr;
}

static void atomic_kunmap(struct dma_buf *dmabuf, unsigned long page,
			  void *vaddr)
{
	preempt_disable();
	dma_buf_kunmap_atomic(dmabuf, page, vaddr);
	preempt_enable();
}

static const struct kmap_form {
	const char *name;
	unsigned int flag;
	enum mock_op map_op;
	enum mock_op unmap_op;
	void *(*map_page)(struct dma_buf *dmabuf, unsigned long page);
	void (*unmap_page)(struct dma_buf *dmabuf, unsigned long page,
			   void *vaddr);
} kmap_forms[] = {
	{ "sleeping", MOCK_KMAP, OP_KMAP, OP_KUNMAP,
	  dma_buf_kmap, dma_buf_kunmap },
	{ "atomic", MOCK_KMAP_ATOMIC, OP_KMAP_ATOMIC, OP_KUNMAP_ATOMIC,
	  atomic_kmap, atomic_kunmap },
};

KUNIT_ARRAY_PARAM_DESC(kmap_form, kmap_forms, name);

static void kmap_through_op(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, form->flag |
							 MOCK_VMAP);
	void *vaddr;

	vaddr = form->map_page(exp->dmabuf, KMAP_PAGE);
	KUNIT_EXPECT_PTR_EQ(test, vaddr, page_address(exp->pages[KMAP_PAGE]));
	KUNIT_EXPECT_EQ(test, exp->calls[form->map_op], 1);
	KUNIT_EXPECT_EQ(test, exp->page, KMAP_PAGE);

	exp->page = 0;
	form->unmap_page(exp->dmabuf, KMAP_PAGE, vaddr);
	KUNIT_EXPECT_EQ(test, exp->calls[form->unmap_op], 1);
	KUNIT_EXPECT_EQ(test, exp->page, KMAP_PAGE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 0);
}

static void kmap_op_fails(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, form->flag);

	exp->error[form->map_op] = -ENOMEM;
	KUNIT_EXPECT_NULL(test, form->map_page(exp->dmabuf, 0));
	KUNIT_EXPECT_EQ(test, exp->calls[form->map_op], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[form->unmap_op], 0);
}

static void kmap_with_nothing(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_NULL(test, form->map_page(exp->dmabuf, 0));
}

static void kmap_of_null(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;

	KUNIT_EXPECT_NULL(test, form->map_page(NULL, 0));
}

static void kmap_last_page(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, form->flag);
	void *vaddr;

	vaddr = form->map_page(exp->dmabuf, MOCK_PAGES - 1);
	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	form->unmap_page(exp->dmabuf, MOCK_PAGES - 1, vaddr);
}

static const unsigned long kmap_pages_out[] = {
	MOCK_PAGES,
	MOCK_PAGES + 1,
	ULONG_MAX >> PAGE_SHIFT,
	1UL << (BITS_PER_LONG - PAGE_SHIFT),
	ULONG_MAX,
};

static void kmap_out_of_range(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, form->flag);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kmap_pages_out); i++)
		KUNIT_EXPECT_NULL(test, form->map_page(exp->dmabuf,
						       kmap_pages_out[i]));
	KUNIT_EXPECT_EQ(test, exp->calls[form->map_op], 0);
}

/* The same bounds hold where a vmap stands in, and none is left behind. */
static void kmap_out_of_range_of_vmap(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	for (i = 0; i < ARRAY_SIZE(kmap_pages_out); i++)
		KUNIT_EXPECT_NULL(test, form->map_page(exp->dmabuf,
						       kmap_pages_out[i]));
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void kmap_through_vmap(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	void *vaddr;

	vaddr = dma_buf_kmap(exp->dmabuf, KMAP_PAGE);
	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	KUNIT_EXPECT_PTR_EQ(test, vaddr, exp->vaddr + KMAP_PAGE * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));

	dma_buf_kunmap(exp->dmabuf, KMAP_PAGE, vaddr);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void kmap_reaches_the_page(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	void *vaddr;

	vaddr = dma_buf_kmap(exp->dmabuf, KMAP_PAGE);
	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	memset(vaddr, 0x3c, PAGE_SIZE);
	dma_buf_kunmap(exp->dmabuf, KMAP_PAGE, vaddr);

	KUNIT_EXPECT_NULL(test,
			  memchr_inv(page_address(exp->pages[KMAP_PAGE]), 0x3c,
				     PAGE_SIZE));
	KUNIT_EXPECT_NULL(test,
			  memchr_inv(page_address(exp->pages[KMAP_PAGE - 1]), 0,
				     PAGE_SIZE));
	KUNIT_EXPECT_NULL(test,
			  memchr_inv(page_address(exp->pages[KMAP_PAGE + 1]), 0,
				     PAGE_SIZE));
}

static void kmap_through_vmap_is_counted(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	void *a, *b;

	a = dma_buf_kmap(exp->dmabuf, 0);
	b = dma_buf_kmap(exp->dmabuf, 1);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_PTR_EQ(test, b, a + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);

	dma_buf_kunmap(exp->dmabuf, 0, a);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);
	dma_buf_kunmap(exp->dmabuf, 1, b);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void kmap_shares_the_vmap(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;
	void *vaddr;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	vaddr = dma_buf_kmap(exp->dmabuf, 1);
	KUNIT_EXPECT_PTR_EQ(test, vaddr, map.vaddr + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);

	/* The page stays mapped when the whole buffer's user goes. */
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);
	dma_buf_kunmap(exp->dmabuf, 1, vaddr);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void kmap_through_vmap_fails(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);

	exp->error[OP_VMAP] = -ENOMEM;
	KUNIT_EXPECT_NULL(test, dma_buf_kmap(exp->dmabuf, 0));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);
}

static void kmap_atomic_without_vmapping(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);

	KUNIT_EXPECT_NULL(test, atomic_kmap(exp->dmabuf, 0));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 0);
}

/* One form's operation does not serve the other. */
static void kmap_atomic_with_kmap_only(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_KMAP);

	KUNIT_EXPECT_NULL(test, atomic_kmap(exp->dmabuf, 0));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_KMAP], 0);
}

static void kmap_atomic_while_vmapped(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;
	void *vaddr;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	vaddr = atomic_kmap(exp->dmabuf, KMAP_PAGE);
	KUNIT_EXPECT_PTR_EQ(test, vaddr, map.vaddr + KMAP_PAGE * PAGE_SIZE);
	if (vaddr)
		atomic_kunmap(exp->dmabuf, KMAP_PAGE, vaddr);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);

	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void kmap_of_iomem(struct kunit *test)
{
	const struct kmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;

	exp->iomem = true;
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	KUNIT_EXPECT_NULL(test, form->map_page(exp->dmabuf, 0));
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

/**
 * struct kmap_vunmap - the last user of a vmap that goes
 * @work: gives up the vmap
 * @dmabuf: the buffer
 * @map: its vmap
 */
struct kmap_vunmap {
	struct work_struct work;
	struct dma_buf *dmabuf;
	struct iosys_map map;
};

static void kmap_vunmap_work(struct work_struct *work)
{
	struct kmap_vunmap *last = container_of(work, struct kmap_vunmap,
						work);

	dma_buf_vunmap_unlocked(last->dmabuf, &last->map);
}

/* A page mapped atomically outlives the last vmap of the buffer. */
static void kmap_atomic_holds_the_vmap(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct kmap_vunmap last = { .dmabuf = exp->dmabuf };
	void *vaddr;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &last.map),
			0);
	vaddr = atomic_kmap(exp->dmabuf, 0);
	KUNIT_EXPECT_NOT_NULL(test, vaddr);

	INIT_WORK_ONSTACK(&last.work, kmap_vunmap_work);
	schedule_work(&last.work);
	msleep(20);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);

	atomic_kunmap(exp->dmabuf, 0, vaddr);
	flush_work(&last.work);
	destroy_work_on_stack(&last.work);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static struct kunit_case kmap_cases[] = {
	KUNIT_CASE_PARAM(kmap_through_op, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_op_fails, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_with_nothing, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_of_null, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_last_page, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_out_of_range, kmap_form_gen_params),
	KUNIT_CASE_PARAM(kmap_out_of_range_of_vmap, kmap_form_gen_params),
	KUNIT_CASE(kmap_through_vmap),
	KUNIT_CASE(kmap_reaches_the_page),
	KUNIT_CASE(kmap_through_vmap_is_counted),
	KUNIT_CASE(kmap_shares_the_vmap),
	KUNIT_CASE(kmap_through_vmap_fails),
	KUNIT_CASE(kmap_atomic_without_vmapping),
	KUNIT_CASE(kmap_atomic_with_kmap_only),
	KUNIT_CASE(kmap_atomic_while_vmapped),
	KUNIT_CASE(kmap_atomic_holds_the_vmap),
	KUNIT_CASE_PARAM(kmap_of_iomem, kmap_form_gen_params),
	{}
};

static struct kunit_suite kmap_suite = {
	.name = "dma_buf_kmap",
	.test_cases = kmap_cases,
};

kunit_test_suite(kmap_suite);
