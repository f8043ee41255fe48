/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: the epoll instance and what an event belongs to: a kind, a slot and its generation. */
#ifndef SLIRP_LITE_RELAY_WATCH_H
#define SLIRP_LITE_RELAY_WATCH_H

#include <stdint.h>

enum {
	WATCH_OUTER, /* a relayed connection, the client's end */
	WATCH_INNER, /* the same, the container's end */
	WATCH_FLOW,  /* a UDP flow, the container's end */
	WATCH_OTHER, /* from here on: kinds of whoever the epoll instance belongs to, below 64 */
	WATCH_SECOND = 64, /* added to the others: of the second relay in one instance */
};

struct watch_id {
	uint8_t kind;
	uint32_t index;
	uint32_t gen; /* SLOT_GEN_MASK */
};

/* events: EPOLL* bits. 0 or -errno. */
int watch_add(int epoll_fd, int fd, uint32_t events, uint8_t kind, uint32_t index, uint32_t gen);
int watch_change(int epoll_fd, int fd, uint32_t events, uint8_t kind, uint32_t index, uint32_t gen);
/* Always before close: another process may hold the same open file, and then close alone would
 * leave it watched. */
void watch_del(int epoll_fd, int fd);
struct watch_id watch_decode(uint64_t data);

#endif
