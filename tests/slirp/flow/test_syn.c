/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a SYN is kept makes the same SYN again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/syn.h"

static const struct flow_key key = {.guest_port = 0x1234, .peer_port = 443};

/* Options that the kernel sends, and some that nobody here knows. */
static void test_same(void **state)
{
	static const uint8_t hdr[] = {0x12, 0x34, 0x01, 0xbb, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0,
				      0xb0, 0xc2, 0xfa, 0xf0, 0x55, 0x66, 0,    0,    2, 4, 5, 0xb4,
				      4,    2,    8,    10,   1,    2,    3,    4,    0, 0, 0, 0,
				      1,    3,    3,    7,    254,  4,    0x11, 0x22};
	uint8_t want[sizeof(hdr)], out[SYN_HDR_MAX];
	struct syn s;

	(void)state;
	memcpy(want, hdr, sizeof(hdr));
	want[16] = want[17] = 0; /* the checksum is the caller's */
	syn_keep(&s, hdr, sizeof(hdr));
	assert_int_equal(syn_build(&s, &key, 0xdeadbeef, out), sizeof(hdr));
	assert_memory_equal(out, want, sizeof(hdr));
}

static void test_sizes(void **state)
{
	uint8_t hdr[SYN_HDR_MAX + 4], out[SYN_HDR_MAX];
	struct syn s;

	(void)state;
	memset(hdr, 1, sizeof(hdr));
	hdr[13] = 2;
	for (size_t len = 20; len <= SYN_HDR_MAX; len += 4) {
		syn_keep(&s, hdr, len);
		assert_int_equal(syn_build(&s, &key, 1, out), len);
		assert_int_equal(out[12], len / 4 << 4);
		assert_memory_equal(out + 20, hdr + 20, len - 20);
	}
	/* What is no header keeps nothing. */
	syn_keep(&s, hdr, 19);
	assert_int_equal(s.n_options, 0);
	syn_keep(&s, hdr, SYN_HDR_MAX + 4);
	assert_int_equal(s.n_options, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
