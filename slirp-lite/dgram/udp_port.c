/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_port: published UDP sockets and their clients. A client is who it is by its address and port
 * and the host's address and socket that it wrote to; the container knows it by the address it is
 * shown under. The oldest use makes room when one more comes, so a flood of clients costs a table
 * and nothing else. RFC 4787 REQ-5 (two minutes), REQ-8.
 */
#include "dgram/udp.h"

#include <errno.h>
#include <stdlib.h>

#include "dgram/udp_int.h"

#define CLIENTS_MAX 16384u
#define PORT_TRIES 64

_Static_assert(PORTS_MAX <= UINT16_MAX + 1, "a slot number fits a key's port");

static void on_timer(struct timer *timer, uint64_t now);

int udp_ports_init(struct udp *u, struct err *e)
{
	struct udp_ports *s = &u->ports;
	int r;

	s->timer.fn = on_timer;
	s->port = calloc(PORTS_MAX, sizeof(*s->port)); /* pages that are not used cost nothing */
	if (!s->port)
		return err_set(e, ERR_INTERNAL, ENOMEM, "published UDP sockets");
	r = table_new(CLIENTS_MAX, sizeof(struct udp_client), &s->clients, e);
	if (r == 0)
		r = table_new(CLIENTS_MAX, sizeof(struct udp_shown), &s->shown, e);
	return r;
}

void udp_ports_close(struct udp *u)
{
	struct udp_ports *s = &u->ports;

	for (uint32_t i = 0; i < s->n_port; i++)
		if (s->port[i].tally)
			mapping_leave(&s->port[i].m);
	table_free(s->clients);
	table_free(s->shown);
	free(s->port);
}

/* --- clients ------------------------------------------------------------------------------- */

static void list_remove(struct udp_ports *s, struct udp_client *c)
{
	*(c->older ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &s->newest) = c->older;
}

static void list_append(struct udp_ports *s, struct udp_client *c)
{
	c->older = s->newest;
	c->newer = NULL;
	*(s->newest ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

static void forget(struct udp *u, struct udp_client *c)
{
	struct udp_ports *s = &u->ports;
	struct udp_shown *shown = table_find(s->shown, &c->shown);

	if (shown)
		table_remove(s->shown, shown);
	if (c->is_near)
		emit_near_release(u->env.emit, &c->shown.peer);
	list_remove(s, c);
	table_remove(s->clients, c);
}

static void set_timer(struct udp *u)
{
	struct udp_ports *s = &u->ports;

	if (s->oldest)
		timer_set(u->env.wheel, &s->timer, s->oldest->used + u->env.stream_ms);
}

static void on_timer(struct timer *timer, uint64_t now)
{
	struct udp *u = (struct udp *)((char *)timer - offsetof(struct udp, ports.timer));

	while (u->ports.oldest && u->ports.oldest->used + u->env.stream_ms <= now)
		forget(u, u->ports.oldest);
	set_timer(u);
}

static void touch(struct udp *u, struct udp_client *c, uint64_t now)
{
	c->used = now;
	if (!c->newer)
		return;
	list_remove(&u->ports, c);
	list_append(&u->ports, c);
}

static bool is_on_host(const struct udp_target *who)
{
	return ip_is_loopback(&who->to) || ip_equal(&who->to, &who->from);
}

/* Under which address and port: of its own where nobody else is shown so, else of the gateway. */
static bool choose_shown(struct udp *u, struct udp_client *c, const struct udp_target *who)
{
	const struct udp_port *p = c->port;
	struct flow_key k = {.guest_port = p->m.port, .peer_port = who->port};
	enum port_shown how =
		port_shown(u->env.policy, &p->spec, &who->to, is_on_host(who), &k.guest, &k.peer);

	if (how == PORT_SHOWN_NOT || k.guest.family != p->m.in.family)
		return false;
	if (how != PORT_SHOWN_GATEWAY &&
	    (table_find(u->ports.shown, &k) ||
	     (how == PORT_SHOWN_NEAR && !emit_near_hold(u->env.emit, &k.peer)))) {
		k.peer = u->env.policy->plan.gateway[ip_fam(&k.guest)];
		how = PORT_SHOWN_GATEWAY;
	}
	for (int i = 0; how == PORT_SHOWN_GATEWAY && table_find(u->ports.shown, &k); i++) {
		if (i == PORT_TRIES)
			return false;
		k.peer_port = (uint16_t)(k.peer_port == UINT16_MAX ? 1024 : k.peer_port + 1);
	}
	c->shown = k;
	c->is_near = how == PORT_SHOWN_NEAR;
	return k.peer.family != 0;
}

static struct udp_client *meet(struct udp *u, struct udp_port *p, const struct flow_key *k,
			       const struct udp_target *who, uint64_t now)
{
	struct udp_ports *s = &u->ports;
	struct udp_client *c;
	struct udp_shown *shown;

	if (table_count(s->clients) == CLIENTS_MAX) {
		u->env.stats->n[STAT_DGRAM_EVICTED]++;
		forget(u, s->oldest);
	}
	c = table_add(s->clients, k);
	c->port = p;
	c->scope = who->scope;
	if (!choose_shown(u, c, who)) {
		table_remove(s->clients, c);
		return NULL;
	}
	shown = table_add(s->shown, &c->shown); /* as many as clients */
	shown->client = c;
	c->used = now;
	list_append(s, c);
	if (!timer_is_set(&s->timer))
		set_timer(u);
	p->tally->flows++;
	return c;
}

bool udp_port_heard(struct udp *u, struct mapping *m, const struct udp_target *who, size_t len,
		    struct ip *ret_shown, uint16_t *ret_port, uint64_t now)
{
	struct udp_port *p = (struct udp_port *)((char *)m - offsetof(struct udp_port, m));
	const struct flow_key k = {.guest = who->from,
				   .peer = who->to,
				   .guest_port = (uint16_t)p->spec.slot,
				   .peer_port = who->port};
	struct udp_client *c;

	if (who->port == 0 || who->to.family != m->in.family || ip_is_any(&who->to) ||
	    ip_is_multicast(&who->to))
		return false;
	c = table_find(u->ports.clients, &k);
	if (!c)
		c = meet(u, p, &k, who, now);
	if (!c)
		return false;
	touch(u, c, now);
	p->tally->in += len;
	*ret_shown = c->shown.peer;
	*ret_port = c->shown.peer_port;
	return true;
}

bool udp_port_divert(struct udp *u, struct mapping *m, const struct udp_target *who,
		     struct msghdr *h, const uint8_t *data, size_t len, uint16_t seg, uint64_t now)
{
	struct udp_port *p = (struct udp_port *)((char *)m - offsetof(struct udp_port, m));
	size_t at = 0;

	if (!u->env.local || !is_on_host(who))
		return false;
	do {
		size_t n = seg && len - at > seg ? seg : len - at;

		/* When the first one is carried, the rest is, or is lost. */
		if (!u->env.local(u->env.arg, &p->spec, m->source.fd, h, data + at, n, now) &&
		    at == 0)
			return false;
		at += n;
	} while (at < len);
	return true;
}

struct udp_client *udp_port_client(struct udp *u, const struct ip *guest, uint16_t guest_port,
				   const struct ip *peer, uint16_t peer_port)
{
	const struct flow_key k = {
		.guest = *guest, .peer = *peer, .guest_port = guest_port, .peer_port = peer_port};
	const struct udp_shown *s;

	if (!u->ports.oldest)
		return NULL;
	s = table_find(u->ports.shown, &k);
	return s ? s->client : NULL;
}

struct udp_target udp_port_answer(struct udp *u, struct udp_client *c, size_t len, uint64_t now)
{
	const struct flow_key *k = &c->node.key;

	touch(u, c, now);
	c->port->tally->out += len;
	return (struct udp_target){
		.to = k->peer, .port = k->peer_port, .from = k->guest, .scope = c->scope};
}

/* --- sockets ------------------------------------------------------------------------------- */

int udp_port_add(struct udp *u, const struct port_spec *s, int fd, struct port_tally *tally)
{
	struct udp_port *p = s->slot < PORTS_MAX ? &u->ports.port[s->slot] : NULL;
	int fam = s->family == AF_INET ? FAM4 : FAM6;
	int r = !p ? -EINVAL : p->tally ? -EEXIST : s->guest[fam].family == 0 ? -EINVAL : 0;

	if (r == 0) {
		*p = (struct udp_port){
			.m = {.in = s->guest[fam], .port = s->port}, .spec = *s, .tally = tally};
		r = mapping_adopt(u->mappings, &p->m, fd);
	}
	if (r < 0) {
		u->env.host->close(fd);
		if (p && r != -EEXIST)
			p->tally = NULL;
	} else if (s->slot >= u->ports.n_port) {
		u->ports.n_port = s->slot + 1;
	}
	return r;
}

void udp_port_remove(struct udp *u, uint32_t slot, uint64_t now)
{
	struct udp_port *p = slot < PORTS_MAX ? &u->ports.port[slot] : NULL;
	struct udp_client *c, *newer;

	if (!p || !p->tally)
		return;
	udp_flush_mapping(u, &p->m, now);
	udp_forget_waiting(u, &p->m);
	for (c = u->ports.oldest; c; c = newer) {
		newer = c->newer;
		if (c->port == p)
			forget(u, c);
	}
	mapping_leave(&p->m);
	p->tally = NULL;
}

bool udp_list(const struct udp *u, uint32_t *cursor, uint64_t now, struct udp_seen *ret)
{
	uint32_t at = *cursor;
	const struct udp_client *c = at < CLIENTS_MAX ? table_step(u->ports.clients, &at) : NULL;
	const struct mapping *m;

	if (c) {
		*cursor = at;
		*ret = (struct udp_seen){
			.key = c->shown, .is_inward = true, .idle_ms = (uint32_t)(now - c->used)};
		return true;
	}
	at = *cursor > CLIENTS_MAX ? *cursor - CLIENTS_MAX : 0;
	m = mappings_step(u->mappings, &at);
	if (!m)
		return false;
	*cursor = at + CLIENTS_MAX;
	*ret = (struct udp_seen){.key = {.guest = m->in,
					 .peer = m->sent.dst,
					 .guest_port = m->port,
					 .peer_port = m->sent.port},
				 .idle_ms = (uint32_t)(now - m->used)};
	return true;
}
