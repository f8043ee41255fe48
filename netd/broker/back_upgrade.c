/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_upgrade: netd replaces itself with the program that lies where it was started from, in the
 * same process: its number, its children, its descriptors and what it has given up stay. So nobody
 * who started it has to be told, the socket that holds the tables is never closed, and there is no
 * process with more privilege than there was.
 *
 * First the new program is tried, as a child that does everything but serve, under the very filter
 * that it will run under; one that does not come to the end of that is not used. Then work under
 * way is finished and the front gives its clients back, with their requests unread: they are the
 * next front's. What there is beyond descriptors is in the records, or in the handover.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"
#include "sys/fdpass.h"

#define TRIAL_MS 15000
#define FRONT_MS 10000
/* Who has a worker that takes its time shall not hold up the others: they go on beside it, for so
 * long. */
#define SLOW_MS 500
#define PATIENCE_MS 30000
#define LOOK_MS 100 /* whether a worker is slow */

/* What somebody but root could have written is not run by root. */
static int open_program(const struct back *b, int *ret, struct err *e)
{
	CLEAN_FD int fd = -1;
	struct stat st;

	if (!b->c->program)
		return err_set(e, ERR_UNSUPPORTED, 0, "it is not known what netd was started from");
	fd = open(b->c->program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", b->c->program);
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(e, ERR_DENIED, 0, "%s: others than root may write it",
			       b->c->program);
	*ret = fd_take(&fd);
	return 0;
}

/* All that is not about a moment. */
static int fill(const struct back *b, struct handover *h, struct err *e)
{
	struct hold_fds t;

	handover_begin(h);
	if (getrandom(&h->nonce, sizeof(h->nonce), 0) != sizeof(h->nonce))
		return err_sys(e, errno, "random number");
	engine_hold_hand(b->hold, &t);
	h->pid = (uint32_t)getpid();
	h->wanted = b->marks.wanted;
	h->caps = b->marks.caps;
	h->filter = b->marks.filter;
	h->dev = b->c->dev;
	h->ino = b->c->ino;
	h->is_own = b->c->is_own;
	h->has_made_dir = t.has_made_dir;
	h->has_tables = b->has_tables;
	h->look = b->look;
	h->watched = t.watched;
	h->mended_ms = b->mended_ms;
	h->fd[HANDOVER_LISTENER] = b->c->listener;
	h->fd[HANDOVER_WATCH] = t.watch;
	h->fd[HANDOVER_DOOR] = t.door;
	h->fd[HANDOVER_NFT] = t.socket;
	h->fd[HANDOVER_NFT_LOCK] = t.lock;
	h->rate = b->rate;
	return 0;
}

/* Returns only if it does not work: -errno. */
static int run_program(const struct back *b, const struct handover *h, int record)
{
	char number[16];
	int r = handover_mark(h, false);

	snprintf(number, sizeof(number), "%d", record);
	if (r == 0 && (fcntl(record, F_SETFD, 0) < 0 || setenv(HANDOVER_ENV, number, 1) < 0 ||
		       fexecve(b->up.binary, b->c->argv, environ) < 0))
		r = -errno;
	unsetenv(HANDOVER_ENV);
	(void)handover_mark(h, true);
	return r;
}

/* ---- the trial ---- */

static int try_program(struct back *b, struct handover *h, struct err *e)
{
	CLEAN_FD int record = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	b->up.ready_fd = pair[0];
	h->is_trial = 1;
	h->fd[HANDOVER_READY] = pair[1];
	handover_seal(h);
	r = handover_make(h, &record, e);
	b->up.trial = r < 0 ? 0 : fork();
	if (r == 0 && b->up.trial == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
			log_error("the new program: %s", strerror(-run_program(b, h, record)));
		_exit(1);
	}
	if (r == 0 && b->up.trial < 0) {
		b->up.trial = 0;
		r = err_sys(e, errno, "fork");
	}
	close(pair[1]);
	if (r == 0 && back_watch(b, b->up.ready_fd, WATCH_READY) < 0)
		r = err_sys(e, errno, "epoll");
	return r;
}

void back_upgrade_begin(struct back *b)
{
	struct handover h = {{0}};
	struct err e = ERR_INIT;
	int r;

	if (b->up.stage != UPGRADE_NONE || b->is_stopping || b->is_quitting) {
		log_warn("the signal to upgrade is of no use: netd is at it, or about to end");
		return;
	}
	r = open_program(b, &b->up.binary, &e);
	if (r >= 0)
		r = fill(b, &h, &e);
	if (r >= 0) {
		b->up.stage = UPGRADE_TRIAL;
		b->up.nonce = h.nonce;
		b->up.deadline_ms = b->now_ms + TRIAL_MS;
		r = try_program(b, &h, &e);
	}
	if (r < 0) {
		b->up.stage = UPGRADE_TRIAL;
		back_upgrade_end(b, e.text);
	}
}

void back_upgrade_ready(struct back *b)
{
	struct handover_ready ready = {{0}};
	ssize_t n;

	if (b->up.stage != UPGRADE_TRIAL)
		return;
	n = fdpass_recv(b->up.ready_fd, &ready, sizeof(ready), NULL, 0);
	if (n == -EAGAIN)
		return;
	back_unwatch(b, b->up.ready_fd);
	fd_closep(&b->up.ready_fd);
	if (n < 0 || !handover_is_ready(&ready, (size_t)n, b->up.nonce))
		return; /* how it ends is told below */
	log_info("upgrade: the new program starts, its version is %s", ready.version);
	b->up.stage = UPGRADE_DRAIN;
	b->up.since_ms = b->now_ms;
}

bool back_upgrade_trial_over(struct back *b, pid_t pid, int status)
{
	if (!b->up.trial || b->up.trial != pid)
		return false;
	b->up.trial = 0;
	/* What it has said may not have been heard yet. */
	if (b->up.ready_fd >= 0)
		back_upgrade_ready(b);
	if (b->up.stage == UPGRADE_TRIAL) {
		if (WIFSIGNALED(status))
			log_error("the new program died by signal %d", WTERMSIG(status));
		back_upgrade_end(b, "the new program does not start");
	}
	return true;
}

void back_upgrade_end(struct back *b, const char *why)
{
	struct upgrade *u = &b->up;

	if (u->stage != UPGRADE_NONE)
		log_error("no upgrade, all goes on as it was: %s", why ? why : "netd ends");
	if (u->trial > 0)
		kill(u->trial, SIGKILL); /* collected like a worker */
	back_unwatch(b, u->ready_fd);
	fd_closep(&u->ready_fd);
	fd_closep(&u->binary);
	u->trial = 0;
	u->stage = UPGRADE_NONE;
	u->end_signal = 0;
	/* Else they are the next front's. */
	for (size_t i = 0; !why && i < u->n_conn; i++)
		fdpass_drop_read(&u->conn[i]);
}

/* ---- work under way ---- */

static bool has_slow(const struct back *b)
{
	for (size_t i = 0; i < BACK_JOBS; i++) {
		const struct job *j = &b->job[i];

		if (j->is_used && j->worker > 0 && !j->is_done &&
		    j->deadline_ms <= b->now_ms + BACK_WORK_MS - SLOW_MS)
			return true;
	}
	return false;
}

bool back_upgrade_holds(const struct back *b)
{
	if (b->up.stage == UPGRADE_DRAIN)
		return b->now_ms - b->up.since_ms > PATIENCE_MS || !has_slow(b);
	return b->up.stage == UPGRADE_FRONT;
}

int back_upgrade_wait(const struct back *b)
{
	switch (b->up.stage) {
	case UPGRADE_NONE:
		break;
	case UPGRADE_DRAIN:
		return LOOK_MS;
	case UPGRADE_TRIAL:
	case UPGRADE_FRONT:
		return b->up.deadline_ms > b->now_ms ? (int)(b->up.deadline_ms - b->now_ms) : 0;
	}
	return -1;
}

int back_upgrade_run(struct back *b)
{
	const struct answer drain = {.magic = CALL_MAGIC, .verb = CALL_DRAIN};

	if (b->up.stage == UPGRADE_TRIAL && b->now_ms >= b->up.deadline_ms)
		back_upgrade_end(b, "the new program takes too long to start");
	if (b->up.stage == UPGRADE_FRONT && b->now_ms >= b->up.deadline_ms)
		return -ETIMEDOUT;
	if (b->up.stage != UPGRADE_DRAIN || back_jobs(b, true) > 0 ||
	    fdpass_send(b->front_fd, &drain, sizeof(drain), NULL, 0) < 0)
		return 0;
	b->up.stage = UPGRADE_FRONT;
	b->up.deadline_ms = b->now_ms + FRONT_MS;
	return 0;
}

bool back_upgrade_stop(struct back *b, int sig)
{
	if (b->up.stage != UPGRADE_FRONT)
		return false;
	b->up.end_signal = sig;
	return true;
}

/* ---- the last steps ---- */

/* Whatever else it may be is of no use to anybody. */
static void keep(struct back *b, int *conn)
{
	if (b->up.n_conn < HANDOVER_CONNS && peer_check(*conn, &b->c->name, NULL) == 0)
		b->up.conn[b->up.n_conn++] = fd_take(conn);
	fdpass_drop(conn);
}

/* Calls that have not been begun are the next front's to read again. */
static void keep_waiting(struct back *b)
{
	for (size_t i = 0; i < BACK_JOBS; i++) {
		struct job *j = &b->job[i];

		if (!j->is_used)
			continue;
		if (j->is_done && !j->is_over) {
			kill(j->worker, SIGKILL); /* it has reported */
			continue;
		}
		if (j->conn >= 0)
			keep(b, &j->conn);
		back_job_clear(b, j);
	}
}

/* Comes back only when it did not work, with a new front. */
static int hand_over(struct back *b)
{
	CLEAN_FD int record = -1;
	struct handover h = {{0}};
	struct err e = ERR_INIT;
	int r;

	keep_waiting(b);
	r = fill(b, &h, &e);
	if (r >= 0) {
		h.n_conn = (uint32_t)b->up.n_conn;
		memcpy(h.conn, b->up.conn, b->up.n_conn * sizeof(h.conn[0]));
		handover_seal(&h);
		/* What the next program would not take must not be its end. */
		r = handover_check(&h, sizeof(h), &e);
	}
	if (r >= 0)
		r = handover_make(&h, &record, &e);
	/* It waits for whoever comes next. */
	if (b->up.end_signal)
		kill(getpid(), b->up.end_signal);
	if (r >= 0) {
		r = run_program(b, &h, record);
		err_sys(&e, -r, "%s", b->c->program);
	}
	back_upgrade_end(b, e.text);
	back_unwatch(b, b->front_fd);
	fd_closep(&b->front_fd);
	b->front_pid = 0;
	return back_front_start(b, &e);
}

int back_upgrade_hear(struct back *b)
{
	for (;;) {
		int fds[FDPASS_MAX];
		struct call c;
		ssize_t len = fdpass_recv(b->front_fd, &c, sizeof(c), fds, FDPASS_MAX);

		if (len == -EAGAIN)
			return 0;
		if (len <= 0)
			return -EPIPE;
		/* A call, too: its request is in its connection still. */
		for (size_t i = 0; i < FDPASS_MAX; i++)
			if (fds[i] >= 0)
				keep(b, &fds[i]);
		if (len == sizeof(c) && c.magic == CALL_MAGIC && c.verb == CALL_DRAINED)
			return hand_over(b);
	}
}
