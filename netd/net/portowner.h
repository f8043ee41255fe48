/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portowner: which process of this network namespace holds a port. Slow; for error texts only. */
#ifndef NETD_NET_PORTOWNER_H
#define NETD_NET_PORTOWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "model/addr.h"

#define PORTOWNER_STRLEN 64

/* Writes "COMM (pid N)", "a connection that ended less than a minute ago" (TIME-WAIT holds its
 * port) or "a process that cannot be seen" into out and returns it. host_ip as in struct publish.
 */
const char *portowner_find(uint8_t proto, const struct ip *host_ip, uint16_t port,
			   char out[PORTOWNER_STRLEN]);
/* "COMM (pid N)" of a process; COMM is "?" when it cannot be read. */
const char *portowner_process(pid_t pid, char out[PORTOWNER_STRLEN]);

#endif
