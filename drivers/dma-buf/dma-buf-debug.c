// SPDX-License-Identifier: GPL-2.0-only
/*
 * To look at: the list of live buffers, printed by debugfs dma_buf/bufinfo.
 * To check: importers that use struct page (CONFIG_DMABUF_DEBUG).
 */

#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "dma-buf-internal.h"

#if IS_ENABLED(CONFIG_DEBUG_FS)
/*
 * The list is in the order of list_seq. A reader of bufinfo holds its lock only
 * for a few steps to the next buffer, and keeps that by a reference while it
 * prints it or goes on looking. So export and release do not wait for readers,
 * however many buffers there are.
 */
#define DMA_BUF_LIST_STEPS 64

static DEFINE_SPINLOCK(dma_buf_list_lock);
static LIST_HEAD(dma_buf_list);

void dma_buf_debug_add(struct dma_buf *dmabuf)
{
	static u64 last_seq;

	spin_lock(&dma_buf_list_lock);
	dmabuf->list_seq = ++last_seq;
	list_add_tail(&dmabuf->list_node, &dma_buf_list);
	spin_unlock(&dma_buf_list_lock);
}

void dma_buf_debug_remove(struct dma_buf *dmabuf)
{
	spin_lock(&dma_buf_list_lock);
	list_del(&dmabuf->list_node);
	spin_unlock(&dma_buf_list_lock);
}

/*
 * A few steps along the list, from its start or from @prev, whose reference goes.
 * Returns a live buffer with a reference: the first one after @seq, or one that
 * is not as far, to go on from; NULL at the end of the list.
 */
static struct dma_buf *dma_buf_list_walk(struct dma_buf *prev, u64 seq)
{
	struct list_head *at = prev ? &prev->list_node : &dma_buf_list;
	struct dma_buf *dmabuf, *found = NULL;
	unsigned int steps = 0;

	spin_lock(&dma_buf_list_lock);
	list_for_each_continue(at, &dma_buf_list) {
		dmabuf = list_entry(at, struct dma_buf, list_node);
		if (dmabuf->list_seq <= seq && ++steps < DMA_BUF_LIST_STEPS)
			continue;
		/* One without references is on its way to be removed. */
		if (get_file_active(&dmabuf->file)) {
			found = dmabuf;
			break;
		}
	}
	spin_unlock(&dma_buf_list_lock);

	if (prev)
		fput(prev->file);
	return found;
}

/* The first live buffer after @seq, with a reference. */
static struct dma_buf *dma_buf_list_find(u64 seq)
{
	struct dma_buf *dmabuf = NULL;

	do {
		dmabuf = dma_buf_list_walk(dmabuf, seq);
	} while (dmabuf && dmabuf->list_seq <= seq);

	return dmabuf;
}

/*
 * How far a reader is. Buffers come and go between two reads, so the place is
 * not a number of lines.
 */
struct dma_buf_info_place {
	u64 seq;
	bool done;
	unsigned long count;
	size_t size;
};

/* The sequence: SEQ_START_TOKEN for the header, the buffers, the totals. */
static const char dma_buf_totals_token;
#define DMA_BUF_TOTALS ((void *)&dma_buf_totals_token)

static void *dma_buf_info_start(struct seq_file *m, loff_t *pos)
{
	struct dma_buf_info_place *place = m->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	if (place->done)
		return NULL;

	return dma_buf_list_find(place->seq) ?: DMA_BUF_TOTALS;
}

static void *dma_buf_info_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	if (v == DMA_BUF_TOTALS)
		return NULL;
	if (v == SEQ_START_TOKEN)
		return dma_buf_list_find(0) ?: DMA_BUF_TOTALS;

	return dma_buf_list_walk(v, 0) ?: DMA_BUF_TOTALS;
}

static void dma_buf_info_stop(struct seq_file *m, void *v)
{
	struct dma_buf *dmabuf = v;

	if (v && v != SEQ_START_TOKEN && v != DMA_BUF_TOTALS)
		fput(dmabuf->file);
}

static void dma_buf_info_show_users(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	unsigned int devices = 0;

	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return;

	dma_resv_describe(dmabuf->resv, m);

	seq_puts(m, "\tAttached Devices:\n");
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		seq_printf(m, "\t%s\n", dev_name(attach->dev));
		devices++;
	}
	seq_printf(m, "Total %u devices attached\n\n", devices);

	dma_resv_unlock(dmabuf->resv);
}

static void dma_buf_info_show_buffer(struct seq_file *m, struct dma_buf *dmabuf)
{
	char name[DMA_BUF_NAME_LEN];

	dma_buf_copy_name(dmabuf, name);
	/* Without the reference that this reader holds. */
	seq_printf(m, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s\n",
		   dmabuf->size, dmabuf->file->f_flags,
		   (__force unsigned int)dmabuf->file->f_mode,
		   file_count(dmabuf->file) - 1, dmabuf->exp_name,
		   file_inode(dmabuf->file)->i_ino, name);
	dma_buf_info_show_users(m, dmabuf);
}

static int dma_buf_info_show(struct seq_file *m, void *v)
{
	struct dma_buf_info_place *place = m->private;
	struct dma_buf *dmabuf = v;

	if (v == SEQ_START_TOKEN) {
		*place = (struct dma_buf_info_place) { };
		seq_puts(m, "\nDma-buf Objects:\n");
		seq_printf(m, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
			   "size", "flags", "mode", "count", "ino");
		return 0;
	}

	if (v == DMA_BUF_TOTALS) {
		seq_printf(m, "\nTotal %lu objects, %zu bytes\n",
			   place->count, place->size);
		place->done = !seq_has_overflowed(m);
		return 0;
	}

	dma_buf_info_show_buffer(m, dmabuf);

	/* What did not fit is shown again, by the next read. */
	if (!seq_has_overflowed(m)) {
		place->seq = dmabuf->list_seq;
		place->count++;
		place->size += dmabuf->size;
	}
	return 0;
}

static const struct seq_operations dma_buf_info_sops = {
	.start = dma_buf_info_start,
	.next = dma_buf_info_next,
	.stop = dma_buf_info_stop,
	.show = dma_buf_info_show,
};

static int dma_buf_info_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &dma_buf_info_sops,
				sizeof(struct dma_buf_info_place));
}

static const struct file_operations dma_buf_info_fops = {
	.owner = THIS_MODULE,
	.open = dma_buf_info_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

void __init dma_buf_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_info_fops);
}
#endif /* CONFIG_DEBUG_FS */

#if IS_ENABLED(CONFIG_DMABUF_DEBUG)
/*
 * The importer gets a table of its own with DMA addresses and no pages, so that
 * one that looks for pages finds none. The exporter's table stays as it is. The
 * attachment knows its tables, so that one that is given back by another, or
 * twice, is not taken for one of them.
 */
struct dma_buf_wrapped_sgt {
	struct sg_table sgt;
	struct sg_table *exporter;
	struct list_head node;
};

void dma_buf_debug_init_attach(struct dma_buf_attachment *attach)
{
	INIT_LIST_HEAD(&attach->tables);
}

struct sg_table *dma_buf_debug_wrap(struct dma_buf_attachment *attach,
				    struct sg_table *exporter)
{
	struct dma_buf_wrapped_sgt *wrapped;
	struct scatterlist *from, *to;
	int ret, i;

	wrapped = kmalloc(sizeof(*wrapped), GFP_KERNEL);
	if (!wrapped)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(&wrapped->sgt, exporter->nents, GFP_KERNEL);
	if (ret) {
		kfree(wrapped);
		return ERR_PTR(ret);
	}

	to = wrapped->sgt.sgl;
	for_each_sgtable_dma_sg(exporter, from, i) {
		if (!PAGE_ALIGNED(sg_dma_address(from)) ||
		    !PAGE_ALIGNED(sg_dma_len(from)))
			pr_err_ratelimited("dma-buf: exporter maps %pad+%#x, not whole pages\n",
					   &sg_dma_address(from),
					   sg_dma_len(from));
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
		to->length = sg_dma_len(from);
		to = sg_next(to);
	}

	wrapped->exporter = exporter;
	list_add(&wrapped->node, &attach->tables);
	return &wrapped->sgt;
}

struct sg_table *dma_buf_debug_unwrap(struct dma_buf_attachment *attach,
				      struct sg_table *sgt)
{
	struct dma_buf_wrapped_sgt *wrapped;
	struct sg_table *exporter;

	list_for_each_entry(wrapped, &attach->tables, node)
		if (&wrapped->sgt == sgt)
			goto found;

	WARN(1, "dma-buf: %s unmaps a table that it does not have\n",
	     dev_name(attach->dev));
	return NULL;

found:
	exporter = wrapped->exporter;
	list_del(&wrapped->node);
	sg_free_table(sgt);
	kfree(wrapped);
	return exporter;
}
#endif /* CONFIG_DMABUF_DEBUG */
