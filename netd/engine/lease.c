/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: addresses for interfaces that others make. A lease is an attachment's record without
 * anything in the kernel: its claims are its own like those of any attachment, so whoever cleans up
 * finds them the same way.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/gcnet.h"
#include "store/claim.h"
#include "sys/netns.h"

#define LEASE_FILE_MAX 4096

static bool comes_from(const struct attachment *a, const struct lease_request *req)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	if (n != req->n_set || strcmp(a->network, req->network) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!pool_find(&req->set[i], &list[i].addr.ip))
			return false;
	for (size_t i = 0; i < req->n_want; i++)
		if (!attachment_has_ip(a, &req->want[i]))
			return false;
	return true;
}

static int lease_new(struct engine *g, const char *id, const char *ifname, const char *network,
		     struct attachment **ret, struct err *e)
{
	struct attachment *a = calloc(1, sizeof(*a));
	struct timespec now = {0};

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "lease");
	clock_gettime(CLOCK_REALTIME, &now);
	a->kind = ATTACH_LEASE;
	a->mode = NET_ROUTED;
	a->is_leased = true;
	a->created = (int64_t)now.tv_sec;
	a->made_at = clock_boot_ns();
	snprintf(a->id, sizeof(a->id), "%s", id);
	snprintf(a->ifname, sizeof(a->ifname), "%s", ifname);
	snprintf(a->network, sizeof(a->network), "%s", network);
	memcpy(a->boot_id, g->boot_id, sizeof(a->boot_id));
	*ret = a;
	return 0;
}

/* Claims, and the record that lists them; membership first, as for any attachment. */
static int lease_take(struct work *w, const struct lease_request *req, struct err *e)
{
	char key[KEY_STRLEN];
	int r;

	name_key(req->id, req->ifname, key);
	r = member_join(w->g->store, req->network, key, e);
	if (r >= 0)
		r = addrs_from_sets(w, req->set, req->n_set, req->want, req->n_want, key, e);
	if (r >= 0) {
		w->a->phase = ATTACH_COMMITTED;
		r = store_put_attachment(w->g->store, w->a, e);
	}
	if (r < 0) {
		struct err one = ERR_INIT;
		if (prepare_release(w->g, w->a, &one) < 0)
			err_gather(e, &one);
	}
	return r < 0 ? r : 0;
}

static int lease_make(struct engine *g, const struct lease_request *req, struct attachment **ret,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = lease_new(g, req->id, req->ifname, req->network, &a, e);
	struct work w = {.g = g, .a = a};

	if (r >= 0 && req->netns_fd >= 0)
		r = netns_cookie(req->netns_fd, &a->netns_cookie, e);
	if (r < 0)
		return r;
	snprintf(a->netns_path, sizeof(a->netns_path), "%s", req->netns_path);
	r = store_lock(g->store, e);
	if (r < 0)
		return r;
	r = lease_take(&w, req, e);
	store_unlock(g->store);
	if (r < 0)
		return r;
	*ret = a;
	a = NULL;
	return ENGINE_DONE;
}

static int lease_found(struct engine *g, const struct lease_request *req, struct attachment *have,
		       struct err *e)
{
	if (have->phase == ATTACH_LEAVING)
		return teardown_all(g, have, false, e);
	if (have->kind == ATTACH_LEASE && have->phase == ATTACH_COMMITTED) {
		if (comes_from(have, req))
			return ENGINE_NOTHING;
		return teardown_all(g, have, false, e); /* the configuration has changed */
	}
	if (have->is_leased && comes_from(have, req))
		return ENGINE_NOTHING;
	return err_what(
		e, err_set(e, ERR_CONFLICT, 0, "%s/%s is an attachment", have->id, have->ifname),
		WHAT_INTERFACE);
}

static int lease_once(struct engine *g, const struct lease_request *req, struct attachment **ret,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *have = NULL;
	char key[KEY_STRLEN];
	int r = name_check_network(req->network, "network name", e);

	if (r < 0)
		return r;
	if (req->n_set == 0)
		return err_set(e, ERR_USAGE, 0, "expected a range of addresses");
	name_key(req->id, req->ifname, key);
	r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, req->id, req->ifname, &have, e);
	if (r == 0)
		r = lease_found(g, req, have, e);
	else if (r == 1)
		r = 0;
	if (r == ENGINE_NOTHING) {
		*ret = have;
		have = NULL;
	} else if (r == 0) {
		r = lease_make(g, req, ret, e);
	}
	g->tidy = g->tidy && r < 0;
	store_unlock_key(g->store, key);
	return r;
}

int engine_lease(struct engine *g, const struct lease_request *req, struct attachment **ret,
		 struct err *e)
{
	struct err first = ERR_INIT;
	int r = lease_once(g, req, ret, &first);

	if (r < 0 && gcnet_may_retry(g, req->network, &first)) {
		err_reset(&first);
		r = lease_once(g, req, ret, &first);
	}
	if (r < 0)
		err_gather(e, &first);
	return r;
}

int engine_release(struct engine *g, const char *id, const char *ifname, struct err *e)
{
	return engine_take_off(g, id, ifname, PART_LEASE, e);
}

/* ---- import ---- */

struct import {
	struct engine *g;
	const char *network;
	int dirfd;
	size_t n;
};

/* "ID", and "IFNAME" in a second line where there is one; lines end with CR LF or LF. */
static bool parse_lease(char *text, const char **ret_id, const char **ret_ifname)
{
	char *id = text, *ifname = text + strcspn(text, "\r\n");

	if (*ifname) {
		*ifname++ = '\0';
		ifname += strspn(ifname, "\r\n");
		ifname[strcspn(ifname, "\r\n")] = '\0';
	}
	*ret_id = id;
	*ret_ifname = *ifname ? ifname : "eth0";
	return name_check_id(*ret_id, "container id", NULL) == 0 &&
	       name_check_ifname(*ret_ifname, "interface name", NULL) == 0;
}

/* Adds the address to the lease of that name, which may be there from another file. */
static int import_into(struct import *t, struct attachment *a, const struct ip *ip, const char *key,
		       struct err *e)
{
	struct attach_ip one = {.addr = {.ip = *ip, .len = (uint8_t)(8 * ip_size(ip))}};
	int r = store_lock(t->g->store, e);

	if (r < 0)
		return r;
	r = member_join(t->g->store, t->network, key, e);
	if (r >= 0)
		r = claim_addr(t->g->store, ip, key, e);
	if (r >= 0)
		r = attachment_add_ip(a, &one, e);
	if (r >= 0) {
		a->phase = ATTACH_COMMITTED;
		r = store_put_attachment(t->g->store, a, e);
		if (r < 0)
			claim_drop_addr(t->g->store, ip, key, NULL);
	}
	if (r < 0 && !store_has_attachment(t->g->store, key))
		prepare_leave(t->g, key, NULL);
	store_unlock(t->g->store);
	return r < 0 ? r : 0;
}

static int import_lease(struct import *t, const char *id, const char *ifname, const struct ip *ip,
			struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char key[KEY_STRLEN];
	int r;

	name_key(id, ifname, key);
	r = store_lock_key(t->g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(t->g->store, id, ifname, &a, e);
	/* What one that is leaving lists is not its own any more. */
	if (r == 0 && a->phase == ATTACH_LEAVING) {
		r = teardown_all(t->g, a, false, e);
		attachment_freep(&a);
		r = r < 0 ? r : 1;
	}
	if (r == 1)
		r = lease_new(t->g, id, ifname, t->network, &a, e);
	if (r >= 0 && !attachment_has_ip(a, ip)) {
		if (a->kind != ATTACH_LEASE)
			r = err_set(e, ERR_CONFLICT, 0, "%s/%s is an attachment", id, ifname);
		else
			r = import_into(t, a, ip, key, e);
		t->n += r >= 0;
	}
	store_unlock_key(t->g->store, key);
	return r < 0 ? r : 0;
}

static int import_file(struct import *t, const char *name, struct err *e)
{
	CLEAN_FREE char *text = NULL;
	CLEAN_FD int fd = -1;
	const char *id, *ifname;
	struct ip ip;
	size_t len;

	if (ip_parse(name, &ip, NULL) < 0)
		return 0;
	fd = openat(t->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "lease %s", name);
	if (fd_read_all(fd, LEASE_FILE_MAX, &text, &len, e) < 0)
		return err_ctx(e, -EIO, "lease %s", name);
	if (strlen(text) != len || !parse_lease(text, &id, &ifname))
		return err_set(e, ERR_PROTOCOL, 0, "lease %s names no container", name);
	return err_ctx(e, import_lease(t, id, ifname, &ip, e), "lease %s", name);
}

int engine_import_host_local(struct engine *g, const char *dir, const char *network, size_t *ret_n,
			     struct err *e)
{
	struct import t = {.g = g, .network = network};
	struct err all = ERR_INIT;
	CLEAN_FD int fd = -1;
	int r = name_check_network(network, "network name", e);

	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "directory %s", dir);
	t.dirfd = fd;
	DIR *d = fdopendir(dup(fd));
	if (!d)
		return err_sys(e, errno, "directory %s", dir);
	for (struct dirent *de; (de = readdir(d));) {
		struct err one = ERR_INIT;
		if (import_file(&t, de->d_name, &one) < 0)
			err_gather(&all, &one);
	}
	closedir(d);
	g->tidy = g->tidy && t.n == 0;
	*ret_n = t.n;
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}
