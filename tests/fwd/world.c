/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world: see world.h. Whatever goes wrong in here ends the test program: there is no test without
 * it. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static void enter_user(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	must(unshare(CLONE_NEWUSER) == 0, "user namespace");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)gid);
	write_file("/proc/self/gid_map", map);
}

void world_enter(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	signal(SIGPIPE, SIG_IGN);
	if (geteuid() != 0)
		enter_user();
	must(unshare(CLONE_NEWNET) == 0, "network namespace");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "subreaper");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0, "lo up");
	close(fd);
}

void world_nap(unsigned int ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

socklen_t world_address(const char *ip, uint16_t port, struct sockaddr_storage *ret)
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

static void serve_streams(int fd, void (*handler)(int fd))
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (c < 0)
			continue;
		pid_t pid = fork();
		if (pid == 0) {
			close(fd);
			handler(c);
			_exit(0);
		}
		close(c);
	}
}

pid_t world_serve(const char *ip, uint16_t port, int type, void (*handler)(int fd))
{
	struct sockaddr_storage ss;
	socklen_t len = world_address(ip, port, &ss);
	const int on = 1;
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	must(fd >= 0, "server socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	must(bind(fd, (struct sockaddr *)&ss, len) == 0, "server bind");
	must(type != SOCK_STREAM || listen(fd, 1024) == 0, "server listen");
	pid_t parent = getpid(), pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		/* One group, so that the processes of its connections end with it. */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(0);
		if (type == SOCK_STREAM)
			serve_streams(fd, handler);
		else
			handler(fd);
		_exit(0);
	}
	setpgid(pid, pid);
	close(fd);
	return pid;
}

void world_stop(pid_t *server)
{
	if (*server <= 0)
		return;
	kill(-*server, SIGKILL);
	waitpid(*server, NULL, 0);
	*server = 0;
}

int world_connect(const char *ip, uint16_t port, int type)
{
	const struct timeval limit = {.tv_sec = WORLD_WAIT_MS / 1000};
	struct sockaddr_storage ss;
	socklen_t len = world_address(ip, port, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	must(fd >= 0, "client socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&ss, len) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

void world_publish(uint8_t proto, uint16_t host_port, uint16_t ctr_port, bool six)
{
	struct publish p = {
		.proto = proto, .host_port = host_port, .ctr_port = ctr_port, .count = 1};
	struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 5}}};
	const bool has[N_FAM] = {true, six};
	struct err e = ERR_INIT;
	CLEAN_RESERVE struct reserve *r = NULL;

	if (six)
		target[FAM6] = (struct ip){.family = AF_INET6, .b = {[15] = 1}};
	if (reserve_open(-1, &r, &e) < 0 || reserve_bind(r, &p, has, &e) < 0 ||
	    reserve_commit(r, "c1@eth0", target, &e) < 0) {
		fprintf(stderr, "world: publish: %s\n", e.text);
		exit(99);
	}
}

void world_release(const char *key)
{
	struct err e = ERR_INIT;
	CLEAN_RESERVE struct reserve *r = NULL;

	if (reserve_open(-1, &r, &e) < 0 || reserve_release(r, key, NULL, 0, &e) < 0) {
		fprintf(stderr, "world: release: %s\n", e.text);
		exit(99);
	}
}

pid_t world_forwarder(void)
{
	char path[64], comm[32];
	int pid;
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	must(f != NULL, path);
	while (!found && fscanf(f, "%d", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		FILE *c = fopen(path, "re");
		if (!c)
			continue;
		if (fgets(comm, sizeof(comm), c) && strncmp(comm, "netns-up-forwar", 15) == 0)
			found = pid;
		fclose(c);
	}
	fclose(f);
	return found;
}

int world_reap(pid_t pid)
{
	uint64_t deadline = clock_ms() + WORLD_WAIT_MS;
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_left(deadline) == 0) {
			fprintf(stderr, "world: process %d does not end\n", (int)pid);
			/* It must not be in the way of the next test. */
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		world_nap(1);
	}
	return status;
}

bool world_reap_all(void)
{
	uint64_t deadline = clock_ms() + WORLD_WAIT_MS;
	bool ok = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
		if (pid > 0)
			ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		else if (clock_left(deadline) == 0)
			return false;
		else
			world_nap(1);
	}
	return ok;
}

void stream_fill(struct stream *s, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->n_left == 0) {
			s->state ^= s->state << 13;
			s->state ^= s->state >> 7;
			s->state ^= s->state << 17;
			memcpy(s->left, &s->state, sizeof(s->left));
			s->n_left = sizeof(s->left);
		}
		to[i] = s->left[--s->n_left];
	}
}

bool stream_send(int fd, uint64_t seed, size_t n)
{
	static uint8_t data[256 * 1024];
	struct stream s = {.state = seed};

	for (size_t piece = 1; n > 0; piece = piece * 7 % sizeof(data) + 1) {
		size_t len = piece < n ? piece : n;
		stream_fill(&s, data, len);
		for (size_t at = 0; at < len;) {
			ssize_t k = send(fd, data + at, len - at, MSG_NOSIGNAL);
			if (k < 0)
				return false;
			at += (size_t)k;
		}
		n -= len;
	}
	return true;
}

bool stream_receive(int fd, uint64_t seed, size_t n)
{
	static uint8_t data[256 * 1024], want[256 * 1024];
	struct stream s = {.state = seed};
	size_t got = 0;

	for (;;) {
		ssize_t k = recv(fd, data, sizeof(data), 0);
		if (k == 0)
			return got == n;
		if (k < 0)
			return false;
		stream_fill(&s, want, (size_t)k);
		if (memcmp(data, want, (size_t)k) != 0)
			return false;
		got += (size_t)k;
	}
}
