/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * told: what the supervisor says, and what it is answered. A message that cannot be sent because
 * the supervisor does not read is not repeated: who asked asks again.
 */
#include <errno.h>
#include <netinet/in.h>

#include "stack/ctlmsg.h"
#include "stack/internal.h"

#define MESSAGES_A_TURN 16

void told_set_resolvers(struct worker *w, const struct resolvers *r)
{
	w->conf.resolvers = *r;
	local_set_resolvers(w->local, r->ip, r->scope, r->n);
}

static uint32_t count_local(const struct worker *w)
{
	struct carrier_gauges g = {0};

	if (w->carrier)
		g = carrier_gauges(w->carrier);
	return g.n_conns + g.n_flows;
}

static uint32_t count_through(const struct worker *w)
{
	struct through_gauges g = {0};

	if (w->through)
		g = through_gauges(w->through);
	return g.n_held + g.n_conns;
}

static void answer_stats(struct worker *w, uint32_t id)
{
	struct ctlmsg m = {.type = CTLMSG_STATS, .id = id};

	m.stats.stats = w->stats;
	m.stats.gauges = (struct ctlmsg_gauges){
		.n_tcp = tcp_count(w->tcp),
		.n_udp = udp_count(w->udp),
		.n_ping = ping_count(w->ping),
		.n_local = count_local(w),
		.n_through = count_through(w),
		.memory = pool_n_held(w->pool) * POOL_CHUNK,
	};
	(void)ctlmsg_send(w->fds.control, &m);
}

static void done(struct worker *w, uint32_t id)
{
	const struct ctlmsg m = {.type = CTLMSG_PORTS_DONE, .id = id};

	(void)ctlmsg_send(w->fds.control, &m);
}

/* One that is there already was sent twice: the socket is the same. */
static void add_ports(struct worker *w, const struct ctlmsg *m, const int *fds)
{
	for (uint32_t i = 0; i < m->add.n; i++)
		if (ports_add(w->ports, &m->add.port[i], fds[i]) < 0)
			w->stats.n[STAT_DROP_SOCKET]++;
	done(w, m->id);
}

static void drop_ports(struct worker *w, const struct ctlmsg *m, uint64_t now)
{
	for (uint32_t i = 0; i < m->drop.n; i++)
		ports_remove(w->ports, m->drop.slot[i], now);
	done(w, m->id);
}

static void list_ports(struct worker *w, const struct ctlmsg *get)
{
	struct ctlmsg m = {
		.type = CTLMSG_LIST_PORTS, .id = get->id, .ports.cursor = CTLMSG_LIST_END};
	uint32_t cursor = get->get.cursor;

	while (ports_list(w->ports, &cursor, &m.ports.port[m.ports.n].slot,
			  &m.ports.port[m.ports.n].tally))
		if (++m.ports.n == CTLMSG_LISTED) {
			m.ports.cursor = cursor;
			break;
		}
	(void)ctlmsg_send(w->fds.control, &m);
}

/* What is listed, one kind after another: the upper bits of a cursor. */
enum stage { LIST_TCP, LIST_THROUGH, LIST_UDP, LIST_CARRIED, N_STAGES };
#define STAGE_SHIFT 30
#define STAGE_MASK ((1u << STAGE_SHIFT) - 1)

/* As the container's peer in the connection has it. */
static enum tcp_state state_of(bool is_open, bool host_ended, bool guest_ended)
{
	if (!is_open)
		return TCP_SYN_RCVD;
	if (host_ended)
		return guest_ended ? TCP_LAST_ACK : TCP_FIN_WAIT_2;
	return guest_ended ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
}

static bool next_through(struct worker *w, uint32_t *at, uint64_t now, struct ctlmsg_flow *ret)
{
	struct through_seen s;

	if (!w->through || !through_list(w->through, at, now, &s))
		return false;
	*ret = (struct ctlmsg_flow){
		.guest = s.key.guest,
		.peer = s.key.peer,
		.guest_port = s.key.guest_port,
		.peer_port = s.key.peer_port,
		.proto = IPPROTO_TCP,
		.state = (uint8_t)state_of(s.is_open, s.host_ended, s.guest_ended),
		.is_relayed = true,
		.idle_ms = s.idle_ms,
		.queued = s.queued,
		.blocked = s.blocked};
	return true;
}

/* Remote clients that came by a socket inside. */
static bool next_carried(struct worker *w, uint32_t *at, uint64_t now, struct ctlmsg_flow *ret)
{
	struct relay_seen s;

	if (!w->carrier || !carrier_list(w->carrier, at, &s))
		return false;
	*ret = (struct ctlmsg_flow){
		.guest = s.to,
		.peer = s.from,
		.guest_port = s.to_port,
		.peer_port = s.from_port,
		.proto = IPPROTO_TCP,
		.state = (uint8_t)state_of(s.is_open, s.outer_ended, s.inner_ended),
		.is_inward = true,
		.is_relayed = true,
		.idle_ms = now > s.moved_ms ? (uint32_t)(now - s.moved_ms) : 0,
		.queued = s.n_in,
		.blocked = s.n_out};
	return true;
}

static bool next_tcp(struct worker *w, uint32_t *at, uint64_t now, struct ctlmsg_flow *ret)
{
	struct tcp_seen t;

	if (!tcp_list(w->tcp, at, now, &t))
		return false;
	*ret = (struct ctlmsg_flow){.guest = t.key.guest,
				    .peer = t.key.peer,
				    .guest_port = t.key.guest_port,
				    .peer_port = t.key.peer_port,
				    .proto = IPPROTO_TCP,
				    .state = (uint8_t)t.state,
				    .is_inward = t.is_inward,
				    .rtt_us = t.rtt_us,
				    .idle_ms = t.idle_ms,
				    .n_timeout = t.n_timeout,
				    .queued = t.queued,
				    .blocked = t.blocked};
	return true;
}

static bool next_udp(struct worker *w, uint32_t *at, uint64_t now, struct ctlmsg_flow *ret)
{
	struct udp_seen u;

	do {
		if (!udp_list(w->udp, at, now, &u))
			return false;
	} while (u.key.peer.family == 0);
	*ret = (struct ctlmsg_flow){.guest = u.key.guest,
				    .peer = u.key.peer,
				    .guest_port = u.key.guest_port,
				    .peer_port = u.key.peer_port,
				    .proto = IPPROTO_UDP,
				    .is_inward = u.is_inward,
				    .idle_ms = u.idle_ms};
	return true;
}

static bool next_flow(struct worker *w, uint32_t *cursor, uint64_t now, struct ctlmsg_flow *ret)
{
	static bool (*const next[N_STAGES])(struct worker *, uint32_t *, uint64_t,
					    struct ctlmsg_flow *) = {
		[LIST_TCP] = next_tcp,
		[LIST_THROUGH] = next_through,
		[LIST_UDP] = next_udp,
		[LIST_CARRIED] = next_carried,
	};
	uint32_t at = *cursor & STAGE_MASK;

	for (uint32_t stage = *cursor >> STAGE_SHIFT; stage < N_STAGES; stage++, at = 0)
		if (next[stage](w, &at, now, ret)) {
			*cursor = stage << STAGE_SHIFT | at;
			return true;
		}
	return false;
}

static void list_flows(struct worker *w, const struct ctlmsg *get, uint64_t now)
{
	struct ctlmsg m = {
		.type = CTLMSG_LIST_FLOWS, .id = get->id, .flows.cursor = CTLMSG_LIST_END};
	uint32_t cursor = get->get.cursor;

	while (next_flow(w, &cursor, now, &m.flows.flow[m.flows.n]))
		if (++m.flows.n == CTLMSG_LISTED) {
			m.flows.cursor = cursor;
			break;
		}
	(void)ctlmsg_send(w->fds.control, &m);
}

static void obey(struct worker *w, const struct ctlmsg *m, const int *fds, uint64_t now)
{
	switch (m->type) {
	case CTLMSG_RESOLVERS:
		told_set_resolvers(w, &m->resolvers);
		break;
	case CTLMSG_RATES:
		worker_set_rates(w, &m->rates);
		break;
	case CTLMSG_STATS_GET:
		answer_stats(w, m->id);
		break;
	case CTLMSG_PORTS_ADD:
		add_ports(w, m, fds);
		break;
	case CTLMSG_PORTS_DROP:
		drop_ports(w, m, now);
		break;
	case CTLMSG_LIST_GET:
		if (m->get.what == CTLMSG_LIST_PORTS)
			list_ports(w, m);
		else
			list_flows(w, m, now);
		break;
	default:
		break;
	}
}

void told_read(struct worker *w, uint64_t now)
{
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		int fds[CTLMSG_PORTS];
		struct ctlmsg m;
		int r = ctlmsg_recv(w->fds.control, &m, fds);

		if (r == -EPROTO)
			continue;
		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			w->is_over = true;
			w->status = 0;
			return;
		}
		obey(w, &m, fds, now);
	}
}
