// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the pools of all heaps need: zeroing pages while nobody waits for it,
 * and a place to show what they hold.
 */

#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/topology.h>
#include <uapi/linux/sched/types.h>

#include "heap-zero.h"

/**
 * heap_zero_pages - zero pages that follow each other
 * @page: the first
 * @nr_pages: how many
 *
 * Context: process context, may sleep.
 */
void heap_zero_pages(struct page *page, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++) {
		clear_highpage(nth_page(page, i));
		cond_resched();
	}
}
EXPORT_SYMBOL_NS_GPL(heap_zero_pages, DMA_BUF_HEAP);

/* Only a preference: a node may be without processors, or with isolated ones. */
static void heap_zero_bind_worker(struct kthread_worker *worker, int nid)
{
	cpumask_var_t mask;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	if (cpumask_and(mask, cpumask_of_node(nid),
			housekeeping_cpumask(HK_TYPE_KTHREAD)))
		set_cpus_allowed_ptr(worker->task, mask);
	free_cpumask_var(mask);
}

/**
 * heap_zero_create_worker - a thread that runs when nobody else wants to
 * @nid: node whose processors it prefers, for the memory there
 *
 * Context: process context, may sleep.
 *
 * Return: a freezable worker, or what kthread_create_worker() returns.
 */
struct kthread_worker *heap_zero_create_worker(int nid)
{
	const struct sched_param param = { };
	struct kthread_worker *worker;

	worker = kthread_create_worker(KTW_FREEZABLE, "dma-heap-zero/%d", nid);
	if (IS_ERR(worker))
		return worker;

	sched_setscheduler_nocheck(worker->task, SCHED_IDLE, &param);
	heap_zero_bind_worker(worker, nid);
	return worker;
}
EXPORT_SYMBOL_NS_GPL(heap_zero_create_worker, DMA_BUF_HEAP);

/**
 * heap_pool_debugfs_dir - where pools show what they hold
 *
 * Context: process context, may sleep.
 *
 * Return: the directory dma_heap of debugfs, or an error that debugfs takes.
 */
struct dentry *heap_pool_debugfs_dir(void)
{
	static DEFINE_MUTEX(lock);
	static struct dentry *dir;

	/* Heaps that are modules may be loaded at the same time. */
	guard(mutex)(&lock);
	if (!dir)
		dir = debugfs_create_dir("dma_heap", NULL);
	return dir;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_debugfs_dir, DMA_BUF_HEAP);
