/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fdpass: one message with descriptors over a UNIX socket (SCM_RIGHTS, unix(7)). */
#ifndef NETD_SYS_FDPASS_H
#define NETD_SYS_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#define FDPASS_MAX 32

/* Sends data (not empty) and n_fds descriptors, which stay the caller's. 0 or -errno; never waits.
 */
int fdpass_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);

/* Receives one packet into data and up to max (at most FDPASS_MAX) descriptors, close-on-exec, into
 * fds; entries without one become -1. Bytes, 0 at the end, -EAGAIN, -EPROTO for a message that is
 * longer than size or brings more descriptors (what it brought is closed), or another -errno. Never
 * waits. */
ssize_t fdpass_recv(int sock, void *data, size_t size, int *fds, size_t max);

#endif
