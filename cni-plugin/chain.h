/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain: what the chained plugins share: finding the attachment that prevResult is about, be it
 * ours or an interface that a foreign plugin made, and adding something to it.
 */
#ifndef CNI_PLUGIN_CHAIN_H
#define CNI_PLUGIN_CHAIN_H

#include "cni-plugin/call.h"

/* What is added; what is zero stays as it is. Borrowed. */
struct chain_part {
	struct publish *publish; /* those of no use to the addresses are dropped */
	size_t n_publish;
	const struct attach_sysctl *sysctl;
	size_t n_sysctl;
	const struct attach_tune *tune; /* NULL: none */
	const struct attach_rate *rate; /* NULL: none */
};

/* To the attachment of this call, which prev describes. */
int chain_add(struct call *c, const struct result *prev, struct chain_part *part, struct fault *f);
/* Takes parts (enum engine_part) off again. */
int chain_del(struct call *c, unsigned int parts, struct fault *f);
/* What the record holds is in the kernel. is_needed: there must be one. */
int chain_check(struct call *c, bool is_needed, struct fault *f);
/* The interface of this call in prev, NULL: not there. */
struct result_iface *chain_iface(const struct call *c, struct result *prev);

#endif
