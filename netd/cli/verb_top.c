/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_top: what passes, live: with root what the kernel's links count (top_links.c), without what
 * the user has (top_user.c). */
#include <unistd.h>

#include "cli/cli.h"
#include "cli/top.h"
#include "cli/user.h"

struct top {
	struct top_how how;
	bool once;
};

static int set_interval(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 1, 3600, &((struct top *)into)->how.interval_s, e);
}

static int set_rounds(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 1, 1000000, &((struct top *)into)->how.rounds, e);
}

static int set_once(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct top *)into)->once = true;
	return 0;
}

static const struct opt opts[] = {
	{'i', "interval", "SECONDS", "between two rounds (1)", set_interval},
	{'n', "rounds", "N", "end after so many (a terminal: never; else 1)", set_rounds},
	{0, "once", NULL, "one round, plain, also at a terminal", set_once},
	CLI_OPT_JSON,
	CLI_OPT_STATE_DIR,
	{0},
};

static int main_top(const struct verb *v, int argc, char **argv)
{
	struct top t = {.how.interval_s = 1};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &t, &n);

	if (r >= 0)
		return r;
	if (t.once)
		t.how.rounds = 1;
	t.how.is_screen = !t.once && !t.how.common.json && isatty(STDOUT_FILENO) == 1;
	if (t.how.rounds == 0 && !t.how.is_screen)
		t.how.rounds = 1;
	if (user_is_rootless())
		r = top_user(&t.how, n > 0 ? argv[1] : NULL, &e);
	else
		r = top_links(&t.how, n > 0 ? argv[1] : NULL, &e);
	return r < 0 ? cli_fail(&e) : EXIT_OK;
}

const struct verb verb_top = {
	.v = {.name = "top",
	      .operands = "[TARGET|ID]",
	      .summary = "show what passes, live",
	      .notes = "Rates of each container, the busiest first, from the counters of its link; "
		       "in and out are\nthe container's. Without root also conversations, "
		       "published ports, and why packets were\ndropped. q or Ctrl-C ends it.",
	      .opts = opts,
	      .max_operands = 1},
	.main = main_top,
};
