/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash: CRC-32C against the vectors of RFC 3720 B.4 and a bit-by-bit model; hash64 pinned, because
 * its values are in file and interface names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_crc_vectors(void **state)
{
	uint8_t b[32];

	(void)state;
	assert_int_equal(crc32c("", 0), 0);
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	memset(b, 0, sizeof(b));
	assert_int_equal(crc32c(b, sizeof(b)), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(crc32c(b, sizeof(b)), 0x62a8ab43);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)i;
	assert_int_equal(crc32c(b, sizeof(b)), 0x46dd794e);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(b, sizeof(b)), 0x113fdb5c);
}

static uint32_t crc_model(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* Long texts go eight bytes at a time: the same value, whatever the rest and the alignment. */
static void test_crc_long(void **state)
{
	static uint8_t b[20000];
	uint32_t x = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++) {
		x = x * 1664525 + 1013904223;
		b[i] = (uint8_t)(x >> 24);
	}
	for (size_t len = 8185; len < 8210; len++)
		for (size_t at = 0; at < 3; at++)
			assert_int_equal(crc32c(b + at, len), crc_model(b + at, len));
	assert_int_equal(crc32c(b, sizeof(b)), crc_model(b, sizeof(b)));
}

static void test_crc_model(void **state)
{
	uint8_t b[512];
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++) {
		x = x * 1664525 + 1013904223;
		b[i] = (uint8_t)(x >> 24);
		assert_int_equal(crc32c(b, i + 1), crc_model(b, i + 1));
	}
	/* Every single flipped bit shows. */
	x = crc32c(b, sizeof(b));
	for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(crc32c(b, sizeof(b)), x);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_hash64(void **state)
{
	(void)state;
	assert_int_equal(hash64("", 0, 0), 0xefd01f60ba992926);
	assert_int_equal(hash64("web@eth0", 8, 0), 0x6c69c9b153482a35);
	assert_int_equal(hash64("web@eth0", 8, 1), 0x2a623881a7eb0a53);
	assert_int_not_equal(hash64("a", 1, 0), hash64("b", 1, 0));
	assert_int_not_equal(hash64("a\0", 2, 0), hash64("a", 1, 0));
}

/* The names keep 48 or 52 upper bits: they must depend on the last byte as much as the lower ones.
 */
static void test_hash_spread(void **state)
{
	uint64_t first = hash64("container-0", 11, 0), seen = 0;

	(void)state;
	for (char c = '1'; c <= '9'; c++) {
		char key[] = "container-0";

		key[10] = c;
		seen |= first ^ hash64(key, 11, 0);
	}
	assert_int_equal(seen, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_vectors), cmocka_unit_test(test_crc_model),
		cmocka_unit_test(test_crc_long),    cmocka_unit_test(test_hash64),
		cmocka_unit_test(test_hash_spread),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
