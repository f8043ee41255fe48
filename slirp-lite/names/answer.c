/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer: who may ask, what we know ourselves, what is to be asked elsewhere. A name that a member
 * has is ours in every type: what it lacks is NODATA. The reverse zone of the network's subnets is
 * ours too. All else is the resolvers', and of an internal network there is nothing else: there a
 * name that is not known does not exist (a search list goes on after that, after a refusal it would
 * not), but what is above an existing name does (RFC 8020). Records of ours live for no time: a
 * name goes with its container. RFC 1035, RFC 2308, RFC 4343, RFC 6891, RFC 9619.
 */
#include "names/answer.h"

#include <string.h>

#include "wire/bytes.h"

#define FLAG_RESPONSE 0x8000u
#define FLAG_AA 0x0400u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u
#define FLAG_RA 0x0080u
#define TTL 0u
#define OPT_LEN 11
#define POINTER_TO_QUESTION (0xc000u | DNS_HDR_LEN)

struct reply {
	struct out o;
	size_t limit; /* without the option that is still to come */
	unsigned int n_answer;
	bool is_cut;
};

static void put_header(struct out *o, const struct msg *m, unsigned int flags, unsigned int rcode,
		       unsigned int n_answer)
{
	const struct dns *d = &m->dns;

	out_u16(o, d->id);
	out_u16(o, (uint16_t)(FLAG_RESPONSE | flags | (unsigned int)(d->opcode << 11) |
			      (d->is_recursion ? FLAG_RD : 0) | (rcode & 0xf)));
	out_u16(o, d->question_len > 0);
	out_u16(o, (uint16_t)n_answer);
	out_u16(o, 0);
	out_u16(o, m->has_opt);
}

static void put_opt(struct out *o, const struct msg *m, unsigned int rcode)
{
	if (!m->has_opt)
		return;
	out_u8(o, 0);
	out_u16(o, MSG_TYPE_OPT);
	out_u16(o, MSG_UDP_MOST);
	out_u8(o, (uint8_t)(rcode >> 4));
	out_u8(o, 0);
	out_u16(o, m->wants_dnssec ? 0x8000 : 0);
	out_u16(o, 0);
}

static size_t finish(const struct msg *m, unsigned int flags, unsigned int rcode, struct reply *r)
{
	struct out head = out_of(r->o.p, DNS_HDR_LEN);

	put_header(&head, m, flags | (r->is_cut ? FLAG_TC : 0), rcode, r->n_answer);
	r->o.size += OPT_LEN;
	put_opt(&r->o, m, rcode);
	return r->o.len;
}

static struct reply begin(const struct msg *m, uint8_t *out, size_t limit)
{
	struct reply r = {.o = out_of(out, limit - OPT_LEN)};

	r.o.len = DNS_HDR_LEN;
	if (m->dns.question_len > 0)
		out_copy(&r.o, m->dns.question, m->dns.question_len);
	return r;
}

size_t answer_limit(const struct msg *m)
{
	if (!m->has_opt || m->opt_size < MSG_UDP_PLAIN)
		return MSG_UDP_PLAIN;
	return m->opt_size;
}

size_t answer_error(const struct msg *m, unsigned int rcode, uint8_t *out)
{
	struct reply r = begin(m, out, MSG_UDP_PLAIN);

	return finish(m, 0, rcode, &r);
}

size_t answer_cut(uint8_t *message, size_t len)
{
	struct dns d;

	if (dns_parse(message, len, &d) < 0)
		return 0;
	message[2] |= FLAG_TC >> 8;
	memset(message + 6, 0, 6);
	if (d.question_len == 0)
		memset(message + 4, 0, 2);
	return DNS_HDR_LEN + d.question_len;
}

static void put_record(struct reply *r, uint16_t type, const void *data, size_t len)
{
	size_t before = r->o.len;

	if (r->is_cut)
		return;
	out_u16(&r->o, POINTER_TO_QUESTION);
	out_u16(&r->o, type);
	out_u16(&r->o, DNS_CLASS_IN);
	out_u32(&r->o, TTL);
	out_u16(&r->o, (uint16_t)len);
	out_copy(&r->o, data, len);
	if (r->o.is_full) {
		r->o.len = before;
		r->is_cut = true;
		return;
	}
	r->n_answer++;
}

/* ---- names ---- */

static bool wants(const struct dns *d, const struct ip *ip)
{
	return d->qtype == DNS_TYPE_ANY ||
	       d->qtype == (ip->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA);
}

static void put_addrs(const struct table *t, const struct table_entry *e, const struct dns *d,
		      struct reply *r)
{
	for (uint32_t i = e->first_addr; i; i = table_addr_at(t, i - 1)->next) {
		const struct ip *ip = &table_addr_at(t, i - 1)->ip;

		if (wants(d, ip))
			put_record(r, ip->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA, ip->b,
				   ip_size(ip));
	}
}

/* False: nobody has that name. Who comes first takes turns. */
static bool answer_name(struct table *t, const struct answer_client *c, uint32_t uid,
			const struct dns *d, const uint8_t *name, size_t len, struct reply *r)
{
	uint32_t at = 0, e, n = 0, first;

	while (table_by_name(t, c->net, uid, name, len, &at) != SLOT_NONE)
		n++;
	if (n == 0)
		return false;
	first = n > 1 ? t->turn++ % n : 0;
	for (int round = 0; round < 2; round++) {
		uint32_t k = 0;

		at = 0;
		while ((e = table_by_name(t, c->net, uid, name, len, &at)) != SLOT_NONE) {
			if ((k++ >= first) == (round == 0))
				put_addrs(t, table_entry_at(t, e), d, r);
		}
	}
	return true;
}

/* ---- addresses ---- */

static bool is_ours(const struct table_net *n, const struct prefix *p)
{
	for (size_t i = 0; i < n->n_subnet; i++)
		if (n->subnet[i].ip.family == p->ip.family && n->subnet[i].len <= p->len &&
		    prefix_contains(&n->subnet[i], &p->ip))
			return true;
	return false;
}

static bool is_whole(const struct prefix *p)
{
	return p->len == (p->ip.family == AF_INET ? 32 : 128);
}

/* The rcode of a name in the reverse zone of the network's subnets. */
static unsigned int answer_reverse(const struct table *t, const struct answer_client *c,
				   uint32_t uid, const struct dns *d, const struct prefix *p,
				   struct reply *r)
{
	uint32_t entry = is_whole(p) ? table_by_ip(t, c->net, &p->ip) : SLOT_NONE;
	const struct table_entry *e = entry != SLOT_NONE ? table_entry_at(t, entry) : NULL;

	if (e && e->uid == uid && e->first_name) {
		const struct table_name *n = table_name_at(t, e->first_name - 1);

		if (d->qtype == MSG_TYPE_PTR || d->qtype == DNS_TYPE_ANY)
			put_record(r, MSG_TYPE_PTR, n->wire, n->len);
		return DNS_RCODE_OK;
	}
	if (!is_whole(p) && table_has_within(t, c->net, uid, p))
		return DNS_RCODE_OK;
	return MSG_RCODE_NXDOMAIN;
}

/* ---- the whole ---- */

/* What is wrong with a query, or not for us; 0: nothing. */
static unsigned int refusal(const struct msg *m, const struct answer_client *c)
{
	const struct dns *d = &m->dns;

	if (d->opcode != 0)
		return DNS_RCODE_UNKNOWN;
	if (d->question_len == 0)
		return DNS_RCODE_FORMAT;
	if (m->has_opt && m->opt_version != 0)
		return MSG_RCODE_BADVERS;
	if (c->entry == SLOT_NONE || d->qclass != DNS_CLASS_IN || d->qtype == MSG_TYPE_AXFR ||
	    d->qtype == MSG_TYPE_IXFR)
		return DNS_RCODE_REFUSED;
	return DNS_RCODE_OK;
}

static size_t limit_of(const struct msg *m, const struct answer_client *c)
{
	size_t limit = answer_limit(m);

	if (c->is_stream)
		return ANSWER_MAX;
	return limit < MSG_UDP_MOST ? limit : MSG_UDP_MOST;
}

enum answer_verdict answer_query(struct table *t, const struct answer_client *c, const uint8_t *q,
				 size_t len, uint8_t *out, size_t *ret_len)
{
	uint8_t name[DNS_NAME_MAX];
	struct prefix p;
	struct msg m;

	if (msg_parse(q, len, &m) < 0)
		return ANSWER_DROP;
	unsigned int rcode = refusal(&m, c);
	if (rcode) {
		*ret_len = answer_error(&m, rcode, out);
		return ANSWER_SEND;
	}
	const struct table_net *n = table_net_at(t, c->net);
	uint32_t uid = table_entry_at(t, c->entry)->uid;
	struct reply r = begin(&m, out, limit_of(&m, c));
	size_t name_len = msg_name(&m.dns, name);
	unsigned int flags = FLAG_AA | (n->is_internal ? 0 : FLAG_RA);
	bool is_known = answer_name(t, c, uid, &m.dns, name, name_len, &r);

	if (!is_known && msg_reverse(name, name_len, &p) && is_ours(n, &p)) {
		rcode = answer_reverse(t, c, uid, &m.dns, &p, &r);
		is_known = true;
	}
	if (!is_known && !n->is_internal && c->has_resolvers)
		return ANSWER_FORWARD;
	if (!is_known && !n->is_internal) {
		*ret_len = answer_error(&m, DNS_RCODE_FAILED, out);
		return ANSWER_SEND;
	}
	if (!is_known && !table_has_below(t, c->net, uid, name, name_len))
		rcode = MSG_RCODE_NXDOMAIN;
	*ret_len = finish(&m, flags, rcode, &r);
	return ANSWER_SEND;
}
