/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probes: single system calls to be made inside the sandbox, each with what must become of it: an
 * errno, PROBE_GOES (anything but EPERM), or PROBE_KILLS.
 */
#ifndef TESTS_SLIRP_PROC_PROBES_H
#define TESTS_SLIRP_PROC_PROBES_H

#include <stddef.h>

#define PROBE_GOES (-1)
#define PROBE_KILLS (-2)

struct probe_case {
	const char *name;
	int (*run)(void); /* 0 or errno */
	int want;
	int bare; /* what stops it without the filter: an errno; 0: nothing has to */
};

extern const struct probe_case probe_cases[];
extern const size_t n_probe_cases;

/* Opens what the probes need; before the sandbox. */
int probes_prepare(void);

#endif
