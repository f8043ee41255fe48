/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg: what a responder reads of a query (RFC 1035 4.1, RFC 6891), and the names in it. Pure. All
 * bytes are read through a cursor; no compression pointer is ever followed, so nothing can loop.
 */
#ifndef SLIRP_NAMES_MSG_H
#define SLIRP_NAMES_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "wire/dns.h"

#define MSG_UDP_PLAIN 512  /* RFC 1035 2.3.4 */
#define MSG_UDP_MOST 1232  /* what we say we take, and send of our own, over UDP */
#define MSG_QUERY_MAX 2048 /* no query of an honest client is longer */

enum {
	MSG_TYPE_PTR = 12,
	MSG_TYPE_OPT = 41,
	MSG_TYPE_IXFR = 251,
	MSG_TYPE_AXFR = 252,
	MSG_RCODE_NXDOMAIN = 3,
	MSG_RCODE_BADVERS = 16, /* in the extended form */
};

struct msg {
	struct dns dns;
	bool has_opt;
	uint8_t opt_version;
	uint16_t opt_size;
	bool wants_dnssec; /* DO bit */
};

/* 0: a query that can be answered, if only by an error. -1: no query at all. ret->dns.question_len
 * is 0 when anything in the message is malformed. */
int msg_parse(const uint8_t *p, size_t len, struct msg *ret);

/* The name of the question in lower case, as on the wire; its length, the root label included. */
size_t msg_name(const struct dns *d, uint8_t out[DNS_NAME_MAX]);
/* Text ("web", "db.prod", with or without a dot at the end) to the same form; 0: it is no name. */
size_t msg_name_of_text(const char *text, uint8_t out[DNS_NAME_MAX]);

/* The address or, where the name has only some of its parts, the prefix that a name of a reverse
 * zone (in-addr.arpa, ip6.arpa) speaks of. False: it is no such name. */
bool msg_reverse(const uint8_t *name, size_t len, struct prefix *ret);

#endif
