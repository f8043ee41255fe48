/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwdstart: the control address of the local forwarder, and how its process is started. */
#ifndef NETD_NET_FWDSTART_H
#define NETD_NET_FWDSTART_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/* The address for the calling thread's effective user. */
void fwdstart_address(struct sockaddr_un *ret, socklen_t *ret_len);
/* Takes the address and starts a forwarder on it. 0: on return one may connect, though the program
 * has yet to come up. 1: somebody else has the address. */
int fwdstart_run(struct err *e);

#endif
