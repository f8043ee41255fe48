/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: the one place where the words of another process change what is served: of root and of
 * the user that started us only (SO_PEERCRED), of fixed size and version. Sockets are looked at
 * before they are taken in. A requester waits for each answer, so one that has no room for it is no
 * requester of ours, and is closed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "names/server.h"
#include "relay/dest.h"
#include "relay/watch.h"
#include "sys/fdpass.h"
#include "sys/sockopt.h"

#define ACCEPT_A_TURN 32
#define MESSAGES_A_TURN 64

struct requester {
	struct slot slot;
	int fd;
	uint64_t used_ms;
};

int control_init(struct server *s)
{
	int r = slots_init(&s->requesters, CONTROL_REQUESTERS, sizeof(struct requester));

	return r < 0 ? r : watch_add(s->epoll_fd, s->listen_fd, EPOLLIN, SERVER_CONTROL, 0, 0);
}

void control_take(struct server *s)
{
	for (int k = 0; k < ACCEPT_A_TURN; k++) {
		CLEAN_FD int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return;
		if (!sockopt_is_from(fd, s->starter))
			continue;
		uint32_t i = slots_take(&s->requesters);
		if (i == SLOT_NONE)
			return;
		struct requester *q = slots_at(&s->requesters, i);
		q->used_ms = s->now_ms;
		if (watch_add(s->epoll_fd, fd, EPOLLIN, SERVER_REQUESTER, i, q->slot.gen) < 0)
			slots_give(&s->requesters, i);
		else
			q->fd = fd_take(&fd);
	}
}

static void end(struct server *s, uint32_t index)
{
	struct requester *q = slots_at(&s->requesters, index);

	watch_del(s->epoll_fd, q->fd);
	close(q->fd);
	slots_give(&s->requesters, index);
}

/* ---- networks ---- */

static bool is_the_socket(int fd, const struct ip *ip, uint16_t port, int proto)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (fd < 0 || sockopt_int(fd, SO_PROTOCOL) != proto ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    (ss.ss_family != AF_INET && ss.ss_family != AF_INET6))
		return false;
	struct ip at = dest_ip(&ss);
	return ip_equal(&at, ip) && dest_port(&ss) == port &&
	       (proto != IPPROTO_TCP || sockopt_int(fd, SO_ACCEPTCONN) == 1);
}

/* The sockets are those of listen[], in its order. */
static bool are_the_sockets(const struct namesmsg *m, const int *fd, int ret[NAMESMSG_FDS])
{
	size_t n = 0;

	for (int f = 0; f < N_FAM; f++) {
		ret[2 * f] = ret[2 * f + 1] = -1;
		if (!m->listen[f].family)
			continue;
		if (!is_the_socket(fd[n], &m->listen[f], m->port, IPPROTO_UDP) ||
		    !is_the_socket(fd[n + 1], &m->listen[f], m->port, IPPROTO_TCP))
			return false;
		ret[2 * f] = fd[n];
		ret[2 * f + 1] = fd[n + 1];
		n += 2;
	}
	return n > 0;
}

static void close_place(struct server *s, uint32_t net)
{
	struct place *p = &s->place[net];

	for (int i = 0; i < NAMESMSG_FDS; i++) {
		if (p->fd[i] < 0)
			continue;
		watch_del(s->epoll_fd, p->fd[i]);
		close(p->fd[i]);
		p->fd[i] = -1;
	}
	memset(p->listen, 0, sizeof(p->listen));
	p->port = 0;
}

/* Before the entry goes or right after: what was begun under its number, which will be another's.
 * entry SLOT_NONE: of the whole network. */
static void forget(struct server *s, uint32_t net, uint32_t entry)
{
	query_forget(s, net, entry);
	stream_forget(s, net, entry);
}

static void drop(struct server *s, uint32_t net)
{
	forget(s, net, SLOT_NONE);
	close_place(s, net);
	table_del_net(&s->table, net);
}

static int open_place(struct server *s, uint32_t net, const struct namesmsg *m,
		      const int ours[NAMESMSG_FDS])
{
	struct place *p = &s->place[net];
	uint32_t gen = table_net_at(&s->table, net)->slot.gen;
	int r = 0;

	close_place(s, net);
	for (int i = 0; r == 0 && i < NAMESMSG_FDS; i++) {
		uint8_t kind = i % 2 ? SERVER_TCP : SERVER_UDP;

		if (ours[i] >= 0)
			r = watch_add(s->epoll_fd, ours[i], EPOLLIN, kind,
				      net * N_FAM + (uint32_t)i / 2, gen);
	}
	if (r < 0)
		return r;
	memcpy(p->fd, ours, sizeof(p->fd));
	memcpy(p->listen, m->listen, sizeof(p->listen));
	p->port = m->port;
	return 0;
}

/* 1: the descriptors were taken over. */
static int put_network(struct server *s, const struct namesmsg *m, const int *fd)
{
	uint32_t net = table_find_net(&s->table, m->network);
	int ours[NAMESMSG_FDS], taken = 0;

	if (!m->network[0] || m->n_ip > TABLE_SUBNETS_MAX)
		return -EINVAL;
	if (fd[0] < 0 && net == SLOT_NONE)
		return -ENOENT;
	if (fd[0] >= 0 && !are_the_sockets(m, fd, ours))
		return -EBADF;
	if (net == SLOT_NONE)
		net = table_add_net(&s->table, m->network);
	if (net == SLOT_NONE)
		return -ENOSPC;
	if (fd[0] >= 0) {
		int r = open_place(s, net, m, ours);

		if (r < 0) {
			drop(s, net);
			return r;
		}
		taken = 1;
	}
	struct table_net *n = table_net_at(&s->table, net);
	n->is_internal = m->is_internal;
	n->n_subnet = m->n_ip;
	for (size_t i = 0; i < n->n_subnet; i++)
		n->subnet[i] = (struct prefix){.ip = m->ip[i], .len = m->len[i]};
	return taken;
}

static void drop_networks(struct server *s, const char *name)
{
	for (uint32_t i = 0; (i = slots_next(&s->table.nets, i)) != SLOT_NONE; i++)
		if (!name[0] || strcmp(table_net_at(&s->table, i)->name, name) == 0)
			drop(s, i);
}

/* ---- entries ---- */

static int put_entry(struct server *s, const struct namesmsg *m)
{
	uint32_t net = table_find_net(&s->table, m->network), had, entry;

	if (net == SLOT_NONE)
		return -ENOENT;
	if (!m->key[0] || m->n_ip == 0 || m->n_ip > NAMESMSG_IPS)
		return -EINVAL;
	had = table_find_entry(&s->table, net, m->key);
	int r = table_put_entry(&s->table, net, m->key, m->uid, m->ip, m->n_ip, &entry);
	if (r < 0 && had != SLOT_NONE)
		forget(s, net, had); /* it went with what failed */
	/* Of two that claim an address the one that comes later has it: the engine gave it to no
	 * other before it was free. */
	while (r == -EEXIST) {
		for (size_t i = 0; i < m->n_ip; i++) {
			uint32_t old = table_by_ip(&s->table, net, &m->ip[i]);

			if (old == SLOT_NONE)
				continue;
			forget(s, net, old);
			table_del_entry(&s->table, old);
		}
		r = table_put_entry(&s->table, net, m->key, m->uid, m->ip, m->n_ip, &entry);
	}
	if (r == 0)
		table_entry_at(&s->table, entry)->is_kept = m->is_kept;
	return r;
}

static int put_name(struct server *s, const struct namesmsg *m)
{
	uint32_t net = table_find_net(&s->table, m->network);
	uint32_t entry = net == SLOT_NONE ? SLOT_NONE : table_find_entry(&s->table, net, m->key);

	if (entry == SLOT_NONE)
		return -ENOENT;
	int r = table_add_name(&s->table, entry, m->name);
	return r < 0 ? r : 0;
}

static void remove_entries(struct server *s, const struct namesmsg *m)
{
	for (uint32_t i = 0; (i = slots_next(&s->table.nets, i)) != SLOT_NONE; i++) {
		if (m->network[0] && strcmp(table_net_at(&s->table, i)->name, m->network) != 0)
			continue;
		uint32_t entry = table_find_entry(&s->table, i, m->key);
		if (entry == SLOT_NONE)
			continue;
		forget(s, i, entry);
		table_del_entry(&s->table, entry);
	}
}

static void tell_entry(struct server *s, uint32_t net, const char *key, struct namesmsg *a)
{
	uint32_t entry = table_find_entry(&s->table, net, key);
	const struct table_entry *e = entry == SLOT_NONE ? NULL : table_entry_at(&s->table, entry);

	if (!e)
		return;
	a->uid = e->uid;
	a->n_name = e->n_name;
	a->is_kept = e->is_kept;
	for (uint32_t i = e->first_addr; i && a->n_ip < NAMESMSG_IPS;
	     i = table_addr_at(&s->table, i - 1)->next)
		a->ip[a->n_ip++] = table_addr_at(&s->table, i - 1)->ip;
}

static int tell(struct server *s, const struct namesmsg *m, struct namesmsg *a)
{
	uint32_t net = table_find_net(&s->table, m->network);

	if (net == SLOT_NONE)
		return -ENOENT;
	const struct table_net *n = table_net_at(&s->table, net);
	memcpy(a->listen, s->place[net].listen, sizeof(a->listen));
	a->port = s->place[net].port;
	a->is_internal = n->is_internal;
	a->has_keeper = s->keeper_fd >= 0;
	if (m->key[0]) {
		tell_entry(s, net, m->key, a);
		return 0;
	}
	a->n_ip = (uint8_t)n->n_subnet;
	for (size_t i = 0; i < n->n_subnet; i++) {
		a->ip[i] = n->subnet[i].ip;
		a->len[i] = n->subnet[i].len;
	}
	return 0;
}

/* Networks first, then entries: places 0.. of the one table, then of the other. */
static void list(const struct server *s, const struct namesmsg *m, struct namesmsg *a)
{
	const struct table *t = &s->table;
	uint32_t i = m->at < TABLE_NETS_MAX ? slots_next(&t->nets, m->at) : SLOT_NONE;

	if (i != SLOT_NONE) {
		a->op = NAMESMSG_ITEM;
		a->at = i + 1;
		memcpy(a->network, table_net_at(t, i)->name, sizeof(a->network));
		return;
	}
	i = m->at < TABLE_NETS_MAX ? 0 : m->at - TABLE_NETS_MAX;
	i = slots_next(&t->entries, i);
	if (i == SLOT_NONE)
		return;
	const struct table_entry *e = table_entry_at(t, i);
	a->op = NAMESMSG_ITEM;
	a->at = TABLE_NETS_MAX + i + 1;
	memcpy(a->network, table_net_at(t, e->net)->name, sizeof(a->network));
	memcpy(a->key, e->key, sizeof(a->key));
}

/* ---- requests ---- */

static bool is_sound(const struct namesmsg *m, ssize_t n)
{
	return n == (ssize_t)sizeof(*m) && m->version == NAMESMSG_VERSION &&
	       m->network[sizeof(m->network) - 1] == '\0' && m->key[sizeof(m->key) - 1] == '\0' &&
	       m->name[sizeof(m->name) - 1] == '\0';
}

static int serve(struct server *s, const struct namesmsg *m, const int *fd, struct namesmsg *a)
{
	switch (m->op) {
	case NAMESMSG_NETWORK:
		return put_network(s, m, fd);
	case NAMESMSG_DROP:
		drop_networks(s, m->network);
		return 0;
	case NAMESMSG_PUT:
		return put_entry(s, m);
	case NAMESMSG_NAME:
		return put_name(s, m);
	case NAMESMSG_REMOVE:
		remove_entries(s, m);
		return 0;
	case NAMESMSG_KEEP: /* once it has been answered */
		return 0;
	case NAMESMSG_ASK:
		return tell(s, m, a);
	case NAMESMSG_LIST:
		list(s, m, a);
		return 0;
	default:
		return -EPROTO;
	}
}

/* One message. False: no more for now, or the requester is gone. */
static bool one(struct server *s, struct requester *q, uint32_t index)
{
	struct namesmsg m, a = {.version = NAMESMSG_VERSION, .op = NAMESMSG_OK};
	int fd[NAMESMSG_FDS];
	ssize_t n = fdpass_recv(q->fd, &m, sizeof(m), fd, NAMESMSG_FDS);

	if (n == -EAGAIN)
		return false;
	if (n == 0 || (n < 0 && n != -EPROTO)) {
		end(s, index);
		return false;
	}
	int r = is_sound(&m, n) ? serve(s, &m, fd, &a) : -EPROTO;
	for (int i = 0; r != 1 && i < NAMESMSG_FDS; i++)
		fd_closep(&fd[i]);
	if (r < 0)
		a = (struct namesmsg){.version = NAMESMSG_VERSION, .op = NAMESMSG_ERROR, .sys = -r};
	if (send(q->fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		end(s, index);
		return false;
	}
	if (r < 0 || m.op != NAMESMSG_KEEP)
		return true;
	watch_del(s->epoll_fd, q->fd);
	learn_take_keeper(s, fd_take(&q->fd));
	slots_give(&s->requesters, index);
	return false;
}

void control_serve(struct server *s, uint32_t index, uint32_t gen)
{
	struct requester *q = slots_live(&s->requesters, index, gen);

	if (!q)
		return;
	q->used_ms = s->now_ms;
	for (int i = 0; i < MESSAGES_A_TURN && one(s, q, index); i++)
		;
}

int control_sweep(struct server *s)
{
	for (uint32_t i = 0; (i = slots_next(&s->requesters, i)) != SLOT_NONE; i++) {
		const struct requester *q = slots_at(&s->requesters, i);

		if (s->now_ms >= q->used_ms + CONTROL_QUIET_MS)
			end(s, i);
	}
	return s->requesters.n_used ? CONTROL_QUIET_MS : -1;
}

void control_say_no(int listen_fd, int sys, const char *step, int wait_ms)
{
	struct namesmsg m = {.version = NAMESMSG_VERSION, .op = NAMESMSG_ERROR, .sys = sys};

	strncpy(m.name, step, sizeof(m.name) - 1);
	(void)fd_await(listen_fd, POLLIN, clock_ms() + (uint64_t)wait_ms);
	CLEAN_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}
