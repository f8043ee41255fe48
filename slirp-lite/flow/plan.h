/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: who is who on the tap's network: the addresses of the gateway (us), of the DNS server (us
 * too) and of the guest, and what the link carries. A plain value, fixed when the worker starts.
 */
#ifndef SLIRP_FLOW_PLAN_H
#define SLIRP_FLOW_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/addr.h"

struct plan {
	struct prefix net[N_FAM];   /* family 0: this family is off */
	struct ip gateway[N_FAM];   /* x.x.x.2, prefix::2 */
	struct ip dns[N_FAM];       /* x.x.x.3, prefix::3; family 0: no DNS server of ours */
	struct ip guest[N_FAM];     /* recommended: x.x.x.100, prefix::100 */
	struct mac our_mac;         /* of the gateway; its EUI-64 address is our link-local one */
	struct mac guest_mac;       /* of the tap; all zero: not known, learn it */
	uint32_t mtu;               /* of the tap, 1280 (576 without IPv6) .. 65521 */
	bool is_dhcp[N_FAM], is_ra; /* answer guests that ask */
	bool is_ndp_off;            /* neighbour discovery is not answered at all */
	bool is_forwarding;         /* the guest forwards for others behind it */
	bool is_dns_untold;         /* DHCP and router advertisements do not name the DNS server */
	/* The network is the host's own: the guest has an address of the host, and the other
	 * addresses of the network are the host's neighbours, who are reached as themselves. */
	bool is_shared[N_FAM];
	bool is_router[N_FAM];        /* the gateway's address is that of a router of the host's */
	struct ip loopback_at[N_FAM]; /* leads to the host's loopback, all ports; family 0: none */
	struct ip host_at[N_FAM];     /* leads to host[]; family 0: none */
	struct ip host[N_FAM];        /* the host's own address; family 0: it has none */
};

/* A source address of ours beside our_mac: of frames that are to be told from all others on the
 * container's side (proc/transparent.h). */
static inline struct mac plan_second_mac(const struct plan *p)
{
	struct mac m = p->our_mac;

	m.b[0] ^= 0x08; /* stays unicast and locally administered */
	return m;
}

#endif
