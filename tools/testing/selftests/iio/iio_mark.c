// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences of IIO that were made, that signalled and that are gone, counted by the
 * trace events of all fences: instances of one event each count what they were
 * given even when their buffers have long been overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iio_test.h"

#define TRACING		"/sys/kernel/tracing/instances"
#define MADE		TRACING "/iio_made"
#define SIGNALLED	TRACING "/iio_signalled"
#define GONE		TRACING "/iio_gone"
/* Last references go in work items; a test that fails waits this long */
#define SETTLE_MS	5000
#define FILTER		"driver == \"iio\""

static int set(const char *instance, const char *file, const char *text)
{
	char path[160];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", instance, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Once for all programs: what is there already goes on counting */
static int count(const char *instance, const char *event)
{
	char file[80];
	int ret;

	if (mkdir(instance, 0700))
		return errno == EEXIST ? 0 : -errno;
	ret = set(instance, "buffer_size_kb", "8");
	snprintf(file, sizeof(file), "events/dma_fence/%s/filter", event);
	if (!ret)
		ret = set(instance, file, FILTER);
	snprintf(file, sizeof(file), "events/dma_fence/%s/enable", event);
	return ret ? ret : set(instance, file, "1");
}

/* What an instance has got, on all processors */
static long counted(const char *instance)
{
	char path[160];
	long sum = 0, n;
	int cpu;

	for (cpu = 0; ; cpu++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%d/stats", instance,
			 cpu);
		n = table_number(path, "entries");
		if (n < 0)
			return cpu ? sum : n;
		sum += n + table_number(path, "overrun");
	}
}

long iio_fences_made(void)
{
	return counted(MADE);
}

long iio_fences_signalled(void)
{
	return counted(SIGNALLED);
}

/* Signalled or not, somebody still has a reference to them */
long iio_fences_live(void)
{
	/* In this order, for one that is made meanwhile not to be missed */
	long gone = counted(GONE);

	return counted(MADE) - gone;
}

int iio_mark_take(struct iio_mark *mark)
{
	int ret = count(MADE, "dma_fence_init");

	if (!ret)
		ret = count(SIGNALLED, "dma_fence_signaled");
	if (!ret)
		ret = count(GONE, "dma_fence_destroy");
	if (ret)
		return ret;
	mark->made = iio_fences_made();
	mark->signalled = iio_fences_signalled();
	mark->live = iio_fences_live();
	mark->buffers = buffers_live();
	fd_table_read(&mark->fds);
	return mark->made < 0 || mark->signalled < 0 ? -EIO : 0;
}

/* What a test has left behind, in words, or NULL: files go with a delay */
const char *iio_mark_left(const struct iio_mark *mark)
{
	long long end = now_ms() + SETTLE_MS;
	const char *left;

	for (;;) {
		left = NULL;
		if (others_at_work())
			return fd_table_same(&mark->fds) ? NULL :
							   "a file descriptor";
		if (iio_fences_made() - mark->made !=
		    iio_fences_signalled() - mark->signalled)
			left = "a fence that did not signal";
		else if (iio_fences_live() > mark->live)
			left = "a fence that somebody has a reference to";
		else if (buffers_live() > mark->buffers)
			left = "a dma-buf";
		else if (!fd_table_same(&mark->fds))
			left = "a file descriptor";
		if (!left || now_ms() > end)
			return left;
		sleep_ms(10);
	}
}
