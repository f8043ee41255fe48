/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binding published ports: what is taken and by whom, ports picked by the kernel, ranges, bad
 * input. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/portowner.h"
#include "world.h"

static const bool four_only[N_FAM] = {true, false};
static struct reserve *res;

static int open_one(void **state)
{
	(void)state;
	struct err e = ERR_INIT;

	return reserve_open(-1, &res, &e);
}

static int close_one(void **state)
{
	(void)state;
	reserve_closep(&res);
	return world_reap_all() ? 0 : -1;
}

static struct publish one(uint8_t proto, uint16_t port)
{
	return (struct publish){.proto = proto, .host_port = port, .ctr_port = 80, .count = 1};
}

static int try_bind(struct publish *p, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return reserve_bind(res, p, four_only, e);
}

/* A socket of "another program": this one. */
static int hold(const char *ip, uint16_t port, int type, bool reuse, bool listening)
{
	struct sockaddr_storage ss;
	socklen_t len = world_address(ip, port, &ss);
	const int on = 1;
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void assert_taken_by_us(uint8_t proto, uint16_t port)
{
	char who[PORTOWNER_STRLEN], want[160];
	struct publish p = one(proto, port);
	struct err e;

	assert_int_equal(try_bind(&p, &e), -EADDRINUSE);
	assert_int_equal(e.kind, ERR_CONFLICT);
	snprintf(want, sizeof(want), "port %u/%s is taken by %s", port,
		 proto == IPPROTO_TCP ? "tcp" : "udp", portowner_process(getpid(), who));
	assert_non_null(strstr(e.text, want));
}

static void test_taken(void **state)
{
	(void)state;
	static const char *const at[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		int fd = hold(at[i], 8081, SOCK_STREAM, true, true);
		assert_taken_by_us(IPPROTO_TCP, 8081);
		close(fd);
		fd = hold(at[i], 8081, SOCK_DGRAM, true, false);
		assert_taken_by_us(IPPROTO_UDP, 8081);
		close(fd);
	}
	struct publish p = one(IPPROTO_TCP, 8081);
	struct err e;
	assert_int_equal(try_bind(&p, &e), 0);
}

/* What one engine has bound, the next one cannot have, even before it is handed over. */
static void test_two_engines(void **state)
{
	(void)state;
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		CLEAN_RESERVE struct reserve *other = NULL;
		struct publish p = one(protos[i], 8082);
		assert_int_equal(reserve_open(-1, &other, &e), 0);
		assert_int_equal(reserve_bind(other, &p, four_only, &e), 0);
		assert_taken_by_us(protos[i], 8082);
	}
}

static void test_nothing_stays_after_failure(void **state)
{
	(void)state;
	struct publish p = one(IPPROTO_TCP, 8090);
	struct err e;
	int fd = hold("127.0.0.1", 8093, SOCK_STREAM, false, true);

	p.count = 8;
	assert_int_equal(try_bind(&p, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "8093"));
	for (uint16_t port = 8090; port < 8093; port++)
		close(hold("0.0.0.0", port, SOCK_STREAM, false, true));
	close(fd);
}

static void test_pick(void **state)
{
	(void)state;
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	uint16_t seen[20] = {0};

	for (int i = 0; i < 20; i++) {
		struct publish p = one(protos[i % 2], 0);
		struct err e;
		assert_int_equal(try_bind(&p, &e), 0);
		assert_int_not_equal(p.host_port, 0);
		for (int k = i % 2; k < i; k += 2)
			assert_int_not_equal(p.host_port, seen[k]);
		seen[i] = p.host_port;
		/* The one port is ours in both families. */
		struct sockaddr_storage ss;
		const int on = 1;
		socklen_t len = world_address("::", p.host_port, &ss);
		int fd = socket(AF_INET6, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), -1);
		close(fd);
		len = world_address("0.0.0.0", p.host_port, &ss);
		fd = socket(AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), -1);
		close(fd);
	}
}

static void test_long_range(void **state)
{
	(void)state;
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct err e;

	for (int i = 0; i < 2; i++) {
		struct publish p = {
			.proto = protos[i], .host_port = 2000, .ctr_port = 2000, .count = 60000};
		clock_t start = clock(); /* processor time: others may have the processors */
		assert_int_equal(try_bind(&p, &e), 0);
		/* Generous: a fault that scans something for each port takes minutes. */
		assert_in_range(clock() - start, 0, 10 * CLOCKS_PER_SEC);
		/* Tried, not kept. */
		close(hold("0.0.0.0", 30000, i ? SOCK_DGRAM : SOCK_STREAM, false, !i));
		int fd = hold("127.0.0.1", 61999, i ? SOCK_DGRAM : SOCK_STREAM, false, !i);
		assert_int_equal(try_bind(&p, &e), -EADDRINUSE);
		assert_non_null(strstr(e.text, "port 61999/"));
		close(fd);
	}
	/* Nothing to serve: no forwarder. */
	assert_int_equal(world_forwarder(), 0);
}

static void test_host_address(void **state)
{
	(void)state;
	struct publish p = one(IPPROTO_TCP, 8083);
	struct err e;

	p.host_ip = (struct ip){.family = AF_INET, .b = {198, 51, 100, 7}};
	assert_int_equal(try_bind(&p, &e), -EADDRNOTAVAIL);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.text, "198.51.100.7"));
	p.host_ip = (struct ip){.family = AF_INET6, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	assert_int_equal(try_bind(&p, &e), -EADDRNOTAVAIL);
	assert_int_equal(e.kind, ERR_USAGE);
	/* One family's wildcard leaves the other alone. */
	p.host_ip = (struct ip){.family = AF_INET};
	assert_int_equal(try_bind(&p, &e), 0);
	close(hold("::", 8083, SOCK_STREAM, false, true));
}

static void test_bad_runs(void **state)
{
	(void)state;
	const bool none[N_FAM] = {false, false};
	struct publish p = one(IPPROTO_TCP, 65535);
	struct err e;

	p.count = 2;
	assert_int_equal(try_bind(&p, &e), -EINVAL);
	p = one(IPPROTO_TCP, 0);
	p.count = 2;
	assert_int_equal(try_bind(&p, &e), -EINVAL);
	p = one(IPPROTO_SCTP, 0);
	assert_true(try_bind(&p, &e) < 0);
	p = one(IPPROTO_TCP, 80);
	e = (struct err)ERR_INIT;
	assert_int_equal(reserve_bind(res, &p, none, &e), -EINVAL);
	p = one(IPPROTO_SCTP, 80);
	assert_int_equal(try_bind(&p, &e), 0);
	assert_int_equal(world_forwarder(), 0);
}

static void test_owner_unknown(void **state)
{
	(void)state;
	char who[PORTOWNER_STRLEN];
	struct ip any = {0};

	assert_string_equal(portowner_find(IPPROTO_TCP, &any, 4, who),
			    "a process that cannot be seen");
}

/* The side that closes first keeps its port for a minute. */
static void test_owner_has_ended(void **state)
{
	(void)state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	char who[PORTOWNER_STRLEN];
	struct ip any = {0};
	CLEAN_FD int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEAN_FD int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEAN_FD int a = -1;
	char byte;

	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(c, (struct sockaddr *)&at, sizeof(at)), 0);
	a = accept(l, NULL, NULL);
	assert_true(a >= 0);
	len = sizeof(at);
	assert_int_equal(getsockname(c, (struct sockaddr *)&at, &len), 0);
	fd_closep(&c);
	assert_int_equal(read(a, &byte, 1), 0);
	fd_closep(&a);
	assert_string_equal(portowner_find(IPPROTO_TCP, &any, ntohs(at.sin_port), who),
			    "a connection that ended less than a minute ago");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken, open_one, close_one),
		cmocka_unit_test_setup_teardown(test_two_engines, open_one, close_one),
		cmocka_unit_test_setup_teardown(test_nothing_stays_after_failure, open_one,
						close_one),
		cmocka_unit_test_setup_teardown(test_pick, open_one, close_one),
		cmocka_unit_test_setup_teardown(test_long_range, open_one, close_one),
		cmocka_unit_test_setup_teardown(test_host_address, open_one, close_one),
		cmocka_unit_test_setup_teardown(test_bad_runs, open_one, close_one),
		cmocka_unit_test(test_owner_unknown),
		cmocka_unit_test(test_owner_has_ended),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
