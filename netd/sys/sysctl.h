/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl: /proc/sys values of the namespace the calling thread is in. Names are built from
 * constants and checked interface names only. */
#ifndef NETD_SYS_SYSCTL_H
#define NETD_SYS_SYSCTL_H

#include <stddef.h>

#include "base/err.h"

/* key like "net/ipv4/conf/eth0/forwarding" (slashes, because names contain dots). -ENOENT:
 * ERR_ABSENT. */
int sysctl_get_int(const char *key, int *ret, struct err *e);
int sysctl_set_int(const char *key, int value, struct err *e);
/* The same, but a value that is there already is success where it could not be written. */
int sysctl_set_or_has(const char *key, int value, struct err *e);
/* Text of any kind, as it is; the answer without its last newline. -ERANGE when it is longer. */
int sysctl_get_text(const char *key, char *ret, size_t size, struct err *e);
int sysctl_set_text(const char *key, const char *value, struct err *e);

#endif
