/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jail: gives up everything that the forwarder does not need. */
#ifndef SLIRP_LITE_FWD_JAIL_H
#define SLIRP_LITE_FWD_JAIL_H

/* Enough for all tables to be full at once, where the limit may be raised that far. */
#define JAIL_NOFILE 131072

/* 0, or -errno with *ret_step: the name of what failed. Half way is no way: the caller ends then.
 */
int jail_enter(const char **ret_step);

#endif
