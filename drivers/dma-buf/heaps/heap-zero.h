/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pools of all heaps need: zeroing pages while nobody waits for it,
 * and a place to show what they hold.
 */
#ifndef __HEAP_ZERO_H__
#define __HEAP_ZERO_H__

struct dentry;
struct kthread_worker;
struct page;

/* How long used pages are gathered before the worker is woken, in jiffies */
#define HEAP_ZERO_DELAY	1

void heap_zero_pages(struct page *page, unsigned long nr_pages);
struct kthread_worker *heap_zero_create_worker(int nid);
struct dentry *heap_pool_debugfs_dir(void);

#endif /* __HEAP_ZERO_H__ */
