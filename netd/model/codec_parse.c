/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_parse: the reading half of the schema (codec.c writes). It refuses whatever the writer
 * cannot have written, names the place of the error ("addresses[0].gateway: ..."), and passes over
 * unknown keys. The rules for single values are those of the model (name, addr, publish, network);
 * what is here is how the fields of one document fit together.
 */
#include "model/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"

#define PATH_STRLEN 40 /* "noMasquerade[31]" and the like */

/* An object being read: its place in the document, and where errors go. */
struct in {
	json_t *obj;
	const char *path;
	struct err *e;
};

/* A checker of the model found the value of key wrong: its text gets the place in front of it. */
static int wrong(const struct in *in, const char *key)
{
	if (in->e)
		in->e->kind = ERR_PROTOCOL;
	return err_ctx(in->e, -EINVAL, "%s%s%s", in->path, *in->path && *key ? "." : "", key);
}

static int bad(const struct in *in, const char *key, const char *what)
{
	return json_bad(in->path, key, in->e, what);
}

static int in_str(const struct in *in, const char *key, enum json_need need, const char **ret)
{
	return json_get_str(in->obj, in->path, key, need, ret, in->e);
}

static int in_u32(const struct in *in, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = json_get_u64(in->obj, in->path, key, JSON_REQUIRED, min, max, &v, in->e);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

static int in_bool(const struct in *in, const char *key, bool *ret)
{
	return json_get_bool(in->obj, in->path, key, JSON_REQUIRED, ret, in->e);
}

/* A name that one of the name_check functions accepts, into an array of its size. */
static int in_name(const struct in *in, const char *key, enum json_need need,
		   int (*check)(const char *, const char *, struct err *), char *ret, size_t size)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	if (check(s, "name", in->e) < 0)
		return wrong(in, key);
	snprintf(ret, size, "%s", s);
	return 0;
}

static int in_mac(const struct in *in, const char *key, enum json_need need, struct mac *ret)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	return mac_parse(s, ret, in->e) < 0 ? wrong(in, key) : 0;
}

static int in_ip(const struct in *in, const char *key, enum json_need need, struct ip *ret)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	return ip_parse(s, ret, in->e) < 0 ? wrong(in, key) : 0;
}

static int in_prefix(const struct in *in, const char *key, struct prefix *ret)
{
	const char *s;
	int r = in_str(in, key, JSON_REQUIRED, &s);

	if (r != 0)
		return r;
	return prefix_parse(s, ret, in->e) < 0 ? wrong(in, key) : 0;
}

static int in_version(const struct in *in)
{
	char what[96];
	uint64_t v;
	int r = json_get_u64(in->obj, in->path, "version", JSON_REQUIRED, 0, INT64_MAX, &v, in->e);

	if (r < 0)
		return r;
	if (v == CODEC_VERSION)
		return 0;
	snprintf(what, sizeof(what), "this program reads version %d, found %" PRIu64, CODEC_VERSION,
		 v);
	return bad(in, "version", what);
}

/* The mode, and the bridge that goes with it: present in bridge mode and only there. */
static int in_mode(const struct in *in, enum net_mode *ret_mode, char ret_bridge[IFNAME_STRLEN])
{
	const char *s;
	int r = in_str(in, "mode", JSON_REQUIRED, &s);

	if (r < 0)
		return r;
	if (net_mode_parse(s, ret_mode, in->e) < 0)
		return wrong(in, "mode");
	if (*ret_mode == NET_BRIDGE)
		return in_name(in, "bridge", JSON_REQUIRED, name_check_ifname, ret_bridge,
			       IFNAME_STRLEN);
	if (json_object_get(in->obj, "bridge"))
		return bad(in, "bridge", "a routed network has none");
	return 0;
}

/* The i-th object of an array: sets the place and checks that it is one. */
static int in_item(const struct in *in, json_t *arr, const char *key, size_t i,
		   char path[PATH_STRLEN], struct in *ret)
{
	snprintf(path, PATH_STRLEN, "%s[%zu]", key, i);
	*ret = (struct in){.obj = json_array_get(arr, i), .path = path, .e = in->e};
	if (!json_is_object(ret->obj))
		return bad(ret, "", "expected an object");
	return 0;
}

static int in_phase(const struct in *in, enum attach_phase *ret)
{
	const char *s;
	int r = in_str(in, "phase", JSON_REQUIRED, &s);

	if (r < 0)
		return r;
	if (strcmp(s, "committed") == 0)
		*ret = ATTACH_COMMITTED;
	else if (strcmp(s, "intent") == 0)
		*ret = ATTACH_INTENT;
	else
		return bad(in, "phase", "expected \"intent\" or \"committed\"");
	return 0;
}

static int in_names(const struct in *in, struct attachment *a)
{
	int r;

	r = in_name(in, "id", JSON_REQUIRED, name_check_id, a->id, sizeof(a->id));
	if (r == 0)
		r = in_name(in, "ifname", JSON_REQUIRED, name_check_ifname, a->ifname,
			    sizeof(a->ifname));
	if (r == 0)
		r = in_name(in, "network", JSON_REQUIRED, name_check_network, a->network,
			    sizeof(a->network));
	if (r == 0)
		r = in_mode(in, &a->mode, a->bridge);
	if (r == 0)
		r = in_bool(in, "internal", &a->internal);
	if (r == 0)
		r = in_bool(in, "isolate", &a->isolate);
	if (r == 0)
		r = in_name(in, "hostIfname", JSON_REQUIRED, name_check_ifname, a->host_ifname,
			    sizeof(a->host_ifname));
	return r;
}

/* What the kernel gave exists from the commit on. Who answers for whom by MAC address on a routed
 * link is written down on both sides, so there the outer MAC belongs to it. */
static int in_link(const struct in *in, struct attachment *a)
{
	bool is_done = a->phase == ATTACH_COMMITTED;
	bool needs_host_mac = is_done && a->mode == NET_ROUTED;
	int r;

	r = in_u32(in, "hostIfindex", is_done, INT32_MAX, &a->host_ifindex);
	if (r == 0)
		r = in_u32(in, "ifindex", is_done, INT32_MAX, &a->ctr_ifindex);
	if (r == 0)
		r = in_mac(in, "mac", JSON_REQUIRED, &a->mac);
	if (r == 0)
		r = in_mac(in, "hostMac", needs_host_mac ? JSON_REQUIRED : JSON_OPTIONAL,
			   &a->host_mac);
	if (r >= 0)
		r = in_u32(in, "mtu", 0, 65535, &a->mtu);
	if (r == 0 && (is_done || a->mtu != 0) && a->mtu < 68)
		return bad(in, "mtu", "expected an integer 68..65535");
	return r;
}

static int check_address(const struct in *in, const struct attachment *a, int f)
{
	const struct prefix *p = &a->addr[f];
	struct prefix net = prefix_network(p);
	struct ip last = prefix_last(p);

	if (network_is_special(&p->ip))
		return bad(in, "address", "in a range that is not for hosts");
	if (a->mode == NET_ROUTED) {
		if (p->len != 8 * ip_size(&p->ip))
			return bad(in, "address", "a routed address has length 32 or 128");
		return 0;
	}
	if (network_check_subnet(&net, in->e) < 0)
		return wrong(in, "address");
	if (ip_equal(&p->ip, &net.ip) || (f == FAM4 && ip_equal(&p->ip, &last)))
		return bad(in, "address", "the network's own or its broadcast address");
	return 0;
}

static int check_gateway(const struct in *in, const struct attachment *a, int f)
{
	const struct ip *gw = &a->gateway[f];
	const struct prefix *p = &a->addr[f];
	struct prefix net = prefix_network(p);
	struct ip last = prefix_last(p);
	struct ip routed = network_gateway(NET_ROUTED, p);

	if (a->mode == NET_ROUTED) {
		if (!ip_equal(gw, &routed))
			return bad(in, "gateway", "a routed network has 169.254.1.1 and fe80::1");
	} else if (!prefix_contains(p, gw)) {
		return bad(in, "gateway", "not inside the subnet of the address");
	} else if (ip_equal(gw, &p->ip) || ip_equal(gw, &net.ip) ||
		   (f == FAM4 && ip_equal(gw, &last))) {
		return bad(in, "gateway", "the address itself, or no host of its subnet");
	}
	return 0;
}

static int in_addresses(const struct in *in, struct attachment *a)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "addresses", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (json_array_size(arr) == 0 || json_array_size(arr) > N_FAM)
		return bad(in, "addresses", "expected one address, or one of each family");
	for (size_t i = 0; i < json_array_size(arr); i++) {
		char path[PATH_STRLEN];
		struct prefix p;
		struct in item;
		int f;

		r = in_item(in, arr, "addresses", i, path, &item);
		if (r == 0)
			r = in_prefix(&item, "address", &p);
		if (r < 0)
			return r;
		f = ip_fam(&p.ip);
		if (a->addr[f].ip.family)
			return bad(&item, "address", "a second address of one family");
		a->addr[f] = p;
		r = check_address(&item, a, f);
		if (r == 0)
			r = in_ip(&item, "gateway", JSON_OPTIONAL, &a->gateway[f]);
		if (r == 0)
			r = check_gateway(&item, a, f);
		if (r < 0)
			return r;
	}
	return 0;
}

/* RFC 9562 section 4, in lower case as the kernel prints it. */
static bool is_uuid(const char *s)
{
	if (strlen(s) != BOOT_ID_STRLEN - 1)
		return false;
	for (size_t i = 0; s[i]; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return false;
		} else if (!strchr("0123456789abcdef", s[i])) {
			return false;
		}
	}
	return true;
}

static int in_origin(const struct in *in, struct attachment *a)
{
	const char *s;
	uint64_t v;
	int r;

	r = in_str(in, "netnsCookie", JSON_REQUIRED, &s);
	if (r < 0)
		return r;
	if (parse_u64(s, 1, UINT64_MAX, &a->netns_cookie) < 0)
		return bad(in, "netnsCookie", "expected a decimal number from 1 on, as text");
	r = in_str(in, "bootId", JSON_REQUIRED, &s);
	if (r < 0)
		return r;
	if (!is_uuid(s))
		return bad(in, "bootId", "expected a UUID");
	memcpy(a->boot_id, s, sizeof(a->boot_id));
	r = in_name(in, "netnsPath", JSON_OPTIONAL, name_check_path, a->netns_path,
		    sizeof(a->netns_path));
	if (r < 0)
		return r;
	r = json_get_u64(in->obj, in->path, "created", JSON_REQUIRED, 0, INT64_MAX, &v, in->e);
	if (r == 0)
		a->created = (int64_t)v;
	return r;
}

static int in_port(const struct in *in, struct publish *ret)
{
	struct publish p = {0};
	uint32_t host = 0, ctr = 0, count = 0;
	const char *proto;
	int r;

	r = in_str(in, "proto", JSON_REQUIRED, &proto);
	if (r < 0)
		return r;
	if (proto_parse(proto, &p.proto, in->e) < 0)
		return wrong(in, "proto");
	r = in_ip(in, "hostIp", JSON_OPTIONAL, &p.host_ip);
	if (r < 0)
		return r;
	if (r == 0 && publish_check_host_ip(&p.host_ip, in->e) < 0)
		return wrong(in, "hostIp");
	r = in_u32(in, "hostPort", 1, 65535, &host);
	if (r == 0)
		r = in_u32(in, "containerPort", 1, 65535, &ctr);
	if (r == 0)
		r = in_u32(in, "count", 1, 65535, &count);
	if (r < 0)
		return r;
	if (host + count > 65536 || ctr + count > 65536)
		return bad(in, "count", "the run goes beyond port 65535");
	p.host_port = (uint16_t)host;
	p.ctr_port = (uint16_t)ctr;
	p.count = (uint16_t)count;
	*ret = p;
	return 0;
}

static int in_ports(const struct in *in, struct attachment *a)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "ports", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (json_array_size(arr) > PUBLISH_MAX)
		return bad(in, "ports", "more than 4096 runs of ports");
	if (json_array_size(arr) == 0)
		return 0;
	a->publish = calloc(json_array_size(arr), sizeof(*a->publish));
	if (!a->publish)
		return err_sys(in->e, ENOMEM, "reading published ports");
	for (size_t i = 0; i < json_array_size(arr); i++) {
		char path[PATH_STRLEN];
		struct in item;

		r = in_item(in, arr, "ports", i, path, &item);
		if (r == 0)
			r = in_port(&item, &a->publish[i]);
		if (r < 0)
			return r;
		a->n_publish++;
	}
	if (publish_check_list(a->publish, a->n_publish, in->e) < 0)
		return wrong(in, "ports");
	return 0;
}

int codec_parse_attachment(json_t *doc, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = calloc(1, sizeof(*a));
	struct in in = {.obj = doc, .path = "", .e = e};
	int r;

	if (!a)
		return err_sys(e, ENOMEM, "reading an attachment");
	r = in_version(&in);
	if (r == 0)
		r = in_phase(&in, &a->phase);
	if (r == 0)
		r = in_names(&in, a);
	if (r == 0)
		r = in_link(&in, a);
	if (r == 0)
		r = in_addresses(&in, a);
	if (r == 0)
		r = in_origin(&in, a);
	if (r == 0)
		r = in_ports(&in, a);
	if (r < 0)
		return r;
	*ret = a;
	a = NULL;
	return 0;
}

static int in_subnets(const struct in *in, struct network *n)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "subnets", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (json_array_size(arr) == 0 || json_array_size(arr) > N_FAM)
		return bad(in, "subnets", "expected one subnet, or one of each family");
	for (size_t i = 0; i < json_array_size(arr); i++) {
		char path[PATH_STRLEN];
		struct prefix p;
		struct in item;
		int f;

		r = in_item(in, arr, "subnets", i, path, &item);
		if (r == 0)
			r = in_prefix(&item, "subnet", &p);
		if (r < 0)
			return r;
		f = ip_fam(&p.ip);
		if (n->subnet[f].ip.family)
			return bad(&item, "subnet", "a second subnet of one family");
		if (network_check_subnet(&p, in->e) < 0)
			return wrong(&item, "subnet");
		n->subnet[f] = p;
		r = in_ip(&item, "gateway", JSON_REQUIRED, &n->gateway[f]);
		if (r < 0)
			return r;
		if (network_check_gateway(n->mode, &p, &n->gateway[f], in->e) < 0)
			return wrong(&item, "gateway");
	}
	return 0;
}

static int in_nomasq(const struct in *in, struct network *n)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "noMasquerade", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (json_array_size(arr) > NETWORK_NOMASQ_MAX)
		return bad(in, "noMasquerade", "more than 32 destinations");
	for (size_t i = 0; i < json_array_size(arr); i++) {
		char path[PATH_STRLEN];
		struct in item = {.path = path, .e = in->e};
		const char *s = json_string_value(json_array_get(arr, i));

		snprintf(path, sizeof(path), "noMasquerade[%zu]", i);
		if (!s)
			return bad(&item, "", "expected a string");
		if (prefix_parse(s, &n->nomasq[i], in->e) < 0)
			return wrong(&item, "");
		n->n_nomasq++;
		if (network_check_nomasq(n->nomasq, n->n_nomasq, in->e) < 0)
			return wrong(&item, "");
	}
	return 0;
}

int codec_parse_network(json_t *doc, struct network *ret, struct err *e)
{
	struct in in = {.obj = doc, .path = "", .e = e};
	struct network n = {0}, derived;
	int r;

	r = in_version(&in);
	if (r == 0)
		r = in_name(&in, "name", JSON_REQUIRED, name_check_network, n.name, sizeof(n.name));
	if (r == 0)
		r = in_mode(&in, &n.mode, n.bridge);
	if (r == 0)
		r = in_subnets(&in, &n);
	if (r == 0)
		r = in_bool(&in, "internal", &n.internal);
	if (r == 0)
		r = in_bool(&in, "isolate", &n.isolate);
	if (r == 0)
		r = in_bool(&in, "masquerade", &n.masquerade);
	if (r == 0)
		r = in_nomasq(&in, &n);
	if (r == 0)
		r = in_u32(&in, "mtu", 0, 65535, &n.mtu);
	if (r == 0)
		r = in_bool(&in, "implicit", &n.implicit);
	if (r < 0)
		return r;
	derived = n;
	if (network_complete(&derived, e) < 0)
		return wrong(&in, "mtu"); /* the one part not checked above */
	if (strcmp(derived.bridge, n.bridge) != 0)
		return bad(&in, "bridge", "not the bridge of the network of this name");
	*ret = n;
	return 0;
}
