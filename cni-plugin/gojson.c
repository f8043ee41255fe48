/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gojson: JSON as Go reads it; see the header for the rules. Knows no schema. What jansson refuses
 * and Go would take: \u0000 in a string, a lone surrogate, invalid UTF-8, an integer beyond 64 bits
 * where nobody looks, and more than 2,048 levels. What it takes and Go refuses: nothing known.
 */
#include "cni-plugin/gojson.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

int gojson_parse(const char *text, size_t len, json_t **ret, struct fault *f)
{
	unsigned int before;
	json_error_t why;
	json_t *v;

	json_prepare();
	before = json_failures();
	v = json_loadb(text, len, 0, &why);
	if (json_failures() != before) {
		json_decref(v);
		return fault_set(f, FAULT_INTERNAL, "no memory for the configuration");
	}
	if (!v) {
		fault_set(f, FAULT_DECODE, "the configuration is not JSON");
		return fault_details(f, "line %d, column %d: %s", why.line, why.column, why.text);
	}
	if (json_typeof(v) != JSON_OBJECT) {
		gojson_wrong("the configuration", "an object", v, f);
		json_decref(v);
		return -1;
	}
	*ret = v;
	return 0;
}

/* The next character of a key as Go folds it: ASCII without case, and the two letters outside ASCII
 * that fold into it, the long s and the Kelvin sign. */
static int fold(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;

	if (s[0] == 0xc5 && s[1] == 0xbf) {
		*p += 2;
		return 's';
	}
	if (s[0] == 0xe2 && s[1] == 0x84 && s[2] == 0xaa) {
		*p += 3;
		return 'k';
	}
	*p += 1;
	return s[0] >= 'A' && s[0] <= 'Z' ? s[0] + ('a' - 'A') : s[0];
}

bool gojson_is_key(const char *key, const char *field)
{
	while (*key && *field)
		if (fold(&key) != fold(&field))
			return false;
	return !*key && !*field;
}

json_t *gojson_get(json_t *obj, const char *key)
{
	json_t *v, *found = NULL;
	const char *k;

	json_object_foreach(obj, k, v)
	{
		if (!json_is_null(v) && gojson_is_key(k, key))
			found = v;
	}
	return found;
}

bool gojson_has(json_t *obj, const char *key)
{
	const char *k;
	json_t *v;

	json_object_foreach(obj, k, v)
	{
		if (gojson_is_key(k, key))
			return true;
	}
	return false;
}

const char *gojson_path(char out[GOJSON_PATHLEN], const char *path, const char *key, long i)
{
	int n = snprintf(out, GOJSON_PATHLEN, "%s%s%s", path, *path && *key ? "." : "", key);

	if (i >= 0 && n > 0 && n < GOJSON_PATHLEN)
		snprintf(out + n, (size_t)(GOJSON_PATHLEN - n), "[%ld]", i);
	return out;
}

int gojson_wrong(const char *path, const char *what, const json_t *v, struct fault *f)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",    [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a real number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",        [JSON_NULL] = "null",
	};

	fault_set(f, FAULT_DECODE, "%s: a value of the wrong type", path);
	return fault_details(f, "%s: expected %s, found %s", path, what,
			     v ? names[json_typeof(v)] : "nothing");
}

static int wrong(const char *path, const char *key, const char *what, const json_t *v,
		 struct fault *f)
{
	char at[GOJSON_PATHLEN];

	return gojson_wrong(gojson_path(at, path, key, -1), what, v, f);
}

/* 0, 1 absent, -1 of another type. */
static int get(json_t *obj, const char *path, const char *key, json_type type, const char *what,
	       json_t **ret, struct fault *f)
{
	json_t *v = obj ? gojson_get(obj, key) : NULL;

	if (!v)
		return 1;
	if (json_typeof(v) != type)
		return wrong(path, key, what, v, f);
	*ret = v;
	return 0;
}

int gojson_str(json_t *obj, const char *path, const char *key, const char **ret, struct fault *f)
{
	json_t *v;
	int r = get(obj, path, key, JSON_STRING, "a string", &v, f);

	if (r == 0)
		*ret = json_string_value(v);
	return r;
}

int gojson_int(json_t *obj, const char *path, const char *key, int64_t *ret, struct fault *f)
{
	json_t *v;
	int r = get(obj, path, key, JSON_INTEGER, "an integer", &v, f);

	if (r == 0)
		*ret = json_integer_value(v);
	return r;
}

int gojson_range(json_t *obj, const char *path, const char *key, int64_t min, int64_t max,
		 int64_t *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	int64_t n;
	int r = gojson_int(obj, path, key, &n, f);

	if (r != 0)
		return r;
	if (n < min || n > max)
		return fault_set(f, FAULT_CONFIG, "%s: expected %lld..%lld, found %lld",
				 gojson_path(at, path, key, -1), (long long)min, (long long)max,
				 (long long)n);
	*ret = n;
	return 0;
}

int gojson_bool(json_t *obj, const char *path, const char *key, bool *ret, struct fault *f)
{
	json_t *v = obj ? gojson_get(obj, key) : NULL;
	bool is_true;

	if (!v)
		return 1;
	is_true = json_typeof(v) == JSON_TRUE;
	if (!is_true && json_typeof(v) != JSON_FALSE)
		return wrong(path, key, "true or false", v, f);
	*ret = is_true;
	return 0;
}

int gojson_obj(json_t *obj, const char *path, const char *key, json_t **ret, struct fault *f)
{
	return get(obj, path, key, JSON_OBJECT, "an object", ret, f);
}

int gojson_arr(json_t *obj, const char *path, const char *key, json_t **ret, struct fault *f)
{
	return get(obj, path, key, JSON_ARRAY, "an array", ret, f);
}
