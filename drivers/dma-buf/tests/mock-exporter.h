/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A dma-buf exporter for tests: pages of its own, every operation counted and
 * able to fail on demand, every call checked against the lock rule.
 */
#ifndef _DMA_BUF_MOCK_EXPORTER_H
#define _DMA_BUF_MOCK_EXPORTER_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/kref.h>

/* Optional operations an exporter of the test has; none by default. */
#define MOCK_ATTACH	BIT(0)
#define MOCK_DYNAMIC	BIT(1)
#define MOCK_CACHE	BIT(2)
#define MOCK_CPU	BIT(3)
#define MOCK_MMAP	BIT(4)
#define MOCK_VMAP	BIT(5)
#define MOCK_KMAP	BIT(6)
#define MOCK_KMAP_ATOMIC BIT(7)
/* Everything that one exporter may have. */
#define MOCK_ALL	(GENMASK(7, 0) & ~MOCK_CACHE)

#define MOCK_PAGES	4
#define MOCK_SIZE	(MOCK_PAGES * PAGE_SIZE)

enum mock_op {
	OP_ATTACH,
	OP_DETACH,
	OP_PIN,
	OP_UNPIN,
	OP_MAP,
	OP_UNMAP,
	OP_BEGIN,
	OP_END,
	OP_MMAP,
	OP_VMAP,
	OP_VUNMAP,
	OP_KMAP,
	OP_KUNMAP,
	OP_KMAP_ATOMIC,
	OP_KUNMAP_ATOMIC,
	OP_RELEASE,
	MOCK_OPS,
};

/**
 * struct mock_exporter - the exporter's side of one buffer
 * @ref: held by the test and by the dma_buf until its release
 * @test: the test that made it
 * @dmabuf: the exported buffer
 * @ops: built for this buffer from the flags it was made with
 * @pages: the memory, one page each so that no two need be adjacent
 * @held: the test still has to drop its reference to @dmabuf
 * @released: completed by the release operation
 * @calls: how often each operation was called, successful or not
 * @done: how often each operation succeeded
 * @error: errno an operation shall fail with, 0 to succeed
 * @map_null: map_dma_buf returns NULL
 * @iomem: vmap says that the buffer is I/O memory
 * @on_begin: what begin_cpu_access does beside being counted
 * @dir: direction each operation was last called with
 * @page: page number a kmap operation was last called with
 * @mapped: table last handed out by map_dma_buf
 * @unmapped: table last given back to unmap_dma_buf
 * @misused: operations called with the wrong state of the resv lock
 * @misused_op: the last of these
 * @vaddr: where @pages are mapped by vmap, while they are
 */
struct mock_exporter {
	struct kref ref;
	struct kunit *test;
	struct dma_buf *dmabuf;
	struct dma_buf_ops ops;
	struct page *pages[MOCK_PAGES];
	bool held;
	struct completion released;
	unsigned int calls[MOCK_OPS];
	unsigned int done[MOCK_OPS];
	int error[MOCK_OPS];
	bool map_null;
	bool iomem;
	void (*on_begin)(struct mock_exporter *exp);
	enum dma_data_direction dir[MOCK_OPS];
	unsigned long page;
	struct sg_table *mapped;
	struct sg_table *unmapped;
	unsigned int misused;
	enum mock_op misused_op;
	void *vaddr;
};

struct mock_exporter *mock_exporter_alloc(struct kunit *test,
					  unsigned int flags);
struct mock_exporter *mock_exporter_create(struct kunit *test,
					   unsigned int flags);
int mock_exporter_export(struct mock_exporter *exp,
			 const struct dma_buf_export_info *info);
void mock_exporter_info(struct mock_exporter *exp,
			struct dma_buf_export_info *info);
void mock_exporter_drop(struct mock_exporter *exp);
bool mock_exporter_wait_released(struct mock_exporter *exp);
unsigned int mock_exporter_total(struct mock_exporter *exp);

bool mock_fd_is_cloexec(int fd);

#endif /* _DMA_BUF_MOCK_EXPORTER_H */
