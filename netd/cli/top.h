/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top: what the two kinds of `netns-up top` share: without root (top_user.c) and with it
 * (top_links.c). */
#ifndef NETD_CLI_TOP_H
#define NETD_CLI_TOP_H

#include "cli/cli.h"

struct top_how {
	struct cli_common common;
	uint32_t interval_s;
	uint32_t rounds; /* 0: until somebody ends it */
	bool is_screen;
};

/* Where the terminal begins anew. */
#define TOP_CLEAR "\033[H\033[2J"

int top_user(const struct top_how *how, const char *target, struct err *e);
int top_links(const struct top_how *how, const char *target, struct err *e);

#endif
