/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin_bandwidth: `bandwidth` by name: limits the rates of the interface in prevResult. Lists of
 * subnets that are (not) limited are refused: the limit is the interface's. */
#include "cni-plugin/chain.h"
#include "cni-plugin/verb_add.h"

static const char *const keys[] = {
	"ingressRate",     "ingressBurst",  "egressRate", "egressBurst",
	"unshapedSubnets", "shapedSubnets", NULL,
};

static const char *const subnets[] = {"unshapedSubnets", "shapedSubnets", NULL};

static int add(struct call *c, struct result *ret, struct fault *f)
{
	struct attach_rate rate = {0};
	struct chain_part part = {0};

	if (call_take_prev(c, ret, f) < 0 ||
	    conf_refuse_lists(&c->conf, subnets, "subnets", f) < 0 ||
	    conf_rate(&c->conf, &rate, f) < 0)
		return -1;
	if (attach_rate_is_set(&rate))
		part.rate = &rate;
	return chain_add(c, ret, &part, f);
}

static int del(struct call *c, struct fault *f)
{
	return chain_del(c, PART_RATES, f);
}

static int check(struct call *c, struct fault *f)
{
	struct attach_rate rate = {0};

	if (conf_rate(&c->conf, &rate, f) < 0)
		return -1;
	return chain_check(c, attach_rate_is_set(&rate), f);
}

const struct plugin plugin_bandwidth = {
	.name = "bandwidth",
	.is_chained = true,
	.add = add,
	.del = del,
	.check = check,
	.gc = verb_gc,
	.status = verb_status,
	.keys = keys,
};
