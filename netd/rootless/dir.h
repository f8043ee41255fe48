/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir: the user's directory of control sockets (rootless.h says where), and its lock. */
#ifndef NETD_ROOTLESS_DIR_H
#define NETD_ROOTLESS_DIR_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/name.h"

/* Shorter than sun_path with a file name of 16 digits and ".sock". */
#define ROOTLESS_DIR_MAX 80
#define ROOTLESS_FILE_STRLEN 24
#define ROOTLESS_PATH_STRLEN (ROOTLESS_DIR_MAX + ROOTLESS_FILE_STRLEN + 2)

/* Opens and checks it: a directory, ours, nobody else's to write in. 1: it is not there (read
 * only). path gets its name. */
int dir_open(const char *dir, bool is_read_only, char path[ROOTLESS_DIR_MAX + 1], int *ret_fd,
	     struct err *e);
/* One change at a time; waits at most a minute (ERR_BUSY). Freed by closing *ret_fd. */
int dir_lock(int dir_fd, int *ret_fd, struct err *e);
/* The socket of an attachment: a hash of "ID@IFNAME", for the whole may be too long for sun_path.
 */
void dir_socket_name(const char *id, const char *ifname, char out[ROOTLESS_FILE_STRLEN]);
bool dir_is_socket_name(const char *name);

#endif
