/* SPDX-License-Identifier: GPL-2.0-or-later */
/* left: see left.h. A connection's place is a fixed part of what was noted, in memory that is
 * mapped while there is any, and given back when all were asked. */
#include "tcp/left.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tcp/flow.h"

/* So many at a time: the tap's queue and the container's have room for them. */
#define LEFT_A_TURN 64
#define LEFT_TURN_MS 5
/* An answer may be lost, as may a question, and on a busy machine the way between the tap and the
 * container is not there at once: after 1, 3, 7 and 15 seconds all are asked again. */
#define LEFT_ROUNDS 5
#define LEFT_ROUND_MS 1000u
#define LEFT_WINDOW 1024

struct one {
	struct flow_key key;
	uint32_t snd_una, rcv_nxt, ts_base, ts_recent;
	bool has_ts, is_near;
};

struct left {
	struct timer timer;
	const struct tcp_env *env;
	struct tcp *tcp;
	struct one *one; /* max of them are mapped, n are used */
	uint32_t max, n, at;
	unsigned n_rounds;
};

struct left *left_new(const struct tcp_env *env)
{
	struct left *l = calloc(1, sizeof(*l));
	void *p;

	if (!l)
		return NULL;
	l->env = env;
	l->max = env->max;
	p = mmap(NULL, l->max * sizeof(*l->one), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		free(l);
		return NULL;
	}
	l->one = p;
	return l;
}

static void give_back(struct left *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->one[i].is_near)
			emit_near_release(l->env->emit, &l->one[i].key.peer);
	if (l->one)
		munmap(l->one, l->max * sizeof(*l->one));
	l->one = NULL;
	l->n = 0;
}

void left_free(struct left *l)
{
	if (!l)
		return;
	timer_clear(l->env->wheel, &l->timer);
	give_back(l);
	free(l);
}

static bool is_whole(const struct flow_key *k)
{
	return (k->guest.family == AF_INET || k->guest.family == AF_INET6) &&
	       k->peer.family == k->guest.family && k->guest_port && k->peer_port &&
	       !ip_is_any(&k->guest) && !ip_is_any(&k->peer) && !ip_is_multicast(&k->guest) &&
	       !ip_is_multicast(&k->peer);
}

/* The container's end is one that waits for something of ours, or may be: its answer to our SYN is
 * lost with the worker. Where it has not had that SYN it says nothing to a question, and goes on
 * with its own (RFC 9293 3.10.7.3). */
static bool is_open(uint8_t state)
{
	return state == TCP_SYN_RCVD || state == TCP_ESTABLISHED || state == TCP_FIN_WAIT_1 ||
	       state == TCP_FIN_WAIT_2 || state == TCP_CLOSE_WAIT || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK;
}

void left_note(void *arg, const void *slot)
{
	const struct tcp_flow *f = slot;
	struct left *l = arg;

	if (!l || l->n == l->max || !is_open(f->tcb.state) || !is_whole(&f->node.key))
		return;
	/* A SYN of ours that is not acknowledged is behind what an end that had it expects. */
	l->one[l->n++] = (struct one){.key = f->node.key,
				      .snd_una = f->tcb.snd_una + (f->tcb.state == TCP_SYN_RCVD),
				      .rcv_nxt = f->tcb.rcv_nxt,
				      .ts_base = f->tcb.ts_base,
				      .ts_recent = f->tcb.ts_recent,
				      .has_ts = f->tcb.has_ts,
				      .is_near = f->is_near};
}

/* Its own time stamps go on, or it might be taken for an old segment (RFC 7323 5.2). */
static void ask(const struct left *l, const struct one *o, uint64_t now)
{
	struct tcphdr_v h = {.flags = TCP_ACK,
			     .seq = o->snd_una - 1,
			     .ack = o->rcv_nxt,
			     .wnd = LEFT_WINDOW,
			     .has_ts = o->has_ts,
			     .tsval = (uint32_t)now + o->ts_base,
			     .tsecr = o->ts_recent};

	/* One that has been opened again since then is somebody else's. */
	if (!tcp_has(l->tcp, &o->key))
		flow_emit(l->tcp, &o->key, &h, NULL, 0, 0);
}

static void on_turn(struct timer *timer, uint64_t now)
{
	struct left *l = (struct left *)((char *)timer - offsetof(struct left, timer));

	if (l->n_rounds == LEFT_ROUNDS) {
		give_back(l);
		return;
	}
	for (unsigned k = 0; k < LEFT_A_TURN && l->at < l->n; k++)
		ask(l, &l->one[l->at++], now);
	if (l->at < l->n) {
		timer_set(l->env->wheel, timer, now + LEFT_TURN_MS);
		return;
	}
	l->at = 0;
	timer_set(l->env->wheel, timer, now + (LEFT_ROUND_MS << l->n_rounds));
	l->n_rounds++;
}

void left_begin(struct left *l, struct tcp *t, uint64_t now)
{
	if (!l)
		return;
	/* Whose address is on the container's link is looked for there, until the last answer. */
	for (uint32_t i = 0; i < l->n; i++)
		l->one[i].is_near =
			l->one[i].is_near && emit_near_hold(l->env->emit, &l->one[i].key.peer);
	l->env->stats->n[STAT_TCP_LEFT] += l->n;
	l->tcp = t;
	l->timer.fn = on_turn;
	if (l->n > 0)
		timer_set(l->env->wheel, &l->timer, now);
	else
		give_back(l);
}
