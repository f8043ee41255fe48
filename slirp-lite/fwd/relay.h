/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay: TCP connections of clients on this host, carried on to the container. */
#ifndef SLIRP_LITE_FWD_RELAY_H
#define SLIRP_LITE_FWD_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "fwd/dest.h"

#define RELAY_MAX 16384 /* connections at once; one more is reset */

struct relay;

/* Allocates all it will ever need. 0 or -errno. */
int relay_new(int epoll_fd, struct relay **ret);
/* Takes in waiting clients of a listener, a bounded number. 0, or -errno when the system is out of
 * something: the listener is to be left alone for a while. */
int relay_accept(struct relay *r, int listen_fd, uint32_t port, const struct dest *to);
/* is_outer: which end. Events of connections that are gone are ignored. */
void relay_event(struct relay *r, uint32_t index, uint32_t gen, bool is_outer, uint32_t events);
/* Goes on with connections that had more to move than is fair in one go. True: some still have. */
bool relay_go_on(struct relay *r);
/* Resets every connection that came in through this port. */
void relay_cut(struct relay *r, uint32_t port);

#endif
