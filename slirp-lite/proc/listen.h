/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen: the sockets that hold one published port. */
#ifndef SLIRP_PROC_LISTEN_H
#define SLIRP_PROC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/publish.h"

struct listen_set {
	uint16_t port; /* that was bound */
	size_t n;
	int fd[2], family[2];
};

/* One port (count 1; host_port 0: any that is free) for the wanted families: TCP listens, by one
 * socket for both families where the host has both; UDP is bound, by one for each. A family that
 * the host does not have is left out when the other one is there. -EADDRINUSE with ERR_CONFLICT, or
 * another -errno; then nothing is open. */
int listen_open(const struct publish *p, bool is_v4, bool is_v6, struct listen_set *ret,
		struct err *e);

#endif
