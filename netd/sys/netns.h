/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns: network namespaces by descriptor. A pid or a path is only a way in; after that everything
 * goes by descriptor, and a namespace is told from another by its cookie.
 */
#ifndef NETD_SYS_NETNS_H
#define NETD_SYS_NETNS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The network namespace of a process: pidfd_open, then PIDFD_GET_NET_NAMESPACE, else
 * /proc/PID/ns/net with the process checked again by pidfd_send_signal(0). ERR_ABSENT when there is
 * no such process. If ret_pidfd is not NULL the pidfd is handed out too; it is -1 on a kernel
 * without pidfd_open. */
int netns_open_pid(pid_t pid, int *ret_fd, int *ret_pidfd, struct err *e);

/* Opens a path and checks that it is a network namespace (fstatfs nsfs, NS_GET_NSTYPE). O_NONBLOCK
 * and O_NOFOLLOW are not used on the last component because /proc/PID/ns/net is a magic link, but a
 * FIFO or a device cannot hang the open. ERR_ABSENT / ERR_USAGE with the reason. */
int netns_open_path(const char *path, int *ret_fd, struct err *e);

/* /run/netns/NAME. */
int netns_open_name(const char *name, int *ret_fd, struct err *e);

/* The caller's own. */
int netns_open_self(int *ret_fd, struct err *e);

/* SO_NETNS_COOKIE of the namespace behind fd (opens a socket in it by setns / setns back). */
int netns_cookie(int fd, uint64_t *ret, struct err *e);

/* Runs fn(arg) inside fd and comes back; returns fn's result. If the way back fails the process
 * cannot go on safely: it is ended with _exit(70) after one line on standard error. */
int netns_call(int fd, int (*fn)(void *arg, struct err *e), void *arg, struct err *e);

/* Named namespaces, as `ip netns` makes them: /run/netns is made a shared mount, NAME a bind mount
 * of a new namespace. EEXIST -> ERR_CONFLICT. Nothing is left when it fails. */
int netns_create_name(const char *name, struct err *e);
/* umount + unlink. 1 when it was not there. */
int netns_delete_name(const char *name, struct err *e);

#endif
