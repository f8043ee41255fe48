/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_part: the reading half of the schema for the optional parts of an attachment: routes,
 * sysctls, settings, rates, flags. All keys are optional; codec.c writes those that are set. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/codec_in.h"

static int in_route(const struct in *in, struct attach_route *ret)
{
	struct attach_route t = {0};
	uint32_t scope = 0;
	int r = in_prefix(in, "dst", &t.dst);

	if (r >= 0)
		r = in_ip(in, "gw", JSON_OPTIONAL, &t.gw);
	if (r >= 0)
		r = in_opt_u32(in, "mtu", 0, 65535, &t.mtu);
	if (r >= 0)
		r = in_opt_u32(in, "advmss", 0, 65535, &t.advmss);
	if (r >= 0)
		r = in_opt_u32(in, "priority", 0, UINT32_MAX, &t.priority);
	if (r >= 0)
		r = in_opt_u32(in, "table", 0, UINT32_MAX, &t.table);
	if (r >= 0)
		r = in_opt_u32(in, "scope", 0, 255, &scope);
	t.scope = (int)scope;
	if (r >= 0 && attach_route_check(&t, in->e) < 0)
		return in_wrong(in, "dst");
	if (r >= 0)
		*ret = t;
	return r < 0 ? r : 0;
}

static int in_routes(const struct in *in, struct attachment *a)
{
	struct attach_route list[ATTACH_ROUTE_MAX];
	json_t *arr = NULL;
	size_t n = 0;
	int r = in_opt_arr(in, "routes", ATTACH_ROUTE_MAX, &arr, &n);

	a->has_routes = r == 0;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		char path[PATH_STRLEN];
		struct in item;

		r = in_item(in, arr, "routes", i, path, &item);
		if (r >= 0)
			r = in_route(&item, &list[i]);
	}
	if (r >= 0)
		r = in_opt_bool(in, "defaultRoute4", &a->is_default_route[FAM4]);
	if (r >= 0)
		r = in_opt_bool(in, "defaultRoute6", &a->is_default_route[FAM6]);
	return r < 0 ? r : attachment_set_routes(a, list, n, in->e);
}

static int in_sysctls(const struct in *in, struct attachment *a)
{
	json_t *arr = NULL;
	size_t n = 0;
	int r = in_opt_arr(in, "sysctls", ATTACH_SYSCTL_MAX, &arr, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		char path[PATH_STRLEN];
		struct attach_sysctl s = {.key = ""};
		const char *key, *value;
		struct in item;

		r = in_item(in, arr, "sysctls", i, path, &item);
		if (r >= 0)
			r = in_str(&item, "key", JSON_REQUIRED, &key);
		if (r >= 0)
			r = in_str(&item, "value", JSON_REQUIRED, &value);
		if (r < 0)
			break;
		if (strlen(key) >= sizeof(s.key) || strlen(value) >= sizeof(s.value))
			return in_bad(&item, "key", "too long");
		memcpy(s.key, key, strlen(key));
		memcpy(s.value, value, strlen(value));
		if (attach_sysctl_check(&s, in->e) < 0)
			return in_wrong(&item, "key");
		r = attachment_add_sysctls(a, &s, 1, in->e);
	}
	return r < 0 ? r : 0;
}

static int in_tune(const struct in *in, struct attach_tune *t)
{
	json_t *obj = NULL;
	struct in sub = {.path = "tune", .e = in->e};
	int r = json_get_obj(in->obj, in->path, "tune", JSON_OPTIONAL, &obj, in->e);

	if (r != 0)
		return r < 0 ? r : 0;
	sub.obj = obj;
	r = in_opt_bool(&sub, "promisc", &t->is_promisc);
	t->has_promisc = r == 0;
	if (r >= 0)
		r = in_opt_bool(&sub, "allmulti", &t->is_allmulti);
	t->has_allmulti = r == 0;
	if (r >= 0)
		r = in_opt_u32(&sub, "txQueueLen", 0, INT32_MAX, &t->tx_queue_len);
	t->has_tx_queue_len = r == 0;
	if (r >= 0)
		r = in_opt_u32(&sub, "mtu", 68, 65535, &t->mtu);
	if (r >= 0)
		r = in_mac(&sub, "mac", JSON_OPTIONAL, &t->mac);
	return r < 0 ? r : 0;
}

static int in_rate(const struct in *in, struct attach_rate *rate)
{
	json_t *obj = NULL;
	struct in sub = {.path = "rate", .e = in->e};
	int r = json_get_obj(in->obj, in->path, "rate", JSON_OPTIONAL, &obj, in->e);

	if (r != 0)
		return r < 0 ? r : 0;
	sub.obj = obj;
	r = in_opt_u64(&sub, "in", &rate->in_rate);
	if (r >= 0)
		r = in_opt_u64(&sub, "inBurst", &rate->in_burst);
	if (r >= 0)
		r = in_opt_u64(&sub, "out", &rate->out_rate);
	if (r >= 0)
		r = in_opt_u64(&sub, "outBurst", &rate->out_burst);
	if (r >= 0 && attach_rate_check(rate, in->e) < 0)
		return in_wrong(in, "rate");
	return r < 0 ? r : 0;
}

static int in_cap(const struct in *in, struct attach_cap *cap)
{
	json_t *obj = NULL;
	struct in sub = {.path = "cap", .e = in->e};
	int r = json_get_obj(in->obj, in->path, "cap", JSON_OPTIONAL, &obj, in->e);

	if (r != 0)
		return r < 0 ? r : 0;
	sub.obj = obj;
	r = in_opt_u32(&sub, "conns", 1, UINT32_MAX, &cap->conns);
	if (r >= 0)
		r = in_opt_u32(&sub, "connRate", 1, UINT32_MAX, &cap->conn_rate);
	if (r >= 0)
		r = in_opt_u32(&sub, "packetRate", 1, UINT32_MAX, &cap->packet_rate);
	if (r >= 0)
		r = in_opt_u32(&sub, "inConns", 1, UINT32_MAX, &cap->in_conns);
	if (r >= 0)
		r = in_opt_u32(&sub, "inConnRate", 1, UINT32_MAX, &cap->in_conn_rate);
	return r < 0 ? r : 0;
}

static int in_egress(const struct in *in, struct attach_egress *x, struct attach_names *names)
{
	json_t *arr = NULL;
	size_t n = 0;
	int r = in_opt_arr(in, "egress", ATTACH_DEST_MAX, &arr, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *to, *not_to;
		char path[PATH_STRLEN];
		struct in item;

		r = in_item(in, arr, "egress", i, path, &item);
		if (r < 0)
			return r;
		r = in_str(&item, "to", JSON_OPTIONAL, &to);
		if (r == 1)
			r = in_str(&item, "notTo", JSON_REQUIRED, &not_to);
		else if (r == 0)
			not_to = NULL;
		if (r < 0)
			return r;
		if (attach_egress_parse(not_to ? not_to : to, not_to != NULL, x, names, in->e) < 0)
			return in_wrong(&item, not_to ? "notTo" : "to");
	}
	return r < 0 ? r : 0;
}

static int in_flags(const struct in *in, struct attachment *a)
{
	const struct {
		const char *key;
		bool *to;
	} flags[] = {
		{"leased", &a->is_leased},
		{"down", &a->is_down},
		{"hairpin", &a->is_hairpin},
		{"promisc", &a->is_promisc},
		{"dad", &a->is_dad},
		{"unguarded", &a->is_unguarded},
		{"portIsolated", &a->is_port_isolated},
		{"untilLogout", &a->is_until_logout},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		r = in_opt_bool(in, flags[i].key, flags[i].to);
	return r < 0 ? r : 0;
}

static int in_vlan(const struct in *in, struct attach_vlan *v)
{
	uint32_t vlan = 0, min = 0, max = 0;
	json_t *arr = NULL;
	size_t n = 0;
	int r = in_opt_u32(in, "vlan", 0, VLAN_MAX, &vlan);

	v->pvid = (uint16_t)vlan;
	if (r >= 0)
		r = in_opt_bool(in, "vlanAlone", &v->is_alone);
	if (r >= 0)
		r = in_opt_arr(in, "trunk", ATTACH_TRUNK_MAX, &arr, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		char path[PATH_STRLEN];
		struct in item;

		r = in_item(in, arr, "trunk", i, path, &item);
		if (r >= 0)
			r = in_opt_u32(&item, "min", VLAN_MIN, VLAN_MAX, &min);
		if (r == 0)
			r = in_opt_u32(&item, "max", VLAN_MIN, VLAN_MAX, &max);
		if (r != 0)
			return r < 0 ? r : in_bad(&item, "min", "expected min and max");
		v->trunk[v->n_trunk++] = (struct attach_vlan_range){(uint16_t)min, (uint16_t)max};
		if (attach_vlan_check(v, in->e) < 0)
			return in_wrong(&item, "min");
	}
	return r < 0 ? r : 0;
}

static int in_aliases(const struct in *in, struct attachment *a)
{
	const char *list[ATTACH_ALIAS_MAX];
	json_t *arr = NULL;
	size_t n = 0;
	int r = in_opt_arr(in, "aliases", ATTACH_ALIAS_MAX, &arr, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		list[i] = json_string_value(json_array_get(arr, i));
		if (!list[i])
			return in_bad(in, "aliases", "expected strings");
	}
	r = attachment_set_aliases(a, list, n, in->e);
	return r < 0 && r != -ENOMEM ? in_wrong(in, "aliases") : r;
}

static int in_note(const struct in *in, struct attachment *a)
{
	const char *note;
	int r = in_str(in, "note", JSON_OPTIONAL, &note);

	if (r != 0)
		return r < 0 ? r : 0;
	r = attachment_set_note(a, note, in->e);
	return r < 0 && r != -ENOMEM ? in_wrong(in, "note") : r;
}

int in_parts(const struct in *in, struct attachment *a)
{
	int r = in_routes(in, a);

	if (r == 0)
		r = in_sysctls(in, a);
	if (r == 0)
		r = in_tune(in, &a->tune);
	if (r == 0)
		r = in_rate(in, &a->rate);
	if (r == 0)
		r = in_cap(in, &a->cap);
	if (r == 0)
		r = in_egress(in, &a->egress, &a->names);
	if (r == 0)
		r = in_vlan(in, &a->vlan);
	if (r == 0)
		r = in_aliases(in, a);
	if (r == 0)
		r = in_note(in, a);
	if (r == 0)
		r = in_flags(in, a);
	return r;
}
