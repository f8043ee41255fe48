/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json: every getter against every type with its path, ranges, duplicates, depth and size of
 * documents.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

static json_t *parse(const char *text)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_int_equal(json_parse(text, strlen(text), &v, &e), 0);
	return v;
}

enum getter { STR, U64, BOOL, OBJ, ARR };

static int call(enum getter g, json_t *obj, const char *path, const char *key, enum json_need need,
		struct err *e)
{
	const char *s;
	uint64_t n;
	json_t *v;
	bool b;

	switch (g) {
	case STR:
		return json_get_str(obj, path, key, need, &s, e);
	case U64:
		return json_get_u64(obj, path, key, need, 0, 65535, &n, e);
	case BOOL:
		return json_get_bool(obj, path, key, need, &b, e);
	case OBJ:
		return json_get_obj(obj, path, key, need, &v, e);
	case ARR:
		return json_get_arr(obj, path, key, need, &v, e);
	}
	return 99;
}

static void test_types(void **state)
{
	static const char *const expected[] = {
		[STR] = "a string",       [U64] = "an integer 0..65535",
		[BOOL] = "true or false", [OBJ] = "an object",
		[ARR] = "an array",
	};
	static const struct {
		const char *key, *found;
		int good; /* the getter that takes it, or -1 */
	} values[] = {
		{"s", "string", STR}, {"i", "integer", U64}, {"r", "real number", -1},
		{"t", "true", BOOL},  {"f", "false", BOOL},  {"o", "object", OBJ},
		{"a", "array", ARR},
	};
	CLEAN_JSON json_t *doc = parse("{\"s\":\"x\",\"i\":1,\"r\":1.0,\"t\":true,\"f\":false,"
				       "\"o\":{},\"a\":[],\"n\":null}");

	(void)state;
	for (int g = STR; g <= ARR; g++) {
		char text[128];
		struct err e;

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			bool is_good = values[i].good == g;

			for (int need = JSON_OPTIONAL; need <= JSON_REQUIRED; need++) {
				err_reset(&e);
				assert_int_equal(call(g, doc, "at[2]", values[i].key, need, &e),
						 is_good ? 0 : -EINVAL);
				if (is_good)
					continue;
				snprintf(text, sizeof(text), "at[2].%s: expected %s, found %s",
					 values[i].key, expected[g], values[i].found);
				assert_string_equal(e.text, text);
				assert_int_equal(e.kind, ERR_PROTOCOL);
			}
		}
		assert_int_equal(call(g, doc, "", "none", JSON_OPTIONAL, &e), 1);
		assert_int_equal(call(g, doc, "", "n", JSON_OPTIONAL, &e), 1);
		assert_int_equal(call(g, doc, "", "S", JSON_OPTIONAL, &e), 1); /* exact case */
		assert_int_equal(call(g, doc, "", "none", JSON_REQUIRED, &e), -EINVAL);
		snprintf(text, sizeof(text), "none: expected %s, found nothing", expected[g]);
		assert_string_equal(e.text, text);
		assert_int_equal(call(g, doc, "", "n", JSON_REQUIRED, &e), -EINVAL);
		snprintf(text, sizeof(text), "n: expected %s, found null", expected[g]);
		assert_string_equal(e.text, text);
		/* What should hold the key is no object. */
		assert_int_equal(call(g, json_object_get(doc, "a"), "p", "k", JSON_OPTIONAL, &e),
				 -EINVAL);
		assert_string_equal(e.text, "p: expected an object, found array");
		assert_int_equal(call(g, NULL, "", "k", JSON_OPTIONAL, &e), -EINVAL);
		assert_string_equal(e.text, "document: expected an object, found nothing");
	}
}

static void test_values(void **state)
{
	CLEAN_JSON json_t *doc =
		parse("{\"s\":\"v\",\"t\":true,\"f\":false,\"o\":{\"k\":7},\"a\":[1,2]}");
	struct err e = ERR_INIT;
	const char *s = NULL;
	bool b = false;
	json_t *v;
	uint64_t n = 9;

	(void)state;
	assert_int_equal(json_get_str(doc, "", "s", JSON_REQUIRED, &s, &e), 0);
	assert_string_equal(s, "v");
	assert_int_equal(json_get_bool(doc, "", "t", JSON_REQUIRED, &b, &e), 0);
	assert_true(b);
	assert_int_equal(json_get_bool(doc, "", "f", JSON_REQUIRED, &b, &e), 0);
	assert_false(b);
	assert_int_equal(json_get_obj(doc, "", "o", JSON_REQUIRED, &v, &e), 0);
	assert_int_equal(json_get_u64(v, "o", "k", JSON_REQUIRED, 0, 9, &n, &e), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_get_arr(doc, "", "a", JSON_REQUIRED, &v, &e), 0);
	assert_int_equal(json_array_size(v), 2);
	/* Absent and optional: what was there stays. */
	assert_int_equal(json_get_u64(doc, "", "zz", JSON_OPTIONAL, 0, 9, &n, &e), 1);
	assert_int_equal(n, 7);
	assert_int_equal(e.kind, ERR_NONE);
}

static void test_ranges(void **state)
{
	static const struct {
		const char *doc;
		uint64_t min, max;
		int r;
		uint64_t v;
	} table[] = {
		{"{\"n\":5}", 5, 5, 0, 5},
		{"{\"n\":4}", 5, 6, -EINVAL, 0},
		{"{\"n\":7}", 5, 6, -EINVAL, 0},
		{"{\"n\":-1}", 0, UINT64_MAX, -EINVAL, 0},
		{"{\"n\":-9223372036854775808}", 0, UINT64_MAX, -EINVAL, 0},
		{"{\"n\":9223372036854775807}", 0, UINT64_MAX, 0, INT64_MAX},
		{"{\"n\":0}", 0, 0, 0, 0},
		{"{\"n\":1e2}", 0, 1000, -EINVAL, 0},
		{"{\"n\":\"5\"}", 0, 1000, -EINVAL, 0},
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_JSON json_t *doc = parse(table[i].doc);
		uint64_t v = 4711;

		assert_int_equal(json_get_u64(doc, "", "n", JSON_REQUIRED, table[i].min,
					      table[i].max, &v, &e),
				 table[i].r);
		assert_int_equal(v, table[i].r == 0 ? table[i].v : 4711);
	}
	assert_string_equal(e.text, "n: expected an integer 0..1000, found string");
}

static void test_documents(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"{",
		"}",
		"{}{}",
		"{} x",
		"[1,]",
		"{\"a\":1,\"a\":2}",
		"{\"a\":{\"b\":1,\"b\":1}}",
		"{\"a\":99999999999999999999}",
		"{\"a\":01}",
		"{'a':1}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\n\"}",
		"nul",
		"5",
		"\"s\"",
		"\xef\xbb\xbf{}",
	};
	struct err e = ERR_INIT;
	json_t *v = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err_reset(&e);
		assert_int_equal(json_parse(wrong[i], strlen(wrong[i]), &v, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_memory_equal(e.text, "line ", 5);
		assert_null(v);
	}
	/* Not one byte beyond len is looked at. */
	assert_int_equal(json_parse("{}garbage", 2, &v, &e), 0);
	assert_true(json_is_object(v));
	json_decrefp(&v);
	assert_null(v);
	json_decrefp(&v);
	assert_int_equal(json_parse("{\n  \"a\": x}", 11, &v, &e), -EINVAL);
	assert_non_null(strstr(e.text, "line 2, column"));
}

static void test_count(void **state)
{
	CLEAN_JSON json_t *v = parse("{\"n\":7,\"big\":9223372036854775807,\"minus\":-1,"
				     "\"real\":1.5,\"text\":\"3\",\"none\":null}");
	static const char *const nothing[] = {"minus", "real", "text", "none", "absent"};

	(void)state;
	assert_int_equal(json_count(v, "n"), 7);
	assert_int_equal(json_count(v, "big"), INT64_MAX);
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		assert_int_equal(json_count(v, nothing[i]), 0);
	assert_int_equal(json_count(NULL, "n"), 0);
	assert_int_equal(json_count(json_object_get(v, "n"), "n"), 0);
}

static void test_depth_and_size(void **state)
{
	enum { DEPTH = 1000000 };
	CLEAN_BUF struct buf big = BUF_INIT;
	CLEAN_JSON json_t *v = NULL, *wide = NULL;
	struct err e = ERR_INIT;
	char *deep = malloc(2 * DEPTH);

	(void)state;
	memset(deep, '[', DEPTH);
	memset(deep + DEPTH, ']', DEPTH);
	assert_int_equal(json_parse(deep, 2 * DEPTH, &v, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	for (size_t i = 0; i < DEPTH; i++)
		memcpy(deep + 2 * i, "[{" + i % 2, 1);
	assert_int_equal(json_parse(deep, 2 * DEPTH, &v, &e), -EINVAL);
	/* A thousand levels are nothing to fear. */
	memset(deep, '[', 1000);
	memset(deep + 1000, ']', 1000);
	assert_int_equal(json_parse(deep, 2000, &v, &e), 0);
	free(deep);

	buf_add(&big, "[", 1);
	for (int i = 0; i < 100000; i++)
		buf_printf(&big, "%s%d", i ? "," : "", i);
	buf_add(&big, "]", 1);
	assert_int_equal(json_parse(big.p, big.len, &wide, &e), 0);
	assert_int_equal(json_array_size(wide), 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),          cmocka_unit_test(test_values),
		cmocka_unit_test(test_ranges),         cmocka_unit_test(test_documents),
		cmocka_unit_test(test_depth_and_size), cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
