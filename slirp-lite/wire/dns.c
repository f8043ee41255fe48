/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: the twelve bytes and the question behind them. Names are read without following pointers
 * (none may stand in a question that is the first name of its message), so nothing can loop.
 * RFC 1035 4.1, RFC 4343, RFC 5452 9.1.
 */
#include "wire/dns.h"

#include <string.h>

#include "wire/bytes.h"

#define LABEL_MAX 63
#define FLAG_RESPONSE 0x8000
#define FLAG_TRUNCATED 0x0200
#define FLAG_RD 0x0100
#define FLAG_RA 0x0080

/* Length of the name, the root label included; 0: malformed. */
static size_t skip_name(struct bytes *b)
{
	const uint8_t *start = b->p;

	for (;;) {
		uint8_t n = bytes_u8(b);

		if (b->is_short || n > LABEL_MAX)
			return 0;
		bytes_take(b, n);
		if (b->is_short || b->p - start > DNS_NAME_MAX)
			return 0;
		if (n == 0)
			return (size_t)(b->p - start);
	}
}

int dns_parse(const uint8_t *p, size_t len, struct dns *ret)
{
	struct bytes b = bytes_of(p, len);
	struct dns d = {.id = bytes_u16(&b)};
	uint16_t flags = bytes_u16(&b);

	d.n_questions = bytes_u16(&b);
	bytes_take(&b, 6);
	if (b.is_short)
		return -1;
	d.is_response = flags & FLAG_RESPONSE;
	d.is_truncated = flags & FLAG_TRUNCATED;
	d.is_recursion = flags & FLAG_RD;
	d.opcode = flags >> 11 & 0xf;
	d.rcode = flags & 0xf;
	if (d.n_questions == 1) {
		const uint8_t *question = b.p;
		size_t name_len = skip_name(&b);
		uint16_t qtype = bytes_u16(&b), qclass = bytes_u16(&b);

		if (name_len > 0 && !b.is_short) {
			d.question = question;
			d.name_len = name_len;
			d.question_len = name_len + 4;
			d.qtype = qtype;
			d.qclass = qclass;
		}
	}
	*ret = d;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Lengths of labels are below 'A', so a name may be folded as a whole. Type and class may not. */
bool dns_question_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (a_len != b_len || a_len < 5)
		return false;
	for (size_t i = 0; i < a_len - 4; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return memcmp(a + a_len - 4, b + a_len - 4, 4) == 0;
}

bool dns_name_is(const struct dns *d, const char *name)
{
	struct bytes b = bytes_of(d->question, d->name_len);

	while (d->name_len > 0) {
		uint8_t n = bytes_u8(&b);

		if (n == 0)
			return *name == '\0';
		for (; n > 0; n--)
			if (*name == '\0' || *name == '.' ||
			    lower(bytes_u8(&b)) != (uint8_t)*name++)
				return false;
		if (*name == '.')
			name++;
		else if (*name != '\0')
			return false;
	}
	return false;
}

void dns_set_id(uint8_t *message, uint16_t id)
{
	message[0] = (uint8_t)(id >> 8);
	message[1] = (uint8_t)id;
}

size_t dns_build_answer(uint8_t *out, const struct dns *q, uint8_t rcode, const struct ip *ip,
			uint32_t ttl_s)
{
	struct out o = out_of(out, DNS_ANSWER_MAX);
	uint16_t type = ip->family == AF_INET6 ? DNS_TYPE_AAAA : DNS_TYPE_A;
	size_t n = ip_size(ip);

	out_u16(&o, q->id);
	out_u16(&o, (uint16_t)(FLAG_RESPONSE | FLAG_RA | q->opcode << 11 |
			       (q->is_recursion ? FLAG_RD : 0) | (rcode & 0xf)));
	out_u16(&o, q->question_len > 0);
	out_u16(&o, n > 0);
	out_u32(&o, 0);
	if (q->question_len > 0)
		out_copy(&o, q->question, q->question_len);
	if (n > 0) {
		out_u16(&o, 0xc000 | DNS_HDR_LEN); /* the name of the question */
		out_u16(&o, type);
		out_u16(&o, DNS_CLASS_IN);
		out_u32(&o, ttl_s);
		out_u16(&o, (uint16_t)n);
		out_copy(&o, ip->b, n);
	}
	return o.len;
}
