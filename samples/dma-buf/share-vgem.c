// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that takes part: vgem, the DRM driver that has no hardware. Any
 * other DRM device imports and exports buffers with the same PRIME calls.
 *
 * What vgem has beside them is a way to pretend that it works on a buffer: a
 * fence that is attached on one call and signalled on another. That makes it
 * the shortest path to seeing what fences do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/vgem_drm.h>

#include "share.h"

static bool is_vgem(int fd)
{
	char name[8] = "";
	struct drm_version version = {
		.name = name,
		.name_len = sizeof(name) - 1,
	};

	return ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 &&
	       strcmp(name, "vgem") == 0;
}

/* -1 if this machine has none. */
int vgem_open(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_vgem(fd))
			return fd;
		close(fd);
	}
	return -1;
}

/* The device attaches to the buffer and maps it for its own DMA. */
__u32 vgem_import(int card, int fd)
{
	struct drm_prime_handle arg = { .fd = fd };

	if (ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg) < 0)
		fail("import a buffer into vgem", errno == EIO ?
		     "the device cannot address the memory" : NULL);
	return arg.handle;
}

/* Of a buffer that was imported this gives back the very same dma-buf. */
int vgem_export(int card, __u32 handle)
{
	struct drm_prime_handle arg = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};

	if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg) < 0)
		fail("export a buffer from vgem", NULL);
	return arg.fd;
}

/* Unmap and detach, once no descriptor that it exported is left either. */
void vgem_forget(int card, __u32 handle)
{
	struct drm_gem_close arg = { .handle = handle };

	if (ioctl(card, DRM_IOCTL_GEM_CLOSE, &arg) < 0)
		fail("drop a vgem handle", NULL);
}

/* A buffer of the device's own. */
__u32 vgem_create(int card, size_t bytes)
{
	struct drm_mode_create_dumb arg = {
		.width = bytes,
		.height = 1,
		.bpp = 8,
	};

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &arg) < 0)
		fail("create a buffer in vgem", NULL);
	return arg.handle;
}

/*
 * Only for a buffer of the device's own: DRM refuses (EINVAL) to map what was
 * imported, that is for the dma-buf's own mmap().
 */
void *vgem_map(int card, __u32 handle, size_t bytes)
{
	struct drm_mode_map_dumb arg = { .handle = handle };
	void *mem;

	if (ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &arg) < 0)
		fail("find the mapping of a vgem buffer", NULL);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, card,
		   arg.offset);
	if (mem == MAP_FAILED)
		fail("mmap a vgem buffer", NULL);
	return mem;
}

/* From here on the device "writes" or "reads": the buffer has a fence. */
__u32 vgem_begin_work(int card, __u32 handle, bool writes)
{
	struct drm_vgem_fence_attach arg = {
		.handle = handle,
		.flags = writes ? VGEM_FENCE_WRITE : 0,
	};

	if (ioctl(card, DRM_IOCTL_VGEM_FENCE_ATTACH, &arg) < 0)
		fail("attach a vgem fence", NULL);
	return arg.out_fence;
}

/* Done: whoever waits for the fence goes on. vgem gives up after 10 s. */
void vgem_finish_work(int card, __u32 work)
{
	struct drm_vgem_fence_signal arg = { .fence = work };

	if (ioctl(card, DRM_IOCTL_VGEM_FENCE_SIGNAL, &arg) < 0)
		fail("signal a vgem fence", errno == ETIMEDOUT ?
		     "more than 10 seconds passed since it was attached" :
		     NULL);
}
