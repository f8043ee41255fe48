/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf: growth across every size, binary data, and the sticking failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_growth(void **state)
{
	(void)state;
	for (size_t len = 0; len < 1500; len += len < 300 ? 1 : 61) {
		CLEAN_BUF struct buf a = BUF_INIT, b = BUF_INIT;
		char *word = malloc(len + 1);

		memset(word, 'x', len);
		word[len] = '\0';
		buf_printf(&a, "%s|", word);
		buf_add(&b, word, len);
		buf_add(&b, "|", 1);
		assert_false(a.failed);
		assert_int_equal(a.len, len + 1);
		assert_int_equal(b.len, len + 1);
		assert_int_equal(strlen(a.p), len + 1);
		assert_string_equal(a.p, b.p);
		assert_true(a.cap > a.len);
		buf_printf(&a, "%d%s", 42, word);
		assert_int_equal(a.len, 2 * len + 3);
		assert_memory_equal(a.p + len, "|42", 3);
		free(word);
	}
}

static void test_binary(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT;
	uint8_t all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (int i = 0; i < 100; i++)
		buf_add(&b, all, sizeof(all));
	assert_int_equal(b.len, 25600);
	for (int i = 0; i < 100; i++)
		assert_memory_equal(b.p + 256 * i, all, 256);
	assert_int_equal(b.p[b.len], '\0');
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 25600);
}

static void test_failure_sticks(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	(void)state;
	buf_printf(&b, "kept");
	buf_add(&b, "x", SIZE_MAX / 2);
	assert_true(b.failed);
	assert_string_equal(b.p, "kept");
	buf_printf(&b, "more");
	buf_add(&b, "more", 4);
	assert_string_equal(b.p, "kept");
	assert_int_equal(b.len, 4);
	buf_free(&b);
	assert_null(b.p);
	assert_false(b.failed);
	buf_free(&b);
	buf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_failure_sticks),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
