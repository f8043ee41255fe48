/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command in new namespaces: what it sees, how it ends, which signals reach it and how often, and
 * that it does not outlive its starter. Runs as root in network and mount namespaces of its own;
 * the cases for callers without privilege give up root first. Each command writes to a pipe, whose
 * end also tells that nobody who has it is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/netns.h"
#include "sys/sysctl.h"
#include "sys/unshare.h"

#define NOBODY 1500
#define LONG_MS 10000
#define FAILED 99 /* a driver's status when start, go or wait failed */

static char *self; /* this program, which is also the command that counts signals */

/* What a driver, the process in the role of netns-up, does. */
struct play {
	struct run_spec spec;
	const char *words[4]; /* the command, unless spec has one */
	uid_t uid;
	int (*before_go)(struct run_child *c); /* not 0: the driver ends with it */
	void (*early)(void);                   /* before unshare_start */
};

static int drive(const struct play *p)
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

/* Starts a driver with its standard output on a pipe. */
static pid_t start(const struct play *p, int *ret_out)
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

/* Reads until the end, or until word has come when that is not NULL. */
static void read_until(int fd, const char *word, char *text, size_t size)
{
	uint64_t deadline = clock_ms() + LONG_MS;
	size_t len = strlen(text);

	while (!word || !strstr(text, word)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&p, 1, clock_left(deadline)), 1);
		n = read(fd, text + len, size - 1 - len);
		/* EIO is the end of a terminal. */
		if (n == 0 || (n < 0 && errno == EIO))
			break;
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
		assert_true(len < size - 1);
	}
	if (word && !strstr(text, word))
		fail_msg("no \"%s\" in \"%s\"", word, text);
}

static int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char text[65536];

static int play(const struct play *p)
{
	int out;
	pid_t pid = start(p, &out);

	text[0] = '\0';
	read_until(out, NULL, text, sizeof(text));
	close(out);
	return finish(pid);
}

static struct play sh(unsigned flags, const char *script)
{
	return (struct play){.spec = {.flags = flags}, .words = {"sh", "-c", script, NULL}};
}

/* This program as the command. */
static struct play own(unsigned flags, const char *word)
{
	return (struct play){.spec = {.flags = flags}, .words = {self, word, NULL}};
}

#define PLAY(p)                                                                                    \
	__extension__({                                                                            \
		struct play play_ = (p);                                                           \
		play(&play_);                                                                      \
	})

static void statuses(void **state)
{
	static const unsigned flags[] = {0, RUN_PID, RUN_USER, RUN_PID | RUN_USER};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(PLAY(sh(flags[i], "exit 0")), 0);
		assert_int_equal(PLAY(sh(flags[i], "exit 7")), 7);
		assert_int_equal(PLAY(sh(flags[i], "exit 255")), 255);
		assert_int_equal(PLAY(sh(flags[i], "kill -TERM $$")), 128 + SIGTERM);
		assert_int_equal(PLAY(sh(flags[i], "kill -KILL $$")), 128 + SIGKILL);
		assert_int_equal(PLAY(sh(flags[i], "ulimit -c 0; kill -SEGV $$")), 128 + SIGSEGV);
	}
}

static void exec_errors(void **state)
{
	static const struct {
		const char *cmd;
		int status;
		const char *kind;
	} cases[] = {
		{"/run/no-such-file", 127, "absent: /run/no-such-file: "},
		{"no-such-command-anywhere", 127, "absent: no-such-command-anywhere: "},
		{"/run/plain", 126, "denied: /run/plain: "},
		{"/run", 126, "denied: /run: "},
		{"/run/plain/x", 126, "kernel: /run/plain/x: "},
	};

	(void)state;
	assert_int_equal(mknod("/run/plain", S_IFREG | 0644, 0), 0);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p = {.spec = {.flags = i % 2 ? RUN_PID : 0},
				 .words = {cases[i / 2].cmd, NULL}};

		assert_int_equal(play(&p), cases[i / 2].status);
		assert_memory_equal(text, cases[i / 2].kind, strlen(cases[i / 2].kind));
	}
}

static void words_that_are_wrong(void **state)
{
	static const char *const hosts[] = {"", "-a", ".a", "a b", "a/b", "a\n", "h\xc3\xb6st"};
	struct play p = sh(0, "echo ran");
	char long_name[66];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		p.spec.hostname = hosts[i];
		assert_int_equal(play(&p), FAILED);
		assert_memory_equal(text, "usage: host name", 16);
	}
	memset(long_name, 'a', 65);
	long_name[65] = '\0';
	p.spec.hostname = long_name;
	assert_int_equal(play(&p), FAILED);
	long_name[64] = '\0';
	assert_int_equal(play(&p), 0);
	p.words[0] = NULL;
	assert_int_equal(play(&p), FAILED);
	p.words[0] = "";
	assert_int_equal(play(&p), FAILED);
	assert_memory_equal(text, "usage: ", 7);
}

static int set_ttl(void *arg, struct err *e)
{
	(void)arg;
	return sysctl_set_int("net/ipv4/ip_default_ttl", 99, e);
}

static int plumb(struct run_child *c)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	(void)poll(NULL, 0, 100);
	if (access("/run/began", F_OK) == 0)
		return 11;
	if (netns_open_pid(c->pid, &fd, NULL, &e) < 0 || netns_is_self(fd, &e) != 0)
		return 12;
	return netns_call(fd, set_ttl, NULL, &e) < 0 ? 13 : 0;
}

static void network_comes_first(void **state)
{
	struct play p = sh(RUN_PID, "touch /run/began; cat /proc/sys/net/ipv4/ip_default_ttl");

	(void)state;
	p.before_go = plumb;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "99\n");
	assert_int_equal(unlink("/run/began"), 0);
}

static void each_kind(void **state)
{
	static const struct {
		unsigned flag;
		const char *name;
	} kinds[] = {{RUN_PID, "pid"}, {RUN_MOUNT, "mnt"}, {RUN_UTS, "uts"},
		     {RUN_IPC, "ipc"}, {RUN_USER, "user"}, {RUN_CGROUP, "cgroup"}};

	(void)state;
	for (size_t i = 0; i <= 6; i++) {
		unsigned flags = i < 6 ? kinds[i].flag : 0;

		assert_int_equal(PLAY(sh(flags, "cd /proc/self/ns; readlink *")), 0);
		for (size_t k = 0; k < 6; k++) {
			char path[64], link[64];
			ssize_t n;

			(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[k].name);
			n = readlink(path, link, sizeof(link) - 1);
			assert_true(n > 0);
			link[n] = '\0';
			/* A new pid namespace brings a mount namespace, for its /proc. */
			if (kinds[k].flag == flags ||
			    (flags == RUN_PID && kinds[k].flag == RUN_MOUNT))
				assert_null(strstr(text, link));
			else
				assert_non_null(strstr(text, link));
		}
	}
}

static void always_a_network(void **state)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/net", link, sizeof(link) - 1);

	(void)state;
	assert_true(n > 0);
	link[n] = '\0';
	assert_int_equal(PLAY(sh(0, "readlink /proc/self/ns/net; ls /sys/class/net >/dev/null")),
			 0);
	assert_memory_equal(text, "net:[", 5);
	assert_null(strstr(text, link));
}

static void host_name(void **state)
{
	struct play p = sh(0, "uname -n");
	char before[65], after[65];

	(void)state;
	assert_int_equal(gethostname(before, sizeof(before)), 0);
	p.spec.hostname = "box-1.example";
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "box-1.example\n");
	p.spec.flags = RUN_USER;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "box-1.example\n");
	assert_int_equal(gethostname(after, sizeof(after)), 0);
	assert_string_equal(before, after);
}

static void put(const char *path, const char *s)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(s, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#define RESOLV "nameserver 203.0.113.5\n"

static void resolv_conf(void **state)
{
	static const unsigned flags[] = {0, RUN_PID, RUN_USER | RUN_PID};
	struct play p = sh(0, "exec 2>/dev/null; cat /etc/resolv.conf; ls -A /etc; grep -c "
			      "size=256k /proc/mounts;"
			      "stat -Lc %a /etc/resolv.conf; echo x >>/etc/resolv.conf");

	(void)state;
	p.spec.resolv_conf = RESOLV;
	for (size_t i = 0; i < 3; i++) {
		p.spec.flags = flags[i];
		assert_int_equal(play(&p), 0); /* the last word of the script makes the file */
		assert_non_null(strstr(text, "no resolv.conf\n"));
		assert_int_equal(unlink("/etc/resolv.conf"), 0);

		put("/etc/resolv.conf", "nameserver 127.0.0.53\n");
		assert_int_equal(play(&p), 0);
		assert_string_equal(text, RESOLV "resolv.conf\n1\n644\n");

		/* A chain of links, as a resolver service makes it, out of the directory. */
		assert_int_equal(unlink("/etc/resolv.conf"), 0);
		put("/run/stub", "nameserver 127.0.0.53\n");
		assert_int_equal(symlink("../run/stub", "/etc/resolv.conf"), 0);
		assert_int_equal(play(&p), 0);
		assert_string_equal(text, RESOLV "resolv.conf\n1\n644\n");
		assert_int_equal(PLAY(sh(0, "cat /run/stub")), 0);
		assert_string_equal(text, "nameserver 127.0.0.53\n");

		assert_int_equal(unlink("/run/stub"), 0);
		assert_int_equal(play(&p), 0);
		assert_non_null(strstr(text, "no resolv.conf\n"));
		assert_int_equal(unlink("/run/stub"), 0);
		assert_int_equal(unlink("/etc/resolv.conf"), 0);
	}
}

static void keep_fds(void)
{
	int fd = open("/dev/null", O_RDWR);

	for (int i = 3; i < 200; i++)
		if (i != fd)
			(void)dup2(fd, i);
	(void)dup2(fd, 900);
}

/* As a command: lists the descriptors of a process, but for the one that it reads the list on. */
static void list_fds(const char *path, char *ret, size_t size)
{
	DIR *d = opendir(path);
	struct dirent *de;

	ret[0] = '\0';
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.' &&
		    (atoi(de->d_name) != dirfd(d) || strcmp(path, "/proc/self/fd") != 0))
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s ", de->d_name);
	if (d)
		closedir(d);
}

static int show_fds(void)
{
	uint64_t deadline = clock_ms() + LONG_MS;
	char fds[4096];

	list_fds("/proc/self/fd", fds, sizeof(fds));
	dprintf(1, "%s\n", fds);
	/* init closes its end of the channel while we run */
	do
		list_fds("/proc/1/fd", fds, sizeof(fds));
	while (strcmp(fds, "0 1 2 ") != 0 && clock_left(deadline) > 0);
	dprintf(1, "%s\n", fds);
	return 0;
}

static void descriptors(void **state)
{
	struct play p = own(RUN_PID, "fds");
	struct play q =
		sh(0, "for f in 3 4 5 50 199 900; do test -e /proc/$$/fd/$f && echo $f; done; :");

	(void)state;
	p.early = keep_fds;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0 1 2 \n0 1 2 \n");
	q.early = keep_fds;
	assert_int_equal(play(&q), 0);
	assert_string_equal(text, "");
}

/* A lock of the caller must be free when the caller lets go, whatever its child still waits for. */
static int lock_is_free(struct run_child *c)
{
	struct flock l = {.l_type = F_WRLCK, .l_len = 1};
	int a = open("/run/plain", O_RDWR | O_CLOEXEC), b = open("/run/plain", O_RDWR | O_CLOEXEC);

	(void)c;
	close(200); /* early_lock's */
	if (fcntl(a, F_OFD_SETLK, &l) < 0)
		return 21;
	return fcntl(b, F_OFD_SETLK, &l) < 0 ? 0 : 22;
}

static void early_lock(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_len = 1};
	int fd = open("/run/plain", O_RDWR | O_CLOEXEC);

	if (fcntl(fd, F_OFD_SETLK, &l) < 0 || dup3(fd, 200, O_CLOEXEC) < 0)
		_exit(23);
	close(fd);
}

static void locks_are_not_kept(void **state)
{
	struct play p = sh(RUN_PID, "exit 3");

	(void)state;
	p.early = early_lock;
	p.before_go = lock_is_free;
	assert_int_equal(play(&p), 3);
}

static void ignore_chld(void)
{
	sigset_t set;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void mask_and_dispositions(void **state)
{
	/* No shell: it would change some. */
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct play p = {.spec = {.flags = i ? RUN_PID : 0},
				 .words = {"grep", "^Sig[BI][lg]", "/proc/self/status", NULL}};

		assert_int_equal(play(&p), 0);
		assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
		p.early = ignore_chld;
		assert_int_equal(play(&p), 0); /* a status although SIGCHLD was ignored */
		assert_string_equal(text, "SigBlk:\t0000000000000800\nSigIgn:\t0000000000010200\n");
	}
}

static volatile sig_atomic_t counts[NSIG];

static void count(int sig)
{
	counts[sig]++;
}

static const struct {
	int sig;
	const char *name;
} sigs[] = {{SIGINT, "INT"},   {SIGTERM, "TERM"}, {SIGHUP, "HUP"},     {SIGQUIT, "QUIT"},
	    {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGWINCH, "WINCH"}, {SIGCONT, "CONT"}};

#define N_SIGS (sizeof(sigs) / sizeof(sigs[0]))

/* The command that counts: says "ready", and after the first signal and a quiet moment what it got.
 */
static int count_signals(bool own_group)
{
	struct sigaction sa = {.sa_handler = count};
	int total;

	if (own_group)
		(void)setpgid(0, 0);
	for (size_t i = 0; i < N_SIGS; i++)
		(void)sigaction(sigs[i].sig, &sa, NULL);
	dprintf(1, "ready\n");
	do {
		(void)poll(NULL, 0, 150); /* ends early at a signal, then waits again */
		total = 0;
		for (size_t i = 0; i < N_SIGS; i++)
			total += counts[sigs[i].sig];
	} while (total == 0);
	while (poll(NULL, 0, 150) < 0)
		;
	for (size_t i = 0; i < N_SIGS; i++)
		if (counts[sigs[i].sig])
			dprintf(1, "%s=%d\n", sigs[i].name, (int)counts[sigs[i].sig]);
	dprintf(1, "done\n");
	return 5;
}

static void signals_forwarded_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N_SIGS; i++) {
		struct play p = own(i % 2 ? RUN_PID : 0, "count");
		char want[64];
		pid_t pid;
		int out;

		text[0] = '\0';
		pid = start(&p, &out);
		read_until(out, "ready\n", text, sizeof(text));
		assert_int_equal(kill(pid, sigs[i / 2].sig), 0);
		read_until(out, NULL, text, sizeof(text));
		close(out);
		(void)snprintf(want, sizeof(want), "ready\n%s=1\ndone\n", sigs[i / 2].name);
		assert_string_equal(text, want);
		assert_int_equal(finish(pid), 5);
	}
}

/* A signal that comes while the network is being made is for the command, too. */
static int raise_term(struct run_child *c)
{
	(void)c;
	return kill(getpid(), SIGTERM);
}

static void signals_before_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct play p = sh(i ? RUN_PID : 0, "sleep 10");

		p.before_go = raise_term;
		assert_int_equal(play(&p), 128 + SIGTERM);
	}
}

/* A driver on a terminal, started as a shell starts a job; the shell is the session's leader. */
static pid_t start_job(const struct play *p, int *ret_master, bool leader)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = forkpty(ret_master, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		pid_t job;
		int status;

		if (leader)
			_exit(drive(p));
		signal(SIGTTOU, SIG_IGN);
		job = fork();
		if (job == 0) {
			setpgid(0, 0);
			tcsetpgrp(0, getpid());
			signal(SIGTTOU, SIG_DFL);
			_exit(drive(p));
		}
		setpgid(job, job);
		while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
			/* The shell has the terminal back, says so, and does "fg". */
			tcsetpgrp(0, getpgrp());
			dprintf(1, "stopped %d\n", WSTOPSIG(status));
			(void)poll(NULL, 0, 200);
			tcsetpgrp(0, job);
			kill(-job, SIGCONT);
		}
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
	}
	fcntl(*ret_master, F_SETFD, FD_CLOEXEC);
	return pid;
}

static void terminal_case(unsigned flags, bool leader, const char *how, const char *keys,
			  const char *want)
{
	struct play p = own(flags, how);
	struct winsize ws = {.ws_row = 33, .ws_col = 44};
	pid_t pid;
	int master;

	text[0] = '\0';
	pid = start_job(&p, &master, leader);
	read_until(master, "ready\r\n", text, sizeof(text));
	if (keys)
		assert_int_equal(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
	else
		assert_int_equal(ioctl(master, TIOCSWINSZ, &ws), 0);
	read_until(master, "done\r\n", text, sizeof(text));
	if (!strstr(text, want))
		fail_msg("flags %u leader %d: no \"%s\" in \"%s\"", flags, leader, want, text);
	assert_int_equal(finish(pid), 5);
	close(master);
}

static void terminal_signals_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		unsigned flags = i & 1 ? RUN_PID : 0;
		bool leader = i & 2;

		terminal_case(flags, leader, "count", "\x03", "INT=1\r\ndone");
		terminal_case(flags, leader, "count", "\x1c", "QUIT=1\r\ndone");
		terminal_case(flags, leader, "count", NULL, "WINCH=1\r\ndone");
	}
	/* A command that left the group gets the key from us, as it would not from the terminal. */
	terminal_case(0, false, "count-own", "\x03", "INT=1\r\ndone");
	terminal_case(RUN_PID, false, "count-own", "\x03", "INT=1\r\ndone");
}

static void terminal_stop_and_continue(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct play p = sh(i ? RUN_PID : 0, "echo ready; sleep 0.5; echo done; exit 6");
		pid_t pid;
		int master;

		text[0] = '\0';
		pid = start_job(&p, &master, false);
		read_until(master, "ready\r\n", text, sizeof(text));
		assert_int_equal(write(master, "\x1a", 1), 1);
		read_until(master, "stopped 20", text, sizeof(text));
		read_until(master, "done\r\n", text, sizeof(text));
		assert_int_equal(finish(pid), 6);
		close(master);
	}
}

/* The leader of a session alone is told that its terminal is gone. */
static void terminal_hangup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct play p = sh(i ? RUN_PID : 0, "trap 'echo hup >/run/hup; exit 4' HUP;"
						    "echo ready; while :; do sleep 0.05; done");
		pid_t pid;
		int master;

		text[0] = '\0';
		pid = start_job(&p, &master, true);
		read_until(master, "ready\r\n", text, sizeof(text));
		close(master);
		assert_int_equal(finish(pid), 4);
		assert_int_equal(unlink("/run/hup"), 0);
	}
}

static int die_now(struct run_child *c)
{
	(void)c;
	return kill(getpid(), SIGKILL);
}

/* The orphans of a killed driver come to us; a last one that does not end would hang here. */
static void reap_adopted(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* The pipe ends when the last process that has it is gone. */
static void parent_killed(void **state)
{
	static const struct {
		unsigned flags;
		uid_t uid;
		const char *script;
	} cases[] = {
		{0, 0, "echo ready; exec sleep 1000"},
		{RUN_PID, 0, "setsid sleep 1000 & echo ready; trap '' TERM HUP; wait"},
		{RUN_USER, NOBODY, "echo ready; exec sleep 1000"},
		{RUN_USER | RUN_PID, NOBODY, "setsid sleep 1000 & echo ready; wait"},
		{RUN_USER | RUN_PID, 0, "setsid sleep 1000 & echo ready; wait"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p = sh(cases[i].flags, cases[i].script);
		pid_t pid;
		int out;

		p.uid = cases[i].uid;
		text[0] = '\0';
		pid = start(&p, &out);
		read_until(out, "ready\n", text, sizeof(text));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		read_until(out, NULL, text, sizeof(text));
		close(out);
		reap_adopted();

		p.before_go = die_now;
		text[0] = '\0';
		pid = start(&p, &out);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		read_until(out, NULL, text, sizeof(text));
		assert_string_equal(text, "");
		close(out);
		reap_adopted();
	}
}

static void init_reaps(void **state)
{
	(void)state;
	assert_int_equal(
		PLAY(sh(RUN_PID,
			"cat /proc/1/comm; "
			"i=0; while [ $i -lt 100 ]; do (sh -c 'exit 3' &); i=$((i+1)); done;"
			"sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status;"
			"[ $$ = 2 ] && exit 9")),
		9);
	assert_string_equal(text, "netns-up-init\n");
	/* The end of the command ends all that is left (the pipe would not end otherwise). */
	assert_int_equal(PLAY(sh(RUN_PID, "setsid sleep 1000 & exit 8")), 8);
	/* Only the forwarded signals, and none that a process inside makes up, end init. */
	assert_int_equal(PLAY(sh(RUN_PID, "kill -KILL 1; kill -ABRT 1; kill -PIPE 1; exit 7")), 7);
	assert_int_equal(PLAY(sh(RUN_PID, "trap 'exit 12' TERM; kill -TERM 1; sleep 5; exit 1")),
			 12);
}

static int kill_child(struct run_child *c)
{
	return kill(c->pid, SIGKILL);
}

static int give_up(struct run_child *c)
{
	sigset_t now;
	pid_t pid = c->pid;

	unshare_end(c);
	unshare_end(c);
	sigprocmask(SIG_SETMASK, NULL, &now);
	return kill(pid, 0) < 0 && errno == ESRCH && sigismember(&now, SIGTERM) == 0 ? 33 : 34;
}

static void child_lost_or_given_up(void **state)
{
	struct play p = sh(RUN_PID, "echo ran");

	(void)state;
	p.before_go = give_up;
	assert_int_equal(play(&p), 33);
	assert_string_equal(text, "");
	p.before_go = kill_child;
	(void)play(&p);
	assert_null(strstr(text, "ran"));
}

static void without_privilege(void **state)
{
	const unsigned all = RUN_PID | RUN_MOUNT | RUN_UTS | RUN_IPC | RUN_USER | RUN_CGROUP;
	struct play p = sh(0, "echo ran");

	(void)state;
	p.uid = NOBODY;
	assert_int_equal(play(&p), FAILED);
	assert_memory_equal(text, "denied: new namespaces need root", 32);
	p = sh(all, "id -u; id -g; cat /proc/self/uid_map; cat /proc/self/setgroups; echo $$;"
		    "cat /etc/resolv.conf; uname -n; exit 5");
	p.uid = NOBODY;
	p.spec.resolv_conf = RESOLV;
	p.spec.hostname = "nest";
	put("/etc/resolv.conf", "nameserver 127.0.0.53\n");
	assert_int_equal(play(&p), 5);
	assert_string_equal(text,
			    "0\n0\n         0       1500          1\ndeny\n2\n" RESOLV "nest\n");
	(void)unlink("/etc/resolv.conf");
}

static int check_65536(struct run_child *c)
{
	return c->n_ids == 65536 ? 0 : 41;
}

static int check_1(struct run_child *c)
{
	return c->n_ids == 1 ? 0 : 42;
}

static void id_maps(void **state)
{
	struct play p = sh(RUN_USER, "id -u; cat /proc/self/uid_map /proc/self/gid_map");

	(void)state;
	p.before_go = check_65536;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0\n         0          0      65536\n"
				  "         0          0      65536\n");
	p.uid = NOBODY;
	p.before_go = check_1;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0\n         0       1500          1\n"
				  "         0       1500          1\n");
}

static int make_world(void **state)
{
	(void)state;
	return prctl(PR_SET_CHILD_SUBREAPER, 1) || unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	       mount("", "/", NULL, MS_REC | MS_PRIVATE, 0) ||
	       mount("run", "/run", "tmpfs", 0, "mode=0777") ||
	       mount("etc", "/etc", "tmpfs", 0, "mode=0777");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(exec_errors),
		cmocka_unit_test(words_that_are_wrong),
		cmocka_unit_test(network_comes_first),
		cmocka_unit_test(each_kind),
		cmocka_unit_test(always_a_network),
		cmocka_unit_test(host_name),
		cmocka_unit_test(resolv_conf),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(locks_are_not_kept),
		cmocka_unit_test(mask_and_dispositions),
		cmocka_unit_test(signals_forwarded_once),
		cmocka_unit_test(signals_before_go),
		cmocka_unit_test(terminal_signals_once),
		cmocka_unit_test(terminal_stop_and_continue),
		cmocka_unit_test(terminal_hangup),
		cmocka_unit_test(parent_killed),
		cmocka_unit_test(init_reaps),
		cmocka_unit_test(child_lost_or_given_up),
		cmocka_unit_test(without_privilege),
		cmocka_unit_test(id_maps),
	};

	if (argc > 1 && strcmp(argv[1], "fds") == 0)
		return show_fds();
	if (argc > 1)
		return count_signals(strcmp(argv[1], "count-own") == 0);
	self = realpath("/proc/self/exe", NULL);
	if (!self)
		return 1;
	(void)alarm(180); /* a wait that never ends ends the test */
	return cmocka_run_group_tests(tests, make_world, NULL);
}
