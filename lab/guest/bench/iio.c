// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMABUFs of IIO, with the simulated converter: it neither makes nor looks
 * at samples here, and ends a transfer as soon as it is started, so all that is
 * measured is what the kernel does about it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/iio/buffer.h>

#include "bench.h"

#define IIO		"/sys/bus/iio/devices"
#define CONVERTER	"/sys/kernel/config/iio/devices/sim/bench"
#define BLOCKS		4
#define STREAM		200

static const struct size sizes[] = {
	{ "4K", 4 * KIB, 200 },
	{ "64K", 64 * KIB, 200 },
	{ "1M", MIB, 100 },
};

struct device {
	char sysfs[128];
	int file, buffer;
};

/* Is @path the sysfs directory of the IIO device with this name? */
static bool has_name(const char *path, const char *name)
{
	char file[160], found[64] = "";
	FILE *f;

	snprintf(file, sizeof(file), "%s/name", path);
	f = fopen(file, "re");
	if (!f)
		return false;
	if (fscanf(f, "%63s", found) != 1)
		found[0] = 0;
	fclose(f);
	return !strcmp(found, name);
}

static void device_open(struct device *dev, const char *name)
{
	struct dirent *de;
	char node[64];
	DIR *dir;
	int n = -1;

	dir = opendir(IIO);
	if (!dir)
		fail(IIO);
	while (n < 0 && (de = readdir(dir))) {
		if (sscanf(de->d_name, "iio:device%d", &n) != 1)
			continue;
		snprintf(dev->sysfs, sizeof(dev->sysfs), IIO "/iio:device%d",
			 n);
		if (!has_name(dev->sysfs, name))
			n = -1;
	}
	closedir(dir);
	if (n < 0)
		fail("no IIO device %s", name);
	snprintf(node, sizeof(node), "/dev/iio:device%d", n);
	dev->file = open(node, O_RDWR | O_CLOEXEC);
	if (dev->file < 0)
		fail("%s", node);
	do_ioctl(dev->file, IIO_BUFFER_GET_FD_IOCTL, &dev->buffer, "GET_FD");
	write_file("1", "%s/full_speed", dev->sysfs);
	/* one scan is a word */
	write_file("1", "%s/buffer0/%s", dev->sysfs,
		   strstr(name, "-adc") ? "in_voltage0_en" : "out_voltage0_en");
}

static void enable(const struct device *dev, bool on)
{
	write_file(on ? "1" : "0", "%s/buffer0/enable", dev->sysfs);
}

static void attach(const struct device *dev, int fd)
{
	do_ioctl(dev->buffer, IIO_BUFFER_DMABUF_ATTACH_IOCTL, &fd, "ATTACH");
}

static void detach(const struct device *dev, int fd)
{
	do_ioctl(dev->buffer, IIO_BUFFER_DMABUF_DETACH_IOCTL, &fd, "DETACH");
}

static void enqueue(const struct device *dev, int fd, size_t bytes)
{
	struct iio_dmabuf req = { .fd = fd, .bytes_used = bytes };

	do_ioctl(dev->buffer, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL, &req,
		 "ENQUEUE");
}

static void transfer(const struct device *dev, int fd, size_t bytes,
		     short event)
{
	enqueue(dev, fd, bytes);
	if (!ready(fd, event))
		fail("poll");
}

static void measure_transfer(const char *group, const struct device *dev,
			     int fd, const struct size *size, short event)
{
	struct step queued = { .name = "enqueue" }, waited = { .name = "poll" };
	struct step whole = { .name = "transfer" };
	struct cost cost;
	long long at;
	int i;

	for (i = 0; i < 3; i++)
		transfer(dev, fd, size->bytes, event);
	at = now();
	for (i = 0; i < size->rounds; i++) {
		enqueue(dev, fd, size->bytes);
		took(&queued, &at);
		if (!ready(fd, event))
			fail("poll");
		took(&waited, &at);
	}
	for (i = 0; i < size->rounds; i++) {
		transfer(dev, fd, size->bytes, event);
		took(&whole, &at);
	}
	report(group, &queued);
	report(group, &waited);
	report(group, &whole);

	/* the kernel's threads may have had their share of it */
	cost_begin(&cost);
	for (i = 0; i < size->rounds; i++)
		transfer(dev, fd, size->bytes, event);
	report_ns(group, "transfer-all", cost_end(&cost) / size->rounds);
}

static void measure_attach(const char *group, const struct device *dev, int fd,
			   int rounds)
{
	struct step attached = { .name = "attach" }, detached = { .name = "detach" };
	struct cost cost;
	long long at;
	int i;

	for (i = 0; i < rounds; i++) {
		at = now();
		attach(dev, fd);
		took(&attached, &at);
		detach(dev, fd);
		took(&detached, &at);
		/* what is left to be done is not to be in the next one's way */
		usleep(20000);
	}
	report(group, &attached);
	report(group, &detached);

	cost_begin(&cost);
	for (i = 0; i < rounds; i++) {
		attach(dev, fd);
		detach(dev, fd);
	}
	report_ns(group, "attach-detach-all", cost_end(&cost) / rounds);
}

static void measure_size(const char *group, const struct device *dev, int heap,
			 const struct size *size, short event)
{
	int fd = heap_alloc(heap, size->bytes);
	char subgroup[64];

	snprintf(subgroup, sizeof(subgroup), "%s/%s", group, size->name);
	attach(dev, fd);
	enable(dev, true);
	measure_transfer(subgroup, dev, fd, size, event);
	enable(dev, false);
	detach(dev, fd);
	close(fd);

	/* as programs do it: attached before the first transfer */
	fd = heap_alloc(heap, size->bytes);
	measure_attach(subgroup, dev, fd, size->rounds / 2);
	close(fd);
}

/*
 * Blocks go round, each is looked at and queued again. SYNC waits for the
 * transfer; who has several things to wait for calls poll() before that.
 */
static void stream_dmabuf(const char *group, const struct device *dev, int heap,
			  size_t bytes)
{
	struct step step = { .name = "dmabuf" };
	struct step polled = { .name = "dmabuf-poll" };
	int fd[BLOCKS], i;
	long long at;

	for (i = 0; i < BLOCKS; i++) {
		fd[i] = heap_alloc(heap, bytes);
		attach(dev, fd[i]);
	}
	enable(dev, true);
	for (i = 0; i < BLOCKS; i++)
		enqueue(dev, fd[i], bytes);
	at = now();
	for (i = 0; i < STREAM; i++) {
		sync_pair(fd[i % BLOCKS]);
		enqueue(dev, fd[i % BLOCKS], bytes);
		took(&step, &at);
	}
	for (i = 0; i < STREAM; i++) {
		if (!ready(fd[i % BLOCKS], POLLOUT))
			fail("poll");
		sync_pair(fd[i % BLOCKS]);
		enqueue(dev, fd[i % BLOCKS], bytes);
		took(&polled, &at);
	}
	enable(dev, false);
	for (i = 0; i < BLOCKS; i++) {
		detach(dev, fd[i]);
		close(fd[i]);
	}
	report(group, &step);
	report(group, &polled);
}

static void stream_read(const char *group, const struct device *dev,
			size_t bytes)
{
	struct step step = { .name = "read" };
	char *block = malloc(bytes), scans[24];
	size_t got;
	ssize_t n;
	long long at;
	int i;

	/* a scan is a word, and half of the length is a block */
	snprintf(scans, sizeof(scans), "%zu", bytes / 4 * 2);
	write_file(scans, "%s/buffer0/length", dev->sysfs);
	enable(dev, true);
	memset(block, 1, bytes);
	at = now();
	for (i = 0; i < STREAM; i++) {
		for (got = 0; got < bytes; got += n) {
			n = read(dev->buffer, block + got, bytes - got);
			if (n <= 0)
				fail("read");
		}
		took(&step, &at);
	}
	enable(dev, false);
	free(block);
	report(group, &step);
}

static void measure_stream(const char *group, const struct device *dev,
			   int heap, const struct size *size)
{
	char subgroup[96];

	snprintf(subgroup, sizeof(subgroup), "%s/%s", group, size->name);
	stream_dmabuf(subgroup, dev, heap, size->bytes);
	/* what was detached may go a while later, and read() is refused before */
	usleep(100000);
	stream_read(subgroup, dev, size->bytes);
}

void bench_iio(const char *group)
{
	int heap = heap_open("system");
	struct device adc, dac;
	char subgroup[64];
	unsigned int i;

	if (mkdir(CONVERTER, 0755))
		fail(CONVERTER);
	device_open(&adc, "bench-adc");
	device_open(&dac, "bench-dac");
	write_file("none", "%s/generator", adc.sysfs);
	write_file("none", "%s/checker", dac.sysfs);

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(subgroup, sizeof(subgroup), "%s/stream", group);
		measure_stream(subgroup, &adc, heap, &sizes[i]);
		snprintf(subgroup, sizeof(subgroup), "%s/capture", group);
		measure_size(subgroup, &adc, heap, &sizes[i], POLLIN);
		snprintf(subgroup, sizeof(subgroup), "%s/playback", group);
		measure_size(subgroup, &dac, heap, &sizes[i], POLLOUT);
	}
	close(adc.buffer);
	close(dac.buffer);
	rmdir(CONVERTER);
}
