/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftbatch_timed: elements that end by themselves. The kernel knows best what is there and for how
 * long, so it is asked each time and nothing is remembered. Before Linux 6.12 it keeps the time of
 * an element that is added once more, so such a one is deleted and added in one transaction; one
 * that ends between question and transaction makes that void, and all begins again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/fd.h"
#include "base/grow.h"
#include "net/attr.h"
#include "net/nftbatch_int.h"

#define PROLONG_TRIES 4
#define DUMP_TRIES 5
#define DUMP_ROOM 256

/* ---- longer ---- */

struct asking {
	const struct elem_list *l;
	uint32_t first;
	uint32_t *left; /* 0: not there */
	int error;
};

static void note_left(const struct answer *a, void *ctx)
{
	struct asking *q = ctx;
	size_t i = a->seq - q->first;

	if (i >= q->l->n)
		return;
	if (a->msg && nftmsg_is_elem(a->msg, &q->l->v[i])) {
		uint32_t s = nftmsg_left_s(a->msg);

		q->left[i] = s < UINT32_MAX ? s + 1 : s;
	} else if (a->error && a->error != ENOENT) {
		q->error = a->error;
	}
}

static int ask_left(struct nftbatch *n, const struct elem_list *l, uint32_t *left, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
	struct asking q = {.l = l, .first = n->seq, .left = left};
	int r;

	memset(left, 0, l->n * sizeof(*left));
	for (size_t i = 0; i < l->n; i++)
		nftmsg_elem(&m, NFTMSG_GET, &l->v[i]);
	r = nftbatch_ask(n, &m, l->n, note_left, &q, e);
	if (r > 0)
		return err_set(e, ERR_KERNEL, ENOBUFS, "nftables answers were lost");
	return r == 0 && q.error ? err_sys(e, q.error, "nftables: get element") : r;
}

/* left: in each element's place; 0 where it is long enough, or UINT32_MAX: it is not there. */
static size_t choose(const struct elem_list *l, uint32_t slack_s, uint32_t *left)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (left[i] == 0)
			left[i] = UINT32_MAX;
		else if (left[i] > l->v[i].timeout_s || l->v[i].timeout_s - left[i] <= slack_s)
			left[i] = 0;
		n += left[i] == 0 ? 0 : left[i] == UINT32_MAX ? 1 : 2;
	}
	return n;
}

/* 1: something has ended meanwhile. */
static int prolong_once(struct nftbatch *n, const struct elem_list *l, uint32_t slack_s,
			uint32_t *left, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	size_t n_messages = choose(l, slack_s, left);
	int r;

	if (n_messages == 0)
		return 0;
	nftbatch_begin(n, &m, &v, n_messages);
	for (size_t i = 0; i < l->n; i++) {
		if (left[i] == 0)
			continue;
		if (left[i] < UINT32_MAX)
			nftmsg_elem(&m, NFTMSG_DELETE, &l->v[i]);
		nftmsg_elem(&m, NFTMSG_ADD, &l->v[i]);
	}
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0 || !v.error)
		return r;
	return v.error == ENOENT ? 1 : nftbatch_refused(&v, NULL, e);
}

int nftbatch_prolong(struct nftbatch *n, const struct elem_list *l, uint32_t slack_s, struct err *e)
{
	CLEAN_FREE uint32_t *left = calloc(l->n + 1, sizeof(*left));
	int r = l->n ? 1 : 0;

	if (!left)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nftables messages");
	for (int i = 0; r == 1 && i < PROLONG_TRIES; i++) {
		r = ask_left(n, l, left, e);
		if (r == 0)
			r = prolong_once(n, l, slack_s, left, e);
	}
	if (r == 1) /* the tables are gone, or the set is */
		r = err_sys(e, ENOENT, "nftables: timed elements");
	return r;
}

/* ---- away ---- */

struct gathering {
	enum set_id set;
	const struct ip *own;
	size_t n_own;
	struct elem_list found;
	bool has_changed, has_failed;
	int error;
};

static const uint8_t *value_of(const struct nlattr *one, uint16_t type, size_t len)
{
	const struct nlattr *a = attr_below(attr_below(one, type), NFTA_DATA_VALUE);

	return a && mnl_attr_get_payload_len(a) == len ? mnl_attr_get_payload(a) : NULL;
}

static void take_ip(uint8_t family, const uint8_t *p, struct ip *ret)
{
	*ret = (struct ip){.family = family};
	memcpy(ret->b, p, family == AF_INET ? 4 : 16);
}

/* As nftmsg lays them out: fields one after another, each of whole words. */
static void take_key(struct gathering *g, const struct nlattr *one)
{
	const struct set_desc *d = &elem_sets[g->set];
	uint8_t family = d->key[0] == FIELD_IP4 ? AF_INET : AF_INET6;
	size_t size = family == AF_INET ? 4 : 16, len = 2 * size + (d->n_key == 3 ? 4 : 0);
	const uint8_t *key = value_of(one, NFTA_SET_ELEM_KEY, len);
	const uint8_t *end = d->interval ? value_of(one, NFTA_SET_ELEM_KEY_END, len) : key;
	struct elem x = {.set = g->set};
	bool is_own = false;

	if (!key || !end)
		return;
	for (int i = 0; i < 2; i++) {
		take_ip(family, key + (size_t)i * size, &x.key[i].ip);
		take_ip(family, end + (size_t)i * size, &x.key_end[i].ip);
	}
	if (d->n_key == 3) {
		x.key[2].port = (uint16_t)(key[2 * size] << 8 | key[2 * size + 1]);
		x.key_end[2].port = (uint16_t)(end[2 * size] << 8 | end[2 * size + 1]);
	}
	for (size_t i = 0; i < g->n_own; i++)
		is_own = is_own || ip_equal(&g->own[i], &x.key[0].ip);
	if (is_own && !GROW(g->found.v, g->found.n, g->found.cap))
		g->has_failed = true;
	else if (is_own)
		g->found.v[g->found.n++] = x;
}

static void gather(const struct answer *a, void *ctx)
{
	struct gathering *g = ctx;
	const struct nlattr *list, *one;

	if (a->error)
		g->error = a->error;
	if (!a->msg)
		return;
	g->has_changed = g->has_changed || (a->msg->nlmsg_flags & NLM_F_DUMP_INTR);
	if (a->msg->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return;
	list = attr_top(a->msg, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!list)
		return;
	mnl_attr_for_each_nested(one, list)
	{
		take_key(g, one);
	}
}

static int dump(struct nftbatch *n, struct gathering *g, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
	struct nlmsghdr *h =
		nftmsg_open(&m, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET, DUMP_ROOM);
	int r;

	g->has_changed = false;
	g->error = 0;
	g->found.n = 0;
	if (h) {
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, elem_sets[g->set].name);
		nftmsg_close(&m, h);
	}
	r = nftbatch_ask(n, &m, 1, gather, g, e);
	if (r > 0 || (r == 0 && g->has_changed))
		return 1;
	if (r == 0 && g->has_failed)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "elements");
	if (r == 0 && g->error && g->error != ENOENT)
		r = err_sys(e, g->error, "nftables: elements of %s", elem_sets[g->set].name);
	return r;
}

/* What was there all the time is in each of the dumps, whatever others change meanwhile. */
static int del_from(struct nftbatch *n, enum set_id set, const struct ip *own, size_t n_own,
		    struct err *e)
{
	struct gathering g = {.set = set, .own = own, .n_own = n_own};
	int r = 1;

	for (int i = 0; r == 1 && i < DUMP_TRIES; i++) {
		r = dump(n, &g, e);
		if (r >= 0 && g.found.n && nftbatch_del(n, &g.found, e) < 0)
			r = -EIO;
	}
	elem_list_free(&g.found);
	return r < 0 ? r : 0;
}

int nftbatch_del_timed(struct nftbatch *n, const struct ip *own, size_t n_own, struct err *e)
{
	int first = 0;

	for (int s = 0; n_own && s < N_SETS; s++) {
		struct err one = ERR_INIT;
		int r = elem_sets[s].is_timed ? del_from(n, (enum set_id)s, own, n_own, &one) : 0;

		if (r < 0) {
			err_gather(e, &one);
			first = first ? first : r;
		}
	}
	return first;
}
