/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer: credentials by SO_PEERCRED, SO_PEERGROUPS and SO_PEERPIDFD (Linux 6.5; without it the log
 * has no name of the process, for a number may be another's by now), namespaces by ioctl_ns(2).
 * What a descriptor is gets looked at before anything is done with it. Read unix(7), socket(7).
 */
#include "broker/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/sockopt.h"
#include "sys/userns.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define PIDFD_NETNS _IO(0xFF, 4) /* PIDFD_GET_NET_NAMESPACE, Linux 6.11 */

int peer_check(int conn, const struct sockaddr_un *name, struct err *e)
{
	struct sockaddr_un sa = {0};
	socklen_t len = sizeof(sa);

	if (sockopt_int(conn, SO_DOMAIN) != AF_UNIX ||
	    sockopt_int(conn, SO_TYPE) != SOCK_SEQPACKET || sockopt_int(conn, SO_ACCEPTCONN) != 0 ||
	    getsockname(conn, (struct sockaddr *)&sa, &len) < 0 ||
	    memcmp(sa.sun_path, name->sun_path, sizeof(sa.sun_path)) != 0)
		return err_invalid(e, ERR_PROTOCOL, "that is no connection of this socket");
	return 0;
}

static int get_groups(int conn, struct policy_subject *s, gid_t primary, struct err *e)
{
	gid_t list[POLICY_GROUPS - 1];
	socklen_t len = sizeof(list);

	s->gid[s->n_gid++] = primary;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, list, &len) < 0) {
		/* More than anybody has need of: those that are not seen give nothing, and a rule
		 * that denies one of them must not be got round. */
		if (errno == ERANGE)
			return err_set(e, ERR_DENIED, 0, "in more than %d groups",
				       POLICY_GROUPS - 1);
		return err_sys(e, errno, "groups of the client");
	}
	for (size_t i = 0; i < len / sizeof(list[0]); i++)
		s->gid[s->n_gid++] = list[i];
	return 0;
}

static int read_at(const char *path, char *out, size_t size)
{
	CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (n < 0)
		return -1;
	out[n] = '\0';
	return 0;
}

/* Its name is its own choice: whatever could be taken for something else in a line becomes '?'. */
static void get_comm(int conn, char *ret, size_t size)
{
	CLEAN_FD int pidfd = sockopt_int(conn, SO_PEERPIDFD);
	char path[64], text[512];
	const char *at;

	snprintf(ret, size, "?");
	if (pidfd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (read_at(path, text, sizeof(text)) < 0 || !(at = strstr(text, "\nPid:\t")))
		return;
	snprintf(path, sizeof(path), "/proc/%ld/comm", strtol(at + strlen("\nPid:\t"), NULL, 10));
	if (read_at(path, text, size) < 0)
		return;
	/* It lives, so what was read was its own. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno != EPERM)
		return;
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-",
			    *c))
			*c = '?';
	snprintf(ret, size, "%.31s", text);
}

int peer_of(int conn, const struct sockaddr_un *name, struct peer *ret, struct err *e)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int r = peer_check(conn, name, e);

	if (r < 0)
		return r;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(e, errno, "who the client is");
	memset(ret, 0, sizeof(*ret));
	ret->who.uid = cred.uid;
	get_comm(conn, ret->comm, sizeof(ret->comm));
	return get_groups(conn, &ret->who, cred.gid, e);
}

static int refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_DENIED, 0, "%s", why);
}

static bool is_same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Asks nobody: a file system that its user serves himself would answer when he likes. */
static bool is_nsfs(int fd)
{
	struct statx own, it;

	return statx(AT_FDCWD, "/proc/self/ns/net", 0, STATX_TYPE, &own) == 0 &&
	       statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &it) == 0 &&
	       own.stx_dev_major == it.stx_dev_major && own.stx_dev_minor == it.stx_dev_minor;
}

static int check_process(int netns_fd, int pidfd, struct err *e)
{
	CLEAN_FD int its = -1;
	struct stat a, b;

	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno != EPERM)
		return refuse(e, errno == ESRCH ? "the process is gone"
						: "the second descriptor is no process");
	its = ioctl(pidfd, PIDFD_NETNS, 0);
	if (its >= 0 && (fstat(its, &a) < 0 || fstat(netns_fd, &b) < 0 || a.st_dev != b.st_dev ||
			 a.st_ino != b.st_ino))
		return refuse(e, "the process is in another network namespace");
	return 0;
}

int peer_owns_netns(uint32_t uid, int netns_fd, int pidfd, struct err *e)
{
	int flags = fcntl(netns_fd, F_GETFL);
	uid_t owner;

	if (flags < 0 || (flags & O_PATH))
		return refuse(e, "the descriptor is only a name");
	if (!is_nsfs(netns_fd))
		return refuse(e, "the descriptor is no namespace");
	if (ioctl(netns_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return refuse(e, "the descriptor is no network namespace");
	if (is_same(netns_fd, "/proc/self/ns/net"))
		return refuse(e, "the namespace is the host's");
	if (userns_owner_uid(netns_fd, &owner, e) < 0)
		return refuse(e, "the namespace is not the user's");
	if (owner != uid)
		return refuse(e, "the namespace is another user's");
	return pidfd < 0 ? 0 : check_process(netns_fd, pidfd, e);
}
