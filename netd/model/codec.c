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

#define CODEC_VERSION 1
#define PATH_STRLEN 40 /* "ports[4095]" */

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

static void put_addresses(struct out *o, const struct attachment *a)
{
	json_t *arr = put_arr(o, "addresses");

	for (int f = 0; f < N_FAM && arr; f++) {
		char ip[IP_STRLEN], prefix[PREFIX_STRLEN];
		struct out item;

		if (a->addr[f].ip.family == 0)
			continue;
		item = (struct out){.obj = json_object()};
		put_str(&item, "address", prefix_str(&a->addr[f], prefix));
		put_str(&item, "gateway", ip_str(&a->gateway[f], ip));
		append(arr, &item, &o->failed);
	}
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
		append(arr, &item, &o->failed);
	}
}

json_t *codec_attachment(const struct attachment *a)
{
	struct out o = {.obj = json_object()};
	char cookie[24];

	snprintf(cookie, sizeof(cookie), "%" PRIu64, a->netns_cookie);
	put_int(&o, "version", CODEC_VERSION);
	put_str(&o, "phase", a->phase == ATTACH_COMMITTED ? "committed" : "intent");
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
	put_str(&o, "netnsCookie", cookie);
	put_str(&o, "bootId", a->boot_id);
	put_str(&o, "netnsPath", a->netns_path);
	put_int(&o, "created", (uint64_t)a->created);
	put_ports(&o, a);
	return out_take(&o);
}

json_t *codec_network(const struct network *n)
{
	struct out o = {.obj = json_object()};
	json_t *arr;

	put_int(&o, "version", CODEC_VERSION);
	put_str(&o, "name", n->name);
	put_str(&o, "mode", net_mode_str(n->mode));
	put_str(&o, "bridge", n->bridge);
	arr = put_arr(&o, "subnets");
	for (int f = 0; f < N_FAM && arr; f++) {
		char ip[IP_STRLEN], prefix[PREFIX_STRLEN];
		struct out item;

		if (n->subnet[f].ip.family == 0)
			continue;
		item = (struct out){.obj = json_object()};
		put_str(&item, "subnet", prefix_str(&n->subnet[f], prefix));
		put_str(&item, "gateway", ip_str(&n->gateway[f], ip));
		append(arr, &item, &o.failed);
	}
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
	put(&o, "implicit", json_boolean(n->implicit));
	return out_take(&o);
}
