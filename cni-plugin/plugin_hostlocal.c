/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin_hostlocal: `host-local` by name: addresses for the interface of a foreign plugin that
 * delegates to us. A lease is on record like an attachment and heals like one: it is gone when its
 * namespace is.
 */
#include <string.h>

#include "cni-plugin/ipam.h"
#include "cni-plugin/verb_add.h"

static int parse(struct call *c, struct ipam *ipam, struct fault *f)
{
	/* Whatever the type is called by which the caller found us. */
	c->conf.ipam_type = "host-local";
	if (!c->conf.ipam)
		return fault_set(f, FAULT_CONFIG, "ipam is missing");
	return ipam_parse(&c->conf, &c->env, ipam, f);
}

static int fill(const struct attachment *a, struct ipam *ipam, struct result *ret, struct fault *f)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	for (size_t i = 0; i < n; i++) {
		struct result_ip ip = {
			.addr = list[i].addr, .gateway = list[i].gateway, .iface = -1};
		if (result_add_ip(ret, &ip, f) < 0)
			return -1;
	}
	for (size_t i = 0; i < ipam->n_route; i++) {
		struct result_route route = ipam_result_route(&ipam->route[i]);

		if (result_add_route(ret, &route, f) < 0)
			return -1;
	}
	ret->dns = ipam->dns;
	ipam->dns = (struct result_dns){0};
	return 0;
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_IPAM struct ipam ipam = IPAM_INIT;
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	if (parse(c, &ipam, f) < 0 || call_netns(c, &fd, f) < 0 || call_engine(c, false, &g, f) < 0)
		return -1;
	struct lease_request q = {
		.id = c->env.id,
		.ifname = c->env.ifname,
		.network = c->conf.name,
		.netns_fd = fd,
		.netns_path = env_netns_path(&c->env),
		.n_set = ipam.n_set,
		.set = ipam.set,
		.n_want = ipam.n_want,
		.want = ipam.want,
	};
	int r = engine_lease(g, &q, &a, &e);
	if (r < 0)
		return call_fault(&e, f);
	if (fill(a, &ipam, ret, f) == 0 && result_fits(ret, c->conf.version, f) == 0)
		return 0;
	if (r == ENGINE_DONE)
		engine_release(g, c->env.id, c->env.ifname, NULL);
	return -1;
}

static int del(struct call *c, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;
	int r = call_engine_del(c, &g, f);

	if (r != 0)
		return r < 0 ? r : 0;
	return engine_release(g, c->env.id, c->env.ifname, &e) < 0 ? call_fault(&e, f) : 0;
}

static int check(struct call *c, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;

	if (call_engine(c, false, &g, f) < 0)
		return -1;
	int r = engine_get(g, c->env.id, c->env.ifname, &a, &e);
	if (r < 0)
		return call_fault(&e, f);
	if (r == 0 && (a->kind == ATTACH_LEASE || a->is_leased) &&
	    strcmp(a->network, c->conf.name) == 0)
		return 0;
	fault_set(f, FAULT_MISMATCH, "the attachment differs from what was made");
	return fault_details(f, "%s/%s has no lease on network %s", c->env.id, c->env.ifname,
			     c->conf.name);
}

static int gc(struct call *c, struct fault *f)
{
	c->conf.ipam_type = "host-local";
	return verb_gc(c, f);
}

static int status(struct call *c, struct fault *f)
{
	c->conf.ipam_type = "host-local";
	return verb_status(c, f);
}

const struct plugin plugin_hostlocal = {
	.name = "host-local",
	.add = add,
	.del = del,
	.check = check,
	.gc = gc,
	.status = status,
};
