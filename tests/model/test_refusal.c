/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal: packets byte by byte, cut at each place, and their lines. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/refusal.h"

#define ADDR4 10, 77, 0, 2, 192, 0, 2, 7
#define ADDR6                                                                                      \
	0xfd, 0x5c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0,  \
		0, 0, 0, 0, 0, 0, 7

static const uint8_t tcp4[] = {0x45, 0, 0, 40,    0,    1,    0x40, 0,   64,
			       6,    0, 0, ADDR4, 0x9c, 0x40, 1,    0xbb};
static const uint8_t options4[] = {0x46, 0,     0,    32, 0, 1, 0,    0,    64, 17, 0,
				   0,    ADDR4, 0x94, 4,  0, 0, 0x9c, 0x40, 0,  53};
static const uint8_t fragment4[] = {0x45, 0, 0, 28, 0, 1, 0x20, 1, 64, 17, 0, 0, ADDR4, 1, 2, 3, 4};
static const uint8_t gre4[] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 47, 0, 0, ADDR4};
static const uint8_t sctp4[] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 132, 0, 0, ADDR4};
static const uint8_t udp6[] = {0x60, 0, 0, 0, 0, 8, 17, 64, ADDR6, 0x9c, 0x40, 0, 53};
static const uint8_t icmp6[] = {0x60, 0, 0, 0, 0, 8, 58, 64, ADDR6, 0x80, 0, 0, 0};
static const uint8_t header_short4[] = {0x44, 0, 0, 20, 0, 1, 0, 0, 64, 6, 0, 0, ADDR4};
static const uint8_t version5[] = {0x55, 0, 0, 20, 0, 1, 0, 0, 64, 6, 0, 0, ADDR4};

static const char *line(const uint8_t *p, size_t len, char out[REFUSAL_STRLEN])
{
	struct refusal r;

	return refusal_parse(p, len, &r) < 0 ? NULL : refusal_str(&r, out);
}

static void test_lines(void **state)
{
	char s[REFUSAL_STRLEN];

	(void)state;
	assert_string_equal(line(tcp4, sizeof(tcp4), s), "tcp 192.0.2.7:443");
	assert_string_equal(line(options4, sizeof(options4), s), "udp 192.0.2.7:53");
	assert_string_equal(line(fragment4, sizeof(fragment4), s), "udp 192.0.2.7");
	assert_string_equal(line(gre4, sizeof(gre4), s), "proto-47 192.0.2.7");
	assert_string_equal(line(sctp4, sizeof(sctp4), s), "sctp 192.0.2.7");
	assert_string_equal(line(udp6, sizeof(udp6), s), "udp [2001:db8::7]:53");
	assert_string_equal(line(icmp6, sizeof(icmp6), s), "icmp 2001:db8::7");
	assert_null(line(header_short4, sizeof(header_short4), s));
	assert_null(line(version5, sizeof(version5), s));
}

/* What is cut off is missing from the line, or there is none. */
static void test_cut(void **state)
{
	char s[REFUSAL_STRLEN];
	uint8_t copy[64];

	(void)state;
	for (size_t n = 0; n <= sizeof(options4); n++) {
		memcpy(copy + sizeof(copy) - n, options4, n);
		const char *l = line(copy + sizeof(copy) - n, n, s);

		if (n < 20)
			assert_null(l);
		else
			assert_string_equal(l, n < sizeof(options4) ? "udp 192.0.2.7"
								    : "udp 192.0.2.7:53");
	}
	for (size_t n = 0; n <= sizeof(udp6); n++) {
		memcpy(copy + sizeof(copy) - n, udp6, n);
		const char *l = line(copy + sizeof(copy) - n, n, s);

		if (n < 40)
			assert_null(l);
		else
			assert_string_equal(l, n < sizeof(udp6) ? "udp 2001:db8::7"
								: "udp [2001:db8::7]:53");
	}
}

static void test_addresses(void **state)
{
	struct refusal r = {.port = 1};
	char s[IP_STRLEN];

	(void)state;
	assert_int_equal(refusal_parse(gre4, sizeof(gre4), &r), 0);
	assert_string_equal(ip_str(&r.from, s), "10.77.0.2");
	assert_int_equal(r.port, 0);
	assert_int_equal(refusal_parse(udp6, sizeof(udp6), &r), 0);
	assert_string_equal(ip_str(&r.from, s), "fd5c::2");
	assert_int_equal(refusal_parse(version5, 0, &r), -EBADMSG);
	assert_int_equal(r.port, 53); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
