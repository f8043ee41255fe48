/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookout: a process that stays outside when its maker enters a user's host, and finds for him,
 * later, who keeps it: from inside nobody may look at what a process outside has open. It holds
 * nothing of the host, and ends with its maker. Private to this room.
 */
#ifndef NETD_ROOTLESS_LOOKOUT_H
#define NETD_ROOTLESS_LOOKOUT_H

#include <sys/types.h>

#include "rootless/keep.h"

struct lookout {
	int sock;
	pid_t pid; /* 0: none */
};
#define LOOKOUT_INIT                                                                               \
	{                                                                                          \
		.sock = -1                                                                         \
	}

int lookout_start(struct lookout *l, int dir_fd, struct err *e);
/* keep_find in the directory it was started with. */
int lookout_find(struct lookout *l, struct keep *ret, struct err *e);
void lookout_end(struct lookout *l);

#endif
