/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion: `netns-up --completion=SHELL`: the tables of all verbs, and where names come from. */
#include <stdlib.h>

#include "base/complete.h"
#include "cli/cli.h"

#define VERBS_MAX 64

static const struct complete_source sources[] = {
	{"ID", NULL, PROGRAM " ls 2>/dev/null | sed -e 1d -e 's/ .*//'"},
	{"TARGET", NULL, "ls /run/netns 2>/dev/null"},
	{"NAME", "delete", "ls /run/netns 2>/dev/null"},
	{"NAME", "network", PROGRAM " network ls 2>/dev/null | sed 's/ .*//'"},
	{"NAME", "network inspect", PROGRAM " network ls 2>/dev/null | sed 's/ .*//'"},
	{"NAME", "network rm", PROGRAM " network ls 2>/dev/null | sed 's/ .*//'"},
	{"USER", NULL, "cut -d: -f1 /etc/passwd"},
	{"MODE", "mode", "printf '%s\\n' bridge routed"},
	{0},
};

int cli_completion(const struct verb *const *verbs, size_t n, int argc, char **argv)
{
	const struct opt_verb *list[VERBS_MAX + 1] = {0}, *sub;
	const struct complete c = {
		.program = PROGRAM, .verbs = list, .number = "up", .sources = sources};
	struct err e = ERR_INIT;
	size_t used = 0;
	int r;

	for (size_t i = 0; i < n && used < VERBS_MAX; i++) {
		list[used++] = &verbs[i]->v;
		for (size_t s = 0; verbs[i]->sub && used < VERBS_MAX; s++) {
			sub = verbs[i]->sub(s);
			if (!sub)
				break;
			list[used++] = sub;
		}
	}
	r = complete_main(&c, argc, argv, &e);
	if (r < 0)
		return cli_fail(&e);
	return r == 1 ? EXIT_OK : -1;
}
