/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box: see box.h. What goes wrong in here ends the test program: there is no test without it. */
#include "box.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/netns.h"
#include "sys/userns.h"

enum op {
	LISTEN,
	BIND,
	BIND_CONNECTED,
	CLOSE,
	LISTEN_MANY,
	ECHO_STREAM,
	ECHO_DATAGRAM,
	TRACE,
	READ_MEMORY,
	OPEN_MEMORY,
	TRACE_OWN,
	LISTEN_V6ONLY,
	RUN
};

struct order {
	int op;
	char ip[64];
	uint16_t port, n;
	int number; /* handle or pid */
	void (*fn)(int fd);
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "box: %s: %s\n", what, strerror(errno));
	exit(99);
}

static socklen_t address(const char *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	must(inet_pton(AF_INET6, ip, &six->sin6_addr) == 1, ip);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

static int bound(const char *ip, uint16_t port, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = address(ip, port, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	return fd;
}

static int do_listen(const char *ip, uint16_t port)
{
	int fd = bound(ip, port, SOCK_STREAM);

	return fd >= 0 && listen(fd, 64) < 0 ? -errno : fd;
}

static int do_listen_v6only(uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = address("::", port, &ss);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 64) < 0)
		return -errno;
	return fd;
}

static int do_connected(const char *ip, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = address(ip, 9, &ss);
	int fd = bound(ip, port, SOCK_DGRAM);

	return fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : fd;
}

static int do_echo(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), total = 0;
	char buf[16384];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		total += (int)n;
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	}
	close(fd);
	return total;
}

static int do_echo_datagram(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char buf[2048];
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len);

	if (n < 0 || sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	return (int)n;
}

static int do_trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int do_read_memory(pid_t pid)
{
	char c;
	struct iovec here = {&c, 1}, there = {(void *)&bound, 1};

	return process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 ? -errno : 0;
}

static int do_open_memory(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int do_trace_own(void)
{
	pid_t pid = fork();
	int r;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	r = do_read_memory(pid);
	if (r == 0)
		r = do_open_memory(pid);
	if (r == 0)
		r = do_trace(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static int do_run(int handle, void (*fn)(int fd))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(handle);
		_exit(0);
	}
	return pid;
}

static int obey(const struct order *o)
{
	switch (o->op) {
	case LISTEN:
		return do_listen(o->ip, o->port);
	case LISTEN_V6ONLY:
		return do_listen_v6only(o->port);
	case BIND:
		return bound(o->ip, o->port, SOCK_DGRAM);
	case BIND_CONNECTED:
		return do_connected(o->ip, o->port);
	case CLOSE:
		return close(o->number);
	case LISTEN_MANY:
		for (uint16_t i = 0; i < o->n; i++)
			if (do_listen("0.0.0.0", (uint16_t)(o->port + i)) < 0)
				return -errno;
		return 0;
	case ECHO_STREAM:
		return do_echo(o->number);
	case ECHO_DATAGRAM:
		return do_echo_datagram(o->number);
	case TRACE:
		return do_trace(o->number);
	case READ_MEMORY:
		return do_read_memory(o->number);
	case OPEN_MEMORY:
		return do_open_memory(o->number);
	case RUN:
		return do_run(o->number, o->fn);
	default:
		return do_trace_own();
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static void be_root(uid_t uid, gid_t gid)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	char map[64];
	int fd;

	must(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "namespaces");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	write_file("/proc/self/gid_map", map);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0, "lo up");
	close(fd);
}

static _Noreturn void inside(int channel)
{
	struct order o;
	int r = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_root(geteuid(), getegid());
	must(write(channel, &r, sizeof(r)) == sizeof(r), "ready");
	while (read(channel, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
		r = obey(&o);
		must(write(channel, &r, sizeof(r)) == sizeof(r), "answer");
	}
	_exit(0);
}

void box_become_user(void)
{
	if (geteuid() != 0)
		return;
	must(setresgid(BOX_USER, BOX_USER, BOX_USER) == 0 &&
		     setresuid(BOX_USER, BOX_USER, BOX_USER) == 0,
	     "user");
	/* As after an execve, or our own files under /proc would be root's. */
	must(prctl(PR_SET_DUMPABLE, 1) == 0, "dumpable");
}

void box_start(struct box *b)
{
	struct err e = ERR_INIT;
	int pair[2], r;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	b->pid = fork();
	must(b->pid >= 0, "fork");
	if (b->pid == 0) {
		close(pair[0]);
		inside(pair[1]);
	}
	close(pair[1]);
	b->channel = pair[0];
	must(read(b->channel, &r, sizeof(r)) == (ssize_t)sizeof(r), "start");
	must(netns_open_pid(b->pid, &b->netns_fd, NULL, &e) == 0, e.text);
	must(userns_of(b->netns_fd, &b->userns_fd, &e) == 0, e.text);
}

void box_end(struct box *b)
{
	close(b->netns_fd);
	close(b->userns_fd);
	close(b->channel);
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
}

static int order(const struct box *b, struct order o)
{
	int r;

	must(write(b->channel, &o, sizeof(o)) == (ssize_t)sizeof(o), "order");
	must(read(b->channel, &r, sizeof(r)) == (ssize_t)sizeof(r), "result");
	return r;
}

static int order_ip(const struct box *b, int op, const char *ip, uint16_t port)
{
	struct order o = {.op = op, .port = port};

	snprintf(o.ip, sizeof(o.ip), "%s", ip);
	return order(b, o);
}

int box_listen(const struct box *b, const char *ip, uint16_t port)
{
	return order_ip(b, LISTEN, ip, port);
}

int box_listen_v6only(const struct box *b, uint16_t port)
{
	return order(b, (struct order){.op = LISTEN_V6ONLY, .port = port});
}

int box_bind(const struct box *b, const char *ip, uint16_t port)
{
	return order_ip(b, BIND, ip, port);
}

int box_bind_connected(const struct box *b, const char *ip, uint16_t port)
{
	return order_ip(b, BIND_CONNECTED, ip, port);
}

int box_listen_many(const struct box *b, uint16_t first, uint16_t n)
{
	return order(b, (struct order){.op = LISTEN_MANY, .port = first, .n = n});
}

int box_close(const struct box *b, int handle)
{
	return order(b, (struct order){.op = CLOSE, .number = handle});
}

int box_echo(const struct box *b, int handle)
{
	return order(b, (struct order){.op = ECHO_STREAM, .number = handle});
}

int box_echo_datagram(const struct box *b, int handle)
{
	return order(b, (struct order){.op = ECHO_DATAGRAM, .number = handle});
}

int box_trace(const struct box *b, pid_t pid)
{
	return order(b, (struct order){.op = TRACE, .number = pid});
}

int box_read_memory(const struct box *b, pid_t pid)
{
	return order(b, (struct order){.op = READ_MEMORY, .number = pid});
}

int box_open_memory(const struct box *b, pid_t pid)
{
	return order(b, (struct order){.op = OPEN_MEMORY, .number = pid});
}

int box_trace_own(const struct box *b)
{
	return order(b, (struct order){.op = TRACE_OWN});
}

int box_run(const struct box *b, int handle, void (*fn)(int fd))
{
	return order(b, (struct order){.op = RUN, .number = handle, .fn = fn});
}
