/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl: the control socket (--api-socket): a stream socket, one JSON request a connection, one
 * answer, closed. A request is complete when its outermost brace closes or when the client shuts
 * its side down. Served in the supervisor's loop, never waited for: each client has a deadline, and
 * the longest idle one goes when there are too many. Only the user that started us and root are
 * served.
 */
#ifndef SLIRP_PROC_CTL_H
#define SLIRP_PROC_CTL_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CTL_CLIENTS 64
#define CTL_REQUEST_MAX ((size_t)512 * 1024) /* thousands of ports */
#define CTL_IDLE_MS 10000
/* Entries of struct pollfd that ctl_poll fills. */
#define CTL_N_POLL (1 + CTL_CLIENTS)

struct ctl;

struct ctl_ops {
	/* False: there is no such verb. Else it is answered, at once or later, by ctl_answer with
	 * the same id. arguments may be NULL and are borrowed. */
	bool (*request)(void *arg, uint64_t id, const char *verb, json_t *arguments);
	void *arg;
};

/* Binds path with mode 0600. A socket that nobody listens to any more is removed first; anything
 * else there is ERR_CONFLICT. Of several at once for one path, one succeeds. */
int ctl_listen(const char *path, int *ret_fd, struct err *e);
/* Waits for whoever still serves path to be gone, for at most timeout_ms: its clients see its end.
 */
void ctl_await_end(const char *path, int timeout_ms);
/* The same as ctl_listen with a socket of another type. */
int ctl_bind(const char *path, int type, int *ret_fd, struct err *e);
/* The other end is the user that started us, or root. */
bool ctl_is_welcome(int fd);
/* Takes listen_fd (-1: no socket, nothing ever happens). */
int ctl_new(int listen_fd, const struct ctl_ops *ops, struct ctl **ret, struct err *e);
void ctl_free(struct ctl *c); /* accepts NULL */

/* Returns the deadline (clock_ms) by which to call ctl_serve at the latest. */
uint64_t ctl_poll(struct ctl *c, struct pollfd p[CTL_N_POLL]);
void ctl_serve(struct ctl *c, const struct pollfd p[CTL_N_POLL], uint64_t now);
/* text is JSON; a client that is gone is no error. */
void ctl_answer(struct ctl *c, uint64_t id, const char *text);
/* Plain text: as a JSON string, or as the body of an HTTP answer to who asked by "GET /metrics". */
void ctl_answer_text(struct ctl *c, uint64_t id, const char *text);
/* Sends what is left to be sent, for at most timeout_ms. */
void ctl_flush(struct ctl *c, int timeout_ms);

#endif
