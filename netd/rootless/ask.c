/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask: the client's side of slirp-lite's control socket. What comes back is parsed as from a
 * stranger: bounded in size and time, and believed only when the listener runs as the same user.
 */
#include "rootless/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "model/publish.h"
#include "net/portowner.h"

#define ASK_MS 5000
#define ANSWER_MAX ((size_t)8 * 1024 * 1024) /* thousands of flows */

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* The process with this number is the listener if the listener was there after it was opened; its
 * end would have hung up. The descriptor, or -1. */
static int open_number(int fd, pid_t pid)
{
	CLEAN_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd};
	int r;

	do
		r = poll(&p, 1, 0);
	while (r < 0 && errno == EINTR);
	return r == 0 ? fd_take(&pidfd) : -1;
}

static int listener_of(int fd, const char *path, int *ret_pidfd, struct err *e)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return err_sys(e, errno, "%s", path);
	if (who.uid != geteuid())
		return err_set(e, ERR_DENIED, 0, "%s: user %u listens there", path,
			       (unsigned)who.uid);
	len = sizeof(pidfd);
	/* Linux 6.5 */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
		pidfd = errno == ENOPROTOOPT ? open_number(fd, who.pid) : -1;
	*ret_pidfd = pidfd;
	return 0;
}

int ask_connect(const char *path, int *ret_fd, int *ret_pidfd, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEAN_FD int fd = -1;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_USAGE, ENAMETOOLONG, "%s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == ECONNREFUSED || errno == ENOENT ? 1 : err_sys(e, errno, "%s", path);
	r = listener_of(fd, path, ret_pidfd, e);
	if (r < 0)
		return r;
	*ret_fd = fd_take(&fd);
	return 0;
}

static int read_answer(int fd, uint64_t deadline, struct buf *out, struct err *e)
{
	int r = fd_drain(fd, deadline, ANSWER_MAX, out);

	if (r == -ETIMEDOUT)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "slirp-lite does not answer");
	if (r == -EFBIG)
		return err_set(e, ERR_PROTOCOL, EMSGSIZE, "answer of slirp-lite");
	return r < 0 ? err_sys(e, -r, "answer of slirp-lite") : 0;
}

static const struct {
	const char *name;
	enum err_kind kind;
} kinds[] = {
	{"usage", ERR_USAGE}, {"conflict", ERR_CONFLICT}, {"denied", ERR_DENIED},
	{"quota", ERR_QUOTA}, {"absent", ERR_ABSENT},     {"unsupported", ERR_UNSUPPORTED},
};

static enum err_kind kind_of(json_t *error)
{
	const char *name = json_string_value(json_object_get(error, "kind"));

	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return ERR_KERNEL;
}

static int say_error(json_t *error, struct err *e)
{
	const char *desc = "no reason given", *port = NULL;
	char who[PORTOWNER_STRLEN], text[PUBLISH_STRLEN];
	enum err_kind kind = kind_of(error);
	struct publish p;

	(void)json_get_str(error, "error", "desc", JSON_OPTIONAL, &desc, NULL);
	(void)json_get_str(error, "error", "detail", JSON_OPTIONAL, &desc, NULL);
	(void)json_get_str(error, "error", "port", JSON_OPTIONAL, &port, NULL);
	if (port && publish_parse(port, &p, NULL) == 0)
		return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is taken by %s",
			       publish_str(&p, text),
			       portowner_find(p.proto, &p.host_ip, p.host_port, who));
	return err_set(e, kind, 0, "slirp-lite: %s", desc);
}

static int open_answer(const char *text, size_t len, json_t **ret, struct err *e)
{
	CLEAN_JSON json_t *doc = NULL;
	json_t *part;
	int r = json_parse(text, len, &doc, e);

	if (r < 0)
		return err_ctx(e, r, "answer of slirp-lite");
	part = json_object_get(doc, "error");
	if (part)
		return say_error(part, e);
	part = json_object_get(doc, "return");
	if (!json_is_object(part))
		return err_set(e, ERR_PROTOCOL, EPROTO, "answer of slirp-lite");
	*ret = json_incref(part);
	return 0;
}

static int send_all(int fd, const char *text, size_t len, uint64_t deadline, struct err *e)
{
	while (len > 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return err_sys(e, errno, "request to slirp-lite");
		} else if (clock_left(deadline) == 0) {
			return err_set(e, ERR_BUSY, ETIMEDOUT, "request to slirp-lite");
		} else {
			(void)poll(&p, 1, clock_left(deadline));
		}
	}
	return 0;
}

int ask(int fd, const char *verb, json_t **ret, struct err *e)
{
	return ask_with(fd, verb, NULL, ret, e);
}

int ask_with(int fd, const char *verb, json_t *arguments, json_t **ret, struct err *e)
{
	CLEAN_FREE char *request = NULL;
	CLEAN_BUF struct buf answer = BUF_INIT;
	CLEAN_JSON json_t *doc = json_pack("{s:s,s:o*}", "execute", verb, "arguments", arguments);
	uint64_t deadline = clock_ms() + ASK_MS;
	int r;

	request = json_print(doc);
	if (!request)
		return err_set(e, ERR_INTERNAL, ENOMEM, "request to slirp-lite");
	r = send_all(fd, request, strlen(request), deadline, e);
	if (r < 0)
		return r;
	(void)shutdown(fd, SHUT_WR);
	r = read_answer(fd, deadline, &answer, e);
	return r < 0 ? r : open_answer(answer.p, answer.len, ret, e);
}
