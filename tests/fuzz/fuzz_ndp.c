/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ndp: hop limit, source and destination (a byte each chooses them), then one message. What is
 * accepted is valid by RFC 4861.
 */
#include <netinet/in.h>

#include "wire/icmp.h"
#include "wire/ndp.h"

#include "fuzz.h"

static const struct ip addresses[8] = {
	{.family = AF_INET6},
	{.family = AF_INET6, .b = {0xfe, 0x80, [15] = 1}},
	{.family = AF_INET6, .b = {0xfd, [15] = 2}},
	{.family = AF_INET6, .b = {0xff, 2, [15] = 1}},
	{.family = AF_INET6, .b = {0xff, 2, [15] = 2}},
	{.family = AF_INET6, .b = {0xff, 2, [11] = 1, 0xff, [15] = 2}},
	{.family = AF_INET6, .b = {0x20, 1, 0xd, 0xb8, [15] = 1}},
	{.family = AF_INET6, .b = {[15] = 1}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[NDP_NA_LEN];
	struct ip_packet k;
	struct ndp n;

	if (size < 3)
		return 0;
	k = (struct ip_packet){.ttl = data[0],
			       .src = addresses[data[1] % 8],
			       .dst = addresses[data[2] % 8],
			       .payload = data + 3,
			       .len = size - 3};
	if (ndp_parse(&k, &n) < 0)
		return 0;
	MUST(k.ttl == 255 && k.len >= 8 && k.payload[1] == 0);
	MUST(n.type == ICMP_V6_RS || n.type == ICMP_V6_NS || n.type == ICMP_V6_NA);
	MUST(!n.has_mac || !(n.mac.b[0] & 1));
	MUST(!ip_is_multicast(&k.src));
	if (n.type == ICMP_V6_RS)
		return 0;
	MUST(n.target.family == AF_INET6 && !ip_is_multicast(&n.target));
	MUST(!ip_is_any(&k.src) || (n.type == ICMP_V6_NS && !n.has_mac));
	ndp_build_na(out, &n.target, &n.mac, true);
	return 0;
}
