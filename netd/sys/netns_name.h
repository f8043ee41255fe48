/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns_name: where named namespaces are, and what netns.c shares with netns_name.c. Private to
 * this room; the public functions are in netns.h. */
#ifndef NETD_SYS_NETNS_NAME_H
#define NETD_SYS_NETNS_NAME_H

#include <limits.h>

#include "base/err.h"

#define NETNS_DIR "/run/netns"
#define NETNS_PATH_LEN (sizeof(NETNS_DIR) + 1 + NAME_MAX)

/* NETNS_DIR/name into out. ERR_USAGE for what cannot be one file name there. */
int netns_name_path(const char *name, char out[NETNS_PATH_LEN], struct err *e);

/* The descriptor that leads home, handed out only if the way home is open. */
int netns_leave(int *ret_home, struct err *e);
/* Goes home or ends the process (see netns_call). */
void netns_return(int home);

#endif
