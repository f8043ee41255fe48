/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipam: the grammar of host-local's and static's configurations. Range sets come from the runtime
 * (ipRanges), the plain keys (subnet, rangeStart, rangeEnd, gateway) and `ranges`, in this order.
 */
#include "cni-plugin/ipam.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "cni-plugin/gojson.h"
#include "model/name.h"

#define RESOLV_MAX ((size_t)64 * 1024)

static const char *const ipam_keys[] = {
	"type",    "ranges",     "routes",  "subnet", "rangeStart", "rangeEnd",
	"gateway", "resolvConf", "dataDir", "dns",    "addresses",  NULL,
};

void ipam_clear(struct ipam *i)
{
	free(i->set);
	free(i->route);
	result_dns_clear(&i->dns);
	*i = (struct ipam)IPAM_INIT;
}

enum ipam_kind ipam_kind(const struct conf *c)
{
	const char *t = c->ipam_type;

	if (!*t)
		return IPAM_NONE;
	if (strcmp(t, "host-local") == 0 || strcmp(t, "netd") == 0)
		return IPAM_LOCAL;
	return strcmp(t, "static") == 0 ? IPAM_STATIC : IPAM_OTHER;
}

static int at_err(struct fault *f, const char *at, struct err *e)
{
	err_ctx(e, -1, "%s", at);
	return fault_err_as(f, FAULT_CONFIG, e);
}

static int no_memory(struct fault *f)
{
	return fault_set(f, FAULT_INTERNAL, "no memory for the addresses");
}

static int get_ip(json_t *o, const char *path, const char *key, struct ip *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	struct err e = ERR_INIT;
	const char *s = "";

	if (gojson_str(o, path, key, &s, f) < 0)
		return -1;
	if (*s && ip_parse(s, ret, &e) < 0)
		return at_err(f, gojson_path(at, path, key, -1), &e);
	return 0;
}

/* 1: no subnet is said. */
static int parse_range(json_t *o, const char *path, struct addr_range *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	struct addr_range r = {0};
	struct err e = ERR_INIT;
	const char *s = "";

	if (gojson_str(o, path, "subnet", &s, f) < 0)
		return -1;
	if (!*s)
		return 1;
	if (prefix_parse(s, &r.subnet, &e) < 0)
		return at_err(f, gojson_path(at, path, "subnet", -1), &e);
	if (get_ip(o, path, "rangeStart", &r.first, f) < 0 ||
	    get_ip(o, path, "rangeEnd", &r.last, f) < 0 ||
	    get_ip(o, path, "gateway", &r.gateway, f) < 0)
		return -1;
	*ret = r;
	return 0;
}

static struct addr_set *new_set(struct ipam *i, const char *at, struct fault *f)
{
	struct addr_set *list;

	if (i->n_set == ADDR_SET_MAX) {
		fault_set(f, FAULT_QUOTA, "%s: more than %d sets of ranges", at, ADDR_SET_MAX);
		return NULL;
	}
	list = reallocarray(i->set, i->n_set + 1, sizeof(*list));
	if (!list) {
		no_memory(f);
		return NULL;
	}
	i->set = list;
	list[i->n_set] = (struct addr_set){0};
	return &list[i->n_set++];
}

static int parse_set(json_t *arr, const char *path, struct ipam *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	struct addr_set *set;
	json_t *v;
	size_t i;
	int r;

	if (!json_is_array(arr))
		return gojson_wrong(path, "an array of ranges", arr, f);
	set = new_set(ret, path, f);
	if (!set)
		return -1;
	if (json_array_size(arr) > ADDR_RANGE_MAX)
		return fault_set(f, FAULT_QUOTA, "%s: more than %d ranges", path, ADDR_RANGE_MAX);
	json_array_foreach(arr, i, v)
	{
		gojson_path(at, path, "", (long)i);
		if (!json_is_object(v))
			return gojson_wrong(at, "an object", v, f);
		r = parse_range(v, at, &set->r[i], f);
		if (r != 0)
			return r < 0 ? r
				     : fault_set(f, FAULT_CONFIG, "%s: a range without a subnet",
						 at);
		set->n++;
	}
	return 0;
}

static int parse_sets(json_t *o, const char *path, const char *key, struct ipam *ret,
		      struct fault *f)
{
	char at[GOJSON_PATHLEN];
	json_t *list = NULL, *v;
	size_t i;

	if (gojson_arr(o, path, key, &list, f) < 0)
		return -1;
	json_array_foreach(list, i, v)
	{
		if (parse_set(v, gojson_path(at, path, key, (long)i), ret, f) < 0)
			return -1;
	}
	return 0;
}

static int parse_plain(const struct conf *c, struct ipam *ret, struct fault *f)
{
	struct addr_range range;
	struct addr_set *set;
	int r = parse_range(c->ipam, "ipam", &range, f);

	if (r != 0)
		return r < 0 ? r : 0;
	set = new_set(ret, "ipam", f);
	if (!set)
		return -1;
	set->n = 1;
	set->r[0] = range;
	return 0;
}

/* One word that a resolv.conf line says. */
static int add_word(json_t **list, const char *word)
{
	if (!*list)
		*list = json_array();
	return *list ? json_array_append_new(*list, json_string(word)) : -1;
}

/* The last one counts; one that is no UTF-8 is left out, as below. */
static int set_domain(const char *word, struct result_dns *ret)
{
	json_t *v = word ? json_string(word) : NULL;

	if (!v)
		return 0;
	json_decref(v);
	free(ret->domain);
	ret->domain = strdup(word);
	return ret->domain ? 0 : -1;
}

static int resolv_line(char *line, struct result_dns *ret)
{
	char *save = NULL, *word = strtok_r(line, " \t", &save), *rest;
	json_t **list = NULL;

	if (!word || word[0] == '#' || word[0] == ';')
		return 0;
	if (strcmp(word, "nameserver") == 0)
		list = &ret->nameservers;
	else if (strcmp(word, "search") == 0)
		list = &ret->search;
	else if (strcmp(word, "options") == 0)
		list = &ret->options;
	else if (strcmp(word, "domain") == 0)
		return set_domain(strtok_r(NULL, " \t", &save), ret);
	if (!list)
		return 0;
	while ((rest = strtok_r(NULL, " \t", &save)))
		/* What is no UTF-8 is left out: json_string refuses it. */
		if (add_word(list, rest) < 0 && !*list)
			return -1;
	return 0;
}

static int read_resolv(const char *path, struct result_dns *ret, struct fault *f)
{
	CLEAN_FREE char *text = NULL;
	struct err e = ERR_INIT;
	char *save = NULL;
	size_t len;

	if (name_check_path(path, "ipam.resolvConf", &e) < 0 || path[0] != '/')
		return fault_set(f, FAULT_CONFIG, "ipam.resolvConf: expected an absolute path");
	if (fd_read_file(AT_FDCWD, path, RESOLV_MAX, &text, &len, &e) < 0) {
		err_ctx(&e, -1, "ipam.resolvConf");
		return fault_err_as(f, FAULT_IO, &e);
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (resolv_line(line, ret) < 0)
			return no_memory(f);
	return 0;
}

static int add_route(const struct result_route *route, const char *at, struct ipam *ret,
		     struct fault *f)
{
	struct attach_route *list, out = {
					   .dst = route->dst,
					   .gw = route->gw,
					   .mtu = (uint32_t)route->mtu,
					   .advmss = (uint32_t)route->advmss,
					   .priority = (uint32_t)route->priority,
					   .table = (uint32_t)route->table,
					   .scope = (int)route->scope,
				   };
	struct err e = ERR_INIT;

	if (attach_route_check(&out, &e) < 0)
		return at_err(f, at, &e);
	if (ret->n_route == ATTACH_ROUTE_MAX)
		return fault_set(f, FAULT_QUOTA, "more than %d routes", ATTACH_ROUTE_MAX);
	list = reallocarray(ret->route, ret->n_route + 1, sizeof(*list));
	if (!list)
		return no_memory(f);
	ret->route = list;
	list[ret->n_route++] = out;
	return 0;
}

struct result_route ipam_result_route(const struct attach_route *from)
{
	return (struct result_route){
		.dst = from->dst,
		.gw = from->gw,
		.has_table = from->table != 0,
		.has_scope = from->scope != 0,
		.mtu = from->mtu,
		.advmss = from->advmss,
		.priority = from->priority,
		.table = from->table,
		.scope = from->scope,
	};
}

static int parse_routes(const struct conf *c, struct ipam *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	struct result_route route;
	json_t *list = NULL, *v;
	size_t i;

	if (gojson_arr(c->ipam, "ipam", "routes", &list, f) < 0)
		return -1;
	json_array_foreach(list, i, v)
	{
		gojson_path(at, "ipam", "routes", (long)i);
		if (result_parse_route(v, at, &route, f) < 0 || add_route(&route, at, ret, f) < 0)
			return -1;
	}
	return 0;
}

static int parse_local(const struct conf *c, const struct env *env, struct ipam *ret,
		       struct fault *f)
{
	struct prefix want[ENV_IPS_MAX];
	const char *resolv = "", *dir = "";
	struct err e = ERR_INIT;

	if (parse_sets(c->runtime, "runtimeConfig", "ipRanges", ret, f) < 0 ||
	    parse_plain(c, ret, f) < 0 || parse_sets(c->ipam, "ipam", "ranges", ret, f) < 0)
		return -1;
	if (!ret->n_set)
		return fault_set(f, FAULT_CONFIG, "ipam: no range and no subnet is said");
	if (pool_complete(ret->set, ret->n_set, &e) < 0)
		return at_err(f, "ipam", &e);
	if (gojson_str(c->ipam, "ipam", "resolvConf", &resolv, f) < 0 ||
	    gojson_str(c->ipam, "ipam", "dataDir", &dir, f) < 0)
		return -1;
	if (*dir && (dir[0] != '/' || name_check_path(dir, "ipam.dataDir", NULL) < 0))
		return fault_set(f, FAULT_CONFIG, "ipam.dataDir: expected an absolute path");
	if (*resolv && read_resolv(resolv, &ret->dns, f) < 0)
		return -1;
	if (!env)
		return 0;
	if (conf_ips(c, env, want, &ret->n_want, f) < 0)
		return -1;
	for (size_t i = 0; i < ret->n_want; i++)
		ret->want[i] = want[i].ip;
	return 0;
}

static int give(struct ipam *ret, const struct prefix *p, const struct ip *gw, const char *at,
		struct fault *f)
{
	if (p->len == ENV_NO_LEN)
		return fault_set(f, FAULT_CONFIG, "%s: expected ADDRESS/LENGTH", at);
	if (ret->n_given == ATTACH_IP_MAX)
		return fault_set(f, FAULT_QUOTA, "%s: more than %d addresses", at, ATTACH_IP_MAX);
	if (gw->family && gw->family != p->ip.family)
		return fault_set(f, FAULT_CONFIG, "%s: address and gateway are of two families",
				 at);
	ret->given[ret->n_given++] = (struct attach_ip){.addr = *p, .gateway = *gw};
	return 0;
}

static int parse_addresses(const struct conf *c, struct ipam *ret, struct fault *f)
{
	char at[GOJSON_PATHLEN];
	json_t *list = NULL, *v;
	struct err e = ERR_INIT;
	size_t i;

	if (gojson_arr(c->ipam, "ipam", "addresses", &list, f) < 0)
		return -1;
	json_array_foreach(list, i, v)
	{
		struct prefix p = {.len = ENV_NO_LEN};
		struct ip gw = {0};
		const char *s = "";

		gojson_path(at, "ipam", "addresses", (long)i);
		if (!json_is_object(v))
			return gojson_wrong(at, "an object", v, f);
		if (gojson_str(v, at, "address", &s, f) < 0 || get_ip(v, at, "gateway", &gw, f) < 0)
			return -1;
		if (env_parse_ip(s, &p, &e) < 0)
			return at_err(f, at, &e);
		if (give(ret, &p, &gw, at, f) < 0)
			return -1;
	}
	return 0;
}

static int parse_static(const struct conf *c, const struct env *env, struct ipam *ret,
			struct fault *f)
{
	struct prefix want[ENV_IPS_MAX];
	const struct ip none = {0};
	json_t *dns = NULL;
	size_t n = 0;

	if (env && conf_ips(c, env, want, &n, f) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct ip *gw =
			env->gateway.family == want[i].ip.family ? &env->gateway : &none;
		if (give(ret, &want[i], gw, "ips", f) < 0)
			return -1;
	}
	if (!n && parse_addresses(c, ret, f) < 0)
		return -1;
	if (!ret->n_given && env)
		return fault_set(f, FAULT_CONFIG, "ipam.addresses: no address is said");
	if (gojson_obj(c->ipam, "ipam", "dns", &dns, f) < 0)
		return -1;
	return result_parse_dns(dns, "ipam.dns", &ret->dns, f);
}

int ipam_parse(const struct conf *c, const struct env *env, struct ipam *ret, struct fault *f)
{
	int r = 0;

	ret->kind = ipam_kind(c);
	if (ret->kind == IPAM_LOCAL)
		r = parse_local(c, env, ret, f);
	else if (ret->kind == IPAM_STATIC)
		r = parse_static(c, env, ret, f);
	if (r < 0 || ret->kind == IPAM_NONE || ret->kind == IPAM_OTHER)
		return r;
	if (c->is_strict && conf_refuse_unknown(c->ipam, "ipam", ipam_keys, f) < 0)
		return -1;
	return parse_routes(c, ret, f);
}

int ipam_take_result(const struct result *r, struct ipam *ret, struct fault *f)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (give(ret, &r->ip[i].addr, &r->ip[i].gateway, "the result of the IPAM plugin",
			 f) < 0)
			return -1;
	for (size_t i = 0; i < r->n_routes; i++)
		if (add_route(&r->route[i], "the result of the IPAM plugin", ret, f) < 0)
			return -1;
	result_dns_clear(&ret->dns);
	/* The lists are nobody's to change. */
	ret->dns = (struct result_dns){
		.nameservers = json_incref(r->dns.nameservers),
		.search = json_incref(r->dns.search),
		.options = json_incref(r->dns.options),
		.domain = r->dns.domain ? strdup(r->dns.domain) : NULL,
	};
	return r->dns.domain && !ret->dns.domain ? no_memory(f) : 0;
}
