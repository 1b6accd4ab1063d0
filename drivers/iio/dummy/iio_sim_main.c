// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creation of simulated converters: each directory made in configfs, in
 * iio/devices/sim/, is a platform device with a converter on it.
 */
#include <linux/configfs.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iio/sw_device.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "iio_sim.h"

#define IIO_SIM_DRIVER	"iio-sim"

/**
 * struct iio_sim_item - A directory in configfs
 * @swd: as the IIO core knows it
 * @pdev: the platform device, which goes when the directory is removed
 */
struct iio_sim_item {
	struct iio_sw_device swd;
	struct platform_device *pdev;
};

static struct iio_sim_item *to_iio_sim_item(struct config_item *item)
{
	return container_of(to_iio_sw_device(item), struct iio_sim_item, swd);
}

/*
 * The converter reads and writes memory with the CPU: it sees what the caches
 * hold, and maintenance of them would throw its data away.
 */
static void iio_sim_set_coherent(struct device *dev)
{
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	dev->dma_coherent = true;
#endif
}

static int iio_sim_platform_probe(struct platform_device *pdev)
{
	const char *name = dev_get_platdata(&pdev->dev);
	struct device *dev = &pdev->dev;
	int ret;

	iio_sim_set_coherent(dev);
	ret = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	/* One transfer takes any segment; its length is 32 bits wide */
	dma_set_max_seg_size(dev, U32_MAX);

	return iio_sim_probe(dev, name);
}

static struct platform_driver iio_sim_platform_driver = {
	.driver = {
		.name = IIO_SIM_DRIVER,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
	.probe = iio_sim_platform_probe,
};

static ssize_t iio_sim_item_dev_name_show(struct config_item *item, char *page)
{
	struct iio_sim_item *sim = to_iio_sim_item(item);

	return sysfs_emit(page, "%s\n", dev_name(&sim->pdev->dev));
}

CONFIGFS_ATTR_RO(iio_sim_item_, dev_name);

static struct configfs_attribute *iio_sim_item_attrs[] = {
	&iio_sim_item_attr_dev_name,
	NULL,
};

static void iio_sim_item_release(struct config_item *item)
{
	kfree(to_iio_sim_item(item));
}

static struct configfs_item_operations iio_sim_item_ops = {
	.release = iio_sim_item_release,
};

static const struct config_item_type iio_sim_item_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &iio_sim_item_ops,
	.ct_attrs = iio_sim_item_attrs,
};

static struct iio_sw_device *iio_sim_create(const char *name)
{
	struct platform_device_info info = {
		.name = IIO_SIM_DRIVER,
		.id = PLATFORM_DEVID_AUTO,
		.data = name,
		.size_data = strlen(name) + 1,
	};
	struct iio_sim_item *sim;
	bool bound;

	sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	if (!sim)
		return ERR_PTR(-ENOMEM);

	sim->pdev = platform_device_register_full(&info);
	if (IS_ERR(sim->pdev)) {
		struct iio_sw_device *err = ERR_CAST(sim->pdev);

		kfree(sim);
		return err;
	}

	/* Probing is synchronous; why it failed is in the log */
	device_lock(&sim->pdev->dev);
	bound = device_is_bound(&sim->pdev->dev);
	device_unlock(&sim->pdev->dev);
	if (!bound) {
		platform_device_unregister(sim->pdev);
		kfree(sim);
		return ERR_PTR(-ENXIO);
	}

	iio_swd_group_init_type_name(&sim->swd, name, &iio_sim_item_type);

	return &sim->swd;
}

static int iio_sim_remove(struct iio_sw_device *swd)
{
	struct iio_sim_item *sim = container_of(swd, struct iio_sim_item, swd);

	platform_device_unregister(sim->pdev);

	return 0;
}

static const struct iio_sw_device_ops iio_sim_sw_device_ops = {
	.probe = iio_sim_create,
	.remove = iio_sim_remove,
};

static struct iio_sw_device_type iio_sim_sw_device_type = {
	.name = "sim",
	.owner = THIS_MODULE,
	.ops = &iio_sim_sw_device_ops,
};

static int __init iio_sim_init(void)
{
	int ret;

	ret = platform_driver_register(&iio_sim_platform_driver);
	if (ret)
		return ret;

	ret = iio_sim_pci_register();
	if (ret)
		goto err_unregister_platform;

	ret = iio_register_sw_device_type(&iio_sim_sw_device_type);
	if (ret)
		goto err_unregister_pci;

	return 0;

err_unregister_pci:
	iio_sim_pci_unregister();
err_unregister_platform:
	platform_driver_unregister(&iio_sim_platform_driver);
	return ret;
}
module_init(iio_sim_init);

static void __exit iio_sim_exit(void)
{
	iio_unregister_sw_device_type(&iio_sim_sw_device_type);
	iio_sim_pci_unregister();
	platform_driver_unregister(&iio_sim_platform_driver);
}
module_exit(iio_sim_exit);

MODULE_DESCRIPTION("Simulated IIO converter with DMA buffers");
MODULE_LICENSE("GPL");
