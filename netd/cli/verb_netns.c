/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_netns: `create` and `delete`: named namespaces as `ip netns` sees them. Deleting takes the
 * attachments of the namespace down first. */
#include "base/log.h"
#include "cli/cli.h"
#include "model/name.h"
#include "sys/netns.h"

static const struct opt opts[] = {CLI_OPT_STATE_DIR, {0}};

static int main_create(const struct verb *v, int argc, char **argv)
{
	struct cli_common c = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	if (name_check_id(argv[1], "namespace name", &e) < 0 || netns_create_name(argv[1], &e) < 0)
		return cli_fail(&e);
	return EXIT_OK;
}

static int down_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	(void)arg;
	return engine_down(g, id, ifname, e);
}

static int main_delete(const struct verb *v, int argc, char **argv)
{
	struct cli_common c = {0};
	struct err e = ERR_INIT;
	CLEAN_ENGINE struct engine *g = NULL;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	if (name_check_id(argv[1], "namespace name", &e) < 0 || cli_open(&c, false, &g, &e) < 0 ||
	    target_each(g, argv[1], NULL, down_one, NULL, &e) < 0)
		return cli_fail(&e);
	r = netns_delete_name(argv[1], &e);
	if (r < 0)
		return cli_fail(&e);
	if (r == 1)
		log_warn("%s: there was no such namespace", argv[1]);
	return EXIT_OK;
}

const struct verb verb_create = {
	.v = {.name = "create",
	      .operands = "NAME",
	      .summary = "make a named network namespace (/run/netns/NAME)",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_create,
};

const struct verb verb_delete = {
	.v = {.name = "delete",
	      .operands = "NAME",
	      .summary = "take the network of a named namespace down and remove it",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_delete,
};
