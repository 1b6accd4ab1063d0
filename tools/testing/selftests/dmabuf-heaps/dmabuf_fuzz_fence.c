// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of dmabuf_fuzz that is about fences: timelines of sw_sync, and
 * sync_files.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sync_file.h>

#include "../kselftest.h"
#include "dmabuf_fuzz.h"

/*
 * A timeline: its descriptor or -1, how far it is, and the last of its fences.
 */
static struct {
	int fd;
	unsigned int value, last;
} timelines[SLOTS];

int fences[SLOTS];

void fences_init(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		timelines[i].fd = -1;
		fences[i] = -1;
	}
}

int some_timeline(struct fuzz *fuzz)
{
	return timelines[slot(fuzz)].fd;
}

void drop_fence(unsigned int i)
{
	if (fences[i] >= 0)
		close(fences[i]);
	fences[i] = -1;
}

void drop_timeline(unsigned int i)
{
	if (timelines[i].fd >= 0)
		close(timelines[i].fd);
	timelines[i].fd = -1;
}

/* Nothing waits for a fence afterwards. */
void settle(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (timelines[i].fd < 0 ||
		    timelines[i].last <= timelines[i].value)
			continue;
		timeline_advance(timelines[i].fd,
				 timelines[i].last - timelines[i].value);
		timelines[i].value = timelines[i].last;
	}
}

int op_timeline(struct fuzz *fuzz)
{
	unsigned int i = slot(fuzz);
	int fd;

	drop_timeline(i);
	/* The fences that are not signalled fail: nothing waits for ever */
	fd = timeline_open();
	if (fd < 0)
		return fd;
	timelines[i].fd = fd;
	timelines[i].value = 0;
	timelines[i].last = 0;
	return 0;
}

int op_fence(struct fuzz *fuzz)
{
	unsigned int i = slot(fuzz), to = slot(fuzz);
	unsigned int value = timelines[i].value + fuzz_pick(fuzz, 4);
	int fd;

	if (timelines[i].fd < 0)
		return 0;
	fd = timeline_fence(timelines[i].fd, value);
	if (fd < 0)
		return fd;
	if (timelines[i].last < value)
		timelines[i].last = value;
	drop_fence(to);
	fences[to] = fd;
	return 0;
}

int op_advance(struct fuzz *fuzz)
{
	unsigned int by = 1 + fuzz_pick(fuzz, 3);
	unsigned int i = slot(fuzz);
	int ret;

	if (timelines[i].fd < 0)
		return 0;
	ret = timeline_advance(timelines[i].fd, by);
	if (!ret)
		timelines[i].value += by;
	return ret;
}

int op_merge(struct fuzz *fuzz)
{
	struct sync_merge_data data = {
		.name = "fuzz",
		.fd2 = fuzz_rarely(fuzz) ? some_fd(fuzz) : fences[slot(fuzz)],
		.flags = fuzz_rarely(fuzz) ? fuzz_number(fuzz) : 0,
	};
	int from = fences[slot(fuzz)];
	unsigned int to = slot(fuzz);
	int ret = do_ioctl(from, SYNC_IOC_MERGE, fuzz_pointer(fuzz, &data));

	if (ret)
		return ret;
	drop_fence(to);
	fences[to] = data.fence;
	return 0;
}

int op_fence_info(struct fuzz *fuzz)
{
	struct sync_fence_info each[4];
	struct sync_file_info info = {
		.num_fences = fuzz_pick(fuzz, ARRAY_SIZE(each) + 1),
		.sync_fence_info = (uintptr_t)fuzz_pointer(fuzz, each),
		.flags = fuzz_rarely(fuzz) ? fuzz_number(fuzz) : 0,
	};

	return do_ioctl(fences[slot(fuzz)], SYNC_IOC_FILE_INFO,
			fuzz_pointer(fuzz, &info));
}

int op_drop_fence(struct fuzz *fuzz)
{
	drop_fence(slot(fuzz));
	return 0;
}
