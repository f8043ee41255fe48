/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: which of a few addresses, beginning with the guest's, a DHCP client has: the same client
 * gets the same one. Clients are numbers: a MAC address, a hash of an identifier. Pure.
 */
#ifndef SLIRP_LOCAL_LEASE_H
#define SLIRP_LOCAL_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/plan.h"

#define LEASES_MAX 16
#define LEASE_S 86400

struct leases {
	struct {
		uint64_t client;
		uint64_t until; /* ms; 0: never taken */
	} lease[LEASES_MAX];
};

/* The client's address, taken until now + LEASE_S (an offer that is not taken up costs one of 16
 * for that time). False: none is left. */
bool lease_take(struct leases *x, const struct plan *plan, int fam, uint64_t client, uint64_t now,
		struct ip *ret);
/* The client gives its address back. */
void lease_release(struct leases *x, uint64_t client);
/* The client found its address in use: nobody gets it for ten minutes. */
void lease_decline(struct leases *x, uint64_t client, uint64_t now);

#endif
