/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: what the configurations of all plugins have in common: version, name, type, where the
 * runtime's and the caller's arguments are, the previous result. Order of checks: JSON, version,
 * name, the rest.
 */
#include "cni-plugin/conf.h"

#include <stdlib.h>

#include "cni-plugin/gojson.h"
#include "model/name.h"

/* The keys that every plugin knows, at the top. */
static const char *const conf_common_keys[] = {
	"cniVersion",
	"name",
	"type",
	"args",
	"ipam",
	"dns",
	"runtimeConfig",
	"capabilities",
	"prevResult",
	"cni.dev/valid-attachments",
	"cni.dev/attachments",
	"disableCheck",
	"disableGC",
	"strict",
	"delegateTimeout",
	NULL,
};

void conf_clear(struct conf *c)
{
	result_clear(&c->prev);
	json_decref(c->doc);
	free(c->text);
	*c = (struct conf)CONF_INIT;
}

static int parse_version(struct conf *c, struct fault *f)
{
	const char *s = "";

	if (gojson_str(c->doc, "", "cniVersion", &s, f) < 0)
		return -1;
	if (version_parse(s, &c->version) == 0) {
		c->has_version = true;
		return 0;
	}
	fault_set(f, FAULT_VERSION, "incompatible CNI versions");
	return fault_details(f, "the configuration is %.32s, this plugin speaks %s", s,
			     version_list());
}

static int parse_name(struct conf *c, struct fault *f)
{
	struct err e = ERR_INIT;
	const char *s = "";

	if (gojson_str(c->doc, "", "name", &s, f) < 0)
		return -1;
	if (!*s)
		return fault_set(f, FAULT_CONFIG, "missing network name");
	if (name_check_network(s, "name", &e) < 0)
		return fault_err_as(f, FAULT_CONFIG, &e);
	c->name = s;
	return 0;
}

static int parse_args(struct conf *c, struct fault *f)
{
	json_t *args = NULL;

	if (gojson_obj(c->doc, "", "args", &args, f) < 0 ||
	    gojson_obj(args, "args", "cni", &c->args, f) < 0)
		return -1;
	return gojson_obj(c->doc, "", "runtimeConfig", &c->runtime, f) < 0 ? -1 : 0;
}

/* A name of a program in CNI_PATH, never a path. */
static int check_type(const char *type, const char *where, struct fault *f)
{
	struct err e = ERR_INIT;

	if (*type && name_check_id(type, where, &e) < 0)
		return fault_err_as(f, FAULT_CONFIG, &e);
	return 0;
}

int conf_parse(char *text, size_t len, struct conf *ret, struct fault *f)
{
	int64_t timeout = CONF_TIMEOUT_S;

	ret->text = text;
	ret->len = len;
	if (gojson_parse(text, len, &ret->doc, f) < 0 || parse_version(ret, f) < 0 ||
	    parse_name(ret, f) < 0)
		return -1;
	if (gojson_str(ret->doc, "", "type", &ret->type, f) < 0 ||
	    check_type(ret->type, "type", f) < 0 || parse_args(ret, f) < 0)
		return -1;
	if (gojson_obj(ret->doc, "", "ipam", &ret->ipam, f) < 0 ||
	    gojson_str(ret->ipam, "ipam", "type", &ret->ipam_type, f) < 0 ||
	    check_type(ret->ipam_type, "ipam.type", f) < 0)
		return -1;
	if (gojson_bool(ret->doc, "", "strict", &ret->is_strict, f) < 0 ||
	    gojson_range(ret->doc, "", "delegateTimeout", 1, 600, &timeout, f) < 0)
		return -1;
	ret->timeout_ms = (int)timeout * 1000;
	return 0;
}

/* libcni's own reader writes CNIVersion, so both spellings may be there: gojson takes either. */
int conf_parse_prev(struct conf *c, struct fault *f)
{
	json_t *prev = NULL;
	int r = gojson_obj(c->doc, "", "prevResult", &prev, f);

	if (r != 0)
		return r < 0 ? r : 0;
	c->has_prev = true;
	return result_parse(prev, "prevResult", c->version, &c->prev, f);
}

static bool is_known(const char *key, const char *const *keys)
{
	for (; *keys; keys++)
		if (gojson_is_key(key, *keys))
			return true;
	return false;
}

int conf_refuse_unknown(json_t *obj, const char *path, const char *const *keys, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	const char *key;
	char *text;
	json_t *v;

	json_object_foreach(obj, key, v)
	{
		if (is_known(key, keys) || (!*path && is_known(key, conf_common_keys)))
			continue;
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		fault_set(f, FAULT_UNSUPPORTED, "unsupported field %s: %.400s",
			  gojson_path(at, path, key, -1), text ? text : "?");
		free(text);
		return -1;
	}
	return 0;
}

int conf_refuse_lists(const struct conf *c, const char *const *keys, const char *what,
		      struct fault *f)
{
	for (; *keys; keys++) {
		json_t *list = NULL;

		if (gojson_arr(c->doc, "", *keys, &list, f) < 0)
			return -1;
		if (json_array_size(list))
			return fault_set(f, FAULT_UNSUPPORTED, "unsupported field %s: %zu %s",
					 *keys, json_array_size(list), what);
	}
	return 0;
}

int conf_prefixes(json_t *obj, const char *path, const char *key, struct prefix *ret, size_t max,
		  size_t *ret_n, struct fault *f)
{
	struct err e = ERR_INIT;
	char at[GOJSON_PATHLEN];
	json_t *list = NULL, *v;
	size_t i;

	*ret_n = 0;
	if (gojson_arr(obj, path, key, &list, f) < 0)
		return -1;
	if (json_array_size(list) > max)
		return fault_set(f, FAULT_QUOTA, "%s: more than %zu entries",
				 gojson_path(at, path, key, -1), max);
	json_array_foreach(list, i, v)
	{
		gojson_path(at, path, key, (long)i);
		if (!json_is_string(v))
			return gojson_wrong(at, "a string", v, f);
		if (prefix_parse(json_string_value(v), &ret[i], &e) < 0) {
			err_ctx(&e, -1, "%s", at);
			return fault_err_as(f, FAULT_CONFIG, &e);
		}
		ret[i] = prefix_network(&ret[i]);
	}
	*ret_n = json_array_size(list);
	return 0;
}
