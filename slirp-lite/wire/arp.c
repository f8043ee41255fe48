/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arp: the one form of ARP that a tap carries: IPv4 over Ethernet, request and reply. Reverse and
 * other operations are refused here, so that nobody behind has to think of them. RFC 826.
 */
#include "wire/arp.h"

#include "wire/bytes.h"
#include "wire/eth.h"

#define ARP_HW_ETHER 1

static void take_ip(struct bytes *b, struct ip *ret)
{
	*ret = (struct ip){.family = AF_INET};
	bytes_copy(b, ret->b, 4);
}

int arp_parse(const uint8_t *p, size_t len, struct arp *ret)
{
	struct bytes b = bytes_of(p, len);
	uint16_t hw = bytes_u16(&b), proto = bytes_u16(&b);
	uint8_t hw_len = bytes_u8(&b), proto_len = bytes_u8(&b);
	struct arp a = {.op = bytes_u16(&b)};

	bytes_copy(&b, a.sender_mac.b, sizeof(a.sender_mac.b));
	take_ip(&b, &a.sender);
	bytes_copy(&b, a.target_mac.b, sizeof(a.target_mac.b));
	take_ip(&b, &a.target);
	if (b.is_short || hw != ARP_HW_ETHER || proto != ETH_TYPE_IP4 || hw_len != 6 ||
	    proto_len != 4 || (a.op != ARP_REQUEST && a.op != ARP_REPLY) ||
	    eth_is_group(&a.sender_mac))
		return -1;
	*ret = a;
	return 0;
}

void arp_build(uint8_t *out, const struct arp *a)
{
	struct out o = out_of(out, ARP_LEN);

	out_u16(&o, ARP_HW_ETHER);
	out_u16(&o, ETH_TYPE_IP4);
	out_u8(&o, 6);
	out_u8(&o, 4);
	out_u16(&o, a->op);
	out_copy(&o, a->sender_mac.b, sizeof(a->sender_mac.b));
	out_copy(&o, a->sender.b, 4);
	out_copy(&o, a->target_mac.b, sizeof(a->target_mac.b));
	out_copy(&o, a->target.b, 4);
}
