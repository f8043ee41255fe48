/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unshare_child: the child's side of unshare.h: waits for the word, arranges the inside of its new
 * namespaces, then executes the command or, in a new pid namespace, becomes init. It never returns,
 * and reports what fails to the parent in one message. Read pid_namespaces(7), mount_namespaces(7),
 * prctl(2) on PR_SET_PDEATHSIG.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/unshare.h"
#include "sys/unshare_int.h"

/* The only descriptor besides 0, 1 and 2. It goes at exec, which tells the parent of success. */
#define CHANNEL 3

static void report(enum run_stage stage, int sys)
{
	struct run_report m = {stage, sys};

	(void)!send(CHANNEL, &m, sizeof(m), MSG_NOSIGNAL);
}

static _Noreturn void fail(enum run_stage stage, int sys)
{
	report(stage, sys);
	_exit(RUN_STATUS_SELF);
}

/* Locks, netlink sockets and the parent's end of the channel must not live on in a child that waits
 * or becomes init; CLOEXEC would be too late. */
static void keep_channel_only(int channel)
{
	if (channel != CHANNEL && dup3(channel, CHANNEL, O_CLOEXEC) < 0)
		_exit(RUN_STATUS_SELF);
	if (close_range(CHANNEL + 1, ~0U, 0) < 0)
		fail(RUN_FAILED_SETUP, errno);
}

static void wait_for_go(void)
{
	char word = 0;
	ssize_t n;

	do
		n = recv(CHANNEL, &word, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1 || word != RUN_GO)
		_exit(RUN_STATUS_SELF);
}

static void arrange(const struct run_spec *spec)
{
	int r;

	if (spec->flags & RUN_MOUNT) {
		if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			fail(RUN_FAILED_PROPAGATION, errno);
	}
	if (spec->resolv_conf) {
		r = resolv_bind(spec->resolv_conf);
		if (r < 0)
			fail(RUN_FAILED_RESOLV_CONF, -r);
		if (r > 0)
			report(RUN_NO_RESOLV_CONF, 0);
	}
	if (spec->flags & RUN_PID) {
		if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			fail(RUN_FAILED_PROC, errno);
	}
	if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
		fail(RUN_FAILED_HOSTNAME, errno);
}

static _Noreturn void execute(const struct run_spec *spec, const struct run_child *c)
{
	int sys;

	(void)sigaction(SIGCHLD, &c->old_chld, NULL);
	(void)sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
	execvp(spec->argv[0], spec->argv);
	sys = errno;
	report(RUN_FAILED_EXEC, sys);
	_exit(sys == ENOENT ? 127 : 126);
}

/* Reaps what has ended; ends with the command's status when it is among them. */
static void reap(pid_t cmd)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != cmd)
			continue;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
}

/* The signals are blocked since before clone, so one that comes at any time is seen here. */
static _Noreturn void become_init(const struct run_spec *spec, const struct run_child *c)
{
	static const struct timespec at_once;
	sigset_t forwarded, awaited, early;
	siginfo_t si;
	pid_t cmd;
	int sig;

	unshare_signals(&forwarded);
	awaited = forwarded;
	sigaddset(&awaited, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &awaited, NULL);
	/* What the terminal sent to the group before the command was there has not reached it. */
	sigemptyset(&early);
	while ((sig = sigtimedwait(&forwarded, NULL, &at_once)) > 0)
		sigaddset(&early, sig);
	/* Before the command can look. */
	(void)prctl(PR_SET_NAME, "netns-up-init");
	cmd = fork();
	if (cmd < 0)
		fail(RUN_FAILED_FORK, errno);
	if (cmd == 0)
		execute(spec, c);
	close(CHANNEL);
	for (sig = 1; sig < NSIG; sig++)
		if (sigismember(&early, sig) == 1)
			(void)kill(cmd, sig);
	for (;;) {
		sig = sigwaitinfo(&awaited, &si);
		if (sig == SIGCHLD)
			reap(cmd);
		else if (sig > 0 && unshare_is_for(cmd, sig, si.si_code))
			(void)kill(cmd, sig);
	}
}

_Noreturn void unshare_child(const struct run_spec *spec, const struct run_child *c, int channel,
			     pid_t parent)
{
	keep_channel_only(channel);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(RUN_FAILED_SETUP, errno);
	/* A parent that died before that is found out here, or, where a new pid namespace hides its
	 * number, by the end of the channel: it sends the word only after this message. */
	if (!(spec->flags & RUN_PID) && getppid() != parent)
		_exit(RUN_STATUS_SELF);
	report(RUN_READY, 0);
	wait_for_go();
	arrange(spec);
	if (spec->flags & RUN_PID)
		become_init(spec, c);
	execute(spec, c);
}
