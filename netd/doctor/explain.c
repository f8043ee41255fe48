/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: looks at every stretch of the way to one container. The records say whose it is; all
 * else is asked from the kernel. The namespace is entered by the path on record when the cookie
 * tells that it is still the same.
 */
#include "doctor/explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "doctor/look.h"
#include "doctor/path.h"
#include "net/link.h"
#include "net/nftbatch.h"
#include "net/portowner.h"
#include "net/reserve.h"
#include "net/route.h"
#include "sys/netns.h"

#define UNSEEN "a process that cannot be seen"

/* ---- whose it is ---- */

struct owner {
	const struct explain_query *q;
	bool has, is_host;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	struct publish run;
	uint16_t ctr_port;
};

static bool has_port(const struct publish *p, const struct explain_query *q)
{
	if (p->proto != q->proto || q->port < p->host_port || q->port - p->host_port >= p->count)
		return false;
	if (!q->ip.family || !p->host_ip.family || ip_equal(&p->host_ip, &q->ip))
		return true;
	return ip_is_any(&p->host_ip) && p->host_ip.family == q->ip.family;
}

static void take(struct owner *o, const struct attachment *a)
{
	o->has = true;
	memcpy(o->id, a->id, sizeof(o->id));
	memcpy(o->ifname, a->ifname, sizeof(o->ifname));
}

/* A container's own address comes before a port of that number. */
static int see(const struct attachment *a, void *arg)
{
	struct owner *o = arg;

	if (o->q->ip.family && attachment_has_ip(a, &o->q->ip)) {
		take(o, a);
		o->is_host = false;
		o->ctr_port = o->q->port;
		return 1;
	}
	for (size_t i = 0; o->q->port && !o->has && i < a->n_publish; i++)
		if (has_port(&a->publish[i], o->q)) {
			take(o, a);
			o->run = a->publish[i];
			o->ctr_port = (uint16_t)(o->run.ctr_port + (o->q->port - o->run.host_port));
		}
	return 0;
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)why;
	(void)arg;
}

/* ---- the kernel's answers ---- */

static enum path_seen seen(bool is)
{
	return is ? SEEN_YES : SEEN_NO;
}

/* The one port alone where it has elements of its own. */
static struct publish narrow(const struct path *p)
{
	struct publish one = p->run;

	if (publish_is_interval(&one))
		return one;
	one.host_port = p->q->port;
	one.ctr_port = p->ctr_port;
	one.count = 1;
	return one;
}

static bool has_all(struct nftbatch *nft, const struct elem_list *l, size_t from, size_t to)
{
	CLEAN_FREE bool *has = calloc(to - from + 1, sizeof(*has));
	struct elem_list part = {.v = l->v + from, .n = to - from};

	if (!has || nftbatch_has(nft, &part, has, NULL) < 0)
		return false;
	for (size_t i = 0; i < part.n; i++)
		if (!has[i])
			return false;
	return true;
}

static void look_elements(struct path *p)
{
	CLEAN_NFTBATCH struct nftbatch *nft = NULL;
	CLEAN_ELEMS struct elem_list l = {0};
	struct publish one = narrow(p);

	if (nftbatch_open(&nft, NULL) < 0)
		return;
	/* Elements are IPv4's first. */
	for (int fam = 0; p->is_host && fam < N_FAM; fam++) {
		size_t before = l.n;
		struct publish of = one;
		if (!p->a->addr[fam].ip.family || !publish_covers(&one, fam) ||
		    ip_is_loopback(&one.host_ip) || p->a->internal)
			continue;
		if (!of.host_ip.family)
			of.host_ip.family = fam == FAM4 ? AF_INET : AF_INET6;
		p->is_wanted[fam] = true;
		if (elem_of_publish(p->a, &of, 1, &l, NULL) == 0)
			p->has_dnat[fam] = seen(has_all(nft, &l, before, l.n));
	}
	size_t before = l.n;
	if (elem_of_endpoint(p->a, &l, NULL) == 0)
		p->has_guard = seen(has_all(nft, &l, before, l.n));
}

static void look_local(struct path *p)
{
	CLEAN_RESERVE struct reserve *r = NULL;
	struct publish one = narrow(p);
	char key[KEY_STRLEN];

	if (!p->is_host || p->run.is_unheld || p->run.proto == IPPROTO_SCTP ||
	    p->run.count > PUBLISH_HELD_MAX || reserve_open(-1, &r, NULL) < 0)
		return;
	name_key(p->a->id, p->a->ifname, key);
	if (reserve_count(r, key, &one, 1, &p->n_local, &p->n_local_want, NULL) < 0)
		p->n_local = 0;
}

struct best {
	const struct ip *ip;
	uint32_t ifindex;
	int len;
};

static int see_route(const struct route_spec *s, void *arg)
{
	struct best *b = arg;

	if (s->dst.ip.family == b->ip->family && (int)s->dst.len > b->len &&
	    prefix_contains(&s->dst, b->ip)) {
		b->len = s->dst.len;
		b->ifindex = s->ifindex;
	}
	return 0;
}

static void look_links(struct path *p)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct link_info l = {0}, bridge = {0};
	const struct attachment *a = p->a;
	bool is_bridge = a->mode == NET_BRIDGE;

	if (a->kind != ATTACH_VETH || rtnl_open(&r, NULL) < 0)
		return;
	p->has_link =
		seen(link_get(r, a->host_ifname, &l, NULL) == 0 && l.index == a->host_ifindex);
	p->is_link_up = seen(l.is_up);
	p->has_master = seen(is_bridge && link_get(r, a->bridge, &bridge, NULL) == 0 &&
			     l.master == bridge.index);
	for (int fam = 0; fam < N_FAM; fam++) {
		struct best b = {.ip = &a->addr[fam].ip, .len = -1};
		if (!b.ip->family)
			continue;
		route_each(r, see_route, &b, NULL);
		p->has_route[fam] =
			seen(b.len >= 0 && b.ifindex == (is_bridge ? bridge.index : l.index));
	}
}

/* ---- inside ---- */

struct inside {
	struct path *p;
	uint32_t index;
};

static int see_addr(uint32_t ifindex, const struct prefix *x, void *arg)
{
	struct inside *in = arg;

	for (int fam = 0; fam < N_FAM; fam++)
		if (ifindex == in->index && ip_equal(&x->ip, &in->p->a->addr[fam].ip))
			in->p->has_addr[fam] = SEEN_YES;
	return 0;
}

static int see_listener(void *arg, struct err *e)
{
	struct path *p = arg;
	char name[PORTOWNER_STRLEN];
	struct ip ip = p->a->addr[p->a->addr[FAM4].ip.family ? FAM4 : FAM6].ip;

	(void)e;
	portowner_find(p->q->proto, &ip, p->ctr_port, name);
	if (strcmp(name, UNSEEN) != 0)
		(void)snprintf(p->listener, sizeof(p->listener), "%s", name);
	return 0;
}

static void look_inside(struct path *p)
{
	const struct attachment *a = p->a;
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_FD int ns = -1;
	struct inside in = {.p = p};
	struct link_info l;
	uint64_t cookie;

	if (a->kind != ATTACH_VETH || !a->netns_path[0] ||
	    netns_open_path(a->netns_path, &ns, NULL) < 0 || netns_cookie(ns, &cookie, NULL) < 0 ||
	    cookie != a->netns_cookie || rtnl_open_in(ns, &r, NULL) < 0)
		return;
	p->can_enter = SEEN_YES;
	p->has_inside = seen(link_get(r, a->ifname, &l, NULL) == 0);
	if (p->has_inside != SEEN_YES)
		return;
	p->is_inside_up = seen(l.is_up);
	in.index = l.index;
	route_each_addr(r, see_addr, &in, NULL);
	if (p->ctr_port && p->q->proto != IPPROTO_SCTP)
		netns_call(ns, see_listener, p, NULL);
}

/* ---- all of it ---- */

static int find_owner(const char *state_dir, struct owner *o, struct attachment **ret,
		      struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r = engine_open(state_dir, true, &g, e);

	if (r != 0)
		return r;
	r = engine_each(g, see, see_broken, o, e);
	if (r < 0 || !o->has)
		return r < 0 ? r : 1;
	return engine_get(g, o->id, o->ifname, ret, e);
}

static void look_all(struct path *p, struct facts *f, const char *state_dir)
{
	look_who(f);
	look_rules(f, state_dir);
	look_elements(p);
	look_local(p);
	look_links(p);
	look_inside(p);
}

int explain_run(const char *state_dir, const struct explain_query *q, struct steps *ret,
		struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_FREE struct facts *f = calloc(1, sizeof(*f));
	CLEAN_STEPS struct steps l = {0};
	struct owner o = {.q = q, .is_host = true};
	struct path p = {.q = q, .f = f};
	int r = f ? find_owner(state_dir, &o, &a, e) : err_set(e, ERR_INTERNAL, ENOMEM, "facts");

	if (r < 0)
		return r;
	if (r == 0) {
		p.a = a;
		p.is_host = o.is_host;
		p.run = o.run;
		p.ctr_port = o.ctr_port;
		look_all(&p, f, state_dir);
	} else if (q->port) {
		portowner_find(q->proto, &q->ip, q->port, p.host_listener);
		if (strcmp(p.host_listener, UNSEEN) == 0)
			p.host_listener[0] = '\0';
	}
	path_steps(&p, &l);
	facts_clear(f);
	if (l.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "steps");
	*ret = l;
	l = (struct steps){0};
	return r;
}
