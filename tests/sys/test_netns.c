/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways into namespaces: pids (alive, dead, recycled), paths that are none, names as ip-netns(8)
 * sees them, and the way back. Runs as root in a network and mount namespace of its own with an
 * empty /run.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "sys/netns.h"
#include "sys/sysctl.h"
#include "here.h"

#define NOBODY 1500

static uint64_t cookie_of(int fd)
{
	struct err e = ERR_INIT;
	uint64_t c = 0;

	assert_int_equal(netns_cookie(fd, &c, &e), 0);
	assert_true(c != 0);
	return c;
}

static uint64_t cookie_here(void)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	assert_int_equal(netns_open_self(&fd, &e), 0);
	assert_true(is_here(fd));
	return cookie_of(fd);
}

/* A process in a network namespace of its own; it has told that it is there. */
static pid_t resident(void)
{
	int p[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static const char *const withouts[] = {
	"",         "pidfd-get-netns", "pidfd-open", "linux-6.1", "pidfd-open,pidfd-get-netns",
	"linux-5.2"};

#define N_WITHOUTS (sizeof(withouts) / sizeof(withouts[0]))

static void pid_alive(void **state)
{
	pid_t pid = resident();
	uint64_t seen = 0;

	(void)state;
	for (size_t i = 0; i < N_WITHOUTS; i++) {
		CLEAN_FD int fd = -1;
		CLEAN_FD int pidfd = -1;
		struct err e = ERR_INIT;
		uint64_t c;
		int no_pidfd = i == 2 || i >= 4;

		setenv("NETNS_UP_WITHOUT", withouts[i], 1);
		assert_int_equal(netns_open_pid(pid, &fd, &pidfd, &e), 0);
		assert_false(is_here(fd));
		c = cookie_of(fd);
		assert_true(seen == 0 || seen == c);
		seen = c;
		assert_int_equal(pidfd >= 0, !no_pidfd);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		if (pidfd >= 0)
			assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	}
	unsetenv("NETNS_UP_WITHOUT");
	assert_true(seen != cookie_here());
	end(pid);
}

static void expect_no_pid(pid_t pid, enum err_kind kind)
{
	for (size_t i = 0; i < N_WITHOUTS; i++) {
		struct err e = ERR_INIT;
		int fd = -1, pidfd = -1;

		setenv("NETNS_UP_WITHOUT", withouts[i], 1);
		assert_true(netns_open_pid(pid, &fd, &pidfd, &e) < 0);
		assert_int_equal(e.kind, kind);
		assert_int_equal(fd, -1);
		assert_int_equal(pidfd, -1);
	}
	unsetenv("NETNS_UP_WITHOUT");
}

static void pid_dead(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	expect_no_pid(pid, ERR_ABSENT); /* a zombie has no namespaces any more */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect_no_pid(pid, ERR_ABSENT);
	expect_no_pid(0, ERR_USAGE);
	expect_no_pid(-1, ERR_USAGE);
}

static int set_last_pid(pid_t pid)
{
	struct err e = ERR_INIT;

	return sysctl_set_int("kernel/ns_last_pid", pid, &e);
}

/* Runs as pid 1 of a pid namespace, where the next pid can be chosen. */
static int recycle(void)
{
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	CLEAN_FD int fd2 = -1;
	struct err e = ERR_INIT;
	uint64_t first;
	pid_t a, b;

	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		return 1;
	a = resident();
	if (netns_open_pid(a, &fd, &pidfd, &e) < 0)
		return 2;
	first = cookie_of(fd);
	end(a);
	if (set_last_pid(a - 1) < 0)
		return 3;
	b = resident();
	if (b != a)
		return 4;
	/* The descriptors are the first process's, whatever its number means now. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 || errno != ESRCH)
		return 5;
	if (cookie_of(fd) != first || netns_open_pid(b, &fd2, NULL, &e) < 0)
		return 6;
	if (cookie_of(fd2) == first)
		return 7;
	end(b);
	return 0;
}

static int in_child(int (*fn)(void))
{
	pid_t pid;
	int status;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int recycle_in_pidns(void)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		return 101;
	pid = fork();
	if (pid == 0)
		_exit(recycle());
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 102;
	return WEXITSTATUS(status);
}

static void pid_recycled(void **state)
{
	(void)state;
	assert_int_equal(in_child(recycle_in_pidns), 0);
}

static int as_nobody(void)
{
	return setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY);
}

static int foreign_pid(void)
{
	struct err e = ERR_INIT;
	pid_t pid = getppid(); /* root's */
	int fd = -1, bad = 0;

	if (as_nobody())
		return 101;
	for (size_t i = 0; i < N_WITHOUTS; i++) {
		setenv("NETNS_UP_WITHOUT", withouts[i], 1);
		bad += netns_open_pid(pid, &fd, NULL, &e) >= 0 || e.kind != ERR_DENIED;
		bad += !strstr(e.text, "be root");
	}
	return bad;
}

static void pid_of_somebody_else(void **state)
{
	(void)state;
	assert_int_equal(in_child(foreign_pid), 0);
}

static void expect_path(const char *path, enum err_kind kind, const char *word)
{
	struct err e = ERR_INIT;
	int fd = -1;

	assert_true(netns_open_path(path, &fd, &e) < 0);
	assert_int_equal(e.kind, kind);
	assert_int_equal(fd, -1);
	if (!strstr(e.text, word))
		fail_msg("\"%s\" does not say \"%s\"", e.text, word);
}

static void paths_that_are_none(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "/run/sock"};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char long_path[5000];

	(void)state;
	assert_int_equal(mknod("/run/file", S_IFREG | 0600, 0), 0);
	assert_int_equal(mkfifo("/run/fifo", 0600), 0);
	assert_int_equal(bind(s, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(symlink("/run/none", "/run/dangling"), 0);
	assert_int_equal(symlink("loop", "/run/loop"), 0);
	expect_path("/run/file", ERR_USAGE, "regular file");
	expect_path("/run", ERR_USAGE, "directory");
	expect_path("/run/fifo", ERR_USAGE, "FIFO");
	expect_path("/run/sock", ERR_USAGE, "socket");
	expect_path("/dev/null", ERR_USAGE, "device");
	expect_path("/dev/ptmx", ERR_USAGE, "device");
	expect_path("/proc/self/ns/user", ERR_USAGE, "user namespace");
	expect_path("/proc/self/ns/mnt", ERR_USAGE, "mount namespace");
	expect_path("/proc/self/ns/pid", ERR_USAGE, "pid namespace");
	expect_path("/proc/self/ns/uts", ERR_USAGE, "UTS namespace");
	expect_path("/proc/self/ns/ipc", ERR_USAGE, "IPC namespace");
	expect_path("/proc/self/ns/cgroup", ERR_USAGE, "cgroup namespace");
	expect_path("/proc/self/status", ERR_USAGE, "regular file");
	expect_path("/run/none", ERR_ABSENT, "/run/none");
	expect_path("/run/dangling", ERR_ABSENT, "/run/dangling");
	expect_path("/run/file/x", ERR_ABSENT, "/run/file/x");
	expect_path("/run/loop", ERR_USAGE, "/run/loop");
	expect_path("", ERR_USAGE, "empty");
	expect_path(NULL, ERR_USAGE, "empty");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	expect_path(long_path, ERR_USAGE, "xxx");
	close(s);
}

static void paths_that_are_one(void **state)
{
	CLEAN_FD int a = -1;
	CLEAN_FD int b = -1;
	struct err e = ERR_INIT;
	pid_t pid = resident();
	char path[64];

	(void)state;
	assert_int_equal(netns_open_path("/proc/self/ns/net", &a, &e), 0);
	assert_true(is_here(a));
	assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	assert_int_equal(symlink(path, "/run/link"), 0);
	assert_int_equal(netns_open_path("/run/link", &b, &e), 0);
	assert_false(is_here(b));
	assert_true(cookie_of(a) != cookie_of(b));
	end(pid);
	expect_path("/run/link", ERR_ABSENT, "/run/link");
}

static int sh(const char *cmd)
{
	int r = system(cmd);

	assert_true(r >= 0 && WIFEXITED(r));
	return WEXITSTATUS(r);
}

static void names_seen_by_ip(void **state)
{
	CLEAN_FD int fd = -1;
	CLEAN_FD int fd2 = -1;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(netns_open_name("box", &fd, &e), -ENOENT);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(netns_create_name("box", &e), 0);
	assert_int_equal(netns_open_name("box", &fd, &e), 0);
	assert_false(is_here(fd));
	assert_int_equal(sh("ip netns list | grep -qw box"), 0);
	assert_int_equal(sh("ip netns exec box ip link add d0 type bridge"), 0);
	assert_int_equal(sh("ip -n box link show d0 >/dev/null"), 0);
	assert_int_equal(sh("ip link show d0 >/dev/null 2>&1"), 1);

	assert_int_equal(netns_create_name("box", &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "\"box\""));
	assert_int_equal(sh("ip -n box link show d0 >/dev/null"), 0);
	assert_int_equal(sh("ip netns add box 2>/dev/null"), 1);

	assert_int_equal(sh("ip netns add theirs"), 0);
	assert_int_equal(netns_open_name("theirs", &fd2, &e), 0);
	assert_true(cookie_of(fd) != cookie_of(fd2));
	assert_int_equal(netns_delete_name("theirs", &e), 0);
	assert_int_equal(sh("ip netns list | grep -qw theirs"), 1);
	assert_int_equal(sh("ip netns delete box"), 0);
	assert_int_equal(netns_delete_name("box", &e), 1);
	assert_int_equal(access("/run/netns/box", F_OK), -1);
	/* A name is a way in, no more: who holds the namespace still has it. */
	assert_true(cookie_of(fd) != 0);
}

static void names_that_are_none(void **state)
{
	char long_name[258];
	const char *const bad[] = {"", ".", "..", "a/b", "/", "../run", long_name, NULL};

	(void)state;
	memset(long_name, 'n', 256);
	long_name[256] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		int fd = -1;

		assert_true(netns_open_name(bad[i], &fd, &e) < 0);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_true(netns_create_name(bad[i], &e) < 0);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_true(netns_delete_name(bad[i], &e) < 0);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static int make_and_delete(void)
{
	struct err e = ERR_INIT;

	if (netns_create_name("inner", &e) < 0)
		return 1;
	return access("/run/netns/inner", F_OK) != 0;
}

/* A service with its own mount namespace: a name made later appears in it, and goes away. */
static void names_cross_mount_namespaces(void **state)
{
	CLEAN_FD int mine = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(netns_create_name("first", &e), 0); /* makes the directory shared */
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(in_child(make_and_delete), 0);
	assert_int_equal(setns(mine, CLONE_NEWNS), 0);
	assert_int_equal(netns_open_name("inner", &fd, &e), 0);
	assert_int_equal(netns_delete_name("inner", &e), 0);
	assert_int_equal(netns_delete_name("first", &e), 0);
}

static void names_left_by_a_killed_maker(void **state)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(mknod("/run/netns/stale", S_IFREG, 0), 0);
	assert_true(netns_open_name("stale", &fd, &e) < 0);
	assert_int_equal(netns_create_name("stale", &e), 0);
	assert_int_equal(netns_open_name("stale", &fd, &e), 0);
	assert_int_equal(netns_delete_name("stale", &e), 0);
	assert_int_equal(mknod("/run/netns/stale", S_IFREG, 0), 0);
	assert_int_equal(netns_delete_name("stale", &e), 0);
	assert_int_equal(lstat("/run/netns/stale", &st), -1);
	/* What is not a leftover is nobody's to take. */
	assert_int_equal(symlink("/run/file", "/run/netns/stale"), 0);
	assert_int_equal(netns_create_name("stale", &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(unlink("/run/netns/stale"), 0);
}

static void names_one_wins(void **state)
{
	int won = 0, lost = 0;
	pid_t pids[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct err e = ERR_INIT;

			_exit(netns_create_name("race", &e) == 0 ? 0 : (int)e.kind);
		}
	}
	for (int i = 0; i < 8; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		won += status == 0;
		lost += WIFEXITED(status) && WEXITSTATUS(status) == ERR_CONFLICT;
	}
	assert_int_equal(won, 1);
	assert_int_equal(lost, 7);
	assert_int_equal(sh("grep -c ' /run/netns/race ' /proc/self/mountinfo | grep -qx 1"), 0);
	assert_int_equal(netns_delete_name("race", NULL), 0);
}

static void names_locked(void **state)
{
	int fd = open("/run/netns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(netns_create_name("locked", &e), -ETIMEDOUT);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(access("/run/netns/locked", F_OK), -1);
	close(fd);
}

/* Without the privilege to mount or to unshare nothing may be left behind. */
static int without_privilege(void)
{
	struct err e = ERR_INIT;
	int bad = 0;

	if (chmod("/run/netns", 0777) || as_nobody())
		return 101;
	bad += netns_create_name("mine", &e) >= 0 || e.kind != ERR_DENIED;
	bad += access("/run/netns/mine", F_OK) == 0;
	return bad;
}

static void names_without_privilege(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_privilege), 0);
	assert_int_equal(chmod("/run/netns", 0755), 0);
}

/* The file can be made, the namespace cannot: the file goes again. */
static int no_more_namespaces(void)
{
	struct err e = ERR_INIT;
	int fd = -1, r;

	if (netns_open_self(&fd, &e) < 0 || sysctl_set_int("user/max_net_namespaces", 0, &e) < 0)
		return 101;
	r = netns_create_name("full", &e);
	return !(r == -ENOSPC && access("/run/netns/full", F_OK) < 0 && is_here(fd));
}

static int put(const char *path, const char *text)
{
	CLEAN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text), NULL);
}

/* user.max_net_namespaces counts per user namespace: a new one has its own, and its own /run. */
static int names_limit(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
		return 102;
	if (put("/proc/self/setgroups", "deny") || put("/proc/self/uid_map", "0 0 1") ||
	    put("/proc/self/gid_map", "0 0 1"))
		return 103;
	if (mount("run", "/run", "tmpfs", 0, NULL) < 0)
		return 104;
	return no_more_namespaces();
}

static void names_nothing_left(void **state)
{
	(void)state;
	assert_int_equal(in_child(names_limit), 0);
}

static int note_where(void *arg, struct err *e)
{
	(void)e;
	*(uint64_t *)arg = cookie_here();
	return 42;
}

static int refuse(void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, ERR_QUOTA, ENOSPC, "inside");
}

static void call_comes_back(void **state)
{
	uint64_t home = cookie_here(), there = 0;
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	pid_t pid = resident();
	int file = open("/run/file", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(netns_open_pid(pid, &fd, NULL, &e), 0);
	end(pid);
	assert_int_equal(netns_call(fd, note_where, &there, &e), 42);
	assert_true(there != home && there == cookie_of(fd));
	assert_true(cookie_here() == home);
	assert_int_equal(netns_call(fd, refuse, NULL, &e), -ENOSPC);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_true(cookie_here() == home);
	assert_true(netns_call(file, note_where, &there, &e) < 0);
	assert_true(netns_call(-1, note_where, &there, &e) < 0);
	assert_true(cookie_here() == home);
	close(file);
}

/* Inside a user namespace the way in would be open and the way home not. */
static int one_way(void)
{
	CLEAN_FD int home = -1;
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	uint64_t there = 0;
	pid_t pid;

	if (netns_open_self(&home, &e) < 0 || unshare(CLONE_NEWUSER) < 0)
		return 101;
	pid = resident();
	if (netns_open_pid(pid, &fd, NULL, &e) < 0)
		return 102;
	if (netns_call(fd, note_where, &there, &e) != -EPERM || e.kind != ERR_DENIED)
		return 103;
	end(pid);
	return there != 0 || !is_here(home);
}

static void call_refuses_a_one_way_trip(void **state)
{
	(void)state;
	assert_int_equal(in_child(one_way), 0);
}

static int lose_privilege(void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	return as_nobody();
}

static int stranded(void)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	pid_t pid = resident();

	(void)dup2(open("/run/stderr", O_WRONLY | O_CREAT, 0600), 2);
	if (netns_open_pid(pid, &fd, NULL, &e) < 0)
		return 101;
	end(pid); /* while we may: a parent's death signal needs the parent's permission too */
	(void)netns_call(fd, lose_privilege, NULL, &e);
	return 0;
}

static void call_ends_a_stranded_process(void **state)
{
	(void)state;
	assert_int_equal(in_child(stranded), 70);
	assert_int_equal(sh("grep -q 'cannot go back' /run/stderr"), 0);
	assert_int_equal(sh("test $(wc -l < /run/stderr) = 1"), 0);
}

/* A write is seen in the namespace it was made in, and nowhere else. */
static int set_forward(void *arg, struct err *e)
{
	return sysctl_set_int("net/ipv4/ip_forward", *(int *)arg, e);
}

static void sysctl_is_per_namespace(void **state)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	pid_t pid = resident();
	int one = 1, v = -1;

	(void)state;
	assert_int_equal(sysctl_set_int("net/ipv4/ip_forward", 0, &e), 0);
	assert_int_equal(netns_open_pid(pid, &fd, NULL, &e), 0);
	assert_int_equal(netns_call(fd, set_forward, &one, &e), 0);
	assert_int_equal(sysctl_get_int("net/ipv4/ip_forward", &v, &e), 0);
	assert_int_equal(v, 0);
	assert_true(sysctl_set_int("net/ipv4/conf/all/forwarding_", 1, &e) == -ENOENT);
	assert_int_equal(sysctl_set_int("net/ipv4/ip_default_ttl", 0, &e), -EINVAL);
	assert_int_equal(sysctl_get_int("net/ipv4/ip_default_ttl", &v, &e), 0);
	assert_int_equal(v, 64);
	end(pid);
}

static int make_world(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	       mount("", "/", NULL, MS_REC | MS_PRIVATE, 0) ||
	       mount("run", "/run", "tmpfs", 0, "mode=0755");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pid_alive),
		cmocka_unit_test(pid_dead),
		cmocka_unit_test(pid_recycled),
		cmocka_unit_test(pid_of_somebody_else),
		cmocka_unit_test(paths_that_are_none),
		cmocka_unit_test(paths_that_are_one),
		cmocka_unit_test(names_seen_by_ip),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(names_cross_mount_namespaces),
		cmocka_unit_test(names_left_by_a_killed_maker),
		cmocka_unit_test(names_one_wins),
		cmocka_unit_test(names_locked),
		cmocka_unit_test(names_without_privilege),
		cmocka_unit_test(names_nothing_left),
		cmocka_unit_test(call_comes_back),
		cmocka_unit_test(call_refuses_a_one_way_trip),
		cmocka_unit_test(call_ends_a_stranded_process),
		cmocka_unit_test(sysctl_is_per_namespace),
	};

	(void)alarm(60); /* an open that hangs ends the test */
	return cmocka_run_group_tests(tests, make_world, NULL);
}
