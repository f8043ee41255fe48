/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_icmp: one message, in both families, and the packet inside when it is an error. A cause that
 * parses parses from no more than what an error carries.
 */
#include <netinet/in.h>
#include <string.h>

#include "wire/icmp.h"

#include "fuzz.h"

static void check_cause(int family, const struct icmp_v *m)
{
	struct icmp_cause c;

	if (icmp_parse_cause(family, m->payload, m->len, &c) < 0)
		return;
	MUST(c.src.family == family && c.dst.family == family);
	MUST(!c.is_fragment || (c.sport == 0 && c.dport == 0 && c.seq == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[ICMP_HDR_LEN];
	struct icmp_v m;

	if (icmp_parse(data, size, &m) < 0) {
		MUST(size < ICMP_HDR_LEN);
		return 0;
	}
	MUST(m.payload == data + ICMP_HDR_LEN && m.len == size - ICMP_HDR_LEN);
	icmp_build(out, m.type, m.code, m.info);
	MUST(memcmp(out, data, 2) == 0 && memcmp(out + 4, data + 4, 4) == 0);
	check_cause(AF_INET, &m);
	check_cause(AF_INET6, &m);
	return 0;
}
