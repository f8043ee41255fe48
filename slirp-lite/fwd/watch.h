/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: the epoll instance and what an event belongs to: a kind, a slot and its generation. */
#ifndef SLIRP_LITE_FWD_WATCH_H
#define SLIRP_LITE_FWD_WATCH_H

#include <stdint.h>

enum watch_kind {
	WATCH_CONTROL,   /* the listening control socket */
	WATCH_REQUESTER, /* a connection of the engine */
	WATCH_PORT,      /* a published socket */
	WATCH_OUTER,     /* a relayed connection, the client's end */
	WATCH_INNER,     /* the same, the container's end */
	WATCH_FLOW,      /* a UDP flow, the container's end */
};

struct watch_id {
	enum watch_kind kind;
	uint32_t index;
	uint32_t gen; /* SLOT_GEN_MASK */
};

/* events: EPOLL* bits. 0 or -errno. */
int watch_add(int epoll_fd, int fd, uint32_t events, enum watch_kind kind, uint32_t index,
	      uint32_t gen);
int watch_change(int epoll_fd, int fd, uint32_t events, enum watch_kind kind, uint32_t index,
		 uint32_t gen);
/* Always before close: another process may hold the same open file, and then close alone would
 * leave it watched. */
void watch_del(int epoll_fd, int fd);
struct watch_id watch_decode(uint64_t data);

#endif
