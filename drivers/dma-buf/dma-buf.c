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
 * - the dentry. A path to it, as d_path() needs to print a link in /proc, can
 *   outlive the file. It leads to nothing but the name, so struct dma_buf is
 *   freed with the dentry.
 *
 * Export does everything that can fail before anybody can find the buffer.
 */

#include <linux/atomic.h>
#include <linux/dcache.h>
#include <linux/export.h>
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

/* A buffer whose exporter has no reservation object of its own. */
struct dma_buf_and_resv {
	struct dma_buf dmabuf;
	struct dma_resv resv;
};

static struct vfsmount *dma_buf_mnt;

static bool dma_buf_owns_resv(struct dma_buf *dmabuf)
{
	struct dma_buf_and_resv *both;

	both = container_of(dmabuf, struct dma_buf_and_resv, dmabuf);
	return dmabuf->resv == &both->resv;
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

	dma_buf_copy_name(dentry->d_fsdata, name);
	return dynamic_dname(buffer, buflen, "/%s:%s", dentry->d_name.name,
			     name);
}

static void dma_buf_dentry_release(struct dentry *dentry)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;

	/* An export that failed leaves a dentry without a buffer. */
	if (!dmabuf)
		return;

	kfree(dmabuf->name);
	kfree(dmabuf);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname = dma_buf_dname,
	.d_release = dma_buf_dentry_release,
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
	if (dma_buf_owns_resv(dmabuf))
		dma_resv_fini(dmabuf->resv);
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

static struct dma_buf *dma_buf_alloc(const struct dma_buf_export_info *info)
{
	struct dma_buf_and_resv *both;
	struct dma_buf *dmabuf;

	if (info->resv) {
		dmabuf = kzalloc(sizeof(*dmabuf), GFP_KERNEL);
		if (!dmabuf)
			return NULL;
		dmabuf->resv = info->resv;
	} else {
		both = kzalloc(sizeof(*both), GFP_KERNEL);
		if (!both)
			return NULL;
		dmabuf = &both->dmabuf;
		dmabuf->resv = &both->resv;
		dma_resv_init(dmabuf->resv);
	}

	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->exp_name = info->exp_name;
	dmabuf->owner = info->owner;
	dmabuf->priv = info->priv;
	INIT_LIST_HEAD(&dmabuf->attachments);
	spin_lock_init(&dmabuf->name_lock);
	dma_buf_poll_init(dmabuf);

	return dmabuf;
}

static void dma_buf_free(struct dma_buf *dmabuf)
{
	if (dma_buf_owns_resv(dmabuf))
		dma_resv_fini(dmabuf->resv);
	kfree(dmabuf);
}

/* A file that does not lead to its buffer yet. */
static struct file *dma_buf_alloc_file(size_t size, int flags)
{
	static atomic64_t last_ino = ATOMIC64_INIT(0);
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	/* get_next_ino() may repeat itself; users tell buffers apart by this */
	inode->i_ino = atomic64_inc_return(&last_ino);
	inode->i_size = size;
	inode_set_bytes(inode, size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 flags & (O_ACCMODE | O_NONBLOCK),
				 &dma_buf_fops);
	if (IS_ERR(file))
		iput(inode);

	return file;
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
	struct file *file;
	int ret;

	if (WARN_ON(!dma_buf_export_info_valid(exp_info)))
		return ERR_PTR(-EINVAL);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	dmabuf = dma_buf_alloc(exp_info);
	if (!dmabuf) {
		ret = -ENOMEM;
		goto err_put_module;
	}

	file = dma_buf_alloc_file(exp_info->size, exp_info->flags);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_free;
	}
	dmabuf->file = file;

	ret = dma_buf_stats_setup(dmabuf, file);
	if (ret)
		goto err_put_file;

	file->private_data = dmabuf;
	file->f_path.dentry->d_fsdata = dmabuf;
	dma_buf_debug_add(dmabuf);
	trace_dma_buf_export(dmabuf);

	return dmabuf;

err_put_file:
	fput(file);
err_free:
	dma_buf_free(dmabuf);
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

	ctx->dops = &dma_buf_dentry_ops;
	return 0;
}

static struct file_system_type dma_buf_fs_type = {
	.name = "dmabuf",
	.init_fs_context = dma_buf_fs_init_context,
	.kill_sb = kill_anon_super,
};

static int __init dma_buf_init(void)
{
	int ret;

	ret = dma_buf_init_sysfs_statistics();
	if (ret)
		return ret;

	dma_buf_mnt = kern_mount(&dma_buf_fs_type);
	if (IS_ERR(dma_buf_mnt)) {
		dma_buf_uninit_sysfs_statistics();
		return PTR_ERR(dma_buf_mnt);
	}

	dma_buf_debug_init();
	return 0;
}
subsys_initcall(dma_buf_init);
