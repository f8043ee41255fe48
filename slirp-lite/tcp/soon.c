/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soon: ACKs that wait for company. Each packet costs a walk through a stack, and often a process
 * that is woken for it. The container's request is acknowledged by its answer, and the host's
 * handshake is completed by the first bytes, when those come within a fraction of a millisecond;
 * else the ACK goes alone. Where that was so (a server speaks first, or thinks for long), nothing
 * waits for a while: whether it pays is remembered by the service's port. RFC 9293 3.8.6.3
 * (MUST-58), 3.10.7.3 (data may go with the handshake's last ACK).
 */
#include <linux/tcp.h>
#include <netinet/in.h>

#include "tcp/flow.h"

#define WAIT_NS 200000u
/* What a port's luck is: so many times it was worth the wait, at most; less for each time it was
 * not; below zero, how many connections are passed over before the next try. */
#define LUCK_MOST 8
#define LUCK_LOSS 3
#define LUCK_REST 32

static int8_t *luck_of(struct tcp *t, uint16_t port, enum soon_kind kind)
{
	return &t->luck[kind][(port ^ port >> 6) % SOON_PORTS];
}

static bool is_worth_it(struct tcp *t, uint16_t port, enum soon_kind kind)
{
	int8_t *luck = luck_of(t, port, kind);

	if (*luck >= 0)
		return true;
	++*luck;
	return false;
}

static void note(struct tcp_flow *f, enum soon_kind kind, bool is_good)
{
	const struct flow_key *k = &f->node.key;
	int8_t *luck = luck_of(f->owner, f->tcb.is_active ? k->guest_port : k->peer_port, kind);
	int n = is_good ? *luck + 1 : *luck - LUCK_LOSS;

	*luck = (int8_t)(n < 0 ? -LUCK_REST : n > LUCK_MOST ? LUCK_MOST : n);
}

bool soon_is_patient(struct tcp *t, uint16_t port)
{
	return is_worth_it(t, port, SOON_ACK);
}

static void set_quick(struct tcp_flow *f, int fd, int value)
{
	f->is_quick_off = value == 0;
	f->owner->env.host->setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &value, sizeof(value));
}

void soon_hold_greeting(struct tcp_flow *f, int fd)
{
	f->is_quick_off = false;
	if (is_worth_it(f->owner, f->node.key.peer_port, SOON_GREETING))
		set_quick(f, fd, 0);
}

void soon_greeted(struct tcp_flow *f)
{
	if (!f->is_greeting)
		return;
	f->is_greeting = false;
	note(f, SOON_GREETING, true);
}

void soon_quicken(struct tcp_flow *f)
{
	f->is_greeting = false;
	if (f->is_quick_off && f->src.fd >= 0)
		set_quick(f, f->src.fd, 1);
}

void soon_remove(struct tcp_flow *f)
{
	struct flow_list *l = &f->owner->soon;

	if (!f->is_soon)
		return;
	f->is_soon = false;
	*(f->soon.prev ? &f->soon.prev->soon.next : &l->first) = f->soon.next;
	*(f->soon.next ? &f->soon.next->soon.prev : &l->last) = f->soon.prev;
}

static void add(struct tcp_flow *f)
{
	struct flow_list *l = &f->owner->soon;

	f->is_soon = true;
	f->soon_at = loop_ns(f->owner->env.loop) + WAIT_NS;
	f->soon = (struct flow_links){.prev = l->last};
	*(l->last ? &l->last->soon.next : &l->first) = f;
	l->last = f;
}

void soon_update(struct tcp_flow *f)
{
	const bool is_ack = f->tcb.is_ack_soon && f->tcb.is_patient;

	if (f->is_ack_held && !is_ack)
		note(f, SOON_ACK, true);
	f->is_ack_held = is_ack;
	if (!f->is_greeting && !is_ack)
		soon_remove(f);
	else if (!f->is_soon)
		add(f);
}

static void give_up(struct tcp_flow *f)
{
	if (f->is_greeting) {
		soon_quicken(f);
		note(f, SOON_GREETING, false);
	}
	if (f->is_ack_held) {
		f->is_ack_held = false;
		tcb_ack_now(&f->tcb);
		note(f, SOON_ACK, false);
	}
}

void soon_run(struct tcp *t)
{
	struct tcp_flow *f;
	uint64_t now;

	if (!t->soon.first)
		return;
	now = loop_ns(t->env.loop);
	while ((f = t->soon.first) && f->soon_at <= now) {
		soon_remove(f);
		give_up(f);
		flow_mark(f);
	}
}
