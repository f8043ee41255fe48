/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlmsg: sends and receives the messages of ctlmsg.h. Never waits, allocates nothing, keeps no
 * state. Read unix(7) on SOCK_SEQPACKET.
 */
#include "stack/ctlmsg.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "sys/fdpass.h"

#define HEAD_SIZE offsetof(struct ctlmsg, resolvers)
#define PART(member) (HEAD_SIZE + sizeof(((struct ctlmsg *)0)->member))

_Static_assert(CTLMSG_PORTS <= FDPASS_MAX, "descriptors of one message");

/* Bytes of a message of this type, 0: there is no such type. */
static size_t size_of(uint32_t type)
{
	switch (type) {
	case CTLMSG_RESOLVERS:
		return PART(resolvers);
	case CTLMSG_RATES:
		return PART(rates);
	case CTLMSG_STATS:
		return PART(stats);
	case CTLMSG_PORTS_ADD:
		return PART(add);
	case CTLMSG_PORTS_DROP:
		return PART(drop);
	case CTLMSG_LIST_GET:
		return PART(get);
	case CTLMSG_LIST_PORTS:
		return PART(ports);
	case CTLMSG_LIST_FLOWS:
		return PART(flows);
	case CTLMSG_STATS_GET:
	case CTLMSG_READY:
	case CTLMSG_PORTS_DONE:
		return HEAD_SIZE;
	default:
		return 0;
	}
}

int ctlmsg_send(int fd, const struct ctlmsg *m)
{
	size_t size = size_of(m->type);

	return size == 0 || m->type == CTLMSG_PORTS_ADD ? -EINVAL
							: fdpass_send(fd, m, size, NULL, 0);
}

int ctlmsg_send_ports(int fd, const struct ctlmsg *m, const int *fds)
{
	if (m->type != CTLMSG_PORTS_ADD || m->add.n == 0 || m->add.n > CTLMSG_PORTS)
		return -EINVAL;
	return fdpass_send(fd, m, PART(add), fds, m->add.n);
}

static bool is_address(const struct ip *ip)
{
	return ip_size(ip) != 0;
}

static bool are_resolvers_sound(const struct resolvers *r)
{
	if (r->n > RESOLVERS_MAX)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (!is_address(&r->ip[i]))
			return false;
	return true;
}

static bool are_rates_sound(const struct rates *r)
{
	return (r->in == 0 || r->in >= RATE_LEAST) && (r->out == 0 || r->out >= RATE_LEAST);
}

static bool are_flows_sound(const struct ctlmsg *m)
{
	if (m->flows.n > CTLMSG_LISTED)
		return false;
	for (uint32_t i = 0; i < m->flows.n; i++)
		if (!is_address(&m->flows.flow[i].guest) || !is_address(&m->flows.flow[i].peer))
			return false;
	return true;
}

static bool is_sound(const struct ctlmsg *m, size_t len)
{
	if (len < HEAD_SIZE || len != size_of(m->type))
		return false;
	switch (m->type) {
	case CTLMSG_RESOLVERS:
		return are_resolvers_sound(&m->resolvers);
	case CTLMSG_RATES:
		return are_rates_sound(&m->rates);
	case CTLMSG_PORTS_ADD:
		return m->add.n > 0 && m->add.n <= CTLMSG_PORTS;
	case CTLMSG_PORTS_DROP:
		return m->drop.n <= CTLMSG_DROPS;
	case CTLMSG_LIST_PORTS:
		return m->ports.n <= CTLMSG_LISTED;
	case CTLMSG_LIST_FLOWS:
		return are_flows_sound(m);
	default:
		return true;
	}
}

/* As many descriptors as ports, or none is kept. */
static bool match_fds(const struct ctlmsg *m, int *fds)
{
	uint32_t want = m->type == CTLMSG_PORTS_ADD ? m->add.n : 0, have = 0;

	if (!fds)
		return want == 0;
	while (have < CTLMSG_PORTS && fds[have] >= 0)
		have++;
	if (have == want)
		return true;
	for (uint32_t i = 0; i < have; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
	return false;
}

int ctlmsg_recv(int fd, struct ctlmsg *ret, int *fds)
{
	struct ctlmsg m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	n = fdpass_recv(fd, &m, sizeof(m), fds, fds ? CTLMSG_PORTS : 0);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return 0;
	if (!is_sound(&m, (size_t)n))
		m.type = 0;
	if (!match_fds(&m, fds) || m.type == 0)
		return -EPROTO;
	*ret = m;
	return 1;
}
