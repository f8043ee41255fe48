/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fdpass: one message with descriptors over a UNIX socket (SCM_RIGHTS, unix(7)). */
#ifndef NETD_SYS_FDPASS_H
#define NETD_SYS_FDPASS_H

#include <stdbool.h>
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

/* Reads the next packet and leaves it where it is: its descriptors, if it has any, never become
 * ours. Bytes, or as above; -EPROTO for a packet that is longer than size. */
ssize_t fdpass_peek(int sock, void *data, size_t size, bool *ret_has_fds);

/* Closes what a stranger may have put something slow behind: a connection with descriptors waiting
 * in it can be the last that holds a socket which lingers. It takes a few milliseconds at most.
 * fdpass_drop_setup comes first, once; it takes SIGALRM. _read: what is waiting is read first, for
 * else the other end loses what it has not read yet. */
int fdpass_drop_setup(void);
void fdpass_drop(int *fd);
void fdpass_drop_read(int *fd);

#endif
