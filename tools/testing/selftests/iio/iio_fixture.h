/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of most tests: a converter, the buffers of both of its devices
 * with one channel chosen, and two DMABUFs. After each test every fence must
 * have signalled and nothing may be left. Include after kselftest_harness.h.
 */
#ifndef IIO_FIXTURE_H
#define IIO_FIXTURE_H

#include "iio_test.h"

#define LEN	(16 * KIB)

FIXTURE(iio) {
	struct iio_mark mark;
	struct sim sim;
	int in, out;
	int a, b;
};

FIXTURE_SETUP(iio)
{
	ASSERT_EQ(0, iio_mark_take(&self->mark));
	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	ASSERT_EQ(0, buffer_channels(self->sim.adc, false, 1));
	ASSERT_EQ(0, buffer_channels(self->sim.dac, true, 1));
	self->in = buffer_open(self->sim.adc, 0);
	ASSERT_LE(0, self->in);
	self->out = buffer_open(self->sim.dac, 0);
	ASSERT_LE(0, self->out);
	self->a = memory(HEAP_SYSTEM, LEN);
	ASSERT_LE(0, self->a);
	self->b = memory(HEAP_SYSTEM, LEN);
	ASSERT_LE(0, self->b);
}

/* Tests that close or remove one of these put -1, or an empty name, there */
FIXTURE_TEARDOWN(iio)
{
	const char *left;

	if (self->sim.dma[0]) {
		sim_fault(&self->sim, "rx", "hold", 0);
		sim_fault(&self->sim, "tx", "hold", 0);
	}
	close(self->in);
	close(self->out);
	close(self->a);
	close(self->b);
	if (self->sim.dma[0])
		EXPECT_EQ(0, sim_remove(&self->sim));
	left = iio_mark_left(&self->mark);
	EXPECT_EQ(NULL, left) {
		TH_LOG("left: %s", left);
	}
}

/* Close for good what the fixture would close as well */
static inline void close_now(int *fd)
{
	close(*fd);
	*fd = -1;
}

static inline int remove_now(struct sim *sim)
{
	int ret = sim_remove(sim);

	sim->dma[0] = 0;
	return ret;
}

#endif /* IIO_FIXTURE_H */
