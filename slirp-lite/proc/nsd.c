/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsd: the order in the new process: not dumpable (or root of the container could trace it once it
 * is in its user namespace), nothing open but the channels, the filter's program made, the
 * namespaces joined, what the scanner needs opened, everything given up, the word that it is ready.
 * It keeps its user number where it has joined a user namespace: the supervisor may end it then.
 * Read setns(2), ptrace(2) on the access mode check, unix(7) on SCM_RIGHTS.
 */
#include "proc/nsd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "proc/filters.h"
#include "proc/nsdscan.h"
#include "proc/transparent.h"
#include "relay/insidemsg.h"
#include "sys/confine.h"
#include "sys/fdpass.h"
#include "sys/fork.h"
#include "sys/userns.h"

#define STATUS_FAILED 70
#define END_MS 1000
#define REQUESTS_A_TURN 64
/* Sockets exist here only until they are sent; but what is on its way counts, for the whole user,
 * against the sender's limit (ETOOMANYREFS). */
#define N_FILES 1024
/* After a change, and when nothing changes. The time that a scan takes has a share as well, so that
 * very many sockets do not take the processor. */
#define SCAN_MIN_MS 50
#define SCAN_MAX_MS 1000
#define SCAN_SHARE 50

/* Places of descriptors in the process; 0 to 2 are /dev/null. */
enum { AT_SOCKETS = 3, AT_PORTS, AT_NETNS, AT_USERNS, AT_END };

struct answer {
	int r;
	struct err e;
};

/* ---- the scanner ---- */

struct scanner {
	int fd; /* -1: nobody asked for it */
	struct nsdscan_range ephemeral;
	uint64_t next_ms, interval_ms;
	bool is_unsaid; /* message has not been sent yet */
	int sys;        /* of the last scan */
	struct nsdscan_sets sets, last;
	struct nsdports message;
};

static struct scanner scanner = {.fd = -1, .interval_ms = SCAN_MIN_MS};

static void scan(struct scanner *s)
{
	uint64_t began = clock_ns();
	int r = nsdscan_run(s->fd, &s->ephemeral, &s->sets);
	bool is_other = s->sys != -r;

	if (r == 0 && memcmp(&s->sets, &s->last, sizeof(s->sets)) != 0) {
		s->last = s->sets;
		is_other = true;
	}
	if (is_other && r == 0)
		nsdscan_list(&s->last, &s->message);
	else if (is_other)
		s->message = (struct nsdports){.version = NSDPORTS_VERSION, .sys = -r};
	s->sys = -r;
	s->is_unsaid |= is_other;
	/* Who does not read gets the newest later. */
	if (s->is_unsaid &&
	    fdpass_send(AT_PORTS, &s->message, nsdports_size(&s->message), NULL, 0) == 0)
		s->is_unsaid = false;
	s->interval_ms = is_other ? SCAN_MIN_MS : s->interval_ms * 2;
	if (s->interval_ms > SCAN_MAX_MS)
		s->interval_ms = SCAN_MAX_MS;
	uint64_t now = clock_ns(), share = (now - began) * SCAN_SHARE / 1000000;
	s->next_ms = now / 1000000 + (share > s->interval_ms ? share : s->interval_ms);
}

/* ---- sockets ---- */

static bool is_transparent;

/* Several connections may come from one address and port, to different ports. */
static int bind_to(int fd, const struct ip *from, uint16_t port)
{
	const int on = 1, mark = (int)TRANSPARENT_MARK_SHOWN;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_four = from->family == AF_INET;

	memcpy(&four.sin_addr, from->b, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, from->b, sizeof(six.sin6_addr));
	if (setsockopt(fd, is_four ? IPPROTO_IP : IPPROTO_IPV6,
		       is_four ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six,
		 is_four ? sizeof(four) : sizeof(six)) < 0)
		return -errno;
	return 0;
}

static int make_socket(const struct insidemsg_ask *q)
{
	int type = (int)q->type | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd, r;

	if (q->from.family && !is_transparent)
		return -EPERM;
	fd = socket(q->family, type, q->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	r = q->from.family ? bind_to(fd, &q->from, q->from_port) : 0;
	if (r < 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

static bool is_sound(const struct insidemsg_ask *q)
{
	return (q->family == AF_INET || q->family == AF_INET6) &&
	       (q->type == SOCK_STREAM || q->type == SOCK_DGRAM) && q->n >= 1 &&
	       q->n <= INSIDEMSG_MAX &&
	       (q->from.family == 0 || (q->from.family == q->family && q->from_port != 0 &&
					q->type == SOCK_STREAM && q->n == 1));
}

static void answer(const struct insidemsg_ask *q)
{
	struct insidemsg_answer a = {.id = q->id};
	int fds[INSIDEMSG_MAX];

	while (a.n_fds < q->n) {
		int fd = make_socket(q);
		if (fd < 0) {
			a.sys = -fd;
			break;
		}
		fds[a.n_fds++] = fd;
	}
	uint32_t n = a.n_fds;
	int r = fdpass_send(AT_SOCKETS, &a, sizeof(a), fds, n);
	/* Too many on their way: said without them, which always fits but when nobody reads. */
	if (r < 0 && r != -EAGAIN) {
		a.n_fds = 0;
		a.sys = -r;
		(void)fdpass_send(AT_SOCKETS, &a, sizeof(a), NULL, 0);
	}
	for (uint32_t i = 0; i < n; i++)
		close(fds[i]);
}

/* False: nobody is there any more. */
static bool obey(void)
{
	for (int k = 0; k < REQUESTS_A_TURN; k++) {
		struct insidemsg_ask q;
		ssize_t n = fdpass_recv(AT_SOCKETS, &q, sizeof(q), NULL, 0);
		if (n == -EAGAIN)
			return true;
		if (n == -EPROTO)
			continue;
		if (n <= 0)
			return false;
		if (n == (ssize_t)sizeof(q) && is_sound(&q))
			answer(&q);
	}
	return true;
}

static void serve(void)
{
	struct pollfd p[2] = {{.fd = AT_SOCKETS, .events = POLLIN},
			      {.fd = scanner.fd >= 0 ? AT_PORTS : -1}};

	for (;;) {
		bool is_due = scanner.fd >= 0 && clock_ms() >= scanner.next_ms;

		if (is_due)
			scan(&scanner);
		int n = poll(p, 2, scanner.fd >= 0 ? clock_left(scanner.next_ms) : -1);
		if (n < 0 && errno != EINTR && errno != ENOMEM)
			return;
		if (n > 0 && (p[1].revents || (p[0].revents && !obey())))
			return;
	}
}

/* ---- birth ---- */

/* Everything to its place, the rest is closed. */
static int place(const struct nsd_spec *s, int sockets, int ports)
{
	int fds[] = {sockets, ports, s->netns_fd, s->userns_fd};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16)) < 0)
			return -errno;
	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return -errno;
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0 && dup3(fds[i], AT_SOCKETS + i, O_CLOEXEC) < 0)
			return -errno;
		else if (fds[i] < 0)
			(void)close(AT_SOCKETS + i);
	return close_range(AT_END, ~0U, 0) < 0 ? -errno : 0;
}

static int forbid_dump(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int join(bool has_userns, struct err *e)
{
	int r = userns_join(has_userns ? AT_USERNS : -1, AT_NETNS, e);

	if (r < 0)
		return r;
	/* New credentials bring back what fs.suid_dumpable says, which may be 1. */
	r = forbid_dump();
	if (has_userns)
		(void)close(AT_USERNS);
	(void)close(AT_NETNS);
	return r < 0 ? err_sys(e, -r, "PR_SET_DUMPABLE") : 0;
}

static int confine(const struct filter *filter, bool has_userns, pid_t parent)
{
	const uid_t nobody = has_userns ? 0 : CONFINE_NOBODY;
	const struct sandbox_paths allow = {.may_bind_ports = is_transparent};
	const struct confine c = {
		.n_files = N_FILES,
		.uid = nobody,
		.gid = nobody,
		.caps = is_transparent ? 1ULL << CAP_NET_RAW : 0,
		.parent = parent,
		.paths = &allow,
		.filter = filter,
	};
	const char *step;

	return chdir("/") < 0 ? -errno : confine_enter(&c, &step);
}

static int prepare(const struct nsd_spec *s, int sockets, int ports, pid_t parent, struct err *e)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	const struct filter_spec spec = filters_nsd(s->is_transparent);
	struct filter filter = {0};
	int r = forbid_dump();

	is_transparent = s->is_transparent;
	(void)prctl(PR_SET_NAME, "slirp-nsd");
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	if (r == 0)
		r = place(s, sockets, ports);
	if (r < 0)
		return err_sys(e, -r, "descriptors");
	r = filter_compile(&spec, &filter, e);
	if (r == 0)
		r = join(s->userns_fd >= 0, e);
	if (r < 0)
		return r;
	if (s->is_auto) {
		scanner.ephemeral = nsdscan_ephemeral();
		r = nsdscan_open(&scanner.fd);
		if (r < 0)
			return err_sys(e, -r, "NETLINK_SOCK_DIAG");
	}
	r = confine(&filter, s->userns_fd >= 0, parent);
	return r < 0 ? err_sys(e, -r, "sandbox") : 0;
}

static _Noreturn void child(const struct nsd_spec *s, int sockets, int ports, pid_t parent)
{
	struct answer a = {.e = ERR_INIT};

	a.r = prepare(s, sockets, ports, parent, &a.e);
	if (fdpass_send(AT_SOCKETS, &a, sizeof(a), NULL, 0) == 0 && a.r == 0)
		serve();
	/* Not by _exit: a sanitizer build prepares for that with calls that the filter refuses. */
	for (;;)
		syscall(SYS_exit_group, a.r < 0 ? STATUS_FAILED : 0);
}

/* ---- the supervisor's side ---- */

static int make_pair(int *ret_ours, int *ret_theirs, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return 0;
}

int nsd_start(const struct nsd_spec *s, struct nsd *ret, struct err *e)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	CLEAN_FD int our_ports = -1;
	CLEAN_FD int their_ports = -1;
	pid_t self = getpid(), pid;
	int pidfd = -1;
	int r = make_pair(&ours, &theirs, e);

	if (r == 0 && s->is_auto)
		r = make_pair(&our_ports, &their_ports, e);
	if (r < 0)
		return r;
	pid = fork_into(0, &pidfd);
	if (pid == 0)
		child(s, theirs, their_ports, self);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	ret->pid = pid;
	ret->pidfd = pidfd;
	ret->sockets_fd = fd_take(&ours);
	ret->ports_fd = fd_take(&our_ports);
	return 0;
}

int nsd_finish(struct nsd *n, struct err *e)
{
	int r = fd_await(n->sockets_fd, POLLIN, clock_ms() + NSD_MS);
	struct answer a;
	ssize_t len;

	if (r < 0)
		return err_sys(e, -r, "poll");
	if (r == 0)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "sockets inside");
	len = fdpass_recv(n->sockets_fd, &a, sizeof(a), NULL, 0);
	if (len != (ssize_t)sizeof(a))
		return err_set(e, ERR_KERNEL, 0, "the process for sockets inside was cut short");
	a.e.text[sizeof(a.e.text) - 1] = '\0';
	if (a.r < 0 && e)
		*e = a.e;
	return err_ctx(e, a.r < 0 ? a.r : 0, "sockets inside");
}

static void await_end(const struct nsd *n)
{
	(void)fd_await(n->pidfd, POLLIN, clock_ms() + END_MS);
}

void nsd_end(struct nsd *n)
{
	int r = 0;

	fd_closep(&n->sockets_fd);
	fd_closep(&n->ports_fd);
	if (n->pid <= 0)
		return;
	/* It ends by itself when its channels are closed, a worker's copy included. */
	await_end(n);
	while ((r = waitpid(n->pid, NULL, WNOHANG)) < 0 && errno == EINTR)
		;
	if (r == 0) {
		(void)syscall(SYS_pidfd_send_signal, n->pidfd, SIGKILL, NULL, 0);
		await_end(n);
		(void)waitpid(n->pid, NULL, WNOHANG);
	}
	n->pid = 0;
	fd_closep(&n->pidfd);
}

int nsd_ports_read(int ports_fd, struct nsdports *state, nsdports_change *fn, void *arg)
{
	struct nsdports now;
	uint8_t bytes[sizeof(now)];
	ssize_t n = fdpass_recv(ports_fd, bytes, sizeof(bytes), NULL, 0);
	int r;

	if (n <= 0)
		return (int)n;
	r = nsdports_decode(bytes, (size_t)n, &now);
	if (r < 0)
		return r;
	/* Not known is not gone. */
	if (now.sys) {
		state->sys = now.sys;
		return 1;
	}
	nsdports_diff(state, &now, fn, arg);
	memcpy(state, &now, nsdports_size(&now));
	return 1;
}
