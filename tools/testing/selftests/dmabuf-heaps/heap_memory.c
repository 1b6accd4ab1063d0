// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory behind a heap buffer: how much it is, that it is zero whoever had
 * it before, that a region's pages lie side by side, that it comes back, and
 * what happens to a request that is too large or whose process is killed.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/elf.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

#define NOT_TRACED	LONG_MIN
/* A refusal at once allocates no more than ordinary work does meanwhile */
#define AT_ONCE_PAGES	4096

static __u64 ram_bytes(void)
{
	return table_number("/proc/meminfo", "MemTotal") * KIB;
}

static __u64 region_bytes(void)
{
	return cma_region_number("count") * PAGE;
}

static long oom_kills(void)
{
	return table_number("/proc/vmstat", "oom_kill");
}

TEST_F(heap, sizes)
{
	static const size_t sizes[] = {
		1, 4095, 4096, 4097, 65537, 2 * MIB, 3840 * 2160 * 3 / 2,
		16 * MIB + 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t len = (sizes[i] + PAGE - 1) / PAGE * PAGE;
		int fd = heap_alloc(self->fd, sizes[i]);
		struct stat st;
		char *addr;

		ASSERT_LE(0, fd) TH_LOG("%zu bytes", sizes[i]);
		EXPECT_EQ((off_t)len, lseek(fd, 0, SEEK_END));
		EXPECT_EQ(0, fstat(fd, &st));
		EXPECT_EQ((off_t)len, st.st_size);
		EXPECT_EQ((long)len, fdinfo_number(fd, "size"));
		addr = buf_map(fd, len);
		ASSERT_NE(NULL, addr);
		EXPECT_TRUE(all_zero(addr, PAGE));
		EXPECT_TRUE(all_zero(addr + len - PAGE, PAGE));
		EXPECT_EQ(0, probe_write(addr + len - 1));
		munmap(addr, len);
		EXPECT_EQ(NULL, buf_map(fd, len + PAGE));
		close(fd);
	}
}

/*
 * Two thirds of a region cannot be had twice without meeting again. The system
 * heap gets its pages back from where it has just put them.
 */
TEST_F_TIMEOUT(heap, zeroed_after_reuse, 120)
{
	bool cma = !strcmp(variant->name, HEAP_CMA);
	size_t len = cma ? region_bytes() / 3 * 2 / PAGE * PAGE : 16 * MIB;
	int round;

	for (round = 0; round < 3; round++) {
		int fd = heap_alloc(self->fd, len);
		void *addr;

		ASSERT_LE(0, fd);
		addr = buf_map(fd, len);
		ASSERT_NE(NULL, addr);
		EXPECT_TRUE(all_zero(addr, len)) TH_LOG("round %d", round);
		memset(addr, 0xdb, len);
		munmap(addr, len);
		close(fd);
	}
}

TEST_F(heap, comes_back)
{
	enum { COUNT = 16 };
	const long pages = 2 * MIB / PAGE;
	int fds[COUNT], i;
	long taken;

	for (i = 0; i < COUNT; i++) {
		fds[i] = heap_alloc(self->fd, 2 * MIB);
		ASSERT_LE(0, fds[i]);
	}
	/* The meter that says "back", to within 4 MiB, must have seen it go */
	taken = heap_pages_used(variant->name) - self->mark.pages;
	EXPECT_LE(COUNT * pages * 7 / 8, taken);
	EXPECT_TRUE(strcmp(variant->name, HEAP_CMA) || taken == COUNT * pages);
	EXPECT_EQ(self->mark.buffers + COUNT, buffers_live());
	for (i = 0; i < COUNT; i++)
		close(fds[i]);
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* R16: what can never fit is refused at once and costs nobody's life */
TEST_F(heap, more_than_there_is)
{
	const struct {
		__u64 len;
		int other;
	} rows[] = {
		{ 2 * ram_bytes(), -ENOMEM },
		{ 1ULL << 40, -ENOMEM },
		{ 1ULL << 62, -ENOMEM },
		/* Does not wrap, and is no size a file could have */
		{ -1ULL - 4096, -EINVAL },
	};
	long kills = oom_kills(), pages = vmstat_sum("pgalloc_");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret = heap_alloc(self->fd, rows[i].len);
		/* What is no size to a 32-bit kernel */
		int other = rows[i].len > SIZE_MAX ? -EINVAL : rows[i].other;

		EXPECT_TRUE(ret == -ENOMEM || ret == other) {
			TH_LOG("%#llx bytes: %d", rows[i].len, ret);
		}
	}
	EXPECT_GT(AT_ONCE_PAGES, vmstat_sum("pgalloc_") - pages);
	EXPECT_EQ(kills, oom_kills());
}

/*
 * R16: as much as the machine has cannot fit either, since the kernel itself
 * is in there, whether or not the heap notices that beforehand.
 */
TEST_F_TIMEOUT(heap, all_there_is, 120)
{
	long kills = oom_kills();

	EXPECT_EQ(-ENOMEM, heap_alloc(self->fd, ram_bytes()));
	EXPECT_EQ(kills, oom_kills());
}

TEST(region_is_the_limit)
{
	long kills = oom_kills(), pages = vmstat_sum("pgalloc_");
	int heap = heap_open(HEAP_CMA);

	ASSERT_LE(0, heap);
	EXPECT_EQ(-ENOMEM, heap_alloc(heap, region_bytes() + 1));
	EXPECT_GT(AT_ONCE_PAGES, vmstat_sum("pgalloc_") - pages);
	EXPECT_EQ(kills, oom_kills());
	close(heap);
}

TEST(region_filled_and_emptied)
{
	enum { LEN = 4 * MIB, MOST = 256 };
	int heap = heap_open(HEAP_CMA), fds[MOST], count, fd, i;
	struct heap_mark mark;

	ASSERT_LE(0, heap);
	heap_mark_take(&mark, HEAP_CMA);
	for (count = 0; count < MOST; count++) {
		fds[count] = heap_alloc(heap, LEN);
		if (fds[count] < 0)
			break;
	}
	ASSERT_LT(2, count);
	ASSERT_GT(MOST, count);
	EXPECT_EQ(-ENOMEM, fds[count]);

	/* Room for one again when one has gone, in the middle too */
	close(fds[count / 2]);
	fds[count / 2] = heap_alloc(heap, LEN);
	EXPECT_LE(0, fds[count / 2]);
	for (i = 0; i < count; i++)
		close(fds[i]);
	EXPECT_TRUE(heap_mark_back(&mark));
	fd = heap_alloc(heap, region_bytes() / 2);
	EXPECT_LE(0, fd);
	close(fd);
	close(heap);
}

#if __SIZEOF_LONG__ == 8
#define kcore_hdr	elf64_hdr
#define kcore_phdr	elf64_phdr
#else
#define kcore_hdr	elf32_hdr
#define kcore_phdr	elf32_phdr
#endif

/* Where /proc/kcore, laid out by its program headers, has this byte of RAM */
static off_t kcore_position(int kcore, __u64 phys)
{
	struct kcore_hdr ehdr;
	struct kcore_phdr phdr;
	int i;

	if (pread(kcore, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return -1;
	for (i = 0; i < ehdr.e_phnum; i++) {
		if (pread(kcore, &phdr, sizeof(phdr),
			  ehdr.e_phoff + i * sizeof(phdr)) != sizeof(phdr))
			return -1;
		if (phdr.p_type == PT_LOAD && phys >= phdr.p_paddr &&
		    phys - phdr.p_paddr < phdr.p_memsz)
			return phdr.p_offset + (phys - phdr.p_paddr);
	}
	return -1;
}

struct page_tag {
	__u64 magic, index;
};

/* Fills frames[index] with the frame that holds the page tagged so */
static int find_tagged(__u64 magic, long *frames, size_t pages)
{
	long first = cma_region_number("base_pfn");
	long count = cma_region_number("count"), i;
	int kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	off_t start = kcore_position(kcore, first * PAGE);
	struct page_tag tag;
	int found = 0;

	for (i = 0; start >= 0 && i < count; i++) {
		if (pread(kcore, &tag, sizeof(tag), start + i * PAGE) !=
		    sizeof(tag))
			break;
		if (tag.magic != magic || tag.index >= pages)
			continue;
		frames[tag.index] = first + i;
		found++;
	}
	close(kcore);
	return found;
}

/*
 * A mapping of bare frames says nothing in pagemap, so each page is tagged
 * through the mapping and looked for in physical memory.
 */
TEST(region_pages_are_contiguous)
{
	enum { PAGES = 1027 };
	size_t len = PAGES * PAGE;
	int fd = heap_buffer(HEAP_CMA, len);
	long frames[PAGES] = { 0 };
	__u64 magic;
	char *addr;
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(magic), getrandom(&magic, sizeof(magic), 0));
	addr = buf_map(fd, len);
	ASSERT_NE(NULL, addr);
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	for (i = 0; i < PAGES; i++)
		*(struct page_tag *)(addr + i * PAGE) =
			(struct page_tag) { magic, i };
	EXPECT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(PAGES, find_tagged(magic, frames, PAGES));
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(frames[0] + i, frames[i]) {
			TH_LOG("page %d", i);
		}
	}
	memset(addr, 0, len);
	munmap(addr, len);
	close(fd);
}

/* Pages in buffers: what is kept of former ones does not count */
static long region_pages(void)
{
	long held = table_number("/sys/kernel/debug/dma_heap/" HEAP_CMA, "held");
	long used = cma_region_number("used");

	/* without a pool there is no such table, but an errno */
	if (held > 0)
		used -= held;
	return used;
}

/*
 * A node of the region's own name is older than default_cma_region. Kernels
 * without CONFIG_DMABUF_HEAPS_CMA_LEGACY do not have it: NO_CMA_LEGACY in the
 * environment says so.
 */
TEST(region_has_two_names)
{
	long pages = region_pages();
	const char *old = cma_region_name();
	char name[64];
	int fds[2];

	ASSERT_NE(NULL, old);
	if (getenv("NO_CMA_LEGACY")) {
		EXPECT_EQ(-ENOENT, heap_open(old));
		return;
	}
	fds[0] = heap_buffer(HEAP_CMA, MIB);
	ASSERT_LE(0, fds[0]);
	EXPECT_EQ(pages + (long)(MIB / PAGE), region_pages());
	fds[1] = heap_buffer(old, 2 * MIB);
	ASSERT_LE(0, fds[1]);
	EXPECT_EQ(pages + (long)(3 * MIB / PAGE), region_pages());
	EXPECT_EQ(0, fdinfo_field(fds[0], "exp_name", name, sizeof(name)));
	EXPECT_STREQ(HEAP_CMA, name);
	EXPECT_EQ(0, fdinfo_field(fds[1], "exp_name", name, sizeof(name)));
	EXPECT_STREQ(old, name);
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(pages, region_pages());
}

/* Record what system calls of this process return */
static int trace_returns(pid_t pid)
{
	char text[16];
	int ret;

	snprintf(text, sizeof(text), "%d", pid);
	ret = trace_set("trace", "");
	if (!ret)
		ret = trace_set("set_event_pid", text);
	if (!ret)
		ret = trace_set("events/raw_syscalls/sys_exit/enable", "1");
	return ret;
}

/* What its last ioctl() returned: nobody else hears it from the killed */
static long traced_ioctl(void)
{
	FILE *file = fopen(TRACE_DIR "/trace", "re");
	char line[LINE_LEN], key[32];
	long value = NOT_TRACED;

	snprintf(key, sizeof(key), "sys_exit: NR %d = ", SYS_ioctl);
	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, key);

		if (at)
			value = strtol(at + strlen(key), NULL, 10);
	}
	if (file)
		fclose(file);
	return value;
}

/*
 * One allocation of a child, killed once its memory starts to go. Returns what
 * the ioctl answered, 0 when it was through before the signal.
 */
static long kill_allocation(const char *name, int heap, size_t len)
{
	long from, more = strcmp(name, HEAP_CMA) ? 4096 : 1;
	int go[2], ret, status;
	pid_t pid;

	if (pipe(go))
		return -errno;
	pid = fork();
	if (!pid) {
		char byte;

		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			heap_alloc(heap, len);
		_exit(0);
	}
	close(go[0]);
	ret = trace_returns(pid);
	from = heap_pages_used(name);
	if (!ret && write(go[1], "", 1) != 1)
		ret = -EIO;
	close(go[1]);
	while (!ret && heap_pages_used(name) < from + more) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return traced_ioctl();
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ret ? ret : traced_ioctl();
}

/*
 * R14: the same answer from every heap, early, with nothing left. An attempt
 * whose child was through already, or not yet there, is made again.
 */
TEST_F_TIMEOUT(heap, killed_while_allocating, 240)
{
	long kills = oom_kills(), ret = 0;
	size_t len;
	int i;

	if (!strcmp(variant->name, HEAP_CMA))
		len = region_bytes() / 4 * 3;
	else
		len = table_number("/proc/meminfo", "MemFree") / 2 * KIB;
	ASSERT_EQ(0, trace_begin(64));
	for (i = 0; i < 25 && (!ret || ret == NOT_TRACED); i++)
		ret = kill_allocation(variant->name, self->fd, len);
	EXPECT_EQ(-EINTR, ret) TH_LOG("after %d attempts", i);
	EXPECT_EQ(0, trace_set("events/raw_syscalls/sys_exit/enable", "0"));
	EXPECT_EQ(0, trace_end());
	EXPECT_EQ(kills, oom_kills());
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* R14: killed at no particular place of allocating and freeing */
TEST_F_TIMEOUT(heap, killed_anywhere, 120)
{
	long kills = oom_kills();
	int i;

	for (i = 0; i < 24; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (;;)
				close(heap_alloc(self->fd, 4 * MIB));
		}
		ASSERT_LT(0, pid);
		sleep_ms(1 + i);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, child_status(pid));
	}
	EXPECT_EQ(kills, oom_kills());
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

TEST_HARNESS_MAIN
