/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl: the NETLINK_ROUTE socket and single requests on it; lists of requests are in rtnl_batch.c.
 * Messages are built by libnl-3, but the socket is our own: libnl's blocks without a deadline and
 * hides the extended acknowledgement. This file knows nothing of links, addresses or routes.
 *
 * The kernel processes a request inside sendmsg, so by the time that returns every answer but the
 * rest of a dump is queued; what did not fit is lost and reading says ENOBUFS once. Read
 * netlink(7), rtnetlink(7), and "Dump consistency" in the kernel's userspace-api/netlink/intro.
 */
#include "net/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/rtnl_wire.h"
#include "sys/netns.h"
#include "sys/outside.h"
#include "sys/probe.h"
#include "sys/userns.h"

/* The kernel fills buffers of up to 32 KiB for a dump; a single answer can be larger. */
#define RECV_BYTES ((size_t)64 << 10)
/* Asked for; the kernel doubles it. Holds the acknowledgements of the largest batch. */
#define RCVBUF_BYTES (512 << 10)
#define MAX_TRIES 5

struct rtnl {
	int fd;
	bool is_lent; /* its requests are sent by the process outside (sys/outside.h) */
	pid_t opener; /* a child to be collected; 0: none */
	pid_t parent; /* whose */
	uint32_t port, seq;
	size_t pos, len; /* the unread rest of buf */
	char buf[] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static void set_flag(int fd, int name)
{
	int on = 1;

	/* A kernel that lacks one of these gives shorter errors or unfiltered dumps; all readers
	 * cope with both. */
	(void)setsockopt(fd, SOL_NETLINK, name, &on, sizeof(on));
}

static void set_rcvbuf(int fd)
{
	int n = RCVBUF_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof(n)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
}

/* Takes fd over. */
static int wrap(int *fd, struct rtnl **ret, struct err *e)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(sa);
	struct rtnl *r;

	set_flag(*fd, NETLINK_EXT_ACK);
	set_flag(*fd, NETLINK_CAP_ACK);
	set_flag(*fd, NETLINK_GET_STRICT_CHK);
	set_rcvbuf(*fd);
	if (bind(*fd, (struct sockaddr *)&sa, len) < 0 ||
	    getsockname(*fd, (struct sockaddr *)&sa, &len) < 0)
		return err_sys(e, errno, "rtnetlink socket: bind");
	r = malloc(sizeof(*r) + RECV_BYTES);
	if (!r)
		return err_sys(e, ENOMEM, "rtnetlink socket");
	*r = (struct rtnl){.fd = fd_take(fd), .port = sa.nl_pid};
	*ret = r;
	return 0;
}

int rtnl_open(struct rtnl **ret, struct err *e)
{
	CLEAN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_sys(e, errno, "rtnetlink socket");
	return wrap(&fd, ret, e);
}

static bool as_owner;

void rtnl_use_owner(bool always)
{
	as_owner = always;
}

static int open_here(void *arg, struct err *e)
{
	return rtnl_open(arg, e);
}

/* netns_fd -1: in the caller's namespace. */
static int open_lent(int netns_fd, struct rtnl **ret, struct err *e)
{
	CLEAN_FD int fd = -1;
	int r = netns_fd >= 0
			? outside_socket_in(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &fd, e)
			: outside_socket_here(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &fd, e);

	if (r == 0)
		r = wrap(&fd, ret, e);
	if (r == 0)
		(*ret)->is_lent = true;
	return r;
}

int rtnl_open_lent(struct rtnl **ret, struct err *e)
{
	return open_lent(-1, ret, e);
}

int rtnl_open_in(int netns_fd, struct rtnl **ret, struct err *e)
{
	CLEAN_FD int fd = -1;
	pid_t opener = 0;
	int r;

	if (!as_owner) {
		struct err own = ERR_INIT;

		r = netns_call(netns_fd, open_here, ret, &own);
		if (r == -EPERM && outside_is_there())
			return open_lent(netns_fd, ret, e);
		if (r < 0 && e)
			*e = own;
		return r;
	}
	r = userns_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &fd, &opener, e);
	if (r < 0)
		return r;
	r = wrap(&fd, ret, e);
	if (r < 0) {
		userns_collect(opener);
		return r;
	}
	(*ret)->opener = opener;
	(*ret)->parent = getpid();
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	fd_closep(&r->fd);
	if (r->opener && r->parent == getpid())
		userns_collect(r->opener);
	free(r);
}

void rtnl_closep(struct rtnl **r)
{
	rtnl_close(*r);
	*r = NULL;
}

int rtnl_fd(const struct rtnl *r)
{
	return r->fd;
}

int rtnl_cookie(struct rtnl *r, uint64_t *ret, struct err *e)
{
	uint64_t v;
	socklen_t len = sizeof(v);

	if (getsockopt(r->fd, SOL_SOCKET, SO_NETNS_COOKIE, &v, &len) < 0)
		return err_sys(e, errno, "cookie of the network namespace");
	*ret = v;
	return 0;
}

bool rtnl_echoes(const struct rtnl *r)
{
	unsigned int major = 0, minor = 0;
	socklen_t len = sizeof(int);
	int rcvbuf = 0;

	if (!probe_release(&major, &minor))
		return false;
	if (major < 6 || (major == 6 && minor < 2))
		return false;
	return getsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, &len) == 0 && rcvbuf >= 64 << 10;
}

struct nl_msg *rtnl_msg(uint16_t type, uint16_t flags, const void *hdr, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (m && nlmsg_append(m, (void *)(uintptr_t)hdr, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

struct nl_msg *rtnl_msg_done(struct nl_msg *m, int bad)
{
	if (!m || bad >= 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

uint32_t rtnl_stamp(struct rtnl *r, struct nlmsghdr *h)
{
	/* 0 is what the kernel puts into messages that nobody asked for. */
	if (++r->seq == 0)
		r->seq = 1;
	h->nlmsg_seq = r->seq;
	h->nlmsg_pid = r->port;
	return r->seq;
}

bool rtnl_is_answer(const struct rtnl *r, const struct nlmsghdr *h, uint32_t seq)
{
	return h->nlmsg_seq == seq && h->nlmsg_pid == r->port;
}

/* 0 when there may be something to read. */
static int wait_readable(int fd, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int left = deadline_ms ? clock_left(deadline_ms) : 0;

	if (left == 0)
		return -ETIMEDOUT;
	if (poll(&p, 1, left) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int refill(struct rtnl *r, uint64_t deadline_ms)
{
	struct sockaddr_nl from;
	struct iovec iov = {.iov_base = r->buf, .iov_len = RECV_BYTES};
	ssize_t n;
	int w;

	for (;;) {
		struct msghdr mh = {.msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1};

		n = recvmsg(r->fd, &mh, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			w = wait_readable(r->fd, deadline_ms);
			if (w < 0)
				return w;
			continue;
		}
		if (n < 0)
			return -errno;
		if (mh.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (mh.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue; /* not from the kernel */
		r->pos = 0;
		r->len = (size_t)n;
		return 0;
	}
}

int rtnl_next(struct rtnl *r, uint64_t deadline_ms, struct nlmsghdr **ret)
{
	struct nlmsghdr *h;
	int w;

	for (;;) {
		h = (struct nlmsghdr *)(void *)(r->buf + r->pos);
		if (nlmsg_ok(h, (int)r->len))
			break;
		w = refill(r, deadline_ms);
		if (w < 0)
			return w;
	}
	/* The last message need not be padded. */
	if (NLMSG_ALIGN(h->nlmsg_len) >= r->len) {
		r->len = 0;
	} else {
		r->pos += NLMSG_ALIGN(h->nlmsg_len);
		r->len -= NLMSG_ALIGN(h->nlmsg_len);
	}
	*ret = h;
	return 0;
}

/* Finds the kernel's words among the attributes that follow the fixed part of the answer. */
static const char *ack_text(const struct nlmsghdr *h, size_t fixed)
{
	const char *at = (const char *)nlmsg_data(h);
	size_t len = (size_t)nlmsg_datalen(h);
	struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || len <= NLMSG_ALIGN(fixed))
		return "";
	fixed = NLMSG_ALIGN(fixed);
	a = nla_find((const struct nlattr *)(const void *)(at + fixed), (int)(len - fixed),
		     NLMSGERR_ATTR_MSG);
	if (!a || nla_len(a) < 1 || memchr(nla_data(a), '\0', (size_t)nla_len(a)) == NULL)
		return "";
	return nla_data(a);
}

int rtnl_errno(const struct nlmsghdr *h, const char **ret_text)
{
	const struct nlmsgerr *me = nlmsg_data(h);
	size_t fixed;
	int code;

	*ret_text = "";
	if (h->nlmsg_type == NLMSG_DONE) {
		if (nlmsg_datalen(h) < (int)sizeof(int))
			return 0;
		memcpy(&code, nlmsg_data(h), sizeof(code));
		fixed = sizeof(int);
	} else {
		if (nlmsg_datalen(h) < (int)sizeof(*me))
			return EBADMSG;
		code = me->error;
		fixed = sizeof(*me);
		if (!(h->nlmsg_flags & NLM_F_CAPPED) && me->msg.nlmsg_len > sizeof(me->msg))
			fixed += me->msg.nlmsg_len - sizeof(me->msg);
	}
	if (code >= 0)
		return 0;
	*ret_text = ack_text(h, fixed);
	return -code;
}

int rtnl_fail(int sys, const char *text, const char *what, struct err *e)
{
	return err_sys(e, sys, "%s%s%s", what, text[0] ? ": " : "", text);
}

int rtnl_fail_next(int r, const char *what, struct err *e)
{
	switch (-r) {
	case ETIMEDOUT:
		return err_set(e, ERR_BUSY, ETIMEDOUT, "%s: no answer from the kernel", what);
	case ENOBUFS:
		return err_set(e, ERR_KERNEL, ENOBUFS, "%s: the kernel's answer was lost", what);
	case EMSGSIZE:
		return err_set(e, ERR_PROTOCOL, EMSGSIZE, "%s: answer over %zu bytes", what,
			       RECV_BYTES);
	default:
		return err_sys(e, -r, "%s: reading the kernel's answer", what);
	}
}

struct call {
	struct rtnl *r;
	struct nl_msg *m;
	void (*on_reply)(struct nlmsghdr *h, void *arg);
	void *arg;
	const char *what;
	bool is_get, is_dump;
};

int rtnl_send(struct rtnl *r, const void *data, size_t len)
{
	ssize_t n;

	if (r->is_lent) {
		long sent = outside_send(r->fd, data, len);

		return sent < 0 ? (int)sent : 0;
	}
	do
		n = send(r->fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_one(struct call *c, uint32_t *ret_seq, struct err *e)
{
	struct nlmsghdr *h = nlmsg_hdr(c->m);
	int r;

	*ret_seq = rtnl_stamp(c->r, h);
	r = rtnl_send(c->r, h, h->nlmsg_len);
	return r < 0 ? err_sys(e, -r, "%s: asking the kernel", c->what) : 0;
}

#define ASK_AGAIN 1

/* One request and its answers: 0, ASK_AGAIN, or a failure. */
static int try_call(struct call *c, struct err *e)
{
	uint64_t deadline = clock_ms() + RTNL_TIMEOUT_MS;
	bool is_stale = false;
	struct nlmsghdr *h;
	const char *text;
	uint32_t seq;
	int r;

	r = send_one(c, &seq, e);
	if (r < 0)
		return r;
	for (;;) {
		/* After a loss, only a dump has more to come; the next one is refused before this
		 * one has been read to its end. */
		r = rtnl_next(c->r, is_stale && !c->is_dump ? 0 : deadline, &h);
		if (r == -ENOBUFS) {
			is_stale = true;
			continue;
		}
		if (r == -ETIMEDOUT && is_stale)
			return c->is_get ? ASK_AGAIN : rtnl_fail_next(-ENOBUFS, c->what, e);
		if (r < 0)
			return rtnl_fail_next(r, c->what, e);
		if (!rtnl_is_answer(c->r, h, seq) || h->nlmsg_type == NLMSG_NOOP)
			continue;
		if (c->is_dump && (h->nlmsg_flags & NLM_F_DUMP_INTR))
			is_stale = true;
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			r = rtnl_errno(h, &text);
			if (r > 0)
				return rtnl_fail(r, text, c->what, e);
			return is_stale && c->is_dump ? ASK_AGAIN : 0;
		}
		if (c->on_reply)
			c->on_reply(h, c->arg);
		if (c->is_get && !c->is_dump)
			return 0;
	}
}

int rtnl_call(struct rtnl *r, struct nl_msg *m, void (*on_reply)(struct nlmsghdr *h, void *arg),
	      void (*restart)(void *arg), void *arg, const char *what, struct err *e)
{
	struct call c = {.r = r, .m = m, .on_reply = on_reply, .arg = arg, .what = what};
	struct nlmsghdr *h;
	int tries, ret = ASK_AGAIN;

	if (!m)
		return err_sys(e, ENOMEM, "%s", what);
	h = nlmsg_hdr(m);
	c.is_get = (h->nlmsg_type & 3) == (RTM_GETLINK & 3);
	c.is_dump = c.is_get && (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	/* The answer to a get is its own acknowledgement. */
	if (!c.is_get)
		h->nlmsg_flags |= NLM_F_ACK;
	for (tries = 0; ret == ASK_AGAIN && tries < MAX_TRIES; tries++) {
		if (tries > 0 && restart)
			restart(arg);
		ret = try_call(&c, e);
	}
	nlmsg_free(m);
	if (ret == ASK_AGAIN)
		return err_set(e, ERR_BUSY, EAGAIN,
			       "%s: the answer changed while it was read, %d "
			       "times in a row",
			       what, MAX_TRIES);
	return ret;
}
