/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg: header and question are wire/dns.c's; what follows is walked through only to find EDNS's
 * record and to know that it is sound. Names behind the question may end in a pointer, which is
 * stepped over. RFC 1035 3.5, RFC 3596 2.5, RFC 4343, RFC 6891 6.1.
 */
#include "names/msg.h"

#include <string.h>

#include "wire/bytes.h"

#define LABEL_MAX 63
#define POINTER 0xc0
#define FLAG_DO 0x8000

static bool skip_name(struct bytes *b)
{
	size_t left = DNS_NAME_MAX;

	for (;;) {
		uint8_t n = bytes_u8(b);

		if (b->is_short)
			return false;
		if (n == 0)
			return true;
		if ((n & POINTER) == POINTER)
			return bytes_take(b, 1) != NULL;
		if (n > LABEL_MAX || (size_t)n + 1 >= left || !bytes_take(b, n))
			return false;
		left -= (size_t)n + 1;
	}
}

/* One record. False: malformed. */
static bool read_record(struct bytes *b, bool is_additional, struct msg *m)
{
	const uint8_t *owner = b->p;

	if (!skip_name(b))
		return false;
	bool is_root = b->p - owner == 1;
	uint16_t type = bytes_u16(b), klass = bytes_u16(b);
	uint32_t ttl = bytes_u32(b);
	uint16_t len = bytes_u16(b);

	bytes_take(b, len);
	if (b->is_short)
		return false;
	if (type != MSG_TYPE_OPT)
		return true;
	if (!is_additional || !is_root || m->has_opt)
		return false;
	m->has_opt = true;
	m->opt_size = klass;
	m->opt_version = (uint8_t)(ttl >> 16);
	m->wants_dnssec = ttl & FLAG_DO;
	return true;
}

int msg_parse(const uint8_t *p, size_t len, struct msg *ret)
{
	struct msg m = {.has_opt = false};
	struct bytes b = bytes_of(p, len);

	if (dns_parse(p, len, &m.dns) < 0 || m.dns.is_response)
		return -1;
	bytes_take(&b, 6);
	unsigned n_answer = bytes_u16(&b), n_authority = bytes_u16(&b);
	unsigned n_additional = bytes_u16(&b);
	bool ok = m.dns.question_len > 0 && len <= MSG_QUERY_MAX &&
		  bytes_take(&b, m.dns.question_len) != NULL;

	for (unsigned i = 0; ok && i < n_answer + n_authority; i++)
		ok = read_record(&b, false, &m);
	for (unsigned i = 0; ok && i < n_additional; i++)
		ok = read_record(&b, true, &m);
	if (!ok)
		m.dns.question_len = m.dns.name_len = 0;
	*ret = m;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Lengths of labels are below 'A': the name may be folded as a whole. */
size_t msg_name(const struct dns *d, uint8_t out[DNS_NAME_MAX])
{
	for (size_t i = 0; i < d->name_len; i++)
		out[i] = lower(d->question[i]);
	return d->name_len;
}

size_t msg_name_of_text(const char *text, uint8_t out[DNS_NAME_MAX])
{
	size_t len = 0, at = 0;

	while (text[at]) {
		size_t n = strcspn(text + at, ".");

		if (n == 0 || n > LABEL_MAX || len + n + 2 > DNS_NAME_MAX)
			return 0;
		out[len++] = (uint8_t)n;
		for (size_t i = 0; i < n; i++)
			out[len++] = lower((uint8_t)text[at + i]);
		at += n;
		if (text[at] == '.')
			at++;
	}
	if (len == 0)
		return 0;
	out[len++] = 0;
	return len;
}

/* Where each label begins; their number, 0 above max. */
static size_t labels_of(const uint8_t *name, size_t len, const uint8_t *at[], size_t max)
{
	struct bytes b = bytes_of(name, len);
	size_t n = 0;

	for (;;) {
		const uint8_t *p = b.p;
		uint8_t k = bytes_u8(&b);

		if (b.is_short || k == 0)
			return b.is_short ? 0 : n;
		if (n == max || !bytes_take(&b, k))
			return 0;
		at[n++] = p;
	}
}

static bool label_is(const uint8_t *label, const char *text)
{
	return label[0] == strlen(text) && memcmp(label + 1, text, label[0]) == 0;
}

/* 0..255 without zeros in front; -1: something else. */
static int decimal(const uint8_t *label)
{
	int v = 0;

	if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return -1;
	for (uint8_t i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = 10 * v + (label[i] - '0');
	}
	return v > 255 ? -1 : v;
}

static int nibble(const uint8_t *label)
{
	if (label[0] != 1)
		return -1;
	if (label[1] >= '0' && label[1] <= '9')
		return label[1] - '0';
	return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

bool msg_reverse(const uint8_t *name, size_t len, struct prefix *ret)
{
	const uint8_t *at[2 + 32];
	size_t n = labels_of(name, len, at, sizeof(at) / sizeof(at[0]));
	struct prefix p = {.len = 0};

	if (n < 3 || !label_is(at[n - 1], "arpa"))
		return false;
	bool v4 = label_is(at[n - 2], "in-addr"), v6 = label_is(at[n - 2], "ip6");
	n -= 2;
	if (!v4 && !v6)
		return false;
	if (n > (v4 ? 4u : 32u))
		return false;
	p.ip.family = v4 ? AF_INET : AF_INET6;
	p.len = (uint8_t)(n * (v4 ? 8 : 4));
	for (size_t i = 0; i < n; i++) {
		int v = v4 ? decimal(at[n - 1 - i]) : nibble(at[n - 1 - i]);

		if (v < 0)
			return false;
		if (v4)
			p.ip.b[i] = (uint8_t)v;
		else
			p.ip.b[i / 2] = (uint8_t)(p.ip.b[i / 2] | v << (i % 2 ? 0 : 4));
	}
	*ret = p;
	return true;
}
