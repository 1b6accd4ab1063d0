/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture for what every heap must do: each test runs once per heap, and
 * every test that got as far as its end has given back its buffers and their
 * memory. Include after kselftest_harness.h.
 */
#ifndef HEAP_FIXTURE_H
#define HEAP_FIXTURE_H

#include "dmabuf_test.h"

FIXTURE(heap) {
	int fd;
	struct heap_mark mark;
};

FIXTURE_VARIANT(heap) {
	const char *name;
};

FIXTURE_VARIANT_ADD(heap, system) {
	.name = HEAP_SYSTEM,
};

FIXTURE_VARIANT_ADD(heap, cma) {
	.name = HEAP_CMA,
};

FIXTURE_SETUP(heap)
{
	heap_mark_take(&self->mark, variant->name);
	ASSERT_LE(0, self->mark.buffers);
	self->fd = heap_open(variant->name);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(heap)
{
	close(self->fd);
	/* A test that stopped half way says so itself */
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

#endif /* HEAP_FIXTURE_H */
