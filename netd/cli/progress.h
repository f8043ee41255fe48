/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress: a line on standard error that says how far long work is, for a person who waits: only
 * at a terminal, only after half a second, and gone when the work is over. It never waits for the
 * terminal.
 */
#ifndef NETD_CLI_PROGRESS_H
#define NETD_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

#define PROGRESS_AFTER_MS 500
#define PROGRESS_EVERY_MS 100

struct progress {
	bool is_on, is_shown;
	uint64_t next_ms; /* 0: not begun */
	struct engine *g;
};

/* From now on g's long work is shown, unless -q was given. */
void progress_open(struct progress *p, const struct cli_common *c, struct engine *g);
/* Before anything else is printed; and before g is closed. */
void progress_close(struct progress *p);

#endif
