/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_status: STATUS: would an ADD succeed? Asked every few seconds by kubelets, so the engine is
 * not opened: it answers from its state directory and one question to the kernel.
 */
#include "cni-plugin/exec.h"
#include "cni-plugin/ipam.h"
#include "cni-plugin/verb_add.h"

int verb_status(struct call *c, struct fault *f)
{
	CLEAN_IPAM struct ipam ipam = IPAM_INIT;
	struct fault one = FAULT_INIT;
	struct err e = ERR_INIT;

	if (ipam_parse(&c->conf, NULL, &ipam, f) < 0)
		return -1;
	if (engine_status(c->state_dir, ipam.set, ipam.n_set, &e) < 0)
		return fault_err_as(f, e.what == WHAT_TABLE ? FAULT_LIMITED : FAULT_UNAVAILABLE,
				    &e);
	if (exec_ipam(c, CMD_STATUS, &one) == 0)
		return 0;
	/* What the other plugin says counts; that it cannot be run means that an ADD fails. */
	if (one.code != FAULT_LIMITED)
		one.code = FAULT_UNAVAILABLE;
	*f = one;
	return -1;
}
