/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_dhcp6: one message of a client, and answers to it with and without an address. */
#include <string.h>

#include "wire/dhcp6.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp6_reply a = {.type = DHCP6_REPLY,
				.server = {.len = 10, .b = {0, 3, 0, 1}},
				.address = {.family = AF_INET6, .b = {0xfd, [15] = 0x64}},
				.dns = {.family = AF_INET6, .b = {0xfd, [15] = 3}},
				.lifetime_s = 86400};
	uint8_t out[DHCP6_REPLY_MAX];
	struct dhcp6 d, again;
	size_t n;

	if (dhcp6_parse(data, size, &d) < 0)
		return 0;
	MUST(d.n_ia <= DHCP6_IA_MAX && d.xid <= 0xffffff);
	MUST(d.client.len <= DHCP6_DUID_MAX && d.server.len <= DHCP6_DUID_MAX);
	for (int i = 0; i < 2; i++) {
		n = dhcp6_build(out, &d, &a);
		MUST(n < sizeof(out) && memcmp(out + 1, data + 1, 3) == 0);
		MUST(dhcp6_parse(out, n, &again) < 0); /* no client says this */
		out[0] = DHCP6_REQUEST;                /* but its form is right */
		MUST(!d.client.len || dhcp6_parse(out, n, &again) == 0);
		a.address.family = 0;
		a.has_status = true;
	}
	return 0;
}
