/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper makes room for: containers that are there. There are no tables here, so whatever
 * gets as far as the kernel fails there.
 */
#include <errno.h>
#include <unistd.h>

#include "engine/internal.h"
#include "model/namesmsg.h"
#include "store/member.h"
#include "world.h"

static void put(struct engine *g, unsigned int i)
{
	struct attachment a = {.phase = ATTACH_COMMITTED, .host_ifindex = i + 1};
	char key[KEY_STRLEN];

	snprintf(a.id, sizeof(a.id), "c%u", i);
	strcpy(a.ifname, "eth0");
	strcpy(a.network, "web");
	strcpy(a.bridge, "br-web");
	snprintf(a.host_ifname, sizeof(a.host_ifname), "v%u", i);
	strcpy(a.boot_id, g->boot_id);
	a.netns_cookie = i + 2;
	a.ctr_ifindex = 2;
	a.mtu = 1500;
	OK(mac_parse("02:00:00:00:00:02", &a.mac, &err));
	OK(mac_parse("02:00:00:00:00:01", &a.host_mac, &err));
	OK(prefix_parse("10.0.0.2/24", &a.addr[FAM4], &err));
	OK(ip_parse("10.0.0.1", &a.gateway[FAM4], &err));
	OK(attach_egress_parse("example.org", false, &a.egress, &a.names, &err));
	OK(store_put_attachment(g->store, &a, &err));
	name_key(a.id, a.ifname, key);
	assert_true(member_join(g->store, a.network, key, &err) >= 0);
}

static void del(struct engine *g, unsigned int i)
{
	char id[ID_STRLEN], key[KEY_STRLEN];

	snprintf(id, sizeof(id), "c%u", i);
	name_key(id, "eth0", key);
	assert_true(member_leave(g->store, "web", key, &err) >= 0);
	OK(store_del_attachment(g->store, id, "eth0", &err));
}

/* Its name leads to an address for a day. */
static int learn(struct learner *l, unsigned int i)
{
	struct namesmsg_learn m = {.version = NAMESMSG_VERSION, .n_ip = 1, .ttl_s = {86400}};
	char id[ID_STRLEN];

	snprintf(id, sizeof(id), "c%u", i);
	name_key(id, "eth0", m.key);
	strcpy(m.network, "web");
	strcpy(m.name, "example.org");
	OK(ip_parse("198.51.100.1", &m.ip[0], &err));
	return learner_take(l, &m);
}

/* What a learner has is the keeper's until it ends: never freed, and reached from here, which no
 * optimizer takes away. */
static struct learner *volatile learner[2];

static void test_gone(void **state)
{
	CLEAN_ENGINE struct engine *g = open_engine();
	struct learner *l = learner[0] = learner_new(g);

	(void)state;
	assert_non_null(l);
	/* One after another: none is there when the next one comes. */
	for (unsigned int i = 0; i < 2 * LEARN_MEMBERS + 2; i++) {
		put(g, i);
		assert_int_equal(learn(l, i), -EIO);
		del(g, i);
	}
	OK(store_lock(g->store, &err));
	OK(store_remove_if_empty(g->store, &err));
	store_unlock(g->store);
}

static void test_full(void **state)
{
	CLEAN_ENGINE struct engine *g = open_engine();
	struct learner *l = learner[1] = learner_new(g);

	(void)state;
	assert_non_null(l);
	for (unsigned int i = 0; i <= LEARN_MEMBERS; i++) {
		put(g, i);
		assert_int_equal(learn(l, i), i < LEARN_MEMBERS ? -EIO : -ENOSPC);
	}
	/* All that are there have their place still. */
	assert_int_equal(learn(l, 0), -EIO);
	assert_int_equal(learn(l, LEARN_MEMBERS - 1), -EIO);
	del(g, 7);
	usleep(1100000); /* then it is looked who has gone */
	assert_int_equal(learn(l, LEARN_MEMBERS), -EIO);
	for (unsigned int i = 0; i <= LEARN_MEMBERS; i++)
		if (i != 7)
			del(g, i);
	OK(store_lock(g->store, &err));
	OK(store_remove_if_empty(g->store, &err));
	store_unlock(g->store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_gone, host_is_clean),
		cmocka_unit_test_teardown(test_full, host_is_clean),
	};

	return cmocka_run_group_tests(tests, host_enter, NULL);
}
