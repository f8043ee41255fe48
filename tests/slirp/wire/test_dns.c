/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns: headers and questions, names as hostile senders write them, answers of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/dns.h"

#include "hex.h"

#define HEAD "beef 0100 0001 0000 0000 0000 "
#define EXAMPLE "07 6578616d706c65 03 636f6d 00 " /* example.com */

static int parse(const char *text, struct dns *ret)
{
	static uint8_t b[512];
	size_t n = hex_bytes(text, b, sizeof(b));
	uint8_t *copy = hex_exact(b, n);
	int r = dns_parse(copy, n, ret);

	if (r == 0 && ret->question)
		ret->question = b + (ret->question - copy);
	free(copy);
	return r;
}

static void test_parse(void **state)
{
	struct dns d;

	(void)state;
	assert_int_equal(parse(HEAD EXAMPLE "001c 0001", &d), 0);
	assert_int_equal(d.id, 0xbeef);
	assert_true(d.is_recursion && !d.is_response && !d.is_truncated);
	assert_int_equal(d.opcode, 0);
	assert_int_equal(d.rcode, 0);
	assert_int_equal(d.qtype, DNS_TYPE_AAAA);
	assert_int_equal(d.qclass, DNS_CLASS_IN);
	assert_int_equal(d.name_len, 13);
	assert_hex(d.question, d.question_len, EXAMPLE "001c 0001");
	assert_true(dns_name_is(&d, "example.com"));
	assert_int_equal(parse("0001 8783 0001 0000 0000 0000" EXAMPLE "0001 0001", &d), 0);
	assert_true(d.is_response && d.is_truncated && d.is_recursion);
	assert_int_equal(d.rcode, 3);
	assert_int_equal(parse("0001 2800 0000 0000 0000 0000", &d), 0);
	assert_int_equal(d.opcode, 5);
	assert_int_equal(d.n_questions, 0);
	assert_int_equal(d.question_len, 0);
	assert_int_equal(parse(HEAD "00 0002 0001", &d), 0); /* the root */
	assert_int_equal(d.name_len, 1);
	assert_true(dns_name_is(&d, ""));
	assert_int_equal(parse("", &d), -1);
	assert_int_equal(parse("beef 0100 0001 0000 0000 00", &d), -1);
}

static void test_bad_questions(void **state)
{
	static const char *const table[] = {
		HEAD,
		HEAD "00",
		HEAD "00 0001 00",
		HEAD "03 6162",
		HEAD "03 616263",
		HEAD "03 616263 0001 0001", /* "root" is cut off by the end */
		HEAD "c00c 0001 0001",      /* a pointer to itself */
		HEAD "0161 c00c 0001 0001",
		HEAD "40 00 0001 0001", /* reserved label types */
		HEAD "80 00 0001 0001",
		HEAD "ff",
		"beef 0100 0002 0000 0000 0000" EXAMPLE "0001 0001" EXAMPLE "0001 0001",
		"beef 0100 ffff 0000 0000 0000" EXAMPLE "0001 0001",
	};
	uint8_t b[12 + 300];
	struct dns d;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(parse(table[i], &d), 0);
		if (d.question_len != 0)
			fail_msg("%s", table[i]);
	}
	/* Names of 255 and of 256 bytes. */
	for (size_t last = 61; last <= 62; last++) {
		n = hex_bytes(HEAD, b, sizeof(b));
		for (size_t i = 0; i < 4; i++) {
			size_t label = i < 3 ? 63 : last;

			b[n++] = (uint8_t)label;
			memset(b + n, 'a', label);
			n += label;
		}
		memcpy(b + n, "\0\0\1\0\1", 5);
		assert_int_equal(dns_parse(b, n + 5, &d), 0);
		assert_int_equal(d.name_len, last == 61 ? 255 : 0);
	}
}

static void test_names(void **state)
{
	struct dns d;

	(void)state;
	assert_int_equal(parse(HEAD
			       "04 484f5354 0a 636f6e7461696e657273 08 696e7465726e616c 00 0001 "
			       "0001",
			       &d),
			 0);
	assert_true(dns_name_is(&d, "host.containers.internal")); /* case */
	assert_false(dns_name_is(&d, "host.containers.interna"));
	assert_false(dns_name_is(&d, "host.containers.internal.x"));
	assert_false(dns_name_is(&d, "host.containers"));
	assert_false(dns_name_is(&d, "ost.containers.internal"));
	assert_false(dns_name_is(&d, ""));
	/* A dot inside a label is no border. */
	assert_int_equal(parse(HEAD
			       "0f 686f73742e636f6e7461696e657273 08 696e7465726e616c 00 0001 0001",
			       &d),
			 0);
	assert_false(dns_name_is(&d, "host.containers.internal"));
	assert_int_equal(parse(HEAD "ff", &d), 0);
	assert_false(dns_name_is(&d, ""));
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} table[] = {
		{EXAMPLE "0001 0001", EXAMPLE "0001 0001", true},
		{EXAMPLE "0001 0001", "07 4558616d706c65 03 634f6d 00 0001 0001", true},
		{EXAMPLE "0001 0001", EXAMPLE "001c 0001", false},
		{EXAMPLE "0041 0001", EXAMPLE "0061 0001", false}, /* types have no case */
		{EXAMPLE "0001 0001", "07 6578616d706c66 03 636f6d 00 0001 0001", false},
		{EXAMPLE "0001 0001", "03 636f6d 00 0001 0001", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t a[64], b[64];
		size_t n = hex_bytes(table[i].a, a, sizeof(a)),
		       m = hex_bytes(table[i].b, b, sizeof(b));

		assert_int_equal(dns_question_equal(a, n, b, m), table[i].want);
	}
	assert_false(dns_question_equal((const uint8_t *)"", 0, (const uint8_t *)"", 0));
}

static void test_answers(void **state)
{
	uint8_t out[DNS_ANSWER_MAX];
	struct ip none = {0}, v4 = hex_ip("10.0.2.2"), v6 = hex_ip("fd00::2");
	struct dns d;
	size_t n;

	(void)state;
	assert_int_equal(parse(HEAD EXAMPLE "0001 0001", &d), 0);
	n = dns_build_answer(out, &d, DNS_RCODE_OK, &v4, 60);
	assert_hex(out, n,
		   "beef 8180 0001 0001 0000 0000" EXAMPLE
		   "0001 0001 c00c 0001 0001 0000003c 0004 0a000202");
	n = dns_build_answer(out, &d, DNS_RCODE_OK, &v6, 60);
	assert_hex(out, n,
		   "beef 8180 0001 0001 0000 0000" EXAMPLE
		   "0001 0001 c00c 001c 0001 0000003c 0010 fd000000000000000000000000000002");
	n = dns_build_answer(out, &d, DNS_RCODE_FAILED, &none, 0);
	assert_hex(out, n, "beef 8182 0001 0000 0000 0000" EXAMPLE "0001 0001");
	dns_set_id(out, 0x1234);
	assert_hex(out, 2, "1234");
	assert_int_equal(parse("0007 2800 0002 0000 0000 0000", &d), 0);
	n = dns_build_answer(out, &d, DNS_RCODE_UNKNOWN, &none, 0);
	assert_hex(out, n, "0007 a884 0000 0000 0000 0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),   cmocka_unit_test(test_bad_questions),
		cmocka_unit_test(test_names),   cmocka_unit_test(test_equal),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
