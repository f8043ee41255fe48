/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: asks a running netd. It decides nothing, and waits for at most CLIENT_MS; a busy netd is
 * asked again until then. */
#ifndef NETD_BROKER_CLIENT_H
#define NETD_BROKER_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "broker/call.h"

#define CLIENT_MS 60000

/* c: magic and everything that the verb has; fds: namespace, process. path NULL: the usual socket.
 * 0 and the answer (new reference); 1: there is no netd; negative: netd's refusal, with its kind,
 * or what went wrong on the way. */
int client_call(const char *path, const struct call *c, const int *fds, size_t n_fds, json_t **ret,
		struct err *e);

#endif
