/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_tcphdr: one segment. What parses is within the bounds of tcphdr.h, and what is built from it
 * parses to the same values.
 */
#include <string.h>

#include "wire/tcphdr.h"

#include "fuzz.h"

/* What of h a header can say. */
static struct tcphdr_v sayable(const struct tcphdr_v *h)
{
	size_t max = h->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;
	struct tcphdr_v v = *h;

	if (h->flags & TCP_SYN)
		max = 0;
	if (v.n_sack > max)
		v.n_sack = (uint8_t)max;
	memset(v.sack + v.n_sack, 0, (TCP_SACK_MAX - v.n_sack) * sizeof(v.sack[0]));
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[TCP_HDR_MAX];
	struct tcphdr_v h, want, again;
	size_t len, n;

	if (tcphdr_parse(data, size, &h, &len) < 0)
		return 0;
	MUST(len >= 20 && len <= TCP_HDR_MAX && len <= size && len % 4 == 0);
	MUST(h.wscale <= 14 && h.n_sack <= TCP_SACK_MAX);
	MUST((h.flags & TCP_SYN) || (h.mss == 0 && !h.has_wscale && !h.has_sack_ok));
	n = tcphdr_build(out, &h);
	MUST(n >= 20 && n <= TCP_HDR_MAX && n % 4 == 0);
	MUST(tcphdr_parse(out, n, &again, &len) == 0 && len == n);
	want = sayable(&h);
	again = sayable(&again);
	MUST(memcmp(&want, &again, sizeof(want)) == 0);
	return 0;
}
