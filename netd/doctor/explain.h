/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: the path of a packet to a container, step by step: from the host's port through our
 * tables and everybody's forward chains to the interface inside and who listens there. Reads only.
 */
#ifndef NETD_DOCTOR_EXPLAIN_H
#define NETD_DOCTOR_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/addr.h"

struct explain_query {
	struct ip ip;  /* family 0: every address of the host */
	uint16_t port; /* 0: none, then ip is a container's */
	uint8_t proto;
};
/* PORT[/PROTO], ADDR, ADDR:PORT[/PROTO], [ADDR6]:PORT[/PROTO]. ERR_USAGE. */
int explain_parse(const char *s, struct explain_query *ret, struct err *e);

enum step_state {
	STEP_OK,
	STEP_NOTE,    /* good to know */
	STEP_MISSING, /* here it ends */
};

struct step {
	enum step_state state;
	struct buf text;
};

struct steps {
	struct step *v;
	size_t n, cap;
	bool failed; /* no memory */
};

void steps_clear(struct steps *l);
#define CLEAN_STEPS __attribute__((cleanup(steps_clear)))
void steps_add(struct steps *l, enum step_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t steps_missing(const struct steps *l);
const char *step_state_str(enum step_state s);

/* state_dir as engine_open's. Needs privilege over the network. The last step is the verdict. 1:
 * nobody on record has it; the steps say who else. */
int explain_run(const char *state_dir, const struct explain_query *q, struct steps *ret,
		struct err *e);

#endif
