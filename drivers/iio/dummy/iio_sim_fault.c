// SPDX-License-Identifier: GPL-2.0-only
/*
 * Injected faults of the simulated DMA controller, and the files in debugfs
 * that set them: <debugfs>/dmaengine/<device>/{rx,tx}/
 */
#include <linux/debugfs.h>

#include "iio_sim_dmac.h"

/**
 * iio_sim_fault_hit() - Is this the one that goes wrong?
 * @count: how many are still to go wrong; one less afterwards
 *
 * Context: any.
 * Return: true if it is.
 */
bool iio_sim_fault_hit(atomic_t *count)
{
	return atomic_dec_if_positive(count) >= 0;
}

/**
 * iio_sim_fault_none() - Nothing will happen to the next transfer
 * @faults: faults of the channel
 *
 * Context: any.
 * Return: true if the next transfer is neither delayed, held, failed nor cut.
 */
bool iio_sim_fault_none(struct iio_sim_faults *faults)
{
	return !READ_ONCE(faults->delay_us) && !READ_ONCE(faults->hold) &&
	       !atomic_read(&faults->fail_transfers) &&
	       !atomic_read(&faults->short_transfers);
}

static int iio_sim_hold_get(void *data, u64 *val)
{
	struct iio_sim_chan *c = data;

	*val = READ_ONCE(c->faults.hold);

	return 0;
}

static int iio_sim_hold_set(void *data, u64 val)
{
	struct iio_sim_chan *c = data;

	WRITE_ONCE(c->faults.hold, val);
	wake_up(&c->port->wait);

	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(iio_sim_hold_fops, iio_sim_hold_get, iio_sim_hold_set,
			 "%llu\n");

/**
 * iio_sim_fault_debugfs() - Create the files of a channel
 * @c: the channel
 * @name: name of its directory
 * @root: directory of the DMA device, which removes what is in it; NULL or an
 *	error pointer if there is none
 *
 * Context: may sleep.
 */
void iio_sim_fault_debugfs(struct iio_sim_chan *c, const char *name,
			   struct dentry *root)
{
	struct iio_sim_faults *faults = &c->faults;
	struct dentry *dir;

	if (IS_ERR_OR_NULL(root))
		return;

	dir = debugfs_create_dir(name, root);
	debugfs_create_u32("delay_us", 0600, dir, &faults->delay_us);
	debugfs_create_file_unsafe("hold", 0600, dir, c, &iio_sim_hold_fops);
	debugfs_create_atomic_t("fail_transfers", 0600, dir,
				&faults->fail_transfers);
	debugfs_create_atomic_t("short_transfers", 0600, dir,
				&faults->short_transfers);
	debugfs_create_u32("short_residue", 0600, dir, &faults->short_residue);
	debugfs_create_atomic_t("fail_prep", 0600, dir, &faults->fail_prep);
	debugfs_create_atomic_t("fail_submit", 0600, dir, &faults->fail_submit);
}
