/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: one connection a request. An answer is read like any stranger's bytes: a squatter on the
 * path gets no more than a request, and descriptors of the caller's own namespace.
 */
#include "broker/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "broker/request.h"
#include "sys/fdpass.h"

#define CONNECT_S 5
#define PAUSE_MS 8 /* before a busy netd is asked again; twice as much each time, up to */
#define PAUSE_MAX_MS 256

/* 1: nobody is there. */
static int connect_to(const char *path, int *ret, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct ucred cred;
	const struct timeval patience = {.tv_sec = CONNECT_S};
	socklen_t len = sizeof(cred);
	int r;

	/* connect waits for room as sending does. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, errno, "socket");
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= (int)sizeof(sa.sun_path))
		return err_set(e, ERR_USAGE, 0, "%s: too long for a socket", path);
	do
		r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR))
		return 1;
	if (r < 0 && errno == EAGAIN)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "%s", path);
	if (r < 0)
		return err_sys(e, errno, "%s", path);
	/* Who listens there is root, or ourselves. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(e, errno, "%s", path);
	if (cred.uid != 0 && cred.uid != geteuid())
		return err_set(e, ERR_DENIED, 0, "%s: uid %u listens there, not root", path,
			       cred.uid);
	*ret = fd_take(&fd);
	return 0;
}

static enum err_kind kind_of(const char *name)
{
	for (int k = ERR_NONE + 1; name && k <= ERR_INTERNAL; k++)
		if (strcmp(err_kind_name((enum err_kind)k), name) == 0)
			return (enum err_kind)k;
	return ERR_PROTOCOL;
}

static int read_answer(const char *text, size_t len, json_t **ret, struct err *e)
{
	CLEAN_JSON json_t *doc = NULL;
	const char *kind = NULL, *words = NULL;
	int r = json_parse(text, len, &doc, e);

	if (r < 0)
		return err_ctx(e, r, "answer of netd");
	if (json_is_true(json_object_get(doc, "ok"))) {
		*ret = json_incref(doc);
		return 0;
	}
	json_t *wrong = json_object_get(doc, "error");
	kind = json_string_value(json_object_get(wrong, "kind"));
	words = json_string_value(json_object_get(wrong, "text"));
	return err_what(e,
			err_set(e, kind_of(kind), 0, "netd: %s",
				words ? words : "no answer that makes sense"),
			request_what(json_string_value(json_object_get(wrong, "what"))));
}

static int ask(int fd, const struct buf *text, const int *fds, size_t n_fds, uint64_t deadline,
	       json_t **ret, struct err *e)
{
	CLEAN_FREE char *answer = malloc(ANSWER_TEXT_MAX);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = -EAGAIN;
	int r;

	if (!answer)
		return err_set(e, ERR_INTERNAL, ENOMEM, "answer");
	r = fdpass_send(fd, text->p, text->len, fds, n_fds);
	/* Refused before we had spoken: the answer is there all the same. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return err_sys(e, -r, "netd");
	while (n == -EAGAIN) {
		int left = clock_left(deadline);

		if (left == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT, "netd");
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return err_sys(e, errno, "netd");
		n = fdpass_recv(fd, answer, ANSWER_TEXT_MAX, NULL, 0);
	}
	if (n == 0 || n == -ECONNRESET)
		return err_set(e, ERR_BUSY, 0, "netd hung up");
	return n < 0 ? err_sys(e, (int)-n, "netd") : read_answer(answer, (size_t)n, ret, e);
}

/* Those who were sent away together do not come back together. */
static void pause_some(int64_t *ms, int left)
{
	struct timespec t = {.tv_sec = 0};
	int64_t us = *ms * 1000;

	*ms = *ms < PAUSE_MAX_MS ? 2 * *ms : *ms;
	clock_gettime(CLOCK_MONOTONIC, &t);
	us = us / 2 + (t.tv_nsec / 1000 + getpid() * INT64_C(7919)) % us;
	if (us > left * INT64_C(1000))
		us = left * INT64_C(1000);
	t = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	nanosleep(&t, NULL);
}

int client_call(const char *path, const struct call *c, const int *fds, size_t n_fds, json_t **ret,
		struct err *e)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	uint64_t deadline = clock_ms() + CLIENT_MS;
	int64_t pause_ms = PAUSE_MS;
	int r = request_print(c, &text, e);

	while (r >= 0) {
		struct err one = ERR_INIT;
		CLEAN_FD int fd = -1;

		r = connect_to(path ? path : REQUEST_SOCKET, &fd, &one);
		if (r == 0)
			r = ask(fd, &text, fds, n_fds, deadline, ret, &one);
		if (r >= 0)
			return r;
		if (one.kind != ERR_BUSY || clock_left(deadline) == 0) {
			if (e)
				*e = one;
			return r;
		}
		fd_closep(&fd);
		pause_some(&pause_ms, clock_left(deadline));
		r = 0;
	}
	return r;
}
