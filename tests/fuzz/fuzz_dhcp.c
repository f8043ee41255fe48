/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_dhcp: one message of a client, and every answer to it. */
#include <string.h>

#include "wire/dhcp.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp_reply a = {.server = {.family = AF_INET, .b = {10, 0, 2, 2}},
			       .yours = {.family = AF_INET, .b = {10, 0, 2, 100}},
			       .broadcast = {.family = AF_INET, .b = {10, 0, 2, 255}},
			       .dns = {.family = AF_INET, .b = {10, 0, 2, 3}},
			       .prefix_len = 24,
			       .lease_s = 1,
			       .mtu = 1500};
	static const uint8_t types[] = {DHCP_OFFER, DHCP_ACK, DHCP_NAK};
	uint8_t out[DHCP_REPLY_MAX];
	struct dhcp d;

	if (dhcp_parse(data, size, &d) < 0)
		return 0;
	MUST(d.n_id <= DHCP_CLIENT_ID_MAX && !(d.mac.b[0] & 1));
	for (size_t i = 0; i < sizeof(types); i++) {
		size_t n;

		a.type = types[i];
		n = dhcp_build(out, &d, &a);
		MUST(n >= 300 && n < sizeof(out));
		MUST(memcmp(out + 4, data + 4, 4) == 0 && memcmp(out + 28, data + 28, 6) == 0);
		MUST(dhcp_parse(out, n, &d) < 0); /* no client says this */
	}
	return 0;
}
