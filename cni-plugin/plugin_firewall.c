/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin_firewall: `firewall` by name. Our tables accept what belongs to our attachments already.
 * ingressPolicy is a property of the network: same-bridge closes it towards elsewhere; isolated
 * must be what the network was made with, because a port of the bridge is isolated from its start.
 * For a foreign interface there is nothing of ours to drop by: a policy other than open is refused.
 */
#include <string.h>

#include "cni-plugin/chain.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/verb_add.h"

static const char *const keys[] = {
	"backend", "iptablesAdminChainName", "firewalldZone", "ingressPolicy", NULL,
};

static int parse(const struct call *c, const char **ret, struct fault *f)
{
	const char *s = "open", *backend = "";

	if (gojson_str(c->conf.doc, "", "ingressPolicy", &s, f) < 0 ||
	    gojson_str(c->conf.doc, "", "backend", &backend, f) < 0)
		return -1;
	if (*s && strcmp(s, "open") != 0 && strcmp(s, "same-bridge") != 0 &&
	    strcmp(s, "isolated") != 0)
		return fault_set(f, FAULT_CONFIG,
				 "ingressPolicy: expected open, same-bridge or isolated, found "
				 "\"%.32s\"",
				 s);
	*ret = s;
	return 0;
}

static int refuse(const char *policy, const char *why, struct fault *f)
{
	fault_set(f, FAULT_UNSUPPORTED, "unsupported field ingressPolicy: %s", policy);
	return fault_details(f, "%s", why);
}

static int apply(const struct call *c, const char *policy, struct fault *f)
{
	bool is_isolated = strcmp(policy, "isolated") == 0;
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;
	struct network n;

	if (!*policy || strcmp(policy, "open") == 0)
		return 0;
	if (call_engine(c, false, &g, f) < 0)
		return -1;
	if (engine_network_get(g, c->conf.name, &n, &e) < 0)
		return e.kind == ERR_ABSENT ? refuse(policy, "the interface is not of netns-up", f)
					    : call_fault(&e, f);
	if (is_isolated && !n.isolate)
		return refuse(policy, "say it in the configuration of the bridge plugin", f);
	return engine_network_close(g, c->conf.name, &e) < 0 ? call_fault(&e, f) : 0;
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	const char *policy;

	if (parse(c, &policy, f) < 0 || call_take_prev(c, ret, f) < 0)
		return -1;
	return apply(c, policy, f);
}

static int check(struct call *c, struct fault *f)
{
	const char *policy;

	return parse(c, &policy, f) < 0 ? -1 : chain_check(c, false, f);
}

const struct plugin plugin_firewall = {
	.name = "firewall",
	.is_chained = true,
	.add = add,
	.check = check,
	.gc = verb_gc,
	.status = verb_status,
	.keys = keys,
};
