/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netd_prober: what is reached while somebody plays with the rules, a thousand times a second.
 *
 *   serve PORT...   an echo server on each port, for both families
 *   probe REPORT OPEN... -- CLOSED...
 *                   until SIGTERM: connects to each ADDRESS:PORT again and again, has a byte echoed
 *                   and closes; each open one has also one connection that stays and says a byte
 *                   all the time. Then writes REPORT: "probes N opened N lost N broken N reached N
 *                   slowest_ms N rate N" (rate: probes a second, as many as they really were)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 128
#define EVENTS 64
#define BACKLOG 4096
#define NOTHING UINT32_MAX /* the event of a signal */

/* A target has so many probes at once, each begun so long after the one before. */
#define OPEN_SLOTS 2
#define OPEN_US 8000
#define SHUT_SLOTS 4
#define SHUT_US 20000
#define STAY_US 3000
/* A published port has answered by then, however busy the machine is. */
#define OPEN_WAIT_US 20000000
#define STAY_WAIT_US 30000000
/* A closed one that has not been connected to by then is closed; who was may be slow to answer. */
#define SHUT_WAIT_US 20000
#define SHUT_ECHO_US 500000

enum kind { OPEN, STAY, SHUT };
enum phase { REST, CONNECTING, ECHO, OVER };

struct slot {
	enum kind kind;
	enum phase phase;
	int fd;
	struct sockaddr_storage to;
	socklen_t len;
	bool has_begun;            /* STAY: its first byte has come back */
	uint64_t began_us, act_us; /* REST: the next begins; else: it has taken too long */
};

struct prober {
	int epoll;
	bool is_ending, is_told;
	size_t n_staying; /* that have begun, well or not */
	size_t n;
	struct slot slot[SLOTS];
	uint64_t now_us, probes, opened, lost, broken, reached, slowest_us;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int epoll, int how, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event ev = {.events = events, .data.u32 = what};

	if (epoll_ctl(epoll, how, fd, &ev) < 0)
		die("epoll_ctl");
}

/* ---- serve ---- */

static int listen_on(const char *port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0)
		die(port);
	return fd;
}

static void echo(int fd)
{
	char data[4096];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		if (send(fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		close(fd);
}

static _Noreturn void serve(char **port)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), highest = 0;
	struct epoll_event ev[EVENTS];

	for (; *port; port++) {
		highest = listen_on(*port);
		watch(epoll, EPOLL_CTL_ADD, highest, EPOLLIN, (uint32_t)highest);
	}
	for (;;) {
		int n = epoll_wait(epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)ev[i].data.u32, conn;

			if (fd > highest) {
				echo(fd);
				continue;
			}
			while ((conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
				watch(epoll, EPOLL_CTL_ADD, conn, EPOLLIN, (uint32_t)conn);
		}
	}
}

/* ---- probe ---- */

static void rest(struct prober *p, struct slot *s)
{
	const uint64_t pause[] = {[OPEN] = OPEN_US, [STAY] = STAY_US, [SHUT] = SHUT_US};
	/* No TIME_WAIT: there are not so many ports. */
	const struct linger hard = {.l_onoff = 1};

	if (s->fd >= 0) {
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(s->fd);
	}
	s->fd = -1;
	s->phase = REST;
	s->act_us = s->began_us + pause[s->kind];
	if (s->act_us < p->now_us)
		s->act_us = p->now_us;
}

static void end(struct prober *p, struct slot *s, bool is_good)
{
	uint64_t took = p->now_us - s->began_us;

	if (s->kind != SHUT && took > p->slowest_us)
		p->slowest_us = took;
	if (s->kind == STAY) {
		p->n_staying += !s->has_begun;
		p->broken++;
		rest(p, s);
		s->phase = OVER;
		return;
	}
	p->probes++;
	if (s->kind == OPEN && is_good)
		p->opened++;
	else if (s->kind == OPEN)
		p->lost++;
	else if (is_good)
		p->reached++;
	rest(p, s);
}

static void say(struct prober *p, struct slot *s)
{
	s->phase = ECHO;
	s->act_us = s->kind == SHUT   ? p->now_us + SHUT_ECHO_US
		    : s->kind == STAY ? p->now_us + STAY_WAIT_US
				      : s->act_us;
	if (s->kind == STAY)
		s->began_us = p->now_us;
	if (send(s->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		end(p, s, false);
}

static void begin(struct prober *p, struct slot *s)
{
	int r;

	if (s->kind == STAY && s->fd >= 0) {
		say(p, s);
		return;
	}
	s->began_us = p->now_us;
	s->act_us = p->now_us + (s->kind == SHUT ? SHUT_WAIT_US : OPEN_WAIT_US);
	s->phase = CONNECTING;
	s->fd = socket(s->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket");
	r = connect(s->fd, (struct sockaddr *)&s->to, s->len);
	if (r < 0 && errno != EINPROGRESS) {
		end(p, s, false);
		return;
	}
	watch(p->epoll, EPOLL_CTL_ADD, s->fd, EPOLLOUT, (uint32_t)(s - p->slot));
}

static void connected(struct prober *p, struct slot *s)
{
	int wrong = 0;
	socklen_t len = sizeof(wrong);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &wrong, &len) < 0 || wrong) {
		end(p, s, false);
		return;
	}
	watch(p->epoll, EPOLL_CTL_MOD, s->fd, EPOLLIN, (uint32_t)(s - p->slot));
	say(p, s);
}

static void heard(struct prober *p, struct slot *s)
{
	char byte;
	ssize_t n = recv(s->fd, &byte, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != 1 || byte != 'x' || s->kind != STAY) {
		end(p, s, n == 1 && byte == 'x');
		return;
	}
	if (p->now_us - s->began_us > p->slowest_us)
		p->slowest_us = p->now_us - s->began_us;
	p->n_staying += !s->has_begun;
	s->has_begun = true;
	s->phase = REST;
	s->act_us = p->now_us + STAY_US;
}

static void on_event(struct prober *p, uint32_t what)
{
	struct slot *s = what == NOTHING ? NULL : &p->slot[what];

	if (!s)
		p->is_ending = true;
	else if (s->phase == CONNECTING)
		connected(p, s);
	else if (s->phase == ECHO)
		heard(p, s);
	else if (s->phase == REST && s->fd >= 0)
		end(p, s, false); /* what stays has gone */
}

/* What time brings about; milliseconds until there is more of it. */
static int by_time(struct prober *p)
{
	uint64_t next = p->now_us + 1000000;

	for (size_t i = 0; i < p->n; i++) {
		struct slot *s = &p->slot[i];

		if (s->phase == OVER || (s->phase == REST && p->is_ending))
			continue;
		if (s->act_us <= p->now_us && s->phase == REST)
			begin(p, s);
		else if (s->act_us <= p->now_us)
			end(p, s, false);
		if (s->phase != OVER && s->act_us < next)
			next = s->act_us;
	}
	return next <= p->now_us ? 0 : (int)((next - p->now_us + 999) / 1000);
}

/* Those that have begun come to their end. */
static bool is_over(const struct prober *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->slot[i].phase == CONNECTING || p->slot[i].phase == ECHO)
			return false;
	return p->is_ending;
}

static void add(struct prober *p, enum kind kind, size_t times, const char *target)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(target, ':');
	struct slot s = {.kind = kind, .fd = -1};
	struct sockaddr_in *in = (void *)&s.to;
	struct sockaddr_in6 *in6 = (void *)&s.to;
	size_t from = target[0] == '[', len;

	len = colon ? (size_t)(colon - target) - 2 * from : 0;
	if (!colon || len >= sizeof(host) || p->n + times > SLOTS)
		die(target);
	memcpy(host, target + from, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)atoi(colon + 1));
		s.len = sizeof(*in);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)atoi(colon + 1));
		s.len = sizeof(*in6);
	} else {
		die(target);
	}
	while (times--)
		p->slot[p->n++] = s;
}

static void report(const struct prober *p, const char *path, uint64_t took_us)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die(path);
	fprintf(f,
		"probes %lu opened %lu lost %lu broken %lu reached %lu slowest_ms %lu rate %lu\n",
		p->probes, p->opened, p->lost, p->broken, p->reached, p->slowest_us / 1000,
		p->probes * 1000000 / (took_us ? took_us : 1));
	if (fclose(f) != 0)
		die(path);
}

/* What is to stay is there before anybody plays with the rules. */
static void tell(struct prober *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->slot[i].kind == STAY;
	if (p->is_told || p->n_staying < n)
		return;
	puts("probing");
	fflush(stdout);
	p->is_told = true;
}

static int probe(char **arg)
{
	static struct prober p;
	const char *path = *arg++;
	struct epoll_event ev[EVENTS];
	uint64_t start;
	sigset_t term;
	bool is_open = true;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(p.epoll, EPOLL_CTL_ADD, signalfd(-1, &term, SFD_CLOEXEC), EPOLLIN | EPOLLONESHOT,
	      NOTHING);
	for (; *arg; arg++) {
		if (strcmp(*arg, "--") == 0) {
			is_open = false;
			continue;
		}
		add(&p, is_open ? OPEN : SHUT, is_open ? OPEN_SLOTS : SHUT_SLOTS, *arg);
		if (is_open)
			add(&p, STAY, 1, *arg);
	}
	start = p.now_us = now();
	for (size_t i = 0; i < p.n; i++)
		p.slot[i].act_us = start + i * 1000;
	while (!is_over(&p)) {
		int n = epoll_wait(p.epoll, ev, EVENTS, by_time(&p));

		p.now_us = now();
		for (int i = 0; i < n; i++)
			on_event(&p, ev[i].data.u32);
		tell(&p);
	}
	report(&p, path, p.now_us - start);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "serve") == 0)
		serve(argv + 2);
	if (argc > 3 && strcmp(argv[1], "probe") == 0)
		return probe(argv + 2);
	fputs("netd_prober: serve or probe\n", stderr);
	return 2;
}
