/* SPDX-License-Identifier: GPL-2.0-or-later */
/* priority: whose turn it is on a machine with more to do than processors. */
#ifndef NETD_SYS_PRIORITY_H
#define NETD_SYS_PRIORITY_H

/* The calling process goes first from now on, and all that it starts: many wait for its few
 * milliseconds. Not where somebody has chosen a priority already, or without the right to. */
void priority_raise(void);
/* What it has of that it gives up. Async-signal-safe. */
void priority_settle(void);

#endif
