/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privilege: what the calling process may do to its own network namespace. */
#ifndef NETD_SYS_PRIVILEGE_H
#define NETD_SYS_PRIVILEGE_H

#include <stdbool.h>

/* True when it may make links, rules and addresses there: CAP_NET_ADMIN and CAP_SYS_ADMIN are
 * effective and the user namespace that owns the network namespace is the caller's own or inside of
 * it. Root of a user namespace that still lives in its parent's network has none. */
bool privilege_over_network(void);

#endif
