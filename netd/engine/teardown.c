/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * teardown: takes away everything that may exist of an attachment, from its record alone. It needs
 * no namespace, no network configuration and no knowledge of how far a killed process came; what is
 * missing is fine, and an error never stops it.
 * Order (netd's rule): DNAT, flows, reservation, link, neighbours, guard; then names and numbers.
 */
#include <errno.h>
#include <string.h>

#include "engine/internal.h"
#include "net/conntrack.h"
#include "net/link.h"
#include "net/route.h"

static void gather(struct err *all, struct err *one, int r)
{
	if (r < 0)
		err_gather(all, one);
	err_reset(one);
}

static void del_elements(struct engine *g, const struct elem_list *l, struct err *all)
{
	struct err one = ERR_INIT;

	gather(all, &one, nftbatch_del(g->nft, l, &one));
}

/* The forwarder is only asked to let go of them: see release_ports. */
static void del_ports(struct engine *g, const struct attachment *a, struct reserve **ret_res,
		      struct err *all)
{
	struct err one = ERR_INIT;
	char key[KEY_STRLEN];
	struct ip target[N_FAM] = {a->addr[FAM4].ip, a->addr[FAM6].ip};
	CLEAN_ELEMS struct elem_list l = {0};

	if (a->n_publish == 0)
		return;
	name_key(a->id, a->ifname, key);
	gather(all, &one, elem_of_publish(a, a->publish, a->n_publish, &l, &one));
	del_elements(g, &l, all);
	gather(all, &one,
	       conntrack_flush(nftbatch_fd(g->nft), a->publish, a->n_publish, target, true, &one));
	int r = reserve_open(store_dirfd(g->store), ret_res, &one);
	if (r >= 0)
		reserve_ask_release(*ret_res, key);
	gather(all, &one, r);
}

static void release_ports(const struct attachment *a, struct reserve *res, struct err *all)
{
	struct err one = ERR_INIT;
	char key[KEY_STRLEN];

	if (!res)
		return;
	name_key(a->id, a->ifname, key);
	gather(all, &one, reserve_release(res, key, NULL, 0, &one));
}

/* The name is a hash of the attachment's key, so a link of that name is this attachment's even when
 * the record was written before the link got its index. */
static void del_link(struct engine *g, const struct attachment *a, bool fast, struct err *all)
{
	struct err one = ERR_INIT;
	struct link_info l;
	struct rtnl *own = NULL;
	int r = link_get(g->host, a->host_ifname, &l, &one);

	if (r == 0 && strcmp(l.kind, "veth") == 0) {
		if (fast) {
			r = rtnl_open(&own, &one); /* link_del_echo uses the socket up */
			if (r == 0)
				r = link_del_echo(own, l.index, nftbatch_fd(g->nft), &one);
			rtnl_close(own);
		} else {
			r = link_del(g->host, l.index, &one);
		}
	}
	gather(all, &one, r);
}

static void del_neighbours(struct engine *g, const struct attachment *a, struct err *all)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	struct err one = ERR_INIT;
	struct link_info br;

	if (a->mode != NET_BRIDGE || link_get(g->host, a->bridge, &br, NULL) != 0)
		return;
	int r = rtnl_batch_new(g->host, &b, &one);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = route_neigh_del(b, br.index, &list[i].addr.ip, &one);
	if (r >= 0)
		r = rtnl_batch_run(b, &one);
	gather(all, &one, r);
}

static int teardown(struct engine *g, const struct attachment *a, bool fast, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_RESERVE struct reserve *res = NULL;

	if (a->kind == ATTACH_LEASE)
		return 0;
	/* Of one that is leaving all of this is done, and its ports and addresses may be another's.
	 * Links bear its own name: they go in any case. */
	bool is_whole = a->phase != ATTACH_LEAVING;
	bool has_names = is_whole && attachment_has_names(a);
	if (has_names)
		names_ask_remove(g, a);
	if (is_whole)
		del_ports(g, a, &res, &all);
	if (a->kind == ATTACH_VETH)
		del_link(g, a, fast, &all);
	/* What others were asked for is done by now: nobody has waited for it until here. */
	release_ports(a, res, &all);
	if (has_names)
		gather(&all, &one, names_remove(g, a, &one));
	if (is_whole && a->kind == ATTACH_VETH)
		del_neighbours(g, a, &all);
	if (a->kind == ATTACH_VETH)
		gather(&all, &one, rate_remove_ifb(g, a, fast, &one));
	else if (is_whole)
		gather(&all, &one, rate_remove(g, a, fast, &one));
	if (is_whole)
		gather(&all, &one, elem_of_endpoint(a, &l, &one));
	del_elements(g, &l, &all);
	if (is_whole)
		gather(&all, &one, learn_forget(g, a, &one));
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

int teardown_all(struct engine *g, const struct attachment *a, bool fast, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	uint64_t before = 0, after = 0;

	gather(&all, &one, member_generation(g->store, &before, &one));
	gather(&all, &one, teardown(g, a, fast, &one));
	int r = store_lock(g->store, &one);
	gather(&all, &one, r);
	if (r >= 0) {
		/* Tables loaded anew meanwhile were filled from the records, this one included. */
		gather(&all, &one, member_generation(g->store, &after, &one));
		if (after != before && a->phase != ATTACH_LEAVING) {
			gather(&all, &one, elem_of_endpoint(a, &l, &one));
			gather(&all, &one, elem_of_publish(a, a->publish, a->n_publish, &l, &one));
			del_elements(g, &l, &all);
		}
		/* What could not be taken away stays on record, so that the next `down` or `gc`
		 * tries again. */
		if (all.kind == ERR_NONE)
			gather(&all, &one, prepare_release(g, a, &one));
		store_unlock(g->store);
	}
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}
