/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork: fork(2) into new namespaces, with a pidfd of the child. */
#ifndef NETD_SYS_FORK_H
#define NETD_SYS_FORK_H

#include <sys/types.h>

/* flags: CLONE_NEW* or-ed. As fork: the pid, 0 in the child, -1 with errno; *ret_pidfd is set in
 * the parent on success. The C library's fork handlers are not run: for processes of one thread. */
pid_t fork_into(unsigned long flags, int *ret_pidfd);

#endif
