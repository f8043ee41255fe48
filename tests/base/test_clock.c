/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: it goes on, in the units of the names, and the time left never leaves what poll(2) takes.
 */
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_units(void **state)
{
	uint64_t ns = clock_ns(), ms = clock_ms();

	(void)state;
	assert_in_range(ms, ns / 1000000, ns / 1000000 + 60000);
	(void)poll(NULL, 0, 5);
	assert_true(clock_ns() - ns >= 5000000);
	assert_true(clock_ms() >= ms + 4);
}

static void test_left(void **state)
{
	uint64_t now = clock_ms();
	int left;

	(void)state;
	assert_int_equal(clock_left(0), 0);
	assert_int_equal(clock_left(now), 0);
	left = clock_left(now + 60000);
	assert_in_range(left, 1, 60000);
	assert_int_equal(clock_left(UINT64_MAX), INT_MAX);
	assert_int_equal(clock_left(now + (uint64_t)INT_MAX + 3600000), INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_left),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
