/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * setup: makes the container's side. Once it has joined the container's user namespace, root of the
 * container could trace it, were it dumpable: it gives that up first, and brings nothing along but
 * the channel and two namespace descriptors. All changes go to the kernel in one list of netlink
 * messages. Read setns(2), ptrace(2) on the access mode check, prctl(2) on PR_SET_DUMPABLE.
 */
#include "proc/setup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/link.h"
#include "net/route.h"
#include "net/rtnl.h"
#include "proc/transparent.h"
#include "sys/fdpass.h"
#include "sys/fork.h"
#include "sys/sysctl.h"
#include "sys/tun.h"
#include "sys/userns.h"

#define LOOPBACK_INDEX 1 /* the first device of every network namespace */
#define ADDRESS_MS 10000 /* the kernel makes its route when it has the time */

#define N_MADE (1 + N_FAM)

struct answer {
	int r;
	struct err e;
	bool has[N_MADE]; /* which of tap and listeners come with it */
	struct err lacks;
};

static bool is_set(const struct mac *m)
{
	static const struct mac none;

	return memcmp(m, &none, sizeof(none)) != 0;
}

static int queue_family(struct rtnl_batch *b, uint32_t index, const struct plan *p, int f,
			struct err *e)
{
	struct prefix addr = {.ip = p->guest[f], .len = p->net[f].len};
	struct route_spec def = {.dst = {.ip = {.family = p->guest[f].family}},
				 .gateway = p->gateway[f],
				 .ifindex = index};
	int r;

	if (!p->guest[f].family)
		return 0;
	/* A gateway that is in no network of the link, as hosts in data centres have it. */
	def.onlink = !prefix_contains(&p->net[f], &p->gateway[f]) &&
		     (f == FAM4 || !ip_is_link_local(&p->gateway[f]));
	r = route_addr_add(b, index, &addr, e);
	return r < 0 ? r : route_add(b, &def, e);
}

static int queue(struct rtnl_batch *b, uint32_t index, const struct plan *p, struct err *e)
{
	int r = link_set_up(b, LOOPBACK_INDEX, e);

	if (r == 0)
		r = link_set_mtu(b, index, p->mtu, e);
	if (r == 0 && is_set(&p->guest_mac))
		r = link_set_mac(b, index, &p->guest_mac, e);
	if (r == 0)
		r = link_set_up(b, index, e);
	/* With its carrier known, or what is sent first is lost. */
	if (r == 0)
		r = link_settle(b, index, e);
	for (int f = 0; r == 0 && f < N_FAM; f++)
		r = queue_family(b, index, p, f, e);
	return r;
}

static int set_lo_up(struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	int r = rtnl_open(&rtnl, e);

	if (r == 0)
		r = rtnl_batch_new(rtnl, &b, e);
	if (r == 0)
		r = link_set_up(b, LOOPBACK_INDEX, e);
	if (r == 0)
		r = rtnl_batch_run(b, e);
	return err_ctx(e, r, "configure lo");
}

/* Nobody else is on the link. For what it forwards, as the host of a network does, the kernel asks
 * for the gateway from its link-local address alone, and not at all while that is looked at for
 * duplicates: the first connection would wait for two seconds, or fail (RFC 4862 5.4). */
static void skip_dad(const char *tap)
{
	char key[sizeof("net/ipv6/conf//accept_dad") + IFNAME_STRLEN];

	(void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/accept_dad", tap);
	(void)sysctl_set_int(key, 0, NULL);
}

static int configure(const struct setup_spec *s, struct err *e)
{
	const struct plan *p = s->plan;
	CLEAN_ROUTE_WATCH struct route_watch *watch = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	struct link_info li;
	int r = rtnl_open(&rtnl, e);

	if (r == 0)
		r = link_get(rtnl, s->tap, &li, e);
	if (r == 1)
		r = err_set(e, ERR_ABSENT, ENODEV, "%s", s->tap);
	if (r == 0 && p->guest[FAM6].family) {
		skip_dad(s->tap);
		r = route_watch_open(s->netns_fd, &watch, e);
	}
	if (r == 0)
		r = rtnl_batch_new(rtnl, &b, e);
	if (r == 0)
		r = queue(b, li.index, p, e);
	if (r == 0)
		r = rtnl_batch_run(b, e);
	if (r == 0 && watch)
		r = route_watch_wait(watch, li.index, &p->guest[FAM6], ADDRESS_MS, e);
	if (r == 1)
		r = err_set(e, ERR_BUSY, ETIMEDOUT, "IPv6 address");
	return err_ctx(e, r, "configure %s", s->tap);
}

/* For those behind the namespace the tap engine wants answers led back to it, where that works. */
static int make_ways(const struct setup_spec *s, int ret_listen[N_FAM], struct answer *a,
		     struct err *e)
{
	if (s->is_relay)
		return err_ctx(e, transparent_prepare(s->tap, s->plan, ret_listen, e),
			       "relay engine");
	if (!s->plan->is_forwarding || transparent_lead_back(s->tap, s->plan, &a->lacks) == 0)
		err_reset(&a->lacks);
	return 0;
}

/* fds: the tap, the listeners. */
static int make(const struct setup_spec *s, int fds[N_MADE], struct answer *a, struct err *e)
{
	CLEAN_FD int tap = -1;
	int r = userns_join(s->userns_fd, s->netns_fd, e);

	/* New credentials bring back what fs.suid_dumpable says, which may be 1. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = err_sys(e, errno, "PR_SET_DUMPABLE");
	if (r == 0)
		r = tun_open(s->tap, &tap, e);
	if (r >= 0)
		r = s->is_configured ? configure(s, e) : s->is_lo_up ? set_lo_up(e) : 0;
	if (r == 0)
		r = make_ways(s, fds + 1, a, e);
	if (r < 0)
		return r;
	fds[0] = fd_take(&tap);
	return 0;
}

/* Everything above the three standard ones but these. */
static void keep_only(const struct setup_spec *s, int channel)
{
	int keep[3] = {channel, s->netns_fd, s->userns_fd}, next = 3;

	for (;;) {
		int low = -1;

		for (size_t i = 0; i < 3; i++)
			if (keep[i] >= next && (low < 0 || keep[i] < low))
				low = keep[i];
		if (low < 0)
			break;
		if (low > next)
			(void)close_range((unsigned)next, (unsigned)low - 1, 0);
		next = low + 1;
	}
	(void)close_range((unsigned)next, ~0U, 0);
}

static _Noreturn void helper(const struct setup_spec *s, int channel)
{
	struct answer a = {.e = ERR_INIT, .lacks = ERR_INIT};
	int fds[N_MADE] = {-1, -1, -1}, list[N_MADE];
	size_t n = 0;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		a.r = err_sys(&a.e, errno, "PR_SET_DUMPABLE");
	} else {
		keep_only(s, channel);
		a.r = make(s, fds, &a, &a.e);
	}
	for (size_t i = 0; i < N_MADE; i++) {
		a.has[i] = fds[i] >= 0;
		if (a.has[i])
			list[n++] = fds[i];
	}
	/* Nobody there any more: the tap goes with us. */
	(void)fdpass_send(channel, &a, sizeof(a), list, n);
	_exit(a.r < 0);
}

int setup_start(const struct setup_spec *s, struct setup *ret, struct err *e)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	int pair[2], pidfd = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork_into(0, &pidfd);
	if (pid == 0)
		helper(s, theirs);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	ret->pid = pid;
	ret->pidfd = pidfd;
	ret->channel = fd_take(&ours);
	return 0;
}

static void close_all(int fds[N_MADE])
{
	for (size_t i = 0; i < N_MADE; i++)
		fd_closep(&fds[i]);
}

int setup_finish(struct setup *s, struct setup_made *ret, struct err *e)
{
	int fds[N_MADE], at[N_MADE], r = fd_await(s->channel, POLLIN, clock_ms() + SETUP_MS);
	struct answer a;
	ssize_t n;

	if (r < 0)
		return err_sys(e, -r, "poll");
	if (r == 0)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "the set-up of the namespace");
	n = fdpass_recv(s->channel, &a, sizeof(a), fds, N_MADE);
	if (n != (ssize_t)sizeof(a) || (a.r == 0 && (!a.has[0] || fds[0] < 0))) {
		if (n > 0)
			close_all(fds);
		return err_set(e, ERR_KERNEL, 0, "the set-up of the namespace was cut short");
	}
	setup_end(s);
	if (a.r < 0) {
		close_all(fds);
		if (e)
			*e = a.e;
		return a.r;
	}
	for (size_t i = 0, k = 0; i < N_MADE; i++)
		at[i] = a.has[i] ? fds[k++] : -1;
	*ret = (struct setup_made){.tap = at[0], .listen = {at[1], at[2]}, .lacks = a.lacks};
	return 0;
}

void setup_end(struct setup *s)
{
	fd_closep(&s->channel);
	if (s->pid <= 0)
		return;
	/* It has answered and is about to end, or it must. */
	(void)syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	fd_closep(&s->pidfd);
}
