/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gather: one question at a time; an answer with another number is an old one. */
#include "proc/gather.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "proc/flowname.h"

#define PATIENCE_MS 1000

struct gather {
	struct gather_env env;
	struct gathered got;
	unsigned left; /* of got.need */
	uint32_t id;   /* of the question under way; 0: none */
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
}

static void ask(struct gather *g, uint32_t cursor)
{
	struct ctlmsg m = {.type = CTLMSG_LIST_GET};

	g->last_id = g->last_id == UINT32_MAX ? 1 : g->last_id + 1;
	m.id = g->id = g->last_id;
	if (g->left & GATHER_STATS) {
		m.type = CTLMSG_STATS_GET;
	} else {
		m.get.what = g->left & GATHER_PORTS ? CTLMSG_LIST_PORTS : CTLMSG_LIST_FLOWS;
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
	json_decref(g->got.flows);
	g->got = (struct gathered){.need = need};
	if (need & GATHER_FLOWS)
		g->got.flows = json_array();
	if (need & GATHER_PORTS)
		published_clear_tallies(g->env.published);
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

void gather_message(struct gather *g, const struct ctlmsg *m, uint64_t now)
{
	uint32_t cursor = CTLMSG_LIST_END;
	unsigned part = 0;

	if (g->id == 0 || m->id != g->id)
		return;
	if (m->type == CTLMSG_STATS) {
		g->got.has_stats = true;
		g->got.stats = m->stats.stats;
		g->got.gauges = m->stats.gauges;
		part = GATHER_STATS;
	} else if (m->type == CTLMSG_LIST_PORTS) {
		for (uint32_t i = 0; i < m->ports.n; i++)
			published_add_tally(g->env.published, &m->ports.port[i]);
		cursor = m->ports.cursor;
		part = GATHER_PORTS;
	} else if (m->type == CTLMSG_LIST_FLOWS) {
		take_flows(g, m);
		cursor = m->flows.cursor;
		part = GATHER_FLOWS;
	}
	if (!(g->left & part))
		return;
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
