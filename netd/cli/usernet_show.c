/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usernet_show: down, check, status, ls and gc in the user's host. */
#include <errno.h>
#include <stdio.h>

#include "cli/usernet.h"

struct look {
	struct usernet *u;
	const struct cli_common *c;
	int (*fn)(const struct attachment *a, void *arg);
	usernet_see *fn_status;
	void *arg;
	const struct rootless_state *uplink;
	int n;
};

/* Opens and enters. 1: there is nothing. */
static int enter(const struct cli_common *c, enum usernet_how how, struct usernet *u, struct err *e)
{
	int r = usernet_open(c, how, u, e);

	if (r == 0)
		r = usernet_enter(u, false, e);
	return r;
}

static int down_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	struct look *l = arg;
	int r = usernet_detach(l->u, id, ifname, e);

	(void)g;
	if (r == ENGINE_DONE && !l->c->quiet)
		printf("%s %s down\n", id, ifname);
	return r;
}

int usernet_down(const struct cli_common *c, const char *target, const char *ifname, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct look l = {.u = &u, .c = c};
	int r = enter(c, USERNET_USE, &u, e);

	return r != 0 ? (r < 0 ? r : 0) : target_each(u.g, target, ifname, down_one, &l, e);
}

static int check_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	struct look *l = arg;
	int r = engine_check(g, id, ifname, -1, &out, e);

	if (r < 0)
		return r;
	if (r > 0)
		l->n++;
	if (!l->c->quiet)
		printf("%s %s: %s\n%s", id, ifname, r ? "missing:" : "healthy", out.p ? out.p : "");
	return 0;
}

int usernet_check(const struct cli_common *c, const char *target, bool *ret_is_healthy,
		  struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct look l = {.u = &u, .c = c};
	int r = usernet_open(c, USERNET_LOOK, &u, e);

	/* Compared with the kernel, which takes the privilege that a reader does without. */
	u.how = USERNET_USE;
	if (r == 0)
		r = usernet_enter(&u, false, e);
	if (r == 0)
		r = target_each(u.g, target, NULL, check_one, &l, e);
	else if (r > 0)
		r = 0;
	if (r > 0)
		*ret_is_healthy = l.n == 0;
	return r;
}

static int status_one(struct engine *g, const char *id, const char *ifname, void *arg,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct look *l = arg;
	int r = engine_get(g, id, ifname, &a, e);

	if (r != 0)
		return r < 0 ? r : err_set(e, ERR_ABSENT, 0, "%s %s is gone", id, ifname);
	host_outer_ports(l->u->host, a);
	return l->fn_status(a, l->uplink, l->arg) < 0 ? err_set(e, ERR_INTERNAL, ENOMEM, "status")
						      : 0;
}

int usernet_status(const struct cli_common *c, const char *target, usernet_see *fn, void *arg,
		   struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct rootless_state uplink = {0};
	struct look l = {.u = &u, .c = c, .fn_status = fn, .arg = arg};
	int r = enter(c, USERNET_LOOK, &u, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (host_uplink_state(u.host, &uplink))
		l.uplink = &uplink;
	r = target_each(u.g, target, NULL, status_one, &l, e);
	rootless_state_clear(&uplink);
	return r;
}

static int ls_one(const struct attachment *a, void *arg)
{
	struct look *l = arg;

	host_outer_ports(l->u->host, a);
	l->n++;
	return l->fn(a, l->arg);
}

int usernet_ls(const struct cli_common *c, int (*fn)(const struct attachment *a, void *arg),
	       void *arg, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct look l = {.u = &u, .c = c, .fn = fn, .arg = arg};
	int r = enter(c, USERNET_LOOK, &u, e);

	if (r == 0)
		r = engine_each(u.g, ls_one, NULL, &l, e);
	return r < 0 ? r : l.n;
}

static int has_attachment(const char *id, const char *ifname, void *arg)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct usernet *u = arg;

	/* One that cannot be read may own them still. */
	return engine_get(u->g, id, ifname, &a, NULL) != ENGINE_NOTHING;
}

int usernet_gc(const struct cli_common *c, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct gc_result res = {0};
	int n, r = enter(c, USERNET_USE, &u, e);

	if (r == 0)
		r = engine_gc(u.g, &res, e);
	else
		return r < 0 ? r : 0;
	n = r < 0 ? r : host_sweep_ports(u.host, has_attachment, &u, e);
	if (!c->quiet)
		printf("your networks: removed: %zu attachments, %zu broken records, %zu links, "
		       "%zu claims, %d ports; mended: %zu\n",
		       res.n_attachments, res.n_broken, res.n_links, res.n_claims, n < 0 ? 0 : n,
		       res.n_repaired);
	return n < 0 ? n : 0;
}
