/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When messages are a flood: by their rate over a window, and only when they go one way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/flood.h"

#define MS FLOOD_WINDOW_NS
#define MOST (MS / FLOOD_APART_NS + 1) /* of a window that is one */

/* n_in and n_out of them in the window that ends at *now + ns. */
static bool window(struct flood *f, uint64_t *now, unsigned n_in, unsigned n_out, uint64_t ns)
{
	flood_note(f, n_in - n_in / 2, n_out, *now + ns / 2);
	*now += ns;
	flood_note(f, n_in / 2, 0, *now);
	return f->is_on;
}

static void by_rate(void **state)
{
	struct flood f = {0};
	uint64_t now = 7 * MS;

	(void)state;
	flood_note(&f, 60000, 0, now); /* who was never looked at: since long ago */
	assert_false(window(&f, &now, MOST - 1, 0, MS));
	assert_true(window(&f, &now, MOST, 0, MS));
	assert_true(window(&f, &now, 0, MOST, MS));
	assert_true(window(&f, &now, 10 * MOST, 0, 10 * MS));
	assert_false(window(&f, &now, 10 * MOST, 0, 11 * MS));
	assert_true(window(&f, &now, MOST, 0, MS));
	/* What comes after a rest is none, whatever was before. */
	assert_false(window(&f, &now, 1, 0, 1000 * MS));
}

static void within_the_window(void **state)
{
	struct flood f = {.since = 5 * MS};

	(void)state;
	for (unsigned i = 0; i < 10 * MOST; i++)
		flood_note(&f, 1, 0, 6 * MS - 1);
	assert_false(f.is_on);
	flood_note(&f, 0, 0, 6 * MS);
	assert_true(f.is_on);
	for (unsigned i = 0; i < 10; i++)
		flood_note(&f, 0, 0, 7 * MS - 1);
	assert_true(f.is_on);
	flood_note(&f, 0, 0, 7 * MS);
	assert_false(f.is_on);
}

/* Requests and their answers wait for each other. */
static void one_way(void **state)
{
	const unsigned n = 4 * MOST;
	struct flood f = {0};
	uint64_t now = 0;

	(void)state;
	assert_true(window(&f, &now, n, n / FLOOD_ONE_WAY, MS));
	assert_false(window(&f, &now, n, n / FLOOD_ONE_WAY + 1, MS));
	assert_true(window(&f, &now, n / FLOOD_ONE_WAY, n, MS));
	assert_false(window(&f, &now, n / FLOOD_ONE_WAY + 1, n, MS));
	assert_false(window(&f, &now, n, n, MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_rate),
		cmocka_unit_test(within_the_window),
		cmocka_unit_test(one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
