/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: a table by slot numbers, most of it never touched. Accepting is bounded a turn; what a
 * failed accept means is Linux's accept(2).
 */
#include "ports/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>

#define ACCEPT_BATCH 32
#define REST_MS 100
#define PORT_TRIES 64

struct port {
	struct source src; /* TCP; fd -1: none */
	struct ports *owner;
	struct port_spec spec;
	struct port_tally tally;
	bool is_used, is_resting;
};

struct ports {
	struct ports_env env;
	struct timer rest;
	uint32_t n_ever;   /* slots from here on were never used */
	struct port *port; /* PORTS_MAX of them; pages that are not used cost nothing */
};

static void on_rest(struct timer *t, uint64_t now);

int ports_new(const struct ports_env *env, struct ports **ret, struct err *e)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (p)
		p->port = calloc(PORTS_MAX, sizeof(*p->port));
	if (!p || !p->port) {
		free(p);
		return err_set(e, ERR_INTERNAL, ENOMEM, "published ports");
	}
	p->env = *env;
	p->rest.fn = on_rest;
	*ret = p;
	return 0;
}

static void close_listener(struct port *q)
{
	const struct ports_env *env = &q->owner->env;
	int fd = q->src.fd;

	if (fd < 0)
		return;
	loop_remove(env->loop, &q->src);
	env->host->close(fd);
}

void ports_free(struct ports *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n_ever; i++)
		if (p->port[i].is_used)
			close_listener(&p->port[i]);
	timer_clear(p->env.wheel, &p->rest);
	free(p->port);
	free(p);
}

/* ---- clients ---- */

static void reset_client(const struct ports_env *env, int fd)
{
	static const struct linger now = {.l_onoff = 1};

	env->host->setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	env->host->close(fd);
}

static bool local_address(const struct ports_env *env, int fd, struct ip *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint16_t port;

	if (env->host->getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    host_from_sockaddr(&ss, len, ret, &port) < 0)
		return false;
	*ret = host_plain(ret);
	return true;
}

/* Its own port, or the next that nobody has at the gateway. */
static bool find_key(const struct ports_env *env, const struct port_spec *s, const struct ip *peer,
		     bool is_local, struct flow_key *k)
{
	enum port_shown how = port_shown(env->policy, s, peer, is_local, &k->guest, &k->peer);

	if (how == PORT_SHOWN_NOT)
		return false;
	if (how != PORT_SHOWN_GATEWAY) {
		if (!tcp_has(env->tcp, k) &&
		    (how == PORT_SHOWN_OWN || emit_near_ok(env->emit, &k->peer)))
			return true;
		k->peer = env->policy->plan.gateway[ip_fam(&k->guest)];
	}
	for (int i = 0; i < PORT_TRIES && k->peer.family != 0; i++) {
		if (!tcp_has(env->tcp, k))
			return true;
		k->peer_port = (uint16_t)(k->peer_port == UINT16_MAX ? 1024 : k->peer_port + 1);
	}
	return false;
}

static struct dest dest_of(const struct port_spec *s)
{
	return (struct dest){.target = {s->guest[FAM4], s->guest[FAM6]}, .port = s->port};
}

void ports_set_limited(struct ports *p, bool is_limited)
{
	p->env.is_limited = is_limited;
}

/* Whether clients may come by sockets inside. */
static bool may_carry(const struct ports *p, const struct port_spec *s)
{
	return p->env.carrier && s->local == PORT_LOCAL_SPLICE && !p->env.is_limited;
}

/* By a socket inside the container's namespace. */
static bool carry_client(struct port *q, int fd, const struct sockaddr_storage *peer, uint64_t now)
{
	struct carrier *c = q->owner->env.carrier;
	const struct dest to = dest_of(&q->spec);

	if (!may_carry(q->owner, &q->spec) || !carrier_is_open(c) ||
	    carrier_take(c, fd, peer, q->spec.slot, &to, now) < 0)
		return false;
	q->tally.flows++;
	return true;
}

/* The same for a client elsewhere, under its own address. */
static bool show_client(struct port *q, int fd, const struct sockaddr_storage *ss,
			const struct ip *peer, uint16_t peer_port, uint64_t now)
{
	const struct ports_env *env = &q->owner->env;
	struct flow_key k = {.guest_port = q->spec.port, .peer_port = peer_port};
	const struct dest to = dest_of(&q->spec);

	if (!may_carry(q->owner, &q->spec) || !env->is_shown_inside[ip_fam(peer)] ||
	    !carrier_is_open(env->carrier) ||
	    port_shown(env->policy, &q->spec, peer, false, &k.guest, &k.peer) != PORT_SHOWN_OWN ||
	    tcp_has(env->tcp, &k) ||
	    carrier_take_own(env->carrier, fd, ss, q->spec.slot, &to, now) < 0)
		return false;
	q->tally.flows++;
	return true;
}

static void dial(struct port *q, int fd, const struct ip *peer, uint16_t peer_port, bool is_local,
		 uint64_t now)
{
	const struct ports_env *env = &q->owner->env;
	struct flow_key k = {.guest_port = q->spec.port, .peer_port = peer_port};

	if (!find_key(env, &q->spec, peer, is_local, &k)) {
		env->stats->n[STAT_DROP_TABLE_FULL]++;
		reset_client(env, fd);
	} else if (tcp_dial(env->tcp, &k, fd, &q->tally, now) < 0) {
		env->stats->n[STAT_DROP_TABLE_FULL]++;
	}
}

/* Who it is. False: it is nobody any more. */
static bool look_at(const struct ports_env *env, int fd, const struct sockaddr_storage *ss,
		    socklen_t len, struct ip *ret, uint16_t *ret_port, bool *ret_is_local)
{
	struct ip peer, local;

	if (host_from_sockaddr(ss, len, &peer, ret_port) < 0 || !local_address(env, fd, &local))
		return false;
	*ret = host_plain(&peer);
	*ret_is_local = ip_is_loopback(ret) || ip_equal(ret, &local);
	return true;
}

static void take_client(struct port *q, int fd, const struct sockaddr_storage *ss, socklen_t len,
			uint64_t now)
{
	const struct ports_env *env = &q->owner->env;
	struct ip peer;
	uint16_t port;
	bool is_local;

	if (!look_at(env, fd, ss, len, &peer, &port, &is_local))
		reset_client(env, fd);
	else if (is_local ? !carry_client(q, fd, ss, now)
			  : !show_client(q, fd, ss, &peer, port, now))
		dial(q, fd, &peer, port, is_local, now);
}

void ports_take_back(struct ports *p, int fd, const struct sockaddr_storage *peer, uint32_t slot,
		     uint64_t now)
{
	struct port *q = slot < PORTS_MAX ? &p->port[slot] : NULL;
	struct ip ip;
	uint16_t port;
	bool is_local;

	if (!q || !q->is_used ||
	    !look_at(&p->env, fd, peer, sizeof(*peer), &ip, &port, &is_local)) {
		reset_client(&p->env, fd);
		return;
	}
	q->tally.flows--;
	dial(q, fd, &ip, port, is_local, now);
}

void ports_account(struct ports *p, uint32_t slot, uint64_t n_in, uint64_t n_out)
{
	if (slot >= PORTS_MAX || !p->port[slot].is_used)
		return;
	p->port[slot].tally.in += n_in;
	p->port[slot].tally.out += n_out;
}

bool ports_carry(struct ports *p, const struct port_spec *s, int fd, struct msghdr *h,
		 const void *data, size_t len, uint64_t now)
{
	const struct dest to = dest_of(s);

	return may_carry(p, s) && carrier_is_open(p->env.carrier) &&
	       carrier_datagram(p->env.carrier, fd, s->slot, &to, h, data, len, now) == 0;
}

/* ---- listeners ---- */

/* accept(2): an error of the connection, not of the listener. */
static bool is_passing(int sys)
{
	switch (sys) {
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case EPERM: /* a rule of the host's */
		return true;
	default:
		return false;
	}
}

/* A client is accepted only while one more can come in through the tap, which is the way of last
 * resort also for those who still wait for a socket of the namespace. One that cannot be served yet
 * is better off in the listener's queue than reset. */
static bool has_room(const struct ports *p)
{
	const struct carrier *c = p->env.carrier;

	return tcp_has_room(p->env.tcp, 1 + (c ? carrier_gauges(c).n_waiting : 0));
}

static void rest(struct port *q, enum stat_id why, uint64_t now)
{
	struct ports *p = q->owner;

	p->env.stats->n[why]++;
	if (loop_change(p->env.loop, &q->src, 0) < 0)
		return;
	q->is_resting = true;
	if (!timer_is_set(&p->rest))
		timer_set(p->env.wheel, &p->rest, now + REST_MS);
}

static void on_rest(struct timer *t, uint64_t now)
{
	struct ports *p = (struct ports *)((char *)t - offsetof(struct ports, rest));

	(void)now;
	for (uint32_t i = 0; i < p->n_ever; i++)
		if (p->port[i].is_resting) {
			p->port[i].is_resting = false;
			loop_change(p->env.loop, &p->port[i].src, EPOLLIN);
		}
}

static void on_listener(struct source *s, uint32_t events, uint64_t now)
{
	struct port *q = (struct port *)((char *)s - offsetof(struct port, src));
	const struct host_ops *host = q->owner->env.host;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);

		if (!has_room(q->owner)) {
			rest(q, STAT_DROP_TABLE_FULL, now);
			return;
		}
		int fd = host->accept(s->fd, (struct sockaddr *)&ss, &len);
		if (fd >= 0) {
			take_client(q, fd, &ss, len, now);
		} else if (fd == -EAGAIN) {
			return;
		} else if (!is_passing(-fd)) {
			rest(q, STAT_DROP_SOCKET, now);
			return;
		}
	}
}

static int start(struct ports *p, struct port *q, int fd)
{
	int r;

	q->owner = p;
	q->src = (struct source){.fd = -1, .fn = on_listener};
	if (q->spec.proto == IPPROTO_UDP)
		return udp_port_add(p->env.udp, &q->spec, fd, &q->tally);
	r = loop_add(p->env.loop, &q->src, fd, EPOLLIN);
	if (r < 0)
		p->env.host->close(fd);
	return r;
}

int ports_add(struct ports *p, const struct port_spec *s, int fd)
{
	struct port *q = s->slot < PORTS_MAX ? &p->port[s->slot] : NULL;
	int r;

	if (!q || q->is_used || s->port == 0 ||
	    (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP)) {
		p->env.host->close(fd);
		return q && q->is_used ? -EEXIST : -EINVAL;
	}
	*q = (struct port){.spec = *s};
	r = start(p, q, fd);
	if (r < 0)
		return r;
	if (may_carry(p, s)) {
		const struct dest to = dest_of(s);

		carrier_expect(p->env.carrier, s->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM,
			       &to, loop_now(p->env.loop));
	}
	q->is_used = true;
	if (s->slot >= p->n_ever)
		p->n_ever = s->slot + 1;
	return 0;
}

void ports_remove(struct ports *p, uint32_t slot, uint64_t now)
{
	struct port *q = slot < PORTS_MAX ? &p->port[slot] : NULL;

	if (!q || !q->is_used)
		return;
	q->is_used = q->is_resting = false;
	if (p->env.carrier)
		carrier_cut(p->env.carrier, slot);
	if (q->spec.proto == IPPROTO_UDP) {
		udp_port_remove(p->env.udp, slot, now);
		return;
	}
	close_listener(q);
	tcp_cut(p->env.tcp, &q->tally, now);
}

bool ports_list(const struct ports *p, uint32_t *cursor, uint32_t *ret_slot, struct port_tally *ret)
{
	for (uint32_t i = *cursor; i < p->n_ever; i++)
		if (p->port[i].is_used) {
			*cursor = i + 1;
			*ret_slot = i;
			*ret = p->port[i].tally;
			return true;
		}
	return false;
}
