/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: packs kind (7 bits), generation (24) and index (32) into epoll's 64 bits of user data,
 * the first of which is set: in an epoll instance that is shared it tells them from pointers. */
#include "relay/watch.h"

#include <errno.h>
#include <sys/epoll.h>

#include "relay/slots.h"

#define IS_WATCH (1ULL << 63)

static int control(int epoll_fd, int op, int fd, uint32_t events, struct watch_id id)
{
	struct epoll_event ev = {.events = events,
				 .data.u64 = IS_WATCH | (uint64_t)id.kind << 56 |
					     (uint64_t)(id.gen & SLOT_GEN_MASK) << 32 | id.index};

	return epoll_ctl(epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

int watch_add(int epoll_fd, int fd, uint32_t events, uint8_t kind, uint32_t index, uint32_t gen)
{
	return control(epoll_fd, EPOLL_CTL_ADD, fd, events, (struct watch_id){kind, index, gen});
}

int watch_change(int epoll_fd, int fd, uint32_t events, uint8_t kind, uint32_t index, uint32_t gen)
{
	return control(epoll_fd, EPOLL_CTL_MOD, fd, events, (struct watch_id){kind, index, gen});
}

void watch_del(int epoll_fd, int fd)
{
	struct epoll_event none = {0};

	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &none);
}

struct watch_id watch_decode(uint64_t data)
{
	return (struct watch_id){.kind = (uint8_t)((data & ~IS_WATCH) >> 56),
				 .gen = (uint32_t)(data >> 32) & SLOT_GEN_MASK,
				 .index = (uint32_t)data};
}
