/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arp: the gateway and the DNS server are at our MAC address, and nothing that the container says
 * changes that. In a network of its own nobody else is answered for, but clients of published ports
 * as long as they are: the container learns that an address is nobody's. In one that is the host's,
 * everybody is reached through us whom the link has not. RFC 826, RFC 5227.
 */

#include "local/inside.h"
#include "wire/arp.h"
#include "wire/eth.h"

void local_arp(struct local *l, const uint8_t *p, size_t len)
{
	const struct plan *plan = l->env.plan;
	uint8_t out[ARP_LEN];
	struct arp a, reply;

	/* Who speaks with an address of ours, IP or MAC, is not believed. A probe (RFC 5227 1.1)
	 * speaks with no IP address and is answered. */
	if (plan->net[FAM4].ip.family == 0 || arp_parse(p, len, &a) < 0 ||
	    eth_equal(&a.sender_mac, &plan->our_mac) ||
	    (!ip_is_any(&a.sender) && !local_is_guest(l, &a.sender))) {
		local_count(l, STAT_DROP_ARP);
		return;
	}
	if (!ip_is_any(&a.sender))
		emit_learn(l->env.emit, &a.sender, &a.sender_mac);
	if (a.op != ARP_REQUEST ||
	    !(local_is_ours(l, &a.target) || local_is_neighbour(l, &a.target, &a.sender)))
		return;
	reply = (struct arp){.op = ARP_REPLY,
			     .sender_mac = plan->our_mac,
			     .sender = a.target,
			     .target_mac = a.sender_mac,
			     .target = a.sender};
	arp_build(out, &reply);
	emit_frame(l->env.emit, &a.sender_mac, ETH_TYPE_ARP, out, sizeof(out));
}
