/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftmsg: the wire form of elements (linux/netfilter/nf_tables.h), bit for bit what nft 1.0.6
 * sends, so that both ways of loading list alike.
 *
 * Keys and data: fields follow each other, each padded to four bytes, in network order; interface
 * names are 16 bytes. An interval set with several fields takes KEY and KEY_END in one element;
 * with one field an interval is two elements, its first address and, flagged as end, the one after
 * its last (none after the last of all: the interval is open, which nft notes in the user data).
 * User data is a list of (type, length, value), the comment has type 0 and counts its NUL.
 */
#include "net/nftmsg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "net/attr.h"
#include "net/ruleset.h"

/* No message is larger: two elements, three fields, data and a comment each. */
#define MESSAGE_MAX 1024

/* User data (libnftnl's udata.h, which is not part of the kernel's headers). */
enum { UDATA_COMMENT = 0, UDATA_ELEM_FLAGS = 1 };
#define UDATA_ELEM_INTERVAL_OPEN 1u

struct bytes {
	uint8_t b[ELEM_KEY_MAX * 16];
	size_t len;
};

void nftmsg_free(struct nftmsg *m)
{
	free(m->p);
	*m = (struct nftmsg){0};
}

static bool reserve(struct nftmsg *m, size_t size)
{
	size_t cap = m->cap ? m->cap : (size_t)16 * MESSAGE_MAX;
	char *p;

	if (m->failed)
		return false;
	if (m->cap - m->len >= size)
		return true;
	while (cap - m->len < size)
		cap *= 2;
	p = realloc(m->p, cap);
	if (!p) {
		m->failed = true;
		return false;
	}
	m->p = p;
	m->cap = cap;
	return true;
}

/* Room for one message, zeroed (padding must not leak memory), at the end of the run. */
static struct nlmsghdr *message_of(struct nftmsg *m, uint16_t type, uint16_t flags, uint8_t family,
				   uint16_t res_id, size_t size)
{
	struct nlmsghdr *h;
	struct nfgenmsg *g;

	if (!reserve(m, size))
		return NULL;
	memset(m->p + m->len, 0, size);
	h = mnl_nlmsg_put_header(m->p + m->len);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = m->seq++;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	m->last = m->len;
	return h;
}

static struct nlmsghdr *message(struct nftmsg *m, uint16_t type, uint16_t flags, uint8_t family,
				uint16_t res_id)
{
	return message_of(m, type, flags, family, res_id, MESSAGE_MAX);
}

static void finish(struct nftmsg *m, const struct nlmsghdr *h)
{
	m->len += MNL_ALIGN(h->nlmsg_len);
}

struct nlmsghdr *nftmsg_open(struct nftmsg *m, uint16_t type, uint16_t flags, uint8_t family,
			     size_t room)
{
	return message_of(m, NFNL_SUBSYS_NFTABLES << 8 | type, flags, family, 0,
			  MNL_ALIGN(room) + MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg)));
}

void nftmsg_close(struct nftmsg *m, const struct nlmsghdr *h)
{
	finish(m, h);
}

int nftmsg_append(struct nftmsg *m, const void *run, size_t len)
{
	const struct nlmsghdr *h = run;
	int left = (int)len, n = 0;

	for (; len < INT32_MAX / 2 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		size_t size = MNL_ALIGN(h->nlmsg_len);

		if ((size_t)left < size || !reserve(m, size))
			return -EPROTO;
		memcpy(m->p + m->len, h, size);
		m->last = m->len;
		m->len += size;
		m->seq++;
		n++;
	}
	return n > 0 && left == 0 ? n : -EPROTO;
}

void nftmsg_number(struct nftmsg *m, uint32_t first)
{
	for (size_t at = 0; !m->failed && at < m->len;) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(m->p + at);

		h->nlmsg_seq = first++;
		at += MNL_ALIGN(h->nlmsg_len);
	}
	m->seq = first;
}

void nftmsg_begin(struct nftmsg *m)
{
	struct nlmsghdr *h = message(m, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

	if (h)
		finish(m, h);
}

void nftmsg_begin_at(struct nftmsg *m, uint32_t generation)
{
	struct nlmsghdr *h = message(m, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

	if (!h)
		return;
	mnl_attr_put_u32(h, NFNL_BATCH_GENID, htonl(generation));
	finish(m, h);
}

void nftmsg_end(struct nftmsg *m)
{
	struct nlmsghdr *h;

	if (m->failed)
		return;
	((struct nlmsghdr *)(void *)(m->p + m->last))->nlmsg_flags |= NLM_F_ACK;
	h = message(m, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (h)
		finish(m, h);
}

/* ---- values ---- */

static void put_padded(struct bytes *out, const void *p, size_t len)
{
	memcpy(out->b + out->len, p, len);
	out->len += MNL_ALIGN(len);
}

static void encode(const enum field_type *t, const union field_value *v, unsigned int n,
		   struct bytes *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned int i = 0; i < n; i++) {
		uint16_t port = htons(v[i].port);

		switch (t[i]) {
		case FIELD_PROTO:
			put_padded(out, &v[i].proto, sizeof(v[i].proto));
			break;
		case FIELD_IP4:
			put_padded(out, v[i].ip.b, 4);
			break;
		case FIELD_IP6:
			put_padded(out, v[i].ip.b, 16);
			break;
		case FIELD_PORT:
			put_padded(out, &port, sizeof(port));
			break;
		case FIELD_IFNAME:
			put_padded(out, v[i].ifname, sizeof(v[i].ifname));
			break;
		case FIELD_ETHER:
			put_padded(out, v[i].mac.b, sizeof(v[i].mac.b));
			break;
		}
	}
}

/* The next address; false after the last of all. */
static bool increment(struct bytes *v)
{
	for (size_t i = v->len; i-- > 0;) {
		if (++v->b[i] != 0)
			return true;
	}
	return false;
}

static bool is_two_ended(const struct set_desc *d)
{
	return d->interval && d->n_key == 1;
}

/* First value of the key, and its end: of a concatenation the last value, of a single field the
 * value after the last. Returns whether there is an end. */
static bool encode_keys(const struct elem *x, struct bytes *key, struct bytes *end)
{
	const struct set_desc *d = &elem_sets[x->set];

	encode(d->key, x->key, d->n_key, key);
	if (!d->interval)
		return false;
	encode(d->key, x->key_end, d->n_key, end);
	return is_two_ended(d) ? increment(end) : true;
}

static uint32_t verdict_code(const struct elem *x)
{
	return x->verdict == VERDICT_DROP ? NF_DROP : NF_ACCEPT;
}

/* ---- building ---- */

static void put_value(struct nlmsghdr *h, uint16_t type, const struct bytes *v)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, v->len, v->b);
	mnl_attr_nest_end(h, nest);
}

static void put_data(struct nlmsghdr *h, const struct elem *x)
{
	const struct set_desc *d = &elem_sets[x->set];
	struct nlattr *nest, *verdict;
	struct bytes v;

	if (d->n_data) {
		encode(d->data, x->data, d->n_data, &v);
		put_value(h, NFTA_SET_ELEM_DATA, &v);
	} else if (d->verdict_map) {
		nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
		verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
		mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl(verdict_code(x)));
		mnl_attr_nest_end(h, verdict);
		mnl_attr_nest_end(h, nest);
	}
}

static void put_be64(struct nlmsghdr *h, uint16_t type, uint64_t v)
{
	mnl_attr_put_u64(h, type, htobe64(v));
}

static void put_bound(struct nlmsghdr *h, const struct elem *x)
{
	enum elem_bound bound = elem_sets[x->set].bound;
	struct nlattr *nest, *data;

	if (!bound)
		return;
	nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_EXPR);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, bound == BOUND_CONNS ? "connlimit" : "limit");
	data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	if (bound != BOUND_CONNS) {
		put_be64(h, NFTA_LIMIT_RATE, x->bound);
		put_be64(h, NFTA_LIMIT_UNIT, 1);
		mnl_attr_put_u32(h, NFTA_LIMIT_BURST, htonl(elem_burst(x)));
		mnl_attr_put_u32(h, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
		if (bound == BOUND_RATE)
			mnl_attr_put_u32(h, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
	} else {
		mnl_attr_put_u32(h, NFTA_CONNLIMIT_COUNT, htonl(x->bound));
		mnl_attr_put_u32(h, NFTA_CONNLIMIT_FLAGS, htonl(NFT_CONNLIMIT_F_INV));
	}
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, nest);
}

static void put_userdata(struct nlmsghdr *h, const struct elem *x, bool is_open)
{
	uint8_t u[2 + ELEM_COMMENT_STRLEN + 2 + sizeof(uint32_t)];
	uint32_t flags = UDATA_ELEM_INTERVAL_OPEN;
	size_t len = 0, n = strnlen(x->comment, ELEM_COMMENT_STRLEN - 1);

	if (n) {
		u[len++] = UDATA_COMMENT;
		u[len++] = (uint8_t)(n + 1);
		memcpy(u + len, x->comment, n);
		len += n;
		u[len++] = '\0';
	}
	if (is_open) {
		u[len++] = UDATA_ELEM_FLAGS;
		u[len++] = sizeof(flags);
		memcpy(u + len, &flags, sizeof(flags));
		len += sizeof(flags);
	}
	if (len)
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, len, u);
}

static void put_elements(struct nlmsghdr *h, enum nftmsg_op op, const struct elem *x)
{
	bool two = is_two_ended(&elem_sets[x->set]);
	struct nlattr *list, *one;
	struct bytes key, end;
	bool has_end = encode_keys(x, &key, &end);

	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, &key);
	if (has_end && !two)
		put_value(h, NFTA_SET_ELEM_KEY_END, &end);
	if (op == NFTMSG_ADD) {
		put_data(h, x);
		if (x->timeout_s)
			put_be64(h, NFTA_SET_ELEM_TIMEOUT, x->timeout_s * 1000ull);
		put_bound(h, x);
		put_userdata(h, x, two && !has_end);
	}
	mnl_attr_nest_end(h, one);
	if (has_end && two) {
		/* Asked for by the end itself, the kernel may return another end when an interval
		 * begins there; what follows the last value is unambiguous. */
		if (op == NFTMSG_GET)
			encode(elem_sets[x->set].key, x->key_end, 1, &end);
		one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		put_value(h, NFTA_SET_ELEM_KEY, &end);
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
		mnl_attr_nest_end(h, one);
	}
	mnl_attr_nest_end(h, list);
}

static uint16_t nft_type(uint16_t type)
{
	return NFNL_SUBSYS_NFTABLES << 8 | type;
}

void nftmsg_elem(struct nftmsg *m, enum nftmsg_op op, const struct elem *x)
{
	const struct set_desc *d = &elem_sets[x->set];
	uint16_t type = op == NFTMSG_ADD      ? NFT_MSG_NEWSETELEM
			: op == NFTMSG_DELETE ? NFT_MSG_DELSETELEM
					      : NFT_MSG_GETSETELEM;
	struct nlmsghdr *h = message(m, nft_type(type), op == NFTMSG_ADD ? NLM_F_CREATE : 0,
				     d->in_bridge_table ? NFPROTO_BRIDGE : NFPROTO_INET, 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, d->name);
	put_elements(h, op, x);
	finish(m, h);
}

void nftmsg_table(struct nftmsg *m, enum nftmsg_op op, bool bridge)
{
	uint16_t type = op == NFTMSG_DELETE ? NFT_MSG_DELTABLE : NFT_MSG_GETTABLE;
	struct nlmsghdr *h =
		message(m, nft_type(type), 0, bridge ? NFPROTO_BRIDGE : NFPROTO_INET, 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, RULESET_TABLE);
	finish(m, h);
}

/* ---- reading answers ---- */

unsigned int nftmsg_n_answers(const struct elem *x)
{
	struct bytes key, end;

	return encode_keys(x, &key, &end) && is_two_ended(&elem_sets[x->set]) ? 2 : 1;
}

static bool value_is(const struct nlattr *nest, const struct bytes *v)
{
	const struct nlattr *a = attr_below(nest, NFTA_DATA_VALUE);

	return a && mnl_attr_get_payload_len(a) == v->len &&
	       memcmp(mnl_attr_get_payload(a), v->b, v->len) == 0;
}

static bool bound_is(const struct nlattr *one, const struct elem *x)
{
	enum elem_bound bound = elem_sets[x->set].bound;
	const struct nlattr *data = attr_below(attr_below(one, NFTA_SET_ELEM_EXPR), NFTA_EXPR_DATA),
			    *a;

	if (bound == BOUND_CONNS)
		return attr_number(attr_below(data, NFTA_CONNLIMIT_COUNT)) == x->bound;
	if (bound == BOUND_NONE)
		return true;
	a = attr_below(data, NFTA_LIMIT_RATE);
	return a && mnl_attr_get_payload_len(a) == sizeof(uint64_t) &&
	       be64toh(mnl_attr_get_u64(a)) == x->bound;
}

static bool data_is(const struct nlattr *one, const struct elem *x)
{
	const struct set_desc *d = &elem_sets[x->set];
	const struct nlattr *data = attr_below(one, NFTA_SET_ELEM_DATA), *code;
	struct bytes v;

	if (d->n_data) {
		encode(d->data, x->data, d->n_data, &v);
		return value_is(data, &v);
	}
	if (d->verdict_map) {
		code = attr_below(attr_below(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CODE);
		return code && attr_number(code) == verdict_code(x);
	}
	return true;
}

bool nftmsg_is_elem(const struct nlmsghdr *answer, const struct elem *x)
{
	const struct nlattr *one =
		attr_below(attr_top(answer, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
	struct bytes key, end;
	bool has_end = encode_keys(x, &key, &end);

	if (!one)
		return false;
	if (attr_number(attr_below(one, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END)
		return has_end && value_is(attr_below(one, NFTA_SET_ELEM_KEY), &end);
	if (!value_is(attr_below(one, NFTA_SET_ELEM_KEY), &key))
		return false;
	if (has_end && !is_two_ended(&elem_sets[x->set]) &&
	    !value_is(attr_below(one, NFTA_SET_ELEM_KEY_END), &end))
		return false;
	return data_is(one, x) && bound_is(one, x);
}

bool nftmsg_packets(const struct nlmsghdr *answer, uint64_t *ret)
{
	const struct nlattr *one =
		attr_below(attr_top(answer, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
	const struct nlattr *expr = attr_below(one, NFTA_SET_ELEM_EXPR);
	const char *name = attr_text(attr_below(expr, NFTA_EXPR_NAME));
	const struct nlattr *n = attr_below(attr_below(expr, NFTA_EXPR_DATA), NFTA_COUNTER_PACKETS);

	if (!name || strcmp(name, "counter") != 0 || !n ||
	    mnl_attr_get_payload_len(n) != sizeof(uint64_t))
		return false;
	*ret = be64toh(mnl_attr_get_u64(n));
	return true;
}

uint32_t nftmsg_left_s(const struct nlmsghdr *answer)
{
	const struct nlattr *one =
		attr_below(attr_top(answer, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
	const struct nlattr *a = attr_below(one, NFTA_SET_ELEM_EXPIRATION);
	uint64_t ms;

	if (!a || mnl_attr_get_payload_len(a) != sizeof(ms))
		return UINT32_MAX;
	ms = be64toh(mnl_attr_get_u64(a));
	return ms / 1000 < UINT32_MAX ? (uint32_t)(ms / 1000) : UINT32_MAX;
}

void nftmsg_table_comment(const struct nlmsghdr *answer, char *out, size_t size)
{
	const struct nlattr *a = attr_top(answer, NFTA_TABLE_USERDATA);
	const uint8_t *u = a ? mnl_attr_get_payload(a) : NULL;
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	out[0] = '\0';
	for (size_t at = 0; at + 2 <= len && at + 2 + u[at + 1] <= len; at += 2 + u[at + 1]) {
		size_t n = u[at + 1];

		if (u[at] != UDATA_COMMENT || n == 0 || n > size)
			continue;
		memcpy(out, u + at + 2, n);
		out[n - 1] = '\0';
		return;
	}
}

void nftmsg_table_flags(const struct nlmsghdr *answer, uint32_t *ret_flags, uint32_t *ret_owner)
{
	*ret_flags = attr_number(attr_top(answer, NFTA_TABLE_FLAGS));
	*ret_owner = attr_number(attr_top(answer, NFTA_TABLE_OWNER));
}
