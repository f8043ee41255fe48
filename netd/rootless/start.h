/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start: executes slirp-lite and waits until it says that traffic passes. */
#ifndef NETD_ROOTLESS_START_H
#define NETD_ROOTLESS_START_H

#include "base/err.h"

#define START_FD "3"
#define START_FD_2 "4"

/* Arguments after the program's name, NULL at the end. slirp-lite goes to the background by itself;
 * its last words on standard error become the error's text. lent[0] > 0: it gets that one as
 * number START_FD; lent[1] > 0: it gets that one as number START_FD_2. It lies beside our own
 * program or in NETNS_UP_LIBEXECDIR/../../bin. */
int start_slirp(char *const args[], const int lent[2], struct err *e);

/* Becomes `netns-up gc` of that directory, of the program that lies beside the caller's own. */
_Noreturn void start_gc(const char *state_dir);

#endif
