/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces that others make: published ports, what is taken off part by part, leases, the
 * clean-up of one network, and the question whether there is room.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"
#include "sys/bootid.h"
#include "sys/netns.h"
#include "world.h"

/* Container 0 has an interface of somebody else's; a client is in c1, beyond the host. */
static int foreign_enter(void **state)
{
	(void)state;
	if (!sh("ip link add v0 type veth peer name eth0 netns c0 && ip addr add 192.0.2.1/24 dev "
		"v0 "
		"&& ip link set v0 up && ip -n c0 addr add 192.0.2.2/24 dev eth0 && "
		"ip -n c0 link set eth0 up && ip -n c0 link set lo up && "
		"ip -n c0 route add default via 192.0.2.1 && "
		"ip link add v1 type veth peer name eth0 netns c1 && "
		"ip addr add 198.51.100.1/24 dev v1 && ip link set v1 up && "
		"ip -n c1 addr add 198.51.100.2/24 dev eth0 && ip -n c1 link set eth0 up && "
		"ip -n c1 route add default via 198.51.100.1 && "
		"echo 1 >/proc/sys/net/ipv4/ip_forward"))
		return -1;
	return 0;
}

static int foreign_leave(void **state)
{
	if (!sh("ip link del v0; ip link del v1; test ! -e /run/netd || ls -R /run/netd"))
		return -1;
	return host_is_clean(state);
}

/* One connection from a namespace; what it says is what the server in c0 sees of the client. */
static bool reaches(const char *from, const char *to, unsigned int port)
{
	return sh("ip netns exec c0 timeout 5 socat TCP4-LISTEN:80,reuseaddr "
		  "SYSTEM:'echo hello' & "
		  "for i in 1 2 3 4 5 6 7 8 9 10; do ip netns exec c0 ss -ltn | grep -q ':80 ' && "
		  "break; "
		  "sleep 0.05; done; "
		  "ip netns exec %s timeout 3 socat -u TCP4:%s:%u,connect-timeout=2 - | grep -q "
		  "hello; "
		  "r=$?; kill $! 2>/dev/null; wait; exit $r",
		  from, to, port);
}

static void want_foreign(struct want *w)
{
	want_init(w, 0);
	w->req.kind = ATTACH_FOREIGN;
	w->req.network = "calico";
	w->req.net_spec = NULL;
	w->req.host_ifname = "v0";
	w->req.netns_path = "/run/netns/c0";
	want_given(w, "192.0.2.2/24", "192.0.2.1");
}

static void test_ports(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL;
	struct publish more;
	struct want w;

	(void)state;
	want_foreign(&w);
	want_publish(&w, "8080:80");
	OK(up(&w, &a));
	assert_int_equal(a->kind, ATTACH_FOREIGN);
	assert_true(reaches("c1", "198.51.100.1", 8080));
	assert_true(reaches("c0", "198.51.100.1", 8080)); /* itself */
	OK(check(0));
	NOTHING(up(&w, NULL));
	want_publish(&w, "8081:80");
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up(&w, NULL));
	{
		CLEAN_ENGINE struct engine *g = open_engine();

		OK(publish_parse("8082:80", &more, &err));
		OK(engine_publish(g, "c0", "eth0", &more, 1, &b, &err));
		assert_int_equal(b->n_publish, 2);
	}
	assert_true(reaches("c1", "198.51.100.1", 8082));
	OK(check(0));
	MUST("ip link show v0");
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		struct gc_result res;

		OK(engine_gc(g, &res, &err));
		assert_int_equal(res.n_attachments, 0);
		OK(engine_take_off(g, "c0", "eth0", PART_RATES | PART_TUNE, &err));
		attachment_freep(&a);
		OK(engine_get(g, "c0", "eth0", &a, &err));
		OK(engine_take_off(g, "c0", "eth0", PART_PORTS, &err));
		NOTHING(engine_take_off(g, "c0", "eth0", PART_PORTS, &err));
	}
	NOTHING(down(0));
	MUST("ip link show v0");
}

/* The namespace is gone: gc takes the rest away. */
static void test_gone(void **state)
{
	struct gc_result res;
	struct want w;

	(void)state;
	want_foreign(&w);
	want_publish(&w, "8080:80");
	OK(up(&w, NULL));
	ctr_renew(0);
	{
		CLEAN_ENGINE struct engine *g = open_engine();

		OK(engine_gc(g, &res, &err));
		assert_int_equal(res.n_attachments, 1);
	}
	/* The dead namespace takes its end, and with it this one, away in its own time. */
	MUST("ip link delete v0 2>/dev/null; ip link add v0 type veth peer name v0p");
}

static void lease_of(struct lease_request *q, const char *id, const struct want *w)
{
	*q = (struct lease_request){.id = id,
				    .ifname = "eth0",
				    .network = "lan",
				    .netns_fd = -1,
				    .netns_path = "",
				    .n_set = w->req.n_set,
				    .set = w->set,
				    .n_want = w->req.n_want,
				    .want = w->asked};
}

static void test_lease(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL, *c = NULL;
	CLEAN_ENGINE struct engine *g = open_engine();
	struct lease_request q;
	struct want w, f;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "203.0.113.0/30");
	want_set(&w, "2001:db8:1::/64");
	lease_of(&q, "c0", &w);
	OK(engine_lease(g, &q, &a, &err));
	assert_string_equal(addr_of(a, 0), "203.0.113.2/30");
	assert_string_equal(addr_of(a, 1), "2001:db8:1::2/64");
	NOTHING(engine_lease(g, &q, &b, &err));
	assert_string_equal(addr_of(b, 0), "203.0.113.2/30");
	lease_of(&q, "c1", &w);
	FAILS(ERR_QUOTA, WHAT_POOL, engine_lease(g, &q, &c, &err));
	FAILS(ERR_QUOTA, WHAT_POOL, engine_status(NULL, w.set, 2, &err));
	OK(engine_status(NULL, w.set + 1, 1, &err));
	/* A foreign attachment of these addresses takes it over, and leaves it again. */
	want_foreign(&f);
	f.req.n_given = 0;
	want_given(&f, "203.0.113.2/30", NULL);
	want_given(&f, "2001:db8:1::2/64", NULL);
	want_publish(&f, "8080:80");
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up(&f, NULL)); /* of another network */
	f.req.network = "lan";
	OK(up(&f, NULL));
	FAILS(ERR_QUOTA, WHAT_POOL, engine_lease(g, &q, &c, &err));
	NOTHING(up(&f, NULL));
	OK(engine_take_off(g, "c0", "eth0", PART_PORTS, &err));
	attachment_freep(&b);
	OK(engine_get(g, "c0", "eth0", &b, &err));
	assert_int_equal(b->kind, ATTACH_LEASE);
	/* One that fails leaves the lease as it was. */
	want_publish(&f, "8080:81");
	assert_true(up(&f, NULL) < 0);
	attachment_freep(&b);
	OK(engine_get(g, "c0", "eth0", &b, &err));
	assert_int_equal(b->kind, ATTACH_LEASE);
	FAILS(ERR_QUOTA, WHAT_POOL, engine_lease(g, &q, &c, &err));
	OK(engine_release(g, "c0", "eth0", &err));
	NOTHING(engine_release(g, "c0", "eth0", &err));
	OK(engine_lease(g, &q, &c, &err));
	assert_string_equal(addr_of(c, 0), "203.0.113.2/30");
	OK(engine_down(g, "c1", "eth0", &err));
}

static void test_import(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = open_engine();
	size_t n = 0;

	(void)state;
	MUST("mkdir -p /run/h && cd /run/h && printf 'aaa\\r\\neth0' >203.0.113.5 && "
	     "printf 'aaa\\neth0\\n' >2001:db8::5 && printf 'bbb' >203.0.113.6 && "
	     "printf '203.0.113.6' >last_reserved_ip.0 && : >lock");
	OK(engine_import_host_local(g, "/run/h", "lan", &n, &err));
	assert_int_equal(n, 3);
	OK(engine_get(g, "aaa", "eth0", &a, &err));
	assert_int_equal(a->kind, ATTACH_LEASE);
	assert_true(a->addr[FAM4].ip.family && a->addr[FAM6].ip.family);
	OK(engine_import_host_local(g, "/run/h", "lan", &n, &err));
	assert_int_equal(n, 0);
	/* One whose taking away was cut short owns nothing any more: it is taken in anew. */
	MUST("rm /run/netd/members/lan/aaa@eth0");
	OK(engine_import_host_local(g, "/run/h", "lan", &n, &err));
	assert_int_equal(n, 2);
	MUST("cd /run/h && printf '../x\\neth0' >203.0.113.7 && ln -s /etc/passwd 203.0.113.8 && "
	     "printf 'ccc\\neth0' >203.0.113.9");
	assert_true(engine_import_host_local(g, "/run/h", "lan", &n, &err) < 0);
	assert_int_equal(n, 1);
	OK(engine_release(g, "aaa", "eth0", &err));
	OK(engine_release(g, "bbb", "eth0", &err));
	OK(engine_release(g, "ccc", "eth0", &err));
	MUST("rm -r /run/h");
}

/* The record says another time of the wall clock, which may be set at any time. */
static void set_created(const char *id, int64_t created)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char boot_id[BOOT_ID_STRLEN];
	CLEAN_STORE struct store *s = NULL;
	uint64_t cookie;
	int self;

	OK(netns_open_self(&self, &err));
	OK(engine_cookie(self, &cookie, &err));
	close(self);
	OK(bootid_get(boot_id, &err));
	assert_true(store_open("/run/netd", false, cookie, boot_id, &s, &err) >= 0);
	OK(store_get_attachment(s, id, "eth0", &a, &err));
	a->created = created;
	OK(store_lock(s, &err));
	OK(store_put_attachment(s, a, &err));
	store_unlock(s);
}

static void test_gc_network(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attach_name keep[] = {{"c1", "eth0"}, {"c2", "eth1"}};
	struct gc_result res;
	struct lease_request q;
	struct want w;
	uint64_t before;

	(void)state;
	for (unsigned int i = 1; i < 5; i++) {
		want_init(&w, i);
		if (i == 4) {
			strcpy(w.net.name, "web-2");
			strcpy(w.net.bridge, "br-web2");
			want_set(&w, "203.0.113.0/24");
		} else {
			want_set(&w, "192.0.2.128/25");
		}
		w.req.ifname = "eth0";
		OK(up(&w, NULL));
	}
	CLEAN_ENGINE struct engine *g = open_engine();
	want_set(&w, "2001:db8:1::/64");
	lease_of(&q, "lease", &w);
	q.network = "web";
	OK(engine_lease(g, &q, &a, &err));
	/* c3 is made after the call began: it stays. */
	before = clock_boot_ns();
	OK(down(3));
	want_init(&w, 3);
	want_set(&w, "192.0.2.128/25");
	OK(up(&w, NULL));
	set_created("c3", 1);
	set_created("c2", 4102444800);
	OK(engine_gc_network(g, "web", keep, 2, before, &res, &err));
	assert_int_equal(res.n_attachments, 2); /* c2's eth0, the lease */
	OK(check(1));
	OK(check(3));
	OK(check(4));
	OK(engine_gc_network(g, "web", NULL, 0, 0, &res, &err));
	assert_int_equal(res.n_attachments, 2);
	MUST_NOT("ip link show br-web");
	OK(check(4));
	OK(engine_gc_network(g, "web", NULL, 0, 0, &res, &err));
	assert_int_equal(res.n_attachments, 0);
	OK(engine_gc_network(g, "web-2", NULL, 0, 0, &res, &err));
	assert_int_equal(res.n_attachments, 1);
}

static void test_status(void **state)
{
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "203.0.113.0/24");
	OK(engine_status(NULL, w.set, 1, &err));
	MUST("test ! -e /run/netd"); /* nothing is made */
	OK(up(&w, NULL));
	OK(engine_status(NULL, w.set, 1, &err));
	FAILS(ERR_CONFLICT, WHAT_TABLE, engine_status("/run/other", w.set, 1, &err));
	OK(down(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ports, foreign_enter, foreign_leave),
		cmocka_unit_test_setup_teardown(test_gone, foreign_enter, foreign_leave),
		cmocka_unit_test_setup_teardown(test_lease, foreign_enter, foreign_leave),
		cmocka_unit_test_teardown(test_import, host_is_clean),
		cmocka_unit_test_teardown(test_gc_network, host_is_clean),
		cmocka_unit_test_teardown(test_status, host_is_clean),
	};

	return cmocka_run_group_tests_name("engine/foreign", tests, host_enter, NULL);
}
