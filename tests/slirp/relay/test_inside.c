/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside: the pool of sockets of the container's namespace, with the process in there played over
 * its channel: what is asked for and when, what becomes of answers that are right, wrong, late or
 * refusals, and that no socket which came is left open by anybody.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/inside.h"
#include "relay/insidemsg.h"

#define T0 100000u

static struct inside *in;
static int channel[2]; /* [1]: inside's */
static int lowest;

/* What the callback got. */
static struct {
	bool is_wanted;
	unsigned n;
	uint32_t id;
	int fd;
} bound;

static int lowest_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	memset(&bound, 0, sizeof(bound));
	lowest = lowest_fd();
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, channel), 0);
	assert_int_equal(inside_new(channel[0], &in), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	inside_free(in);
	close(channel[0]);
	if (channel[1] >= 0)
		close(channel[1]);
	assert_int_equal(lowest_fd(), lowest);
	return 0;
}

/* The next request, if there is one. */
static bool asked(struct insidemsg_ask *ret)
{
	ssize_t n = recv(channel[1], ret, sizeof(*ret), MSG_DONTWAIT);

	assert_true(n == (ssize_t)sizeof(*ret) || (n < 0 && errno == EAGAIN));
	return n > 0;
}

static struct insidemsg_ask must_ask(void)
{
	struct insidemsg_ask m = {0};

	assert_true(asked(&m));
	assert_int_not_equal(m.id, 0);
	return m;
}

static void must_not_ask(void)
{
	struct insidemsg_ask m;

	assert_false(asked(&m));
}

/* So many sockets under that id. */
static void answer(uint32_t id, unsigned n, int sys)
{
	struct insidemsg_answer a = {.id = id, .n_fds = n, .sys = sys};
	int fds[INSIDEMSG_MAX] = {0};

	for (unsigned i = 0; i < n; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(fdpass_send(channel[1], &a, sizeof(a), fds, n), 0);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static void take(uint64_t now)
{
	int fd = inside_take(in, AF_INET, SOCK_STREAM, now);

	assert_true(fd >= 0);
	close(fd);
}

static void test_kinds(void **state)
{
	static const struct {
		int family, type;
	} kinds[] = {{AF_INET, SOCK_STREAM},
		     {AF_INET6, SOCK_STREAM},
		     {AF_INET, SOCK_DGRAM},
		     {AF_INET6, SOCK_DGRAM}};

	(void)state;
	assert_int_equal(inside_due(in), UINT64_MAX);
	for (unsigned i = 0; i < 4; i++) {
		struct insidemsg_ask m;

		inside_warm(in, kinds[i].family, kinds[i].type, T0);
		m = must_ask();
		assert_int_equal(m.family, kinds[i].family);
		assert_int_equal(m.type, kinds[i].type);
		assert_int_equal(m.from.family, 0);
		assert_in_range(m.n, 1, INSIDE_MAX);
		/* One request of a kind at a time. */
		inside_warm(in, kinds[i].family, kinds[i].type, T0);
		must_not_ask();
		answer(m.id, m.n, 0);
		assert_true(inside_event(in, T0));
		assert_int_equal(inside_count(in), (i + 1) * m.n);
		must_not_ask();
	}
	for (unsigned i = 0; i < 4; i++) {
		int fd = inside_take(in, kinds[i].family, kinds[i].type, T0);

		assert_true(fd >= 0);
		close(fd);
	}
	assert_false(inside_event(in, T0)); /* nothing came */
}

/* Half gone: more are asked for. Empty: from then on as many as there is room for. */
static void test_refill(void **state)
{
	struct insidemsg_ask m;
	unsigned first;

	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	first = m.n;
	answer(m.id, first, 0);
	assert_true(inside_event(in, T0));
	for (unsigned i = 0; i < first / 2 - 1; i++) {
		take(T0);
		must_not_ask();
	}
	take(T0);
	m = must_ask();
	assert_int_equal(m.n, first - first / 2);
	while (inside_count(in) > 0)
		take(T0);
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0), -EAGAIN);
	answer(m.id, m.n, 0);
	assert_true(inside_event(in, T0));
	m = must_ask();
	assert_int_equal(m.n, INSIDE_MAX - (first - first / 2));
	/* More than there is room for: the rest is closed. */
	answer(m.id, INSIDEMSG_MAX, 0);
	assert_true(inside_event(in, T0));
	assert_int_equal(inside_count(in), INSIDE_MAX);
}

static void test_first_take(void **state)
{
	struct insidemsg_ask m;

	(void)state;
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0), -EAGAIN);
	m = must_ask();
	assert_int_equal(inside_due(in), T0 + INSIDE_ANSWER_MS);
	answer(m.id, 1, EMFILE); /* fewer than it was asked for */
	assert_true(inside_event(in, T0));
	take(T0);
}

/* Under no number that was given, or in no form: it is closed, and the request stays. */
static void test_wrong_answers(void **state)
{
	struct insidemsg_ask m;
	int fd = eventfd(0, EFD_CLOEXEC);
	char more[sizeof(struct insidemsg_answer) + 8] = {0};

	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	answer(m.id + 1, 3, 0);
	answer(0, 3, 0);
	assert_int_equal(fdpass_send(channel[1], &m.id, sizeof(m.id), &fd, 1), 0);
	assert_int_equal(fdpass_send(channel[1], more, sizeof(more), &fd, 1), 0);
	assert_false(inside_event(in, T0));
	assert_int_equal(inside_count(in), 0);
	assert_true(inside_is_open(in));
	answer(m.id, 2, 0);
	assert_true(inside_event(in, T0));
	assert_int_equal(inside_count(in), 2);
	/* The same once more is nobody's. */
	m = must_ask();
	answer(m.id, 2, 0);
	answer(m.id, 2, 0);
	assert_true(inside_event(in, T0));
	assert_int_equal(inside_count(in), 4);
	close(fd);
}

/* None came: nobody is asked for a while, and then on demand alone. */
static void test_none_left(void **state)
{
	struct insidemsg_ask m;
	uint64_t again = T0;

	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	answer(m.id, 0, EMFILE);
	assert_true(inside_event(in, T0));
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0), -ENOBUFS);
	must_not_ask();
	assert_int_equal(inside_due(in), UINT64_MAX);
	while (inside_take(in, AF_INET, SOCK_STREAM, again) == -ENOBUFS)
		assert_in_range(++again, T0, T0 + 1000);
	must_ask();
	/* With one that is left the next request waits for its time. */
	tear_down(state);
	set_up(state);
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	answer(m.id, 1, 0);
	assert_true(inside_event(in, T0));
	m = must_ask();
	answer(m.id, 0, EMFILE);
	assert_true(inside_event(in, T0));
	must_not_ask();
	take(T0);
	must_not_ask();
	again = inside_due(in);
	assert_in_range(again, T0 + 1, T0 + 1000);
	assert_false(inside_tick(in, again - 1));
	must_not_ask();
	assert_false(inside_tick(in, again));
	must_ask();
}

/* Who does not answer counts as gone, is asked on demand and seldom, and is welcome back. */
static void test_late(void **state)
{
	struct insidemsg_ask m, second;

	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	assert_false(inside_tick(in, T0 + INSIDE_ANSWER_MS - 1));
	assert_true(inside_is_open(in));
	assert_true(inside_tick(in, T0 + INSIDE_ANSWER_MS));
	assert_false(inside_is_open(in));
	assert_false(inside_tick(in, T0 + INSIDE_ANSWER_MS + 1));
	assert_int_equal(inside_due(in), UINT64_MAX);
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0 + INSIDE_ANSWER_MS), -EPIPE);
	second = must_ask();
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0 + INSIDE_ANSWER_MS + 1), -EPIPE);
	must_not_ask();
	/* It too is not answered: the next one waits as long. */
	assert_false(inside_tick(in, T0 + 2 * INSIDE_ANSWER_MS));
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0 + 2 * INSIDE_ANSWER_MS - 1),
			 -EPIPE);
	must_not_ask();
	assert_int_not_equal(m.id, second.id);
	answer(m.id, 1, 0); /* at last; nobody wants it any more */
	assert_false(inside_event(in, T0 + 2 * INSIDE_ANSWER_MS));
	assert_true(inside_is_open(in));
	assert_int_equal(inside_count(in), 0);
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0 + 3 * INSIDE_ANSWER_MS), -EAGAIN);
	must_ask();
}

static void test_gone(void **state)
{
	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	close(channel[1]);
	channel[1] = -1;
	assert_true(inside_event(in, T0));
	assert_false(inside_event(in, T0));
	assert_false(inside_is_open(in));
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0), -EPIPE);
	assert_false(inside_tick(in, T0 + 10 * INSIDE_ANSWER_MS));
	assert_int_equal(inside_due(in), UINT64_MAX);
}

/* Noticed when something is asked for. */
static void test_gone_unseen(void **state)
{
	struct insidemsg_ask m;
	uint32_t id;
	struct ip from = {.family = AF_INET, .b = {192, 0, 2, 1}};

	(void)state;
	inside_warm(in, AF_INET, SOCK_STREAM, T0);
	m = must_ask();
	answer(m.id, 1, 0);
	assert_true(inside_event(in, T0));
	m = must_ask();
	answer(m.id, 0, ENFILE);
	assert_true(inside_event(in, T0));
	take(T0);
	close(channel[1]);
	channel[1] = -1;
	assert_true(inside_tick(in, inside_due(in)));
	assert_false(inside_is_open(in));
	assert_int_equal(inside_ask_bound(in, &from, 7, &id), -EPIPE);
	tear_down(state);
	set_up(state);
	close(channel[1]);
	channel[1] = -1;
	assert_int_equal(inside_ask_bound(in, &from, 7, &id), -EPIPE);
	assert_false(inside_is_open(in));
}

static void test_no_channel(void **state)
{
	struct inside *none;

	(void)state;
	assert_int_equal(inside_new(-1, &none), 0);
	inside_warm(none, AF_INET, SOCK_STREAM, T0);
	assert_int_equal(inside_take(none, AF_INET, SOCK_STREAM, T0), -EPIPE);
	assert_false(inside_event(none, T0));
	assert_false(inside_tick(none, T0));
	assert_int_equal(inside_count(none), 0);
	inside_free(none);
	inside_free(NULL);
}

/* The channel takes no more just now: such a request counts as one that is not answered. */
static void test_full_channel(void **state)
{
	char junk = 0;
	struct insidemsg_ask m;

	(void)state;
	while (send(channel[0], &junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0), -EAGAIN);
	assert_true(inside_is_open(in));
	assert_int_equal(inside_due(in), T0 + INSIDE_ANSWER_MS);
	while (recv(channel[1], &junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_true(inside_tick(in, T0 + INSIDE_ANSWER_MS));
	assert_int_equal(inside_take(in, AF_INET, SOCK_STREAM, T0 + INSIDE_ANSWER_MS), -EPIPE);
	m = must_ask();
	answer(m.id, 1, 0);
	assert_true(inside_event(in, T0 + INSIDE_ANSWER_MS));
	take(T0 + INSIDE_ANSWER_MS);
}

static bool on_bound(void *arg, uint32_t id, int fd)
{
	assert_ptr_equal(arg, &bound);
	bound.n++;
	bound.id = id;
	bound.fd = fd;
	if (bound.is_wanted && fd >= 0)
		close(fd);
	return bound.is_wanted;
}

/* Sockets with the address of a client elsewhere. */
static void test_bound(void **state)
{
	struct ip from = {.family = AF_INET6, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}};
	struct insidemsg_ask m;
	uint32_t id = 0;

	(void)state;
	assert_int_equal(inside_ask_bound(in, &from, 4711, &id), 0);
	m = must_ask();
	assert_int_equal(m.id, id);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.type, SOCK_STREAM);
	assert_int_equal(m.family, AF_INET6);
	assert_int_equal(m.from_port, 4711);
	assert_memory_equal(&m.from, &from, sizeof(from));
	answer(id, 1, 0); /* nobody listens */
	assert_false(inside_event(in, T0));
	inside_on_bound(in, on_bound, &bound);
	answer(id, 1, 0); /* nobody waits */
	assert_false(inside_event(in, T0));
	assert_int_equal(bound.n, 1);
	bound.is_wanted = true;
	answer(id, 3, 0); /* one of them */
	assert_false(inside_event(in, T0));
	assert_int_equal(bound.n, 2);
	assert_int_equal(bound.id, id);
	assert_true(bound.fd >= 0);
	for (int i = 0; i < 4; i++) {
		static const int said[] = {EADDRINUSE, 0, -7, 4096},
				 heard[] = {-EADDRINUSE, -EMFILE, -EMFILE, -EMFILE};

		answer(id, 0, said[i]);
		assert_false(inside_event(in, T0));
		assert_int_equal(bound.fd, heard[i]);
	}
	assert_int_equal(inside_ask_bound(in, &from, 4711, &id), 0);
	must_ask();
	/* It may not: it is not asked again. Who waits for nothing does not decide that. */
	bound.is_wanted = false;
	answer(id, 0, EPERM);
	assert_false(inside_event(in, T0));
	assert_int_equal(inside_ask_bound(in, &from, 4711, &id), 0);
	must_ask();
	bound.is_wanted = true;
	answer(id, 0, EPERM);
	assert_false(inside_event(in, T0));
	assert_int_equal(bound.fd, -EPERM);
	assert_int_equal(inside_ask_bound(in, &from, 4711, &id), -EPERM);
	must_not_ask();
}

/* Not all of a flood in one turn. */
static void test_turns(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		answer(1, 0, 0);
	assert_false(inside_event(in, T0));
	assert_true(inside_is_open(in));
	assert_int_equal(recv(channel[0], &(struct insidemsg_answer){0},
			      sizeof(struct insidemsg_answer), MSG_DONTWAIT),
			 (ssize_t)sizeof(struct insidemsg_answer));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds),         TEST(test_refill),    TEST(test_first_take),
		TEST(test_wrong_answers), TEST(test_none_left), TEST(test_late),
		TEST(test_gone),          TEST(test_bound),     TEST(test_gone_unseen),
		TEST(test_no_channel),    TEST(test_turns),     TEST(test_full_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
