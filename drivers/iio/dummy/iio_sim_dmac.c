// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA controller of the simulated converter: the dmaengine provider
 *
 * Takes what a client asks for and makes descriptors of it; iio_sim_chan.c
 * works through them.
 */
#include <linux/bottom_half.h>
#include <linux/device.h>
#include <linux/dmaengine.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "iio_sim_dmac.h"

/* Most controllers have not heard of it; clients have to do without then */
static bool iio_sim_dma_vec = true;
module_param_named(dma_vec, iio_sim_dma_vec, bool, 0644);
MODULE_PARM_DESC(dma_vec,
		 "New DMA controllers have device_prep_peripheral_dma_vec() (default Y)");

static const char * const iio_sim_chan_names[] = {
	[IIO_SIM_RX] = "rx",
	[IIO_SIM_TX] = "tx",
};

static void iio_sim_issue_pending(struct dma_chan *chan)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);

	if (irqs_disabled()) {
		iio_sim_chan_issue(c);
		return;
	}

	/* Run the tasklet from here, instead of waking up ksoftirqd for it */
	local_bh_disable();
	iio_sim_chan_issue(c);
	local_bh_enable();
}

static dma_cookie_t iio_sim_tx_submit(struct dma_async_tx_descriptor *tx)
{
	struct iio_sim_chan *c = to_iio_sim_chan(tx->chan);

	/* Like any descriptor that was only prepared: freed by terminate */
	if (iio_sim_fault_hit(&c->faults.fail_submit))
		return -EIO;

	return vchan_tx_submit(tx);
}

static void iio_sim_desc_free(struct virt_dma_desc *vd)
{
	kfree(to_iio_sim_desc(vd));
}

static struct iio_sim_desc *iio_sim_desc_alloc(struct iio_sim_chan *c,
					       size_t nents,
					       enum dma_transfer_direction dir)
{
	bool rx = c->dir == IIO_SIM_RX;
	struct iio_sim_desc *desc;

	if (!nents || dir != (rx ? DMA_DEV_TO_MEM : DMA_MEM_TO_DEV))
		return NULL;
	if (iio_sim_fault_hit(&c->faults.fail_prep))
		return NULL;

	desc = kzalloc(struct_size(desc, vecs, nents), GFP_NOWAIT);
	if (desc)
		desc->nents = nents;

	return desc;
}

/* Check what is in @desc and hand it out. Frees it if it cannot be done. */
static struct dma_async_tx_descriptor *
iio_sim_desc_prep(struct iio_sim_chan *c, struct iio_sim_desc *desc,
		  unsigned long flags)
{
	struct dma_async_tx_descriptor *tx;
	const struct dma_vec *vec;
	unsigned int i;
	u32 len = 0;

	for (i = 0; i < desc->nents; i++) {
		vec = &desc->vecs[i];
		/* A residue is 32 bits wide, so is the length of a transfer */
		if (!vec->len || check_add_overflow(len, vec->len, &len) ||
		    !IS_ALIGNED(vec->addr | vec->len, IIO_SIM_WORD_BYTES)) {
			kfree(desc);
			return NULL;
		}
	}
	desc->len = len;
	if (!desc->cyclic)
		desc->period = len;

	tx = vchan_tx_prep(&c->vc, &desc->vd, flags);
	tx->tx_submit = iio_sim_tx_submit;

	return tx;
}

static struct dma_async_tx_descriptor *
iio_sim_prep_peripheral_dma_vec(struct dma_chan *chan,
				const struct dma_vec *vecs, size_t nents,
				enum dma_transfer_direction dir,
				unsigned long flags)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	struct iio_sim_desc *desc;

	desc = iio_sim_desc_alloc(c, nents, dir);
	if (!desc)
		return NULL;
	memcpy(desc->vecs, vecs, flex_array_size(desc, vecs, nents));

	return iio_sim_desc_prep(c, desc, flags);
}

static struct dma_async_tx_descriptor *
iio_sim_prep_slave_sg(struct dma_chan *chan, struct scatterlist *sgl,
		      unsigned int sg_len, enum dma_transfer_direction dir,
		      unsigned long flags, void *context)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	struct iio_sim_desc *desc;
	struct scatterlist *sg;
	unsigned int i;

	desc = iio_sim_desc_alloc(c, sg_len, dir);
	if (!desc)
		return NULL;
	for_each_sg(sgl, sg, sg_len, i) {
		desc->vecs[i].addr = sg_dma_address(sg);
		desc->vecs[i].len = sg_dma_len(sg);
	}

	return iio_sim_desc_prep(c, desc, flags);
}

static struct dma_async_tx_descriptor *
iio_sim_prep_dma_cyclic(struct dma_chan *chan, dma_addr_t buf_addr,
			size_t buf_len, size_t period_len,
			enum dma_transfer_direction dir, unsigned long flags)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	struct iio_sim_desc *desc;

	if (!period_len || buf_len % period_len ||
	    !IS_ALIGNED(period_len, IIO_SIM_WORD_BYTES))
		return NULL;

	desc = iio_sim_desc_alloc(c, 1, dir);
	if (!desc)
		return NULL;
	desc->vecs[0].addr = buf_addr;
	desc->vecs[0].len = buf_len;
	desc->period = period_len;
	desc->cyclic = true;

	return iio_sim_desc_prep(c, desc, flags);
}

/* The converter has no address and only one width; there is nothing to set */
static int iio_sim_config(struct dma_chan *chan, struct dma_slave_config *cfg)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	enum dma_slave_buswidth width;

	width = c->dir == IIO_SIM_RX ? cfg->src_addr_width :
				       cfg->dst_addr_width;
	if (width != DMA_SLAVE_BUSWIDTH_UNDEFINED &&
	    width != IIO_SIM_WORD_BYTES)
		return -EINVAL;

	return 0;
}

static void iio_sim_caps(struct dma_chan *chan, struct dma_slave_caps *caps)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);

	caps->directions = c->dir == IIO_SIM_RX ? BIT(DMA_DEV_TO_MEM) :
						  BIT(DMA_MEM_TO_DEV);
}

static int iio_sim_set_paused(struct dma_chan *chan, bool paused)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	unsigned long flags;

	spin_lock_irqsave(&c->vc.lock, flags);
	WRITE_ONCE(c->paused, paused);
	spin_unlock_irqrestore(&c->vc.lock, flags);
	wake_up(&c->port->wait);

	return 0;
}

static int iio_sim_pause(struct dma_chan *chan)
{
	return iio_sim_set_paused(chan, true);
}

static int iio_sim_resume(struct dma_chan *chan)
{
	return iio_sim_set_paused(chan, false);
}

static int iio_sim_terminate_all(struct dma_chan *chan)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	unsigned long flags;
	LIST_HEAD(head);

	spin_lock_irqsave(&c->vc.lock, flags);
	if (c->active) {
		vchan_terminate_vdesc(&c->active->vd);
		WRITE_ONCE(c->active, NULL);
	}
	/* All are freed by device_synchronize(), when the thread has let go */
	vchan_get_all_descriptors(&c->vc, &head);
	list_splice_tail(&head, &c->vc.desc_terminated);
	WRITE_ONCE(c->paused, false);
	spin_unlock_irqrestore(&c->vc.lock, flags);
	wake_up(&c->port->wait);

	return 0;
}

/* The thread does not look at a descriptor that was terminated */
static bool iio_sim_chan_settled(struct iio_sim_chan *c)
{
	bool settled;

	spin_lock_irq(&c->vc.lock);
	settled = !c->busy || c->active;
	spin_unlock_irq(&c->vc.lock);

	return settled;
}

static void iio_sim_synchronize(struct dma_chan *chan)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);

	wait_event(c->port->wait, iio_sim_chan_settled(c));
	vchan_synchronize(&c->vc);
}

static enum dma_status iio_sim_tx_status(struct dma_chan *chan,
					 dma_cookie_t cookie,
					 struct dma_tx_state *state)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	struct iio_sim_desc *desc;
	struct virt_dma_desc *vd;
	enum dma_status status;
	unsigned long flags;

	status = dma_cookie_status(chan, cookie, state);
	if (status == DMA_COMPLETE)
		return status;

	spin_lock_irqsave(&c->vc.lock, flags);
	desc = c->active;
	vd = vchan_find_desc(&c->vc, cookie);
	if (desc && desc->vd.tx.cookie == cookie) {
		dma_set_residue(state, desc->len - READ_ONCE(desc->done));
		if (c->paused)
			status = DMA_PAUSED;
	} else if (vd) {
		dma_set_residue(state, to_iio_sim_desc(vd)->len);
	}
	spin_unlock_irqrestore(&c->vc.lock, flags);

	return status;
}

static int iio_sim_alloc_chan_resources(struct dma_chan *chan)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);
	struct task_struct *thread;

	thread = kthread_run(iio_sim_chan_thread, c, "%s-%s",
			     dev_name(iio_sim_chan_dev(c)),
			     iio_sim_chan_names[c->dir]);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	c->thread = thread;

	return 0;
}

static void iio_sim_free_chan_resources(struct dma_chan *chan)
{
	struct iio_sim_chan *c = to_iio_sim_chan(chan);

	iio_sim_terminate_all(chan);
	iio_sim_synchronize(chan);
	kthread_stop(c->thread);
	c->thread = NULL;
	vchan_free_chan_resources(&c->vc);
}

static bool iio_sim_filter(struct dma_chan *chan, void *param)
{
	return to_iio_sim_chan(chan) == param;
}

static void iio_sim_dmac_release(struct dma_device *ddev)
{
	struct iio_sim_dmac *dmac = container_of(ddev, struct iio_sim_dmac,
						 ddev);
	struct device *dev = ddev->dev;

	dmac->release(dmac);
	put_device(dev);
}

static void iio_sim_dmac_init(struct iio_sim_dmac *dmac, struct device *dev)
{
	struct dma_device *ddev = &dmac->ddev;
	struct iio_sim_chan *c;
	unsigned int i;

	ddev->dev = dev;
	dma_cap_set(DMA_SLAVE, ddev->cap_mask);
	dma_cap_set(DMA_CYCLIC, ddev->cap_mask);
	dma_cap_set(DMA_PRIVATE, ddev->cap_mask);
	ddev->directions = BIT(DMA_DEV_TO_MEM) | BIT(DMA_MEM_TO_DEV);
	ddev->src_addr_widths = BIT(IIO_SIM_WORD_BYTES);
	ddev->dst_addr_widths = BIT(IIO_SIM_WORD_BYTES);
	ddev->residue_granularity = DMA_RESIDUE_GRANULARITY_BURST;
	ddev->device_alloc_chan_resources = iio_sim_alloc_chan_resources;
	ddev->device_free_chan_resources = iio_sim_free_chan_resources;
	if (READ_ONCE(iio_sim_dma_vec))
		ddev->device_prep_peripheral_dma_vec =
			iio_sim_prep_peripheral_dma_vec;
	ddev->device_prep_slave_sg = iio_sim_prep_slave_sg;
	ddev->device_prep_dma_cyclic = iio_sim_prep_dma_cyclic;
	ddev->device_caps = iio_sim_caps;
	ddev->device_config = iio_sim_config;
	ddev->device_pause = iio_sim_pause;
	ddev->device_resume = iio_sim_resume;
	ddev->device_terminate_all = iio_sim_terminate_all;
	ddev->device_synchronize = iio_sim_synchronize;
	ddev->device_tx_status = iio_sim_tx_status;
	ddev->device_issue_pending = iio_sim_issue_pending;
	ddev->device_release = iio_sim_dmac_release;
	ddev->filter.fn = iio_sim_filter;
	ddev->filter.map = dmac->map;
	ddev->filter.mapcnt = ARRAY_SIZE(dmac->map);

	INIT_LIST_HEAD(&ddev->channels);
	for (i = 0; i < ARRAY_SIZE(dmac->chan); i++) {
		c = &dmac->chan[i];
		c->dir = i;
		c->vc.desc_free = iio_sim_desc_free;
		vchan_init(&c->vc, ddev);
		dmac->map[i].devname = dev_name(dev);
		dmac->map[i].slave = iio_sim_chan_names[i];
		dmac->map[i].param = c;
	}
}

static void iio_sim_dmac_unregister(void *data)
{
	struct iio_sim_dmac *dmac = data;

	dma_async_device_unregister(&dmac->ddev);
}

/**
 * devm_iio_sim_dmac_register() - Bring up the DMA controller
 * @dev: device that does the DMA, bound to a driver, which must set its DMA
 *	mask
 * @dmac: the controller, zeroed but for @release and the ports of the channels
 *
 * The channels are found by dma_request_chan(@dev, "rx" or "tx"). The
 * controller is unregistered when @dev is unbound; @dmac->release is called
 * then, or when the last channel is released if that is later. @dev is not
 * freed before.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM or what dma_async_device_register() returns, and then
 * @dmac->release was called.
 */
int devm_iio_sim_dmac_register(struct device *dev, struct iio_sim_dmac *dmac)
{
	struct dentry *root;
	unsigned int i;
	int ret;

	iio_sim_dmac_init(dmac, dev);
	get_device(dev);
	ret = dma_async_device_register(&dmac->ddev);
	if (ret) {
		iio_sim_dmac_release(&dmac->ddev);
		return ret;
	}

	root = dmaengine_get_debugfs_root(&dmac->ddev);
	for (i = 0; i < ARRAY_SIZE(dmac->chan); i++)
		iio_sim_fault_debugfs(&dmac->chan[i], iio_sim_chan_names[i],
				      root);

	return devm_add_action_or_reset(dev, iio_sim_dmac_unregister, dmac);
}
