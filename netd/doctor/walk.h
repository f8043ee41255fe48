/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: PURE. What a ruleset does with a packet, as far as its rules are understood: the first
 * packet of a flow is led through a chain. A condition that is not understood may hold or not.
 */
#ifndef NETD_DOCTOR_WALK_H
#define NETD_DOCTOR_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "net/nftlook.h"

struct flow {
	uint8_t family;        /* LOOK_IP, LOOK_IP6 */
	const char *iif, *oif; /* "": there is none at this hook */
	uint32_t state;        /* one of LOOK_NEW, LOOK_ESTABLISHED */
	bool is_dnat;
	const char *ours; /* the interface that is ours; NULL: none. Flows are TCP's */
};

enum passage {
	PASSES,
	MAY_BE_DROPPED, /* dropped unless a condition that is not understood lets it pass */
	IS_DROPPED,
};

/* chain: a base chain. *ret_is_meant (may be NULL): the packet is dropped by a rule that names our
 * interface, so somebody wants it so. */
enum passage walk_chain(const struct nftlook *l, uint32_t chain, const struct flow *f,
			bool *ret_is_meant);
/* Does a chain of this family see such packets at all? */
bool walk_sees(const struct nftlook_chain *c, const struct flow *f);

#endif
