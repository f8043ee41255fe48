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
	struct prefix net[N_FAM]; /* family 0: this family is off */
	struct ip gateway[N_FAM]; /* x.x.x.2, prefix::2 */
	struct ip dns[N_FAM];     /* x.x.x.3, prefix::3; family 0: no DNS server of ours */
	struct ip guest[N_FAM];   /* recommended: x.x.x.100, prefix::100 */
	struct mac our_mac;       /* of the gateway; its EUI-64 address is our link-local one */
	struct mac guest_mac;     /* of the tap; all zero: not known, learn it */
	uint32_t mtu;             /* of the tap, 1280 (576 without IPv6) .. 65521 */
	bool is_dhcp, is_ra;      /* answer guests that ask */
};

#endif
