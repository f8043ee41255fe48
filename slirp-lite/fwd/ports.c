/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: takes in a socket only after looking at it: its protocol, port and state must be what the
 * message says. A listener is never closed because of an error; when accept cannot go on it is not
 * watched for a moment, so that nothing spins, and the clients wait in its queue.
 */
#include "fwd/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/hash.h"
#include "fwd/kinds.h"
#include "relay/slots.h"
#include "relay/watch.h"
#include "sys/sockopt.h"

#define N_BUCKETS 8192

struct port {
	struct slot slot;
	int fd;
	uint32_t bucket_next; /* index + 1 */
	bool is_resting;
	uint8_t proto;
	uint16_t host_port;
	struct ip host_ip;
	struct dest to;
	char key[KEY_STRLEN];
};

struct ports {
	int epoll_fd;
	struct relay *relay;
	struct dgram *dgram;
	struct slots table;
	uint32_t n_resting;
	uint64_t wake_ms;
	uint32_t bucket[N_BUCKETS]; /* by protocol and host port; index + 1 */
};

int ports_new(int epoll_fd, struct relay *relay, struct dgram *dgram, struct ports **ret)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->epoll_fd = epoll_fd;
	p->relay = relay;
	p->dgram = dgram;
	int r = slots_init(&p->table, PORTS_MAX, sizeof(struct port));
	if (r < 0) {
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

uint32_t ports_count(const struct ports *p)
{
	return p->table.n_used;
}

static struct port *port_at(const struct ports *p, uint32_t i)
{
	return slots_at(&p->table, i);
}

static uint32_t *bucket_of(struct ports *p, uint8_t proto, uint16_t host_port)
{
	uint32_t both = (uint32_t)proto << 16 | host_port;

	return &p->bucket[hash64(&both, sizeof(both), 0) % N_BUCKETS];
}

static bool port_matches(const struct port *q, const struct fwdmsg *m)
{
	return q->proto == m->proto && q->host_port == m->host_port &&
	       ip_equal(&q->host_ip, &m->host_ip) && strcmp(q->key, m->key) == 0;
}

static uint32_t find(struct ports *p, const struct fwdmsg *m)
{
	for (uint32_t i = *bucket_of(p, m->proto, m->host_port); i;
	     i = port_at(p, i - 1)->bucket_next)
		if (port_matches(port_at(p, i - 1), m))
			return i - 1;
	return SLOT_NONE;
}

static bool is_target(const struct ip *ip, int family)
{
	return ip->family == 0 || (ip->family == family && !ip_is_any(ip) && !ip_is_multicast(ip));
}

/* 0 when the message is sound and fd is the socket it speaks of. */
static int check_add(const struct fwdmsg *m, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if ((m->proto != IPPROTO_TCP && m->proto != IPPROTO_UDP) || !m->host_port || !m->ctr_port ||
	    !m->key[0] || !is_target(&m->target[FAM4], AF_INET) ||
	    !is_target(&m->target[FAM6], AF_INET6) ||
	    (!m->target[FAM4].family && !m->target[FAM6].family))
		return -EINVAL;
	if (sockopt_int(fd, SO_PROTOCOL) != m->proto ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -EBADF;
	if ((ss.ss_family != AF_INET && ss.ss_family != AF_INET6) || dest_port(&ss) != m->host_port)
		return -EBADF;
	if (m->proto == IPPROTO_TCP && sockopt_int(fd, SO_ACCEPTCONN) != 1)
		return -EBADF;
	return 0;
}

static uint32_t insert(struct ports *p, const struct fwdmsg *m)
{
	uint32_t i = slots_take(&p->table);

	if (i == SLOT_NONE)
		return i;
	struct port *q = port_at(p, i);
	uint32_t *b = bucket_of(p, m->proto, m->host_port);
	q->fd = -1;
	q->proto = m->proto;
	q->host_port = m->host_port;
	q->host_ip = m->host_ip;
	memcpy(q->key, m->key, sizeof(q->key));
	q->bucket_next = *b;
	*b = i + 1;
	return i;
}

/* Flows first: they use the socket. */
static void drop(struct ports *p, uint32_t i)
{
	struct port *q = port_at(p, i);
	uint32_t *b = bucket_of(p, q->proto, q->host_port);

	while (*b != i + 1)
		b = &port_at(p, *b - 1)->bucket_next;
	*b = q->bucket_next;
	if (q->proto == IPPROTO_TCP)
		relay_cut(p->relay, i);
	else
		dgram_cut(p->dgram, i);
	if (q->fd >= 0) {
		watch_del(p->epoll_fd, q->fd);
		close(q->fd);
	}
	p->n_resting -= q->is_resting;
	slots_give(&p->table, i);
}

int ports_add(struct ports *p, const struct fwdmsg *m, int fd)
{
	int r = check_add(m, fd);

	if (r < 0)
		return r;
	uint32_t i = find(p, m);
	if (i != SLOT_NONE)
		drop(p, i);
	i = insert(p, m);
	if (i == SLOT_NONE)
		return -ENOSPC;
	struct port *q = port_at(p, i);
	memcpy(q->to.target, m->target, sizeof(q->to.target));
	q->to.port = m->ctr_port;
	r = watch_add(p->epoll_fd, fd, EPOLLIN, FWD_PORT, i, q->slot.gen);
	if (r < 0) {
		drop(p, i);
		return r;
	}
	q->fd = fd;
	return 0;
}

void ports_remove(struct ports *p, const struct fwdmsg *m)
{
	if (m->proto) {
		uint32_t i = find(p, m);
		if (i != SLOT_NONE)
			drop(p, i);
		return;
	}
	for (uint32_t i = 0; (i = slots_next(&p->table, i)) != SLOT_NONE; i++)
		if (strcmp(port_at(p, i)->key, m->key) == 0)
			drop(p, i);
}

bool ports_list(const struct ports *p, const char *key, uint32_t *at, struct fwdmsg *ret)
{
	for (uint32_t i = *at; (i = slots_next(&p->table, i)) != SLOT_NONE; i++) {
		const struct port *q = port_at(p, i);
		if (key[0] && strcmp(q->key, key) != 0)
			continue;
		ret->op = FWDMSG_ITEM;
		ret->proto = q->proto;
		ret->host_ip = q->host_ip;
		ret->host_port = q->host_port;
		ret->ctr_port = q->to.port;
		memcpy(ret->target, q->to.target, sizeof(ret->target));
		memcpy(ret->key, q->key, sizeof(ret->key));
		*at = i + 1;
		return true;
	}
	return false;
}

void ports_event(struct ports *p, uint32_t index, uint32_t gen, uint64_t now_ms)
{
	struct port *q = slots_live(&p->table, index, gen);

	if (!q || q->fd < 0)
		return;
	if (q->proto == IPPROTO_UDP) {
		dgram_receive(p->dgram, q->fd, index, &q->to, now_ms);
		return;
	}
	if (relay_accept(p->relay, q->fd, index, &q->to, now_ms) == 0 || q->is_resting)
		return;
	if (watch_change(p->epoll_fd, q->fd, 0, FWD_PORT, index, gen) < 0)
		return;
	q->is_resting = true;
	p->n_resting++;
	p->wake_ms = now_ms + PORTS_REST_MS;
}

int ports_wake(struct ports *p, uint64_t now_ms)
{
	if (p->n_resting == 0)
		return -1;
	if (now_ms < p->wake_ms)
		return (int)(p->wake_ms - now_ms);
	for (uint32_t i = 0; (i = slots_next(&p->table, i)) != SLOT_NONE; i++) {
		struct port *q = port_at(p, i);
		if (q->is_resting &&
		    watch_change(p->epoll_fd, q->fd, EPOLLIN, FWD_PORT, i, q->slot.gen) == 0) {
			q->is_resting = false;
			p->n_resting--;
		}
	}
	p->wake_ms = now_ms + PORTS_REST_MS;
	return p->n_resting ? PORTS_REST_MS : -1;
}
