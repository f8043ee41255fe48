/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock: monotonic time. Durations are in the unit that the name says. */
#ifndef NETD_BASE_CLOCK_H
#define NETD_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void);
uint64_t clock_ms(void);
/* Since the machine booted, sleep included: one clock for all processes, which nobody sets. Goes
 * into records, together with the boot's id. */
uint64_t clock_boot_ns(void);
/* Milliseconds left until deadline_ms (a clock_ms value), 0 when past; fits poll(2). */
int clock_left(uint64_t deadline_ms);

#endif
