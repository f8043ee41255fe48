/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns-up-forwarder: carries connections of the host's own clients (127.0.0.1, ::1) to the
 * published ports of containers, and holds those ports while they are published. One for a network
 * namespace, started by the engine (net/fwdstart.c), which also hands over every socket, so that
 * this program never binds, opens or starts anything.
 *
 * One thread, one epoll instance, tables of fixed size: no memory is allocated once it runs. It
 * ends when no port is published and no engine is connected. Its control address is an abstract one
 * and goes with it, also when it is killed. Standard descriptors are on /dev/null, so nothing is
 * ever said: a start that fails is told to the first engine that connects.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "fwd/control.h"
#include "fwd/jail.h"
#include "fwd/kinds.h"
#include "fwd/ports.h"
#include "model/fwdmsg.h"
#include "model/namesmsg.h"
#include "names/serve.h"
#include "relay/watch.h"
#include "sys/sockopt.h"

#define N_EVENTS 256
/* For whoever started us to connect; it usually has before we run. */
#define START_WAIT_MS 2000

struct forwarder {
	int epoll_fd;
	struct relay *relay;
	struct dgram *dgram;
	struct ports *ports;
	struct control *control;
};

static bool is_listener(int fd)
{
	return sockopt_int(fd, SO_DOMAIN) == AF_UNIX && sockopt_int(fd, SO_ACCEPTCONN) == 1;
}

static int set_up(struct forwarder *f, const char **ret_step)
{
	struct relay_conf relay = {.max = RELAY_MAX};
	struct dgram_conf flows = {.max = DGRAM_MAX};
	uid_t starter = geteuid();

	/* splice(2) into a socket whose peer is gone raises it, and has no flag to say no. */
	signal(SIGPIPE, SIG_IGN);
	*ret_step = "tables";
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	relay.epoll_fd = flows.epoll_fd = f->epoll_fd;
	int r = f->epoll_fd < 0 ? -errno : 0;
	if (r == 0)
		r = relay_new(&relay, &f->relay);
	if (r == 0)
		r = dgram_new(&flows, &f->dgram);
	if (r == 0)
		r = ports_new(f->epoll_fd, f->relay, f->dgram, &f->ports);
	if (r == 0)
		r = control_new(f->epoll_fd, FWDMSG_CONTROL_FD, starter, f->ports, &f->control);
	return r < 0 ? r : jail_enter(ret_step);
}

static void dispatch(struct forwarder *f, const struct epoll_event *ev, uint64_t now_ms)
{
	struct watch_id id = watch_decode(ev->data.u64);

	switch (id.kind) {
	case FWD_CONTROL:
		control_accept(f->control, now_ms);
		break;
	case FWD_REQUESTER:
		control_event(f->control, id.index, id.gen, ev->events, now_ms);
		break;
	case FWD_PORT:
		ports_event(f->ports, id.index, id.gen, now_ms);
		break;
	case WATCH_OUTER:
	case WATCH_INNER:
		relay_event(f->relay, id.index, id.gen, id.kind == WATCH_OUTER, ev->events);
		break;
	case WATCH_FLOW:
		dgram_event(f->dgram, id.index, id.gen, now_ms);
		break;
	}
}

/* The shorter of two waits, where -1 is for ever. */
static int sooner(int a, int b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

static int serve(struct forwarder *f)
{
	struct epoll_event ev[N_EVENTS];
	uint64_t now = clock_ms(), start_end = now + START_WAIT_MS;
	bool has_begun = false;

	for (;;) {
		int wait = sooner(dgram_expire(f->dgram, now), ports_wake(f->ports, now));
		wait = sooner(wait, control_expire(f->control, now));
		has_begun |= control_count(f->control) > 0 || now >= start_end;
		if (!has_begun)
			wait = sooner(wait, clock_left(start_end));
		if (relay_go_on(f->relay))
			wait = 0;
		/* An engine that connects at this very moment finds the connection reset and starts
		 * the next forwarder. */
		if (has_begun && ports_count(f->ports) == 0 && control_count(f->control) == 0)
			return 0;
		int n = epoll_wait(f->epoll_fd, ev, N_EVENTS, wait);
		if (n < 0 && errno != EINTR)
			return 71;
		now = clock_ms();
		for (int i = 0; i < n; i++)
			dispatch(f, &ev[i], now);
	}
}

/* The descriptor is the same in both roles. What follows the names' role is for names_serve. */
int main(int argc, char **argv)
{
	struct forwarder f = {.epoll_fd = -1};
	const char *step = "";

	if (!is_listener(FWDMSG_CONTROL_FD)) {
		fputs(FWDMSG_PROGRAM " is started by netns-up; it cannot be used by itself\n",
		      stderr);
		return 2;
	}
	bool is_names = argc >= 2 && strcmp(argv[1], NAMESMSG_ROLE) == 0;
	bool is_bound = is_names && argc > 2;
	close_range(is_bound ? NAMESMSG_END_FD + 1 : FWDMSG_CONTROL_FD + 1, ~0U, 0);
	int r = is_names ? names_serve(argv + 2, (size_t)argc - 2) : set_up(&f, &step);
	if (is_names) {
		/* it has ended */
	} else if (r < 0) {
		control_refuse(FWDMSG_CONTROL_FD, -r, step, START_WAIT_MS);
		r = 70;
	} else {
		r = serve(&f);
	}
	/* Straight away: what the C library does at exit is not for the sandbox, and not needed. */
	syscall(SYS_exit_group, r);
	return r;
}
