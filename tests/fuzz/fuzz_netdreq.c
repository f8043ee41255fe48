/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_netdreq: what a stranger writes to netd. Whatever parses passes the back's second look, and
 * prints and parses to the same call. The bytes as a call: the second look survives them.
 */
#include <string.h>

#include "broker/request.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct call c, again, raw;
	struct err e = ERR_INIT;

	if (request_parse((const char *)data, size, &c, &e) == 0) {
		CLEAN_BUF struct buf out = BUF_INIT;
		const struct call_rule *r = call_rule(c.verb);

		MUST(r && call_check(&c, sizeof(c), CALL_FDS, NULL) == 0);
		MUST(request_print(&c, &out, NULL) == 0);
		MUST(out.len <= REQUEST_BYTES);
		MUST(request_parse(out.p, out.len, &again, NULL) == 0);
		MUST(memcmp(&c, &again, sizeof(c)) == 0);
	} else {
		MUST(e.kind != ERR_NONE);
	}
	memset(&raw, 0, sizeof(raw));
	memcpy(&raw, data, size < sizeof(raw) ? size : sizeof(raw));
	raw.magic = CALL_MAGIC;
	raw.verb %= N_CALL_VERBS;
	for (size_t n = 0; n <= CALL_FDS; n++)
		if (call_check(&raw, sizeof(raw), n, NULL) == 0)
			MUST(memchr(raw.id, 0, sizeof(raw.id)) &&
			     raw.n_publish <= CALL_PUBLISH_MAX);
	return 0;
}
