/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop: sources that leave during a round, their own events and others', held time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"

#define N 10

static struct loop *loop;
static struct source sources[N];
static int peers[N];
static int n_called, victim = -1;
static bool is_forget;

static void on_event(struct source *s, uint32_t events, uint64_t now)
{
	assert_int_equal(now, loop_now(loop));
	assert_true(events & EPOLLIN);
	n_called++;
	for (int i = 0; i < N && victim >= 0; i++)
		if (&sources[i] != s && sources[i].fd >= 0) {
			/* Whoever is called first takes all others out. */
			int fd = sources[i].fd;

			if (is_forget)
				loop_forget(loop, &sources[i]);
			else
				loop_remove(loop, &sources[i]);
			assert_int_equal(sources[i].fd, -1);
			close(fd);
		}
}

static void make(void)
{
	n_called = 0;
	assert_int_equal(loop_new(&loop, NULL), 0);
	for (int i = 0; i < N; i++) {
		int pair[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			0);
		sources[i].fn = on_event;
		assert_int_equal(loop_add(loop, &sources[i], pair[0], EPOLLIN), 0);
		peers[i] = pair[1];
		assert_int_equal(write(pair[1], "x", 1), 1);
	}
}

static void unmake(void)
{
	for (int i = 0; i < N; i++) {
		int fd = sources[i].fd;

		loop_remove(loop, &sources[i]);
		loop_remove(loop, &sources[i]);
		if (fd >= 0)
			close(fd);
		close(peers[i]);
	}
	loop_free(loop);
}

static void removed_in_round(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		is_forget = i;
		victim = 0;
		make();
		loop_round(loop, 0);
		assert_int_equal(n_called, 1);
		loop_round(loop, 0);
		assert_int_equal(n_called, 2);
		victim = -1;
		unmake();
	}
}

static void changed(void **state)
{
	(void)state;
	make();
	loop_round(loop, 0);
	assert_int_equal(n_called, N);
	for (int i = 0; i < N; i += 2)
		assert_int_equal(loop_change(loop, &sources[i], 0), 0);
	loop_round(loop, 0);
	assert_int_equal(n_called, N + N / 2);
	unmake();
}

static void time_held(void **state)
{
	uint64_t before, after;

	(void)state;
	assert_int_equal(loop_new(&loop, NULL), 0);
	before = loop_now(loop);
	after = loop_round(loop, before + 20);
	assert_true(after >= before + 20); /* it does not come early */
	loop_hold(loop, 77);
	assert_int_equal(loop_round(loop, UINT64_MAX), 77); /* and does not wait */
	loop_free(loop);
}

static double cpu_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void on_byte(struct source *s, uint32_t events, uint64_t now)
{
	uint8_t b;

	(void)events;
	(void)now;
	assert_int_equal(read(s->fd, &b, 1), 1);
	n_called++;
	assert_int_equal(write(s->fd, &b, 1), 1);
}

/* Thousands of exchanges one after another, for which the loop looks on awake; then it sleeps. */
static void sleeps_when_idle(void **state)
{
	enum { EXCHANGES = 5000, IDLE_MS = 300 };
	struct source s = {.fd = -1, .fn = on_byte};
	double before;
	int pair[2];
	pid_t pid;

	(void)state;
	n_called = 0;
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint8_t b = 1;

		for (int i = 0; i < EXCHANGES; i++)
			if (write(pair[1], &b, 1) != 1 || read(pair[1], &b, 1) != 1)
				_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(loop_add(loop, &s, pair[0], EPOLLIN), 0);
	while (n_called < EXCHANGES)
		loop_round(loop, UINT64_MAX);
	before = cpu_ms();
	for (uint64_t end = clock_ms() + IDLE_MS; clock_ms() < end;)
		loop_round(loop, clock_ms() + 10);
	assert_int_equal(n_called, EXCHANGES);
	assert_true(cpu_ms() - before < IDLE_MS / 10);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	loop_remove(loop, &s);
	close(pair[0]);
	close(pair[1]);
	loop_free(loop);
}

static unsigned n_yields;
static uint64_t away_ns;

int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
	const struct timespec ts = {.tv_nsec = (long)away_ns};

	n_yields++;
	if (away_ns)
		nanosleep(&ts, NULL);
	return 0;
}

/* It gives its place away for as long as it gets it back soon; where that took a turn of somebody
 * who is busy, at most a small part of its time is lost so. */
static void yields(void **state)
{
	enum { AWAY = 2000000, REST = 16 };
	uint64_t begin, back;

	(void)state;
	assert_int_equal(loop_new(&loop, NULL), 0);
	n_yields = 0;
	away_ns = 0;
	while (n_yields < 100)
		loop_yield(loop); /* this machine may be busy, too */
	away_ns = AWAY;
	for (unsigned n = n_yields; n_yields == n;) {
		begin = clock_ns();
		loop_yield(loop);
	}
	assert_true(clock_ns() - begin >= AWAY);
	back = begin + AWAY; /* or later */
	for (unsigned n = n_yields; n_yields == n;)
		loop_yield(loop);
	assert_true(clock_ns() - AWAY >= back + REST * AWAY);
	loop_hold(loop, 1);
	n_yields = 0;
	loop_yield(loop);
	assert_int_equal(n_yields, 0);
	loop_free(loop);
	away_ns = 0;
}

/* It sleeps, whoever calls; and tells how many it has called. */
static void gathers(void **state)
{
	enum { TIMES = 20, LEAST_NS = 50000 };
	uint64_t begin;

	(void)state;
	victim = -1;
	make();
	begin = clock_ns();
	for (int i = 0; i < TIMES; i++)
		loop_gather(loop);
	assert_true(clock_ns() - begin >= TIMES * LEAST_NS);
	assert_int_equal(loop_n_called(loop), 0);
	loop_round(loop, 0);
	assert_int_equal(loop_n_called(loop), N);
	for (int i = 1; i < N; i++)
		assert_int_equal(loop_change(loop, &sources[i], 0), 0);
	loop_round(loop, 0);
	assert_int_equal(loop_n_called(loop), 1);
	unmake();
}

static uint64_t lent_data;
static uint32_t lent_events;

static void on_lent(void *arg, uint64_t data, uint32_t events, uint64_t now)
{
	assert_int_equal(now, loop_now(loop));
	assert_ptr_equal(arg, &lent_data);
	lent_data = data;
	lent_events = events;
}

/* What another room watches in the same set comes to it alone, and to nobody when it is gone. */
static void lent(void **state)
{
	const uint64_t data = 1ULL << 63 | 77;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};
	int pair[2];

	(void)state;
	victim = -1;
	make();
	int fd = loop_lend(loop, LOOP_FIRST, on_lent, &lent_data);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &ev), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	(void)loop_round(loop, 0);
	assert_true(lent_data == data && lent_events == EPOLLIN);
	assert_int_equal(n_called, N);
	/* The second one has another bit. */
	ev.data.u64 = data | 1ULL << 62;
	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_MOD, pair[0], &ev), 0);
	lent_data = 0;
	(void)loop_round(loop, 0);
	assert_true(lent_data == 0);
	assert_int_equal(loop_lend(loop, LOOP_SECOND, on_lent, &lent_data), fd);
	(void)loop_round(loop, 0);
	assert_true(lent_data == ev.data.u64);
	assert_int_equal(loop_lend(loop, LOOP_FIRST, NULL, NULL), fd);
	assert_int_equal(loop_lend(loop, LOOP_SECOND, NULL, NULL), fd);
	lent_data = 0;
	(void)loop_round(loop, 0);
	assert_true(lent_data == 0 && n_called == 4 * N);
	close(pair[0]);
	close(pair[1]);
	unmake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removed_in_round),
		cmocka_unit_test(changed),
		cmocka_unit_test(time_held),
		cmocka_unit_test(sleeps_when_idle),
		cmocka_unit_test(yields),
		cmocka_unit_test(gathers),
		cmocka_unit_test(lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
