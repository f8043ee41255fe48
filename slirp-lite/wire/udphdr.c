/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udphdr: eight bytes and their rules about lengths and the missing checksum. Ports are values
 * here, port 0 included; who accepts them decides. RFC 768, RFC 1122 4.1.3.4, RFC 8200 8.1.
 */
#include "wire/udphdr.h"

#include <netinet/in.h>

#include "wire/bytes.h"
#include "wire/cksum.h"

int udphdr_parse(const uint8_t *p, size_t len, struct udphdr_v *ret)
{
	struct bytes b = bytes_of(p, len);
	struct udphdr_v u = {.sport = bytes_u16(&b), .dport = bytes_u16(&b)};
	uint16_t total = bytes_u16(&b);

	u.csum = bytes_u16(&b);
	if (b.is_short || total < UDP_HDR_LEN || total > len)
		return -1;
	u.payload = b.p;
	u.len = (size_t)total - UDP_HDR_LEN;
	*ret = u;
	return 0;
}

bool udphdr_sum_ok(const struct ip_packet *pkt, const struct udphdr_v *u)
{
	size_t len = u->len + UDP_HDR_LEN;
	uint32_t sum;

	if (u->csum == 0)
		return pkt->src.family == AF_INET;
	sum = ip_pseudo_sum(&pkt->src, &pkt->dst, IPPROTO_UDP, len);
	return cksum_fold(cksum_add(sum, pkt->payload, len)) == 0;
}

void udphdr_build(uint8_t *out, uint16_t sport, uint16_t dport, uint16_t csum, size_t payload_len)
{
	struct out o = out_of(out, UDP_HDR_LEN);

	out_u16(&o, sport);
	out_u16(&o, dport);
	out_u16(&o, (uint16_t)(UDP_HDR_LEN + payload_len));
	out_u16(&o, csum);
}
