/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine: opening and closing, and the calls that only read. It owns the sockets of one program
 * run.
 */
#include "engine/engine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "engine/internal.h"
#include "net/fwdstart.h"
#include "net/nft.h"
#include "store/keys.h"
#include "sys/bootid.h"
#include "sys/netns.h"

static int check_privilege(struct err *e)
{
	static const struct {
		unsigned int number;
		const char *name;
	} needed[] = {{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	(void)syscall(SYS_capget, &h, d);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(d[needed[i].number / 32].effective & (1u << (needed[i].number % 32))))
			return err_set(e, ERR_DENIED, 0,
				       "%s is missing: run this as root, or as root of a user "
				       "namespace that owns the host's network namespace",
				       needed[i].name);
	return 0;
}

/* The path without slashes at its end: the same directory made anew goes on with what it finds. */
static uint32_t owner_of(const char *dir)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	return (uint32_t)hash64(dir, len, 0x6f776e);
}

uint32_t engine_owner(const char *state_dir)
{
	return owner_of(state_dir ? state_dir : ENGINE_STATE_DIR);
}

int engine_open(const char *state_dir, bool read_only, struct engine **ret, struct err *e)
{
	CLEAN_ENGINE struct engine *g = calloc(1, sizeof(*g));
	if (!g)
		return err_set(e, ERR_INTERNAL, ENOMEM, "engine");
	g->tidy = !read_only;
	g->names.fd = -1;
	/* libnftables ends the process when memory runs short: it shall be another one. */
	nft_use_child(true);
	g->owner = engine_owner(state_dir);
	g->state_dir = strdup(state_dir ? state_dir : ENGINE_STATE_DIR);
	if (!g->state_dir)
		return err_set(e, ERR_INTERNAL, ENOMEM, "engine");
	int r = read_only ? 0 : check_privilege(e);
	if (r == 0)
		r = bootid_get(g->boot_id, e);
	if (r == 0)
		r = rtnl_open(&g->host, e);
	if (r == 0)
		r = rtnl_cookie(g->host, &g->cookie, e);
	if (r == 0 && !read_only)
		r = nftbatch_open(&g->nft, e);
	if (r == 0 && !read_only)
		r = hold_writer(g->nft, g->state_dir, e);
	if (r == 0)
		r = store_open(g->state_dir, !read_only, g->cookie, g->boot_id, &g->store, e);
	if (r != 0)
		return r;
	*ret = g;
	g = NULL;
	return 0;
}

void engine_live_with(int end_fd, const struct ip resolver[N_FAM])
{
	fwdstart_live_with(end_fd, resolver);
}

struct implicit {
	struct store *s;
	char name[NETNAME_STRLEN];
};

static int see_implicit(const struct network *n, void *arg)
{
	struct implicit *i = arg;

	if (n->implicit)
		memcpy(i->name, n->name, sizeof(i->name));
	return 0;
}

/* A call that found or left nothing leaves no state directory either. */
static int tidy(struct engine *g)
{
	struct store *s = g->store;
	struct implicit i = {.s = s};

	int r = store_lock(s, NULL);

	if (r < 0)
		return r;
	if (!member_any(s, g->network[0] ? g->network : NULL)) {
		int k = store_each_network(s, see_implicit, &i, NULL);

		if (k >= 0 && i.name[0])
			k = store_del_network(s, i.name, NULL);
		r = store_remove_if_empty(s, NULL);
		r = k < 0 && r == 1 ? k : r; /* what could not be looked at may be what is left */
	}
	store_unlock(s);
	return r;
}

void engine_closep(struct engine **p)
{
	struct engine *g = *p;

	if (!g)
		return;
	/* Once more when it fails: what made the call fail may just be over. */
	if (g->store && g->tidy && tidy(g) < 0)
		tidy(g);
	nameslink_close(&g->names);
	store_closep(&g->store);
	nftbatch_closep(&g->nft);
	rtnl_close(g->host);
	free(g->state_dir);
	free(g);
	*p = NULL;
}

void work_clear(struct work *w)
{
	route_watch_closep(&w->watch);
	reserve_closep(&w->res);
	rtnl_close(w->inside);
	w->inside = NULL;
	free(w->names);
	w->names = NULL;
}

int work_inside(struct work *w, struct err *e)
{
	if (w->inside)
		return 0;
	return rtnl_open_in(w->netns_fd, &w->inside, e);
}

void conf_key(char out[SYSCTL_KEYLEN], int fam, const char *ifname, const char *leaf)
{
	snprintf(out, SYSCTL_KEYLEN, "net/ipv%d/conf/%s/%s", fam == FAM4 ? 4 : 6, ifname, leaf);
}

void attachment_families(const struct attachment *a, bool has[N_FAM])
{
	for (int f = 0; f < N_FAM; f++)
		has[f] = a->addr[f].ip.family != 0;
}

/* A descriptor of the attachment's namespace if its recorded path still leads to it. The path is
 * only a hint: the cookie decides. -1 when it cannot be had. */
int attachment_netns(const struct attachment *a)
{
	CLEAN_FD int fd = -1;
	uint64_t cookie;

	if (a->netns_path[0] == 0 || netns_open_path(a->netns_path, &fd, NULL) < 0 ||
	    netns_cookie(fd, &cookie, NULL) < 0 || cookie != a->netns_cookie)
		return -1;
	return fd_take(&fd);
}

int attachment_is_alive(struct engine *g, const struct attachment *a, struct err *e)
{
	struct link_info l;
	int r;

	if (a->kind == ATTACH_VETH) {
		r = link_get(g->host, a->host_ifname, &l, e);
		return r < 0 ? r : r == 0 && l.index == a->host_ifindex;
	}
	if (a->netns_path[0] == 0 || a->netns_cookie == 0)
		return ALIVE_UNKNOWN;
	CLEAN_FD int fd = attachment_netns(a);
	return fd >= 0;
}

void engine_on_progress(struct engine *g,
			void (*fn)(const char *what, size_t i, size_t n, void *arg), void *arg)
{
	g->progress = fn;
	g->progress_arg = arg;
}

void engine_progress(struct engine *g, const char *what, size_t i, size_t n)
{
	if (g->progress)
		g->progress(what, i, n, g->progress_arg);
}

int engine_get(struct engine *g, const char *id, const char *ifname, struct attachment **ret,
	       struct err *e)
{
	return store_get_attachment(g->store, id, ifname, ret, e);
}

int engine_each(struct engine *g, int (*fn)(const struct attachment *a, void *arg),
		void (*on_broken)(const char *name, const struct err *why, void *arg), void *arg,
		struct err *e)
{
	return store_each_attachment(g->store, fn, on_broken, arg, e);
}

struct naming {
	struct store *store;
	int (*fn)(const char *id, const char *ifname, void *arg);
	void *arg;
};

/* A member without a record: what a killed process left, which `down` removes. */
static int see_unrecorded(const char *network, const char *key, void *arg)
{
	struct naming *n = arg;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	(void)network;
	if (name_parse_key(key, id, ifname) < 0 || store_has_attachment(n->store, key))
		return 0;
	return n->fn(id, ifname, n->arg);
}

int engine_each_name(struct engine *g, const char *begin,
		     int (*fn)(const char *id, const char *ifname, void *arg), void *arg,
		     struct err *e)
{
	struct naming n = {.store = g->store, .fn = fn, .arg = arg};
	int r = store_each_key(g->store, begin, fn, arg, e);

	return r != 0 ? r : member_each(g->store, begin, see_unrecorded, &n, e);
}

int engine_cookie(int netns_fd, uint64_t *ret, struct err *e)
{
	return netns_cookie(netns_fd, ret, e);
}
