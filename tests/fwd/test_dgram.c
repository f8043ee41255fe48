/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP through the forwarder: flows of several clients, both families, answers from the right
 * address, refusals, and the sizes of datagrams. */
#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "world.h"

#define PORT 5353
#define CTR_PORT 15353
#define KEY "c1@eth0"

static pid_t server, server6;

static int stop_all(void **state)
{
	(void)state;
	world_stop(&server);
	world_stop(&server6);
	world_release(KEY);
	pid_t pid = world_forwarder();
	if (pid) {
		int status = world_reap(pid);
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
	}
	return 0;
}

/* Answers each datagram with itself, the peer's port in front: that tells flows apart. */
static void echo_tagged(int fd)
{
	static char buf[65536];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t n;

	while ((n = recvfrom(fd, buf + 2, sizeof(buf) - 2, 0, (struct sockaddr *)&ss, &len)) >= 0) {
		memcpy(buf, &((struct sockaddr_in *)&ss)->sin_port, 2);
		sendto(fd, buf, (size_t)n + 2, 0, (struct sockaddr *)&ss, len);
		len = sizeof(ss);
	}
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

static void echo_six(int fd)
{
	char buf[64];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	while (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len) >= 0) {
		sendto(fd, "six", 3, 0, (struct sockaddr *)&ss, len);
		len = sizeof(ss);
	}
}

/* A connected client accepts answers from the very address it asked only. */
static uint16_t ask(int fd, const char *word)
{
	char buf[64] = "";
	uint16_t tag;
	size_t len = strlen(word);

	assert_int_equal(send(fd, word, len, 0), len);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), len + 2);
	assert_memory_equal(buf + 2, word, len);
	memcpy(&tag, buf, 2);
	return tag;
}

static void test_two_clients(void **state)
{
	(void)state;
	static const char *const asked[] = {"127.0.0.1", "127.0.0.1", "::1", "127.0.0.77"};
	uint16_t tag[4];
	int fd[4];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_DGRAM, echo_tagged);
	world_publish(IPPROTO_UDP, PORT, CTR_PORT, false);
	for (int i = 0; i < 4; i++) {
		fd[i] = world_connect(asked[i], PORT, SOCK_DGRAM);
		assert_true(fd[i] >= 0);
		tag[i] = ask(fd[i], "first");
		for (int k = 0; k < i; k++)
			assert_int_not_equal(tag[i], tag[k]);
	}
	for (int i = 3; i >= 0; i--)
		assert_int_equal(ask(fd[i], "second, longer"), tag[i]);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

static void test_same_family(void **state)
{
	(void)state;
	char buf[16] = "";

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_DGRAM, echo);
	server6 = world_serve("::1", CTR_PORT, SOCK_DGRAM, echo_six);
	world_publish(IPPROTO_UDP, PORT, CTR_PORT, true);
	int four = world_connect("127.0.0.1", PORT, SOCK_DGRAM);
	int six = world_connect("::1", PORT, SOCK_DGRAM);
	assert_int_equal(send(four, "four", 4, 0), 4);
	assert_int_equal(recv(four, buf, sizeof(buf), 0), 4);
	assert_memory_equal(buf, "four", 4);
	assert_int_equal(send(six, "x", 1, 0), 1);
	assert_int_equal(recv(six, buf, sizeof(buf), 0), 3);
	assert_memory_equal(buf, "six", 3);
	close(four);
	close(six);
}

static void test_sizes(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 1472, 1473, 9000, 65507};
	static uint8_t data[65536], got[65536];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_DGRAM, echo);
	world_publish(IPPROTO_UDP, PORT, CTR_PORT, false);
	int fd = world_connect("127.0.0.1", PORT, SOCK_DGRAM);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct stream s = {.state = i + 1};
		stream_fill(&s, data, sizes[i]);
		assert_int_equal(send(fd, data, sizes[i], 0), sizes[i]);
		assert_int_equal(recv(fd, got, sizeof(got), 0), sizes[i]);
		assert_memory_equal(data, got, sizes[i]);
	}
	close(fd);
}

static size_t count_fds(void)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)world_forwarder());
	DIR *d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What earlier callers and flows left is closed when the forwarder gets to it. */
static void await_fds(size_t most)
{
	uint64_t deadline = clock_ms() + WORLD_WAIT_MS;

	do {
		assert_true(clock_left(deadline) > 0);
		world_nap(50);
	} while (count_fds() > most);
}

/* No server: the refusal ends the flow; when the server comes the same client gets through. */
static void test_refused_then_served(void **state)
{
	(void)state;
	char buf[16];

	world_publish(IPPROTO_UDP, PORT, CTR_PORT, false);
	world_nap(50);
	size_t before = count_fds();
	int fd = world_connect("127.0.0.1", PORT, SOCK_DGRAM);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(fd, "lost", 4, 0), 4);
		await_fds(before);
	}
	server = world_serve("127.0.0.5", CTR_PORT, SOCK_DGRAM, echo);
	assert_int_equal(send(fd, "found", 5, 0), 5);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "found", 5);
	close(fd);
}

/* More at once than one turn takes; loopback loses nothing as long as the buffers hold it. */
static void test_burst(void **state)
{
	(void)state;
	enum { BURST = 100 };
	bool seen[BURST] = {false};
	char buf[16];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_DGRAM, echo);
	world_publish(IPPROTO_UDP, PORT, CTR_PORT, false);
	int fd = world_connect("::1", PORT, SOCK_DGRAM);
	for (int i = 0; i < BURST; i++) {
		snprintf(buf, sizeof(buf), "%03d", i);
		assert_int_equal(send(fd, buf, 3, 0), 3);
	}
	for (int i = 0; i < BURST; i++) {
		int k = -1;
		memset(buf, 0, sizeof(buf));
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), 3);
		assert_int_equal(sscanf(buf, "%d", &k), 1);
		assert_in_range(k, 0, BURST - 1);
		assert_false(seen[k]);
		seen[k] = true;
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_two_clients, stop_all),
		cmocka_unit_test_teardown(test_same_family, stop_all),
		cmocka_unit_test_teardown(test_sizes, stop_all),
		cmocka_unit_test_teardown(test_refused_then_served, stop_all),
		cmocka_unit_test_teardown(test_burst, stop_all),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
