/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a command in new namespaces ends: which signals reach it and how often, by kill and by keys
 * of a terminal, and that neither it nor what it started outlives its starter. Runs as root in
 * namespaces of its own.
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "play.h"

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
		read_until(out, "ready\n");
		assert_int_equal(kill(pid, sigs[i / 2].sig), 0);
		read_until(out, NULL);
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
	read_until(master, "ready\r\n");
	if (keys)
		assert_int_equal(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
	else
		assert_int_equal(ioctl(master, TIOCSWINSZ, &ws), 0);
	read_until(master, "done\r\n");
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
		struct play p = sh(i ? RUN_PID : 0, "trap 'on=1' CONT; echo ready;"
						    "until [ \"$on\" ]; do sleep 0.05; done;"
						    "echo done; exit 6");
		pid_t pid;
		int master;

		text[0] = '\0';
		pid = start_job(&p, &master, false);
		read_until(master, "ready\r\n");
		assert_int_equal(write(master, "\x1a", 1), 1);
		read_until(master, "stopped 20");
		read_until(master, "done\r\n");
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
		read_until(master, "ready\r\n");
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
		read_until(out, "ready\n");
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		read_until(out, NULL);
		close(out);
		reap_adopted();

		p.before_go = die_now;
		text[0] = '\0';
		pid = start(&p, &out);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		read_until(out, NULL);
		assert_string_equal(text, "");
		close(out);
		reap_adopted();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_forwarded_once),
		cmocka_unit_test(signals_before_go),
		cmocka_unit_test(terminal_signals_once),
		cmocka_unit_test(terminal_stop_and_continue),
		cmocka_unit_test(terminal_hangup),
		cmocka_unit_test(parent_killed),
	};

	/* nohup and the like leave these ignored, and then nobody can be told by them. */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);

	if (argc > 1)
		return count_signals(strcmp(argv[1], "count-own") == 0);
	(void)alarm(600); /* a wait that never ends ends the test */
	return cmocka_run_group_tests(tests, make_world, NULL);
}
