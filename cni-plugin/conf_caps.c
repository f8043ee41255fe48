/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_caps: the capabilities (CNI's CONVENTIONS.md): what a runtime says at each call, with the
 * older ways to say the same. Everything becomes a typed value or a fault that names its place.
 */
#include "cni-plugin/conf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "cni-plugin/gojson.h"
#include "model/name.h"

static int at_err(struct fault *f, const char *at, struct err *e)
{
	err_ctx(e, -1, "%s", at);
	return fault_err_as(f, FAULT_CONFIG, e);
}

static int parse_proto(const char *s, const char *at, uint8_t *ret, struct fault *f)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	for (size_t i = 0; i < sizeof(protos); i++)
		if (strcasecmp(s, proto_str(protos[i])) == 0) {
			*ret = protos[i];
			return 0;
		}
	return fault_set(f, FAULT_CONFIG, "%s.protocol: expected tcp, udp or sctp, found \"%.32s\"",
			 at, s);
}

static int parse_mapping(json_t *v, const char *at, struct publish *ret, struct fault *f)
{
	const char *proto = "", *ip = "";
	struct publish p = {.count = 1};
	int64_t host = 0, ctr = 0;
	struct err e = ERR_INIT;

	if (!json_is_object(v))
		return gojson_wrong(at, "an object", v, f);
	if (gojson_int(v, at, "hostPort", &host, f) < 0 ||
	    gojson_int(v, at, "containerPort", &ctr, f) < 0 ||
	    gojson_str(v, at, "protocol", &proto, f) < 0 || gojson_str(v, at, "hostIP", &ip, f) < 0)
		return -1;
	if (host < 1 || host > 65535)
		return fault_set(f, FAULT_CONFIG, "%s.hostPort: expected 1..65535, found %lld", at,
				 (long long)host);
	if (ctr < 1 || ctr > 65535)
		return fault_set(f, FAULT_CONFIG, "%s.containerPort: expected 1..65535, found %lld",
				 at, (long long)ctr);
	p.host_port = (uint16_t)host;
	p.ctr_port = (uint16_t)ctr;
	if (parse_proto(proto, at, &p.proto, f) < 0)
		return -1;
	if (*ip && (ip_parse(ip, &p.host_ip, &e) < 0 || publish_check_host_ip(&p.host_ip, &e) < 0))
		return at_err(f, at, &e);
	*ret = p;
	return 0;
}

static int by_place(const void *left, const void *right)
{
	const struct publish *a = left, *b = right;
	int r = a->proto - b->proto;

	if (r == 0)
		r = a->host_ip.family - b->host_ip.family;
	if (r == 0)
		r = memcmp(a->host_ip.b, b->host_ip.b, sizeof(a->host_ip.b));
	if (r == 0)
		r = a->host_port - b->host_port;
	return r ? r : a->ctr_port - b->ctr_port;
}

static bool follows(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && ip_equal(&a->host_ip, &b->host_ip) &&
	       a->host_port + a->count == b->host_port && a->ctr_port + a->count == b->ctr_port &&
	       a->count < PUBLISH_EXPLODE_MAX;
}

/* Sorted; equal ones become one, neighbours become runs. */
static size_t join(struct publish *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_place(&p[i], &p[i - 1]) == 0)
			continue;
		if (out > 0 && follows(&p[out - 1], &p[i]))
			p[out - 1].count++;
		else
			p[out++] = p[i];
	}
	return out;
}

/* The same port of the same protocol of one host address to two targets. Sorted, before joining. */
static int check_twice(const struct publish *p, size_t n, struct fault *f)
{
	char a[PUBLISH_STRLEN], b[PUBLISH_STRLEN];

	for (size_t i = 1; i < n; i++)
		if (p[i].proto == p[i - 1].proto && p[i].host_port == p[i - 1].host_port &&
		    ip_equal(&p[i].host_ip, &p[i - 1].host_ip) &&
		    p[i].ctr_port != p[i - 1].ctr_port) {
			fault_set(f, FAULT_PORT, "a host port is asked for twice");
			return fault_details(f, "portMappings: %s and %s",
					     publish_str(&p[i - 1], a), publish_str(&p[i], b));
		}
	return 0;
}

/* An entry for one address that an entry for every address says already, with the same target. */
static size_t drop_covered(struct publish *p, size_t n)
{
	size_t out = 0;

	/* Those for every address sort first within a protocol. */
	for (size_t i = 0; i < n; i++) {
		struct publish all = p[i], any = p[i];
		memset(all.host_ip.b, 0, sizeof(all.host_ip.b)); /* of its family */
		any.host_ip = (struct ip){0};
		if (p[i].host_ip.family && (bsearch(&any, p, out, sizeof(*p), by_place) ||
					    bsearch(&all, p, out, sizeof(*p), by_place)))
			continue;
		p[out++] = p[i];
	}
	return out;
}

/* portPolicy: "reserve" (the host's ports are held, so nobody else can have them), or "steal": for
 * runtimes that bind them themselves, as podman does. */
static int parse_policy(const struct conf *c, bool *ret, struct fault *f)
{
	const char *s = "reserve";
	bool shadows = false;

	if (gojson_bool(c->doc, "", "allowShadow", &shadows, f) < 0)
		return -1;
	/* One socket and one claim hold a port for all addresses or for one. */
	if (shadows)
		return fault_set(f, FAULT_UNSUPPORTED,
				 "unsupported field allowShadow: true; a port of all addresses "
				 "and the same port of one address are one container's");
	if (gojson_str(c->doc, "", "portPolicy", &s, f) < 0)
		return -1;
	*ret = strcmp(s, "steal") == 0;
	if (*ret || strcmp(s, "reserve") == 0)
		return 0;
	return fault_set(f, FAULT_CONFIG,
			 "portPolicy: expected \"reserve\" or \"steal\", found \"%.32s\"", s);
}

static int set_policy(bool is_unheld, struct publish *p, size_t n, struct fault *f)
{
	char s[PUBLISH_STRLEN];

	for (size_t i = 0; i < n; i++) {
		p[i].is_unheld = is_unheld;
		if (is_unheld && ip_is_loopback(&p[i].host_ip))
			return fault_set(f, FAULT_UNSUPPORTED,
					 "unsupported field portPolicy: \"steal\" for %s: "
					 "loopback is served by who holds the port",
					 publish_str(&p[i], s));
	}
	return 0;
}

int conf_publish(const struct conf *c, struct publish **ret, size_t *ret_n, struct fault *f)
{
	json_t *list = NULL, *v;
	bool is_unheld = false;
	char at[GOJSON_PATHLEN];
	struct err e = ERR_INIT;
	struct publish *p;
	size_t i, n;

	if (parse_policy(c, &is_unheld, f) < 0 ||
	    gojson_arr(c->runtime, "runtimeConfig", "portMappings", &list, f) < 0)
		return -1;
	n = json_array_size(list);
	if (n > CONF_MAPPINGS_MAX)
		return fault_set(f, FAULT_QUOTA, "runtimeConfig.portMappings: more than %d entries",
				 CONF_MAPPINGS_MAX);
	p = calloc(n ? n : 1, sizeof(*p));
	if (!p)
		return fault_set(f, FAULT_INTERNAL, "no memory for the ports");
	json_array_foreach(list, i, v)
	{
		gojson_path(at, "runtimeConfig", "portMappings", (long)i);
		if (parse_mapping(v, at, &p[i], f) < 0)
			goto fail;
	}
	qsort(p, n, sizeof(*p), by_place);
	if (check_twice(p, n, f) < 0 || set_policy(is_unheld, p, n, f) < 0)
		goto fail;
	n = join(p, drop_covered(p, n));
	if (n > PUBLISH_MAX) {
		fault_set(f, FAULT_QUOTA, "portMappings: more than %d runs of ports", PUBLISH_MAX);
		goto fail;
	}
	if (publish_check_list(p, n, &e) < 0) {
		fault_err_as(f, FAULT_PORT, &e);
		goto fail;
	}
	*ret = p;
	*ret_n = n;
	return 0;
fail:
	free(p);
	return -1;
}

size_t conf_publish_fitting(struct publish *p, size_t n, const bool has[N_FAM])
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++)
		if (!p[i].host_ip.family || ip_is_loopback(&p[i].host_ip) ||
		    has[ip_fam(&p[i].host_ip)])
			p[out++] = p[i];
	return out;
}

static int get_bits(json_t *o, const char *path, const char *key, uint64_t *ret, struct fault *f)
{
	int64_t n = 0;

	if (gojson_int(o, path, key, &n, f) < 0)
		return -1;
	if (n < 0)
		return fault_set(f, FAULT_DECODE, "%s%s%s: expected a number of bits, found %lld",
				 path, *path ? "." : "", key, (long long)n);
	*ret = (uint64_t)n;
	return 0;
}

static bool has_plain_rate(const struct conf *c)
{
	return gojson_get(c->doc, "ingressRate") || gojson_get(c->doc, "ingressBurst") ||
	       gojson_get(c->doc, "egressRate") || gojson_get(c->doc, "egressBurst");
}

int conf_rate(const struct conf *c, struct attach_rate *ret, struct fault *f)
{
	const char *path = "runtimeConfig.bandwidth";
	struct attach_rate rate = {0};
	struct err e = ERR_INIT;
	json_t *o = NULL;

	if (gojson_obj(c->runtime, "runtimeConfig", "bandwidth", &o, f) < 0)
		return -1;
	/* What the administrator wrote counts, as with the reference plugin. */
	if (!o || has_plain_rate(c)) {
		o = c->doc;
		path = "";
	}
	if (get_bits(o, path, "ingressRate", &rate.in_rate, f) < 0 ||
	    get_bits(o, path, "ingressBurst", &rate.in_burst, f) < 0 ||
	    get_bits(o, path, "egressRate", &rate.out_rate, f) < 0 ||
	    get_bits(o, path, "egressBurst", &rate.out_burst, f) < 0)
		return -1;
	if ((rate.in_burst && !rate.in_rate) || (rate.out_burst && !rate.out_rate))
		return fault_set(f, FAULT_CONFIG, "bandwidth: a burst without a rate");
	if (attach_rate_check(&rate, &e) < 0)
		return at_err(f, "bandwidth", &e);
	*ret = rate;
	return 0;
}

int conf_mac(const struct conf *c, const struct env *env, struct mac *ret, struct fault *f)
{
	const char *s = "", *at = "runtimeConfig.mac";
	struct err e = ERR_INIT;

	if (gojson_str(c->runtime, "runtimeConfig", "mac", &s, f) < 0)
		return -1;
	if (!*s) {
		at = "args.cni.mac";
		if (gojson_str(c->args, "args.cni", "mac", &s, f) < 0)
			return -1;
	}
	if (!*s && env->has_mac) {
		*ret = env->mac;
		return 0;
	}
	if (!*s) {
		at = "mac";
		if (gojson_str(c->doc, "", "mac", &s, f) < 0)
			return -1;
	}
	if (!*s)
		return 1;
	return mac_parse(s, ret, &e) < 0 ? at_err(f, at, &e) : 0;
}

/* 0, 1: no such list. */
static int ips_of(json_t *o, const char *path, struct prefix ret[ENV_IPS_MAX], size_t *ret_n,
		  struct fault *f)
{
	char at[GOJSON_PATHLEN];
	struct err e = ERR_INIT;
	json_t *list = NULL, *v;
	size_t i;

	if (gojson_arr(o, path, "ips", &list, f) < 0)
		return -1;
	if (json_array_size(list) == 0)
		return 1;
	if (json_array_size(list) > ENV_IPS_MAX)
		return fault_set(f, FAULT_QUOTA, "%s.ips: more than %d addresses", path,
				 ENV_IPS_MAX);
	json_array_foreach(list, i, v)
	{
		gojson_path(at, path, "ips", (long)i);
		if (!json_is_string(v))
			return gojson_wrong(at, "a string", v, f);
		if (env_parse_ip(json_string_value(v), &ret[i], &e) < 0)
			return at_err(f, at, &e);
	}
	*ret_n = json_array_size(list);
	return 0;
}

int conf_ips(const struct conf *c, const struct env *env, struct prefix ret[ENV_IPS_MAX],
	     size_t *ret_n, struct fault *f)
{
	int r = ips_of(c->runtime, "runtimeConfig", ret, ret_n, f);

	if (r == 1)
		r = ips_of(c->args, "args.cni", ret, ret_n, f);
	if (r != 1)
		return r;
	memcpy(ret, env->ips, env->n_ips * sizeof(*ret));
	*ret_n = env->n_ips;
	return 0;
}

/* The runtime's has names of its own: servers, searches, options. */
static int runtime_dns(const struct conf *c, struct result_dns *ret, struct fault *f)
{
	static const struct {
		const char *from, *to;
	} names[] = {{"servers", "nameservers"}, {"searches", "search"}, {"options", "options"}};
	json_t *o = NULL, *v;
	CLEAN_JSON json_t *mapped = NULL;

	if (gojson_obj(c->runtime, "runtimeConfig", "dns", &o, f) < 0)
		return -1;
	if (!o)
		return 0;
	mapped = json_object();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		v = gojson_get(o, names[i].from);
		/* Without memory mapped is NULL, which it refuses. */
		if (v && json_object_set(mapped, names[i].to, v) < 0)
			return fault_set(f, FAULT_INTERNAL, "no memory for dns");
	}
	return result_parse_dns(mapped, "runtimeConfig.dns", ret, f);
}

int conf_dns(const struct conf *c, struct result_dns *ret, struct fault *f)
{
	json_t *o = NULL;

	if (gojson_obj(c->doc, "", "dns", &o, f) < 0 || result_parse_dns(o, "dns", ret, f) < 0)
		return -1;
	return runtime_dns(c, ret, f);
}

int conf_aliases(const struct conf *c, const char *ret[ATTACH_ALIAS_MAX], size_t *ret_n,
		 struct fault *f)
{
	char at[GOJSON_PATHLEN];
	json_t *list = NULL, *v;
	struct err e = ERR_INIT;
	size_t i;

	if (gojson_arr(c->runtime, "runtimeConfig", "aliases", &list, f) < 0)
		return -1;
	if (json_array_size(list) > ATTACH_ALIAS_MAX)
		return fault_set(f, FAULT_QUOTA, "runtimeConfig.aliases: more than %d names",
				 ATTACH_ALIAS_MAX);
	json_array_foreach(list, i, v)
	{
		gojson_path(at, "runtimeConfig", "aliases", (long)i);
		if (!json_is_string(v))
			return gojson_wrong(at, "a string", v, f);
		ret[i] = json_string_value(v);
		if (name_check_alias(ret[i], "alias", &e) < 0)
			return at_err(f, at, &e);
	}
	*ret_n = json_array_size(list);
	return 0;
}
