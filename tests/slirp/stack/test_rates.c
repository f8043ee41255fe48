/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of bytes a second through a whole worker: both ends go as slowly as the limit says,
 * nothing of TCP is lost, and connections have equal parts of it. 160,000 bits: 20 bytes a
 * millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/internal.h"
#include "stack/rig.h"

#define RATE 160000
#define A_SECOND (RATE / 8)
#define SLACK 3000 /* the burst, and a segment that is owed */

static uint8_t buf[100000];

static void start(uint64_t in, uint64_t out)
{
	const struct rig_conf conf = {.rate_in = in, .rate_out = out};

	rig_start(&conf);
}

static void host_writes(struct rig_socket *s, size_t n)
{
	stream_fill(0, buf, n);
	assert_int_equal(write(s->peer, buf, n), n);
}

static void pass(struct peer *p, unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 5) {
		rig_pass(5);
		peer_run(p);
	}
}

static void test_in(void **state)
{
	struct peer p;

	(void)state;
	start(RATE, 0);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	host_writes(rig_last(), 90000);
	peer_run(&p);
	assert_in_range(p.n_in, 1, SLACK);
	pass(&p, 1000);
	assert_in_range(p.n_in, A_SECOND - SLACK, A_SECOND + SLACK);
	pass(&p, 2000);
	assert_in_range(p.n_in, 3 * A_SECOND - SLACK, 3 * A_SECOND + SLACK);
	/* Its end comes when all has come. */
	assert_int_equal(shutdown(rig_last()->peer, SHUT_WR), 0);
	pass(&p, 500);
	assert_false(p.has_fin);
	pass(&p, 1500);
	assert_int_equal(p.n_in, 90000);
	assert_int_equal(p.sum_in, stream_sum(90000));
	assert_true(p.has_fin);
	rig_stop();
}

static uint64_t drained;

static void drain(struct rig_socket *s)
{
	static uint8_t got[65536], want[65536];
	ssize_t n;

	while ((n = recv(s->peer, got, sizeof(got), MSG_DONTWAIT)) > 0) {
		stream_fill(drained, want, (size_t)n);
		assert_memory_equal(got, want, n);
		drained += (uint64_t)n;
	}
}

/* The container sends all that the window has room for, and 5 ms pass. */
static void send_for_5ms(struct peer *p, uint64_t *sent)
{
	while (p->snd_nxt - p->snd_una + 1000 <= p->wnd) {
		stream_fill(*sent, buf, 1000);
		peer_data(p, buf, 1000);
		*sent += 1000;
		peer_run(p);
	}
	rig_pass(5);
	peer_run(p);
	drain(rig_last());
}

/* The container sends what it may: the window closes, and opens as bytes pass. */
static void test_out(void **state)
{
	uint64_t sent = 0, after_a_second = 0;
	struct peer p;

	(void)state;
	drained = 0;
	start(0, RATE);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	for (unsigned ms = 0; ms < 4000; ms += 5) {
		send_for_5ms(&p, &sent);
		if (ms == 1000)
			after_a_second = drained;
	}
	/* What is owed is a window at the most: that was taken before it was known. */
	assert_in_range(after_a_second, A_SECOND / 2, A_SECOND + 16384 + SLACK);
	assert_in_range(drained, 4 * A_SECOND - SLACK, 4 * A_SECOND + 16384 + SLACK);
	assert_true(sent - drained <= 2 * 16384);
	peer_fin(&p);
	for (unsigned ms = 0; ms < 3000; ms += 5) {
		rig_pass(5);
		peer_run(&p);
		drain(rig_last());
	}
	assert_int_equal(drained, sent);
	assert_int_equal(recv(rig_last()->peer, buf, 1, MSG_DONTWAIT), 0); /* and its end */
	assert_int_equal(rig_stat(STAT_DROP_MEMORY), 0);
	assert_int_equal(rig_stat(STAT_DROP_TCP), 0);
	rig_stop();
}

/* Each has its turn; one that wants little is not behind all that the others want. */
static void test_turns(void **state)
{
	struct rig_socket *s[3];
	struct rig_packet k;
	struct peer p[4];

	(void)state;
	start(RATE, RATE);
	for (unsigned i = 0; i < 3; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(40000 + i));
		peer_open(&p[i]);
		s[i] = rig_last();
	}
	for (unsigned i = 0; i < 3; i++)
		host_writes(s[i], 90000);
	for (unsigned ms = 0; ms < 3000; ms += 5) {
		rig_pass(5);
		while (rig_read(&k))
			for (unsigned i = 0; i < 3 && !peer_take(&p[i], &k, true); i++)
				;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(p[i].n_in, A_SECOND - SLACK, A_SECOND + SLACK);
	peer_init(&p[3], "198.51.100.7", 80, 40003);
	peer_syn(&p[3]);
	for (unsigned ms = 0; ms < 1000; ms += 5) {
		rig_pass(5);
		while (rig_read(&k))
			for (unsigned i = 0; i < 4 && !peer_take(&p[i], &k, true); i++)
				;
		if (ms == 100) {
			assert_true(p[3].is_synced);
			host_writes(rig_last(), 500);
		}
	}
	assert_int_equal(p[3].n_in, 500);
	/* Those that wait may be reset, and the others go on. */
	peer_send(&p[0], TCP_RST, p[0].snd_nxt, NULL, 0);
	rig_settle();
	rig_stop();
}

/* Where there is no limit that way, there is none. */
static void test_other_way(void **state)
{
	struct peer p;

	(void)state;
	start(0, RATE);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	host_writes(rig_last(), 90000);
	peer_run(&p);
	assert_int_equal(p.n_in, 90000);
	rig_stop();
}

static void set(uint64_t in, uint64_t out)
{
	const struct rates r = {in, out};

	worker_set_rates(rig.worker, &r);
	rig_settle();
}

/* What waits goes on at the new rate, and at once when there is none any more. */
static void test_changed_in(void **state)
{
	uint64_t before;
	struct peer p;

	(void)state;
	start(RATE_LEAST, 0);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	host_writes(rig_last(), 90000);
	pass(&p, 1000);
	assert_in_range(p.n_in, 1, RATE_LEAST / 8 + SLACK);
	set(RATE, 0);
	peer_run(&p);
	before = p.n_in;
	pass(&p, 2000);
	assert_in_range(p.n_in - before, 2 * A_SECOND - SLACK, 2 * A_SECOND + SLACK);
	set(RATE_LEAST, 0);
	before = p.n_in;
	pass(&p, 1000);
	assert_in_range(p.n_in - before, 0, RATE_LEAST / 8 + SLACK);
	set(0, 0);
	for (int i = 0; i < 20; i++)
		peer_run(&p);
	assert_int_equal(p.n_in, 90000);
	assert_int_equal(p.sum_in, stream_sum(90000));
	rig_stop();
}

/* A limit that comes while connections are there. The same once more gives nothing. */
static void test_comes(void **state)
{
	struct peer p;

	(void)state;
	start(0, 0);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	set(RATE, RATE);
	host_writes(rig_last(), 90000);
	for (int i = 0; i < 10; i++) {
		pass(&p, 100);
		set(RATE, RATE);
	}
	assert_in_range(p.n_in, A_SECOND - SLACK, A_SECOND + SLACK);
	/* The one that is taken away while nobody waits, and while somebody does. */
	set(RATE, 0);
	pass(&p, 100);
	set(0, RATE);
	for (int i = 0; i < 20; i++)
		peer_run(&p);
	assert_int_equal(p.n_in, 90000);
	rig_stop();
}

/* From the container: what waits in the ring goes to the host. */
static void test_changed_out(void **state)
{
	uint64_t sent = 0;
	struct peer p;

	(void)state;
	drained = 0;
	start(0, RATE_LEAST);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	for (unsigned ms = 0; ms < 500; ms += 5)
		send_for_5ms(&p, &sent);
	assert_true(drained < sent);
	set(0, 0);
	rig_settle();
	drain(rig_last());
	assert_int_equal(drained, sent);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in),          cmocka_unit_test(test_out),
		cmocka_unit_test(test_turns),       cmocka_unit_test(test_other_way),
		cmocka_unit_test(test_changed_in),  cmocka_unit_test(test_comes),
		cmocka_unit_test(test_changed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
