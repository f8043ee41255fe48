/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_front: the back's side of the front. A front that dies is started again; one that dies too
 * often, or brings what no front would bring, is a reason to stop: somebody is at work on it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"
#include "broker/front.h"
#include "broker/request.h"
#include "sys/fdpass.h"
#include "sys/priority.h"

#define ROOM (1 << 20) /* for messages either way */

int back_watch(struct back *b, int fd, uint32_t what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = what};

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* Closing would do only when no worker has a copy. */
void back_unwatch(struct back *b, int fd)
{
	if (fd >= 0)
		(void)epoll_ctl(b->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Nothing of ours goes along but the two sockets, its clients and the log: what users hold is not
 * its business, and would be in memory twice as soon as we change it. */
static void become_front(struct back *b, int sock)
{
	int conn[HANDOVER_CONNS];
	struct front_config c = {.listener = b->c->listener,
				 .back = sock,
				 .uid = b->c->front_uid,
				 .gid = b->c->front_gid,
				 .conn = conn,
				 .n_conn = b->up.n_conn};
	int keep[2 + HANDOVER_CONNS] = {c.listener, c.back};
	sigset_t none;

	memcpy(conn, b->up.conn, c.n_conn * sizeof(conn[0]));
	memcpy(keep + 2, conn, c.n_conn * sizeof(keep[0]));
	holdings_clear(&b->held);
	free(b);
	fd_keep_only(keep, 2 + c.n_conn);
	prctl(PR_SET_NAME, "netd-front");
	/* What strangers write is worked on at the strangers' own. */
	priority_settle();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A terminal's signals are for the back, which tells the front. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	_exit(front_main(&c));
}

static bool too_often(struct back *b)
{
	uint64_t oldest = b->front_ms[0];

	memmove(b->front_ms, b->front_ms + 1, sizeof(b->front_ms) - sizeof(b->front_ms[0]));
	b->front_ms[BACK_FRONT_STARTS - 1] = b->now_ms;
	return oldest && b->now_ms - oldest < BACK_FRONT_MS;
}

int back_front_start(struct back *b, struct err *e)
{
	int pair[2], room = ROOM, r;
	pid_t pid;

	if (too_often(b))
		return err_set(e, ERR_INTERNAL, 0, "the front keeps dying");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	/* Without privilege it is the usual room. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	pid = fork();
	if (pid == 0)
		become_front(b, pair[1]);
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	fd_closep(&b->front_fd);
	if (r < 0) {
		close(pair[0]);
		return err_sys(e, -r, "fork");
	}
	for (size_t i = 0; i < b->up.n_conn; i++)
		fdpass_drop(&b->up.conn[i]);
	b->up.n_conn = 0;
	b->front_fd = pair[0];
	b->front_pid = pid;
	b->front++;
	r = back_watch(b, b->front_fd, WATCH_FRONT);
	return r < 0 ? err_sys(e, -r, "epoll") : 0;
}

int back_front_hear(struct back *b)
{
	struct err e = ERR_INIT;

	if (b->up.stage == UPGRADE_FRONT)
		return back_upgrade_hear(b);
	for (;;) {
		int conn;
		struct call c;
		ssize_t len = fdpass_recv(b->front_fd, &c, sizeof(c), &conn, CALL_FDS);

		if (len == -EAGAIN)
			return 0;
		if (len <= 0)
			return -EPIPE;
		if (len == sizeof(c) && c.verb == CALL_BUSY && conn < 0) {
			b->is_quitting = false;
			b->busy_ms = b->now_ms;
			continue;
		}
		if (call_check(&c, (size_t)len, conn >= 0, &e) < 0) {
			log_error("the front brought what no front brings (%s): it is ended",
				  e.text);
			fdpass_drop(&conn);
			return -EPROTO;
		}
		back_job_add(b, &c, conn);
	}
}

void back_answer(struct back *b, const struct job *j, const char *text, size_t len)
{
	struct answer a = {.magic = CALL_MAGIC, .slot = j->call->slot, .turn = j->call->turn};
	CLEAN_BUF struct buf m = BUF_INIT;

	/* Brought by a front that is gone, and with it the connection. */
	if (j->front != b->front || b->front_fd < 0)
		return;
	buf_add(&m, &a, sizeof(a));
	buf_add(&m, text, len);
	if (!m.failed)
		(void)fdpass_send(b->front_fd, m.p, m.len, NULL, 0);
}

void back_refuse(struct back *b, const struct job *j, enum err_kind kind)
{
	CLEAN_BUF struct buf text = BUF_INIT;

	request_refusal(kind, WHAT_NONE, &text);
	if (!text.failed)
		back_answer(b, j, text.p, text.len);
}
