// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer's file as far as it needs no second process: SYNC, SET_NAME,
 * unknown ioctls, llseek, poll, fdinfo. What user space sees of it is tested
 * again from there, in tools/testing/selftests/dmabuf-heaps.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <uapi/linux/dma-buf.h>

#include "mock-exporter.h"
#include "mock-fence.h"

static long file_ioctl(struct mock_exporter *exp, unsigned int cmd,
		       void __user *arg)
{
	struct file *file = exp->dmabuf->file;

	return file->f_op->unlocked_ioctl(file, cmd, (unsigned long)arg);
}

/* A page of user memory of the test that begins with @data. */
static void __user *file_user(struct kunit *test, const void *data, size_t len)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)addr, data, len), 0);
	return (void __user *)addr;
}

/* Where a page of user memory would be, but nothing is mapped. */
static void __user *file_user_fault(struct kunit *test)
{
	char c = 0;
	void __user *addr = file_user(test, &c, sizeof(c));

	KUNIT_ASSERT_EQ(test, vm_munmap((unsigned long)addr, PAGE_SIZE), 0);
	return addr;
}

static const struct sync_flags {
	const char *name;
	u64 flags;
	enum mock_op op;
	enum dma_data_direction dir;
} sync_flags[] = {
	{ "start_read", DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
	  OP_BEGIN, DMA_FROM_DEVICE },
	{ "start_write", DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE,
	  OP_BEGIN, DMA_TO_DEVICE },
	{ "start_both", DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	  OP_BEGIN, DMA_BIDIRECTIONAL },
	{ "end_read", DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
	  OP_END, DMA_FROM_DEVICE },
	{ "end_write", DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE,
	  OP_END, DMA_TO_DEVICE },
	{ "end_both", DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW,
	  OP_END, DMA_BIDIRECTIONAL },
};

KUNIT_ARRAY_PARAM_DESC(sync_flags, sync_flags, name);

static void sync_tells_exporter(struct kunit *test)
{
	const struct sync_flags *param = test->param_value;
	struct dma_buf_sync sync = { .flags = param->flags };
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	void __user *arg = file_user(test, &sync, sizeof(sync));

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_IOCTL_SYNC, arg), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[param->op], 1);
	KUNIT_EXPECT_EQ(test, exp->dir[param->op], param->dir);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 1);
}

static void sync_passes_errno(struct kunit *test)
{
	const struct sync_flags *param = test->param_value;
	struct dma_buf_sync sync = { .flags = param->flags };
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	void __user *arg = file_user(test, &sync, sizeof(sync));

	exp->error[param->op] = -EINTR;
	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_IOCTL_SYNC, arg),
			-EINTR);
}

static const struct sync_bad {
	const char *name;
	u64 flags;
} sync_bads[] = {
	{ "nothing", 0 },
	{ "end_of_nothing", DMA_BUF_SYNC_END },
	{ "unknown_low_bit", BIT_ULL(3) | DMA_BUF_SYNC_RW },
	{ "unknown_high_bit", BIT_ULL(63) | DMA_BUF_SYNC_RW },
	{ "all_bits", U64_MAX },
};

KUNIT_ARRAY_PARAM_DESC(sync_bad, sync_bads, name);

static void sync_refuses_flags(struct kunit *test)
{
	const struct sync_bad *param = test->param_value;
	struct dma_buf_sync sync = { .flags = param->flags };
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);
	void __user *arg = file_user(test, &sync, sizeof(sync));

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_IOCTL_SYNC, arg),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static void sync_from_bad_pointer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_CPU);

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_IOCTL_SYNC,
					 file_user_fault(test)), -EFAULT);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static const struct name_cmd {
	const char *name;
	unsigned int cmd;
} name_cmds[] = {
	{ "plain", DMA_BUF_SET_NAME },
	{ "a", DMA_BUF_SET_NAME_A },
	{ "b", DMA_BUF_SET_NAME_B },
};

KUNIT_ARRAY_PARAM_DESC(name_cmd, name_cmds, name);

/* R09: each of the numbers the ioctl has gone by. */
static void set_name_sets(struct kunit *test)
{
	const struct name_cmd *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	void __user *arg = file_user(test, "frame 0", sizeof("frame 0"));

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, param->cmd, arg), 0);
	KUNIT_EXPECT_STREQ(test, exp->dmabuf->name, "frame 0");
}

static void set_name_replaces(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	void __user *first = file_user(test, "first", sizeof("first"));
	void __user *second = file_user(test, "2nd", sizeof("2nd"));

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME, first), 0);
	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME, second), 0);
	KUNIT_EXPECT_STREQ(test, exp->dmabuf->name, "2nd");
}

/* Up to 31 characters and the end of the string. */
static void set_name_length(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	char name[DMA_BUF_NAME_LEN + 1];
	void __user *arg;

	memset(name, 'x', sizeof(name));
	name[DMA_BUF_NAME_LEN - 1] = '\0';
	arg = file_user(test, name, sizeof(name));
	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME, arg), 0);
	KUNIT_ASSERT_NOT_NULL(test, exp->dmabuf->name);
	KUNIT_EXPECT_STREQ(test, exp->dmabuf->name, name);

	memset(name, 'y', sizeof(name));
	name[DMA_BUF_NAME_LEN] = '\0';
	arg = file_user(test, name, sizeof(name));
	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME, arg), -EINVAL);
	KUNIT_EXPECT_EQ(test, exp->dmabuf->name[0], 'x');
}

static void set_name_from_bad_pointer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME,
					 file_user_fault(test)), -EFAULT);
	KUNIT_EXPECT_NULL(test, exp->dmabuf->name);
}

static const struct ioctl_other {
	const char *name;
	unsigned int cmd;
} ioctl_others[] = {
	{ "next_number", _IOWR(DMA_BUF_BASE, 4, struct dma_buf_sync) },
	{ "last_number", _IOWR(DMA_BUF_BASE, 255, struct dma_buf_sync) },
	{ "other_type", _IOW('H', 0, struct dma_buf_sync) },
	{ "other_size", _IOW(DMA_BUF_BASE, 0, u32) },
	{ "other_direction", _IOR(DMA_BUF_BASE, 0, struct dma_buf_sync) },
};

KUNIT_ARRAY_PARAM_DESC(ioctl_other, ioctl_others, name);

static void ioctl_unknown(struct kunit *test)
{
	const struct ioctl_other *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ALL);

	KUNIT_EXPECT_EQ(test, file_ioctl(exp, param->cmd, NULL), -ENOTTY);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static const struct seek {
	const char *name;
	loff_t offset;
	int whence;
	loff_t result;
} seeks[] = {
	{ "end", 0, SEEK_END, MOCK_SIZE },
	{ "start", 0, SEEK_SET, 0 },
	{ "into_from_start", 1, SEEK_SET, -EINVAL },
	{ "size_from_start", MOCK_SIZE, SEEK_SET, -EINVAL },
	{ "before_start", -1, SEEK_SET, -EINVAL },
	{ "before_end", -1, SEEK_END, -EINVAL },
	{ "past_end", 1, SEEK_END, -EINVAL },
	{ "current", 0, SEEK_CUR, -EINVAL },
	{ "data", 0, SEEK_DATA, -EINVAL },
	{ "hole", 0, SEEK_HOLE, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(seek, seeks, name);

static void file_llseek(struct kunit *test)
{
	const struct seek *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test, vfs_llseek(exp->dmabuf->file, param->offset,
					 param->whence), param->result);
}

static void expect_poll(struct kunit *test, struct mock_exporter *exp,
			bool readable, bool writable)
{
	__poll_t events = vfs_poll(exp->dmabuf->file, NULL);

	KUNIT_EXPECT_EQ(test, !!(events & EPOLLIN), readable);
	KUNIT_EXPECT_EQ(test, !!(events & EPOLLOUT), writable);
	KUNIT_EXPECT_FALSE(test, events & ~(EPOLLIN | EPOLLOUT));
}

static const struct poll_fence {
	const char *name;
	enum dma_resv_usage usage;
	bool readable;
	bool writable;
} poll_fences[] = {
	{ "kernel", DMA_RESV_USAGE_KERNEL, false, false },
	{ "write", DMA_RESV_USAGE_WRITE, false, false },
	{ "read", DMA_RESV_USAGE_READ, true, false },
	{ "bookkeep", DMA_RESV_USAGE_BOOKKEEP, true, true },
};

KUNIT_ARRAY_PARAM_DESC(poll_fence, poll_fences, name);

static void poll_idle(struct kunit *test)
{
	expect_poll(test, mock_exporter_create(test, 0), true, true);
}

static void poll_with_pending_fence(struct kunit *test)
{
	const struct poll_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	mock_fence_add(test, exp->dmabuf->resv, param->usage);
	expect_poll(test, exp, param->readable, param->writable);
}

static void poll_after_fence(struct kunit *test)
{
	const struct poll_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  param->usage);

	expect_poll(test, exp, param->readable, param->writable);
	dma_fence_signal(&fence->base);
	expect_poll(test, exp, true, true);
}

/**
 * struct poll_beside - poll() by somebody else
 * @work: polls
 * @file: the buffer's file
 * @done: it was answered
 * @events: with these
 */
struct poll_beside {
	struct work_struct work;
	struct file *file;
	struct completion done;
	__poll_t events;
};

static void poll_beside_work(struct work_struct *work)
{
	struct poll_beside *poll = container_of(work, struct poll_beside,
						work);

	poll->events = vfs_poll(poll->file, NULL);
	complete(&poll->done);
}

/* Whoever has the buffer's lock for long keeps no poller waiting. */
static void poll_beside_the_lock(struct kunit *test)
{
	const struct poll_fence *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct poll_beside poll = { .file = exp->dmabuf->file };
	bool in_time;

	mock_fence_add(test, exp->dmabuf->resv, param->usage);
	init_completion(&poll.done);
	INIT_WORK_ONSTACK(&poll.work, poll_beside_work);

	dma_resv_lock(exp->dmabuf->resv, NULL);
	schedule_work(&poll.work);
	in_time = wait_for_completion_timeout(&poll.done, 5 * HZ);
	dma_resv_unlock(exp->dmabuf->resv);
	flush_work(&poll.work);
	destroy_work_on_stack(&poll.work);

	KUNIT_EXPECT_TRUE(test, in_time);
	KUNIT_EXPECT_EQ(test, !!(poll.events & EPOLLIN), param->readable);
	KUNIT_EXPECT_EQ(test, !!(poll.events & EPOLLOUT), param->writable);
}

static void file_fdinfo(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct file *file = exp->dmabuf->file;
	struct seq_file m = { .size = PAGE_SIZE };
	char want[64];

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	/* As procfs does: it holds a reference, which is not counted. */
	get_file(file);
	file->f_op->show_fdinfo(&m, file);
	fput(file);

	snprintf(want, sizeof(want),
		 "size:\t%lu\ncount:\t1\nexp_name:\tmock\n", MOCK_SIZE);
	KUNIT_EXPECT_STREQ(test, m.buf, want);
}

static void file_fdinfo_has_name(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct file *file = exp->dmabuf->file;
	struct seq_file m = { .size = PAGE_SIZE };

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	KUNIT_ASSERT_EQ(test, file_ioctl(exp, DMA_BUF_SET_NAME,
					 file_user(test, "frame 0",
						   sizeof("frame 0"))), 0);
	file->f_op->show_fdinfo(&m, file);
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "\nname:\tframe 0\n"));
}

static struct kunit_case file_cases[] = {
	KUNIT_CASE_PARAM(sync_tells_exporter, sync_flags_gen_params),
	KUNIT_CASE_PARAM(sync_passes_errno, sync_flags_gen_params),
	KUNIT_CASE_PARAM(sync_refuses_flags, sync_bad_gen_params),
	KUNIT_CASE(sync_from_bad_pointer),
	KUNIT_CASE_PARAM(set_name_sets, name_cmd_gen_params),
	KUNIT_CASE(set_name_replaces),
	KUNIT_CASE(set_name_length),
	KUNIT_CASE(set_name_from_bad_pointer),
	KUNIT_CASE_PARAM(ioctl_unknown, ioctl_other_gen_params),
	KUNIT_CASE_PARAM(file_llseek, seek_gen_params),
	KUNIT_CASE(poll_idle),
	KUNIT_CASE_PARAM(poll_with_pending_fence, poll_fence_gen_params),
	KUNIT_CASE_PARAM(poll_after_fence, poll_fence_gen_params),
	KUNIT_CASE_PARAM(poll_beside_the_lock, poll_fence_gen_params),
	KUNIT_CASE(file_fdinfo),
	KUNIT_CASE(file_fdinfo_has_name),
	{}
};

static struct kunit_suite file_suite = {
	.name = "dma_buf_file",
	.test_cases = file_cases,
};

kunit_test_suite(file_suite);
