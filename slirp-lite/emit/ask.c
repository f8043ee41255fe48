/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask: who has an address of the container's side. A container that configures itself and only
 * serves may never have sent a frame when the first client comes, and hosts drop TCP that came to
 * everybody (RFC 1122 4.2.3.10). No frame waits for the answer: TCP sends again. RFC 826, RFC 4861.
 */
#include <netinet/in.h>
#include <string.h>

#include "emit/internal.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

/* Of frames to an address that does not answer, these cause a question: the first, then each of: */
#define ASK_FIRST 8
#define ASK_EACH 64

static void ask4(struct emit *x, const struct ip *ip)
{
	const struct arp a = {.op = ARP_REQUEST,
			      .sender_mac = x->plan->our_mac,
			      .sender = x->plan->gateway[FAM4],
			      .target = *ip};
	uint8_t out[ARP_LEN];

	arp_build(out, &a);
	(void)emit_frame(x, &eth_broadcast, ETH_TYPE_ARP, out, sizeof(out));
}

static void ask6(struct emit *x, const struct ip *ip)
{
	struct emit_ip h = {.src = x->plan->gateway[FAM6],
			    .dst = {.family = AF_INET6, .b = {0xff, 2, [11] = 1, [12] = 0xff}},
			    .proto = IPPROTO_ICMPV6,
			    .ttl = NDP_HOP_LIMIT,
			    .csum_offset = 2};
	uint8_t out[NDP_NS_LEN];

	memcpy(h.dst.b + 13, ip->b + 13, 3); /* the group of the address, RFC 4291 2.7.1 */
	ndp_build_ns(out, ip, &x->plan->our_mac);
	(void)emit_packet(x, &h, out, sizeof(out), NULL, 0);
}

bool emit_is_broadcast(const struct ip *ip)
{
	return ip->family == AF_INET && ip->b[0] == 255;
}

void emit_ask(struct emit *x, const struct ip *ip)
{
	static const struct mac none;
	struct neighbour *n = emit_neighbour(x, ip);
	const int fam = ip_fam(ip);

	if (ip_equal(&n->ip, ip) || ip_is_multicast(ip) || emit_is_broadcast(ip) ||
	    !eth_equal(&x->plan->guest_mac, &none) || x->plan->gateway[fam].family == 0)
		return;
	if (n->n_asked++ >= ASK_FIRST && n->n_asked % ASK_EACH != 0)
		return;
	if (fam == FAM4)
		ask4(x, ip);
	else
		ask6(x, ip);
}
