/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look: fills in facts. None of these fails: what cannot be seen is left unseen. */
#ifndef NETD_DOCTOR_LOOK_H
#define NETD_DOCTOR_LOOK_H

#include "doctor/facts.h"

/* state_dir as engine_open's. */
void look_who(struct facts *f);
/* Networks, attachments, then the ruleset with our own tables. Needs look_who. */
void look_rules(struct facts *f, const char *state_dir);
/* Sysctls. Needs look_rules. */
void look_settings(struct facts *f);
void look_user(struct facts *f);
/* In a child of its own, some ten milliseconds. Needs look_who. */
void look_kernel(struct facts *f);

#endif
