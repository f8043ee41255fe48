/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlan: VLANs of a bridge's ports. A network whose members have VLANs needs a bridge that filters:
 * ours is made so, another one has to be so already, because switching it on would change what
 * passes between the ports of others. With a gateway the bridge's own port is in the network's
 * VLAN, untagged, so that the host's stack sees its frames as any others; a bridge's own port is in
 * one VLAN untagged, so a bridge is the gateway of one.
 */
#include <errno.h>

#include "engine/internal.h"
#include "net/link_vlan.h"
#include "sys/probe.h"

int vlan_check_kernel(struct engine *g, struct err *e)
{
	int r = probe_allowed(PROBE_BRIDGE_VLAN) ? link_vlan_probe(g->host, e) : 0;

	if (r != 0)
		return r < 0 ? r : 0;
	return err_set(
		e, ERR_UNSUPPORTED, 0,
		"the kernel has no VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING)");
}

static int not_usable(const struct work *w, const char *why, struct err *e)
{
	return err_what(e, err_set(e, ERR_USAGE, 0, "bridge %s %s", w->net.bridge, why),
			WHAT_NETWORK);
}

static uint16_t gateway_vlan(const struct network *n)
{
	return n->is_gateway ? n->vlan : 0;
}

struct own_port {
	uint16_t pvid;
	bool is_untagged;
};

static int see_pvid(const struct vlan_entry *v, void *arg)
{
	struct own_port *p = arg;

	if (v->is_pvid)
		*p = (struct own_port){.pvid = v->min, .is_untagged = v->is_untagged};
	return 0;
}

static int own_port(struct work *w, struct own_port *ret, struct err *e)
{
	*ret = (struct own_port){0};
	return link_vlan_each(w->g->host, w->bridge_index, see_pvid, ret, e);
}

int vlan_bridge_observe(struct work *w, struct err *e)
{
	struct vlan_bridge v = {0};
	struct own_port p;
	int r;

	if (!w->net.is_filtering)
		return 1;
	r = link_vlan_bridge(w->g->host, w->bridge_index, &v, e);
	if (r != 0 || !v.is_filtering || !gateway_vlan(&w->net))
		return r < 0 ? r : r == 0 && v.is_filtering;
	r = own_port(w, &p, e);
	return r < 0 ? r : p.pvid == gateway_vlan(&w->net) && p.is_untagged;
}

/* On a bridge of somebody else's, or shared with a network of ours: it has to be so. */
static int check_strange(struct work *w, const struct vlan_bridge *v, struct err *e)
{
	struct own_port p;
	int r;

	if (!v->is_filtering)
		return not_usable(w, "does not filter VLANs (vlan_filtering 0)", e);
	if (!gateway_vlan(&w->net))
		return 0;
	r = own_port(w, &p, e);
	if (r < 0 || (p.pvid == gateway_vlan(&w->net) && p.is_untagged))
		return r;
	return not_usable(w, "is not itself in the VLAN whose gateway it is to be", e);
}

int vlan_bridge_make(struct work *w, struct rtnl_batch *b, struct err *e)
{
	uint16_t vid = gateway_vlan(&w->net);
	struct vlan_entry own = {.min = vid, .max = vid, .is_pvid = true, .is_untagged = true};
	struct vlan_bridge v = {0};
	int r;

	if (!w->net.is_filtering)
		return 0;
	r = link_vlan_bridge(w->g->host, w->bridge_index, &v, e);
	if (r != 0)
		return r < 0 ? r : err_set(e, ERR_ABSENT, ENODEV, "bridge %s", w->net.bridge);
	if (w->is_bridge_strange)
		return check_strange(w, &v, e);
	if (!v.is_filtering)
		r = link_vlan_filter(b, w->bridge_index, e);
	if (r >= 0 && vid)
		r = link_vlan_add(b, w->bridge_index, true, &own, e);
	if (r >= 0 && vid && v.default_pvid && v.default_pvid != vid) {
		own = (struct vlan_entry){.min = v.default_pvid, .max = v.default_pvid};
		r = link_vlan_del(b, w->bridge_index, true, &own, e);
	}
	return r;
}

/* The bridge's default VLAN is to go from the port. */
static bool drops_default(const struct attach_vlan *v, uint16_t vid)
{
	return v->is_alone && vid && vid != v->pvid && !attach_vlan_has(v, vid);
}

static int put_port(struct work *w, const struct vlan_bridge *bridge, struct rtnl_batch *b,
		    struct err *e)
{
	const struct attach_vlan *v = &w->a->vlan;
	uint32_t port = w->a->host_ifindex;
	struct vlan_entry one;
	int r = 0;

	/* The trunk first: that of the untagged frames may be one of it, and stays untagged. */
	for (size_t i = 0; r >= 0 && i < v->n_trunk; i++) {
		one = (struct vlan_entry){.min = v->trunk[i].min, .max = v->trunk[i].max};
		r = link_vlan_add(b, port, false, &one, e);
	}
	one = (struct vlan_entry){
		.min = v->pvid, .max = v->pvid, .is_pvid = true, .is_untagged = true};
	if (r >= 0 && v->pvid)
		r = link_vlan_add(b, port, false, &one, e);
	one = (struct vlan_entry){.min = bridge->default_pvid, .max = bridge->default_pvid};
	if (r >= 0 && drops_default(v, bridge->default_pvid))
		r = link_vlan_del(b, port, false, &one, e);
	return r;
}

int vlan_port_make(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct link_info l = {.master = w->bridge_index};
	struct vlan_bridge v = {0};
	int r = link_vlan_bridge(w->g->host, w->bridge_index, &v, e);

	if (r == 1)
		return err_set(e, ERR_ABSENT, ENODEV, "bridge %s", w->a->bridge);
	if (r == 0)
		r = rtnl_batch_new(w->g->host, &b, e);
	if (r >= 0 && link_get_index(w->g->host, w->a->host_ifindex, &l, e) == 0 &&
	    l.master != w->bridge_index) /* somebody took it out */
		r = link_set_master(b, w->a->host_ifindex, w->bridge_index, e);
	if (r >= 0)
		r = put_port(w, &v, b, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

struct found {
	const struct attach_vlan *want;
	uint16_t default_pvid;
	size_t n_trunk; /* numbers of the trunk that are there, tagged */
	bool has_pvid, has_default;
};

static int see_port(const struct vlan_entry *v, void *arg)
{
	struct found *f = arg;

	for (unsigned int id = v->min; id <= v->max; id++) {
		uint16_t vid = (uint16_t)id;

		if (vid == f->want->pvid)
			f->has_pvid = v->is_pvid && v->is_untagged;
		else if (attach_vlan_has(f->want, vid))
			f->n_trunk += !v->is_pvid && !v->is_untagged;
		if (vid == f->default_pvid)
			f->has_default = true;
	}
	return 0;
}

int vlan_port_observe(struct work *w, struct err *e)
{
	const struct attach_vlan *v = &w->a->vlan;
	struct vlan_bridge bridge = {0};
	struct found f = {.want = v};
	size_t n = 0;
	int r;

	w->obs.has_vlan = false;
	r = w->bridge_index ? link_vlan_bridge(w->g->host, w->bridge_index, &bridge, e) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	f.default_pvid = bridge.default_pvid;
	r = link_vlan_each(w->g->host, w->a->host_ifindex, see_port, &f, e);
	for (size_t i = 0; i < v->n_trunk; i++)
		n += (size_t)(v->trunk[i].max - v->trunk[i].min) + 1;
	n -= v->pvid && attach_vlan_has(v, v->pvid);
	w->obs.has_vlan = r >= 0 && f.n_trunk == n && (f.has_pvid || !v->pvid) &&
			  !(f.has_default && drops_default(v, bridge.default_pvid));
	return r < 0 ? r : 0;
}
