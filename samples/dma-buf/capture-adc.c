// SPDX-License-Identifier: GPL-2.0-only
/*
 * A converter as a program sees it: attributes in sysfs, a character device,
 * and the buffer's own descriptor, on which DMABUFs are attached and enqueued.
 * Each function is one call of the interface and what to think about when it
 * fails. See Documentation/iio/iio_dmabuf_api.rst.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/iio/buffer.h>

#include "capture.h"

#define SIM	"/sys/kernel/config/iio/devices/sim"
#define DEVICES	"/sys/bus/iio/devices"

/*
 * A simulated converter instead of a board: Documentation/iio/iio_sim.rst.
 * False if this kernel has none.
 */
bool adc_make(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), SIM "/%s", name);
	if (!mkdir(path, 0755) || errno == EEXIST)
		return true;
	if (errno != ENOENT)
		fail(path, NULL);
	return false;
}

void adc_remove(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), SIM "/%s", name);
	if (rmdir(path) < 0)
		fail(path, NULL);
}

/* Devices are numbered as they come, so they are looked for by name. */
static bool has_name(const char *device, const char *name)
{
	char path[300], found[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), DEVICES "/%.128s/name", device);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(found, sizeof(found), f))
		found[0] = '\0';
	fclose(f);
	found[strcspn(found, "\n")] = '\0';
	return !strcmp(found, name);
}

void adc_open(struct adc *adc, const char *name)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *d;
	char path[300];

	if (!dir)
		fail("open " DEVICES, "the kernel needs CONFIG_IIO");
	do {
		errno = ENODEV;
		d = readdir(dir);
		if (!d)
			fail(name, "no IIO device has this name");
	} while (!has_name(d->d_name, name));
	snprintf(adc->dir, sizeof(adc->dir), DEVICES "/%.128s", d->d_name);
	snprintf(path, sizeof(path), "/dev/%.128s", d->d_name);
	closedir(dir);

	adc->dev = open(path, O_RDWR | O_CLOEXEC);
	if (adc->dev < 0)
		fail(path, NULL);
	/* In: which buffer. Out: its descriptor, of which there is only one. */
	adc->buffer = 0;
	if (ioctl(adc->dev, IIO_BUFFER_GET_FD_IOCTL, &adc->buffer) < 0)
		fail("get the buffer of the converter", errno == EBUSY ?
		     "another program has it" : NULL);
}

/* Closing a buffer's descriptor also detaches what is attached to it. */
void adc_close(struct adc *adc)
{
	close(adc->buffer);
	close(adc->dev);
}

void adc_set(const struct adc *adc, const char *attribute, const char *value)
{
	ssize_t len = strlen(value);
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", adc->dir, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, len) != len)
		fail(path, errno == EBUSY ? "it is capturing" : NULL);
	close(fd);
}

void adc_set_number(const struct adc *adc, const char *attribute,
		    unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	adc_set(adc, attribute, text);
}

/* The first ones; a scan is a sample of each, one after another. */
void adc_select(const struct adc *adc, unsigned int channels)
{
	char attribute[64];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(attribute, sizeof(attribute),
			 "buffer0/in_voltage%u_en", i);
		adc_set_number(adc, attribute, i < channels);
	}
}

/*
 * The DMABUF is mapped for the device that does the DMA, and stays so. To be
 * done once for each buffer, not once for each block.
 */
void adc_attach(const struct adc *adc, const struct buffer *buf)
{
	int fd = buf->fd;

	if (ioctl(adc->buffer, IIO_BUFFER_DMABUF_ATTACH_IOCTL, &fd) < 0)
		fail("attach a DMABUF to the converter", errno == EPERM ?
		     "this converter cannot do that, use read()" : NULL);
}

void adc_detach(const struct adc *adc, const struct buffer *buf)
{
	int fd = buf->fd;

	if (ioctl(adc->buffer, IIO_BUFFER_DMABUF_DETACH_IOCTL, &fd) < 0)
		fail("detach a DMABUF from the converter", NULL);
}

/*
 * The transfer begins when those enqueued before are done and the buffer is
 * enabled. From now until poll() says so, the memory is the converter's.
 *
 * If somebody else still uses the DMABUF this waits for them. Better to ask
 * poll() before.
 */
void adc_enqueue(const struct adc *adc, const struct buffer *buf, size_t bytes)
{
	struct iio_dmabuf arg = { .fd = buf->fd, .bytes_used = bytes };

	while (ioctl(adc->buffer, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL, &arg) < 0) {
		if (errno != EINTR)
			fail("enqueue a DMABUF", errno == EINVAL ?
			     "whole scans, and not more than its size" : NULL);
	}
}

/* The other way: the kernel copies what it has captured. */
void adc_read(const struct adc *adc, void *mem, size_t bytes)
{
	char *at = mem;

	while (bytes) {
		ssize_t n = read(adc->buffer, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("read samples", NULL);
		if (!n)
			fail_data("the converter has stopped");
		at += n;
		bytes -= n;
	}
}
