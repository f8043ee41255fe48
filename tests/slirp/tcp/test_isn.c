/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Initial sequence numbers: RFC 6528: up with the clock for one pair of endpoints, not foretold for
 * another, different with another secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tcp/isn.h"
#include "wire/tcphdr.h"

static struct flow_key flow(uint16_t port)
{
	struct flow_key k;

	memset(&k, 0, sizeof(k));
	k.guest = (struct ip){.family = AF_INET, .b = {10, 0, 2, 100}};
	k.peer = (struct ip){.family = AF_INET, .b = {198, 51, 100, 7}};
	k.guest_port = port;
	k.peer_port = 80;
	return k;
}

/* MUST-8, MUST-9: 4 microseconds a step, so that a port used again is above its last numbers. */
static void test_clock(void **state)
{
	const struct siphash_key secret = {{1, 2, 3}};
	struct flow_key k = flow(40000);
	uint32_t isn = isn_make(&secret, &k, 1000);

	(void)state;
	assert_int_equal(isn_make(&secret, &k, 1000), isn);
	for (uint64_t ms = 1; ms < 100000; ms += 77) {
		assert_int_equal(isn_make(&secret, &k, 1000 + ms) - isn, ms * 250);
		assert_true(seq_lt(isn, isn_make(&secret, &k, 1000 + ms)));
	}
}

/* 10,000 connections at one time: the differences of neighbours are spread evenly (chi-squared over
 * 256 buckets of the upper and of the lower byte), and no difference comes twice. */
static void test_spread(void **state)
{
	static uint32_t d[10000];
	unsigned high[256] = {0}, low[256] = {0};
	struct siphash_key secret = {{9, 8, 7}};
	double chi_high = 0, chi_low = 0, mean = 10000 / 256.0;
	uint32_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		struct flow_key k = flow((uint16_t)(30000 + i));
		uint32_t isn = isn_make(&secret, &k, 5000);

		d[i] = isn - last;
		last = isn;
		high[d[i] >> 24]++;
		low[d[i] & 255]++;
	}
	for (unsigned i = 0; i < 256; i++) {
		chi_high += (high[i] - mean) * (high[i] - mean) / mean;
		chi_low += (low[i] - mean) * (low[i] - mean) / mean;
	}
	/* 255 degrees of freedom: 349 is exceeded once in 20,000 times; the secret is fixed. */
	assert_true(chi_high < 349 && chi_low < 349);
	assert_true(chi_high > 170 && chi_low > 170);
	for (unsigned i = 1; i < 1000; i++)
		for (unsigned j = i + 1; j < 1000; j++)
			assert_true(d[i] != d[j]);
}

static void test_secret(void **state)
{
	struct siphash_key a = {{1}}, b = {{2}};
	struct flow_key k = flow(1), other = flow(2);

	(void)state;
	assert_true(isn_make(&a, &k, 0) != isn_make(&b, &k, 0));
	assert_true(isn_ts_base(&a, &k) != isn_ts_base(&b, &k));
	assert_true(isn_ts_base(&a, &k) != isn_ts_base(&a, &other));
	assert_true(isn_ts_base(&a, &k) != isn_make(&a, &k, 0));
	assert_int_equal(isn_ts_base(&a, &k), isn_ts_base(&a, &k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests_name("tcp isn", tests, NULL, NULL);
}
