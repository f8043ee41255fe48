/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names: the engine's side of the names responder. The network's record says on which port, and
 * attachments' records say all that the responder is told, so a responder that died is told again
 * by whoever comes next. Order: record, elements, sockets; away: names, then, with the network, the
 * elements and the sockets. What takes away never minds that nobody is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/grow.h"
#include "base/hash.h"
#include "engine/internal.h"

#define SHORT_ID_FULL 64 /* hex digits of an id that is too long for a label */
#define SHORT_ID_LEN 12  /* what everybody cuts it down to */

static bool has_resolver(const struct network *n)
{
	struct ip at;

	return network_resolver(n, FAM4, &at) || network_resolver(n, FAM6, &at);
}

void names_fill(const struct network *n, struct attachment *a)
{
	struct ip at;

	for (int f = 0; f < N_FAM; f++)
		if (a->addr[f].ip.family && network_resolver(n, f, &at))
			a->resolver[f] = at;
}

/* A request to a responder that is there. NAMESLINK_NONE: there is none. A connection that said
 * nothing for long has been closed, so one that is found lost is made once more. */
static int call(struct engine *g, struct namesmsg *m, struct namesmsg *ret, struct err *e)
{
	int r = NAMESLINK_NONE;

	for (int i = 0; r == NAMESLINK_NONE && i < 2; i++) {
		r = nameslink_open(&g->names, false, e);
		if (r != 0)
			return r;
		r = nameslink_call(&g->names, m, NULL, 0, ret, e);
	}
	return r;
}

/* ---- networks ---- */

static void describe(const struct network *n, struct namesmsg *ret)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);

	*ret = (struct namesmsg){.op = NAMESMSG_NETWORK,
				 .port = n->names_port,
				 .is_internal = n->internal,
				 .n_ip = (uint8_t)k};
	snprintf(ret->network, sizeof(ret->network), "%s", n->name);
	for (int f = 0; f < N_FAM; f++)
		(void)network_resolver(n, f, &ret->listen[f]);
	for (size_t i = 0; i < k; i++) {
		ret->ip[i] = list[i].subnet.ip;
		ret->len[i] = list[i].subnet.len;
	}
}

static bool same_network(const struct namesmsg *a, const struct namesmsg *b)
{
	bool same = a->port == b->port && a->is_internal == b->is_internal && a->n_ip == b->n_ip;

	for (int f = 0; f < N_FAM; f++)
		same = same && ip_equal(&a->listen[f], &b->listen[f]);
	for (size_t i = 0; same && i < a->n_ip; i++)
		same = ip_equal(&a->ip[i], &b->ip[i]) && a->len[i] == b->len[i];
	return same;
}

/* Asks. */
static int look(struct work *w, struct err *e)
{
	struct namesmsg want, ask = {.op = NAMESMSG_ASK}, have;
	struct err one = ERR_INIT;
	int r;

	w->obs.has_resolver = false;
	snprintf(ask.network, sizeof(ask.network), "%s", w->net.name);
	r = call(w->g, &ask, &have, &one);
	if (r < 0 && r != -ENOENT) {
		err_gather(e, &one);
		return r;
	}
	describe(&w->net, &want);
	w->obs.has_resolver = r == 0 && same_network(&want, &have);
	return 0;
}

/* Where others are members it is served; if it is not, names_put will see. */
int names_observe_network(struct work *w, struct err *e)
{
	bool is_likely =
		!w->g->deep && w->first == MEMBER_OTHERS && !w->is_new_network && w->net.names_port;

	w->obs.has_resolver = is_likely || !has_resolver(&w->net);
	return w->obs.has_resolver ? 0 : look(w, e);
}

/* The elements that lead to the sockets, in place of those that led to others. */
static int lead(struct work *w, const struct network *before, struct err *e)
{
	CLEAN_ELEMS struct elem_list old = {0}, new = {0};
	struct err one = ERR_INIT;
	int r = elem_of_resolver(before, &old, e);

	if (r >= 0)
		r = elem_of_resolver(&w->net, &new, e);
	if (r >= 0 && before->names_port && before->names_port != w->net.names_port)
		r = nftbatch_del(w->g->nft, &old, e);
	if (r < 0)
		return r;
	r = nftbatch_add(w->g->nft, &new, NULL, &one);
	if (r == -EEXIST) { /* left behind by another one of that address */
		err_reset(&one);
		r = nftbatch_del(w->g->nft, &new, &one);
		if (r >= 0)
			r = nftbatch_add(w->g->nft, &new, NULL, &one);
	}
	if (r < 0)
		err_gather(e, &one);
	return r;
}

static int serve_once(struct work *w, struct err *e)
{
	struct network before = w->net;
	int fds[NAMESMSG_FDS];
	struct namesmsg m;
	size_t n = 0;
	int r = nameslink_open(&w->g->names, true, e);

	if (r < 0)
		return r;
	describe(&w->net, &m);
	if (!m.port) /* networks' first choices are not the same */
		m.port = (uint16_t)(NAMESLINK_PORT +
				    hash64(w->net.name, strlen(w->net.name), 0x6e73) % 4000);
	r = nameslink_bind(&m, fds, &n, e);
	if (r < 0)
		return r;
	if (m.port != w->net.names_port) {
		w->net.names_port = m.port;
		r = store_put_network(w->g->store, &w->net, e);
	}
	if (r >= 0)
		r = lead(w, &before, e);
	if (r >= 0)
		r = nameslink_call(&w->g->names, &m, fds, n, NULL, e);
	for (size_t i = 0; i < n; i++)
		fd_closep(&fds[i]);
	return r;
}

int names_serve(struct work *w, struct err *e)
{
	int r = NAMESLINK_NONE;

	if (!has_resolver(&w->net))
		return 0;
	/* One that was about to end may be gone by now. */
	for (int i = 0; r == NAMESLINK_NONE && i < 3; i++)
		r = serve_once(w, e);
	if (r == NAMESLINK_NONE)
		r = err_set(e, ERR_BUSY, 0, "the names responder ends as soon as it begins");
	return r;
}

int names_drop(struct engine *g, const char *network, struct err *e)
{
	struct namesmsg m = {.op = NAMESMSG_DROP};
	int r;

	if (network)
		snprintf(m.network, sizeof(m.network), "%s", network);
	r = call(g, &m, NULL, e);
	return r < 0 ? r : 0;
}

/* ---- attachments ---- */

#define NAMES_MAX (2 + ATTACH_ALIAS_MAX)
struct names {
	size_t n;
	char v[NAMES_MAX][ALIAS_STRLEN];
	struct namesmsg m[1 + NAMES_MAX]; /* to tell them */
};

/* Labels of 1 to 63 bytes, a dot at the end that says nothing. */
static void add(struct names *l, const char *name, size_t len)
{
	char text[ALIAS_STRLEN];
	size_t label = 0;

	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len >= sizeof(text) - 1)
		return;
	memcpy(text, name, len);
	text[len] = '\0';
	for (size_t i = 0; i <= len; i++) {
		if (text[i] != '.' && text[i] != '\0') {
			label++;
			continue;
		}
		if (label == 0 || label > 63)
			return;
		label = 0;
	}
	for (size_t i = 0; i < l->n; i++)
		if (strcasecmp(l->v[i], text) == 0)
			return;
	if (l->n < NAMES_MAX)
		memcpy(l->v[l->n++], text, len + 1);
}

/* Users of the daemon see their own only, by the names that they gave. */
static const char *own_id(const struct attachment *a)
{
	char prefix[24];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "user-%u.", a->uid);

	return a->uid && strncmp(a->id, prefix, len) == 0 ? a->id + len : a->id;
}

static void names_of(const struct attachment *a, struct names *ret)
{
	const char *id = own_id(a);
	size_t len = strlen(id);

	ret->n = 0;
	add(ret, id, len);
	if (len == SHORT_ID_FULL && strspn(id, "0123456789abcdef") == len)
		add(ret, id, SHORT_ID_LEN);
	for (size_t i = 0; i < a->n_alias; i++)
		add(ret, a->alias[i], strlen(a->alias[i]));
}

static void entry(const struct attachment *a, enum namesmsg_op op, struct namesmsg *ret)
{
	*ret = (struct namesmsg){.op = op};
	snprintf(ret->network, sizeof(ret->network), "%s", a->network);
	name_key(a->id, a->ifname, ret->key);
}

static void put_of(const struct attachment *a, struct namesmsg *ret)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	entry(a, NAMESMSG_PUT, ret);
	ret->uid = a->uid;
	ret->is_kept = attach_egress_has_names(&a->egress);
	for (size_t i = 0; i < n && i < NAMESMSG_IPS; i++)
		ret->ip[ret->n_ip++] = list[i].addr.ip;
}

static void fill_put(const struct attachment *a, struct names *l)
{
	put_of(a, &l->m[0]);
	for (size_t i = 0; i < l->n; i++) {
		entry(a, NAMESMSG_NAME, &l->m[1 + i]);
		memcpy(l->m[1 + i].name, l->v[i], strlen(l->v[i]) + 1);
	}
}

/* Who may go to where names lead has a keeper that lets it. */
static int need_keeper(struct engine *g, const struct attachment *a, struct err *e)
{
	struct namesmsg ask, have;
	int r;

	if (!attach_egress_has_names(&a->egress))
		return 0;
	entry(a, NAMESMSG_ASK, &ask);
	r = call(g, &ask, &have, e);
	return r != 0 || have.has_keeper ? r : nameskeep_start(g, e);
}

static int put_once(struct engine *g, const struct attachment *a, struct names *l, struct err *e)
{
	int r = nameslink_open(&g->names, false, e);

	if (r != 0)
		return r;
	fill_put(a, l);
	r = nameslink_call_all(&g->names, l->m, 1 + l->n, e);
	return r < 0 || r == NAMESLINK_NONE ? r : need_keeper(g, a, e);
}

/* 1: nothing of it, or not all, is known; 0: it is. */
static int is_missing(struct engine *g, const struct attachment *a, const struct names *l,
		      struct err *e)
{
	struct namesmsg want, ask, have;
	struct err one = ERR_INIT;
	int r;

	entry(a, NAMESMSG_ASK, &ask);
	r = call(g, &ask, &have, &one);
	if (r == -ENOENT || r == NAMESLINK_NONE)
		return 1;
	if (r < 0) {
		err_gather(e, &one);
		return r;
	}
	put_of(a, &want);
	bool same = have.n_ip == want.n_ip && have.n_name == l->n && have.uid == want.uid &&
		    have.is_kept == want.is_kept && (!want.is_kept || have.has_keeper);
	for (size_t i = 0; same && i < want.n_ip; i++)
		same = ip_equal(&have.ip[i], &want.ip[i]);
	return !same;
}

int names_observe(struct work *w, struct err *e)
{
	struct names *l = calloc(1, sizeof(*l));
	int r = 0;

	w->obs.has_names = !has_resolver(&w->net);
	if (!l)
		return err_set(e, ERR_INTERNAL, ENOMEM, "names");
	names_of(w->a, l);
	if (!w->obs.has_names)
		r = is_missing(w->g, w->a, l, e);
	if (r >= 0)
		w->obs.has_names = r == 0;
	free(l);
	return r < 0 ? r : 0;
}

static struct names *names_of_work(struct work *w)
{
	if (!w->names) {
		/* Mostly it holds a name or two: the rest of its 70 KB is never touched. */
		w->names = malloc(sizeof(*w->names));
		if (w->names)
			names_of(w->a, w->names);
	}
	return w->names;
}

int names_ask(struct work *w, struct err *e)
{
	struct names *l = names_of_work(w);

	if (!l)
		return err_set(e, ERR_INTERNAL, ENOMEM, "names");
	if (nameslink_open(&w->g->names, false, NULL) != 0)
		return 0; /* names_put finds out why */
	fill_put(w->a, l);
	nameslink_ask_all(&w->g->names, l->m, 1 + l->n);
	return 0;
}

/* A responder that died since it was looked at is started again. */
int names_put(struct work *w, struct err *e)
{
	struct names *l = names_of_work(w);
	struct err one = ERR_INIT;
	int r;

	if (!l)
		return err_set(e, ERR_INTERNAL, ENOMEM, "names");
	r = put_once(w->g, w->a, l, &one);
	if ((r == NAMESLINK_NONE || r == -ENOENT) && has_resolver(&w->net)) {
		err_reset(&one);
		r = store_lock(w->g->store, &one);
		if (r >= 0) {
			r = names_serve(w, &one);
			store_unlock(w->g->store);
		}
		if (r >= 0)
			r = put_once(w->g, w->a, l, &one);
		if (r == NAMESLINK_NONE)
			r = err_set(&one, ERR_BUSY, 0, "the names responder is gone again");
	}
	if (r < 0)
		err_gather(e, &one);
	return r < 0 ? r : 0;
}

void names_ask_remove(struct engine *g, const struct attachment *a)
{
	struct namesmsg m;

	if (nameslink_open(&g->names, false, NULL) != 0)
		return; /* names_remove finds out why */
	entry(a, NAMESMSG_REMOVE, &m);
	nameslink_ask_all(&g->names, &m, 1);
}

int names_remove(struct engine *g, const struct attachment *a, struct err *e)
{
	struct namesmsg m;
	int r = NAMESLINK_NONE;

	entry(a, NAMESMSG_REMOVE, &m);
	for (int i = 0; r == NAMESLINK_NONE && i < 2; i++) {
		r = nameslink_open(&g->names, false, e);
		if (r != 0)
			break;
		r = nameslink_call_all(&g->names, &m, 1, e);
	}
	return r < 0 ? r : 0;
}

/* ---- all together ---- */

int names_sweep(struct engine *g, struct err *e)
{
	struct namesmsg at = {.op = NAMESMSG_LIST}, item;

	for (;;) {
		struct namesmsg away = {.op = NAMESMSG_DROP};
		int r = call(g, &at, &item, e);
		if (r != 0 || item.op != NAMESMSG_ITEM)
			return r < 0 ? r : 0;
		at.at = item.at;
		if (item.key[0] ? store_has_attachment(g->store, item.key)
				: member_peek(g->store, item.network, NULL) == MEMBER_OTHERS)
			continue;
		memcpy(away.network, item.network, sizeof(away.network));
		memcpy(away.key, item.key, sizeof(away.key));
		away.op = item.key[0] ? NAMESMSG_REMOVE : NAMESMSG_DROP;
		r = call(g, &away, NULL, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int revive_network(const char *name, void *arg)
{
	struct work w = {.g = arg};
	struct err none = ERR_INIT;

	if (store_get_network(w.g->store, name, &w.net, NULL) == 0 && has_resolver(&w.net) &&
	    look(&w, &none) >= 0 && !w.obs.has_resolver)
		(void)names_serve(&w, NULL);
	return 0;
}

struct named {
	size_t n, cap;
	char (*key)[KEY_STRLEN];
};

static int see_named(const struct attachment *a, void *arg)
{
	struct named *l = arg;

	if (a->phase != ATTACH_COMMITTED || !attachment_has_names(a))
		return 0;
	if (!GROW(l->key, l->n, l->cap))
		return -ENOMEM;
	name_key(a->id, a->ifname, l->key[l->n++]);
	return 0;
}

static void revive(struct engine *g, const char *key, struct names *l)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	if (name_parse_key(key, id, ifname) < 0 || store_lock_key(g->store, key, NULL) < 0)
		return;
	if (store_get_attachment(g->store, id, ifname, &a, NULL) == 0 &&
	    a->phase == ATTACH_COMMITTED && attachment_has_names(a)) {
		names_of(a, l);
		if (is_missing(g, a, l, NULL) == 1)
			(void)put_once(g, a, l, NULL);
	}
	store_unlock_key(g->store, key);
}

static int see_wanted(const struct attachment *a, void *arg)
{
	bool *is_wanted = arg;

	*is_wanted = *is_wanted || attachment_has_names(a);
	return 0;
}

int engine_names_who(struct engine *g, int32_t *ret, struct err *e)
{
	struct namesmsg first = {.op = NAMESMSG_LIST}, item = {0};
	bool is_wanted = false;
	int r = call(g, &first, &item, e);

	if (r == 0 && item.op == NAMESMSG_ITEM)
		r = nameslink_who(&g->names, ret, e);
	else if (r == 0)
		r = NAMESLINK_NONE;
	if (r != NAMESLINK_NONE)
		return r < 0 ? r : 0;
	r = store_each_attachment(g->store, see_wanted, NULL, &is_wanted, e);
	return r < 0 ? r : is_wanted ? 2 : ENGINE_NOTHING;
}

void names_revive(struct engine *g)
{
	struct names *names = g->names.started ? calloc(1, sizeof(*names)) : NULL;
	struct named l = {0};

	g->names.started = false;
	if (!names) {
		nameslink_close(&g->names); /* who waits for a command now says nothing for long */
		return;
	}
	if (store_lock(g->store, NULL) >= 0) {
		(void)member_each_network(g->store, revive_network, g, NULL);
		store_unlock(g->store);
	}
	if (store_each_attachment(g->store, see_named, NULL, &l, NULL) >= 0)
		for (size_t i = 0; i < l.n; i++)
			revive(g, l.key[i], names);
	free(l.key);
	free(names);
	nameslink_close(&g->names);
}

int engine_names_keep(struct engine *g, bool is_doubtful, int *ret_pidfd, bool *ret_started,
		      struct err *e)
{
	struct namesmsg first = {.op = NAMESMSG_LIST}, item = {0};
	bool is_there, is_wanted = false;
	int r = call(g, &first, &item, e);

	if (r < 0)
		return r;
	/* One that knows nothing is about to end, or to be told by who has started it. */
	is_there = r == 0 && item.op == NAMESMSG_ITEM;
	if (!is_there || is_doubtful) {
		g->names.started = true;
		names_revive(g);
	}
	r = nameslink_pidfd(&g->names, ret_pidfd, e);
	nameslink_close(&g->names);
	if (r == NAMESLINK_OK)
		*ret_started = !is_there;
	if (r != NAMESLINK_NONE)
		return r;
	r = store_each_attachment(g->store, see_wanted, NULL, &is_wanted, e);
	if (r >= 0 && is_wanted)
		r = err_set(e, ERR_BUSY, 0, "the names responder does not come back");
	return r < 0 ? r : ENGINE_NOTHING;
}
