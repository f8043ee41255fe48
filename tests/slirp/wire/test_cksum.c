/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cksum: the example of RFC 1071, and every length and alignment up to a few blocks against the sum
 * as the RFC defines it, in one piece and in odd pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/cksum.h"

#include "hex.h"

/* RFC 1071 1, a word at a time. */
static uint16_t slow(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void test_examples(void **state)
{
	uint8_t b[32];
	size_t n = hex_bytes("0001 f203 f4f5 f6f7", b, sizeof(b));

	(void)state;
	assert_int_equal(cksum_fold_partial(cksum_add(0, b, n)), 0xddf2);
	assert_int_equal(cksum_fold(cksum_add(0, b, n)), 0x220d);
	n = hex_bytes("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7", b, sizeof(b));
	assert_int_equal(cksum_fold(cksum_add(0, b, n)), 0);
	b[10] = b[11] = 0;
	assert_int_equal(cksum_fold(cksum_add(0, b, n)), 0xb861);
	assert_int_equal(cksum_fold(0), 0xffff);
	assert_int_equal(cksum_add(0x12345678, b, 0), 0x12345678);
	assert_int_equal(cksum_fold_partial(0xffffffff), 0xffff);
}

static void test_lengths(void **state)
{
	static uint8_t data[70000];

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(rand() >> 8);
	for (size_t at = 0; at < 17; at++)
		for (size_t n = 1; n < 400; n++)
			assert_int_equal(cksum_fold_partial(cksum_add(0, data + at, n)),
					 slow(data + at, n));
	for (size_t n = 65000; n < sizeof(data); n += 77)
		assert_int_equal(cksum_fold_partial(cksum_add(0, data, n)), slow(data, n));
	/* Every carry there is. */
	memset(data, 0xff, sizeof(data));
	for (size_t n = 2; n < sizeof(data); n += 1022)
		assert_int_equal(cksum_fold_partial(cksum_add(0xffffffff, data, n)), 0xffff);
	memset(data, 0, sizeof(data));
	assert_int_equal(cksum_fold_partial(cksum_add(0, data, sizeof(data))), 0);
}

static void test_pieces(void **state)
{
	uint8_t data[900];
	struct iovec iov[8];

	(void)state;
	srand(2);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(rand() >> 8);
	for (int round = 0; round < 20000; round++) {
		size_t at = 0, n;
		int n_iov = rand() % 8;
		uint32_t begin = (uint32_t)rand();
		uint32_t even;

		for (int i = 0; i < n_iov; i++) {
			n = (size_t)rand() % (sizeof(data) / 8);
			iov[i] = (struct iovec){data + at, n};
			at += n;
		}
		even = cksum_add(begin, data, at);
		assert_int_equal(cksum_fold(cksum_add_iov(begin, iov, n_iov)), cksum_fold(even));
		/* Going on behind a part of even length. */
		n = at / 4 * 2;
		assert_int_equal(cksum_fold(cksum_add(cksum_add(begin, data, n), data + n, at - n)),
				 cksum_fold(even));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
