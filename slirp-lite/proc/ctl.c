/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl: the clients of the control socket, each a small state: reading, waiting for the supervisor's
 * answer, writing. Requests are parsed by jansson after they are complete; error texts are those
 * that clients of slirp4netns know. It binds no port and knows no packet. Read unix(7) on
 * SO_PEERCRED.
 */
#include "proc/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "sys/sockopt.h"

#define ACCEPT_BATCH 16
#define CHUNK 4096
#define REST_MS 100
#define LOCK_MS 1000

enum client_state { CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING };

struct scan {
	uint32_t depth;
	bool in_string, is_escaped, has_begun;
};

struct client {
	int fd; /* -1: free */
	enum client_state state;
	uint64_t id, until;
	struct scan scan;
	char *text; /* the request, then the answer */
	size_t len, at;
	bool is_http;
};

struct ctl {
	struct ctl_ops ops;
	int listen_fd;
	uint64_t rest_until; /* no descriptor was free: not accepted from before */
	uint64_t next_id;
	struct client clients[CTL_CLIENTS];
};

/* Is somebody listening there? Anything but a clear no is a yes. */
static bool is_served(const struct sockaddr_un *sa, int type)
{
	CLEAN_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	       errno != ECONNREFUSED;
}

void ctl_await_end(const char *path, int timeout_ms)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return;
	(void)fd_await(fd, POLLIN, clock_ms() + (uint64_t)timeout_ms);
}

static int remove_stale(const struct sockaddr_un *sa, int type, struct err *e)
{
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", sa->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT, EEXIST, "%s is there and no socket", sa->sun_path);
	if (is_served(sa, type))
		return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s", sa->sun_path);
	return unlink(sa->sun_path) < 0 && errno != ENOENT ? err_sys(e, errno, "%s", sa->sun_path)
							   : 0;
}

/* Who looks whether a socket is stale, removes it and puts his own there does so alone, or one that
 * was bound just now would be taken for stale. The directory itself is the lock: nothing is left of
 * it. Whoever may read the directory can hold it for as long as he likes, in /tmp anybody: so it is
 * waited for, but not for ever, and then done without. */
static int lock_directory(const char *path, int *ret_fd, struct err *e)
{
	static const struct timespec pause = {.tv_nsec = 2000000};
	const char *slash = strrchr(path, '/');
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	uint64_t deadline = clock_ms() + LOCK_MS;
	CLEAN_FD int fd = -1;

	if (slash) { /* "/x": the root directory */
		memcpy(dir, path, (size_t)(slash - path) + 1);
		dir[slash - path + 1] = '\0';
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) /* one that may be written to but not read: no lock */
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "%s", dir);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		/* There are file systems without locks, or without those of directories. */
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_left(deadline) == 0)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

int ctl_bind(const char *path, int type, int *ret_fd, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEAN_FD int fd = -1;
	CLEAN_FD int lock = -1;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_invalid(e, ERR_USAGE, "the specified API socket path is too long");
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the socket is that of its file: it never is open to others. */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_sys(e, errno, "%s", path);
	r = lock_directory(path, &lock, e);
	if (r == 0)
		r = remove_stale(&sa, type, e);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, errno, "%s", path);
	if (listen(fd, CTL_CLIENTS) < 0) {
		r = err_sys(e, errno, "%s", path);
		(void)unlink(path);
		return r;
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

int ctl_listen(const char *path, int *ret_fd, struct err *e)
{
	return ctl_bind(path, SOCK_STREAM, ret_fd, e);
}

int ctl_new(int listen_fd, const struct ctl_ops *ops, struct ctl **ret, struct err *e)
{
	struct ctl *c = calloc(1, sizeof(*c));

	if (!c)
		return err_sys(e, ENOMEM, "control socket");
	c->ops = *ops;
	c->listen_fd = listen_fd;
	for (size_t i = 0; i < CTL_CLIENTS; i++)
		c->clients[i].fd = -1;
	*ret = c;
	return 0;
}

static void drop(struct client *k)
{
	fd_closep(&k->fd);
	free(k->text);
	*k = (struct client){.fd = -1};
}

void ctl_free(struct ctl *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CTL_CLIENTS; i++)
		drop(&c->clients[i]);
	fd_closep(&c->listen_fd);
	free(c);
}

/* Feeds bytes to a scanner of balanced braces. True when the outermost one is closed. */
static bool feed(struct scan *s, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char ch = p[i];

		if (s->in_string) {
			if (!s->is_escaped && ch == '"')
				s->in_string = false;
			s->is_escaped = !s->is_escaped && ch == '\\';
		} else if (ch == '"') {
			s->in_string = true;
		} else if (ch == '{' || ch == '[') {
			s->depth++;
			s->has_begun = true;
		} else if ((ch == '}' || ch == ']') && s->depth > 0) {
			s->depth--;
		}
		if (s->has_begun && s->depth == 0)
			return true;
	}
	return false;
}

/* ---- requests ---- */

static void answer(struct client *k, const char *text)
{
	free(k->text);
	k->text = strdup(text);
	if (!k->text) {
		drop(k);
		return;
	}
	k->len = strlen(text);
	k->at = 0;
	k->state = CLIENT_WRITING;
}

/* detail: our own words beside the text that clients know; "" for none. */
static void refuse(struct client *k, const char *text, const char *detail)
{
	CLEAN_FREE char *dump = NULL;
	CLEAN_JSON json_t *o =
		*detail ? json_pack("{s:{s:s,s:s}}", "error", "desc", text, "detail", detail)
			: json_pack("{s:{s:s}}", "error", "desc", text);

	dump = json_print(o);
	answer(k, dump ? dump : "{\"error\":{\"desc\":\"bad request: out of memory\"}}");
}

static void run(struct ctl *c, struct client *k, json_t *top)
{
	const char *verb = json_string_value(json_object_get(top, "execute"));

	k->state = CLIENT_WAITING;
	if (!verb)
		refuse(k, "bad request: no execute found", "");
	else if (!c->ops.request(c->ops.arg, k->id, verb, json_object_get(top, "arguments")))
		refuse(k, "bad request: unknown execute", "");
}

/* A scraper's request: its first line is all that counts. */
static bool is_http(const struct client *k)
{
	static const char get[] = "GET ";

	return k->len >= sizeof(get) - 1 && memcmp(k->text, get, sizeof(get) - 1) == 0;
}

static bool is_http_whole(const struct client *k)
{
	return memmem(k->text, k->len, "\r\n\r\n", 4) != NULL;
}

static void parse_http(struct ctl *c, struct client *k)
{
	static const char path[] = "GET /metrics ";

	if (k->len < sizeof(path) || memcmp(k->text, path, sizeof(path) - 1) != 0) {
		answer(k, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close"
			  "\r\n\r\n");
		return;
	}
	k->state = CLIENT_WAITING;
	k->is_http = true;
	(void)c->ops.request(c->ops.arg, k->id, "metrics", NULL);
}

static void parse(struct ctl *c, struct client *k)
{
	/* What follows the request is nobody's: clients in C send the end of a string along. */
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK;
	json_error_t why;
	CLEAN_JSON json_t *top = json_loadb(k->text ? k->text : "", k->len, flags, &why);

	if (!top)
		refuse(k, "bad request: cannot parse JSON", why.text);
	else if (!json_is_object(top))
		refuse(k, "bad request: json_object() failed", "expected an object");
	else
		run(c, k, top);
}

/* ---- clients ---- */

static void read_request(struct ctl *c, struct client *k)
{
	while (k->fd >= 0 && k->state == CLIENT_READING) {
		char chunk[CHUNK];
		ssize_t n = recv(k->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		char *more;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				drop(k);
			return;
		}
		if (n == 0) {
			parse(c, k);
			return;
		}
		if (k->len + (size_t)n > CTL_REQUEST_MAX) {
			refuse(k, "bad request: too large message", "");
			return;
		}
		more = realloc(k->text, k->len + (size_t)n);
		if (!more) {
			drop(k);
			return;
		}
		memcpy(more + k->len, chunk, (size_t)n);
		k->text = more;
		k->len += (size_t)n;
		if (is_http(k)) {
			if (is_http_whole(k))
				parse_http(c, k);
		} else if (feed(&k->scan, chunk, (size_t)n)) {
			parse(c, k);
		}
	}
}

static void write_answer(struct client *k)
{
	while (k->at < k->len) {
		ssize_t n =
			send(k->fd, k->text + k->at, k->len - k->at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		k->at += (size_t)n;
	}
	drop(k);
}

bool ctl_is_welcome(int fd)
{
	return sockopt_is_from(fd, geteuid());
}

/* A free place, or that of whoever has been at it longest without a complete request. */
static struct client *find_place(struct ctl *c)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		struct client *k = &c->clients[i];

		if (k->fd < 0)
			return k;
		if (k->state != CLIENT_WAITING && (!oldest || k->id < oldest->id))
			oldest = k;
	}
	if (oldest)
		drop(oldest);
	return oldest;
}

static void accept_clients(struct ctl *c, uint64_t now)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		CLEAN_FD int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct client *k;

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN)
				c->rest_until = now + REST_MS;
			return;
		}
		k = ctl_is_welcome(fd) ? find_place(c) : NULL;
		if (k)
			*k = (struct client){
				.fd = fd_take(&fd), .id = ++c->next_id, .until = now + CTL_IDLE_MS};
	}
}

uint64_t ctl_poll(struct ctl *c, struct pollfd p[CTL_N_POLL])
{
	uint64_t until = UINT64_MAX;

	p[0] = (struct pollfd){.fd = c->rest_until ? -1 : c->listen_fd, .events = POLLIN};
	if (c->rest_until)
		until = c->rest_until;
	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		const struct client *k = &c->clients[i];
		short events = k->state == CLIENT_READING   ? POLLIN
			       : k->state == CLIENT_WRITING ? POLLOUT
							    : 0;

		p[1 + i] = (struct pollfd){.fd = k->fd, .events = events};
		if (k->fd >= 0 && k->until < until)
			until = k->until;
	}
	return until;
}

void ctl_serve(struct ctl *c, const struct pollfd p[CTL_N_POLL], uint64_t now)
{
	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		struct client *k = &c->clients[i];

		if (k->fd < 0 || k->fd != p[1 + i].fd)
			continue;
		if (p[1 + i].revents && k->state == CLIENT_READING)
			read_request(c, k);
		if (k->fd >= 0 && k->state == CLIENT_WRITING)
			write_answer(k);
		if (k->fd >= 0 && (now >= k->until || (k->state == CLIENT_WAITING &&
						       p[1 + i].revents & (POLLERR | POLLHUP))))
			drop(k);
	}
	if (now >= c->rest_until)
		c->rest_until = 0;
	if (p[0].revents)
		accept_clients(c, now);
}

static struct client *find(struct ctl *c, uint64_t id)
{
	for (size_t i = 0; i < CTL_CLIENTS; i++)
		if (c->clients[i].fd >= 0 && c->clients[i].id == id)
			return &c->clients[i];
	return NULL;
}

void ctl_answer(struct ctl *c, uint64_t id, const char *text)
{
	struct client *k = find(c, id);

	if (!k)
		return;
	answer(k, text);
	if (k->fd >= 0)
		write_answer(k);
}

void ctl_answer_text(struct ctl *c, uint64_t id, const char *text)
{
	struct client *k = find(c, id);
	CLEAN_BUF struct buf out = BUF_INIT;

	if (!k)
		return;
	if (k->is_http) {
		buf_printf(&out,
			   "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
			   "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			   strlen(text), text);
	} else {
		CLEAN_JSON json_t *o = json_pack("{s:{s:s}}", "return", "text", text);
		CLEAN_FREE char *dump = json_print(o);

		if (dump)
			buf_printf(&out, "%s", dump);
	}
	ctl_answer(c, id,
		   out.p && !out.failed ? out.p
					: "{\"error\":{\"desc\":\"bad request: out of memory\"}}");
}

void ctl_flush(struct ctl *c, int timeout_ms)
{
	uint64_t deadline = clock_ms() + (uint64_t)timeout_ms;

	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		struct client *k = &c->clients[i];

		while (k->fd >= 0 && k->state == CLIENT_WRITING && clock_left(deadline) > 0) {
			struct pollfd p = {.fd = k->fd, .events = POLLOUT};

			if (poll(&p, 1, clock_left(deadline)) > 0)
				write_answer(k);
		}
	}
}
