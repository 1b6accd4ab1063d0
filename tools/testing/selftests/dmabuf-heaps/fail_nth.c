// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest.h"
#include "dmabuf_test.h"
#include "fail_nth.h"

/* More than any path has: one that is still failing then would for ever */
#define POINTS_MAX	5000

#define DEBUG_DIR	"/sys/kernel/debug/"

static int fail_nth = -1;

/*
 * Allocations that may sleep are to fail as well, and pages of any order. The
 * kernel is not to log each failure. Returns 0, or -errno where it has no fault
 * injection.
 */
int fail_nth_init(void)
{
	static const char * const settings[][2] = {
		{ DEBUG_DIR "failslab/ignore-gfp-wait", "N" },
		{ DEBUG_DIR "failslab/verbose", "0" },
		{ DEBUG_DIR "fail_page_alloc/ignore-gfp-wait", "N" },
		{ DEBUG_DIR "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ DEBUG_DIR "fail_page_alloc/min-order", "0" },
		{ DEBUG_DIR "fail_page_alloc/verbose", "0" },
		{ DEBUG_DIR "fail_cma_heap/verbose", "0" },
		{ DEBUG_DIR "fail_usercopy/verbose", "0" },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		ret = write_text(settings[i][0], settings[i][1]);
		/* which there may be no CMA heap to have */
		if (ret == -ENOENT && strstr(settings[i][0], "fail_cma_heap"))
			continue;
		if (ret)
			return ret;
	}
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return fail_nth < 0 ? -errno : 0;
}

void fail_nth_exit(void)
{
	close(fail_nth);
	fail_nth = -1;
}

/* What @attribute is about fails from now on, or no more. */
int fail_always(const char *attribute, bool always)
{
	char path[128];
	int ret;

	snprintf(path, sizeof(path), DEBUG_DIR "%s/times", attribute);
	ret = write_text(path, "-1");
	snprintf(path, sizeof(path), DEBUG_DIR "%s/probability", attribute);
	return ret ? ret : write_text(path, always ? "100" : "0");
}

/* Writing and reading the number are subject to it, too */
static int fail_nth_write(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);
	int tries;

	for (tries = 0; tries < 3; tries++)
		if (pwrite(fail_nth, text, len, 0) == len)
			return 0;
	return -errno;
}

/* Has a failure been injected since fail_nth_write()? */
static int fail_nth_hit(void)
{
	char text[16] = "";
	int hit = 0;

	if (pread(fail_nth, text, sizeof(text) - 1, 0) > 0)
		hit = atoi(text) == 0;
	fail_nth_write(0);
	return hit;
}

/* Returns 0 when the path worked in the end, or -errno */
int fail_nth_sweep(const struct fail_path *path, struct fail_result *result)
{
	int n, ret, hit;

	memset(result, 0, sizeof(*result));
	for (n = 1; n < POINTS_MAX; n++) {
		ret = fail_nth_write(n);
		if (ret)
			return ret;
		ret = path->run(path->state);
		hit = fail_nth_hit();
		if (!ret && path->undo)
			path->undo(path->state);
		if (!hit)
			return ret;
		result->points = n;
		if (!ret)
			continue;
		result->refused++;
		if (ret != -ENOMEM && ret != -EFAULT && ret != path->other &&
		    !result->bad) {
			result->bad = n;
			result->said = ret;
		}
	}
	return -ELOOP;
}
