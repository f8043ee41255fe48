/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dnsaddr: names are written out as they lie on the wire, in lower case, and compared as such. A
 * pointer leads to a place before the name it is in, and the next one before that, so none can loop
 * (RFC 1035 4.1.4). The records are walked once for each alias, for their order is nobody's
 * promise.
 */
#include "wire/dnsaddr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "wire/bytes.h"

#define LABEL_MAX 63
#define POINTER 0xc0
#define TYPE_CNAME 5
#define COUNT_AT 6 /* of answers, in the header */

struct wire_name {
	size_t len; /* the root label included */
	uint8_t b[DNS_NAME_MAX];
};

struct record {
	struct wire_name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	size_t at, len; /* of its data, in the message */
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool add_label(struct wire_name *to, const uint8_t *label, uint8_t n)
{
	if (to->len + 1 + n > sizeof(to->b))
		return false;
	to->b[to->len++] = n;
	for (uint8_t i = 0; i < n; i++)
		to->b[to->len++] = lower(label[i]);
	return true;
}

/* The name at `at`; *ret_next: what is behind it. */
static bool read_name(const uint8_t *m, size_t len, size_t at, struct wire_name *ret,
		      size_t *ret_next)
{
	struct bytes b = bytes_of(m + at, len - at);
	size_t before = at, next = 0;

	ret->len = 0;
	for (;;) {
		uint8_t n = bytes_u8(&b);

		if (n >= POINTER) {
			size_t to = (size_t)(n - POINTER) << 8 | bytes_u8(&b);

			if (b.is_short || to >= before)
				return false;
			if (next == 0)
				next = (size_t)(b.p - m);
			before = to;
			b = bytes_of(m + to, len - to);
			continue;
		}
		const uint8_t *label = bytes_take(&b, n);

		if (b.is_short || n > LABEL_MAX || !add_label(ret, label, n))
			return false;
		if (n == 0)
			break;
	}
	*ret_next = next ? next : (size_t)(b.p - m);
	return true;
}

/* The record at *at, which is moved behind it. */
static bool read_record(const uint8_t *m, size_t len, size_t *at, struct record *ret)
{
	struct bytes b;
	size_t next;

	if (*at >= len || !read_name(m, len, *at, &ret->owner, &next))
		return false;
	b = bytes_of(m + next, len - next);
	ret->type = bytes_u16(&b);
	ret->class = bytes_u16(&b);
	ret->ttl_s = bytes_u32(&b);
	if (ret->ttl_s > INT32_MAX)
		ret->ttl_s = 0;
	ret->len = bytes_u16(&b);
	ret->at = (size_t)(b.p - m);
	(void)bytes_take(&b, ret->len);
	*at = ret->at + ret->len;
	return !b.is_short;
}

static bool is_same(const struct wire_name *a, const struct wire_name *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void take_address(const uint8_t *m, const struct record *r, uint32_t ttl_s,
			 struct dnsaddr *ret)
{
	bool is_v4 = r->type == DNS_TYPE_A && r->len == 4;
	struct ip *ip = &ret->ip[ret->n];

	if ((!is_v4 && !(r->type == DNS_TYPE_AAAA && r->len == 16)) || ret->n == DNSADDR_MAX)
		return;
	*ip = (struct ip){.family = is_v4 ? AF_INET : AF_INET6};
	memcpy(ip->b, m + r->at, r->len);
	ret->ttl_s[ret->n++] = least(ttl_s, r->ttl_s);
}

struct walk {
	const uint8_t *m;
	size_t len, first; /* where the answers begin */
	unsigned n_records;
	struct wire_name name; /* whose records are looked for */
	uint32_t ttl_s;        /* the least so far */
};

/* One name's addresses, or the name that it is an alias of. 1: that is to be walked next. */
static int walk_name(struct walk *w, struct dnsaddr *ret)
{
	struct wire_name alias = {0};
	uint32_t alias_ttl_s = 0;
	size_t at = w->first, next;
	struct record r;

	for (unsigned i = 0; i < w->n_records; i++) {
		if (!read_record(w->m, w->len, &at, &r))
			return -1;
		if (r.class != DNS_CLASS_IN || !is_same(&r.owner, &w->name))
			continue;
		take_address(w->m, &r, w->ttl_s, ret);
		if (r.type != TYPE_CNAME)
			continue;
		if (r.len == 0 || !read_name(w->m, w->len, r.at, &alias, &next))
			return -1;
		alias_ttl_s = r.ttl_s;
	}
	if (ret->n > 0 || alias.len == 0)
		return 0;
	w->name = alias;
	w->ttl_s = least(w->ttl_s, alias_ttl_s);
	return 1;
}

/* "\3www\0": "www". A dot within a label would be another name. */
static bool to_text(const struct wire_name *name, char out[DNS_NAME_MAX])
{
	size_t n = 0;

	for (size_t at = 0; name->b[at] != 0; at += name->b[at] + 1u) {
		if (n > 0)
			out[n++] = '.';
		for (size_t i = 1; i <= name->b[at]; i++) {
			char c = (char)name->b[at + i];

			if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
			    c != '_')
				return false;
			out[n++] = c;
		}
	}
	out[n] = '\0';
	return n > 0;
}

int dnsaddr_read(const uint8_t *message, size_t len, struct dnsaddr *ret)
{
	struct walk w = {.m = message, .len = len, .ttl_s = UINT32_MAX};
	struct dnsaddr found = {.n = 0};
	struct bytes count;
	struct dns d;
	size_t next;
	int r = 1;

	if (dns_parse(message, len, &d) < 0 || !d.is_response || d.rcode != DNS_RCODE_OK ||
	    d.question_len == 0 || d.qclass != DNS_CLASS_IN ||
	    !read_name(message, len, DNS_HDR_LEN, &w.name, &next) || !to_text(&w.name, found.name))
		return -1;
	w.first = DNS_HDR_LEN + d.question_len;
	count = bytes_of(message + COUNT_AT, 2);
	w.n_records = bytes_u16(&count);
	if (w.n_records > DNSADDR_RECORDS)
		w.n_records = DNSADDR_RECORDS;
	for (unsigned i = 0; r == 1 && i <= DNSADDR_ALIASES; i++)
		r = walk_name(&w, &found);
	if (r < 0)
		return -1;
	*ret = found;
	return 0;
}
