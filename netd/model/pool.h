/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: where addresses are taken from, in the grammar of host-local's configuration: an attachment
 * gets one address from each set; a set is a list of ranges that are used up one after the other.
 * Plain values; nothing is claimed here.
 */
#ifndef NETD_MODEL_POOL_H
#define NETD_MODEL_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/addr.h"

#define ADDR_RANGE_MAX 16 /* of one set */
#define ADDR_SET_MAX 16

struct addr_range {
	struct prefix subnet;
	struct ip first, last; /* family 0: the first, the last address for hosts */
	struct ip gateway;     /* never handed out; family 0: the first address for hosts */
};

struct addr_set {
	size_t n;
	struct addr_range r[ADDR_RANGE_MAX];
};

/* Fills what is left out, and checks: a subnet of four addresses or more without host bits, not in
 * a special range; first, last and gateway inside it and in order; one family in a set; no two
 * ranges of all sets overlap. ERR_USAGE that says where. */
int pool_complete(struct addr_set *sets, size_t n, struct err *e);
/* The range of the set that holds ip, NULL: none. */
const struct addr_range *pool_find(const struct addr_set *s, const struct ip *ip);
/* Addresses that can be handed out, saturated. */
uint64_t pool_size(const struct addr_set *s);

#endif
