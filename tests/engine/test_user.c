/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments made for a user: on record as his, apart from others on the bridge, no other's by the
 * same name; configured with the power of the namespace's owner; and the watch for links that go.
 */
#include <poll.h>

#include "world.h"

static struct up_request request_of(unsigned int i, uint32_t uid)
{
	return (struct up_request){.id = "c0",
				   .ifname = "eth0",
				   .network = "default",
				   .netns_fd = ctr_fd(i),
				   .netns_path = "",
				   .uid = uid,
				   .is_apart = true};
}

static int up_as(unsigned int i, uint32_t uid, struct attachment **ret)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = open_engine();
	struct up_request req = request_of(i, uid);
	int r = engine_up(g, &req, &a, &err);

	if (r >= 0 && ret) {
		*ret = a;
		a = NULL;
	}
	return r;
}

static void test_user(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;

	(void)state;
	OK(up_as(0, 1000, &a));
	assert_int_equal(a->uid, 1000);
	assert_true(a->is_port_isolated);
	MUST("bridge -d link show dev %s | grep -q 'isolated on'", a->host_ifname);
	MUST("ip -n c0 route | grep -q default");
	NOTHING(up_as(0, 1000, NULL));
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up_as(0, 1001, NULL));
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up_as(0, 0, NULL));
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up_as(1, 1001, NULL));
	OK(check(0));
	/* What is dead may not be taken over by another either: it has its charges. */
	ctr_renew(0);
	MUST("for i in $(seq 100); do ip link show %s 2>/dev/null || break; sleep 0.05; done",
	     a->host_ifname);
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up_as(1, 1001, NULL));
	OK(up_as(1, 1000, NULL));
	OK(down(0));
}

struct gone {
	uint32_t want;
	bool is_seen;
};

static void see(uint32_t ifindex, void *arg)
{
	struct gone *g = arg;

	g->is_seen = g->is_seen || ifindex == g->want;
}

static bool is_told(struct engine_watch *w, struct gone *g)
{
	struct pollfd p = {.fd = engine_watch_fd(w), .events = POLLIN};

	while (!g->is_seen && poll(&p, 1, 60000) == 1)
		OK(engine_watch_read(w, see, g, &err));
	return g->is_seen;
}

static void test_watch(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct engine_watch *w = NULL;
	struct gone g = {0};

	(void)state;
	OK(engine_watch_open(&w, &err));
	OK(up_as(0, 1000, &a));
	OK(engine_watch_read(w, see, &g, &err));
	assert_true(engine_watch_came(w));
	assert_false(engine_watch_came(w)); /* told once */
	assert_int_equal(engine_watch_has(w, a->host_ifindex, &err), 1);
	g.want = a->host_ifindex;
	/* A port that only leaves its bridge is still there. */
	MUST("ip link set %s nomaster", a->host_ifname);
	OK(engine_watch_read(w, see, &g, &err));
	assert_false(g.is_seen);
	MUST("ip -n c0 link del eth0");
	assert_true(is_told(w, &g));
	assert_int_equal(engine_watch_has(w, a->host_ifindex, &err), 0);
	OK(down(0));
	OK(engine_watch_read(w, see, &g, &err));
	(void)engine_watch_came(w); /* on its way out it has changed */
	/* More than fits: it says that it has lost some. */
	MUST("for i in $(seq 1000 5000); do echo link set lo mtu $i; done | ip -b -");
	assert_int_equal(engine_watch_read(w, see, &g, &err), 1);
	OK(engine_watch_read(w, see, &g, &err));
	assert_false(engine_watch_came(w)); /* lo is not ours */
	engine_watch_closep(&w);
	engine_watch_closep(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_user, host_is_clean),
		cmocka_unit_test_teardown(test_watch, host_is_clean),
	};

	engine_as_owner(true);
	return cmocka_run_group_tests(tests, host_enter, NULL);
}
