/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text: which bytes pass. Every one-byte text, and the edges of each row of Unicode table 3-7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_bytes(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char s[1] = {(char)c};

		text_clean(s, 1);
		assert_int_equal(s[0], c >= 0x20 && c < 0x7f ? c : '?');
	}
}

static void test_characters(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{"", ""},
		{"plain \"text\"", "plain \"text\""},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xc2\x80", "??"}, /* C1 */
		{"\xc2\x9b", "??"}, /* the one-byte CSI */
		{"\xc1\xbf", "??"}, /* overlong */
		{"\xdf\xbf", "\xdf\xbf"},
		{"\xe0\xa0\x80", "\xe0\xa0\x80"},
		{"\xe0\x9f\xbf", "???"},
		{"\xed\x9f\xbf", "\xed\x9f\xbf"},
		{"\xed\xa0\x80", "???"}, /* surrogate */
		{"\xef\xbf\xbd", "\xef\xbf\xbd"},
		{"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
		{"\xf0\x8f\xbf\xbf", "????"},
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xf4\x90\x80\x80", "????"},
		{"\xf5\x80\x80\x80", "????"},
		{"\xe2\x82", "??"},   /* torn at the end */
		{"\xe2(\xa1", "?(?"}, /* torn in the middle */
		{"\xc3\xa9\n\xc3", "\xc3\xa9??"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char s[32];

		strcpy(s, table[i].in);
		text_clean(s, strlen(s));
		assert_string_equal(s, table[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_characters),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
