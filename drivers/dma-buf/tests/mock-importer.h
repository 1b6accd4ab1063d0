/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A dma-buf importer for tests: a device that attaches, statically or
 * dynamically, and counts what it is told.
 */
#ifndef _DMA_BUF_MOCK_IMPORTER_H
#define _DMA_BUF_MOCK_IMPORTER_H

#include <kunit/test.h>
#include <linux/dma-buf.h>

struct mock_fence;

/**
 * struct mock_importer - the importer's side of one attachment
 * @dev: the device that imports
 * @dma_parms: its limits
 * @attach: its attachment, NULL when there is none
 * @moved: how often move_notify was called
 * @moved_unlocked: how often of these without the resv lock held
 * @revoked: how often revoked was called, with the lock held
 * @last: signals when the DMA that revoked could not stop has ended, or NULL
 */
struct mock_importer {
	struct device *dev;
	struct device_dma_parameters dma_parms;
	struct dma_buf_attachment *attach;
	unsigned int moved;
	unsigned int moved_unlocked;
	unsigned int revoked;
	struct mock_fence *last;
};

extern const struct dma_buf_attach_ops mock_importer_ops;
extern const struct dma_buf_attach_ops mock_revocable_ops;

struct mock_importer *mock_importer_create(struct kunit *test,
					   const char *name);
int mock_importer_attach(struct kunit *test, struct mock_importer *imp,
			 struct dma_buf *dmabuf, bool dynamic);
int mock_importer_attach_with(struct kunit *test, struct mock_importer *imp,
			      struct dma_buf *dmabuf,
			      const struct dma_buf_attach_ops *ops);
void mock_importer_detach(struct kunit *test, struct mock_importer *imp);
struct mock_importer *mock_importer_attached(struct kunit *test,
					     const char *name,
					     struct dma_buf *dmabuf,
					     bool dynamic);
struct sg_table *mock_importer_map(struct mock_importer *imp,
				   enum dma_data_direction dir);
void mock_importer_unmap(struct mock_importer *imp, struct sg_table *sgt,
			 enum dma_data_direction dir);

#endif /* _DMA_BUF_MOCK_IMPORTER_H */
