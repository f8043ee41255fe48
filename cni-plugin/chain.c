/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain: an attachment of ours is added to (engine_publish, engine_adjust); for an interface of a
 * foreign plugin an attachment of kind ATTACH_FOREIGN is made with the first part, and the next
 * ones are added to that. Each part is all or nothing, so a chained ADD undoes itself.
 */
#include "cni-plugin/chain.h"

#include <string.h>

#include "base/buf.h"
#include "cni-plugin/iface.h"
#include "model/name.h"

struct result_iface *chain_iface(const struct call *c, struct result *prev)
{
	for (size_t i = 0; i < prev->n_ifaces; i++)
		if (prev->iface[i].sandbox && prev->iface[i].name &&
		    strcmp(prev->iface[i].name, c->env.ifname) == 0)
			return &prev->iface[i];
	return NULL;
}

/* Inside, as far as prev tells. */
static bool is_inside(const struct result *prev, const struct result_ip *ip)
{
	return ip->iface < 0 || prev->iface[ip->iface].sandbox;
}

static size_t take_ips(const struct result *prev, struct attach_ip ret[ATTACH_IP_MAX],
		       bool has[N_FAM])
{
	size_t n = 0;

	for (size_t i = 0; i < prev->n_ips && n < ATTACH_IP_MAX; i++) {
		if (!is_inside(prev, &prev->ip[i]))
			continue;
		ret[n++] = (struct attach_ip){.addr = prev->ip[i].addr,
					      .gateway = prev->ip[i].gateway};
		has[ip_fam(&prev->ip[i].addr.ip)] = true;
	}
	return n;
}

/* The host's end: the last interface outside that is no bridge. */
static const char *host_ifname(const struct result *prev)
{
	for (size_t i = prev->n_ifaces; i-- > 0;) {
		const char *name = prev->iface[i].name;
		if (name && !prev->iface[i].sandbox && name_check_ifname(name, "", NULL) == 0 &&
		    !iface_is_bridge(name))
			return name;
	}
	return NULL;
}

static int add_foreign(struct call *c, struct engine *g, int fd, const struct result *prev,
		       const struct chain_part *part, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attach_ip given[ATTACH_IP_MAX];
	bool has[N_FAM] = {false};
	struct network net = {.is_spec = true};
	struct err e = ERR_INIT;
	struct up_request q = {
		.id = c->env.id,
		.ifname = c->env.ifname,
		.network = c->conf.name,
		.netns_fd = fd,
		.netns_path = env_netns_path(&c->env),
		.net_spec = &net,
		.n_given = take_ips(prev, given, has),
		.given = given,
		.n_publish = part->n_publish,
		.publish = part->publish,
		.n_sysctl = part->n_sysctl,
		.sysctl = part->sysctl,
		.kind = ATTACH_FOREIGN,
		.host_ifname = host_ifname(prev),
	};

	if (part->tune)
		q.tune = *part->tune;
	if (part->rate)
		q.rate = *part->rate;
	memcpy(net.name, c->conf.name, strlen(c->conf.name) + 1);
	if (network_complete(&net, &e) < 0 || engine_up(g, &q, &a, &e) < 0)
		return call_fault(&e, f);
	return 0;
}

static int add_to(struct call *c, struct engine *g, int fd, const struct result *prev,
		  const struct chain_part *part, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL;
	struct adjust_request q = {
		.id = c->env.id,
		.ifname = c->env.ifname,
		.netns_fd = fd,
		.host_ifname = host_ifname(prev),
		.rate = part->rate,
		.n_sysctl = part->n_sysctl,
		.sysctl = part->sysctl,
		.tune = part->tune,
	};
	struct err e = ERR_INIT;

	if (part->n_publish &&
	    engine_publish(g, c->env.id, c->env.ifname, part->publish, part->n_publish, &a, &e) < 0)
		return call_fault(&e, f);
	if ((q.rate || q.n_sysctl || q.tune) && engine_adjust(g, &q, &b, &e) < 0)
		return call_fault(&e, f);
	return 0;
}

/* 1: there is an attachment in this namespace that parts can be added to. */
static int find(struct call *c, struct engine *g, int fd, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err e = ERR_INIT;
	uint64_t cookie;
	int r = engine_get(g, c->env.id, c->env.ifname, &a, &e);

	if (r >= 0 && engine_cookie(fd, &cookie, &e) < 0)
		r = -1;
	if (r < 0)
		return call_fault(&e, f);
	return r == 0 && a->phase == ATTACH_COMMITTED && a->kind != ATTACH_LEASE &&
	       a->netns_cookie == cookie;
}

int chain_add(struct call *c, const struct result *prev, struct chain_part *part, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct attach_ip ips[ATTACH_IP_MAX];
	bool has[N_FAM] = {false};
	CLEAN_FD int fd = -1;
	int r;

	take_ips(prev, ips, has);
	part->n_publish = conf_publish_fitting(part->publish, part->n_publish, has);
	if (!part->n_publish && !part->n_sysctl && !part->tune && !part->rate)
		return 0;
	if (part->n_publish && !has[FAM4] && !has[FAM6])
		return fault_set(f, FAULT_CONFIG, "portMappings: prevResult has no address");
	if (call_netns(c, &fd, f) < 0 || call_engine(c, false, &g, f) < 0)
		return -1;
	r = find(c, g, fd, f);
	if (r < 0)
		return r;
	return r ? add_to(c, g, fd, prev, part, f) : add_foreign(c, g, fd, prev, part, f);
}

int chain_del(struct call *c, unsigned int parts, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;
	int r = call_engine_del(c, &g, f);

	if (r != 0)
		return r < 0 ? r : 0;
	if (engine_take_off(g, c->env.id, c->env.ifname, parts, &e) < 0)
		return call_fault(&e, f);
	return 0;
}

int chain_check(struct call *c, bool is_needed, struct fault *f)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;
	CLEAN_FD int fd = -1;
	int r;

	if (!c->conf.has_prev)
		return fault_set(f, FAULT_CONFIG,
				 "no prevResult: there is nothing to compare with");
	if (call_netns(c, &fd, f) < 0)
		return -1;
	if (!is_needed)
		return 0;
	if (call_engine(c, false, &g, f) < 0)
		return -1;
	r = engine_check(g, c->env.id, c->env.ifname, fd, &out, &e);
	if (r == 0)
		return 0;
	if (r < 0 && e.kind != ERR_ABSENT && e.kind != ERR_CONFLICT)
		return call_fault(&e, f);
	for (size_t i = 0; i < out.len; i++)
		if (out.p[i] == '\n')
			out.p[i] = i + 1 == out.len ? 0 : ';';
	fault_set(f, FAULT_MISMATCH, "the attachment differs from what was made");
	return fault_details(f, "%s", r < 0 ? e.text : out.p ? out.p : "");
}
