/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidfile: a process's number in a file, which is opened before the process gives up its power over
 * files and written when it is ready. */
#ifndef SLIRP_PROC_PIDFILE_H
#define SLIRP_PROC_PIDFILE_H

#include <sys/types.h>

#include "base/err.h"

/* Makes the file (mode 0644) or empties it. */
int pidfile_open(const char *path, int *ret_fd, struct err *e);
/* "PID\n", and closes it; nothing to do when *fd is -1. */
int pidfile_write(int *fd, pid_t pid, struct err *e);

#endif
