/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elem_policy: caps and destinations of an attachment, as elements. PURE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/elem_int.h"

#define REFUSALS_A_SECOND 1 /* and ELEM_BURST_MIN at once */

struct policy_elems {
	const struct attachment *a;
	const char *comment;
	struct elem_list *out;
};

/* Whose connections they are is told by what the guard holds to the truth: behind a bridge the MAC
 * address, for the packets there no longer say by which port they came. */
static int add_cap(const struct policy_elems *t, enum set_id set, const struct mac *mac,
		   uint32_t bound)
{
	bool by_mac = elem_sets[set].n_key == 2;
	struct elem *x = bound ? elem_append(t->out, set, t->comment) : NULL;

	if (!x)
		return bound ? -ENOMEM : 0;
	memcpy(x->key[0].ifname, by_mac ? t->a->bridge : t->a->host_ifname,
	       sizeof(x->key[0].ifname));
	if (by_mac)
		x->key[1].mac = *mac;
	x->bound = bound;
	return 0;
}

static int add_conn_caps(const struct policy_elems *t, const struct mac *mac)
{
	const struct attach_cap *c = &t->a->cap;
	bool routed = t->a->mode == NET_ROUTED;
	int r = add_cap(t, routed ? SET_CONN_RATE_LINK : SET_CONN_RATE_PORT, mac, c->conn_rate);

	return r < 0 ? r : add_cap(t, routed ? SET_CONNS_LINK : SET_CONNS_PORT, mac, c->conns);
}

/* What comes is told by its address, once that is the container's own. */
static int add_in_cap(const struct policy_elems *t, enum set_id v4, const struct ip *ip,
		      uint32_t bound)
{
	enum set_id set = ip_fam(ip) == FAM4 ? v4 : v4 + 1;
	struct elem *x = bound ? elem_append(t->out, set, t->comment) : NULL;

	if (!x)
		return bound ? -ENOMEM : 0;
	x->key[0].ip = *ip;
	x->bound = bound;
	return 0;
}

static int add_in_caps(const struct policy_elems *t)
{
	const struct attach_cap *c = &t->a->cap;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = c->in_conns || c->in_conn_rate ? attachment_ips(t->a, list) : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_in_cap(t, SET_IN_RATE4, &list[i].addr.ip, c->in_conn_rate);
		if (r == 0)
			r = add_in_cap(t, SET_IN_CONNS4, &list[i].addr.ip, c->in_conns);
	}
	return r;
}

static int add_caps(const struct policy_elems *t)
{
	bool routed = t->a->mode == NET_ROUTED;
	int r = add_cap(t, routed ? SET_PACKETS_LINK : SET_PACKETS_PORT, &t->a->mac,
			t->a->cap.packet_rate);

	if (r == 0)
		r = add_conn_caps(t, &t->a->mac);
	if (r == 0 && !routed && elem_changes_mac(t->a))
		r = add_conn_caps(t, &t->a->tune.mac);
	return r < 0 ? r : add_in_caps(t);
}

/* ---- destinations ---- */

static int add_source(const struct policy_elems *t, const struct ip *ip)
{
	bool v4 = ip_fam(ip) == FAM4;
	struct elem *x = elem_append(t->out, v4 ? SET_EGRESS4 : SET_EGRESS6, t->comment);

	if (!x)
		return -ENOMEM;
	x->key[0].ip = *ip;
	return 0;
}

static int add_dest(const struct policy_elems *t, const struct ip *from,
		    const struct attach_dest *d)
{
	enum set_id set = d->is_denied ? d->low ? SET_NOT_PORT4 : SET_NOT4
			  : d->low     ? SET_TO_PORT4
				       : SET_TO4;
	struct elem *x = elem_append(t->out, ip_fam(from) == FAM4 ? set : set + 1, t->comment);
	struct prefix net = prefix_network(&d->to);

	if (!x)
		return -ENOMEM;
	x->key[0].ip = x->key_end[0].ip = *from;
	x->key[1].ip = net.ip;
	x->key_end[1].ip = prefix_last(&d->to);
	x->key[2].port = d->low;
	x->key_end[2].port = d->high;
	return 0;
}

/* Who may go to what a name leads to has to ask for it. */
static int add_ask(const struct policy_elems *t, const struct ip *from)
{
	const struct ip *at = &t->a->resolver[ip_fam(from)];
	struct elem *x;

	if (!attach_egress_has_names(&t->a->egress) || at->family == 0)
		return 0;
	x = elem_append(t->out, ip_fam(from) == FAM4 ? SET_ASK4 : SET_ASK6, t->comment);
	if (!x)
		return -ENOMEM;
	x->key[0].ip = *from;
	x->key[1].ip = *at;
	return 0;
}

/* Of whom a daemon made for a user. They come with caps: a kernel that has not got the ones has not
 * got the others. */
static int add_loud(const struct policy_elems *t, const struct ip *from)
{
	bool is_told = t->a->uid && attach_cap_is_set(&t->a->cap);

	return add_in_cap(t, SET_LOUD4, from, is_told ? REFUSALS_A_SECOND : 0);
}

static int add_dests(const struct policy_elems *t, const struct ip *from)
{
	const struct attach_egress *g = &t->a->egress;
	struct attach_dest all = {.to = {.ip = {.family = from->family}}};
	int r = add_source(t, from);

	for (size_t i = 0; r == 0 && i < g->n; i++)
		if (g->dest[i].to.ip.family == from->family)
			r = add_dest(t, from, &g->dest[i]);
	return r < 0 || attach_egress_is_only(g) ? r : add_dest(t, from, &all);
}

/* A link-local address reaches the host alone, and nobody allows that. */
static int add_egress(const struct policy_elems *t)
{
	struct ip ll = ip_link_local_from_mac(&t->a->mac);
	struct ip next = ip_link_local_from_mac(&t->a->tune.mac);
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = t->a->egress.n ? attachment_ips(t->a, list) : 0;
	struct elem *x;
	int r = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_dests(t, &list[i].addr.ip);
		if (r == 0)
			r = add_ask(t, &list[i].addr.ip);
		if (r == 0)
			r = add_loud(t, &list[i].addr.ip);
	}
	if (r == 0)
		r = add_source(t, &ll);
	if (r == 0 && elem_changes_mac(t->a))
		r = add_source(t, &next);
	if (r < 0 || t->a->mode == NET_ROUTED)
		return r;
	x = elem_append(t->out, SET_EGRESS_PORT, t->comment);
	if (!x)
		return -ENOMEM;
	memcpy(x->key[0].ifname, t->a->host_ifname, sizeof(x->key[0].ifname));
	return 0;
}

int elem_of_named(const struct attachment *a, size_t i, const struct ip *ip, uint32_t timeout_s,
		  struct elem_list *out, struct err *e)
{
	const struct attach_dest *d = &a->egress.dest[i];
	enum set_id set = d->low ? SET_NAMED_PORT4 : SET_NAMED4;
	char comment[ELEM_COMMENT_STRLEN];
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	snprintf(comment, sizeof(comment), "%s/%s", a->id, a->ifname);
	for (size_t k = 0; k < n; k++) {
		struct elem *x;

		if (list[k].addr.ip.family != ip->family)
			continue;
		x = elem_append(out, ip_fam(ip) == FAM4 ? set : set + 1, comment);
		if (!x)
			return err_set(e, ERR_INTERNAL, ENOMEM, "elements");
		x->key[0].ip = x->key_end[0].ip = list[k].addr.ip;
		x->key[1].ip = x->key_end[1].ip = *ip;
		x->key[2].port = d->low;
		x->key_end[2].port = d->high;
		x->timeout_s = timeout_s;
	}
	return 0;
}

int elem_append_policy(const struct attachment *a, const char *comment, struct elem_list *out)
{
	const struct policy_elems t = {.a = a, .comment = comment, .out = out};
	int r = add_caps(&t);

	return r < 0 ? r : add_egress(&t);
}
