/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_add: ADD of an interface plugin: configuration, addresses, one call of the engine, result.
 * A transaction: when anything fails, what was made is gone again, that of a delegated IPAM plugin
 * too. Called again with the same input after success (a runtime that was killed asks once more) it
 * answers the same.
 */
#include "cni-plugin/verb_add.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "cni-plugin/conf_iface.h"
#include "cni-plugin/exec.h"
#include "cni-plugin/iface.h"

static int add_bridge(const struct attachment *a, struct result *ret, struct fault *f)
{
	struct iface i;
	char mac[MAC_STRLEN];

	if (a->mode != NET_BRIDGE || iface_get(a->bridge, &i, NULL) != 0)
		return 0;
	return result_add_iface(ret, a->bridge, mac_str(&i.mac, mac), i.mtu, NULL, f);
}

static int add_ips(const struct attachment *a, int iface, struct result *ret, struct fault *f)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	for (size_t k = 0; k < n; k++) {
		struct result_ip ip = {
			.addr = list[k].addr, .gateway = list[k].gateway, .iface = iface};
		if (result_add_ip(ret, &ip, f) < 0)
			return -1;
	}
	return 0;
}

static int add_routes(const struct attachment *a, struct result *ret, struct fault *f)
{
	for (size_t k = 0; k < a->n_route; k++) {
		const struct attach_route *from = &a->route[k];
		struct result_route to = ipam_result_route(from);

		if (!to.gw.family && !from->scope)
			to.gw = a->gateway[ip_fam(&to.dst.ip)];
		if (result_add_route(ret, &to, f) < 0)
			return -1;
	}
	for (int fam = 0; fam < N_FAM; fam++) {
		struct result_route to = {.gw = a->gateway[fam]};
		if (!a->is_default_route[fam] || !a->gateway[fam].family)
			continue;
		to.dst.ip.family = fam == FAM4 ? AF_INET : AF_INET6;
		if (result_add_route(ret, &to, f) < 0)
			return -1;
	}
	return 0;
}

int verb_add_result(const struct attachment *a, const char *sandbox, struct result *ret,
		    struct fault *f)
{
	char mac[MAC_STRLEN];

	if (add_bridge(a, ret, f) < 0 ||
	    result_add_iface(ret, a->host_ifname, mac_str(&a->host_mac, mac), a->mtu, NULL, f) <
		    0 ||
	    result_add_iface(ret, a->ifname, mac_str(&a->mac, mac), a->mtu, sandbox, f) < 0 ||
	    add_ips(a, (int)ret->n_ifaces - 1, ret, f) < 0)
		return -1;
	return add_routes(a, ret, f);
}

/* That of the configuration or the runtime, else the IPAM plugin's; moved. */
static void take_dns(struct conf_iface *i, struct ipam *ipam, struct result *ret)
{
	struct result_dns *from = result_dns_is_empty(&i->dns) ? &ipam->dns : &i->dns;

	if (result_dns_is_empty(from))
		return;
	result_dns_clear(&ret->dns);
	ret->dns = *from;
	*from = (struct result_dns){0};
}

/* With "names" the network's own resolver is the answer to who says nothing else. */
static int add_resolvers(const struct attachment *a, struct result *ret, struct fault *f)
{
	char s[IP_STRLEN];

	if (!attachment_has_names(a) || json_array_size(ret->dns.nameservers) > 0)
		return 0;
	json_decref(ret->dns.nameservers);
	ret->dns.nameservers = json_array();
	for (int fam = 0; fam < N_FAM; fam++)
		if (a->resolver[fam].family &&
		    json_array_append_new(ret->dns.nameservers,
					  json_string(ip_str(&a->resolver[fam], s))) < 0)
			return fault_set(f, FAULT_INTERNAL, "no memory for dns");
	return 0;
}

struct add {
	struct call *c;
	struct engine *g;
	struct ipam ipam;
	struct conf_iface iface;
	int netns_fd;
	bool has_lease; /* an IPAM plugin gave addresses in this call */
	char *note;
};

/* The attachment of this name in this namespace that a call before has finished: its addresses are
 * what the IPAM plugin said then; asked again it would refuse. 1: there is none. */
static int given_before(struct engine *g, int netns_fd, const struct call *c, struct ipam *ipam)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_JSON json_t *dns = NULL;
	uint64_t cookie;

	if (engine_get(g, c->env.id, c->env.ifname, &a, NULL) != 0 ||
	    a->phase != ATTACH_COMMITTED || a->kind != ATTACH_VETH ||
	    strcmp(a->network, c->conf.name) != 0 || engine_cookie(netns_fd, &cookie, NULL) < 0 ||
	    cookie != a->netns_cookie)
		return 1;
	ipam->route = calloc(a->n_route ? a->n_route : 1, sizeof(*ipam->route));
	if (!ipam->route)
		return 1;
	for (size_t i = 0; i < a->n_route; i++)
		ipam->route[i] = a->route[i];
	ipam->n_route = a->n_route;
	ipam->n_given = attachment_ips(a, ipam->given);
	if (a->note && json_parse(a->note, strlen(a->note), &dns, NULL) == 0)
		result_parse_dns(dns, "dns", &ipam->dns, NULL);
	return 0;
}

/* What the IPAM plugin says of DNS is in no address: noted for when the same ADD comes again. */
static int note_dns(struct add *w, struct fault *f)
{
	CLEAN_JSON json_t *dns = NULL;

	if (w->ipam.kind != IPAM_OTHER || result_dns_is_empty(&w->ipam.dns))
		return 0;
	dns = result_dns_json(&w->ipam.dns);
	w->note = json_print(dns);
	if (!w->note)
		return fault_set(f, FAULT_INTERNAL, "no memory for dns");
	w->iface.req.note = w->note;
	return 0;
}

static int lease(struct add *w, struct fault *f)
{
	CLEAN_RESULT struct result r = RESULT_INIT;

	if (w->ipam.kind != IPAM_OTHER || given_before(w->g, w->netns_fd, w->c, &w->ipam) == 0)
		return 0;
	if (exec_ipam_add(w->c, &r, f) < 0)
		return -1;
	w->has_lease = true;
	return ipam_take_result(&r, &w->ipam, f);
}

/* A kernel without IPv6 (ipv6.disable=1) has no such sockets: told before anything is made. */
static int check_ip6(const struct conf_iface *i, struct fault *f)
{
	bool is_wanted = i->net.subnet[FAM6].ip.family != 0;
	CLEAN_FD int fd = -1;

	for (size_t k = 0; k < i->req.n_given; k++)
		is_wanted = is_wanted || ip_fam(&i->req.given[k].addr.ip) == FAM6;
	if (!is_wanted)
		return 0;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		return fault_set(f, FAULT_CONFIG,
				 "ipam: an IPv6 address is wanted, and this kernel has no IPv6");
	return 0;
}

static int unsupported_vlan(const struct attach_vlan *v, const struct err *e, struct fault *f)
{
	if (v->pvid)
		fault_set(f, FAULT_UNSUPPORTED, "unsupported field vlan: %u", v->pvid);
	else
		fault_set(f, FAULT_UNSUPPORTED, "unsupported field vlanTrunk: from %u on",
			  v->trunk[0].min);
	return fault_details(f, "%s", e->text);
}

static int attach(struct add *w, struct result *ret, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err e = ERR_INIT;

	if (lease(w, f) < 0 || note_dns(w, f) < 0 ||
	    conf_iface_complete(w->c, &w->ipam, &w->iface, f) < 0 || check_ip6(&w->iface, f) < 0)
		return -1;
	w->iface.req.netns_fd = w->netns_fd;
	if (w->c->is_own_netns) {
		/* The gateway is this namespace's own address: there is nothing to route by. */
		w->iface.req.is_own_netns = true;
		w->iface.req.n_route = 0;
		memset(w->iface.req.is_default_route, 0, sizeof(w->iface.req.is_default_route));
	}
	int r = engine_up(w->g, &w->iface.req, &a, &e);
	if (r < 0 && e.kind == ERR_UNSUPPORTED && attach_vlan_is_set(&w->iface.req.vlan))
		return unsupported_vlan(&w->iface.req.vlan, &e, f);
	if (r < 0)
		return call_fault(&e, f);
	*ret = w->c->conf.prev;
	w->c->conf.prev = (struct result)RESULT_INIT;
	take_dns(&w->iface, &w->ipam, ret);
	if (add_resolvers(a, ret, f) == 0 && verb_add_result(a, w->c->env.netns, ret, f) == 0 &&
	    result_fits(ret, w->c->conf.version, f) == 0)
		return 0;
	if (r == ENGINE_DONE)
		engine_down(w->g, w->c->env.id, w->c->env.ifname, NULL);
	return -1;
}

int verb_add(struct call *c, struct result *ret, struct fault *f)
{
	struct add w = {.c = c, .ipam = IPAM_INIT, .iface = CONF_IFACE_INIT, .netns_fd = -1};
	struct fault undo = FAULT_INIT;
	int r = -1;

	if (ipam_parse(&c->conf, &c->env, &w.ipam, f) == 0 &&
	    conf_iface_parse(c, &w.ipam, &w.iface, f) == 0 && call_netns(c, &w.netns_fd, f) == 0 &&
	    call_engine(c, false, &w.g, f) == 0)
		r = attach(&w, ret, f);
	if (r < 0 && w.has_lease && exec_ipam(c, CMD_DEL, &undo) < 0)
		fault_gather(f, &undo);
	engine_closep(&w.g);
	fd_closep(&w.netns_fd);
	free(w.note);
	conf_iface_clear(&w.iface);
	ipam_clear(&w.ipam);
	return r;
}
