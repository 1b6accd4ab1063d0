// SPDX-License-Identifier: GPL-2.0-only
/*
 * udmabuf is a neighbour, not part of this: an exporter whose memory is a
 * memfd. What it promises must hold on top of the core. R19: nothing outside
 * the memfd, no nothing, nothing too large; R20: the seals count.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/udmabuf.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define PAGES		8
#define NO_SEALS	-1

static int udmabuf_open(void)
{
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A memfd of PAGES pages with these seals */
static int sealed_memfd(int seals)
{
	int fd = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, PAGES * PAGE))
		return -errno;
	if (seals != NO_SEALS && fcntl(fd, F_ADD_SEALS, seals))
		return -errno;
	return fd;
}

static int create(int dev, int memfd, __u64 offset, __u64 size)
{
	struct udmabuf_create arg = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset,
		.size = size,
	};

	return do_ioctl(dev, UDMABUF_CREATE, &arg);
}

FIXTURE(udmabuf) {
	struct heap_mark mark;
	int dev, memfd;
	void *own;
};

FIXTURE_SETUP(udmabuf)
{
	int i;

	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->dev = udmabuf_open();
	ASSERT_LE(0, self->dev);
	self->memfd = sealed_memfd(F_SEAL_SHRINK);
	ASSERT_LE(0, self->memfd);
	self->own = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->memfd, 0);
	ASSERT_NE(MAP_FAILED, self->own);
	for (i = 0; i < PAGES; i++)
		fill_words((char *)self->own + i * PAGE, PAGE, i);
}

FIXTURE_TEARDOWN(udmabuf)
{
	munmap(self->own, PAGES * PAGE);
	close(self->memfd);
	close(self->dev);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

TEST_F(udmabuf, shares_the_memfd)
{
	int fd = create(self->dev, self->memfd, 2 * PAGE, 3 * PAGE);
	char *addr;

	ASSERT_LE(0, fd);
	EXPECT_EQ((off_t)(3 * PAGE), lseek(fd, 0, SEEK_END));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	addr = buf_map(fd, 3 * PAGE);
	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, check_words(addr, PAGE, 2));
	EXPECT_EQ(0, check_words(addr + 2 * PAGE, PAGE, 4));
	fill_words(addr + PAGE, PAGE, 50);
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, check_words((char *)self->own + 3 * PAGE, PAGE, 50));
	EXPECT_EQ(NULL, buf_map(fd, 4 * PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
				   3 * PAGE));
	munmap(addr, 3 * PAGE);
	close(fd);
}

TEST_F(udmabuf, list_in_any_order)
{
	static const int from[] = { 6, 0, 3 };
	struct udmabuf_create_list *list;
	char *addr;
	int fd, i;

	list = calloc(1, sizeof(*list) + 3 * sizeof(list->list[0]));
	ASSERT_NE(NULL, list);
	list->count = 3;
	for (i = 0; i < 3; i++) {
		list->list[i].memfd = self->memfd;
		list->list[i].offset = from[i] * PAGE;
		list->list[i].size = PAGE;
	}
	fd = do_ioctl(self->dev, UDMABUF_CREATE_LIST, list);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	addr = buf_map(fd, 3 * PAGE);
	ASSERT_NE(NULL, addr);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, check_words(addr + i * PAGE, PAGE, from[i])) {
			TH_LOG("page %d", i);
		}
	}
	munmap(addr, 3 * PAGE);
	close(fd);
	free(list);
}

TEST_F(udmabuf, range_must_be_inside)
{
	const struct {
		__u64 offset, size;
	} rows[] = {
		{ 0, 0 },
		{ 1, PAGE },
		{ 0, PAGE + 1 },
		{ 0, (PAGES + 1) * PAGE },
		{ PAGES * PAGE, PAGE },
		{ (PAGES - 1) * PAGE, 2 * PAGE },
		{ -PAGE, PAGE },
		{ -PAGE, 2 * PAGE },
		{ 0, 1ULL << 44 },
		{ 0, 1ULL << 63 },
		{ 0, -PAGE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(-EINVAL, create(self->dev, self->memfd,
					  rows[i].offset, rows[i].size)) {
			TH_LOG("row %zu", i);
		}
	}
}

TEST_F(udmabuf, list_must_be_reasonable)
{
	enum { COUNT = 1025 };
	struct udmabuf_create_list *list;
	int i;

	list = calloc(1, sizeof(*list) + COUNT * sizeof(list->list[0]));
	ASSERT_NE(NULL, list);
	EXPECT_EQ(-EINVAL, do_ioctl(self->dev, UDMABUF_CREATE_LIST, list));
	for (i = 0; i < COUNT; i++) {
		list->list[i].memfd = self->memfd;
		list->list[i].size = PAGE;
	}
	list->count = COUNT;
	EXPECT_EQ(-EINVAL, do_ioctl(self->dev, UDMABUF_CREATE_LIST, list));
	list->count = 0xffffffff;
	EXPECT_EQ(-EINVAL, do_ioctl(self->dev, UDMABUF_CREATE_LIST, list));
	/* Pages whose number, in 32 bits, adds up to one */
	list->count = 3;
	list->list[1].size = 1ULL << 43;
	list->list[2].size = 1ULL << 43;
	EXPECT_EQ(-EINVAL, do_ioctl(self->dev, UDMABUF_CREATE_LIST, list));
	free(list);
}

TEST_F(udmabuf, only_memfds)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-EBADFD, create(self->dev, ends[0], 0, PAGE));
	close(ends[0]);
	EXPECT_EQ(-EBADFD, create(self->dev, ends[0], 0, PAGE));
	close(ends[1]);
}

TEST_F(udmabuf, seals)
{
	static const struct {
		int seals, error;
	} rows[] = {
		{ NO_SEALS, -EINVAL },
		{ F_SEAL_GROW, -EINVAL },
		{ F_SEAL_SHRINK | F_SEAL_WRITE, -EINVAL },
		{ F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, -EINVAL },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int memfd = sealed_memfd(rows[i].seals);
		int fd = create(self->dev, memfd, 0, PAGE);

		ASSERT_LE(0, memfd);
		EXPECT_EQ(rows[i].error, fd < 0 ? fd : 0) {
			TH_LOG("row %zu: %d", i, fd);
		}
		if (fd >= 0)
			close(fd);
		close(memfd);
	}
}

/* A buffer that can be written keeps the memfd from being sealed against it */
TEST_F(udmabuf, sealed_too_late)
{
	int memfd = sealed_memfd(F_SEAL_SHRINK);
	int fd = create(self->dev, memfd, 0, PAGES * PAGE);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, ftruncate(memfd, PAGE));
	EXPECT_EQ(EPERM, errno);
	close(fd);
	EXPECT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
	close(memfd);
}

/* The pages stay though the memfd is closed; another driver gets them too */
TEST_F(udmabuf, imported_by_vgem)
{
	int fd = create(self->dev, self->memfd, 0, PAGES * PAGE);
	int vgem = vgem_open();
	__u32 handle;
	char *addr;
	int i;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, vgem);
	ASSERT_EQ(0, vgem_import(vgem, fd, &handle));
	munmap(self->own, PAGES * PAGE);
	close(self->memfd);
	self->memfd = -1;
	close(fd);
	fd = vgem_export(vgem, handle);
	ASSERT_LE(0, fd);
	addr = buf_map(fd, PAGES * PAGE);
	ASSERT_NE(NULL, addr);
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(0, check_words(addr + i * PAGE, PAGE, i)) {
			TH_LOG("page %d", i);
		}
	}
	munmap(addr, PAGES * PAGE);
	close(fd);
	close(vgem);
}

/* R08: exported, and no room for the descriptor */
TEST_F(udmabuf, table_full)
{
	struct fd_table before;
	struct rlimit old;
	int i, ret = 0;

	fd_table_read(&before);
	fd_limit_full(&old);
	for (i = 0; i < 8 && (!ret || ret == -EMFILE); i++)
		ret = create(self->dev, self->memfd, 0, PAGES * PAGE);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_TRUE(fd_table_same(&before));
	EXPECT_TRUE(heap_mark_back(&self->mark));
	/* The memfd is not pinned by what is gone */
	munmap(self->own, PAGES * PAGE);
	EXPECT_EQ(0, fcntl(self->memfd, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST_HARNESS_MAIN
