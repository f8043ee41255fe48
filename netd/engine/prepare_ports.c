/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prepare_ports: the host ports of a transaction: claims among attachments, sockets among programs
 * of the host, and the choice of a free one. A claim comes with its socket or goes. Global lock
 * held.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/internal.h"
#include "store/claim.h"

/* The families whose host ports a run takes: on loopback the forwarder carries one to the other. */
static void port_families(const struct publish *p, const bool has[N_FAM], bool ret[N_FAM])
{
	for (int f = 0; f < N_FAM; f++)
		ret[f] = has[f] || ip_is_loopback(&p->host_ip);
}

static int claim_run(struct engine *g, const struct publish *p, const bool has[N_FAM],
		     const char *key, struct err *e)
{
	bool fam[N_FAM];

	port_families(p, has, fam);
	return claim_ports(g->store, p, fam, key, e);
}

static int drop_run(struct engine *g, const struct publish *p, const bool has[N_FAM],
		    const char *key, struct err *e)
{
	bool fam[N_FAM];

	port_families(p, has, fam);
	return claim_drop_ports(g->store, p, fam, key, e);
}

static bool is_recorded(const char *key, void *arg)
{
	return store_has_attachment(arg, key);
}

int prepare_sweep_ports(struct engine *g, struct reserve *res, struct err *e)
{
	return reserve_sweep(res, is_recorded, g->store, e);
}

#define PICK_BY_KERNEL 32
#define PICK_BY_HAND 4096
#define PICK_LAST 65535
#define PICK_FIRST 1024

/* The runs that a picked port must not be in: those of the request, and those the attachment has
 * published before (NULL: none). A claim of the same key would not show it. */
static bool is_own_port(const struct attachment *have, const struct publish *p, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		if (i != at && publish_overlaps(&p[i], &p[at]))
			return true;
	for (size_t i = 0; have && i < have->n_publish; i++)
		if (publish_overlaps(&have->publish[i], &p[at]))
			return true;
	return false;
}

/* port 0: the kernel's choice. The socket first, then the claim. -EEXIST: another port may do. */
static int try_port(struct work *w, const struct attachment *have, struct publish *p, size_t n,
		    size_t at, uint16_t port, const char *key, struct err *e)
{
	size_t before = reserve_n_bound(w->res);
	char s[PUBLISH_STRLEN];
	bool has[N_FAM];

	attachment_families(w->a, has);
	err_reset(e);
	p[at].host_port = port;
	int r = reserve_bind(w->res, &p[at], has, e);
	if (r >= 0 && is_own_port(have, p, n, at))
		r = err_set(e, ERR_CONFLICT, EADDRINUSE, "publish %s: %s/%s has that port",
			    publish_str(&p[at], s), w->a->id, w->a->ifname);
	else if (r >= 0)
		r = claim_run(w->g, &p[at], has, key, e);
	if (r >= 0)
		return 0;
	reserve_cut(w->res, before);
	p[at].host_port = 0;
	return e->kind == ERR_CONFLICT ? -EEXIST : r;
}

/* The port may be in a wide range, which holds no sockets, of this or another container; then it is
 * another one's turn. The kernel prefers one half of what it picks from, so where that half is
 * published it never comes to the other. */
static int pick_port(struct work *w, const struct attachment *have, struct publish *p, size_t n,
		     size_t at, const char *key, struct err *e)
{
	struct publish one = p[at];
	int r = -EEXIST, left = PICK_BY_HAND;

	for (int i = 0; r == -EEXIST && i < PICK_BY_KERNEL; i++)
		r = try_port(w, have, p, n, at, 0, key, e);
	for (int port = PICK_LAST; r == -EEXIST && left && port >= PICK_FIRST; port--) {
		p[at].host_port = (uint16_t)port;
		if (is_own_port(have, p, n, at))
			continue;
		left--;
		r = try_port(w, have, p, n, at, (uint16_t)port, key, e);
	}
	if (r < 0)
		p[at] = one;
	return r;
}

/* The port is known: the claim first, because its error names the container that has it. */
static int claim_port(struct work *w, struct publish *p, const bool has[N_FAM], const char *key,
		      struct err *e)
{
	char s[PUBLISH_STRLEN];

	int r = claim_run(w->g, p, has, key, e);
	if (r < 0)
		return r;
	r = reserve_bind(w->res, p, has, e);
	/* No record has it, so it may be our own forwarder that outlived its state. */
	if (r == -EADDRINUSE && prepare_sweep_ports(w->g, w->res, NULL) > 0) {
		err_reset(e);
		r = reserve_bind(w->res, p, has, e);
	}
	if (r >= 0)
		return 0;
	drop_run(w->g, p, has, key, NULL);
	return err_ctx(e, r, "publish %s", publish_str(p, s));
}

static int check_host_ip(const struct publish *p, const bool has[N_FAM], struct err *e)
{
	char s[PUBLISH_STRLEN];

	if (!p->host_ip.family)
		return 0;
	if (!ip_is_loopback(&p->host_ip) && !has[ip_fam(&p->host_ip)])
		return err_set(e, ERR_USAGE, 0, "publish %s: the container has no IPv%d address",
			       publish_str(p, s), p->host_ip.family == AF_INET ? 4 : 6);
	if (ip_is_loopback(&p->host_ip) &&
	    (p->count > PUBLISH_HELD_MAX || p->proto == IPPROTO_SCTP))
		return err_set(
			e, ERR_UNSUPPORTED, 0,
			"publish %s: on loopback only tcp and udp, and ranges of at most %d ports",
			publish_str(p, s), PUBLISH_HELD_MAX);
	return 0;
}

/* Given ports first: one that is picked has to keep out of their way. */
static int claim_all_ports(struct work *w, const struct attachment *have, struct publish *p,
			   size_t n, const char *key, struct err *e)
{
	bool has[N_FAM];
	int r = 0;

	attachment_families(w->a, has);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = check_host_ip(&p[i], has, e);
		if (r >= 0 && p[i].host_port)
			r = claim_port(w, &p[i], has, key, e);
		engine_progress(w->g, "ports", i + 1, n);
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (p[i].host_port == 0)
			r = pick_port(w, have, p, n, i, key, e);
	return r;
}

void prepare_unbind(struct work *w)
{
	if (w->res)
		reserve_cut(w->res, 0);
}

int prepare_claim_ports(struct work *w, const struct attachment *have, struct publish *p, size_t n,
			struct err *e)
{
	char key[KEY_STRLEN];
	int r = 0;

	if (n == 0)
		return 0;
	if (w->a->internal)
		return err_set(e, ERR_USAGE, 0,
			       "network %s is internal: nothing can be published from it",
			       w->net.name);
	name_key(w->a->id, w->a->ifname, key);
	if (!w->res)
		r = reserve_open(store_dirfd(w->g->store), &w->res, e);
	if (r >= 0)
		r = claim_all_ports(w, have, p, n, key, e);
	if (r >= 0)
		return 0;
	prepare_unbind(w);
	prepare_drop_ports(w->g, w->a, p, n, NULL);
	return e && e->kind == ERR_CONFLICT ? err_what(e, r, WHAT_PORT) : r;
}

int prepare_drop_ports(struct engine *g, const struct attachment *a, const struct publish *p,
		       size_t n, struct err *e)
{
	struct err all = ERR_INIT;
	char key[KEY_STRLEN];
	bool has[N_FAM];

	name_key(a->id, a->ifname, key);
	attachment_families(a, has);
	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;
		if (p[i].host_port && drop_run(g, &p[i], has, key, &one) < 0)
			err_gather(&all, &one);
	}
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : -EIO;
}
