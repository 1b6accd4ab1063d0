// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send what a kernel built with gcov has counted, as a cpio archive (newc) of
 * its .gcda files under their paths on the host.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gcov.h"

#define GCOV	"/sys/kernel/debug/gcov"

static FILE *archive;

static void pad(size_t written)
{
	fwrite("\0\0\0", 1, -written & 3, archive);
}

static void add(const char *name, const void *data, size_t size)
{
	static unsigned int inode;
	size_t len = strlen(name) + 1;

	fprintf(archive, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		++inode, 0100644, 0, 0, 1, 0, size, 0, 0, 0, 0, len, 0);
	fwrite(name, 1, len, archive);
	pad(110 + len);
	fwrite(data, 1, size, archive);
	pad(size);
}

static int add_file(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	size_t size = 0, room = 1 << 16;
	char *data;
	ssize_t n;
	int fd;

	(void)st;
	(void)ftw;
	if (type != FTW_F || strcmp(path + strlen(path) - 5, ".gcda"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	data = malloc(room);
	while (fd >= 0 && data && (n = read(fd, data + size, room - size)) > 0) {
		size += n;
		if (size == room)
			data = realloc(data, room *= 2);
	}
	if (data)
		/* without the slash, relative to where it is unpacked */
		add(path + strlen(GCOV "/"), data, size);
	free(data);
	close(fd);
	return 0;
}

void send_coverage(int port)
{
	archive = fdopen(port, "w");
	if (!archive)
		return;
	nftw(GCOV, add_file, 8, FTW_PHYS);
	add("TRAILER!!!", NULL, 0);
	fclose(archive);
}
