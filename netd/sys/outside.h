/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outside: a process that stays in the user namespace that its starter is about to leave for
 * another one of the same user's, and lends it the user's rights over the others.
 *
 * Who has entered user namespace A may do nothing in its sibling B, though the same user made both
 * and, outside of them, may do everything in either. A request about two network namespaces, one of
 * A and one of B (a veth pair), is allowed where the socket it comes by was opened with the user's
 * rights and is sent by one who has them (netlink(7): both are looked at). The socket has to be in
 * A's network namespace too, where nobody with those rights can be: it is opened by a ring
 * (io_uring(7)) that was made outside and keeps the credentials it was made with.
 *
 * One in a program. Read user_namespaces(7), "Capabilities".
 */
#ifndef NETD_SYS_OUTSIDE_H
#define NETD_SYS_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Before entering. The process ends with the caller, or by outside_end. */
int outside_start(struct err *e);
void outside_end(void);
bool outside_is_there(void);

/* A socket in the network namespace netns_fd, with the rights of the user namespace that owns it.
 */
int outside_socket_in(int netns_fd, int domain, int type, int protocol, int *ret_fd, struct err *e);
/* A socket in the caller's network namespace with the rights of the process outside.
 * ERR_UNSUPPORTED where there are no rings (kernel.io_uring_disabled, a filter of system calls). */
int outside_socket_here(int domain, int type, int protocol, int *ret_fd, struct err *e);
/* send(2) by the process outside. Bytes, or -errno. */
long outside_send(int fd, const void *data, size_t len);

#endif
