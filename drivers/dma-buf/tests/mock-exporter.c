// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exporter of the tests. When a test ends, its buffer must have been
 * released exactly once, each operation undone as often as it succeeded, and
 * no operation called with the resv lock in the wrong state; otherwise the
 * test fails, whatever else it looked at.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "mock-exporter.h"

#define MOCK_RELEASE_TIMEOUT	(5 * HZ)

static const struct {
	const char *name;
	bool locked;
} mock_op_info[MOCK_OPS] = {
	[OP_ATTACH]	= { "attach", false },
	[OP_DETACH]	= { "detach", false },
	[OP_PIN]	= { "pin", true },
	[OP_UNPIN]	= { "unpin", true },
	[OP_MAP]	= { "map_dma_buf", true },
	[OP_UNMAP]	= { "unmap_dma_buf", true },
	[OP_BEGIN]	= { "begin_cpu_access", false },
	[OP_END]	= { "end_cpu_access", false },
	[OP_MMAP]	= { "mmap", false },
	[OP_VMAP]	= { "vmap", true },
	[OP_VUNMAP]	= { "vunmap", true },
	[OP_KMAP]	= { "kmap", false },
	[OP_KUNMAP]	= { "kunmap", false },
	[OP_KMAP_ATOMIC] = { "kmap_atomic", false },
	[OP_KUNMAP_ATOMIC] = { "kunmap_atomic", false },
	[OP_RELEASE]	= { "release", false },
};

/* What must have happened equally often by the end of a test. */
static const enum mock_op mock_op_pairs[][2] = {
	{ OP_ATTACH, OP_DETACH },
	{ OP_PIN, OP_UNPIN },
	{ OP_MAP, OP_UNMAP },
	{ OP_VMAP, OP_VUNMAP },
	{ OP_KMAP, OP_KUNMAP },
	{ OP_KMAP_ATOMIC, OP_KUNMAP_ATOMIC },
};

static void mock_exporter_free(struct kref *ref)
{
	struct mock_exporter *exp = container_of(ref, struct mock_exporter,
						 ref);
	unsigned int i;

	for (i = 0; i < MOCK_PAGES; i++)
		if (exp->pages[i])
			__free_page(exp->pages[i]);
	kfree(exp);
}

/* Each operation starts here: counted, checked, and perhaps to fail. */
static int mock_enter(struct dma_buf *dmabuf, enum mock_op op)
{
	struct mock_exporter *exp = dmabuf->priv;

	if (op != OP_KMAP_ATOMIC && op != OP_KUNMAP_ATOMIC)
		might_sleep();
	exp->calls[op]++;
	if (dma_resv_is_locked(dmabuf->resv) != mock_op_info[op].locked) {
		exp->misused++;
		exp->misused_op = op;
	}
	if (exp->error[op])
		return exp->error[op];
	exp->done[op]++;
	return 0;
}

static int mock_attach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach)
{
	return mock_enter(dmabuf, OP_ATTACH);
}

static void mock_detach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	mock_enter(dmabuf, OP_DETACH);
}

static int mock_pin(struct dma_buf_attachment *attach)
{
	return mock_enter(attach->dmabuf, OP_PIN);
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	mock_enter(attach->dmabuf, OP_UNPIN);
}

static int mock_fill_table(struct mock_exporter *exp, struct sg_table *sgt,
			   struct device *dev, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(sgt, MOCK_PAGES, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, exp->pages[i], PAGE_SIZE, 0);

	/* Nobody looks at the data, and several devices map it at once. */
	ret = dma_map_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		sg_free_table(sgt);
	return ret;
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	exp->dir[OP_MAP] = dir;
	if (exp->map_null) {
		exp->calls[OP_MAP]++;
		return NULL;
	}
	ret = mock_enter(attach->dmabuf, OP_MAP);
	if (ret)
		return ERR_PTR(ret);

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = mock_fill_table(exp, sgt, attach->dev, dir);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}
	exp->mapped = sgt;
	return sgt;
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;

	mock_enter(attach->dmabuf, OP_UNMAP);
	exp->dir[OP_UNMAP] = dir;
	exp->unmapped = sgt;
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock_exporter *exp = dmabuf->priv;

	mock_enter(dmabuf, OP_RELEASE);
	complete(&exp->released);
	kref_put(&exp->ref, mock_exporter_free);
}

static int mock_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct mock_exporter *exp = dmabuf->priv;

	exp->dir[OP_BEGIN] = dir;
	if (exp->on_begin)
		exp->on_begin(exp);
	return mock_enter(dmabuf, OP_BEGIN);
}

static int mock_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct mock_exporter *exp = dmabuf->priv;

	exp->dir[OP_END] = dir;
	return mock_enter(dmabuf, OP_END);
}

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return mock_enter(dmabuf, OP_MMAP);
}

static int mock_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *exp = dmabuf->priv;
	void *vaddr;
	int ret;

	ret = mock_enter(dmabuf, OP_VMAP);
	if (ret)
		return ret;

	vaddr = vmap(exp->pages, MOCK_PAGES, VM_MAP, PAGE_KERNEL);
	if (!vaddr)
		return -ENOMEM;
	exp->vaddr = vaddr;
	if (exp->iomem)
		iosys_map_set_vaddr_iomem(map, (void __iomem *)vaddr);
	else
		iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void mock_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *exp = dmabuf->priv;

	mock_enter(dmabuf, OP_VUNMAP);
	vunmap(exp->vaddr);
	exp->vaddr = NULL;
}

static void *mock_kmap_op(struct dma_buf *dmabuf, unsigned long page,
			  enum mock_op op)
{
	struct mock_exporter *exp = dmabuf->priv;

	exp->page = page;
	if (mock_enter(dmabuf, op))
		return NULL;
	return page_address(exp->pages[page]);
}

static void *mock_kmap(struct dma_buf *dmabuf, unsigned long page)
{
	return mock_kmap_op(dmabuf, page, OP_KMAP);
}

static void mock_kunmap(struct dma_buf *dmabuf, unsigned long page,
			void *vaddr)
{
	mock_kmap_op(dmabuf, page, OP_KUNMAP);
}

static void *mock_kmap_atomic(struct dma_buf *dmabuf, unsigned long page)
{
	return mock_kmap_op(dmabuf, page, OP_KMAP_ATOMIC);
}

static void mock_kunmap_atomic(struct dma_buf *dmabuf, unsigned long page,
			       void *vaddr)
{
	mock_kmap_op(dmabuf, page, OP_KUNMAP_ATOMIC);
}

static void mock_exporter_set_ops(struct mock_exporter *exp,
				  unsigned int flags)
{
	struct dma_buf_ops *ops = &exp->ops;

	ops->map_dma_buf = mock_map;
	ops->unmap_dma_buf = mock_unmap;
	ops->release = mock_release;
	ops->cache_sgt_mapping = flags & MOCK_CACHE;
	if (flags & MOCK_ATTACH) {
		ops->attach = mock_attach;
		ops->detach = mock_detach;
	}
	if (flags & MOCK_DYNAMIC) {
		ops->pin = mock_pin;
		ops->unpin = mock_unpin;
	}
	if (flags & MOCK_CPU) {
		ops->begin_cpu_access = mock_begin;
		ops->end_cpu_access = mock_end;
	}
	if (flags & MOCK_MMAP)
		ops->mmap = mock_mmap;
	if (flags & MOCK_VMAP) {
		ops->vmap = mock_vmap;
		ops->vunmap = mock_vunmap;
	}
	if (flags & MOCK_KMAP) {
		ops->kmap = mock_kmap;
		ops->kunmap = mock_kunmap;
	}
	if (flags & MOCK_KMAP_ATOMIC) {
		ops->kmap_atomic = mock_kmap_atomic;
		ops->kunmap_atomic = mock_kunmap_atomic;
	}
}

/* The end of a test: the buffer goes, and everything must add up. */
static void mock_exporter_finish(void *data)
{
	struct mock_exporter *exp = data;
	struct kunit *test = exp->test;
	unsigned int i;

	if (!exp->dmabuf)
		goto out;

	mock_exporter_drop(exp);
	KUNIT_EXPECT_TRUE_MSG(test, mock_exporter_wait_released(exp),
			      "buffer not released, a reference is left");
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 1);
	KUNIT_EXPECT_EQ_MSG(test, exp->misused, 0,
			    "%s called with resv %s", mock_op_info[exp->misused_op].name,
			    mock_op_info[exp->misused_op].locked ? "not held" : "held");
	for (i = 0; i < ARRAY_SIZE(mock_op_pairs); i++) {
		enum mock_op op = mock_op_pairs[i][0];

		KUNIT_EXPECT_EQ_MSG(test, exp->done[op],
				    exp->calls[mock_op_pairs[i][1]],
				    "%s not undone as often as done",
				    mock_op_info[op].name);
	}
out:
	kref_put(&exp->ref, mock_exporter_free);
}

/* An exporter that has not exported yet; @flags are MOCK_ATTACH and so on. */
struct mock_exporter *mock_exporter_alloc(struct kunit *test,
					  unsigned int flags)
{
	struct mock_exporter *exp;
	unsigned int i;
	int ret;

	exp = kzalloc(sizeof(*exp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, exp);

	kref_init(&exp->ref);
	exp->test = test;
	init_completion(&exp->released);
	mock_exporter_set_ops(exp, flags);
	ret = kunit_add_action_or_reset(test, mock_exporter_finish, exp);
	KUNIT_ASSERT_EQ(test, ret, 0);

	for (i = 0; i < MOCK_PAGES; i++) {
		exp->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, exp->pages[i]);
	}
	return exp;
}

/* What mock_exporter_create() exports with, for the test to change. */
void mock_exporter_info(struct mock_exporter *exp,
			struct dma_buf_export_info *info)
{
	*info = (struct dma_buf_export_info) {
		.exp_name = "mock",
		.owner = THIS_MODULE,
		.ops = &exp->ops,
		.size = MOCK_SIZE,
		.flags = O_RDWR,
		.priv = exp,
	};
}

/* Returns 0, or the errno of dma_buf_export(). */
int mock_exporter_export(struct mock_exporter *exp,
			 const struct dma_buf_export_info *info)
{
	struct dma_buf *dmabuf;

	dmabuf = dma_buf_export(info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	kref_get(&exp->ref);
	exp->dmabuf = dmabuf;
	exp->held = true;
	return 0;
}

/* An exported buffer; ends the test if that fails. */
struct mock_exporter *mock_exporter_create(struct kunit *test,
					   unsigned int flags)
{
	struct mock_exporter *exp = mock_exporter_alloc(test, flags);
	struct dma_buf_export_info info;

	mock_exporter_info(exp, &info);
	KUNIT_ASSERT_EQ(test, mock_exporter_export(exp, &info), 0);
	return exp;
}

/* Give up the exporter's reference to the buffer, if not done before. */
void mock_exporter_drop(struct mock_exporter *exp)
{
	if (!exp->held)
		return;
	exp->held = false;
	dma_buf_put(exp->dmabuf);
}

/*
 * A file put by a kernel thread, as every test is, is released by a worker.
 * Returns whether the buffer was released.
 */
bool mock_exporter_wait_released(struct mock_exporter *exp)
{
	flush_delayed_fput();
	if (!wait_for_completion_timeout(&exp->released,
					 MOCK_RELEASE_TIMEOUT))
		return false;
	/* For the next one who asks, and for a second release to be seen. */
	complete(&exp->released);
	return true;
}

/* How often the exporter was called at all. */
unsigned int mock_exporter_total(struct mock_exporter *exp)
{
	unsigned int i, total = 0;

	for (i = 0; i < MOCK_OPS; i++)
		total += exp->calls[i];
	return total;
}

/* Whether an open descriptor of this thread goes at exec. */
bool mock_fd_is_cloexec(int fd)
{
	bool cloexec;

	spin_lock(&current->files->file_lock);
	cloexec = close_on_exec(fd, current->files);
	spin_unlock(&current->files->file_lock);
	return cloexec;
}

MODULE_DESCRIPTION("KUnit tests for dma-buf");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
