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
 * none does. What is mapped is an event on all of them: without it the trace would
 * say nothing, and nothing would seem to be as it should be.
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
	EVENTS "dma_map_sg/enable",
	EVENTS "dma_sync_sg_for_cpu/enable",
	EVENTS "dma_sync_sg_for_device/enable",
};

static int trace_maintenance(bool on)
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

/* How many bytes @event was for since the trace was last forgotten */
static long bytes_of(const char *event, const struct sim *sim, const char *dir)
{
	char line[LINE_LEN], wanted[LINE_LEN];
	FILE *file = fopen(TRACE_DIR "/trace", "re");
	long sum = 0, n;

	snprintf(wanted, sizeof(wanted), ": dma_%s: %s dir=", event, sim->dma);
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

static int forget_trace(void)
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

/* What the trace has of a step: for whom it is maintained, if that is needed */
#define MAPPED		0x1
#define CPU		0x2
#define CAPTURES	0x4
#define PLAYS		0x8
#define EITHER		(CAPTURES | PLAYS)

/**
 * struct step - what a program does, and what becomes of the memory
 * @name: of the step
 * @run: does it, or NULL: SYNC with @flags
 * @flags: of SYNC
 * @traced: it is mapped, synchronised for the CPU, for a device that captures,
 *	for one that plays
 */
struct step {
	const char *name;
	int (*run)(const struct user *user);
	__u64 flags;
	unsigned int traced;
};

#define START(_flags)	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_ ## _flags)
#define END(_flags)	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_ ## _flags)

/* What is only read is not written back over what a device has written */
static const struct step steps[] = {
	{ "nobody has it, start", NULL, START(RW), 0 },
	{ "nobody has it, end", NULL, END(RW), 0 },
	{ "attach", run_attach, 0, MAPPED | EITHER },
	{ "start of write", NULL, START(WRITE), CPU },
	{ "end of write", NULL, END(WRITE), EITHER },
	{ "transfer", run_transfer, 0, 0 },
	{ "start of read", NULL, START(READ), CPU },
	{ "end of read", NULL, END(READ), CAPTURES },
	{ "start of both", NULL, START(RW), CPU },
	{ "end of both", NULL, END(RW), EITHER },
	{ "detach", run_detach, 0, CPU },
	{ "nobody has it again, start", NULL, START(RW), 0 },
	{ "nobody has it again, end", NULL, END(RW), 0 },
};

/* The last reference of an attachment may go a little later */
static bool traced(const struct sim *sim, const char *dir, long mapped, long cpu,
		   long device)
{
	long long until = now_ms() + SETTLE_MS;
	bool right;

	do {
		right = bytes_of("map_sg", sim, dir) == mapped &&
			bytes_of("sync_sg_for_cpu", sim, dir) == cpu &&
			bytes_of("sync_sg_for_device", sim, dir) == device;
	} while (!right && now_ms() < until);
	return right;
}

/* Returns the name of the step that was not as it should be, or NULL */
static const char *wrong_step(const struct user *user)
{
	const char *dir = user->plays ? "TO_DEVICE " : "FROM_DEVICE ";
	const unsigned int device = user->plays ? PLAYS : CAPTURES;
	const long all = needs_syncs(user->sim) ? LEN : 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *step = &steps[i];

		if (forget_trace() ||
		    (step->run ? step->run(user) :
				 buf_sync(user->dmabuf, step->flags)) ||
		    !traced(user->sim, dir, step->traced & MAPPED ? LEN : 0,
			    step->traced & CPU ? all : 0,
			    step->traced & device ? all : 0))
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

	ASSERT_EQ(0, trace_maintenance(true));
	wrong = wrong_step(&user);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("%s", wrong);
	}
	EXPECT_EQ(0, trace_maintenance(false));
}

TEST_F(iio, plays)
{
	const struct user user = {
		.sim = &self->sim, .device = self->sim.dac,
		.buffer = self->out, .dmabuf = self->a, .plays = true,
	};
	const char *wrong;

	ASSERT_EQ(0, trace_maintenance(true));
	wrong = wrong_step(&user);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("%s", wrong);
	}
	EXPECT_EQ(0, trace_maintenance(false));
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
	ASSERT_EQ(0, trace_maintenance(true));
	EXPECT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(0, buffer_attach(in, self->a));
	EXPECT_TRUE(traced(&self->sim, "FROM_DEVICE ", LEN, 0, all));
	EXPECT_TRUE(traced(&other, "FROM_DEVICE ", LEN, 0, others));
	EXPECT_EQ(0, forget_trace());
	EXPECT_EQ(0, buf_sync(self->a, START(READ)));
	EXPECT_TRUE(traced(&self->sim, "FROM_DEVICE ", 0, all, 0));
	EXPECT_TRUE(traced(&other, "FROM_DEVICE ", 0, others, 0));
	EXPECT_EQ(0, buf_sync(self->a, END(READ)));
	EXPECT_TRUE(traced(&self->sim, "FROM_DEVICE ", 0, all, all));
	EXPECT_TRUE(traced(&other, "FROM_DEVICE ", 0, others, others));
	EXPECT_EQ(0, trace_maintenance(false));
	close(in);
	EXPECT_EQ(0, sim_remove(&other));
}

TEST_HARNESS_MAIN
