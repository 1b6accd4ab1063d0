/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: buffers shared between drivers, subsystems and processes.
 *
 * An exporter owns memory and offers it as a struct dma_buf. Importers attach
 * a device to it and get DMA addresses. User space holds it as a file
 * descriptor. See Documentation/driver-api/dma-buf.rst.
 */
#ifndef __DMA_BUF_H__
#define __DMA_BUF_H__

#include <linux/iosys-map.h>
#include <linux/file.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/list.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/dma-fence.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;

/**
 * struct dma_buf_ops - what an exporter does for its buffers
 *
 * @map_dma_buf, @unmap_dma_buf and @release are mandatory. "Locked" below
 * means that &dma_buf.resv is held by the caller; every other operation is
 * called without it.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping: the core keeps the first mapping of each
	 * attachment until it is detached, instead of mapping anew each time.
	 * Excludes @pin.
	 */
	bool cache_sgt_mapping;

	/**
	 * @attach: a device wants to use the buffer. The exporter checks that
	 * the device can reach the memory, and may leave data of its own in
	 * &dma_buf_attachment.priv. Optional, may sleep.
	 *
	 * Return: 0, or a negative errno that goes to the importer; -EBUSY says
	 * that the memory is already placed where this device cannot reach it.
	 */
	int (*attach)(struct dma_buf *dmabuf,
		      struct dma_buf_attachment *attach);

	/**
	 * @detach: undoes @attach. Optional, may sleep.
	 */
	void (*detach)(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach);

	/**
	 * @pin: keep the memory where it is, and where every attached device
	 * can reach it, until @unpin. An exporter with @pin is called dynamic:
	 * without a pin it may move the memory and tells importers by
	 * dma_buf_move_notify(). Comes with @unpin or not at all. Locked, may
	 * sleep. The memory must be usable, earlier contents cleared, when it
	 * returns.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/**
	 * @unpin: undoes one @pin. Locked.
	 */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf: give the attached device access. Locked, may sleep.
	 * The addresses and lengths in the table are multiples of PAGE_SIZE.
	 * The table belongs to the importer until @unmap_dma_buf; the same one
	 * is not handed out twice at a time.
	 *
	 * Return: a table mapped for &dma_buf_attachment.dev, or an ERR_PTR();
	 * -EINTR where waiting was cut short by a signal.
	 */
	struct sg_table *(*map_dma_buf)(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);

	/**
	 * @unmap_dma_buf: undoes @map_dma_buf and may free the table. Locked,
	 * may sleep.
	 */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);

	/**
	 * @release: the last reference is gone, free the memory. Called once,
	 * may sleep.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @begin_cpu_access: make what devices wrote visible to the CPU.
	 * Anything that kernel or user mappings need and that can fail belongs
	 * here. Optional, may sleep.
	 *
	 * Return: 0 or a negative errno; -EINTR or -ERESTARTSYS when a signal
	 * interrupted it.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access: make what the CPU wrote visible to devices.
	 * Optional, may sleep.
	 *
	 * Return: as @begin_cpu_access.
	 */
	int (*end_cpu_access)(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);

	/**
	 * @mmap: map the buffer, or the part of it that @vma covers, into a
	 * process. The core has checked the range and set vm_file and
	 * vm_pgoff. The mapping may be non-coherent; user space brackets its
	 * access with DMA_BUF_IOCTL_SYNC. Optional; mmap_lock held for writing.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @vmap: map the whole buffer into kernel address space. The core
	 * counts users: called for the first one only. Optional; locked, may
	 * sleep.
	 *
	 * Return: 0 with @map filled in, or a negative errno.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @vunmap: undoes @vmap after the last user. Optional; locked.
	 */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @kmap: map one page of the buffer for the CPU. Optional: without it
	 * the core answers dma_buf_kmap() through @vmap. May sleep.
	 *
	 * Return: the address of the page, NULL on failure.
	 */
	void *(*kmap)(struct dma_buf *dmabuf, unsigned long page_num);

	/**
	 * @kunmap: undoes @kmap. Optional.
	 */
	void (*kunmap)(struct dma_buf *dmabuf, unsigned long page_num,
		       void *vaddr);

	/**
	 * @kmap_atomic: as @kmap, in atomic context: must not sleep, and the
	 * caller will not sleep before @kunmap_atomic. Optional.
	 *
	 * Return: the address of the page, NULL on failure.
	 */
	void *(*kmap_atomic)(struct dma_buf *dmabuf, unsigned long page_num);

	/**
	 * @kunmap_atomic: undoes @kmap_atomic, must not sleep. Optional.
	 */
	void (*kunmap_atomic)(struct dma_buf *dmabuf, unsigned long page_num,
			      void *vaddr);
};

/**
 * struct dma_buf_poll - one of the two events that a buffer is polled for
 * @cb: on @fence
 * @fence: one that is pending
 * @work: tidies up after @cb
 * @dmabuf: the buffer
 * @busy: the others are in use
 * @pending: @cb is on @fence, or about to be, and has not run; read without
 *	     the lock
 * @missed: a poller found @busy set and has to be woken
 */
struct dma_buf_poll {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct work_struct work;
	struct dma_buf *dmabuf;
	bool busy;
	bool pending;
	bool missed;
};

/**
 * struct dma_buf - a shared buffer
 *
 * Made by dma_buf_export(), freed with the last reference to @file
 * (get_dma_buf(), dma_buf_put(), file descriptors, user mappings).
 */
struct dma_buf {
	/** @size: in bytes, never changes */
	size_t size;

	/** @file: the file that carries the reference count */
	struct file *file;

	/** @attachments: every attached device; under @resv */
	struct list_head attachments;

	/** @ops: the exporter's operations */
	const struct dma_buf_ops *ops;

	/**
	 * @vmapping_counter: users of @vmap_ptr. Written under @resv, read
	 * without it by dma_buf_kmap_atomic().
	 */
	unsigned int vmapping_counter;

	/**
	 * @vmap_ptr: the kernel mapping while @vmapping_counter is not 0
	 */
	struct iosys_map vmap_ptr;

	/**
	 * @kmap_atomic_users: dma_buf_kmap_atomic() sections that stand on
	 * @vmap_ptr; the mapping is not torn down under them
	 */
	atomic_t kmap_atomic_users;

	/** @exp_name: the exporter's name, never NULL */
	const char *exp_name;

	/** @name: the name user space gave, or NULL; under @name_lock */
	const char *name;

	/** @name_lock: protects @name */
	spinlock_t name_lock;

	/** @owner: the exporter's module, held while the buffer lives */
	struct module *owner;

#if IS_ENABLED(CONFIG_DEBUG_FS)
	/** @list_node: in the list of live buffers of dma_buf/bufinfo */
	struct list_head list_node;

	/** @list_seq: its place in that list */
	u64 list_seq;
#endif

	/** @revoked: by dma_buf_revoke(); under @resv */
	bool revoked;

	/** @priv: the exporter's own */
	void *priv;

	/**
	 * @resv: lock and fences of the buffer; the exporter's, or one that
	 * the core brings.
	 *
	 * Who accesses the buffer implicitly synchronised adds its fence with
	 * DMA_RESV_USAGE_READ or DMA_RESV_USAGE_WRITE, after having waited
	 * for those that dma_resv_usage_rw() names. A dynamic importer also
	 * waits for the fences of the exporter (DMA_RESV_USAGE_KERNEL) before
	 * it touches the memory, and adds a fence for each access that its
	 * move_notify() cannot stop at once.
	 */
	struct dma_resv *resv;

	/** @poll: pollers of the file, and the lock of @poll_in, @poll_out */
	wait_queue_head_t poll;

	/** @poll_in: what wakes the pollers for EPOLLIN */
	struct dma_buf_poll poll_in;

	/** @poll_out: what wakes the pollers for EPOLLOUT */
	struct dma_buf_poll poll_out;

#ifdef CONFIG_DMABUF_SYSFS_STATS
	/** @sysfs_entry: the buffer's directory under /sys/kernel/dmabuf */
	struct dma_buf_sysfs_entry {
		struct kobject kobj;
		struct dma_buf *dmabuf;
	} *sysfs_entry;
#endif
};

/**
 * struct dma_buf_attach_ops - what a dynamic importer does
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer can use memory of another device that
	 * has no struct page
	 */
	bool allow_peer2peer;

	/**
	 * @move_notify: the buffer is about to move. Mandatory. Called with
	 * &dma_buf.resv held. Mappings made before stay valid until the fences
	 * in &dma_buf.resv signal, but should be given up soon; a mapping made
	 * afterwards leads to the new place.
	 */
	void (*move_notify)(struct dma_buf_attachment *attach);

	/**
	 * @revoked: the exporter takes the memory away for good. Optional: an
	 * importer that has it can be revoked, one without it keeps the memory
	 * where it is for as long as it is attached. Called with &dma_buf.resv
	 * held, once. The importer starts no more DMA, and for DMA it cannot
	 * stop at once it has a fence in &dma_buf.resv. Mappings and the
	 * attachment are undone as ever, at any time later.
	 */
	void (*revoked)(struct dma_buf_attachment *attach);
};

/**
 * struct dma_buf_attachment - a device that uses a buffer
 * @dmabuf: the buffer
 * @dev: the device
 * @node: in &dma_buf.attachments
 * @sgt: the mapping the core keeps for this attachment, or NULL
 * @dir: direction of @sgt
 * @peer2peer: the importer can use memory without struct page
 * @importer_ops: NULL for a static importer
 * @importer_priv: the importer's own
 * @priv: the exporter's own
 * @tables: with CONFIG_DMABUF_DEBUG, what the importer has mapped; under
 *	    &dma_buf.resv
 */
struct dma_buf_attachment {
	struct dma_buf *dmabuf;
	struct device *dev;
	struct list_head node;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool peer2peer;
	const struct dma_buf_attach_ops *importer_ops;
	void *importer_priv;
	void *priv;
#if IS_ENABLED(CONFIG_DMABUF_DEBUG)
	struct list_head tables;
#endif
};

/**
 * struct dma_buf_export_info - arguments of dma_buf_export()
 * @exp_name: name of the exporter, outlives the buffer
 * @owner: module that holds @ops
 * @ops: the exporter's operations
 * @size: in bytes
 * @flags: access mode of the file (O_RDONLY, O_WRONLY, O_RDWR) and O_NONBLOCK;
 *	   others are ignored
 * @resv: the buffer's reservation object, NULL for one of the core's
 * @priv: the exporter's own, not NULL
 */
struct dma_buf_export_info {
	const char *exp_name;
	struct module *owner;
	const struct dma_buf_ops *ops;
	size_t size;
	int flags;
	struct dma_resv *resv;
	void *priv;
};

/**
 * DEFINE_DMA_BUF_EXPORT_INFO - a struct dma_buf_export_info of this module
 * @name: name of the variable
 */
#define DEFINE_DMA_BUF_EXPORT_INFO(name)			\
	struct dma_buf_export_info name = {			\
		.exp_name = KBUILD_MODNAME,			\
		.owner = THIS_MODULE,				\
	}

/**
 * get_dma_buf - take one more reference
 * @dmabuf: a buffer the caller has a reference to
 *
 * Context: any. Undone by dma_buf_put().
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - may the exporter move the buffer?
 * @dmabuf: the buffer
 *
 * Return: true if the buffer stays in place only while pinned.
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

/**
 * dma_buf_attachment_is_dynamic - can the importer cope with moves?
 * @attach: the attachment
 *
 * Return: true if the importer gave &struct dma_buf_attach_ops.
 */
static inline bool
dma_buf_attachment_is_dynamic(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info);
int dma_buf_fd(struct dma_buf *dmabuf, int flags);
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);

struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv);
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
int dma_buf_pin(struct dma_buf_attachment *attach);
void dma_buf_unpin(struct dma_buf_attachment *attach);
void dma_buf_move_notify(struct dma_buf *dmabuf);
bool dma_buf_attach_revocable(const struct dma_buf_attachment *attach);
int dma_buf_revoke(struct dma_buf *dmabuf);

struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir);

int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir);
int dma_buf_end_cpu_access(struct dma_buf *dmabuf,
			   enum dma_data_direction dir);

int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff);

int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);

/* The classic interface; see "Classic names" in the documentation. */
void *dma_buf_vmap_ptr(struct dma_buf *dmabuf);
void dma_buf_vunmap_ptr(struct dma_buf *dmabuf, void *vaddr);
void *dma_buf_kmap(struct dma_buf *dmabuf, unsigned long page_num);
void dma_buf_kunmap(struct dma_buf *dmabuf, unsigned long page_num,
		    void *vaddr);
void *dma_buf_kmap_atomic(struct dma_buf *dmabuf, unsigned long page_num);
void dma_buf_kunmap_atomic(struct dma_buf *dmabuf, unsigned long page_num,
			   void *vaddr);

#endif /* __DMA_BUF_H__ */
