/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of the host to servers in a container, by sockets that were made inside of it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "box.h"
#include "carrier_rig.h"

#define BULK (64u * 1024 * 1024)
#define MANY 1000

/* ---- servers ---- */

static void both_ways(int listener)
{
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
		pid_t sender = fork();

		if (sender == 0) {
			bool ok = rig_send(fd, 2, BULK);
			shutdown(fd, SHUT_WR);
			_exit(!ok);
		}
		rig_tell(rig_receive(fd, 1, BULK) ? "right" : "wrong");
		waitpid(sender, NULL, 0);
	}
}

static void echo_all(int listener)
{
	enum { FDS = MANY + 1 };
	static struct pollfd p[FDS];
	nfds_t n = 1;
	char buf[4096];

	p[0] = (struct pollfd){listener, POLLIN, 0};
	while (poll(p, n, -1) > 0)
		for (nfds_t i = 0; i < n; i++) {
			if (!p[i].revents)
				continue;
			if (i == 0) {
				p[n++] = (struct pollfd){accept(listener, NULL, NULL), POLLIN, 0};
				continue;
			}
			ssize_t k = recv(p[i].fd, buf, sizeof(buf), 0);
			if (k <= 0 || send(p[i].fd, buf, (size_t)k, MSG_NOSIGNAL) != k) {
				close(p[i].fd);
				p[i].fd = -1;
			}
		}
}

static void answer_after_end(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (rig_receive(fd, 7, 3000000))
		rig_send(fd, 8, 2000000);
	close(fd);
}

static void end_then_read(int listener)
{
	int fd = accept(listener, NULL, NULL);

	rig_send(fd, 9, 100000);
	shutdown(fd, SHUT_WR);
	rig_tell(rig_receive(fd, 10, 3000000) ? "right" : "wrong");
	close(fd);
}

static void speak_and_reset(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char c;

	send(fd, "last words", 10, MSG_NOSIGNAL);
	recv(fd, &c, 1, 0);
	rig_reset(fd);
}

static void report_end(int listener)
{
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
		char buf[64];
		ssize_t n;

		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
			(void)send(fd, buf, (size_t)n, MSG_NOSIGNAL); /* it has come */
		rig_tell(n == 0 ? "end" : errno == ECONNRESET ? "reset" : "other");
	}
}

static void flood(int listener)
{
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
		if (fork() == 0) {
			rig_send(fd, 3, BULK / 2);
			_exit(0);
		}
}

/* ---- tests ---- */

static void bulk(int i)
{
	int fd = rig_client(i);
	pid_t sender = fork();

	if (sender == 0) {
		bool ok = rig_send(fd, 1, BULK);
		shutdown(fd, SHUT_WR);
		_exit(!ok);
	}
	uint64_t began = clock_ns();
	assert_true(rig_receive(fd, 2, BULK));
	print_message("%.2f Gbit/s\n", BULK * 8.0 / (double)(clock_ns() - began));
	int status;
	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	rig_expect("right");
	close(fd);
}

static void test_bulk(void **state)
{
	(void)state;
	rig_start(16);
	rig_serve(both_ways);
	bulk(TCP4);
	bulk(TCP6);
	rig_end();
	assert_int_equal(shared->n_in, 2 * BULK);
	assert_int_equal(shared->n_out, 2 * BULK);
}

static void test_without_pipes(void **state)
{
	(void)state;
	rig_start(0);
	rig_serve(both_ways);
	bulk(TCP4);
	rig_end();
}

static void test_half_close(void **state)
{
	(void)state;
	rig_start(4);
	rig_serve(answer_after_end);
	int fd = rig_client(TCP4);
	assert_true(rig_send(fd, 7, 3000000));
	shutdown(fd, SHUT_WR);
	assert_true(rig_receive(fd, 8, 2000000));
	close(fd);
	rig_end();
}

static void test_half_close_inside(void **state)
{
	(void)state;
	rig_start(4);
	rig_serve(end_then_read);
	int fd = rig_client(TCP6);
	assert_true(rig_receive(fd, 9, 100000));
	assert_true(rig_send(fd, 10, 3000000));
	shutdown(fd, SHUT_WR);
	rig_expect("right");
	close(fd);
	rig_end();
}

static void expect_reset(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void test_resets(void **state)
{
	char buf[16];

	(void)state;
	rig_start(4);
	rig_serve(speak_and_reset);
	int fd = rig_client(TCP4);
	assert_int_equal(recv(fd, buf, 10, MSG_WAITALL), 10);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	expect_reset(fd);
	/* Nobody there. */
	expect_reset(rig_client(TO_CLOSED));
	rig_end();
	rig_start(4);
	rig_serve(report_end);
	for (int i = 0; i < 2; i++) {
		fd = rig_client(TCP4);
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(fd, buf, 1, 0), 1);
		if (i)
			rig_reset(fd);
		else
			close(fd);
		rig_expect(i ? "reset" : "end");
	}
	rig_end();
}

/* Who does not read stops the server, and nobody else. */
static void test_slow_reader(void **state)
{
	(void)state;
	rig_start(4);
	rig_serve(flood);
	int slow = rig_client(TCP4);
	usleep(300000);
	assert_in_range(rig_rss_kb(w.worker), 0, 32768);
	int other = rig_client(TCP4);
	assert_true(rig_receive(other, 3, BULK / 2));
	assert_true(rig_receive(slow, 3, BULK / 2));
	close(other);
	close(slow);
	rig_end();
}

static void exchange(int fd, int number, int round)
{
	char word[32], got[32] = "";

	snprintf(word, sizeof(word), "word %d of %d", round, number);
	assert_int_equal(send(fd, word, strlen(word), MSG_NOSIGNAL), strlen(word));
	assert_int_equal(recv(fd, got, strlen(word), MSG_WAITALL), strlen(word));
	assert_string_equal(got, word);
}

static void test_many(void **state)
{
	static int fd[MANY];

	(void)state;
	rig_start(8);
	rig_serve(echo_all);
	for (int i = 0; i < MANY; i++)
		fd[i] = rig_client(i % 2 ? TCP6 : TCP4);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < MANY; i++)
			exchange(fd[i], i, round);
	assert_int_equal(rig_gauges().n_conns, MANY);
	for (int i = 0; i < MANY; i += 2)
		close(fd[i]);
	for (int k = 0; k < 3000 && rig_gauges().n_conns != MANY / 2; k++)
		usleep(10000);
	assert_int_equal(rig_gauges().n_conns, MANY / 2);
	/* No longer published: all of them at once. */
	assert_int_equal(send(w.control, "c", 1, 0), 1);
	for (int i = 1; i < MANY; i += 2)
		expect_reset(fd[i]);
	assert_int_equal(rig_gauges().n_conns, 0);
	rig_end();
}

/* The datagram that begins a flow arrives although no socket was there for it. */
static void test_datagrams(void **state)
{
	char got[64];

	(void)state;
	rig_start(0);
	int server = box_bind(&w.box, "127.0.0.1", PORT), fd = rig_client(UDP4);
	assert_true(server >= 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(fd, "question", 8, 0), 8);
		assert_int_equal(box_echo_datagram(&w.box, server), 8);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 8);
		assert_memory_equal(got, "question", 8);
	}
	assert_int_equal(rig_gauges().n_flows, 1);
	assert_int_equal(send(w.control, "c", 1, 0), 1);
	assert_int_equal(rig_gauges().n_flows, 0);
	close(fd);
	rig_end();
	assert_int_equal(shared->n_in, 3 * 8);
	assert_int_equal(shared->n_out, 3 * 8);
}

/* The sockets' maker is stopped while a client waits, then killed: both clients are served in the
 * other way, and a connection that stands goes on. */
static void test_lost(void **state)
{
	char got[16] = "";

	(void)state;
	rig_start(4);
	rig_serve(echo_all);
	int stands = rig_client(TCP4);
	exchange(stands, 1, 1);
	assert_int_equal(kill(w.nsd.pid, SIGSTOP), 0);
	/* Until the pool is empty. */
	for (int i = 0; i < 64; i++) {
		int fd = rig_client(TCP4);
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
		assert_true(recv(fd, got, sizeof(got), 0) > 0);
		close(fd);
		if (got[0] == 'f')
			break;
	}
	assert_memory_equal(got, "fallback", 8);
	assert_int_equal(kill(w.nsd.pid, SIGKILL), 0);
	int fd = rig_client(TCP4);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 8);
	assert_memory_equal(got, "fallback", 8);
	close(fd);
	exchange(stands, 1, 2);
	close(stands);
	rig_end();
}

/* A worker that publishes nothing hardly notices. */
static void test_idle_memory(void **state)
{
	(void)state;
	rig_start(32);
	for (int i = 0; i < 6000 && !__atomic_load_n(&shared->is_ready, __ATOMIC_ACQUIRE); i++)
		usleep(10000);
	assert_true(shared->is_ready);
	print_message("a carrier is %ld kB\n", shared->rss_after - shared->rss_before);
#ifndef __SANITIZE_ADDRESS__
	assert_true(shared->rss_after - shared->rss_before < 64);
#endif
	rig_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bulk),       cmocka_unit_test(test_without_pipes),
		cmocka_unit_test(test_half_close), cmocka_unit_test(test_half_close_inside),
		cmocka_unit_test(test_resets),     cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_many),       cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_lost),       cmocka_unit_test(test_idle_memory),
	};

	rig_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
