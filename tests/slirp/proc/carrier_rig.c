/* SPDX-License-Identifier: GPL-2.0-or-later */
/* carrier_rig: see carrier_rig.h. */
#include "carrier_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/loop.h"
#include "proc/filters.h"
#include "sys/confine.h"

/* ---- the worker ---- */

struct worker {
	struct loop *loop;
	struct carrier *carrier;
	struct source control_src, listen_src[N_LISTENERS];
	bool is_over;
};

static struct worker wk;
struct rig_shared *shared;

static const struct dest to_port = {
	.target = {{.family = AF_INET, .b = {127, 0, 0, 1}}, {.family = AF_INET6, .b = {[15] = 1}}},
	.port = PORT,
};
static const struct dest to_closed = {
	.target = {{.family = AF_INET, .b = {127, 0, 0, 1}}},
	.port = CLOSED,
};

static void on_carrier(void *arg, uint64_t data, uint32_t events, uint64_t now)
{
	(void)arg;
	carrier_watched(wk.carrier, data, events, now);
}

/* Another way to serve a client. */
static void fall_back(void *arg, int fd, const struct sockaddr_storage *peer, uint32_t port)
{
	bool is_right = port == NUMBER && peer->ss_family == AF_INET &&
			((const struct sockaddr_in *)peer)->sin_port != 0;

	(void)arg;
	send(fd, is_right ? "fallback" : "?", is_right ? 8 : 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void account(void *arg, uint32_t port, uint64_t n_in, uint64_t n_out)
{
	(void)arg;
	if (port == NUMBER) {
		shared->n_in += n_in;
		shared->n_out += n_out;
	}
}

static void on_client(struct source *s, uint32_t events, uint64_t now)
{
	const struct dest *to = s == &wk.listen_src[TO_CLOSED] ? &to_closed : &to_port;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd;

	(void)events;
	while ((fd = accept4(s->fd, (struct sockaddr *)&peer, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		if (!carrier_is_open(wk.carrier) ||
		    carrier_take(wk.carrier, fd, &peer, NUMBER, to, now) < 0)
			fall_back(NULL, fd, &peer, NUMBER);
}

static void on_datagram(struct source *s, uint32_t events, uint64_t now)
{
	struct sockaddr_in6 peer;
	_Alignas(struct cmsghdr) char ctl[128];
	char data[2048];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr h = {.msg_name = &peer,
			   .msg_namelen = sizeof(peer),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = ctl,
			   .msg_controllen = sizeof(ctl)};
	ssize_t n = recvmsg(s->fd, &h, MSG_DONTWAIT);

	(void)events;
	if (n >= 0)
		(void)carrier_datagram(wk.carrier, s->fd, NUMBER, &to_port, &h, data, (size_t)n,
				       now);
}

static void on_control(struct source *s, uint32_t events, uint64_t now)
{
	struct carrier_gauges g;
	char c;

	(void)events;
	(void)now;
	if (recv(s->fd, &c, 1, MSG_DONTWAIT) != 1) {
		wk.is_over = true;
	} else if (c == 'g') {
		g = carrier_gauges(wk.carrier);
		send(s->fd, &g, sizeof(g), MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		carrier_cut(wk.carrier, NUMBER);
	}
}

long rig_rss_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtol(line + 8, NULL, 10);
	fclose(f);
	return kb;
}

/* As sandbox_enter does it, and with a filter that forgives nothing. */
static bool confine(void)
{
	const struct filter_spec spec = filters_worker(false);
	const char *step;
	struct filter f;

	if (filter_compile(&spec, &f, NULL) < 0)
		return false;
#ifndef __SANITIZE_ADDRESS__ /* whose own calls are refused, which it survives */
	for (unsigned i = 0; i < f.n; i++)
		if (f.code[i].code == (BPF_RET | BPF_K) &&
		    (f.code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			f.code[i].k = SECCOMP_RET_KILL_PROCESS;
#endif
	return confine_enter(&(struct confine){.n_files = 8192, .filter = &f}, &step) == 0;
}

static bool make_worker(int channel, int control, const int *listeners, unsigned pipes)
{
	struct carrier_conf conf = {.channel = channel,
				    .conns_max = 2048,
				    .flows_max = 256,
				    .pipes_max = pipes,
				    .lost = fall_back,
				    .account = account};
	struct err e = ERR_INIT;

	if (loop_new(&wk.loop, &e) < 0)
		return false;
	conf.epoll_fd = loop_lend(wk.loop, LOOP_FIRST, on_carrier, NULL);
	shared->rss_before = rig_rss_kb(getpid());
	if (carrier_new(&conf, &wk.carrier) < 0)
		return false;
	shared->rss_after = rig_rss_kb(getpid());
	wk.control_src.fn = on_control;
	if (loop_add(wk.loop, &wk.control_src, control, EPOLLIN) < 0)
		return false;
	for (int i = 0; i < N_LISTENERS; i++) {
		wk.listen_src[i].fn = i == UDP4 ? on_datagram : on_client;
		if (loop_add(wk.loop, &wk.listen_src[i], listeners[i], EPOLLIN) < 0)
			return false;
	}
	return confine();
}

static _Noreturn void worker(int channel, int control, const int *listeners, unsigned pipes)
{
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	if (make_worker(channel, control, listeners, pipes)) {
		shared->is_ready = true;
		status = 0;
		while (!wk.is_over) {
			uint64_t now = loop_round(wk.loop, carrier_due(wk.carrier));
			if (carrier_due(wk.carrier) <= now)
				carrier_tick(wk.carrier, now);
		}
	}
	for (;;)
		syscall(SYS_exit_group, status);
}

/* ---- the world ---- */

struct rig w;
static int report[2]; /* servers tell on it how it went */

static void open_listener(int i)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	bool is_six = i == TCP6;
	int type = (i == UDP4 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct sockaddr *sa = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = is_six ? sizeof(six) : sizeof(four);
	const int on = 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, type, 0);

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, sa, len), 0);
	assert_int_equal(getsockname(fd, sa, &len), 0);
	if (i == UDP4)
		assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	else
		assert_int_equal(listen(fd, 1024), 0);
	w.listeners[i] = fd;
	w.ports[i] = ntohs(is_six ? six.sin6_port : four.sin_port);
}

void rig_start(unsigned pipes)
{
	struct err e = ERR_INIT;
	int pair[2];

	w = (struct rig){.nsd = NSD_INIT};
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, report), 0);
	box_start(&w.box);
	const struct nsd_spec spec = {w.box.netns_fd, w.box.userns_fd, false};
	if (nsd_start(&spec, &w.nsd, &e) < 0 || nsd_finish(&w.nsd, &e) < 0)
		fail_msg("%s", e.text);
	for (int i = 0; i < N_LISTENERS; i++)
		open_listener(i);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	memset(shared, 0, sizeof(*shared));
	w.worker = fork();
	if (w.worker == 0) {
		close(pair[0]);
		worker(w.nsd.sockets_fd, pair[1], w.listeners, pipes);
	}
	close(pair[1]);
	w.control = pair[0];
	setsockopt(w.control, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = WAIT_S},
		   sizeof(struct timeval));
}

void rig_serve(void (*fn)(int listener))
{
	w.server = box_listen(&w.box, "::", PORT);
	assert_true(w.server >= 0);
	assert_true(box_run(&w.box, w.server, fn) > 0);
}

void rig_end(void)
{
	int status;

	close(w.control);
	assert_int_equal(waitpid(w.worker, &status, 0), w.worker);
	assert_int_equal(status, 0);
	for (int i = 0; i < N_LISTENERS; i++)
		close(w.listeners[i]);
	nsd_end(&w.nsd);
	box_end(&w.box);
	close(report[0]);
	close(report[1]);
}

struct carrier_gauges rig_gauges(void)
{
	struct carrier_gauges g;

	assert_int_equal(send(w.control, "g", 1, 0), 1);
	assert_int_equal(recv(w.control, &g, sizeof(g), 0), sizeof(g));
	return g;
}

int rig_client(int i)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(w.ports[i])};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6,
				   .sin6_port = htons(w.ports[i]),
				   .sin6_addr = in6addr_loopback};
	const struct timeval limit = {.tv_sec = WAIT_S};
	int fd = socket(i == TCP6 ? AF_INET6 : AF_INET,
			(i == UDP4 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	assert_int_equal(i == TCP6 ? connect(fd, (struct sockaddr *)&six, sizeof(six))
				   : connect(fd, (struct sockaddr *)&four, sizeof(four)),
			 0);
	return fd;
}

/* ---- streams whose every byte is known ---- */

static void fill(uint64_t *buf, size_t n_words, uint64_t *x)
{
	for (size_t i = 0; i < n_words; i++) {
		*x += 0x9e3779b97f4a7c15ULL;
		buf[i] = *x ^ *x >> 29;
	}
}

#define WORDS 8192

bool rig_send(int fd, uint64_t seed, size_t n)
{
	uint64_t buf[WORDS];

	for (size_t at = 0; at < n; at += sizeof(buf)) {
		size_t len = n - at < sizeof(buf) ? n - at : sizeof(buf);

		fill(buf, WORDS, &seed);
		for (size_t sent = 0; sent < len;) {
			ssize_t k = send(fd, (char *)buf + sent, len - sent, MSG_NOSIGNAL);
			if (k < 0)
				return false;
			sent += (size_t)k;
		}
	}
	return true;
}

/* Until the end of the stream, which has to be after n bytes. */
bool rig_receive(int fd, uint64_t seed, size_t n)
{
	uint64_t want[WORDS], got[WORDS];

	for (size_t at = 0; at < n; at += sizeof(got)) {
		size_t len = n - at < sizeof(got) ? n - at : sizeof(got);

		fill(want, WORDS, &seed);
		if (recv(fd, got, len, MSG_WAITALL) != (ssize_t)len || memcmp(got, want, len) != 0)
			return false;
	}
	return recv(fd, got, 1, 0) == 0;
}

void rig_tell(const char *what)
{
	(void)send(report[1], what, strlen(what) + 1, 0);
}

void rig_expect(const char *what)
{
	struct pollfd p = {.fd = report[0], .events = POLLIN};
	char text[64] = "";

	assert_int_equal(poll(&p, 1, WAIT_S * 1000), 1);
	assert_true(recv(report[0], text, sizeof(text), 0) > 0);
	assert_string_equal(text, what);
}

void rig_reset(int fd)
{
	const struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void rig_prepare(void)
{
	const struct rlimit files = {8192, 8192};

	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		exit(1);
	/* Two ends of 1,000 connections. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	box_become_user();
}
