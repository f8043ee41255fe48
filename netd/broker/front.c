/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front: the loop. One connection carries one request: sent within FRONT_READ_MS, read when it is
 * its turn, passed on, answered, closed. A connection is known to the back by its place in the
 * table and a turn, so an answer that comes late meets nobody else. Nothing here waits for a
 * client: what cannot be written at once is not written.
 */
#include "broker/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "broker/bucket.h"
#include "broker/call.h"
#include "broker/queue.h"
#include "broker/request.h"
#include "sys/fdpass.h"
#include "sys/trim.h"

#define LISTENER UINT32_MAX
#define BACK (UINT32_MAX - 1)
#define EVENTS 64
#define ACCEPTS 64 /* in one round */
#define COMPLAIN_MS 1000

struct front {
	const struct front_config *c;
	int epoll;
	struct queue q;
	struct buckets rate;
	uint64_t now_ms, complained_ms;
	struct trim trim;
	unsigned n_refused; /* since the last line of the log */
	uint32_t n_untold;  /* since the back was told */
	char text[REQUEST_BYTES];
	char answer[sizeof(struct answer) + ANSWER_TEXT_MAX];
};

static void hang_up(struct front *f, struct conn *c)
{
	fdpass_drop_read(&c->fd);
	queue_leave(&f->q, c);
}

static void say(int fd, const char *text, size_t len)
{
	(void)fdpass_send(fd, text, len, NULL, 0);
}

static void refuse(int fd, enum err_kind kind)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	request_refusal(kind, WHAT_NONE, &b);
	if (!b.failed)
		say(fd, b.p, b.len);
}

/* A flood is one line a second in the log. */
static void complain(struct front *f, uint32_t uid, const char *what)
{
	f->n_refused++;
	f->n_untold++;
	if (f->complained_ms && f->now_ms - f->complained_ms < COMPLAIN_MS)
		return;
	log_warn("uid %u: %s (%u refused since the last such line)", uid, what, f->n_refused);
	f->complained_ms = f->now_ms;
	f->n_refused = 0;
}

static struct conn *make_place(struct front *f, uint32_t uid, bool has_asked)
{
	uint64_t patience = f->now_ms + FRONT_READ_MS - FRONT_PATIENCE_MS;
	enum queue_full why;
	struct conn *c = queue_place(&f->q, uid, has_asked, patience, &why);

	if (!c)
		complain(f, uid,
			 why == QUEUE_USER_FULL ? "too many connections at once"
						: "all connections are taken");
	if (!c || c->state == CONN_FREE)
		return c;
	refuse(c->fd, ERR_BUSY);
	hang_up(f, c);
	return c;
}

/* The turn tells a place's connection from the one before: what was reported of that one, in the
 * same round, is not meant. */
static uint64_t mark(const struct front *f, const struct conn *c)
{
	return (uint64_t)c->turn << 32 | (uint64_t)(c - f->q.conn);
}

/* From now on all that is awaited of the client is his end. */
static int wait_turn(struct front *f, struct conn *c, int how)
{
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.u64 = mark(f, c)};

	queue_ask(&f->q, c, f->now_ms + FRONT_WAIT_MS);
	return epoll_ctl(f->epoll, how, c->fd, &ev) < 0 ? -errno : 0;
}

static int wait_request(struct front *f, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = mark(f, c)};

	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0 ? -errno : 0;
}

/* Who has asked already is not counted among those who are silent, however many they are. */
static void welcome(struct front *f, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	bool has_fds, has_asked = fdpass_peek(fd, f->text, 1, &has_fds) != -EAGAIN;
	struct conn *c = NULL;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof(cred))
		c = make_place(f, cred.uid, has_asked);
	if (!c) {
		refuse(fd, ERR_BUSY);
		fdpass_drop_read(&fd);
		return;
	}
	queue_enter(&f->q, c, fd, cred.uid, f->now_ms + FRONT_READ_MS);
	if ((has_asked ? wait_turn(f, c, EPOLL_CTL_ADD) : wait_request(f, c)) < 0) {
		refuse(fd, ERR_BUSY);
		hang_up(f, c);
	}
}

static void accept_some(struct front *f)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(f->c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			welcome(f, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* Passes the call on with the connection, which the client's descriptors are still in. */
static int pass_on(struct front *f, struct conn *c, struct call *call)
{
	int r;

	call->slot = (uint32_t)(c - f->q.conn);
	call->turn = c->turn;
	call->n_refused = f->n_untold;
	r = fdpass_send(f->c->back, call, sizeof(*call), &c->fd, CALL_FDS);
	if (r < 0)
		return r;
	f->n_untold = 0;
	queue_pass(&f->q, c, f->now_ms + FRONT_ANSWER_MS);
	return 0;
}

/* What is wrong with the request: ERR_NONE when it is on its way. */
static enum err_kind take_request(struct front *f, struct conn *c, bool has_fds, ssize_t len)
{
	const struct call_rule *rule;
	struct err e = ERR_INIT;
	struct call call;
	int r;

	if (len < 0)
		return ERR_PROTOCOL;
	if (!bucket_take(&f->rate, c->uid, f->now_ms, FRONT_BURST, FRONT_PER_SECOND * 60)) {
		complain(f, c->uid, "too many requests");
		return ERR_BUSY;
	}
	r = request_parse(f->text, (size_t)len, &call, &e);
	if (r < 0) {
		complain(f, c->uid, e.text);
		return e.kind == ERR_UNSUPPORTED || e.kind == ERR_INTERNAL ? e.kind : ERR_PROTOCOL;
	}
	rule = call_rule(call.verb);
	/* How many there are is seen by who takes them out. */
	if (has_fds ? rule->max_fds == 0 : rule->min_fds > 0)
		return ERR_PROTOCOL;
	r = pass_on(f, c, &call);
	return r == 0 ? ERR_NONE : r == -EAGAIN ? ERR_BUSY : ERR_INTERNAL;
}

static void serve(struct front *f, struct conn *c)
{
	bool has_fds = false;
	ssize_t len = fdpass_peek(c->fd, f->text, sizeof(f->text), &has_fds);
	enum err_kind wrong = ERR_NONE;

	if (len != 0)
		wrong = take_request(f, c, has_fds, len);
	if (wrong != ERR_NONE)
		refuse(c->fd, wrong);
	if (len == 0 || wrong != ERR_NONE)
		hang_up(f, c);
}

static void serve_some(struct front *f)
{
	struct conn *c;

	while ((c = queue_next(&f->q)))
		serve(f, c);
}

static void on_conn(struct front *f, struct conn *c, uint32_t events)
{
	if (c->state == CONN_SILENT && (events & EPOLLIN)) {
		if (wait_turn(f, c, EPOLL_CTL_MOD) < 0)
			hang_up(f, c);
	} else if (c->state == CONN_PASSED) {
		fdpass_drop_read(&c->fd);
		c->state = CONN_GONE;
	} else if (c->state == CONN_SILENT || c->state == CONN_ASKS) {
		hang_up(f, c);
	}
}

static void give_back(struct front *f, const int *fds, size_t n)
{
	struct call keep = {.magic = CALL_MAGIC, .verb = CALL_KEEP};

	if (n == 0 || fdpass_send(f->c->back, &keep, sizeof(keep), fds, n) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		refuse(fds[i], ERR_BUSY);
}

/* Another front goes on: whoever has not been passed on is given back, his request unread. */
static void drain(struct front *f)
{
	struct call drained = {.magic = CALL_MAGIC, .verb = CALL_DRAINED};
	int fds[FDPASS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < FRONT_CONNS; i++) {
		const struct conn *c = &f->q.conn[i];

		if (c->state == CONN_SILENT || c->state == CONN_ASKS)
			fds[n++] = c->fd;
		if (n < FDPASS_MAX && i + 1 < FRONT_CONNS)
			continue;
		give_back(f, fds, n);
		n = 0;
	}
	(void)fdpass_send(f->c->back, &drained, sizeof(drained), NULL, 0);
}

/* False: the front is to end. */
static bool on_back(struct front *f)
{
	ssize_t n = fdpass_recv(f->c->back, f->answer, sizeof(f->answer), NULL, 0);
	struct answer a;
	struct conn *c;

	if (n == -EAGAIN)
		return true;
	if (n < (ssize_t)sizeof(a))
		return false;
	memcpy(&a, f->answer, sizeof(a));
	if (a.verb == CALL_DRAIN)
		drain(f);
	if (a.verb == CALL_DRAIN || (a.verb == CALL_QUIT && f->q.n == 0))
		return false;
	if (a.verb == CALL_QUIT) {
		struct call busy = {.magic = CALL_MAGIC, .verb = CALL_BUSY};

		return fdpass_send(f->c->back, &busy, sizeof(busy), NULL, 0) == 0;
	}
	c = a.slot < FRONT_CONNS ? &f->q.conn[a.slot] : NULL;
	if (c && (c->state == CONN_PASSED || c->state == CONN_GONE) && c->turn == a.turn) {
		if (c->fd >= 0)
			say(c->fd, f->answer + sizeof(a), (size_t)n - sizeof(a));
		hang_up(f, c);
	}
	return true;
}

/* Cuts those whose time is over; milliseconds until the next is. */
static int cut(struct front *f)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < FRONT_CONNS; i++) {
		struct conn *c = &f->q.conn[i];

		if (c->state == CONN_FREE)
			continue;
		if (c->deadline_ms <= f->now_ms) {
			if (c->fd >= 0)
				refuse(c->fd, c->state == CONN_SILENT ? ERR_PROTOCOL : ERR_BUSY);
			hang_up(f, c);
		} else if (c->deadline_ms < next) {
			next = c->deadline_ms;
		}
	}
	return next == UINT64_MAX ? -1 : (int)(next - f->now_ms);
}

static int wait_for(struct front *f)
{
	int next = cut(f), end = trim_turn(&f->trim, f->now_ms, f->q.n == 0);

	return next < 0 ? end : end < 0 || next < end ? next : end;
}

static int loop(struct front *f)
{
	struct epoll_event ev[EVENTS];

	for (;;) {
		int n;

		f->now_ms = clock_ms();
		serve_some(f);
		n = epoll_wait(f->epoll, ev, EVENTS, wait_for(f));
		if (n < 0 && errno != EINTR)
			return 1;
		f->now_ms = clock_ms();
		if (n > 0)
			trim_wake(&f->trim, f->now_ms);
		for (int i = 0; i < n; i++) {
			uint32_t slot = (uint32_t)ev[i].data.u64;

			if (slot == LISTENER)
				accept_some(f);
			else if (slot == BACK && !on_back(f))
				return 0;
			else if (slot < FRONT_CONNS && f->q.conn[slot].turn == ev[i].data.u64 >> 32)
				on_conn(f, &f->q.conn[slot], ev[i].events);
		}
	}
}

static int watch(struct front *f, int fd, uint32_t what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = what};

	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* 0: it serves, and has given up all else. */
static int start(struct front *f)
{
	const struct front_config *c = f->c;
	struct err e = ERR_INIT;

	queue_init(&f->q);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fdpass_drop_setup() < 0 || f->epoll < 0 || watch(f, c->listener, LISTENER) < 0 ||
	    watch(f, c->back, BACK) < 0) {
		log_error("front: epoll: %m");
		return -1;
	}
	f->now_ms = clock_ms();
	trim_wake(&f->trim, f->now_ms);
	for (size_t i = 0; i < c->n_conn; i++)
		welcome(f, c->conn[i]);
	/* What strangers' keys are hashed with is drawn while that can be done. */
	json_prepare();
	if (front_jail(c, &e) < 0) {
		log_error("front: %s", e.text);
		return -1;
	}
	return 0;
}

int front_main(const struct front_config *c)
{
	struct front *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return 1;
	f->c = c;
	r = start(f) < 0 ? 1 : loop(f);
	free(f);
	return r;
}
