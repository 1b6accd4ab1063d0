/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of iio-capture have in common. It also uses share-*.c.
 *
 *   iio-capture.c	what happens, in order; the two ways to capture
 *   capture-adc.c	one converter: every call of the interface, once
 *   capture-helper.c	the second process, and what both expect of a block
 *   capture-report.c	what is printed; processor time
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <linux/types.h>

#include "share.h"

#define BUFFERS		4	/* as many as libiio has by default */

struct adc {
	char dir[300];		/* in sysfs */
	int dev;		/* its character device */
	int buffer;		/* its first buffer */
};

/* What both processes know of a capture from the start. */
struct format {
	unsigned int channels;
	size_t block;		/* bytes */
};

/* What came of a capture in one of the ways. */
struct outcome {
	const char *way;
	__u64 bytes, ns;
	__u64 user_us, system_us;
	__u64 checked[2];	/* samples, by each process */
	__u64 faults;
};

/* capture-adc.c. All of them but adc_make() end the process on an error. */
bool adc_make(const char *name);
void adc_remove(const char *name);
void adc_open(struct adc *adc, const char *name);
void adc_close(struct adc *adc);
void adc_set(const struct adc *adc, const char *attribute, const char *value);
void adc_set_number(const struct adc *adc, const char *attribute,
		    unsigned int value);
void adc_select(const struct adc *adc, unsigned int channels);
void adc_attach(const struct adc *adc, const struct buffer *buf);
void adc_detach(const struct adc *adc, const struct buffer *buf);
void adc_enqueue(const struct adc *adc, const struct buffer *buf, size_t bytes);
void adc_read(const struct adc *adc, void *mem, size_t bytes);

/* capture-helper.c */
__u64 check_block(const struct buffer *buf, const struct format *format,
		  unsigned int n, const char *who);

struct helper {
	pid_t pid;
	int sock;
};

struct helper helper_start(const struct format *format);
void helper_give(const struct helper *helper, unsigned int slot, int fd);
void helper_begin(const struct helper *helper, unsigned int n);
__u64 helper_await(const struct helper *helper, unsigned int n);
void helper_finish(const struct helper *helper);

/* capture-report.c */
__u64 cpu_ns(pid_t pid);
void cpu_start(struct outcome *o);
void cpu_stop(struct outcome *o);
void print_capture(const struct outcome *o, unsigned int done,
		   unsigned int all, __u64 cpu);
void print_outcomes(const struct outcome *o, unsigned int count);

#endif /* CAPTURE_H */
