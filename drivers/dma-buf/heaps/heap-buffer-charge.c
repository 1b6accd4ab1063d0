// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heap buffers on the account of who allocates them.
 *
 * With dma_heap.mem_accounting, a buffer is charged as a whole to the memory
 * control group of the task that allocates it, wherever its pages come from and
 * before any is taken. The charge goes back when the buffer is freed, by
 * whomever; that its pages stay in a pool is not the group's concern. A group
 * that is removed leaves its charges to its parent.
 */

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "heap-buffer-internal.h"

/* For people it is a property of all heaps, in whatever file that is kept. */
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "dma_heap."

/* The accounts count the bytes of a call in an unsigned int. */
#define HEAP_CHARGE_MAX		((size_t)SZ_1G)

static bool mem_accounting;
module_param(mem_accounting, bool, 0644);
MODULE_PARM_DESC(mem_accounting,
		 "Charge buffers to the memory cgroup of the task that allocates them (default N)");

/*
 * Is there room in principle? Else all that the group has in caches would be
 * reclaimed first, and for nothing.
 */
static bool heap_charge_could_fit(struct obj_cgroup *objcg, size_t size)
{
	unsigned long nr_pages = size >> PAGE_SHIFT;
	struct mem_cgroup *memcg;

	guard(rcu)();
	for (memcg = obj_cgroup_memcg(objcg); memcg;
	     memcg = parent_mem_cgroup(memcg))
		if (nr_pages > READ_ONCE(memcg->memory.max))
			return false;
	return true;
}

/**
 * heap_charge - charge a buffer to the current task's memory control group
 * @size: bytes, a multiple of PAGE_SIZE
 *
 * The group may be made to reclaim, but nobody in it is killed.
 *
 * Context: process context, may sleep.
 *
 * Return: what heap_uncharge() wants to have; NULL if there is nothing to be
 * charged; or ERR_PTR(-ENOMEM): it is more than the group may have.
 */
struct obj_cgroup *heap_charge(size_t size)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL;
	struct obj_cgroup *objcg;
	size_t done, step;

	if (!READ_ONCE(mem_accounting) || mem_cgroup_disabled())
		return NULL;

	objcg = get_obj_cgroup_from_current();
	if (!objcg)
		return NULL;
	if (!heap_charge_could_fit(objcg, size)) {
		obj_cgroup_put(objcg);
		return ERR_PTR(-ENOMEM);
	}

	for (done = 0; done < size; done += step) {
		step = min(size - done, HEAP_CHARGE_MAX);
		if (obj_cgroup_charge(objcg, gfp, step)) {
			heap_uncharge(objcg, done);
			return ERR_PTR(-ENOMEM);
		}
	}

	return objcg;
}

/**
 * heap_uncharge - take the charge for a buffer back
 * @objcg: what heap_charge() returned, or NULL
 * @size: as it was charged
 *
 * Context: process context.
 */
void heap_uncharge(struct obj_cgroup *objcg, size_t size)
{
	size_t step;

	if (!objcg)
		return;

	for (; size; size -= step) {
		step = min(size, HEAP_CHARGE_MAX);
		obj_cgroup_uncharge(objcg, step);
	}
	obj_cgroup_put(objcg);
}
