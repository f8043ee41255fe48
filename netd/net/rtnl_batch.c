/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_batch: a list of requests in one buffer, sent in one sendmsg. The kernel goes through all of
 * them in order, also after a failure, and tells each failure. The last one is acknowledged: those
 * before it that it said nothing of are done. A list whose acknowledgements could overflow
 * the receive buffer is sent in several pieces; nothing is ever sent twice, because a change whose
 * acknowledgement is lost may or may not have been made.
 */
#include "net/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/grow.h"
#include "net/rtnl_wire.h"

/* Upper bounds of the receive buffer that one answer takes, with the kernel's own overhead. */
#define ACK_COST ((size_t)2 << 10)
#define GET_COST ((size_t)8 << 10)
/* Well below any SO_SNDBUF. */
#define SEND_BYTES ((size_t)64 << 10)

struct step {
	const char *what;
	size_t off, len;
	int ok_errno;
	bool is_get, is_done;
};

struct rtnl_batch {
	struct rtnl *r;
	struct step *steps;
	size_t n, cap;
	char *buf;
	size_t len, buf_cap;
};

int rtnl_batch_new(struct rtnl *r, struct rtnl_batch **ret, struct err *e)
{
	struct rtnl_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return err_sys(e, ENOMEM, "list of rtnetlink requests");
	b->r = r;
	*ret = b;
	return 0;
}

void rtnl_batch_freep(struct rtnl_batch **b)
{
	if (!*b)
		return;
	free((*b)->steps);
	free((*b)->buf);
	free(*b);
	*b = NULL;
}

/* Room for one more step of len bytes. */
static int grow(struct rtnl_batch *b, size_t len)
{
	if (!GROW(b->steps, b->n, b->cap))
		return -ENOMEM;
	if (b->buf_cap - b->len < len) {
		size_t cap = 2 * b->buf_cap + len + 2048;
		char *p = realloc(b->buf, cap);

		if (!p)
			return -ENOMEM;
		b->buf = p;
		b->buf_cap = cap;
	}
	return 0;
}

int rtnl_batch_add(struct rtnl_batch *b, struct nl_msg *m, int ok_errno, const char *what,
		   struct err *e)
{
	struct nlmsghdr *h;
	struct step *s;
	size_t len;

	if (!m)
		return err_sys(e, ENOMEM, "%s", what);
	h = nlmsg_hdr(m);
	len = NLMSG_ALIGN(h->nlmsg_len);
	if (grow(b, len) < 0) {
		nlmsg_free(m);
		return err_sys(e, ENOMEM, "%s", what);
	}
	s = &b->steps[b->n++];
	*s = (struct step){.what = what, .off = b->len, .len = len, .ok_errno = ok_errno};
	s->is_get = (h->nlmsg_type & 3) == (RTM_GETLINK & 3);
	memset(b->buf + b->len, 0, len);
	memcpy(b->buf + b->len, h, h->nlmsg_len);
	b->len += len;
	nlmsg_free(m);
	return 0;
}

/* How many steps from first on go out together. */
static size_t piece(const struct rtnl_batch *b, size_t first)
{
	socklen_t optlen = sizeof(int);
	size_t room, cost = 0, bytes = 0, n;
	int rcvbuf = 0;

	(void)getsockopt(rtnl_fd(b->r), SOL_SOCKET, SO_RCVBUF, &rcvbuf, &optlen);
	room = rcvbuf > 0 ? (size_t)rcvbuf : 0;
	for (n = 0; first + n < b->n; n++) {
		const struct step *s = &b->steps[first + n];

		cost += s->is_get ? GET_COST : ACK_COST;
		bytes += s->len;
		/* One answer always fits into an empty buffer, whatever its limit. */
		if (n > 0 && (cost > room || bytes > SEND_BYTES))
			break;
	}
	return n;
}

/* Takes one answer. The first failure goes to *first and e: answers come in the order of the steps.
 */
static void take_answer(struct step *s, const struct nlmsghdr *h, int *first, struct err *e)
{
	const char *text;
	int sys;

	if (h->nlmsg_type != NLMSG_ERROR) {
		s->is_done = s->is_get; /* else an echo, before the acknowledgement */
		return;
	}
	s->is_done = true;
	sys = rtnl_errno(h, &text);
	if (sys != 0 && sys != s->ok_errno && *first == 0)
		*first = rtnl_fail(sys, text, s->what, e);
}

static struct nlmsghdr *step_hdr(struct rtnl_batch *b, const struct step *s)
{
	return (struct nlmsghdr *)(void *)(b->buf + s->off);
}

static int send_piece(struct rtnl_batch *b, size_t at, size_t n, struct err *e)
{
	const struct step *s = &b->steps[at], *last = s + n - 1;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		(void)rtnl_stamp(b->r, step_hdr(b, s + i));
	/* The answer to a get is its own acknowledgement. */
	if (!last->is_get)
		step_hdr(b, last)->nlmsg_flags |= NLM_F_ACK;
	r = rtnl_send(b->r, b->buf + s->off, last->off + last->len - s->off);
	return r < 0 ? err_sys(e, -r, "%s: asking the kernel", s->what) : 0;
}

/* Sends steps [at, at + n) and reads their answers. What the kernel refused is in *first; the
 * return value tells of trouble with the socket. */
static int run_piece(struct rtnl_batch *b, size_t at, size_t n, int *first, struct err *e)
{
	uint64_t deadline = clock_ms() + RTNL_TIMEOUT_MS;
	struct step *s = &b->steps[at], *end = s + n;
	struct nlmsghdr *h;
	int r;

	r = send_piece(b, at, n, *first < 0 ? NULL : e);
	while (r == 0 && s < end) {
		struct step *q = s;

		r = rtnl_next(b->r, deadline, &h);
		if (r < 0)
			return rtnl_fail_next(r, s->what, *first < 0 ? NULL : e);
		while (q < end && !rtnl_is_answer(b->r, h, step_hdr(b, q)->nlmsg_seq))
			q++;
		if (q < end && !q->is_done)
			take_answer(q, h, first, e);
		/* An answer of a later one: the kernel has been through those before. */
		while (s < end && (s->is_done || (s < q && q < end)))
			s++;
	}
	return r;
}

int rtnl_batch_run(struct rtnl_batch *b, struct err *e)
{
	size_t at, n;
	int r = 0, first = 0;

	for (at = 0; at < b->n && r == 0; at += n) {
		n = piece(b, at);
		r = run_piece(b, at, n, &first, e);
	}
	b->n = 0;
	b->len = 0;
	return first < 0 ? first : r;
}
