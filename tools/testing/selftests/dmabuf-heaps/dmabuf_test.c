// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers and the machine around them, for the programs of this directory:
 * see dmabuf_test.h. Fences, vgem and processes are in dmabuf_peer.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kselftest.h"
#include "dmabuf_test.h"

#define CMA_DEBUGFS	"/sys/kernel/debug/cma"
/* What the rest of the system may take while a test runs */
#define SLACK_PAGES	(4 * MIB / PAGE)
#define SETTLE_MS	5000
#define FD_SEEN_MAX	256

int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int heap_open(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int heap_alloc_ioctl(int heap, struct dma_heap_allocation_data *data)
{
	return do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, data);
}

int heap_alloc(int heap, __u64 len)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int ret = heap_alloc_ioctl(heap, &data);

	return ret < 0 ? ret : (int)data.fd;
}

int heap_buffer(const char *name, __u64 len)
{
	int heap = heap_open(name);
	int fd;

	if (heap < 0)
		return heap;
	fd = heap_alloc(heap, len);
	close(heap);
	return fd;
}

int buf_sync(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return do_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int buf_set_name(int fd, const char *name)
{
	return do_ioctl(fd, DMA_BUF_SET_NAME, (void *)name);
}

void *buf_map(int fd, size_t len)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return addr == MAP_FAILED ? NULL : addr;
}

static sigjmp_buf probe_env;

static void probe_signal(int sig)
{
	siglongjmp(probe_env, sig);
}

static int probe(unsigned char *addr, bool write)
{
	static unsigned char seen;
	struct sigaction act = { .sa_handler = probe_signal };
	struct sigaction segv, bus;
	int sig;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	sig = sigsetjmp(probe_env, 1);
	if (!sig) {
		seen = __atomic_load_n(addr, __ATOMIC_SEQ_CST);
		if (write)
			__atomic_store_n(addr, seen, __ATOMIC_SEQ_CST);
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}

int probe_read(const void *addr)
{
	return probe((void *)addr, false);
}

int probe_write(void *addr)
{
	return probe(addr, true);
}

/* Every word differs from its neighbours and from those of another seed */
static __u64 word(__u64 seed, size_t i)
{
	return (seed << 40) ^ (i + 1);
}

void fill_words(void *addr, size_t len, __u64 seed)
{
	__u64 *words = addr;
	size_t i;

	for (i = 0; i < len / sizeof(*words); i++)
		words[i] = word(seed, i);
}

/* Number of words that are not what fill_words() wrote with this seed */
size_t check_words(const void *addr, size_t len, __u64 seed)
{
	const __u64 *words = addr;
	size_t i, wrong = 0;

	for (i = 0; i < len / sizeof(*words); i++)
		wrong += words[i] != word(seed, i);
	return wrong;
}

bool all_zero(const void *addr, size_t len)
{
	const __u64 *words = addr;
	__u64 seen = 0;
	size_t i;

	for (i = 0; i < len / sizeof(*words); i++)
		seen |= words[i];
	return !seen;
}

/* The whole file, cut at size - 1, as a string; its length or -errno */
ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -errno;
	while (have < size - 1) {
		got = read(fd, text + have, size - 1 - have);
		if (got <= 0)
			break;
		have += got;
	}
	if (got < 0)
		got = -errno;
	close(fd);
	text[have] = '\0';
	return got < 0 ? got : (ssize_t)have;
}

/* In one write(); 0 or -errno */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

long read_number(const char *path)
{
	char text[64];
	ssize_t len = read_file(path, text, sizeof(text));

	return len < 0 ? len : strtol(text, NULL, 10);
}

/* The number behind "key:" or "key " in /proc/meminfo and its like */
long table_number(const char *path, const char *key)
{
	char line[LINE_LEN];
	size_t len = strlen(key);
	long value = -ENOENT;
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || !strchr(": \t", line[len]))
			continue;
		value = strtol(line + len + 1, NULL, 10);
		break;
	}
	fclose(file);
	return value;
}

/* Counters of /proc/vmstat are kept per zone: pgalloc_dma32, pgalloc_normal */
long vmstat_sum(const char *prefix)
{
	char line[LINE_LEN];
	FILE *file = fopen("/proc/vmstat", "re");
	long sum = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, prefix, strlen(prefix)))
			sum += strtol(strchr(line, ' '), NULL, 10);
	}
	fclose(file);
	return sum;
}

/* The default region's own name, which differs by platform */
const char *cma_region_name(void)
{
	static const char * const names[] = {
		"reserved", "linux,cma", "default-pool",
	};
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), CMA_DEBUGFS "/%s", names[i]);
		if (!access(path, F_OK))
			return names[i];
	}
	return NULL;
}

/* A file of a region's directory in debugfs */
long cma_number(const char *region, const char *file)
{
	char path[256];

	if (!region)
		return -ENOENT;
	snprintf(path, sizeof(path), CMA_DEBUGFS "/%s/%s", region, file);
	return read_number(path);
}

/* The same of the default region */
long cma_region_number(const char *file)
{
	return cma_number(cma_region_name(), file);
}

/*
 * Have the pools of the heaps give back the pages of former buffers, as they
 * do when others need memory. 4: say nothing in the kernel's log, 2: whatever
 * has a shrinker.
 */
int heap_pool_drain(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, "4", 1, 0) != 1 || pwrite(fd, "2", 1, 0) != 1)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * True once nothing is left in a pool, by its file in debugfs, nor is any of it
 * being zeroed, which cannot be given back meanwhile.
 */
bool heap_pool_emptied(const char *pool)
{
	long long until = now_ms() + 2 * SETTLE_MS;

	do {
		if (heap_pool_drain())
			return false;
	} while (table_number(pool, "held") && now_ms() < until);
	return !table_number(pool, "held");
}

static bool heap_is_cma(const char *heap)
{
	return strcmp(heap, HEAP_SYSTEM) != 0;
}

/*
 * Pages of a region that are taken, or pages that were ever allocated less
 * those ever freed and those of the slab allocator. The latter is only good for
 * differences, and pages in the pool of the heap are among them; MemFree does
 * not count the free pages in the lists that each CPU keeps, which may be many,
 * and KASAN keeps freed objects back for a long time.
 */
long heap_pages_used(const char *heap)
{
	if (!strcmp(heap, HEAP_CMA))
		return cma_region_number("used");
	/* Other heaps have the names of their regions */
	if (heap_is_cma(heap))
		return cma_number(heap, "used");
	return vmstat_sum("pgalloc_") - vmstat_sum("pgfree") -
	       vmstat_sum("nr_slab_");
}

long buffers_live(void)
{
	struct dirent *entry;
	long count = 0;
	DIR *dir = opendir(STATS_DIR);

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/*
 * The name of this process among several, or NULL. If there are others, memory
 * may be short, what the machine has in use says nothing of this one alone, and
 * who has started them looks at it.
 */
const char *others_at_work(void)
{
	return getenv("OTHERS_AT_WORK");
}

void heap_mark_take(struct heap_mark *mark, const char *heap)
{
	/* Pages in a pool would count as used, or as back once it gives them back */
	heap_pool_drain();
	mark->heap = heap;
	mark->buffers = buffers_live();
	mark->pages = heap_pages_used(heap);
	mark->timelines = timelines_live();
}

/*
 * True once there are no more buffers than at the mark, their pages are free
 * again, and the fences of timelines closed since are gone. A region counts its
 * own pages exactly; for pages of the system heap, what everybody else does
 * meanwhile is allowed for. Last references may go away in a work item, and the
 * pool may be zeroing a chunk, so look for a while.
 */
bool heap_mark_back(const struct heap_mark *mark)
{
	long slack = heap_is_cma(mark->heap) ? 0 : SLACK_PAGES;
	long long until = now_ms() + SETTLE_MS;
	long buffers = 0, pages = 0, timelines = 0;

	if (others_at_work())
		return true;
	do {
		if (heap_pool_drain())
			break;
		buffers = buffers_live();
		pages = heap_pages_used(mark->heap);
		timelines = timelines_live();
		if (buffers < 0 || timelines < 0 || (!slack && pages < 0))
			break;
		if (buffers <= mark->buffers && pages <= mark->pages + slack &&
		    timelines <= mark->timelines)
			return true;
		sleep_ms(20);
	} while (now_ms() < until);
	printf("# %s: buffers %ld -> %ld, pages %ld -> %ld\n", mark->heap,
	       mark->buffers, buffers, mark->pages, pages);
	printf("# timelines %ld -> %ld\n", mark->timelines, timelines);
	return false;
}

/* One line of /proc/self/fdinfo: "key:" TAB value; -ENOENT if there is none */
int fdinfo_field(int fd, const char *key, char *value, size_t size)
{
	char path[64], line[LINE_LEN];
	size_t len = strlen(key);
	int ret = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || strncmp(line + len, ":\t", 2))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%s", line + len + 2);
		ret = 0;
		break;
	}
	fclose(file);
	return ret;
}

/* The whole value must be a number; -EINVAL otherwise */
long fdinfo_number(int fd, const char *key)
{
	char value[64], *end;
	int ret = fdinfo_field(fd, key, value, sizeof(value));
	long number;

	if (ret)
		return ret;
	number = strtol(value, &end, 10);
	return end == value || *end ? -EINVAL : number;
}

unsigned long fd_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

int fd_link(int fd, char *text, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, text, size - 1);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	return 0;
}

/*
 * The line of bufinfo whose sixth column (size, flags, mode, count, exporter,
 * inode, name) is this inode; -ENOENT if there is none.
 */
int bufinfo_line(unsigned long inode, char *line, size_t size)
{
	FILE *file = fopen(BUFINFO, "re");
	unsigned long seen;
	int ret = -ENOENT;

	if (!file)
		return -errno;
	while (ret && fgets(line, size, file)) {
		if (sscanf(line, "%*u %*x %*x %*u %*s %lu", &seen) == 1 &&
		    seen == inode)
			ret = 0;
	}
	fclose(file);
	return ret;
}

bool stats_present(unsigned long inode)
{
	char path[128];

	snprintf(path, sizeof(path), STATS_DIR "/%lu", inode);
	return !access(path, F_OK);
}

void fd_table_read(struct fd_table *table)
{
	size_t have = 0;
	char link[128];
	int fd;

	table->text[0] = '\0';
	for (fd = 0; fd < FD_SEEN_MAX; fd++) {
		if (fcntl(fd, F_GETFD) < 0 || fd_link(fd, link, sizeof(link)))
			continue;
		if (have >= sizeof(table->text))
			break;
		have += snprintf(table->text + have,
				 sizeof(table->text) - have, "%d %s\n", fd,
				 link);
	}
}

bool fd_table_same(const struct fd_table *table)
{
	struct fd_table now;

	fd_table_read(&now);
	if (!strcmp(table->text, now.text))
		return true;
	printf("# descriptors were\n# %s# and are\n# %s", table->text,
	       now.text);
	return false;
}

/* After this the next descriptor would be one too many */
void fd_limit_full(struct rlimit *old)
{
	struct rlimit limit;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, old);
	limit = *old;
	limit.rlim_cur = next;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void fd_limit_restore(const struct rlimit *old)
{
	setrlimit(RLIMIT_NOFILE, old);
}
