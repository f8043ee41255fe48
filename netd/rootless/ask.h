/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask: one request to one slirp-lite over its control socket: one JSON document each way. */
#ifndef NETD_ROOTLESS_ASK_H
#define NETD_ROOTLESS_ASK_H

#include <jansson.h>

#include "base/err.h"

/* A connection to the socket at path, and a pidfd of who listens there (-1 where the kernel cannot
 * tell). 0; 1: nobody listens (or there is no such file); ERR_DENIED: another user does. */
int ask_connect(const char *path, int *ret_fd, int *ret_pidfd, struct err *e);
/* Sends {"execute": verb} and returns the member "return" of the answer, a new reference. An answer
 * with "error" is ERR_KERNEL with its text. At most a few seconds. */
int ask(int fd, const char *verb, json_t **ret, struct err *e);
/* The same with arguments (taken; NULL: none). Errors have the kind that the answer says; one about
 * a port that somebody else has names him, where /proc can tell. */
int ask_with(int fd, const char *verb, json_t *arguments, json_t **ret, struct err *e);

#endif
