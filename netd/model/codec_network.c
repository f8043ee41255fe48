/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_network: the reading half of the schema for networks. As codec_parse does, it refuses
 * whatever the writer cannot have written and names the place. */
#include <stdio.h>
#include <string.h>

#include "model/attach.h"
#include "model/codec.h"
#include "model/codec_in.h"

static int in_described_subnets(const struct in *in, json_t *arr, struct network *n)
{
	size_t count = json_array_size(arr);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		char path[PATH_STRLEN];
		struct net_subnet s = {0};
		struct in item;

		r = in_item(in, arr, "subnets", i, path, &item);
		if (r >= 0)
			r = in_prefix(&item, "subnet", &s.subnet);
		if (r >= 0)
			r = in_ip(&item, "gateway", JSON_OPTIONAL, &s.gateway);
		if (r >= 0)
			r = in_opt_bool(&item, "member", &s.is_member);
		if (r >= 0)
			r = in_opt_bool(&item, "ownGateway", &s.is_own);
		if (r >= 0 && network_add_subnet(n, &s, in->e) < 0)
			r = in_wrong(&item, "subnet");
	}
	return r < 0 ? r : 0;
}

static int in_spec(const struct in *in, struct network *n)
{
	uint32_t vlan = 0;
	int r = in_opt_bool(in, "spec", &n->is_spec);

	if (r >= 0)
		r = in_opt_bool(in, "isGateway", &n->is_gateway);
	if (r >= 0)
		r = in_opt_bool(in, "open", &n->is_open);
	if (r >= 0)
		r = in_opt_bool(in, "policy", &n->has_policy);
	if (r >= 0)
		r = in_opt_bool(in, "adopted", &n->is_adopted);
	if (r >= 0)
		r = in_opt_bool(in, "vlanFiltering", &n->is_filtering);
	if (r >= 0)
		r = in_opt_u32(in, "vlan", 0, VLAN_MAX, &vlan);
	n->vlan = (uint16_t)vlan;
	return r < 0 ? r : 0;
}

static int in_names(const struct in *in, struct network *n)
{
	uint32_t port = 0;
	int r = in_opt_bool(in, "names", &n->names);

	if (r >= 0)
		r = in_opt_u32(in, "namesPort", 0, UINT16_MAX, &port);
	n->names_port = (uint16_t)port;
	return r < 0 ? r : 0;
}

static int in_subnets(const struct in *in, struct network *n)
{
	json_t *arr;
	int r = json_get_arr(in->obj, in->path, "subnets", JSON_REQUIRED, &arr, in->e);

	if (r < 0)
		return r;
	if (n->is_spec)
		return in_described_subnets(in, arr, n);
	if (json_array_size(arr) == 0 || json_array_size(arr) > N_FAM)
		return in_bad(in, "subnets", "expected one subnet, or one of each family");
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
			return in_bad(&item, "subnet", "a second subnet of one family");
		if (network_check_subnet(&p, in->e) < 0)
			return in_wrong(&item, "subnet");
		n->subnet[f] = p;
		r = in_ip(&item, "gateway", JSON_REQUIRED, &n->gateway[f]);
		if (r < 0)
			return r;
		if (network_check_gateway(n->mode, &p, &n->gateway[f], in->e) < 0)
			return in_wrong(&item, "gateway");
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
		return in_bad(in, "noMasquerade", "more than 32 destinations");
	for (size_t i = 0; i < json_array_size(arr); i++) {
		char path[PATH_STRLEN];
		struct in item = {.path = path, .e = in->e};
		const char *s = json_string_value(json_array_get(arr, i));

		snprintf(path, sizeof(path), "noMasquerade[%zu]", i);
		if (!s)
			return in_bad(&item, "", "expected a string");
		if (prefix_parse(s, &n->nomasq[i], in->e) < 0)
			return in_wrong(&item, "");
		n->n_nomasq++;
		if (network_check_nomasq(n->nomasq, n->n_nomasq, in->e) < 0)
			return in_wrong(&item, "");
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
		r = in_spec(&in, &n);
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
		r = in_names(&in, &n);
	if (r == 0)
		r = in_bool(&in, "implicit", &n.implicit);
	if (r < 0)
		return r;
	derived = n;
	if (network_complete(&derived, e) < 0)
		return in_wrong(&in, n.is_spec ? "subnets" : "mtu"); /* not checked above */
	if (strcmp(derived.bridge, n.bridge) != 0)
		return in_bad(&in, "bridge", "not the bridge of the network of this name");
	*ret = derived; /* of a described one the gateways are settled */
	return 0;
}
