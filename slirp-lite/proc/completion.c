/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion: the option table, and the words that some of its values are (options.c). */
#include "proc/completion.h"

#include "base/complete.h"
#include "base/log.h"
#include "proc/options.h"
#include "proc/pasta.h"
#include "proc/slirp4netns.h"

#define PROGRAM "slirp-lite"
#define WORDS(words) "printf '%s\\n' " words

static const struct complete_source sources[] = {
	{"TYPE", "netns-type", WORDS("pid path tapfd")},
	{"TYPE", "target-type", WORDS("netns bess")},
	{"MODE", "sandbox", WORDS("on strict off")},
	{"MODE", "local-client", WORDS("gateway splice")},
	{"LEVEL", "log-level", WORDS("error warn info debug")},
	{0},
};

bool completion_main(int argc, char **argv, int *ret_status)
{
	struct opt_verb v = *options_verb();
	const struct opt_verb *const verbs[] = {&v, NULL};
	const struct complete c = {.program = PROGRAM, .verbs = verbs, .sources = sources};
	struct err e = ERR_INIT;
	int r;

	if (pasta_is_name(argv[0]) || slirp4netns_is_name(argv[0]))
		return false;
	v.name = "";
	r = complete_main(&c, argc, argv, &e);
	if (r < 0) {
		log_setup(PROGRAM, LOG_LEVEL_INFO);
		log_error("%s", e.text);
	}
	*ret_status = r < 0;
	return r != 0;
}
