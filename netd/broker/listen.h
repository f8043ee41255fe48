/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: the socket that clients connect to: handed over by whoever started netd (LISTEN_FDS), or
 * made at a path. One that a dead netd left is replaced; one that answers is not.
 */
#ifndef NETD_BROKER_LISTEN_H
#define NETD_BROKER_LISTEN_H

#include <stdbool.h>
#include <sys/un.h>

#include "base/err.h"

struct listen {
	int fd;
	struct sockaddr_un name;
	bool is_own; /* the file is ours to remove */
	unsigned long dev, ino;
};

/* path NULL: the usual one. */
int listen_open(const char *path, struct listen *ret, struct err *e);
/* One that a former program of this process has opened; the rest of *ret is filled in by the
 * caller. On an error the descriptor stays the caller's. */
int listen_adopt(int fd, struct listen *ret, struct err *e);
/* Whether it is a listening SOCK_SEQPACKET socket of AF_UNIX. */
bool listen_is_socket(int fd);
void listen_close(struct listen *l); /* removes the file when it is the one we made */

#endif
