/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killat: runs a command and all it starts under ptrace, counts the state-changing system calls of
 * the whole tree at their entry (calls.c), and at the K-th kills the tree, or its main process, or
 * makes that one call fail. The call itself is never executed then. So a test can stop a program at
 * every point where it leaves something behind. Processes that outlive the main one are followed
 * until they are gone or have been quiet for a while, then let go. Read ptrace(2).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

enum { EXIT_DONE = 0, EXIT_BROKEN = 1, EXIT_WORDS = 2, EXIT_ENDED_BEFORE = 3 };

#define TASKS_MAX 4096
#define NO_CALL (-1)
/* The kernel's own (include/linux/errno.h), which only a tracer sees: it enters the call anew, some
 * hundred times when somebody else has the lock that a sysctl of forwarding needs. It is one call.
 */
#define ERESTARTNOINTR 513
#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

static const char usage[] =
	"usage: killat [-l] [-o FILE] [-w MS] [-m | -e ERRNO] K -- CMD [ARG]...\n"
	"  Runs CMD and counts the state-changing system calls of it and its children at their\n"
	"  entry. At the K-th it kills them all; K = 0: at none.\n"
	"  -m        kill the main process only\n"
	"  -e ERRNO  kill nobody: the K-th call fails with ERRNO (a name such as ENOSPC)\n"
	"  -l        list the calls, numbered\n"
	"  -o FILE   list and result go to FILE instead of standard error\n"
	"  -w MS     children that outlive CMD are let go after MS without a counted call (300)\n"
	"Exit status: 0 the kill happened; 3 CMD ended before the K-th call; with K = 0, or -e "
	"and\n"
	"the K-th call reached, that of CMD (128 + signal); 1 trouble; 2 wrong words. The last "
	"line\n"
	"is \"killed K\", \"injected K status S\" or \"ended N status S\".\n";

struct task {
	pid_t tid;
	unsigned index;   /* order of appearance, main is 0 */
	bool at_exit;     /* its next syscall stop is the exit of the call that shall fail */
	bool interrupted; /* asked to stop, to be let go */
	long nr;          /* its last call */
	long again;       /* the call that the kernel begins anew by itself, or NO_CALL */
};

static struct {
	unsigned long k, n;
	int inject; /* errno, or 0 */
	bool list, main_only;
	long quiet_ms;
	FILE *out;

	struct task tasks[TASKS_MAX];
	size_t n_tasks;
	unsigned n_seen;
	pid_t main;
	bool counting, reached, killing, main_ended, leaving;
	int main_status;
	uint64_t quiet_since;
} s = {.quiet_ms = 300};

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{"EPERM", EPERM},           {"ENOENT", ENOENT},
	{"EINTR", EINTR},           {"EIO", EIO},
	{"EAGAIN", EAGAIN},         {"ENOMEM", ENOMEM},
	{"EACCES", EACCES},         {"EBUSY", EBUSY},
	{"EEXIST", EEXIST},         {"ENODEV", ENODEV},
	{"EINVAL", EINVAL},         {"ENFILE", ENFILE},
	{"EMFILE", EMFILE},         {"EFBIG", EFBIG},
	{"ENOSPC", ENOSPC},         {"EROFS", EROFS},
	{"ENOBUFS", ENOBUFS},       {"ENOSYS", ENOSYS},
	{"EOPNOTSUPP", EOPNOTSUPP}, {"EDQUOT", EDQUOT},
	{"ESRCH", ESRCH},           {"EADDRINUSE", EADDRINUSE},
};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static _Noreturn void broken(const char *what)
{
	(void)fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(EXIT_BROKEN); /* PTRACE_O_EXITKILL ends the tree */
}

static struct task *task_find(pid_t tid)
{
	for (size_t i = 0; i < s.n_tasks; i++)
		if (s.tasks[i].tid == tid)
			return &s.tasks[i];
	return NULL;
}

static struct task *task_get(pid_t tid)
{
	struct task *t = task_find(tid);

	if (t)
		return t;
	if (s.n_tasks == TASKS_MAX) {
		errno = EMFILE;
		broken("tasks");
	}
	t = &s.tasks[s.n_tasks++];
	*t = (struct task){.tid = tid, .index = s.n_seen++, .again = NO_CALL};
	return t;
}

static void task_drop(pid_t tid)
{
	struct task *t = task_find(tid);

	if (t)
		*t = s.tasks[--s.n_tasks];
}

static void kill_now(void)
{
	s.killing = true;
	for (size_t i = 0; i < s.n_tasks; i++)
		if (!s.main_only || s.tasks[i].tid == s.main)
			(void)kill(s.tasks[i].tid, SIGKILL);
}

/* -e: the call's number becomes one that no call has; its result is set at its exit. */
#ifdef __x86_64__
static void call_skip(struct task *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &r) < 0)
		return;
	r.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &r) == 0)
		t->at_exit = true;
}

static void call_fail(struct task *t)
{
	struct user_regs_struct r;

	t->at_exit = false;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &r) < 0)
		return;
	r.rax = (unsigned long long)-s.inject;
	(void)ptrace(PTRACE_SETREGS, t->tid, NULL, &r);
}
#define CAN_INJECT true
#else
static void call_skip(struct task *t)
{
	(void)t;
}

static void call_fail(struct task *t)
{
	(void)t;
}
#define CAN_INJECT false
#endif

static void counted(struct task *t, const char *show)
{
	s.n++;
	s.quiet_since = now_ms();
	if (s.list)
		(void)fprintf(s.out, "%lu %u %s\n", s.n, t->index, show);
	if (s.n != s.k || s.killing)
		return;
	/* There is no main process left to kill. */
	if (s.main_only && s.main_ended)
		return;
	s.reached = true;
	if (s.inject)
		call_skip(t);
	else
		kill_now();
}

static void at_syscall(struct task *t)
{
	struct __ptrace_syscall_info info;
	uint64_t args[6];
	char show[512];

	if (!s.counting)
		return;
	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) <= 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->at_exit)
		call_fail(t);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == -ERESTARTNOINTR)
		t->again = t->nr;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	t->nr = (long)info.entry.nr;
	if (t->nr == t->again) {
		t->again = NO_CALL;
		return;
	}
	for (int i = 0; i < 6; i++)
		args[i] = info.entry.args[i];
	if (calls_counts(t->tid, info.entry.nr, args, show, sizeof(show)))
		counted(t, show);
}

static void resume(pid_t tid, int sig)
{
	/* ESRCH: killed meanwhile, which waitpid tells. */
	(void)ptrace(PTRACE_SYSCALL, tid, NULL, sig);
}

static void let_go(pid_t tid, int sig)
{
	(void)ptrace(PTRACE_DETACH, tid, NULL, sig);
	task_drop(tid);
}

static void at_stop(pid_t tid, int status)
{
	bool is_new = !task_find(tid);
	struct task *t = task_get(tid);
	int sig = WSTOPSIG(status), event = status >> 16;

	/* A child that appears while the tree is being killed. */
	if (is_new && s.killing && !s.main_only)
		(void)kill(tid, SIGKILL);
	if (event == PTRACE_EVENT_EXEC && tid == s.main && !s.counting)
		s.counting = true;
	if (sig == (SIGTRAP | 0x80))
		at_syscall(t);
	if (s.leaving) {
		let_go(tid, event || sig == (SIGTRAP | 0x80) ? 0 : sig);
		return;
	}
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		/* A stop of the whole group: stays so until SIGCONT. */
		(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	resume(tid, event || sig == (SIGTRAP | 0x80) ? 0 : sig);
}

static void at_end(pid_t tid, int status)
{
	task_drop(tid);
	if (tid != s.main || s.main_ended)
		return;
	s.main_ended = true;
	s.main_status = status;
	s.quiet_since = now_ms();
}

/* Asks all to stop; each is let go when it does. */
static void leave(void)
{
	s.leaving = true;
	for (size_t i = 0; i < s.n_tasks; i++)
		(void)ptrace(PTRACE_INTERRUPT, s.tasks[i].tid, NULL, NULL);
}

/* Sleeps until a tracee reports. False when the quiet time after the main process's end is over. */
static bool await_report(const sigset_t *chld)
{
	struct timespec left = {.tv_sec = 1};
	uint64_t until = s.quiet_since + (uint64_t)s.quiet_ms, now = now_ms();

	/* The killed and those that were asked to stop will report. */
	if (s.main_ended && !s.leaving && !(s.killing && !s.main_only)) {
		if (now >= until)
			return false;
		left.tv_sec = (time_t)((until - now) / 1000);
		left.tv_nsec = (long)((until - now) % 1000) * 1000000;
	}
	(void)sigtimedwait(chld, NULL, &left);
	return true;
}

static void trace(void)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);

		if (tid < 0 && errno == ECHILD)
			return;
		if (tid < 0 && errno != EINTR)
			broken("waitpid");
		if (tid > 0 && WIFSTOPPED(status))
			at_stop(tid, status);
		else if (tid > 0)
			at_end(tid, status);
		if (s.leaving && s.n_tasks == 0)
			return;
		if (tid <= 0 && !await_report(&chld))
			leave();
	}
}

static void start(char **argv)
{
	int gate[2];
	char c = 'x';

	if (pipe(gate) < 0)
		broken("pipe");
	s.main = fork();
	if (s.main < 0)
		broken("fork");
	if (s.main == 0) {
		sigset_t none;

		close(gate[1]);
		if (read(gate[0], &c, 1) != 1)
			_exit(126);
		close(gate[0]);
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[0], argv);
		(void)fprintf(stderr, "killat: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(gate[0]);
	(void)task_get(s.main);
	if (ptrace(PTRACE_SEIZE, s.main, NULL, OPTIONS) < 0 ||
	    ptrace(PTRACE_INTERRUPT, s.main, NULL, NULL) < 0)
		broken("ptrace");
	if (write(gate[1], &c, 1) != 1)
		broken("pipe");
	close(gate[1]);
}

static bool parse_number(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return !errno && !*end && *ret <= max;
}

static int parse_errno(const char *text)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, text) == 0)
			return errnos[i].value;
	return 0;
}

static char **parse(int argc, char **argv)
{
	unsigned long ms;
	int c;

	s.out = stderr;
	while ((c = getopt(argc, argv, "+mle:o:w:")) >= 0) {
		bool ok = c != '?';

		if (c == 'm')
			s.main_only = true;
		else if (c == 'l')
			s.list = true;
		else if (c == 'e')
			ok = (s.inject = parse_errno(optarg)) != 0;
		else if (c == 'o')
			ok = (s.out = fopen(optarg, "we")) != NULL;
		else if (c == 'w' && (ok = parse_number(optarg, 600000, &ms)))
			s.quiet_ms = (long)ms;
		if (!ok) {
			if (c != '?')
				(void)fprintf(stderr, "killat: -%c %s\n", c, optarg);
			return NULL;
		}
	}
	if (s.inject && (s.main_only || !CAN_INJECT))
		return NULL;
	if (optind >= argc || !parse_number(argv[optind++], 1000000, &s.k))
		return NULL;
	if (optind < argc && strcmp(argv[optind], "--") == 0)
		optind++;
	return optind < argc ? argv + optind : NULL;
}

int main(int argc, char **argv)
{
	char **cmd = parse(argc, argv);
	sigset_t chld;
	int status;

	if (!cmd) {
		(void)fputs(usage, stderr);
		return EXIT_WORDS;
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	/* Orphans of the killed come here and are reaped. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(cmd);
	trace();

	status = WIFEXITED(s.main_status) ? WEXITSTATUS(s.main_status)
					  : 128 + WTERMSIG(s.main_status);
	/* The main process may have been ending by itself when it was to be killed. */
	if (s.main_only && status != 128 + SIGKILL)
		s.killing = false;
	if (s.killing)
		(void)fprintf(s.out, "killed %lu\n", s.k);
	else if (s.inject && s.reached)
		(void)fprintf(s.out, "injected %lu status %d\n", s.k, status);
	else
		(void)fprintf(s.out, "ended %lu status %d\n", s.n, status);
	if (fflush(s.out) != 0)
		broken("output");
	if (s.killing)
		return EXIT_DONE;
	return (s.inject && s.reached) || s.k == 0 ? status : EXIT_ENDED_BEFORE;
}
