/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network: networks as records: finding, choosing subnets, creating, removing. Nothing here touches
 * links or rules: a network appears in the kernel with its first member and goes with its last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/hash.h"
#include "engine/internal.h"
#include "net/route.h"

/* What the host and other networks have. */
struct taken {
	size_t n, cap;
	struct prefix *p;
	const struct taken *also;
	struct err *e;
};

/* What is better left alone: taken by somebody else where the host is. */
static struct taken avoided;
#define AVOID_LEN_MIN 8 /* shorter ones are ways to the world at large, as a default route is */

static int take(struct taken *t, const struct prefix *p)
{
	if (p->len == 0) /* a default route takes nothing */
		return 0;
	if (!GROW(t->p, t->n, t->cap))
		return err_set(t->e, ERR_INTERNAL, ENOMEM, "list of taken subnets");
	t->p[t->n++] = prefix_network(p);
	return 0;
}

static int take_route(const struct route_spec *s, void *arg)
{
	return take(arg, &s->dst);
}

static int take_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	(void)ifindex;
	return take(arg, p);
}

static int take_network(const struct network *n, void *arg)
{
	int r = 0;

	for (int f = 0; r == 0 && f < N_FAM; f++)
		if (n->subnet[f].ip.family)
			r = take(arg, &n->subnet[f]);
	return r;
}

static int taken_read(struct engine *g, struct taken *t, struct err *e)
{
	t->e = e;
	int r = store_each_network(g->store, take_network, t, e);

	if (r >= 0)
		r = route_each(g->host, take_route, t, e);
	if (r >= 0)
		r = route_each_addr(g->host, take_addr, t, e);
	return r < 0 ? r : 0;
}

static const struct prefix *taken_by(const struct taken *t, const struct prefix *p)
{
	for (size_t i = 0; i < t->n; i++)
		if (prefix_overlaps(&t->p[i], p))
			return &t->p[i];
	return t->also ? taken_by(t->also, p) : NULL;
}

static int avoid_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	return p->len < AVOID_LEN_MIN ? 0 : take_addr(ifindex, p, arg);
}

static int avoid_route(const struct route_spec *s, void *arg)
{
	return avoid_addr(0, &s->dst, arg);
}

int engine_avoid_here(struct err *e)
{
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	int r = rtnl_open(&rtnl, e);

	avoided.e = e;
	if (r >= 0)
		r = route_each(rtnl, avoid_route, &avoided, e);
	if (r >= 0)
		r = route_each_addr(rtnl, avoid_addr, &avoided, e);
	avoided.e = NULL;
	return r < 0 ? r : 0;
}

const struct prefix *engine_avoided(const struct prefix *p)
{
	return p->ip.family ? taken_by(&avoided, p) : NULL;
}

static struct prefix v4(uint32_t host_order, uint8_t len)
{
	return (struct prefix){
		.ip = {.family = AF_INET,
		       .b = {(uint8_t)(host_order >> 24), (uint8_t)(host_order >> 16),
			     (uint8_t)(host_order >> 8), (uint8_t)host_order}},
		.len = len};
}

/* Runs of equal subnets in the private ranges of RFC 1918, away from what other tools pick first.
 */
static int pick_v4(const struct taken *t, bool large, struct prefix *ret, struct err *e)
{
	static const struct {
		uint32_t from, to;
		uint8_t len;
		bool large;
	} runs[] = {
		{0x0a4d0000, 0x0a800000, 16, true}, /* 10.77.0.0 .. 10.127.255.255 */
		{0x0a800000, 0x0b000000, 22,
		 false}, /* 10.128.0.0/9: 1,022 hosts, a bridge's limit */
		{0xac180000, 0xac200000, 22, false}, /* 172.24.0.0/13 */
		{0xc0a84000, 0xc0a90000, 24, false}, /* 192.168.64.0 .. 192.168.255.255 */
	};

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		uint32_t step = 1u << (32 - runs[i].len);
		if (runs[i].large && !large)
			continue;
		for (uint32_t a = runs[i].from; a < runs[i].to; a += step) {
			*ret = v4(a, runs[i].len);
			if (!taken_by(t, ret))
				return 0;
		}
	}
	return err_set(e, ERR_QUOTA, 0,
		       "no free IPv4 subnet is left in the private ranges: name one with --subnet");
}

/* A unique local prefix: 40 random bits (RFC 4193 section 3.2.2). */
static int pick_v6(const struct taken *t, struct prefix *ret, struct err *e)
{
	for (int i = 0; i < 16; i++) {
		struct prefix p = {.ip = {.family = AF_INET6, .b = {0xfd}}, .len = 64};
		if (getrandom(p.ip.b + 1, 5, 0) != 5)
			return err_sys(e, errno, "no random numbers");
		if (!taken_by(t, &p)) {
			*ret = p;
			return 0;
		}
	}
	return err_set(e, ERR_QUOTA, 0, "no free IPv6 subnet found");
}

static bool host_has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

/* Among what is to be avoided only when nothing else is left. */
static int pick(struct taken *t, bool large, struct network *n, struct err *e)
{
	int r;

	t->also = &avoided;
	if (pick_v4(t, large, &n->subnet[FAM4], NULL) < 0)
		t->also = NULL;
	r = pick_v4(t, large, &n->subnet[FAM4], e);
	t->also = &avoided;
	if (r < 0 || !host_has_ipv6())
		return r;
	if (pick_v6(t, &n->subnet[FAM6], NULL) == 0)
		return 0;
	t->also = NULL;
	return pick_v6(t, &n->subnet[FAM6], e);
}

static int check_taken(const struct taken *t, const struct network *n, struct err *e)
{
	char a[PREFIX_STRLEN], b[PREFIX_STRLEN];

	for (int f = 0; f < N_FAM; f++) {
		const struct prefix *by =
			n->subnet[f].ip.family ? taken_by(t, &n->subnet[f]) : NULL;
		if (by)
			return err_set(
				e, ERR_CONFLICT, 0,
				"subnet %s collides with %s, which the host or another network has",
				prefix_str(&n->subnet[f], a), prefix_str(by, b));
	}
	return 0;
}

/* Fills absent subnets (both when none is given), refuses given ones that collide. */
static int choose_subnets(struct engine *g, struct network *n, bool large, struct err *e)
{
	struct taken t = {0};
	bool given = n->subnet[FAM4].ip.family || n->subnet[FAM6].ip.family;
	int r = taken_read(g, &t, e);

	if (r == 0 && given)
		r = check_taken(&t, n, e);
	if (r == 0 && !given)
		r = pick(&t, large, n, e);
	free(t.p);
	return r;
}

void engine_network_default(struct network *ret)
{
	*ret = (struct network){.name = NETWORK_DEFAULT,
				.mode = NET_BRIDGE,
				.masquerade = true,
				.names = true,
				.implicit = true};
	name_bridge(ret->name, ret->bridge);
}

int network_find(struct engine *g, const char *name, struct network *ret, struct err *e)
{
	int r = store_get_network(g->store, name, ret, e);

	/* A damaged record of the one that makes itself is made anew, if nobody is on it. */
	if (r < 0 && strcmp(name, NETWORK_DEFAULT) == 0 && e && e->kind == ERR_PROTOCOL &&
	    member_peek(g->store, name, NULL) > MEMBER_OTHERS) {
		err_reset(e);
		r = 1;
	}
	if (r <= 0)
		return r;
	if (strcmp(name, NETWORK_DEFAULT) != 0)
		return err_set(e, ERR_ABSENT, 0,
			       "network %s does not exist: `netns-up network create %s` makes it",
			       name, name);
	engine_network_default(ret);
	r = choose_subnets(g, ret, true, e);
	if (r == 0)
		r = network_complete(ret, e);
	return r < 0 ? r : 1;
}

static bool same_settings(const struct network *want, const struct network *have)
{
	bool same = want->mode == have->mode && want->internal == have->internal &&
		    want->isolate == have->isolate && want->masquerade == have->masquerade &&
		    want->mtu == have->mtu && want->names == have->names &&
		    want->n_nomasq == have->n_nomasq;
	bool given = want->subnet[FAM4].ip.family || want->subnet[FAM6].ip.family;

	for (int f = 0; given && f < N_FAM; f++)
		same = same && want->subnet[f].ip.family == have->subnet[f].ip.family &&
		       (!want->subnet[f].ip.family ||
			prefix_equal(&want->subnet[f], &have->subnet[f]));
	for (size_t i = 0; same && i < want->n_nomasq; i++)
		same = prefix_equal(&want->nomasq[i], &have->nomasq[i]);
	return same;
}

struct same_bridge {
	const struct network *n;
	char other[NETNAME_STRLEN];
};

static int see_bridge(const struct network *n, void *arg)
{
	struct same_bridge *s = arg;

	if (strcmp(n->bridge, s->n->bridge) == 0)
		memcpy(s->other, n->name, sizeof(s->other));
	return 0;
}

/* Long names are hashed into the 15 bytes of a link's name. */
static int check_bridge(struct engine *g, const struct network *n, struct err *e)
{
	struct same_bridge s = {.n = n};
	int r = n->mode == NET_BRIDGE ? store_each_network(g->store, see_bridge, &s, e) : 0;

	if (r >= 0 && s.other[0])
		return err_set(e, ERR_CONFLICT, 0,
			       "network %s has the bridge name %s too: choose another name",
			       s.other, n->bridge);
	return r;
}

static int network_create_locked(struct engine *g, struct network *n, struct err *e)
{
	struct network have;
	int r = store_get_network(g->store, n->name, &have, e);

	if (r < 0)
		return r;
	if (r == 0) {
		if (!same_settings(n, &have))
			return err_set(e, ERR_CONFLICT, 0, "network %s exists with other settings",
				       n->name);
		*n = have;
		if (!have.implicit)
			return ENGINE_NOTHING;
		n->implicit = false; /* from now on it stays without containers */
		return store_put_network(g->store, n, e);
	}
	/* What is wrong in itself is told before what collides. */
	if (n->subnet[FAM4].ip.family || n->subnet[FAM6].ip.family)
		r = network_complete(n, e);
	if (r >= 0)
		r = choose_subnets(g, n, strcmp(n->name, NETWORK_DEFAULT) == 0, e);
	if (r >= 0)
		r = network_complete(n, e);
	if (r >= 0)
		r = check_bridge(g, n, e);
	return r < 0 ? r : store_put_network(g->store, n, e);
}

int engine_network_create(struct engine *g, struct network *n, struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = network_create_locked(g, n, e);
	g->tidy = g->tidy && r < 0;
	store_unlock(g->store);
	return r;
}

int engine_network_get(struct engine *g, const char *name, struct network *ret, struct err *e)
{
	return store_get_network(g->store, name, ret, e);
}

int engine_network_each(struct engine *g, int (*fn)(const struct network *n, void *arg), void *arg,
			struct err *e)
{
	return store_each_network(g->store, fn, arg, e);
}

struct members {
	const char *network;
	size_t n;
	char text[256];
};

static int add_member(const struct attachment *a, void *arg)
{
	struct members *m = arg;
	size_t used = strlen(m->text);

	if (strcmp(a->network, m->network) != 0)
		return 0;
	if (m->n++ < 8)
		snprintf(m->text + used, sizeof(m->text) - used, "%s%s", used ? ", " : "", a->id);
	else if (m->n == 9)
		snprintf(m->text + used, sizeof(m->text) - used, ", ...");
	return 0;
}

/* A member whose record cannot be read, or was not written, is not named. */
static int check_members(struct engine *g, const char *name, struct err *e)
{
	struct members m = {.network = name};
	int r = store_each_attachment(g->store, add_member, NULL, &m, e);

	if (r >= 0 && m.n)
		return err_set(e, ERR_BUSY, 0, "network %s is used by %s", name, m.text);
	if (r >= 0)
		r = member_peek(g->store, name, e);
	if (r == MEMBER_OTHERS)
		return err_set(
			e, ERR_BUSY, 0,
			"network %s has members without a readable record: run `netns-up gc`",
			name);
	return r < 0 ? r : 0;
}

int engine_network_remove(struct engine *g, const char *name, struct err *e)
{
	struct network n;
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = store_get_network(g->store, name, &n, e);
	if (r == 0)
		r = check_members(g, name, e);
	if (r == 0)
		r = store_del_network(g->store, name, e);
	store_unlock(g->store);
	return r;
}
