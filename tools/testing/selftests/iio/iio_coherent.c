// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maintenance of what a device and the CPU see of memory: for the device that has
 * it mapped, for all of the memory, at each step that needs it, in the direction
 * of the mapping; and never for a device that is coherent. It is counted by the
 * trace events of the DMA API, which come when a device needs maintenance, or
 * when the kernel checks what drivers ask of the DMA API.
 *
 * Which device needs it is up to the machine: one on a PCI bus does if the device
 * tree does not call the bus coherent, all do with swiotlb=force, and elsewhere
 * none does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"
#include "iio_xfer.h"

#define EVENTS		"events/dma/"
#define SETTLE_MS	5000

static const char * const events[] = {
	EVENTS "dma_sync_sg_for_cpu/enable",
	EVENTS "dma_sync_sg_for_device/enable",
};

static int trace_syncs(bool on)
{
	unsigned int i;
	int ret = on ? trace_begin(256) : 0;

	for (i = 0; !ret && i < ARRAY_SIZE(events); i++)
		ret = trace_set(events[i], on ? "1" : "0");
	return ret || on ? ret : trace_end();
}

/* A device tree that has a node for the bus, which is not coherent */
static bool bus_is_not_coherent(const struct sim *sim)
{
	char path[256], coherent[300];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/../../of_node",
		 sim->dir);
	snprintf(coherent, sizeof(coherent), "%s/dma-coherent", path);
	return !access(path, F_OK) && access(coherent, F_OK);
}

static bool needs_syncs(const struct sim *sim)
{
	/* Checks of the DMA API see all calls, needed or not */
	return !access("/sys/kernel/debug/dma-api", F_OK) ||
	       bounced() ||
	       (sim->pci && bus_is_not_coherent(sim));
}

/* The sum of the sizes in a line, or -EINVAL if it is for another direction */
static long line_bytes(const char *line, const char *dir)
{
	const char *at = strstr(line, "sizes={");
	char *end;
	long sum = 0;

	if (!at || strncmp(line, dir, strlen(dir)))
		return -EINVAL;
	for (at += strlen("sizes="); *at == '{' || *at == ','; at = end)
		sum += strtol(at + 1, &end, 16);
	return sum;
}

/* How many bytes were synchronised for @whom since this was last forgotten */
static long bytes_synced(const struct sim *sim, const char *whom,
			 const char *dir)
{
	char line[LINE_LEN], wanted[LINE_LEN];
	FILE *file = fopen(TRACE_DIR "/trace", "re");
	long sum = 0, n;

	snprintf(wanted, sizeof(wanted), ": dma_sync_sg_for_%s: %s dir=", whom,
		 sim->dma);
	while (file && sum >= 0 && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, wanted);

		if (!at)
			continue;
		n = line_bytes(at + strlen(wanted), dir);
		sum = n < 0 ? n : sum + n;
	}
	if (file)
		fclose(file);
	return file ? sum : -errno;
}

static int forget_syncs(void)
{
	return trace_set("trace", "");
}

/**
 * struct user - who uses a DMABUF
 * @sim: the converter
 * @device: its IIO device, and its @buffer
 * @dmabuf: the DMABUF
 * @plays: it is played, not captured to
 */
struct user {
	const struct sim *sim;
	int device, buffer, dmabuf;
	bool plays;
};

static int run_attach(const struct user *user)
{
	return buffer_attach(user->buffer, user->dmabuf);
}

static int run_transfer(const struct user *user)
{
	int ret = buffer_enable(user->device, true);

	if (!ret)
		ret = buffer_enqueue(user->buffer, user->dmabuf, 0, LEN);
	if (!ret && !poll_in_time(user->dmabuf, POLLOUT, SOON_MS))
		ret = -ETIME;
	return ret ? ret : buffer_enable(user->device, false);
}

static int run_detach(const struct user *user)
{
	return buffer_detach(user->buffer, user->dmabuf);
}

/**
 * struct step - what a program does, and what has to be synchronised
 * @name: of the step
 * @run: does it, or NULL: SYNC with @flags
 * @flags: of SYNC
 * @cpu: for the CPU
 * @captured: for a device that captures
 * @played: for a device that plays
 */
struct step {
	const char *name;
	int (*run)(const struct user *user);
	__u64 flags;
	bool cpu, captured, played;
};

#define START(_flags)	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_ ## _flags)
#define END(_flags)	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_ ## _flags)

/* What is only read is not written back over what a device has written */
static const struct step steps[] = {
	{ "nobody has it, start", NULL, START(RW), false, false, false },
	{ "nobody has it, end", NULL, END(RW), false, false, false },
	{ "attach", run_attach, 0, false, true, true },
	{ "start of write", NULL, START(WRITE), true, false, false },
	{ "end of write", NULL, END(WRITE), false, true, true },
	{ "transfer", run_transfer, 0, false, false, false },
	{ "start of read", NULL, START(READ), true, false, false },
	{ "end of read", NULL, END(READ), false, true, false },
	{ "start of both", NULL, START(RW), true, false, false },
	{ "end of both", NULL, END(RW), false, true, true },
	{ "detach", run_detach, 0, true, false, false },
	{ "nobody has it again, start", NULL, START(RW), false, false, false },
	{ "nobody has it again, end", NULL, END(RW), false, false, false },
};

/* The last reference of an attachment may go a little later */
static bool synced(const struct sim *sim, const char *dir, long cpu,
		   long device)
{
	long long until = now_ms() + SETTLE_MS;
	bool right;

	do {
		right = bytes_synced(sim, "cpu", dir) == cpu &&
			bytes_synced(sim, "device", dir) == device;
	} while (!right && now_ms() < until);
	return right;
}

/* Returns the name of the step that was not as it should be, or NULL */
static const char *wrong_step(const struct user *user)
{
	const char *dir = user->plays ? "TO_DEVICE " : "FROM_DEVICE ";
	const long all = needs_syncs(user->sim) ? LEN : 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *step = &steps[i];
		bool device = user->plays ? step->played : step->captured;

		if (forget_syncs() ||
		    (step->run ? step->run(user) :
				 buf_sync(user->dmabuf, step->flags)) ||
		    !synced(user->sim, dir, step->cpu ? all : 0,
			    device ? all : 0))
			return step->name;
	}
	return NULL;
}

TEST_F(iio, captures)
{
	const struct user user = {
		.sim = &self->sim, .device = self->sim.adc,
		.buffer = self->in, .dmabuf = self->a,
	};
	const char *wrong;

	ASSERT_EQ(0, trace_syncs(true));
	wrong = wrong_step(&user);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("%s", wrong);
	}
	EXPECT_EQ(0, trace_syncs(false));
}

TEST_F(iio, plays)
{
	const struct user user = {
		.sim = &self->sim, .device = self->sim.dac,
		.buffer = self->out, .dmabuf = self->a, .plays = true,
	};
	const char *wrong;

	ASSERT_EQ(0, trace_syncs(true));
	wrong = wrong_step(&user);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("%s", wrong);
	}
	EXPECT_EQ(0, trace_syncs(false));
}

/* Two devices have the same memory: each is synchronised if it needs that */
TEST_F(iio, each_for_itself)
{
	struct sim other;
	long all, others;
	int in;

	ASSERT_EQ(0, sim_make(&other, "other"));
	in = buffer_open(other.adc, 0);
	ASSERT_LE(0, in);
	all = needs_syncs(&self->sim) ? LEN : 0;
	others = needs_syncs(&other) ? LEN : 0;
	TH_LOG("%s: %ld, %s: %ld", self->sim.dma, all, other.dma, others);
	ASSERT_EQ(0, trace_syncs(true));
	EXPECT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(0, buffer_attach(in, self->a));
	EXPECT_EQ(0, forget_syncs());
	EXPECT_EQ(0, buf_sync(self->a, START(READ)));
	EXPECT_TRUE(synced(&self->sim, "FROM_DEVICE ", all, 0));
	EXPECT_TRUE(synced(&other, "FROM_DEVICE ", others, 0));
	EXPECT_EQ(0, buf_sync(self->a, END(READ)));
	EXPECT_TRUE(synced(&self->sim, "FROM_DEVICE ", all, all));
	EXPECT_TRUE(synced(&other, "FROM_DEVICE ", others, others));
	EXPECT_EQ(0, trace_syncs(false));
	close(in);
	EXPECT_EQ(0, sim_remove(&other));
}

TEST_HARNESS_MAIN
