/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A path of the kernel that works is repeated with its first allocation (or
 * copy from or to user space) failing, then its second, and so on until it
 * works again. See Documentation/fault-injection/fault-injection.rst.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>

int fail_nth_init(void);
void fail_nth_exit(void);
int fail_always(const char *attribute, bool always);

/**
 * struct fail_path - one thing to ask of the kernel
 * @run: ask for it: 0, or an error as -errno
 * @undo: give back what @run got; NULL if nothing
 * @state: for both
 * @other: a third errno that fits, where something in between does not say
 *	more than that it failed; or 0
 */
struct fail_path {
	int (*run)(void *state);
	void (*undo)(void *state);
	void *state;
	int other;
};

/**
 * struct fail_result - what came of all the failures
 * @points: places where the path can fail
 * @refused: how many of them made it fail; the others were got over
 * @bad: point at which @run said something that does not fit, or 0
 * @said: what it said there
 */
struct fail_result {
	int points;
	int refused;
	int bad;
	int said;
};

int fail_nth_sweep(const struct fail_path *path, struct fail_result *result);

#endif /* FAIL_NTH_H */
