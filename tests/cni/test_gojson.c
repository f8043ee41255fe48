/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gojson: keys as Go matches them, types with their places, limits of documents. */
#include "util.h"

#include "cni-plugin/gojson.h"

static json_t *doc_of(const char *text)
{
	struct fault f = FAULT_INIT;
	char *q = quoted(text);
	json_t *v = NULL;

	if (gojson_parse(q, strlen(q), &v, &f) < 0)
		fail_msg("%s: %s %s", text, f.msg, f.details);
	free(q);
	return v;
}

static int code_of(const char *text, size_t len)
{
	struct fault f = FAULT_INIT;
	json_t *v = NULL;

	assert_int_equal(gojson_parse(text, len, &v, &f), -1);
	assert_null(v);
	return f.code;
}

static void test_documents(void **state)
{
	static const char nul[] = "{\"a\":\"\0\"}", utf8[] = "{\"a\":\"\xff\"}";
	static const char *const bad[] = {"",
					  "{",
					  "[]",
					  "null",
					  "\"x\"",
					  "1",
					  "{} {}",
					  "{'a':1}",
					  "{\"a\":01}",
					  "{\"a\":\"\\u0000\"}",
					  "\xef\xbb\xbf{}"};
	size_t deep = 10000;
	char *text = malloc(6 * deep);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(code_of(bad[i], strlen(bad[i])), FAULT_DECODE);
	assert_int_equal(code_of(nul, sizeof(nul) - 1), FAULT_DECODE);
	assert_int_equal(code_of(utf8, sizeof(utf8) - 1), FAULT_DECODE);
	assert_non_null(text);
	for (size_t i = 0; i < deep; i++)
		memcpy(text + 5 * i, "{\"a\":", 5);
	assert_int_equal(code_of(text, 5 * deep), FAULT_DECODE);
	free(text);
}

static void test_keys(void **state)
{
	CLEAN_JSON json_t *v = doc_of("{'hostPort':1,'HostPort':2,'HOSTIP':null,'hostip':'a',"
				      "'HostIP':null,'only':null,'\xc5\xbf\xe2\x84\xaa':3}");
	const char *s = NULL;
	int64_t n = 0;

	(void)state;
	assert_int_equal(gojson_int(v, "", "hostPort", &n, NULL), 0);
	assert_int_equal(n, 2); /* the later one */
	assert_int_equal(gojson_str(v, "", "hostIP", &s, NULL), 0);
	assert_string_equal(s, "a"); /* null says nothing */
	assert_int_equal(gojson_int(v, "", "sk", &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_true(gojson_has(v, "ONLY"));
	assert_null(gojson_get(v, "only"));
	assert_false(gojson_has(v, "onl"));
	assert_false(gojson_has(v, "hostPorts"));
	n = 7;
	assert_int_equal(gojson_int(v, "", "absent", &n, NULL), 1);
	assert_int_equal(gojson_int(NULL, "", "absent", &n, NULL), 1);
	assert_int_equal(n, 7);
}

static void test_duplicates(void **state)
{
	CLEAN_JSON json_t *v = doc_of("{'a':1,'b':2,'a':'\\u003cx\\u003e'}");
	const char *s = NULL;

	(void)state;
	assert_int_equal(gojson_str(v, "", "a", &s, NULL), 0);
	assert_string_equal(s, "<x>");
}

enum getter { STR, INT, BOOL, OBJ, ARR, N_GETTERS };

static int call_getter(enum getter g, json_t *v, const char *key, struct fault *f)
{
	const char *s;
	int64_t n;
	json_t *j;
	bool b;

	switch (g) {
	case STR:
		return gojson_str(v, "x.y[1]", key, &s, f);
	case INT:
		return gojson_int(v, "x.y[1]", key, &n, f);
	case BOOL:
		return gojson_bool(v, "x.y[1]", key, &b, f);
	case OBJ:
		return gojson_obj(v, "x.y[1]", key, &j, f);
	default:
		return gojson_arr(v, "x.y[1]", key, &j, f);
	}
}

static void test_types(void **state)
{
	CLEAN_JSON json_t *v = doc_of("{'s':'1','i':1,'b':true,'o':{},'a':[],'r':8080.0,'e':1e3}");
	static const char *const keys[] = {"s", "i", "b", "o", "a", "r", "e"};

	(void)state;
	for (int g = 0; g < N_GETTERS; g++)
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			struct fault f = FAULT_INIT;
			char where[32];
			int r = call_getter((enum getter)g, v, keys[k], &f);

			if ((size_t)g == k) {
				assert_int_equal(r, 0);
				continue;
			}
			assert_int_equal(r, -1);
			assert_int_equal(f.code, FAULT_DECODE);
			snprintf(where, sizeof(where), "x.y[1].%s: expected", keys[k]);
			MUST_HAVE(f.details, where);
		}
}

static void test_range(void **state)
{
	CLEAN_JSON json_t *v = doc_of("{'low':-1,'high':70000,'in':65535}");
	struct fault f = FAULT_INIT;
	int64_t n = 0;

	(void)state;
	assert_int_equal(gojson_range(v, "", "in", 0, 65535, &n, &f), 0);
	assert_int_equal(n, 65535);
	assert_int_equal(gojson_range(v, "p", "low", 0, 65535, &n, &f), -1);
	assert_int_equal(f.code, FAULT_CONFIG);
	MUST_HAVE(f.msg, "p.low: expected 0..65535, found -1");
	assert_int_equal(gojson_range(v, "", "high", 0, 65535, &n, &f), -1);
	assert_int_equal(f.code, FAULT_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),  cmocka_unit_test(test_keys),
		cmocka_unit_test(test_duplicates), cmocka_unit_test(test_types),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
