// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-share: two processes and a device share video frames, and nobody
 * copies one.
 *
 * The producer allocates a ring of frames from a dma-buf heap, and one frame
 * from the CMA heap, and passes them to the consumer over a Unix socket. Then
 * it writes frame after frame, each with other contents, and the consumer
 * compares every word of them. Afterwards a device (vgem) joins in, fences say
 * who has to wait for whom, and in the end all memory has to be back.
 *
 * Read main() from the top; share-buffer.c has the calls themselves.
 *
 * Exit status: 0 all data was right and the memory came back; 1 something was
 * wrong; 4 what was done was right, but this machine has no CMA heap or no
 * vgem, so that part was left out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <poll.h>

#include "share.h"

#define RING		4	/* frames from the system heap */
#define MAX_BUFFERS	(RING + 1)
#define EXIT_PARTLY	4

static const struct options {
	unsigned int frames, width, height;
	const char *heap;
} defaults = {
	.frames = 300,
	.width = 3840,
	.height = 2160,
	.heap = "system",
};

static struct options options;

/* From the producer: a buffer (with its descriptor), or a frame is ready. */
struct message {
	__u32 slot;
	__u32 frame;
};

/* From the consumer, for each frame. */
struct answer {
	__u32 frame;
	__u32 wrong;
	__u64 position;	/* first word that is wrong */
	__u64 value;
	__u64 ns;
};

/*
 * Contents of a frame: no two of its 64-bit words are equal, and none is the
 * same in the next frame. So a page that is stale, missing or in the wrong
 * place shows.
 */
#define WORD_STEP	0x9e3779b97f4a7c15ull
#define FRAME_STEP	0xd1342543de82ef95ull

static __u64 word_of(__u32 frame, size_t i)
{
	return (frame + 1) * FRAME_STEP + i * WORD_STEP;
}

static void write_frame(__u64 *mem, size_t bytes, __u32 frame)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*mem); i++)
		mem[i] = word_of(frame, i);
}

/* The first word that is wrong; behind the last one if all are right. */
static size_t compare_frame(const __u64 *mem, size_t bytes, __u32 frame)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*mem); i++) {
		if (mem[i] != word_of(frame, i))
			break;
	}
	return i;
}

/* Compare what is in a buffer with the frame that should be in it. */
static void expect_frame(const struct buffer *buf, size_t bytes,
			 const char *where)
{
	size_t i;

	buffer_begin(buf, DMA_BUF_SYNC_READ);
	i = compare_frame(buf->mem, bytes, buf->frame);
	if (i < bytes / sizeof(*buf->mem))
		fail_data("%s: frame %u is wrong from byte %zu: %016llx instead of %016llx",
			  where, buf->frame, i * sizeof(*buf->mem),
			  buf->mem[i], word_of(buf->frame, i));
	buffer_end(buf, DMA_BUF_SYNC_READ);
}

/*
 * The consumer: a process of its own, which knows of the buffers only what
 * comes over the socket.
 */

static void consume_frame(struct buffer *buf, size_t bytes, int sock,
			  __u32 frame)
{
	struct answer a = { .frame = frame };
	__u64 start = now_ns();

	buffer_begin(buf, DMA_BUF_SYNC_READ);
	a.position = compare_frame(buf->mem, bytes, frame);
	a.wrong = a.position < bytes / sizeof(*buf->mem);
	if (a.wrong)
		a.value = buf->mem[a.position];
	buffer_end(buf, DMA_BUF_SYNC_READ);

	a.ns = now_ns() - start;
	send_with_fd(sock, &a, sizeof(a), -1);
}

static int consume(int sock, size_t bytes)
{
	struct buffer bufs[MAX_BUFFERS] = { 0 };
	struct message m;
	unsigned int i;
	int fd;

	while (receive_with_fd(sock, &m, sizeof(m), &fd)) {
		struct buffer *buf = &bufs[m.slot];

		if (fd < 0) {
			consume_frame(buf, bytes, sock, m.frame);
			continue;
		}
		buf->fd = fd;
		if (buffer_size(buf) < bytes)
			fail_data("consumer: a buffer of only %zu bytes",
				  buffer_size(buf));
		buffer_map(buf, bytes, PROT_READ);
	}

	for (i = 0; i < MAX_BUFFERS; i++) {
		if (!bufs[i].mem)
			continue;
		buffer_unmap(&bufs[i], bytes);
		close(bufs[i].fd);
	}
	return EXIT_SUCCESS;
}

static pid_t start_consumer(int *sock, size_t bytes)
{
	struct timeval patience = { .tv_sec = 60 };
	int ends[2];
	pid_t pid;

	/* SEQPACKET: one message stays one message. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("make a socket pair", "the kernel needs CONFIG_UNIX");

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		fail("fork", NULL);
	if (!pid) {
		close(ends[0]);
		exit(consume(ends[1], bytes));
	}

	close(ends[1]);
	setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	*sock = ends[0];
	return pid;
}

static void finish_consumer(pid_t pid, int sock)
{
	int status;

	close(sock);	/* the consumer sees the end and drops its buffers */
	if (waitpid(pid, &status, 0) < 0)
		fail("wait for the consumer", NULL);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_data("the consumer did not end well (wait status %#x)",
			  status);
}

/*
 * The producer.
 */

static void await_answer(int sock, __u32 frame, size_t bytes)
{
	struct answer a;
	int fd;

	if (!receive_with_fd(sock, &a, sizeof(a), &fd))
		fail_data("the consumer has ended before frame %u", frame);
	if (a.wrong || a.frame != frame)
		fail_data("consumer: frame %u is wrong from byte %llu: %016llx instead of %016llx",
			  frame, a.position * sizeof(__u64), a.value,
			  word_of(frame, a.position));
	step_add(STEP_CONSUME, bytes, a.ns);
}

/* A buffer is written again only after the consumer has answered for it. */
static void produce(struct buffer *bufs, unsigned int count, size_t bytes,
		    int sock)
{
	unsigned int n, all = options.frames;

	for (n = 0; n < all + count; n++) {
		struct buffer *buf = &bufs[n % count];
		struct message m = { .slot = n % count, .frame = n };
		__u64 start;

		if (n >= count && n - count < all) {
			await_answer(sock, n - count, bytes);
			print_progress(n - count + 1, all, bytes);
		}
		if (n >= all)
			continue;

		start = now_ns();
		buffer_begin(buf, DMA_BUF_SYNC_WRITE);
		write_frame(buf->mem, bytes, n);
		buffer_end(buf, DMA_BUF_SYNC_WRITE);
		step_add(STEP_PRODUCE, bytes, now_ns() - start);

		buf->frame = n;
		send_with_fd(sock, &m, sizeof(m), -1);
	}
}

/* Memory from a heap holds nothing of whoever had it before. */
static void expect_zeroes(const struct buffer *buf, size_t bytes)
{
	size_t i;

	buffer_begin(buf, DMA_BUF_SYNC_READ);
	for (i = 0; i < bytes / sizeof(*buf->mem); i++) {
		if (buf->mem[i])
			fail_data("%s: a new buffer is not zero at byte %zu",
				  buf->heap, i * sizeof(*buf->mem));
	}
	buffer_end(buf, DMA_BUF_SYNC_READ);
}

static void prepare(struct buffer *buf, const char *heap, const char *name,
		    size_t bytes)
{
	bool cma = strcmp(heap, options.heap);
	__u64 t = now_ns();

	buffer_alloc(buf, heap, bytes);
	step_add(cma ? STEP_ALLOC_CMA : STEP_ALLOC, bytes, now_ns() - t);

	buffer_set_name(buf, name);

	t = now_ns();
	buffer_map(buf, bytes, PROT_READ | PROT_WRITE);
	step_add(STEP_MMAP, bytes, now_ns() - t);

	t = now_ns();
	expect_zeroes(buf, bytes);
	step_add(STEP_ZERO, bytes, now_ns() - t);
}

/* The consumer has ended: what is freed here is the last of it. */
static void release(struct buffer *buf, size_t bytes)
{
	bool cma = strcmp(buf->heap, options.heap);
	__u64 t = now_ns();

	buffer_unmap(buf, bytes);
	step_add(STEP_MUNMAP, bytes, now_ns() - t);

	t = now_ns();
	close(buf->fd);
	step_add(cma ? STEP_CLOSE_CMA : STEP_CLOSE, bytes, now_ns() - t);
}

/*
 * The device.
 */

/* A heap's buffer goes into vgem and comes back: the same one, same contents. */
static __u32 through_vgem(int card, const struct buffer *buf, size_t bytes)
{
	struct buffer back = *buf;
	__u64 t = now_ns();
	__u32 handle;

	handle = vgem_import(card, buf->fd);
	step_add(STEP_IMPORT, bytes, now_ns() - t);

	back.fd = vgem_export(card, handle);
	if (buffer_inode(back.fd) != buffer_inode(buf->fd))
		fail_data("%s came back from vgem as another buffer",
			  buf->name);
	buffer_map(&back, bytes, PROT_READ);
	expect_frame(&back, bytes, "through vgem");
	buffer_unmap(&back, bytes);
	close(back.fd);

	printf("  %s (%s): imported, exported again, contents right\n",
	       buf->name, buf->heap);
	return handle;
}

/* The other way round: the device's memory, used as a dma-buf. */
static void from_vgem(int card, size_t bytes)
{
	struct buffer buf = { .heap = "vgem", .frame = options.frames };
	__u32 handle = vgem_create(card, bytes);
	void *mem = vgem_map(card, handle, bytes);

	write_frame(mem, bytes, buf.frame);
	munmap(mem, bytes);

	buf.fd = vgem_export(card, handle);
	buffer_map(&buf, bytes, PROT_READ);
	expect_frame(&buf, bytes, "vgem's own buffer");
	buffer_unmap(&buf, bytes);
	close(buf.fd);
	vgem_forget(card, handle);

	printf("  vgem's own buffer: written by DRM, read as a dma-buf, contents right\n");
}

static void expect_ready(bool ready, int fd, const char *what)
{
	/* What is to come gets a second, what is not is asked for at once. */
	if (is_ready(fd, POLLIN, ready ? 1000 : 0) != ready)
		fail_data("poll: %s is %s", what,
			  ready ? "still busy" : "ready too early");
}

/*
 * The device works on @busy; @other is to be used after it. The sync_file
 * carries what has to be waited for from one to the other.
 */
static void show_fences(int card, __u32 handle, const struct buffer *busy,
			const struct buffer *other)
{
	__u32 work;
	int fence;

	fence = buffer_export_fences(busy, DMA_BUF_SYNC_RW);
	expect_ready(true, fence, "the sync_file of an idle buffer");
	close(fence);

	work = vgem_begin_work(card, handle, true);
	fence = buffer_export_fences(busy, DMA_BUF_SYNC_READ);
	buffer_import_fences(other, fence, DMA_BUF_SYNC_WRITE);
	expect_ready(false, busy->fd, "the buffer the device works on");
	expect_ready(false, fence, "its sync_file");
	expect_ready(false, other->fd, "the buffer that waits for it");
	printf("  device at work: %s, its sync_file and %s are busy\n",
	       busy->name, other->name);

	vgem_finish_work(card, work);
	expect_ready(true, busy->fd, "the buffer the device worked on");
	expect_ready(true, fence, "its sync_file");
	expect_ready(true, other->fd, "the buffer that waited for it");
	printf("  device done:    all three are ready\n");
	close(fence);
}

/* False if there is no vgem here. */
static bool with_device(const struct buffer *bufs, unsigned int count,
			size_t bytes)
{
	const struct buffer *first = &bufs[0], *last = &bufs[count - 1];
	__u32 handles[2];
	int card = vgem_open();

	printf("\ndevice\n");
	if (card < 0) {
		printf("  no vgem in /dev/dri: left out (modprobe vgem)\n");
		return false;
	}

	handles[0] = through_vgem(card, first, bytes);
	handles[1] = through_vgem(card, last, bytes);
	from_vgem(card, bytes);
	show_fences(card, handles[0], first, last);

	printf("\n/sys/kernel/debug/dma_buf/bufinfo\n");
	print_bufinfo(bufs, count);

	vgem_forget(card, handles[0]);
	vgem_forget(card, handles[1]);
	close(card);
	return true;
}

/*
 * Options, heaps, and the whole.
 */

static const char *list_heaps(void)
{
	/* Names of the default CMA region, the one that is always so first. */
	static const char * const cma[] = {
		"default_cma_region", "reserved", "linux,cma", "default-pool",
	};
	DIR *dir = opendir("/dev/dma_heap");
	unsigned int i, best = 4;
	struct dirent *d;

	if (!dir)
		fail("open /dev/dma_heap",
		     "the kernel needs CONFIG_DMABUF_HEAPS");

	printf("heaps:");
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		printf(" %s", d->d_name);
		for (i = 0; i < best; i++) {
			if (!strcmp(d->d_name, cma[i]))
				best = i;
		}
	}
	printf("\n");
	closedir(dir);
	return best < 4 ? cma[best] : NULL;
}

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: dmabuf-share [--frames N] [--size WIDTHxHEIGHT] [--heap NAME]\n"
		"  --frames N   NV12 frames to share, %u or more (%u)\n"
		"  --size WxH   their size; W a multiple of 16, H even (%ux%u)\n"
		"  --heap NAME  where the ring of %u frames comes from (%s)\n",
		MAX_BUFFERS, defaults.frames, defaults.width, defaults.height,
		RING, defaults.heap);
}

/* 0 is no value any option can have. */
static unsigned int number(const char *text, const char **end)
{
	unsigned long n = *text < '0' || *text > '9' ? 0 :
			  strtoul(text, (char **)end, 10);

	return n <= 1000000 ? n : 0;
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "frames", required_argument, NULL, 'f' },
		{ "size", required_argument, NULL, 's' },
		{ "heap", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *end;
	int c;

	options = defaults;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'f':
			options.frames = number(optarg, &end);
			if (options.frames < MAX_BUFFERS || *end)
				return false;
			break;
		case 's':
			options.width = number(optarg, &end);
			if (!options.width || *end++ != 'x')
				return false;
			options.height = number(end, &end);
			if (!options.height || *end)
				return false;
			break;
		case 'H':
			options.heap = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return false;
		}
	}

	return optind == argc &&
	       options.width <= 16384 && !(options.width % 16) &&
	       options.height <= 16384 && !(options.height % 2);
}

int main(int argc, char **argv)
{
	struct buffer bufs[MAX_BUFFERS] = { 0 };
	unsigned int i, count = RING;
	char name[DMA_BUF_NAME_LEN];
	bool complete, returned;
	struct memory before;
	const char *cma;
	size_t bytes;
	pid_t pid;
	int sock;

	if (!parse_options(argc, argv)) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	bytes = (size_t)options.width * options.height * 3 / 2;

	cma = list_heaps();
	before = memory_now();
	pid = start_consumer(&sock, bytes);

	for (i = 0; i < RING; i++) {
		snprintf(name, sizeof(name), "frame-%u", i);
		prepare(&bufs[i], options.heap, name, bytes);
	}
	if (!cma)
		printf("no CMA heap: its frame is left out (boot with cma=64M)\n");
	else if (strcmp(cma, options.heap))
		prepare(&bufs[count++], cma, "frame-cma", bytes);
	printf("ring: %u frames of %ux%u NV12, %.1f MB each, %u from %s%s%s\n",
	       count, options.width, options.height, bytes / 1e6, RING,
	       options.heap, count > RING ? ", 1 from " : "",
	       count > RING ? cma : "");

	for (i = 0; i < count; i++) {
		struct message m = { .slot = i };

		send_with_fd(sock, &m, sizeof(m), bufs[i].fd);
	}
	produce(bufs, count, bytes, sock);

	printf("\n/proc/self/fdinfo\n");
	for (i = 0; i < count; i++)
		print_fdinfo(&bufs[i]);

	complete = with_device(bufs, count, bytes) && cma;

	finish_consumer(pid, sock);
	for (i = 0; i < count; i++)
		release(&bufs[i], bytes);

	print_steps();
	returned = memory_came_back(&before);
	if (!returned)
		return EXIT_FAILURE;

	printf("%u frames shared, every byte compared: all right\n",
	       options.frames);
	return complete ? EXIT_SUCCESS : EXIT_PARTLY;
}
