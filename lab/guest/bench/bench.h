/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the measuring program share. Time is CLOCK_MONOTONIC: in
 * a guest that lab/bench boots a nanosecond is an instruction, but in the native one.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define KIB		1024UL
#define MIB		(1024 * KIB)
#define MAX_ROUNDS	400

/* One figure, measured again and again */
struct step {
	const char *name;
	long long took[MAX_ROUNDS];
	int rounds;
};

struct size {
	const char *name;
	size_t bytes;
	int rounds;
};

/* What some work costs: the program itself, and the kernel's threads */
struct cost {
	long long self;
	long long others;
};

void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...);

long long now(void);
void took(struct step *step, long long *since);
void took_ns(struct step *step, long long ns);
void report(const char *group, struct step *step);
void report_ns(const char *group, const char *name, long long ns);
void cost_begin(struct cost *cost);
long long cost_end(struct cost *cost);

void write_file(const char *value, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
int do_ioctl(int fd, unsigned long cmd, void *arg, const char *what);
int heap_open(const char *name);
int heap_alloc(int heap, size_t bytes);
void *map(int fd, size_t bytes);
void sync_pair(int fd);
bool ready(int fd, short events);
int vgem_open(void);
int vgem_import(int vgem, int fd);
void vgem_drop(int vgem, int handle);
void measure_attached_sync(const char *group, int fd);

void bench_heap(const char *group);
void bench_core(const char *group);
void bench_iio(const char *group);
void bench_pair(const char *group);
void bench_native(const char *group);
void native_begin(void);
void native_end(void);

#endif
