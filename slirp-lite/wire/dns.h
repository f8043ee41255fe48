/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: the header and the question of DNS messages, as far as a forwarder reads them, and short
 * answers of its own (RFC 1035 4.1). Everything behind the question passes through unread. Pure.
 */
#ifndef SLIRP_WIRE_DNS_H
#define SLIRP_WIRE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

#define DNS_PORT 53
#define DNS_HDR_LEN 12
#define DNS_NAME_MAX 255 /* bytes on the wire */
#define DNS_QUESTION_MAX (DNS_NAME_MAX + 4)

enum {
	DNS_RCODE_OK = 0,
	DNS_RCODE_FORMAT = 1,
	DNS_RCODE_FAILED = 2,  /* server failure */
	DNS_RCODE_UNKNOWN = 4, /* opcode not implemented */
	DNS_RCODE_REFUSED = 5,

	DNS_TYPE_A = 1,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_ANY = 255,
	DNS_CLASS_IN = 1,
};

struct dns {
	uint16_t id;
	bool is_response, is_truncated;
	bool is_recursion; /* desired */
	uint8_t opcode, rcode;
	uint16_t n_questions;
	/* With n_questions == 1 and a question that parses; else len 0. */
	const uint8_t *question; /* name, type, class */
	size_t question_len;
	size_t name_len; /* of question, the root label included */
	uint16_t qtype, qclass;
};

/* 0, or -1: shorter than a header. A question that does not parse has question_len 0. */
int dns_parse(const uint8_t *p, size_t len, struct dns *ret);
/* Whether two questions are the same but for the case of letters in the name (RFC 4343). */
bool dns_question_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* name: lower-case text without a dot at the end. */
bool dns_name_is(const struct dns *d, const char *name);
void dns_set_id(uint8_t *message, uint16_t id); /* message has DNS_HDR_LEN bytes */

#define DNS_ANSWER_MAX (DNS_HDR_LEN + DNS_QUESTION_MAX + 28)
/* An answer to q from us: question echoed, rcode, and one record with ip unless its family is 0.
 * Returns the length. */
size_t dns_build_answer(uint8_t *out, const struct dns *q, uint8_t rcode, const struct ip *ip,
			uint32_t ttl_s);

#endif
