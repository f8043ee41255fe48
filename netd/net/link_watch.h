/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_watch: tells of links of the caller's namespace that go away. */
#ifndef NETD_NET_LINK_WATCH_H
#define NETD_NET_LINK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct link_watch;

int link_watch_open(struct link_watch **ret, struct err *e);
void link_watch_closep(struct link_watch **w);
int link_watch_fd(const struct link_watch *w); /* readable when there is something to read */
/* Reads what is there and returns at once. 0; 1: announcements were lost, look at everything. */
int link_watch_read(struct link_watch *w, void (*gone)(uint32_t index, void *arg), void *arg,
		    struct err *e);
/* Whether of what was read since the last time something told of a container's link of ours that
 * is new or has changed. */
bool link_watch_came(struct link_watch *w);
/* Whether links that come are announced too, as they are at first; else those that go alone. */
void link_watch_want(struct link_watch *w, bool is_coming);

#endif
