/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: epoll. A source that leaves while its event waits is struck off the round's list, so a
 * source's memory may be used again at once.
 */
#include "io/loop.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define EVENTS 128
#define LINGER_MIN_NS 4000u
#define LINGER_MAX_NS 50000u
#define AWAY_NS 250000u /* no look takes so long: another process ran, and not just to react */
#define TURN_NS                                                                                    \
	1000000u      /* who is away for so long after loop_yield lost a turn to somebody busy, */
#define TURN_REST 16u /* and risks the next one after so many times as long */
#define REST_MIN_NS 20000000u
#define REST_MAX_NS 2000000000u
#define GATHER_NS 50000

struct loop {
	int epfd;
	int idle_fd; /* an empty set, to sleep by */
	uint64_t now;
	bool is_held;                 /* time is what loop_hold said */
	uint32_t linger_ns;           /* how long to look on before it sleeps */
	uint64_t rest_ns, rest_until; /* clock_ns before which it does not */
	uint64_t yield_at;            /* clock_ns before which loop_yield does not */
	loop_lent_fn *lent_fn[LOOP_ROOMS];
	void *lent_arg[LOOP_ROOMS];
	int n, at; /* events of this round; the next one */
	unsigned n_called;
	struct epoll_event events[EVENTS];
};

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(e, ERR_INTERNAL, ENOMEM, "event loop");
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->idle_fd = l->epfd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (l->idle_fd < 0) {
		int sys = errno;

		loop_free(l);
		return err_sys(e, sys, "epoll_create1");
	}
	l->now = clock_ms();
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	fd_closep(&l->epfd);
	fd_closep(&l->idle_fd);
	free(l);
}

static int control(struct loop *l, int op, int fd, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events)
{
	int r = control(l, EPOLL_CTL_ADD, fd, s, events);

	if (r < 0)
		return r;
	s->fd = fd;
	s->events = events;
	return 0;
}

int loop_change(struct loop *l, struct source *s, uint32_t events)
{
	int r;

	if (s->events == events)
		return 0;
	r = control(l, EPOLL_CTL_MOD, s->fd, s, events);
	if (r == 0)
		s->events = events;
	return r;
}

void loop_forget(struct loop *l, struct source *s)
{
	if (s->fd < 0)
		return;
	for (int i = l->at; i < l->n; i++)
		if (l->events[i].data.ptr == s)
			l->events[i].data.ptr = NULL;
	s->fd = -1;
}

void loop_remove(struct loop *l, struct source *s)
{
	if (s->fd < 0)
		return;
	control(l, EPOLL_CTL_DEL, s->fd, NULL, 0);
	loop_forget(l, s);
}

int loop_lend(struct loop *l, enum loop_room room, loop_lent_fn *fn, void *arg)
{
	l->lent_fn[room] = fn;
	l->lent_arg[room] = arg;
	return l->epfd;
}

static void call_lent(const struct loop *l, uint64_t data, uint32_t events)
{
	const enum loop_room room = data >> 62 & 1 ? LOOP_SECOND : LOOP_FIRST;

	if (l->lent_fn[room])
		l->lent_fn[room](l->lent_arg[room], data, events, l->now);
}

static int wait_ms(const struct loop *l, uint64_t until)
{
	uint64_t now;

	if (l->is_held || until == 0)
		return 0;
	if (until == UINT64_MAX)
		return -1;
	now = clock_ms();
	if (until <= now)
		return 0;
	return until - now > INT_MAX ? INT_MAX : (int)(until - now);
}

static int look(struct loop *l, int timeout_ms)
{
	return epoll_wait(l->epfd, l->events, EVENTS, timeout_ms);
}

/* Another process wants the processor: who lingers all the same would use up his share of it, and
 * wait for long when there is work. So not for a while, a longer one each time, up to seconds. */
static void rest(struct loop *l, uint64_t now)
{
	bool is_again = now - l->rest_until < REST_MAX_NS;

	l->rest_ns = !is_again                      ? REST_MIN_NS
		     : l->rest_ns < REST_MAX_NS / 2 ? l->rest_ns * 2
						    : REST_MAX_NS;
	l->rest_until = now + l->rest_ns;
	l->linger_ns = 0;
}

/* Looks until something is there or linger_ns have passed. */
static int linger(struct loop *l, uint64_t begun)
{
	uint64_t now = begun, last;
	int n;

	do {
		n = look(l, 0);
		if (n == 0)
			(void)sched_yield(); /* comes back at once, or shows that others wait */
		last = now;
		now = clock_ns();
		if (now - last > AWAY_NS) {
			rest(l, now);
			break;
		}
	} while (n == 0 && now - begun < l->linger_ns);
	return n;
}

/* Where events follow each other within microseconds, being woken takes longer than the work. So it
 * looks on for a moment before it sleeps. For how long, the sleeps tell: one that was shorter than
 * the most it would look on makes it longer, one that was not halves it. So a loop that is idle, or
 * is called every now and then, just sleeps. */
static int wait_for_events(struct loop *l, int timeout_ms)
{
	uint64_t begun, now;
	int n;

	if (timeout_ms == 0)
		return look(l, 0);
	begun = clock_ns();
	if (l->linger_ns > 0) {
		n = linger(l, begun);
		if (n != 0)
			return n;
	}
	n = look(l, timeout_ms);
	now = clock_ns();
	if (now - begun >= LINGER_MAX_NS)
		l->linger_ns = l->linger_ns < 2 * LINGER_MIN_NS ? 0 : l->linger_ns / 2;
	else if (now >= l->rest_until)
		l->linger_ns = l->linger_ns == 0                  ? LINGER_MIN_NS
			       : l->linger_ns < LINGER_MAX_NS / 2 ? l->linger_ns * 2
								  : LINGER_MAX_NS;
	return n;
}

uint64_t loop_round(struct loop *l, uint64_t until)
{
	int n = wait_for_events(l, wait_ms(l, until));

	if (!l->is_held)
		l->now = clock_ms();
	l->n = n < 0 ? 0 : n; /* EINTR: the next round */
	l->n_called = 0;
	for (l->at = 0; l->at < l->n;) {
		struct epoll_event *ev = &l->events[l->at++];
		struct source *s = ev->data.ptr;

		if (!s)
			continue;
		l->n_called++;
		if (ev->data.u64 >> 63 == 0)
			s->fn(s, ev->events, l->now);
		else
			call_lent(l, ev->data.u64, ev->events);
	}
	l->at = l->n = 0;
	return l->now;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

unsigned loop_n_called(const struct loop *l)
{
	return l->n_called;
}

void loop_gather(struct loop *l)
{
	const struct timespec ts = {.tv_nsec = GATHER_NS};
	struct epoll_event none;

	/* Before Linux 5.11 it just does not. */
	if (!l->is_held)
		(void)epoll_pwait2(l->idle_fd, &none, 1, &ts, NULL);
}

void loop_yield(struct loop *l)
{
	uint64_t begun, now;

	if (l->is_held)
		return;
	begun = clock_ns();
	if (begun < l->yield_at)
		return;
	(void)sched_yield();
	now = clock_ns();
	if (now - begun > TURN_NS)
		l->yield_at = now + TURN_REST * (now - begun);
}

void loop_hold(struct loop *l, uint64_t now)
{
	l->is_held = true;
	l->now = now;
}
