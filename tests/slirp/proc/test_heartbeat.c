/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a worker is asked, and when its silence is believed: looks are counted, not time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/heartbeat.h"

static void answers(void **state)
{
	struct heartbeat h = HEARTBEAT_OFF;
	uint64_t now = 5000;
	unsigned n_asked = 0;

	(void)state;
	assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_WAIT);
	heartbeat_start(&h, now);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(heartbeat_look(&h, h.next - 1), HEARTBEAT_WAIT);
		now = h.next;
		assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_ASK);
		n_asked++;
		/* Late, but not too late. */
		for (int k = 1; k < HEARTBEAT_LOOKS; k++) {
			now = h.next;
			assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_WAIT);
		}
		heartbeat_heard(&h, ++now);
		assert_int_equal(h.next, now + HEARTBEAT_MS);
	}
	assert_int_equal(n_asked, 100);
}

static void silence(void **state)
{
	struct heartbeat h = HEARTBEAT_OFF;
	uint64_t begun = 7;

	(void)state;
	heartbeat_start(&h, begun);
	assert_int_equal(heartbeat_look(&h, h.next), HEARTBEAT_ASK);
	for (int k = 1; k < HEARTBEAT_LOOKS; k++)
		assert_int_equal(heartbeat_look(&h, h.next), HEARTBEAT_WAIT);
	assert_int_equal(h.next - begun, HEARTBEAT_MS + HEARTBEAT_LOOKS * HEARTBEAT_LOOK_MS);
	assert_int_equal(heartbeat_look(&h, h.next), HEARTBEAT_SILENT);
	/* Said once; what it may have written before its end brings nothing back. */
	assert_int_equal(heartbeat_look(&h, UINT64_MAX - 1), HEARTBEAT_WAIT);
	heartbeat_heard(&h, begun + 1000000);
	assert_true(h.next == UINT64_MAX);
}

/* Days pass at once: the machine slept, or everything was frozen. */
static void sleep_of_all(void **state)
{
	struct heartbeat h = HEARTBEAT_OFF;
	uint64_t now = 0;

	(void)state;
	heartbeat_start(&h, now);
	now += 500000000;
	assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_ASK);
	now += 500000000;
	assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_WAIT);
	assert_int_equal(heartbeat_look(&h, now), HEARTBEAT_WAIT);
	assert_int_equal(h.n_missed, 1);
	assert_int_equal(h.next, now + HEARTBEAT_LOOK_MS);
	heartbeat_heard(&h, now + 1);
	assert_int_equal(heartbeat_look(&h, now + HEARTBEAT_LOOK_MS), HEARTBEAT_WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(silence),
		cmocka_unit_test(sleep_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
