/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of deletion: one by one, by group, and by echo from within and at the end of a program. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/link.h"
#include "world.h"

static const char *del_program;

static uint32_t add(struct rtnl *r, int netns, const char *name, uint32_t group)
{
	uint32_t host = 0, ctr;
	struct veth_spec s = {.host_ifname = name,
			      .ctr_ifname = name,
			      .ctr_netns_fd = netns,
			      .host_mac = mac_of("02:00:00:00:00:01"),
			      .ctr_mac = mac_of("02:00:00:00:00:02"),
			      .group = group};

	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
	return host;
}

static bool is_there(struct rtnl *r, const char *name)
{
	struct link_info li;
	int w = link_get(r, name, &li, &world_err);

	assert_true(w >= 0);
	return w == 0;
}

static void test_del(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL, *in = NULL;
	struct err e = ERR_INIT;
	uint32_t i;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_open_in(netns, &in, &world_err));
	i = add(r, netns, "nu0", 0);
	OK(link_del(r, i, &world_err));
	assert_false(is_there(r, "nu0"));
	assert_false(is_there(in, "nu0"));
	assert_int_equal(link_del(r, i, &world_err), 1);
	/* Nothing, and a link that cannot be deleted. */
	assert_int_equal(link_del(r, 0, &e), -EINVAL);
	err_reset(&e);
	assert_int_equal(link_del(r, 1, &e), -EOPNOTSUPP);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

static void test_del_group(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	char name[16];
	struct err e = ERR_INIT;
	double start;
	unsigned int i;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "nu%u", i);
		(void)add(r, netns, name, i < 20 ? LINK_GROUP_VETH : LINK_GROUP_VETH + 1);
	}
	start = world_ms();
	OK(link_del_group(r, LINK_GROUP_VETH, &world_err));
	print_message("# 20 links by group: %.3f ms\n", world_ms() - start);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "nu%u", i);
		assert_int_equal(is_there(r, name), i >= 20);
	}
	assert_int_equal(link_del_group(r, LINK_GROUP_VETH, &world_err), 1);
	assert_int_equal(link_del_group(r, 0, &e), -EINVAL);
}

static volatile sig_atomic_t n_signals;

static void on_signal(int sig)
{
	(void)sig;
	n_signals++;
}

/* Deletes by echo on a socket of its own. */
static int del_echo(uint32_t index, int hold_fd, bool is_tiny)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	int one = 1;

	OK(rtnl_open(&r, &world_err));
	if (is_tiny)
		assert_int_equal(setsockopt(rtnl_fd(r), SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)),
				 0);
	return link_del_echo(r, index, hold_fd, &world_err);
}

static void echo_cycles(unsigned int n, bool is_tiny, const char *what)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL, *in = NULL;
	struct sigaction sa = {.sa_handler = on_signal}, old;
	double took[50], start;
	unsigned int i;
	uint32_t x;

	assert_true(n <= 50);
	n_signals = 0;
	assert_int_equal(sigaction(SIGCHLD, &sa, &old), 0);
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_open_in(netns, &in, &world_err));
	for (i = 0; i < n; i++) {
		x = add(r, netns, "nu0", 0);
		start = world_ms();
		assert_int_equal(del_echo(x, -1, is_tiny), 0);
		took[i] = world_ms() - start;
		assert_false(is_there(r, "nu0"));
		assert_false(is_there(in, "nu0"));
		assert_int_equal(del_echo(x, -1, is_tiny), 1);
	}
	world_print(what, took, n);
	/* Nothing that an ordinary wait or handler could see. */
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(n_signals, 0);
	assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
}

static void test_echo(void **state)
{
	(void)state;
	echo_cycles(50, false, "link_del_echo");
}

static void test_echo_tiny_buffer(void **state)
{
	(void)state;
	echo_cycles(10, true, "link_del_echo, receive buffer of one message");
}

/* Kernels before 6.2 announce the deletion to a group only. */
static void test_echo_old_kernel(void **state)
{
	int old = personality(0xffffffff);

	(void)state;
	assert_true(personality((unsigned long)old | UNAME26) >= 0);
	echo_cycles(20, false, "link_del_echo without the kernel's echo");
	assert_true(personality((unsigned long)old) >= 0);
}

static void test_wait_figure(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	double took[50], start;
	unsigned int i;
	uint32_t x;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	for (i = 0; i < 50; i++) {
		x = add(r, netns, "nu0", 0);
		start = world_ms();
		OK(link_del(r, x, &world_err));
		took[i] = world_ms() - start;
	}
	world_print("link_del", took, 50);
}

static bool has_ended(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLHUP);
}

/* The task left behind keeps the descriptor it is given, and no other. Returns whether it was seen
 * to: the barrier takes milliseconds, but we may be kept from looking for longer. */
static bool hold_case(struct rtnl *r, int netns, bool is_below)
{
	int hold[2], other[2];
	CLEAN_RTNL struct rtnl *d = NULL;
	uint32_t x = add(r, netns, "nu0", 0);
	bool is_held;

	if (is_below)
		assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(other), 0);
	OK(rtnl_open(&d, &world_err));
	if (!is_below)
		assert_int_equal(pipe(hold), 0);
	assert_int_equal(hold[1] < rtnl_fd(d), is_below);
	OK(link_del_echo(d, x, hold[1], &world_err));
	close(hold[1]);
	close(other[1]);
	is_held = !has_ended(hold[0], 0);
	assert_true(has_ended(other[0], 0));
	assert_true(has_ended(hold[0], 5000));
	close(hold[0]);
	close(other[0]);
	return is_held;
}

static void test_echo_hold(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	unsigned int i, n_below = 0, n_above = 0;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	for (i = 0; i < 20; i++) {
		n_below += hold_case(r, netns, true);
		n_above += hold_case(r, netns, false);
	}
	assert_true(n_below > 0 && n_above > 0);
}

/* What the kernel refuses arrives as an error. */
static void test_echo_denied(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	struct err e = ERR_INIT;
	uint32_t x;
	int status;
	pid_t pid;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	x = add(r, netns, "nu0", 0);
	assert_int_equal(link_del_echo(r, 1, -1, &e), -EOPNOTSUPP);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		err_reset(&e);
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(10);
		_exit(link_del_echo(r, x, -1, &e) == -EPERM && e.kind == ERR_DENIED ? 0 : 11);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(is_there(r, "nu0"));
}

/* ---- a program that ends right after ---- */

struct run {
	double to_eof, to_exit;
	int status;
};

static pid_t start_program(const char *how, uint32_t index, int out)
{
	char text[16];
	pid_t pid;

	(void)snprintf(text, sizeof(text), "%u", index);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)setpgid(0, 0);
	if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(20);
	execl(del_program, del_program, how, text, (char *)NULL);
	_exit(21);
}

/* Reads the output to its end, as a caller that runs us through a pipe does. */
static void run_program(const char *how, uint32_t index, struct rtnl *r, struct run *ret)
{
	double start = world_ms();
	char text[4096];
	size_t len = 0;
	ssize_t n;
	int out[2];
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start_program(how, index, out[1]);
	close(out[1]);
	while ((n = read(out[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	ret->to_eof = world_ms() - start;
	assert_int_equal(n, 0);
	text[len] = '\0';
	assert_string_equal(text, "done\n");
	assert_false(is_there(r, "nu0"));
	/* What a terminal would do. It meets the task left behind, if that still is there. */
	assert_true(kill(-pid, SIGINT) == 0 || errno == ESRCH);
	assert_int_equal(waitpid(pid, &ret->status, 0), pid);
	ret->to_exit = world_ms() - start;
	close(out[0]);
}

/* We are the init of whatever is left behind: there is one task, and it ends in good order. */
static void reap_left_behind(bool is_expected)
{
	double start = world_ms();
	int status = 0;
	pid_t pid;

	if (is_expected) {
		while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) == 0)
			assert_true(world_ms() - start < 60000);
		assert_true(pid > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(waitpid(-1, &status, __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void program_case(const char *how, bool is_expected)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	double eof[30], end[30];
	char what[64];
	unsigned int i;
	struct run run;

	OK(rtnl_open(&r, &world_err));
	for (i = 0; i < 30; i++) {
		run_program(how, add(r, netns, "nu0", 0), r, &run);
		/* SIGINT can meet the program itself between its last output and its end. */
		assert_true(run.status == 0 ||
			    (WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGINT));
		eof[i] = run.to_eof;
		end[i] = run.to_exit;
		reap_left_behind(is_expected);
	}
	(void)snprintf(what, sizeof(what), "program, %s, to the end of its output", how);
	world_print(what, eof, 30);
	(void)snprintf(what, sizeof(what), "program, %s, to its exit", how);
	world_print(what, end, 30);
}

static void test_program(void **state)
{
	(void)state;
	/* Tasks that earlier tests of this process left behind. */
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	program_case("wait", false);
	program_case("echo", true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_del, world_enter),
		cmocka_unit_test_setup(test_del_group, world_enter),
		cmocka_unit_test_setup(test_wait_figure, world_enter),
		cmocka_unit_test_setup(test_echo, world_enter),
		cmocka_unit_test_setup(test_echo_tiny_buffer, world_enter),
		cmocka_unit_test_setup(test_echo_old_kernel, world_enter),
		cmocka_unit_test_setup(test_echo_hold, world_enter),
		cmocka_unit_test_setup(test_echo_denied, world_enter),
		cmocka_unit_test_setup(test_program, world_enter),
	};

	if (argc != 2)
		return 2;
	del_program = argv[1];
	return cmocka_run_group_tests_name("del", tests, NULL, NULL);
}
