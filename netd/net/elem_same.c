/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elem_same: whether two elements are in each other's place. PURE. */
#include <string.h>

#include "net/elem.h"

static bool same_value(enum field_type t, const union field_value *a, const union field_value *b)
{
	switch (t) {
	case FIELD_PROTO:
		return a->proto == b->proto;
	case FIELD_IP4:
	case FIELD_IP6:
		return ip_equal(&a->ip, &b->ip);
	case FIELD_PORT:
		return a->port == b->port;
	case FIELD_IFNAME:
		return strcmp(a->ifname, b->ifname) == 0;
	case FIELD_ETHER:
		return memcmp(a->mac.b, b->mac.b, sizeof(a->mac.b)) == 0;
	}
	return false;
}

bool elem_same_key(const struct elem *a, const struct elem *b)
{
	const struct set_desc *d = &elem_sets[a->set];

	if (a->set != b->set)
		return false;
	for (unsigned int i = 0; i < d->n_key; i++) {
		if (!same_value(d->key[i], &a->key[i], &b->key[i]) ||
		    (d->interval && !same_value(d->key[i], &a->key_end[i], &b->key_end[i])))
			return false;
	}
	return true;
}
