/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockopt: what a socket that came from elsewhere is, and who is at its other end. Read socket(7),
 * unix(7). */
#ifndef NETD_SYS_SOCKOPT_H
#define NETD_SYS_SOCKOPT_H

#include <stdbool.h>
#include <sys/types.h>

/* An option of SOL_SOCKET that is an int; -1: it has none, or fd is no socket. */
int sockopt_int(int fd, int name);
/* The process at the other end (SO_PEERCRED) is root's or this user's. */
bool sockopt_is_from(int conn, uid_t uid);

#endif
