/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When datagrams are let gather: in a flood of them of which a round finds a few, while nothing
 * else is done. The nanoseconds' clock is played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"
#include "stack/rig.h"

#define US 1000u

static uint64_t now_ns = 1u << 30;
static unsigned n_gathered;

uint64_t __wrap_clock_ns(void);
void __wrap_loop_gather(struct loop *l);

uint64_t __wrap_clock_ns(void)
{
	return now_ns;
}

void __wrap_loop_gather(struct loop *l)
{
	assert_ptr_equal(l, worker_loop(rig.worker));
	n_gathered++;
}

/* Rounds, `us` apart, each with n datagrams; of how many of them more were awaited. */
static unsigned rounds(unsigned n_rounds, unsigned n, unsigned us)
{
	const unsigned before = n_gathered;

	for (unsigned i = 0; i < n_rounds; i++) {
		for (unsigned k = 0; k < n; k++)
			rig_datagram("198.51.100.7", 53, 5000);
		now_ns += us * US;
		assert_true(worker_round(rig.worker, 0));
	}
	return n_gathered - before;
}

static void when_it_is_a_flood(void **state)
{
	const struct rig_conf conf = {0};

	(void)state;
	rig_start(&conf);
	assert_int_equal(rounds(100, 1, 100), 0);
	assert_int_equal(rounds(100, 5, 100), 0);
	/* The window that is under way, the first one of the flood, and then each round. */
	(void)rounds(20, 10, 100);
	assert_int_equal(rounds(100, 10, 100), 100);
	/* So many have gathered already. */
	assert_int_equal(rounds(20, 47, 100), 20);
	assert_int_equal(rounds(20, 48, 100), 0);
	/* A round without any is none that waits. */
	assert_int_equal(rounds(10, 0, 10), 0);
	(void)rounds(20, 1, 100);
	assert_int_equal(rounds(100, 1, 100), 0);
	assert_true(rig.n_datagrams > 0);
	rig_stop();
}

/* A connection's segments do not wait for them. */
static void not_when_others_wait(void **state)
{
	const struct rig_conf conf = {0};
	static struct rig_packet packet;
	struct rig_socket *host;
	struct peer p;

	(void)state;
	rig_start(&conf);
	peer_init(&p, "198.51.100.7", 80, 20000);
	peer_open(&p);
	host = rig_last();
	(void)rounds(30, 10, 100);
	assert_int_equal(rounds(10, 10, 100), 10);
	for (int i = 0; i < 10; i++) {
		/* From the container, and from the host. */
		if (i % 2)
			peer_data(&p, "x", 1);
		else
			assert_int_equal(write(host->peer, "x", 1), 1);
		assert_int_equal(rounds(1, 10, 100), 0);
		while (rig_read(&packet))
			peer_take(&p, &packet, false);
	}
	assert_int_equal(rounds(10, 10, 100), 10);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_is_a_flood),
		cmocka_unit_test(not_when_others_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
