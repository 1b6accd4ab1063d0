// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine without a CMA region: the CMA heap is not there under any of its
 * names, and the system heap is as everywhere. Start the kernel with cma=0.
 */
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

TEST(only_the_system_heap)
{
	static const char * const names[] = {
		HEAP_CMA, "reserved", "linux,cma", "default-pool",
	};
	size_t i;
	int fd;

	if (cma_region_name())
		SKIP(return, "there is a CMA region; boot with cma=0");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(-ENOENT, heap_open(names[i])) {
			TH_LOG("%s", names[i]);
		}
	}
	fd = heap_buffer(HEAP_SYSTEM, PAGE);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_HARNESS_MAIN
