/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_parse: the reading half of the schema (codec.c writes): attachments. It refuses whatever
 * the writer cannot have written, names the place of the error ("addresses[0].gateway: ..."), and
 * passes over unknown keys. The rules for single values are those of the model (name, addr,
 * publish, network); what is here is how the fields of one document fit together.
 */
#include "model/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"
#include "model/codec_in.h"

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
	else if (strcmp(s, "leaving") == 0)
		*ret = ATTACH_LEAVING;
	else
		return in_bad(in, "phase", "expected \"intent\", \"committed\" or \"leaving\"");
	return 0;
}

static int in_kind(const struct in *in, struct attachment *a)
{
	const char *s = "veth", *hash;
	int r = in_str(in, "kind", JSON_OPTIONAL, &s);

	if (r < 0)
		return r;
	if (strcmp(s, "foreign") == 0)
		a->kind = ATTACH_FOREIGN;
	else if (strcmp(s, "lease") == 0)
		a->kind = ATTACH_LEASE;
	else if (r == 0)
		return in_bad(in, "kind", "expected \"foreign\" or \"lease\"");
	r = in_str(in, "request", JSON_OPTIONAL, &hash);
	if (r == 0 && parse_u64(hash, 1, UINT64_MAX, &a->request) < 0)
		return in_bad(in, "request", "expected a decimal number from 1 on, as text");
	if (r >= 0)
		r = in_opt_bool(in, "layer2", &a->is_l2);
	return r < 0 ? r : 0;
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
		r = in_name(in, "hostIfname",
			    a->kind == ATTACH_VETH ? JSON_REQUIRED : JSON_OPTIONAL,
			    name_check_ifname, a->host_ifname, sizeof(a->host_ifname));
	return r < 0 ? r : 0;
}

/* What the kernel gave exists from the commit on. Who answers for whom by MAC address on a routed
 * link is written down on both sides, so there the outer MAC belongs to it. */
static int in_link(const struct in *in, struct attachment *a)
{
	bool is_done = a->phase == ATTACH_COMMITTED && a->kind == ATTACH_VETH;
	bool needs_host_mac = is_done && a->mode == NET_ROUTED;
	int r;

	r = in_u32(in, "hostIfindex", is_done, INT32_MAX, &a->host_ifindex);
	if (r == 0)
		r = in_u32(in, "ifindex", is_done, INT32_MAX, &a->ctr_ifindex);
	if (r == 0)
		r = in_mac(in, "mac", a->kind == ATTACH_VETH ? JSON_REQUIRED : JSON_OPTIONAL,
			   &a->mac);
	if (r >= 0)
		r = in_mac(in, "hostMac", needs_host_mac ? JSON_REQUIRED : JSON_OPTIONAL,
			   &a->host_mac);
	if (r >= 0)
		r = in_u32(in, "mtu", 0, 65535, &a->mtu);
	if (r == 0 && (is_done || a->mtu != 0) && a->mtu < 68)
		return in_bad(in, "mtu", "expected an integer 68..65535");
	return r;
}

static int check_address(const struct in *in, const struct attachment *a, int f)
{
	const struct prefix *p = &a->addr[f];
	struct prefix net = prefix_network(p);
	struct ip last = prefix_last(p);

	if (network_is_special(&p->ip))
		return in_bad(in, "address", "in a range that is not for hosts");
	if (a->mode == NET_ROUTED) {
		if (p->len != 8 * ip_size(&p->ip))
			return in_bad(in, "address", "a routed address has length 32 or 128");
		return 0;
	}
	if (network_check_subnet(&net, in->e) < 0)
		return in_wrong(in, "address");
	if (ip_equal(&p->ip, &net.ip) || (f == FAM4 && ip_equal(&p->ip, &last)))
		return in_bad(in, "address", "the network's own or its broadcast address");
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
			return in_bad(in, "gateway",
				      "a routed network has 169.254.1.1 and fe80::1");
	} else if (!prefix_contains(p, gw)) {
		return in_bad(in, "gateway", "not inside the subnet of the address");
	} else if (ip_equal(gw, &p->ip) || ip_equal(gw, &net.ip) ||
		   (f == FAM4 && ip_equal(gw, &last))) {
		return in_bad(in, "gateway", "the address itself, or no host of its subnet");
	}
	return 0;
}

/* Made from a caller's description, which decides; or not a link of ours. */
static bool is_described(const struct attachment *a)
{
	return a->request != 0 || a->kind != ATTACH_VETH;
}

static int in_described_addresses(const struct in *in, json_t *arr, struct attachment *a)
{
	size_t n = json_array_size(arr);
	int r = 0;

	/* Somebody else's interface may have none that we were told of. */
	if (a->kind != ATTACH_FOREIGN && (n == 0) != a->is_l2)
		return in_bad(in, "addresses", "expected addresses, unless it has layer 2 only");
	for (size_t i = 0; r >= 0 && i < n; i++) {
		char path[PATH_STRLEN];
		struct attach_ip ip = {0};
		struct in item;

		r = in_item(in, arr, "addresses", i, path, &item);
		if (r >= 0)
			r = in_prefix(&item, "address", &ip.addr);
		if (r >= 0)
			r = in_ip(&item, "gateway", JSON_OPTIONAL, &ip.gateway);
		if (r >= 0 && attach_ip_check(&ip, in->e) < 0)
			r = in_wrong(&item, "address");
		if (r >= 0 && attachment_add_ip(a, &ip, in->e) < 0)
			r = in_wrong(&item, "address");
	}
	return r < 0 ? r : 0;
}

static int in_addresses(const struct in *in, struct attachment *a)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "addresses", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (is_described(a))
		return in_described_addresses(in, arr, a);
	if (json_array_size(arr) == 0 || json_array_size(arr) > N_FAM)
		return in_bad(in, "addresses", "expected one address, or one of each family");
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
			return in_bad(&item, "address", "a second address of one family");
		a->addr[f] = p;
		a->position[f] = (uint8_t)i;
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

	r = in_str(in, "netnsCookie", a->kind == ATTACH_VETH ? JSON_REQUIRED : JSON_OPTIONAL, &s);
	if (r < 0)
		return r;
	if (r == 0 && parse_u64(s, 1, UINT64_MAX, &a->netns_cookie) < 0)
		return in_bad(in, "netnsCookie", "expected a decimal number from 1 on, as text");
	r = in_str(in, "bootId", JSON_REQUIRED, &s);
	if (r < 0)
		return r;
	if (!is_uuid(s))
		return in_bad(in, "bootId", "expected a UUID");
	memcpy(a->boot_id, s, sizeof(a->boot_id));
	r = in_name(in, "netnsPath", JSON_OPTIONAL, name_check_path, a->netns_path,
		    sizeof(a->netns_path));
	if (r < 0)
		return r;
	r = json_get_u64(in->obj, in->path, "created", JSON_REQUIRED, 0, INT64_MAX, &v, in->e);
	if (r == 0)
		a->created = (int64_t)v;
	if (r == 0)
		r = in_opt_u64(in, "madeAt", &a->made_at);
	if (r >= 0)
		r = in_opt_u32(in, "uid", 1, UINT32_MAX - 1, &a->uid);
	return r < 0 ? r : 0;
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
		return in_wrong(in, "proto");
	r = in_ip(in, "hostIp", JSON_OPTIONAL, &p.host_ip);
	if (r < 0)
		return r;
	if (r == 0 && publish_check_host_ip(&p.host_ip, in->e) < 0)
		return in_wrong(in, "hostIp");
	r = in_u32(in, "hostPort", 1, 65535, &host);
	if (r == 0)
		r = in_u32(in, "containerPort", 1, 65535, &ctr);
	if (r == 0)
		r = in_u32(in, "count", 1, 65535, &count);
	if (r == 0)
		r = in_opt_bool(in, "unheld", &p.is_unheld);
	if (r < 0)
		return r;
	if (host + count > 65536 || ctr + count > 65536)
		return in_bad(in, "count", "the run goes beyond port 65535");
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
		return in_bad(in, "ports", "more than 8192 runs of ports");
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
		return in_wrong(in, "ports");
	return 0;
}

static int in_resolvers(const struct in *in, struct attachment *a)
{
	static const char *const keys[N_FAM] = {"resolver4", "resolver6"};

	for (int f = 0; f < N_FAM; f++) {
		int r = in_ip(in, keys[f], JSON_OPTIONAL, &a->resolver[f]);

		if (r < 0)
			return r;
		if (a->resolver[f].family && ip_fam(&a->resolver[f]) != f)
			return in_bad(in, keys[f], "an address of the other family");
	}
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
		r = in_kind(&in, a);
	if (r == 0)
		r = in_names(&in, a);
	if (r == 0)
		r = in_link(&in, a);
	if (r == 0)
		r = in_addresses(&in, a);
	if (r == 0)
		r = in_origin(&in, a);
	if (r == 0)
		r = in_resolvers(&in, a);
	if (r == 0)
		r = in_ports(&in, a);
	if (r == 0)
		r = in_parts(&in, a);
	if (r < 0)
		return r;
	*ret = a;
	a = NULL;
	return 0;
}
