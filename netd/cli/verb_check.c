/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_check: compares an attachment with the kernel; prints what is missing. verb_gc: mends and
 * removes. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/user.h"

static const struct opt opts[] = {CLI_OPT_QUIET, CLI_OPT_STATE_DIR, {0}};

struct check {
	struct cli_common common;
	bool unhealthy;
};

static int check_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	struct check *c = arg;
	int r = engine_check(g, id, ifname, -1, &out, e);

	if (r < 0)
		return r;
	c->unhealthy = c->unhealthy || r > 0;
	if (!c->common.quiet)
		printf("%s %s: %s\n%s", id, ifname, r ? "missing:" : "healthy", out.p ? out.p : "");
	return 0;
}

static int main_check(const struct verb *v, int argc, char **argv)
{
	struct check c = {0};
	struct err e = ERR_INIT;
	CLEAN_ENGINE struct engine *g = NULL;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	if (user_is_rootless()) {
		r = user_check(&c.common, argv[1], &e);
		if (r < 0)
			return cli_fail(&e);
		return r > 0 ? EXIT_UNHEALTHY : EXIT_OK;
	}
	r = cli_open(&c.common, false, &g, &e);
	if (r >= 0)
		r = target_each(g, argv[1], NULL, check_one, &c, &e);
	if (r == 0)
		r = err_set(&e, ERR_ABSENT, 0, "%s has no network from us", argv[1]);
	if (r < 0)
		return cli_fail(&e);
	return c.unhealthy ? EXIT_UNHEALTHY : EXIT_OK;
}

const struct verb verb_check = {
	.v = {.name = "check",
	      .operands = "TARGET|ID",
	      .summary = "compare an attachment with the kernel",
	      .notes = "Changes nothing. Prints the operations that would mend it; exit code 10 "
		       "then.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_check,
};

static int main_gc(const struct verb *v, int argc, char **argv)
{
	struct cli_common c = {0};
	struct gc_result res = {0};
	struct progress progress;
	struct err e = ERR_INIT;
	CLEAN_ENGINE struct engine *g = NULL;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	if (user_is_rootless())
		return user_gc(&c, &e) < 0 ? cli_fail(&e) : EXIT_OK;
	if (cli_open(&c, false, &g, &e) < 0)
		return cli_fail(&e);
	progress_open(&progress, &c, g);
	r = engine_gc(g, &res, &e);
	progress_close(&progress);
	if (!c.quiet)
		printf("removed: %zu attachments, %zu broken records, %zu links, %zu claims; "
		       "mended: %zu\n",
		       res.n_attachments, res.n_broken, res.n_links, res.n_claims, res.n_repaired);
	return r < 0 ? cli_fail(&e) : EXIT_OK;
}

const struct verb verb_gc = {
	.v = {.name = "gc",
	      .operands = "",
	      .summary = "remove what is left of dead containers, mend living ones",
	      .opts = opts},
	.main = main_gc,
};
