/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share: random numbers that are the same everywhere for the
 * same seed, arguments that are nearly always wrong in one way at most, and the
 * loop that picks an operation and looks whether its answer is one of those
 * that are documented.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>

#include "dmabuf_test.h"

#define FUZZ_ERRNOS	8

/**
 * struct fuzz - one run
 * @state: of the random numbers
 * @seed: it began with
 * @nr: number of the operation that is under way
 * @wrong: what an operation saw that must not be, or NULL
 */
struct fuzz {
	uint64_t state;
	uint64_t seed;
	unsigned long nr;
	const char *wrong;
};

/**
 * struct fuzz_op - one kind of operation
 * @name: for the report
 * @run: returns 0 or more, or -errno
 * @weight: how often, beside the others
 * @errnos: what @run may fail with, up to the first 0
 * @done: how often it was run, and @well: how often it did not fail
 */
struct fuzz_op {
	const char *name;
	int (*run)(struct fuzz *fuzz);
	unsigned int weight;
	int errnos[FUZZ_ERRNOS];
	unsigned long done, well;
};

uint32_t fuzz_random(struct fuzz *fuzz);
uint32_t fuzz_pick(struct fuzz *fuzz, uint32_t n);
bool fuzz_rarely(struct fuzz *fuzz);
uint64_t fuzz_number(struct fuzz *fuzz);
void *fuzz_pointer(struct fuzz *fuzz, void *good);
void fuzz_start(struct fuzz *fuzz, uint64_t seed);
void fuzz_begin(struct fuzz *fuzz, unsigned long ops);
unsigned long fuzz_ops(unsigned long otherwise);
bool fuzz_run(struct fuzz *fuzz, struct fuzz_op *ops, size_t nr_ops,
	      unsigned long count, char *why, size_t size);

#endif /* FUZZ_H */
