/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gather: one question at a time; an answer with another number is an old one. */
#include "proc/gather.h"

#include <errno.h>
#include <stdlib.h>

#include "proc/flowname.h"

#define PATIENCE_MS 1000

struct gather {
	struct gather_env env;
	struct gathered got;
	unsigned left;  /* of got.need */
	bool has_ports; /* some tallies came */
	uint32_t id;    /* of the question under way; 0: none */
	uint32_t last_id;
	uint64_t until;
};

int gather_new(const struct gather_env *env, struct gather **ret, struct err *e)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(e, ERR_INTERNAL, ENOMEM, "control socket");
	g->env = *env;
	*ret = g;
	return 0;
}

void gather_free(struct gather *g)
{
	if (g)
		json_decref(g->got.flows);
	free(g);
}

bool gather_is_under_way(const struct gather *g)
{
	return g->id != 0;
}

static void finish(struct gather *g)
{
	g->id = 0;
	g->got.is_whole = g->left == 0;
	g->env.done(g->env.arg, &g->got);
	/* Thousands, perhaps: who waits for the next question does not keep them. */
	json_decref(g->got.flows);
	g->got.flows = NULL;
}

/* The part that is asked for now: one after another. */
static unsigned asked(const struct gather *g)
{
	return g->left & -g->left;
}

static void ask(struct gather *g, uint32_t cursor)
{
	struct ctlmsg m = {.type = CTLMSG_LIST_GET};
	unsigned part = asked(g);

	g->last_id = g->last_id == UINT32_MAX ? 1 : g->last_id + 1;
	m.id = g->id = g->last_id;
	if (part == GATHER_STATS) {
		m.type = CTLMSG_STATS_GET;
	} else {
		m.get.what = part == GATHER_PORTS ? CTLMSG_LIST_PORTS : CTLMSG_LIST_FLOWS;
		m.get.cursor = cursor;
	}
	if (g->env.tell(g->env.tell_arg, &m) < 0)
		finish(g);
}

static void go_on(struct gather *g)
{
	if (g->left == 0)
		finish(g);
	else
		ask(g, 0);
}

void gather_start(struct gather *g, unsigned need, uint64_t now)
{
	g->got = (struct gathered){.need = need};
	if (need & GATHER_FLOWS)
		g->got.flows = json_array();
	g->has_ports = false;
	g->left = need;
	g->until = now + PATIENCE_MS;
	go_on(g);
}

static void take_flows(struct gather *g, const struct ctlmsg *m)
{
	for (uint32_t i = 0; i < m->flows.n; i++)
		(void)json_array_append_new(g->got.flows, flowname_json(&m->flows.flow[i]));
	g->got.is_cut = m->flows.cursor != CTLMSG_LIST_END;
}

/* What part of a gathering it brings; 0: none. */
static unsigned part_of(const struct ctlmsg *m)
{
	switch (m->type) {
	case CTLMSG_STATS:
		return GATHER_STATS;
	case CTLMSG_LIST_PORTS:
		return GATHER_PORTS;
	case CTLMSG_LIST_FLOWS:
		return GATHER_FLOWS;
	default:
		return 0;
	}
}

void gather_message(struct gather *g, const struct ctlmsg *m, uint64_t now)
{
	uint32_t cursor = CTLMSG_LIST_END;
	unsigned part = part_of(m);

	/* What was not asked for is not taken, or there would be no end to it. */
	if (g->id == 0 || m->id != g->id || part != asked(g))
		return;
	if (part == GATHER_STATS) {
		g->got.has_stats = true;
		g->got.stats = m->stats.stats;
		g->got.gauges = m->stats.gauges;
	} else if (part == GATHER_PORTS) {
		/* Not before: who does not answer does not set them back, as counters never are. */
		if (!g->has_ports)
			published_clear_tallies(g->env.published);
		g->has_ports = true;
		for (uint32_t i = 0; i < m->ports.n; i++)
			published_add_tally(g->env.published, &m->ports.port[i]);
		cursor = m->ports.cursor;
	} else {
		take_flows(g, m);
		cursor = m->flows.cursor;
	}
	if (cursor != CTLMSG_LIST_END && now < g->until &&
	    (part != GATHER_FLOWS || json_array_size(g->got.flows) < GATHER_FLOWS_MAX)) {
		ask(g, cursor);
		return;
	}
	g->left &= ~part;
	go_on(g);
}

uint64_t gather_deadline(const struct gather *g)
{
	return g->id ? g->until : UINT64_MAX;
}

void gather_end(struct gather *g)
{
	if (g->id)
		finish(g);
}
