/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delegate: owns the child process of a delegated plugin from start to end. The child gets 0, 1, 2
 * and nothing else (every descriptor of ours is close-on-exec), default signals and a process group
 * of its own, so that its helpers die with it when the time is over.
 */
#include "cni-plugin/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cni-plugin/gojson.h"

#define NAP_MS 2
#define JUNK_MAX 200

extern char **environ;

/* DIR/TYPE of the first directory of the path that has it, malloc'd; NULL and the fault. */
static char *find(const char *path, const char *type, struct fault *f)
{
	for (const char *p = path; *p; p += strcspn(p, ":"), p += *p == ':') {
		int len = (int)strcspn(p, ":");
		struct stat st;
		char *file;

		if (len == 0)
			continue;
		if (asprintf(&file, "%.*s/%s", len, p, type) < 0) {
			fault_set(f, FAULT_INTERNAL, "no memory for a path");
			return NULL;
		}
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
			return file;
		free(file);
	}
	fault_set(f, FAULT_CONFIG, "failed to find plugin \"%s\" in path [%.400s]", type, path);
	return NULL;
}

/* The environment with another CNI_COMMAND; the strings are borrowed. */
static char **environment(char *command)
{
	size_t n = 0, out = 0;
	char **list;

	while (environ[n])
		n++;
	list = calloc(n + 2, sizeof(*list));
	for (size_t i = 0; list && i < n; i++)
		if (strncmp(environ[i], "CNI_COMMAND=", 12) != 0)
			list[out++] = environ[i];
	if (list)
		list[out] = command;
	return list;
}

static int start(const char *file, const struct delegate_call *c, int in, int out, pid_t *ret)
{
	char command[32], *argv[] = {(char *)(uintptr_t)c->type, NULL};
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t all, none;
	char **envp;
	int r;

	snprintf(command, sizeof(command), "CNI_COMMAND=%s", env_command_str(c->command));
	envp = environment(command);
	if (!envp)
		return ENOMEM;
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&acts);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&acts, in, 0);
	posix_spawn_file_actions_adddup2(&acts, out, 1);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(ret, file, &acts, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&acts);
	free(envp);
	return r;
}

/* One turn of writing; closes *fd when done or when the reader is gone. */
static void feed(int *fd, const struct delegate_call *c, size_t *done)
{
	ssize_t n = *done < c->len ? write(*fd, c->text + *done, c->len - *done) : 0;

	if (n > 0)
		*done += (size_t)n;
	if ((n < 0 && errno != EINTR && errno != EAGAIN) || *done == c->len)
		fd_closep(fd);
}

/* 1: there is more to come. */
static int drink(int *fd, struct buf *out)
{
	char part[4096];
	ssize_t n = read(*fd, part, sizeof(part));

	if (n > 0)
		buf_add(out, part, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		fd_closep(fd);
	return out->failed || out->len > DELEGATE_OUT_MAX ? -EFBIG : 0;
}

/* Until it has closed its output. */
static int talk(const struct delegate_call *c, int *in, int *out, uint64_t deadline,
		struct buf *got)
{
	size_t done = 0;

	while (*out >= 0) {
		struct pollfd p[] = {{.fd = *out, .events = POLLIN},
				     {.fd = *in, .events = POLLOUT}};
		int left = clock_left(deadline), r;

		if (left == 0)
			return -ETIMEDOUT;
		r = poll(p, 2, left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		if (p[1].revents)
			feed(in, c, &done);
		if (p[0].revents && drink(out, got) < 0)
			return -EFBIG;
	}
	return 0;
}

/* The status of pid, or -ETIMEDOUT. */
static int await(pid_t pid, uint64_t deadline, int *ret_status)
{
	CLEAN_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int left = clock_left(deadline);
		pid_t r = waitpid(pid, ret_status, WNOHANG);

		if (r == pid)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (left == 0)
			return -ETIMEDOUT;
		poll(&p, 1, fd >= 0 ? left : NAP_MS);
	}
}

static void put_down(pid_t pid)
{
	int status;

	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* The plugin failed: what does it say? */
static int pass_on(const struct delegate_call *c, const struct buf *out, int status,
		   struct fault *f)
{
	const char *msg = "", *details = "";
	CLEAN_JSON json_t *doc = NULL;
	struct fault junk = FAULT_INIT;
	int64_t code = 0;

	if (gojson_parse(out->p ? out->p : "", out->len, &doc, &junk) == 0 &&
	    gojson_int(doc, "", "code", &code, &junk) >= 0 &&
	    gojson_str(doc, "", "msg", &msg, &junk) >= 0 &&
	    gojson_str(doc, "", "details", &details, &junk) >= 0 && (code || *msg)) {
		fault_set(f, code > 0 && code <= INT32_MAX ? (int)code : FAULT_INTERNAL, "%s", msg);
		return fault_details(f, "%s", details);
	}
	if (WIFSIGNALED(status))
		fault_set(f, FAULT_INTERNAL, "plugin \"%s\" was killed by signal %d", c->type,
			  WTERMSIG(status));
	else
		fault_set(f, FAULT_INTERNAL, "plugin \"%s\" failed with status %d", c->type,
			  WEXITSTATUS(status));
	return fault_details(f, "it says: \"%.*s\"%s", JUNK_MAX, out->p ? out->p : "",
			     out->len > JUNK_MAX ? "..." : "");
}

static int converse(const struct delegate_call *c, pid_t pid, int *in, int *out, struct buf *got,
		    struct fault *f)
{
	uint64_t deadline = clock_ms() + (uint64_t)c->timeout_ms;
	int status = 0, r = talk(c, in, out, deadline, got);

	if (r == 0)
		r = await(pid, deadline, &status);
	if (r < 0) {
		if (r != -ECHILD) /* reaped by somebody else: the number may be another's */
			put_down(pid);
		if (r == -ETIMEDOUT)
			return fault_set(f, FAULT_AGAIN, "plugin \"%s\" did not end within %d s",
					 c->type, c->timeout_ms / 1000);
		if (r == -EFBIG)
			return fault_set(f, FAULT_DECODE, "plugin \"%s\" writes without an end",
					 c->type);
		return fault_set(f, FAULT_IO, "plugin \"%s\": %s", c->type, strerror(-r));
	}
	return status ? pass_on(c, got, status, f) : 0;
}

int delegate_run(const struct delegate_call *c, char **ret_out, size_t *ret_len, struct fault *f)
{
	CLEAN_FD int child_in = -1, in = -1, out = -1, child_out = -1;
	CLEAN_FREE char *file = find(c->path, c->type, f);
	CLEAN_BUF struct buf got = BUF_INIT;
	int to[2], from[2], r;
	pid_t pid;

	if (!file)
		return -1;
	if (pipe2(to, O_CLOEXEC) < 0)
		return fault_set(f, FAULT_IO, "pipe: %s", strerror(errno));
	child_in = to[0];
	in = to[1];
	if (pipe2(from, O_CLOEXEC) < 0)
		return fault_set(f, FAULT_IO, "pipe: %s", strerror(errno));
	out = from[0];
	child_out = from[1];
	if (fcntl(in, F_SETFL, O_NONBLOCK) < 0 || fcntl(out, F_SETFL, O_NONBLOCK) < 0)
		return fault_set(f, FAULT_IO, "pipe: %s", strerror(errno));
	r = start(file, c, child_in, child_out, &pid);
	if (r != 0)
		return fault_set(f, FAULT_IO, "cannot start %.400s: %s", file, strerror(r));
	fd_closep(&child_in);
	fd_closep(&child_out);
	if (converse(c, pid, &in, &out, &got, f) < 0)
		return -1;
	buf_add(&got, "", 0);
	*ret_len = got.len;
	*ret_out = got.p;
	got.p = NULL;
	return 0;
}
