// SPDX-License-Identifier: GPL-2.0-only
/*
 * R09: the ioctls as a 32-bit program calls them. The system call gate of
 * i386 works from here too, and goes the same way through the kernel: 32-bit
 * pointers, compat_ioctl, and the numbers that a 32-bit compiler makes.
 */
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define I386_IOCTL	54

/* What sizeof(const char *) makes of DMA_BUF_SET_NAME there */
#define SET_NAME_32	_IOW(DMA_BUF_BASE, 1, __u32)

static int ioctl32(int fd, unsigned int cmd, const void *arg)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (I386_IOCTL), "b" (fd), "c" (cmd),
		       "d" ((unsigned int)(unsigned long)arg)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return ret;
}

FIXTURE(compat) {
	struct heap_mark mark;
	int heap, fd;
	/* Memory that a 32-bit pointer reaches */
	void *low;
};

FIXTURE_VARIANT(compat) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(compat, system) {
	.heap = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(compat, cma) {
	.heap = HEAP_CMA,
};

FIXTURE_SETUP(compat)
{
	struct dma_heap_allocation_data *data;

	heap_mark_take(&self->mark, variant->heap);
	self->heap = heap_open(variant->heap);
	ASSERT_LE(0, self->heap);
	self->low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	data = self->low;
	data->len = PAGE + 1;
	data->fd_flags = O_RDWR | O_CLOEXEC;
	ASSERT_EQ(0, ioctl32(self->heap, DMA_HEAP_IOCTL_ALLOC, data));
	self->fd = data->fd;
	memset(self->low, 0, PAGE);
}

FIXTURE_TEARDOWN(compat)
{
	munmap(self->low, PAGE);
	close(self->fd);
	close(self->heap);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

TEST_F(compat, allocates)
{
	struct dma_heap_allocation_data *data = self->low;

	EXPECT_EQ((off_t)(2 * PAGE), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(-EINVAL, ioctl32(self->heap, DMA_HEAP_IOCTL_ALLOC, data));
	EXPECT_EQ(-EFAULT, ioctl32(self->heap, DMA_HEAP_IOCTL_ALLOC, NULL));
}

TEST_F(compat, names)
{
	static const unsigned int numbers[] = {
		SET_NAME_32, DMA_BUF_SET_NAME_A, DMA_BUF_SET_NAME_B,
	};
	char seen[64], *name = self->low;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(name, PAGE, "compat-%zu", i);
		EXPECT_EQ(0, ioctl32(self->fd, numbers[i], name));
		ASSERT_EQ(0, fdinfo_field(self->fd, "name", seen,
					  sizeof(seen)));
		EXPECT_STREQ(name, seen);
	}
	EXPECT_EQ(-EFAULT, ioctl32(self->fd, SET_NAME_32, NULL));
}

TEST_F(compat, sync)
{
	struct dma_buf_sync *sync = self->low;

	sync->flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, ioctl32(self->fd, DMA_BUF_IOCTL_SYNC, sync));
	sync->flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, ioctl32(self->fd, DMA_BUF_IOCTL_SYNC, sync));
	/* The upper half of the flags is looked at as well */
	sync->flags = DMA_BUF_SYNC_RW | 1ULL << 40;
	EXPECT_EQ(-EINVAL, ioctl32(self->fd, DMA_BUF_IOCTL_SYNC, sync));
	EXPECT_EQ(-EFAULT, ioctl32(self->fd, DMA_BUF_IOCTL_SYNC, NULL));
	EXPECT_EQ(-ENOTTY, ioctl32(self->fd, _IOW(DMA_BUF_BASE, 4, *sync),
				   sync));
}

TEST_F(compat, fences)
{
	struct dma_buf_export_sync_file *from = self->low;
	struct dma_buf_import_sync_file *to = self->low;
	int fence;

	from->flags = DMA_BUF_SYNC_READ;
	ASSERT_EQ(0, ioctl32(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, from));
	fence = from->fd;
	EXPECT_EQ(1, fence_status(fence));
	to->flags = DMA_BUF_SYNC_WRITE;
	to->fd = fence;
	EXPECT_EQ(0, ioctl32(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, to));
	to->flags = 0;
	EXPECT_EQ(-EINVAL, ioctl32(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
				   to));
	close(fence);
}

TEST_HARNESS_MAIN
