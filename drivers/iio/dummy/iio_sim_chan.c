// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel of the simulated DMA controller at work
 *
 * The channel is given DMA addresses, not pages, and finds the memory behind
 * them the way the bus would, through the IOMMU if there is one. What a client
 * maps wrongly, or too short, or unmaps too early, goes wrong here as well.
 *
 * The channel's thread works on one descriptor at a time:
 *
 *   issued -> active -> completed		the client is called back
 *                    \-> terminated		it is not
 *
 * Descriptors change hands under vc.lock. A terminated descriptor may still be
 * looked at by the thread; busy says so, and device_synchronize() waits for it
 * before the descriptor is freed and the client may free the memory.
 */
#include <linux/bottom_half.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "iio_sim_dmac.h"

/* A thread that is less than this ahead of its clock goes on without a nap */
#define IIO_SIM_SLACK_NS	NSEC_PER_MSEC

/* The thread must let go of @desc: it was terminated */
static bool iio_sim_chan_gone(struct iio_sim_chan *c, struct iio_sim_desc *desc)
{
	return READ_ONCE(c->active) != desc;
}

static void iio_sim_chan_sleep(struct iio_sim_chan *c,
			       struct iio_sim_desc *desc, ktime_t until)
{
	DEFINE_WAIT(wait);

	/* One that is late does not arm a timer for each period */
	if (ktime_compare(until, ktime_get()) <= 0)
		return;

	for (;;) {
		prepare_to_wait(&c->port->wait, &wait, TASK_IDLE);
		if (iio_sim_chan_gone(c, desc) ||
		    !schedule_hrtimeout(&until, HRTIMER_MODE_ABS))
			break;
	}
	finish_wait(&c->port->wait, &wait);
}

/* Wait until the port can go on; the time this takes is not caught up with */
static void iio_sim_chan_stall(struct iio_sim_chan *c,
			       struct iio_sim_desc *desc)
{
	struct iio_sim_port *port = c->port;

	wait_event_idle(port->wait,
			iio_sim_chan_gone(c, desc) ||
			(!READ_ONCE(c->paused) && port->ops->ready(port)));
	c->clock = ktime_get();
}

static void iio_sim_chan_pace(struct iio_sim_chan *c, struct iio_sim_desc *desc,
			      size_t moved)
{
	u32 rate = READ_ONCE(c->port->byte_rate);
	s64 ahead;

	/* What the last rate left is neither owed nor saved */
	if (rate != c->rate) {
		c->rate = rate;
		c->clock = ktime_get();
	}
	if (!rate)
		return;

	c->clock = ktime_add_ns(c->clock,
				div_u64((u64)moved * NSEC_PER_SEC, rate));
	ahead = ktime_to_ns(ktime_sub(c->clock, ktime_get()));
	if (ahead > (s64)IIO_SIM_SLACK_NS)
		iio_sim_chan_sleep(c, desc, c->clock);
}

/*
 * Find the memory at a DMA address. Bounce buffers need nothing special: their
 * address is the one the device was given.
 *
 * Return: the page, or NULL where a device would meet a bus error.
 */
static struct page *iio_sim_chan_page(struct iio_sim_chan *c, dma_addr_t addr)
{
	struct device *dev = iio_sim_chan_dev(c);
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	phys_addr_t phys;

	if (domain)
		phys = iommu_iova_to_phys(domain, addr);
	else
		phys = dma_to_phys(dev, addr);

	if (!phys || !pfn_valid(PHYS_PFN(phys)))
		return NULL;

	return pfn_to_page(PHYS_PFN(phys));
}

/*
 * Move what is left of one vector, but at most @len bytes, and not across a
 * page: what is contiguous for the device need not be so in memory.
 *
 * Return: bytes moved, 0 if the port cannot move any now, -EFAULT if there is
 * no memory at the address.
 */
static ssize_t iio_sim_chan_copy(struct iio_sim_chan *c,
				 struct iio_sim_desc *desc, size_t len)
{
	const struct dma_vec *vec = &desc->vecs[desc->vec];
	dma_addr_t addr = vec->addr + desc->offset;
	unsigned int in_page = offset_in_page(addr);
	struct page *page;
	void *vaddr;

	len = min3(len, vec->len - desc->offset, (size_t)PAGE_SIZE - in_page);
	if (READ_ONCE(c->port->null))
		return len;

	page = iio_sim_chan_page(c, addr);
	if (!page)
		return -EFAULT;

	vaddr = kmap_local_page(page);
	len = c->port->ops->xfer(c->port, vaddr + in_page, len);
	kunmap_local(vaddr);

	return len;
}

static void iio_sim_desc_advance(struct iio_sim_desc *desc, size_t bytes)
{
	WRITE_ONCE(desc->done, desc->done + bytes);
	desc->offset += bytes;
	while (desc->vec < desc->nents &&
	       desc->offset >= desc->vecs[desc->vec].len) {
		desc->offset -= desc->vecs[desc->vec].len;
		desc->vec++;
	}
}

/* Move data until @end. Return: false if memory could not be reached. */
static bool iio_sim_chan_move(struct iio_sim_chan *c, struct iio_sim_desc *desc,
			      size_t end)
{
	ssize_t moved;

	while (desc->done < end && !iio_sim_chan_gone(c, desc)) {
		if (READ_ONCE(c->paused)) {
			iio_sim_chan_stall(c, desc);
			continue;
		}

		moved = iio_sim_chan_copy(c, desc, end - desc->done);
		if (moved < 0)
			return false;
		if (moved) {
			iio_sim_desc_advance(desc, moved);
			iio_sim_chan_pace(c, desc, moved);
		} else {
			iio_sim_chan_stall(c, desc);
		}
		cond_resched();
	}

	return true;
}

static bool iio_sim_chan_held(struct iio_sim_chan *c)
{
	return READ_ONCE(c->faults.hold) || READ_ONCE(c->paused);
}

/*
 * What lies between the last word and the interrupt. But for the rate's own
 * time, it is not caught up with.
 */
static void iio_sim_chan_linger(struct iio_sim_chan *c,
				struct iio_sim_desc *desc)
{
	u32 delay_us = READ_ONCE(c->faults.delay_us);

	if (c->rate)
		iio_sim_chan_sleep(c, desc, c->clock);
	if (delay_us) {
		c->clock = ktime_add_us(ktime_get(), delay_us);
		iio_sim_chan_sleep(c, desc, c->clock);
	}
	if (iio_sim_chan_held(c)) {
		wait_event_idle(c->port->wait, iio_sim_chan_gone(c, desc) ||
				!iio_sim_chan_held(c));
		c->clock = ktime_get();
	}
}

/*
 * End a period, and with it the transfer if it is not cyclic. Return: whether
 * there is a next period.
 */
static bool iio_sim_chan_finish(struct iio_sim_chan *c,
				struct iio_sim_desc *desc,
				enum dmaengine_tx_result result, size_t residue)
{
	bool again = false;

	/* Run the tasklet from here, instead of waking up ksoftirqd for it */
	local_bh_disable();
	spin_lock_irq(&c->vc.lock);
	if (c->active == desc) {
		desc->vd.tx_result.result = result;
		desc->vd.tx_result.residue = residue;
		if (desc->cyclic) {
			vchan_cyclic_callback(&desc->vd);
			again = true;
		} else {
			WRITE_ONCE(c->active, NULL);
			vchan_cookie_complete(&desc->vd);
		}
	}
	if (!again)
		c->busy = false;
	spin_unlock_irq(&c->vc.lock);
	local_bh_enable();

	if (!again)
		wake_up(&c->port->wait);

	return again;
}

/* Work through one period. Return: whether there is a next one. */
static bool iio_sim_chan_run(struct iio_sim_chan *c, struct iio_sim_desc *desc)
{
	enum dmaengine_tx_result result = DMA_TRANS_NOERROR;
	bool failed = false;
	size_t goal, end, residue;

	if (desc->done == desc->len) {
		WRITE_ONCE(desc->done, 0);
		desc->vec = 0;
	}
	goal = min(desc->done + desc->period, desc->len);
	end = goal;

	if (iio_sim_fault_hit(&c->faults.fail_transfers)) {
		failed = true;
		end = desc->done;
	} else if (iio_sim_fault_hit(&c->faults.short_transfers)) {
		residue = roundup((size_t)READ_ONCE(c->faults.short_residue),
				  IIO_SIM_WORD_BYTES);
		end -= min(residue, goal - desc->done);
	}

	if (!iio_sim_chan_move(c, desc, end))
		failed = true;
	if (failed)
		result = c->dir == IIO_SIM_RX ? DMA_TRANS_WRITE_FAILED :
						DMA_TRANS_READ_FAILED;

	iio_sim_chan_linger(c, desc);

	residue = goal - desc->done;
	if (desc->cyclic && residue)
		iio_sim_desc_advance(desc, residue);

	return iio_sim_chan_finish(c, desc, result, residue);
}

static struct iio_sim_desc *iio_sim_chan_take(struct iio_sim_chan *c)
{
	struct iio_sim_desc *desc = NULL;
	struct virt_dma_desc *vd;

	spin_lock_irq(&c->vc.lock);
	vd = vchan_next_desc(&c->vc);
	if (vd) {
		list_del(&vd->node);
		desc = to_iio_sim_desc(vd);
		WRITE_ONCE(c->active, desc);
		c->busy = true;
	}
	spin_unlock_irq(&c->vc.lock);

	return desc;
}

/* Wait for work. Return: a descriptor, NULL if the thread is to stop. */
static struct iio_sim_desc *iio_sim_chan_next(struct iio_sim_chan *c)
{
	struct iio_sim_desc *desc;

	/* Back to back with the one before, in time as well */
	desc = iio_sim_chan_take(c);

	while (!desc) {
		wait_event_idle(c->port->wait,
				kthread_should_stop() ||
				!list_empty(&c->vc.desc_issued));
		if (kthread_should_stop())
			return NULL;
		c->clock = ktime_get();
		desc = iio_sim_chan_take(c);
	}

	return desc;
}

int iio_sim_chan_thread(void *data)
{
	struct iio_sim_chan *c = data;
	struct iio_sim_desc *desc;

	while ((desc = iio_sim_chan_next(c)))
		while (iio_sim_chan_run(c, desc))
			;

	return 0;
}

/*
 * Nothing to move, nothing to wait for: a transfer can end where it is issued,
 * at no cost but the client's own.
 */
static bool iio_sim_chan_instant(struct iio_sim_chan *c)
{
	lockdep_assert_held(&c->vc.lock);

	return !c->busy && !c->paused && READ_ONCE(c->port->null) &&
	       !READ_ONCE(c->port->byte_rate) && iio_sim_fault_none(&c->faults);
}

void iio_sim_chan_issue(struct iio_sim_chan *c)
{
	struct virt_dma_desc *vd;
	unsigned long flags;

	spin_lock_irqsave(&c->vc.lock, flags);
	vchan_issue_pending(&c->vc);
	vd = vchan_next_desc(&c->vc);
	if (iio_sim_chan_instant(c)) {
		while (vd && !to_iio_sim_desc(vd)->cyclic) {
			list_del(&vd->node);
			vchan_cookie_complete(vd);
			vd = vchan_next_desc(&c->vc);
		}
	}
	spin_unlock_irqrestore(&c->vc.lock, flags);

	if (vd)
		wake_up(&c->port->wait);
}
