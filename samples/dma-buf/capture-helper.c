// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second process. It knows of the samples only what is in the buffers that
 * it was handed, and is told when there is a block in one of them.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"

/*
 * What the converter's generator "counter" makes: number of the channel in the
 * top four bits, below them the number of the scan since the start.
 */
#define CHANNEL_SHIFT	28
#define SCAN_MASK	((1u << CHANNEL_SHIFT) - 1)

/*
 * Compare every sample of block @n. Returns how many of them are wrong; says so
 * of the first one only.
 */
__u64 check_block(const struct buffer *buf, const struct format *format,
		  unsigned int n, const char *who)
{
	size_t i, samples = format->block / sizeof(__u32);
	__u32 scan = (__u64)n * samples / format->channels;
	const __u32 *sample = (const __u32 *)buf->mem;
	__u32 channel = 0, expected;
	static bool told;
	__u64 faults = 0;

	for (i = 0; i < samples; i++) {
		expected = channel << CHANNEL_SHIFT | (scan & SCAN_MASK);
		if (le32toh(sample[i]) != expected) {
			faults++;
			if (!told)
				fprintf(stderr,
					"\n%s: block %u, sample %zu: %08x instead of %08x\n",
					who, n, i, le32toh(sample[i]),
					expected);
			told = true;
		}
		if (++channel == format->channels) {
			channel = 0;
			scan++;
		}
	}
	return faults;
}

/* To the helper: here is buffer @n (with a descriptor), or block @n is there. */
struct request {
	__u32 n;
};

/* From the helper, for each block. */
struct reply {
	__u32 n;
	__u64 faults;
};

static int help(int sock, const struct format *format)
{
	struct buffer bufs[BUFFERS] = { 0 };
	struct request request;
	int fd;

	while (receive_with_fd(sock, &request, sizeof(request), &fd)) {
		struct buffer *buf = &bufs[request.n % BUFFERS];
		struct reply reply = { .n = request.n };

		if (fd >= 0) {
			buf->fd = fd;
			buffer_map(buf, format->block, PROT_READ);
			continue;
		}
		buffer_begin(buf, DMA_BUF_SYNC_READ);
		reply.faults = check_block(buf, format, request.n, "helper");
		buffer_end(buf, DMA_BUF_SYNC_READ);
		send_with_fd(sock, &reply, sizeof(reply), -1);
	}
	return EXIT_SUCCESS;	/* which unmaps and closes all */
}

struct helper helper_start(const struct format *format)
{
	struct timeval patience = { .tv_sec = 60 };
	struct helper helper;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("make a socket pair", "the kernel needs CONFIG_UNIX");

	fflush(NULL);
	helper.pid = fork();
	if (helper.pid < 0)
		fail("fork", NULL);
	if (!helper.pid) {
		close(ends[0]);
		exit(help(ends[1], format));
	}

	close(ends[1]);
	setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	helper.sock = ends[0];
	return helper;
}

void helper_give(const struct helper *helper, unsigned int slot, int fd)
{
	struct request request = { .n = slot };

	send_with_fd(helper->sock, &request, sizeof(request), fd);
}

void helper_begin(const struct helper *helper, unsigned int n)
{
	struct request request = { .n = n };

	send_with_fd(helper->sock, &request, sizeof(request), -1);
}

/* Returns how many samples of block @n the helper has found to be wrong. */
__u64 helper_await(const struct helper *helper, unsigned int n)
{
	struct reply reply;
	int fd;

	if (!receive_with_fd(helper->sock, &reply, sizeof(reply), &fd))
		fail_data("the helper has ended before block %u", n);
	if (reply.n != n)
		fail_data("the helper has checked block %u instead of %u",
			  reply.n, n);
	return reply.faults;
}

void helper_finish(const struct helper *helper)
{
	int status;

	close(helper->sock);	/* the helper sees the end */
	if (waitpid(helper->pid, &status, 0) < 0)
		fail("wait for the helper", NULL);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_data("the helper did not end well (wait status %#x)",
			  status);
}
