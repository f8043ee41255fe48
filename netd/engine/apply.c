/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: runs a plan. Host operations run under the global lock and stay (they are idempotent and
 * shared); endpoint operations are undone in reverse order when one of them fails.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/internal.h"
#include "net/announce.h"
#include "net/conntrack.h"
#include "net/link.h"
#include "net/route.h"
#include "sys/outside.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

#define READY_MS 15000
#define READY_DAD_MS 17000 /* duplicate address detection takes one to two seconds of it */

int apply_host(struct work *w, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < w->plan.n; i++) {
		const struct op *op = &w->plan.op[i];
		switch (op->kind) {
		case OP_TABLES:
			r = hostop_tables(w, e);
			break;
		case OP_NET_ELEMENTS:
			r = hostop_net_elements(w, e);
			break;
		case OP_BRIDGE:
			r = bridge_make(w, e);
			break;
		case OP_RESOLVER:
			r = names_serve(w, e);
			break;
		case OP_SYSCTL:
			r = hostop_sysctl(w, &w->obs.sysctl[op->sysctl], e);
			break;
		default:
			break;
		}
	}
	return r < 0 ? err_ctx(e, r, "network %s", w->net.name) : 0;
}

static int do_guard(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_endpoint(w->a, &l, e);

	if (r >= 0)
		r = nftbatch_add(w->g->nft, &l, NULL, e);
	/* The tables are there, the sets are not: see hostop_tables. */
	if (r == -ENOENT && w->a->cap.is_usual && attach_cap_is_set(&w->a->cap)) {
		err_reset(e);
		w->a->cap = (struct attach_cap){0};
		return do_guard(w, e);
	}
	if (r == -ENOENT && attach_cap_is_set(&w->a->cap) && hostop_owner(w->g, NULL) == 0) {
		err_reset(e);
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "caps of connections and packets: the kernel lacks "
			       "CONFIG_NFT_LIMIT or CONFIG_NFT_CONNLIMIT");
	}
	return r;
}

static int undo_guard(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_endpoint(w->a, &l, e);

	return r < 0 ? r : nftbatch_del(w->g->nft, &l, e);
}

/* The host's name follows from the attachment's, whose lock is held: a link of ours that has it was
 * left by a killed call, or is going with a dead namespace. */
static bool is_out_of_the_way(struct work *w)
{
	struct link_info l;
	int r = link_get(w->g->host, w->a->host_ifname, &l, NULL);

	return r == 1 || (r == 0 && (l.group == LINK_GROUP_VETH || l.group == LINK_GROUP_STRAY) &&
			  link_del(w->g->host, l.index, NULL) >= 0);
}

/* -EPERM: the other end is in a namespace that is not the caller's; it may be his user's. */
static int add_pair(struct work *w, const struct veth_spec *s, struct err *e)
{
	CLEAN_RTNL struct rtnl *lent = NULL;
	struct attachment *a = w->a;
	int r = link_veth_add(w->g->host, s, &a->host_ifindex, &a->ctr_ifindex, e);

	if (r != -EPERM || !outside_is_there())
		return r;
	err_reset(e);
	r = rtnl_open_lent(&lent, e);
	return r < 0 ? r : link_veth_add(lent, s, &a->host_ifindex, &a->ctr_ifindex, e);
}

static int do_veth(struct work *w, struct err *e)
{
	struct attachment *a = w->a;
	struct veth_spec s = {.host_ifname = a->host_ifname,
			      .ctr_ifname = a->ifname,
			      .ctr_netns_fd = w->netns_fd,
			      .host_mac = a->host_mac,
			      .ctr_mac = a->mac,
			      .mtu = a->mtu,
			      .master = a->mode == NET_BRIDGE ? w->bridge_index : 0,
			      .group = LINK_GROUP_VETH,
			      .ret_host = &w->fresh_link};

	struct err first = ERR_INIT;

	if (w->netns_fd < 0)
		return err_set(e, ERR_ABSENT, 0, "the container's namespace cannot be reached");
	int r = add_pair(w, &s, &first);
	if (r == -EEXIST && first.what != WHAT_INTERFACE && is_out_of_the_way(w)) {
		err_reset(&first);
		r = add_pair(w, &s, &first);
	}
	if (r < 0)
		err_gather(e, &first);
	w->is_fresh_link = r >= 0;
	return r;
}

static int undo_veth(struct work *w, struct err *e)
{
	return link_del(w->g->host, w->a->host_ifindex, e);
}

/* Is bridged traffic of this host run through the IP hooks? Then a container that reaches itself by
 * its published port is bridged back to its own port, which needs hairpin mode. */
static bool has_br_netfilter(void)
{
	int v4 = 0, v6 = 0;

	sysctl_get_int("net/bridge/bridge-nf-call-iptables", &v4, NULL);
	if (!v4)
		sysctl_get_int("net/bridge/bridge-nf-call-ip6tables", &v6, NULL);
	return v4 || v6;
}

/* The bridge sends solicitations to members only, and the container's own report comes later than
 * the first of them. */
static int add_groups(struct work *w, struct rtnl_batch *b, struct err *e)
{
	struct ip local = ip_link_local_from_mac(&w->a->mac), group = ip_solicited_node(&local);
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(w->a, list);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct ip g = ip_solicited_node(&list[i].addr.ip);

		if (list[i].addr.ip.family == AF_INET6)
			r = link_mdb_add(b, w->bridge_index, w->a->host_ifindex, &g, e);
	}
	return r < 0 ? r : link_mdb_add(b, w->bridge_index, w->a->host_ifindex, &group, e);
}

static int do_port(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(w->a, list);
	/* On a bridge of somebody else's, or with any number of stations behind the port, the
	 * static entries do not say all. */
	bool learns = w->is_bridge_strange || w->a->is_unguarded;
	struct port_spec s = {.index = w->a->host_ifindex,
			      .isolated = w->a->isolate || w->a->is_port_isolated,
			      .hairpin = w->a->is_hairpin || has_br_netfilter(),
			      .mcast_flood = true,
			      .flood = learns,
			      .learning = learns,
			      .guard = true};
	struct link_info l = {.master = w->bridge_index, .is_up = true};
	int r = rtnl_batch_new(w->g->host, &b, e);

	if (r == 0 && !w->is_fresh_link && link_get_index(w->g->host, s.index, &l, e) == 0 &&
	    l.master != w->bridge_index)
		r = link_set_master(b, s.index, w->bridge_index, e);
	if (r == 0 && !l.is_up)
		r = link_set_up(b, s.index, e);
	if (r == 0)
		r = link_port_set(b, &s, e);
	if (r == 0)
		r = link_fdb_add(b, w->a->host_ifindex, &w->a->mac, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = route_neigh_add(b, w->bridge_index, &list[i].addr.ip, &w->a->mac,
				    NEIGH_PERMANENT, e);
	if (r == 0 && w->a->addr[FAM6].ip.family && !w->is_bridge_strange)
		r = add_groups(w, b, e);
	if (r == 0 && w->a->is_promisc)
		r = link_set_flags(b, w->bridge_index, LINK_PROMISC, LINK_PROMISC, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

static int undo_port(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(w->a, list);
	int r = rtnl_batch_new(w->g->host, &b, e);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = route_neigh_del(b, w->bridge_index, &list[i].addr.ip, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

/* Where the host forwards as it is, so does a new link of its. */
static int veth_forwarding(struct work *w, struct err *e)
{
	const bool off[N_FAM] = {false, false};
	const bool *is_on = w->is_fresh_link ? w->fresh_link.is_forwarding : off;
	const struct attachment *a = w->a;
	char key[SYSCTL_KEYLEN];
	int r = 0;

	if (a->addr[FAM4].ip.family && !is_on[FAM4]) {
		conf_key(key, FAM4, a->host_ifname, "forwarding");
		r = sysctl_set_or_has(key, 1, e);
	}
	if (r >= 0 && a->addr[FAM6].ip.family && !is_on[FAM6] &&
	    probe_has(PROBE_IPV6_FORCE_FORWARDING)) {
		conf_key(key, FAM6, a->host_ifname, "force_forwarding");
		r = sysctl_set_or_has(key, 1, e);
	}
	return r;
}

static int do_host_route(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	const struct attachment *a = w->a;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	int r = veth_forwarding(w, e);

	if (r >= 0)
		r = rtnl_batch_new(w->g->host, &b, e);
	if (r >= 0)
		r = link_set_up(b, a->host_ifindex, e); /* somebody may have set it down */
	for (int f = 0; r >= 0 && f < N_FAM; f++)
		if (a->resolver[f].family)
			r = route_addr_add_quiet(b, a->host_ifindex, &a->resolver[f], e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct route_spec s = {.dst = list[i].addr, .ifindex = a->host_ifindex};

		r = route_neigh_add(b, a->host_ifindex, &s.dst.ip, &a->mac, NEIGH_PERMANENT, e);
		if (r >= 0)
			r = route_add(b, &s, e);
	}
	return r < 0 ? r : rtnl_batch_run(b, e);
}

/* Mostly the first look finds it. */
static int wait_local(struct work *w, uint64_t deadline, struct err *e)
{
	const struct ip *ip = &w->a->addr[FAM6].ip;
	int r = work_inside(w, e);

	if (r >= 0)
		r = route_is_local(w->inside, w->a->ctr_ifindex, ip, e);
	/* What it waits for may wait for this very processor. */
	if (r == 0 && sched_yield() == 0)
		r = route_is_local(w->inside, w->a->ctr_ifindex, ip, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = w->watch ? 0 : route_watch_open(w->netns_fd, &w->watch, e);
	return r < 0 ? r
		     : route_watch_wait(w->watch, w->a->ctr_ifindex, ip, clock_left(deadline), e);
}

/* Until the first packet passes, either way: without it 2 to 6 % of containers lose their first,
 * which comes again after a second. */
static int do_ready(struct work *w, struct err *e)
{
	int time = w->a->is_dad ? READY_DAD_MS : READY_MS;
	uint64_t deadline = clock_ms() + (uint64_t)time;
	int r = link_wait_carrier(w->g->host, w->a->host_ifindex, time, e);

	if (r == 0 && w->is_fresh_inside && w->a->addr[FAM6].ip.family)
		r = wait_local(w, deadline, e);
	if (r == 1)
		r = err_set(e, ERR_KERNEL, ETIMEDOUT, "%s is not ready%s", w->a->host_ifname,
			    w->a->is_dad ? ", or somebody has its address" : "");
	return r;
}

static int do_announce(struct work *w, struct err *e)
{
	const struct ip addr[N_FAM] = {w->a->addr[FAM4].ip, w->a->addr[FAM6].ip};

	return announce_send(w->bridge_index, addr, &w->a->mac, e);
}

static void targets(const struct attachment *a, struct ip ret[N_FAM])
{
	for (int f = 0; f < N_FAM; f++)
		ret[f] = a->addr[f].ip;
}

static int ask_reserve(struct work *w, struct err *e)
{
	char key[KEY_STRLEN];
	struct ip target[N_FAM];

	(void)e;
	name_key(w->a->id, w->a->ifname, key);
	targets(w->a, target);
	reserve_ask(w->res, key, target);
	return 0;
}

static int do_reserve(struct work *w, struct err *e)
{
	char key[KEY_STRLEN];
	struct ip target[N_FAM];

	name_key(w->a->id, w->a->ifname, key);
	targets(w->a, target);
	return reserve_commit(w->res, key, target, e);
}

static int undo_reserve(struct work *w, struct err *e)
{
	char key[KEY_STRLEN];

	name_key(w->a->id, w->a->ifname, key);
	return reserve_release(w->res, key, w->a->publish, w->a->n_publish, e);
}

static int do_dnat(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_publish(w->a, w->a->publish, w->a->n_publish, &l, e);

	return r < 0 ? r : nftbatch_add(w->g->nft, &l, NULL, e);
}

static int undo_dnat(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_publish(w->a, w->a->publish, w->a->n_publish, &l, e);

	return r < 0 ? r : nftbatch_del(w->g->nft, &l, e);
}

/* Flows that were tracked before the port was published go on to the host itself until they are
 * forgotten. Not TCP's: of a connection that the host refused the kernel keeps nothing (an entry
 * whose only answer is a reset goes with it), and one that was open was a program's, which had the
 * port. So mostly there is no walk through the table. */
static int do_conntrack(struct work *w, struct err *e)
{
	CLEAN_FREE struct publish *runs = calloc(w->a->n_publish, sizeof(*runs));
	bool has[N_FAM];
	size_t n = 0;

	if (!runs)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	attachment_families(w->a, has);
	for (size_t i = 0; i < w->a->n_publish; i++) {
		struct publish p = w->a->publish[i];
		if (p.proto == IPPROTO_TCP || ip_is_loopback(&p.host_ip) ||
		    (!has[FAM6] && p.host_ip.family == AF_INET6))
			continue;
		if (!has[FAM6])
			p.host_ip.family = AF_INET;
		runs[n++] = p;
	}
	return conntrack_flush(nftbatch_fd(w->g->nft), runs, n, NULL, false, e);
}

static int do_rate(struct work *w, struct err *e)
{
	return rate_make(w->g, w->a, w->netns_fd, e);
}

static int undo_rate(struct work *w, struct err *e)
{
	return rate_remove(w->g, w->a, false, e);
}

static int undo_names(struct work *w, struct err *e)
{
	return names_remove(w->g, w->a, e);
}

static const struct {
	int (*run)(struct work *w, struct err *e);
	int (*undo)(struct work *w, struct err *e);
	const char *what;
	bool partial; /* may have done half of it when it fails, and undoing that harms nobody else
		       */
	int (*finish)(struct work *w, struct err *e); /* run has only asked somebody for it */
} steps[N_OPS] = {
	[OP_GUARD] = {do_guard, undo_guard, "guard", false},
	[OP_VETH] = {do_veth, undo_veth, "link", false},
	[OP_VLAN] = {vlan_port_make, NULL, "VLAN", false}, /* goes with the link */
	[OP_PORT] = {do_port, undo_port, "bridge port", true},
	[OP_HOST_ROUTE] = {do_host_route, NULL, "route", false}, /* goes with the link */
	[OP_INSIDE] = {inside_make, NULL, "interface", false},
	[OP_READY] = {do_ready, NULL, "wait", false},
	[OP_ANNOUNCE] = {do_announce, NULL, "announcement", false},
	[OP_TUNE] = {tune_make, NULL, "settings", false},
	[OP_RATE] = {do_rate, undo_rate, "rate", true},
	[OP_NAMES] = {names_ask, undo_names, "names", true, names_put},
	[OP_RESERVE] = {ask_reserve, undo_reserve, "reserve", true, do_reserve},
	[OP_DNAT] = {do_dnat, undo_dnat, "publish", false},
	[OP_CONNTRACK] = {do_conntrack, NULL, "conntrack", false},
};

static void undo_steps(struct work *w, size_t n, struct err *e)
{
	while (n-- > 0) {
		enum op_kind k = w->plan.op[n].kind;
		struct err one = ERR_INIT;
		if (steps[k].undo && steps[k].undo(w, &one) < 0)
			err_gather(e, &one);
	}
}

/* Waits for what the first n steps have asked for: all of it, also after one says no, so that
 * nobody is half way through when it is undone. The first no is the error. */
static int finish_steps(struct work *w, size_t n, struct err *e)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		enum op_kind k = w->plan.op[i].kind;
		struct err one = ERR_INIT;
		int r = steps[k].finish ? steps[k].finish(w, &one) : 0;

		if (r >= 0)
			continue;
		err_ctx(&one, r, "%s", steps[k].what);
		if (first == 0)
			err_gather(e, &one);
		first = first == 0 ? r : first;
	}
	return first;
}

int apply_endpoint(struct work *w, bool undo, struct err *e)
{
	size_t done = 0;
	int r = 0;

	while (r >= 0 && done < w->plan.n) {
		enum op_kind k = w->plan.op[done].kind;

		r = steps[k].run ? steps[k].run(w, e) : 0;
		if (r < 0)
			err_ctx(e, r, "%s", steps[k].what);
		if (r >= 0 || steps[k].partial)
			done++;
	}
	int asked = finish_steps(w, done, r < 0 ? NULL : e);
	if (r >= 0)
		r = asked;
	if (r < 0 && undo)
		undo_steps(w, done, e);
	return r < 0 ? r : 0;
}

int apply_elements_again(struct work *w, struct err *e)
{
	uint64_t now;
	int r = member_generation(w->g->store, &now, e);

	if (r < 0 || now == w->generation)
		return r;
	r = do_guard(w, e);
	if (r >= 0 && w->a->n_publish)
		r = do_dnat(w, e);
	w->generation = now;
	return r;
}
