/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list grows, keeps what is in it, and stays as it is when there is no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/grow.h"

struct pair {
	uint64_t a, b;
};

static void test_keeps(void **state)
{
	struct pair *v = NULL;
	size_t n = 0, cap = 0;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		assert_true(GROW(v, n, cap));
		assert_in_range(cap, n + 1, 2 * n + 16);
		v[n++] = (struct pair){i, ~i};
	}
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(v[i].a, i);
		assert_int_equal(v[i].b, ~i);
	}
	free(v);
}

static void test_room_is_not_made_twice(void **state)
{
	char(*v)[7] = NULL, (*before)[7];
	size_t cap = 0;

	(void)state;
	assert_true(GROW(v, 0, cap));
	before = v;
	for (size_t n = 0; n < cap; n++)
		assert_true(GROW(v, n, cap));
	assert_ptr_equal(v, before);
	free(v);
}

static void test_no_memory(void **state)
{
	static char place;
	char *v = &place;
	size_t cap = SIZE_MAX / 4;

	(void)state;
	/* More bytes than a number holds: refused before anything is looked at. */
	assert_false(grow_list(&v, cap, &cap, 16));
	assert_ptr_equal(v, &place);
	assert_int_equal(cap, SIZE_MAX / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_room_is_not_made_twice),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
