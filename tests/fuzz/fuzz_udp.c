/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_udp: one datagram, in both families. What parses lies inside it and builds back. */
#include <netinet/in.h>
#include <string.h>

#include "wire/udphdr.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_packet k = {.proto = IPPROTO_UDP, .payload = data, .len = size};
	uint8_t out[UDP_HDR_LEN];
	struct udphdr_v u;

	if (udphdr_parse(data, size, &u) < 0)
		return 0;
	MUST(u.payload == data + UDP_HDR_LEN && u.len + UDP_HDR_LEN <= size);
	udphdr_build(out, u.sport, u.dport, u.csum, u.len);
	MUST(memcmp(out, data, sizeof(out)) == 0);
	k.src.family = k.dst.family = AF_INET;
	MUST(udphdr_sum_ok(&k, &u) || u.csum != 0);
	k.src.family = k.dst.family = AF_INET6;
	MUST(!udphdr_sum_ok(&k, &u) || u.csum != 0);
	return 0;
}
