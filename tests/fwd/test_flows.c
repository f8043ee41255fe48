/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time-outs and eviction of UDP flows, on the flow table itself with a clock of our own. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/dgram.h"
#include "relay/slots.h"
#include "relay/watch.h"
#include "world.h"

#define PORT_INDEX 3

struct bench {
	int epoll_fd, port_fd, server;
	struct dgram *d;
	struct dest to;
};

static int bound(const char *ip, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = world_address(ip, port, &ss);
	const int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static int set_up(void **state)
{
	static struct bench b = {
		.to = {.target = {{.family = AF_INET, .b = {127, 0, 0, 5}}}, .port = 9}};

	/* One table for all tests, as the forwarder has one for all its life. */
	if (!b.d) {
		b.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		struct dgram_conf conf = {.epoll_fd = b.epoll_fd, .max = DGRAM_MAX};

		assert_int_equal(dgram_new(&conf, &b.d), 0);
	}
	b.port_fd = bound("127.0.0.1", 7);
	b.server = bound("127.0.0.5", 9);
	*state = &b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	dgram_cut(b->d, PORT_INDEX);
	close(b->port_fd);
	close(b->server);
	return 0;
}

/* A client that sends one datagram at the time now. */
static int say(struct bench *b, int fd, uint64_t now)
{
	if (fd < 0)
		fd = world_connect("127.0.0.1", 7, SOCK_DGRAM);
	assert_int_equal(send(fd, "q", 1, 0), 1);
	dgram_receive(b->d, b->port_fd, PORT_INDEX, &b->to, now);
	return fd;
}

static void answer(struct bench *b, uint64_t now)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct epoll_event ev[8];
	char c;

	assert_int_equal(recvfrom(b->server, &c, 1, 0, (struct sockaddr *)&ss, &len), 1);
	assert_int_equal(sendto(b->server, "a", 1, 0, (struct sockaddr *)&ss, len), 1);
	int n = epoll_wait(b->epoll_fd, ev, 8, 1000);
	assert_int_equal(n, 1);
	struct watch_id id = watch_decode(ev[0].data.u64);
	assert_int_equal(id.kind, WATCH_FLOW);
	dgram_event(b->d, id.index, id.gen, now);
}

static void test_one_shot(void **state)
{
	struct bench *b = *state;

	assert_int_equal(dgram_expire(b->d, 1000), -1);
	int fd = say(b, -1, 1000);
	answer(b, 2000);
	assert_int_equal(dgram_expire(b->d, 2000), DGRAM_ONE_SHOT_MS);
	assert_int_equal(dgram_expire(b->d, 2000 + DGRAM_ONE_SHOT_MS - 1), 1);
	assert_int_equal(dgram_expire(b->d, 2000 + DGRAM_ONE_SHOT_MS), -1);
	close(fd);
}

static void test_stream(void **state)
{
	struct bench *b = *state;
	int fd = say(b, -1, 1000);

	answer(b, 1001);
	say(b, fd, 1002);
	assert_int_equal(dgram_expire(b->d, 1002), DGRAM_STREAM_MS);
	assert_int_equal(dgram_expire(b->d, 1002 + DGRAM_STREAM_MS - 1), 1);
	assert_int_equal(dgram_expire(b->d, 1002 + DGRAM_STREAM_MS), -1);
	close(fd);
}

/* Two questions are no stream; the earlier of two flows is the next to go. */
static void test_order(void **state)
{
	struct bench *b = *state;
	int first = say(b, -1, 1000), second = say(b, -1, 3000);

	assert_int_equal(dgram_expire(b->d, 4000), DGRAM_ONE_SHOT_MS - 3000);
	say(b, first, 5000);
	assert_int_equal(dgram_expire(b->d, 5000), DGRAM_ONE_SHOT_MS - 2000);
	assert_int_equal(dgram_expire(b->d, 3000 + DGRAM_ONE_SHOT_MS), 2000);
	assert_int_equal(dgram_expire(b->d, 5000 + DGRAM_ONE_SHOT_MS), -1);
	close(first);
	close(second);
}

static void test_cut(void **state)
{
	struct bench *b = *state;
	int fd = say(b, -1, 1000);

	dgram_cut(b->d, PORT_INDEX + 1);
	assert_int_equal(dgram_expire(b->d, 1000), DGRAM_ONE_SHOT_MS);
	dgram_cut(b->d, PORT_INDEX);
	assert_int_equal(dgram_expire(b->d, 1000), -1);
	close(fd);
}

/* Out of descriptors the oldest flow gives way to the newest, and nothing else happens. */
static void test_evicts_oldest(void **state)
{
	struct bench *b = *state;
	struct rlimit old, few;
	int clients[4], spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct sockaddr_storage from[4];
	char c;

	for (int i = 0; i < 4; i++)
		clients[i] = world_connect("127.0.0.1", 7, SOCK_DGRAM);
	close(spare);
	say(b, clients[0], 1000);
	say(b, clients[1], 2000);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(next);
	few = (struct rlimit){(rlim_t)next, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	say(b, clients[2], 3000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* The flow of 1000 is gone: the next to end is that of 2000. */
	assert_int_equal(dgram_expire(b->d, 3000), DGRAM_ONE_SHOT_MS - 1000);
	for (int i = 0; i < 3; i++) {
		socklen_t len = sizeof(from[i]);
		assert_int_equal(recvfrom(b->server, &c, 1, 0, (struct sockaddr *)&from[i], &len),
				 1);
	}
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

/* The table itself: generations tell old from new, memory is reused last in first out. */
static void test_slots(void **state)
{
	(void)state;
	struct thing {
		struct slot slot;
		int v;
	};
	struct slots s;

	assert_int_equal(slots_init(&s, 2, sizeof(struct thing)), 0);
	uint32_t a = slots_take(&s), b = slots_take(&s);
	assert_int_equal(slots_take(&s), SLOT_NONE);
	uint32_t gen = ((struct thing *)slots_at(&s, a))->slot.gen;
	((struct thing *)slots_at(&s, a))->v = 5;
	assert_ptr_equal(slots_live(&s, a, gen), slots_at(&s, a));
	slots_give(&s, a);
	assert_null(slots_live(&s, a, gen));
	assert_int_equal(slots_next(&s, 0), b);
	assert_int_equal(slots_take(&s), a);
	assert_null(slots_live(&s, a, gen));
	assert_null(slots_live(&s, 7, 0));
	assert_int_equal(((struct thing *)slots_at(&s, a))->v, 0);
	assert_int_equal(s.n_used, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_shot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_evicts_oldest, set_up, tear_down),
		cmocka_unit_test(test_slots),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
