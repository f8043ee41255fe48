/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftexpr: the expressions of one rule, understood as far as nftlook.h says. Not for other rooms.
 */
#ifndef NETD_NET_NFTEXPR_H
#define NETD_NET_NFTEXPR_H

#include <stdbool.h>

#include "net/nftlook.h"

struct nlattr;

/* list: the content of NFTA_RULE_EXPRESSIONS, checked to lie in its message. False: the rule
 * decides nothing. */
bool nftexpr_rule(const struct nlattr *list, uint8_t family, struct nftlook_rule *ret);
/* one: an element (NFTA_LIST_ELEM) of the set that `from` looks up. *ret: what the rule is for it.
 * False: it is not understood. */
bool nftexpr_element(const struct nlattr *one, const struct nftlook_rule *from,
		     struct nftlook_rule *ret);

#endif
