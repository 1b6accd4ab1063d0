// SPDX-License-Identifier: GPL-2.0-only
/*
 * iio-capture: samples of a converter go to two processes and a device, and
 * nobody copies one.
 *
 * A simulated converter captures, as fast as it can, into buffers from a
 * dma-buf heap. Of each block this program checks every sample and passes it
 * on, without copying it, to a second process, which does so as well, and to a
 * device (vgem). When all are done with it the buffer goes back to the
 * converter. Then the same once more, with the samples being read() into the
 * same buffers, to see what the copy costs.
 *
 * Read main() from the top, then capture() and the two ways; capture-adc.c has
 * the calls themselves.
 *
 * Exit status: 0 all samples were right and the memory came back; 1 something
 * was wrong; 4 what was done was right, but this machine has no simulated
 * converter or no vgem, so that part was left out.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"

#define NAME		"iio-capture"
#define EXIT_PARTLY	4

/* How long any block may take, in milliseconds */
#define PATIENCE	30000

static const char *heap = "system";
static unsigned int blocks = 256;
static struct format format = {
	.channels = 4,
	.block = 4 << 20,
};

struct capture {
	const struct way *way;
	struct adc adc;
	struct helper helper;
	struct buffer bufs[BUFFERS];
	int card;		/* vgem, or -1 */
	__u32 handles[BUFFERS];	/* the buffers in vgem */
	__u32 work[BUFFERS];	/* what vgem does with them */
	struct outcome outcome;
};

/* The two ways to capture. Block @n goes into buffer @n % BUFFERS. */
struct way {
	const char *name;
	void (*start)(struct capture *c);
	void (*fill)(struct capture *c, unsigned int n);
	void (*again)(struct capture *c, unsigned int n);
	void (*stop)(struct capture *c);
};

/*
 * Zero copy: the converter's DMA fills the buffers themselves. All of them are
 * queued before it starts, and from then on it always has the next one.
 */

static void dmabuf_start(struct capture *c)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++)
		adc_attach(&c->adc, &c->bufs[i]);
	for (i = 0; i < BUFFERS && i < blocks; i++)
		adc_enqueue(&c->adc, &c->bufs[i], format.block);
	adc_set(&c->adc, "buffer0/enable", "1");
}

static void dmabuf_fill(struct capture *c, unsigned int n)
{
	if (!is_ready(c->bufs[n % BUFFERS].fd, POLLIN, PATIENCE))
		fail_data("block %u did not come", n);
}

/* Nobody uses the buffer of block @n any more: it is free for another one. */
static void dmabuf_again(struct capture *c, unsigned int n)
{
	if (n + BUFFERS < blocks)
		adc_enqueue(&c->adc, &c->bufs[n % BUFFERS], format.block);
}

static void dmabuf_stop(struct capture *c)
{
	unsigned int i;

	adc_set(&c->adc, "buffer0/enable", "0");
	for (i = 0; i < BUFFERS; i++)
		adc_detach(&c->adc, &c->bufs[i]);
}

/*
 * With a copy: the DMA fills memory of the kernel's, two blocks of half the
 * buffer's length, from which read() copies.
 */

static void read_start(struct capture *c)
{
	adc_set_number(&c->adc, "buffer0/length", 2 * format.block /
		       (format.channels * sizeof(__u32)));
	adc_set(&c->adc, "buffer0/enable", "1");
}

static void read_fill(struct capture *c, unsigned int n)
{
	struct buffer *buf = &c->bufs[n % BUFFERS];

	buffer_begin(buf, DMA_BUF_SYNC_WRITE);
	adc_read(&c->adc, buf->mem, format.block);
	buffer_end(buf, DMA_BUF_SYNC_WRITE);
}

static void read_again(struct capture *c, unsigned int n)
{
	(void)c;
	(void)n;
}

static void read_stop(struct capture *c)
{
	adc_set(&c->adc, "buffer0/enable", "0");
}

static const struct way ways[] = {
	{ "DMABUF", dmabuf_start, dmabuf_fill, dmabuf_again, dmabuf_stop },
	{ "read()", read_start, read_fill, read_again, read_stop },
};

#define WAYS	(sizeof(ways) / sizeof(*ways))

/* What becomes of a block */

static void check(struct capture *c, unsigned int n)
{
	const struct buffer *buf = &c->bufs[n % BUFFERS];

	buffer_begin(buf, DMA_BUF_SYNC_READ);
	c->outcome.faults += check_block(buf, &format, n, NAME);
	buffer_end(buf, DMA_BUF_SYNC_READ);
	c->outcome.checked[0] += format.block / sizeof(__u32);
}

/* The helper and the device get it at the same time: both only read it. */
static void pass_on(struct capture *c, unsigned int n)
{
	unsigned int slot = n % BUFFERS;

	helper_begin(&c->helper, n);
	if (c->card >= 0)
		c->work[slot] = vgem_begin_work(c->card, c->handles[slot],
						false);
}

static void take_back(struct capture *c, unsigned int n)
{
	unsigned int slot = n % BUFFERS;

	c->outcome.faults += helper_await(&c->helper, n);
	c->outcome.checked[1] += format.block / sizeof(__u32);
	if (c->card >= 0) {
		/* While a device reads, others may; nobody may write. */
		if (is_ready(c->bufs[slot].fd, POLLOUT, 0))
			fail_data("block %u is free while vgem reads it", n);
		vgem_finish_work(c->card, c->work[slot]);
	}
	c->way->again(c, n);
}

/* One buffer is with the helper, one is being checked, two the converter has. */
static void capture_blocks(struct capture *c)
{
	struct outcome *o = &c->outcome;
	__u64 cpu = cpu_ns(getpid());
	__u64 start = now_ns();
	unsigned int n;

	for (n = 0; n < blocks; n++) {
		c->way->fill(c, n);
		check(c, n);
		pass_on(c, n);
		if (n)
			take_back(c, n - 1);

		o->bytes += format.block;
		o->ns = now_ns() - start;
		print_capture(o, n + 1, blocks,
			      cpu_ns(getpid()) - cpu + cpu_ns(c->helper.pid));
	}
	take_back(c, n - 1);
	o->ns = now_ns() - start;
}

static void capture(struct capture *c)
{
	unsigned int i;

	c->outcome.way = c->way->name;
	cpu_start(&c->outcome);
	c->helper = helper_start(&format);
	for (i = 0; i < BUFFERS; i++)
		helper_give(&c->helper, i, c->bufs[i].fd);

	adc_open(&c->adc, NAME "-adc");
	/* Whoever had it before may not have come to an end. */
	adc_set(&c->adc, "buffer0/enable", "0");
	adc_set(&c->adc, "generator", "counter");
	adc_set(&c->adc, "full_speed", "1");
	adc_select(&c->adc, format.channels);

	c->way->start(c);
	capture_blocks(c);
	c->way->stop(c);

	adc_close(&c->adc);
	helper_finish(&c->helper);
	cpu_stop(&c->outcome);
}

/* Everybody who is to use a buffer gets it here, once. */
static void prepare(struct capture *c)
{
	unsigned int i;

	c->card = vgem_open();
	if (c->card < 0)
		printf("no vgem in /dev/dri: left out (modprobe vgem)\n");
	for (i = 0; i < BUFFERS; i++) {
		buffer_alloc(&c->bufs[i], heap, format.block);
		buffer_set_name(&c->bufs[i], NAME);
		buffer_map(&c->bufs[i], format.block, PROT_READ | PROT_WRITE);
		if (c->card >= 0)
			c->handles[i] = vgem_import(c->card, c->bufs[i].fd);
	}
	printf("buffers: %u of %.1f MB from %s, %u channels of 32 bits\n",
	       BUFFERS, format.block / 1e6, heap, format.channels);
}

static void release(struct capture *c)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++) {
		if (c->card >= 0)
			vgem_forget(c->card, c->handles[i]);
		buffer_unmap(&c->bufs[i], format.block);
		close(c->bufs[i].fd);
	}
	if (c->card >= 0)
		close(c->card);
}

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: iio-capture [--blocks N] [--block BYTES] [--channels N] [--heap NAME]\n"
		"  --blocks N      blocks to capture in each way (%u)\n"
		"  --block BYTES   size of each, a multiple of a page (%zu)\n"
		"  --channels N    1, 2 or 4 (%u)\n"
		"  --heap NAME     where the buffers come from (%s)\n",
		blocks, format.block, format.channels, heap);
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "blocks", required_argument, NULL, 'n' },
		{ "block", required_argument, NULL, 'b' },
		{ "channels", required_argument, NULL, 'c' },
		{ "heap", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			blocks = strtoul(optarg, NULL, 0);
			break;
		case 'b':
			format.block = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			format.channels = strtoul(optarg, NULL, 0);
			break;
		case 'H':
			heap = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return false;
		}
	}

	return optind == argc && blocks && format.block &&
	       format.block <= 64 << 20 &&
	       !(format.block % sysconf(_SC_PAGESIZE)) &&
	       (format.channels == 1 || format.channels == 2 ||
		format.channels == 4);
}

int main(int argc, char **argv)
{
	struct outcome outcomes[WAYS];
	struct capture c = { 0 };
	struct memory before;
	__u64 samples = 0;
	bool complete, returned;
	unsigned int i;

	if (!parse_options(argc, argv)) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	if (!adc_make(NAME)) {
		printf("no simulated converter: left out (CONFIG_IIO_SIM, configfs)\n");
		return EXIT_PARTLY;
	}
	before = memory_now();
	prepare(&c);
	complete = c.card >= 0;

	for (i = 0; i < WAYS; i++) {
		c.way = &ways[i];
		memset(&c.outcome, 0, sizeof(c.outcome));
		capture(&c);
		outcomes[i] = c.outcome;
		samples += c.outcome.checked[0];
		if (c.outcome.checked[1] != c.outcome.checked[0])
			fail_data("the helper has not seen all samples");
	}
	release(&c);
	adc_remove(NAME);

	print_outcomes(outcomes, WAYS);
	returned = memory_came_back(&before);
	for (i = 0; i < WAYS; i++) {
		if (outcomes[i].faults)
			fail_data("%s: %llu samples were wrong",
				  outcomes[i].way, outcomes[i].faults);
	}
	if (!returned)
		return EXIT_FAILURE;
	printf("%llu samples captured, each checked by two processes: all right\n",
	       samples);
	return complete ? EXIT_SUCCESS : EXIT_PARTLY;
}
