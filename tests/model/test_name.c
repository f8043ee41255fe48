/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name: every byte at the first and at a later place, every length, reserved words, keys, derived
 * names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/name.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

typedef int (*check_fn)(const char *s, const char *what, struct err *e);

static const struct {
	check_fn check;
	size_t max;
} kinds[] = {
	{name_check_id, ID_MAX},
	{name_check_ifname, IFNAME_MAX},
	{name_check_network, NETNAME_MAX},
};

static bool is_alnum(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void expect(check_fn check, const char *s, bool is_good)
{
	struct err e = ERR_INIT;

	if (is_good) {
		assert_int_equal(check(s, "the name", &e), 0);
		assert_int_equal(e.kind, ERR_NONE);
		return;
	}
	assert_int_equal(check(s, "the name", &e), -EINVAL);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_memory_equal(e.text, "the name: ", 10);
}

static void test_bytes(void **state)
{
	(void)state;
	for (size_t k = 0; k < N(kinds); k++) {
		expect(kinds[k].check, "", false); /* byte 0 */
		for (int c = 1; c < 256; c++) {
			char first[] = {(char)c, 'x', '\0'}, middle[] = {'x', (char)c, 'x', '\0'};
			char last[] = {'x', (char)c, '\0'};
			bool is_inner = is_alnum(c) || c == '_' || c == '.' || c == '-';

			expect(kinds[k].check, first, is_alnum(c));
			expect(kinds[k].check, middle, is_inner);
			expect(kinds[k].check, last, is_inner);
		}
	}
}

static void test_lengths(void **state)
{
	char s[300];

	(void)state;
	for (size_t k = 0; k < N(kinds); k++) {
		for (size_t len = 1; len < sizeof(s); len++) {
			memset(s, 'a', len);
			s[len] = '\0';
			expect(kinds[k].check, s, len <= kinds[k].max);
		}
	}
}

static void test_words(void **state)
{
	static const char *const hostile[] = {".",     "..",  "../x", "a/b",      "a b", "a\nb",
					      "eth%d", "a;b", "a}b",  "a\"b",     "a@b", "a:b",
					      "-p",    "_x",  "a\tb", "\xc3\xa9", "a*"};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t k = 0; k < N(kinds); k++)
		for (size_t i = 0; i < N(hostile); i++)
			expect(kinds[k].check, hostile[i], false);
	expect(name_check_ifname, "all", false);
	expect(name_check_ifname, "default", false);
	expect(name_check_ifname, "lo", false);
	expect(name_check_ifname, "lo0", true);
	expect(name_check_ifname, "ALL", true);
	expect(name_check_id, "all", true);
	expect(name_check_network, "default", true);
	expect(name_check_network, "a..b", true);
	(void)name_check_ifname("lo", "--ifname", &e);
	assert_string_equal(e.text, "--ifname: \"lo\" is a reserved interface name");
	(void)name_check_id("a\nb", "container id", &e);
	assert_string_equal(e.text,
			    "container id: expected 1..100 of A-Z a-z 0-9 _ . - beginning with a "
			    "letter or digit, found \"a?b\"");
}

static void test_paths(void **state)
{
	char s[300];

	(void)state;
	expect(name_check_path, "", false);
	for (int c = 1; c < 256; c++) {
		char path[] = {'/', (char)c, '\0'};

		expect(name_check_path, path, c >= 0x20 && c < 0x7f && !strchr("\"'`\\", c));
	}
	for (size_t len = 1; len < sizeof(s); len++) {
		memset(s, '/', len);
		s[len] = '\0';
		expect(name_check_path, s, len <= NAME_PATH_MAX);
	}
}

static void test_keys(void **state)
{
	static const char *const wrong[] = {
		"",
		"@",
		"a@",
		"@a",
		"a",
		"a@b@c",
		"a@lo",
		"a@all",
		"a@default",
		".a@eth0",
		"a/@eth0",
		"a@eth0 ",
		"a@sixteen-bytes-ab",
		"a@eth/0",
		"..@..",
		"a@eth0\n",
	};
	char longest[KEY_STRLEN], key[KEY_STRLEN], id[ID_STRLEN] = "kept",
						   ifname[IFNAME_STRLEN] = "kept";
	char big[ID_STRLEN + 1];

	(void)state;
	for (size_t i = 0; i < N(wrong); i++) {
		assert_int_equal(name_parse_key(wrong[i], id, ifname), -EINVAL);
		assert_string_equal(id, "kept");
		assert_string_equal(ifname, "kept");
	}
	name_key("web", "eth0", key);
	assert_string_equal(key, "web@eth0");
	assert_int_equal(name_parse_key(key, id, ifname), 0);
	assert_string_equal(id, "web");
	assert_string_equal(ifname, "eth0");

	memset(longest, 'a', sizeof(longest));
	longest[ID_MAX] = '@';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(name_parse_key(longest, id, ifname), 0);
	assert_int_equal(strlen(id), ID_MAX);
	assert_int_equal(strlen(ifname), IFNAME_MAX);
	name_key(id, ifname, key);
	assert_string_equal(key, longest);
	memset(big, 'a', ID_MAX + 1);
	big[ID_MAX + 1] = '\0';
	snprintf(longest, sizeof(longest), "%s@e", big);
	assert_int_equal(name_parse_key(longest, id, ifname), -EINVAL);
}

/* They are in the kernel and on disk of running hosts: pinned. */
static void test_derived(void **state)
{
	char a[IFNAME_STRLEN], b[IFNAME_STRLEN], c[IFNAME_STRLEN], id[ID_STRLEN];

	(void)state;
	name_host_ifname("web", "eth0", a);
	assert_string_equal(a, "nu6c69c9b153482");
	name_host_ifname("web", "eth1", b);
	name_host_ifname("web2", "eth0", c);
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
	memset(id, 'z', ID_MAX);
	id[ID_MAX] = '\0';
	name_host_ifname(id, "fifteen-bytes-0", b);
	assert_int_equal(strlen(b), 15);

	name_ifb("web", "eth0", a);
	assert_string_equal(a, "ni6c69c9b153482");
	expect(name_check_ifname, a, true);

	name_bridge("default", a);
	assert_string_equal(a, "nb-default");
	name_bridge("twelve-bytes", a);
	assert_string_equal(a, "nb-twelve-bytes");
	name_bridge("thirteen-byte", a);
	name_bridge("thirteen-bytf", b);
	assert_int_equal(strlen(a), 15);
	assert_memory_equal(a, "nb-", 3);
	assert_int_equal(strspn(a + 3, "0123456789abcdef"), 12);
	assert_string_not_equal(a, b);
	expect(name_check_ifname, a, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_words), cmocka_unit_test(test_paths),
		cmocka_unit_test(test_keys),  cmocka_unit_test(test_derived),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
