/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_publish: `publish` and `unpublish`, which differ in one call. */
#include <stdlib.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/user.h"
#include "model/name.h"

struct ports_opts {
	struct cli_common common;
	const char *ifname;
};

static int set_ifname(void *into, const char *value, struct err *e)
{
	((struct ports_opts *)into)->ifname = value;
	return name_check_ifname(value, "interface name", e);
}

static const struct opt opts[] = {
	{0, "ifname", "NAME", "interface inside (default: eth0)", set_ifname},
	CLI_OPT_JSON,
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};

typedef int ports_fn(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		     size_t n, struct attachment **ret, struct err *e);

static int main_ports(const struct verb *v, ports_fn *fn, int argc, char **argv)
{
	struct ports_opts o = {.ifname = "eth0"};
	struct progress progress;
	struct err e = ERR_INIT;
	CLEAN_FREE struct publish *list = NULL;
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r >= 0)
		return r;
	if (target_id(argv[1], &t, &e) < 0 || cli_publish_list(argv + 2, n - 1, &list, &e) < 0 ||
	    publish_check_list(list, n - 1, &e) < 0)
		return cli_fail(&e);
	if (user_is_rootless())
		return user_publish(&o.common, t.id[0] ? t.id : argv[1], o.ifname, list, n - 1,
				    fn == engine_unpublish, &e) < 0
			       ? cli_fail(&e)
			       : EXIT_OK;
	if (cli_open(&o.common, false, &g, &e) < 0)
		return cli_fail(&e);
	progress_open(&progress, &o.common, g);
	r = fn(g, t.id, o.ifname, list, n - 1, &a, &e);
	progress_close(&progress);
	if (r < 0)
		return cli_fail(&e);
	return cli_print(&o.common, a) < 0 ? EXIT_FAILED : EXIT_OK;
}

static int main_publish(const struct verb *v, int argc, char **argv)
{
	return main_ports(v, engine_publish, argc, argv);
}

static int main_unpublish(const struct verb *v, int argc, char **argv)
{
	return main_ports(v, engine_unpublish, argc, argv);
}

const struct verb verb_publish = {
	.v = {.name = "publish",
	      .operands = "ID SPEC...",
	      .summary = "publish ports of an attachment",
	      .notes = "All of them, or none when one cannot be had.",
	      .opts = opts,
	      .min_operands = 2,
	      .max_operands = (size_t)-1},
	.main = main_publish,
};

const struct verb verb_unpublish = {
	.v = {.name = "unpublish",
	      .operands = "ID SPEC...",
	      .summary = "stop publishing ports of an attachment",
	      .notes = "SPEC names the host side; what it leads to need not be repeated.",
	      .opts = opts,
	      .min_operands = 2,
	      .max_operands = (size_t)-1},
	.main = main_unpublish,
};
