/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: the one place that reads the monotonic clocks. Deadlines are absolute values of clock_ms,
 * so that a wait resumed after EINTR or in a loop does not start its time anew.
 */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

uint64_t clock_ns(void)
{
	struct timespec ts;

	/* Cannot fail: CLOCK_MONOTONIC exists and the pointer is good. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_ms(void)
{
	return clock_ns() / 1000000u;
}

int clock_left(uint64_t deadline_ms)
{
	uint64_t now = clock_ms();

	if (deadline_ms <= now)
		return 0;
	if (deadline_ms - now > INT_MAX)
		return INT_MAX;
	return (int)(deadline_ms - now);
}
