/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: the one place where bytes of another process become requests: of root and of the user
 * that started us only (SO_PEERCRED, unix(7)), of fixed size and version. Everybody else can reach
 * the abstract address, and is closed at once. A requester that does not read its answers is not
 * read from either, so one unsent answer each is all that is ever stored.
 */
#include "fwd/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "fwd/kinds.h"
#include "relay/slots.h"
#include "relay/watch.h"
#include "sys/sockopt.h"

#define ACCEPT_BATCH 32
#define TURN_MSGS 64

struct requester {
	struct slot slot;
	int fd;
	uint64_t used_ms;
	uint32_t watched;
	bool has_answer, is_listing;
	uint32_t list_at;
	char list_key[KEY_STRLEN];
	struct fwdmsg answer;
};

struct control {
	int epoll_fd, listen_fd;
	uid_t starter;
	struct ports *ports;
	struct slots table;
	bool is_resting;
	uint64_t wake_ms;
};

int control_new(int epoll_fd, int listen_fd, uid_t starter, struct ports *ports,
		struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct control){
		.epoll_fd = epoll_fd, .listen_fd = listen_fd, .starter = starter, .ports = ports};
	int r = slots_init(&c->table, CONTROL_MAX, sizeof(struct requester));
	if (r == 0)
		r = watch_add(epoll_fd, listen_fd, EPOLLIN, FWD_CONTROL, 0, 0);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

uint32_t control_count(const struct control *c)
{
	return c->table.n_used;
}

static void set_resting(struct control *c, bool resting, uint64_t now_ms)
{
	c->wake_ms = now_ms + CONTROL_REST_MS;
	if (c->is_resting != resting &&
	    watch_change(c->epoll_fd, c->listen_fd, resting ? 0 : EPOLLIN, FWD_CONTROL, 0, 0) == 0)
		c->is_resting = resting;
}

void control_accept(struct control *c, uint64_t now_ms)
{
	for (int k = 0; k < ACCEPT_BATCH; k++) {
		if (c->table.n_used == c->table.max) {
			set_resting(c, true, now_ms);
			return;
		}
		CLEAN_FD int fd = accept4(c->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN)
				set_resting(c, true, now_ms);
			return;
		}
		if (!sockopt_is_from(fd, c->starter))
			continue;
		uint32_t i = slots_take(&c->table);
		struct requester *q = slots_at(&c->table, i);
		q->used_ms = now_ms;
		q->watched = EPOLLIN;
		if (watch_add(c->epoll_fd, fd, EPOLLIN, FWD_REQUESTER, i, q->slot.gen) < 0)
			slots_give(&c->table, i);
		else
			q->fd = fd_take(&fd);
	}
}

static void requester_end(struct control *c, uint32_t i)
{
	struct requester *q = slots_at(&c->table, i);

	watch_del(c->epoll_fd, q->fd);
	close(q->fd);
	slots_give(&c->table, i);
}

/* Sends the stored answer. 0 sent, 1 not now, negative: the requester is gone. */
static int send_answer(struct requester *q)
{
	ssize_t n;

	do
		n = send(q->fd, &q->answer, sizeof(q->answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
		return 1;
	q->has_answer = false;
	return n < 0 ? -errno : 0;
}

static void set_answer(struct requester *q, int r)
{
	q->answer = (struct fwdmsg){.version = FWDMSG_VERSION,
				    .op = r < 0 ? FWDMSG_ERROR : FWDMSG_OK,
				    .sys = r < 0 ? -r : 0};
	q->has_answer = true;
}

/* The next item of the list, or its end. */
static void set_next_item(struct control *c, struct requester *q)
{
	set_answer(q, 0);
	q->is_listing = ports_list(c->ports, q->list_key, &q->list_at, &q->answer);
}

/* One request. *fd: what came with it; -1 afterwards when it was taken over. */
static int serve(struct control *c, struct requester *q, const struct fwdmsg *m, int *fd)
{
	if (m->version != FWDMSG_VERSION || m->key[sizeof(m->key) - 1] != '\0')
		return -EPROTO;
	switch (m->op) {
	case FWDMSG_ADD: {
		int r = ports_add(c->ports, m, *fd);
		if (r == 0)
			*fd = -1;
		return r;
	}
	case FWDMSG_REMOVE:
		ports_remove(c->ports, m);
		return 0;
	case FWDMSG_LIST:
		q->is_listing = true;
		q->list_at = 0;
		memcpy(q->list_key, m->key, sizeof(q->list_key));
		return 0;
	default:
		return -EPROTO;
	}
}

/* Receives into *m and *ret_fd. Bytes, 0 at the end, -errno. A message that is not as it should be
 * comes back with version 0. Descriptors beyond the one are closed by the kernel, for there is no
 * room (CMSG_SPACE would leave some, for alignment). */
static ssize_t receive(int from, struct fwdmsg *m, int *ret_fd)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctl,
			   .msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t n;

	do
		n = recvmsg(from, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	if (n != (ssize_t)sizeof(*m) || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		m->version = 0;
	return n;
}

/* One step: an answer out, or a request in. 0 go on, 1 wait, negative: gone. */
static int step(struct control *c, struct requester *q)
{
	CLEAN_FD int fd = -1;
	struct fwdmsg m;

	if (q->is_listing && !q->has_answer)
		set_next_item(c, q);
	if (q->has_answer)
		return send_answer(q);
	ssize_t n = receive(q->fd, &m, &fd);
	if (n == -EAGAIN)
		return 1;
	if (n <= 0)
		return -ECONNRESET;
	int r = serve(c, q, &m, &fd);
	if (r < 0 || !q->is_listing)
		set_answer(q, r);
	return 0;
}

void control_event(struct control *c, uint32_t index, uint32_t gen, uint32_t events,
		   uint64_t now_ms)
{
	struct requester *q = slots_live(&c->table, index, gen);
	int r = 0;

	if (!q)
		return;
	q->used_ms = now_ms;
	for (int k = 0; r == 0 && k < TURN_MSGS; k++)
		r = step(c, q);
	/* With an answer that cannot be sent nothing is read, so an end would not be seen
	 * otherwise. */
	if (r < 0 || (r == 1 && q->has_answer && (events & (EPOLLHUP | EPOLLERR)))) {
		requester_end(c, index);
		return;
	}
	uint32_t want = q->has_answer || q->is_listing ? EPOLLOUT : EPOLLIN;
	if (want != q->watched &&
	    watch_change(c->epoll_fd, q->fd, want, FWD_REQUESTER, index, gen) == 0)
		q->watched = want;
}

int control_expire(struct control *c, uint64_t now_ms)
{
	int next = -1;

	for (uint32_t i = 0; (i = slots_next(&c->table, i)) != SLOT_NONE; i++) {
		const struct requester *q = slots_at(&c->table, i);
		if (now_ms >= q->used_ms + CONTROL_IDLE_MS)
			requester_end(c, i);
		else
			next = CONTROL_IDLE_MS;
	}
	if (c->is_resting && now_ms >= c->wake_ms && c->table.n_used < c->table.max)
		set_resting(c, false, now_ms);
	return c->is_resting ? CONTROL_REST_MS : next;
}

void control_refuse(int listen_fd, int sys, const char *step_name, int wait_ms)
{
	struct fwdmsg m = {.version = FWDMSG_VERSION, .op = FWDMSG_ERROR, .sys = sys};

	strncpy(m.key, step_name, sizeof(m.key) - 1);
	(void)fd_await(listen_fd, POLLIN, clock_ms() + (uint64_t)wait_ms);
	CLEAN_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}
