/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwdstart: starts the local forwarder, or the names responder. The caller binds and listens on the
 * control address itself and hands the listening socket to the new process, so that connections
 * queue up before the program has even been executed, nobody waits for its start, and of two
 * callers exactly one gets to start it.
 *
 * The address is abstract: it is scoped to the network namespace, as the forwarder is, and vanishes
 * with the last descriptor of the socket. Whoever is killed at whatever point leaves nothing
 * behind: killed before the fork, the name is free again; later, the forwarder has it. The price is
 * that any local user can bind the name first or connect to it; so both ends check SO_PEERCRED
 * (which tells who called listen, see unix(7) and fwdlink.c), and a squatter is named in the error.
 *
 * The new process is nobody's child (forked twice), in a session of its own, and holds neither our
 * descriptors nor our signal set-up: callers that wait for the end of a pipe are not kept waiting.
 */
#include "net/fwdstart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "model/fwdmsg.h"
#include "model/namesmsg.h"
#include "sys/priority.h"

#define BACKLOG 4096

const struct fwdstart fwdstart_forwarder = {.address = FWDMSG_ADDRESS,
					    .what = "the local forwarder"};
const struct fwdstart fwdstart_names = {
	.address = NAMESMSG_ADDRESS, .role = NAMESMSG_ROLE, .what = "the names responder"};
_Static_assert(FWDMSG_CONTROL_FD == NAMESMSG_CONTROL_FD, "one program");

static struct {
	bool is_set;
	int end_fd;
	char resolver[N_FAM][IP_STRLEN];
} life;

void fwdstart_live_with(int end_fd, const struct ip resolver[N_FAM])
{
	life.is_set = true;
	life.end_fd = end_fd;
	for (int f = 0; f < N_FAM; f++)
		(void)ip_str(&resolver[f], life.resolver[f]);
}

int fwdstart_end_again(int *ret)
{
	char path[32];

	*ret = -1;
	if (!life.is_set)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", life.end_fd);
	*ret = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

void fwdstart_address(const struct fwdstart *s, struct sockaddr_un *ret, socklen_t *ret_len)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	int n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "%s%u", s->address,
			 (unsigned int)geteuid());
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Beside our own program (as in a build tree), else where it is installed. */
static int find_program(const struct fwdstart *s, char out[PATH_MAX], struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		n = snprintf(out, PATH_MAX, "%s/" FWDMSG_PROGRAM, self);
		if (n < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	snprintf(out, PATH_MAX, "%s/" FWDMSG_PROGRAM, NETNS_UP_LIBEXECDIR);
	if (access(out, X_OK) == 0)
		return 0;
	return err_sys(e, errno, "%s %s", s->what, out);
}

/* In the new process, between fork and exec: system calls only. It runs on the stack given to
 * clone, which a sanitizer takes for an error. */
__attribute__((no_sanitize("address"))) static void become(const char *path, const char *role,
							   int listener)
{
	bool is_bound = role && life.is_set;
	char *const argv[] = {(char[]){FWDMSG_PROGRAM}, (char *)(uintptr_t)role,
			      is_bound ? life.resolver[FAM4] : NULL, life.resolver[FAM6], NULL};
	char *const envp[] = {NULL};
	unsigned int first_closed = is_bound ? NAMESMSG_END_FD + 1 : FWDMSG_CONTROL_FD + 1;
	int end = -1;
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	setsid();
	/* netd's is for netd. */
	priority_settle();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* dup2 onto itself would keep CLOEXEC, and a low number would be closed or written over. */
	null = fcntl(null, F_DUPFD_CLOEXEC, NAMESMSG_END_FD + 1);
	listener = fcntl(listener, F_DUPFD_CLOEXEC, NAMESMSG_END_FD + 1);
	if (is_bound)
		end = fcntl(life.end_fd, F_DUPFD_CLOEXEC, NAMESMSG_END_FD + 1);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			close(fd);
	if (dup2(listener, FWDMSG_CONTROL_FD) < 0)
		_exit(126);
	if (is_bound && dup2(end, NAMESMSG_END_FD) < 0)
		_exit(126);
	/* Once more: who connects from now on is told of this process. */
	if (listen(FWDMSG_CONTROL_FD, BACKLOG) < 0)
		_exit(126);
	if (close_range(first_closed, ~0U, 0) < 0)
		closefrom((int)first_closed);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, envp);
	_exit(127);
}

struct birth {
	const char *path, *role;
	int listener;
};

/* The child in between runs in our memory while we stand still: it only forks and ends. */
__attribute__((no_sanitize("address"))) static int middle(void *arg)
{
	struct birth *b = arg;
	pid_t pid = fork();

	if (pid == 0)
		become(b->path, b->role, b->listener);
	_exit(pid < 0 ? errno & 0x7f : 0);
}

static int spawn(const struct fwdstart *s, const char *path, int listener, struct err *e)
{
	static char stack[32 * 1024] __attribute__((aligned(16)));
	struct birth b = {.path = path, .role = s->role, .listener = listener};
	sigset_t all, old;
	int status = 0;

	/* No handler of our caller may run in a child, and no SIGCHLD is sent (no signal in the
	 * flags). */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = clone(middle, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &b);
	int sys = errno;
	if (pid > 0)
		while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
			;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return err_sys(e, sys, "fork for %s", s->what);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return err_sys(e, WEXITSTATUS(status), "fork for %s", s->what);
	return 0;
}

int fwdstart_run(const struct fwdstart *s, struct err *e)
{
	struct sockaddr_un sa;
	char path[PATH_MAX];
	socklen_t len;
	int r = find_program(s, path, e);

	if (r < 0)
		return r;
	fwdstart_address(s, &sa, &len);
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "control socket of %s", s->what);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
		if (errno == EADDRINUSE)
			return 1;
		return err_sys(e, errno, "control socket of %s", s->what);
	}
	if (listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "control socket of %s", s->what);
	return spawn(s, path, fd, e);
}
