/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From inside the forwarder's sandbox: what its work needs goes, everything else is refused, and
 * what only an intruder would try is the end. Each attempt is a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fwd/jail.h"
#include "world.h"

/* Runs attempt inside; the wait status. The attempt's result is the exit status. */
static int inside(int (*attempt)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const char *step;
		int r = jail_enter(&step) < 0 ? 120 : attempt();
		syscall(SYS_exit_group, r);
	}
	return world_reap(pid);
}

/* 0, or the errno. */
static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int tcp(void)
{
	return socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

static int udp(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
}

static int do_tcp(void)
{
	return result(tcp());
}

static int do_udp(void)
{
	return result(udp());
}

static int do_nodelay(void)
{
	const int on = 1;

	return result(setsockopt(tcp(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

static int do_pipe(void)
{
	int p[2];

	return result(pipe2(p, O_NONBLOCK | O_CLOEXEC));
}

static int do_open(void)
{
	return result(open("/", O_RDONLY | O_CLOEXEC));
}

static int do_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int do_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int do_raw(void)
{
	return result(socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int do_bind(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};

	return result(bind(udp(), (struct sockaddr *)&sa, sizeof(sa)));
}

static int do_mark(void)
{
	const int mark = 1;

	return result(setsockopt(tcp(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
}

static int do_sendmsg(void)
{
	const struct msghdr none = {.msg_iov = NULL};

	return result(sendmsg(tcp(), &none, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int do_urgent(void)
{
	return result(send(tcp(), "x", 1, MSG_OOB));
}

static int do_kill(void)
{
	return result(kill(1, 0));
}

static int do_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int do_exec(void)
{
	char *const none[] = {NULL};

	return result(execve("/bin/true", none, none));
}

static int do_fork(void)
{
	return result(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static int do_setns(void)
{
	return result(setns(0, CLONE_NEWNET));
}

static int do_unshare(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static void test_work_goes(void **state)
{
	(void)state;
	int (*const all[])(void) = {do_tcp, do_udp, do_nodelay, do_pipe};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(inside(all[i]), 0);
}

static void test_rest_is_refused(void **state)
{
	(void)state;
	int (*const all[])(void) = {do_open, do_unix, do_netlink, do_raw,   do_bind,
				    do_mark, do_kill, do_sendmsg, do_urgent};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int status = inside(all[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EPERM);
	}
}

static void test_intrusion_is_the_end(void **state)
{
	(void)state;
	int (*const all[])(void) = {do_exec, do_fork, do_setns, do_unshare, do_code};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int status = inside(all[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_goes),
		cmocka_unit_test(test_rest_is_refused),
		cmocka_unit_test(test_intrusion_is_the_end),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
