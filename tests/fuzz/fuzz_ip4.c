/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ip4: one packet; its header checksum is made right unless the first byte is odd, so that
 * mutations get behind it. What parses lies inside the packet; a plain header builds back.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wire/cksum.h"
#include "wire/ip.h"

#include "fuzz.h"

static void seal(uint8_t *p, size_t len)
{
	size_t header = len > 0 ? (p[0] & 0xfu) * 4 : 0;
	uint16_t sum;

	if (header < IP4_HDR_LEN || header > len)
		return;
	p[10] = p[11] = 0;
	sum = cksum_fold(cksum_add(0, p, header));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static void check(const uint8_t *p, size_t len, const struct ip_packet *k)
{
	size_t header = (p[0] & 0xfu) * 4;
	uint8_t out[IP4_HDR_LEN];
	struct ip_build b = {.src = k->src,
			     .dst = k->dst,
			     .proto = k->proto,
			     .ttl = k->ttl,
			     .tos = k->tos,
			     .is_df = k->is_df,
			     .is_more = k->is_more,
			     .id = (uint16_t)k->frag_id,
			     .frag_offset = (uint16_t)k->frag_offset};

	MUST(k->start == p && k->payload == p + header);
	MUST(k->total <= len && k->len == k->total - header && p[k->proto_at] == k->proto);
	MUST(k->is_fragment == (k->is_more || k->frag_offset > 0));
	MUST(!k->is_fragment || (k->len > 0 && k->frag_offset + k->len + header <= 65535));
	ip_sum_ok(k);
	if (header > IP4_HDR_LEN || (p[6] & 0x80))
		return;
	ip_build4(out, &b, k->len);
	out[10] ^= p[10] ^ out[10]; /* 0 and ffff are the same sum */
	out[11] ^= p[11] ^ out[11];
	MUST(memcmp(out, p, sizeof(out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_packet k;
	uint8_t *p;

	if (size == 0)
		return 0;
	p = malloc(size);
	MUST(p);
	memcpy(p, data + 1, size - 1);
	if (!(data[0] & 1))
		seal(p, size - 1);
	if (ip_parse4(p, size - 1, &k) == IP_OK)
		check(p, size - 1, &k);
	free(p);
	return 0;
}
