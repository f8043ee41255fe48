/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_del: DEL of an interface plugin. The record of the attachment says what there is: neither
 * the namespace, nor prevResult, nor the rest of the configuration is looked at. Our own things go
 * first, then those of a delegated IPAM plugin, whatever failed before.
 */
#include "cni-plugin/exec.h"
#include "cni-plugin/verb_add.h"

static int down(struct call *c, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct err e = ERR_INIT;
	int r = call_engine_del(c, &g, f);

	if (r != 0)
		return r < 0 ? r : 0;
	return engine_down(g, c->env.id, c->env.ifname, &e) < 0 ? call_fault(&e, f) : 0;
}

int verb_del(struct call *c, struct fault *f)
{
	struct fault one = FAULT_INIT;

	if (down(c, &one) < 0)
		fault_gather(f, &one);
	exec_ipam(c, CMD_DEL, f);
	return f->code ? -1 : 0;
}
