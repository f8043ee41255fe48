/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gojson: getters over jansson that read an object as Go's encoding/json fills a struct, because
 * every runtime writes for that reader: keys match without regard to case, of several that match
 * the later one counts, null leaves a field alone, integers have no fraction and no exponent, and
 * unknown keys are nobody's business. A value of the wrong type is FAULT_DECODE with the place.
 */
#ifndef CNI_PLUGIN_GOJSON_H
#define CNI_PLUGIN_GOJSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "cni-plugin/fault.h"

#define GOJSON_PATHLEN 128

/* One JSON object and nothing behind it. Depth is bounded by jansson (2,048), size by the caller.
 */
int gojson_parse(const char *text, size_t len, json_t **ret, struct fault *f);

/* The value that counts for key, or NULL when there is none or only null. Borrowed. */
json_t *gojson_get(json_t *obj, const char *key);
/* Some key matches, be its value null. */
bool gojson_has(json_t *obj, const char *key);
/* key is this field's name to Go. */
bool gojson_is_key(const char *key, const char *field);

/* 0: *ret is set; 1: absent, *ret is left alone; -1. path names obj in texts, "" at the top.
 * Strings and values are borrowed. obj NULL: absent. */
int gojson_str(json_t *obj, const char *path, const char *key, const char **ret, struct fault *f);
int gojson_int(json_t *obj, const char *path, const char *key, int64_t *ret, struct fault *f);
/* As gojson_int, and FAULT_CONFIG outside min..max. */
int gojson_range(json_t *obj, const char *path, const char *key, int64_t min, int64_t max,
		 int64_t *ret, struct fault *f);
int gojson_bool(json_t *obj, const char *path, const char *key, bool *ret, struct fault *f);
int gojson_obj(json_t *obj, const char *path, const char *key, json_t **ret, struct fault *f);
int gojson_arr(json_t *obj, const char *path, const char *key, json_t **ret, struct fault *f);

/* "PATH.KEY", "PATH.KEY[i]" (i >= 0), cut at the end of out; returns out. */
const char *gojson_path(char out[GOJSON_PATHLEN], const char *path, const char *key, long i);
/* FAULT_DECODE "PATH: expected WHAT, found TYPE". */
int gojson_wrong(const char *path, const char *what, const json_t *v, struct fault *f);

#endif
