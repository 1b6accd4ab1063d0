// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a buffer: references, file descriptors, release.
 *
 * A test runs in a kernel thread, which shares the file table of init; each
 * test closes the descriptors it makes.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/iopoll.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>

#include "mock-exporter.h"
#include "mock-fence.h"

static void put_releases_last_reference(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	mock_exporter_drop(exp);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(exp));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 1);
}

static void get_keeps_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct dma_buf *dmabuf = exp->dmabuf;

	get_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);

	mock_exporter_drop(exp);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 0);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(exp));
}

static void fd_takes_the_reference(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int fd = dma_buf_fd(exp->dmabuf, O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	exp->held = false;
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);

	close_fd(fd);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(exp));
}

static const struct fd_flags {
	const char *name;
	int flags;
	bool cloexec;
} fd_flags[] = {
	{ "none", 0, false },
	{ "cloexec", O_CLOEXEC, true },
	{ "cloexec_and_mode", O_CLOEXEC | O_RDWR, true },
};

KUNIT_ARRAY_PARAM_DESC(fd_flags, fd_flags, name);

static void fd_honours_cloexec(struct kunit *test)
{
	const struct fd_flags *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int fd = dma_buf_fd(exp->dmabuf, param->flags);
	bool cloexec;

	KUNIT_ASSERT_GE(test, fd, 0);
	exp->held = false;

	cloexec = mock_fd_is_cloexec(fd);
	close_fd(fd);

	KUNIT_EXPECT_EQ(test, cloexec, param->cloexec);
}

static void fd_of_null(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, 0), -EINVAL);
}

/* R08: with no descriptor to be had the caller goes on owning the buffer. */
static void fd_table_full_leaves_reference(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct rlimit *nofile = &current->signal->rlim[RLIMIT_NOFILE];
	struct rlimit saved = *nofile;
	int fd;

	nofile->rlim_cur = 0;
	fd = dma_buf_fd(exp->dmabuf, O_CLOEXEC);
	*nofile = saved;

	KUNIT_EXPECT_EQ(test, fd, -EMFILE);
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 0);
}

static void get_by_fd_finds_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct dma_buf *dmabuf;
	int fd;

	fd = dma_buf_fd(exp->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	exp->held = false;

	dmabuf = dma_buf_get(fd);
	close_fd(fd);
	KUNIT_ASSERT_PTR_EQ(test, dmabuf, exp->dmabuf);

	/* The reference of its own keeps it after the descriptor is gone. */
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 0);
	dma_buf_put(dmabuf);
}

static void two_fds_need_two_closes(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int a, b;

	get_dma_buf(exp->dmabuf);
	a = dma_buf_fd(exp->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, a, 0);
	b = dma_buf_fd(exp->dmabuf, O_CLOEXEC);
	if (b >= 0)
		exp->held = false;
	KUNIT_EXPECT_GE(test, b, 0);
	KUNIT_EXPECT_NE(test, a, b);

	close_fd(a);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 0);
	if (b >= 0)
		close_fd(b);
}

static void get_by_negative_fd(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(-1), ERR_PTR(-EBADF));
}

static void get_by_closed_fd(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	int fd = dma_buf_fd(exp->dmabuf, O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	exp->held = false;
	close_fd(fd);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), ERR_PTR(-EBADF));
}

static const struct file_operations other_fops;

static void get_by_fd_of_other_file(struct kunit *test)
{
	int fd = anon_inode_getfd("dma_buf_kunit", &other_fops, NULL,
				  O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), ERR_PTR(-EINVAL));
	close_fd(fd);
}

/* The fence loses its place in the buffer's own resv, and nothing waits. */
static void release_with_pending_fence(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_WRITE);
	unsigned int refs;

	KUNIT_EXPECT_EQ(test, kref_read(&fence->base.refcount), 2);
	mock_exporter_drop(exp);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(exp));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ(test, read_poll_timeout(kref_read, refs, refs == 1,
						USEC_PER_MSEC, USEC_PER_SEC,
						false, &fence->base.refcount),
			0);
}

/* R06: the fence calls back into a buffer whose last user is gone. */
static void release_with_polled_fence(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_fence *fence = mock_fence_add(test, exp->dmabuf->resv,
						  DMA_RESV_USAGE_WRITE);

	KUNIT_EXPECT_TRUE(test, !vfs_poll(exp->dmabuf->file, NULL));
	mock_exporter_drop(exp);
	flush_delayed_fput();
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(exp));
}

#ifdef CONFIG_UML
/* Warns, which KUnit of 6.12 cannot suppress: see export_kunit.c. */
static void put_of_null(struct kunit *test)
{
	dma_buf_put(NULL);
	KUNIT_SUCCEED(test);
}
#endif

static struct kunit_case life_cases[] = {
	KUNIT_CASE(put_releases_last_reference),
	KUNIT_CASE(get_keeps_buffer),
	KUNIT_CASE(fd_takes_the_reference),
	KUNIT_CASE_PARAM(fd_honours_cloexec, fd_flags_gen_params),
	KUNIT_CASE(fd_of_null),
	KUNIT_CASE(fd_table_full_leaves_reference),
	KUNIT_CASE(get_by_fd_finds_buffer),
	KUNIT_CASE(two_fds_need_two_closes),
	KUNIT_CASE(get_by_negative_fd),
	KUNIT_CASE(get_by_closed_fd),
	KUNIT_CASE(get_by_fd_of_other_file),
	KUNIT_CASE(release_with_pending_fence),
	KUNIT_CASE(release_with_polled_fence),
#ifdef CONFIG_UML
	KUNIT_CASE(put_of_null),
#endif
	{}
};

static struct kunit_suite life_suite = {
	.name = "dma_buf_life",
	.test_cases = life_cases,
};

kunit_test_suite(life_suite);
