// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fences of a buffer taken out as a sync_file and put in from one.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>

#include "mock-exporter.h"
#include "mock-fence.h"

static long sync_ioctl(struct mock_exporter *exp, unsigned int cmd,
		       unsigned long arg)
{
	struct file *file = exp->dmabuf->file;

	return file->f_op->unlocked_ioctl(file, cmd, arg);
}

KUNIT_DEFINE_ACTION_WRAPPER(sync_fput, fput, struct file *);

static unsigned long sync_mmap(struct kunit *test, struct file *file,
			       unsigned long prot)
{
	unsigned long addr = kunit_vm_mmap(test, file, 0, PAGE_SIZE, prot,
					   MAP_SHARED, 0);

	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	return addr;
}

/* User memory that begins with @data and that @prot allows to touch. */
static unsigned long sync_user(struct kunit *test, const void *data,
			       size_t len, unsigned long prot)
{
	struct file *file = shmem_file_setup("dma_buf_kunit", PAGE_SIZE, 0);
	void __user *fill;
	int ret;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	ret = kunit_add_action_or_reset(test, sync_fput, file);
	KUNIT_ASSERT_EQ(test, ret, 0);

	fill = (void __user *)sync_mmap(test, file, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, copy_to_user(fill, data, len), 0);
	return sync_mmap(test, file, prot);
}

/* The lowest descriptor that is free. */
static int sync_next_fd(void)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0)
		put_unused_fd(fd);
	return fd;
}

/* Returns the errno of the ioctl, or 0 with the fence in @fence. */
static long sync_export(struct kunit *test, struct mock_exporter *exp,
			u32 flags, struct dma_fence **fence)
{
	struct dma_buf_export_sync_file arg = { .flags = flags, .fd = -1 };
	unsigned long addr = sync_user(test, &arg, sizeof(arg),
				       PROT_READ | PROT_WRITE);
	unsigned long left;
	long ret;

	ret = sync_ioctl(exp, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, addr);
	left = copy_from_user(&arg, (void __user *)addr, sizeof(arg));
	KUNIT_EXPECT_EQ(test, left, 0);
	KUNIT_EXPECT_EQ(test, arg.flags, flags);
	if (ret) {
		KUNIT_EXPECT_EQ(test, arg.fd, -1);
		return ret;
	}

	KUNIT_ASSERT_GE(test, arg.fd, 0);
	KUNIT_EXPECT_TRUE(test, mock_fd_is_cloexec(arg.fd));
	*fence = sync_file_get_fence(arg.fd);
	close_fd(arg.fd);
	KUNIT_ASSERT_NOT_NULL(test, *fence);
	return 0;
}

static void export_idle_is_signalled(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(test, sync_export(test, exp, DMA_BUF_SYNC_RW, &fence),
			0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

static const struct sync_export_fence {
	const char *name;
	u32 flags;
	enum dma_resv_usage usage;
	bool pending;
} sync_export_fences[] = {
	{ "read_of_kernel", DMA_BUF_SYNC_READ, DMA_RESV_USAGE_KERNEL, true },
	{ "read_of_write", DMA_BUF_SYNC_READ, DMA_RESV_USAGE_WRITE, true },
	{ "read_of_read", DMA_BUF_SYNC_READ, DMA_RESV_USAGE_READ, false },
	{ "write_of_write", DMA_BUF_SYNC_WRITE, DMA_RESV_USAGE_WRITE, true },
	{ "write_of_read", DMA_BUF_SYNC_WRITE, DMA_RESV_USAGE_READ, true },
	{ "both_of_read", DMA_BUF_SYNC_RW, DMA_RESV_USAGE_READ, true },
	{ "both_of_bookkeep", DMA_BUF_SYNC_RW, DMA_RESV_USAGE_BOOKKEEP, false },
};

KUNIT_ARRAY_PARAM_DESC(sync_export_fence, sync_export_fences, name);

static void export_has_fences(struct kunit *test)
{
	const struct sync_export_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *own = mock_fence_add(test, exp->dmabuf->resv,
						param->usage);
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(test, sync_export(test, exp, param->flags, &fence), 0);
	KUNIT_EXPECT_EQ(test, !dma_fence_is_signaled(fence), param->pending);
	dma_fence_signal(&own->base);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

static const struct sync_bad_flags {
	const char *name;
	u32 flags;
} sync_bad_flags[] = {
	{ "none", 0 },
	{ "sync_end", DMA_BUF_SYNC_END },
	{ "unknown", BIT(31) },
	{ "unknown_with_read", BIT(31) | DMA_BUF_SYNC_READ },
};

KUNIT_ARRAY_PARAM_DESC(sync_bad_flags, sync_bad_flags, name);

static void export_refuses_flags(struct kunit *test)
{
	const struct sync_bad_flags *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int next = sync_next_fd();
	struct dma_fence *fence = NULL;

	KUNIT_EXPECT_EQ(test, sync_export(test, exp, param->flags, &fence),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, sync_next_fd(), next);
}

static void export_to_read_only_memory(struct kunit *test)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW };
	unsigned long addr = sync_user(test, &arg, sizeof(arg), PROT_READ);
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int next = sync_next_fd();

	KUNIT_EXPECT_EQ(test, sync_ioctl(exp, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
					 addr), -EFAULT);
	KUNIT_EXPECT_EQ(test, sync_next_fd(), next);
}

static const struct sync_ioctl_name {
	const char *name;
	unsigned int cmd;
} sync_ioctl_names[] = {
	{ "export", DMA_BUF_IOCTL_EXPORT_SYNC_FILE },
	{ "import", DMA_BUF_IOCTL_IMPORT_SYNC_FILE },
};

KUNIT_ARRAY_PARAM_DESC(sync_ioctl_name, sync_ioctl_names, name);

static void sync_file_from_bad_pointer(struct kunit *test)
{
	const struct sync_ioctl_name *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	unsigned long addr = sync_user(test, "", 1, PROT_READ);

	KUNIT_ASSERT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, sync_ioctl(exp, param->cmd, addr), -EFAULT);
}

static long sync_import(struct kunit *test, struct mock_exporter *exp,
			u32 flags, int fd)
{
	struct dma_buf_import_sync_file arg = { .flags = flags, .fd = fd };

	return sync_ioctl(exp, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
			  sync_user(test, &arg, sizeof(arg), PROT_READ));
}

static int sync_file_fd(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *sync = sync_file_create(fence);
	int fd;

	KUNIT_ASSERT_NOT_NULL(test, sync);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(sync->file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, sync->file);
	return fd;
}

/* @write: a reader has to wait for the fence as well as a writer */
static const struct sync_import_fence {
	const char *name;
	u32 flags;
	bool write;
} sync_import_fences[] = {
	{ "read", DMA_BUF_SYNC_READ, false },
	{ "write", DMA_BUF_SYNC_WRITE, true },
	{ "both", DMA_BUF_SYNC_RW, true },
};

KUNIT_ARRAY_PARAM_DESC(sync_import_fence, sync_import_fences, name);

static void import_adds_fence(struct kunit *test)
{
	const struct sync_import_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_create(test);
	struct dma_resv *resv = exp->dmabuf->resv;
	int fd = sync_file_fd(test, &fence->base);

	KUNIT_EXPECT_EQ(test, sync_import(test, exp, param->flags, fd), 0);
	close_fd(fd);
	KUNIT_EXPECT_FALSE(test,
			   dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test,
			!dma_resv_test_signaled(resv, DMA_RESV_USAGE_WRITE),
			param->write);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
}

static void import_refuses_flags(struct kunit *test)
{
	const struct sync_bad_flags *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_create(test);
	int fd = sync_file_fd(test, &fence->base);

	KUNIT_EXPECT_EQ(test, sync_import(test, exp, param->flags, fd),
			-EINVAL);
	close_fd(fd);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(exp->dmabuf->resv,
						       DMA_RESV_USAGE_READ));
}

static void import_of_closed_fd(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test, sync_import(test, exp, DMA_BUF_SYNC_READ, -1),
			-EINVAL);
}

static const struct file_operations sync_other_fops;

static void import_of_other_file(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int fd = anon_inode_getfd("dma_buf_kunit", &sync_other_fops, NULL,
				  O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, sync_import(test, exp, DMA_BUF_SYNC_READ, fd),
			-EINVAL);
	close_fd(fd);
}

static struct kunit_case sync_file_cases[] = {
	KUNIT_CASE(export_idle_is_signalled),
	KUNIT_CASE_PARAM(export_has_fences, sync_export_fence_gen_params),
	KUNIT_CASE_PARAM(export_refuses_flags, sync_bad_flags_gen_params),
	KUNIT_CASE(export_to_read_only_memory),
	KUNIT_CASE_PARAM(sync_file_from_bad_pointer,
			 sync_ioctl_name_gen_params),
	KUNIT_CASE_PARAM(import_adds_fence, sync_import_fence_gen_params),
	KUNIT_CASE_PARAM(import_refuses_flags, sync_bad_flags_gen_params),
	KUNIT_CASE(import_of_closed_fd),
	KUNIT_CASE(import_of_other_file),
	{}
};

static struct kunit_suite sync_file_suite = {
	.name = "dma_buf_sync_file",
	.test_cases = sync_file_cases,
};

kunit_test_suite(sync_file_suite);
