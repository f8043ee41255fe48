/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: are our tables, apart from their elements, what we load? The elements are looked at one by
 * one elsewhere; a rule that somebody flushed, removed or inserted shows in no element. What is
 * there is listed through libnftables, which is the authority; what should be there is loaded into
 * a network namespace of a child's own and listed the same way, so that both have the same form.
 * Costs tens of milliseconds: for check and gc only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "engine/internal.h"
#include "net/nft.h"
#include "net/ruleset.h"

#define CHILD_MS 10000

/* The listing without elements. They are the only blocks that begin with "elements = {"; names and
 * comments in them have no brace, so the first line that ends with one ends the block. */
static void strip_elements(const char *text, struct buf *out)
{
	bool inside = false;

	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) : strlen(line);
		size_t at = strspn(line, "\t ");
		if (strncmp(line + at, "elements = {", 12) == 0)
			inside = true;
		if (!inside) {
			buf_add(out, line, len);
			buf_add(out, "\n", 1);
		} else if (len && line[len - 1] == '}') {
			inside = false;
		}
		line = end ? end + 1 : NULL;
	}
}

static void child(int to, const void *owner)
{
	CLEAN_BUF struct buf list = BUF_INIT;

	nft_use_child(true);
	if (unshare(CLONE_NEWNET) < 0 ||
	    hostop_load(*(const uint32_t *)owner, NULL, -1, NULL) < 0 ||
	    nft_list(&list, NULL) < 0 || list.failed ||
	    fd_write_all(to, list.p, list.len, NULL) < 0)
		_exit(1);
}

static int read_all(int fd, struct buf *out, struct err *e)
{
	uint64_t deadline = clock_ms() + CHILD_MS;
	char part[4096];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int r = poll(&p, 1, clock_left(deadline));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return err_sys(e, r < 0 ? errno : ETIMEDOUT,
				       "waiting for the model ruleset");
		ssize_t n = read(fd, part, sizeof(part));
		if (n < 0)
			return err_sys(e, errno, "reading the model ruleset");
		if (n == 0)
			return 0;
		buf_add(out, part, (size_t)n);
	}
}

int rules_child(void (*fn)(int to, const void *arg), const void *arg, struct buf *out,
		struct err *e)
{
	CLEAN_FD int from = -1, to = -1;
	int fds[2], status = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	from = fds[0];
	to = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		fn(to, arg);
		_exit(0);
	}
	fd_closep(&to);
	int r = read_all(from, out, e);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		r = err_set(e, ERR_KERNEL, 0, "the model ruleset cannot be loaded");
	return r;
}

int rules_intact(struct engine *g, struct err *e)
{
	CLEAN_BUF struct buf want = BUF_INIT, list = BUF_INIT, have = BUF_INIT, wanted = BUF_INIT;
	int r = rules_child(child, &g->owner, &want, e);

	if (r >= 0)
		r = nft_list(&list, e);
	if (r < 0)
		return r;
	strip_elements(want.p, &wanted);
	strip_elements(list.p, &have);
	if (want.failed || list.failed || have.failed || wanted.failed || !wanted.p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "rulesets");
	return have.p && strcmp(have.p, wanted.p) == 0;
}
