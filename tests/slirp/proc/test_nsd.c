/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that makes sockets inside a container, as an unprivileged user with a namespace of
 * his own: what it makes, what it refuses, what it is without, and how it ends.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "box.h"
#include "proc/nsd.h"
#include "proc/transparent.h"
#include "relay/inside.h"
#include "relay/insidemsg.h"
#include "sys/fdpass.h"

#define WAIT_MS 30000
#define PORT 8080

struct world {
	struct box box;
	struct nsd nsd;
	struct inside *pool;
};

/* ---- a process that stays root, for what only root sees ---- */

static int inspector = -1;

static void list_descriptors(pid_t pid, char *out, size_t size)
{
	char path[64], link[128];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	out[0] = '\0';
	for (struct dirent *e; d && (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		link[strcspn(link, "[")] = '\0';
		size_t len = strlen(out);
		snprintf(out + len, size - len, "%s=%s ", e->d_name, link);
	}
	if (d)
		closedir(d);
}

static void start_inspector(void)
{
	char text[2048];
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		exit(98);
	if (fork() == 0) {
		close(pair[0]);
		while (read(pair[1], &pid, sizeof(pid)) == (ssize_t)sizeof(pid)) {
			list_descriptors(pid, text, sizeof(text));
			if (write(pair[1], text, strlen(text) + 1) < 0)
				break;
		}
		_exit(0);
	}
	close(pair[1]);
	inspector = pair[0];
}

/* ---- the world ---- */

static void start_as(struct world *w, bool is_auto, bool is_transparent)
{
	struct err e = ERR_INIT;

	*w = (struct world){.nsd = NSD_INIT};
	box_start(&w->box);
	const struct nsd_spec spec = {w->box.netns_fd, w->box.userns_fd, is_auto, is_transparent};
	if (nsd_start(&spec, &w->nsd, &e) < 0 || nsd_finish(&w->nsd, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(inside_new(w->nsd.sockets_fd, &w->pool), 0);
}

static void start(struct world *w, bool is_auto)
{
	start_as(w, is_auto, false);
}

static void end(struct world *w)
{
	inside_free(w->pool);
	nsd_end(&w->nsd);
	assert_int_equal(w->nsd.pid, 0);
	assert_int_equal(w->nsd.pidfd, -1);
	nsd_end(&w->nsd);
	box_end(&w->box);
}

static void await(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, ms), 1);
}

static int take(struct world *w, int family, int type)
{
	int fd;

	while ((fd = inside_take(w->pool, family, type, clock_ms())) == -EAGAIN) {
		await(w->nsd.sockets_fd, WAIT_MS);
		(void)inside_event(w->pool, clock_ms());
	}
	return fd;
}

static int connect_to(int fd, const char *ip, uint16_t port)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, ip, &four.sin_addr) == 1)
		return connect(fd, (struct sockaddr *)&four, sizeof(four));
	assert_int_equal(inet_pton(AF_INET6, ip, &six.sin6_addr), 1);
	return connect(fd, (struct sockaddr *)&six, sizeof(six));
}

/* Both families, both types: they reach what is served inside. */
static void test_sockets(void **state)
{
	static const struct {
		const char *ip;
		int family;
	} cases[] = {{"127.0.0.1", AF_INET}, {"::1", AF_INET6}};
	struct world w;
	char got[8] = "";

	(void)state;
	start(&w, false);
	for (int i = 0; i < 2; i++) {
		int server = box_listen(&w.box, cases[i].ip, PORT);
		int fd = take(&w, cases[i].family, SOCK_STREAM);
		assert_true(server >= 0 && fd >= 0);
		assert_true(connect_to(fd, cases[i].ip, PORT) == 0 || errno == EINPROGRESS);
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
		shutdown(fd, SHUT_WR);
		assert_int_equal(box_echo(&w.box, server), 5);
		await(fd, WAIT_MS);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 5);
		close(fd);
		int udp = box_bind(&w.box, cases[i].ip, PORT);
		fd = take(&w, cases[i].family, SOCK_DGRAM);
		assert_true(udp >= 0 && fd >= 0);
		assert_int_equal(connect_to(fd, cases[i].ip, PORT), 0);
		assert_int_equal(send(fd, "datagram", 8, 0), 8);
		assert_int_equal(box_echo_datagram(&w.box, udp), 8);
		await(fd, WAIT_MS);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 8);
		close(fd);
	}
	/* It is asked ahead of need, and no further than it must. */
	for (int i = 0; i < 200; i++)
		close(take(&w, AF_INET, SOCK_STREAM));
	for (int i = 0; i < 4 && inside_count(w.pool) < INSIDE_MAX; i++) {
		await(w.nsd.sockets_fd, WAIT_MS);
		(void)inside_event(w.pool, clock_ms());
	}
	assert_in_range(inside_count(w.pool), INSIDE_MAX / 2, 4 * INSIDE_MAX);
	end(&w);
}

/* Asks; a channel that is full of what was asked before has room as soon as some of it is read. */
static void ask(struct world *w, const struct insidemsg_ask *q, const int *fd)
{
	int err;

	while ((err = fdpass_send(w->nsd.sockets_fd, q, sizeof(*q), fd, fd ? 1 : 0)) == -EAGAIN) {
		struct pollfd p = {.fd = w->nsd.sockets_fd, .events = POLLOUT};
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	}
	assert_int_equal(err, 0);
}

static bool answers(struct world *w)
{
	struct insidemsg_ask q = {.id = 7, .family = AF_INET, .type = SOCK_STREAM, .n = 1};
	struct insidemsg_answer a;
	int fds[INSIDEMSG_MAX];
	ssize_t n;

	ask(w, &q, NULL);
	await(w->nsd.sockets_fd, WAIT_MS);
	n = fdpass_recv(w->nsd.sockets_fd, &a, sizeof(a), fds, INSIDEMSG_MAX);
	if (n != (ssize_t)sizeof(a) || a.id != 7 || a.n_fds != 1 || a.sys != 0 || fds[0] < 0 ||
	    fds[1] >= 0)
		return false;
	close(fds[0]);
	return true;
}

static void test_hostile_worker(void **state)
{
	static const struct insidemsg_ask bad[] = {
		{1, AF_UNIX, SOCK_STREAM, 1},
		{1, AF_NETLINK, SOCK_RAW, 1},
		{1, AF_PACKET, SOCK_DGRAM, 1},
		{1, AF_INET, SOCK_RAW, 1},
		{1, AF_INET, SOCK_SEQPACKET, 1},
		{1, 0, 0, 1},
		{1, AF_INET, SOCK_STREAM, 0},
		{1, AF_INET, SOCK_STREAM, INSIDEMSG_MAX + 1},
		{1, AF_INET, SOCK_STREAM, UINT32_MAX},
		{1, AF_INET, 0xffff, 1},
		{1, AF_INET, SOCK_STREAM, 1, {AF_INET6}, 80},
		{1, AF_INET, SOCK_STREAM, 1, {AF_INET}, 0},
		{1, AF_INET, SOCK_STREAM, 2, {AF_INET}, 80},
		{1, AF_INET, SOCK_DGRAM, 1, {AF_INET}, 80},
		{1, AF_INET, SOCK_STREAM, 1, {AF_UNIX}, 80},
	};
	struct world w;
	uint8_t junk[256];

	(void)state;
	start(&w, false);
	memset(junk, 0xff, sizeof(junk));
	for (size_t len = 1; len <= sizeof(junk); len++) {
		while (send(w.nsd.sockets_fd, junk, len, MSG_DONTWAIT) < 0)
			assert_int_equal(errno, EAGAIN);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ask(&w, &bad[i], NULL);
	/* Descriptors that come along are closed, and the request is none. */
	int one = dup(0);
	const struct insidemsg_ask good = {9, AF_INET, SOCK_STREAM, 1};
	ask(&w, &good, &one);
	close(one);
	assert_true(answers(&w));
	end(&w);
}

static size_t count_open(void)
{
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The next worker gets the same channel, with answers in it that were meant for the last one. */
static void test_next_worker(void **state)
{
	struct world w;
	struct inside *last;

	(void)state;
	start(&w, false);
	size_t before = count_open();
	assert_int_equal(inside_new(w.nsd.sockets_fd, &last), 0);
	for (int i = 0; i < 2; i++) {
		inside_warm(last, i ? AF_INET6 : AF_INET, SOCK_STREAM, clock_ms());
		inside_warm(last, i ? AF_INET6 : AF_INET, SOCK_DGRAM, clock_ms());
	}
	inside_free(last);
	usleep(50000);
	int fd = take(&w, AF_INET6, SOCK_DGRAM);
	int family = 0, type = 0;
	socklen_t len = sizeof(int);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(family, AF_INET6);
	assert_int_equal(type, SOCK_DGRAM);
	close(fd);
	assert_int_equal(count_open(), before + inside_count(w.pool));
	end(&w);
}

/* Killed: noticed by the pidfd and by the channel; nothing waits. */
static void test_killed(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	close(take(&w, AF_INET, SOCK_STREAM));
	assert_true(inside_is_open(w.pool));
	assert_int_equal(kill(w.nsd.pid, SIGKILL), 0);
	await(w.nsd.pidfd, WAIT_MS);
	await(w.nsd.sockets_fd, WAIT_MS);
	while (inside_is_open(w.pool))
		assert_true(inside_event(w.pool, clock_ms()));
	for (int fd; (fd = inside_take(w.pool, AF_INET, SOCK_STREAM, clock_ms())) != -EPIPE;)
		close(fd);
	assert_int_equal(inside_take(w.pool, AF_INET6, SOCK_STREAM, clock_ms()), -EPIPE);
	assert_true(inside_due(w.pool) == UINT64_MAX);
	end(&w);
}

/* Stopped, as root of the container may do: after a second the pool counts as closed, is asked
 * seldom and only when somebody wants a socket, and is open again when there is an answer. */
static void test_stopped(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	assert_int_equal(kill(w.nsd.pid, SIGSTOP), 0);
	uint64_t now = clock_ms();
	assert_int_equal(inside_take(w.pool, AF_INET, SOCK_STREAM, now), -EAGAIN);
	assert_true(inside_due(w.pool) == now + INSIDE_ANSWER_MS);
	assert_false(inside_tick(w.pool, now + INSIDE_ANSWER_MS - 1));
	assert_true(inside_tick(w.pool, now + INSIDE_ANSWER_MS));
	assert_false(inside_is_open(w.pool));
	assert_true(inside_due(w.pool) == UINT64_MAX);
	assert_int_equal(inside_take(w.pool, AF_INET, SOCK_STREAM, now + INSIDE_ANSWER_MS + 1),
			 -EPIPE);
	assert_int_equal(kill(w.nsd.pid, SIGCONT), 0);
	for (int i = 0; i < 3 && inside_count(w.pool) == 0; i++) {
		await(w.nsd.sockets_fd, WAIT_MS);
		(void)inside_event(w.pool, now + 2 * INSIDE_ANSWER_MS);
	}
	assert_true(inside_is_open(w.pool));
	assert_true(inside_count(w.pool) > 0);
	end(&w);
}

static void expect_line(const char *text, const char *name, const char *value)
{
	const char *at = strstr(text, name);

	assert_non_null(at);
	at += strlen(name);
	at += strspn(at, "\t ");
	if (strncmp(at, value, strlen(value)) != 0 || at[strlen(value)] != '\n')
		fail_msg("%s %.20s, expected %s", name, at, value);
}

/* What it is without: the kernel's own word, and the list of what is open in it. */
static void test_confined(void **state)
{
	struct world w;
	char path[64], text[8192] = "", fds[2048] = "";

	(void)state;
	for (int is_auto = 0; is_auto < 2; is_auto++) {
		start(&w, is_auto);
		snprintf(path, sizeof(path), "/proc/%d/status", (int)w.nsd.pid);
		FILE *f = fopen(path, "re");
		assert_non_null(f);
		assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
		fclose(f);
		expect_line(text, "CapInh:", "0000000000000000");
		expect_line(text, "CapPrm:", "0000000000000000");
		expect_line(text, "CapEff:", "0000000000000000");
		expect_line(text, "CapBnd:", "0000000000000000");
		expect_line(text, "CapAmb:", "0000000000000000");
		expect_line(text, "NoNewPrivs:", "1");
		expect_line(text, "Seccomp:", "2");
		expect_line(text, "Threads:", "1");
		print_message("%.24s\n", strstr(text, "RssAnon:"));
		assert_int_equal(write(inspector, &w.nsd.pid, sizeof(w.nsd.pid)),
				 sizeof(w.nsd.pid));
		assert_true(read(inspector, fds, sizeof(fds)) > 0);
		assert_string_equal(fds,
				    is_auto ? "0=/dev/null 1=/dev/null 2=/dev/null 3=socket: "
					      "4=socket: 5=socket: "
					    : "0=/dev/null 1=/dev/null 2=/dev/null 3=socket: ");
		end(&w);
	}
}

/* With is_transparent one capability more, in the box's user namespace. */
static void test_transparent_confined(void **state)
{
	static const char one[] = "0000000000002000", none[] = "0000000000000000"; /* NET_RAW */
	char path[64], text[8192] = "", ours[64] = "", theirs[64] = "";
	struct world w;

	(void)state;
	start_as(&w, false, true);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)w.nsd.pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	expect_line(text, "CapPrm:", one);
	expect_line(text, "CapEff:", one);
	expect_line(text, "CapBnd:", one);
	expect_line(text, "CapInh:", none);
	expect_line(text, "CapAmb:", none);
	expect_line(text, "NoNewPrivs:", "1");
	expect_line(text, "Seccomp:", "2");
	assert_int_equal(box_trace(&w.box, w.nsd.pid), -EPERM);
	assert_true(readlink("/proc/self/ns/user", ours, sizeof(ours) - 1) > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)w.nsd.pid);
	/* It is another one than ours, where it has a link that may be read. */
	if (readlink(path, theirs, sizeof(theirs) - 1) > 0)
		assert_string_not_equal(ours, theirs);
	end(&w);
}

struct bound {
	uint32_t id;
	int fd, n;
};

static bool on_bound(void *arg, uint32_t id, int fd)
{
	struct bound *b = arg;

	if (id != b->id)
		return false;
	b->fd = fd;
	b->n++;
	return true;
}

/* What came of asking for from:port. */
static int take_bound(struct world *w, const char *from, uint16_t port)
{
	struct bound b = {.fd = -1};
	struct ip ip;
	int r;

	assert_int_equal(ip_parse(from, &ip, NULL), 0);
	inside_on_bound(w->pool, on_bound, &b);
	r = inside_ask_bound(w->pool, &ip, port, &b.id);
	if (r < 0)
		return r;
	while (b.n == 0) {
		await(w->nsd.sockets_fd, WAIT_MS);
		(void)inside_event(w->pool, clock_ms());
	}
	inside_on_bound(w->pool, NULL, NULL);
	assert_int_equal(b.n, 1);
	return b.fd;
}

/* Addresses that are nobody's there; one of them twice, for two connections. */
static void test_bound(void **state)
{
	static const char *const from[] = {"198.51.100.9", "2001:db8::9"};
	struct sockaddr_storage ss;
	struct world w;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	start_as(&w, false, true);
	for (int i = 0; i < 4; i++) {
		bool is_six = i % 2;
		int fd = take_bound(&w, from[is_six], 40009), mark = 0, on = 0;
		socklen_t len = sizeof(ss), mark_len = sizeof(mark), on_len = sizeof(on);

		assert_true(fd >= 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
		assert_int_equal(ss.ss_family, is_six ? AF_INET6 : AF_INET);
		const void *addr = is_six ? (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr
					  : (void *)&((struct sockaddr_in *)&ss)->sin_addr;
		assert_non_null(inet_ntop(ss.ss_family, addr, text, sizeof(text)));
		assert_string_equal(text, from[is_six]);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &mark_len), 0);
		assert_int_equal(mark, TRANSPARENT_MARK_SHOWN);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len), 0);
		assert_int_equal(on, 0);
		/* Kept until the end: the second one has the same address. */
	}
	/* Of a port that takes a privilege there. */
	assert_int_equal(take_bound(&w, from[0], 9), -EACCES);
	/* Plain ones come as before. */
	close(take(&w, AF_INET6, SOCK_STREAM));
	end(&w);
}

/* Without the capability it says so once, and is not asked again. */
static void test_bound_refused(void **state)
{
	struct world w;
	struct ip ip;
	uint32_t id;

	(void)state;
	start(&w, false);
	assert_int_equal(ip_parse("198.51.100.9", &ip, NULL), 0);
	assert_int_equal(take_bound(&w, "198.51.100.9", 40009), -EPERM);
	assert_int_equal(inside_ask_bound(w.pool, &ip, 40009, &id), -EPERM);
	close(take(&w, AF_INET, SOCK_STREAM));
	end(&w);
}

/* Root of the container has the same user number outside, and all power over the namespace. */
static void test_not_traced(void **state)
{
	struct world w;

	(void)state;
	start(&w, true);
	assert_int_equal(box_trace_own(&w.box), 0);
	assert_int_equal(box_trace(&w.box, w.nsd.pid), -EPERM);
	assert_int_equal(box_read_memory(&w.box, w.nsd.pid), -EPERM);
	assert_int_equal(box_open_memory(&w.box, w.nsd.pid), -EACCES);
	assert_true(answers(&w));
	end(&w);
}

/* It starts beside the others; how long that is, is for people to read. */
static void test_start(void **state)
{
	struct box box;
	struct err e = ERR_INIT;
	uint64_t best = UINT64_MAX;

	(void)state;
	box_start(&box);
	for (int i = 0; i < 10; i++) {
		const struct nsd_spec spec = {box.netns_fd, box.userns_fd, true};
		struct nsd n = NSD_INIT;
		uint64_t before = clock_ns(), took;

		assert_int_equal(nsd_start(&spec, &n, &e), 0);
		assert_int_equal(nsd_finish(&n, &e), 0);
		took = clock_ns() - before;
		best = took < best ? took : best;
		nsd_end(&n);
	}
	print_message("it is ready after %.2f ms\n", (double)best / 1e6);
	box_end(&box);
}

static void await_gone(int pidfd)
{
	await(pidfd, WAIT_MS);
	close(pidfd);
}

/* It goes with its channel, and with whoever started it, however that ends. */
static void test_ends(void **state)
{
	struct world w;
	struct err e = ERR_INIT;
	int pipes[2], status;
	pid_t pids[2], launcher;

	(void)state;
	start(&w, true);
	close(w.nsd.ports_fd);
	w.nsd.ports_fd = -1;
	await(w.nsd.pidfd, WAIT_MS);
	end(&w);
	start(&w, false);
	assert_int_equal(shutdown(w.nsd.sockets_fd, SHUT_RDWR), 0);
	await(w.nsd.pidfd, WAIT_MS);
	end(&w);
	/* The launcher is killed while somebody else holds the channel. */
	box_start(&w.box);
	assert_int_equal(pipe(pipes), 0);
	launcher = fork();
	if (launcher == 0) {
		const struct nsd_spec spec = {w.box.netns_fd, w.box.userns_fd, false};
		struct nsd n = NSD_INIT;
		if (nsd_start(&spec, &n, &e) < 0 || nsd_finish(&n, &e) < 0)
			_exit(1);
		pids[0] = n.pid;
		pids[1] = fork();
		if (pids[1] == 0) {
			pause();
			_exit(0);
		}
		if (write(pipes[1], pids, sizeof(pids)) < 0)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipes[0], pids, sizeof(pids)), sizeof(pids));
	int pidfd = (int)syscall(SYS_pidfd_open, pids[0], 0);
	assert_true(pidfd >= 0);
	assert_int_equal(kill(launcher, SIGKILL), 0);
	await_gone(pidfd);
	assert_int_equal(kill(pids[1], SIGKILL), 0);
	assert_int_equal(waitpid(launcher, &status, 0), launcher);
	close(pipes[0]);
	close(pipes[1]);
	box_end(&w.box);
}

/* A namespace that is not ours to enter: said, and nothing is left. */
static void test_denied(void **state)
{
	struct nsd n = NSD_INIT;
	struct err e = ERR_INIT;
	struct box box;

	(void)state;
	box_start(&box);
	const struct nsd_spec spec = {box.netns_fd, -1, false};
	assert_int_equal(nsd_start(&spec, &n, &e), 0);
	assert_true(nsd_finish(&n, &e) < 0);
	assert_int_equal(e.kind, ERR_DENIED);
	nsd_end(&n);
	box_end(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_hostile_worker),
		cmocka_unit_test(test_next_worker),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_transparent_confined),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_bound_refused),
		cmocka_unit_test(test_not_traced),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_start),
	};

	start_inspector();
	box_become_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
