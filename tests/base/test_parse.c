/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse: each edge of the ranges, and every text that is not the one text of a number.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"

static void test_u64(void **state)
{
	static const struct {
		const char *s;
		uint64_t min, max;
		int r;
		uint64_t v;
	} table[] = {
		{"0", 0, UINT64_MAX, 0, 0},
		{"7", 7, 7, 0, 7},
		{"6", 7, 7, -ERANGE, 0},
		{"8", 7, 7, -ERANGE, 0},
		{"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
		{"18446744073709551625", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999", 0, UINT64_MAX, -ERANGE, 0},
		{"184467440737095516150", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999999999999999x", 0, UINT64_MAX, -EINVAL, 0},
		{"", 0, UINT64_MAX, -EINVAL, 0},
		{" 1", 0, UINT64_MAX, -EINVAL, 0},
		{"1 ", 0, UINT64_MAX, -EINVAL, 0},
		{"1\n", 0, UINT64_MAX, -EINVAL, 0},
		{"+1", 0, UINT64_MAX, -EINVAL, 0},
		{"-1", 0, UINT64_MAX, -EINVAL, 0},
		{"-", 0, UINT64_MAX, -EINVAL, 0},
		{"00", 0, UINT64_MAX, -EINVAL, 0},
		{"01", 0, UINT64_MAX, -EINVAL, 0},
		{"0x1", 0, UINT64_MAX, -EINVAL, 0},
		{"1e3", 0, UINT64_MAX, -EINVAL, 0},
		{"1.0", 0, UINT64_MAX, -EINVAL, 0},
		{"\xd9\xa1", 0, UINT64_MAX, -EINVAL, 0}, /* a digit, but an Arabic one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t v = 4711;

		assert_int_equal(parse_u64(table[i].s, table[i].min, table[i].max, &v), table[i].r);
		assert_int_equal(v, table[i].r == 0 ? table[i].v : 4711);
	}
}

static void test_bytes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char alone[] = {(char)c, '\0'}, after[] = {'1', (char)c, '\0'};
		bool is_digit = c >= '0' && c <= '9';
		uint64_t v;

		assert_int_equal(parse_u64(alone, 0, 99, &v), is_digit ? 0 : -EINVAL);
		assert_int_equal(parse_u64(after, 0, 99, &v), is_digit ? 0 : -EINVAL);
	}
}

static void test_u32(void **state)
{
	uint32_t v = 5;

	(void)state;
	assert_int_equal(parse_u32("4294967295", 0, UINT32_MAX, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(parse_u32("4294967296", 0, UINT32_MAX, &v), -ERANGE);
	assert_int_equal(parse_u32("65536", 1, 65535, &v), -ERANGE);
	assert_int_equal(parse_u32("0", 1, 65535, &v), -ERANGE);
	assert_int_equal(parse_u32("x", 1, 65535, &v), -EINVAL);
	assert_int_equal(v, UINT32_MAX);
}

static void test_slice(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse_u64_n("12345", 3, 0, 1000, &v), 0);
	assert_int_equal(v, 123);
	assert_int_equal(parse_u64_n("12345", 0, 0, 1000, &v), -EINVAL);
	assert_int_equal(parse_u64_n("0123", 1, 0, 1000, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64_n("0123", 2, 0, 1000, &v), -EINVAL);
	assert_int_equal(parse_u64_n("1\0002", 3, 0, 1000, &v), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_u32),
		cmocka_unit_test(test_slice),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
