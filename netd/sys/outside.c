/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outside: the process and its two services, over a socket pair that nobody else has. It does what
 * it is told: the one who tells is the same user, and was the same process. Read unix(7).
 */
#include "sys/outside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fdpass.h"
#include "sys/fork.h"
#include "sys/outside_ring.h"
#include "sys/probe.h"
#include "sys/userns.h"

#define DATA_MAX ((size_t)128 * 1024)
#define ANSWER_MS 5000

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { VERB_SOCKET, VERB_SEND };

struct request {
	int32_t verb, domain, type, protocol;
};

static struct {
	int sock, pidfd;
	struct outside_ring ring;
	int ring_sys; /* why there is none */
} me = {.sock = -1, .pidfd = -1, .ring = {.fd = -1}};

/* ---- the process outside ---- */

static int32_t serve_one(const struct request *q, const char *data, size_t len, int fd, int *ret_fd)
{
	struct err e = ERR_INIT;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	if (q->verb == VERB_SOCKET) {
		int r = userns_socket(fd, q->domain, q->type, q->protocol, ret_fd, NULL, &e);

		return r < 0 ? (e.sys ? -e.sys : -EPERM) : 0;
	}
	do
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int32_t)n;
}

static _Noreturn void serve(int sock)
{
	char *message = malloc(sizeof(struct request) + DATA_MAX);
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct request q;

	(void)prctl(PR_SET_NAME, "netns-up-out");
	while (message) {
		int32_t answer;
		int fd = -1, result = -1;
		ssize_t n = fdpass_recv(sock, message, sizeof(q) + DATA_MAX, &fd, 1);

		if (n == -EAGAIN) {
			(void)poll(&p, 1, -1);
			continue;
		}
		if (n < (ssize_t)sizeof(q))
			break;
		memcpy(&q, message, sizeof(q));
		answer = serve_one(&q, message + sizeof(q), (size_t)n - sizeof(q), fd, &result);
		(void)fdpass_send(sock, &answer, sizeof(answer), &result, result >= 0);
		fd_closep(&fd);
		fd_closep(&result);
	}
	_exit(0);
}

/* ---- its starter ---- */

int outside_start(struct err *e)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	int pair[2], pidfd = -1;
	pid_t self = getpid(), pid;

	if (me.sock >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	ours = pair[0];
	theirs = pair[1];
	/* Without one, only what needs it is refused. */
	me.ring_sys = probe_has(PROBE_RING_SOCKET) ? outside_ring_open(&me.ring) : -ENOSYS;
	pid = fork_into(0, &pidfd);
	if (pid == 0) {
		close(ours);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self)
			_exit(1);
		serve(theirs);
	}
	if (pid < 0) {
		int sys = errno;

		outside_ring_close(&me.ring);
		return err_sys(e, sys, "fork");
	}
	me.pidfd = pidfd;
	me.sock = fd_take(&ours);
	return 0;
}

void outside_end(void)
{
	siginfo_t si;

	if (me.sock < 0)
		return;
	fd_closep(&me.sock);
	outside_ring_close(&me.ring);
	(void)syscall(SYS_pidfd_send_signal, me.pidfd, SIGKILL, NULL, 0);
	while (waitid((idtype_t)P_PIDFD, (id_t)me.pidfd, &si, WEXITED) < 0 && errno == EINTR)
		;
	fd_closep(&me.pidfd);
}

bool outside_is_there(void)
{
	return me.sock >= 0;
}

static int32_t ask(const struct request *q, const void *data, size_t len, int fd, int *ret_fd)
{
	CLEAN_FREE char *message = malloc(sizeof(*q) + len);
	uint64_t deadline = clock_ms() + ANSWER_MS;
	struct pollfd p = {.fd = me.sock, .events = POLLIN};
	int32_t answer;
	ssize_t n;
	int r;

	if (me.sock < 0)
		return -ENOTCONN;
	if (!message || len > DATA_MAX)
		return message ? -EMSGSIZE : -ENOMEM;
	memcpy(message, q, sizeof(*q));
	if (len)
		memcpy(message + sizeof(*q), data, len);
	r = fdpass_send(me.sock, message, sizeof(*q) + len, &fd, 1);
	if (r < 0)
		return r;
	while ((n = fdpass_recv(me.sock, &answer, sizeof(answer), ret_fd, 1)) == -EAGAIN)
		if (poll(&p, 1, clock_left(deadline)) == 0)
			return -ETIMEDOUT;
	return n == (ssize_t)sizeof(answer) ? answer : n < 0 ? (int32_t)n : -EPIPE;
}

int outside_socket_in(int netns_fd, int domain, int type, int protocol, int *ret_fd, struct err *e)
{
	const struct request q = {VERB_SOCKET, domain, type, protocol};
	int fd = -1, r = ask(&q, NULL, 0, netns_fd, &fd);

	if (r == -EPERM || r == -EACCES)
		return err_set(e, ERR_DENIED, -r,
			       "enter the network namespace (it belongs to another user)");
	if (r < 0 || fd < 0)
		return err_sys(e, r < 0 ? -r : EPROTO, "socket in the network namespace");
	*ret_fd = fd;
	return 0;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

int outside_socket_here(int domain, int type, int protocol, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = -1;
	CLEAN_FD int own = socket(domain, type | SOCK_CLOEXEC, protocol);
	int n = me.ring.fd < 0
			? (me.ring_sys ? me.ring_sys : -ENOTCONN)
			: outside_ring_socket(&me.ring, domain, type | SOCK_CLOEXEC, protocol);

	if (n < 0)
		return err_set(e, ERR_UNSUPPORTED, -n,
			       "a socket with the user's rights (it needs io_uring)");
	fd = n;
	if (own < 0 || cookie_of(fd) != cookie_of(own))
		return err_set(e, ERR_INTERNAL, 0, "a socket in the wrong network namespace");
	*ret_fd = fd_take(&fd);
	return 0;
}

long outside_send(int fd, const void *data, size_t len)
{
	const struct request q = {.verb = VERB_SEND};
	int none = -1;

	return ask(&q, data, len, fd, &none);
}
