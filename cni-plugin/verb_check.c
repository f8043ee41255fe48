/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_check: CHECK of an interface plugin: the attachment on record against the kernel (the
 * engine's part) and against prevResult. What later plugins of the chain added is not our business;
 * what we made must still be in it. Changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cni-plugin/exec.h"
#include "cni-plugin/verb_add.h"

int verb_check_differs(struct fault *f, const char *details)
{
	fault_set(f, FAULT_MISMATCH, "the attachment differs from what was made");
	return fault_details(f, "%s", details);
}

static bool has_ip(const struct result *r, const struct ip *ip)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (ip_equal(&r->ip[i].addr.ip, ip))
			return true;
	return false;
}

static bool has_iface(const struct result *r, const char *name)
{
	for (size_t i = 0; i < r->n_ifaces; i++)
		if (r->iface[i].name && strcmp(r->iface[i].name, name) == 0)
			return true;
	return false;
}

void verb_check_compare(const struct call *c, const struct attachment *a, struct buf *out)
{
	const struct result *prev = &c->conf.prev;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	char s[PREFIX_STRLEN];

	if (strcmp(a->network, c->conf.name) != 0)
		buf_printf(out, "it is of network %s\n", a->network);
	if (prev->n_ifaces && !has_iface(prev, a->ifname))
		buf_printf(out, "prevResult: interface %s is missing\n", a->ifname);
	for (size_t i = 0; i < n; i++)
		if (!has_ip(prev, &list[i].addr.ip))
			buf_printf(out, "prevResult: address %s is missing\n",
				   prefix_str(&list[i].addr, s));
}

/* Lines to one line. */
int verb_check_tell(struct buf *out, struct fault *f)
{
	for (size_t i = 0; i < out->len; i++)
		if (out->p[i] == '\n')
			out->p[i] = i + 1 == out->len ? 0 : ';';
	return verb_check_differs(f, out->p);
}

static int check(struct call *c, int netns_fd, struct engine *g, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_BUF struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	int r = engine_get(g, c->env.id, c->env.ifname, &a, &e);

	if (r < 0)
		return call_fault(&e, f);
	if (r == ENGINE_NOTHING)
		return verb_check_differs(f, "there is no such attachment");
	verb_check_compare(c, a, &out);
	r = engine_check(g, c->env.id, c->env.ifname, netns_fd, &out, &e);
	if (r < 0 && e.kind == ERR_CONFLICT)
		return verb_check_differs(f, e.text);
	if (r < 0)
		return call_fault(&e, f);
	return out.len ? verb_check_tell(&out, f) : 0;
}

int verb_check(struct call *c, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_FD int fd = -1;

	if (!c->conf.has_prev)
		return fault_set(f, FAULT_CONFIG,
				 "no prevResult: there is nothing to compare with");
	if (call_netns(c, &fd, f) < 0 || call_engine(c, false, &g, f) < 0 || check(c, fd, g, f) < 0)
		return -1;
	return exec_ipam(c, CMD_CHECK, f);
}
