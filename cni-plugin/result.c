/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result: owns the typed result and prints it in the shape of each version. Reading is in
 * result_parse.c. Prints from typed values only; writes to no descriptor.
 *
 * Read: the CNI specification's section 5 at the tags spec-v0.2.0, 0.4.0, 1.0.0 and 1.1.0.
 */
#include "cni-plugin/result.h"

#include <stdlib.h>
#include <string.h>

static const char *const versions[N_VERSIONS] = {
	[V010] = "0.1.0", [V020] = "0.2.0", [V030] = "0.3.0", [V031] = "0.3.1",
	[V040] = "0.4.0", [V100] = "1.0.0", [V110] = "1.1.0",
};

const char *version_str(enum cni_version v)
{
	return versions[v];
}

int version_parse(const char *s, enum cni_version *ret)
{
	if (!*s) {
		*ret = V010;
		return 0;
	}
	for (int i = 0; i < N_VERSIONS; i++)
		if (strcmp(s, versions[i]) == 0) {
			*ret = (enum cni_version)i;
			return 0;
		}
	return -1;
}

const char *version_list(void)
{
	return "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0";
}

void result_dns_clear(struct result_dns *d)
{
	json_decref(d->nameservers);
	json_decref(d->search);
	json_decref(d->options);
	free(d->domain);
	*d = (struct result_dns){0};
}

void result_clear(struct result *r)
{
	for (size_t i = 0; i < r->n_ifaces; i++) {
		free(r->iface[i].name);
		free(r->iface[i].mac);
		free(r->iface[i].sandbox);
		free(r->iface[i].socket_path);
		free(r->iface[i].pci_id);
	}
	free(r->iface);
	free(r->ip);
	free(r->route);
	result_dns_clear(&r->dns);
	*r = (struct result)RESULT_INIT;
}

bool result_dns_is_empty(const struct result_dns *d)
{
	return json_array_size(d->nameservers) == 0 && json_array_size(d->search) == 0 &&
	       json_array_size(d->options) == 0 && !d->domain;
}

static int no_memory(struct fault *f)
{
	return fault_set(f, FAULT_INTERNAL, "no memory for the result");
}

/* 0 and a copy; "" and NULL are NULL. */
static int copy(const char *s, char **ret)
{
	*ret = NULL;
	if (!s || !*s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : -1;
}

int result_add_iface(struct result *r, const char *name, const char *mac, uint32_t mtu,
		     const char *sandbox, struct fault *f)
{
	struct result_iface *list = reallocarray(r->iface, r->n_ifaces + 1, sizeof(*list));

	if (!list)
		return no_memory(f);
	r->iface = list;
	struct result_iface *i = &list[r->n_ifaces];
	*i = (struct result_iface){.mtu = mtu};
	r->n_ifaces++;
	if (copy(name, &i->name) < 0 || copy(mac, &i->mac) < 0 || copy(sandbox, &i->sandbox) < 0)
		return no_memory(f);
	return 0;
}

int result_add_ip(struct result *r, const struct result_ip *ip, struct fault *f)
{
	struct result_ip *list = reallocarray(r->ip, r->n_ips + 1, sizeof(*list));

	if (!list)
		return no_memory(f);
	r->ip = list;
	list[r->n_ips++] = *ip;
	return 0;
}

int result_add_route(struct result *r, const struct result_route *route, struct fault *f)
{
	struct result_route *list = reallocarray(r->route, r->n_routes + 1, sizeof(*list));

	if (!list)
		return no_memory(f);
	r->route = list;
	list[r->n_routes++] = *route;
	return 0;
}

/* Adds to obj and takes the reference of v; *bad sticks. */
static void put(json_t *obj, const char *key, json_t *v, bool *bad)
{
	if (!v || json_object_set_new(obj, key, v) < 0)
		*bad = true;
}

static void put_str(json_t *obj, const char *key, const char *s, bool *bad)
{
	if (s && *s)
		put(obj, key, json_string(s), bad);
}

static void put_ip(json_t *obj, const char *key, const struct ip *ip, bool *bad)
{
	char s[IP_STRLEN];

	if (ip->family)
		put(obj, key, json_string(ip_str(ip, s)), bad);
}

static void put_prefix(json_t *obj, const char *key, const struct prefix *p, bool *bad)
{
	char s[PREFIX_STRLEN];

	put(obj, key, json_string(prefix_str(p, s)), bad);
}

static void put_int(json_t *obj, const char *key, int64_t n, bool *bad)
{
	put(obj, key, json_integer(n), bad);
}

static void append(json_t *arr, json_t *v, bool *bad)
{
	if (!v || json_array_append_new(arr, v) < 0)
		*bad = true;
}

static json_t *iface_json(const struct result_iface *i, enum cni_version v, bool *bad)
{
	json_t *o = json_object();

	put_str(o, "name", i->name, bad);
	put_str(o, "mac", i->mac, bad);
	if (v >= V110 && i->mtu)
		put_int(o, "mtu", i->mtu, bad);
	put_str(o, "sandbox", i->sandbox, bad);
	if (v >= V110) {
		put_str(o, "socketPath", i->socket_path, bad);
		put_str(o, "pciID", i->pci_id, bad);
	}
	return o;
}

static json_t *ip_json(const struct result_ip *ip, enum cni_version v, bool *bad)
{
	json_t *o = json_object();

	if (v <= V040)
		put_str(o, "version", ip_fam(&ip->addr.ip) == FAM4 ? "4" : "6", bad);
	put_prefix(o, "address", &ip->addr, bad);
	put_ip(o, "gateway", &ip->gateway, bad);
	if (ip->iface >= 0)
		put_int(o, "interface", ip->iface, bad);
	return o;
}

static json_t *route_json(const struct result_route *route, enum cni_version v, bool *bad)
{
	json_t *o = json_object();

	put_prefix(o, "dst", &route->dst, bad);
	put_ip(o, "gw", &route->gw, bad);
	if (v < V110)
		return o;
	if (route->mtu)
		put_int(o, "mtu", route->mtu, bad);
	if (route->advmss)
		put_int(o, "advmss", route->advmss, bad);
	if (route->priority)
		put_int(o, "priority", route->priority, bad);
	if (route->has_table)
		put_int(o, "table", route->table, bad);
	if (route->has_scope)
		put_int(o, "scope", route->scope, bad);
	return o;
}

static json_t *dns_json(const struct result_dns *d, bool *bad)
{
	json_t *o = json_object();

	if (json_array_size(d->nameservers))
		put(o, "nameservers", json_incref(d->nameservers), bad);
	put_str(o, "domain", d->domain, bad);
	if (json_array_size(d->search))
		put(o, "search", json_incref(d->search), bad);
	if (json_array_size(d->options))
		put(o, "options", json_incref(d->options), bad);
	return o;
}

json_t *result_dns_json(const struct result_dns *d)
{
	bool bad = false;
	json_t *o = dns_json(d, &bad);

	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

/* 0.1.0 and 0.2.0: the first address of a family, and the family's routes. */
static void put_old(json_t *doc, const struct result *r, int fam, bool *bad)
{
	json_t *o = NULL, *routes;

	for (size_t i = 0; i < r->n_ips && !o; i++) {
		if (ip_fam(&r->ip[i].addr.ip) != fam)
			continue;
		o = json_object();
		put_prefix(o, "ip", &r->ip[i].addr, bad);
		put_ip(o, "gateway", &r->ip[i].gateway, bad);
	}
	if (!o)
		return;
	routes = json_array();
	for (size_t i = 0; i < r->n_routes; i++)
		if (ip_fam(&r->route[i].dst.ip) == fam)
			append(routes, route_json(&r->route[i], V020, bad), bad);
	if (json_array_size(routes))
		put(o, "routes", json_incref(routes), bad);
	json_decref(routes);
	put(doc, fam == FAM4 ? "ip4" : "ip6", o, bad);
}

static void put_lists(json_t *doc, const struct result *r, enum cni_version v, bool *bad)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_ifaces; i++)
		append(list, iface_json(&r->iface[i], v, bad), bad);
	if (r->n_ifaces)
		put(doc, "interfaces", json_incref(list), bad);
	json_decref(list);
	list = json_array();
	for (size_t i = 0; i < r->n_ips; i++)
		append(list, ip_json(&r->ip[i], v, bad), bad);
	if (r->n_ips)
		put(doc, "ips", json_incref(list), bad);
	json_decref(list);
	list = json_array();
	for (size_t i = 0; i < r->n_routes; i++)
		append(list, route_json(&r->route[i], v, bad), bad);
	if (r->n_routes)
		put(doc, "routes", json_incref(list), bad);
	json_decref(list);
}

int result_fits(const struct result *r, enum cni_version v, struct fault *f)
{
	if (v <= V020 && r->n_ips == 0)
		return fault_set(f, FAULT_CONFIG,
				 "cniVersion %s: a result of this version needs an address",
				 version_str(v));
	return 0;
}

json_t *result_json(const struct result *r, enum cni_version v)
{
	json_t *doc = json_object();
	bool bad = !doc;

	put_str(doc, "cniVersion", version_str(v), &bad);
	if (v <= V020) {
		put_old(doc, r, FAM4, &bad);
		put_old(doc, r, FAM6, &bad);
	} else {
		put_lists(doc, r, v, &bad);
	}
	if (v <= V040 || !result_dns_is_empty(&r->dns))
		put(doc, "dns", dns_json(&r->dns, &bad), &bad);
	if (!bad)
		return doc;
	json_decref(doc);
	return NULL;
}

json_t *result_fault_json(const struct fault *f, enum cni_version v)
{
	json_t *doc = json_object();
	bool bad = !doc;

	put_str(doc, "cniVersion", version_str(v), &bad);
	put_int(doc, "code", f->code, &bad);
	put(doc, "msg", json_string(f->msg), &bad);
	put_str(doc, "details", f->details, &bad);
	if (!bad)
		return doc;
	json_decref(doc);
	return NULL;
}

json_t *result_version_json(enum cni_version says)
{
	json_t *doc = json_object(), *list = json_array();
	bool bad = !doc || !list;

	put_str(doc, "cniVersion", version_str(says), &bad);
	for (int i = 0; i < N_VERSIONS; i++)
		append(list, json_string(versions[i]), &bad);
	put(doc, "supportedVersions", list, &bad);
	if (!bad)
		return doc;
	json_decref(doc);
	return NULL;
}
