/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusals: for a resident caller: what destinations of attachments have refused, as the rules
 * tell. */
#include "engine/engine.h"
#include "net/nflog.h"
#include "net/ruleset.h"

struct reader {
	void (*fn)(const struct refusal *r, void *arg);
	void *arg;
};

static void see(const uint8_t *packet, size_t len, void *arg)
{
	const struct reader *rd = arg;
	struct refusal r;

	if (refusal_parse(packet, len, &r) == 0)
		rd->fn(&r, rd->arg);
}

int engine_refusals_open(int *ret_fd, struct err *e)
{
	return nflog_open(RULESET_LOG_GROUP, ret_fd, e);
}

int engine_refusals_read(int fd, void (*fn)(const struct refusal *r, void *arg), void *arg,
			 struct err *e)
{
	struct reader rd = {.fn = fn, .arg = arg};

	return nflog_read(fd, see, &rd, e);
}
