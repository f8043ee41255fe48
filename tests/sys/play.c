/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * play: one run of a command as netns-up would make it, seen from outside: its output, its status,
 * and by the end of the pipe that nobody who had it is left. Every wait has an end. It never
 * judges: the tests do.
 */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

char *self;
char text[65536];

int drive(const struct play *p)
{
	struct run_child c = RUN_CHILD_INIT;
	struct run_spec spec = p->spec;
	struct err e = ERR_INIT;
	int r, status = 0;

	if (!spec.argv)
		spec.argv = (char *const *)(uintptr_t)p->words;
	if (p->early)
		p->early();
	if (p->uid && (setresgid(p->uid, p->uid, p->uid) || setresuid(p->uid, p->uid, p->uid)))
		return FAILED;
	/* As after an exec: /proc/PID belongs to the new user. */
	prctl(PR_SET_DUMPABLE, 1);
	r = unshare_start(&spec, &c, &e);
	if (r == 0 && p->before_go)
		status = p->before_go(&c);
	if (r == 0 && status == 0) {
		r = unshare_go(&c, &e);
		if (r == 1)
			dprintf(1, "no resolv.conf\n");
		if (r >= 0)
			r = unshare_wait(&c, &status, &e);
	}
	if (r < 0) {
		dprintf(1, "%s: %s\n", err_kind_name(e.kind), e.text);
		status = c.exec_status ? c.exec_status : FAILED;
	}
	if (r < 0 && c.exec_status && (unshare_wait(&c, &r, &e) < 0 || r != c.exec_status))
		status = FAILED;
	unshare_end(&c);
	return status;
}

pid_t start(const struct play *p, int *ret_out)
{
	int pair[2];
	pid_t pid;

	(void)fflush(NULL);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pair[1], 1);
		close(pair[0]);
		close(pair[1]);
		_exit(drive(p));
	}
	close(pair[1]);
	*ret_out = pair[0];
	return pid;
}

void read_until(int fd, const char *word)
{
	uint64_t deadline = clock_ms() + LONG_MS;
	size_t len = strlen(text);

	while (!word || !strstr(text, word)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&p, 1, clock_left(deadline)), 1);
		n = read(fd, text + len, sizeof(text) - 1 - len);
		/* EIO is the end of a terminal. */
		if (n == 0 || (n < 0 && errno == EIO))
			break;
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
		assert_true(len < sizeof(text) - 1);
	}
	if (word && !strstr(text, word))
		fail_msg("no \"%s\" in \"%s\"", word, text);
}

int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int play(const struct play *p)
{
	int out;
	pid_t pid = start(p, &out);

	text[0] = '\0';
	read_until(out, NULL);
	close(out);
	return finish(pid);
}

struct play sh(unsigned flags, const char *script)
{
	return (struct play){.spec = {.flags = flags}, .words = {"sh", "-c", script, NULL}};
}

struct play own(unsigned flags, const char *word)
{
	return (struct play){.spec = {.flags = flags}, .words = {self, word, NULL}};
}

int make_world(void **state)
{
	(void)state;
	self = realpath("/proc/self/exe", NULL);
	if (!self)
		return -1;
	return prctl(PR_SET_CHILD_SUBREAPER, 1) || unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	       mount("", "/", NULL, MS_REC | MS_PRIVATE, 0) ||
	       mount("run", "/run", "tmpfs", 0, "mode=0777") ||
	       mount("etc", "/etc", "tmpfs", 0, "mode=0777");
}
