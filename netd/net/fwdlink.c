/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwdlink: connects to the local forwarder and talks fwdmsg with it. Requests are sent ahead of the
 * answers; while the forwarder is slow to read, answers are taken in, so neither side can block the
 * other. Every wait ends after FWDLINK_WAIT_MS without progress.
 *
 * The forwarder may end, or be about to end, whenever nothing is published: then the connection is
 * refused, reset or closed, which is FWDLINK_LOST or a reason to look again, never an error by
 * itself.
 */
#include "net/fwdlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/portowner.h"

void fwdlink_close(struct fwdlink *l)
{
	fd_closep(&l->fd);
	l->n_ahead = 0;
}

/* SO_PEERCRED of a connection shows who called listen: us, root, or somebody we do not trust. */
static int check_server(const struct fwdstart *s, int fd, struct err *e)
{
	char who[PORTOWNER_STRLEN];
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(e, errno, "control socket of %s", s->what);
	if (cred.uid == 0 || cred.uid == geteuid())
		return 0;
	return err_set(e, ERR_CONFLICT, 0, "the control address of %s is held by %s of user %u",
		       s->what, portowner_process(cred.pid, who), (unsigned int)cred.uid);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

/* 0, or -errno of connect. */
static int try_connect(const struct fwdstart *s, int *ret, struct err *e)
{
	struct sockaddr_un sa;
	socklen_t len;

	fwdstart_address(s, &sa, &len);
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket to %s", s->what);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		return err_sys(e, errno, "connect to %s", s->what);
	*ret = fd_take(&fd);
	return 0;
}

int fwdlink_connect(const struct fwdstart *s, bool start, int *ret_fd, bool *ret_started,
		    struct err *e)
{
	uint64_t deadline = clock_ms() + FWDLINK_WAIT_MS;
	struct err one = ERR_INIT;

	for (;;) {
		CLEAN_FD int fd = -1;
		int r = try_connect(s, &fd, &one);
		if (r == 0) {
			r = check_server(s, fd, e);
			if (r == 0)
				*ret_fd = fd_take(&fd);
			return r;
		}
		/* EAGAIN: the queue is full. Refused: none runs, or one ends or begins just now. */
		if (r != -EAGAIN && r != -ECONNREFUSED) {
			err_gather(e, &one);
			return r;
		}
		if (r == -ECONNREFUSED && !start)
			return FWDLINK_NONE;
		if (r == -ECONNREFUSED) {
			r = fwdstart_run(s, e);
			if (r < 0)
				return r;
			if (r == 0)
				*ret_started = true;
		}
		if (clock_left(deadline) == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT, "%s does not answer", s->what);
		if (r != 0)
			nap();
		err_reset(&one);
	}
}

int fwdlink_open(struct fwdlink *l, bool start, struct err *e)
{
	if (l->fd >= 0)
		return FWDLINK_OPEN;
	return fwdlink_connect(&fwdstart_forwarder, start, &l->fd, &l->started, e);
}

/* 0 sent, -EAGAIN not now, 1 connection gone, else -errno. */
static int send_one(int fd, const struct fwdlink_talk *t, size_t i)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	struct fwdmsg m = {.version = FWDMSG_VERSION};
	struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	int pass = -1;

	t->ask(i, &m, &pass, t->arg);
	if (pass >= 0) {
		mh.msg_control = &ctl;
		mh.msg_controllen = sizeof(ctl.space);
		ctl.hdr = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&ctl.hdr), &pass, sizeof(pass));
	}
	for (;;) {
		if (sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		/* ETOOMANYREFS: too many descriptors under way at once for a user without
		 * privilege. */
		if (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS)
			return -EAGAIN;
		return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? 1 : -errno;
	}
}

static int answer_error(const struct fwdmsg *m, struct err *e)
{
	int sys = m->sys > 0 ? m->sys : EPROTO;

	if (m->key[0])
		return err_sys(e, sys, "the local forwarder cannot set up its sandbox (%.60s)",
			       m->key);
	return err_sys(e, sys, "the local forwarder refuses");
}

struct talking {
	size_t sent, answered;
	int first_r; /* the first no */
	size_t first_i;
};

static int take_answer(const struct fwdmsg *m, const struct fwdlink_talk *t, struct talking *k,
		       struct err *e)
{
	struct err one = ERR_INIT;

	if (m->op == FWDMSG_ITEM) {
		int r = t->item ? t->item(m, t->arg) : 0;
		return r < 0 ? err_sys(e, -r, "answer of the local forwarder") : 0;
	}
	if (m->op != FWDMSG_OK && m->op != FWDMSG_ERROR)
		return err_set(e, ERR_PROTOCOL, EPROTO, "answer of the local forwarder");
	if (m->op == FWDMSG_ERROR && k->first_r == 0) {
		k->first_r = answer_error(m, &one);
		k->first_i = k->answered;
		err_gather(e, &one);
	}
	k->answered++;
	return 0;
}

/* Takes all answers that are there. 0, 1 connection gone, or negative. */
static int take_answers(int fd, const struct fwdlink_talk *t, struct talking *k, bool *ret_some,
			struct err *e)
{
	struct fwdmsg m;
	bool is_reset = false;

	while (k->answered < t->n) {
		ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* Told once, and ahead of what was queued before: the reason may be behind it. */
		if (n < 0 && errno == ECONNRESET && !is_reset) {
			is_reset = true;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE)))
			return 1;
		if (n < 0)
			return err_sys(e, errno, "answer of the local forwarder");
		if (n != (ssize_t)sizeof(m) || m.version != FWDMSG_VERSION)
			return err_set(e, ERR_PROTOCOL, EPROTO,
				       "the local forwarder speaks another version");
		m.key[sizeof(m.key) - 1] = '\0';
		int r = take_answer(&m, t, k, e);
		if (r < 0)
			return r;
		*ret_some = true;
	}
	return 0;
}

/* Sends what can be sent. 0, 1 connection gone, or negative. */
static int send_ahead(int fd, const struct fwdlink_talk *t, struct talking *k, bool *ret_some,
		      struct err *e)
{
	while (k->sent < t->n) {
		int r = send_one(fd, t, k->sent);
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return err_sys(e, -r, "request to the local forwarder");
		if (r == 1)
			return 1;
		k->sent++;
		*ret_some = true;
	}
	return 0;
}

void fwdlink_ask(struct fwdlink *l, const struct fwdlink_talk *t)
{
	struct talking k = {.sent = l->n_ahead};
	bool some = false;

	(void)send_ahead(l->fd, t, &k, &some, NULL);
	l->n_ahead = k.sent;
}

int fwdlink_exchange(struct fwdlink *l, const struct fwdlink_talk *t, size_t *ret_failed,
		     struct err *e)
{
	uint64_t deadline = clock_ms() + FWDLINK_WAIT_MS;
	struct talking k = {.sent = l->n_ahead};
	int r = 0;

	l->n_ahead = 0;
	while (r == 0 && k.answered < t->n) {
		bool some = false;
		int sending = send_ahead(l->fd, t, &k, &some, e);
		/* A forwarder that gives up has said why before it closes: read on after a failed
		 * send. */
		r = take_answers(l->fd, t, &k, &some, e);
		if (r == 0)
			r = sending;
		if (r == 0 && some)
			deadline = clock_ms() + FWDLINK_WAIT_MS;
		else if (r == 0 && clock_left(deadline) == 0)
			r = err_set(e, ERR_BUSY, ETIMEDOUT, "the local forwarder does not answer");
		if (r == 0 && !some) {
			/* POLLOUT says little when descriptors under way are what is scarce. */
			struct pollfd p = {.fd = l->fd, .events = POLLIN};
			poll(&p, 1, k.sent < t->n ? 1 : clock_left(deadline));
		}
	}
	if (k.answered < t->n)
		fwdlink_close(l);
	if (k.first_r < 0) {
		if (ret_failed)
			*ret_failed = k.first_i;
		r = k.first_r;
	}
	return r == 1 ? FWDLINK_LOST : r;
}
