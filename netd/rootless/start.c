/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start: fork and exec of slirp-lite, and exec of our own program for a keeper (mend.h). Its
 * standard error is a pipe of ours until it is ready; after that nobody reads it and it writes to
 * /dev/null. Nothing of ours is inherited but that.
 */
#include "rootless/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fork.h"

#define PROGRAM_NAME "slirp-lite"
#define GC_NAME "netns-up"
#define START_MS 30000 /* longer than slirp-lite itself waits for its parts */
#define TEXT_MAX 400
#define NAME_ROOM 32
#define N_LENT 2
#define ABOVE (3 + N_LENT)

static int find_program(const char *name, char out[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - NAME_ROOM);
	char *slash;

	if (n < 0)
		return err_sys(e, errno, "/proc/self/exe");
	out[n] = '\0';
	slash = strrchr(out, '/');
	(void)snprintf(slash ? slash : out, NAME_ROOM, "/%s", name);
	return access(out, X_OK) < 0 ? err_sys(e, errno, "the program %s", out) : 0;
}

/* Leaves them, which are above, as numbers 3 and 4, and nothing else above 2. */
static void lend(const int lent[N_LENT])
{
	int next = 3;

	for (int i = 0; i < N_LENT; i++) {
		if (lent[i] <= 0)
			continue;
		if (dup2(lent[i], 3 + i) < 0 ||
		    (next < 3 + i && close_range((unsigned)next, (unsigned)(2 + i), 0) < 0))
			_exit(126);
		next = 4 + i;
	}
	if (close_range((unsigned)next, ~0U, 0) < 0)
		_exit(126);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void start_gc(const char *state_dir)
{
	char path[PATH_MAX];
	char *const argv[] = {(char[]){GC_NAME},
			      (char[]){"gc"},
			      (char[]){"--quiet"},
			      (char[]){"--state-dir"},
			      (char *)(uintptr_t)state_dir,
			      NULL};

	reset_signals();
	if (find_program(GC_NAME, path, NULL) == 0)
		execv(path, argv);
	_exit(127);
}

static _Noreturn void execute(const char *path, char *const args[], int errors,
			      const int lent[N_LENT])
{
	int above[N_LENT];

	char *argv[80] = {(char[]){PROGRAM_NAME}};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; args[i] && i + 2 < sizeof(argv) / sizeof(argv[0]); i++)
		argv[i + 1] = args[i];
	reset_signals();
	(void)setsid();
	/* Above their places, so that dup2 neither closes one of them nor keeps CLOEXEC. */
	errors = fcntl(errors, F_DUPFD_CLOEXEC, ABOVE);
	null = fcntl(null, F_DUPFD_CLOEXEC, ABOVE);
	for (int i = 0; i < N_LENT; i++)
		above[i] = lent[i] > 0 ? fcntl(lent[i], F_DUPFD_CLOEXEC, ABOVE) : -1;
	if (errors < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(errors, 2) < 0)
		_exit(126);
	lend(above);
	execv(path, argv);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

/* What it said, until it closes its end or the time is over. The last line counts. */
static void gather(int fd, int pidfd, char text[TEXT_MAX], uint64_t deadline)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	size_t len = 0;

	while (clock_left(deadline) > 0) {
		ssize_t n;

		if (poll(p, 2, clock_left(deadline)) < 0 && errno != EINTR)
			break;
		n = read(fd, text + len, TEXT_MAX - 1 - len);
		if (n > 0) {
			len += (size_t)n;
			if (len == TEXT_MAX - 1)
				break;
		} else if (n == 0 || p[1].revents) {
			break;
		}
	}
	text[len] = '\0';
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
}

static int verdict(pid_t pid, int pidfd, const char *text, struct err *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	const char *line = strrchr(text, '\n');
	int status = 0;

	line = line ? line + 1 : text;
	if (strncmp(line, PROGRAM_NAME ": ", sizeof(PROGRAM_NAME ": ") - 1) == 0)
		line += sizeof(PROGRAM_NAME ": ") - 1;
	if (poll(&p, 1, 0) == 0) {
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return err_set(e, ERR_BUSY, ETIMEDOUT, PROGRAM_NAME " does not get ready");
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return err_set(e, ERR_KERNEL, 0, PROGRAM_NAME ": %s",
			       line[0] ? line : "it ended without a word");
	return err_set(e, ERR_KERNEL, 0, PROGRAM_NAME ": killed by signal %d", WTERMSIG(status));
}

int start_slirp(char *const args[], const int lent[2], struct err *e)
{
	char path[PATH_MAX], text[TEXT_MAX];
	uint64_t deadline = clock_ms() + START_MS;
	CLEAN_FD int errors = -1;
	CLEAN_FD int theirs = -1;
	CLEAN_FD int pidfd = -1;
	int pair[2], r = find_program(PROGRAM_NAME, path, e);
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "pipe");
	errors = pair[0];
	theirs = pair[1];
	pid = fork_into(0, &pidfd);
	if (pid == 0)
		execute(path, args, theirs, lent);
	if (pid < 0)
		return err_sys(e, errno, "start " PROGRAM_NAME);
	fd_closep(&theirs);
	gather(errors, pidfd, text, deadline);
	/* The end of the pipe may come a moment before the end of the process. */
	(void)fd_await(pidfd, POLLIN, deadline);
	return verdict(pid, pidfd, text, e);
}
