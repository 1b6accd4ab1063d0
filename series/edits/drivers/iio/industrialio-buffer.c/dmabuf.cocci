// SPDX-License-Identifier: GPL-2.0-only
// The DMABUF side of a buffer's file moves to buffer/industrialio-buffer-dmabuf*.c

@@ @@
- #include <linux/dma-buf.h>

@@ @@
- #include <linux/dma-fence.h>

@@ @@
- #include <linux/dma-resv.h>

@@ @@
#include <linux/iio/buffer_impl.h>
+ #include "buffer/industrialio-buffer-dmabuf.h"

@@ @@
- #define DMABUF_ENQUEUE_TIMEOUT_MS 5000

@@
declarer name MODULE_IMPORT_NS;
@@
- MODULE_IMPORT_NS(DMA_BUF);

@@ @@
- struct iio_dmabuf_priv { ... };

@@ @@
- struct iio_dma_fence { ... };

@@ @@
- static void iio_buffer_dmabuf_release(struct kref *ref) { ... }

@@ @@
- static void iio_buffer_dmabuf_get(struct dma_buf_attachment *attach) { ... }

@@ @@
- static void iio_buffer_dmabuf_put(struct dma_buf_attachment *attach) { ... }

@@ @@
- static int iio_dma_resv_lock(...) { ... }

@@ @@
- static struct device *iio_buffer_get_dma_dev(...) { ... }

@@ @@
- static struct dma_buf_attachment *iio_buffer_find_attachment(...) { ... }

@@ @@
- static int iio_buffer_attach_dmabuf(...) { ... }

@@ @@
- static int iio_buffer_detach_dmabuf(...) { ... }

@@ @@
- static const char *iio_buffer_dma_fence_get_driver_name(...) { ... }

@@ @@
- static const struct dma_fence_ops iio_buffer_dma_fence_ops = { ... };

@@ @@
- static int iio_buffer_enqueue_dmabuf(...) { ... }

@@ @@
- static void iio_buffer_cleanup(struct work_struct *work) { ... }

@@ @@
- void iio_buffer_signal_dmabuf_done(...) { ... }

@@
declarer name EXPORT_SYMBOL_GPL;
@@
- EXPORT_SYMBOL_GPL(iio_buffer_signal_dmabuf_done);

@@ @@
- static long iio_buffer_chrdev_ioctl(...) { ... }

@@ @@
static const struct file_operations iio_buffer_chrdev_fileops = {
- .unlocked_ioctl = iio_buffer_chrdev_ioctl,
+ .unlocked_ioctl = iio_buffer_dmabuf_ioctl,
};

@@
identifier v;
@@
 iio_buffer_chrdev_release(...) {
 <...
- struct iio_dmabuf_priv *v;
 ...>
 }

@@
iterator name scoped_guard;
statement S;
@@
 iio_buffer_chrdev_release(...) {
 ...
 wake_up(&buffer->pollq);
+iio_buffer_detach_dmabufs(buffer);
- scoped_guard(mutex, &buffer->dmabufs_mutex) S
 ...
 }

@@ @@
 iio_buffer_init(struct iio_buffer *buffer) {
 ...
 mutex_init(&buffer->dmabufs_mutex);
+ iio_buffer_init_dmabufs(buffer);
 ...
 }

// A buffer with DMABUFs has nothing for read() and write(), now or when it is
// attached one while they wait.
@@
identifier f =~ "^iio_buffer_(read|write)$";
expression dir;
identifier rb;
@@
 f(...) {
 ...
 if (rb->direction != dir)
 	return -EPERM;
+if (iio_buffer_has_dmabufs(rb))
+	return -EBUSY;
 ...
 }

@@
identifier f =~ "^iio_buffer_(read|write)$";
identifier rb, ret, dev;
@@
 f(...) {
 ...
 struct iio_buffer *rb = ...;
 <...
 if (!dev->info) {
 	ret = -ENODEV;
 	break;
 }
+if (iio_buffer_has_dmabufs(rb)) {
+	ret = -EBUSY;
+	break;
+}
 ...>
 }
