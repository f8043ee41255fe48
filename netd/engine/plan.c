/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: the order of set-up, decided from values only. It never asks the kernel; observe does,
 * before. Order (netd's rule): filter, link, addresses, DNAT.
 */
#include "engine/plan.h"

#include <inttypes.h>
#include <string.h>

static void add(struct plan *p, enum op_kind kind)
{
	p->op[p->n++] = (struct op){.kind = kind};
}

/* Whoever had these addresses before may have had another MAC address then: it was given by hand,
 * or the two addresses are not the usual pair (the MAC address follows from one of them). */
static bool needs_announcement(const struct attachment *a)
{
	const struct prefix *p4 = &a->addr[FAM4], *p6 = &a->addr[FAM6];
	struct mac usual = mac_from_ip(p4->ip.family ? &p4->ip : &p6->ip);

	if (a->mode != NET_BRIDGE)
		return false;
	if (memcmp(&usual, &a->mac, sizeof(usual)) != 0)
		return true;
	return p4->ip.family && p6->ip.family &&
	       prefix_index(p4, &p4->ip) != prefix_index(p6, &p6->ip);
}

static bool has_vlan(const struct attachment *a, const struct observed *o)
{
	return o->has_vlan || !attach_vlan_is_set(&a->vlan);
}

/* Static entries are made for the VLANs that the port has: again when it gets others. */
static bool has_port(const struct attachment *a, const struct observed *o)
{
	return o->has_port && has_vlan(a, o);
}

static bool needs_tune(const struct attachment *a, const struct observed *o)
{
	return (a->n_sysctl || attach_tune_is_set(&a->tune)) && !o->has_tune;
}

/* The kernel is through with an address a moment after it has been given one, and what comes after
 * the link takes longer than that: then it is waited for as late as may be. Not where duplicates
 * are looked for, which takes its time, nor where settings of the container's follow, which could
 * take the address away. */
static bool is_ready_soon(const struct attachment *a, const struct observed *o)
{
	return !a->is_dad && !needs_tune(a, o);
}

static void plan_ready(const struct attachment *a, const struct observed *o, struct plan *ret)
{
	if (a->is_down || (o->has_link && o->has_inside && has_port(a, o)))
		return;
	add(ret, OP_READY);
	if (!a->is_l2 && needs_announcement(a))
		add(ret, OP_ANNOUNCE);
}

static void plan_link(const struct attachment *a, const struct observed *o, struct plan *ret)
{
	if (!o->has_link)
		add(ret, OP_VETH);
	if (a->mode == NET_BRIDGE && !has_vlan(a, o))
		add(ret, OP_VLAN);
	if (a->mode == NET_BRIDGE && !has_port(a, o))
		add(ret, OP_PORT);
	if (a->mode == NET_ROUTED && !o->has_host_route)
		add(ret, OP_HOST_ROUTE);
	if (!a->is_down && !o->has_inside)
		add(ret, OP_INSIDE);
	if (!is_ready_soon(a, o))
		plan_ready(a, o, ret);
}

void plan_up(const struct attachment *a, const struct observed *o, struct plan *ret)
{
	ret->n = 0;
	if (a->kind == ATTACH_LEASE)
		return;
	if (o->tables != TABLES_OK)
		add(ret, OP_TABLES);
	if (!o->has_network) {
		add(ret, OP_NET_ELEMENTS);
		if (a->mode == NET_BRIDGE)
			add(ret, OP_BRIDGE);
	}
	if (attachment_has_names(a) && !o->has_resolver)
		add(ret, OP_RESOLVER);
	for (size_t i = 0; i < o->n_sysctl; i++)
		ret->op[ret->n++] = (struct op){.kind = OP_SYSCTL, .sysctl = i};
	if (!o->has_guard)
		add(ret, OP_GUARD);
	if (a->kind == ATTACH_VETH)
		plan_link(a, o, ret);
	if (needs_tune(a, o))
		add(ret, OP_TUNE);
	if (attach_rate_is_set(&a->rate) && !o->has_rate)
		add(ret, OP_RATE);
	if (attachment_has_names(a) && !(o->has_names && o->has_resolver))
		add(ret, OP_NAMES);
	if (a->n_publish && !o->has_reservation)
		add(ret, OP_RESERVE);
	if (a->kind == ATTACH_VETH && is_ready_soon(a, o))
		plan_ready(a, o, ret);
	if (a->n_publish && !o->has_dnat) {
		add(ret, OP_DNAT);
		add(ret, OP_CONNTRACK);
	}
}

static void text_addrs(const struct attachment *a, struct buf *out)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	char s[PREFIX_STRLEN];

	for (size_t i = 0; i < n; i++)
		buf_printf(out, " %s", prefix_str(&list[i].addr, s));
}

static void text_subnets(const struct network *n, struct buf *out)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);
	char s[PREFIX_STRLEN];

	for (size_t i = 0; i < k; i++)
		buf_printf(out, " %s", prefix_str(&list[i].subnet, s));
}

static void text_publish(const struct attachment *a, struct buf *out)
{
	char s[PUBLISH_STRLEN];

	for (size_t i = 0; i < a->n_publish; i++)
		buf_printf(out, " %s", publish_str(&a->publish[i], s));
}

static void text_vlan(const struct attachment *a, struct buf *out)
{
	const struct attach_vlan *v = &a->vlan;

	buf_printf(out, "port %s: VLAN", a->host_ifname);
	if (v->pvid)
		buf_printf(out, " %u untagged", v->pvid);
	for (size_t i = 0; i < v->n_trunk; i++) {
		buf_printf(out, " %u", v->trunk[i].min);
		if (v->trunk[i].max != v->trunk[i].min)
			buf_printf(out, "-%u", v->trunk[i].max);
	}
	buf_printf(out, "%s\n", v->is_alone ? ", without the bridge's default" : "");
}

static void text_tune(const struct attachment *a, struct buf *out)
{
	buf_printf(out, "settings:");
	for (size_t i = 0; i < a->n_sysctl; i++)
		buf_printf(out, " %s=%s", a->sysctl[i].key, a->sysctl[i].value);
	buf_printf(out, "%s\n", attach_tune_is_set(&a->tune) ? " and those of the interface" : "");
}

static void text_resolver(const struct attachment *a, struct buf *out)
{
	char s[IP_STRLEN];

	for (int f = 0; f < N_FAM; f++)
		if (a->resolver[f].family)
			buf_printf(out, " %s", ip_str(&a->resolver[f], s));
	buf_printf(out, "\n");
}

static void text_names(const struct attachment *a, struct buf *out)
{
	buf_printf(out, "names: %s", a->id);
	for (size_t i = 0; i < a->n_alias; i++)
		buf_printf(out, " %s", a->alias[i]);
	buf_printf(out, "\n");
}

static void text_op(const struct op *op, const struct network *net, const struct attachment *a,
		    const struct observed *o, struct buf *out)
{
	char m[MAC_STRLEN];

	switch (op->kind) {
	case OP_TABLES:
		buf_printf(out, "tables: load table inet netd and table bridge netd%s\n",
			   o->tables == TABLES_OTHER ? " (replacing another version)" : "");
		break;
	case OP_NET_ELEMENTS:
		buf_printf(out, "network %s: add subnets", net->name);
		text_subnets(net, out);
		buf_printf(out, "%s%s\n", net->internal ? ", internal" : "",
			   net->isolate ? ", isolated" : "");
		break;
	case OP_BRIDGE:
		buf_printf(out, "network %s: create bridge %s with the gateway addresses\n",
			   net->name, net->bridge);
		break;
	case OP_RESOLVER:
		buf_printf(out, "network %s: serve names at", net->name);
		text_resolver(a, out);
		break;
	case OP_SYSCTL:
		buf_printf(out, "host: set %s from %d to %d\n", o->sysctl[op->sysctl].key,
			   o->sysctl[op->sysctl].now, o->sysctl[op->sysctl].want);
		break;
	case OP_GUARD:
		buf_printf(out, "guard %s: allow", a->host_ifname);
		text_addrs(a, out);
		buf_printf(out, " from %s\n", mac_str(&a->mac, m));
		break;
	case OP_VETH:
		buf_printf(out, "link %s: create, peer %s in the container, mtu %u%s%s\n",
			   a->host_ifname, a->ifname, a->mtu, a->bridge[0] ? ", port of " : "",
			   a->bridge);
		break;
	case OP_VLAN:
		text_vlan(a, out);
		break;
	case OP_PORT:
		buf_printf(out, "port %s: static FDB entry, no learning%s\n", a->host_ifname,
			   a->isolate ? ", isolated" : "");
		break;
	case OP_HOST_ROUTE:
		buf_printf(out, "route: to");
		text_addrs(a, out);
		buf_printf(out, " through %s\n", a->host_ifname);
		break;
	case OP_INSIDE:
		buf_printf(out, "container: %s up with", a->ifname);
		text_addrs(a, out);
		buf_printf(out, "%s\n",
			   a->has_routes ? (a->n_route ? " and its routes" : "")
			   : a->internal ? ""
					 : " and default routes");
		break;
	case OP_READY:
		buf_printf(out, "wait: until %s passes packets\n", a->host_ifname);
		break;
	case OP_ANNOUNCE:
		buf_printf(out, "announce:");
		text_addrs(a, out);
		buf_printf(out, " at %s\n", mac_str(&a->mac, m));
		break;
	case OP_TUNE:
		text_tune(a, out);
		break;
	case OP_RATE:
		buf_printf(out, "rate: %" PRIu64 " bit/s in, %" PRIu64 " bit/s out\n",
			   a->rate.in_rate, a->rate.out_rate);
		break;
	case OP_NAMES:
		text_names(a, out);
		break;
	case OP_RESERVE:
		buf_printf(out, "reserve:");
		text_publish(a, out);
		buf_printf(out, "\n");
		break;
	case OP_DNAT:
		buf_printf(out, "publish:");
		text_publish(a, out);
		buf_printf(out, "\n");
		break;
	case OP_CONNTRACK:
		buf_printf(out, "conntrack: forget stale flows of the published ports\n");
		break;
	case N_OPS:
		break;
	}
}

void plan_text(const struct plan *p, const struct network *net, const struct attachment *a,
	       const struct observed *o, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		text_op(&p->op[i], net, a, o, out);
}
