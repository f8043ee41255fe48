/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwdstart: the control address of the local forwarder, and how its process is started; the same
 * for the names responder, which is another role of its program. */
#ifndef NETD_NET_FWDSTART_H
#define NETD_NET_FWDSTART_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "model/addr.h"

struct fwdstart {
	const char *address; /* format of the abstract address; %u: the user */
	const char *role;    /* first argument of the program; NULL: none */
	const char *what;    /* for people: "the local forwarder" */
};
extern const struct fwdstart fwdstart_forwarder, fwdstart_names;

/* From now on, for the whole program: the names responder ends when the other end of the pipe
 * end_fd (borrowed) is closed, and asks these resolvers and not those of resolv.conf. */
void fwdstart_live_with(int end_fd, const struct ip resolver[N_FAM]);
/* That pipe opened once more, for one more process to end with (sandbox_die_with_pipe); *ret -1:
 * there is none. 0 or -errno. */
int fwdstart_end_again(int *ret);

/* The address for the calling thread's effective user. */
void fwdstart_address(const struct fwdstart *s, struct sockaddr_un *ret, socklen_t *ret_len);
/* Takes the address and starts a process on it. 0: on return one may connect, though the program
 * has yet to come up. 1: somebody else has the address. */
int fwdstart_run(const struct fwdstart *s, struct err *e);

#endif
