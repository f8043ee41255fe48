/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elem: PURE. What a network, an attachment or a published port puts into the sets of the constant
 * ruleset (elem_sets.c). It builds typed values only; their text is ruleset's, their
 * netlink form is nftbatch's. Nothing is validated here: the values come from the model's parsers.
 *
 * Keys of one set never overlap each other as long as subnets do not: the kernel refuses
 * overlapping intervals in a set with concatenated ranges.
 */
#include "net/elem.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "net/elem_int.h"

#define DNS_PORT 53

void elem_list_free(struct elem_list *l)
{
	if (!l)
		return;
	free(l->v);
	*l = (struct elem_list){0};
}

struct elem *elem_append(struct elem_list *l, enum set_id set, const char *comment)
{
	struct elem *x;

	if (!GROW(l->v, l->n, l->cap))
		return NULL;
	x = &l->v[l->n++];
	memset(x, 0, sizeof(*x));
	x->set = set;
	snprintf(x->comment, sizeof(x->comment), "%s", comment);
	return x;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_INTERNAL, ENOMEM, "elements");
}

static union field_value of_ip(const struct ip *ip)
{
	return (union field_value){.ip = *ip};
}

static union field_value of_ifname(const char *name)
{
	union field_value v = {.ifname = ""};

	memcpy(v.ifname, name, strnlen(name, IFNAME_MAX));
	return v;
}

/* ---- networks ---- */

static void set_range(struct elem *x, unsigned int i, const struct prefix *p)
{
	struct prefix net = prefix_network(p);

	x->key[i].ip = net.ip;
	x->key_end[i].ip = prefix_last(p);
}

static int add_prefix(struct elem_list *out, enum set_id set, const struct prefix *p,
		      const char *comment)
{
	struct elem *x = elem_append(out, set, comment);

	if (!x)
		return -ENOMEM;
	set_range(x, 0, p);
	return 0;
}

static int add_pair(struct elem_list *out, enum set_id set, const struct prefix *a,
		    const struct prefix *b, enum elem_verdict v, const char *comment)
{
	struct elem *x = elem_append(out, set, comment);

	if (!x)
		return -ENOMEM;
	set_range(x, 0, a);
	set_range(x, 1, b);
	x->verdict = v;
	return 0;
}

/* Is destination i contained in another one of the list (the first of equal ones stays)? */
static bool is_redundant(const struct network *n, size_t i)
{
	const struct prefix *p = &n->nomasq[i];

	for (size_t j = 0; j < n->n_nomasq; j++) {
		const struct prefix *q = &n->nomasq[j];

		if (j == i || q->ip.family != p->ip.family || q->len > p->len ||
		    !prefix_overlaps(p, q))
			continue;
		if (q->len < p->len || j < i)
			return true;
	}
	return false;
}

/* All destinations of family f excepted. */
static bool excepts_all(const struct network *n, int f)
{
	for (size_t i = 0; i < n->n_nomasq; i++)
		if (ip_fam(&n->nomasq[i].ip) == f && n->nomasq[i].len == 0)
			return true;
	return false;
}

static int add_nomasq(const struct network *n, const struct prefix *subnet, const char *comment,
		      struct elem_list *out)
{
	int f = ip_fam(&subnet->ip);

	for (size_t i = 0; i < n->n_nomasq; i++) {
		const struct prefix *p = &n->nomasq[i];

		if (ip_fam(&p->ip) != f || is_redundant(n, i))
			continue;
		if (add_pair(out, f == FAM4 ? SET_NOMASQ4 : SET_NOMASQ6, subnet, p, VERDICT_NONE,
			     comment) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* From one subnet of a network to another one, or to itself: they are one network. */
static int add_same(const struct network *n, const struct prefix *a, const struct prefix *b,
		    const char *comment, struct elem_list *out)
{
	return add_pair(out, a->ip.family == AF_INET ? SET_SAME4 : SET_SAME6, a, b,
			n->isolate ? VERDICT_DROP : VERDICT_ACCEPT, comment);
}

static int add_hairpin(const struct network *n, const struct prefix *a, const struct prefix *b,
		       const char *comment, struct elem_list *out)
{
	if (n->mode != NET_BRIDGE)
		return 0;
	return add_pair(out, a->ip.family == AF_INET ? SET_HAIRPIN4 : SET_HAIRPIN6, a, b,
			VERDICT_NONE, comment);
}

static int add_subnet(const struct network *n, const struct prefix *p, const char *comment,
		      struct elem_list *out)
{
	int f = ip_fam(&p->ip);
	bool v4 = f == FAM4;
	int r;

	r = add_prefix(out, v4 ? SET_NETS4 : SET_NETS6, p, comment);
	if (r == 0)
		r = add_same(n, p, p, comment, out);
	if (r == 0 && n->is_open)
		r = add_prefix(out, v4 ? SET_OPEN4 : SET_OPEN6, p, comment);
	if (r == 0 && n->internal)
		r = add_prefix(out, v4 ? SET_INTERNAL4 : SET_INTERNAL6, p, comment);
	if (r == 0)
		r = add_hairpin(n, p, p, comment, out);
	if (r == 0 && n->masquerade && !n->internal && !excepts_all(n, f)) {
		r = add_prefix(out, v4 ? SET_MASQ4 : SET_MASQ6, p, comment);
		if (r == 0)
			r = add_nomasq(n, p, comment, out);
	}
	return r;
}

static int add_between(const struct network *n, const struct prefix *a, const struct prefix *b,
		       const char *comment, struct elem_list *out)
{
	int r;

	if (a->ip.family != b->ip.family || prefix_equal(a, b))
		return 0;
	r = add_same(n, a, b, comment, out);
	return r == 0 ? add_hairpin(n, a, b, comment, out) : r;
}

/* Queries for port 53 of the resolver's address go to where it listens. */
static int add_resolver(const struct network *n, const char *comment, struct elem_list *out)
{
	static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP};
	struct ip at;

	for (int f = 0; n->names_port && f < N_FAM; f++) {
		if (!network_resolver(n, f, &at))
			continue;
		for (size_t i = 0; i < sizeof(protos); i++) {
			struct elem *x = elem_append(out, f == FAM4 ? SET_FWD4_HOST : SET_FWD6_HOST,
						     comment);

			if (!x)
				return -ENOMEM;
			x->key[0].proto = protos[i];
			x->key[1] = x->data[0] = of_ip(&at);
			x->key[2].port = DNS_PORT;
			x->data[1].port = n->names_port;
		}
	}
	return 0;
}

int elem_of_resolver(const struct network *n, struct elem_list *out, struct err *e)
{
	char comment[ELEM_COMMENT_STRLEN];
	size_t before = out->n;

	snprintf(comment, sizeof(comment), "network %s", n->name);
	if (add_resolver(n, comment, out) == 0)
		return 0;
	out->n = before;
	return no_memory(e);
}

int elem_of_network(const struct network *n, struct elem_list *out, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	char comment[ELEM_COMMENT_STRLEN];
	size_t before = out->n, k;
	int r = 0;

	snprintf(comment, sizeof(comment), "network %s", n->name);
	if (n->mode == NET_BRIDGE) {
		struct elem *x = elem_append(out, SET_INSIDE, comment);

		if (!x)
			return no_memory(e);
		x->key[0] = of_ifname(n->bridge);
	}
	r = add_resolver(n, comment, out);
	k = network_subnets(n, list);
	for (size_t i = 0; r == 0 && i < k; i++) {
		r = add_subnet(n, &list[i].subnet, comment, out);
		for (size_t j = 0; r == 0 && j < k; j++)
			r = add_between(n, &list[i].subnet, &list[j].subnet, comment, out);
	}
	if (r < 0) {
		out->n = before;
		return no_memory(e);
	}
	return 0;
}

/* ---- attachments ---- */

struct endpoint {
	struct elem_list *out;
	const struct attachment *a;
	char comment[ELEM_COMMENT_STRLEN];
};

static void endpoint_init(struct endpoint *ep, const struct attachment *a, struct elem_list *out)
{
	ep->out = out;
	ep->a = a;
	snprintf(ep->comment, sizeof(ep->comment), "%s/%s", a->id, a->ifname);
}

/* interface [. MAC] [. address], as the set's key asks for. */
static int add_port(const struct endpoint *ep, enum set_id set, const struct ip *ip)
{
	const struct set_desc *d = &elem_sets[set];
	struct elem *x = elem_append(ep->out, set, ep->comment);

	if (!x)
		return -ENOMEM;
	for (unsigned int i = 0; i < d->n_key; i++) {
		if (d->key[i] == FIELD_IFNAME)
			x->key[i] = of_ifname(ep->a->host_ifname);
		else if (d->key[i] == FIELD_ETHER)
			x->key[i].mac = ep->a->mac;
		else
			x->key[i] = of_ip(ip);
	}
	return 0;
}

static int add_self(const struct endpoint *ep, enum set_id set, const struct ip *ip)
{
	struct elem *x = elem_append(ep->out, set, ep->comment);

	if (!x)
		return -ENOMEM;
	x->key[0] = x->key[1] = of_ip(ip);
	return 0;
}

/* The sets of family f, one for each. */
static enum set_id of_fam(enum set_id v4, int f)
{
	return f == FAM4 ? v4 : v4 + 1;
}

/* What holds addresses to their MAC address; the first time also which it may answer for. */
static int guard_macs(const struct endpoint *ep, const struct attach_ip *list, size_t n, bool first)
{
	struct ip ll = ip_link_local_from_mac(&ep->a->mac);
	bool has_v6 = false;
	int r = add_port(ep, SET_EPMAC, NULL);

	for (size_t i = 0; r == 0 && i < n; i++) {
		bool v6 = list[i].addr.ip.family == AF_INET6;

		r = add_port(ep, v6 ? SET_EP6 : SET_EP4, &list[i].addr.ip);
		if (r == 0 && v6 && first)
			r = add_port(ep, SET_EPT6, &list[i].addr.ip);
		has_v6 = has_v6 || v6;
	}
	if (r == 0 && has_v6)
		r = add_port(ep, SET_EP6, &ll);
	return r == 0 && has_v6 ? add_port(ep, SET_EPT6, &ll) : r;
}

bool elem_changes_mac(const struct attachment *a)
{
	static const struct mac none;

	return memcmp(&a->tune.mac, &none, sizeof(none)) != 0 &&
	       memcmp(&a->tune.mac, &a->mac, sizeof(none)) != 0;
}

static int guard_bridge(const struct endpoint *ep)
{
	const struct attachment *a = ep->a;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	struct attachment other;
	struct endpoint again = *ep;
	int r;

	if (a->is_unguarded)
		return 0;
	r = add_port(ep, SET_GUARDED, NULL);
	if (r == 0)
		r = add_port(ep, SET_RGUARD, NULL); /* nothing may arrive past the bridge */
	if (r == 0 && n == 0)
		r = add_port(ep, SET_MACONLY, NULL);
	if (r == 0)
		r = guard_macs(ep, list, n, true);
	if (r < 0 || !elem_changes_mac(a))
		return r;
	other = *a;
	other.mac = a->tune.mac;
	again.a = &other;
	return guard_macs(&again, list, n, false);
}

static int guard_routed(const struct endpoint *ep)
{
	struct ip ll = ip_link_local_from_mac(&ep->a->mac);
	struct ip next = ip_link_local_from_mac(&ep->a->tune.mac);
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(ep->a, list);
	bool has_v6 = false;
	int r;

	r = add_port(ep, SET_INSIDE, NULL);
	if (r == 0 && !ep->a->is_unguarded)
		r = add_port(ep, SET_RGUARD, NULL);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct ip *ip = &list[i].addr.ip;
		bool v6 = ip->family == AF_INET6;

		if (!ep->a->is_unguarded)
			r = add_port(ep, v6 ? SET_REP6 : SET_REP4, ip);
		if (r == 0 && v6 && !has_v6 && !ep->a->is_unguarded)
			r = add_port(ep, SET_REP6, &ll);
		if (r == 0 && v6 && !has_v6 && !ep->a->is_unguarded && elem_changes_mac(ep->a))
			r = add_port(ep, SET_REP6, &next);
		if (r == 0)
			r = add_self(ep, v6 ? SET_SELF6 : SET_SELF4, ip);
		has_v6 = has_v6 || v6;
	}
	return r;
}

/* The interface is somebody else's and so is the say who may send what by it. Ours is that nothing
 * is in the way of its addresses, and that it reaches itself by its published ports. */
static int guard_foreign(const struct endpoint *ep)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(ep->a, list);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct prefix p = {.ip = list[i].addr.ip};
		int f = ip_fam(&p.ip);

		p.len = f == FAM4 ? 32 : 128;
		r = add_prefix(ep->out, of_fam(SET_NETS4, f), &p, ep->comment);
		if (r == 0)
			r = add_prefix(ep->out, of_fam(SET_OPEN4, f), &p, ep->comment);
		if (r == 0)
			r = add_self(ep, of_fam(SET_SELF4, f), &p.ip);
	}
	return r;
}

static int guard_of(const struct endpoint *ep)
{
	switch (ep->a->kind) {
	case ATTACH_LEASE:
		return 0;
	case ATTACH_FOREIGN:
		return guard_foreign(ep);
	case ATTACH_VETH:
		break;
	}
	return ep->a->mode == NET_BRIDGE ? guard_bridge(ep) : guard_routed(ep);
}

int elem_of_endpoint(const struct attachment *a, struct elem_list *out, struct err *e)
{
	size_t before = out->n;
	struct endpoint ep;
	int r;

	endpoint_init(&ep, a, out);
	r = guard_of(&ep);
	if (r == 0 && a->kind == ATTACH_VETH)
		r = elem_append_policy(a, ep.comment, out);
	if (r < 0) {
		out->n = before;
		return no_memory(e);
	}
	return 0;
}

/* ---- published ports ---- */

/* One port, or the whole run when it is kept as an interval. */
static int add_forward(const struct endpoint *ep, const struct publish *p, int f, uint16_t nth)
{
	bool host = p->host_ip.family && !ip_is_any(&p->host_ip);
	bool run = publish_is_interval(p);
	unsigned int port = host ? 2 : 1;
	enum set_id set;
	struct elem *x;

	if (run)
		set = host ? SET_FWD4_RANGE_HOST : SET_FWD4_RANGE;
	else
		set = host ? SET_FWD4_HOST : SET_FWD4_ANY;
	if (f == FAM6)
		set += SET_FWD6_HOST - SET_FWD4_HOST;
	x = elem_append(ep->out, set, ep->comment);
	if (!x)
		return -ENOMEM;
	x->key[0].proto = p->proto;
	if (host)
		x->key[1] = of_ip(&p->host_ip);
	x->key[port].port = p->host_port + nth;
	x->data[0] = of_ip(&ep->a->addr[f].ip);
	if (run) {
		memcpy(x->key_end, x->key, sizeof(x->key_end));
		x->key_end[port].port = p->host_port + p->count - 1;
	} else {
		x->data[1].port = p->ctr_port + nth;
	}
	return 0;
}

int elem_of_publish(const struct attachment *a, const struct publish *p, size_t n,
		    struct elem_list *out, struct err *e)
{
	size_t before = out->n;
	struct endpoint ep;

	endpoint_init(&ep, a, out);
	for (size_t i = 0; i < n; i++) {
		unsigned int count = publish_is_interval(&p[i]) ? 1 : p[i].count;

		/* Clients of loopback are served by the local forwarder, never by DNAT. */
		if (ip_is_loopback(&p[i].host_ip))
			continue;
		for (int f = 0; f < N_FAM; f++) {
			if (!publish_covers(&p[i], f) || !a->addr[f].ip.family)
				continue;
			for (unsigned int k = 0; k < count; k++) {
				if (add_forward(&ep, &p[i], f, k) < 0) {
					out->n = before;
					return no_memory(e);
				}
			}
		}
	}
	return 0;
}

int elem_of_opened(int fam, const char *ifname, struct elem_list *out, struct err *e)
{
	struct elem *x = elem_append(out, fam == FAM4 ? SET_OPENED4 : SET_OPENED6, "host");

	if (!x)
		return no_memory(e);
	x->key[0] = of_ifname(ifname);
	return 0;
}
