// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer mapped whole for the kernel: dma_buf_vmap(), its unlocked form
 * and the form with a pointer, all served from one counted mapping.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>

#include "mock-exporter.h"

#define VMAP_BYTE	0xa5

static int locked_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_vmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static void locked_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
}

static int ptr_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	void *vaddr = dma_buf_vmap_ptr(dmabuf);

	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void ptr_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	dma_buf_vunmap_ptr(dmabuf, map->vaddr);
}

static const struct vmap_form {
	const char *name;
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);
} vmap_forms[] = {
	{ "locked", locked_vmap, locked_vunmap },
	{ "unlocked", dma_buf_vmap_unlocked, dma_buf_vunmap_unlocked },
	{ "pointer", ptr_vmap, ptr_vunmap },
};

KUNIT_ARRAY_PARAM_DESC(vmap_form, vmap_forms, name);

static void vmap_gives_exporters_mapping(struct kunit *test)
{
	const struct vmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, form->vmap(exp->dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	KUNIT_EXPECT_PTR_EQ(test, map.vaddr, exp->vaddr);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));

	form->vunmap(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(exp->dmabuf->resv));
}

static void vmap_is_counted(struct kunit *test)
{
	const struct vmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_ASSERT_EQ(test, form->vmap(exp->dmabuf, &map[i]), 0);
		KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&map[i], &map[0]));
		KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	}
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);
		form->vunmap(exp->dmabuf, &map[i]);
	}
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void vmap_again_asks_exporter_again(struct kunit *test)
{
	const struct vmap_form *form = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		KUNIT_ASSERT_EQ(test, form->vmap(exp->dmabuf, &map), 0);
		form->vunmap(exp->dmabuf, &map);
		KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], i);
		KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], i);
	}
}

static void vmap_forms_share_one_mapping(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map[ARRAY_SIZE(vmap_forms)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_ASSERT_EQ(test, vmap_forms[i].vmap(exp->dmabuf, &map[i]),
				0);
		KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&map[i], &map[0]));
	}
	for (i = 0; i < ARRAY_SIZE(map); i++)
		vmap_forms[i].vunmap(exp->dmabuf, &map[i]);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 1);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void vmap_reaches_the_pages(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	iosys_map_memset(&map, 0, VMAP_BYTE, MOCK_SIZE);
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);

	for (i = 0; i < MOCK_PAGES; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(exp->pages[i]),
						   VMAP_BYTE, PAGE_SIZE));
}

static void vmap_is_seen_in_the_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct dma_buf *dmabuf = exp->dmabuf;
	struct iosys_map map;

	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&dmabuf->vmap_ptr));
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&map, &dmabuf->vmap_ptr));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&dmabuf->vmap_ptr));
}

static const struct vmap_error {
	const char *name;
	int error;
} vmap_errors[] = {
	{ "enomem", -ENOMEM },
	{ "eio", -EIO },
	{ "eintr", -EINTR },
};

KUNIT_ARRAY_PARAM_DESC(vmap_error, vmap_errors, name);

/* R13: an errno and nothing else; nothing is counted that is not there. */
static void vmap_passes_errno(struct kunit *test)
{
	const struct vmap_error *param = test->param_value;
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;

	exp->error[OP_VMAP] = param->error;
	iosys_map_set_vaddr(&map, exp);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map),
			param->error);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	KUNIT_EXPECT_EQ(test, locked_vmap(exp->dmabuf, &map), param->error);
	KUNIT_EXPECT_NULL(test, dma_buf_vmap_ptr(exp->dmabuf));
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 3);

	exp->error[OP_VMAP] = 0;
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VMAP], 4);
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

static void vmap_without_op(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, 0);
	struct iosys_map map;

	KUNIT_EXPECT_EQ(test, locked_vmap(exp->dmabuf, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map),
			-EINVAL);
	KUNIT_EXPECT_NULL(test, dma_buf_vmap_ptr(exp->dmabuf));
}

static void vmap_of_null(struct kunit *test)
{
	struct iosys_map map;

	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(NULL, &map), -EINVAL);
	KUNIT_EXPECT_NULL(test, dma_buf_vmap_ptr(NULL));
}

/* A plain pointer cannot say that it points to I/O memory. */
static void vmap_ptr_of_iomem(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map;

	exp->iomem = true;
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	KUNIT_EXPECT_TRUE(test, map.is_iomem);
	KUNIT_EXPECT_NULL(test, dma_buf_vmap_ptr(exp->dmabuf));
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}

#ifdef CONFIG_UML
/* These warn, which KUnit of 6.12 cannot suppress: see export_kunit.c. */
static void vunmap_of_null(struct kunit *test)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	dma_buf_vunmap(NULL, &map);
	dma_buf_vunmap_unlocked(NULL, &map);
	dma_buf_vunmap_ptr(NULL, test);
	KUNIT_SUCCEED(test);
}

static void vunmap_of_what_is_not_mapped(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, MOCK_VMAP);
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, mock_exporter_total(exp), 0);

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(exp->dmabuf, &map), 0);
	dma_buf_vunmap_ptr(exp->dmabuf, test);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 0);
	dma_buf_vunmap_unlocked(exp->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, exp->calls[OP_VUNMAP], 1);
}
#endif /* CONFIG_UML */

static struct kunit_case vmap_cases[] = {
	KUNIT_CASE_PARAM(vmap_gives_exporters_mapping, vmap_form_gen_params),
	KUNIT_CASE_PARAM(vmap_is_counted, vmap_form_gen_params),
	KUNIT_CASE_PARAM(vmap_again_asks_exporter_again, vmap_form_gen_params),
	KUNIT_CASE(vmap_forms_share_one_mapping),
	KUNIT_CASE(vmap_reaches_the_pages),
	KUNIT_CASE(vmap_is_seen_in_the_buffer),
	KUNIT_CASE_PARAM(vmap_passes_errno, vmap_error_gen_params),
	KUNIT_CASE(vmap_without_op),
	KUNIT_CASE(vmap_of_null),
	KUNIT_CASE(vmap_ptr_of_iomem),
#ifdef CONFIG_UML
	KUNIT_CASE(vunmap_of_null),
	KUNIT_CASE(vunmap_of_what_is_not_mapped),
#endif
	{}
};

static struct kunit_suite vmap_suite = {
	.name = "dma_buf_vmap",
	.test_cases = vmap_cases,
};

kunit_test_suite(vmap_suite);
