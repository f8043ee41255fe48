/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg: queries with and without EDNS, hostile ones, names and reverse names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "names/msg.h"

#include "hex.h"

#define QUERY "beef 0100 0001 0000 0000 "
#define WEB "03 776562 00 0001 0001 "

static int parse(const char *text, struct msg *ret)
{
	uint8_t b[4096];
	size_t n = hex_bytes(text, b, sizeof(b));
	uint8_t *copy = hex_exact(b, n);
	int r = msg_parse(copy, n, ret);

	free(copy);
	return r;
}

static void test_plain(void **state)
{
	struct msg m;

	(void)state;
	assert_int_equal(parse(QUERY "0000" WEB, &m), 0);
	assert_int_equal(m.dns.question_len, 9);
	assert_false(m.has_opt);
	assert_int_equal(parse(QUERY "0001" WEB "00 0029 04d0 00008000 0000", &m), 0);
	assert_true(m.has_opt && m.wants_dnssec);
	assert_int_equal(m.opt_size, 1232);
	assert_int_equal(m.opt_version, 0);
	assert_int_equal(parse(QUERY "0001" WEB "00 0029 1000 00030000 0004 000a0000", &m), 0);
	assert_int_equal(m.opt_version, 3);
	/* Other records pass: a signature, with a name that ends in a pointer. */
	assert_int_equal(parse(QUERY "0001" WEB "0161 c00c 00fa 00ff 00000000 0001 ff", &m), 0);
	assert_int_equal(m.dns.question_len, 9);
	assert_false(m.has_opt);
}

static void test_hostile(void **state)
{
	static const char *const bad[] = {
		QUERY "0000",
		QUERY "0000 c00c 0001 0001",
		QUERY "0001" WEB,
		QUERY "0001" WEB "c0",
		QUERY "0001" WEB "00 0029 04d0 00000000",
		QUERY "0001" WEB "00 0029 04d0 00000000 0001",
		QUERY "0001" WEB "0161 00 0029 04d0 00000000 0000", /* not the root's */
		QUERY "0002" WEB "00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000",
		QUERY "ffff" WEB "00 0029 04d0 00000000 0000",
		"beef 0100 0001 0001 0000 0000" WEB "00 0029 04d0 00000000 0000", /* as an answer */
		"beef 0100 0001 ffff ffff 0000" WEB,
		"beef 0100 0002 0000 0000 0000" WEB WEB,
		QUERY "0001" WEB "41",
		QUERY "0001" WEB "3f 61",
	};
	struct msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], &m), 0);
		assert_int_equal(m.dns.question_len, 0);
		assert_int_equal(m.dns.name_len, 0);
	}
	assert_int_equal(parse("beef", &m), -1);
	assert_int_equal(parse("beef 8100 0001 0000 0000 0000" WEB, &m), -1);
}

static void test_too_long(void **state)
{
	uint8_t b[MSG_QUERY_MAX + 1] = {0};
	struct msg m;
	size_t n = hex_bytes(QUERY "0000" WEB, b, sizeof(b));

	(void)state;
	assert_int_equal(msg_parse(b, n, &m), 0);
	assert_int_equal(m.dns.question_len, 9);
	assert_int_equal(msg_parse(b, sizeof(b), &m), 0);
	assert_int_equal(m.dns.question_len, 0);
}

static void test_text(void **state)
{
	uint8_t w[DNS_NAME_MAX];
	char text[300];

	(void)state;
	assert_int_equal(msg_name_of_text("web", w), 5);
	assert_memory_equal(w, "\3web", 5);
	assert_int_equal(msg_name_of_text("Db.Prod.", w), 9);
	assert_memory_equal(w, "\2db\4prod", 9);
	assert_int_equal(msg_name_of_text("", w), 0);
	assert_int_equal(msg_name_of_text(".", w), 0);
	assert_int_equal(msg_name_of_text("a..b", w), 0);
	memset(text, 'x', sizeof(text));
	text[64] = '\0';
	assert_int_equal(msg_name_of_text(text, w), 0);
	text[63] = '\0';
	assert_int_equal(msg_name_of_text(text, w), 65);
	memset(text, 'x', sizeof(text));
	for (size_t i = 63; i < sizeof(text); i += 64)
		text[i] = '.';
	text[253] = '\0';
	assert_int_equal(msg_name_of_text(text, w), 255);
	text[253] = 'x';
	text[254] = '\0';
	assert_int_equal(msg_name_of_text(text, w), 0);
}

static bool reverse(const char *text, struct prefix *ret)
{
	uint8_t w[DNS_NAME_MAX];
	size_t n = msg_name_of_text(text, w);

	assert_true(n > 0);
	return msg_reverse(w, n, ret);
}

static void test_reverse(void **state)
{
	struct prefix p;
	char s[PREFIX_STRLEN];

	(void)state;
	assert_true(reverse("2.0.77.10.in-addr.arpa", &p));
	assert_string_equal(prefix_str(&p, s), "10.77.0.2/32");
	assert_true(reverse("77.10.IN-ADDR.arpa", &p));
	assert_string_equal(prefix_str(&p, s), "10.77.0.0/16");
	assert_true(reverse(
		"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.e.d.0.9.a.3.f.1.0.0.c.5.c.0.d.F.ip6.arpa", &p));
	assert_string_equal(prefix_str(&p, s), "fd0c:5c00:1f3a:90de::2/128");
	assert_true(reverse("c.5.d.f.ip6.arpa", &p));
	assert_string_equal(prefix_str(&p, s), "fd5c::/16");
	assert_false(reverse("in-addr.arpa", &p));
	assert_false(reverse("ip6.arpa", &p));
	assert_false(reverse("256.1.1.1.in-addr.arpa", &p));
	assert_false(reverse("01.1.1.1.in-addr.arpa", &p));
	assert_false(reverse("1.1.1.1.1.in-addr.arpa", &p));
	assert_false(reverse("x.1.1.1.in-addr.arpa", &p));
	assert_false(reverse("g.ip6.arpa", &p));
	assert_false(reverse("10.ip6.arpa", &p));
	assert_false(reverse("1.in-addr.arpa.example", &p));
	assert_false(reverse("web", &p));
	assert_false(reverse("1.1.example.arpa", &p));
}

/* A name that ends early, or has more labels than any of the zones. */
static void test_reverse_cut(void **state)
{
	uint8_t w[DNS_NAME_MAX];
	struct prefix p;
	char text[100] = "";
	size_t n = msg_name_of_text("2.0.77.10.in-addr.arpa", w);

	(void)state;
	for (size_t len = 0; len < n; len++)
		assert_false(msg_reverse(w, len, &p));
	assert_true(msg_reverse(w, n, &p));
	for (size_t i = 0; i < 33; i++)
		memcpy(text + 2 * i, "1.", 3);
	strcpy(text + 64, "ip6.arpa");
	assert_true(reverse(text, &p));
	strcpy(text + 64, "1.ip6.arpa");
	assert_false(reverse(text, &p));
	strcpy(text + 66, "1.1.ip6.arpa");
	assert_false(reverse(text, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),    cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_text),
		cmocka_unit_test(test_reverse),  cmocka_unit_test(test_reverse_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
