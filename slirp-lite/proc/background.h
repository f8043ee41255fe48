/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * background: the daemon in a child that says when it is ready, and what waits for it: a caller
 * that wants to go on, or one with a command to run in the namespace.
 */
#ifndef SLIRP_PROC_BACKGROUND_H
#define SLIRP_PROC_BACKGROUND_H

#include <sys/types.h>

#include "base/err.h"

/* In the parent: 0 when the child is ready (*ret_pid is its number), else the exit status that it
 * ended with, not 0. In the child, which is the leader of a session of its own: -1, *ret_fd takes
 * one byte when it is ready. */
int background_start(int *ret_fd, pid_t *ret_pid);

/* argv in a new user and network namespace, which background_start's child serves: in that child it
 * returns -1 with *ret_fd as above, and *ret_target, the process whose namespace it is. In the
 * parent: the command's exit status (128 + the signal that ended it), after the daemon has ended
 * too; or an exit status of its own: 126 or 127 when argv cannot be executed, else 1, with a line
 * in the log. */
int background_command(char *const *argv, int *ret_fd, pid_t *ret_target);

#endif
