/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of pages of a CMA region that freed buffers had, kept and zeroed for the
 * next buffers of the same size.
 *
 * Nothing depends on the pool: without one (NULL) all goes the ordinary way.
 */
#ifndef __HEAP_CMA_POOL_H__
#define __HEAP_CMA_POOL_H__

#include <linux/types.h>

struct cma;
struct cma_pool;
struct page;

struct cma_pool *cma_pool_create(struct cma *cma, const char *name,
				 unsigned long limit);
void cma_pool_set_limit(struct cma_pool *pool, unsigned long limit);

struct page *cma_pool_get(struct cma_pool *pool, unsigned long nr_pages,
			  bool *zeroed);
bool cma_pool_put(struct cma_pool *pool, struct page *page,
		  unsigned long nr_pages);

#endif /* __HEAP_CMA_POOL_H__ */
