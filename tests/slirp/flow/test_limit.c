/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit: what passes in a time, what is owed and paid, datagrams alone and beside what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/limit.h"

/* 80,000 bits: 10 bytes a millisecond; a burst of 1,500. */
static struct limit ten(void)
{
	struct limit l;

	limit_init(&l, 80000, 1500, 1000);
	return l;
}

static void test_room(void **state)
{
	struct limit l = ten();

	(void)state;
	assert_int_equal(limit_room(&l, 1000), 1500);
	limit_take(&l, 1000);
	assert_int_equal(limit_room(&l, 1000), 500);
	assert_int_equal(limit_room(&l, 999), 500); /* set back */
	assert_int_equal(limit_room(&l, 1010), 600);
	assert_int_equal(limit_room(&l, 100000), 1500); /* no more than a burst */
}

static void test_owed(void **state)
{
	struct limit l = ten();

	(void)state;
	limit_take(&l, 2500);
	assert_int_equal(limit_room(&l, 1000), 0);
	assert_int_equal(limit_due(&l), 1101);
	assert_int_equal(limit_room(&l, 1100), 0);
	assert_int_equal(limit_room(&l, 1101), 10);
	limit_take(&l, 10);
	assert_int_equal(limit_room(&l, 1101), 0);
	assert_true(limit_due(&l) > 1101);
}

/* The rate is exact in the long run, however it is asked. */
static void test_rate(void **state)
{
	const uint64_t bits[] = {8000, 1000000, 123456789, 100000000000};

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		struct limit l;
		uint64_t passed = 0, ms = 0;

		limit_init(&l, bits[i], 1500, 0);
		limit_take(&l, limit_room(&l, 0));
		for (; ms < 60000; ms += 1 + ms % 7) {
			size_t n = limit_room(&l, ms);

			limit_take(&l, n > 5000 ? n : n / 2);
			passed += n > 5000 ? n : n / 2;
		}
		assert_true(passed <= bits[i] / 8 * 60 + 1);
		assert_true(passed >= bits[i] / 8 * 60 * 97 / 100 - 3000);
	}
}

static void test_extremes(void **state)
{
	struct limit l;

	(void)state;
	limit_init(&l, UINT64_MAX, SIZE_MAX, 0);
	assert_true(limit_room(&l, UINT64_MAX) > 0);
	limit_take(&l, SIZE_MAX);
	limit_take(&l, SIZE_MAX);
	limit_take(&l, SIZE_MAX);
	assert_true(limit_due(&l) > 0);
	limit_init(&l, 8000, 65521, UINT64_MAX - 5);
	assert_int_equal(limit_room(&l, UINT64_MAX), 65521);
	limit_init(&l, 8000, 1500, 0);
	limit_take(&l, 64u << 20); /* a thousand minutes */
	assert_int_equal(limit_room(&l, 1000), 0);
	assert_true(limit_due(&l) > 60000000);
	assert_int_equal(limit_room(&l, limit_due(&l)), 1);
}

/* One of 100 bytes a millisecond, for ten seconds. */
static unsigned offered(struct limit *l)
{
	unsigned n = 0;

	for (uint64_t ms = 1000; ms < 11000; ms++)
		n += limit_admit(l, 100, ms);
	return n;
}

static void test_datagrams(void **state)
{
	struct limit alone = ten(), beside = ten(), late = ten();
	unsigned n = offered(&alone);

	(void)state;
	/* All of the rate, and two bursts: the one there is and the one that may be owed. */
	assert_in_range(n, 1000, 1031);
	assert_int_equal(limit_room(&alone, 11000), 0); /* and nothing for others */
	beside.is_waited = true;
	n = offered(&beside);
	assert_in_range(n, 750, 766);
	assert_int_not_equal(limit_room(&beside, 11000), 0);
	/* Who had all of it alone is held to its share within two bursts' time. */
	(void)offered(&late);
	late.is_waited = true;
	n = 0;
	for (uint64_t ms = 11000; ms < 12000; ms++)
		n += limit_admit(&late, 100, ms);
	assert_in_range(n, 50, 76);
	/* The largest passes, whatever the burst. */
	late.is_waited = false;
	assert_true(limit_admit(&late, 65507, 100000));
	assert_false(limit_admit(&late, 1, 100001));
	assert_true(limit_admit(&late, 0, 200000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),      cmocka_unit_test(test_owed),
		cmocka_unit_test(test_rate),      cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
