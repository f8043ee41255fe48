/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin_tuning: `tuning` by name: sysctls and settings of the interface in prevResult, which then
 * says the new MAC address and MTU. */
#include <stdlib.h>
#include <string.h>

#include "cni-plugin/chain.h"
#include "cni-plugin/tune.h"
#include "cni-plugin/verb_add.h"

static const char *const keys[] = {
	"sysctl", "mac", "mtu", "promisc", "allmulti", "txQLen", "dataDir", NULL,
};

struct tuning {
	struct attach_tune tune;
	struct attach_sysctl *sysctl; /* owned */
	size_t n_sysctl;
};

static int parse(const struct call *c, struct tuning *t, struct fault *f)
{
	if (tune_parse(&c->conf, c->env.ifname, &t->tune, &t->sysctl, &t->n_sysctl, f) < 0 ||
	    tune_mtu(&c->conf, &t->tune.mtu, f) < 0)
		return -1;
	return conf_mac(&c->conf, &c->env, &t->tune.mac, f) < 0 ? -1 : 0;
}

/* What the interface has now, for the plugins after us. */
static int update(const struct call *c, const struct attach_tune *t, struct result *ret,
		  struct fault *f)
{
	static const struct mac none;
	struct result_iface *i = chain_iface(c, ret);
	char mac[MAC_STRLEN];

	if (i && t->mtu)
		i->mtu = t->mtu;
	if (!i || memcmp(&t->mac, &none, sizeof(none)) == 0)
		return 0;
	free(i->mac);
	i->mac = strdup(mac_str(&t->mac, mac));
	return i->mac ? 0 : fault_set(f, FAULT_INTERNAL, "no memory for the result");
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	struct chain_part part = {0};
	struct tuning t = {0};
	int r = -1;

	if (call_take_prev(c, ret, f) == 0 && parse(c, &t, f) == 0) {
		part.sysctl = t.sysctl;
		part.n_sysctl = t.n_sysctl;
		if (attach_tune_is_set(&t.tune))
			part.tune = &t.tune;
		r = chain_add(c, ret, &part, f);
	}
	if (r == 0)
		r = update(c, &t.tune, ret, f);
	free(t.sysctl);
	return r;
}

static int del(struct call *c, struct fault *f)
{
	return chain_del(c, PART_TUNE, f);
}

static int check(struct call *c, struct fault *f)
{
	struct tuning t = {0};
	int r = parse(c, &t, f);

	if (r == 0)
		r = chain_check(c, t.n_sysctl || attach_tune_is_set(&t.tune), f);
	free(t.sysctl);
	return r;
}

const struct plugin plugin_tuning = {
	.name = "tuning",
	.is_chained = true,
	.add = add,
	.del = del,
	.check = check,
	.gc = verb_gc,
	.status = verb_status,
	.keys = keys,
};
