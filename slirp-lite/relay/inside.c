/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside: a shelf is filled up to its level, which is low at first and high once the shelf ran
 * empty; it is asked for when half is gone, one request at a time. Read unix(7) on SCM_RIGHTS.
 */
#include "relay/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "relay/insidemsg.h"

#define LEVEL_FIRST 8
#define ANSWERS_A_TURN 8
/* After an answer without sockets. */
#define REST_MS 100

enum { TCP4, TCP6, UDP4, UDP6, N_SHELVES };

struct shelf {
	unsigned level; /* 0: nobody wants any */
	unsigned n;
	int fds[INSIDE_MAX];
	uint32_t id; /* of the request under way, 0: none */
	uint64_t asked_ms;
	uint64_t rest_ms; /* no request before */
};

struct inside {
	int channel;
	bool is_closed;
	bool is_late;    /* a request was not answered in time, and nothing came since */
	bool is_refused; /* sockets with addresses of others: it has not the power */
	uint32_t last_id;
	inside_bound_fn *on_bound;
	void *on_bound_arg;
	struct shelf shelves[N_SHELVES];
};

static struct shelf *shelf_of(struct inside *in, int family, int type)
{
	return &in->shelves[(type == SOCK_DGRAM ? UDP4 : TCP4) + (family == AF_INET6)];
}

int inside_new(int channel, struct inside **ret)
{
	struct inside *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	in->channel = channel;
	in->is_closed = channel < 0;
	/* Elsewhere than the last worker's numbers. */
	in->last_id = (uint32_t)(clock_ns() >> 10);
	*ret = in;
	return 0;
}

void inside_free(struct inside *in)
{
	if (!in)
		return;
	for (int i = 0; i < N_SHELVES; i++)
		for (unsigned k = 0; k < in->shelves[i].n; k++)
			close(in->shelves[i].fds[k]);
	free(in);
}

static uint32_t next_id(struct inside *in)
{
	if (++in->last_id == 0)
		in->last_id = 1;
	return in->last_id;
}

static int tell(struct inside *in, const struct insidemsg_ask *m)
{
	int r = fdpass_send(in->channel, m, sizeof(*m), NULL, 0);

	if (r < 0 && r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM)
		in->is_closed = true;
	return r;
}

static void ask(struct inside *in, struct shelf *s, uint64_t now_ms)
{
	unsigned room = s->level - s->n;
	struct insidemsg_ask m = {0};
	size_t i = (size_t)(s - in->shelves);

	if (in->is_closed || s->id || s->n * 2 > s->level || room == 0 || now_ms < s->rest_ms)
		return;
	/* Who does not answer is asked on demand only, and seldom. */
	if (in->is_late && now_ms < s->asked_ms + INSIDE_ANSWER_MS)
		return;
	m.id = next_id(in);
	m.family = i == TCP4 || i == UDP4 ? AF_INET : AF_INET6;
	m.type = i == TCP4 || i == TCP6 ? SOCK_STREAM : SOCK_DGRAM;
	m.n = room < INSIDEMSG_MAX ? room : INSIDEMSG_MAX;
	(void)tell(in, &m);
	if (in->is_closed)
		return;
	/* When it could not be sent now, it counts as one that is not answered. */
	s->id = m.id;
	s->asked_ms = now_ms;
}

void inside_warm(struct inside *in, int family, int type, uint64_t now_ms)
{
	struct shelf *s = shelf_of(in, family, type);

	if (s->level == 0)
		s->level = LEVEL_FIRST;
	ask(in, s, now_ms);
}

int inside_take(struct inside *in, int family, int type, uint64_t now_ms)
{
	struct shelf *s = shelf_of(in, family, type);
	int fd = s->n ? s->fds[--s->n] : -1;

	if (fd < 0 && now_ms < s->rest_ms)
		return -ENOBUFS;
	if (fd < 0 || s->n == 0)
		s->level = s->level ? INSIDE_MAX : LEVEL_FIRST;
	ask(in, s, now_ms);
	if (fd >= 0)
		return fd;
	return inside_is_open(in) ? -EAGAIN : -EPIPE;
}

int inside_ask_bound(struct inside *in, const struct ip *from, uint16_t port, uint32_t *ret_id)
{
	const struct insidemsg_ask m = {.id = next_id(in),
					.family = from->family,
					.type = SOCK_STREAM,
					.n = 1,
					.from = *from,
					.from_port = port};
	int r;

	if (!inside_is_open(in))
		return -EPIPE;
	if (in->is_refused)
		return -EPERM;
	r = tell(in, &m);
	if (r == 0)
		*ret_id = m.id;
	return r;
}

void inside_on_bound(struct inside *in, inside_bound_fn *fn, void *arg)
{
	in->on_bound = fn;
	in->on_bound_arg = arg;
}

/* No shelf's: who waits for it gets it. */
static void take_bound(struct inside *in, const struct insidemsg_answer *a, int *fd)
{
	int what = *fd >= 0 ? *fd : a->sys > 0 && a->sys <= 4095 ? -a->sys : -EMFILE;

	if (!in->on_bound || !in->on_bound(in->on_bound_arg, a->id, what))
		return;
	in->is_refused |= what == -EPERM;
	*fd = -1;
}

/* Puts what came on the shelf that asked for it; everything else is closed. None came: the system
 * is out of something, or has no such family; it is asked again when somebody wants one, not
 * before. True: the shelf's request is answered. */
static bool take_in(struct inside *in, const struct insidemsg_answer *a, int *fds, uint64_t now_ms)
{
	struct shelf *s = NULL;
	bool is_some = false;

	for (int i = 0; i < N_SHELVES; i++)
		if (a->id && in->shelves[i].id == a->id)
			s = &in->shelves[i];
	in->is_late = false;
	if (!s && a->id)
		take_bound(in, a, &fds[0]);
	for (int i = 0; i < INSIDEMSG_MAX; i++) {
		if (fds[i] < 0)
			continue;
		if (s && s->n < INSIDE_MAX) {
			s->fds[s->n++] = fds[i];
			is_some = true;
		} else {
			close(fds[i]);
		}
	}
	if (!s)
		return false;
	s->id = 0;
	if (!is_some) {
		s->level = s->n;
		s->rest_ms = now_ms + REST_MS;
	}
	ask(in, s, now_ms);
	return true;
}

bool inside_event(struct inside *in, uint64_t now_ms)
{
	bool is_news = false;

	for (int k = 0; k < ANSWERS_A_TURN && !in->is_closed; k++) {
		struct insidemsg_answer a;
		int fds[INSIDEMSG_MAX];
		ssize_t n = fdpass_recv(in->channel, &a, sizeof(a), fds, INSIDEMSG_MAX);
		if (n == -EAGAIN)
			break;
		if (n == -EPROTO)
			continue;
		if (n <= 0) {
			in->is_closed = true;
			return true;
		}
		if (n != (ssize_t)sizeof(a))
			a.id = 0;
		is_news |= take_in(in, &a, fds, now_ms);
	}
	return is_news;
}

/* When this shelf asks again; UINT64_MAX: it need not. */
static uint64_t shelf_due(const struct inside *in, const struct shelf *s)
{
	if (s->id)
		return s->asked_ms + INSIDE_ANSWER_MS;
	return s->level && s->n * 2 <= s->level && !in->is_late ? s->rest_ms : UINT64_MAX;
}

uint64_t inside_due(const struct inside *in)
{
	uint64_t due = UINT64_MAX;

	for (int i = 0; i < N_SHELVES && !in->is_closed; i++) {
		uint64_t at = shelf_due(in, &in->shelves[i]);
		due = at < due ? at : due;
	}
	return due;
}

bool inside_tick(struct inside *in, uint64_t now_ms)
{
	bool was_open = inside_is_open(in);

	for (int i = 0; i < N_SHELVES; i++) {
		struct shelf *s = &in->shelves[i];
		if (in->is_closed || shelf_due(in, s) > now_ms)
			continue;
		if (s->id) {
			in->is_late = true;
			s->id = 0;
		} else {
			ask(in, s, now_ms);
		}
	}
	return was_open && !inside_is_open(in);
}

bool inside_is_open(const struct inside *in)
{
	return !in->is_closed && !in->is_late;
}

unsigned inside_count(const struct inside *in)
{
	unsigned n = 0;

	for (int i = 0; i < N_SHELVES; i++)
		n += in->shelves[i].n;
	return n;
}
