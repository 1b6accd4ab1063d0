// SPDX-License-Identifier: GPL-2.0-only
/*
 * The others a buffer meets: fences of sw_sync, the vgem driver, the tracer and
 * other processes. Buffers themselves are in dmabuf_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm/drm.h>
#include <linux/sync_file.h>

#include "dmabuf_test.h"

#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"
#define SYNC_INFO	"/sys/kernel/debug/sync/info"

/* sw_sync has no header in uapi: its numbers are debugfs ABI */
struct sw_sync_create {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_CREATE	_IOWR('W', 0, struct sw_sync_create)
#define SW_SYNC_INC	_IOW('W', 1, __u32)

int timeline_open(void)
{
	int fd = open(SW_SYNC, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int timeline_fence(int timeline, unsigned int value)
{
	struct sw_sync_create create = { .value = value, .name = "test" };
	int ret = do_ioctl(timeline, SW_SYNC_CREATE, &create);

	return ret < 0 ? ret : create.fence;
}

int timeline_advance(int timeline, unsigned int by)
{
	__u32 value = by;

	return do_ioctl(timeline, SW_SYNC_INC, &value);
}

/*
 * Timelines that are open, or closed with a fence of theirs still referenced
 * by somebody. An empty line ends each of them in the first part of the file.
 */
long timelines_live(void)
{
	FILE *file = fopen(SYNC_INFO, "re");
	char line[LINE_LEN];
	long count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file) &&
	       strcmp(line, "fences:\n") != 0)
		count += line[0] == '\n';
	fclose(file);
	return count;
}

int buf_add_fence(int fd, __u32 usage, int fence)
{
	struct dma_buf_import_sync_file arg = { .flags = usage, .fd = fence };

	return do_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg);
}

int buf_get_fence(int fd, __u32 usage)
{
	struct dma_buf_export_sync_file arg = { .flags = usage, .fd = -1 };
	int ret = do_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg);

	return ret < 0 ? ret : arg.fd;
}

/*
 * 0 while active, 1 once signalled, the fence's error once it failed. An
 * answer of the ioctl itself is moved out of their way.
 */
int fence_status(int fence)
{
	struct sync_file_info info = { 0 };
	int ret = do_ioctl(fence, SYNC_IOC_FILE_INFO, &info);

	return ret < 0 ? ret - 10000 : info.status;
}

int fence_merge(int one, int other)
{
	struct sync_merge_data data = { .name = "merged", .fd2 = other };
	int ret = do_ioctl(one, SYNC_IOC_MERGE, &data);

	return ret < 0 ? ret : data.fence;
}

/* The first card that says it is vgem */
int vgem_open(void)
{
	int i;

	for (i = 0; i < 16; i++) {
		char path[64], name[16] = "";
		struct drm_version version = {
			.name = name,
			.name_len = sizeof(name) - 1,
		};
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

int vgem_import(int vgem, int fd, __u32 *handle)
{
	struct drm_prime_handle arg = { .fd = fd };
	int ret = do_ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg);

	*handle = arg.handle;
	return ret;
}

int vgem_export(int vgem, __u32 handle)
{
	struct drm_prime_handle arg = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
		.fd = -1,
	};
	int ret = do_ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg);

	return ret < 0 ? ret : arg.fd;
}

int vgem_close(int vgem, __u32 handle)
{
	struct drm_gem_close arg = { .handle = handle };

	return do_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &arg);
}

int trace_set(const char *file, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), TRACE_DIR "/%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int trace_begin(unsigned int kib_per_cpu)
{
	char text[16];

	/* One that a killed test left is as good as gone */
	rmdir(TRACE_DIR);
	if (mkdir(TRACE_DIR, 0700))
		return -errno;
	snprintf(text, sizeof(text), "%u", kib_per_cpu);
	return trace_set("buffer_size_kb", text);
}

int trace_end(void)
{
	return rmdir(TRACE_DIR) ? -errno : 0;
}

long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Exit status of a child, or minus the signal that ended it */
int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Waits until the child is asleep: then it is in the call under test */
bool child_sleeps(pid_t pid)
{
	long long until = now_ms() + 5000;
	char path[64], text[LINE_LEN];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		char *state;

		if (read_file(path, text, sizeof(text)) < 0)
			return false;
		state = strrchr(text, ')');
		if (state && !strncmp(state, ") S", 3))
			return true;
		sleep_ms(5);
	} while (now_ms() < until);
	return false;
}

int send_fd(int sock, int fd)
{
	char byte = 0, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int recv_fd(int sock)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *head;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -EIO;
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}
