// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events of dma-bufs: each comes when it should, about the buffer it
 * is about, with what its format promises.
 */
#include "../kselftest_harness.h"
#include "heap_fixture.h"

FIXTURE(trace) {
	int fd;
	unsigned long inode;
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, trace_begin(256));
	ASSERT_EQ(0, trace_set("events/dma_buf/enable", "1"));
	self->fd = heap_buffer(HEAP_SYSTEM, 4 * PAGE);
	ASSERT_LE(0, self->fd);
	self->inode = fd_inode(self->fd);
}

FIXTURE_TEARDOWN(trace)
{
	close(self->fd);
	EXPECT_EQ(0, trace_set("events/dma_buf/enable", "0"));
	EXPECT_EQ(0, trace_end());
}

/* How often an event came for this buffer with this at the end of its line */
static int times_seen(unsigned long inode, const char *event, const char *end)
{
	char line[LINE_LEN], wanted[LINE_LEN];
	FILE *file = fopen(TRACE_DIR "/trace", "re");
	int count = 0;

	snprintf(wanted, sizeof(wanted), ": %s: ino=%lu%s\n", event, inode,
		 end);
	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, wanted))
			count++;
	}
	if (file)
		fclose(file);
	return count;
}

TEST_F(trace, life)
{
	char end[64];

	snprintf(end, sizeof(end), " size=%zu exp_name=" HEAP_SYSTEM, 4 * PAGE);
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_export", end));
	snprintf(end, sizeof(end), " fd=%d", self->fd);
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_fd", end));
}

TEST_F(trace, mapping)
{
	void *addr = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, self->fd,
			  PAGE);

	ASSERT_NE(MAP_FAILED, addr);
	munmap(addr, 2 * PAGE);
	/* One that is refused never was */
	EXPECT_EQ(NULL, buf_map(self->fd, 5 * PAGE));
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_mmap",
				" pgoff=1 nr_pages=2"));
	EXPECT_EQ(0, times_seen(self->inode, "dma_buf_mmap",
				" pgoff=0 nr_pages=5"));
}

TEST_F(trace, cpu_access)
{
	static const struct {
		__u64 flags;
		const char *end;
	} rows[] = {
		{ DMA_BUF_SYNC_READ, " dir=from-device" },
		{ DMA_BUF_SYNC_WRITE, " dir=to-device" },
		{ DMA_BUF_SYNC_RW, " dir=bidirectional" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(0, buf_sync(self->fd,
				      DMA_BUF_SYNC_START | rows[i].flags));
		EXPECT_EQ(1, times_seen(self->inode,
					"dma_buf_begin_cpu_access",
					rows[i].end));
		EXPECT_EQ(0, times_seen(self->inode, "dma_buf_end_cpu_access",
					rows[i].end));
		EXPECT_EQ(0, buf_sync(self->fd,
				      DMA_BUF_SYNC_END | rows[i].flags));
		EXPECT_EQ(1, times_seen(self->inode, "dma_buf_end_cpu_access",
					rows[i].end));
	}
}

TEST_F(trace, importer)
{
	static const char device[] = " device=vgem static";
	static const char both[] = " device=vgem dir=bidirectional";
	int vgem = vgem_open();
	__u32 handle;
	char end[64];

	ASSERT_LE(0, vgem);
	snprintf(end, sizeof(end), " size=%zu exp_name=" HEAP_SYSTEM, 4 * PAGE);
	ASSERT_EQ(0, vgem_import(vgem, self->fd, &handle));
	EXPECT_LE(1, times_seen(self->inode, "dma_buf_get", end));
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_attach", device));
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_map", both));
	EXPECT_EQ(0, times_seen(self->inode, "dma_buf_unmap", both));
	EXPECT_EQ(0, times_seen(self->inode, "dma_buf_detach", device));
	EXPECT_EQ(0, vgem_close(vgem, handle));
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_unmap", both));
	EXPECT_EQ(1, times_seen(self->inode, "dma_buf_detach", device));
	EXPECT_LE(1, times_seen(self->inode, "dma_buf_put", end));
	close(vgem);
}

TEST_HARNESS_MAIN
