/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_down: takes away the network of a target or of a named attachment; nothing there is success.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/user.h"
#include "model/name.h"

struct down_opts {
	struct cli_common common;
	const char *ifname;
};

static int set_ifname(void *into, const char *value, struct err *e)
{
	((struct down_opts *)into)->ifname = value;
	return name_check_ifname(value, "interface name", e);
}

static const struct opt opts[] = {
	{0, "ifname", "NAME", "only this interface (default: all of them)", set_ifname},
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};

static int down_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	const struct down_opts *o = arg;
	int r = engine_down(g, id, ifname, e);

	if (r == ENGINE_DONE && !o->common.quiet)
		printf("%s %s down\n", id, ifname);
	return r;
}

static int main_down(const struct verb *v, int argc, char **argv)
{
	struct down_opts o = {0};
	struct err e = ERR_INIT;
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r >= 0)
		return r;
	if (user_is_rootless())
		return user_down(&o.common, argv[1], o.ifname, &e) < 0 ? cli_fail(&e) : EXIT_OK;
	if (target_id(argv[1], &t, &e) < 0 || cli_open(&o.common, false, &g, &e) < 0 ||
	    target_each(g, argv[1], o.ifname, down_one, &o, &e) < 0)
		return cli_fail(&e);
	return EXIT_OK;
}

const struct verb verb_down = {
	.v = {.name = "down",
	      .operands = "TARGET|ID",
	      .summary = "take a network away, with everything that belongs to it",
	      .notes = "Works when the namespace is gone; does nothing when there is nothing.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_down,
};
