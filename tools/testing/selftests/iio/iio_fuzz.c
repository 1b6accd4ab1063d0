// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call there is on IIO buffers with DMABUFs, and what goes on beside it
 * on the device, with arguments that may be wrong, in an order nobody thought
 * of, and with faults in the DMA now and then. What a call answers must be
 * documented. At the end a capture must end well, as ever; then all is taken
 * away with transfers under way, and every fence must have signalled. See
 * ../dmabuf-heaps/fuzz.h.
 *
 * Files are non-blocking: that ENQUEUE waits for others is what iio_fence tries.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"
#include "../dmabuf-heaps/fuzz.h"

#define BUFS		6
#define FENCES		6
#define DEFAULT_OPS	3000

/* The two devices of the converter */
static struct {
	int device, file;
	bool out;
	const char *chan;
} sides[2];

static int bufs[BUFS], fences[FENCES];
static const struct sim *sim;

static unsigned int side(struct fuzz *fuzz)
{
	return fuzz_pick(fuzz, 2);
}

static int buf(struct fuzz *fuzz)
{
	return bufs[fuzz_pick(fuzz, BUFS)];
}

/* A DMABUF most often */
static int some_fd(struct fuzz *fuzz)
{
	if (!fuzz_rarely(fuzz))
		return buf(fuzz);
	switch (fuzz_pick(fuzz, 3)) {
	case 0:
		return fences[fuzz_pick(fuzz, FENCES)];
	case 1:
		return sides[side(fuzz)].file;
	default:
		return fuzz_number(fuzz);
	}
}

static int op_attach(struct fuzz *fuzz)
{
	int fd = some_fd(fuzz);

	return do_ioctl(sides[side(fuzz)].file, IIO_BUFFER_DMABUF_ATTACH_IOCTL,
			fuzz_pointer(fuzz, &fd));
}

static int op_detach(struct fuzz *fuzz)
{
	int fd = some_fd(fuzz);

	return do_ioctl(sides[side(fuzz)].file, IIO_BUFFER_DMABUF_DETACH_IOCTL,
			fuzz_pointer(fuzz, &fd));
}

static int op_enqueue(struct fuzz *fuzz)
{
	unsigned int s = side(fuzz);
	struct iio_dmabuf arg = {
		.fd = some_fd(fuzz),
		.bytes_used = (1 + fuzz_pick(fuzz, LEN / SAMPLE)) * SAMPLE,
	};

	if (sides[s].out && !fuzz_pick(fuzz, 6))
		arg.flags = IIO_BUFFER_DMABUF_CYCLIC;
	if (fuzz_rarely(fuzz))
		arg.flags = fuzz_number(fuzz);
	if (fuzz_rarely(fuzz))
		arg.bytes_used = fuzz_number(fuzz);
	return do_ioctl(sides[s].file, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL,
			fuzz_pointer(fuzz, &arg));
}

static int op_unknown(struct fuzz *fuzz)
{
	unsigned int nr = 0x95 + fuzz_pick(fuzz, 0x60);
	int ret = do_ioctl(sides[side(fuzz)].file,
			   _IOC(fuzz_pick(fuzz, 4), 'i', nr,
				fuzz_pick(fuzz, 64)), NULL);

	if (ret != -EINVAL)
		fuzz->wrong = "an ioctl that is none is not EINVAL";
	return ret;
}

static int op_get_fd(struct fuzz *fuzz)
{
	int fd = device_open(sides[side(fuzz)].device, 0);
	int ret = device_get_fd(fd, fuzz_rarely(fuzz) ? fuzz_number(fuzz) : 0);

	/* There is a file of each buffer already */
	if (ret >= 0)
		fuzz->wrong = "a buffer has two files";
	close(fd);
	return ret;
}

/* The last is closed with whatever is going on */
static int op_reopen(struct fuzz *fuzz)
{
	unsigned int s = side(fuzz);

	close(sides[s].file);
	sides[s].file = buffer_open(sides[s].device, O_NONBLOCK);
	if (sides[s].file < 0)
		fuzz->wrong = "a buffer cannot be opened again";
	return sides[s].file;
}

static int op_enable(struct fuzz *fuzz)
{
	return buffer_enable(sides[side(fuzz)].device, fuzz_pick(fuzz, 3));
}

static int op_channels(struct fuzz *fuzz)
{
	unsigned int s = side(fuzz);

	return buffer_channels(sides[s].device, sides[s].out,
			       1 + fuzz_pick(fuzz, 15));
}

static int op_length(struct fuzz *fuzz)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", fuzz_pick(fuzz, 4096));
	return iio_write(sides[side(fuzz)].device, "buffer0/length", text);
}

static int op_fault(struct fuzz *fuzz)
{
	static const char * const faults[] = {
		"fail_transfers", "short_transfers", "short_residue",
		"fail_prep", "fail_submit", "hold",
	};
	const char *fault = faults[fuzz_pick(fuzz, ARRAY_SIZE(faults))];

	return sim_fault(sim, sides[side(fuzz)].chan, fault,
			 fuzz_pick(fuzz, 3) ? 0 : 1 + fuzz_pick(fuzz, 2));
}

static int op_poll(struct fuzz *fuzz)
{
	struct pollfd pfd[2] = {
		{ .fd = sides[side(fuzz)].file, .events = fuzz_random(fuzz) },
		{ .fd = some_fd(fuzz), .events = POLLIN | POLLOUT },
	};

	return poll(pfd, 2, fuzz_pick(fuzz, 3)) < 0 ? -errno : 0;
}

static int op_read(struct fuzz *fuzz)
{
	static char data[LEN];
	unsigned int s = side(fuzz);
	void *to = fuzz_pointer(fuzz, data);
	ssize_t n = sides[s].out ?
		    write(sides[s].file, to, fuzz_pick(fuzz, LEN)) :
		    read(sides[s].file, to, fuzz_pick(fuzz, LEN));

	return n < 0 ? -errno : 0;
}

static int op_fence(struct fuzz *fuzz)
{
	unsigned int i = fuzz_pick(fuzz, FENCES);
	int fd = buf_get_fence(buf(fuzz), 1 + fuzz_pick(fuzz, 3));

	if (fd < 0)
		return fd;
	close(fences[i]);
	fences[i] = fd;
	return 0;
}

/* The device may have it still, and goes on with it */
static int op_replace(struct fuzz *fuzz)
{
	static const char * const kinds[] = { HEAP_SYSTEM, HEAP_CMA,
					      HEAP_UDMABUF };
	unsigned int i = fuzz_pick(fuzz, BUFS);

	close(bufs[i]);
	bufs[i] = memory(kinds[fuzz_pick(fuzz, ARRAY_SIZE(kinds))], LEN);
	if (bufs[i] < 0 && !(others_at_work() && bufs[i] == -ENOMEM))
		fuzz->wrong = "there is no memory for another DMABUF";
	return bufs[i];
}

static int op_dup(struct fuzz *fuzz)
{
	unsigned int i = fuzz_pick(fuzz, BUFS);
	int fd = fcntl(buf(fuzz), F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	close(bufs[i]);
	bufs[i] = fd;
	return 0;
}

static int op_rate(struct fuzz *fuzz)
{
	return iio_write(sides[side(fuzz)].device, "full_speed",
			 fuzz_pick(fuzz, 2) ? "1" : "0");
}

#define OP(_name, _weight, ...) \
	{ .name = #_name, .run = op_ ## _name, .weight = _weight, \
	  .errnos = { __VA_ARGS__ } }

static struct fuzz_op operations[] = {
	OP(attach, 12, EBADF, EINVAL, EFAULT, EBUSY),
	OP(detach, 6, EBADF, EINVAL, EFAULT, EPERM),
	/* EIO: the driver does not take it, which op_fault() sees to */
	OP(enqueue, 24, EBADF, EINVAL, EFAULT, EPERM, EBUSY, EIO),
	OP(unknown, 2, EINVAL),
	OP(get_fd, 1, EBUSY, ENODEV),
	OP(reopen, 2),
	OP(enable, 10),
	OP(channels, 2, EBUSY),
	OP(length, 1, EBUSY),
	OP(fault, 6),
	OP(poll, 6),
	OP(read, 5, EAGAIN, EBUSY, EINVAL, EFAULT, EIO, EINTR),
	OP(fence, 5),
	OP(replace, 3),
	OP(dup, 2),
	OP(rate, 2),
};

/* What the fixture has, in a table */
static void begin(const struct sim *the_sim, int in, int out, int a, int b)
{
	unsigned int i;

	sim = the_sim;
	sides[0].device = sim->adc;
	sides[0].file = in;
	sides[0].out = false;
	sides[0].chan = "rx";
	sides[1].device = sim->dac;
	sides[1].file = out;
	sides[1].out = true;
	sides[1].chan = "tx";
	bufs[0] = a;
	bufs[1] = b;
	for (i = 2; i < BUFS; i++)
		bufs[i] = memory(HEAP_SYSTEM, LEN);
	for (i = 0; i < FENCES; i++)
		fences[i] = -1;
	for (i = 0; i < 2; i++)
		fcntl(sides[i].file, F_SETFL, O_NONBLOCK);
}

static void no_faults(void)
{
	static const char * const faults[] = {
		"fail_transfers", "short_transfers", "fail_prep", "fail_submit",
		"hold",
	};
	unsigned int i, s;

	for (s = 0; s < 2; s++)
		for (i = 0; i < ARRAY_SIZE(faults); i++)
			sim_fault(sim, sides[s].chan, faults[i], 0);
}

/* All of it works as ever: a transfer made now ends well. */
static int capture_once(void)
{
	int fd = memory(HEAP_SYSTEM, LEN);
	int in, fence, ret;

	if (fd < 0)
		return fd;
	buffer_enable(sides[0].device, false);
	close(sides[0].file);
	in = buffer_open(sides[0].device, 0);
	sides[0].file = in;
	ret = buffer_channels(sides[0].device, false, 1);
	ret = ret ?: buffer_attach(in, fd);
	ret = ret ?: buffer_enqueue(in, fd, 0, LEN);
	ret = ret ?: buffer_enable(sides[0].device, true);
	if (!ret) {
		fence = fence_of(fd, DMA_BUF_SYNC_READ);
		ret = fence_result(fence, SOON_MS);
		close(fence);
	}
	close(fd);
	return ret;
}

/* The limit is only for one that does not end at all. */
TEST_F_TIMEOUT(iio, answers_are_documented, 3600)
{
	unsigned long count = fuzz_ops(DEFAULT_OPS);
	struct fuzz fuzz;
	char why[LINE_LEN];
	unsigned int i;

	begin(&self->sim, self->in, self->out, self->a, self->b);
	fuzz_begin(&fuzz, count);
	EXPECT_TRUE(fuzz_run(&fuzz, operations, ARRAY_SIZE(operations), count,
			     why, sizeof(why))) {
		TH_LOG("%s", why);
	}
	no_faults();
	EXPECT_EQ(1, capture_once());

	/* The fixture closes the rest, and looks for what is left */
	for (i = 2; i < BUFS; i++)
		close(bufs[i]);
	for (i = 0; i < FENCES; i++)
		close(fences[i]);
	self->in = sides[0].file;
	self->out = sides[1].file;
	self->a = bufs[0];
	self->b = bufs[1];
}

TEST_HARNESS_MAIN
