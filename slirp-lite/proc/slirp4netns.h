/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp4netns: what is different when slirp-lite is called by that name: what its clients read of
 * --version and of an error of usage, and defaults. The options are the same (options.c).
 */
#ifndef SLIRP_PROC_SLIRP4NETNS_H
#define SLIRP_PROC_SLIRP4NETNS_H

#include <stdbool.h>

#include "flow/plan.h"

/* The version whose command line and API socket these are. */
#define SLIRP4NETNS_VERSION "1.3.3"

/* By the last part of argv[0], which may be NULL. */
bool slirp4netns_is_name(const char *argv0);
void slirp4netns_print_version(void);
/* The plan, for people who read logs; api: path of the control socket, or NULL. */
void slirp4netns_print_plan(const struct plan *p, const char *api);

#endif
