/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer: what the kernel says of who connected, and which descriptors are taken for a network
 * namespace of his own: every other kind of file, namespace and process is refused, and with the
 * reason in the log. As root, for there are two users.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/peer.h"

#define USER_A 61871
#define USER_B 61872

/* A process of a user's, which ends with this one at the latest. */
struct user {
	pid_t pid;
	int pidfd;
	int netns; /* its own, of its own user namespace */
};

static void become(uint32_t uid, size_t n_groups)
{
	gid_t *list = calloc(n_groups + 1, sizeof(*list));

	for (size_t i = 0; list && i < n_groups; i++)
		list[i] = (gid_t)(70000 + i);
	if (!list || setgroups(n_groups, list) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		_exit(2);
	free(list);
}

/* uid 0: of root, in root's own user namespace. */
static struct user start(uint32_t uid)
{
	int ready[2];
	struct user u;
	char path[64], c = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	u.pid = fork();
	if (u.pid == 0) {
		if (uid)
			become(uid, 0);
		if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0)) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		    write(ready[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(u.pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	u.pidfd = (int)syscall(SYS_pidfd_open, u.pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)u.pid);
	u.netns = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(u.pidfd >= 0 && u.netns >= 0);
	return u;
}

static void end(struct user *u)
{
	assert_int_equal(kill(u->pid, SIGKILL), 0);
	assert_int_equal(waitpid(u->pid, NULL, 0), u->pid);
}

static void drop(struct user *u)
{
	end(u);
	close(u->pidfd);
	close(u->netns);
}

#define refused(part, call)                                                                        \
	do {                                                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct err *e = &e_;                                                               \
		int got_ = (call);                                                                 \
		if (got_ >= 0 || e_.kind != ERR_DENIED || !strstr(e_.text, (part)))                \
			fail_msg("%s = %d, %s: %s", #call, got_, err_kind_name(e_.kind), e_.text); \
	} while (0)

static void refuse_and_close(const char *part, int fd)
{
	refused(part, peer_owns_netns(USER_A, fd, -1, e));
	if (fd >= 0)
		close(fd);
}

static void test_kinds(void **state)
{
	int fd[2];

	(void)state;
	refuse_and_close("only a name", -1);
	refuse_and_close("only a name", open("/proc/self/ns/net", O_PATH | O_CLOEXEC));
	refuse_and_close("no namespace", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	refuse_and_close("no namespace", open("/dev/null", O_RDWR | O_CLOEXEC));
	refuse_and_close("no namespace", eventfd(0, EFD_CLOEXEC));
	refuse_and_close("no namespace", epoll_create1(EPOLL_CLOEXEC));
	refuse_and_close("no namespace", memfd_create("m", MFD_CLOEXEC));
	refuse_and_close("no namespace", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	refuse_and_close("no namespace", (int)syscall(SYS_pidfd_open, getpid(), 0));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	refuse_and_close("no namespace", fd[0]);
	refuse_and_close("no namespace", fd[1]);
	refuse_and_close("no network namespace", open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	refuse_and_close("no network namespace", open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	refuse_and_close("the host's", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
}

static void test_owners(void **state)
{
	struct user a = start(USER_A), b = start(USER_B), root = start(0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err none = ERR_INIT;

	(void)state;
	assert_int_equal(peer_owns_netns(USER_A, a.netns, -1, &none), 0);
	assert_int_equal(peer_owns_netns(USER_B, b.netns, -1, &none), 0);
	refused("another user's", peer_owns_netns(USER_A, b.netns, -1, e));
	refused("another user's", peer_owns_netns(0, a.netns, -1, e));
	/* One of root's own, without a user namespace of its own, is nobody's to give. */
	refused("not the user's", peer_owns_netns(USER_A, root.netns, -1, e));
	refused("not the user's", peer_owns_netns(0, root.netns, -1, e));
	/* With a process. */
	assert_int_equal(peer_owns_netns(USER_A, a.netns, a.pidfd, &none), 0);
	refused("no process", peer_owns_netns(USER_A, a.netns, null, e));
	refused("another network namespace", peer_owns_netns(USER_A, a.netns, b.pidfd, e));
	/* He is judged by his namespace first. */
	refused("another user's", peer_owns_netns(USER_A, b.netns, b.pidfd, e));
	end(&a);
	refused("gone", peer_owns_netns(USER_A, a.netns, a.pidfd, e));
	assert_int_equal(peer_owns_netns(USER_A, a.netns, -1, &none), 0);
	close(a.pidfd);
	close(a.netns);
	drop(&b);
	drop(&root);
	close(null);
}

/* ---- connections ---- */

static int listens(int type, struct sockaddr_un *name)
{
	socklen_t len = sizeof(*name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &(struct sockaddr){AF_UNIX}, sizeof(sa_family_t)), 0);
	memset(name, 0, sizeof(*name));
	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A socket's name as the kernel keeps it: the kernel picks five characters. */
static int connects(const struct sockaddr_un *name, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)name, sizeof(sa_family_t) + 6) < 0)
		return -1;
	return fd;
}

static int accepts(int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	assert_true(conn >= 0);
	return conn;
}

/* What is told of a process of USER_A's; it is gone by then, or waits. */
static int ask_of(const char *comm, size_t n_groups, bool is_gone, struct peer *p, struct err *e)
{
	struct sockaddr_un name;
	int fd = listens(SOCK_SEQPACKET, &name), conn, r, hold[2];
	pid_t pid;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(hold[1]);
		become(USER_A, n_groups);
		if (prctl(PR_SET_NAME, comm) < 0 || connects(&name, SOCK_SEQPACKET) < 0)
			_exit(1);
		if (!is_gone)
			(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	assert_true(pid > 0);
	close(hold[0]);
	conn = accepts(fd);
	if (is_gone)
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	r = peer_of(conn, &name, p, e);
	close(hold[1]);
	if (!is_gone)
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(conn);
	close(fd);
	return r;
}

/* Linux 6.5 tells which process it was; before, it has no name in the log. */
static bool has_name(void)
{
	int pair[2], pidfd = -1;
	socklen_t len = sizeof(pidfd);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int r = getsockopt(pair[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &len);
	close(pair[0]);
	close(pair[1]);
	if (r == 0)
		close(pidfd);
	return r == 0;
}

static void test_who(void **state)
{
	bool is_named = has_name();
	struct err e = ERR_INIT;
	struct peer p;

	(void)state;
	assert_int_equal(ask_of("a-b_c.d:1/2", 2, false, &p, &e), 0);
	assert_int_equal(p.who.uid, USER_A);
	assert_int_equal(p.who.n_gid, 3);
	assert_int_equal(p.who.gid[0], USER_A);
	assert_int_equal(p.who.gid[1], 70000);
	assert_int_equal(p.who.gid[2], 70001);
	assert_string_equal(p.comm, is_named ? "a-b_c.d:1/2" : "?");
	/* A name made to look like something else in the log. */
	assert_int_equal(ask_of("x \"\x1b\n=\xff uid", 0, false, &p, &e), 0);
	assert_int_equal(strncmp(p.comm, is_named ? "x???" : "?", is_named ? 4 : 2), 0);
	for (const char *c = p.comm; *c; c++)
		assert_true(*c > ' ' && *c < 0x7f && *c != '"' && *c != '=');
	assert_int_equal(p.who.n_gid, 1);
	/* What his number says now may be another's name. */
	assert_int_equal(ask_of("x", 0, true, &p, &e), 0);
	assert_string_equal(p.comm, "?");
	assert_int_equal(p.who.uid, USER_A);
	/* As many groups as are looked at, and one more, which a rule may deny. */
	assert_int_equal(ask_of("x", POLICY_GROUPS - 1, true, &p, &e), 0);
	assert_int_equal(p.who.n_gid, POLICY_GROUPS);
	assert_true(ask_of("x", POLICY_GROUPS, true, &p, &e) < 0);
	assert_int_equal(e.kind, ERR_DENIED);
}

/* What a front gone astray could bring instead of a connection of the daemon's socket. */
static void test_other_sockets(void **state)
{
	struct sockaddr_un name, other, stream_name;
	int fd = listens(SOCK_SEQPACKET, &name), second = listens(SOCK_SEQPACKET, &other);
	int stream = listens(SOCK_STREAM, &stream_name), pair[2], bad[8];
	struct err e = ERR_INIT;
	struct peer p;
	size_t n = 0;

	(void)state;
	int client = connects(&name, SOCK_SEQPACKET), conn = accepts(fd);
	assert_int_equal(peer_check(conn, &name, &e), 0);
	int client2 = connects(&other, SOCK_SEQPACKET),
	    client3 = connects(&stream_name, SOCK_STREAM);
	bad[n++] = accepts(second); /* of another socket */
	bad[n++] = accepts(stream);
	bad[n++] = fd;     /* which listens */
	bad[n++] = client; /* the other end */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	bad[n++] = pair[0];
	bad[n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bad[n++] = eventfd(0, EFD_CLOEXEC);
	bad[n++] = -1;
	for (size_t i = 0; i < n; i++) {
		const struct sockaddr_un *as = i == 1 ? &stream_name : &name;

		e = (struct err)ERR_INIT;
		assert_true(peer_of(bad[i], as, &p, &e) < 0);
		assert_int_equal(e.kind, ERR_PROTOCOL);
	}
	for (size_t i = 0; i < n; i++)
		if (bad[i] >= 0)
			close(bad[i]);
	close(conn);
	close(client2);
	close(client3);
	close(second);
	close(stream);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_other_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
