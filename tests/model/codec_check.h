/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_check: what the tests of the codec share: documents from text, changed at one place. */
#ifndef TESTS_MODEL_CODEC_CHECK_H
#define TESTS_MODEL_CODEC_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static inline json_t *parse(const char *text)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	if (json_parse(text, strlen(text), &v, &e) != 0)
		fail_msg("%s", e.text);
	return v;
}

static inline void check_dump(json_t *doc, const char *text)
{
	char *s;

	assert_non_null(doc);
	s = json_dumps(doc, JSON_COMPACT);
	assert_non_null(s);
	assert_string_equal(s, text);
	free(s);
	json_decref(doc);
}

/* Puts the JSON text value (NULL: removes) at a place such as "addresses[0].gateway". */
static inline void patch(json_t *doc, const char *place, const char *value)
{
	char copy[64], *key = copy, *dot, *bracket;
	json_error_t why;
	json_t *v = NULL;

	if (value) {
		v = json_loads(value, JSON_DECODE_ANY, &why);
		assert_non_null(v);
	}
	snprintf(copy, sizeof(copy), "%s", place);
	dot = strchr(copy, '.');
	bracket = strchr(copy, '[');
	if (bracket) {
		size_t i = strtoul(bracket + 1, NULL, 10);

		*bracket = '\0';
		doc = json_object_get(doc, copy);
		assert_non_null(doc);
		if (!dot) {
			assert_int_equal(json_array_size(doc) == i ? json_array_append_new(doc, v)
								   : json_array_set_new(doc, i, v),
					 0);
			return;
		}
		doc = json_array_get(doc, i);
		key = dot + 1;
		assert_non_null(doc);
	}
	if (v)
		assert_int_equal(json_object_set_new(doc, key, v), 0);
	else
		assert_int_equal(json_object_del(doc, key), 0);
}

struct wrong {
	const char *place, *value; /* NULL: absent */
	const char *text;          /* what follows "PLACE: ", or all when it begins with '=' */
};

static inline void check_text(const struct wrong *w, const struct err *e)
{
	size_t len = strlen(w->place);

	assert_int_equal(e->kind, ERR_PROTOCOL);
	if (w->text[0] == '=') {
		if (strncmp(e->text, w->text + 1, strlen(w->text + 1)) != 0)
			fail_msg("%s = %s: %s", w->place, w->value, e->text);
	} else if (strncmp(e->text, w->place, len) != 0 || strncmp(e->text + len, ": ", 2) != 0 ||
		   !strstr(e->text + len + 2, w->text)) {
		fail_msg("%s = %s: %s", w->place, w->value ? w->value : "(absent)", e->text);
	}
}

#endif
