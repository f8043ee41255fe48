/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftclone: dumps of chains, sets, elements and rules, put back attribute by attribute. What the
 * kernel adds of its own (handles, counts of uses) is left out. Sets without a name of their own
 * (those in braces in a rule) get a new one, so rules refer to them by a number of the transaction.
 * Read linux/netfilter/nf_tables.h.
 *
 * Elements of single-field intervals are two each, its first value and the one after its last. The
 * kernel hands them out from the last to the first and takes them the other way round only, so they
 * are sorted; in all other sets the order is of no account, and differs between two that are alike:
 * what is read to be compared is sorted everywhere.
 */
#include "net/nftclone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/grow.h"
#include "net/attr.h"
#include "net/nftdump.h"
#include "net/ruleset.h"

/* Elements in one message; a nested attribute has at most 64 KiB. */
#define ELEMENTS_BYTES ((size_t)16 << 10)
#define ROOM 256 /* for what is added to a message that is put back */
#define TABLE 1  /* in each kind of message the table's name is this attribute */
#define BIT(a) (1u << (a))

/* What is read of one table. */
struct content {
	uint8_t family;
	const char *as; /* the name that the table gets */
	bool is_elsewhere, is_bare;
	struct buf table, chains, sets, objects, rules;
	struct set {
		const struct nlmsghdr *h; /* in sets */
		const char *name;
		char alias[32]; /* what it is called in the transaction */
		uint32_t id;
		bool is_nameless, is_sorted;
	} * set;
	size_t n_set;
};

static void content_free(struct content *c)
{
	buf_free(&c->table);
	buf_free(&c->chains);
	buf_free(&c->sets);
	buf_free(&c->objects);
	buf_free(&c->rules);
	free(c->set);
}

/* "__set12" is made anew as "__set%d". */
static void name_set(struct set *s)
{
	const struct nlattr *concat =
		attr_below(attr_top(s->h, NFTA_SET_DESC), NFTA_SET_DESC_CONCAT);
	uint32_t flags = attr_number(attr_top(s->h, NFTA_SET_FLAGS));
	size_t len = strlen(s->name);

	s->is_nameless = flags & NFT_SET_ANONYMOUS;
	s->is_sorted = (flags & NFT_SET_INTERVAL) && !concat;
	if (!s->is_nameless)
		return;
	while (len > 0 && s->name[len - 1] >= '0' && s->name[len - 1] <= '9')
		len--;
	snprintf(s->alias, sizeof(s->alias), "%.*s%%d", (int)(len < 12 ? len : 12), s->name);
}

static int index_sets(struct content *c, uint32_t *id, struct err *e)
{
	size_t n = 0;

	for (const struct nlmsghdr *h = nftdump_next(&c->sets, NULL); h;
	     h = nftdump_next(&c->sets, h)) {
		n++;
	}
	c->set = calloc(n ? n : 1, sizeof(*c->set));
	if (!c->set)
		return err_set(e, ERR_INTERNAL, ENOMEM, "sets");
	for (const struct nlmsghdr *x = nftdump_next(&c->sets, NULL); x;
	     x = nftdump_next(&c->sets, x)) {
		struct set *s = &c->set[c->n_set];

		s->h = x;
		s->name = attr_text(attr_top(x, NFTA_SET_NAME));
		if (!s->name)
			return err_set(e, ERR_PROTOCOL, EPROTO, "a set without a name");
		s->id = ++*id;
		name_set(s);
		c->n_set++;
	}
	return 0;
}

static int read_content(struct nftdump *rd, struct content *c, uint32_t *id, struct err *e)
{
	int r = nftdump_ask(rd, NFT_MSG_GETTABLE, c->family, RULESET_TABLE, NULL, &c->table, e);

	if (r < 0 || c->table.len == 0)
		return r < 0 ? r : 1;
	r = nftdump_ask(rd, NFT_MSG_GETCHAIN, c->family, RULESET_TABLE, NULL, &c->chains, e);
	if (r == 0)
		r = nftdump_ask(rd, NFT_MSG_GETSET, c->family, RULESET_TABLE, NULL, &c->sets, e);
	if (r == 0)
		r = nftdump_ask(rd, NFT_MSG_GETOBJ, c->family, RULESET_TABLE, NULL, &c->objects, e);
	if (r == 0)
		r = nftdump_ask(rd, NFT_MSG_GETRULE, c->family, RULESET_TABLE, NULL, &c->rules, e);
	return r < 0 ? r : index_sets(c, id, e);
}

/* ---- writing ---- */

static void put(struct nlmsghdr *to, const struct nlattr *a)
{
	mnl_attr_put(to, a->nla_type, mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
}

/* Attributes of these types, after the table's name. */
static void put_those(struct nlmsghdr *to, const struct content *c, const struct nlmsghdr *from,
		      uint32_t types)
{
	const struct nlattr *a;

	mnl_attr_put_strz(to, TABLE, c->as);
	mnl_attr_for_each(a, from, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) < 32 && (types & BIT(mnl_attr_get_type(a))))
			put(to, a);
	}
}

static struct nlmsghdr *open_like(struct nftmsg *m, const struct content *c, uint16_t type,
				  uint16_t flags, const struct nlmsghdr *like)
{
	return nftmsg_open(m, type, NLM_F_CREATE | flags, c->family, like->nlmsg_len + ROOM);
}

static void put_new_table(struct nftmsg *m, const struct content *c, const struct nlmsghdr *from,
			  uint32_t flags)
{
	struct nlmsghdr *h = open_like(m, c, NFT_MSG_NEWTABLE, 0, from);

	if (!h)
		return;
	put_those(h, c, from, BIT(NFTA_TABLE_USERDATA));
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	nftmsg_close(m, h);
}

static void put_table(struct nftmsg *m, const struct content *c, uint32_t flags)
{
	for (const struct nlmsghdr *from = nftdump_next(&c->table, NULL); from;
	     from = nftdump_next(&c->table, from)) {
		struct nlmsghdr *h;

		/* Of another name there may be none, and what is not there cannot be deleted. */
		if (c->is_elsewhere)
			put_new_table(m, c, from, flags);
		h = nftmsg_open(m, NFT_MSG_DELTABLE, 0, c->family, ROOM);
		if (!h)
			return;
		mnl_attr_put_strz(h, NFTA_TABLE_NAME, c->as);
		nftmsg_close(m, h);
		put_new_table(m, c, from, flags);
	}
}

static void put_chains(struct nftmsg *m, const struct content *c)
{
	for (const struct nlmsghdr *from = nftdump_next(&c->chains, NULL); from;
	     from = nftdump_next(&c->chains, from)) {
		struct nlmsghdr *h = open_like(m, c, NFT_MSG_NEWCHAIN, 0, from);

		if (!h)
			return;
		put_those(h, c, from,
			  BIT(NFTA_CHAIN_NAME) | BIT(NFTA_CHAIN_HOOK) | BIT(NFTA_CHAIN_POLICY) |
				  BIT(NFTA_CHAIN_TYPE) | BIT(NFTA_CHAIN_USERDATA));
		nftmsg_close(m, h);
	}
}

static void put_objects(struct nftmsg *m, const struct content *c)
{
	for (const struct nlmsghdr *from = nftdump_next(&c->objects, NULL); from;
	     from = nftdump_next(&c->objects, from)) {
		struct nlmsghdr *h = open_like(m, c, NFT_MSG_NEWOBJ, 0, from);

		if (!h)
			return;
		put_those(h, c, from,
			  BIT(NFTA_OBJ_NAME) | BIT(NFTA_OBJ_TYPE) | BIT(NFTA_OBJ_DATA) |
				  BIT(NFTA_OBJ_USERDATA));
		nftmsg_close(m, h);
	}
}

static void put_set(struct nftmsg *m, const struct content *c, const struct set *s)
{
	struct nlmsghdr *h = open_like(m, c, NFT_MSG_NEWSET, 0, s->h);

	if (!h)
		return;
	put_those(h, c, s->h,
		  BIT(NFTA_SET_FLAGS) | BIT(NFTA_SET_KEY_TYPE) | BIT(NFTA_SET_KEY_LEN) |
			  BIT(NFTA_SET_DATA_TYPE) | BIT(NFTA_SET_DATA_LEN) | BIT(NFTA_SET_POLICY) |
			  BIT(NFTA_SET_DESC) | BIT(NFTA_SET_TIMEOUT) | BIT(NFTA_SET_GC_INTERVAL) |
			  BIT(NFTA_SET_USERDATA) | BIT(NFTA_SET_OBJ_TYPE) | BIT(NFTA_SET_EXPR) |
			  BIT(NFTA_SET_EXPRESSIONS));
	mnl_attr_put_strz(h, NFTA_SET_NAME, s->is_nameless ? s->alias : s->name);
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(s->id));
	nftmsg_close(m, h);
}

/* ---- elements ---- */

struct element {
	const struct nlattr *a; /* in the dump */
};

struct elements {
	struct element *v;
	size_t n, cap;
};

static bool is_end(const struct nlattr *one)
{
	return attr_number(attr_below(one, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END;
}

/* Where one interval ends and the next begins, the end comes first. */
static int by_key(const void *a, const void *b)
{
	const struct nlattr *x = ((const struct element *)a)->a;
	const struct nlattr *y = ((const struct element *)b)->a;
	const struct nlattr *kx = attr_below(attr_below(x, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	const struct nlattr *ky = attr_below(attr_below(y, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	size_t nx = kx ? mnl_attr_get_payload_len(kx) : 0;
	size_t ny = ky ? mnl_attr_get_payload_len(ky) : 0;
	int r = nx && ny ? memcmp(mnl_attr_get_payload(kx), mnl_attr_get_payload(ky),
				  nx < ny ? nx : ny)
			 : 0;

	if (r == 0 && nx != ny)
		r = nx < ny ? -1 : 1;
	return r ? r : (int)is_end(y) - (int)is_end(x);
}

static bool note(struct elements *l, const struct nlattr *one)
{
	if (!GROW(l->v, l->n, l->cap))
		return false;
	l->v[l->n++].a = one;
	return true;
}

static bool gather(const struct buf *dump, struct elements *l)
{
	for (const struct nlmsghdr *h = nftdump_next(dump, NULL); h; h = nftdump_next(dump, h)) {
		const struct nlattr *list = attr_top(h, NFTA_SET_ELEM_LIST_ELEMENTS), *one;

		if (!list)
			continue;
		mnl_attr_for_each_nested(one, list)
		{
			if (mnl_attr_get_type(one) == NFTA_LIST_ELEM && !note(l, one))
				return false;
		}
	}
	return true;
}

/* The elements from `at` that fit into one message; returns the next. */
static size_t put_some(struct nftmsg *m, const struct content *c, const struct set *s,
		       const struct elements *l, size_t at)
{
	size_t end = at, size = 0;
	struct nlmsghdr *h;
	struct nlattr *list;

	while (end < l->n && (size == 0 || size + l->v[end].a->nla_len <= ELEMENTS_BYTES))
		size += MNL_ALIGN(l->v[end++].a->nla_len);
	h = nftmsg_open(m, NFT_MSG_NEWSETELEM, NLM_F_CREATE, c->family,
			ROOM + strlen(s->name) + size);
	if (!h)
		return l->n;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, c->as);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, s->is_nameless ? s->alias : s->name);
	mnl_attr_put_u32(h, NFTA_SET_ELEM_LIST_SET_ID, htonl(s->id));
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	while (at < end)
		put(h, l->v[at++].a);
	mnl_attr_nest_end(h, list);
	nftmsg_close(m, h);
	return end;
}

static int put_elements(struct nftdump *rd, struct nftmsg *m, const struct content *c,
			const struct set *s, struct err *e)
{
	CLEAN_BUF struct buf dump = BUF_INIT;
	struct elements l = {0};
	int r = nftdump_ask(rd, NFT_MSG_GETSETELEM, c->family, RULESET_TABLE, s->name, &dump, e);

	if (r == 0 && !gather(&dump, &l))
		r = err_set(e, ERR_INTERNAL, ENOMEM, "elements");
	if (r == 0 && (s->is_sorted || c->is_bare) && l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_key);
	for (size_t at = 0; r == 0 && at < l.n;)
		at = put_some(m, c, s, &l, at);
	free(l.v);
	return r;
}

/* ---- rules ---- */

static const struct set *nameless(const struct content *c, const char *name)
{
	for (size_t i = 0; name && i < c->n_set; i++)
		if (c->set[i].is_nameless && strcmp(c->set[i].name, name) == 0)
			return &c->set[i];
	return NULL;
}

/* A look-up in a set that gets another name. */
static void put_lookup(struct nlmsghdr *h, const struct nlattr *expr, const struct set *s)
{
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM), *data;
	const struct nlattr *a;

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, "lookup");
	data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	mnl_attr_for_each_nested(a, attr_below(expr, NFTA_EXPR_DATA))
	{
		if (mnl_attr_get_type(a) != NFTA_LOOKUP_SET)
			put(h, a);
	}
	mnl_attr_put_strz(h, NFTA_LOOKUP_SET, s->alias);
	mnl_attr_put_u32(h, NFTA_LOOKUP_SET_ID, htonl(s->id));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, one);
}

static void put_expressions(struct nlmsghdr *h, const struct content *c, const struct nlattr *from)
{
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	const struct nlattr *expr;

	mnl_attr_for_each_nested(expr, from)
	{
		const char *kind = attr_text(attr_below(expr, NFTA_EXPR_NAME));
		const struct set *s = NULL;

		if (kind && strcmp(kind, "lookup") == 0)
			s = nameless(c, attr_text(attr_below(attr_below(expr, NFTA_EXPR_DATA),
							     NFTA_LOOKUP_SET)));
		if (s)
			put_lookup(h, expr, s);
		else
			put(h, expr);
	}
	mnl_attr_nest_end(h, list);
}

/* How many of a message's bytes may become more: two attributes for each look-up. */
static size_t room_of(const struct nlmsghdr *from)
{
	return ROOM + 4 * (size_t)from->nlmsg_len;
}

static void put_rules(struct nftmsg *m, const struct content *c)
{
	for (const struct nlmsghdr *from = nftdump_next(&c->rules, NULL); from;
	     from = nftdump_next(&c->rules, from)) {
		const struct nlattr *expressions = attr_top(from, NFTA_RULE_EXPRESSIONS);
		struct nlmsghdr *h = nftmsg_open(m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
						 c->family, room_of(from));

		if (!h)
			return;
		put_those(h, c, from,
			  BIT(NFTA_RULE_CHAIN) | BIT(NFTA_RULE_COMPAT) | BIT(NFTA_RULE_USERDATA));
		if (expressions)
			put_expressions(h, c, expressions);
		nftmsg_close(m, h);
	}
}

static int put_content(struct nftdump *rd, struct nftmsg *m, const struct content *c,
		       uint32_t flags, struct err *e)
{
	int r = 0;

	put_table(m, c, flags);
	put_chains(m, c);
	put_objects(m, c);
	for (size_t i = 0; i < c->n_set; i++)
		put_set(m, c, &c->set[i]);
	for (size_t i = 0; r == 0 && i < c->n_set; i++)
		if (!c->is_bare || c->set[i].is_nameless)
			r = put_elements(rd, m, c, &c->set[i], e);
	put_rules(m, c);
	return r;
}

static size_t count(const struct nftmsg *m)
{
	const struct nlmsghdr *h = (const void *)m->p;
	size_t n = 0;

	for (int left = (int)m->len; h && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		n++;
	return n;
}

static int read_generation(struct nftdump *rd, uint32_t *ret, struct err *e)
{
	CLEAN_BUF struct buf b = BUF_INIT;
	int r = nftdump_ask(rd, NFT_MSG_GETGEN, AF_UNSPEC, NULL, NULL, &b, e);

	*ret = 0;
	for (const struct nlmsghdr *h = nftdump_next(&b, NULL); h; h = nftdump_next(&b, h)) {
		*ret = attr_number(attr_top(h, NFTA_GEN_ID));
	}
	return r == 0 && *ret == 0 ? err_set(e, ERR_PROTOCOL, EPROTO, "the rules' generation") : r;
}

static int build(int fd, uint32_t *seq, const struct content *like, uint32_t flags,
		 struct nftmsg *ret, size_t *ret_n, struct err *e)
{
	struct content c[2] = {*like, *like};
	CLEAN_FREE char *data = malloc(NFTDUMP_BYTES);
	struct nftdump rd = {.fd = fd, .seq = *seq, .data = data};
	CLEAN_NFTMSG struct nftmsg m = {0};
	uint32_t generation = 0, id = 0;
	int r = data ? read_generation(&rd, &generation, e)
		     : err_set(e, ERR_INTERNAL, ENOMEM, "reading the tables");
	size_t n = 0;

	c[0].family = NFPROTO_INET;
	c[1].family = NFPROTO_BRIDGE;
	if (r == 0 && !like->is_elsewhere)
		nftmsg_begin_at(&m, generation);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		r = read_content(&rd, &c[i], &id, e);
		if (r == 0)
			r = put_content(&rd, &m, &c[i], flags, e);
		r = r == 1 ? 0 : r;
		n += c[i].table.len > 0;
		content_free(&c[i]);
	}
	*seq = rd.seq + 1;
	if (r < 0)
		return r;
	if (m.failed || m.len > INT32_MAX / 2)
		return err_set(e, ERR_INTERNAL, ENOMEM, "the tables anew");
	if (n == 0)
		return 1;
	*ret_n = count(&m) - !like->is_elsewhere;
	*ret = m;
	m = (struct nftmsg){0};
	return 0;
}

int nftclone_build(int fd, uint32_t *seq, const char *as, uint32_t flags, struct nftmsg *ret,
		   size_t *ret_n, struct err *e)
{
	const struct content like = {.as = as ? as : RULESET_TABLE, .is_elsewhere = as != NULL};

	return build(fd, seq, &like, flags, ret, ret_n, e);
}

int nftclone_build_rules(int fd, struct nftmsg *ret, struct err *e)
{
	const struct content like = {.as = RULESET_TABLE, .is_elsewhere = true, .is_bare = true};
	uint32_t seq = 1;
	size_t n;

	return build(fd, &seq, &like, 0, ret, &n, e);
}
