/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside: a pool of sockets that were made inside the container's network namespace, one shelf for
 * each family and type. It asks ahead of need and never waits. The channel outlives the worker, so
 * an answer may have been meant for the one before: it is told by its number and closed.
 */
#ifndef SLIRP_LITE_RELAY_INSIDE_H
#define SLIRP_LITE_RELAY_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/addr.h"

#define INSIDE_MAX 32 /* on a shelf */
/* An answer that takes longer will not come: the pool counts as closed until one does. */
#define INSIDE_ANSWER_MS 1000

struct inside;

/* channel stays the caller's; -1: there is none, the pool is closed. Nothing is allocated later.
 * 0 or -errno. */
int inside_new(int channel, struct inside **ret);
void inside_free(struct inside *in); /* accepts NULL */
/* Some of the kind will be wanted: asks for the first ones. */
void inside_warm(struct inside *in, int family, int type, uint64_t now_ms);
/* A socket, which is the caller's; -EAGAIN: it has been asked for; -EPIPE: the pool is closed;
 * -ENOBUFS: none could be made just now. */
int inside_take(struct inside *in, int family, int type, uint64_t now_ms);
/* Asks for a TCP socket that is bound to from:port, somebody else's address. 0 with the number that
 * it comes under (inside_on_bound), or -errno: there will be none, -EPERM: of nobody. */
int inside_ask_bound(struct inside *in, const struct ip *from, uint16_t port, uint32_t *ret_id);
/* fn is called with what comes of it: a socket, or -errno. False: nobody waits for it, the socket
 * is closed. */
typedef bool inside_bound_fn(void *arg, uint32_t id, int fd);
void inside_on_bound(struct inside *in, inside_bound_fn *fn, void *arg);
/* The channel is readable. True: a request was answered, or none will be any more. */
bool inside_event(struct inside *in, uint64_t now_ms);
/* Notices what was not answered, and asks again after a refusal. True: the pool counts as closed
 * from now on. inside_due: when there is something to do; UINT64_MAX: never. */
bool inside_tick(struct inside *in, uint64_t now_ms);
uint64_t inside_due(const struct inside *in);
/* False: nobody answers now. */
bool inside_is_open(const struct inside *in);
/* Sockets on all shelves. */
unsigned inside_count(const struct inside *in);

#endif
