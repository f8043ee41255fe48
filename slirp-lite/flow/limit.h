/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit: so many bytes a second. What may wait (TCP) passes while there are tokens, and may take
 * more than there are: the rest is owed, and paid before anything passes again. What cannot wait
 * (datagrams) passes until a whole burst is owed; while others wait it has three quarters of the
 * rate. A value, fed with the clock (milliseconds); starts full.
 */
#ifndef SLIRP_FLOW_LIMIT_H
#define SLIRP_FLOW_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit {
	uint64_t rate;         /* bytes a second, never 0 */
	int64_t burst;         /* as the following: thousandths of a byte */
	int64_t tokens, share; /* of all, of datagrams; negative: owed */
	uint64_t at;           /* when that was so */
	bool is_waited;        /* something waits: its holder says so */
};

/* bits: a second, at least 8,000. min: bytes that may always pass at once. */
void limit_init(struct limit *l, uint64_t bits, size_t min, uint64_t now);
/* How many bytes may pass now, 0: none; more may be taken. */
size_t limit_room(struct limit *l, uint64_t now);
void limit_take(struct limit *l, size_t n);
/* When there is room again, after limit_room was 0. */
uint64_t limit_due(const struct limit *l);
/* Takes a datagram, or says no. */
bool limit_admit(struct limit *l, size_t n, uint64_t now);

#endif
