// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings for user space: the bounds, once through dma_buf_mmap() called by
 * an importer whose own file is mapped, once through mmap of the buffer's
 * file. Either happens in an address space made for the test.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "mock-exporter.h"

/**
 * struct mmap_importer - an importer's file that stands for a buffer
 * @file: the importer's file
 * @dmabuf: buffer to map in place of it
 * @pgoff: first page of @dmabuf to map
 * @ret: what dma_buf_mmap() returned
 * @vm_file: file of the mapping after that
 * @vm_pgoff: offset of the mapping after that
 */
struct mmap_importer {
	struct file *file;
	struct dma_buf *dmabuf;
	unsigned long pgoff;
	int ret;
	struct file *vm_file;
	unsigned long vm_pgoff;
};

static int mmap_importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mmap_importer *imp = file->private_data;

	imp->ret = dma_buf_mmap(imp->dmabuf, vma, imp->pgoff);
	imp->vm_file = vma->vm_file;
	imp->vm_pgoff = vma->vm_pgoff;
	return imp->ret;
}

static const struct file_operations mmap_importer_fops = {
	.mmap = mmap_importer_mmap,
};

KUNIT_DEFINE_ACTION_WRAPPER(mmap_fput, fput, struct file *);

/* Map @pages pages of an importer's file, which maps @dmabuf from @pgoff on. */
static struct mmap_importer *mmap_import(struct kunit *test,
					 struct dma_buf *dmabuf,
					 unsigned long pgoff,
					 unsigned long pages)
{
	struct mmap_importer *imp;
	unsigned long addr;
	int ret;

	imp = kunit_kzalloc(test, sizeof(*imp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, imp);
	imp->dmabuf = dmabuf;
	imp->pgoff = pgoff;
	imp->file = anon_inode_getfile("dma_buf_kunit", &mmap_importer_fops,
				       imp, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp->file);
	ret = kunit_add_action_or_reset(test, mmap_fput, imp->file);
	KUNIT_ASSERT_EQ(test, ret, 0);

	addr = kunit_vm_mmap(test, imp->file, 0, pages << PAGE_SHIFT,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (imp->ret)
		KUNIT_EXPECT_EQ(test, (long)addr, imp->ret);
	else
		KUNIT_EXPECT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	return imp;
}

static const struct mmap_range {
	const char *name;
	unsigned long pgoff;
	unsigned long pages;
	int error;
} mmap_ranges[] = {
	{ "whole", 0, MOCK_PAGES, 0 },
	{ "first_page", 0, 1, 0 },
	{ "last_page", MOCK_PAGES - 1, 1, 0 },
	{ "tail", 1, MOCK_PAGES - 1, 0 },
	{ "one_too_long", 0, MOCK_PAGES + 1, -EINVAL },
	{ "one_past_the_end", MOCK_PAGES, 1, -EINVAL },
	{ "tail_one_too_long", 1, MOCK_PAGES, -EINVAL },
	{ "far_past_the_end", ULONG_MAX / 2, 1, -EINVAL },
	{ "ends_at_the_last_number", ULONG_MAX - 1, 1, -EINVAL },
	{ "overflows", ULONG_MAX, 1, -EOVERFLOW },
	{ "overflows_into_the_buffer", ULONG_MAX - 1, 3, -EOVERFLOW },
};

KUNIT_ARRAY_PARAM_DESC(mmap_range, mmap_ranges, name);

static void mmap_checks_range(struct kunit *test)
{
	const struct mmap_range *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	struct mmap_importer *imp = mmap_import(test, exp->dmabuf,
						param->pgoff, param->pages);

	KUNIT_EXPECT_EQ(test, imp->ret, param->error);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MMAP], !param->error);
}

static void mmap_points_vma_at_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	struct mmap_importer *imp = mmap_import(test, exp->dmabuf, 2, 1);

	KUNIT_ASSERT_EQ(test, imp->ret, 0);
	KUNIT_EXPECT_PTR_EQ(test, imp->vm_file, exp->dmabuf->file);
	KUNIT_EXPECT_EQ(test, imp->vm_pgoff, 2);

	/* The mapping keeps the buffer, and no longer the importer's file. */
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 2);
	KUNIT_EXPECT_EQ(test, file_count(imp->file), 1);
}

static void mmap_refused_leaves_vma(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	struct mmap_importer *imp = mmap_import(test, exp->dmabuf, MOCK_PAGES,
						1);

	KUNIT_EXPECT_EQ(test, imp->ret, -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, imp->vm_file, imp->file);
	KUNIT_EXPECT_EQ(test, imp->vm_pgoff, 0);
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);
}

static void mmap_passes_errno(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	struct mmap_importer *imp;

	exp->error[OP_MMAP] = -EPERM;
	imp = mmap_import(test, exp->dmabuf, 0, 1);
	KUNIT_EXPECT_EQ(test, imp->ret, -EPERM);

	/* Whatever file the vma had by then is let go with it. */
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, file_count(imp->file), 1);
}

static void mmap_without_op(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mmap_importer *imp = mmap_import(test, exp->dmabuf, 0, 1);

	KUNIT_EXPECT_EQ(test, imp->ret, -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, imp->vm_file, imp->file);
}

static void mmap_of_null(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	struct mmap_importer *imp = mmap_import(test, NULL, 0, 1);

	KUNIT_EXPECT_EQ(test, imp->ret, -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, imp->vm_file, imp->file);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(exp->dmabuf, NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static const struct file_mmap {
	const char *name;
	unsigned long pgoff;
	unsigned long pages;
	long error;
} file_mmaps[] = {
	{ "whole", 0, MOCK_PAGES, 0 },
	{ "last_page", MOCK_PAGES - 1, 1, 0 },
	{ "one_too_long", 0, MOCK_PAGES + 1, -EINVAL },
	{ "one_past_the_end", MOCK_PAGES, 1, -EINVAL },
	{ "tail_one_too_long", 1, MOCK_PAGES, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(file_mmap, file_mmaps, name);

static void file_mmap_checks_range(struct kunit *test)
{
	const struct file_mmap *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_MMAP);
	unsigned long addr;

	addr = kunit_vm_mmap(test, exp->dmabuf->file, 0,
			     param->pages << PAGE_SHIFT,
			     PROT_READ | PROT_WRITE, MAP_SHARED,
			     param->pgoff << PAGE_SHIFT);
	if (param->error)
		KUNIT_EXPECT_EQ(test, (long)addr, param->error);
	else
		KUNIT_EXPECT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MMAP], !param->error);
}

static void file_mmap_without_op(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	unsigned long addr;

	addr = kunit_vm_mmap(test, exp->dmabuf->file, 0, PAGE_SIZE, PROT_READ,
			     MAP_SHARED, 0);
	KUNIT_EXPECT_EQ(test, (long)addr, -EINVAL);
}

static struct kunit_case mmap_cases[] = {
	KUNIT_CASE_PARAM(mmap_checks_range, mmap_range_gen_params),
	KUNIT_CASE(mmap_points_vma_at_buffer),
	KUNIT_CASE(mmap_refused_leaves_vma),
	KUNIT_CASE(mmap_passes_errno),
	KUNIT_CASE(mmap_without_op),
	KUNIT_CASE(mmap_of_null),
	KUNIT_CASE_PARAM(file_mmap_checks_range, file_mmap_gen_params),
	KUNIT_CASE(file_mmap_without_op),
	{}
};

static struct kunit_suite mmap_suite = {
	.name = "dma_buf_mmap",
	.test_cases = mmap_cases,
};

kunit_test_suite(mmap_suite);
