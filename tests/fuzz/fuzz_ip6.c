/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ip6: one packet. What parses lies inside it; a problem points into it; a plain packet builds
 * back to the same bytes.
 */
#include <netinet/in.h>
#include <string.h>

#include "wire/ip.h"

#include "fuzz.h"

static void check(const uint8_t *p, size_t size, const struct ip_packet *k)
{
	struct ip_build b = {
		.src = k->src, .dst = k->dst, .proto = k->proto, .ttl = k->ttl, .tos = k->tos};
	uint8_t out[IP6_HDR_LEN];

	MUST(k->start == p && k->total >= IP6_HDR_LEN && k->total <= size);
	MUST(k->payload >= p + IP6_HDR_LEN && k->payload + k->len == p + k->total);
	MUST(k->proto_at < k->total && p[k->proto_at] == k->proto);
	MUST(k->is_fragment == (k->is_more || k->frag_offset > 0));
	MUST(!k->is_fragment || (k->len > 0 && k->frag_offset + k->len <= 65535));
	ip_sum_ok(k);
	if (k->payload > p + IP6_HDR_LEN)
		return;
	ip_build6(out, &b, k->len);
	memcpy(out + 1, p + 1, 3); /* the flow label is no value of ours */
	MUST(memcmp(out, p, sizeof(out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_problem problem = {.code = 255};
	struct ip_packet k;

	switch (ip_parse6(data, size, &k, &problem)) {
	case IP_OK:
		check(data, size, &k);
		break;
	case IP_BAD_HEADER:
		MUST(problem.code <= 3 && problem.pointer < size);
		MUST(k.start == data && k.total <= size);
		break;
	case IP_NO_PAYLOAD:
		MUST(k.proto == IPPROTO_NONE);
		break;
	case IP_BAD:
		break;
	default:
		MUST(0);
	}
	return 0;
}
