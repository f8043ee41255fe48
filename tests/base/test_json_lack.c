/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json: without memory. A document is read, and printed, as a whole or not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "lack.h"

static const char text[] = "{\"a\":[1,2.5,\"\\\"long\\\" enough for a second buffer\",true,null],"
			   "\"b\":{\"c\":{}},\"d\":-9223372036854775808}";

static void test_reading(void **state)
{
	bool has_failed = true;

	(void)state;
	for (int for_good = 0; for_good < 2; for_good++, has_failed = true)
		for (size_t nth = 1; has_failed; nth++) {
			CLEAN_JSON json_t *v = NULL;
			struct err e = ERR_INIT;
			int r;

			lack_begin(nth, for_good);
			r = json_parse(text, strlen(text), &v, &e);
			has_failed = lack_end();
			assert_int_equal(v != NULL, r == 0);
			assert_int_equal(r, has_failed ? -ENOMEM : 0);
			assert_int_equal(e.kind, has_failed ? ERR_INTERNAL : ERR_NONE);
		}
}

static void test_printing(void **state)
{
	CLEAN_JSON json_t *v = NULL;
	bool has_failed = true;
	size_t nth;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &v, NULL), 0);
	for (nth = 1; has_failed; nth++) {
		char *s;

		lack_begin(nth, false);
		s = json_print(v);
		has_failed = lack_end();
		if (has_failed)
			assert_null(s);
		else
			assert_string_equal(s, text);
		free(s);
	}
	assert_true(nth > 3);
	assert_null(json_print(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_printing),
	};

	json_prepare();
	return cmocka_run_group_tests_name("json without memory", tests, NULL, NULL);
}
