/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prepare: everything of a transaction that is names and numbers: addresses, membership, the
 * record; host ports are in prepare_ports.c. Claims first, then the record that lists them, all
 * under the global lock; so a claim without a record belongs to a dead process, and a record lists
 * everything that may exist.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/grow.h"
#include "base/hash.h"
#include "engine/internal.h"
#include "net/link.h"
#include "net/uplink.h"
#include "store/claim.h"

#define MTU_MIN_IP6 1280u /* RFC 8200, section 5 */

struct mac_search {
	const struct attachment *a;
	char owner[KEY_STRLEN]; /* "": none */
};

static int see_mac(const struct attachment *o, void *arg)
{
	struct mac_search *m = arg;

	if (strcmp(o->network, m->a->network) != 0 ||
	    memcmp(&o->mac, &m->a->mac, sizeof(o->mac)) != 0)
		return 0;
	name_key(o->id, o->ifname, m->owner);
	return 1;
}

/* The address that m is derived from, if it is one of subnet's: one that a container without a MAC
 * of its own has or will have, or the gateway, whose MAC is the bridge's. */
static bool mac_to_ip(const struct prefix *subnet, const struct mac *m, struct ip *ret)
{
	struct mac derived = mac_from_ip(&subnet->ip);
	size_t n = subnet->ip.family == AF_INET ? 4 : 5;
	size_t last = subnet->ip.family == AF_INET ? 4 : 16;
	struct ip ip = subnet->ip;

	for (size_t i = 1; i <= n; i++)
		ip.b[last - i] ^= m->b[sizeof(m->b) - i] ^ derived.b[sizeof(m->b) - i];
	derived = mac_from_ip(&ip);
	*ret = ip;
	return memcmp(&derived, m, sizeof(derived)) == 0 && prefix_contains(subnet, &ip);
}

/* A MAC that was asked for. Two ends with the same one take each other's frames away, so it must be
 * nobody else's of the network. */
static int check_mac(struct work *w, int fam, struct err *e)
{
	struct mac_search m = {.a = w->a};
	char s[MAC_STRLEN], t[IP_STRLEN];
	struct ip ip;
	int r = store_each_attachment(w->g->store, see_mac, NULL, &m, e);

	if (r < 0)
		return r;
	if (m.owner[0])
		return err_set(e, ERR_CONFLICT, EADDRINUSE, "MAC %s is taken by %s",
			       mac_str(&w->a->mac, s), m.owner);
	if (mac_to_ip(&w->net.subnet[fam], &w->a->mac, &ip) && !ip_equal(&ip, &w->a->addr[fam].ip))
		return err_set(e, ERR_USAGE, 0, "MAC %s is the one of address %s of network %s",
			       mac_str(&w->a->mac, s), ip_str(&ip, t), w->net.name);
	return 0;
}

static int derive_mac(struct work *w, const struct up_request *req, const char *key, struct err *e)
{
	static const struct mac none;
	struct attachment *a = w->a;
	int fam = a->addr[FAM4].ip.family ? FAM4 : FAM6;
	uint64_t h = hash64(key, strlen(key), 0x6c32);

	a->mac = memcmp(&req->mac, &none, sizeof(none)) != 0 ? req->mac : req->tune.mac;
	a->tune.mac = none; /* it has it from the start */
	if (memcmp(&a->mac, &none, sizeof(none)) != 0)
		return check_mac(w, fam, e);
	if (a->addr[fam].ip.family) {
		a->mac = mac_from_ip(&a->addr[fam].ip);
	} else {
		memcpy(a->mac.b, &h, sizeof(a->mac.b));
		a->mac.b[0] = 0x7a; /* locally administered, unlike that of any address */
	}
	return 0;
}

static int find_mtu(struct work *w, const struct up_request *req, struct err *e)
{
	struct attachment *a = w->a;

	a->mtu = req->mtu ? req->mtu : w->net.mtu;
	if (a->mtu)
		return 0;
	w->has_seen_bridge = w->net.mode == NET_BRIDGE &&
			     link_get(w->g->host, w->net.bridge, &w->seen_bridge, NULL) == 0;
	if (w->has_seen_bridge) {
		a->mtu = w->seen_bridge.mtu;
		return 0;
	}
	int r = uplink_find(w->g->host, FAM4, &w->seen_uplink, &a->mtu, e);
	w->has_seen_uplink = r == 0;
	return r == 1 ? uplink_mtu(w->g->host, &a->mtu, e) : r;
}

/* Values that follow from the request and the addresses. */
static int derive(struct work *w, const struct up_request *req, const char *key, struct err *e)
{
	struct attachment *a = w->a;
	uint64_t h = hash64(key, strlen(key), 0x6d6163);

	if (a->kind == ATTACH_VETH && !a->is_l2)
		names_fill(&w->net, a);
	if (a->kind == ATTACH_FOREIGN) {
		if (req->host_ifname)
			snprintf(a->host_ifname, sizeof(a->host_ifname), "%s", req->host_ifname);
		return 0;
	}
	memcpy(a->host_mac.b, &h, sizeof(a->host_mac.b));
	a->host_mac.b[0] = 0xfe; /* locally administered, and above every other port's */
	name_host_ifname(a->id, a->ifname, a->host_ifname);
	int r = derive_mac(w, req, key, e);
	if (r >= 0)
		r = find_mtu(w, req, e);
	if (r >= 0 && a->addr[FAM6].ip.family && a->mtu < MTU_MIN_IP6)
		return err_set(e, ERR_USAGE, 0, "MTU %u: IPv6 needs at least %u", a->mtu,
			       MTU_MIN_IP6);
	return r < 0 ? r : addrs_routes(a, req, e);
}

/* What a description says beside the network and its addresses. */
static int copy_described(struct work *w, const struct up_request *req, struct err *e)
{
	struct attachment *a = w->a;
	int r;

	if (req->is_l2 && (a->mode != NET_BRIDGE || req->n_set || req->n_given || req->n_publish))
		return err_set(e, ERR_USAGE, 0,
			       "layer 2 only is for bridges, without addresses and ports");
	if (!req->is_l2 && req->kind == ATTACH_VETH && req->n_set + req->n_given == 0)
		return err_set(e, ERR_USAGE, 0, "expected addresses");
	if (req->is_hairpin && req->is_promisc)
		return err_set(e, ERR_USAGE, 0, "hairpin and promiscuous mode exclude each other");
	r = attach_vlan_check(&req->vlan, e);
	if (r >= 0 && attach_vlan_is_set(&req->vlan) && a->mode != NET_BRIDGE)
		return err_set(e, ERR_USAGE, 0, "VLANs are for bridges");
	if (r >= 0 && attach_vlan_is_set(&req->vlan))
		r = vlan_check_kernel(w->g, e);
	if (r < 0)
		return r;
	a->vlan = req->vlan;
	a->request = request_hash(req);
	a->kind = req->kind;
	a->is_l2 = req->is_l2;
	a->is_down = req->is_down;
	a->is_hairpin = req->is_hairpin;
	a->is_promisc = req->is_promisc;
	a->is_unguarded = req->is_unguarded;
	a->is_port_isolated = req->is_port_isolated;
	a->is_dad = req->is_dad;
	a->tune = req->tune;
	r = attachment_set_note(a, req->note, e);
	return r < 0 ? r : attachment_add_sysctls(a, req->sysctl, req->n_sysctl, e);
}

static int copy_request(struct work *w, const struct up_request *req, struct err *e)
{
	struct attachment *a = w->a;
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	a->phase = ATTACH_INTENT;
	a->mode = w->net.mode;
	a->internal = w->net.internal;
	a->isolate = w->net.isolate;
	a->uid = req->uid;
	a->is_until_logout = req->is_until_logout;
	a->is_port_isolated = req->is_apart && w->net.mode == NET_BRIDGE;
	a->created = (int64_t)now.tv_sec;
	a->made_at = request_is_described(req) ? clock_boot_ns() : 0;
	snprintf(a->id, sizeof(a->id), "%s", req->id);
	snprintf(a->ifname, sizeof(a->ifname), "%s", req->ifname);
	snprintf(a->network, sizeof(a->network), "%s", w->net.name);
	snprintf(a->bridge, sizeof(a->bridge), "%s", w->net.bridge);
	snprintf(a->netns_path, sizeof(a->netns_path), "%s", req->netns_path);
	memcpy(a->boot_id, w->g->boot_id, sizeof(a->boot_id));
	a->rate = req->rate;
	a->cap = req->cap;
	if (req->egress)
		a->egress = *req->egress;
	if (req->names)
		a->names = *req->names;
	int r = publish_check_list(req->publish, req->n_publish, e);
	if (r >= 0)
		r = attach_rate_check(&req->rate, e);
	if (r >= 0)
		r = learn_check(w, a, e);
	if (r >= 0)
		r = attachment_add_publish(a, req->publish, req->n_publish, e);
	if (r >= 0)
		r = attachment_set_aliases(a, req->alias, req->n_alias, e);
	return r < 0 || !request_is_described(req) ? r : copy_described(w, req, e);
}

int prepare_claim(struct work *w, const struct up_request *req, struct err *e)
{
	struct attachment *a = w->a;
	char key[KEY_STRLEN];
	bool ports = false;
	int r = copy_request(w, req, e);

	if (r < 0)
		return r;
	/* Membership first: whatever a process leaves that is killed before the record is written
	 * can be found through it. */
	name_key(a->id, a->ifname, key);
	r = member_join(w->g->store, a->network, key, e);
	w->first = r > 0 ? (enum member_first)r : MEMBER_OTHERS;
	if (r >= 0 && w->is_new_network)
		r = store_put_network(w->g->store, &w->net, e);
	if (r >= 0)
		r = addrs_claim(w, req, key, e);
	if (r >= 0)
		r = derive(w, req, key, e);
	if (r >= 0)
		r = prepare_claim_ports(w, NULL, a->publish, a->n_publish, e);
	ports = r >= 0;
	/* A record with ports that overlap could not be read again. */
	if (r >= 0)
		r = publish_check_list(a->publish, a->n_publish, e);
	if (r >= 0)
		r = store_put_attachment(w->g->store, a, e);
	if (r >= 0)
		return 0;
	if (!ports)
		a->n_publish = 0; /* they have been dropped already */
	prepare_unbind(w);
	struct err more = ERR_INIT;
	if (prepare_release(w->g, a, &more) < 0)
		err_gather(e, &more);
	return r;
}

static int preview_drop(struct work *w, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;

	if (prepare_drop_ports(w->g, w->a, w->a->publish, w->a->n_publish, &one) < 0)
		err_gather(&all, &one);
	addrs_drop(w->g, w->a, &all);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

int prepare_preview(struct work *w, const struct up_request *req, struct err *e)
{
	struct err one = ERR_INIT;
	struct attachment *a = w->a;
	struct claim_cursor cursor;
	char key[KEY_STRLEN];
	int r = copy_request(w, req, e);

	if (r >= 0)
		r = member_peek(w->g->store, a->network, e);
	w->first = r > 0 ? (enum member_first)r : MEMBER_OTHERS;
	if (r >= 0)
		r = claim_get_cursor(w->g->store, a->network, &cursor, e);
	if (r >= 0)
		r = reserve_open(store_dirfd(w->g->store), &w->res, e);
	if (r < 0)
		return r;
	reserve_only_probe(w->res);
	name_key(a->id, a->ifname, key);
	r = addrs_claim(w, req, key, e);
	if (r >= 0)
		r = derive(w, req, key, e);
	if (r >= 0)
		r = prepare_claim_ports(w, NULL, a->publish, a->n_publish, e);
	int back = preview_drop(w, &one);
	if (back >= 0)
		back = claim_put_cursor(w->g->store, a->network, &cursor, &one);
	if (back < 0)
		err_gather(e, &one);
	return r < 0 ? r : back;
}

/* Makes the record that of a lease again, which it was before a foreign attachment took it over. */
static int prepare_downgrade(struct engine *g, struct attachment *a, struct err *e)
{
	struct attachment lease = *a;

	lease.kind = ATTACH_LEASE;
	lease.phase = ATTACH_COMMITTED;
	lease.request = 0;
	lease.host_ifname[0] = '\0';
	lease.has_routes = false;
	lease.n_publish = lease.n_route = lease.n_sysctl = lease.n_alias = 0;
	lease.note = NULL;
	memset(&lease.tune, 0, sizeof(lease.tune));
	memset(&lease.rate, 0, sizeof(lease.rate));
	return store_put_attachment(g->store, &lease, e);
}

int prepare_release(struct engine *g, const struct attachment *a, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	struct network net;
	struct attachment before = *a;
	char key[KEY_STRLEN];

	name_key(a->id, a->ifname, key);
	if (a->kind == ATTACH_FOREIGN && a->is_leased && a->phase == ATTACH_INTENT) {
		/* It did not come to be: the lease that was there before is again. */
		if (prepare_drop_ports(g, a, a->publish, a->n_publish, e) < 0)
			return -EIO;
		return prepare_downgrade(g, &before, e);
	}
	if (a->phase == ATTACH_INTENT)
		claim_undo_cursor(g->store);
	err_reset(&one);
	if (store_get_network(g->store, a->network, &net, &one) != 0)
		hostop_network_of(a, &net);
	err_reset(&one);
	int left = member_leave(g->store, a->network, key, &one);
	if (left < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (left > MEMBER_OTHERS && hostop_network_gone(g, &net, (enum member_first)left, &one) < 0)
		err_gather(&all, &one);
	/* Claims while nothing else is left to fail: a record that stays has what it lists, else
	 * the next one to come would have it too. */
	err_reset(&one);
	if (all.kind == ERR_NONE && prepare_drop_ports(g, a, a->publish, a->n_publish, &one) < 0)
		err_gather(&all, &one);
	if (all.kind == ERR_NONE)
		addrs_drop(g, a, &all);
	/* The record last: who is killed here leaves enough to be continued. */
	err_reset(&one);
	if (all.kind == ERR_NONE && store_del_attachment(g->store, a->id, a->ifname, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

struct leaving {
	struct engine *g;
	const char *key;
	size_t n, cap;
	char (*network)[NETNAME_STRLEN];
	struct err *all;
};

static int see_member(const char *network, const char *key, void *arg)
{
	struct leaving *l = arg;

	if (strcmp(key, l->key) != 0)
		return 0;
	if (!GROW(l->network, l->n, l->cap))
		return err_set(l->all, ERR_INTERNAL, ENOMEM, "networks");
	snprintf(l->network[l->n++], NETNAME_STRLEN, "%s", network);
	return 0;
}

static void leave_one(struct leaving *l, const char *network)
{
	struct err one = ERR_INIT;
	struct network net;
	int left = member_leave(l->g->store, network, l->key, &one);

	if (left > MEMBER_OTHERS && store_get_network(l->g->store, network, &net, &one) == 0)
		left = hostop_network_gone(l->g, &net, (enum member_first)left, &one);
	if (left < 0)
		err_gather(l->all, &one);
}

int prepare_leave(struct engine *g, const char *key, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	struct leaving l = {.g = g, .key = key, .all = &all};

	if (member_each(g->store, key, see_member, &l, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (l.n && claim_drop_all(g->store, key, &one) < 0)
		err_gather(&all, &one);
	for (size_t i = 0; i < l.n; i++)
		leave_one(&l, l.network[i]);
	free(l.network);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? (int)l.n : -EIO;
}
