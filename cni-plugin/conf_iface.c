/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_iface: keys of the reference bridge and ptp, and ours (mode, isolate, internal, noMasq,
 * ingressPolicy, and those of tuning and bandwidth). ptp is the routed mode.
 */
#include "cni-plugin/conf_iface.h"

#include <stdlib.h>
#include <string.h>

#include "cni-plugin/gojson.h"
#include "cni-plugin/tune.h"
#include "model/name.h"

const char *const conf_iface_keys[] = {
	"bridge",        "isGateway",   "isDefaultGateway", "ipMasq",
	"ipMasqBackend", "hairpinMode", "promiscMode",      "vlan",
	"vlanTrunk",     "mtu",         "forceAddress",     "preserveDefaultVlan",
	"enabledad",     "macspoofchk", "portIsolation",    "disableContainerInterface",
	"mode",          "isolate",     "internal",         "noMasq",
	"ingressPolicy", "names",       "portPolicy",       "allowShadow",
	"sysctl",        "promisc",     "allmulti",         "txQLen",
	"mac",           "ingressRate", "ingressBurst",     "egressRate",
	"egressBurst",   NULL,
};

void conf_iface_clear(struct conf_iface *i)
{
	free(i->publish);
	free(i->sysctl);
	result_dns_clear(&i->dns);
	*i = (struct conf_iface)CONF_IFACE_INIT;
}

static int flag(const struct call *c, const char *key, bool *ret, struct fault *f)
{
	return gojson_bool(c->conf.doc, "", key, ret, f) < 0 ? -1 : 0;
}

static int parse_mode(const struct call *c, struct network *n, struct fault *f)
{
	struct err e = ERR_INIT;
	const char *s = "";

	if (c->plugin->is_routed)
		n->mode = NET_ROUTED;
	if (gojson_str(c->conf.doc, "", "mode", &s, f) < 0)
		return -1;
	if (*s && net_mode_parse(s, &n->mode, &e) < 0) {
		err_ctx(&e, -1, "mode");
		return fault_err_as(f, FAULT_CONFIG, &e);
	}
	return 0;
}

static int parse_bridge_name(const struct call *c, struct network *n, struct fault *f)
{
	const char *s = c->plugin->bridge ? c->plugin->bridge : "";
	struct err e = ERR_INIT;

	if (gojson_str(c->conf.doc, "", "bridge", &s, f) < 0)
		return -1;
	if (!*s || n->mode == NET_ROUTED)
		return 0;
	if (name_check_ifname(s, "bridge", &e) < 0)
		return fault_err_as(f, FAULT_CONFIG, &e);
	memcpy(n->bridge, s, strlen(s) + 1);
	return 0;
}

static int parse_policy(const struct call *c, struct network *n, struct fault *f)
{
	const char *s = "";

	if (gojson_str(c->conf.doc, "", "ingressPolicy", &s, f) < 0)
		return -1;
	if (!*s || strcmp(s, "open") == 0) {
		n->is_open = !n->internal;
		return 0;
	}
	if (strcmp(s, "isolated") == 0)
		n->isolate = true;
	else if (strcmp(s, "same-bridge") != 0)
		return fault_set(f, FAULT_CONFIG,
				 "ingressPolicy: expected open, same-bridge or isolated, found "
				 "\"%.32s\"",
				 s);
	return 0;
}

static int parse_network(const struct call *c, struct conf_iface *i, struct fault *f)
{
	const char *backend = "";
	struct network *n = &i->net;
	struct err e = ERR_INIT;

	n->is_spec = true;
	memcpy(n->name, c->conf.name, strlen(c->conf.name) + 1);
	if (parse_mode(c, n, f) < 0 || parse_bridge_name(c, n, f) < 0 ||
	    flag(c, "ipMasq", &n->masquerade, f) < 0 || flag(c, "isolate", &n->isolate, f) < 0 ||
	    flag(c, "internal", &n->internal, f) < 0 ||
	    flag(c, "isGateway", &n->is_gateway, f) < 0 ||
	    flag(c, "isDefaultGateway", &i->is_default_gateway, f) < 0 ||
	    flag(c, "names", &n->names, f) < 0 || tune_mtu(&c->conf, &n->mtu, f) < 0 ||
	    parse_policy(c, n, f) < 0)
		return -1;
	if (gojson_str(c->conf.doc, "", "ipMasqBackend", &backend, f) < 0)
		return -1;
	if (*backend && strcmp(backend, "nftables") != 0 && strcmp(backend, "iptables") != 0)
		return fault_set(f, FAULT_CONFIG,
				 "ipMasqBackend: expected nftables or iptables, found \"%.32s\"",
				 backend);
	n->is_gateway = n->is_gateway || i->is_default_gateway || n->mode == NET_ROUTED;
	if (n->names && (n->mode == NET_ROUTED || !n->is_gateway))
		return fault_set(f, FAULT_CONFIG,
				 "names: they are found at the gateway of a bridge (isGateway)");
	if (conf_prefixes(c->conf.doc, "", "noMasq", n->nomasq, NETWORK_NOMASQ_MAX, &n->n_nomasq,
			  f) < 0)
		return -1;
	if (network_check_nomasq(n->nomasq, n->n_nomasq, &e) < 0) {
		err_ctx(&e, -1, "noMasq");
		return fault_err_as(f, FAULT_CONFIG, &e);
	}
	return 0;
}

static int parse_trunk_entry(json_t *v, const char *at, struct attach_vlan *ret, struct fault *f)
{
	int64_t id = 0, min = 0, max = 0;
	struct err e = ERR_INIT;
	int r = 0;

	if (!json_is_object(v))
		return gojson_wrong(at, "an object", v, f);
	if (gojson_range(v, at, "id", 0, VLAN_MAX, &id, f) < 0 ||
	    gojson_range(v, at, "minID", 0, VLAN_MAX, &min, f) < 0 ||
	    gojson_range(v, at, "maxID", 0, VLAN_MAX, &max, f) < 0)
		return -1;
	if (min > max || (min == 0) != (max == 0) || (!id && !min))
		return fault_set(f, FAULT_CONFIG,
				 "%s: expected id, or minID and maxID with minID <= maxID", at);
	if (min)
		r = attach_vlan_add_trunk(ret, (uint16_t)min, (uint16_t)max, &e);
	if (r == 0 && id)
		r = attach_vlan_add_trunk(ret, (uint16_t)id, (uint16_t)id, &e);
	if (r == 0)
		return 0;
	err_ctx(&e, r, "%s", at);
	return fault_err(f, &e);
}

/* vlan, vlanTrunk, preserveDefaultVlan. The guard of a port lets no tagged frame pass, so a trunk
 * goes without it, and a configuration that asks for both contradicts itself. */
static int parse_vlan(const struct call *c, struct conf_iface *i, bool is_guard_said,
		      bool *is_guarded, struct fault *f)
{
	struct attach_vlan *v = &i->req.vlan;
	char at[GOJSON_PATHLEN];
	json_t *list = NULL, *item;
	bool keep = true;
	int64_t id = 0;
	size_t k;

	if (flag(c, "preserveDefaultVlan", &keep, f) < 0 ||
	    gojson_range(c->conf.doc, "", "vlan", 0, VLAN_MAX, &id, f) < 0 ||
	    gojson_arr(c->conf.doc, "", "vlanTrunk", &list, f) < 0)
		return -1;
	json_array_foreach(list, k, item)
	{
		if (parse_trunk_entry(item, gojson_path(at, "", "vlanTrunk", (long)k), v, f) < 0)
			return -1;
	}
	v->pvid = (uint16_t)id;
	v->is_alone = !keep && (v->pvid || v->n_trunk);
	if (!attach_vlan_is_set(v))
		return 0;
	if (i->net.mode != NET_BRIDGE)
		return fault_set(f, FAULT_CONFIG, "vlan: a routed network has no bridge");
	if (v->n_trunk && is_guard_said && *is_guarded)
		return fault_set(f, FAULT_CONFIG,
				 "vlanTrunk: macspoofchk lets no tagged frame pass");
	if (v->n_trunk)
		*is_guarded = false;
	i->net.is_filtering = true;
	i->net.vlan = v->pvid;
	return 0;
}

static int parse_port(const struct call *c, struct conf_iface *i, struct fault *f)
{
	struct up_request *q = &i->req;
	bool is_guarded = true;
	int said;

	if (flag(c, "hairpinMode", &q->is_hairpin, f) < 0 ||
	    flag(c, "promiscMode", &q->is_promisc, f) < 0 ||
	    flag(c, "forceAddress", &q->is_force_address, f) < 0 ||
	    flag(c, "enabledad", &q->is_dad, f) < 0 ||
	    flag(c, "portIsolation", &q->is_port_isolated, f) < 0 ||
	    flag(c, "disableContainerInterface", &q->is_down, f) < 0)
		return -1;
	said = gojson_bool(c->conf.doc, "", "macspoofchk", &is_guarded, f);
	if (said < 0 || parse_vlan(c, i, said == 0, &is_guarded, f) < 0)
		return -1;
	if (q->is_hairpin && q->is_promisc)
		return fault_set(f, FAULT_CONFIG, "hairpinMode and promiscMode exclude each other");
	q->is_unguarded = !is_guarded;
	return 0;
}

/* What the shape of the old versions cannot say is refused before anything is made. */
static int check_shape(const struct call *c, const struct ipam *ipam, struct fault *f)
{
	size_t n[N_FAM] = {0};

	if (c->conf.version > V020)
		return 0;
	if (ipam->kind == IPAM_NONE && c->conf.prev.n_ips == 0)
		return result_fits(&c->conf.prev, c->conf.version, f);
	for (size_t i = 0; i < ipam->n_set; i++)
		n[ip_fam(&ipam->set[i].r[0].subnet.ip)]++;
	for (size_t i = 0; i < ipam->n_given; i++)
		n[ip_fam(&ipam->given[i].addr.ip)]++;
	for (int fam = 0; fam < N_FAM; fam++)
		if (n[fam] > 1)
			return fault_set(f, FAULT_CONFIG,
					 "cniVersion %s: more than one IPv%d address cannot be "
					 "said in this version",
					 version_str(c->conf.version), fam == FAM4 ? 4 : 6);
	return 0;
}

int conf_iface_parse(const struct call *c, const struct ipam *ipam, struct conf_iface *ret,
		     struct fault *f)
{
	struct up_request *q = &ret->req;
	int r;

	if (parse_network(c, ret, f) < 0 || parse_port(c, ret, f) < 0 ||
	    conf_publish(&c->conf, &ret->publish, &q->n_publish, f) < 0 ||
	    conf_rate(&c->conf, &q->rate, f) < 0 ||
	    conf_aliases(&c->conf, ret->alias, &q->n_alias, f) < 0 ||
	    tune_parse(&c->conf, c->env.ifname, &q->tune, &ret->sysctl, &q->n_sysctl, f) < 0)
		return -1;
	r = conf_mac(&c->conf, &c->env, &q->mac, f);
	if (r < 0 || conf_dns(&c->conf, &ret->dns, f) < 0)
		return -1;
	if (q->is_down && ipam->kind != IPAM_NONE)
		return fault_set(f, FAULT_CONFIG,
				 "disableContainerInterface: there is no place for the addresses "
				 "of ipam");
	if (ret->net.mode == NET_ROUTED && ipam->kind == IPAM_NONE)
		return fault_set(f, FAULT_CONFIG, "ipam: a routed network needs addresses");
	return check_shape(c, ipam, f);
}

static int add_subnet(struct network *n, const struct prefix *subnet, const struct ip *gw,
		      struct fault *f)
{
	struct net_subnet list[NETWORK_SUBNET_MAX], s = {.subnet = *subnet, .gateway = *gw};
	size_t k = network_subnets(n, list);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < k; i++)
		if (prefix_equal(&list[i].subnet, subnet))
			return 0;
	return network_add_subnet(n, &s, &e) < 0 ? fault_err(f, &e) : 0;
}

/* The bridge's address where the other plugin leaves it to us. */
static void default_gateway(const struct conf_iface *i, struct attach_ip *ip)
{
	struct prefix net = prefix_network(&ip->addr);
	int bits = (int)ip_size(&net.ip) * 8;

	if (!ip->gateway.family && i->net.is_gateway && i->net.mode == NET_BRIDGE &&
	    net.len <= bits - 2)
		ip->gateway = network_gateway(NET_BRIDGE, &net);
}

static bool has_default(const struct ipam *ipam, int fam)
{
	for (size_t i = 0; i < ipam->n_route; i++)
		if (ipam->route[i].dst.len == 0 && ip_fam(&ipam->route[i].dst.ip) == fam &&
		    ipam->route[i].table == 0)
			return true;
	return false;
}

static int complete_network(struct ipam *ipam, struct conf_iface *i, bool has[N_FAM],
			    struct fault *f)
{
	struct err e = ERR_INIT;

	for (size_t s = 0; s < ipam->n_set; s++)
		for (size_t k = 0; k < ipam->set[s].n; k++) {
			const struct addr_range *r = &ipam->set[s].r[k];
			has[ip_fam(&r->subnet.ip)] = true;
			if (add_subnet(&i->net, &r->subnet, &r->gateway, f) < 0)
				return -1;
		}
	for (size_t k = 0; k < ipam->n_given; k++) {
		has[ip_fam(&ipam->given[k].addr.ip)] = true;
		default_gateway(i, &ipam->given[k]);
	}
	return network_complete(&i->net, &e) < 0 ? fault_err_as(f, FAULT_CONFIG, &e) : 0;
}

int conf_iface_complete(const struct call *c, struct ipam *ipam, struct conf_iface *i,
			struct fault *f)
{
	struct up_request *q = &i->req;
	bool has[N_FAM] = {false};

	if (complete_network(ipam, i, has, f) < 0)
		return -1;
	q->id = c->env.id;
	q->ifname = c->env.ifname;
	q->network = c->conf.name;
	q->netns_path = env_netns_path(&c->env);
	q->net_spec = &i->net;
	q->mtu = i->net.mtu;
	q->n_set = ipam->n_set;
	q->set = ipam->set;
	q->n_want = ipam->n_want;
	q->want = ipam->want;
	q->n_given = ipam->n_given;
	q->given = ipam->given;
	q->is_l2 = ipam->kind == IPAM_NONE;
	q->n_route = ipam->n_route;
	q->route = ipam->route;
	for (int fam = 0; fam < N_FAM; fam++)
		q->is_default_route[fam] =
			i->is_default_gateway && has[fam] && !has_default(ipam, fam);
	q->n_publish = conf_publish_fitting(i->publish, q->n_publish, has);
	q->publish = i->publish;
	q->sysctl = i->sysctl;
	q->alias = i->alias;
	if (q->is_l2 && q->n_publish)
		return fault_set(f, FAULT_CONFIG, "portMappings: there is no address to map to");
	return 0;
}
