// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core itself does: CPU access, references, poll, sync_files, and
 * the import into a driver.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <linux/dma-buf.h>
#include <linux/types.h>
#include <linux/udmabuf.h>

#include "bench.h"

#define ROUNDS		200

/* The driver's private interface, of drivers/dma-buf/sw_sync.c */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE \
	_IOWR('W', 0, struct sw_sync_create_fence_data)

static void measure_files(const char *group, int fd)
{
	struct step dups = { .name = "dup-close" }, polls = { .name = "poll-ready" };
	long long at = now();
	int i;

	for (i = 0; i < ROUNDS; i++) {
		close(dup(fd));
		took(&dups, &at);
		if (!ready(fd, POLLIN | POLLOUT))
			fail("poll");
		took(&polls, &at);
	}
	report(group, &dups);
	report(group, &polls);
}

static void export_sync_file(int fd)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW };

	do_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg, "EXPORT_SYNC_FILE");
	close(arg.fd);
}

static void measure_sync_files(const char *group, int fd)
{
	struct sw_sync_create_fence_data fence = { .value = 1 };
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_RW };
	struct step idle = { .name = "export-sync-file" };
	struct step busy = { .name = "export-sync-file-busy" };
	struct step polls = { .name = "poll-busy" };
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct step imports = { .name = "import-sync-file" };
	int i, timeline;
	long long at;

	at = now();
	for (i = 0; i < ROUNDS; i++) {
		export_sync_file(fd);
		took(&idle, &at);
	}
	timeline = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);
	if (timeline < 0)
		fail("sw_sync");
	do_ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &fence, "sw_sync fence");
	import.fd = fence.fence;
	at = now();
	for (i = 0; i < ROUNDS; i++) {
		do_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import,
			 "IMPORT_SYNC_FILE");
		took(&imports, &at);
		export_sync_file(fd);
		took(&busy, &at);
		if (poll(&pfd, 1, 0))
			fail("poll of a busy buffer");
		took(&polls, &at);
	}
	close(fence.fence);
	/* signals what is pending */
	close(timeline);
	report(group, &idle);
	report(group, &busy);
	report(group, &polls);
	report(group, &imports);
}

/* A driver's own buffer, which goes with its dma-buf: no heap has a part in it */
static void measure_export(const char *group)
{
	struct step exports = { .name = "export" };
	struct step closes = { .name = "last-close" };
	int i, vgem = vgem_open();
	long long at;

	for (i = 0; i < ROUNDS; i++) {
		struct drm_mode_create_dumb dumb = {
			.width = 1024, .height = 1, .bpp = 32,
		};
		struct drm_prime_handle prime = {
			.flags = DRM_CLOEXEC | DRM_RDWR,
		};

		do_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "buffer");
		prime.handle = dumb.handle;
		at = now();
		do_ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime, "export");
		took(&exports, &at);
		vgem_drop(vgem, dumb.handle);
		at = now();
		close(prime.fd);
		took(&closes, &at);
	}
	close(vgem);
	report(group, &exports);
	report(group, &closes);
}

/* A driver attaches and maps the buffer @fd, which is closed at the end */
static void measure_import(const char *group, const char *name, int fd)
{
	struct step imports = { .name = "import" }, drops = { .name = "import-end" };
	struct step whole = { .name = "import-whole" };
	int i, handle, vgem = vgem_open();
	char subgroup[64];
	long long at;

	snprintf(subgroup, sizeof(subgroup), "%s/%s", group, name);
	at = now();
	for (i = 0; i < ROUNDS / 4; i++) {
		handle = vgem_import(vgem, fd);
		took(&imports, &at);
		vgem_drop(vgem, handle);
		took(&drops, &at);
	}
	at = now();
	for (i = 0; i < ROUNDS / 4; i++) {
		vgem_drop(vgem, vgem_import(vgem, fd));
		took(&whole, &at);
	}
	close(fd);
	close(vgem);
	report(subgroup, &imports);
	report(subgroup, &drops);
	report(subgroup, &whole);
}

/* A descriptor from a driver and back to it: dma_buf_fd(), _get() and _put() */
static void measure_round_trip(const char *group, int fd)
{
	struct step trips = { .name = "fd-round-trip" };
	int i, vgem = vgem_open(), handle = vgem_import(vgem, fd);
	long long at = now();

	for (i = 0; i < ROUNDS; i++) {
		struct drm_prime_handle prime = {
			.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
		};

		do_ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime, "export");
		do_ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, "import");
		close(prime.fd);
		took(&trips, &at);
	}
	vgem_drop(vgem, handle);
	close(vgem);
	report(group, &trips);
}

/* udmabuf makes an entry of each page: the exporter is the same in both kernels */
static int udmabuf_of(size_t pages)
{
	struct udmabuf_create create = { .size = pages * 4 * KIB };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	if (device < 0)
		fail("/dev/udmabuf");
	create.memfd = memfd_create("bench", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if ((int)create.memfd < 0 || ftruncate(create.memfd, create.size) ||
	    fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fail("memfd");
	fd = ioctl(device, UDMABUF_CREATE, &create);
	if (fd < 0)
		fail("UDMABUF_CREATE");
	close(create.memfd);
	close(device);
	return fd;
}

void bench_core(const char *group)
{
	int heap = heap_open("system");
	int fd = heap_alloc(heap, MIB);

	measure_attached_sync(group, fd);
	measure_files(group, fd);
	measure_sync_files(group, fd);
	measure_round_trip(group, fd);
	measure_export(group);
	measure_import(group, "1-entry", udmabuf_of(1));
	measure_import(group, "256-entries", udmabuf_of(256));
	measure_import(group, "4096-entries", udmabuf_of(4096));
	measure_import(group, "1M", heap_alloc(heap, MIB));
	measure_import(group, "4Kvideo",
		       heap_alloc(heap, 3840UL * 2160 * 3 / 2));
}
