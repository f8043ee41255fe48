/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json: getters that say where a document is wrong, what was expected there and what was found. It
 * knows no schema (model/codec does). Depth is bounded by the parser of jansson (2,048 levels),
 * size by the caller; duplicate keys are refused because readers disagree on which one counts (RFC
 * 8259 section 4).
 */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static unsigned int n_failures;

static void *count_malloc(size_t n)
{
	void *p = malloc(n);

	if (!p)
		n_failures++;
	return p;
}

void json_prepare(void)
{
	static bool is_done;
	size_t seed = 0;

	if (is_done)
		return;
	is_done = true;
	json_set_alloc_funcs(count_malloc, free);
	/* Else the library opens /dev/urandom for it. 0, it finds one itself. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = 0;
	json_object_seed(seed);
}

unsigned int json_failures(void)
{
	return n_failures;
}

static const char *type_name(const json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "object",   [JSON_ARRAY] = "array",      [JSON_STRING] = "string",
		[JSON_INTEGER] = "integer", [JSON_REAL] = "real number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",     [JSON_NULL] = "null",
	};

	return v ? names[json_typeof(v)] : "nothing";
}

int json_bad(const char *path, const char *key, struct err *e, const char *what)
{
	return err_invalid(e, ERR_PROTOCOL, "%s%s%s: %s", path, *path && *key ? "." : "", key,
			   what);
}

static int wrong_type(const char *path, const char *key, const char *expected, const json_t *v,
		      struct err *e)
{
	char what[128];

	snprintf(what, sizeof(what), "expected %s, found %s", expected, type_name(v));
	return json_bad(path, key, e, what);
}

/* 0 and the value, 1 when there is none and none is needed, -EINVAL. */
static int get(json_t *obj, const char *path, const char *key, enum json_need need,
	       const char *expected, json_t **ret, struct err *e)
{
	json_t *v = NULL;

	if (!json_is_object(obj))
		return wrong_type(*path ? path : "document", "", "an object", obj, e);
	v = json_object_get(obj, key);
	if (!v || json_is_null(v)) {
		if (need == JSON_OPTIONAL)
			return 1;
		return wrong_type(path, key, expected, v, e);
	}
	*ret = v;
	return 0;
}

int json_get_str(json_t *obj, const char *path, const char *key, enum json_need need,
		 const char **ret, struct err *e)
{
	json_t *v = NULL;
	int r = get(obj, path, key, need, "a string", &v, e);

	if (r != 0)
		return r;
	if (!json_is_string(v))
		return wrong_type(path, key, "a string", v, e);
	*ret = json_string_value(v);
	return 0;
}

int json_get_u64(json_t *obj, const char *path, const char *key, enum json_need need, uint64_t min,
		 uint64_t max, uint64_t *ret, struct err *e)
{
	char expected[80], what[128];
	json_int_t n;
	json_t *v = NULL;
	int r;

	snprintf(expected, sizeof(expected), "an integer %" PRIu64 "..%" PRIu64, min, max);
	r = get(obj, path, key, need, expected, &v, e);
	if (r != 0)
		return r;
	if (!json_is_integer(v))
		return wrong_type(path, key, expected, v, e);
	n = json_integer_value(v);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max) {
		snprintf(what, sizeof(what), "expected %s, found %" JSON_INTEGER_FORMAT, expected,
			 n);
		return json_bad(path, key, e, what);
	}
	*ret = (uint64_t)n;
	return 0;
}

int json_get_bool(json_t *obj, const char *path, const char *key, enum json_need need, bool *ret,
		  struct err *e)
{
	json_t *v = NULL;
	int r = get(obj, path, key, need, "true or false", &v, e);

	if (r != 0)
		return r;
	if (!json_is_boolean(v))
		return wrong_type(path, key, "true or false", v, e);
	*ret = json_is_true(v);
	return 0;
}

int json_get_obj(json_t *obj, const char *path, const char *key, enum json_need need, json_t **ret,
		 struct err *e)
{
	json_t *v = NULL;
	int r = get(obj, path, key, need, "an object", &v, e);

	if (r != 0)
		return r;
	if (!json_is_object(v))
		return wrong_type(path, key, "an object", v, e);
	*ret = v;
	return 0;
}

int json_get_arr(json_t *obj, const char *path, const char *key, enum json_need need, json_t **ret,
		 struct err *e)
{
	json_t *v = NULL;
	int r = get(obj, path, key, need, "an array", &v, e);

	if (r != 0)
		return r;
	if (!json_is_array(v))
		return wrong_type(path, key, "an array", v, e);
	*ret = v;
	return 0;
}

uint64_t json_count(json_t *obj, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(obj, key));

	return n > 0 ? (uint64_t)n : 0;
}

int json_parse(const char *text, size_t len, json_t **ret, struct err *e)
{
	json_error_t why;
	unsigned int before;
	json_t *v = NULL;

	json_prepare();
	before = n_failures;
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	/* The library has other names for it too. */
	if (n_failures != before) {
		json_decref(v);
		return err_sys(e, ENOMEM, "parsing JSON");
	}
	if (!v)
		return err_invalid(e, ERR_PROTOCOL, "line %d, column %d: %s", why.line, why.column,
				   why.text);
	*ret = v;
	return 0;
}

char *json_print(const json_t *v)
{
	unsigned int before;
	char *text;

	json_prepare();
	before = n_failures;
	text = json_dumps(v, JSON_COMPACT);
	if (n_failures == before)
		return text;
	free(text);
	return NULL;
}
