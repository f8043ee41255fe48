/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result_parse: results of other plugins and prevResult, in the shape of any version, to the typed
 * value. Addresses become addresses; indices are checked against the list that they point into.
 */
#include "cni-plugin/result.h"

#include <stdlib.h>
#include <string.h>

#include "cni-plugin/gojson.h"

static int bad_text(const char *path, const char *key, const struct err *e, struct fault *f)
{
	char at[GOJSON_PATHLEN];

	fault_set(f, FAULT_DECODE, "%s: %s", gojson_path(at, path, key, -1), e->text);
	return -1;
}

/* 0, 1 absent or "", -1. */
static int get_ip(json_t *o, const char *path, const char *key, struct ip *ret, struct fault *f)
{
	struct err e = ERR_INIT;
	const char *s = "";
	int r = gojson_str(o, path, key, &s, f);

	if (r != 0 || !*s)
		return r < 0 ? r : 1;
	return ip_parse(s, ret, &e) < 0 ? bad_text(path, key, &e, f) : 0;
}

static int get_prefix(json_t *o, const char *path, const char *key, struct prefix *ret,
		      struct fault *f)
{
	struct err e = ERR_INIT;
	const char *s = "";
	int r = gojson_str(o, path, key, &s, f);

	if (r < 0)
		return r;
	return prefix_parse(s, ret, &e) < 0 ? bad_text(path, key, &e, f) : 0;
}

static int get_copy(json_t *o, const char *path, const char *key, char **ret, struct fault *f)
{
	const char *s = "";

	if (gojson_str(o, path, key, &s, f) < 0)
		return -1;
	if (!*s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : fault_set(f, FAULT_INTERNAL, "no memory for the result");
}

static int list_of(json_t *o, const char *path, const char *key, json_t **ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];

	*ret = NULL;
	if (gojson_arr(o, path, key, ret, f) < 0)
		return -1;
	if (json_array_size(*ret) > RESULT_LIST_MAX)
		return fault_set(f, FAULT_QUOTA, "%s: more than %d entries",
				 gojson_path(at, path, key, -1), RESULT_LIST_MAX);
	return 0;
}

/* A copy of an array of strings. */
static int get_strings(json_t *o, const char *path, const char *key, json_t **ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	json_t *list;

	if (list_of(o, path, key, &list, f) < 0)
		return -1;
	if (json_array_size(list) == 0)
		return 0;
	json_decref(*ret);
	*ret = json_array();
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *v = json_array_get(list, i);

		if (json_typeof(v) != JSON_STRING)
			return gojson_wrong(gojson_path(at, path, key, (long)i), "a string", v, f);
		/* Of a caller who does not change it. */
		if (json_array_append(*ret, v) < 0)
			return fault_set(f, FAULT_INTERNAL, "no memory for the result");
	}
	return 0;
}

int result_parse_dns(json_t *obj, const char *path, struct result_dns *ret, struct fault *f)
{
	if (get_strings(obj, path, "nameservers", &ret->nameservers, f) < 0 ||
	    get_strings(obj, path, "search", &ret->search, f) < 0 ||
	    get_strings(obj, path, "options", &ret->options, f) < 0)
		return -1;
	return get_copy(obj, path, "domain", &ret->domain, f);
}

static int parse_iface(json_t *v, const char *path, struct result *ret, struct fault *f)
{
	int64_t mtu = 0;

	if (!json_is_object(v))
		return gojson_wrong(path, "an object", v, f);
	if (gojson_range(v, path, "mtu", 0, UINT32_MAX, &mtu, f) < 0 ||
	    result_add_iface(ret, NULL, NULL, (uint32_t)mtu, NULL, f) < 0)
		return -1;
	struct result_iface *i = &ret->iface[ret->n_ifaces - 1];
	if (get_copy(v, path, "name", &i->name, f) < 0 ||
	    get_copy(v, path, "mac", &i->mac, f) < 0 ||
	    get_copy(v, path, "sandbox", &i->sandbox, f) < 0 ||
	    get_copy(v, path, "socketPath", &i->socket_path, f) < 0)
		return -1;
	return get_copy(v, path, "pciID", &i->pci_id, f);
}

static int parse_ip(json_t *v, const char *path, struct result *ret, struct fault *f)
{
	struct result_ip ip = {.iface = -1};
	int64_t n = 0;
	int r;

	if (!json_is_object(v))
		return gojson_wrong(path, "an object", v, f);
	if (get_prefix(v, path, "address", &ip.addr, f) < 0 ||
	    get_ip(v, path, "gateway", &ip.gateway, f) < 0)
		return -1;
	r = gojson_int(v, path, "interface", &n, f);
	if (r < 0)
		return r;
	if (r == 0 && (n < 0 || (uint64_t)n >= ret->n_ifaces))
		return fault_set(f, FAULT_CONFIG, "%s.interface: there is no interface %lld", path,
				 (long long)n);
	if (r == 0)
		ip.iface = (int)n;
	return result_add_ip(ret, &ip, f);
}

int result_parse_route(json_t *v, const char *path, struct result_route *ret, struct fault *f)
{
	struct result_route route = {0};
	int r;

	if (!json_is_object(v))
		return gojson_wrong(path, "an object", v, f);
	if (get_prefix(v, path, "dst", &route.dst, f) < 0 ||
	    get_ip(v, path, "gw", &route.gw, f) < 0 ||
	    gojson_range(v, path, "mtu", 0, UINT32_MAX, &route.mtu, f) < 0 ||
	    gojson_range(v, path, "advmss", 0, UINT32_MAX, &route.advmss, f) < 0 ||
	    gojson_range(v, path, "priority", 0, UINT32_MAX, &route.priority, f) < 0)
		return -1;
	r = gojson_range(v, path, "table", 0, UINT32_MAX, &route.table, f);
	if (r < 0)
		return r;
	route.has_table = r == 0;
	r = gojson_range(v, path, "scope", 0, 255, &route.scope, f);
	if (r < 0)
		return r;
	route.has_scope = r == 0;
	route.dst = prefix_network(&route.dst);
	*ret = route;
	return 0;
}

static int parse_route(json_t *v, const char *path, struct result *ret, struct fault *f)
{
	struct result_route route;

	if (result_parse_route(v, path, &route, f) < 0)
		return -1;
	return result_add_route(ret, &route, f);
}

static int each(json_t *o, const char *path, const char *key, struct result *ret,
		int (*fn)(json_t *v, const char *path, struct result *ret, struct fault *f),
		struct fault *f)
{
	char at[GOJSON_PATHLEN];
	json_t *list;

	if (list_of(o, path, key, &list, f) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (fn(json_array_get(list, i), gojson_path(at, path, key, (long)i), ret, f) < 0)
			return -1;
	return 0;
}

/* ip4 and ip6 of 0.1.0 and 0.2.0. */
static int parse_old(json_t *doc, const char *path, const char *key, struct result *ret,
		     struct fault *f)
{
	struct result_ip ip = {.iface = -1};
	char at[GOJSON_PATHLEN];
	json_t *o = NULL;
	int r = gojson_obj(doc, path, key, &o, f);

	if (r != 0)
		return r < 0 ? r : 0;
	gojson_path(at, path, key, -1);
	if (get_prefix(o, at, "ip", &ip.addr, f) < 0 ||
	    get_ip(o, at, "gateway", &ip.gateway, f) < 0)
		return -1;
	if (result_add_ip(ret, &ip, f) < 0)
		return -1;
	return each(o, at, "routes", ret, parse_route, f);
}

int result_parse(json_t *doc, const char *path, enum cni_version fallback, struct result *ret,
		 struct fault *f)
{
	enum cni_version v = fallback;
	char at[GOJSON_PATHLEN];
	json_t *dns = NULL;
	const char *s;
	int r;

	if (!json_is_object(doc))
		return gojson_wrong(path, "an object", doc, f);
	r = gojson_str(doc, path, "cniVersion", &s, f);
	if (r < 0)
		return r;
	if (r == 0 && version_parse(s, &v) < 0)
		return fault_set(f, FAULT_VERSION, "%s: cniVersion %.32s is not spoken (%s are)",
				 path, s, version_list());
	if (v <= V020)
		r = parse_old(doc, path, "ip4", ret, f) < 0 ||
				    parse_old(doc, path, "ip6", ret, f) < 0
			    ? -1
			    : 0;
	else
		r = each(doc, path, "interfaces", ret, parse_iface, f) < 0 ||
				    each(doc, path, "ips", ret, parse_ip, f) < 0 ||
				    each(doc, path, "routes", ret, parse_route, f) < 0
			    ? -1
			    : 0;
	if (r < 0 || gojson_obj(doc, path, "dns", &dns, f) < 0)
		return -1;
	return result_parse_dns(dns, gojson_path(at, path, "dns", -1), &ret->dns, f);
}
