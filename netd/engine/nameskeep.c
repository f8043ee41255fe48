/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nameskeep: the keeper: a process of its own that lets containers reach where names lead
 * (learn.c), as the names responder asks it to: that one must not, and who started it is gone by
 * then. It is a copy of whoever started it, without its descriptors, and connects to the responder;
 * it ends with it, or where others keep the namespace with them (fwdstart.h), even while it is
 * stopped. Of its power it keeps to change the network, of files to read the state.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/internal.h"
#include "model/namesmsg.h"
#include "net/fwdstart.h"
#include "sys/priority.h"
#include "sys/sandbox.h"

#define START_MS 10000
#define LOCK_MS 1000 /* less than the responder waits */
#define N_FILES 64
#define NAME "netns-up-keeper"

/* Nothing stays open but what it reports to, what it ends with, and what it asks of the machine. */
static void forget_caller(int report_fd, int end_fd)
{
	int keep[] = {report_fd, end_fd, learn_machine_fd()};
	sigset_t none;
	int null;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	priority_settle();
	setsid();
	prctl(PR_SET_NAME, NAME);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]));
}

static int confine(const char *state_dir, int end_fd)
{
	const char *const readable[] = {state_dir, NULL};
	const struct sandbox_paths paths = {.readable = readable, .only_files = true};
	int r = sandbox_limit(N_FILES, false);

	if (r == 0)
		r = sandbox_lock_securebits();
	if (r == 0)
		r = sandbox_keep_capabilities(1ull << CAP_NET_ADMIN);
	if (r == 0)
		r = sandbox_forbid_gains();
	if (r == 0 && end_fd >= 0)
		r = sandbox_die_with_pipe(end_fd);
	return r < 0 ? r : sandbox_landlock(&paths);
}

static int begin(const char *state_dir, int end_fd, struct engine **ret,
		 struct learner **ret_learner)
{
	struct namesmsg m = {.op = NAMESMSG_KEEP};
	int r;

	engine_hold_use(NULL); /* its sockets are closed */
	r = engine_open(state_dir, false, ret, NULL);
	if (r < 0)
		return r;
	*ret_learner = learner_new(*ret);
	if (!*ret_learner)
		return -ENOMEM;
	/* Opens the file, which cannot be opened later on. */
	r = store_lock_key((*ret)->store, NAME, NULL);
	if (r < 0)
		return r;
	store_unlock_key((*ret)->store, NAME);
	store_set_lock_ms((*ret)->store, LOCK_MS);
	r = confine(state_dir, end_fd);
	if (r == 0)
		r = nameslink_open(&(*ret)->names, false, NULL);
	if (r == 0)
		r = nameslink_call(&(*ret)->names, &m, NULL, 0, NULL, NULL);
	return r == NAMESLINK_NONE ? -ECONNREFUSED : r;
}

/* Until the responder ends. */
static void keep(struct learner *l, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		struct namesmsg_learn m;
		ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			poll(&p, 1, -1);
			continue;
		}
		if (n != (ssize_t)sizeof(m))
			return;
		struct namesmsg_learned a = {.version = NAMESMSG_VERSION,
					     .kind = m.kind,
					     .index = m.index,
					     .gen = m.gen,
					     .sys = -learner_take(l, &m)};
		if (send(fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
	}
}

static void run(const char *state_dir, int report_fd)
{
	struct engine *g = NULL;
	struct learner *l = NULL;
	int end_fd, r = fwdstart_end_again(&end_fd);

	forget_caller(report_fd, end_fd);
	if (r == 0)
		r = begin(state_dir, end_fd, &g, &l);
	if (write(report_fd, &r, sizeof(r)) != (ssize_t)sizeof(r) || r < 0)
		_exit(1);
	close(report_fd);
	keep(l, g->names.fd);
	_exit(0);
}

static int hear(int fd, struct err *e)
{
	int said = -EPIPE;

	if (fd_await(fd, POLLIN, clock_ms() + START_MS) <= 0)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "the keeper of names does not begin");
	if (read(fd, &said, sizeof(said)) != (ssize_t)sizeof(said))
		said = -EPIPE;
	return said < 0 ? err_sys(e, -said, "the keeper of names") : 0;
}

int nameskeep_start(struct engine *g, struct err *e)
{
	CLEAN_FD int from = -1, to = -1;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	from = fds[0];
	to = fds[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork for the keeper of names");
	if (pid == 0) {
		if (fork() == 0)
			run(g->state_dir, to);
		_exit(0); /* the keeper is nobody's child */
	}
	fd_closep(&to);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return hear(from, e);
}
