/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin_portmap: `portmap` by name: publishes the ports that the runtime maps towards the
 * addresses in prevResult. Keys that choose marks or chains of the reference's rule sets have
 * nothing to act on and are ignored; conditions on traffic are refused, because ignoring them would
 * open ports.
 */
#include <stdlib.h>

#include "cni-plugin/chain.h"
#include "cni-plugin/verb_add.h"

static const char *const keys[] = {
	"snat",         "masqAll", "markMasqBit", "externalSetMarkChain", "conditionsV4",
	"conditionsV6", "backend", "portPolicy",  "allowShadow",          NULL,
};

static const char *const conditions[] = {"conditionsV4", "conditionsV6", NULL};

static int add(struct call *c, struct result *ret, struct fault *f)
{
	struct chain_part part = {0};
	int r;

	if (call_take_prev(c, ret, f) < 0 ||
	    conf_refuse_lists(&c->conf, conditions, "conditions of iptables", f) < 0 ||
	    conf_publish(&c->conf, &part.publish, &part.n_publish, f) < 0)
		return -1;
	r = chain_add(c, ret, &part, f);
	free(part.publish);
	return r;
}

static int del(struct call *c, struct fault *f)
{
	return chain_del(c, PART_PORTS, f);
}

static int check(struct call *c, struct fault *f)
{
	struct publish *p = NULL;
	size_t n = 0;

	if (conf_publish(&c->conf, &p, &n, f) < 0)
		return -1;
	free(p);
	return chain_check(c, n > 0, f);
}

const struct plugin plugin_portmap = {
	.name = "portmap",
	.is_chained = true,
	.add = add,
	.del = del,
	.check = check,
	.gc = verb_gc,
	.status = verb_status,
	.keys = keys,
};
