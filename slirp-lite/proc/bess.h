/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bess: --target-type=bess: frames come over a socket (SOCK_SEQPACKET, one plain Ethernet frame a
 * message) from whoever connects to it first, a virtual machine's or a switch's process, instead of
 * a tap.
 */
#ifndef SLIRP_PROC_BESS_H
#define SLIRP_PROC_BESS_H

#include "base/err.h"

/* Binds path with mode 0600, waits for one client of this user or root, without a deadline, and
 * removes path. 0; 1 when a signal or the end of exit_fd (-1: none) came first; negative. */
int bess_open(const char *path, int signals, int exit_fd, int *ret_fd, struct err *e);

#endif
