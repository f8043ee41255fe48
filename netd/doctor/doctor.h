/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: the front door: looks at the host, says what stops traffic of containers, and mends what
 * can be mended without a person's judgement. Facts are gathered first (look_*.c), findings follow
 * from them alone (check_*.c, pure).
 */
#ifndef NETD_DOCTOR_DOCTOR_H
#define NETD_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "base/err.h"
#include "doctor/finding.h"

/* state_dir as engine_open's. *ret_is_whole false: the ruleset was not seen, which is root's. The
 * findings are the caller's. */
int doctor_look(const char *state_dir, struct findings *ret, bool *ret_is_whole, struct err *e);

/* Applies a finding's remedy. 1: it has none that is safe to apply. ERR_DENIED without privilege.
 */
int doctor_fix(const struct finding *f, const char *state_dir, struct err *e);

#endif
