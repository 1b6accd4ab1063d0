// SPDX-License-Identifier: GPL-2.0-only
/*
 * See fuzz.h. FUZZ_SEED and FUZZ_OPS in the environment repeat a run, or make
 * it longer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define DEFAULT_SEED	6120

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

unsigned long fuzz_ops(unsigned long otherwise)
{
	return setting("FUZZ_OPS", otherwise);
}

/* Not rand(): a run is repeated with whatever C library there is. */
uint32_t fuzz_random(struct fuzz *fuzz)
{
	uint64_t x = fuzz->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	fuzz->state = x;
	return (x * 0x2545f4914f6cdd1dULL) >> 32;
}

uint32_t fuzz_pick(struct fuzz *fuzz, uint32_t n)
{
	return fuzz_random(fuzz) % n;
}

/* So that what is wrong with a call is mostly one thing. */
bool fuzz_rarely(struct fuzz *fuzz)
{
	return !fuzz_pick(fuzz, 12);
}

/* A number near one where something ends. */
uint64_t fuzz_number(struct fuzz *fuzz)
{
	uint64_t at = 1ULL << fuzz_pick(fuzz, 64);

	switch (fuzz_pick(fuzz, 4)) {
	case 0:
		return at - 1;
	case 1:
		return at;
	case 2:
		return -at;
	default:
		return ((uint64_t)fuzz_random(fuzz) << 32) | fuzz_random(fuzz);
	}
}

/* Nowhere, in the kernel, or where it is to be. */
void *fuzz_pointer(struct fuzz *fuzz, void *good)
{
	if (!fuzz_rarely(fuzz))
		return good;
	return fuzz_pick(fuzz, 2) ? NULL : (void *)(uintptr_t)-PAGE;
}

void fuzz_start(struct fuzz *fuzz, uint64_t seed)
{
	memset(fuzz, 0, sizeof(*fuzz));
	fuzz->seed = seed;
	/* 0 would stay 0, and seeds side by side are to be far apart. */
	fuzz->state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

void fuzz_begin(struct fuzz *fuzz, unsigned long ops)
{
	fuzz_start(fuzz, setting("FUZZ_SEED", DEFAULT_SEED));
	printf("# FUZZ_SEED=%llu FUZZ_OPS=%lu\n",
	       (unsigned long long)fuzz->seed, ops);
}

static struct fuzz_op *choose(struct fuzz *fuzz, struct fuzz_op *ops,
			      size_t nr_ops)
{
	unsigned int all = 0, at;
	size_t i;

	for (i = 0; i < nr_ops; i++)
		all += ops[i].weight;
	at = fuzz_pick(fuzz, all);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return &ops[i];
}

static bool documented(const struct fuzz_op *op, int ret)
{
	int i;

	if (ret == -ENOMEM && others_at_work())
		return true;
	for (i = 0; i < FUZZ_ERRNOS && op->errnos[i]; i++)
		if (ret == -op->errnos[i])
			return true;
	return ret >= 0;
}

bool fuzz_run(struct fuzz *fuzz, struct fuzz_op *ops, size_t nr_ops,
	      unsigned long count, char *why, size_t size)
{
	struct fuzz_op *op;
	size_t i;
	int ret;

	for (fuzz->nr = 0; fuzz->nr < count; fuzz->nr++) {
		op = choose(fuzz, ops, nr_ops);
		ret = op->run(fuzz);
		op->done++;
		op->well += ret >= 0;
		if (documented(op, ret) && !fuzz->wrong)
			continue;
		snprintf(why, size, "FUZZ_SEED=%llu operation %lu, %s: %s%s",
			 (unsigned long long)fuzz->seed, fuzz->nr, op->name,
			 fuzz->wrong ?: strerror(-ret),
			 fuzz->wrong ? "" : " is no answer to it");
		return false;
	}
	for (i = 0; i < nr_ops; i++)
		printf("# %-14s %7lu, %7lu of them well\n", ops[i].name,
		       ops[i].done, ops[i].well);
	return true;
}
