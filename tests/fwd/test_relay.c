/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP through the forwarder, container and clients on loopback addresses of a namespace of our own:
 * the container is 127.0.0.5 (and ::1 where it has IPv6), clients use 127.0.0.1 and ::1.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "world.h"

#define PORT 8080
#define CTR_PORT 18080
#define KEY "c1@eth0"
#define BULK (100u * 1024 * 1024)

static pid_t server;

static int stop_all(void **state)
{
	(void)state;
	world_stop(&server);
	world_release(KEY);
	pid_t pid = world_forwarder();
	if (pid) {
		int status = world_reap(pid);
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
	}
	return 0;
}

/* Streams both ways at once; the client's end of stream does not end ours. */
static void both_ways(int fd)
{
	pid_t sender = fork();

	if (sender == 0) {
		bool ok = stream_send(fd, 2, BULK);
		shutdown(fd, SHUT_WR);
		_exit(ok ? 0 : 1);
	}
	bool ok = stream_receive(fd, 1, BULK);
	waitpid(sender, NULL, 0);
	/* Not right: the client is told by a reset that its bytes did not get here. */
	if (!ok)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
			   sizeof(struct linger));
}

static void echo(int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		for (ssize_t at = 0, k; at < n; at += k) {
			k = send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
			if (k < 0)
				return;
		}
}

static void exchange(int fd, const char *word)
{
	char buf[64] = "";
	size_t len = strlen(word);

	assert_int_equal(send(fd, word, len, MSG_NOSIGNAL), len);
	assert_int_equal(recv(fd, buf, len, MSG_WAITALL), len);
	assert_string_equal(buf, word);
}

static void bulk(const char *client_ip)
{
	int fd = world_connect(client_ip, PORT, SOCK_STREAM);

	assert_true(fd >= 0);
	pid_t sender = fork();
	if (sender == 0) {
		bool ok = stream_send(fd, 1, BULK);
		shutdown(fd, SHUT_WR);
		_exit(ok ? 0 : 1);
	}
	assert_true(stream_receive(fd, 2, BULK));
	assert_int_equal(world_reap(sender), 0);
	char c;
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static void test_bulk_both_ways(void **state)
{
	(void)state;
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, both_ways);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	bulk("127.0.0.1");
}

static void test_bulk_six_to_four(void **state)
{
	(void)state;
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, both_ways);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	bulk("::1");
}

/* Both families have their own container address here: each client must reach the one of its own.
 */
static void say_four(int fd)
{
	send(fd, "4", 1, MSG_NOSIGNAL);
}

static void say_six(int fd)
{
	send(fd, "6", 1, MSG_NOSIGNAL);
}

static void test_same_family(void **state)
{
	(void)state;
	static const char *const clients[] = {"127.0.0.1", "::1"};
	pid_t six = world_serve("::1", CTR_PORT, SOCK_STREAM, say_six);

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_four);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, true);
	for (int i = 0; i < 2; i++) {
		char c = 0;
		int fd = world_connect(clients[i], PORT, SOCK_STREAM);
		assert_true(fd >= 0);
		assert_int_equal(recv(fd, &c, 1, 0), 1);
		assert_int_equal(c, i == 0 ? '4' : '6');
		close(fd);
	}
	world_stop(&six);
}

/* Counts until the end of the request, then answers: needs the FIN to pass and the way back to
 * stay. */
static void answer_after_end(int fd)
{
	if (stream_receive(fd, 7, 3000000))
		stream_send(fd, 8, 2000000);
}

static void test_half_close(void **state)
{
	(void)state;
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, answer_after_end);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_true(stream_send(fd, 7, 3000000));
	shutdown(fd, SHUT_WR);
	assert_true(stream_receive(fd, 8, 2000000));
	close(fd);
}

/* The other way: the container ends first, the client goes on sending. */
static void end_then_read(int fd)
{
	stream_send(fd, 9, 100000);
	shutdown(fd, SHUT_WR);
	bool ok = stream_receive(fd, 10, 3000000);
	/* The answer is how we end: FIN was sent before, so only a reset can say no. */
	if (!ok)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
			   sizeof(struct linger));
}

static void test_half_close_by_container(void **state)
{
	(void)state;
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, end_then_read);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_true(stream_receive(fd, 9, 100000));
	assert_true(stream_send(fd, 10, 3000000));
	shutdown(fd, SHUT_WR);
	struct pollfd p = {.fd = fd, .events = 0};
	assert_int_equal(poll(&p, 1, WORLD_WAIT_MS), 1);
	int sys = -1;
	socklen_t len = sizeof(sys);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len), 0);
	assert_int_equal(sys, 0);
	close(fd);
}

/* Says "last words", waits for a byte, resets. */
static void speak_and_reset(int fd)
{
	char c;

	send(fd, "last words", 10, MSG_NOSIGNAL);
	recv(fd, &c, 1, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
}

static void test_reset_by_container(void **state)
{
	(void)state;
	char buf[64];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, speak_and_reset);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int fd = world_connect("::1", PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_int_equal(recv(fd, buf, 10, MSG_WAITALL), 10);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

/* Tells on a second port what comes by the first one's connection, and how it ended. */
static void report_end(int fd)
{
	int out = world_connect("127.0.0.5", CTR_PORT + 1, SOCK_DGRAM);
	char buf[64];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		send(out, buf, (size_t)n, 0);
	const char *what = n == 0 ? "end" : errno == ECONNRESET ? "reset" : "other";
	send(out, what, strlen(what), 0);
}

static void test_reset_by_client(void **state)
{
	(void)state;
	struct sockaddr_storage ss;
	char buf[64] = "";
	socklen_t len = world_address("127.0.0.5", CTR_PORT + 1, &ss);
	int report = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(report, (struct sockaddr *)&ss, len), 0);
	setsockopt(report, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 60},
		   sizeof(struct timeval));
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, report_end);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	for (int i = 0; i < 2; i++) {
		int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
		assert_true(fd >= 0);
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(report, buf, sizeof(buf), 0), 1);
		if (i == 1)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
				   sizeof(struct linger));
		close(fd);
		memset(buf, 0, sizeof(buf));
		assert_true(recv(report, buf, sizeof(buf) - 1, 0) > 0);
		assert_string_equal(buf, i == 0 ? "end" : "reset");
	}
	close(report);
}

static void test_refused_is_reset(void **state)
{
	(void)state;
	char c;

	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false); /* no server */
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	if (fd >= 0) {
		assert_int_equal(recv(fd, &c, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(fd);
	} else {
		assert_int_equal(fd, -ECONNRESET);
	}
}

/* A client that does not read stops the container (its send would time out), not the other clients.
 */
static void flood(int fd)
{
	stream_send(fd, 3, 64u * 1024 * 1024);
}

static void test_slow_reader(void **state)
{
	(void)state;
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, flood);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int slow = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(slow >= 0);
	world_nap(300);
	pid_t pid = world_forwarder();
	char path[64], line[256];
	long kb = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtol(line + 8, NULL, 10);
	fclose(f);
	/* 64 MiB are waiting; a sanitizer's own share of memory is about 10 MiB. */
	assert_in_range(kb, 1, 32768);
	int other = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(other >= 0);
	assert_true(stream_receive(other, 3, 64u * 1024 * 1024));
	assert_true(stream_receive(slow, 3, 64u * 1024 * 1024));
	close(other);
	close(slow);
}

#define MANY 500

/* More at once than there are pipes to hold bytes: none may be lost, mixed up or starve. */
static void test_many_at_once(void **state)
{
	(void)state;
	static int fd[MANY];
	char word[32];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, echo);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	for (int i = 0; i < MANY; i++) {
		fd[i] = world_connect(i % 2 ? "::1" : "127.0.0.1", PORT, SOCK_STREAM);
		assert_true(fd[i] >= 0);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(word, sizeof(word), "word %d.%03d", round, i);
			assert_int_equal(send(fd[i], word, strlen(word), MSG_NOSIGNAL),
					 strlen(word));
		}
		for (int i = 0; i < MANY; i++) {
			char got[32] = "";
			snprintf(word, sizeof(word), "word %d.%03d", round, i);
			assert_int_equal(recv(fd[i], got, strlen(word), MSG_WAITALL), strlen(word));
			assert_string_equal(got, word);
		}
	}
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
}

static void write_sysctl(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Every connection holds bytes that nobody takes, so all pipes are in use and the rest is copied.
 */
static void test_without_pipes(void **state)
{
	(void)state;
	enum { STUCK = 600 };
	static int fd[STUCK];
	static uint8_t data[65536], want[65536];

	/* Our namespace's own values: hundreds of megabytes would be under way otherwise. */
	write_sysctl("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 65536");
	write_sysctl("/proc/sys/net/ipv4/tcp_rmem", "4096 65536 131072");
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, flood);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	for (int i = 0; i < STUCK; i++) {
		fd[i] = world_connect("127.0.0.1", PORT, SOCK_STREAM);
		assert_true(fd[i] >= 0);
	}
	world_nap(300);
	/* The last ones got no pipe; their bytes must be right all the same. */
	for (int i = STUCK - 3; i < STUCK; i++) {
		struct stream s = {.state = 3};
		for (size_t got = 0; got < 8u * 1024 * 1024;) {
			ssize_t k = recv(fd[i], data, sizeof(data), 0);
			assert_true(k > 0);
			stream_fill(&s, want, (size_t)k);
			assert_memory_equal(data, want, (size_t)k);
			got += (size_t)k;
		}
	}
	for (int i = 0; i < STUCK; i++)
		close(fd[i]);
}

static void test_release_cuts(void **state)
{
	(void)state;
	char c;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, echo);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	exchange(fd, "before");
	world_release(KEY);
	assert_int_equal(recv(fd, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	assert_int_equal(world_connect("127.0.0.1", PORT, SOCK_STREAM), -ECONNREFUSED);
	/* TIME_WAIT and the like of the old use do not keep us from the port. */
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(fd >= 0);
	exchange(fd, "after");
	close(fd);
}

static long count_switches(pid_t pid)
{
	char path[64], line[256];
	long n = -1; /* one that always had something to do has given nothing away: 0 */

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			break;
	fclose(f);
	assert_true(n >= 0);
	return n;
}

/* Nothing to do costs nothing: no wake-ups with idle connections, half closed ones among them. */
static void test_idle(void **state)
{
	(void)state;
	long before, woken = 2;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, echo);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	int a = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	int b = world_connect("::1", PORT, SOCK_STREAM);
	assert_true(a >= 0 && b >= 0);
	exchange(a, "hello");
	exchange(b, "hello");
	shutdown(b, SHUT_WR);
	/* Once it has got to all of that. */
	for (int i = 0; i < 20 && woken > 1; i++) {
		before = count_switches(world_forwarder());
		world_nap(500);
		woken = count_switches(world_forwarder()) - before;
	}
	assert_in_range(woken, 0, 1);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_bulk_both_ways, stop_all),
		cmocka_unit_test_teardown(test_bulk_six_to_four, stop_all),
		cmocka_unit_test_teardown(test_same_family, stop_all),
		cmocka_unit_test_teardown(test_half_close, stop_all),
		cmocka_unit_test_teardown(test_half_close_by_container, stop_all),
		cmocka_unit_test_teardown(test_reset_by_container, stop_all),
		cmocka_unit_test_teardown(test_reset_by_client, stop_all),
		cmocka_unit_test_teardown(test_refused_is_reset, stop_all),
		cmocka_unit_test_teardown(test_slow_reader, stop_all),
		cmocka_unit_test_teardown(test_many_at_once, stop_all),
		cmocka_unit_test_teardown(test_release_cuts, stop_all),
		cmocka_unit_test_teardown(test_idle, stop_all),
		/* last: it changes sysctls of the namespace */
		cmocka_unit_test_teardown(test_without_pipes, stop_all),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
