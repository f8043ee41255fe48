/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that are looked at and left, and connections that are closed whatever is in them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fdpass.h"

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void test_peek(void **state)
{
	char text[8];
	bool has_fds = true;
	int pair[2], fd = -1;

	(void)state;
	make_pair(pair);
	assert_int_equal(fdpass_peek(pair[1], text, sizeof(text), &has_fds), -EAGAIN);
	assert_int_equal(fdpass_send(pair[0], "one", 3, NULL, 0), 0);
	assert_int_equal(fdpass_peek(pair[1], text, sizeof(text), &has_fds), 3);
	assert_false(has_fds);
	assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), NULL, 0), 3);
	assert_int_equal(fdpass_send(pair[0], "two", 3, &pair[0], 1), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fdpass_peek(pair[1], text, sizeof(text), &has_fds), 3);
		assert_memory_equal(text, "two", 3);
		assert_true(has_fds);
	}
	assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), &fd, 1), 3);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fdpass_send(pair[0], "more than there is room", 23, NULL, 0), 0);
	assert_int_equal(fdpass_peek(pair[1], text, sizeof(text), &has_fds), -EPROTO);
	assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), NULL, 0), -EPROTO);
	close(pair[0]);
	assert_int_equal(fdpass_peek(pair[1], text, sizeof(text), &has_fds), 0);
	close(pair[1]);
}

/* A TCP connection whose last close waits: its peer does not read. */
static int make_lingering(int *ret_peer)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger linger = {1, 20};
	CLEAN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char data[65536];
	socklen_t len = sizeof(sa);

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	*ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*ret_peer >= 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

/* read: with what is waiting read first. */
static void drop_lingering(void (*drop)(int *fd))
{
	uint64_t begin;
	int pair[2], peer, fd = make_lingering(&peer);

	make_pair(pair);
	assert_int_equal(fdpass_send(pair[0], "x", 1, NULL, 0), 0);
	assert_int_equal(fdpass_send(pair[0], "x", 1, &fd, 1), 0);
	close(fd);
	begin = clock_ms();
	drop(&pair[1]);
	assert_int_equal(pair[1], -1);
	assert_true(clock_ms() - begin < 15000);
	close(pair[0]);
	close(peer);
}

static void test_drop(void **state)
{
	int none = -1;

	(void)state;
	assert_int_equal(fdpass_drop_setup(), 0);
	fdpass_drop(&none);
	drop_lingering(fdpass_drop);
	drop_lingering(fdpass_drop_read);
}

/* Unread packets would take the last answer from the other end. */
static void test_last_answer(void **state)
{
	char text[8];
	int pair[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(fdpass_send(pair[0], "question", 8, &pair[0], 1), 0);
	assert_int_equal(fdpass_send(pair[1], "answer", 6, NULL, 0), 0);
	fdpass_drop_read(&pair[1]);
	assert_int_equal(fdpass_recv(pair[0], text, sizeof(text), NULL, 0), 6);
	assert_int_equal(fdpass_recv(pair[0], text, sizeof(text), NULL, 0), 0);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_last_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
