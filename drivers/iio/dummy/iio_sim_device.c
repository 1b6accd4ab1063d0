// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IIO devices of the simulated converter
 *
 * NAME-adc has the capture buffer, NAME-dac the playback buffer. They are two
 * devices, as converters with a DMA controller are, because the IIO core
 * enables only one hardware buffer of a device at a time.
 */
#include <linux/device.h>
#include <linux/iio/buffer-dmaengine.h>
#include <linux/iio/iio.h>
#include <linux/iio/sysfs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "iio_sim.h"

#define IIO_SIM_DEFAULT_FREQUENCY	100000
#define IIO_SIM_MAX_FREQUENCY		100000000

/* 2.5 V for the largest sample */
#define IIO_SIM_FULL_SCALE_MV		2500
#define IIO_SIM_SCALE_BITS		31

/**
 * struct iio_sim_iio - Private data of an IIO device
 * @sim: the converter
 * @dir: the direction that this device is
 * @channels: its channels
 */
struct iio_sim_iio {
	struct iio_sim *sim;
	enum iio_sim_dir dir;
	struct iio_chan_spec channels[IIO_SIM_NUM_CHANNELS];
};

static struct iio_sim_side *iio_sim_iio_side(struct iio_dev *indio_dev)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	return &st->sim->side[st->dir];
}

static const char * const iio_sim_generators[] = {
	[IIO_SIM_GEN_COUNTER] = "counter",
	[IIO_SIM_GEN_SINE] = "sine",
	[IIO_SIM_GEN_LOOPBACK] = "loopback",
	[IIO_SIM_GEN_NONE] = "none",
};

static int iio_sim_generator_set(struct iio_dev *indio_dev,
				 const struct iio_chan_spec *chan,
				 unsigned int item)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	iio_sim_set_generator(st->sim, item);

	return 0;
}

static int iio_sim_generator_get(struct iio_dev *indio_dev,
				 const struct iio_chan_spec *chan)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	return READ_ONCE(st->sim->generator);
}

static const struct iio_enum iio_sim_generator_enum = {
	.items = iio_sim_generators,
	.num_items = ARRAY_SIZE(iio_sim_generators),
	.set = iio_sim_generator_set,
	.get = iio_sim_generator_get,
};

static const char * const iio_sim_checkers[] = {
	[IIO_SIM_CHECK_COUNTER] = "counter",
	[IIO_SIM_CHECK_NONE] = "none",
};

static int iio_sim_checker_set(struct iio_dev *indio_dev,
			       const struct iio_chan_spec *chan,
			       unsigned int item)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	iio_sim_set_checker(st->sim, item);

	return 0;
}

static int iio_sim_checker_get(struct iio_dev *indio_dev,
			       const struct iio_chan_spec *chan)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	return READ_ONCE(st->sim->checker);
}

static const struct iio_enum iio_sim_checker_enum = {
	.items = iio_sim_checkers,
	.num_items = ARRAY_SIZE(iio_sim_checkers),
	.set = iio_sim_checker_set,
	.get = iio_sim_checker_get,
};

static ssize_t iio_sim_full_speed_show(struct iio_dev *indio_dev,
				       uintptr_t private,
				       const struct iio_chan_spec *chan,
				       char *buf)
{
	struct iio_sim_side *side = iio_sim_iio_side(indio_dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(side->full_speed));
}

static ssize_t iio_sim_full_speed_store(struct iio_dev *indio_dev,
					uintptr_t private,
					const struct iio_chan_spec *chan,
					const char *buf, size_t len)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);
	bool full_speed;
	int ret;

	ret = kstrtobool(buf, &full_speed);
	if (ret)
		return ret;
	iio_sim_set_full_speed(st->sim, st->dir, full_speed);

	return len;
}

static ssize_t iio_sim_checked_show(struct iio_dev *indio_dev,
				    uintptr_t private,
				    const struct iio_chan_spec *chan, char *buf)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	return sysfs_emit(buf, "%lld\n", atomic64_read(&st->sim->checked));
}

static ssize_t iio_sim_mismatches_show(struct iio_dev *indio_dev,
				       uintptr_t private,
				       const struct iio_chan_spec *chan,
				       char *buf)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	return sysfs_emit(buf, "%lld\n", atomic64_read(&st->sim->mismatches));
}

#define IIO_SIM_FULL_SPEED {				\
	.name = "full_speed",				\
	.shared = IIO_SHARED_BY_ALL,			\
	.read = iio_sim_full_speed_show,		\
	.write = iio_sim_full_speed_store,		\
}

#define IIO_SIM_COUNT(_name) {				\
	.name = #_name,					\
	.shared = IIO_SHARED_BY_ALL,			\
	.read = iio_sim_ ## _name ## _show,		\
}

static const struct iio_chan_spec_ext_info iio_sim_adc_ext_info[] = {
	IIO_ENUM("generator", IIO_SHARED_BY_ALL, &iio_sim_generator_enum),
	IIO_ENUM_AVAILABLE("generator", IIO_SHARED_BY_ALL,
			   &iio_sim_generator_enum),
	IIO_SIM_FULL_SPEED,
	{ }
};

static const struct iio_chan_spec_ext_info iio_sim_dac_ext_info[] = {
	IIO_ENUM("checker", IIO_SHARED_BY_ALL, &iio_sim_checker_enum),
	IIO_ENUM_AVAILABLE("checker", IIO_SHARED_BY_ALL, &iio_sim_checker_enum),
	IIO_SIM_COUNT(checked),
	IIO_SIM_COUNT(mismatches),
	IIO_SIM_FULL_SPEED,
	{ }
};

static int iio_sim_read_sample(struct iio_dev *indio_dev, unsigned int channel,
			       int *val)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);
	int ret;

	ret = iio_device_claim_direct_mode(indio_dev);
	if (ret)
		return ret;
	*val = iio_sim_signal_peek(st->sim, channel);
	iio_device_release_direct_mode(indio_dev);

	return IIO_VAL_INT;
}

static int iio_sim_read_raw(struct iio_dev *indio_dev,
			    const struct iio_chan_spec *chan,
			    int *val, int *val2, long mask)
{
	struct iio_sim_side *side = iio_sim_iio_side(indio_dev);

	switch (mask) {
	case IIO_CHAN_INFO_RAW:
		return iio_sim_read_sample(indio_dev, chan->channel, val);
	case IIO_CHAN_INFO_SCALE:
		*val = IIO_SIM_FULL_SCALE_MV;
		*val2 = IIO_SIM_SCALE_BITS;
		return IIO_VAL_FRACTIONAL_LOG2;
	case IIO_CHAN_INFO_SAMP_FREQ:
		*val = READ_ONCE(side->sampling_frequency);
		return IIO_VAL_INT;
	default:
		return -EINVAL;
	}
}

static int iio_sim_read_avail(struct iio_dev *indio_dev,
			      const struct iio_chan_spec *chan,
			      const int **vals, int *type, int *length,
			      long mask)
{
	static const int frequencies[] = { 1, 1, IIO_SIM_MAX_FREQUENCY };

	if (mask != IIO_CHAN_INFO_SAMP_FREQ)
		return -EINVAL;

	*vals = frequencies;
	*type = IIO_VAL_INT;

	return IIO_AVAIL_RANGE;
}

static int iio_sim_write_raw(struct iio_dev *indio_dev,
			     const struct iio_chan_spec *chan,
			     int val, int val2, long mask)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	if (mask != IIO_CHAN_INFO_SAMP_FREQ)
		return -EINVAL;
	if (val < 1 || val > IIO_SIM_MAX_FREQUENCY || val2)
		return -EINVAL;

	iio_sim_set_frequency(st->sim, st->dir, val);

	return 0;
}

static int iio_sim_update_scan_mode(struct iio_dev *indio_dev,
				    const unsigned long *scan_mask)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	iio_sim_signal_start(st->sim, st->dir, scan_mask);

	return 0;
}

static const struct iio_info iio_sim_info = {
	.read_raw = iio_sim_read_raw,
	.read_avail = iio_sim_read_avail,
	.write_raw = iio_sim_write_raw,
	.update_scan_mode = iio_sim_update_scan_mode,
};

static int iio_sim_postdisable(struct iio_dev *indio_dev)
{
	struct iio_sim_iio *st = iio_priv(indio_dev);

	iio_sim_signal_stop(st->sim, st->dir);

	return 0;
}

static const struct iio_buffer_setup_ops iio_sim_setup_ops = {
	.postdisable = iio_sim_postdisable,
};

/* What is different between the two IIO devices */
static const struct iio_sim_iio_desc {
	const char *suffix;
	const struct iio_chan_spec_ext_info *ext_info;
	const char *dma_chan;
	enum iio_buffer_direction buffer_dir;
} iio_sim_iio_descs[] = {
	[IIO_SIM_RX] = {
		.suffix = "adc",
		.ext_info = iio_sim_adc_ext_info,
		.dma_chan = "rx",
		.buffer_dir = IIO_BUFFER_DIRECTION_IN,
	},
	[IIO_SIM_TX] = {
		.suffix = "dac",
		.ext_info = iio_sim_dac_ext_info,
		.dma_chan = "tx",
		.buffer_dir = IIO_BUFFER_DIRECTION_OUT,
	},
};

static void iio_sim_init_channels(struct iio_sim_iio *st)
{
	struct iio_chan_spec *chan;
	unsigned int i;

	for (i = 0; i < IIO_SIM_NUM_CHANNELS; i++) {
		chan = &st->channels[i];
		chan->type = IIO_VOLTAGE;
		chan->indexed = 1;
		chan->channel = i;
		chan->scan_index = i;
		chan->scan_type.sign = 's';
		chan->scan_type.realbits = 32;
		chan->scan_type.storagebits = 32;
		chan->scan_type.endianness = IIO_LE;
		chan->info_mask_shared_by_type = BIT(IIO_CHAN_INFO_SCALE);
		chan->info_mask_shared_by_all = BIT(IIO_CHAN_INFO_SAMP_FREQ);
		chan->info_mask_shared_by_all_available =
			BIT(IIO_CHAN_INFO_SAMP_FREQ);
		chan->ext_info = iio_sim_iio_descs[st->dir].ext_info;
		if (st->dir == IIO_SIM_RX)
			chan->info_mask_separate = BIT(IIO_CHAN_INFO_RAW);
		else
			chan->output = 1;
	}
}

static int iio_sim_add_iio(struct device *dev, struct iio_sim *sim,
			   enum iio_sim_dir dir, const char *name)
{
	const struct iio_sim_iio_desc *desc = &iio_sim_iio_descs[dir];
	struct iio_dev *indio_dev;
	struct iio_sim_iio *st;
	int ret;

	indio_dev = devm_iio_device_alloc(dev, sizeof(*st));
	if (!indio_dev)
		return -ENOMEM;

	st = iio_priv(indio_dev);
	st->sim = sim;
	st->dir = dir;
	iio_sim_init_channels(st);

	indio_dev->name = devm_kasprintf(dev, GFP_KERNEL, "%s-%s", name,
					 desc->suffix);
	if (!indio_dev->name)
		return -ENOMEM;
	indio_dev->info = &iio_sim_info;
	indio_dev->setup_ops = &iio_sim_setup_ops;
	indio_dev->modes = INDIO_DIRECT_MODE;
	indio_dev->channels = st->channels;
	indio_dev->num_channels = ARRAY_SIZE(st->channels);

	ret = devm_iio_dmaengine_buffer_setup_ext(dev, indio_dev,
						  desc->dma_chan,
						  desc->buffer_dir);
	if (ret)
		return dev_err_probe(dev, ret, "no %s buffer\n", desc->suffix);

	return devm_iio_device_register(dev, indio_dev);
}

static void iio_sim_release(struct iio_sim_dmac *dmac)
{
	struct iio_sim *sim = container_of(dmac, struct iio_sim, dmac);

	iio_sim_signal_exit(sim);
	kfree(sim);
}

/**
 * iio_sim_probe() - Make a simulated converter
 * @dev: device to make it on, which does the DMA; being probed, DMA mask set
 * @name: first part of the names of the IIO devices
 *
 * The converter goes away when @dev is unbound from its driver.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; what the registration of the DMA controller, of an IIO
 * buffer or of an IIO device returns.
 */
int iio_sim_probe(struct device *dev, const char *name)
{
	struct iio_sim *sim;
	unsigned int i;
	int ret;

	sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	if (!sim)
		return -ENOMEM;

	ret = iio_sim_signal_init(sim);
	if (ret) {
		kfree(sim);
		return ret;
	}
	for (i = 0; i < IIO_SIM_NUM_DIRS; i++)
		iio_sim_set_frequency(sim, i, IIO_SIM_DEFAULT_FREQUENCY);

	/* From here on the controller's last user frees all */
	sim->dmac.release = iio_sim_release;
	ret = devm_iio_sim_dmac_register(dev, &sim->dmac);
	if (ret)
		return ret;

	for (i = 0; i < IIO_SIM_NUM_DIRS; i++) {
		ret = iio_sim_add_iio(dev, sim, i, name);
		if (ret)
			return ret;
	}

	return 0;
}

MODULE_IMPORT_NS(IIO_DMAENGINE_BUFFER);
