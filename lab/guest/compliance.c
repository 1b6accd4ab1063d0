// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run v4l2-compliance, a program that somebody else wrote, and take from what
 * it says the lines about dma-bufs: each is a case, in KTAP, that passes where
 * it says "OK". What is expected to be there and is not has failed. Its other
 * tests are of the driver, and not of what is tested here: Debian 12's version
 * is older than the kernel and finds faults in it.
 *
 * The name that this is called by tells the device: v4l2-vivid, v4l2-vivid-out
 * or v4l2-vim2m. The buffers come from another one, a third vivid, with frames
 * as large as any.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/videodev2.h>

#define COMPLIANCE	"/bin/v4l2-compliance"
#define EXPORTER	"platform:vivid-002"
#define NODES		64
#define LINE_LEN	512

static const struct {
	const char *name, *bus;
	unsigned int caps;
} devices[] = {
	{ "v4l2-vivid", "platform:vivid-000", V4L2_CAP_VIDEO_CAPTURE },
	{ "v4l2-vivid-out", "platform:vivid-000", V4L2_CAP_VIDEO_OUTPUT },
	{ "v4l2-vim2m", "platform:vim2m", V4L2_CAP_VIDEO_M2M },
};

/* The tests about dma-bufs, by how their lines begin */
static const struct {
	const char *line, *name;
} wanted[] = {
	{ "test VIDIOC_EXPBUF:", "EXPBUF" },
	{ "test DMABUF (no poll):", "DMABUF without poll" },
	{ "test DMABUF (select):", "DMABUF with select" },
};

#define WANTED		(sizeof(wanted) / sizeof(wanted[0]))

static unsigned int seen[WANTED], failed[WANTED];

static int find(const char *bus, unsigned int caps, char *path, size_t size)
{
	struct v4l2_capability cap;
	int i, fd;

	for (i = 0; i < NODES; i++) {
		snprintf(path, size, "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.bus_info, bus) &&
		    (cap.device_caps & caps) == caps)
			return fd;
		close(fd);
	}
	return -1;
}

/* Its buffers have to hold a frame of every size and format of the others */
static bool set_largest(int fd)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	int input = 0;

	format.fmt.pix.width = 3840;
	format.fmt.pix.height = 2160;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_NV24;
	return !ioctl(fd, VIDIOC_S_INPUT, &input) &&
	       !ioctl(fd, VIDIOC_S_FMT, &format) &&
	       format.fmt.pix.width == 3840 &&
	       format.fmt.pix.pixelformat == V4L2_PIX_FMT_NV24;
}

static FILE *start(const char *device, const char *exporter, pid_t *pid)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return NULL;
	*pid = fork();
	if (!*pid) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		execl(COMPLIANCE, COMPLIANCE, "-d", device, "-e", exporter,
		      "-s4", "-P", NULL);
		perror(COMPLIANCE);
		_exit(127);
	}
	close(ends[1]);
	return *pid < 0 ? NULL : fdopen(ends[0], "r");
}

static void judge(const char *line)
{
	const char *word;
	unsigned int i;

	for (i = 0; i < WANTED; i++) {
		if (strncmp(line, wanted[i].line, strlen(wanted[i].line)))
			continue;
		word = line + strlen(wanted[i].line);
		word += strspn(word, " ");
		seen[i]++;
		failed[i] += strcmp(word, "OK") != 0;
	}
}

static int report(bool ended)
{
	unsigned int i, bad = 0;

	for (i = 0; i < WANTED; i++) {
		bool ok = ended && seen[i] && !failed[i];

		if (!seen[i])
			printf("# there was no line \"%s\"\n", wanted[i].line);
		printf("%sok %u %s\n", ok ? "" : "not ", i + 1,
		       wanted[i].name);
		bad += !ok;
	}
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	char path[32], from[32], line[LINE_LEN];
	unsigned int i, n = sizeof(devices) / sizeof(devices[0]);
	int device, exporter, status, first = 0;
	FILE *output;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%zu\n", WANTED);
	for (i = 0; i < n && (!name || strcmp(name + 1, devices[i].name)); i++)
		;
	if (i == n) {
		printf("# no device goes by this program's name\n");
		return report(false);
	}
	device = find(devices[i].bus, devices[i].caps, path, sizeof(path));
	exporter = find(EXPORTER, V4L2_CAP_VIDEO_CAPTURE, from, sizeof(from));
	if (device < 0 || exporter < 0 || !set_largest(exporter)) {
		printf("# no %s, or no %s with large frames\n", devices[i].bus,
		       EXPORTER);
		return report(false);
	}
	/* as it was before tests chose: refused by what has no choice */
	ioctl(device, VIDIOC_S_INPUT, &first);
	ioctl(device, VIDIOC_S_OUTPUT, &first);
	close(device);
	close(exporter);
	output = start(path, from, &pid);
	while (output && fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = '\0';
		printf("# %s\n", line);
		judge(line + strspn(line, " \t"));
	}
	/* its other tests may fail: only an end of another kind is bad */
	if (!output || waitpid(pid, &status, 0) != pid ||
	    !WIFEXITED(status) || WEXITSTATUS(status) == 127) {
		printf("# it did not come to an end of its own\n");
		return report(false);
	}
	return report(true);
}
