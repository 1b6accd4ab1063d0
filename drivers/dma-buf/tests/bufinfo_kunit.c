// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs dma_buf/bufinfo: that all buffers are there when it is read in pieces;
 * and beside a buffer whose lock somebody holds for long. Whoever reads it waits
 * for that lock; others make and release buffers meanwhile.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iopoll.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "mock-exporter.h"

#define BUFINFO_TIMEOUT	(10 * HZ)
/* More than a reader passes in one go */
#define BUFINFO_BUFFERS	150
#define BUFINFO_TEXT	(BUFINFO_BUFFERS * 512)

/**
 * struct bufinfo_race - three who meet at one list
 * @reader: reads bufinfo
 * @held: the buffer whose lock is held
 * @hold: holds it until @lived
 * @live: makes and releases @other while @reader waits
 * @other: another buffer
 * @locked: @hold has the lock
 * @lived: @other is gone
 * @waits: @reader was seen waiting
 * @released: @other was released
 * @in_time: before the lock of @held was
 */
struct bufinfo_race {
	struct task_struct *reader;
	struct mock_exporter *held;
	struct work_struct hold;
	struct work_struct live;
	struct mock_exporter *other;
	struct completion locked;
	struct completion lived;
	bool waits;
	bool released;
	bool in_time;
};

static void bufinfo_hold(struct work_struct *work)
{
	struct bufinfo_race *race = container_of(work, struct bufinfo_race,
						 hold);
	struct dma_resv *resv = race->held->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	complete(&race->locked);
	race->in_time = wait_for_completion_timeout(&race->lived,
						    BUFINFO_TIMEOUT);
	dma_resv_unlock(resv);
}

static void bufinfo_live(struct work_struct *work)
{
	struct bufinfo_race *race = container_of(work, struct bufinfo_race,
						 live);
	struct dma_buf_export_info info;
	unsigned int state;

	race->waits = !read_poll_timeout(READ_ONCE, state,
					 state == TASK_INTERRUPTIBLE,
					 USEC_PER_MSEC, 5 * USEC_PER_SEC,
					 false, race->reader->__state);
	mock_exporter_info(race->other, &info);
	if (!mock_exporter_export(race->other, &info)) {
		mock_exporter_drop(race->other);
		race->released = mock_exporter_wait_released(race->other);
	}
	complete(&race->lived);
}

KUNIT_DEFINE_ACTION_WRAPPER(bufinfo_fput, fput, struct file *);
KUNIT_DEFINE_ACTION_WRAPPER(bufinfo_unmount, kern_unmount, struct vfsmount *);

static struct file *bufinfo_open(struct kunit *test)
{
	struct file_system_type *type = get_fs_type("debugfs");
	struct vfsmount *mnt;
	struct file *file;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, type);
	mnt = kern_mount(type);
	module_put(type->owner);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mnt);
	ret = kunit_add_action_or_reset(test, bufinfo_unmount, mnt);
	KUNIT_ASSERT_EQ(test, ret, 0);

	file = file_open_root_mnt(mnt, "dma_buf/bufinfo", O_RDONLY, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	ret = kunit_add_action_or_reset(test, bufinfo_fput, file);
	KUNIT_ASSERT_EQ(test, ret, 0);
	return file;
}

/* Returns how many bytes there were, or an errno. */
static ssize_t bufinfo_read(struct file *file, char __user *to)
{
	ssize_t ret, total = 0;
	loff_t pos = 0;

	do {
		ret = file->f_op->read(file, to, PAGE_SIZE, &pos);
		total += ret;
	} while (ret > 0);
	return ret ? ret : total;
}

static void reader_stalls_nobody(struct kunit *test)
{
	struct bufinfo_race race = {
		.reader = current,
		.held = mock_exporter_create(test, 0),
		.other = mock_exporter_alloc(test, 0),
	};
	struct file *file = bufinfo_open(test);
	unsigned long addr;
	ssize_t ret;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	init_completion(&race.locked);
	init_completion(&race.lived);
	INIT_WORK_ONSTACK(&race.hold, bufinfo_hold);
	INIT_WORK_ONSTACK(&race.live, bufinfo_live);

	schedule_work(&race.hold);
	wait_for_completion(&race.locked);
	schedule_work(&race.live);
	ret = bufinfo_read(file, (char __user *)addr);
	flush_work(&race.live);
	flush_work(&race.hold);
	destroy_work_on_stack(&race.live);
	destroy_work_on_stack(&race.hold);

	KUNIT_EXPECT_GT(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, race.waits);
	KUNIT_EXPECT_TRUE(test, race.released);
	KUNIT_EXPECT_TRUE(test, race.in_time);
}

/* What it says, read in pieces of @piece bytes. */
static char *bufinfo_text(struct kunit *test, size_t piece)
{
	char *text = kunit_kzalloc(test, BUFINFO_TEXT, GFP_KERNEL);
	struct file *file = bufinfo_open(test);
	size_t length = 0;
	unsigned long addr;
	loff_t pos = 0;
	ssize_t ret;

	KUNIT_ASSERT_NOT_NULL(test, text);
	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	for (;;) {
		ret = file->f_op->read(file, (char __user *)addr, piece, &pos);
		KUNIT_ASSERT_GE(test, ret, 0);
		if (!ret)
			return text;
		KUNIT_ASSERT_LT(test, length + ret, BUFINFO_TEXT);
		KUNIT_ASSERT_EQ(test, 0, copy_from_user(text + length,
							(char __user *)addr,
							ret));
		length += ret;
	}
}

static unsigned int bufinfo_rows(const char *text, struct dma_buf *dmabuf)
{
	unsigned int rows = 0;
	char ino[24];

	snprintf(ino, sizeof(ino), "\t%08lu\t",
		 file_inode(dmabuf->file)->i_ino);
	for (text = strstr(text, ino); text; text = strstr(text + 1, ino))
		rows++;
	return rows;
}

static const struct bufinfo_piece {
	const char *name;
	size_t bytes;
} bufinfo_pieces[] = {
	{ "less_than_a_buffer", 64 },
	{ "a_page", PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(bufinfo_piece, bufinfo_pieces, name);

/* Each piece begins with a search for the place, past all that were shown. */
static void every_buffer_is_there_once(struct kunit *test)
{
	const struct bufinfo_piece *piece = test->param_value;
	struct mock_exporter **exp;
	unsigned int i, once = 0;
	char *text;

	exp = kunit_kcalloc(test, BUFINFO_BUFFERS, sizeof(*exp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, exp);
	for (i = 0; i < BUFINFO_BUFFERS; i++)
		exp[i] = mock_exporter_create(test, 0);

	text = bufinfo_text(test, piece->bytes);
	for (i = 0; i < BUFINFO_BUFFERS; i++)
		once += bufinfo_rows(text, exp[i]->dmabuf) == 1;
	KUNIT_EXPECT_EQ(test, once, BUFINFO_BUFFERS);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nTotal "));
}

static struct kunit_case bufinfo_cases[] = {
	KUNIT_CASE_PARAM(every_buffer_is_there_once, bufinfo_piece_gen_params),
	KUNIT_CASE(reader_stalls_nobody),
	{}
};

static struct kunit_suite bufinfo_suite = {
	.name = "dma_buf_bufinfo",
	.test_cases = bufinfo_cases,
};

kunit_test_suite(bufinfo_suite);
