/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zygote: one worker at a time. The order in a new worker: descriptors to their places (0 and 1 on
 * /dev/null, 2 the log pipe, then link, control, capture; all else closed), worker_new, which
 * allocates and opens everything, the sandbox, the word that it is ready, worker_run. What fails
 * before is said on the log pipe, and status 70 says that it was said. Read clone(2),
 * pid_namespaces(7).
 */
#include "proc/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "proc/keptfile.h"
#include "proc/sandbox.h"
#include "stack/ctlmsg.h"
#include "stack/worker.h"
#include "sys/fdpass.h"
#include "sys/fork.h"

#define STATUS_FAILED 70
enum {
	AT_LINK,
	AT_CONTROL,
	AT_LOG,
	AT_PCAP,
	AT_INSIDE,
	AT_LISTEN,
	N_SENT = AT_LISTEN + N_FAM, /* those above come with each request */
	AT_KEPT = N_SENT,
	N_FDS
};
#define SOCK_FD 3
#define KEPT_FD 4
#define END_MS 3000
#define NOFILE_MAX 131072
#define NOFILE_RESERVE 256 /* of them not for flows */

enum request_what { REQUEST_START, REQUEST_KILL };

struct request {
	enum request_what what;
	struct resolvers resolvers;
	struct rates rates;
	bool has[N_SENT]; /* which descriptors come with it */
};

struct state {
	struct worker_config config;
	struct sandbox sandbox;
	int sock;
	int kept;  /* memory file of the workers, one after another; -1: none */
	pid_t pid; /* of the worker, 0: none */
	int pidfd;
};

/* Descriptor 2 is the pipe to the supervisor, which puts the program's name before each line. */
static _Noreturn void die(const char *text)
{
	(void)dprintf(2, "%s\n", text);
	_exit(STATUS_FAILED);
}

/* Places from 0 on; the others are closed. The log pipe comes first, so that what fails is heard.
 */
static void place(int *fds)
{
	int null, n = 3;

	/* Out of the way of the places. */
	for (int i = 0; i < N_FDS; i++)
		if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16)) < 0)
			_exit(STATUS_FAILED);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (dup3(fds[AT_LOG], 2, O_CLOEXEC) < 0 || null < 0)
		_exit(STATUS_FAILED);
	fds[AT_LOG] = 2;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0)
		die("descriptors of a worker");
	for (int i = 0; i < N_FDS; i++)
		if (i != AT_LOG && fds[i] >= 0) {
			if (dup3(fds[i], n, O_CLOEXEC) < 0)
				die("descriptors of a worker");
			fds[i] = n++;
		}
	if (close_range((unsigned)n, ~0U, 0) < 0)
		die("descriptors of a worker");
}

static _Noreturn void worker(const struct state *z, int *fds)
{
	struct ctlmsg ready = {.type = CTLMSG_READY};
	struct worker_fds w;
	struct err e = ERR_INIT;
	struct worker *worker;
	const char *step;
	int r;

	(void)prctl(PR_SET_NAME, "slirp-worker");
	place(fds);
	w = (struct worker_fds){.link = fds[AT_LINK],
				.control = fds[AT_CONTROL],
				.log = fds[AT_LOG],
				.pcap = fds[AT_PCAP],
				.inside = fds[AT_INSIDE],
				.listen = {fds[AT_LISTEN], fds[AT_LISTEN + 1]},
				.kept = fds[AT_KEPT]};
	if (worker_new(&z->config, &w, &host_kernel, &worker, &e) < 0)
		die(e.text);
	r = sandbox_enter(&z->sandbox, &step);
	if (r < 0) {
		(void)err_sys(&e, -r, "sandbox: %s", step);
		die(e.text);
	}
	/* When nobody wants it any more it is over at once. */
	r = ctlmsg_send(w.control, &ready) < 0 ? 0 : worker_run(worker);
	/* Not by _exit: a sanitizer build prepares for that with calls that the filter refuses. */
	for (;;)
		syscall(SYS_exit_group, r);
}

static void start(struct state *z, int *fds)
{
	struct zygote_report report = {.what = ZYGOTE_STARTED};
	pid_t pid;

	do
		pid = fork_into(sandbox_clone_flags(&z->sandbox), &z->pidfd);
	while (pid < 0 && sandbox_without_namespaces(&z->sandbox, errno));
	if (pid == 0) {
		/* Before anything else: a zygote that is killed takes it along. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		worker(z, fds);
	}
	if (pid < 0) {
		report.what = ZYGOTE_FAILED;
		report.sys = errno;
	} else {
		z->pid = pid;
		report.pid = pid;
	}
	(void)fdpass_send(z->sock, &report, sizeof(report), NULL, 0);
}

static void reap(struct state *z)
{
	struct zygote_report report = {.what = ZYGOTE_ENDED, .pid = z->pid};

	while (waitpid(z->pid, &report.status, 0) < 0 && errno == EINTR)
		;
	z->pid = 0;
	fd_closep(&z->pidfd);
	(void)fdpass_send(z->sock, &report, sizeof(report), NULL, 0);
}

/* False: the supervisor is gone. */
static bool obey(struct state *z)
{
	int came[N_SENT], fds[N_FDS];
	struct request q = {0};
	ssize_t n = fdpass_recv(z->sock, &q, sizeof(q), came, N_SENT);

	if (n == -EAGAIN)
		return true;
	if (n <= 0)
		return false;
	for (int i = 0, k = 0; i < N_SENT; i++)
		fds[i] = q.has[i] ? came[k++] : -1;
	fds[AT_KEPT] = z->kept;
	if (n == (ssize_t)sizeof(q) && q.what == REQUEST_KILL && z->pid > 0) {
		(void)kill(z->pid, SIGKILL); /* its end is reported as any other */
	} else if (n == (ssize_t)sizeof(q) && q.what == REQUEST_START && z->pid == 0) {
		z->config.resolvers = q.resolvers;
		z->config.rates = q.rates;
		start(z, fds);
	}
	for (int i = 0; i < N_SENT; i++)
		fd_closep(&fds[i]);
	return true;
}

static _Noreturn void serve(struct state *z)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = z->sock, .events = POLLIN},
				      {.fd = z->pidfd, .events = POLLIN}};

		/* No deadline: it has nothing to do until one of the two speaks. */
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			reap(z);
		if (p[0].revents && !obey(z))
			break;
	}
	if (z->pid > 0) {
		(void)kill(z->pid, SIGKILL);
		while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	_exit(0);
}

/* The terminal's signals and those to the process group are for the supervisor. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As many open files as we may have; flows get what is left of them, in the same shares. */
static void fit_limits(struct worker_config *c)
{
	struct rlimit lim;
	uint64_t want = (uint64_t)c->tcp_max + c->udp_max + c->ping_max +
			2 * (uint64_t)c->through_max,
		 have;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max < NOFILE_MAX ? lim.rlim_max : NOFILE_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	have = lim.rlim_cur > 2 * NOFILE_RESERVE ? lim.rlim_cur - NOFILE_RESERVE : lim.rlim_cur / 2;
	if (want <= have)
		return;
	c->tcp_max = (uint32_t)(c->tcp_max * have / want);
	c->through_max = (uint32_t)(c->through_max * have / want);
	c->udp_max = (uint32_t)(c->udp_max * have / want);
	c->ping_max = (uint32_t)(c->ping_max * have / want);
	if (c->ping_max == 0)
		c->ping_max = 1;
}

/* Without a memory file a worker that died is not told of. */
static int take_places(struct state *z, int sock, int given, struct err *e)
{
	int kept = -1, r;

	sock = fcntl(sock, F_DUPFD_CLOEXEC, KEPT_FD + 1);
	r = keptfile_open(given, &kept, e);
	/* Out of the way of the places. */
	if (kept >= 0)
		kept = fcntl(kept, F_DUPFD_CLOEXEC, KEPT_FD + 1);
	z->sock = dup3(sock, SOCK_FD, O_CLOEXEC);
	z->kept = kept < 0 ? -1 : dup3(kept, KEPT_FD, O_CLOEXEC);
	if (z->sock < 0)
		_exit(STATUS_FAILED);
	(void)close_range(z->kept < 0 ? KEPT_FD : KEPT_FD + 1, ~0U, 0);
	return r;
}

static _Noreturn void fail(const struct state *z, const struct err *e)
{
	struct zygote_report report = {.what = ZYGOTE_FAILED, .sys = e->sys};

	(void)snprintf(report.text, sizeof(report.text), "%s", e->text);
	(void)fdpass_send(z->sock, &report, sizeof(report), NULL, 0);
	_exit(STATUS_FAILED);
}

static _Noreturn void zygote(const struct zygote_spec *s, int sock, pid_t parent)
{
	struct state z = {.config = *s->config, .sock = sock, .pidfd = -1};
	struct err e = ERR_INIT;
	int null;

	(void)prctl(PR_SET_NAME, "slirp-zygote");
	ignore_signals();
	if (take_places(&z, sock, s->kept_fd, &e) < 0)
		fail(&z, &e);
	fit_limits(&z.config);
	if (sandbox_prepare(s->sandbox, &z.config, &z.sandbox, &e) < 0)
		fail(&z, &e);
	/* Whoever reads our caller's output is not to wait for our end. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(STATUS_FAILED);
	fd_closep(&null);
	/* After what may change our credentials, which would clear it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(STATUS_FAILED);
	serve(&z);
}

int zygote_start(const struct zygote_spec *s, struct zygote *ret, struct err *e)
{
	pid_t self = getpid(), pid;
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork_into(0, &pidfd);
	if (pid == 0)
		zygote(s, theirs, self);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	ret->pid = pid;
	ret->pidfd = pidfd;
	ret->sock = fd_take(&ours);
	return 0;
}

int zygote_request(const struct zygote *z, const struct worker_fds *fds,
		   const struct resolvers *resolvers, const struct rates *rates)
{
	const int all[N_SENT] = {fds->link,   fds->control,   fds->log,      fds->pcap,
				 fds->inside, fds->listen[0], fds->listen[1]};
	struct request q = {.what = REQUEST_START, .resolvers = *resolvers, .rates = *rates};
	int list[N_SENT], n = 0;

	for (int i = 0; i < N_SENT; i++) {
		q.has[i] = all[i] >= 0;
		if (q.has[i])
			list[n++] = all[i];
	}
	return fdpass_send(z->sock, &q, sizeof(q), list, (size_t)n);
}

int zygote_kill(const struct zygote *z)
{
	const struct request q = {.what = REQUEST_KILL};

	return fdpass_send(z->sock, &q, sizeof(q), NULL, 0);
}

int zygote_read(const struct zygote *z, struct zygote_report *ret)
{
	struct zygote_report report;
	ssize_t n = fdpass_recv(z->sock, &report, sizeof(report), NULL, 0);

	/* It ended with a request of ours unread: the kernel says so once, its last words follow.
	 */
	if (n == -ECONNRESET)
		n = fdpass_recv(z->sock, &report, sizeof(report), NULL, 0);
	if (n <= 0)
		return (int)n;
	if (n != (ssize_t)sizeof(report))
		return -EPROTO;
	report.text[sizeof(report.text) - 1] = '\0';
	*ret = report;
	return 1;
}

void zygote_end(struct zygote *z)
{
	fd_closep(&z->sock);
	if (z->pid <= 0)
		return;
	/* It ends by itself when its socket is closed, its worker first. */
	if (fd_await(z->pidfd, POLLIN, clock_ms() + END_MS) <= 0)
		(void)syscall(SYS_pidfd_send_signal, z->pidfd, SIGKILL, NULL, 0);
	while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
		;
	z->pid = 0;
	fd_closep(&z->pidfd);
}
