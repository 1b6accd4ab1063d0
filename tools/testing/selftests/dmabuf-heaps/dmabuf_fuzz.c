// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call there is on heaps, dma-bufs and sync_files, with arguments that
 * may be wrong, in an order nobody thought of. What a call answers must be
 * documented; memory that comes from a heap must be zero, and a buffer must
 * have what was written to it last, and nobody else's data; at the end, all must
 * be back: memory, descriptors, fences.
 *
 * One thread does one thing after the other, so a seed repeats a run exactly.
 * What happens at the same time is up to dmabuf_race and dmabuf_stress.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "dmabuf_fuzz.h"

/* Many: a few seconds on an emulated machine. */
#define DEFAULT_OPS	20000

struct fuzz_buf bufs[SLOTS];

static int system_heap, cma_heap;

void put_content(struct content *content)
{
	if (content && !--content->users)
		free(content);
}

struct content *get_content(struct content *content)
{
	if (content)
		content->users++;
	return content;
}

void drop_buf(unsigned int i)
{
	if (bufs[i].fd < 0)
		return;
	close(bufs[i].fd);
	bufs[i].fd = -1;
	put_content(bufs[i].content);
	bufs[i].content = NULL;
}

unsigned int slot(struct fuzz *fuzz)
{
	return fuzz_pick(fuzz, SLOTS);
}

/* A buffer most often; nothing, a fence or a heap now and then. */
int some_fd(struct fuzz *fuzz)
{
	if (!fuzz_rarely(fuzz))
		return bufs[slot(fuzz)].fd;
	switch (fuzz_pick(fuzz, 4)) {
	case 0:
		return fences[slot(fuzz)];
	case 1:
		return some_timeline(fuzz);
	case 2:
		return system_heap;
	default:
		return (int)fuzz_number(fuzz);
	}
}

/* A slot that has a buffer, or -1. */
int some_buf(struct fuzz *fuzz)
{
	unsigned int i = slot(fuzz), n;

	for (n = 0; n < SLOTS; n++, i = (i + 1) % SLOTS)
		if (bufs[i].fd >= 0)
			return i;
	return -1;
}

/* A new buffer: zero throughout, and told from others by its first word. */
static void begin_content(struct fuzz *fuzz, unsigned int i, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 bufs[i].fd, 0);
	struct content *content;

	/* Not for writing: it was not looked at. */
	if (map == MAP_FAILED)
		return;
	if (!all_zero(map, size))
		fuzz->wrong = "memory of a new buffer is not zero";
	content = calloc(1, sizeof(*content));
	content->word = ((uint64_t)fuzz->nr << 32) | fuzz_random(fuzz) | 1;
	content->users = 1;
	content->size = size;
	memcpy(map, &content->word, sizeof(content->word));
	/* All of it is somebody else's data if it is seen elsewhere. */
	fill_words(map + sizeof(uint64_t), size - sizeof(uint64_t),
		   content->word);
	munmap(map, size);
	bufs[i].content = content;
}

static int op_alloc(struct fuzz *fuzz)
{
	static const __u32 modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY,
				       O_WRONLY };
	struct dma_heap_allocation_data data = {
		.len = 1 + fuzz_pick(fuzz, MAX_PAGES * PAGE),
		.fd_flags = modes[fuzz_pick(fuzz, ARRAY_SIZE(modes))],
	};
	int heap = fuzz_pick(fuzz, 4) ? system_heap : cma_heap;
	unsigned int i = slot(fuzz);
	void *arg = fuzz_pointer(fuzz, &data);
	bool plain = true;
	int ret;

	if (fuzz_pick(fuzz, 2))
		data.fd_flags |= O_CLOEXEC;
	if (fuzz_rarely(fuzz)) {
		plain = false;
		switch (fuzz_pick(fuzz, 4)) {
		case 0:
			data.len = fuzz_pick(fuzz, 2) ? 0 : -PAGE + 2;
			break;
		case 1:
			data.fd = fuzz_number(fuzz);
			break;
		case 2:
			data.fd_flags = fuzz_number(fuzz);
			break;
		default:
			data.heap_flags = fuzz_number(fuzz);
		}
	}
	ret = do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, arg);
	if (ret)
		return ret;
	drop_buf(i);
	bufs[i].fd = data.fd;
	if (plain)
		begin_content(fuzz, i, (data.len + PAGE - 1) / PAGE * PAGE);
	return 0;
}

static int op_alloc_size(struct fuzz *fuzz)
{
	unsigned long cmd = _IOC(fuzz_pick(fuzz, 4), 'H', fuzz_pick(fuzz, 3),
				 fuzz_pick(fuzz, 12));

	/* Never room for the descriptor, or never the number */
	return do_ioctl(system_heap, cmd, NULL);
}

static int op_close(struct fuzz *fuzz)
{
	drop_buf(slot(fuzz));
	return 0;
}

static int op_dup(struct fuzz *fuzz)
{
	int from = some_buf(fuzz);
	unsigned int to = slot(fuzz);
	int fd;

	if (from < 0 || to == (unsigned int)from)
		return 0;
	fd = fuzz_pick(fuzz, 2) ? dup(bufs[from].fd) :
				  fcntl(bufs[from].fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	drop_buf(to);
	bufs[to].fd = fd;
	bufs[to].content = get_content(bufs[from].content);
	return 0;
}

static int op_send(struct fuzz *fuzz)
{
	int from = some_buf(fuzz);
	int pair[2], fd, ret;

	if (from < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -errno;
	ret = send_fd(pair[0], bufs[from].fd);
	/* Or it stays in the socket, and goes with that. */
	fd = ret || fuzz_rarely(fuzz) ? ret : recv_fd(pair[1]);
	close(pair[0]);
	close(pair[1]);
	if (fd > 0)
		close(fd);
	return fd;
}

static int op_sync(struct fuzz *fuzz)
{
	struct dma_buf_sync sync = {
		.flags = fuzz_rarely(fuzz) ? fuzz_number(fuzz) :
					     fuzz_pick(fuzz, 8),
	};
	int fd = some_fd(fuzz);

	/* There is nobody to signal a fence while this waits */
	settle();
	return do_ioctl(fd, DMA_BUF_IOCTL_SYNC, fuzz_pointer(fuzz, &sync));
}

static int op_name(struct fuzz *fuzz)
{
	static const unsigned long cmds[] = { DMA_BUF_SET_NAME,
					      DMA_BUF_SET_NAME_A,
					      DMA_BUF_SET_NAME_B };
	char name[DMA_BUF_NAME_LEN + 3] = "";

	memset(name, 'a' + fuzz_pick(fuzz, 26),
	       fuzz_pick(fuzz, sizeof(name)));
	return do_ioctl(some_fd(fuzz), cmds[fuzz_pick(fuzz, ARRAY_SIZE(cmds))],
			fuzz_pointer(fuzz, name));
}

static __u32 usage(struct fuzz *fuzz)
{
	return fuzz_rarely(fuzz) ? fuzz_number(fuzz) : 1 + fuzz_pick(fuzz, 3);
}

static int op_export(struct fuzz *fuzz)
{
	struct dma_buf_export_sync_file arg = {
		.flags = usage(fuzz),
		.fd = fuzz_number(fuzz),
	};
	unsigned int i = slot(fuzz);
	int ret = do_ioctl(some_fd(fuzz), DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			   fuzz_pointer(fuzz, &arg));

	if (ret)
		return ret;
	drop_fence(i);
	fences[i] = arg.fd;
	return 0;
}

static int op_import(struct fuzz *fuzz)
{
	struct dma_buf_import_sync_file arg = {
		.flags = usage(fuzz),
		.fd = fuzz_rarely(fuzz) ? some_fd(fuzz) : fences[slot(fuzz)],
	};

	return do_ioctl(some_fd(fuzz), DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
			fuzz_pointer(fuzz, &arg));
}

static int op_unknown(struct fuzz *fuzz)
{
	unsigned int nr = 4 + fuzz_pick(fuzz, 252);
	int i = some_buf(fuzz);
	int ret;

	if (i < 0)
		return 0;
	ret = do_ioctl(bufs[i].fd, _IOC(fuzz_pick(fuzz, 4), 'b', nr,
					fuzz_pick(fuzz, 64)), NULL);
	if (ret != -ENOTTY)
		fuzz->wrong = "an ioctl that is none is not ENOTTY";
	return ret;
}

static int op_seek(struct fuzz *fuzz)
{
	off_t offset = fuzz_rarely(fuzz) ? fuzz_number(fuzz) : 0;
	int i = some_buf(fuzz);
	off_t at;

	if (i < 0)
		return 0;
	at = lseek(bufs[i].fd, offset, fuzz_pick(fuzz, 6));
	if (at < 0)
		return -errno;
	if (at && bufs[i].content && (size_t)at != bufs[i].content->size)
		fuzz->wrong = "the size of a buffer has changed";
	return 0;
}

static int op_file(struct fuzz *fuzz)
{
	int i = some_buf(fuzz);
	char c = 0;
	long ret;

	if (i < 0)
		return 0;
	switch (fuzz_pick(fuzz, 4)) {
	case 0:
		ret = read(bufs[i].fd, &c, 1);
		break;
	case 1:
		ret = write(bufs[i].fd, &c, 1);
		break;
	case 2:
		ret = ftruncate(bufs[i].fd, fuzz_number(fuzz) & 0xffff);
		break;
	default:
		return fsync(bufs[i].fd) ? -errno : 0;
	}
	if (ret >= 0)
		fuzz->wrong = "a buffer was read, written or cut";
	return ret < 0 ? -errno : 0;
}

static int op_poll(struct fuzz *fuzz)
{
	struct pollfd pfd[2] = {
		{ .fd = bufs[slot(fuzz)].fd, .events = fuzz_random(fuzz) },
		{ .fd = bufs[slot(fuzz)].fd, .events = POLLIN | POLLOUT },
	};

	return poll(pfd, 1 + fuzz_pick(fuzz, 2), 0) < 0 ? -errno : 0;
}

static int op_info(struct fuzz *fuzz)
{
	int i = some_buf(fuzz);
	char text[LINE_LEN];
	long size;

	if (i < 0)
		return 0;
	fd_link(bufs[i].fd, text, sizeof(text));
	size = fdinfo_number(bufs[i].fd, "size");
	if (bufs[i].content && size != (long)bufs[i].content->size)
		fuzz->wrong = "fdinfo says another size";
	return size < 0 ? size : 0;
}

/* A child has all of it, looks at some of it, and goes. */
static int op_fork(struct fuzz *fuzz)
{
	unsigned int i = slot(fuzz), j = slot(fuzz);
	int status = 0;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		drop_buf(i);
		touch_map(j);
		drop_map(j);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fuzz->wrong = "a child did not end well";
	return 0;
}

#define OP(_name, _weight, ...) \
	{ .name = #_name, .run = op_ ## _name, .weight = _weight, \
	  .errnos = { __VA_ARGS__ } }

static struct fuzz_op operations[] = {
	OP(alloc, 12, EINVAL, EFAULT, ENOMEM),
	OP(alloc_size, 2, EINVAL),
	OP(close, 6),
	OP(dup, 5),
	OP(send, 4),
	OP(mmap, 14, EINVAL, EACCES, EOVERFLOW),
	OP(look, 8),
	OP(write, 8),
	OP(munmap, 6),
	OP(mremap, 5, EFAULT, EINVAL),
	OP(mprotect, 4, EACCES),
	OP(madvise, 4, EINVAL, EBADF, EOPNOTSUPP, EACCES, ENODEV),
	/* A descriptor of another file answers as that: EBADF, ENOTTY */
	OP(sync, 10, EINVAL, EFAULT, EBADF, ENOTTY),
	OP(name, 6, EINVAL, EFAULT, EBADF, ENOTTY),
	OP(export, 8, EINVAL, EFAULT, EBADF, ENOTTY),
	OP(import, 8, EINVAL, EFAULT, EBADF, ENOTTY),
	OP(unknown, 3, ENOTTY),
	OP(seek, 4, EINVAL),
	OP(file, 3, EINVAL, EBADF),
	OP(poll, 8),
	OP(info, 2),
	OP(timeline, 2),
	OP(fence, 8),
	OP(advance, 5),
	OP(merge, 4, EINVAL, EFAULT, ENOENT, EBADF),
	OP(fence_info, 3, EINVAL, EFAULT, EBADF),
	OP(drop_fence, 4),
	OP(fork, 1),
};

FIXTURE(fuzzed) {
	struct heap_mark system, cma;
	struct fd_table fds;
};

FIXTURE_SETUP(fuzzed)
{
	unsigned int i;

	heap_mark_take(&self->system, HEAP_SYSTEM);
	heap_mark_take(&self->cma, HEAP_CMA);
	fd_table_read(&self->fds);
	for (i = 0; i < SLOTS; i++)
		bufs[i].fd = -1;
	fences_init();
	system_heap = heap_open(HEAP_SYSTEM);
	ASSERT_LE(0, system_heap);
	cma_heap = heap_open(HEAP_CMA);
	ASSERT_LE(0, cma_heap);
}

FIXTURE_TEARDOWN(fuzzed)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		drop_map(i);
		drop_buf(i);
		drop_fence(i);
		drop_timeline(i);
	}
	close(system_heap);
	close(cma_heap);
	EXPECT_TRUE(fd_table_same(&self->fds));
	EXPECT_TRUE(heap_mark_back(&self->cma));
	EXPECT_TRUE(heap_mark_back(&self->system));
}

/* The limit is only for one that does not end at all. */
TEST_F_TIMEOUT(fuzzed, answers_are_documented, 3600)
{
	unsigned long count = fuzz_ops(DEFAULT_OPS);
	struct fuzz fuzz;
	char why[LINE_LEN];

	fuzz_begin(&fuzz, count);
	EXPECT_TRUE(fuzz_run(&fuzz, operations, ARRAY_SIZE(operations), count,
			     why, sizeof(why))) {
		TH_LOG("%s", why);
	}
}

TEST_HARNESS_MAIN
