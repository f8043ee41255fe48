/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * background: fork, and a pipe whose end says that the child is gone. It sets no deadline for being
 * ready: every wait of the child's has one. Read fork(2), setsid(2).
 */
#include "proc/background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "sys/unshare.h"

#define END_MS 5000 /* for the daemon to notice that its namespace's process is gone */

static int wait_ready(int fd, pid_t pid)
{
	int status;
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

int background_start(int *ret_fd, pid_t *ret_pid)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	int pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		log_error("pipe: %s", strerror(errno));
		return 1;
	}
	ours = pipes[0];
	theirs = pipes[1];
	pid = fork();
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return 1;
	}
	if (pid == 0) {
		(void)setsid();
		*ret_fd = fd_take(&theirs);
		return -1;
	}
	fd_closep(&theirs);
	*ret_pid = pid;
	return wait_ready(ours, pid);
}

/* Its listeners are closed when it has ended, and whoever waits for the command may count on it. */
static void await_end(pid_t pid)
{
	CLEAN_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return;
	(void)fd_await(pidfd, POLLIN, clock_ms() + END_MS);
	(void)waitpid(pid, NULL, WNOHANG);
}

/* The daemon is ready: the command may begin. */
static int run(struct run_child *child, pid_t daemon)
{
	struct err e = ERR_INIT;
	int status = 1;
	int r = unshare_go(child, &e);

	if (r >= 0)
		r = unshare_wait(child, &status, &e);
	if (r < 0) {
		log_error("%s", e.text);
		status = child->exec_status ? child->exec_status : 1;
	}
	unshare_end(child);
	await_end(daemon);
	return status;
}

int background_command(char *const *argv, int *ret_fd, pid_t *ret_target)
{
	const struct run_spec spec = {.flags = RUN_USER, .argv = argv};
	struct run_child child = RUN_CHILD_INIT;
	struct err e = ERR_INIT;
	pid_t daemon = 0;
	int r = unshare_start(&spec, &child, &e);

	if (r < 0) {
		unshare_end(&child);
		log_error("%s", e.text);
		return 1;
	}
	r = background_start(ret_fd, &daemon);
	if (r < 0) {
		*ret_target = child.pid;
		return r;
	}
	if (r > 0) {
		unshare_end(&child);
		return r;
	}
	return run(&child, daemon);
}
