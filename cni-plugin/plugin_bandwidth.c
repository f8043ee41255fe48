/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin_bandwidth: `bandwidth` by name: limits the rates of the interface in prevResult. Lists of
 * subnets that are (not) limited are refused: the limit is the interface's. */
#include "cni-plugin/chain.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/verb_add.h"

static const char *const keys[] = {
	"ingressRate",     "ingressBurst",  "egressRate", "egressBurst",
	"unshapedSubnets", "shapedSubnets", NULL,
};

static int refuse_subnets(const struct call *c, struct fault *f)
{
	static const char *const names[] = {"unshapedSubnets", "shapedSubnets"};

	for (size_t i = 0; i < 2; i++) {
		json_t *list = NULL;
		if (gojson_arr(c->conf.doc, "", names[i], &list, f) < 0)
			return -1;
		if (json_array_size(list))
			return fault_set(f, FAULT_UNSUPPORTED, "unsupported field %s: %zu subnets",
					 names[i], json_array_size(list));
	}
	return 0;
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	struct attach_rate rate = {0};
	struct chain_part part = {0};

	if (call_take_prev(c, ret, f) < 0 || refuse_subnets(c, f) < 0 ||
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
