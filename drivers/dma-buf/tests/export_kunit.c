// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_buf_export(): what a new buffer is, and what is refused.
 *
 * Bad export information is a driver's mistake and answered with a WARN beside
 * the errno. KUnit of 6.12 cannot suppress a WARN, and where this suite runs
 * in a virtual machine a WARN is a failure, so these rows are built for
 * User-mode Linux only.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iopoll.h>
#include <linux/magic.h>
#include <linux/module.h>

#include "mock-exporter.h"

static void export_keeps_info(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct dma_buf *dmabuf = exp->dmabuf;

	KUNIT_EXPECT_EQ(test, dmabuf->size, MOCK_SIZE);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, "mock");
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops, &exp->ops);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, exp);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, THIS_MODULE);
	KUNIT_EXPECT_NULL(test, dmabuf->name);
}

static void export_calls_no_operation(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ALL);

	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static void export_starts_without_attachments(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
}

static void export_file_is_of_the_pseudo_fs(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct inode *inode = file_inode(exp->dmabuf->file);

	KUNIT_EXPECT_EQ(test, inode->i_sb->s_magic, DMA_BUF_MAGIC);
	KUNIT_EXPECT_STREQ(test, inode->i_sb->s_type->name, "dmabuf");
}

static void export_inode_has_the_size(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(exp->dmabuf->file)),
			MOCK_SIZE);
}

static void export_inode_numbers_differ(struct kunit *test)
{
	struct mock_exporter *a = mock_exporter_create(test, 0);
	struct mock_exporter *b = mock_exporter_create(test, 0);

	KUNIT_EXPECT_NE(test, file_inode(a->dmabuf->file)->i_ino,
			file_inode(b->dmabuf->file)->i_ino);
}

static void export_file_holds_one_reference(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);

	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);
}

static const struct export_mode {
	const char *name;
	int flags;
	bool read;
	bool write;
} export_modes[] = {
	{ "read_only", O_RDONLY, true, false },
	{ "write_only", O_WRONLY, false, true },
	{ "read_write", O_RDWR, true, true },
};

KUNIT_ARRAY_PARAM_DESC(export_mode, export_modes, name);

static void export_file_has_the_mode(struct kunit *test)
{
	const struct export_mode *mode = test->param_value;
	struct mock_exporter *exp = mock_exporter_alloc(test, 0);
	struct dma_buf_export_info info;

	mock_exporter_info(exp, &info);
	info.flags = mode->flags;
	KUNIT_ASSERT_EQ(test, mock_exporter_export(exp, &info), 0);
	KUNIT_EXPECT_EQ(test, exp->dmabuf->file->f_flags & O_ACCMODE,
			mode->flags);
	KUNIT_EXPECT_EQ(test, !!(exp->dmabuf->file->f_mode & FMODE_READ),
			mode->read);
	KUNIT_EXPECT_EQ(test, !!(exp->dmabuf->file->f_mode & FMODE_WRITE),
			mode->write);
}

static void export_makes_own_resv(struct kunit *test)
{
	struct mock_exporter *a = mock_exporter_create(test, 0);
	struct mock_exporter *b = mock_exporter_create(test, 0);

	KUNIT_ASSERT_NOT_NULL(test, a->dmabuf->resv);
	KUNIT_EXPECT_PTR_NE(test, a->dmabuf->resv, b->dmabuf->resv);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(a->dmabuf->resv));
}

KUNIT_DEFINE_ACTION_WRAPPER(export_resv_fini, dma_resv_fini,
			    struct dma_resv *);

static void export_takes_given_resv(struct kunit *test)
{
	struct dma_buf_export_info info;
	struct mock_exporter *exp;
	struct dma_resv *resv;
	int ret;

	resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	ret = kunit_add_action_or_reset(test, export_resv_fini, resv);
	KUNIT_ASSERT_EQ(test, ret, 0);

	exp = mock_exporter_alloc(test, 0);
	mock_exporter_info(exp, &info);
	info.resv = resv;
	KUNIT_ASSERT_EQ(test, mock_exporter_export(exp, &info), 0);
	KUNIT_EXPECT_PTR_EQ(test, exp->dmabuf->resv, resv);

	/* The exporter's object outlives the buffer and stays usable. */
	mock_exporter_drop(exp);
	KUNIT_ASSERT_TRUE(test, mock_exporter_wait_released(exp));
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_unlock(resv);
}

static void export_info_macro_presets(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	KUNIT_EXPECT_STREQ(test, info.exp_name, KBUILD_MODNAME);
	KUNIT_EXPECT_PTR_EQ(test, info.owner, THIS_MODULE);
	KUNIT_EXPECT_NULL(test, info.ops);
	KUNIT_EXPECT_NULL(test, info.resv);
	KUNIT_EXPECT_NULL(test, info.priv);
	KUNIT_EXPECT_EQ(test, info.size, 0);
	KUNIT_EXPECT_EQ(test, info.flags, 0);
}

#ifdef CONFIG_MODULE_UNLOAD
/* As much of a module as its reference count needs. */
static struct module *export_fake_module(struct kunit *test,
					 enum module_state state)
{
	struct module *mod = kunit_kzalloc(test, sizeof(*mod), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mod);
	strscpy(mod->name, "dma_buf_kunit_owner", sizeof(mod->name));
	mod->state = state;
	atomic_set(&mod->refcnt, 1);
	return mod;
}

static void export_holds_owner_until_release(struct kunit *test)
{
	struct module *mod = export_fake_module(test, MODULE_STATE_LIVE);
	struct mock_exporter *exp = mock_exporter_alloc(test, 0);
	struct dma_buf_export_info info;
	int refs;

	mock_exporter_info(exp, &info);
	info.owner = mod;
	KUNIT_ASSERT_EQ(test, mock_exporter_export(exp, &info), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), 2);

	mock_exporter_drop(exp);
	KUNIT_ASSERT_TRUE(test, mock_exporter_wait_released(exp));
	/* The owner's code runs in release; it is let go some time after. */
	KUNIT_EXPECT_EQ(test, read_poll_timeout(atomic_read, refs, refs == 1,
						USEC_PER_MSEC, USEC_PER_SEC,
						false, &mod->refcnt), 0);
}

static void export_for_leaving_owner(struct kunit *test)
{
	struct module *mod = export_fake_module(test, MODULE_STATE_GOING);
	struct mock_exporter *exp = mock_exporter_alloc(test, 0);
	struct dma_buf_export_info info;

	mock_exporter_info(exp, &info);
	info.owner = mod;
	KUNIT_EXPECT_EQ(test, mock_exporter_export(exp, &info), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}
#endif /* CONFIG_MODULE_UNLOAD */

#ifdef CONFIG_UML
static void bad_no_ops(struct mock_exporter *exp,
		       struct dma_buf_export_info *info)
{
	info->ops = NULL;
}

static void bad_no_priv(struct mock_exporter *exp,
			struct dma_buf_export_info *info)
{
	info->priv = NULL;
}

static void bad_no_map(struct mock_exporter *exp,
		       struct dma_buf_export_info *info)
{
	exp->ops.map_dma_buf = NULL;
}

static void bad_no_unmap(struct mock_exporter *exp,
			 struct dma_buf_export_info *info)
{
	exp->ops.unmap_dma_buf = NULL;
}

static void bad_no_release(struct mock_exporter *exp,
			   struct dma_buf_export_info *info)
{
	exp->ops.release = NULL;
}

static void bad_pin_alone(struct mock_exporter *exp,
			  struct dma_buf_export_info *info)
{
	exp->ops.unpin = NULL;
}

static void bad_unpin_alone(struct mock_exporter *exp,
			    struct dma_buf_export_info *info)
{
	exp->ops.pin = NULL;
}

static void bad_cache_and_pin(struct mock_exporter *exp,
			      struct dma_buf_export_info *info)
{
	exp->ops.cache_sgt_mapping = true;
}

static const struct export_bad {
	const char *name;
	void (*spoil)(struct mock_exporter *exp,
		      struct dma_buf_export_info *info);
} export_bads[] = {
	{ "no_ops", bad_no_ops },
	{ "no_priv", bad_no_priv },
	{ "no_map_dma_buf", bad_no_map },
	{ "no_unmap_dma_buf", bad_no_unmap },
	{ "no_release", bad_no_release },
	{ "pin_without_unpin", bad_pin_alone },
	{ "unpin_without_pin", bad_unpin_alone },
	{ "cached_and_dynamic", bad_cache_and_pin },
};

KUNIT_ARRAY_PARAM_DESC(export_bad, export_bads, name);

static void export_refuses(struct kunit *test)
{
	const struct export_bad *bad = test->param_value;
	struct mock_exporter *exp = mock_exporter_alloc(test, MOCK_DYNAMIC);
	struct dma_buf_export_info info;

	mock_exporter_info(exp, &info);
	bad->spoil(exp, &info);
	KUNIT_EXPECT_EQ(test, mock_exporter_export(exp, &info), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}
#endif /* CONFIG_UML */

static struct kunit_case export_cases[] = {
	KUNIT_CASE(export_keeps_info),
	KUNIT_CASE(export_calls_no_operation),
	KUNIT_CASE(export_starts_without_attachments),
	KUNIT_CASE(export_file_is_of_the_pseudo_fs),
	KUNIT_CASE(export_inode_has_the_size),
	KUNIT_CASE(export_inode_numbers_differ),
	KUNIT_CASE(export_file_holds_one_reference),
	KUNIT_CASE_PARAM(export_file_has_the_mode, export_mode_gen_params),
	KUNIT_CASE(export_makes_own_resv),
	KUNIT_CASE(export_takes_given_resv),
	KUNIT_CASE(export_info_macro_presets),
#ifdef CONFIG_MODULE_UNLOAD
	KUNIT_CASE(export_holds_owner_until_release),
	KUNIT_CASE(export_for_leaving_owner),
#endif
#ifdef CONFIG_UML
	KUNIT_CASE_PARAM(export_refuses, export_bad_gen_params),
#endif
	{}
};

static struct kunit_suite export_suite = {
	.name = "dma_buf_export",
	.test_cases = export_cases,
};

kunit_test_suite(export_suite);
