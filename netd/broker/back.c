/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back: the loop, from the first look at the records to the end. What somebody holds stays when
 * netd ends: the records and the kernel have it, and the next netd takes it up from there.
 */
#include "broker/back.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"
#include "sys/fdpass.h"
#include "sys/priority.h"

#define EVENTS 32

static int open_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, "signals");
	signal(SIGPIPE, SIG_IGN);
	if (fdpass_drop_setup() < 0)
		return err_sys(e, errno, "signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "signals") : fd;
}

/* No new client is taken; work under way is finished. */
static void stop(struct back *b)
{
	if (b->is_stopping)
		return;
	b->is_stopping = true;
	b->stop_ms = b->now_ms + BACK_STOP_MS;
	back_upgrade_end(b, "netd is to end");
	for (size_t i = 0; i < BACK_JOBS; i++) {
		struct job *j = &b->job[i];

		if (j->is_used && !j->worker) {
			back_refuse(b, j, ERR_BUSY);
			back_job_clear(b, j);
		}
	}
}

/* True: the front has ended. */
static bool reap_children(struct back *b)
{
	bool is_front = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == b->front_pid) {
			is_front = true;
			b->front_pid = 0;
			if (WIFSIGNALED(status))
				log_error("the front died by signal %d", WTERMSIG(status));
		} else if (!back_upgrade_trial_over(b, pid, status)) {
			back_job_over(b, pid);
		}
	}
	return is_front;
}

static bool hear_signals(struct back *b)
{
	struct signalfd_siginfo s;
	bool is_front = false;

	while (read(b->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			is_front = reap_children(b) || is_front;
		else if (s.ssi_signo == SIGUSR2)
			back_upgrade_begin(b);
		else if (s.ssi_signo == SIGHUP) /* for requests the policy is read anew anyway */
			back_follow_all(b);
		else if (!back_upgrade_stop(b, (int)s.ssi_signo))
			stop(b);
	}
	return is_front;
}

/* Negative: netd cannot go on. */
static int mend_front(struct back *b, struct err *e)
{
	/* It may have said before its end that it would. */
	if (b->up.stage == UPGRADE_FRONT && back_upgrade_hear(b) == 0 &&
	    b->up.stage == UPGRADE_NONE)
		return 0;
	if (b->up.stage == UPGRADE_FRONT)
		back_upgrade_end(b, "the front did not give its clients back");
	/* Its end is collected like a worker's: nothing here waits for it. */
	if (b->front_pid > 0)
		kill(b->front_pid, SIGKILL);
	b->front_pid = 0;
	back_unwatch(b, b->front_fd);
	fd_closep(&b->front_fd);
	if (b->is_stopping || b->is_quitting)
		return 0;
	log_warn("the front is gone: another is started");
	return back_front_start(b, e);
}

/* Asks the front whether it is idle too; it ends when it is. */
static void ask_to_quit(struct back *b)
{
	struct answer a = {.magic = CALL_MAGIC, .verb = CALL_QUIT};

	b->is_quitting = fdpass_send(b->front_fd, &a, sizeof(a), NULL, 0) == 0;
}

static bool is_idle(const struct back *b)
{
	return b->c->idle_ms > 0 && !b->is_quitting && b->up.stage == UPGRADE_NONE &&
	       b->held.n == 0 && !b->has_tables && !b->look && back_jobs(b, false) == 0;
}

static int least(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int until(uint64_t now, uint64_t then)
{
	return then > now ? (int)(then - now) : 0;
}

/* What time alone brings about; how long to sleep. */
static int by_time(struct back *b)
{
	int wait = least(back_job_cut(b), trim_turn(&b->trim, b->now_ms, back_jobs(b, false) == 0));

	if (is_idle(b)) {
		uint64_t end = b->busy_ms + (uint64_t)b->c->idle_ms;

		if (b->now_ms >= end)
			ask_to_quit(b);
		else
			wait = least(wait, until(b->now_ms, end));
	}
	if (b->is_stopping)
		wait = least(wait, until(b->now_ms, b->stop_ms));
	if (!b->is_stopping && !back_upgrade_holds(b))
		wait = least(least(wait, back_tables_wait(b)),
			     least(back_follow_wait(b), back_login_wait(b)));
	if (!b->is_stopping && !back_upgrade_holds(b))
		wait = least(wait, least(back_refused_wait(b), back_names_wait(b)));
	wait = least(wait, back_upgrade_wait(b));
	if (!back_upgrade_holds(b) && b->reap_at_ms > b->now_ms && b->reap_at_ms != UINT64_MAX)
		wait = least(wait, until(b->now_ms, b->reap_at_ms));
	return wait;
}

static bool is_over(const struct back *b)
{
	if (b->is_quitting && b->front_fd < 0)
		return true;
	return b->is_stopping && (back_jobs(b, true) == 0 || b->now_ms >= b->stop_ms);
}

static int round_of(struct back *b, struct err *e)
{
	struct epoll_event ev[EVENTS];
	bool front_is_bad = false;
	int n = epoll_wait(b->epoll, ev, EVENTS, by_time(b));

	b->now_ms = clock_ms();
	if (n < 0 && errno != EINTR)
		return err_sys(e, errno, "epoll");
	if (n > 0)
		trim_wake(&b->trim, b->now_ms);
	for (int i = 0; i < n; i++) {
		uint32_t what = ev[i].data.u32;

		if (what == WATCH_SIGNALS)
			front_is_bad = hear_signals(b) || front_is_bad;
		else if (what == WATCH_LINKS)
			back_links_gone(b);
		else if (what == WATCH_TABLES)
			back_tables_heard(b);
		else if (what == WATCH_DOOR)
			engine_hold_serve(b->hold);
		else if (what == WATCH_POLICY)
			back_follow_heard(b);
		else if (what == WATCH_LOGINS)
			back_login_heard(b);
		else if (what == WATCH_REFUSED)
			back_refused_heard(b);
		else if (what == WATCH_NAMES)
			back_names_heard(b);
		else if (what == WATCH_READY)
			back_upgrade_ready(b);
		else if (what == WATCH_FRONT)
			front_is_bad = (b->front_fd >= 0 && back_front_hear(b) < 0) || front_is_bad;
		else if (b->job[what].is_used && b->job[what].report_fd >= 0)
			back_job_report(b, &b->job[what]);
	}
	front_is_bad = back_upgrade_run(b) < 0 || front_is_bad;
	if (front_is_bad && mend_front(b, e) < 0)
		return -EIO;
	if (!b->is_stopping)
		back_job_run(b);
	return 0;
}

static int begin(struct back *b, struct err *e)
{
	int r;

	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll < 0)
		return err_sys(e, errno, "epoll");
	b->signals = open_signals(e);
	if (b->signals < 0)
		return b->signals;
	/* Before the records are read: what goes in between is announced. */
	r = engine_watch_open(&b->watch, e);
	if (r >= 0)
		r = holdings_load(&b->held, b->c->state_dir, e);
	if (r < 0)
		return r;
	back_links_check(b);
	r = back_tables_open(b, e);
	if (r >= 0)
		r = back_jail(b->c->from, &b->marks, e);
	if (r >= 0)
		r = back_front_start(b, e);
	if (r >= 0 && (back_watch(b, b->signals, WATCH_SIGNALS) < 0 ||
		       back_watch(b, engine_watch_fd(b->watch), WATCH_LINKS) < 0))
		r = err_sys(e, errno, "epoll");
	back_follow_open(b);
	b->logins.is_due = true;
	back_names_open(b);
	/* What was gone before the first look: nothing will tell of it again. */
	if (r >= 0)
		back_job_run(b);
	return r;
}

static void end(struct back *b)
{
	if (b->front_pid > 0) {
		kill(b->front_pid, SIGKILL);
		waitpid(b->front_pid, NULL, 0);
	}
	for (size_t i = 0; i < BACK_JOBS; i++)
		if (b->job[i].is_used)
			back_job_clear(b, &b->job[i]);
	back_upgrade_end(b, NULL);
	fd_closep(&b->front_fd);
	fd_closep(&b->follow.fd);
	fd_closep(&b->logins.fd);
	fd_closep(&b->refused.fd);
	fd_closep(&b->names.pidfd);
	fd_closep(&b->signals);
	fd_closep(&b->epoll);
	engine_watch_closep(&b->watch);
	engine_hold_closep(&b->hold);
	holdings_clear(&b->held);
	free(b);
}

/* What the program before this one has left, but for the listener and what is of the tables. */
static void take_over(struct back *b)
{
	const struct handover *h = b->c->from;

	b->rate = h->rate;
	b->mended_ms = h->mended_ms;
	b->has_tables = h->has_tables;
	b->look = h->look;
	b->up.n_conn = h->n_conn;
	memcpy(b->up.conn, h->conn, h->n_conn * sizeof(h->conn[0]));
}

int back_main(const struct back_config *c)
{
	struct back *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;
	int r;

	if (!b)
		return 1;
	b->c = c;
	b->epoll = b->signals = b->front_fd = b->up.binary = b->up.ready_fd = -1;
	b->follow.fd = b->logins.fd = b->refused.fd = b->names.pidfd = -1;
	b->now_ms = b->busy_ms = clock_ms();
	trim_wake(&b->trim, b->now_ms); /* a start is work too */
	priority_raise();
	if (c->from)
		take_over(b);
	r = begin(b, &e);
	if (r >= 0)
		log_info("%s%s%sready: %zu interfaces of users are up",
			 c->from ? "has taken over from " : "", c->from ? c->from->version : "",
			 c->from ? ": " : "", b->held.n);
	while (r >= 0 && !is_over(b))
		r = round_of(b, &e);
	if (r < 0)
		log_error("%s", e.text);
	end(b);
	return r < 0;
}
