/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usernet: the ways in and out of the user's host, and attachments in it. What is listed, shown and
 * mended there is in usernet_show.c. */
#include "cli/usernet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "sys/outside.h"

static const char *dir_of(const struct cli_common *c)
{
	return c->state_dir ? c->state_dir : getenv("NETNS_UP_STATE_DIR");
}

/* ---- in and out ---- */

int usernet_open(const struct cli_common *c, enum usernet_how how, struct usernet *ret,
		 struct err *e)
{
	return usernet_open_by(c, how, NULL, ret, e);
}

int usernet_open_by(const struct cli_common *c, enum usernet_how how, const char *engine,
		    struct usernet *ret, struct err *e)
{
	struct err lost_ports = ERR_INIT;
	const char *dir = dir_of(c);
	bool was_lost = false;
	int r;

	if (dir && dir[0] != '/')
		return err_set(e, ERR_USAGE, 0, "NETNS_UP_STATE_DIR=%s: expected an absolute path",
			       dir);
	r = host_open(dir, how == USERNET_MAKE, &ret->host, &was_lost, e);
	ret->how = how;
	if (r >= 0 && was_lost)
		log_warn("your networks had ended (their processes were killed, or you logged "
			 "out); %s",
			 how == USERNET_MAKE ? "they begin anew" : "what was left is removed");
	if (r != 0 || how == USERNET_LOOK)
		return r;
	r = host_uplink(ret->host, engine, &lost_ports);
	if (r < 0)
		err_gather(e, &lost_ports);
	else if (lost_ports.kind != ERR_NONE)
		log_warn("%s", lost_ports.text);
	return r < 0 ? r : 0;
}

/* The names responder is in the host's namespaces too, and must not outlive who keeps them; it
 * reaches the world by the uplink alone. */
static int open_engine(struct usernet *u, bool is_read_only, struct err *e)
{
	struct ip dns[N_FAM];
	int r = ip_parse(HOST_DNS4, &dns[FAM4], e);

	if (r >= 0)
		r = ip_parse(HOST_DNS6, &dns[FAM6], e);
	if (r < 0)
		return r;
	engine_live_with(host_end_fd(u->host), dns);
	return engine_open(host_state_dir(u->host), is_read_only, &u->g, e);
}

int usernet_enter(struct usernet *u, bool is_lent, struct err *e)
{
	int r = u->is_to_leave ? host_stay(u->host, e) : 0;

	if (u->how != USERNET_LOOK)
		engine_within();
	if (r == 0)
		r = host_enter(u->host, is_lent, e);
	return r < 0 ? r : open_engine(u, u->how == USERNET_LOOK, e);
}

/* Before the engine is closed: a responder with nothing left to answer ends then, and nobody is to
 * miss it. */
static void note_names(struct usernet *u)
{
	struct err e = ERR_INIT;
	int32_t pid = 0;
	int r;

	if (!u->g || u->how == USERNET_LOOK)
		return;
	r = engine_names_who(u->g, &pid, &e);
	/* One that is missing stays on record, so that it is brought back. */
	if (r >= 0 && r != 2)
		r = host_note_names(u->host, pid, &e);
	if (r < 0)
		log_warn("%s", e.text);
}

int usernet_leave(struct usernet *u, struct err *e)
{
	note_names(u);
	engine_closep(&u->g);
	u->is_away = true;
	return host_leave(u->host, e);
}

int usernet_return(struct usernet *u, struct err *e)
{
	int r = host_return(u->host, e);

	if (r == 0) {
		u->is_away = false;
		r = open_engine(u, false, e);
	}
	return r;
}

void usernet_close(struct usernet *u)
{
	struct err e = ERR_INIT;

	note_names(u);
	engine_closep(&u->g);
	if (u->host && !u->is_away && host_end_if_unused(u->host, &e) < 0)
		log_warn("%s", e.text);
	outside_end();
	host_closep(&u->host);
}

bool usernet_has(const struct cli_common *c, const char *network)
{
	return host_has_network(dir_of(c), network);
}

bool usernet_has_attachment(const struct cli_common *c, const char *id, const char *ifname)
{
	return host_has_attachment(dir_of(c), id, ifname);
}

/* ---- attachments ---- */

/* The kernel's word alone would not tell what is missing. */
static int explain(int r, struct err *e)
{
	if (e->kind == ERR_DENIED || e->kind == ERR_UNSUPPORTED) {
		struct err hint = ERR_INIT;

		(void)err_set(&hint, e->kind, 0,
			      "a container that `netns-up run --network` made is always reached");
		err_gather(e, &hint);
	}
	return r;
}

static int attach(struct usernet *u, const struct up_request *req, struct publish *list,
		  struct attachment **ret, struct err *e)
{
	struct up_request q = *req;
	int r = u->g ? 0 : usernet_enter(u, true, e);

	if (r < 0)
		return r;
	r = host_inner_ports(u->host, q.id, q.ifname, list, q.n_publish, e);
	if (r < 0)
		return r;
	q.publish = list;
	r = engine_up(u->g, &q, ret, e);
	if (r < 0)
		return explain(r, e);
	host_outer_ports(u->host, *ret);
	return r;
}

int usernet_attach(struct usernet *u, const struct up_request *req, struct attachment **ret,
		   struct err *e)
{
	size_t n = req->n_publish, n_added = 0;
	CLEAN_FREE struct publish *list = calloc(n + 1, sizeof(*list));
	CLEAN_FREE struct publish *added = calloc(n + 1, sizeof(*added));
	struct err one = ERR_INIT;
	int r;

	if (!list || !added)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	if (n)
		memcpy(list, req->publish, n * sizeof(*list));
	r = host_publish(u->host, req->id, req->ifname, list, n, added, &n_added, e);
	if (r < 0)
		return r;
	r = attach(u, req, list, ret, e);
	if (r < 0 && n_added &&
	    host_unpublish(u->host, req->id, req->ifname, added, n_added, &one) < 0)
		err_gather(e, &one);
	return r;
}

int usernet_detach(struct usernet *u, const char *id, const char *ifname, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	int r;

	if (host_unpublish(u->host, id, ifname, NULL, 0, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	r = engine_down(u->g, id, ifname, &one);
	if (r < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? r : -EIO;
}

static int no_network(const char *name, struct err *e)
{
	return err_set(e, ERR_ABSENT, 0,
		       "network %s does not exist: `netns-up network create %s` makes it", name,
		       name);
}

int usernet_up(const struct attach_opts *o, const struct target *t, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct up_request req;
	int r;

	if (o->n_loopback)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--host-loopback: not with a network of several containers");
	/* --engine is refused by attach_request. */
	r = attach_request(o, t, &req, e);
	if (r >= 0)
		r = usernet_open(&o->common, USERNET_USE, &u, e);
	if (r == 1 || (r == 0 && !usernet_has(&o->common, o->network)))
		return no_network(o->network, e);
	if (r == 0)
		r = usernet_attach(&u, &req, &a, e);
	if (r >= 0)
		r = attach_check_egress(o, a, e);
	return r < 0 ? r : cli_print(&o->common, a);
}

/* ---- ports ---- */

static int publish(struct usernet *u, const char *id, const char *ifname,
		   const struct publish *given, size_t n, struct attachment **ret, struct err *e)
{
	CLEAN_FREE struct publish *list = calloc(n + 1, sizeof(*list));
	CLEAN_FREE struct publish *added = calloc(n + 1, sizeof(*added));
	struct err one = ERR_INIT;
	size_t n_added = 0;
	int r;

	if (!list || !added)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	memcpy(list, given, n * sizeof(*list));
	r = host_publish(u->host, id, ifname, list, n, added, &n_added, e);
	if (r < 0)
		return r;
	r = usernet_enter(u, false, e);
	if (r >= 0)
		r = host_inner_ports(u->host, id, ifname, list, n, e);
	if (r >= 0)
		r = engine_publish(u->g, id, ifname, list, n, ret, e);
	if (r < 0 && n_added && host_unpublish(u->host, id, ifname, added, n_added, &one) < 0)
		err_gather(e, &one);
	return r;
}

static int unpublish(struct usernet *u, const char *id, const char *ifname,
		     const struct publish *given, size_t n, struct attachment **ret, struct err *e)
{
	CLEAN_FREE struct publish *list = calloc(n + 1, sizeof(*list));
	int r = host_has_ports(u->host, id, ifname, given, n, e);

	if (r < 0)
		return r;
	if (!list)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	memcpy(list, given, n * sizeof(*list));
	r = host_inner_ports(u->host, id, ifname, list, n, e);
	if (r >= 0)
		r = usernet_enter(u, false, e);
	if (r >= 0)
		r = engine_unpublish(u->g, id, ifname, list, n, ret, e);
	return r < 0 ? r : host_unpublish(u->host, id, ifname, given, n, e);
}

int usernet_ports(const struct cli_common *c, const char *id, const char *ifname,
		  const struct publish *list, size_t n, bool is_back, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = usernet_open(c, USERNET_USE, &u, e);

	if (r == 0)
		r = (is_back ? unpublish : publish)(&u, id, ifname, list, n, &a, e);
	if (r < 0 || !a)
		return r;
	host_outer_ports(u.host, a);
	return cli_print(c, a);
}
