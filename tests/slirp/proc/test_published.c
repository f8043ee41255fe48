/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of published ports with real sockets on the loopback of a network namespace of the
 * test's own: all or nothing, ports that are picked, which messages a worker gets, what becomes of
 * slots whose worker is replaced or never answers.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/published.h"

static const struct ip guest4 = {AF_INET, {10, 0, 2, 100}};
static const struct ip guest6 = {AF_INET6, {0xfd, [15] = 1}};

static struct publish parse(const char *spec)
{
	struct publish p;

	assert_int_equal(publish_parse(spec, &p, NULL), 0);
	return p;
}

static int add(struct published *t, const char *spec, uint32_t *id, struct err *e)
{
	const struct publish p = parse(spec);
	const struct published_request q = {.list = &p, .n = 1, .guest = {guest4, guest6}};

	return published_add(t, &q, id, e);
}

static size_t count_open(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int on = 1;
		socklen_t len = sizeof(on);

		n += getsockopt(fd, SOL_SOCKET, SO_TYPE, &on, &len) == 0;
	}
	return n;
}

/* Everything that the worker is to be told, with an answer to each. */
static void settle(struct published *t, size_t *ret_added, size_t *ret_dropped)
{
	int fds[CTLMSG_PORTS];
	struct ctlmsg m;

	*ret_added = *ret_dropped = 0;
	while (published_message(t, 0, &m, fds)) {
		if (m.type == CTLMSG_PORTS_ADD)
			*ret_added += m.add.n;
		else
			*ret_dropped += m.drop.n;
		assert_false(published_is_settled(t));
		published_done(t, m.id + 1);
		assert_false(published_is_settled(t));
		published_done(t, m.id);
	}
	assert_true(published_is_settled(t));
}

static void test_add_remove(void **state)
{
	struct published *t;
	struct published_rule r;
	size_t added, dropped, cursor = 0, before = count_open();
	uint32_t a, b;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	settle(t, &added, &dropped);
	assert_int_equal(added + dropped, 0);
	assert_int_equal(add(t, "8000-8099:100-199", &a, NULL), 0);
	assert_int_equal(add(t, "127.0.0.1:53/udp", &b, NULL), 0);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
	settle(t, &added, &dropped);
	assert_int_equal(added, 101); /* dual stack: one socket a TCP port */
	assert_int_equal(count_open(), before + 101);
	assert_true(published_next(t, &cursor, &r));
	assert_int_equal(r.n_sockets, 100);
	assert_true(published_next(t, &cursor, &r));
	assert_false(published_next(t, &cursor, &r));
	assert_int_equal(published_remove(t, 3), -ENOENT);
	assert_int_equal(published_remove(t, a), 0);
	assert_int_equal(published_remove(t, a), -ENOENT);
	assert_int_equal(count_open(), before + 1);
	settle(t, &added, &dropped);
	assert_int_equal(dropped, 100);
	/* UDP of both families is two sockets. */
	assert_int_equal(add(t, "5353/udp", &a, NULL), 0);
	assert_int_equal(a, 3);
	settle(t, &added, &dropped);
	assert_int_equal(added, 2);
	published_free(t);
	assert_int_equal(count_open(), before);
}

static void test_all_or_nothing(void **state)
{
	const struct publish list[] = {parse("8000-8009"), parse("9000"), parse("8005:1")};
	struct published_request q = {.list = list, .n = 3, .guest = {guest4, guest6}};
	struct err e = ERR_INIT;
	struct publish p;
	struct published *t;
	size_t added, dropped, before = count_open();
	uint32_t id;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(published_add(t, &q, &id, &e), -EADDRINUSE);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "8000-8009:8000-8009/tcp is published already (1)"));
	assert_false(published_taken(t, &p));
	assert_int_equal(published_count(t), 0);
	assert_int_equal(count_open(), before);
	settle(t, &added, &dropped);
	assert_int_equal(added + dropped, 0);
	q.n = 2;
	assert_int_equal(published_add(t, &q, &id, NULL), 0);
	assert_int_equal(id, 1);
	/* Somebody else's. */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(7777)};

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	e = (struct err)ERR_INIT;
	assert_int_equal(add(t, "7777/udp", &id, &e), -EADDRINUSE);
	assert_true(published_taken(t, &p));
	assert_int_equal(p.host_port, 7777);
	close(fd);
	/* An address that is not ours; a family the container has not. */
	e = (struct err)ERR_INIT;
	assert_int_equal(add(t, "192.0.2.1:80:80", &id, &e), -EADDRNOTAVAIL);
	assert_int_equal(e.kind, ERR_USAGE);
	q = (struct published_request){.list = &p, .n = 1, .guest = {guest4}};
	p = parse("[::1]:53/udp");
	e = (struct err)ERR_INIT;
	assert_int_equal(published_add(t, &q, &id, &e), -EAFNOSUPPORT);
	assert_int_equal(published_count(t), 2);
	published_free(t);
	assert_int_equal(count_open(), before);
}

static void test_picked(void **state)
{
	struct published *t;
	struct published_rule r;
	size_t cursor = 0;
	uint32_t id;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(add(t, i % 2 ? "0:53/udp" : "0:80", &id, NULL), 0);
	while (published_next(t, &cursor, &r)) {
		struct publish p = r.p;

		assert_true(p.host_port > 0);
		p.ctr_port = 1;
		assert_int_equal(published_find(t, &p), r.id);
		assert_int_equal(r.n_sockets, p.proto == IPPROTO_UDP ? 2 : 1);
	}
	published_free(t);
}

/* A worker that does not answer, one that is replaced, and ports that go meanwhile. */
static void test_worker(void **state)
{
	int fds[CTLMSG_PORTS];
	struct published *t;
	struct ctlmsg m, again;
	size_t added, dropped;
	uint32_t a, b;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(add(t, "8000-8039", &a, NULL), 0);
	assert_true(published_message(t, 1000, &m, fds));
	assert_int_equal(m.add.n, CTLMSG_PORTS);
	assert_int_equal(m.add.port[31].port, 8031);
	assert_false(published_message(t, 1001, &again, fds));
	assert_true(published_deadline(t) > 1001);
	/* It never heard of it: said again under another number, whose answer counts. */
	assert_true(published_message(t, published_deadline(t), &again, fds));
	assert_int_equal(again.add.n, CTLMSG_PORTS);
	assert_int_equal(again.add.port[0].slot, m.add.port[0].slot);
	published_done(t, m.id);
	assert_false(published_is_settled(t));
	/* Gone while it is under way: it is dropped, not held. */
	assert_int_equal(add(t, "9000", &b, NULL), 0);
	assert_int_equal(published_remove(t, a), 0);
	published_done(t, again.id);
	settle(t, &added, &dropped);
	assert_int_equal(dropped, 32);
	assert_int_equal(added, 1);
	/* A new worker gets what there is; what the old one was not told is of no interest. */
	assert_int_equal(published_remove(t, b), 0);
	assert_int_equal(add(t, "9001", &b, NULL), 0);
	settle(t, &added, &dropped);
	assert_int_equal(add(t, "9002", &a, NULL), 0);
	assert_int_equal(published_remove(t, b), 0);
	published_restart(t);
	settle(t, &added, &dropped);
	assert_int_equal(added, 1);
	assert_int_equal(dropped, 0);
	published_restart(t);
	settle(t, &added, &dropped);
	assert_int_equal(added, 1);
	assert_true(published_message(t, 0, &m, fds) == false);
	/* Not sent is not said. */
	assert_int_equal(add(t, "9003", &a, NULL), 0);
	assert_true(published_message(t, 0, &m, fds));
	published_unsent(t);
	settle(t, &added, &dropped);
	assert_int_equal(added, 1);
	published_free(t);
}

/* The worker is busy for longer than a message waits for its answer, and then hears of all of them:
 * a port that is gone meanwhile is not left with it, nor is its number another's. */
static void test_late_worker(void **state)
{
	int fds[CTLMSG_PORTS];
	struct published *t;
	struct ctlmsg m, drop;
	size_t added, dropped;
	uint32_t a, b, slot;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(add(t, "8000", &a, NULL), 0);
	settle(t, &added, &dropped);
	assert_int_equal(add(t, "8001", &b, NULL), 0);
	assert_true(published_message(t, 1000, &m, fds));
	assert_int_equal(m.type, CTLMSG_PORTS_ADD);
	slot = m.add.port[0].slot;
	assert_int_equal(published_remove(t, a), 0);
	assert_true(published_message(t, published_deadline(t), &drop, fds));
	assert_int_equal(drop.type, CTLMSG_PORTS_DROP);
	assert_int_equal(published_remove(t, b), 0);
	assert_int_equal(add(t, "8002", &b, NULL), 0);
	published_done(t, m.id);
	published_done(t, drop.id);
	assert_true(published_message(t, 5000, &drop, fds));
	assert_int_equal(drop.type, CTLMSG_PORTS_DROP);
	assert_int_equal(drop.drop.n, 1);
	assert_int_equal(drop.drop.slot[0], slot);
	published_done(t, drop.id);
	settle(t, &added, &dropped);
	assert_int_equal(added, 1);
	assert_int_equal(dropped, 0);
	/* One that no worker ever heard of needs no word. */
	assert_int_equal(add(t, "8003", &a, NULL), 0);
	assert_int_equal(published_remove(t, a), 0);
	assert_true(published_is_settled(t));
	published_free(t);
}

/* Many at once, some of which are not there: what stays keeps its sockets and its place. */
static void test_remove_all(void **state)
{
	const uint32_t ids[] = {4, 99, 1, 2, 4};
	struct published *t;
	struct published_rule r;
	size_t added, dropped, cursor = 0, before = count_open();
	uint32_t id;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(add(t, "8000-8009", &id, NULL), 0);
	assert_int_equal(add(t, "9000-9001", &id, NULL), 0);
	assert_int_equal(add(t, "9100", &id, NULL), 0);
	assert_int_equal(add(t, "9200", &id, NULL), 0);
	assert_int_equal(add(t, "9300-9303", &id, NULL), 0);
	settle(t, &added, &dropped);
	published_remove_all(t, ids, sizeof(ids) / sizeof(ids[0]));
	assert_int_equal(count_open(), before + 5);
	settle(t, &added, &dropped);
	assert_int_equal(dropped, 13);
	published_clear_tallies(t);
	for (uint32_t slot = 0; slot < 18; slot++)
		published_add_tally(t, &(struct ctlmsg_port){slot, {1, 0, 0}});
	assert_true(published_next(t, &cursor, &r));
	assert_int_equal(r.id, 3);
	assert_int_equal(r.tally.flows, 1);
	assert_true(published_next(t, &cursor, &r));
	assert_int_equal(r.id, 5);
	assert_int_equal(r.tally.flows, 4);
	assert_false(published_next(t, &cursor, &r));
	published_free(t);
}

static void test_tallies(void **state)
{
	struct published *t;
	struct published_rule r;
	size_t added, dropped, cursor = 0;
	uint32_t id;

	(void)state;
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(add(t, "8000-8002", &id, NULL), 0);
	settle(t, &added, &dropped);
	published_clear_tallies(t);
	for (uint32_t slot = 0; slot < 3; slot++)
		published_add_tally(t, &(struct ctlmsg_port){slot, {1, 10, 100}});
	/* Of a worker that makes things up. */
	published_add_tally(t, &(struct ctlmsg_port){3, {1, 10, 100}});
	published_add_tally(t, &(struct ctlmsg_port){UINT32_MAX, {1, 10, 100}});
	assert_true(published_next(t, &cursor, &r));
	assert_int_equal(r.tally.flows, 3);
	assert_int_equal(r.tally.in, 30);
	assert_int_equal(r.tally.out, 300);
	published_free(t);
}

/* Ports take no more than there is, and leave some for whoever takes them back. */
static void test_no_descriptors(void **state)
{
	struct rlimit old, few;
	struct err e = ERR_INIT;
	struct published *t;
	size_t before = count_open();
	int left[24];
	uint32_t id;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){100, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(published_new(&t, NULL), 0);
	assert_int_equal(add(t, "8000-8199", &id, &e), -EMFILE);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_int_equal(e.sys, EMFILE);
	assert_int_equal(count_open(), before);
	assert_int_equal(add(t, "8000-8009", &id, NULL), 0);
	while (add(t, "0:80", &id, NULL) == 0)
		;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		left[i] = dup(0);
		assert_true(left[i] >= 0);
	}
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		close(left[i]);
	assert_int_equal(published_remove(t, 1), 0);
	settle(t, &(size_t){0}, &(size_t){0});
	assert_int_equal(add(t, "9000-9009", &id, NULL), 0);
	published_free(t);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* Without a local address every address is nobody's, and may be bound. */
static int loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), k;

	k = ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return k;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_remove),  cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_picked),      cmocka_unit_test(test_worker),
		cmocka_unit_test(test_late_worker), cmocka_unit_test(test_remove_all),
		cmocka_unit_test(test_tallies),     cmocka_unit_test(test_no_descriptors),
	};

	/* Ports of nobody else. An ordinary user becomes root of a user namespace for it. */
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 1;
	if (loopback_up() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
