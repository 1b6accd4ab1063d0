// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_buf_attach(), dma_buf_dynamic_attach(), dma_buf_detach(): which
 * attachments there are, and what becomes of one that fails. What pin and map
 * do at attach is in dynamic_kunit.c.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/list.h>

#include "mock-exporter.h"
#include "mock-importer.h"

static size_t attachments(struct dma_buf *dmabuf)
{
	size_t n;

	dma_resv_lock(dmabuf->resv, NULL);
	n = list_count_nodes(&dmabuf->attachments);
	dma_resv_unlock(dmabuf->resv);
	return n;
}

static void attach_null_buffer(struct kunit *test)
{
	struct mock_importer *imp = mock_importer_create(test, "imp");

	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(NULL, imp->dev),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_dynamic_attach(NULL, imp->dev,
						   &mock_importer_ops, imp),
			    ERR_PTR(-EINVAL));
}

static void attach_null_device(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);

	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(exp->dmabuf, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_dynamic_attach(exp->dmabuf, NULL,
						   &mock_importer_ops, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static void attach_without_move_notify(struct kunit *test)
{
	static const struct dma_buf_attach_ops no_move_notify;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_create(test, "imp");

	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_dynamic_attach(exp->dmabuf, imp->dev,
						   &no_move_notify, imp),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 0);
}

static void attach_fills_attachment(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	KUNIT_EXPECT_PTR_EQ(test, imp->attach->dmabuf, exp->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, imp->attach->dev, imp->dev);
	KUNIT_EXPECT_NULL(test, imp->attach->importer_ops);
	KUNIT_EXPECT_NULL(test, imp->attach->sgt);
	KUNIT_EXPECT_FALSE(test, imp->attach->peer2peer);
	KUNIT_EXPECT_FALSE(test, dma_buf_attachment_is_dynamic(imp->attach));
}

static void attach_dynamic_fills_attachment(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, true);

	KUNIT_EXPECT_PTR_EQ(test, imp->attach->importer_ops,
			    &mock_importer_ops);
	KUNIT_EXPECT_PTR_EQ(test, imp->attach->importer_priv, imp);
	KUNIT_EXPECT_FALSE(test, imp->attach->peer2peer);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(imp->attach));
}

static void attach_peer2peer_is_passed_on(struct kunit *test)
{
	const struct dma_buf_attach_ops ops = {
		.allow_peer2peer = true,
		.move_notify = mock_importer_ops.move_notify,
	};
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_DYNAMIC);
	struct mock_importer *imp = mock_importer_create(test, "imp");
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(exp->dmabuf, imp->dev, &ops, imp);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_TRUE(test, attach->peer2peer);
	dma_buf_detach(exp->dmabuf, attach);
}

static void attach_asks_exporter_once(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	KUNIT_EXPECT_EQ(test, exp->calls[OP_ATTACH], 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 1);

	mock_importer_detach(test, imp);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 2);
}

static void attach_without_exporter_ops(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
	mock_importer_detach(test, imp);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);
}

static const struct attach_error {
	const char *name;
	int error;
	bool dynamic;
} attach_errors[] = {
	{ "static_ebusy", -EBUSY, false },
	{ "static_enomem", -ENOMEM, false },
	{ "dynamic_ebusy", -EBUSY, true },
	{ "dynamic_enodev", -ENODEV, true },
};

KUNIT_ARRAY_PARAM_DESC(attach_error, attach_errors, name);

/* R11: what was never listed is not unlinked, what was refused not undone. */
static void attach_refused_by_exporter(struct kunit *test)
{
	const struct attach_error *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH |
							 MOCK_DYNAMIC);
	struct mock_importer *other = mock_importer_attached(test, "other",
							     exp->dmabuf,
							     true);
	struct mock_importer *imp = mock_importer_create(test, "imp");

	exp->error[OP_ATTACH] = param->error;
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, imp, exp->dmabuf,
						   param->dynamic),
			param->error);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
	KUNIT_EXPECT_PTR_EQ(test, exp->dmabuf->attachments.next,
			    &other->attach->node);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_PIN], 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_MAP], 0);
}

static void attach_refused_then_accepted(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_create(test, "imp");

	exp->error[OP_ATTACH] = -EBUSY;
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, imp, exp->dmabuf,
						   false), -EBUSY);
	exp->error[OP_ATTACH] = 0;
	KUNIT_EXPECT_EQ(test, mock_importer_attach(test, imp, exp->dmabuf,
						   false), 0);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
}

static void attach_one_device_twice(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);
	struct dma_buf_attachment *second;

	second = dma_buf_attach(exp->dmabuf, imp->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	KUNIT_EXPECT_PTR_NE(test, second, imp->attach);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 2);
	dma_buf_detach(exp->dmabuf, second);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
}

#define ATTACH_DEVICES	3

static const struct detach_order {
	const char *name;
	unsigned int order[ATTACH_DEVICES];
} detach_orders[] = {
	{ "first_to_last", { 0, 1, 2 } },
	{ "last_to_first", { 2, 1, 0 } },
	{ "middle_first", { 1, 0, 2 } },
};

KUNIT_ARRAY_PARAM_DESC(detach_order, detach_orders, name);

static bool attachment_is_listed(struct mock_importer *imp)
{
	struct dma_buf *dmabuf = imp->attach->dmabuf;
	struct dma_buf_attachment *attach;
	bool listed = false;

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		listed |= attach == imp->attach;
	dma_resv_unlock(dmabuf->resv);
	return listed;
}

static void detach_in_any_order(struct kunit *test)
{
	static const char * const names[ATTACH_DEVICES] = { "a", "b", "c" };
	const struct detach_order *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp[ATTACH_DEVICES];
	unsigned int i, j;

	for (i = 0; i < ATTACH_DEVICES; i++)
		imp[i] = mock_importer_attached(test, names[i], exp->dmabuf,
						false);

	for (i = 0; i < ATTACH_DEVICES; i++) {
		mock_importer_detach(test, imp[param->order[i]]);
		KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], i + 1);
		KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf),
				ATTACH_DEVICES - 1 - i);
		for (j = i + 1; j < ATTACH_DEVICES; j++)
			KUNIT_EXPECT_TRUE(test, attachment_is_listed(imp[param->order[j]]));
	}
}

static void detach_leaves_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	mock_importer_detach(test, imp);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(exp->dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_RELEASE], 0);
}

#ifdef CONFIG_UML
/* These warn, which KUnit of 6.12 cannot suppress: see export_kunit.c. */
static void detach_null(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	dma_buf_detach(NULL, imp->attach);
	dma_buf_detach(exp->dmabuf, NULL);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 0);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
}

static void detach_foreign(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_ATTACH);
	struct mock_importer *imp = mock_importer_attached(test, "imp",
							   exp->dmabuf, false);

	dma_buf_detach(other->dmabuf, imp->attach);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(other), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_DETACH], 0);
	KUNIT_EXPECT_EQ(test, attachments(exp->dmabuf), 1);
}
#endif /* CONFIG_UML */

static struct kunit_case attach_cases[] = {
	KUNIT_CASE(attach_null_buffer),
	KUNIT_CASE(attach_null_device),
	KUNIT_CASE(attach_without_move_notify),
	KUNIT_CASE(attach_fills_attachment),
	KUNIT_CASE(attach_dynamic_fills_attachment),
	KUNIT_CASE(attach_peer2peer_is_passed_on),
	KUNIT_CASE(attach_asks_exporter_once),
	KUNIT_CASE(attach_without_exporter_ops),
	KUNIT_CASE_PARAM(attach_refused_by_exporter, attach_error_gen_params),
	KUNIT_CASE(attach_refused_then_accepted),
	KUNIT_CASE(attach_one_device_twice),
	KUNIT_CASE_PARAM(detach_in_any_order, detach_order_gen_params),
	KUNIT_CASE(detach_leaves_buffer),
#ifdef CONFIG_UML
	KUNIT_CASE(detach_null),
	KUNIT_CASE(detach_foreign),
#endif
	{}
};

static struct kunit_suite attach_suite = {
	.name = "dma_buf_attach",
	.test_cases = attach_cases,
};

kunit_test_suite(attach_suite);
