/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker: configurations to what the daemon is asked, its answers to results and codes. */
#include "cni-plugin/broker.h"

#include <stdlib.h>
#include <string.h>

#include "broker/ask.h"
#include "cni-plugin/conf_iface.h"
#include "cni-plugin/verb_add.h"

/* What went wrong; r is 1 when no daemon runs. */
static int failed(int r, const struct err *e, struct fault *f)
{
	if (r == 1) {
		fault_set(f, FAULT_DENIED, "not permitted");
		return fault_details(f, "the caller has no privilege, and netd does not run");
	}
	/* A network that is not there is a name in the configuration. */
	if (e->kind == ERR_ABSENT && e->what != WHAT_NETNS)
		return fault_err_as(f, FAULT_CONFIG, e);
	return call_fault(e, f);
}

/* ---- ADD ---- */

static int refuse(struct fault *f, const char *field)
{
	fault_set(f, FAULT_UNSUPPORTED, "unsupported field %s", field);
	return fault_details(f, "the caller has no privilege, and netd does not do this for users");
}

static bool is_default(const struct attach_route *r)
{
	return r->dst.len == 0 && !r->gw.family && !r->table && !r->mtu && !r->advmss &&
	       !r->priority;
}

/* What netd's networks do not have, or do not leave to their users. */
static int check_wishes(const struct call *c, const struct conf_iface *i, const struct ipam *p,
			struct fault *f)
{
	const struct up_request *q = &i->req;

	if (p->kind == IPAM_STATIC || p->kind == IPAM_OTHER)
		return refuse(f, "ipam.type");
	for (size_t k = 0; k < q->n_publish; k++)
		if (i->publish[k].is_unheld)
			return refuse(f, "portPolicy");
	for (size_t k = 0; k < p->n_route; k++)
		if (!is_default(&p->route[k]))
			return refuse(f, "ipam.routes");
	if (attach_rate_is_set(&q->rate))
		return refuse(f, "bandwidth");
	if (q->n_sysctl || attach_tune_is_set(&q->tune))
		return refuse(f, "sysctl");
	if (attach_vlan_is_set(&q->vlan))
		return refuse(f, "vlan");
	if (q->is_hairpin || q->is_promisc)
		return refuse(f, q->is_hairpin ? "hairpinMode" : "promiscMode");
	if (q->is_down)
		return refuse(f, "disableContainerInterface");
	if (i->net.names)
		return refuse(f, "names");
	return c->conf.has_prev ? refuse(f, "prevResult") : 0;
}

static int check_aliases(const struct conf_iface *i, struct fault *f)
{
	size_t bytes = 0;

	for (size_t k = 0; k < i->req.n_alias; k++)
		bytes += strlen(i->alias[k]) + 1;
	if (i->req.n_alias <= ASK_ALIAS_MAX && bytes <= ASK_ALIAS_BYTES)
		return 0;
	return fault_set(f, FAULT_QUOTA,
			 "runtimeConfig.aliases: more than %d names, or %d bytes of them, which is "
			 "what netd takes",
			 ASK_ALIAS_MAX, ASK_ALIAS_BYTES);
}

static int take_ips(const struct ipam *p, struct ip ret[N_FAM], struct fault *f)
{
	for (size_t k = 0; k < p->n_want; k++) {
		int fam = ip_fam(&p->want[k]);

		if (ret[fam].family)
			return refuse(f, "ips");
		ret[fam] = p->want[k];
	}
	return 0;
}

/* The first address of the family of a set is in it; a set of a family that there is none of is
 * another network. */
static bool is_in(const struct attachment *a, const struct addr_set *set)
{
	for (size_t k = 0; k < set->n; k++) {
		const struct prefix *subnet = &set->r[k].subnet;
		const struct prefix *addr = &a->addr[ip_fam(&subnet->ip)];

		if (addr->ip.family && prefix_contains(subnet, &addr->ip))
			return true;
	}
	return false;
}

static int check_network(const struct attachment *a, const struct ipam *p, struct fault *f)
{
	for (size_t k = 0; k < p->n_set; k++)
		if (!is_in(a, &p->set[k]))
			return fault_set(f, FAULT_CONFIG,
					 "ipam: the network %s of this host has other addresses",
					 a->network);
	return 0;
}

static int attach(struct call *c, struct conf_iface *i, struct ipam *p, int netns_fd,
		  struct result *ret, struct fault *f)
{
	static const bool both[N_FAM] = {true, true};
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct ask_attach q = {.id = c->env.id,
			       .ifname = c->env.ifname,
			       .network = c->conf.name,
			       .netns_fd = netns_fd,
			       .pidfd = -1,
			       .mac = i->req.mac,
			       .mtu = i->net.mtu,
			       .publish = i->publish,
			       .n_alias = i->req.n_alias,
			       .alias = i->alias};
	struct err e = ERR_INIT;
	bool was;
	int r;

	q.n_publish = conf_publish_fitting(i->publish, i->req.n_publish, both);
	if (check_wishes(c, i, p, f) < 0 || check_aliases(i, f) < 0 || take_ips(p, q.ip, f) < 0)
		return -1;
	r = ask_attach(&q, &a, &e);
	if (r != 0)
		return failed(r, &e, f);
	ret->dns = i->dns;
	i->dns = (struct result_dns){0};
	if (check_network(a, p, f) == 0 && verb_add_result(a, c->env.netns, ret, f) == 0 &&
	    result_fits(ret, c->conf.version, f) == 0)
		return 0;
	(void)ask_detach(q.id, q.ifname, &was, NULL);
	return -1;
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	CLEAN_CONF_IFACE struct conf_iface iface = CONF_IFACE_INIT;
	CLEAN_IPAM struct ipam ipam = IPAM_INIT;
	CLEAN_FD int fd = -1;

	if (ipam_parse(&c->conf, &c->env, &ipam, f) < 0 ||
	    conf_iface_parse(c, &ipam, &iface, f) < 0 || call_netns(c, &fd, f) < 0)
		return -1;
	return attach(c, &iface, &ipam, fd, ret, f);
}

/* ---- the rest ---- */

static int del(struct call *c, struct fault *f)
{
	struct err e = ERR_INIT;
	bool was;
	int r = ask_detach(c->env.id, c->env.ifname, &was, &e);

	/* What it made is up until it runs again, or the namespace is gone. */
	if (r == 1)
		return fault_set(f, FAULT_AGAIN, "netd does not run");
	return r < 0 ? failed(r, &e, f) : 0;
}

struct check {
	struct call *c;
	struct buf out;
	bool is_there;
};

static int see_check(const struct attachment *a, void *arg, struct err *e)
{
	struct check *k = arg;

	(void)e;
	if (strcmp(a->id, k->c->env.id) != 0 || strcmp(a->ifname, k->c->env.ifname) != 0)
		return 0;
	k->is_there = true;
	verb_check_compare(k->c, a, &k->out);
	return 0;
}

/* Against what is on record; the host's part is not a user's to look at. */
static int check(struct call *c, struct fault *f)
{
	struct check k = {.c = c, .out = BUF_INIT};
	struct err e = ERR_INIT;
	int r;

	if (!c->conf.has_prev)
		return fault_set(f, FAULT_CONFIG,
				 "no prevResult: there is nothing to compare with");
	r = ask_list(see_check, &k, &e);
	if (r != 0)
		r = failed(r, &e, f);
	else if (!k.is_there)
		r = verb_check_differs(f, "there is no such attachment");
	else if (k.out.len)
		r = verb_check_tell(&k.out, f);
	buf_free(&k.out);
	return r;
}

struct gc {
	struct call *c;
	struct attach_name *keep;
	size_t n;
	struct fault all;
};

static int see_gc(const struct attachment *a, void *arg, struct err *e)
{
	struct gc *g = arg;
	struct fault one = FAULT_INIT;
	struct err why = ERR_INIT;
	bool was;

	(void)e;
	if (strcmp(a->network, g->c->conf.name) != 0 || a->made_at > g->c->started_at)
		return 0;
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->keep[i].id, a->id) == 0 && strcmp(g->keep[i].ifname, a->ifname) == 0)
			return 0;
	if (ask_detach(a->id, a->ifname, &was, &why) != 0) {
		failed(-1, &why, &one);
		fault_gather(&g->all, &one);
	}
	return 0;
}

static int collect(struct call *c, struct fault *f)
{
	struct gc g = {.c = c, .all = FAULT_INIT};
	struct err e = ERR_INIT;
	int r;

	if (verb_gc_keep(c, &g.keep, &g.n, f) < 0)
		return -1;
	r = ask_list(see_gc, &g, &e);
	free(g.keep);
	if (r != 0)
		return failed(r, &e, f);
	if (g.all.code)
		*f = g.all;
	return g.all.code ? -1 : 0;
}

static int status(struct fault *f)
{
	struct err e = ERR_INIT;
	int r = ask_status(&e);

	if (r == 1)
		return fault_set(f, FAULT_UNAVAILABLE, "netd does not run");
	return r < 0 ? fault_err_as(f, FAULT_UNAVAILABLE, &e) : 0;
}

int broker_run(struct call *c, struct result *ret, struct fault *f)
{
	/* The others work on what was made by somebody with privilege. */
	bool makes = c->plugin->add == verb_add;

	switch (c->env.command) {
	case CMD_ADD:
		if (makes)
			return add(c, ret, f);
		break;
	case CMD_DEL:
		return makes ? del(c, f) : 0;
	case CMD_CHECK:
		if (makes)
			return check(c, f);
		break;
	case CMD_GC:
		return makes ? collect(c, f) : 0;
	case CMD_STATUS:
		return status(f);
	default:
		return 0;
	}
	fault_set(f, FAULT_DENIED, "not permitted");
	return fault_details(f, "%s needs privilege over the host's network", c->plugin->name);
}
