/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_refusal: the first bytes of a packet. What is read has its addresses, and its line is whole.
 */
#include <netinet/in.h>
#include <string.h>

#include "model/refusal.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[REFUSAL_STRLEN];
	struct refusal r;

	if (refusal_parse(data, size, &r) < 0)
		return 0;
	MUST(size >= 20 && r.from.family == r.to.family);
	MUST(r.from.family == (data[0] >> 4 == 4 ? AF_INET : AF_INET6));
	MUST(!r.port || r.proto == IPPROTO_TCP || r.proto == IPPROTO_UDP);
	refusal_str(&r, text);
	MUST(strlen(text) < sizeof(text) - 1 && !strpbrk(text, "\n\"="));
	return 0;
}
