/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_up: `netns-up up TARGET`, also spelled `netns-up PID`. The attachment options are shared
 * with `run` (attach_opts.h). */
#include <stdio.h>

#include "cli/attach_opts.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/user.h"

struct up_opts {
	struct attach_opts a; /* first: the shared handlers expect it */
	bool dry_run;
};

static int set_dry_run(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct up_opts *)into)->dry_run = true;
	return 0;
}

static const struct opt opts[] = {
	ATTACH_OPTS,
	{'n', "dry-run", NULL, "print what would be done, change nothing", set_dry_run},
	CLI_OPT_JSON,
	CLI_OPT_QUIET,
	CLI_OPT_VERBOSE,
	CLI_OPT_STATE_DIR,
	{0},
};

static int up(const struct up_opts *o, const char *target, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct up_request req;
	struct progress progress;
	int r = target_open(target, &t, e);

	if (r >= 0 && user_is_rootless() && !o->dry_run)
		return user_up(&o->a, &t, e);
	if (r >= 0)
		r = attach_request(&o->a, &t, &req, e);
	if (r >= 0)
		r = cli_open(&o->a.common, false, &g, e);
	if (r < 0)
		return r;
	if (o->dry_run) {
		CLEAN_BUF struct buf plan = BUF_INIT;
		r = engine_up_plan(g, &req, &plan, e);
		if (r >= 0 && plan.p)
			fputs(plan.p, stdout);
		return r;
	}
	progress_open(&progress, &o->a.common, g);
	r = engine_up(g, &req, &a, e);
	progress_close(&progress);
	if (r >= 0)
		r = attach_check_egress(&o->a, a, e);
	return r < 0 ? r : cli_print(&o->a.common, a);
}

static int main_up(const struct verb *v, int argc, char **argv)
{
	struct up_opts o = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r < 0)
		r = up(&o, argv[1], &e) < 0 ? cli_fail(&e) : EXIT_OK;
	attach_opts_free(&o.a);
	return r;
}

const struct verb verb_up = {
	.v = {.name = "up",
	      .operands = "TARGET",
	      .summary = "give a namespace its network",
	      .notes =
		      "TARGET is a pid, a path to a network namespace, or the name of one in "
		      "/run/netns.\n"
		      "SPEC is [HOSTIP:]HOST[-HOST][:CTR[-CTR]][/tcp|udp|sctp]; IPv6 addresses in\n"
		      "brackets; HOST 0 picks a free port. The same call made again changes "
		      "nothing.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_up,
};
