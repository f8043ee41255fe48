/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockopt: one call each, in several sandboxes: no other call belongs in here. */
#include "sys/sockopt.h"

#include <sys/socket.h>

int sockopt_int(int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, name, &v, &len) < 0 ? -1 : v;
}

bool sockopt_is_from(int conn, uid_t uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	       (cred.uid == 0 || cred.uid == uid);
}
