/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: who owns the published ports after copy, add and clear.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/attachment.h"

static void test_add(void **state)
{
	static struct publish many[PUBLISH_MAX];
	struct attachment a = {.id = "web"};
	struct err e = ERR_INIT;

	(void)state;
	for (uint16_t i = 0; i < PUBLISH_MAX; i++)
		many[i] = (struct publish){.host_port = i, .count = 1};
	assert_int_equal(attachment_add_publish(&a, NULL, 0, &e), 0);
	assert_null(a.publish);
	assert_int_equal(attachment_add_publish(&a, many, 3, &e), 0);
	assert_int_equal(attachment_add_publish(&a, many + 3, PUBLISH_MAX - 3, &e), 0);
	assert_int_equal(a.n_publish, PUBLISH_MAX);
	assert_memory_equal(a.publish, many, sizeof(many));

	assert_true(attachment_add_publish(&a, many, 1, &e) < 0);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_string_equal(e.text, "more than 8192 published port runs for web");
	assert_int_equal(a.n_publish, PUBLISH_MAX);
	attachment_clear(&a);
	assert_null(a.publish);
	assert_int_equal(a.n_publish, 0);
	assert_string_equal(a.id, "");
	assert_true(attachment_add_publish(&a, many, PUBLISH_MAX + 1, &e) < 0);
	assert_true(attachment_add_publish(&a, many, SIZE_MAX, &e) < 0);
	assert_null(a.publish);
}

static void test_release(void **state)
{
	CLEAN_ATTACHMENT struct attachment *scoped = calloc(1, sizeof(*scoped));
	struct attachment *a = calloc(1, sizeof(*a));
	struct publish p = {.host_port = 80, .count = 1};

	(void)state;
	assert_int_equal(attachment_add_publish(scoped, &p, 1, NULL), 0);
	assert_int_equal(attachment_add_publish(a, &p, 1, NULL), 0);
	attachment_freep(&a);
	assert_null(a);
	attachment_freep(&a);
	attachment_free(NULL);
	attachment_clear(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests_name("attachment", tests, NULL, NULL);
}
