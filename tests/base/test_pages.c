/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped is zero and can be written; more than there can be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pages.h"

static void test_maps(void **state)
{
	enum { SIZE = 3 * 65536 + 1 };
	uint8_t *p = pages_map(SIZE);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(p[i], 0);
	p[0] = p[SIZE - 1] = 1;
	pages_unmap(p, SIZE);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_null(pages_map(SIZE_MAX / 2));
	assert_null(pages_map(0));
	pages_unmap(NULL, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
