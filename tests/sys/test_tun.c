/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taps made, attached to and refused; user namespaces found, joined and mapped. As root in a
 * network and mount namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "sys/tun.h"
#include "sys/netns.h"
#include "sys/userns.h"

#define USER 1500

static bool is_there(const char *name)
{
	CLEAN_FD int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_ifindex = 0};

	assert_true(s >= 0);
	strcpy(ifr.ifr_name, name);
	return ioctl(s, SIOCGIFINDEX, &ifr) == 0;
}

static void test_made(void **state)
{
	struct err e = ERR_INIT;
	char name[TUN_NAME_STRLEN];
	int fd = -1, second = -1;

	(void)state;
	assert_int_equal(tun_open("tap0", &fd, &e), 0);
	assert_true(is_there("tap0"));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(tun_check(fd, name, &e), 0);
	assert_string_equal(name, "tap0");
	assert_int_equal(tun_open("tap0", &second, &e), -EBUSY);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(second, -1);
	close(fd);
	assert_false(is_there("tap0"));
}

static void test_was_there(void **state)
{
	struct err e = ERR_INIT;
	int fd = -1;

	(void)state;
	assert_int_equal(tun_open("tap1", &fd, &e), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1L), 0);
	assert_int_equal(ioctl(fd, TUNSETOWNER, (unsigned long)USER), 0);
	close(fd);
	assert_true(is_there("tap1"));
	assert_int_equal(tun_open("tap1", &fd, &e), 1);
	close(fd);
	assert_true(is_there("tap1"));
	assert_int_equal(tun_open("tap1", &fd, &e), 1);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 0L), 0);
	close(fd);
	assert_false(is_there("tap1"));
}

static void test_no_tap(void **state)
{
	static const char *const names[] = {"", "tap%d", "averyveryverylongname"};
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	CLEAN_FD int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CLEAN_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char name[TUN_NAME_STRLEN];
	struct err e = ERR_INIT;
	int fd = -1;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		e = (struct err)ERR_INIT;
		assert_int_equal(tun_open(names[i], &fd, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	e = (struct err)ERR_INIT;
	assert_true(tun_open("lo", &fd, &e) < 0);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_true(tun >= 0 && null >= 0);
	e = (struct err)ERR_INIT;
	assert_int_equal(tun_check(null, name, &e), -EINVAL);
	/* Open, but attached to nothing; then to an interface without Ethernet. */
	assert_int_equal(tun_check(tun, name, &e), -EINVAL);
	strcpy(ifr.ifr_name, "tun0");
	assert_int_equal(ioctl(tun, TUNSETIFF, &ifr), 0);
	assert_int_equal(tun_check(tun, name, &e), -EINVAL);
	e = (struct err)ERR_INIT;
	assert_true(tun_open("tun0", &fd, &e) < 0);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(fd, -1);
	assert_int_equal(tun_check(-1, name, &e), -EBADF);
}

/* ---- user namespaces ---- */

static void test_subids(void **state)
{
	static const char text[] = "# nobody:1:2\n"
				   "other:100000:65536\n"
				   "useful:200000:65536\n"
				   "useful:300000:65536\n"
				   "use:1:1\n"
				   "1501:400000:1000\n"
				   "zero:0:65536\n"
				   "none:500000:0\n"
				   "over:4294967000:65536\n"
				   "word:x:65536\n"
				   "short:600000\n"
				   "long:600000:1:\n"
				   "end:700000:5";
	const size_t len = sizeof(text) - 1;
	struct subids s;

	(void)state;
	assert_true(userns_find_subids(text, len, "useful", 1500, &s));
	assert_int_equal(s.first, 200000);
	assert_int_equal(s.count, 65536);
	assert_true(userns_find_subids(text, len, "somebody", 1501, &s));
	assert_int_equal(s.first, 400000);
	assert_true(userns_find_subids(text, len, NULL, 1501, &s));
	assert_true(userns_find_subids(text, len, "end", 1, &s));
	assert_int_equal(s.count, 5);
	assert_true(userns_find_subids(text, len, "use", 1, &s));
	assert_int_equal(s.count, 1);
	for (size_t i = 0; i < 9; i++) {
		static const char *const no[] = {"nobody", "zero", "none", "over", "word",
						 "short",  "long", "usef", "u"};

		assert_false(userns_find_subids(text, len, no[i], 77, &s));
	}
	assert_false(userns_find_subids("", 0, "useful", 1, &s));
}

/* A child in new user and network namespaces that waits for the end of *ret_hold. */
static pid_t child(uid_t uid, int *ret_hold)
{
	int hold[2], told[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(hold, O_CLOEXEC) | pipe2(told, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		if (uid && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(1);
		(void)prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write(told[1], "x", 1) != 1)
			_exit(2);
		(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	assert_true(pid > 0);
	close(hold[0]);
	close(told[1]);
	assert_int_equal(read(told[0], &c, 1), 1);
	close(told[0]);
	*ret_hold = hold[1];
	return pid;
}

static void end(pid_t pid, int hold)
{
	int status;

	close(hold);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int open_of(pid_t pid, const char *what)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void expect_map(pid_t pid, const char *file, const char *want)
{
	CLEAN_FD int fd = open_of(pid, file);
	char text[256] = "";
	unsigned a, b, c;
	char got[64];

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(sscanf(text, "%u %u %u", &a, &b, &c), 3);
	(void)snprintf(got, sizeof(got), "%u %u %u", a, b, c);
	assert_string_equal(got, want);
}

static void test_owner(void **state)
{
	int hold, users = -1;
	pid_t pid = child(0, &hold);
	CLEAN_FD int net = open_of(pid, "ns/net");
	CLEAN_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEAN_FD int direct = open_of(pid, "ns/user");
	struct err e = ERR_INIT;
	struct stat a, b;
	char path[64];

	(void)state;
	assert_int_equal(userns_of(own, &users, &e), 1);
	assert_int_equal(users, -1);
	assert_int_equal(userns_of(net, &users, &e), 0);
	assert_int_equal(fstat(users, &a) | fstat(direct, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(users);
	users = -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	assert_int_equal(userns_open_path(path, &users, &e), 0);
	close(users);
	users = -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	assert_int_equal(userns_open_path(path, &users, &e), -EINVAL);
	assert_int_equal(userns_open_path("/dev/null", &users, &e), -EINVAL);
	assert_int_equal(userns_open_path("/", &users, &e), -EINVAL);
	assert_int_equal(userns_open_path("/none", &users, &e), -ENOENT);
	assert_int_equal(users, -1);
	end(pid, hold);
}

static uint64_t cookie_of(int sock)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(sock, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &len), 0);
	return cookie;
}

/* A socket in there that root of there opened, and who made the place. */
static void test_owner_socket(void **state)
{
	int hold;
	pid_t pid = child(0, &hold), opener = 77;
	CLEAN_FD int net = open_of(pid, "ns/net");
	CLEAN_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEAN_FD int sock = -1;
	CLEAN_FD int here = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CLEAN_FD int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err e = ERR_INIT;
	uint64_t want;
	uid_t uid = 77;

	(void)state;
	assert_int_equal(userns_owner_uid(net, &uid, &e), 0);
	assert_int_equal(uid, 0);
	assert_true(userns_owner_uid(own, &uid, &e) < 0);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_true(userns_owner_uid(file, &uid, NULL) < 0);
	assert_int_equal(userns_socket(net, AF_NETLINK, SOCK_RAW, 0, &sock, NULL, &e), 0);
	assert_int_equal(fcntl(sock, F_GETFD), FD_CLOEXEC);
	assert_int_equal(netns_cookie(net, &want, &e), 0);
	assert_true(cookie_of(sock) == want);
	assert_true(cookie_of(here) != want);
	close(sock);
	sock = -1;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* but for the one that holds them */
	/* Its child may be collected later, whatever has become of it meanwhile. */
	assert_int_equal(userns_socket(net, AF_NETLINK, SOCK_RAW, 0, &sock, &opener, &e), 0);
	assert_true(cookie_of(sock) == want && opener > 0);
	kill(opener, SIGSTOP);
	userns_collect(opener);
	assert_int_equal(kill(opener, 0), -1);
	close(sock);
	sock = -1;
	opener = 77;
	assert_int_equal(userns_socket(net, AF_NETLINK, SOCK_RAW, 255, &sock, &opener, &e),
			 -EPROTONOSUPPORT);
	assert_int_equal(opener, 77);
	assert_int_equal(userns_socket(net, AF_NETLINK, SOCK_RAW, 255, &sock, NULL, &e),
			 -EPROTONOSUPPORT);
	assert_true(userns_socket(file, AF_NETLINK, SOCK_RAW, 0, &sock, NULL, &e) < 0);
	assert_int_equal(sock, -1);
	/* We are where and who we were. */
	assert_int_equal(userns_socket(own, AF_UNIX, SOCK_DGRAM, 0, &sock, NULL, &e), 0);
	assert_true(cookie_of(sock) == cookie_of(here));
	end(pid, hold);
}

/* Root maps all ids, a user itself; and whoever it was can be joined by its owner. */
static int map_and_join(uid_t uid)
{
	enum userns_map map;
	unsigned n = 0;
	struct err e = ERR_INIT;
	int hold, users = -1, r;
	pid_t pid = child(0, &hold);
	CLEAN_FD int net = open_of(pid, "ns/net");

	r = userns_write_maps(pid, false, &map, &n, &e);
	if (r < 0)
		return 1;
	expect_map(pid, "uid_map", uid ? "0 1500 1" : "0 0 65536");
	expect_map(pid, "gid_map", uid ? "0 1500 1" : "0 0 65536");
	if (map != (uid ? USERNS_MAP_SELF : USERNS_MAP_ALL) || n != (uid ? 1 : 65536))
		return 2;
	if (userns_of(net, &users, &e) != 0 || userns_join(users, net, &e) != 0)
		return 3;
	/* We are in it now, as its root. */
	close(users);
	if (userns_of(net, &users, &e) != 1 || userns_join(-1, net, &e) != 0)
		return 4;
	if (geteuid() != 0 || getegid() != 0)
		return 5;
	end(pid, hold);
	return 0;
}

static void test_maps(void **state)
{
	static const uid_t uids[] = {0, USER};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			uid_t u = uids[i];

			if (u && (setresgid(u, u, u) < 0 || setresuid(u, u, u) < 0))
				_exit(100);
			(void)prctl(PR_SET_DUMPABLE, 1);
			_exit(map_and_join(u));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* Another user's namespace. */
static void test_denied(void **state)
{
	int hold, status;
	pid_t owner = child(USER + 1, &hold), pid = fork();

	(void)state;
	if (pid == 0) {
		int net = open_of(owner, "ns/net"), users = open_of(owner, "ns/user");
		struct err e = ERR_INIT;

		if (net < 0 || users < 0 || setresuid(USER, USER, USER) < 0)
			_exit(1);
		if (userns_join(users, net, &e) != -EPERM || e.kind != ERR_DENIED)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	end(owner, hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),   cmocka_unit_test(test_was_there),
		cmocka_unit_test(test_no_tap), cmocka_unit_test(test_subids),
		cmocka_unit_test(test_owner),  cmocka_unit_test(test_owner_socket),
		cmocka_unit_test(test_maps),   cmocka_unit_test(test_denied),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		perror("unshare (root is needed)");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
