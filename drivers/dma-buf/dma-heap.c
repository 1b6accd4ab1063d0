// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heaps: a character device for each, and the one ioctl they have.
 *
 * A heap stays for as long as the kernel runs. All minors belong to one cdev;
 * open finds the heap of a minor under dma_heap_lock, which dma_heap_add()
 * holds from the first check to the last step that can fail. So whoever opens a
 * node that has just appeared waits until the heap is whole, or gets -ENODEV
 * because it was not to be.
 */

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <trace/events/dma_buf.h>
#include <uapi/linux/dma-heap.h>

#define DMA_HEAP_NAME "dma_heap"
#define DMA_HEAP_MINORS 128

struct dma_heap {
	const char *name;
	const struct dma_heap_ops *ops;
	void *priv;
};

static dev_t dma_heap_devt;
static struct cdev dma_heap_cdev;

/* Protects dma_heap_minors. */
static DEFINE_MUTEX(dma_heap_lock);
static DEFINE_XARRAY_ALLOC(dma_heap_minors);

static int dma_heap_open(struct inode *inode, struct file *file)
{
	struct dma_heap *heap;

	mutex_lock(&dma_heap_lock);
	heap = xa_load(&dma_heap_minors, iminor(inode));
	mutex_unlock(&dma_heap_lock);
	if (!heap)
		return -ENODEV;

	file->private_data = heap;
	return nonseekable_open(inode, file);
}

static bool dma_heap_request_valid(const struct dma_heap_allocation_data *data)
{
	if (data->fd)
		return false;
	if (data->fd_flags & ~DMA_HEAP_VALID_FD_FLAGS)
		return false;
	if (data->heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return false;
	/* It must still be a size when it is rounded up to whole pages. */
	return data->len && data->len <= ULONG_MAX - PAGE_SIZE + 1;
}

/*
 * The descriptor gets its file as the very last step: until user space has its
 * number, no other thread must find the buffer in the table either.
 */
static long dma_heap_ioctl_alloc(struct dma_heap *heap, void __user *uarg,
				 size_t size)
{
	struct dma_heap_allocation_data data = { };
	struct dma_buf *dmabuf;
	int fd, ret;

	if (copy_from_user(&data, uarg, size))
		return -EFAULT;
	if (!dma_heap_request_valid(&data))
		return -EINVAL;

	fd = get_unused_fd_flags(data.fd_flags);
	if (fd < 0)
		return fd;

	dmabuf = heap->ops->allocate(heap, PAGE_ALIGN(data.len), data.fd_flags,
				     data.heap_flags);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_put_fd;
	}

	data.fd = fd;
	if (copy_to_user(uarg, &data, size)) {
		ret = -EFAULT;
		goto err_put_dmabuf;
	}

	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
	return 0;

err_put_dmabuf:
	dma_buf_put(dmabuf);
err_put_fd:
	put_unused_fd(fd);
	return ret;
}

/*
 * An ioctl is known by type and number. Its size is the caller's: programs
 * built with other versions of the struct work as long as there is room for the
 * descriptor. There is a single number and no table, so there is nothing that
 * a number out of range could index, speculatively or not.
 */
static long dma_heap_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	size_t size = min_t(size_t, _IOC_SIZE(cmd),
			    sizeof(struct dma_heap_allocation_data));

	if (_IOC_TYPE(cmd) != DMA_HEAP_IOC_MAGIC ||
	    _IOC_NR(cmd) != _IOC_NR(DMA_HEAP_IOCTL_ALLOC))
		return -EINVAL;
	if (size < offsetofend(struct dma_heap_allocation_data, fd))
		return -EINVAL;

	return dma_heap_ioctl_alloc(file->private_data, (void __user *)arg,
				    size);
}

static const struct file_operations dma_heap_fops = {
	.owner = THIS_MODULE,
	.open = dma_heap_open,
	.unlocked_ioctl = dma_heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static char *dma_heap_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, DMA_HEAP_NAME "/%s", dev_name(dev));
}

static const struct class dma_heap_class = {
	.name = DMA_HEAP_NAME,
	.devnode = dma_heap_devnode,
};

static bool dma_heap_name_taken(const char *name)
{
	struct dma_heap *heap;
	unsigned long minor;

	lockdep_assert_held(&dma_heap_lock);

	xa_for_each(&dma_heap_minors, minor, heap)
		if (!strcmp(heap->name, name))
			return true;
	return false;
}

/* Nobody can open the minor before dma_heap_lock is released. */
static int dma_heap_publish(struct dma_heap *heap)
{
	struct device *dev;
	u32 minor;
	int ret;

	lockdep_assert_held(&dma_heap_lock);

	if (dma_heap_name_taken(heap->name))
		return -EINVAL;

	ret = xa_alloc(&dma_heap_minors, &minor, heap,
		       XA_LIMIT(0, DMA_HEAP_MINORS - 1), GFP_KERNEL);
	if (ret)
		return ret == -EBUSY ? -ENOMEM : ret;

	dev = device_create(&dma_heap_class, NULL,
			    MKDEV(MAJOR(dma_heap_devt), minor), NULL, "%s",
			    heap->name);
	if (IS_ERR(dev)) {
		xa_erase(&dma_heap_minors, minor);
		return PTR_ERR(dev);
	}

	return 0;
}

/**
 * dma_heap_add - offer memory to user space as /dev/dma_heap/NAME
 * @exp_info: name, operations and private data of the heap
 *
 * There is no way back: the heap stays. A module that adds one has no exit
 * function.
 *
 * Context: process context, may sleep.
 *
 * Return: the heap, or
 *
 * * ERR_PTR(-EINVAL): no name, no operations, no allocate, or a name that is
 *   taken
 * * ERR_PTR(-ENOMEM): out of memory or of minors
 * * ERR_PTR(-ENODEV): the class of the heaps could not be registered at boot
 * * what device_create() returns
 */
struct dma_heap *dma_heap_add(const struct dma_heap_export_info *exp_info)
{
	struct dma_heap *heap;
	int ret;

	if (!exp_info->name || !*exp_info->name)
		return ERR_PTR(-EINVAL);
	if (!exp_info->ops || !exp_info->ops->allocate)
		return ERR_PTR(-EINVAL);
	if (!dma_heap_devt)
		return ERR_PTR(-ENODEV);

	heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return ERR_PTR(-ENOMEM);

	heap->name = exp_info->name;
	heap->ops = exp_info->ops;
	heap->priv = exp_info->priv;

	mutex_lock(&dma_heap_lock);
	ret = dma_heap_publish(heap);
	mutex_unlock(&dma_heap_lock);
	if (ret) {
		kfree(heap);
		return ERR_PTR(ret);
	}

	return heap;
}
EXPORT_SYMBOL_NS_GPL(dma_heap_add, DMA_BUF_HEAP);

/**
 * dma_heap_get_drvdata - the heap's own data
 * @heap: the heap
 *
 * Context: any.
 *
 * Return: &dma_heap_export_info.priv as it was added.
 */
void *dma_heap_get_drvdata(struct dma_heap *heap)
{
	return heap->priv;
}
EXPORT_SYMBOL_NS_GPL(dma_heap_get_drvdata, DMA_BUF_HEAP);

/**
 * dma_heap_get_name - the heap's name
 * @heap: the heap
 *
 * Context: any.
 *
 * Return: &dma_heap_export_info.name as it was added.
 */
const char *dma_heap_get_name(struct dma_heap *heap)
{
	return heap->name;
}
EXPORT_SYMBOL_NS_GPL(dma_heap_get_name, DMA_BUF_HEAP);

static int __init dma_heap_init(void)
{
	dev_t devt;
	int ret;

	ret = alloc_chrdev_region(&devt, 0, DMA_HEAP_MINORS, DMA_HEAP_NAME);
	if (ret)
		return ret;

	ret = class_register(&dma_heap_class);
	if (ret)
		goto err_unregister_region;

	cdev_init(&dma_heap_cdev, &dma_heap_fops);
	ret = cdev_add(&dma_heap_cdev, devt, DMA_HEAP_MINORS);
	if (ret)
		goto err_unregister_class;

	dma_heap_devt = devt;
	return 0;

err_unregister_class:
	class_unregister(&dma_heap_class);
err_unregister_region:
	unregister_chrdev_region(devt, DMA_HEAP_MINORS);
	return ret;
}
subsys_initcall(dma_heap_init);
