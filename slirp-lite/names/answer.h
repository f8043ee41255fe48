/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer: PURE. A query's bytes and the table to an answer's bytes, or to the verdict that a
 * resolver of the host is to be asked.
 */
#ifndef SLIRP_NAMES_ANSWER_H
#define SLIRP_NAMES_ANSWER_H

#include "names/msg.h"
#include "names/table.h"

#define ANSWER_MAX 65535

enum answer_verdict {
	ANSWER_DROP,    /* no query: say nothing */
	ANSWER_SEND,    /* out holds the answer */
	ANSWER_FORWARD, /* to a resolver, as it is */
};

struct answer_client {
	uint32_t net, entry; /* entry SLOT_NONE: no member of the network */
	bool is_stream;      /* TCP: an answer may be as long as ANSWER_MAX */
	bool has_resolvers;
};

/* out has ANSWER_MAX bytes. */
enum answer_verdict answer_query(struct table *t, const struct answer_client *c, const uint8_t *q,
				 size_t len, uint8_t *out, size_t *ret_len);
/* An answer without records; question and options follow the query. */
size_t answer_error(const struct msg *m, unsigned int rcode, uint8_t *out);
/* How much of an answer may go to who sent the query over UDP. */
size_t answer_limit(const struct msg *m);
/* A resolver's answer that is too long for that: only its beginning, marked as cut short. */
size_t answer_cut(uint8_t *message, size_t len);

#endif
