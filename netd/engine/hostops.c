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
	/* A bridge that a network uses is no way out. */
	if (!opened_of(key, &fam, ifname) || spec_is_bridge(t->g, ifname))
		return 0;
	return elem_of_opened(fam, ifname, t->l, t->e);
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
		return err_what(
			e,
			err_set(e, ERR_CONFLICT, 0,
				"the network of this host is managed from another state directory"),
			WHAT_TABLE);
	return r;
}

int hostop_purge(struct engine *g, struct err *e)
{
	int r = hostop_owner(g, e);

	if (r >= 0)
		r = link_del_group(g->host, LINK_GROUP_VETH, e);
	if (r >= 0)
		r = link_del_group(g->host, LINK_GROUP_IFB, e);
	if (r >= 0)
		r = link_del_group(g->host, LINK_GROUP_STRAY, e);
	return r < 0 ? r : link_del_group(g->host, LINK_GROUP_BRIDGE, e);
}

int hostop_shared_elements(struct engine *g, struct elem_list *l, struct err *e)
{
	struct gather t = {.g = g, .l = l, .e = e};

	int r = hostlog_each(g->store, gather_opened, &t, e);
	return r < 0 ? r : member_each_network(g->store, gather_network, &t, e);
}

int hostop_elements(struct engine *g, struct elem_list *l, struct err *e)
{
	struct gather t = {.g = g, .l = l, .e = e};

	int r = hostop_shared_elements(g, l, e);
	if (r >= 0)
		r = store_each_attachment(g->store, gather_attachment, NULL, &t, e);
	return r;
}

static int load(unsigned int without, uint32_t owner, const struct elem_list *l, int lock_fd,
		struct err *e)
{
	CLEAN_BUF struct buf text = BUF_INIT;

	ruleset_base_without(without, owner, &text);
	if (l)
		ruleset_elements(l, &text);
	if (text.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ruleset");
	return nft_run_locked(text.p, lock_fd, e);
}

int hostop_load(uint32_t owner, const struct elem_list *l, int lock_fd, struct err *e)
{
	unsigned int forced = (probe_allowed(PROBE_NFT_BOUNDS) ? 0 : RULESET_BOUNDS) |
			      (probe_allowed(PROBE_NFT_COUNTERS) ? 0 : RULESET_COUNTERS) |
			      (probe_allowed(PROBE_NFT_LOG) ? 0 : RULESET_LOG);
	/* Without bounds there is no log. */
	static const unsigned int tries[] = {0,
					     RULESET_LOG,
					     RULESET_COUNTERS,
					     RULESET_COUNTERS | RULESET_LOG,
					     RULESET_BOUNDS | RULESET_LOG,
					     RULESET_PARTS};
	struct err one = ERR_INIT;
	int r = -ENOENT;

	/* The text is ours and complete: what the kernel does not find in it is a part of itself.
	 * Where it is one of these parts, nobody can be given caps, or nothing is counted, or told,
	 * and all else works. */
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if ((tries[i] & forced) != forced || (r != -ENOENT && r != -EOPNOTSUPP))
			continue;
		err_reset(&one);
		r = load(tries[i], owner, l, lock_fd, &one);
	}
	if (r < 0 && e)
		*e = one;
	return r;
}

int hostop_tables(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = hostop_elements(w->g, &l, e);

	if (r < 0)
		return r;
	/* Raised first: one time too many is harmless, a load that nobody notices is not. */
	r = member_raise_generation(w->g->store, e);
	if (r >= 0)
		r = member_generation(w->g->store, &w->generation, e);
	/* libnftables replaces no table that somebody holds. Not before the lock is ours, under
	 * which alone they are taken up again. */
	if (r >= 0)
		r = nftbatch_release(w->g->nft, e);
	if (r >= 0)
		r = hostop_load(w->g->owner, &l, store_lock_fd(w->g->store), e);
	w->g->has_rules = r >= 0;
	if (r == -ENOENT || r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the kernel lacks a part of nf_tables (CONFIG_NF_TABLES_INET, "
			       "CONFIG_NF_TABLES_BRIDGE, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, "
			       "CONFIG_NFT_CT, CONFIG_NFT_FIB_INET)");
	return r;
}

/* Gateways were replaced: what the network had before goes. */
static int del_old_elements(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = w->has_old_net ? spec_own_elements(w->g, &w->old_net, &l, e) : 0;

	return r < 0 ? r : nftbatch_del(w->g->nft, &l, e);
}

int hostop_net_elements(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = del_old_elements(w, e);

	if (r >= 0)
		r = elem_of_network(&w->net, &l, e);
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
	if (r >= 0)
		r = sysctl_set_int(s->key, s->want, e);
	if (r != -ENOENT)
		return r;
	/* It was there when it was observed: somebody else's interface, which has gone since. */
	err_reset(e);
	r = l.n ? nftbatch_del(w->g->nft, &l, e) : 0;
	return r < 0 ? r : hostlog_del(w->g->store, s->key, e);
}

void hostop_network_of(const struct attachment *a, struct network *ret)
{
	*ret = (struct network){.mode = a->mode,
				.internal = a->internal,
				.isolate = a->isolate,
				.is_spec = a->request != 0,
				.is_filtering = attach_vlan_is_set(&a->vlan),
				.vlan = a->vlan.pvid,
				.masquerade = true};
	memcpy(ret->name, a->network, sizeof(ret->name));
	memcpy(ret->bridge, a->bridge, sizeof(ret->bridge));
	if (a->kind != ATTACH_VETH)
		return;
	for (int f = 0; f < N_FAM; f++) {
		ret->gateway[f] = a->gateway[f];
		if (a->addr[f].ip.family)
			ret->subnet[f] = prefix_network(&a->addr[f]);
	}
}

void hostop_network(struct engine *g, const struct attachment *a, struct network *ret)
{
	if (a->kind != ATTACH_VETH || store_get_network(g->store, a->network, ret, NULL) != 0)
		hostop_network_of(a, ret);
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

int hostop_network_gone(struct engine *g, const struct network *n, enum member_first left,
			struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	CLEAN_ELEMS struct elem_list l = {0};

	if (n->mode == NET_BRIDGE)
		bridge_gone(g, n, &all);
	if ((n->names || left == MEMBER_FIRST_OF_HOST) &&
	    names_drop(g, left == MEMBER_FIRST_OF_HOST ? NULL : n->name, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (left != MEMBER_FIRST_OF_HOST) {
		if (spec_own_elements(g, n, &l, &one) < 0 || nftbatch_del(g->nft, &l, &one) < 0)
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
