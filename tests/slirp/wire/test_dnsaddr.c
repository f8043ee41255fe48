/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of answers: aliases in any order, times to live, other names' records, loops, pointers
 * that lead forwards, records cut short, names that are no names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hex.h"
#include "wire/dnsaddr.h"

#define HEAD "beef 8180 0001 "
/* "a.b", type A: its name is at 12. */
#define QUESTION "0000 0000 01 61 01 62 00 0001 0001 "
#define ASKED "c00c "
#define IN(type, ttl) type " 0001 " ttl " "

static int read_text(const char *text, struct dnsaddr *ret)
{
	uint8_t b[1024], *exact;
	size_t n = hex_bytes(text, b, sizeof(b));
	int r;

	exact = hex_exact(b, n);
	r = dnsaddr_read(exact, n, ret);
	free(exact);
	return r;
}

static void is_address(const struct dnsaddr *a, size_t i, const char *text, uint32_t ttl_s)
{
	struct ip ip = hex_ip(text);

	assert_true(i < a->n);
	assert_true(ip_equal(&a->ip[i], &ip));
	assert_int_equal(a->ttl_s[i], ttl_s);
}

static void test_addresses(void **state)
{
	struct dnsaddr a;

	(void)state;
	assert_int_equal(
		read_text(
			HEAD "0003 " QUESTION ASKED IN("0001", "0000003c") "0004 c0000201 " ASKED
				IN("0001", "00000005") "0004 c0000202 01 41 01 42 00 " IN(
					"001c", "ffffffff") "0010 20010db8000000000000000000000001",
			&a),
		0);
	assert_string_equal(a.name, "a.b");
	assert_int_equal(a.n, 3);
	is_address(&a, 0, "192.0.2.1", 60);
	is_address(&a, 1, "192.0.2.2", 5);
	is_address(&a, 2, "2001:db8::1", 0); /* RFC 2181 8 */
	/* Another's, another class, a length that is none: not these. */
	assert_int_equal(
		read_text(HEAD "0004 " QUESTION "01 63 c00e " IN(
				  "0001", "0000003c") "0004 c0000201 " ASKED
						      "0001 0003 0000003c 0004 c0000202 " ASKED IN(
							      "0001",
							      "0000003c") "0005 c000020300 " ASKED
							      IN("0010", "0000003c") "0002 0161",
			  &a),
		0);
	assert_int_equal(a.n, 0);
}

static void test_aliases(void **state)
{
	struct dnsaddr a;

	(void)state;
	/* d.b's address comes first, then c.b is d.b, then a.b is c.b. */
	assert_int_equal(
		read_text(HEAD "0003 " QUESTION
			       "01 64 c00e " IN("0001", "00000064") "0004 c0000201 01 63 c00e " IN(
				       "0005", "00000032") "0004 0164 c00e " ASKED
				       IN("0005", "00000096") "0004 0163 c00e",
			  &a),
		0);
	assert_string_equal(a.name, "a.b");
	assert_int_equal(a.n, 1);
	is_address(&a, 0, "192.0.2.1", 50);
	/* An alias of itself, and two of each other. */
	assert_int_equal(
		read_text(HEAD "0001 " QUESTION ASKED IN("0005", "00000032") "0002 c00c", &a), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(
		read_text(HEAD "0002 " QUESTION ASKED IN(
				  "0005", "00000032") "0004 0163 c00e "
						      "01 63 c00e " IN("0005",
								       "00000032") "0002 c00c",
			  &a),
		0);
	assert_int_equal(a.n, 0);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"beef 8180 0001",
		"beef 0180 0001 0000 " QUESTION,                      /* a query */
		"beef 8183 0001 0000 " QUESTION,                      /* NXDOMAIN */
		"beef 8180 0000 0000 0000 0000",                      /* no question */
		HEAD "0000 0000 0000 01 61 01 62 00 0001 0003",       /* not of the internet */
		HEAD "0000 0000 0000 03 612e62 00 0001 0001",         /* a dot in a label */
		HEAD "0000 0000 0000 01 2a 00 0001 0001",             /* an asterisk */
		HEAD "0000 0000 0000 00 0001 0001",                   /* the root */
		HEAD "0001 " QUESTION,                                /* no record */
		HEAD "0001 " QUESTION "c015 0001 0001 0000003c 0000", /* at itself */
		HEAD "0001 " QUESTION "c020 0001 0001 0000003c 0000", /* forwards */
		HEAD "0001 " QUESTION "c0",
		HEAD "0001 " QUESTION "40 00 0001 0001 0000003c 0000", /* no such kind of label */
		HEAD "0001 " QUESTION ASKED "0001 0001 0000003c 0005 c0000201", /* cut short */
		HEAD "0001 " QUESTION ASKED "0005 0001 0000003c 0000", /* an alias of nothing */
		HEAD "0001 " QUESTION ASKED "0005 0001 0000003c 0002 c0ff",
	};
	struct dnsaddr a = {.n = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_text(bad[i], &a) != -1)
			fail_msg("%s", bad[i]);
	assert_int_equal(a.n, 77);
}

static void test_many(void **state)
{
	uint8_t b[12 + 9 + 300 * 16] = {0};
	struct dnsaddr a;
	size_t n = hex_bytes(HEAD "012c " QUESTION, b, sizeof(b));

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		n += hex_bytes(ASKED IN("0001", "0000003c") "0004 c6120000", b + n, sizeof(b) - n);
		b[n - 2] = (uint8_t)(i >> 8);
		b[n - 1] = (uint8_t)i;
	}
	assert_int_equal(dnsaddr_read(b, n, &a), 0);
	assert_int_equal(a.n, DNSADDR_MAX);
	is_address(&a, DNSADDR_MAX - 1, "198.18.0.63", 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
