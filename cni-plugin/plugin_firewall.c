/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin_firewall: `firewall` by name. Our tables accept what belongs to our attachments already,
 * and ingressPolicy is a property of the network: ADD checks that it is what the network was made
 * with. For a foreign interface there is nothing of ours to accept it against.
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

static int add(struct call *c, struct result *ret, struct fault *f)
{
	const char *policy;

	if (parse(c, &policy, f) < 0)
		return -1;
	return call_take_prev(c, ret, f);
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
