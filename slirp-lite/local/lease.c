/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease: a table of sixteen, searched from the start. */
#include "local/lease.h"

#define MS 1000u
#define DECLINED_MS 600000u
#define NOBODY UINT64_MAX

/* Address number i of the pool; false: the network has no such address for a guest. */
static bool nth(const struct plan *plan, int fam, uint64_t i, struct ip *ret)
{
	const struct prefix *net = &plan->net[fam];
	struct ip last = prefix_last(net), ip;

	if (plan->guest[fam].family == 0 || !prefix_contains(net, &plan->guest[fam]) ||
	    prefix_nth(net, prefix_index(net, &plan->guest[fam]) + i, &ip) < 0 ||
	    ip_equal(&ip, &plan->gateway[fam]) || ip_equal(&ip, &plan->dns[fam]) ||
	    /* The addresses beside it are those of the host's neighbours. */
	    (i > 0 && plan->is_shared[fam]) || (fam == FAM4 && i > 0 && ip_equal(&ip, &last)))
		return false;
	*ret = ip;
	return true;
}

bool lease_take(struct leases *x, const struct plan *plan, int fam, uint64_t client, uint64_t now,
		struct ip *ret)
{
	struct ip ip;
	size_t found = LEASES_MAX;

	for (size_t i = 0; i < LEASES_MAX; i++)
		if (x->lease[i].until > 0 && x->lease[i].client == client)
			found = i;
	for (size_t i = 0; i < LEASES_MAX && found == LEASES_MAX; i++)
		if (x->lease[i].until <= now && nth(plan, fam, i, &ip))
			found = i;
	if (found == LEASES_MAX || !nth(plan, fam, found, &ip))
		return false;
	x->lease[found].client = client;
	x->lease[found].until = now + (uint64_t)LEASE_S * MS;
	*ret = ip;
	return true;
}

void lease_release(struct leases *x, uint64_t client)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		if (x->lease[i].client == client)
			x->lease[i].until = 0;
}

void lease_decline(struct leases *x, uint64_t client, uint64_t now)
{
	for (size_t i = 0; i < LEASES_MAX; i++) {
		if (x->lease[i].until == 0 || x->lease[i].client != client)
			continue;
		x->lease[i].client = NOBODY;
		x->lease[i].until = now + DECLINED_MS;
	}
}
