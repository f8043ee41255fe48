/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_netns: `create` and `delete`: named namespaces as `ip netns` sees them. Deleting takes the
 * attachments of the namespace down first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
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
	r = cli_check_name(argv[1], "namespace name", &e);
	if (r >= 0)
		r = netns_create_name(argv[1], &e);
	if (r < 0 && e.kind == ERR_DENIED)
		err_ctx(&e, r, "%s: named namespaces are made as root", argv[1]);
	return r < 0 ? cli_fail(&e) : EXIT_OK;
}

struct leaving {
	struct engine *g;
	bool has_cookie;
	uint64_t cookie;
	char path[NETNS_PATH_MAX + 1];
	struct err all;
};

/* What is attached to the namespace goes, whatever it is called; the same name may be that of
 * another container. A namespace that is gone is known by the path that led to it. */
static int leave_one(const struct attachment *a, void *arg)
{
	struct leaving *l = arg;
	struct err one = ERR_INIT;
	bool is_of =
		l->has_cookie ? a->netns_cookie == l->cookie : strcmp(a->netns_path, l->path) == 0;

	if (is_of && engine_down(l->g, a->id, a->ifname, &one) < 0)
		err_gather(&l->all, &one);
	return 0;
}

static int leave_all(struct engine *g, const char *name, struct err *e)
{
	struct leaving l = {.g = g, .all = ERR_INIT};
	CLEAN_FD int fd = -1;

	snprintf(l.path, sizeof(l.path), "/run/netns/%s", name);
	if (netns_open_name(name, &fd, NULL) >= 0) {
		int r = engine_cookie(fd, &l.cookie, e);
		if (r < 0)
			return r;
		l.has_cookie = true;
	}
	int r = engine_each(g, leave_one, NULL, &l, e);
	if (r < 0)
		return r;
	err_gather(e, &l.all);
	return l.all.kind == ERR_NONE ? 0 : -EIO;
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
	    leave_all(g, argv[1], &e) < 0)
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
