// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers and vgem, a driver that imports and exports through PRIME: what
 * an importer holds, what its fences do to a buffer, and data compared through
 * the other side's eyes. Nothing here tests vgem itself.
 */
#include <fcntl.h>
#include <poll.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/vgem_drm.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

FIXTURE(vgem) {
	struct heap_mark mark;
	int vgem, fd;
	size_t len;
};

FIXTURE_VARIANT(vgem) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(vgem, system) {
	.heap = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(vgem, cma) {
	.heap = HEAP_CMA,
};

FIXTURE_SETUP(vgem)
{
	void *addr;

	heap_mark_take(&self->mark, variant->heap);
	self->vgem = vgem_open();
	ASSERT_LE(0, self->vgem);
	self->len = 2 * MIB + 3 * PAGE;
	self->fd = heap_buffer(variant->heap, self->len);
	ASSERT_LE(0, self->fd);
	addr = buf_map(self->fd, self->len);
	ASSERT_NE(NULL, addr);
	fill_words(addr, self->len, 5);
	munmap(addr, self->len);
}

FIXTURE_TEARDOWN(vgem)
{
	close(self->vgem);
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

static int wait_for(int fd, short events, int ms)
{
	struct pollfd pfd = { fd, events, 0 };

	return poll(&pfd, 1, ms) < 0 ? -1 : pfd.revents;
}

/* The importer alone keeps the buffer, and hands out the same one again */
TEST_F(vgem, import_keeps_the_buffer)
{
	unsigned long inode = fd_inode(self->fd);
	__u32 handle;
	void *addr;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	close(self->fd);
	EXPECT_TRUE(stats_present(inode));
	self->fd = vgem_export(self->vgem, handle);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(inode, fd_inode(self->fd));
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL) & O_ACCMODE);
	addr = buf_map(self->fd, self->len);
	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, check_words(addr, self->len, 5));
	munmap(addr, self->len);
	close(self->fd);
	self->fd = -1;
	EXPECT_TRUE(stats_present(inode));
	EXPECT_EQ(0, vgem_close(self->vgem, handle));
	EXPECT_FALSE(stats_present(inode));
}

TEST_F(vgem, import_twice_is_one)
{
	__u32 one, two;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &one));
	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &two));
	EXPECT_EQ(one, two);
}

/* Two clients of the driver: two attachments, each undone by itself */
TEST_F(vgem, two_clients)
{
	int other = vgem_open();
	__u32 one, two;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &one));
	ASSERT_EQ(0, vgem_import(other, self->fd, &two));
	EXPECT_EQ(0, vgem_close(self->vgem, one));
	close(self->fd);
	self->fd = vgem_export(other, two);
	EXPECT_LE(0, self->fd);
	close(other);
}

TEST_F(vgem, import_of_something_else)
{
	int memfd = memfd_create("not-a-dma-buf", MFD_CLOEXEC);
	__u32 handle;

	EXPECT_EQ(-EINVAL, vgem_import(self->vgem, memfd, &handle));
	close(memfd);
	EXPECT_EQ(-EBADF, vgem_import(self->vgem, memfd, &handle));
	EXPECT_EQ(-EBADF, vgem_import(self->vgem, -1, &handle));
}

/* Lines of bufinfo from this buffer's row to the next that name the device */
static int attached_devices(unsigned long inode, const char *device)
{
	FILE *file = fopen(BUFINFO, "re");
	char line[LINE_LEN];
	bool here = false;
	int count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long seen;

		if (strspn(line, "0123456789") >= 8)
			here = sscanf(line, "%*u %*x %*x %*u %*s %lu",
				      &seen) == 1 && seen == inode;
		else if (here && strstr(line, device))
			count++;
	}
	if (file)
		fclose(file);
	return count;
}

TEST_F(vgem, attachment_in_bufinfo)
{
	unsigned long inode = fd_inode(self->fd);
	__u32 handle;

	EXPECT_EQ(0, attached_devices(inode, "vgem"));
	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	EXPECT_EQ(1, attached_devices(inode, "vgem"));
	EXPECT_EQ(0, vgem_close(self->vgem, handle));
	EXPECT_EQ(0, attached_devices(inode, "vgem"));
}

/* The driver closes with the buffer still imported */
TEST_F(vgem, driver_closed_first)
{
	unsigned long inode = fd_inode(self->fd);
	__u32 handle;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	close(self->vgem);
	self->vgem = -1;
	EXPECT_EQ(0, attached_devices(inode, "vgem"));
	EXPECT_TRUE(stats_present(inode));
}

static int fence_attach(int vgem, __u32 handle, __u32 flags, __u32 *fence)
{
	struct drm_vgem_fence_attach arg = { .handle = handle, .flags = flags };
	int ret = do_ioctl(vgem, DRM_IOCTL_VGEM_FENCE_ATTACH, &arg);

	*fence = arg.out_fence;
	return ret;
}

static int fence_signal(int vgem, __u32 fence)
{
	struct drm_vgem_fence_signal arg = { .fence = fence };

	return do_ioctl(vgem, DRM_IOCTL_VGEM_FENCE_SIGNAL, &arg);
}

/* What the driver does with the buffer, the buffer's own file tells */
TEST_F(vgem, fences_of_the_importer)
{
	__u32 handle, fence;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	ASSERT_EQ(0, fence_attach(self->vgem, handle, 0, &fence));
	EXPECT_EQ(POLLIN, wait_for(self->fd, POLLIN | POLLOUT, 0));
	EXPECT_EQ(0, fence_signal(self->vgem, fence));
	EXPECT_EQ(POLLOUT, wait_for(self->fd, POLLOUT, 0));

	ASSERT_EQ(0, fence_attach(self->vgem, handle, VGEM_FENCE_WRITE,
				  &fence));
	EXPECT_EQ(0, wait_for(self->fd, POLLIN | POLLOUT, 0));
	EXPECT_EQ(0, fence_signal(self->vgem, fence));
	EXPECT_EQ(POLLIN, wait_for(self->fd, POLLIN, 5000));
}

/* R23: the importer's last fence comes after everybody has let go */
TEST_F(vgem, fence_after_the_buffer)
{
	__u32 handle, fence;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	ASSERT_EQ(0, fence_attach(self->vgem, handle, VGEM_FENCE_WRITE,
				  &fence));
	EXPECT_EQ(0, wait_for(self->fd, POLLIN, 0));
	EXPECT_EQ(0, vgem_close(self->vgem, handle));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, fence_signal(self->vgem, fence));
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* R08: exported already, and no room for the descriptor */
TEST_F(vgem, table_full)
{
	struct fd_table before;
	struct rlimit old;
	__u32 handle;
	int ret, fd;

	ASSERT_EQ(0, vgem_import(self->vgem, self->fd, &handle));
	fd_table_read(&before);
	fd_limit_full(&old);
	ret = vgem_export(self->vgem, handle);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_TRUE(fd_table_same(&before));
	fd = vgem_export(self->vgem, handle);
	EXPECT_LE(0, fd);
	EXPECT_EQ(fd_inode(self->fd), fd_inode(fd));
	close(fd);
}

/* A buffer of the driver's own: another exporter behind the same core */
FIXTURE(dumb) {
	int vgem;
	struct drm_mode_create_dumb arg;
	void *own;
};

FIXTURE_SETUP(dumb)
{
	struct drm_mode_map_dumb map = { 0 };

	self->vgem = vgem_open();
	ASSERT_LE(0, self->vgem);
	self->arg.width = 300;
	self->arg.height = 200;
	self->arg.bpp = 32;
	ASSERT_EQ(0, do_ioctl(self->vgem, DRM_IOCTL_MODE_CREATE_DUMB,
			      &self->arg));
	map.handle = self->arg.handle;
	ASSERT_EQ(0, do_ioctl(self->vgem, DRM_IOCTL_MODE_MAP_DUMB, &map));
	self->own = mmap(NULL, self->arg.size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->vgem, map.offset);
	ASSERT_NE(MAP_FAILED, self->own);
}

FIXTURE_TEARDOWN(dumb)
{
	munmap(self->own, self->arg.size);
	close(self->vgem);
}

TEST_F(dumb, data_both_ways)
{
	int fd = vgem_export(self->vgem, self->arg.handle);
	void *addr;

	ASSERT_LE(0, fd);
	EXPECT_EQ((off_t)self->arg.size, lseek(fd, 0, SEEK_END));
	addr = buf_map(fd, self->arg.size);
	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	fill_words(self->own, self->arg.size, 31);
	EXPECT_EQ(0, check_words(addr, self->arg.size, 31));
	fill_words(addr, self->arg.size, 32);
	EXPECT_EQ(0, check_words(self->own, self->arg.size, 32));
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(NULL, buf_map(fd, self->arg.size + PAGE));
	munmap(addr, self->arg.size);
	close(fd);
}

/* One object, one dma-buf, however often it is exported */
TEST_F(dumb, exported_once)
{
	int one = vgem_export(self->vgem, self->arg.handle);
	int two = vgem_export(self->vgem, self->arg.handle);
	__u32 handle;

	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	EXPECT_EQ(fd_inode(one), fd_inode(two));
	ASSERT_EQ(0, vgem_import(self->vgem, one, &handle));
	EXPECT_EQ(self->arg.handle, handle);
	close(one);
	close(two);
}

/* R08: the first export makes the dma-buf, and no descriptor for it */
TEST_F(dumb, table_full)
{
	struct rlimit old;
	int ret, fd;

	fd_limit_full(&old);
	ret = vgem_export(self->vgem, self->arg.handle);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	fd = vgem_export(self->vgem, self->arg.handle);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_HARNESS_MAIN
