/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two machines over a bad link, many seeds: every byte arrives once and in order, both sides end,
 * and in time. NETNS_UP_SIM_SEEDS=FIRST:NUMBER runs others; a failure tells its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim.h"

#ifndef SIM_SEEDS
#define SIM_SEEDS 10000
#endif

static void test_seeds(void **state)
{
	const char *range = getenv("NETNS_UP_SIM_SEEDS");
	unsigned long long first = 1, n = SIM_SEEDS;
	uint64_t lost = 0, segments = 0;

	(void)state;
	if (range)
		assert_int_equal(sscanf(range, "%llu:%llu", &first, &n), 2);
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct sim_conf c = sim_random(seed);
		struct sim_result r = sim_run(&c);

		if (r.wrong)
			fail_msg("seed %llu after %llu ms: %s", (unsigned long long)seed,
				 (unsigned long long)r.end, r.wrong);
		lost += r.n_lost;
		segments += r.n_segments;
	}
	/* The link was as bad as it was meant to be. */
	assert_true(lost > segments / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests_name("tcp simulation", tests, NULL, NULL);
}
