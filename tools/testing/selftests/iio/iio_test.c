// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/udmabuf.h>

#include "iio_test.h"

#define CONFIGFS	"/sys/kernel/config/iio/devices/sim"
#define IIO_BUS		"/sys/bus/iio/devices"
#define PCI_BUS		"/sys/bus/pci"
#define FAULTS		"/sys/kernel/debug/dmaengine"

/* The device of QEMU that needs no driver: see Documentation/iio/iio_sim.rst */
#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

static int read_text(const char *path, char *text, size_t size)
{
	ssize_t n = read_file(path, text, size);

	if (n < 0)
		return n;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

/* The number of the IIO device called NAME-kind */
static int find_device(const char *name, const char *kind)
{
	char want[96], path[300], is[96];
	DIR *dir = opendir(IIO_BUS);
	int found = -ENODEV;
	struct dirent *de;

	snprintf(want, sizeof(want), "%s-%s", name, kind);
	while (dir && found < 0 && (de = readdir(dir))) {
		snprintf(path, sizeof(path), IIO_BUS "/%s/name", de->d_name);
		if (!strncmp(de->d_name, "iio:device", 10) &&
		    !read_text(path, is, sizeof(is)) && !strcmp(is, want))
			found = atoi(de->d_name + 10);
	}
	if (dir)
		closedir(dir);
	return found;
}

static long pci_id(const char *device, const char *file)
{
	char path[300], text[32];

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", device, file);
	return read_text(path, text, sizeof(text)) ? -1 :
						     strtol(text, NULL, 16);
}

/* Put the converter on a PCI device that has no driver, if there is one */
static int sim_make_pci(struct sim *sim)
{
	DIR *dir = opendir(PCI_BUS "/devices");
	char path[300];
	struct dirent *de;
	int ret = -ENODEV;

	while (dir && ret && (de = readdir(dir))) {
		if (pci_id(de->d_name, "vendor") != EDU_VENDOR ||
		    pci_id(de->d_name, "device") != EDU_DEVICE)
			continue;
		snprintf(path, sizeof(path), PCI_BUS "/devices/%s/driver",
			 de->d_name);
		if (!access(path, F_OK))
			continue;
		strcat(path, "_override");
		ret = write_text(path, "iio-sim-pci");
		if (!ret)
			ret = write_text(PCI_BUS "/drivers_probe", de->d_name);
		snprintf(sim->dir, sizeof(sim->dir), "%.63s", de->d_name);
		snprintf(sim->dma, sizeof(sim->dma), "%.63s", de->d_name);
	}
	if (dir)
		closedir(dir);
	return ret;
}

static int sim_make_configfs(struct sim *sim, const char *name)
{
	char path[160];

	snprintf(sim->dir, sizeof(sim->dir), CONFIGFS "/%s", name);
	/* One that a killed test left is as good as gone */
	rmdir(sim->dir);
	if (mkdir(sim->dir, 0755))
		return -errno;
	snprintf(path, sizeof(path), "%s/dev_name", sim->dir);
	return read_text(path, sim->dma, sizeof(sim->dma));
}

/*
 * A converter at full speed. Where the machine has PCI devices to put it on it
 * goes there, behind whatever IOMMU there is, and @name is not used.
 */
int sim_make(struct sim *sim, const char *name)
{
	int ret;

	memset(sim, 0, sizeof(*sim));
	name = others_at_work() ?: name;
	sim->pci = !sim_make_pci(sim);
	if (!sim->pci) {
		ret = sim_make_configfs(sim, name);
		if (ret)
			return ret;
	}
	sim->adc = find_device(sim->pci ? sim->dir : name, "adc");
	sim->dac = find_device(sim->pci ? sim->dir : name, "dac");
	if (sim->adc < 0 || sim->dac < 0)
		return -ENODEV;
	ret = iio_write(sim->adc, "full_speed", "1");
	return ret ? ret : iio_write(sim->dac, "full_speed", "1");
}

/* Are converters made from now on to have a DMA controller that knows dma_vec? */
int sim_dma_vec(bool has)
{
	return write_text("/sys/module/iio_sim/parameters/dma_vec",
			  has ? "Y" : "N");
}

int sim_remove(const struct sim *sim)
{
	if (sim->pci)
		return write_text(PCI_BUS "/drivers/iio-sim-pci/unbind",
				  sim->dir);
	return rmdir(sim->dir) ? -errno : 0;
}

/* What a process that was killed has left */
void sim_remove_named(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), CONFIGFS "/%s", name);
	rmdir(path);
}

static void fault_path(char *path, size_t size, const struct sim *sim,
		       const char *chan, const char *fault)
{
	snprintf(path, size, FAULTS "/%s/%s/%s", sim->dma, chan, fault);
}

/* See Documentation/iio/iio_sim.rst; "rx" captures, "tx" plays */
int sim_fault(const struct sim *sim, const char *chan, const char *fault,
	      long value)
{
	char path[200], text[24];

	fault_path(path, sizeof(path), sim, chan, fault);
	snprintf(text, sizeof(text), "%ld", value);
	return write_text(path, text);
}

long sim_faults_left(const struct sim *sim, const char *chan, const char *fault)
{
	char path[200];

	fault_path(path, sizeof(path), sim, chan, fault);
	return read_number(path);
}

/* IIO devices that there are */
int sims_live(void)
{
	DIR *dir = opendir(IIO_BUS);
	struct dirent *de;
	int n = 0;

	while (dir && (de = readdir(dir)))
		n += !strncmp(de->d_name, "iio:device", 10);
	if (dir)
		closedir(dir);
	return n;
}

int iio_write(int device, const char *attr, const char *value)
{
	char path[160];

	snprintf(path, sizeof(path), IIO_BUS "/iio:device%d/%s", device, attr);
	return write_text(path, value);
}

long iio_read(int device, const char *attr)
{
	char path[160];

	snprintf(path, sizeof(path), IIO_BUS "/iio:device%d/%s", device, attr);
	return read_number(path);
}

int device_open(int device, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/iio:device%d", device);
	fd = open(path, O_RDWR | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

/* The file of the buffer with this index */
int device_get_fd(int fd, int index)
{
	int arg = index;
	int ret = do_ioctl(fd, IIO_BUFFER_GET_FD_IOCTL, &arg);

	return ret < 0 ? ret : arg;
}

/* The file of the device's one buffer, and not the device's */
int buffer_open(int device, int flags)
{
	int fd = device_open(device, flags);
	int buffer;

	if (fd < 0)
		return fd;
	buffer = device_get_fd(fd, 0);
	close(fd);
	if (buffer >= 0 && (flags & O_NONBLOCK))
		fcntl(buffer, F_SETFL, fcntl(buffer, F_GETFL) | O_NONBLOCK);
	return buffer;
}

/* Choose these channels and no others */
int buffer_channels(int device, bool out, unsigned int mask)
{
	char attr[48];
	int i, ret = 0;

	for (i = 0; i < 4 && !ret; i++) {
		snprintf(attr, sizeof(attr), "buffer0/%s_voltage%d_en",
			 out ? "out" : "in", i);
		ret = iio_write(device, attr, mask & (1U << i) ? "1" : "0");
	}
	return ret;
}

int buffer_enable(int device, bool on)
{
	return iio_write(device, "buffer0/enable", on ? "1" : "0");
}

int buffer_attach(int buffer, int dmabuf)
{
	return do_ioctl(buffer, IIO_BUFFER_DMABUF_ATTACH_IOCTL, &dmabuf);
}

int buffer_detach(int buffer, int dmabuf)
{
	return do_ioctl(buffer, IIO_BUFFER_DMABUF_DETACH_IOCTL, &dmabuf);
}

int buffer_enqueue(int buffer, int dmabuf, __u32 flags, __u64 bytes)
{
	struct iio_dmabuf arg = {
		.fd = dmabuf,
		.flags = flags,
		.bytes_used = bytes,
	};

	return do_ioctl(buffer, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL, &arg);
}

/*
 * udmabuf maps a buffer for itself in the direction of the first SYNC, and later
 * ones must not ask for more: DMA_API_DEBUG warns. So begin with both.
 */
int udmabuf_ready(int fd)
{
	int ret = buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);

	if (!ret)
		ret = buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int memory_of_memfd(size_t len)
{
	struct udmabuf_create arg = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = len,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd = memfd_create("iio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret = -ENODEV;

	arg.memfd = fd;
	if (dev >= 0 && !ftruncate(fd, len) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		ret = do_ioctl(dev, UDMABUF_CREATE, &arg);
	close(fd);
	close(dev);
	return ret < 0 ? ret : udmabuf_ready(ret);
}

int memory(const char *kind, size_t len)
{
	return strcmp(kind, HEAP_UDMABUF) ? heap_buffer(kind, len) :
					    memory_of_memfd(len);
}

/* Does poll() say all of the events within that time? */
bool poll_in_time(int dmabuf, short events, int ms)
{
	struct pollfd pfd = { .fd = dmabuf, .events = events };

	return poll(&pfd, 1, ms) == 1 && (pfd.revents & events) == events;
}

/*
 * The sync_file of whoever is using the DMABUF; to be taken before the end, as
 * fences are not kept for long after that.
 */
int fence_of(int dmabuf, __u32 usage)
{
	return buf_get_fence(dmabuf, usage);
}

/* 1, or the error with which it ended; 0 if it has not */
int fence_result(int fence, int ms)
{
	return poll_in_time(fence, POLLIN, ms) ? fence_status(fence) : 0;
}

/* The words of scans from @first on, of the channels in @mask */
static __u32 counter_word(size_t n, unsigned int mask, __u32 first)
{
	unsigned int channels = __builtin_popcount(mask);
	unsigned int skip = n % channels, channel;

	for (channel = 0; !(mask & (1U << channel)) || skip--; channel++)
		;
	return channel << CHANNEL_SHIFT | ((first + n / channels) & SCAN_MASK);
}

void counter_fill(__u32 *words, size_t len, unsigned int mask, __u32 first)
{
	size_t i;

	for (i = 0; i < len / SAMPLE; i++)
		words[i] = counter_word(i, mask, first);
}

/* Number of words that are not what they should be */
size_t counter_check(const __u32 *words, size_t len, unsigned int mask,
		     __u32 first)
{
	size_t i, wrong = 0;

	for (i = 0; i < len / SAMPLE; i++)
		wrong += words[i] != counter_word(i, mask, first);
	return wrong;
}
