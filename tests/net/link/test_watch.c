/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the watch over links: what it tells of, and by what it is not even woken. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/link.h"
#include "net/link_watch.h"
#include "world.h"

static uint32_t add(struct rtnl *r, int netns, const char *name, uint32_t master)
{
	uint32_t host = 0, ctr;
	struct veth_spec s = {.host_ifname = name,
			      .ctr_ifname = name,
			      .ctr_netns_fd = netns,
			      .host_mac = mac_of("02:00:00:00:00:01"),
			      .ctr_mac = mac_of("02:00:00:00:00:02"),
			      .master = master,
			      .group = LINK_GROUP_VETH};

	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
	return host;
}

static uint32_t add_bridge(struct rtnl *r, const char *name)
{
	const struct bridge_spec s = {
		.name = name, .mac = mac_of("02:00:00:00:00:03"), .group = LINK_GROUP_BRIDGE};
	uint32_t index = 0;

	OK(link_bridge_add(r, &s, &index, &world_err));
	return index;
}

static void on_gone(uint32_t index, void *arg)
{
	*(uint32_t *)arg = index;
}

static bool is_readable(const struct link_watch *w, int ms)
{
	struct pollfd p = {.fd = link_watch_fd(w), .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* Of index, and that it has gone: it may be told after its deletion was acknowledged. */
static void expect_gone(struct link_watch *w, uint32_t index)
{
	uint32_t gone = 0;

	while (gone != index) {
		gone = 0;
		assert_true(is_readable(w, 10000));
		OK(link_watch_read(w, on_gone, &gone, &world_err));
	}
}

static void test_watch(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	struct link_watch *w = NULL;
	uint32_t i, bridge, gone = 0;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(link_watch_open(&w, &world_err));
	i = add(r, netns, "nu0", 0);
	assert_true(is_readable(w, 10000));
	OK(link_watch_read(w, on_gone, &gone, &world_err));
	assert_true(link_watch_came(w));
	assert_false(link_watch_came(w));
	OK(link_del(r, i, &world_err));
	expect_gone(w, i);

	/* Those that go alone, and of a bridge that a port leaves it is no end of the port. */
	link_watch_want(w, false);
	OK(link_watch_read(w, on_gone, &gone, &world_err));
	(void)link_watch_came(w);
	bridge = add_bridge(r, "br0");
	i = add(r, netns, "nu0", bridge);
	assert_false(is_readable(w, 0));
	OK(link_watch_read(w, on_gone, &gone, &world_err));
	assert_false(link_watch_came(w));
	assert_int_equal(gone, 0);
	OK(link_del(r, bridge, &world_err));
	OK(link_watch_read(w, on_gone, &gone, &world_err));
	assert_int_equal(gone, bridge);
	OK(link_del(r, i, &world_err));
	expect_gone(w, i);

	link_watch_want(w, true);
	i = add(r, netns, "nu1", 0);
	assert_true(is_readable(w, 10000));
	OK(link_watch_read(w, on_gone, &gone, &world_err));
	assert_true(link_watch_came(w));
	link_watch_closep(&w);
	OK(link_del(r, i, &world_err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_watch, world_enter),
	};

	return cmocka_run_group_tests_name("link watch", tests, NULL, NULL);
}
