/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gathering against workers that answer, that are slow, that are gone, and that answer what they
 * were not asked, over and over.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/gather.h"

struct world {
	struct published *ports;
	struct gather *g;
	struct ctlmsg asked; /* the last question */
	unsigned n_asked, n_done;
	int tell; /* what telling the worker returns */
	struct gathered got;
	size_t n_flows;
};

static int tell(void *arg, const struct ctlmsg *m)
{
	struct world *w = arg;

	w->asked = *m;
	w->n_asked++;
	return w->tell;
}

static void done(void *arg, const struct gathered *g)
{
	struct world *w = arg;

	w->n_done++;
	w->got = *g;
	w->n_flows = json_array_size(g->flows);
}

static int set_up(void **state)
{
	static struct world w;
	const struct gather_env env = {.tell = tell, .tell_arg = &w, .done = done, .arg = &w};
	struct gather_env e = env;

	w = (struct world){0};
	assert_int_equal(published_new(&w.ports, NULL), 0);
	e.published = w.ports;
	assert_int_equal(gather_new(&e, &w.g, NULL), 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	gather_free(w->g);
	published_free(w->ports);
	return 0;
}

static struct ctlmsg flows(uint32_t id, uint32_t n, uint32_t cursor)
{
	struct ctlmsg m = {.type = CTLMSG_LIST_FLOWS, .id = id};

	m.flows.n = n;
	m.flows.cursor = cursor;
	for (uint32_t i = 0; i < n; i++)
		m.flows.flow[i] = (struct ctlmsg_flow){.guest = {AF_INET, {10, 0, 2, 100}},
						       .peer = {AF_INET, {192, 0, 2, 1}},
						       .proto = IPPROTO_TCP,
						       .state = UINT8_MAX};
	return m;
}

static void test_all_parts(void **state)
{
	struct world *w = *state;
	struct ctlmsg m;

	gather_start(w->g, GATHER_STATS | GATHER_PORTS | GATHER_FLOWS, 1000);
	assert_int_equal(w->asked.type, CTLMSG_STATS_GET);
	m = (struct ctlmsg){.type = CTLMSG_STATS, .id = w->asked.id};
	gather_message(w->g, &m, 1000);
	assert_int_equal(w->asked.get.what, CTLMSG_LIST_PORTS);
	m = (struct ctlmsg){.type = CTLMSG_LIST_PORTS, .id = w->asked.id};
	m.ports.cursor = CTLMSG_LIST_END;
	gather_message(w->g, &m, 1000);
	assert_int_equal(w->asked.get.what, CTLMSG_LIST_FLOWS);
	m = flows(w->asked.id, 32, 32);
	gather_message(w->g, &m, 1000);
	assert_int_equal(w->asked.get.cursor, 32);
	gather_message(w->g, &m, 1000); /* an old number */
	m = flows(w->asked.id, 3, CTLMSG_LIST_END);
	gather_message(w->g, &m, 1000);
	assert_int_equal(w->n_done, 1);
	assert_true(w->got.is_whole && w->got.has_stats && !w->got.is_cut);
	assert_int_equal(w->n_flows, 35);
	assert_false(gather_is_under_way(w->g));
}

/* More than can be is not taken; neither is what nobody asked for. */
static void test_too_much(void **state)
{
	struct world *w = *state;
	struct ctlmsg m;

	gather_start(w->g, GATHER_FLOWS, 1000);
	for (int i = 0; i < 10 * GATHER_FLOWS_MAX / 32; i++) {
		m = flows(w->asked.id, 32, 1);
		gather_message(w->g, &m, 1000);
	}
	assert_int_equal(w->n_done, 1);
	assert_true(w->got.is_cut);
	assert_in_range(w->n_flows, GATHER_FLOWS_MAX, GATHER_FLOWS_MAX + 31);
	gather_start(w->g, GATHER_STATS | GATHER_FLOWS, 1000);
	m = flows(w->asked.id, 32, CTLMSG_LIST_END);
	gather_message(w->g, &m, 1000);
	assert_int_equal(w->asked.type, CTLMSG_STATS_GET);
	for (int i = 0; i < 10; i++) {
		m = flows(w->asked.id, 32, CTLMSG_LIST_END);
		gather_message(w->g, &m, 1000);
	}
	assert_int_equal(w->n_done, 1);
	gather_end(w->g);
	assert_int_equal(w->n_done, 2);
	assert_int_equal(w->n_flows, 0);
	assert_false(w->got.is_whole);
}

static void test_late_and_gone(void **state)
{
	struct world *w = *state;
	struct ctlmsg m;

	gather_start(w->g, GATHER_FLOWS, 1000);
	m = flows(w->asked.id, 32, 7);
	gather_message(w->g, &m, gather_deadline(w->g));
	assert_int_equal(w->n_done, 1);
	assert_int_equal(w->n_flows, 32);
	assert_true(w->got.is_whole && w->got.is_cut);
	w->tell = -ENOTCONN;
	gather_start(w->g, GATHER_STATS, 5000);
	assert_int_equal(w->n_done, 2);
	assert_false(w->got.is_whole || w->got.has_stats);
	assert_true(gather_deadline(w->g) == UINT64_MAX);
	gather_end(w->g);
	assert_int_equal(w->n_done, 2);
}

static uint64_t flows_of(struct world *w)
{
	struct published_rule r;
	size_t cursor = 0;

	assert_true(published_next(w->ports, &cursor, &r));
	return r.tally.flows;
}

/* Tallies are those of the last answer, until the next one. */
static void test_tallies(void **state)
{
	struct world *w = *state;
	struct publish p;
	struct published_request q = {.list = &p, .n = 1, .guest = {{AF_INET, {10, 0, 2, 100}}}};
	int fds[CTLMSG_PORTS];
	struct ctlmsg m;
	uint32_t id;

	assert_int_equal(publish_parse("127.0.0.1:0:80", &p, NULL), 0);
	assert_int_equal(published_add(w->ports, &q, &id, NULL), 0);
	assert_true(published_message(w->ports, 0, &m, fds));
	published_done(w->ports, m.id);
	for (uint64_t k = 1; k < 3; k++) {
		gather_start(w->g, GATHER_PORTS, 1000);
		assert_int_equal(flows_of(w), k - 1);
		m = (struct ctlmsg){.type = CTLMSG_LIST_PORTS, .id = w->asked.id};
		m.ports.n = 1;
		m.ports.cursor = CTLMSG_LIST_END;
		m.ports.port[0] = (struct ctlmsg_port){0, {k, 0, 0}};
		gather_message(w->g, &m, 1000);
		assert_int_equal(flows_of(w), k);
	}
	gather_start(w->g, GATHER_PORTS, 5000);
	gather_end(w->g);
	assert_int_equal(flows_of(w), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_and_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tallies, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
