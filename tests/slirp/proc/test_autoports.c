/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports that follow what is said to be served, with real sockets in a network namespace of the
 * test's own and a worker that holds its copies until it is told: families that change, lists that
 * change altogether, a sender who never stops, one who does not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "proc/autoports.h"
#include "proc/nsdports.h"
#include "sys/fdpass.h"

#define MANY 3000
#define BOTH (NSDPORTS_V4 | NSDPORTS_V6)

struct world {
	struct published *ports;
	struct publish_list except;
	struct autoports *a;
	int ours, theirs;
	int held[PORTS_MAX]; /* the worker's, by slot; 0: none */
};

static struct world world;

static int set_up(void **state)
{
	struct world *w = &world;
	struct autoports_env env = {
		.except = &w->except,
		.guest = {{AF_INET, {10, 0, 2, 100}}, {AF_INET6, {0xfd, [15] = 1}}}};
	int pair[2];

	assert_int_equal(published_new(&w->ports, NULL), 0);
	env.published = w->ports;
	assert_int_equal(autoports_new(&env, &w->a, NULL), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	w->ours = pair[0];
	w->theirs = pair[1];
	*state = w;
	return 0;
}

/* The worker hears of everything and answers. */
static void settle(struct world *w)
{
	int fds[CTLMSG_PORTS];
	struct ctlmsg m;

	while (published_message(w->ports, 0, &m, fds)) {
		for (uint32_t i = 0; m.type == CTLMSG_PORTS_ADD && i < m.add.n; i++)
			w->held[m.add.port[i].slot] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		for (uint32_t i = 0; m.type == CTLMSG_PORTS_DROP && i < m.drop.n; i++) {
			close(w->held[m.drop.slot[i]]);
			w->held[m.drop.slot[i]] = 0;
		}
		published_done(w->ports, m.id);
	}
}

static int tear_down(void **state)
{
	struct world *w = *state;

	published_free(w->ports);
	autoports_free(w->a);
	close(w->ours);
	if (w->theirs >= 0)
		close(w->theirs);
	for (int i = 0; i < PORTS_MAX; i++) {
		if (w->held[i])
			close(w->held[i]);
		w->held[i] = 0;
	}
	return 0;
}

/* n TCP ports from first on, step apart. */
static void serve(struct world *w, uint16_t first, uint32_t n, uint16_t step, uint8_t families)
{
	static struct nsdports m;

	m = (struct nsdports){.version = NSDPORTS_VERSION, .n = n};
	for (uint32_t i = 0; i < n; i++)
		m.list[i] = (struct nsdports_entry){(uint16_t)(first + i * step), IPPROTO_TCP,
						    families};
	assert_int_equal(fdpass_send(w->theirs, &m, nsdports_size(&m), NULL, 0), 0);
}

/* The guest's families that the rule of a port has; -1: there is none. */
static int families_of(struct world *w, uint16_t port)
{
	struct published_rule r;
	size_t cursor = 0;

	while (published_next(w->ports, &cursor, &r))
		if (r.p.host_port == port)
			return (r.guest[FAM4].family ? NSDPORTS_V4 : 0) |
			       (r.guest[FAM6].family ? NSDPORTS_V6 : 0);
	return -1;
}

/* A program listens on 0.0.0.0 and a moment later on :: as well; another loses one of two. */
static void test_family_changes(void **state)
{
	static const uint8_t after[] = {BOTH, NSDPORTS_V6, NSDPORTS_V4};
	struct world *w = *state;

	serve(w, 7000, 1, 1, NSDPORTS_V4);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	assert_int_equal(families_of(w, 7000), NSDPORTS_V4);
	settle(w);
	for (size_t i = 0; i < sizeof(after); i++) {
		serve(w, 7000, 1, 1, after[i]);
		assert_int_equal(autoports_read(w->a, w->ours), 1);
		autoports_go_on(w->a);
		settle(w); /* the worker lets go of the one before */
		autoports_go_on(w->a);
		assert_int_equal(families_of(w, 7000), after[i]);
		settle(w);
	}
	/* Late, and gone before the worker has let go. */
	serve(w, 7000, 1, 1, BOTH);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	serve(w, 7000, 0, 1, BOTH);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	settle(w);
	autoports_go_on(w->a);
	assert_int_equal(published_count(w->ports), 0);
}

/* Somebody else's stays his, and is not asked for over and over. */
static void test_taken(void **state)
{
	struct world *w = *state;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(7001)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	serve(w, 7000, 3, 1, BOTH);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	settle(w);
	autoports_go_on(w->a);
	assert_int_equal(families_of(w, 7000), BOTH);
	assert_int_equal(families_of(w, 7001), -1);
	assert_int_equal(families_of(w, 7002), BOTH);
	close(fd);
	autoports_go_on(w->a);
	assert_int_equal(families_of(w, 7001), -1);
	/* When the program's socket changes it is. */
	serve(w, 7000, 3, 1, NSDPORTS_V4);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	settle(w);
	autoports_go_on(w->a);
	for (uint16_t port = 7000; port < 7003; port++)
		assert_int_equal(families_of(w, port), NSDPORTS_V4);
}

static void test_closed(void **state)
{
	struct world *w = *state;
	struct publish p;
	struct published_request q = {.list = &p, .n = 1, .guest = {{AF_INET, {10, 0, 2, 100}}}};
	uint32_t id;

	assert_int_equal(publish_parse("127.0.0.1:7001-7002", &p, NULL), 0);
	assert_int_equal(published_add(w->ports, &q, &id, NULL), 0);
	serve(w, 7000, 5, 1, BOTH);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	settle(w);
	autoports_go_on(w->a);
	assert_int_equal(published_count(w->ports), 4);
	assert_int_equal(families_of(w, 7001), NSDPORTS_V4);
	assert_int_equal(families_of(w, 7002), -1); /* within the run from 7001 on */
	assert_int_equal(families_of(w, 7003), BOTH);
}

/* A list that has nothing in common with the one before, at once and again. */
static void test_many(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 4; i++) {
		serve(w, (uint16_t)(10000 + i % 2), MANY, 2, BOTH);
		assert_int_equal(autoports_read(w->a, w->ours), 1);
		settle(w);
		autoports_go_on(w->a);
		assert_int_equal(published_count(w->ports), MANY);
		assert_int_equal(families_of(w, (uint16_t)(10000 + i % 2)), BOTH);
	}
}

/* Whoever sends without end keeps nobody from the rest of his work. */
static void test_endless(void **state)
{
	struct world *w = *state;
	uint16_t port;

	for (port = 7000; port < 7020; port++)
		serve(w, port, 1, 1, BOTH);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fdpass_send(w->theirs, "?", 1, NULL, 0), 0);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	assert_int_equal(families_of(w, 7019), -1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(autoports_read(w->a, w->ours), 1);
	assert_int_equal(families_of(w, 7019), BOTH);
	close(w->theirs);
	w->theirs = -1;
	assert_int_equal(autoports_read(w->a, w->ours), 0);
}

/* Not known is not gone. */
static void test_unknown(void **state)
{
	struct nsdports m = {.version = NSDPORTS_VERSION, .sys = EBUSY};
	struct world *w = *state;

	serve(w, 7000, 2, 1, BOTH);
	assert_int_equal(fdpass_send(w->theirs, &m, nsdports_size(&m), NULL, 0), 0);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	assert_int_equal(published_count(w->ports), 2);
	serve(w, 7001, 2, 1, BOTH);
	assert_int_equal(autoports_read(w->a, w->ours), 1);
	assert_int_equal(families_of(w, 7000), -1);
	assert_int_equal(families_of(w, 7002), BOTH);
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
		cmocka_unit_test_setup_teardown(test_family_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
	};
	struct rlimit files;

	log_setup("test", LOG_LEVEL_WARN);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 1;
	files.rlim_cur = files.rlim_max;
	/* Ports of nobody else. An ordinary user becomes root of a user namespace for it. */
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) ||
	    loopback_up() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
