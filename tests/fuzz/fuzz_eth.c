/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_eth: one frame. What parses lies inside it, and builds back to the same bytes. */
#include <string.h>

#include "wire/eth.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[ETH_HDR_LEN];
	struct eth_frame f;

	if (eth_parse(data, size, &f) < 0) {
		MUST(size < ETH_HDR_LEN || (data[6] & 1));
		return 0;
	}
	MUST(f.payload == data + ETH_HDR_LEN && f.len == size - ETH_HDR_LEN);
	MUST(!eth_is_group(&f.src));
	eth_build(out, &f.dst, &f.src, f.type);
	MUST(memcmp(out, data, sizeof(out)) == 0);
	return 0;
}
