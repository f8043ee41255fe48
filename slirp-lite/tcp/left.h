/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * left: the connections of a worker that died. Its sockets on the host were reset by the kernel; of
 * the container's ends nobody has told. One that sends is answered with a reset, as a segment that
 * belongs to no connection; one that waits to receive would wait for ever. So each is asked, as by
 * a keep-alive probe (RFC 9293 3.8.4), whether it is there: it answers with an acknowledgement, and
 * that is answered with the reset, whose sequence number is right by that (3.10.7.1).
 *
 * Who is to be asked stands at the beginning of the memory file, before the table, until all were
 * asked as often as it takes: a worker that dies meanwhile leaves it to the next one, with its own.
 */
#ifndef SLIRP_TCP_LEFT_H
#define SLIRP_TCP_LEFT_H

#include "tcp/flows.h"

struct left;

/* Of the memory file; the table is in what comes after. */
#define LEFT_BYTES ((size_t)8 << 20)

/* What env's memory file (borrowed, only for this call) still has, not to be believed either, is
 * noted first. Never fails: without memory for it nobody is asked. */
struct left *left_new(const struct tcp_env *env);
void left_free(struct left *l); /* accepts NULL; what is in the file stays in it */
/* For table_new_kept: what a slot (a struct tcp_flow that is not to be believed) tells is noted. */
void left_note(void *arg, const void *slot);
/* Asks all of them, some at a time, and several times. t: for flow_emit; outlives l. */
void left_begin(struct left *l, struct tcp *t, uint64_t now);

#endif
