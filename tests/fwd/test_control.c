/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket against callers that break its rules, do not read, or are not who they should
 * be: what is published goes on being served, and no descriptor is left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/fwdmsg.h"
#include "net/fwdstart.h"
#include "world.h"

#define PORT 8080
#define CTR_PORT 18080
#define KEY "c1@eth0"

static int publish_one(void **state)
{
	(void)state;
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	return 0;
}

static int stop_all(void **state)
{
	(void)state;
	world_release(KEY);
	pid_t pid = world_forwarder();
	return pid && world_reap(pid) != 0 ? -1 : 0;
}

static int dial(void)
{
	struct sockaddr_un sa;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	fwdstart_address(&fwdstart_forwarder, &sa, &len);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 60},
		   sizeof(struct timeval));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static struct fwdmsg message(uint32_t op)
{
	struct fwdmsg m = {.version = FWDMSG_VERSION,
			   .op = op,
			   .proto = IPPROTO_TCP,
			   .host_port = PORT + 1,
			   .ctr_port = CTR_PORT,
			   .target = {{.family = AF_INET, .b = {127, 0, 0, 5}}},
			   .key = KEY};
	return m;
}

/* Sends len bytes of m with n descriptors, which stay open here. */
static void say(int fd, const struct fwdmsg *m, size_t len, const int *pass, size_t n)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} ctl = {0};
	struct iovec iov = {.iov_base = (void *)m, .iov_len = len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		h.msg_control = &ctl;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		ctl.hdr = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(&ctl.hdr), pass, n * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &h, MSG_NOSIGNAL), len);
}

static int hear(int fd)
{
	struct fwdmsg m;

	assert_int_equal(recv(fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.version, FWDMSG_VERSION);
	assert_true(m.op == FWDMSG_OK || m.op == FWDMSG_ERROR);
	return m.op == FWDMSG_OK ? 0 : -m.sys;
}

/* One caller more among them: when it has its answer, what those before it left is closed. */
static size_t count_fds(void)
{
	struct fwdmsg m = message(99);
	int fd = dial();
	char path[64];
	size_t n = 0;

	say(fd, &m, sizeof(m), NULL, 0);
	assert_int_equal(hear(fd), -EPROTO);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)world_forwarder());
	DIR *d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	close(fd);
	return n;
}

static int tcp_socket(uint16_t port, bool listening)
{
	struct sockaddr_storage ss;
	socklen_t len = world_address("127.0.0.1", port, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void assert_add_refused(int fd, const struct fwdmsg *m, const int *pass, size_t n)
{
	say(fd, m, sizeof(*m), pass, n);
	assert_true(hear(fd) < 0);
}

static void test_bad_messages(void **state)
{
	(void)state;
	int fd = dial(), listener = tcp_socket(PORT + 1, true);
	int four[4] = {listener, listener, listener, listener};
	struct fwdmsg m = message(FWDMSG_LIST);

	m.key[0] = '\0';
	m.op = 99;
	say(fd, &m, sizeof(m), NULL, 0);
	assert_int_equal(hear(fd), -EPROTO);
	size_t before = count_fds();
	m.version = FWDMSG_VERSION + 1;
	m.op = FWDMSG_LIST;
	say(fd, &m, sizeof(m), NULL, 0);
	assert_int_equal(hear(fd), -EPROTO);
	m = message(FWDMSG_ADD);
	say(fd, &m, 5, NULL, 0);
	assert_int_equal(hear(fd), -EPROTO);
	say(fd, &m, sizeof(m) - 1, &listener, 1);
	assert_int_equal(hear(fd), -EPROTO);
	memset(m.key, 'x', sizeof(m.key));
	assert_add_refused(fd, &m, &listener, 1);
	m = message(FWDMSG_ADD);
	assert_add_refused(fd, &m, NULL, 0);
	assert_add_refused(fd, &m, four, 4);
	/* A descriptor that nobody asked for is not kept. */
	m.op = FWDMSG_REMOVE;
	say(fd, &m, sizeof(m), &listener, 1);
	assert_int_equal(hear(fd), 0);
	assert_int_equal(count_fds(), before);
	close(listener);
	close(fd);
}

static void test_bad_sockets(void **state)
{
	(void)state;
	int fd = dial(), p[2];
	int listener = tcp_socket(PORT + 1, true), other = tcp_socket(PORT + 2, true);
	int deaf = tcp_socket(PORT + 3, false), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct fwdmsg m = message(FWDMSG_LIST);

	say(fd, &m, sizeof(m), NULL, 0);
	struct fwdmsg item;
	assert_int_equal(recv(fd, &item, sizeof(item), 0), sizeof(item));
	assert_int_equal(item.op, FWDMSG_ITEM);
	assert_int_equal(item.host_port, PORT);
	assert_int_equal(item.ctr_port, CTR_PORT);
	assert_string_equal(item.key, KEY);
	assert_int_equal(hear(fd), 0);
	size_t before = count_fds();
	m = message(FWDMSG_ADD);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_add_refused(fd, &m, &p[0], 1);
	assert_add_refused(fd, &m, &udp, 1);
	assert_add_refused(fd, &m, &other, 1);
	m.host_port = PORT + 3;
	assert_add_refused(fd, &m, &deaf, 1);
	m = message(FWDMSG_ADD);
	m.ctr_port = 0;
	assert_add_refused(fd, &m, &listener, 1);
	m = message(FWDMSG_ADD);
	m.target[FAM4] = (struct ip){0};
	assert_add_refused(fd, &m, &listener, 1);
	m.target[FAM4] = (struct ip){.family = AF_INET6, .b = {[15] = 1}};
	assert_add_refused(fd, &m, &listener, 1);
	m.target[FAM4] = (struct ip){.family = AF_INET, .b = {224, 0, 0, 1}};
	assert_add_refused(fd, &m, &listener, 1);
	m = message(FWDMSG_ADD);
	m.proto = IPPROTO_SCTP;
	assert_add_refused(fd, &m, &listener, 1);
	assert_int_equal(count_fds(), before);
	m = message(FWDMSG_ADD);
	say(fd, &m, sizeof(m), &listener, 1);
	assert_int_equal(hear(fd), 0);
	assert_int_equal(count_fds(), before + 1);
	/* The same once more takes the place of the first. */
	say(fd, &m, sizeof(m), &listener, 1);
	assert_int_equal(hear(fd), 0);
	assert_int_equal(count_fds(), before + 1);
	int fds[] = {fd, listener, other, deaf, udp, p[0], p[1]};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

/* One that never reads is read from no more, keeps nobody else waiting, and gets all answers in the
 * end. */
static void test_silent_reader(void **state)
{
	(void)state;
	struct fwdmsg m = message(FWDMSG_LIST);
	int fd = dial();
	size_t sent = 0, items = 0, ends = 0;

	while (sent < 100000 && send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		sent++;
	assert_in_range(sent, 10, 99999);
	world_nap(50);
	while (send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		sent++;
	world_publish(IPPROTO_UDP, PORT, CTR_PORT, false);
	while (ends < sent) {
		struct fwdmsg got;
		assert_int_equal(recv(fd, &got, sizeof(got), 0), sizeof(got));
		items += got.op == FWDMSG_ITEM;
		ends += got.op == FWDMSG_OK;
	}
	assert_true(items >= sent);
	close(fd);
}

/* More callers than places: those beyond wait, and get theirs. */
static void test_many_callers(void **state)
{
	(void)state;
	enum { CALLERS = 300 };
	static int fd[CALLERS];
	struct fwdmsg m = message(FWDMSG_REMOVE);

	for (int i = 0; i < CALLERS; i++)
		fd[i] = dial();
	for (int i = 0; i < CALLERS; i++)
		say(fd[i], &m, sizeof(m), NULL, 0);
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(hear(fd[i]), 0);
		close(fd[i]);
	}
}

/* Becomes another user; false where there is no other to become. */
static bool become_stranger(void)
{
	return setresgid(1234, 1234, 1234) == 0 && setresuid(1234, 1234, 1234) == 0;
}

/* Any local user can reach the address; it gets nothing but the end of the connection. */
static void test_stranger_asks(void **state)
{
	(void)state;
	struct sockaddr_un sa;
	socklen_t len;

	fwdstart_address(&fwdstart_forwarder, &sa, &len);
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		if (!become_stranger())
			_exit(2);
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		struct fwdmsg m = message(FWDMSG_REMOVE);
		m.proto = 0;
		if (connect(fd, (struct sockaddr *)&sa, len) < 0)
			_exit(3);
		send(fd, &m, sizeof(m), MSG_NOSIGNAL);
		_exit(recv(fd, &c, 1, 0) <= 0 ? 0 : 4);
	}
	int status = world_reap(pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2) /* a user namespace with one user: there are no strangers */
		return;
	assert_int_equal(WEXITSTATUS(status), 0);
	int fd = world_connect("127.0.0.1", PORT, SOCK_STREAM);
	assert_true(fd >= 0 || fd == -ECONNRESET);
	if (fd >= 0)
		close(fd);
}

/* Somebody else sits on the address: said with name and user, never talked to. */
static void test_squatter(void **state)
{
	(void)state;
	struct publish p = {.proto = IPPROTO_TCP, .host_port = PORT + 5, .ctr_port = 1, .count = 1};
	const struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 5}}};
	const bool has[N_FAM] = {true, false};
	struct err e = ERR_INIT;
	struct sockaddr_un sa;
	socklen_t len;
	int ready[2];
	char c;

	stop_all(NULL);
	fwdstart_address(&fwdstart_forwarder, &sa, &len);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (!become_stranger())
			_exit(2);
		if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 8) < 0)
			_exit(3);
		if (write(ready[1], "y", 1) != 1)
			_exit(5);
		for (;;) {
			struct fwdmsg m;
			int got = accept(fd, NULL, NULL);
			/* Not one byte, no descriptor. */
			if (recv(got, &m, sizeof(m), 0) > 0)
				_exit(4);
			close(got);
		}
	}
	close(ready[1]);
	bool is_there = read(ready[0], &c, 1) == 1;
	close(ready[0]);
	if (!is_there) { /* a user namespace with one user: there are no strangers */
		assert_int_equal(WEXITSTATUS(world_reap(pid)), 2);
		return;
	}
	struct reserve *r = NULL;
	assert_int_equal(reserve_open(-1, &r, &e), 0);
	assert_int_equal(reserve_bind(r, &p, has, &e), 0);
	int k = reserve_commit(r, KEY, target, &e);
	reserve_closep(&r);
	world_nap(50);
	kill(pid, SIGKILL);
	int status = world_reap(pid);
	assert_true(WIFSIGNALED(status));
	assert_true(k < 0);
	assert_int_equal(e.kind, ERR_CONFLICT);
	char want[64];
	snprintf(want, sizeof(want), "(pid %d) of user 1234", (int)pid);
	assert_non_null(strstr(e.text, want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_messages, publish_one, stop_all),
		cmocka_unit_test_setup_teardown(test_bad_sockets, publish_one, stop_all),
		cmocka_unit_test_setup_teardown(test_silent_reader, publish_one, stop_all),
		cmocka_unit_test_setup_teardown(test_many_callers, publish_one, stop_all),
		cmocka_unit_test_setup_teardown(test_stranger_asks, publish_one, stop_all),
		cmocka_unit_test_setup_teardown(test_squatter, publish_one, stop_all),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
