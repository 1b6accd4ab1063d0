// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl of a heap's character device, case by case: sizes of its struct,
 * its number, each field's bad values, pointers that fault, a full descriptor
 * table, and who may open the node. What the memory is like is heap_memory.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

#define NOBODY	65534

static int write_number(const char *path, long value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = dprintf(fd, "%ld\n", value) < 0 ? -errno : 0;

	close(fd);
	return ret;
}

/* A request that is right in every field */
static struct dma_heap_allocation_data good(__u64 len)
{
	return (struct dma_heap_allocation_data) {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
}

TEST_F(heap, allocates)
{
	struct dma_heap_allocation_data data = good(3 * PAGE);

	ASSERT_EQ(0, heap_alloc_ioctl(self->fd, &data));
	EXPECT_EQ(3 * PAGE, data.len);
	EXPECT_EQ(O_RDWR | O_CLOEXEC, data.fd_flags);
	EXPECT_EQ(0, data.heap_flags);
	EXPECT_EQ((off_t)(3 * PAGE), lseek(data.fd, 0, SEEK_END));
	EXPECT_EQ(0, close(data.fd));
}

/*
 * Bytes the caller's struct does not have are zero to the kernel, so garbage
 * behind a short one must not be read; bytes the kernel's struct does not have
 * are nothing to it, and must come back as they were.
 */
TEST_F(heap, struct_of_any_size)
{
	static const size_t sizes[] = { 12, 16, 20, 24, 25, 32, 64, 200, 4096 };
	unsigned char raw[4096], old[4096];
	size_t i, size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct dma_heap_allocation_data data = good(PAGE);
		size_t known;

		size = sizes[i];
		known = size < sizeof(data) ? size : sizeof(data);
		memset(raw, 0xa5, sizeof(raw));
		memcpy(raw, &data, known);
		memcpy(old, raw, sizeof(raw));
		ASSERT_EQ(0, do_ioctl(self->fd,
				      _IOC(_IOC_READ | _IOC_WRITE,
					   DMA_HEAP_IOC_MAGIC, 0, size), raw)) {
			TH_LOG("struct of %zu bytes", size);
		}
		memcpy(&data, raw, known);
		EXPECT_EQ((off_t)PAGE, lseek(data.fd, 0, SEEK_END));
		EXPECT_EQ(size >= 16, !!(fcntl(data.fd, F_GETFD) & FD_CLOEXEC));
		EXPECT_EQ(0, memcmp(raw + known, old + known,
				    sizeof(raw) - known)) {
			TH_LOG("struct of %zu bytes: written past it", size);
		}
		EXPECT_EQ(0, close(data.fd));
	}
}

/* Nobody would learn the number of the descriptor */
TEST_F(heap, struct_without_room_for_the_descriptor)
{
	static const size_t sizes[] = { 0, 4, 8, 11 };
	struct dma_heap_allocation_data data = good(PAGE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EINVAL, do_ioctl(self->fd,
					    _IOC(_IOC_READ | _IOC_WRITE,
						 DMA_HEAP_IOC_MAGIC, 0,
						 sizes[i]), &data)) {
			TH_LOG("struct of %zu bytes", sizes[i]);
		}
	}
}

/* R02: no other number does anything, and number 0 looks at its argument */
TEST_F(heap, other_numbers_are_invalid)
{
	struct fd_table before;
	unsigned int nr;

	fd_table_read(&before);
	for (nr = 0; nr < 256; nr++) {
		struct dma_heap_allocation_data data = good(nr ? PAGE : 0);

		ASSERT_EQ(-EINVAL, do_ioctl(self->fd,
					    _IOWR(DMA_HEAP_IOC_MAGIC, nr,
						  typeof(data)), &data)) {
			TH_LOG("number %u", nr);
		}
		EXPECT_EQ(0, data.fd);
	}
	EXPECT_TRUE(fd_table_same(&before));
}

TEST_F(heap, other_types_are_invalid)
{
	struct fd_table before;
	unsigned int type;

	fd_table_read(&before);
	for (type = 0; type < 256; type++) {
		struct dma_heap_allocation_data data = good(PAGE);

		if (type == DMA_HEAP_IOC_MAGIC)
			continue;
		ASSERT_EQ(-EINVAL, do_ioctl(self->fd,
					    _IOWR(type, 0, typeof(data)),
					    &data)) {
			TH_LOG("type %#x", type);
		}
	}
	EXPECT_TRUE(fd_table_same(&before));
}

TEST_F(heap, descriptor_must_be_zero)
{
	static const __u32 bad[] = { 1, 3, 0x80000000, 0xffffffff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dma_heap_allocation_data data = good(PAGE);

		data.fd = bad[i];
		EXPECT_EQ(-EINVAL, heap_alloc_ioctl(self->fd, &data)) {
			TH_LOG("fd %u", bad[i]);
		}
		EXPECT_EQ(bad[i], data.fd);
	}
}

TEST_F(heap, unknown_descriptor_flags)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		struct dma_heap_allocation_data data = good(PAGE);

		data.fd_flags = 1U << bit;
		if (!(data.fd_flags & ~(O_CLOEXEC | O_ACCMODE)))
			continue;
		ASSERT_EQ(-EINVAL, heap_alloc_ioctl(self->fd, &data)) {
			TH_LOG("fd_flags bit %u", bit);
		}
	}
}

TEST_F(heap, no_heap_flags)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		struct dma_heap_allocation_data data = good(PAGE);

		data.heap_flags = 1ULL << bit;
		ASSERT_EQ(-EINVAL, heap_alloc_ioctl(self->fd, &data)) {
			TH_LOG("heap_flags bit %u", bit);
		}
	}
}

TEST_F(heap, length_zero_or_wrapping)
{
	/* The first is nothing, the others are nothing once rounded up */
	const __u64 bad[] = { 0, -1ULL, -2ULL, 1 - (__u64)PAGE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dma_heap_allocation_data data = good(bad[i]);

		EXPECT_EQ(-EINVAL, heap_alloc_ioctl(self->fd, &data)) {
			TH_LOG("length %#llx", bad[i]);
		}
	}
}

/* R08: the buffer exists when its descriptor cannot be had; one owner frees */
TEST_F(heap, descriptor_table_full)
{
	struct dma_heap_allocation_data data = good(4 * MIB);
	struct fd_table before;
	struct rlimit old;
	int i, ret = 0;

	fd_table_read(&before);
	fd_limit_full(&old);
	for (i = 0; i < 16 && (!ret || ret == -EMFILE); i++)
		ret = heap_alloc_ioctl(self->fd, &data);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_EQ(0, data.fd);
	EXPECT_TRUE(fd_table_same(&before));
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* What a heap answers to somebody who owns nothing here */
static int alloc_as_nobody(int heap)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return child_status(pid);
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(255);
	fd = heap_alloc(heap, 4 * MIB);
	_exit(fd < 0 ? -fd : 0);
}

/* No file to be had in the whole system; root is let through, so not as root */
TEST_F(heap, file_table_full)
{
	static const char limit[] = "/proc/sys/fs/file-max";
	long old = read_number(limit);
	int i, ret = ENFILE;

	ASSERT_LT(0, old);
	EXPECT_EQ(0, alloc_as_nobody(self->fd));
	ASSERT_EQ(0, write_number(limit, 0));
	for (i = 0; i < 16 && ret == ENFILE; i++)
		ret = alloc_as_nobody(self->fd);
	ASSERT_EQ(0, write_number(limit, old));
	EXPECT_EQ(ENFILE, ret);
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

TEST_F(heap, close_on_exec_only_if_asked)
{
	struct dma_heap_allocation_data data = good(PAGE);

	ASSERT_EQ(0, heap_alloc_ioctl(self->fd, &data));
	EXPECT_EQ(FD_CLOEXEC, fcntl(data.fd, F_GETFD));
	close(data.fd);

	data = good(PAGE);
	data.fd_flags = O_RDWR;
	ASSERT_EQ(0, heap_alloc_ioctl(self->fd, &data));
	EXPECT_EQ(0, fcntl(data.fd, F_GETFD));
	close(data.fd);
}

static int map_error(int fd, int prot)
{
	void *addr = mmap(NULL, PAGE, prot, MAP_SHARED, fd, 0);

	if (addr == MAP_FAILED)
		return errno;
	munmap(addr, PAGE);
	return 0;
}

/* The access mode of the buffer decides what its mappings may be */
TEST_F(heap, access_mode_of_the_buffer)
{
	static const struct {
		__u32 mode;
		int read, write;
	} rows[] = {
		{ O_RDONLY, 0, EACCES },
		{ O_WRONLY, EACCES, EACCES },
		{ O_RDWR, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dma_heap_allocation_data data = good(PAGE);

		data.fd_flags = rows[i].mode | O_CLOEXEC;
		ASSERT_EQ(0, heap_alloc_ioctl(self->fd, &data));
		EXPECT_EQ(rows[i].mode,
			  (__u32)fcntl(data.fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(rows[i].read, map_error(data.fd, PROT_READ)) {
			TH_LOG("mode %u", rows[i].mode);
		}
		EXPECT_EQ(rows[i].write,
			  map_error(data.fd, PROT_READ | PROT_WRITE)) {
			TH_LOG("mode %u", rows[i].mode);
		}
		close(data.fd);
	}
}

TEST_F(heap, buffer_outlives_the_heap_descriptor)
{
	int heap = heap_open(variant->name);
	int fd = heap_alloc(heap, PAGE);
	void *addr;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, close(heap));
	addr = buf_map(fd, PAGE);
	ASSERT_NE(NULL, addr);
	fill_words(addr, PAGE, 1);
	EXPECT_EQ(0, check_words(addr, PAGE, 1));
	munmap(addr, PAGE);
	close(fd);
}

/* Opened for reading only, a heap still allocates: that is how it is used */
TEST_F(heap, node_opened_for_reading)
{
	char path[64];
	int heap, fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", variant->name);
	heap = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, heap);
	fd = heap_alloc(heap, PAGE);
	EXPECT_LE(0, fd);
	close(fd);
	close(heap);
}

/* What open() says to somebody who owns nothing here */
static int open_as_nobody(const char *path, int mode)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return child_status(pid);
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(255);
	fd = open(path, mode | O_CLOEXEC);
	_exit(fd < 0 ? errno : 0);
}

TEST_F(heap, node_is_root_only)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", variant->name);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(EACCES, open_as_nobody(path, O_RDONLY));
	EXPECT_EQ(EACCES, open_as_nobody(path, O_RDWR));
}

/* The node is of the class dma_heap, by which udev rules find it */
TEST_F(heap, node_in_its_class)
{
	char path[128], number[32], seen[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", variant->name);
	ASSERT_EQ(0, stat(path, &st));
	snprintf(number, sizeof(number), "%u:%u\n", major(st.st_rdev),
		 minor(st.st_rdev));
	snprintf(path, sizeof(path), "/sys/class/dma_heap/%s/dev",
		 variant->name);
	ASSERT_LT(0, read_file(path, seen, sizeof(seen)));
	EXPECT_STREQ(number, seen);
}

/* A second node of the same device, so that the first keeps its mode */
TEST_F(heap, node_mode_decides)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", variant->name);
	ASSERT_EQ(0, stat(path, &st));
	snprintf(path, sizeof(path), "/dev/heap-abi-%d", getpid());
	ASSERT_EQ(0, mknod(path, S_IFCHR | 0600, st.st_rdev));
	EXPECT_EQ(0, chmod(path, 0444));
	EXPECT_EQ(0, open_as_nobody(path, O_RDONLY));
	EXPECT_EQ(EACCES, open_as_nobody(path, O_RDWR));
	EXPECT_EQ(EACCES, open_as_nobody(path, O_WRONLY));
	EXPECT_EQ(0, unlink(path));
}

/* A heap has no way to go away; where it is a module, that stays with it */
TEST_F(heap, module_cannot_be_unloaded)
{
	const char *module = strcmp(variant->name, HEAP_CMA) ? "system_heap" :
							       "cma_heap";
	char path[64];
	int ret, fd;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	ret = syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
	EXPECT_EQ(access(path, F_OK) ? -ENOENT : -EBUSY, ret);
	fd = heap_alloc(self->fd, PAGE);
	EXPECT_LE(0, fd);
	close(fd);
}

/* Where the argument of the ioctl lies, in an area of two pages */
enum bad_place {
	PLACE_NULL,
	PLACE_KERNEL,
	PLACE_UNMAPPED,
	PLACE_NO_ACCESS,
	PLACE_READ_ONLY,
	PLACE_ENDS_UNREADABLE,
	PLACE_ENDS_READ_ONLY,
};

FIXTURE(fault) {
	char *area;
	struct dma_heap_allocation_data *arg;
};

FIXTURE_VARIANT(fault) {
	enum bad_place place;
};

FIXTURE_VARIANT_ADD(fault, null) { .place = PLACE_NULL };
FIXTURE_VARIANT_ADD(fault, kernel) { .place = PLACE_KERNEL };
FIXTURE_VARIANT_ADD(fault, unmapped) { .place = PLACE_UNMAPPED };
FIXTURE_VARIANT_ADD(fault, no_access) { .place = PLACE_NO_ACCESS };
FIXTURE_VARIANT_ADD(fault, read_only) { .place = PLACE_READ_ONLY };
FIXTURE_VARIANT_ADD(fault, ends_unreadable) { .place = PLACE_ENDS_UNREADABLE };
FIXTURE_VARIANT_ADD(fault, ends_read_only) { .place = PLACE_ENDS_READ_ONLY };

/*
 * The request itself is right wherever it can be read. In the last place its
 * first half is writable and its fd is not.
 */
static struct dma_heap_allocation_data *place_argument(enum bad_place place,
						       char *area)
{
	struct dma_heap_allocation_data data = good(2 * MIB);
	char *second = area + PAGE;
	char *at = area;

	switch (place) {
	case PLACE_NULL:
		return NULL;
	case PLACE_KERNEL:
		return (void *)(-1UL << (sizeof(long) * 8 - 8));
	case PLACE_UNMAPPED:
		munmap(second, PAGE);
		return (void *)second;
	case PLACE_NO_ACCESS:
	case PLACE_READ_ONLY:
		memcpy(at, &data, sizeof(data));
		mprotect(area, PAGE,
			 place == PLACE_READ_ONLY ? PROT_READ : PROT_NONE);
		return (void *)at;
	case PLACE_ENDS_UNREADABLE:
	case PLACE_ENDS_READ_ONLY:
		at = second - offsetof(struct dma_heap_allocation_data, fd);
		memcpy(at, &data, sizeof(data));
		mprotect(second, PAGE, place == PLACE_ENDS_READ_ONLY ?
				       PROT_READ : PROT_NONE);
		return (void *)at;
	}
	return NULL;
}

FIXTURE_SETUP(fault)
{
	self->area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->arg = place_argument(variant->place, self->area);
}

FIXTURE_TEARDOWN(fault)
{
	munmap(self->area, 2 * PAGE);
}

/*
 * R01: no descriptor, no buffer, no memory is left. 32 times 2 MiB is more
 * than the slack of heap_mark_back().
 */
static void fault_leaves_nothing(struct __test_metadata *_metadata,
				 const char *name,
				 struct dma_heap_allocation_data *arg)
{
	int heap = heap_open(name), i;
	struct heap_mark mark;
	struct fd_table before;

	ASSERT_LE(0, heap);
	heap_mark_take(&mark, name);
	fd_table_read(&before);
	for (i = 0; i < 32; i++) {
		ASSERT_EQ(-EFAULT, heap_alloc_ioctl(heap, arg)) {
			TH_LOG("allocation %d", i);
		}
	}
	EXPECT_TRUE(fd_table_same(&before));
	EXPECT_TRUE(heap_mark_back(&mark));
	close(heap);
}

TEST_F(fault, system_leaves_nothing)
{
	fault_leaves_nothing(_metadata, HEAP_SYSTEM, self->arg);
}

TEST_F(fault, cma_leaves_nothing)
{
	fault_leaves_nothing(_metadata, HEAP_CMA, self->arg);
}

/* One thread watches the number that the next descriptor would get */
struct watch {
	int fd;
	bool stop;
	unsigned long looked, seen;
};

static void *watch_descriptor(void *arg)
{
	struct watch *watch = arg;

	while (!__atomic_load_n(&watch->stop, __ATOMIC_ACQUIRE)) {
		watch->seen += fcntl(watch->fd, F_GETFD) >= 0;
		__atomic_add_fetch(&watch->looked, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * R01: another thread could use a descriptor that is taken back a moment
 * later, so it must not be there at all.
 */
TEST_F(heap, no_descriptor_for_an_instant)
{
	struct dma_heap_allocation_data data = good(PAGE), *arg;
	struct watch watch = { 0 };
	pthread_t thread;
	int i;

	arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)arg);
	*arg = data;
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	watch.fd = dup(self->fd);
	ASSERT_EQ(0, close(watch.fd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch_descriptor, &watch));
	while (!__atomic_load_n(&watch.looked, __ATOMIC_ACQUIRE))
		sched_yield();
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(-EFAULT, heap_alloc_ioctl(self->fd, arg)) {
			TH_LOG("allocation %d", i);
		}
	}
	__atomic_store_n(&watch.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, watch.seen);
	munmap(arg, PAGE);
}

TEST_HARNESS_MAIN
