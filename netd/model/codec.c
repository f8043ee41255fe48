/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: the writing half of the schema; codec_parse.c is the reading half, and each line here has
 * its counterpart there. Keys are camelCase; addresses, prefixes and MACs are texts in their
 * canonical form; the 64-bit cookie is a decimal text because many readers of JSON keep numbers as
 * doubles (RFC 8259 section 6). A key whose value is "none" is left out. Key order is the order of
 * the calls.
 */
#include "model/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* An object under construction. A failure, NULL values included, sticks. */
struct out {
	json_t *obj;
	bool failed;
};

static void put(struct out *o, const char *key, json_t *value)
{
	if (json_object_set_new(o->obj, key, value) < 0)
		o->failed = true;
}

static void put_str(struct out *o, const char *key, const char *s)
{
	if (*s)
		put(o, key, json_string(s));
}

static void put_int(struct out *o, const char *key, uint64_t v)
{
	put(o, key, json_integer((json_int_t)v));
}

static void put_mac(struct out *o, const char *key, const struct mac *m)
{
	static const struct mac none;
	char s[MAC_STRLEN];

	if (memcmp(m, &none, sizeof(*m)) != 0)
		put_str(o, key, mac_str(m, s));
}

static json_t *out_take(struct out *o)
{
	if (o->failed) {
		json_decref(o->obj);
		o->obj = NULL;
	}
	return o->obj;
}

/* Ends o and appends it to the array. */
static void append(json_t *arr, struct out *o, bool *failed)
{
	if (json_array_append_new(arr, out_take(o)) < 0)
		*failed = true;
}

static json_t *put_arr(struct out *o, const char *key)
{
	json_t *arr = json_array();

	put(o, key, arr);
	return o->failed ? NULL : arr;
}

static void put_flag(struct out *o, const char *key, bool v)
{
	if (v)
		put(o, key, json_true());
}

static void put_some(struct out *o, const char *key, uint64_t v)
{
	if (v)
		put_int(o, key, v);
}

static void put_addresses(struct out *o, const struct attachment *a)
{
	json_t *arr = put_arr(o, "addresses");
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	for (size_t i = 0; i < n && arr; i++) {
		char ip[IP_STRLEN], prefix[PREFIX_STRLEN];
		struct out item = {.obj = json_object()};

		put_str(&item, "address", prefix_str(&list[i].addr, prefix));
		put_str(&item, "gateway", ip_str(&list[i].gateway, ip));
		append(arr, &item, &o->failed);
	}
}

static void put_resolvers(struct out *o, const struct attachment *a)
{
	char ip[IP_STRLEN];

	if (a->resolver[FAM4].family)
		put_str(o, "resolver4", ip_str(&a->resolver[FAM4], ip));
	if (a->resolver[FAM6].family)
		put_str(o, "resolver6", ip_str(&a->resolver[FAM6], ip));
}

static void put_ports(struct out *o, const struct attachment *a)
{
	json_t *arr = put_arr(o, "ports");

	for (size_t i = 0; i < a->n_publish && arr; i++) {
		const struct publish *p = &a->publish[i];
		struct out item = {.obj = json_object()};
		char ip[IP_STRLEN];

		put_str(&item, "proto", proto_str(p->proto));
		put_str(&item, "hostIp", ip_str(&p->host_ip, ip));
		put_int(&item, "hostPort", p->host_port);
		put_int(&item, "containerPort", p->ctr_port);
		put_int(&item, "count", p->count);
		put_flag(&item, "unheld", p->is_unheld);
		append(arr, &item, &o->failed);
	}
}

static void put_routes(struct out *o, const struct attachment *a)
{
	json_t *arr = a->has_routes ? put_arr(o, "routes") : NULL;

	for (size_t i = 0; i < a->n_route && arr; i++) {
		const struct attach_route *r = &a->route[i];
		struct out item = {.obj = json_object()};
		char ip[IP_STRLEN], prefix[PREFIX_STRLEN];

		put_str(&item, "dst", prefix_str(&r->dst, prefix));
		put_str(&item, "gw", ip_str(&r->gw, ip));
		put_some(&item, "mtu", r->mtu);
		put_some(&item, "advmss", r->advmss);
		put_some(&item, "priority", r->priority);
		put_some(&item, "table", r->table);
		put_some(&item, "scope", (uint64_t)r->scope);
		append(arr, &item, &o->failed);
	}
	put_flag(o, "defaultRoute4", a->is_default_route[FAM4]);
	put_flag(o, "defaultRoute6", a->is_default_route[FAM6]);
}

static void put_sysctls(struct out *o, const struct attachment *a)
{
	json_t *arr = a->n_sysctl ? put_arr(o, "sysctls") : NULL;

	for (size_t i = 0; i < a->n_sysctl && arr; i++) {
		struct out item = {.obj = json_object()};

		put_str(&item, "key", a->sysctl[i].key);
		put_str(&item, "value", a->sysctl[i].value);
		append(arr, &item, &o->failed);
	}
}

static void put_tune(struct out *o, const struct attach_tune *t)
{
	struct out sub = {.obj = json_object()};

	if (t->has_promisc)
		put(&sub, "promisc", json_boolean(t->is_promisc));
	if (t->has_allmulti)
		put(&sub, "allmulti", json_boolean(t->is_allmulti));
	if (t->has_tx_queue_len)
		put_int(&sub, "txQueueLen", t->tx_queue_len);
	put_some(&sub, "mtu", t->mtu);
	put_mac(&sub, "mac", &t->mac);
	put(o, "tune", out_take(&sub));
}

static void put_rate(struct out *o, const struct attach_rate *r)
{
	struct out sub = {.obj = json_object()};

	put_some(&sub, "in", r->in_rate);
	put_some(&sub, "inBurst", r->in_burst);
	put_some(&sub, "out", r->out_rate);
	put_some(&sub, "outBurst", r->out_burst);
	put(o, "rate", out_take(&sub));
}

static void put_cap(struct out *o, const struct attach_cap *c)
{
	struct out sub = {.obj = json_object()};

	put_some(&sub, "conns", c->conns);
	put_some(&sub, "connRate", c->conn_rate);
	put_some(&sub, "packetRate", c->packet_rate);
	put_some(&sub, "inConns", c->in_conns);
	put_some(&sub, "inConnRate", c->in_conn_rate);
	put(o, "cap", out_take(&sub));
}

static void put_egress(struct out *o, const struct attachment *a)
{
	const struct attach_egress *x = &a->egress;
	json_t *arr = put_arr(o, "egress");

	for (size_t i = 0; i < x->n && arr; i++) {
		struct out item = {.obj = json_object()};
		char s[ATTACH_DEST_STRLEN];

		put_str(&item, x->dest[i].is_denied ? "notTo" : "to",
			attach_dest_str(x, &a->names, i, s));
		append(arr, &item, &o->failed);
	}
}

static void put_vlan(struct out *o, const struct attach_vlan *v)
{
	json_t *arr = v->n_trunk ? put_arr(o, "trunk") : NULL;

	for (size_t i = 0; i < v->n_trunk && arr; i++) {
		struct out item = {.obj = json_object()};

		put_int(&item, "min", v->trunk[i].min);
		put_int(&item, "max", v->trunk[i].max);
		append(arr, &item, &o->failed);
	}
	put_some(o, "vlan", v->pvid);
	put_flag(o, "vlanAlone", v->is_alone);
}

static void put_aliases(struct out *o, const struct attachment *a)
{
	json_t *arr = a->n_alias ? put_arr(o, "aliases") : NULL;

	for (size_t i = 0; i < a->n_alias && arr; i++)
		if (json_array_append_new(arr, json_string(a->alias[i])) < 0)
			o->failed = true;
}

/* Each key only where it says something: the documents of attachments without parts have none. */
static void put_parts(struct out *o, const struct attachment *a)
{
	put_routes(o, a);
	put_sysctls(o, a);
	if (attach_tune_is_set(&a->tune))
		put_tune(o, &a->tune);
	if (attach_rate_is_set(&a->rate))
		put_rate(o, &a->rate);
	if (attach_cap_is_set(&a->cap))
		put_cap(o, &a->cap);
	if (a->egress.n)
		put_egress(o, a);
	put_vlan(o, &a->vlan);
	put_aliases(o, a);
	if (a->note)
		put_str(o, "note", a->note);
	put_flag(o, "leased", a->is_leased);
	put_flag(o, "down", a->is_down);
	put_flag(o, "hairpin", a->is_hairpin);
	put_flag(o, "promisc", a->is_promisc);
	put_flag(o, "dad", a->is_dad);
	put_flag(o, "unguarded", a->is_unguarded);
	put_flag(o, "portIsolated", a->is_port_isolated);
	put_flag(o, "untilLogout", a->is_until_logout);
}

static void put_kind(struct out *o, const struct attachment *a)
{
	char hash[24];

	if (a->kind != ATTACH_VETH)
		put_str(o, "kind", a->kind == ATTACH_FOREIGN ? "foreign" : "lease");
	snprintf(hash, sizeof(hash), "%" PRIu64, a->request);
	if (a->request)
		put_str(o, "request", hash);
	put_flag(o, "layer2", a->is_l2);
}

static const char *const phase_name[] = {
	[ATTACH_INTENT] = "intent",
	[ATTACH_COMMITTED] = "committed",
	[ATTACH_LEAVING] = "leaving",
};

json_t *codec_attachment(const struct attachment *a)
{
	struct out o = {.obj = json_object()};
	char cookie[24];

	snprintf(cookie, sizeof(cookie), "%" PRIu64, a->netns_cookie);
	put_int(&o, "version", CODEC_VERSION);
	put_str(&o, "phase", phase_name[a->phase]);
	put_kind(&o, a);
	put_str(&o, "id", a->id);
	put_str(&o, "ifname", a->ifname);
	put_str(&o, "network", a->network);
	put_str(&o, "mode", net_mode_str(a->mode));
	put_str(&o, "bridge", a->bridge);
	put(&o, "internal", json_boolean(a->internal));
	put(&o, "isolate", json_boolean(a->isolate));
	put_str(&o, "hostIfname", a->host_ifname);
	put_int(&o, "hostIfindex", a->host_ifindex);
	put_int(&o, "ifindex", a->ctr_ifindex);
	put_mac(&o, "mac", &a->mac);
	put_mac(&o, "hostMac", &a->host_mac);
	put_addresses(&o, a);
	put_int(&o, "mtu", a->mtu);
	if (a->netns_cookie || a->kind == ATTACH_VETH)
		put_str(&o, "netnsCookie", cookie);
	put_str(&o, "bootId", a->boot_id);
	put_str(&o, "netnsPath", a->netns_path);
	put_int(&o, "created", (uint64_t)a->created);
	put_some(&o, "madeAt", a->made_at);
	put_some(&o, "uid", a->uid);
	put_resolvers(&o, a);
	put_ports(&o, a);
	put_parts(&o, a);
	return out_take(&o);
}

static void put_subnets(struct out *o, const struct network *n)
{
	json_t *arr = put_arr(o, "subnets");
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);

	for (size_t i = 0; i < k && arr; i++) {
		char ip[IP_STRLEN], prefix[PREFIX_STRLEN];
		struct out item = {.obj = json_object()};

		put_str(&item, "subnet", prefix_str(&list[i].subnet, prefix));
		put_str(&item, "gateway", ip_str(&list[i].gateway, ip));
		put_flag(&item, "member", list[i].is_member);
		put_flag(&item, "ownGateway", list[i].is_own);
		append(arr, &item, &o->failed);
	}
}

json_t *codec_network(const struct network *n)
{
	struct out o = {.obj = json_object()};
	json_t *arr;

	put_int(&o, "version", CODEC_VERSION);
	put_str(&o, "name", n->name);
	put_str(&o, "mode", net_mode_str(n->mode));
	put_str(&o, "bridge", n->bridge);
	put_flag(&o, "spec", n->is_spec);
	put_flag(&o, "isGateway", n->is_gateway);
	put_flag(&o, "open", n->is_open);
	put_flag(&o, "policy", n->has_policy);
	put_flag(&o, "adopted", n->is_adopted);
	put_flag(&o, "vlanFiltering", n->is_filtering);
	put_some(&o, "vlan", n->vlan);
	put_subnets(&o, n);
	put(&o, "internal", json_boolean(n->internal));
	put(&o, "isolate", json_boolean(n->isolate));
	put(&o, "masquerade", json_boolean(n->masquerade));
	arr = put_arr(&o, "noMasquerade");
	for (size_t i = 0; i < n->n_nomasq && arr; i++) {
		char prefix[PREFIX_STRLEN];

		if (json_array_append_new(arr, json_string(prefix_str(&n->nomasq[i], prefix))) < 0)
			o.failed = true;
	}
	put_int(&o, "mtu", n->mtu);
	put_flag(&o, "names", n->names);
	put_some(&o, "namesPort", n->names_port);
	put(&o, "implicit", json_boolean(n->implicit));
	return out_take(&o);
}
