/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate: the limits of what TCP moves (flow/limit.h), one each way. Connections for which there is
 * no room wait in line, and nobody passes them: each in turn gets what there is then, and goes to
 * the end of the line with what is left. Nothing is dropped: what waits is in the ring that the
 * window stands for, or still in the host's socket, so both ends go as slowly.
 */
#include <stddef.h>

#include "tcp/flow.h"

static enum flow_links_kind links_of(enum gate_dir d)
{
	return d == GATE_IN ? LINKS_GATE_IN : LINKS_GATE_OUT;
}

static uint64_t now_of(const struct gate *g)
{
	return loop_now(g->owner->env.loop);
}

static void leave(struct gate *g, struct tcp_flow *f, enum gate_dir d)
{
	f->is_gated[d] = false;
	flow_list_remove(&g->waiting, f, links_of(d));
	g->limit->is_waited = g->waiting.first != NULL;
	if (!g->waiting.first)
		timer_clear(g->owner->env.wheel, &g->timer);
}

static void wait_on(struct gate *g, uint64_t now)
{
	uint64_t due = limit_due(g->limit);

	if (g->waiting.first && !timer_is_set(&g->timer))
		timer_set(g->owner->env.wheel, &g->timer, due > now ? due : now + 1);
}

/* The first in line, when there is room for it. */
static void next(struct gate *g, enum gate_dir d, uint64_t now)
{
	struct tcp_flow *f = g->waiting.first;

	if (!f)
		return;
	if (limit_room(g->limit, now) > 0) {
		leave(g, f, d);
		f->has_turn[d] = true;
		flow_mark(f);
	}
	wait_on(g, now);
}

static void on_timer(struct timer *t, uint64_t now)
{
	struct gate *g = (struct gate *)((char *)t - offsetof(struct gate, timer));

	next(g, g == &g->owner->gate[GATE_IN] ? GATE_IN : GATE_OUT, now);
}

void gate_init(struct tcp *t)
{
	for (int d = 0; d < N_GATES; d++) {
		t->gate[d].owner = t;
		t->gate[d].limit = t->env.limit[d];
		t->gate[d].timer.fn = on_timer;
	}
}

/* Who waits looks again: at once where there is no limit any more. */
void gate_set(struct tcp *t, enum gate_dir d, struct limit *l)
{
	struct gate *g = &t->gate[d];
	struct tcp_flow *f;

	timer_clear(t->env.wheel, &g->timer);
	while (!l && (f = g->waiting.first)) {
		leave(g, f, d);
		flow_mark(f);
	}
	g->limit = l;
	if (!l)
		return;
	l->is_waited = g->waiting.first != NULL;
	wait_on(g, now_of(g));
}

size_t gate_room(struct tcp_flow *f, enum gate_dir d)
{
	struct gate *g = &f->owner->gate[d];
	size_t room;

	if (!g->limit || f->is_ungated)
		return SIZE_MAX;
	if (!g->waiting.first || f->has_turn[d]) {
		room = limit_room(g->limit, now_of(g));
		if (room > 0)
			return room;
	}
	if (!f->is_gated[d]) {
		f->is_gated[d] = true;
		flow_list_add(&g->waiting, f, links_of(d));
		g->limit->is_waited = true;
		wait_on(g, now_of(g));
	}
	return 0;
}

bool gate_is_open(const struct tcp_flow *f, enum gate_dir d)
{
	struct gate *g = &f->owner->gate[d];

	return !g->limit || (!g->waiting.first && limit_room(g->limit, now_of(g)) > 0);
}

void gate_pass(struct tcp_flow *f, enum gate_dir d, size_t n)
{
	struct gate *g = &f->owner->gate[d];

	if (g->limit)
		limit_take(g->limit, n);
}

uint64_t gate_rate(const struct tcp *t, enum gate_dir d)
{
	return t->gate[d].limit ? t->gate[d].limit->rate : 0;
}

void gate_end_turn(struct tcp_flow *f)
{
	for (int d = 0; d < N_GATES; d++)
		if (f->has_turn[d]) {
			f->has_turn[d] = false;
			next(&f->owner->gate[d], (enum gate_dir)d, now_of(&f->owner->gate[d]));
		}
}

void gate_forget(struct tcp_flow *f)
{
	for (int d = 0; d < N_GATES; d++)
		if (f->is_gated[d])
			leave(&f->owner->gate[d], f, (enum gate_dir)d);
	gate_end_turn(f);
}
