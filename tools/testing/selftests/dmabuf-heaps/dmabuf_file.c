// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf as a file: seek, size, identity, its ioctls and their errors, its
 * name, and what proc, sysfs and debugfs say about it. The buffers come from
 * the system heap; none of this depends on who exports.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <linux/magic.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define START_READ	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)

FIXTURE(file) {
	struct heap_mark mark;
	int fd;
	size_t len;
};

FIXTURE_SETUP(file)
{
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->len = 3 * PAGE;
	self->fd = heap_buffer(HEAP_SYSTEM, self->len);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* The two ends are all that can be sought: that is how the size is asked for */
TEST_F(file, seek)
{
	const struct {
		off_t offset;
		int whence;
		off_t ret;
	} rows[] = {
		{ 0, SEEK_END, self->len },
		{ 0, SEEK_SET, 0 },
		{ 0, SEEK_CUR, -1 },
		{ 1, SEEK_SET, -1 },
		{ self->len, SEEK_SET, -1 },
		{ -1, SEEK_SET, -1 },
		{ 1, SEEK_END, -1 },
		{ -1, SEEK_END, -1 },
		{ 1, SEEK_CUR, -1 },
		{ 0, SEEK_DATA, -1 },
		{ 0, SEEK_HOLE, -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		errno = 0;
		EXPECT_EQ(rows[i].ret, lseek(self->fd, rows[i].offset,
					     rows[i].whence)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(rows[i].ret < 0 ? EINVAL : 0, errno);
	}
}

TEST_F(file, identity)
{
	int other = heap_buffer(HEAP_SYSTEM, PAGE);
	struct statfs fs;
	struct stat st;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((off_t)self->len, st.st_size);
	EXPECT_NE(0, st.st_ino);
	EXPECT_NE(st.st_ino, fd_inode(other));
	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(DMA_BUF_MAGIC, fs.f_type);
	close(other);
}

TEST_F(file, no_read_no_write)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, PAGE));
	EXPECT_EQ((off_t)self->len, lseek(self->fd, 0, SEEK_END));
}

/* The link in proc is no way to a descriptor with more rights */
TEST_F(file, cannot_be_opened_again)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(-1, open(path, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(file, idle_is_ready)
{
	struct pollfd pfd = { self->fd, POLLIN | POLLOUT, 0 };

	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, pfd.revents);
	pfd.events = POLLIN;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN, pfd.revents);
	pfd.events = POLLOUT;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLOUT, pfd.revents);
	pfd.events = 0;
	EXPECT_EQ(0, poll(&pfd, 1, 0));
}

TEST_F(file, sync_flags)
{
	static const __u64 when[] = { DMA_BUF_SYNC_START, DMA_BUF_SYNC_END };
	static const __u64 what[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE,
				      DMA_BUF_SYNC_RW };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(when); i++) {
		for (j = 0; j < ARRAY_SIZE(what); j++) {
			EXPECT_EQ(0, buf_sync(self->fd, when[i] | what[j])) {
				TH_LOG("flags %#llx", when[i] | what[j]);
			}
		}
		EXPECT_EQ(-EINVAL, buf_sync(self->fd, when[i]));
	}
	for (i = 3; i < 64; i++) {
		__u64 flags = DMA_BUF_SYNC_READ | 1ULL << i;

		EXPECT_EQ(-EINVAL, buf_sync(self->fd, flags)) {
			TH_LOG("bit %zu", i);
		}
	}
}

TEST_F(file, sync_argument_faults)
{
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, DMA_BUF_IOCTL_SYNC, NULL));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, DMA_BUF_IOCTL_SYNC,
				    (void *)-PAGE));
}

/* How a compositor tells a dma-buf from other files: by the wrong question */
TEST_F(file, probe_of_a_compositor)
{
	int ends[2], memfd = memfd_create("not-a-dma-buf", MFD_CLOEXEC);

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-EINVAL, buf_sync(self->fd, 0));
	EXPECT_EQ(-EINVAL, buf_sync(self->fd, -1ULL));
	EXPECT_EQ(-ENOTTY, buf_sync(memfd, 0));
	EXPECT_EQ(-ENOTTY, buf_sync(ends[0], 0));
	EXPECT_EQ(-ENOTTY, buf_sync(ends[1], -1ULL));
	close(memfd);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(file, unknown_ioctls)
{
	struct dma_buf_sync sync = { .flags = START_READ };
	unsigned int nr;

	for (nr = 4; nr < 256; nr++) {
		ASSERT_EQ(-ENOTTY, do_ioctl(self->fd,
					    _IOW(DMA_BUF_BASE, nr, sync),
					    &sync)) {
			TH_LOG("number %u", nr);
		}
	}
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IOW('B', 0, sync), &sync));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IOR(DMA_BUF_BASE, 0, sync),
				    &sync));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IOW(DMA_BUF_BASE, 0, __u32),
				    &sync));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, DMA_HEAP_IOCTL_ALLOC, &sync));
}

/* R09: the number was made from a pointer's size, so there are three of it */
TEST_F(file, name_by_every_number)
{
	static const unsigned long numbers[] = {
		DMA_BUF_SET_NAME, DMA_BUF_SET_NAME_A, DMA_BUF_SET_NAME_B,
	};
	char name[64], wanted[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(wanted, sizeof(wanted), "number-%zu", i);
		EXPECT_EQ(0, do_ioctl(self->fd, numbers[i], wanted));
		ASSERT_EQ(0, fdinfo_field(self->fd, "name", name,
					  sizeof(name)));
		EXPECT_STREQ(wanted, name);
	}
}

TEST_F(file, name_length)
{
	char name[DMA_BUF_NAME_LEN + 1], seen[64];

	memset(name, 'n', sizeof(name));
	name[DMA_BUF_NAME_LEN] = '\0';
	EXPECT_EQ(-EINVAL, buf_set_name(self->fd, name));
	EXPECT_EQ(-ENOENT, fdinfo_field(self->fd, "name", seen, sizeof(seen)));

	name[DMA_BUF_NAME_LEN - 1] = '\0';
	EXPECT_EQ(0, buf_set_name(self->fd, name));
	ASSERT_EQ(0, fdinfo_field(self->fd, "name", seen, sizeof(seen)));
	EXPECT_STREQ(name, seen);
}

TEST_F(file, name_stays_when_the_next_is_bad)
{
	char seen[64], *area, *end;

	area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)area);
	end = area + PAGE;
	memset(area, 'x', PAGE);
	ASSERT_EQ(0, mprotect(end, PAGE, PROT_NONE));

	ASSERT_EQ(0, buf_set_name(self->fd, "first"));
	EXPECT_EQ(-EFAULT, buf_set_name(self->fd, NULL));
	EXPECT_EQ(-EFAULT, buf_set_name(self->fd, end));
	/* Runs into the bad page before it ends */
	EXPECT_EQ(-EFAULT, buf_set_name(self->fd, end - 5));
	EXPECT_EQ(-EINVAL, buf_set_name(self->fd, area));
	ASSERT_EQ(0, fdinfo_field(self->fd, "name", seen, sizeof(seen)));
	EXPECT_STREQ("first", seen);

	/* Ends right before the bad page */
	end[-1] = '\0';
	EXPECT_EQ(0, buf_set_name(self->fd, end - 6));
	ASSERT_EQ(0, fdinfo_field(self->fd, "name", seen, sizeof(seen)));
	EXPECT_STREQ("xxxxx", seen);
	munmap(area, 2 * PAGE);
}

/* Whether a line of /proc/self/maps ends in this */
static bool in_maps(const char *end)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[LINE_LEN];
	bool found = false;

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, end);

		found |= at && at[strlen(end)] == '\n';
	}
	if (file)
		fclose(file);
	return found;
}

TEST_F(file, name_in_proc)
{
	void *addr = buf_map(self->fd, PAGE);
	char link[128];

	ASSERT_NE(NULL, addr);
	ASSERT_EQ(0, fd_link(self->fd, link, sizeof(link)));
	EXPECT_STREQ("/dmabuf:", link);
	EXPECT_TRUE(in_maps(" /dmabuf:"));

	ASSERT_EQ(0, buf_set_name(self->fd, "seen-in-proc"));
	ASSERT_EQ(0, fd_link(self->fd, link, sizeof(link)));
	EXPECT_STREQ("/dmabuf:seen-in-proc", link);
	EXPECT_TRUE(in_maps(" /dmabuf:seen-in-proc"));

	ASSERT_EQ(0, buf_set_name(self->fd, "renamed"));
	ASSERT_EQ(0, fd_link(self->fd, link, sizeof(link)));
	EXPECT_STREQ("/dmabuf:renamed", link);
	EXPECT_TRUE(in_maps(" /dmabuf:renamed"));
	EXPECT_FALSE(in_maps(" /dmabuf:seen-in-proc"));
	munmap(addr, PAGE);
}

TEST_F(file, fdinfo_lines)
{
	char path[64], text[LINE_LEN], wanted[LINE_LEN], *at;

	ASSERT_EQ(0, buf_set_name(self->fd, "info"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	ASSERT_LT(0, read_file(path, text, sizeof(text)));
	snprintf(wanted, sizeof(wanted),
		 "size:\t%zu\ncount:\t1\nexp_name:\t%s\nname:\tinfo\n",
		 self->len, HEAP_SYSTEM);
	at = strstr(text, "size:");
	ASSERT_NE(NULL, at);
	EXPECT_STREQ(wanted, at);
	EXPECT_TRUE(at > text && at[-1] == '\n');
}

/* Every way to hold the file counts once; the reader of fdinfo does not */
TEST_F(file, fdinfo_count)
{
	int copy, go[2];
	void *addr;
	pid_t pid;

	EXPECT_EQ(1, fdinfo_number(self->fd, "count"));
	copy = dup(self->fd);
	EXPECT_EQ(2, fdinfo_number(self->fd, "count"));
	addr = buf_map(self->fd, PAGE);
	EXPECT_EQ(3, fdinfo_number(copy, "count"));
	close(copy);
	EXPECT_EQ(2, fdinfo_number(self->fd, "count"));

	/* The child has both: its table and its mapping */
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		char byte;

		close(go[1]);
		_exit(read(go[0], &byte, 1) != 0);
	}
	EXPECT_EQ(4, fdinfo_number(self->fd, "count"));
	close(go[0]);
	close(go[1]);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(2, fdinfo_number(self->fd, "count"));
	munmap(addr, PAGE);
	EXPECT_EQ(1, fdinfo_number(self->fd, "count"));
}

TEST_F(file, sysfs_statistics)
{
	unsigned long inode = fd_inode(self->fd);
	char path[128], text[64];

	ASSERT_TRUE(stats_present(inode));
	snprintf(path, sizeof(path), STATS_DIR "/%lu/exporter_name", inode);
	ASSERT_LT(0, read_file(path, text, sizeof(text)));
	EXPECT_STREQ(HEAP_SYSTEM "\n", text);
	snprintf(path, sizeof(path), STATS_DIR "/%lu/size", inode);
	EXPECT_EQ((long)self->len, read_number(path));
	close(self->fd);
	self->fd = -1;
	EXPECT_FALSE(stats_present(inode));
}

TEST_F(file, bufinfo_row)
{
	char line[LINE_LEN], exporter[64], name[64];
	unsigned long inode = fd_inode(self->fd), size, count;
	unsigned int flags, mode;
	int columns;

	ASSERT_EQ(0, buf_set_name(self->fd, "row-of-bufinfo"));
	ASSERT_EQ(0, bufinfo_line(inode, line, sizeof(line)));
	columns = sscanf(line, "%lu %x %x %lu %63s %*u %63s", &size, &flags,
			 &mode, &count, exporter, name);
	ASSERT_EQ(6, columns) TH_LOG("%s", line);
	EXPECT_EQ(self->len, size);
	EXPECT_EQ((unsigned int)O_RDWR, flags & O_ACCMODE);
	EXPECT_NE(0, mode);
	EXPECT_EQ(1, count);
	EXPECT_STREQ(HEAP_SYSTEM, exporter);
	EXPECT_STREQ("row-of-bufinfo", name);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-ENOENT, bufinfo_line(inode, line, sizeof(line)));
}

/* The last lines of bufinfo sum up what is above them */
TEST_F(file, bufinfo_total)
{
	unsigned long objects, bytes, rows = 0, size, sum = 0, totals = 0;
	char line[LINE_LEN];
	FILE *file = fopen(BUFINFO, "re");

	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lu %*x %*x %*u %*s %*u", &size) == 1 &&
		    strspn(line, "0123456789") >= 8) {
			rows++;
			sum += size;
		}
		if (sscanf(line, "Total %lu objects, %lu bytes", &objects,
			   &bytes) != 2)
			continue;
		totals++;
		EXPECT_EQ(rows, objects);
		EXPECT_EQ(sum, bytes);
	}
	fclose(file);
	EXPECT_LE(1, rows);
	EXPECT_EQ(1, totals);
}

TEST_F(file, export_sync_file_flags)
{
	static const __u32 good[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE,
				      DMA_BUF_SYNC_RW };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		int fence = buf_get_fence(self->fd, good[i]);

		ASSERT_LE(0, fence) TH_LOG("flags %#x", good[i]);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fence, F_GETFD));
		EXPECT_EQ(1, fence_status(fence));
		close(fence);
	}
	EXPECT_EQ(-EINVAL, buf_get_fence(self->fd, 0));
	for (i = 2; i < 32; i++) {
		EXPECT_EQ(-EINVAL, buf_get_fence(self->fd,
						 DMA_BUF_SYNC_READ | 1U << i)) {
			TH_LOG("bit %zu", i);
		}
	}
}

/* The descriptor is only there once its number has been told */
TEST_F(file, export_sync_file_faults)
{
	struct dma_buf_export_sync_file *arg;
	struct fd_table before;
	int i;

	arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)arg);
	arg->flags = DMA_BUF_SYNC_READ;
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	fd_table_read(&before);
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(-EFAULT, do_ioctl(self->fd,
					    DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
					    arg));
		EXPECT_EQ(-EFAULT, do_ioctl(self->fd,
					    DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
					    NULL));
	}
	EXPECT_TRUE(fd_table_same(&before));
	munmap(arg, PAGE);
}

/* R08: no room for the descriptor of the fence */
TEST_F(file, export_sync_file_table_full)
{
	struct fd_table before;
	struct rlimit old;
	int ret;

	fd_table_read(&before);
	fd_limit_full(&old);
	ret = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	fd_limit_restore(&old);
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_TRUE(fd_table_same(&before));
}

TEST_F(file, import_sync_file_bad)
{
	int fence = buf_get_fence(self->fd, DMA_BUF_SYNC_READ);
	int memfd = memfd_create("not-a-fence", MFD_CLOEXEC);
	int i;

	ASSERT_LE(0, fence);
	EXPECT_EQ(0, buf_add_fence(self->fd, DMA_BUF_SYNC_READ, fence));
	EXPECT_EQ(0, buf_add_fence(self->fd, DMA_BUF_SYNC_RW, fence));
	EXPECT_EQ(-EINVAL, buf_add_fence(self->fd, 0, fence));
	for (i = 2; i < 32; i++) {
		EXPECT_EQ(-EINVAL, buf_add_fence(self->fd,
						 DMA_BUF_SYNC_READ | 1U << i,
						 fence)) {
			TH_LOG("bit %d", i);
		}
	}
	EXPECT_EQ(-EINVAL, buf_add_fence(self->fd, DMA_BUF_SYNC_READ, -1));
	EXPECT_EQ(-EINVAL, buf_add_fence(self->fd, DMA_BUF_SYNC_READ, memfd));
	EXPECT_EQ(-EINVAL, buf_add_fence(self->fd, DMA_BUF_SYNC_READ,
					 self->fd));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
				    NULL));
	close(memfd);
	close(fence);
}

TEST_HARNESS_MAIN
