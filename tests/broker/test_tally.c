/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally: what is counted is told, once, whoever does not fit into the table or the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/tally.h"

static struct tally t;

static int setup(void **state)
{
	(void)state;
	t = (struct tally){0};
	return 0;
}

static void check(const uint32_t *uid, size_t max, const char *want)
{
	CLEAN_BUF struct buf out = BUF_INIT;

	tally_print(&t, uid, max, &out);
	assert_false(out.failed);
	assert_string_equal(out.p, want);
}

/* The sum of all samples. */
static uint64_t total(const struct buf *b)
{
	uint64_t sum = 0;

	for (const char *p = b->p; p && (p = strstr(p, "} ")); p++)
		sum += strtoull(p + 2, NULL, 10);
	return sum;
}

static void test_print(void **state)
{
	const uint32_t a = 1000, none = 3;

	(void)state;
	check(NULL, 4096, "# TYPE netd_requests_total counter\n");
	tally_add(&t, 1000, CALL_ATTACH, ERR_NONE);
	tally_add(&t, 1000, CALL_ATTACH, ERR_NONE);
	tally_add(&t, 1000, CALL_PUBLISH, ERR_DENIED);
	tally_add(&t, 1001, CALL_ATTACH, TALLY_RATE);
	tally_add(&t, 1001, CALL_LIMIT, ERR_QUOTA);
	tally_add(&t, 1001, N_CALL_VERBS, ERR_NONE);
	tally_add(&t, 1001, CALL_ATTACH, TALLY_RESULTS);
	check(&a, 4096,
	      "# TYPE netd_requests_total counter\n"
	      "netd_requests_total{uid=\"1000\",verb=\"attach\",result=\"granted\"} 2\n"
	      "netd_requests_total{uid=\"1000\",verb=\"publish\",result=\"denied\"} 1\n");
	check(&none, 4096, "# TYPE netd_requests_total counter\n");
	check(NULL, 4096,
	      "# TYPE netd_requests_total counter\n"
	      "netd_requests_total{uid=\"1000\",verb=\"attach\",result=\"granted\"} 2\n"
	      "netd_requests_total{uid=\"1000\",verb=\"publish\",result=\"denied\"} 1\n"
	      "netd_requests_total{uid=\"1001\",verb=\"attach\",result=\"rate\"} 1\n"
	      "netd_requests_total{uid=\"1001\",verb=\"limit\",result=\"quota\"} 1\n");
}

/* Who has been silent longest makes place; nothing that was counted is lost. */
static void test_full(void **state)
{
	CLEAN_BUF struct buf all = BUF_INIT;
	const uint32_t first = 5000, second = 5001;

	(void)state;
	for (uint32_t i = 0; i < TALLY_USERS; i++)
		tally_add(&t, 5000 + i, CALL_ATTACH, ERR_NONE);
	tally_add(&t, 5000, CALL_ATTACH, ERR_NONE);
	tally_add(&t, 9999, CALL_ATTACH, ERR_NONE);
	check(&first, 4096,
	      "# TYPE netd_requests_total counter\n"
	      "netd_requests_total{uid=\"5000\",verb=\"attach\",result=\"granted\"} 2\n");
	check(&second, 4096, "# TYPE netd_requests_total counter\n");
	tally_print(&t, NULL, 1 << 20, &all);
	assert_int_equal(total(&all), TALLY_USERS + 2);
	assert_non_null(strstr(all.p, "{uid=\"others\",verb=\"attach\",result=\"granted\"} 1\n"));
}

/* However little room there is, the sum is the same; and with everything in use it stays in its
 * bounds. */
static void test_room(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < TALLY_USERS; i++)
		for (uint32_t v = 1; v < N_CALL_VERBS; v++)
			for (unsigned r = 0; r < TALLY_RESULTS; r++, n++)
				tally_add(&t, UINT32_MAX - i, v, r);
	for (size_t max = 0; max < 1 << 17; max += 8000) {
		CLEAN_BUF struct buf out = BUF_INIT;

		tally_print(&t, NULL, max, &out);
		assert_int_equal(total(&out), n);
		assert_true(out.len <= max + 8000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_print, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
