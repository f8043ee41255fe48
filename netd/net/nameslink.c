/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nameslink: one connection, one request at a time, every wait with an end. The sockets are bound
 * here, for the responder may bind none. All of a network have one port, whatever their family and
 * protocol, so that one number on record tells where to.
 */
#include "net/nameslink.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/fwdlink.h"
#include "sys/fdpass.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#define BACKLOG 64
#define PORT_ATTEMPTS 256
#define PORT_LAST 65535
#define AHEAD_MAX 16 /* requests; they fit any socket buffer */

int nameslink_open(struct nameslink *l, bool start, struct err *e)
{
	if (l->fd >= 0)
		return NAMESLINK_OK;
	return fwdlink_connect(&fwdstart_names, start, &l->fd, &l->started, e);
}

void nameslink_close(struct nameslink *l)
{
	fd_closep(&l->fd);
	l->n_ahead = 0;
}

static int lost(struct nameslink *l)
{
	nameslink_close(l);
	return NAMESLINK_NONE;
}

/* 0, NAMESLINK_NONE, or negative. */
static int receive(struct nameslink *l, struct namesmsg *ret, struct err *e)
{
	uint64_t deadline = clock_ms() + FWDLINK_WAIT_MS;
	bool is_reset = false;

	for (;;) {
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		ssize_t n = recv(l->fd, ret, sizeof(*ret), MSG_DONTWAIT);

		if (n == (ssize_t)sizeof(*ret) && ret->version == NAMESMSG_VERSION)
			return 0;
		/* Told once, and ahead of what was queued before: the reason may be behind it. */
		if (n < 0 && errno == ECONNRESET && !is_reset) {
			is_reset = true;
			continue;
		}
		if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE)))
			return lost(l);
		if (n > 0)
			return err_set(e, ERR_PROTOCOL, EPROTO,
				       "the names responder speaks another version");
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "answer of the names responder");
		if (clock_left(deadline) == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT,
				       "the names responder does not answer");
		poll(&p, 1, clock_left(deadline));
	}
}

static int ask(struct nameslink *l, struct namesmsg *m, const int *fds, size_t n_fds, struct err *e)
{
	int r;

	m->version = NAMESMSG_VERSION;
	r = fdpass_send(l->fd, m, sizeof(*m), fds, n_fds);
	/* One that gives up has said why before it closed: read on. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET && r != -ENOTCONN)
		return err_sys(e, -r, "request to the names responder");
	return 0;
}

static int hear(struct nameslink *l, struct namesmsg *ret, struct err *e)
{
	int r = receive(l, ret, e);

	if (r != 0)
		return r;
	ret->name[sizeof(ret->name) - 1] = '\0';
	ret->network[sizeof(ret->network) - 1] = '\0';
	ret->key[sizeof(ret->key) - 1] = '\0';
	if (ret->op != NAMESMSG_ERROR)
		return 0;
	if (!ret->name[0])
		return err_sys(e, ret->sys > 0 ? ret->sys : EPROTO, "the names responder refuses");
	nameslink_close(l);
	return err_sys(e, ret->sys, "the names responder cannot set up its sandbox (%.60s)",
		       ret->name);
}

/* The answers to what was asked ahead, a no as well. 0, or what the connection has come to. */
static int pass_over(struct nameslink *l, struct err *e)
{
	struct namesmsg answer = {0};
	int r = 0;

	while (r == 0 && l->n_ahead) {
		struct err one = ERR_INIT;

		l->n_ahead--;
		r = hear(l, &answer, &one);
		if (r < 0 && l->fd >= 0 && answer.op == NAMESMSG_ERROR)
			r = 0;
		else if (r < 0)
			err_gather(e, &one);
	}
	return r;
}

int nameslink_call(struct nameslink *l, struct namesmsg *m, const int *fds, size_t n_fds,
		   struct namesmsg *ret, struct err *e)
{
	struct namesmsg answer;
	int r = pass_over(l, e);

	if (r == 0)
		r = ask(l, m, fds, n_fds, e);
	if (r == 0)
		r = hear(l, &answer, e);
	if (r == 0 && ret)
		*ret = answer;
	return r;
}

void nameslink_ask_all(struct nameslink *l, struct namesmsg *m, size_t n)
{
	while (l->n_ahead < n && l->n_ahead < AHEAD_MAX &&
	       ask(l, &m[l->n_ahead], NULL, 0, NULL) == 0)
		l->n_ahead++;
}

int nameslink_call_all(struct nameslink *l, struct namesmsg *m, size_t n, struct err *e)
{
	struct namesmsg answer;
	size_t asked = l->n_ahead, heard = 0;
	int first = 0;

	l->n_ahead = 0;
	while (heard < n && l->fd >= 0) {
		struct err one = ERR_INIT;
		int r = 0;

		while (r == 0 && asked < n && asked - heard < AHEAD_MAX)
			r = ask(l, &m[asked++], NULL, 0, &one);
		if (r == 0)
			r = hear(l, &answer, &one);
		heard++;
		if (r < 0 && first == 0) {
			first = r;
			err_gather(e, &one);
		}
		if (r == NAMESLINK_NONE)
			return NAMESLINK_NONE;
	}
	return first;
}

int nameslink_who(struct nameslink *l, int32_t *ret, struct err *e)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int r;

	nameslink_close(l);
	r = nameslink_open(l, false, e);
	if (r != NAMESLINK_OK)
		return r;
	if (getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return err_sys(e, errno, "control socket of the names responder");
	*ret = who.pid;
	return NAMESLINK_OK;
}

/* By its number, which is another's when it has ended: who is there afterwards was there. */
static int pidfd_of_number(struct nameslink *l, int *ret, struct err *e)
{
	CLEAN_FD int pidfd = -1;
	int32_t pid, again;
	int r = nameslink_who(l, &pid, e);

	if (r != NAMESLINK_OK)
		return r;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? NAMESLINK_NONE : err_sys(e, errno, "names responder");
	r = nameslink_who(l, &again, e);
	if (r != NAMESLINK_OK || again != pid)
		return r < 0 ? r : NAMESLINK_NONE;
	*ret = fd_take(&pidfd);
	return NAMESLINK_OK;
}

int nameslink_pidfd(struct nameslink *l, int *ret, struct err *e)
{
	int32_t pid;
	int pidfd = -1, r = nameslink_who(l, &pid, e);
	socklen_t len = sizeof(pidfd);

	if (r != NAMESLINK_OK)
		return r;
	if (getsockopt(l->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0 && pidfd >= 0) {
		*ret = pidfd;
		return NAMESLINK_OK;
	}
	return errno == ESRCH || errno == EINVAL ? NAMESLINK_NONE : pidfd_of_number(l, ret, e);
}

/* ---- sockets ---- */

static socklen_t address(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *a4 = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(port);
		memcpy(&a4->sin_addr, ip->b, sizeof(a4->sin_addr));
		return sizeof(*a4);
	}
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons(port);
	memcpy(&a6->sin6_addr, ip->b, sizeof(a6->sin6_addr));
	return sizeof(*a6);
}

/* port 0: *io_port gets the kernel's choice. -errno. */
static int bind_one(const struct ip *ip, int type, uint16_t *io_port, int *ret)
{
	CLEAN_FD int fd = socket(ip->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage ss;
	socklen_t len = address(ip, *io_port, &ss);
	int on = 1;

	if (fd < 0)
		return -errno;
	/* The addresses may come later than this, and go and come again. */
	if (ip->family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	*io_port = ntohs(ip->family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
					       : ((struct sockaddr_in6 *)&ss)->sin6_port);
	*ret = fd_take(&fd);
	return 0;
}

static void close_all(int fds[NAMESMSG_FDS])
{
	for (int i = 0; i < NAMESMSG_FDS; i++)
		fd_closep(&fds[i]);
}

static int bind_all(const struct namesmsg *m, uint16_t *port, int fds[NAMESMSG_FDS], size_t *ret_n)
{
	size_t n = 0;
	int r = 0;

	for (int f = 0; r == 0 && f < N_FAM; f++) {
		if (!m->listen[f].family)
			continue;
		r = bind_one(&m->listen[f], SOCK_DGRAM, port, &fds[n++]);
		if (r == 0)
			r = bind_one(&m->listen[f], SOCK_STREAM, port, &fds[n++]);
	}
	if (r < 0)
		close_all(fds);
	*ret_n = n;
	return r;
}

int nameslink_bind(struct namesmsg *m, int fds[NAMESMSG_FDS], size_t *ret_n, struct err *e)
{
	uint16_t port = m->port ? m->port : NAMESLINK_PORT;
	int r = -EADDRINUSE;

	for (int i = 0; i < NAMESMSG_FDS; i++)
		fds[i] = -1;
	for (int i = 0; r == -EADDRINUSE && i < PORT_ATTEMPTS; i++) {
		r = bind_all(m, &port, fds, ret_n);
		if (r == 0)
			m->port = port;
		port = i == PORT_ATTEMPTS - 2 || port == PORT_LAST ? 0 : port + 1;
		if (port != 0 && port < NAMESLINK_PORT)
			port = NAMESLINK_PORT;
	}
	return r < 0 ? err_sys(e, -r, "sockets of the names responder") : 0;
}
