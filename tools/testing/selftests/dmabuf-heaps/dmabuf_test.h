/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this directory share: making buffers, and looking at
 * the machine from outside (proc, sysfs, debugfs) to see what a call left
 * behind. Nothing here decides whether a test passes: functions return what
 * they saw, and an error as -errno.
 */
#ifndef DMABUF_TEST_H
#define DMABUF_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#define HEAP_SYSTEM	"system"
#define HEAP_CMA	"default_cma_region"

#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define PAGE		((size_t)sysconf(_SC_PAGESIZE))

#define LINE_LEN	512
#define STATS_DIR	"/sys/kernel/dmabuf/buffers"
#define TRACE_DIR	"/sys/kernel/tracing/instances/dmabuf_test"
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

/* Calls that answer -errno, so that a table of expected errors reads well */
int do_ioctl(int fd, unsigned long cmd, void *arg);
int heap_open(const char *name);
int heap_alloc_ioctl(int heap, struct dma_heap_allocation_data *data);
int heap_alloc(int heap, __u64 len);
int heap_buffer(const char *name, __u64 len);
int buf_sync(int fd, __u64 flags);
int buf_set_name(int fd, const char *name);

/* Mappings: NULL when refused; probes give 0 or the signal that came */
void *buf_map(int fd, size_t len);
int probe_read(const void *addr);
int probe_write(void *addr);
void fill_words(void *addr, size_t len, __u64 seed);
size_t check_words(const void *addr, size_t len, __u64 seed);
bool all_zero(const void *addr, size_t len);

/* Numbers the kernel shows; -errno when they are not there */
long read_number(const char *path);
ssize_t read_file(const char *path, char *text, size_t size);
long table_number(const char *path, const char *key);
int write_text(const char *path, const char *text);
long vmstat_sum(const char *prefix);
long heap_pages_used(const char *heap);
int heap_pool_drain(void);
bool heap_pool_emptied(const char *pool);
long buffers_live(void);
const char *cma_region_name(void);
long cma_number(const char *region, const char *file);
long cma_region_number(const char *file);

/* What one buffer looks like from outside */
int fdinfo_field(int fd, const char *key, char *value, size_t size);
long fdinfo_number(int fd, const char *key);
unsigned long fd_inode(int fd);
int fd_link(int fd, char *text, size_t size);
int bufinfo_line(unsigned long inode, char *line, size_t size);
bool stats_present(unsigned long inode);

/**
 * struct fd_table - the open descriptors of this process, as text
 * @text: one line per descriptor: its number and what it points to
 */
struct fd_table {
	char text[8192];
};

void fd_table_read(struct fd_table *table);
bool fd_table_same(const struct fd_table *table);
void fd_limit_full(struct rlimit *old);
void fd_limit_restore(const struct rlimit *old);

/**
 * struct heap_mark - what was in use at one moment
 * @heap: name of the heap whose memory is watched
 * @buffers: live dma-bufs in the whole system
 * @pages: pages taken from that heap's kind of memory
 * @timelines: live timelines of sw_sync, each kept by its fences
 */
struct heap_mark {
	const char *heap;
	long buffers;
	long pages;
	long timelines;
};

void heap_mark_take(struct heap_mark *mark, const char *heap);
bool heap_mark_back(const struct heap_mark *mark);
const char *others_at_work(void);

/* sw_sync of debugfs: fences that signal when a test says so */
int timeline_open(void);
int timeline_fence(int timeline, unsigned int value);
long timelines_live(void);
int timeline_advance(int timeline, unsigned int by);
int buf_add_fence(int fd, __u32 usage, int fence);
int buf_get_fence(int fd, __u32 usage);
int fence_status(int fence);
int fence_merge(int one, int other);

/* vgem, the importer and exporter that needs no hardware */
int vgem_open(void);
int vgem_import(int vgem, int fd, __u32 *handle);
int vgem_export(int vgem, __u32 handle);
int vgem_close(int vgem, __u32 handle);

/* A trace buffer of its own, with no event enabled in it so far */
int trace_begin(unsigned int kib_per_cpu);
int trace_set(const char *file, const char *text);
int trace_end(void);

/* Processes and time */
long long now_ms(void);
void sleep_ms(unsigned int ms);
int child_status(pid_t pid);
bool child_sleeps(pid_t pid);
int send_fd(int sock, int fd);
int recv_fd(int sock);

#endif /* DMABUF_TEST_H */
