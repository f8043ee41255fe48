/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: one epoll set, one clock read a round. Sources are embedded in their owners, so nothing is
 * allocated; a source that is removed while its event waits in the same round is not called.
 */
#ifndef SLIRP_IO_LOOP_H
#define SLIRP_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

struct source {
	int fd; /* -1: not in the loop */
	void (*fn)(struct source *s, uint32_t events, uint64_t now);
	uint32_t events;
};

struct loop;

int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l);
/* s->fn must be set; events as epoll's (EPOLLET is allowed). 0 or -errno. */
int loop_add(struct loop *l, struct source *s, int fd, uint32_t events);
int loop_change(struct loop *l, struct source *s, uint32_t events);
void loop_remove(struct loop *l, struct source *s); /* before the fd is closed; accepts fd -1 */
/* As loop_remove for a descriptor that is closed at once and of which no duplicate exists: the
 * kernel takes it out of the set itself. */
void loop_forget(struct loop *l, struct source *s);
/* Lends the epoll set, a descriptor, to one of two rooms that watch descriptors of their own in it:
 * what they register has bit 63 of its data set, as no pointer has, and bit 62 for the second of
 * them. Its events come to fn, which has to know late ones. fn NULL: they come to nobody. */
enum loop_room { LOOP_FIRST, LOOP_SECOND, LOOP_ROOMS };
typedef void loop_lent_fn(void *arg, uint64_t data, uint32_t events, uint64_t now);
int loop_lend(struct loop *l, enum loop_room room, loop_lent_fn *fn, void *arg);
/* Waits until `until` (ms, UINT64_MAX: for ever) and calls what is ready. Returns the new time,
 * which every fn got as now. */
uint64_t loop_round(struct loop *l, uint64_t until);
uint64_t loop_now(const struct loop *l); /* of the present round, ms */

/* Lets those run who wait for this processor, for a moment: after a burst for somebody who may be
 * one of them, whose buffer is full before he is next by turns. Not while it takes longer than he
 * would need: then others are at work. */
void loop_yield(struct loop *l);

/* Sleeps for a moment (50 us, and what the system's timers add), whatever comes meanwhile. */
void loop_gather(struct loop *l);
/* How many sources the last round called. */
unsigned loop_n_called(const struct loop *l);

/* For tests: from now on time stands still at `now` (until the next call), and nothing waits. */
void loop_hold(struct loop *l, uint64_t now);

#endif
