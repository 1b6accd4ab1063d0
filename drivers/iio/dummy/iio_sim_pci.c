// SPDX-License-Identifier: GPL-2.0-only
/*
 * A simulated converter on top of a PCI device
 *
 * The device only lends its place on the bus: transfers are mapped for it, by
 * the IOMMU that it is behind. It is not touched. No device matches by itself;
 * one is bound by driver_override, and must be one that nothing else needs.
 */
#include <linux/dma-mapping.h>
#include <linux/pci.h>

#include "iio_sim.h"

static int iio_sim_pci_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	int ret;

	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	/* One transfer takes any segment; its length is 32 bits wide */
	dma_set_max_seg_size(dev, U32_MAX);

	return iio_sim_probe(dev, dev_name(dev));
}

static struct pci_driver iio_sim_pci_driver = {
	.name = "iio-sim-pci",
	.probe = iio_sim_pci_probe,
};

int iio_sim_pci_register(void)
{
	return pci_register_driver(&iio_sim_pci_driver);
}

void iio_sim_pci_unregister(void)
{
	pci_unregister_driver(&iio_sim_pci_driver);
}
