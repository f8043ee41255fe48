/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_arp: one packet behind its Ethernet header. What parses builds back to the same bytes. */
#include <string.h>

#include "wire/arp.h"
#include "wire/eth.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[ARP_LEN];
	struct arp a;

	if (arp_parse(data, size, &a) < 0)
		return 0;
	MUST(size >= ARP_LEN && (a.op == ARP_REQUEST || a.op == ARP_REPLY));
	MUST(!eth_is_group(&a.sender_mac));
	arp_build(out, &a);
	MUST(memcmp(out, data, sizeof(out)) == 0);
	return 0;
}
