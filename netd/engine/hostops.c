/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostops: what the containers share: the tables, a network's elements and bridge, sysctls of the
 * host. All of it under the global lock; all of it idempotent, so that a killed process is
 * continued by the next. What outlives our links is recorded (hostlog) before it is changed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "net/link.h"
#include "net/nft.h"
#include "net/route.h"
#include "net/ruleset.h"
#include "net/uplink.h"
#include "store/hostlog.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

struct gather {
	struct engine *g;
	struct elem_list *l;
	struct err *e;
};

/* Which interface a recorded sysctl opened for forwarding; false when it is another kind. */
static bool opened_of(const char *key, int *ret_fam, char ret_ifname[IFNAME_STRLEN])
{
	char leaf[32];
	int v;

	if (sscanf(key, "net/ipv%d/conf/%15[^/]/%31s", &v, ret_ifname, leaf) != 3 ||
	    (strcmp(leaf, "forwarding") != 0 && strcmp(leaf, "force_forwarding") != 0) ||
	    name_check_ifname(ret_ifname, "interface", NULL) < 0)
		return false; /* "all" is no interface's name either */
	*ret_fam = v == 4 ? FAM4 : FAM6;
	return true;
}

static int gather_opened(const char *key, int old, int new_value, void *arg)
{
	char ifname[IFNAME_STRLEN];
	struct gather *t = arg;
	int fam;

	(void)old;
	(void)new_value;
	return opened_of(key, &fam, ifname) ? elem_of_opened(fam, ifname, t->l, t->e) : 0;
}

static int gather_network(const char *name, void *arg)
{
	struct gather *t = arg;
	struct network n;
	int r = store_get_network(t->g->store, name, &n, t->e);

	return r == 0 ? elem_of_network(&n, t->l, t->e) : r < 0 ? r : 0;
}

static int gather_attachment(const struct attachment *a, void *arg)
{
	struct gather *t = arg;

	/* Transactions under way put their own elements back (apply_elements_again). */
	if (a->phase != ATTACH_COMMITTED)
		return 0;
	int r = elem_of_endpoint(a, t->l, t->e);
	return r == 0 ? elem_of_publish(a, a->publish, a->n_publish, t->l, t->e) : r;
}

int hostop_owner(struct engine *g, struct err *e)
{
	int r = nftbatch_tables(g->nft, ruleset_version(), g->owner, e);

	if (r == 3)
		return err_set(e, ERR_CONFLICT, 0,
			       "the network of this host is managed from another state directory");
	return r;
}

int hostop_purge(struct engine *g, struct err *e)
{
	int r = hostop_owner(g, e);

	if (r >= 0)
		r = link_del_group(g->host, LINK_GROUP_VETH, e);
	return r < 0 ? r : link_del_group(g->host, LINK_GROUP_BRIDGE, e);
}

int hostop_tables(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_BUF struct buf text = BUF_INIT;
	struct gather t = {.g = w->g, .l = &l, .e = e};

	int r = hostlog_each(w->g->store, gather_opened, &t, e);
	if (r >= 0)
		r = member_each_network(w->g->store, gather_network, &t, e);
	if (r >= 0)
		r = store_each_attachment(w->g->store, gather_attachment, NULL, &t, e);
	if (r < 0)
		return r;
	ruleset_base(w->g->owner, &text);
	ruleset_elements(&l, &text);
	if (text.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ruleset");
	/* Raised first: one time too many is harmless, a load that nobody notices is not. */
	r = member_raise_generation(w->g->store, e);
	if (r >= 0)
		r = member_generation(w->g->store, &w->generation, e);
	if (r >= 0)
		r = nft_run(text.p, e);
	w->g->has_rules = r >= 0;
	/* The text is ours and complete: what the kernel does not find in it is a part of itself.
	 */
	if (r == -ENOENT || r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the kernel lacks a part of nf_tables (CONFIG_NF_TABLES_INET, "
			       "CONFIG_NF_TABLES_BRIDGE, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, "
			       "CONFIG_NFT_CT, CONFIG_NFT_FIB_INET)");
	return r;
}

int hostop_net_elements(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_network(&w->net, &l, e);

	if (r < 0)
		return r;
	r = nftbatch_add(w->g->nft, &l, NULL, e);
	if (r != -EEXIST)
		return r;
	/* The subnet was another network's, or this one's with other settings, and was left behind.
	 */
	err_reset(e);
	r = nftbatch_del(w->g->nft, &l, e);
	return r < 0 ? r : nftbatch_add(w->g->nft, &l, NULL, e);
}

struct mac hostop_bridge_mac(const struct network *n)
{
	return mac_from_ip(n->gateway[FAM4].family ? &n->gateway[FAM4] : &n->gateway[FAM6]);
}

static int set_own(int fam, const char *ifname, const char *leaf, int value, struct err *e)
{
	char key[SYSCTL_KEYLEN];

	conf_key(key, fam, ifname, leaf);
	int r = sysctl_set_int(key, value, e);
	if (r == -ENOENT) { /* IPv6 may be off on this host */
		err_reset(e);
		return 0;
	}
	return r;
}

static int bridge_sysctls(const struct network *n, struct err *e)
{
	const char *br = n->bridge;
	bool v6 = n->subnet[FAM6].ip.family != 0;
	int r = set_own(FAM6, br, "accept_ra", 0, e);

	if (r == 0)
		r = set_own(FAM6, br, "accept_redirects", 0, e);
	if (r == 0)
		r = set_own(FAM6, br, "autoconf", 0, e);
	if (r == 0 && !v6)
		r = set_own(FAM6, br, "disable_ipv6", 1, e);
	if (r == 0)
		r = set_own(FAM4, br, "accept_redirects", 0, e);
	if (r == 0 && n->subnet[FAM4].ip.family)
		r = set_own(FAM4, br, "forwarding", 1, e);
	if (r == 0 && v6 && probe_has(PROBE_IPV6_FORCE_FORWARDING))
		r = set_own(FAM6, br, "force_forwarding", 1, e);
	return r;
}

static int see_port(const struct link_info *l, void *arg)
{
	const uint32_t *bridge = arg;

	return l->master == *bridge;
}

/* A bridge that is down: half made by a killed process, and then it has no ports yet; or somebody
 * set it down, and then it is only completed. */
static int drop_half_bridge(struct work *w, struct err *e)
{
	if (!w->bridge_index)
		return 0;
	int r = link_each(w->g->host, see_port, &w->bridge_index, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = link_del(w->g->host, w->bridge_index, e);
	w->bridge_index = 0;
	return r < 0 ? r : 0;
}

int hostop_bridge(struct work *w, struct err *e)
{
	struct bridge_spec s = {.name = w->net.bridge,
				.mac = hostop_bridge_mac(&w->net),
				.mtu = w->net.mtu,
				.group = LINK_GROUP_BRIDGE,
				.keep_down = true};
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	int r;

	r = s.mtu ? 0 : uplink_mtu(w->g->host, &s.mtu, e);
	if (r >= 0)
		r = drop_half_bridge(w, e);
	if (r == 0 && !w->bridge_index)
		r = link_bridge_add(w->g->host, &s, &w->bridge_index, e);
	if (r == 0)
		r = bridge_sysctls(&w->net, e);
	if (r == 0)
		r = rtnl_batch_new(w->g->host, &b, e);
	for (int f = 0; r == 0 && f < N_FAM; f++) {
		struct prefix p = {.ip = w->net.gateway[f], .len = w->net.subnet[f].len};
		if (p.ip.family)
			r = route_addr_add(b, w->bridge_index, &p, e);
	}
	/* The multicast querier speaks IPv6 from a link-local address only. */
	struct prefix local = {.ip = ip_link_local_from_mac(&s.mac), .len = 64};
	if (r == 0 && w->net.subnet[FAM6].ip.family)
		r = route_addr_add(b, w->bridge_index, &local, e);
	if (r == 0)
		r = link_set_up(b, w->bridge_index, e);
	if (r == 0)
		r = rtnl_batch_run(b, e);
	return r;
}

int hostop_sysctl(struct work *w, const struct host_sysctl *s, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	char ifname[IFNAME_STRLEN];
	int fam;
	int r = hostlog_put(w->g->store, s->key, s->now, s->want, e);

	if (r >= 0 && opened_of(s->key, &fam, ifname)) {
		r = elem_of_opened(fam, ifname, &l, e);
		if (r >= 0)
			r = nftbatch_add(w->g->nft, &l, NULL, e);
	}
	return r < 0 ? r : sysctl_set_int(s->key, s->want, e);
}

void hostop_network_of(const struct attachment *a, struct network *ret)
{
	*ret = (struct network){.mode = a->mode,
				.internal = a->internal,
				.isolate = a->isolate,
				.masquerade = true};
	memcpy(ret->name, a->network, sizeof(ret->name));
	memcpy(ret->bridge, a->bridge, sizeof(ret->bridge));
	for (int f = 0; f < N_FAM; f++) {
		ret->gateway[f] = a->gateway[f];
		if (a->addr[f].ip.family)
			ret->subnet[f] = prefix_network(&a->addr[f]);
	}
}

struct restore {
	struct engine *g;
	struct err *all;
};

static int restore_one(const char *key, int old, int new_value, void *arg)
{
	struct restore *t = arg;
	struct err one = ERR_INIT;
	int now;

	/* Only what is still as we left it: somebody else may rely on a later value. */
	if (sysctl_get_int(key, &now, NULL) == 0 && now == new_value &&
	    sysctl_set_int(key, old, &one) < 0 && one.kind != ERR_ABSENT) {
		err_gather(t->all, &one);
		return 0; /* stays on record for the next time */
	}
	err_reset(&one);
	if (hostlog_del(t->g->store, key, &one) < 0)
		err_gather(t->all, &one);
	return 0;
}

static void del_bridge(struct engine *g, const struct network *n, struct err *all)
{
	struct err one = ERR_INIT;
	struct link_info l;
	struct mac m = hostop_bridge_mac(n);
	struct rtnl *own = NULL;
	int r = link_get(g->host, n->bridge, &l, &one);

	if (r == 0 && l.group == LINK_GROUP_BRIDGE && memcmp(&l.mac, &m, sizeof(m)) == 0) {
		r = rtnl_open(&own, &one); /* link_del_echo uses the socket up */
		if (r == 0)
			r = link_del_echo(own, l.index, nftbatch_fd(g->nft), &one);
		rtnl_close(own);
	}
	if (r < 0)
		err_gather(all, &one);
}

int hostop_network_gone(struct engine *g, const struct network *n, enum member_first left,
			struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	CLEAN_ELEMS struct elem_list l = {0};

	if (n->mode == NET_BRIDGE)
		del_bridge(g, n, &all);
	if (left != MEMBER_FIRST_OF_HOST) {
		if (elem_of_network(n, &l, &one) < 0 || nftbatch_del(g->nft, &l, &one) < 0)
			err_gather(&all, &one);
	} else {
		struct restore t = {.g = g, .all = &all};
		/* Forwarding goes off before the filter does. */
		if (hostlog_each(g->store, restore_one, &t, &one) < 0)
			err_gather(&all, &one);
		err_reset(&one);
		if (nftbatch_tables(g->nft, ruleset_version(), g->owner, &one) != 3 &&
		    nftbatch_drop_tables(g->nft, &one) < 0)
			err_gather(&all, &one);
	}
	g->tidy = g->tidy || left == MEMBER_FIRST_OF_HOST;
	err_reset(&one);
	if (n->implicit && store_del_network(g->store, n->name, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}
