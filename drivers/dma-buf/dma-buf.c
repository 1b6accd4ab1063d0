// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a dma-buf: export, file descriptor, references, release; its file
 * and its name.
 *
 * A buffer is a file on a pseudo file system of its own. Two things end, one
 * after the other:
 *
 * - the file, with the last reference. Only then is the exporter's memory
 *   released. Everything that reaches the buffer (descriptors, importers, user
 *   mappings, pending poll callbacks) holds the file.
 * - the inode, of which struct dma_buf is a part. A path to it, as d_path()
 *   needs to print a link in /proc, can outlive the file. It leads to nothing
 *   but the name.
 *
 * Export does everything that can fail before anybody can find the buffer.
 */

#include <linux/atomic.h>
#include <linux/dcache.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dma-buf-internal.h"
#include "dma-buf-sysfs-stats.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf.h>

/**
 * struct dma_buf_inode - all that there is of a buffer
 * @dmabuf: the buffer
 * @resv: its reservation object, where the exporter brings none
 * @inode: carries the reference count of the whole
 */
struct dma_buf_inode {
	struct dma_buf dmabuf;
	struct dma_resv resv;
	struct inode inode;
};

static struct kmem_cache *dma_buf_inodes;
static struct vfsmount *dma_buf_mnt;

static struct dma_buf *dma_buf_of(struct inode *inode)
{
	return &container_of(inode, struct dma_buf_inode, inode)->dmabuf;
}

static struct dma_resv *dma_buf_own_resv(struct dma_buf *dmabuf)
{
	return &container_of(dmabuf, struct dma_buf_inode, dmabuf)->resv;
}

static void dma_buf_fini_resv(struct dma_buf *dmabuf)
{
	if (dmabuf->resv == dma_buf_own_resv(dmabuf))
		dma_resv_fini(dmabuf->resv);
}

bool dma_buf_copy_name(struct dma_buf *dmabuf, char name[DMA_BUF_NAME_LEN])
{
	bool named;

	spin_lock(&dmabuf->name_lock);
	named = dmabuf->name;
	strscpy(name, dmabuf->name ?: "", DMA_BUF_NAME_LEN);
	spin_unlock(&dmabuf->name_lock);

	return named;
}

static char *dma_buf_dname(struct dentry *dentry, char *buffer, int buflen)
{
	char name[DMA_BUF_NAME_LEN];

	dma_buf_copy_name(dma_buf_of(d_inode(dentry)), name);
	return dynamic_dname(buffer, buflen, "/%s:%s", dentry->d_name.name,
			     name);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname = dma_buf_dname,
};

static struct inode *dma_buf_alloc_inode(struct super_block *sb)
{
	struct dma_buf_inode *all;

	all = alloc_inode_sb(sb, dma_buf_inodes, GFP_KERNEL);
	if (!all)
		return NULL;

	memset(&all->dmabuf, 0, sizeof(all->dmabuf));
	return &all->inode;
}

static void dma_buf_free_inode(struct inode *inode)
{
	struct dma_buf *dmabuf = dma_buf_of(inode);

	kfree(dmabuf->name);
	kmem_cache_free(dma_buf_inodes,
			container_of(inode, struct dma_buf_inode, inode));
}

static const struct super_operations dma_buf_super_ops = {
	.alloc_inode = dma_buf_alloc_inode,
	.free_inode = dma_buf_free_inode,
	/* There is no page cache to truncate. */
	.evict_inode = clear_inode,
	.statfs = simple_statfs,
};

static int dma_buf_file_release(struct inode *inode, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	struct module *owner;

	if (!dmabuf)
		return 0;

	WARN_ON(!list_empty(&dmabuf->attachments));
	WARN_ON(dmabuf->vmapping_counter);

	owner = dmabuf->owner;
	dma_buf_debug_remove(dmabuf);
	dma_buf_stats_teardown(dmabuf);
	dmabuf->ops->release(dmabuf);
	dma_buf_fini_resv(dmabuf);
	module_put(owner);

	return 0;
}

/*
 * The size can be asked for, as lseek() to the end; there is no position that
 * could be set.
 */
static loff_t dma_buf_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct dma_buf *dmabuf = file->private_data;

	if (offset)
		return -EINVAL;

	switch (whence) {
	case SEEK_SET:
		return 0;
	case SEEK_END:
		return dmabuf->size;
	default:
		return -EINVAL;
	}
}

static void dma_buf_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	char name[DMA_BUF_NAME_LEN];

	seq_printf(m, "size:\t%zu\n", dmabuf->size);
	/* Without the reference that procfs holds while it asks. */
	seq_printf(m, "count:\t%ld\n", file_count(file) - 1);
	seq_printf(m, "exp_name:\t%s\n", dmabuf->exp_name);
	if (dma_buf_copy_name(dmabuf, name))
		seq_printf(m, "name:\t%s\n", name);
}

static long dma_buf_ioctl_set_name(struct dma_buf *dmabuf,
				   const char __user *arg)
{
	char *name = strndup_user(arg, DMA_BUF_NAME_LEN);
	const char *old;

	if (IS_ERR(name))
		return PTR_ERR(name);

	spin_lock(&dmabuf->name_lock);
	old = dmabuf->name;
	dmabuf->name = name;
	spin_unlock(&dmabuf->name_lock);

	kfree(old);
	return 0;
}

static long dma_buf_file_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct dma_buf *dmabuf = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DMA_BUF_IOCTL_SYNC:
		return dma_buf_ioctl_sync(dmabuf, uarg);
	/* DMA_BUF_SET_NAME is the one of these that has the pointer's size. */
	case DMA_BUF_SET_NAME_A:
	case DMA_BUF_SET_NAME_B:
		return dma_buf_ioctl_set_name(dmabuf, uarg);
	case DMA_BUF_IOCTL_EXPORT_SYNC_FILE:
		return dma_buf_ioctl_export_sync_file(dmabuf, uarg);
	case DMA_BUF_IOCTL_IMPORT_SYNC_FILE:
		return dma_buf_ioctl_import_sync_file(dmabuf, uarg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dma_buf_fops = {
	.release = dma_buf_file_release,
	.llseek = dma_buf_file_llseek,
	.mmap = dma_buf_file_mmap,
	/* Aligned for huge pages, where an exporter has some. */
	.get_unmapped_area = thp_get_unmapped_area,
	.poll = dma_buf_file_poll,
	.unlocked_ioctl = dma_buf_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = dma_buf_file_show_fdinfo,
};

static bool dma_buf_export_info_valid(const struct dma_buf_export_info *info)
{
	const struct dma_buf_ops *ops = info->ops;

	if (!info->priv || !ops)
		return false;
	if (!ops->map_dma_buf || !ops->unmap_dma_buf || !ops->release)
		return false;
	if (!ops->pin != !ops->unpin)
		return false;
	/* A kept mapping would stay behind when the buffer moves. */
	return !(ops->cache_sgt_mapping && ops->pin);
}

static void dma_buf_init_buffer(struct dma_buf *dmabuf,
				const struct dma_buf_export_info *info)
{
	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->exp_name = info->exp_name;
	dmabuf->owner = info->owner;
	dmabuf->priv = info->priv;
	dmabuf->resv = info->resv;
	if (!dmabuf->resv) {
		dmabuf->resv = dma_buf_own_resv(dmabuf);
		dma_resv_init(dmabuf->resv);
	}
	INIT_LIST_HEAD(&dmabuf->attachments);
	spin_lock_init(&dmabuf->name_lock);
	dma_buf_poll_init(dmabuf);
}

/* The buffer and its file, which does not lead to it yet. */
static struct dma_buf *dma_buf_alloc(const struct dma_buf_export_info *info)
{
	static atomic64_t last_ino = ATOMIC64_INIT(0);
	struct dma_buf *dmabuf;
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	/* get_next_ino() may repeat itself; users tell buffers apart by this */
	inode->i_ino = atomic64_inc_return(&last_ino);
	inode->i_size = info->size;
	inode_set_bytes(inode, info->size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 info->flags & (O_ACCMODE | O_NONBLOCK),
				 &dma_buf_fops);
	if (IS_ERR(file)) {
		iput(inode);
		return ERR_CAST(file);
	}

	dmabuf = dma_buf_of(inode);
	dma_buf_init_buffer(dmabuf, info);
	dmabuf->file = file;
	return dmabuf;
}

/**
 * dma_buf_export - make memory a dma-buf
 * @exp_info: the memory, its size and its operations
 *
 * The buffer is complete when it is returned: nobody can find it earlier. Its
 * module @exp_info->owner cannot be unloaded before it is released. From here
 * on only dma_buf_put() cleans up, and calls &dma_buf_ops.release.
 *
 * Context: process context, may sleep. Locks: none of the buffer's.
 *
 * Return: the buffer with one reference, or
 *
 * * ERR_PTR(-EINVAL), with a warning: priv, ops or a mandatory operation is
 *   missing, pin comes without unpin or the other way round, or
 *   cache_sgt_mapping is combined with pin
 * * ERR_PTR(-ENOENT): the module is being unloaded
 * * ERR_PTR(-ENOMEM), ERR_PTR(-ENFILE): out of memory or of files
 * * what the sysfs statistics return
 */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info)
{
	struct dma_buf *dmabuf;
	int ret;

	if (WARN_ON(!dma_buf_export_info_valid(exp_info)))
		return ERR_PTR(-EINVAL);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	dmabuf = dma_buf_alloc(exp_info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_put_module;
	}

	ret = dma_buf_stats_setup(dmabuf, dmabuf->file);
	if (ret)
		goto err_free;

	dmabuf->file->private_data = dmabuf;
	dma_buf_debug_add(dmabuf);
	trace_dma_buf_export(dmabuf);

	return dmabuf;

err_free:
	dma_buf_fini_resv(dmabuf);
	fput(dmabuf->file);
err_put_module:
	module_put(exp_info->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, DMA_BUF);

/**
 * dma_buf_fd - give user space a buffer
 * @dmabuf: the buffer
 * @flags: O_CLOEXEC or 0; others are ignored
 *
 * The caller's reference goes over to the descriptor, on success only. User
 * space may close it at once, so the caller does not touch @dmabuf afterwards
 * unless it holds another reference.
 *
 * Context: process context.
 *
 * Return: the file descriptor, or -EINVAL for a NULL @dmabuf, -EMFILE where the
 * process has no descriptor left, -ENOMEM.
 */
int dma_buf_fd(struct dma_buf *dmabuf, int flags)
{
	int fd;

	if (!dmabuf)
		return -EINVAL;

	fd = get_unused_fd_flags(flags);
	if (fd < 0)
		return fd;

	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
	return fd;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd, DMA_BUF);

/**
 * dma_buf_get - the buffer behind a file descriptor
 * @fd: a descriptor of the current process
 *
 * Context: process context. Undone by dma_buf_put().
 *
 * Return: the buffer with a reference for the caller, or ERR_PTR(-EBADF) when
 * @fd is not open, ERR_PTR(-EINVAL) when it is something else.
 */
struct dma_buf *dma_buf_get(int fd)
{
	struct file *file = fget(fd);
	struct dma_buf *dmabuf;

	if (!file)
		return ERR_PTR(-EBADF);

	if (file->f_op != &dma_buf_fops) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}

	dmabuf = file->private_data;
	trace_dma_buf_get(dmabuf);
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/**
 * dma_buf_put - drop a reference
 * @dmabuf: the buffer; NULL is warned of and ignored
 *
 * Context: any, as fput(): the release that follows the last reference runs
 * later, in process context.
 */
void dma_buf_put(struct dma_buf *dmabuf)
{
	if (WARN_ON(!dmabuf))
		return;

	trace_dma_buf_put(dmabuf);
	fput(dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_put, DMA_BUF);

static int dma_buf_fs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (!ctx)
		return -ENOMEM;

	ctx->ops = &dma_buf_super_ops;
	ctx->dops = &dma_buf_dentry_ops;
	return 0;
}

static struct file_system_type dma_buf_fs_type = {
	.name = "dmabuf",
	.init_fs_context = dma_buf_fs_init_context,
	.kill_sb = kill_anon_super,
};

static void dma_buf_init_inode(void *all)
{
	inode_init_once(&((struct dma_buf_inode *)all)->inode);
}

static int __init dma_buf_init(void)
{
	int ret;

	dma_buf_inodes = kmem_cache_create("dma_buf_inode",
					   sizeof(struct dma_buf_inode), 0,
					   SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					   dma_buf_init_inode);
	if (!dma_buf_inodes)
		return -ENOMEM;

	ret = dma_buf_init_sysfs_statistics();
	if (ret)
		goto err_destroy_cache;

	dma_buf_mnt = kern_mount(&dma_buf_fs_type);
	if (IS_ERR(dma_buf_mnt)) {
		ret = PTR_ERR(dma_buf_mnt);
		goto err_uninit_statistics;
	}

	dma_buf_debug_init();
	return 0;

err_uninit_statistics:
	dma_buf_uninit_sysfs_statistics();
err_destroy_cache:
	kmem_cache_destroy(dma_buf_inodes);
	return ret;
}
subsys_initcall(dma_buf_init);
