/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With a real container: a namespace behind a veth. Who is served and who is not, published host
 * addresses, a system out of descriptors, a container that is gone. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "world.h"

#define PORT 8080
#define CTR_PORT 80
#define KEY "c1@eth0"
#define HOST4 "198.51.100.1"
#define HOST6 "2001:db8::1"

static int host_ns = -1, ctr_ns = -1;
static pid_t tcp_server, udp_server;
static const struct ip ctr4 = {.family = AF_INET, .b = {198, 51, 100, 2}};
static const struct ip ctr6 = {.family = AF_INET6, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};

static void run(const char *line)
{
	int status = system(line);

	if (status != 0)
		fail_msg("%s: status %d", line, status);
}

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int own_ns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void say_hello(int fd)
{
	char c;

	send(fd, "hello", 5, MSG_NOSIGNAL);
	while (recv(fd, &c, 1, 0) > 0)
		;
}

static void echo(int fd)
{
	static char buf[65536];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t n;

	while ((n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len)) >= 0) {
		sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&ss, len);
		len = sizeof(ss);
	}
}

static int set_up(void **state)
{
	char line[256];

	(void)state;
	host_ns = own_ns();
	/* A child keeps the namespace alive only until we hold it by descriptor. */
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ctr_ns = own_ns();
	run("ip link set lo up");
	enter(host_ns);
	snprintf(line, sizeof(line), "ip link add h0 type veth peer name eth0 netns /proc/%d/fd/%d",
		 (int)getpid(), ctr_ns);
	run(line);
	run("ip addr add " HOST4 "/24 dev h0 && ip addr add " HOST6
	    "/64 dev h0 nodad && ip link set h0 addrgenmode eui64 && ip link set h0 up");
	enter(ctr_ns);
	run("ip addr add 198.51.100.2/24 dev eth0 && ip addr add 2001:db8::2/64 dev eth0 nodad && "
	    "ip link set eth0 up");
	tcp_server = world_serve("198.51.100.2", CTR_PORT, SOCK_STREAM, say_hello);
	udp_server = world_serve("198.51.100.2", CTR_PORT, SOCK_DGRAM, echo);
	enter(host_ns);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_stop(&tcp_server);
	world_stop(&udp_server);
	enter(host_ns);
	world_release(KEY);
	pid_t pid = world_forwarder();
	int status = pid ? world_reap(pid) : 0;
	int r = status == 0 ? 0 : -1;
	if (r < 0)
		fprintf(stderr, "the forwarder ended with status %#x\n", (unsigned int)status);
	/* The names are those of our own namespaces, which end with us; gone now for the next test.
	 */
	if (system("ip link del h0 2>/dev/null") < 0)
		r = -1;
	close(ctr_ns);
	close(host_ns);
	return r;
}

static void publish(uint8_t proto, const struct ip *host_ip, bool six)
{
	struct publish p = {.proto = proto, .host_port = PORT, .ctr_port = CTR_PORT, .count = 1};
	struct ip target[N_FAM] = {ctr4};
	const bool has[N_FAM] = {true, six};
	struct err e = ERR_INIT;
	CLEAN_RESERVE struct reserve *r = NULL;

	if (host_ip)
		p.host_ip = *host_ip;
	if (six)
		target[FAM6] = ctr6;
	assert_int_equal(reserve_open(-1, &r, &e), 0);
	if (reserve_bind(r, &p, has, &e) < 0 || reserve_commit(r, KEY, target, &e) < 0)
		fail_msg("%s", e.text);
}

static bool is_greeted(int fd)
{
	char buf[8];

	return recv(fd, buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0;
}

static void test_who_is_served(void **state)
{
	(void)state;
	static const char *const own[] = {"127.0.0.1", "::1", HOST4, HOST6};
	static const char *const outside[] = {HOST4, HOST6};
	char c;

	publish(IPPROTO_TCP, NULL, false);
	for (size_t i = 0; i < 4; i++) {
		int fd = world_connect(own[i], PORT, SOCK_STREAM);
		assert_true(fd >= 0);
		assert_true(is_greeted(fd));
		close(fd);
	}
	enter(ctr_ns);
	for (size_t i = 0; i < 2; i++) {
		int fd = world_connect(outside[i], PORT, SOCK_STREAM);
		if (fd >= 0) {
			assert_int_equal(recv(fd, &c, 1, 0), -1);
			assert_int_equal(errno, ECONNRESET);
			close(fd);
		} else {
			assert_int_equal(fd, -ECONNRESET);
		}
	}
	enter(host_ns);
}

static void test_who_is_served_udp(void **state)
{
	(void)state;
	static const char *const own[] = {"127.0.0.1", "::1", HOST4, HOST6};
	static const char *const outside[] = {HOST4, HOST6};
	char buf[8];

	publish(IPPROTO_UDP, NULL, false);
	for (size_t i = 0; i < 4; i++) {
		int fd = world_connect(own[i], PORT, SOCK_DGRAM);
		assert_true(fd >= 0);
		assert_int_equal(send(fd, "ping", 4, 0), 4);
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), 4);
		close(fd);
	}
	enter(ctr_ns);
	for (size_t i = 0; i < 2; i++) {
		int fd = world_connect(outside[i], PORT, SOCK_DGRAM);
		assert_int_equal(send(fd, "ping", 4, 0), 4);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, 200), 0);
		close(fd);
	}
	enter(host_ns);
}

/* To the host's own link-local address: the answer needs the interface as well. */
static void test_link_local_udp(void **state)
{
	(void)state;
	struct sockaddr_storage ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
	char text[64] = "", buf[8];
	int fd = -1, r = -1;

	FILE *f = popen("ip -6 -o addr show dev h0 scope link | sed 's/.*inet6 //; s,/.*,,'", "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	text[strcspn(text, "\n")] = '\0';
	publish(IPPROTO_UDP, NULL, false);
	socklen_t len = world_address(text, PORT, &ss);
	six->sin6_scope_id = if_nametoindex("h0");
	uint64_t deadline = clock_ms() + WORLD_WAIT_MS;
	/* Duplicate address detection has to end first. */
	while (r < 0 && clock_left(deadline) > 0) {
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		r = bind(fd,
			 (struct sockaddr *)&(struct sockaddr_in6){.sin6_family = AF_INET6,
								   .sin6_addr = six->sin6_addr,
								   .sin6_scope_id =
									   six->sin6_scope_id},
			 sizeof(*six));
		if (r < 0) {
			close(fd);
			world_nap(10);
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 60},
		   sizeof(struct timeval));
	assert_int_equal(send(fd, "ping", 4, 0), 4);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 4);
	close(fd);
}

static void test_host_address(void **state)
{
	(void)state;
	const struct ip at = {.family = AF_INET, .b = {198, 51, 100, 1}};

	publish(IPPROTO_TCP, &at, false);
	assert_int_equal(world_connect("127.0.0.1", PORT, SOCK_STREAM), -ECONNREFUSED);
	assert_int_equal(world_connect("::1", PORT, SOCK_STREAM), -ECONNREFUSED);
	int fd = world_connect(HOST4, PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_true(is_greeted(fd));
	close(fd);
}

static uint64_t cpu_ticks(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user = 0, sys = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(line, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&sys),
			 2);
	return user + sys;
}

/* A forwarder that may have few descriptors, for ever: what it inherits, and no right to raise it.
 */
static void publish_with_few(unsigned int n)
{
	const struct rlimit few = {n, n};
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) < 0 ||
		    setrlimit(RLIMIT_NOFILE, &few) < 0)
			_exit(1);
		world_publish(IPPROTO_TCP, PORT, 81, false);
		_exit(0);
	}
	assert_int_equal(world_reap(pid), 0);
}

/* Out of descriptors: nothing spins, the listener stays, clients wait in its queue; when there are
 * some again they are served. */
static void check_with_few(unsigned int n)
{
	enum { CLIENTS = 30 };
	int fd[CLIENTS];
	size_t waiting = 0, served = 0, turned_away = 0;
	pid_t server = world_serve("127.0.0.5", 81, SOCK_STREAM, say_hello);

	publish_with_few(n);
	pid_t pid = world_forwarder();
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	/* Some have their answer: it is at work, or was. */
	uint64_t deadline = clock_ms() + WORLD_WAIT_MS;
	for (size_t ready = 0; ready < 2 && clock_left(deadline) > 0; world_nap(50)) {
		ready = 0;
		for (int i = 0; i < CLIENTS; i++) {
			struct pollfd p = {.fd = fd[i], .events = POLLIN};
			ready += fd[i] >= 0 && poll(&p, 1, 0) == 1;
		}
	}
	uint64_t before = cpu_ticks(pid);
	world_nap(500);
	/* A spinning one takes 50 of 50. */
	assert_in_range(cpu_ticks(pid) - before, 0, 10);
	for (int i = 0; i < CLIENTS; i++) {
		struct pollfd p = {.fd = fd[i], .events = POLLIN};
		if (fd[i] >= 0 && poll(&p, 1, 0) == 0) {
			waiting++;
		} else if (fd[i] >= 0) {
			bool ok = is_greeted(fd[i]);
			served += ok;
			turned_away += !ok;
			close(fd[i]);
			fd[i] = -1;
		}
	}
	assert_in_range(served, 2, CLIENTS - 1);
	assert_in_range(waiting, 1, CLIENTS - 1);
	assert_int_equal(turned_away, 0);
	/* Descriptors come back two at a time, so the last of those waiting sees the queue move on.
	 */
	int last = CLIENTS - 1;
	assert_true(fd[last] >= 0);
	for (int i = 0; i < last; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	assert_true(is_greeted(fd[last]));
	close(fd[last]);
	int again = world_connect("::1", PORT, SOCK_STREAM);
	assert_true(again >= 0);
	assert_true(is_greeted(again));
	close(again);
	world_stop(&server);
	world_release(KEY);
	assert_int_equal(world_reap(pid), 0);
}

/* A client takes two: with an even and with an odd number of them something else is short. */
static void test_out_of_descriptors(void **state)
{
	(void)state;
	check_with_few(24);
	check_with_few(25);
}

/* The container is gone with its link, but still published: a reset at once, no waiting. */
static void test_container_gone(void **state)
{
	(void)state;
	char c;

	publish(IPPROTO_TCP, NULL, true);
	run("ip link del h0");
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	if (fd >= 0) {
		assert_int_equal(recv(fd, &c, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(fd);
	} else {
		assert_int_equal(fd, -ECONNRESET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_is_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_is_served_udp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_link_local_udp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_out_of_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_container_gone, set_up, tear_down),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
