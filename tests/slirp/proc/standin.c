/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * standin: a worker for tests of the processes around it: it answers ARP and IPv4 echo for the
 * gateway, counts frames, takes control messages, and keeps to the calls that the real one may
 * make. With STANDIN=deaf it closes its control channel when a port is published, and stays. For
 * tests alone; it is linked into a program of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stack/ctlmsg.h"
#include "stack/worker.h"

#define VNET_HDR 10
#define FRAME_MAX 66000

const struct host_ops host_kernel;

struct worker {
	struct worker_config conf;
	struct worker_fds fds;
	int epoll;
	bool is_deaf;
	struct stats stats;
	uint8_t frame[FRAME_MAX];
};

int worker_new(const struct worker_config *conf, const struct worker_fds *fds,
	       const struct host_ops *host, struct worker **ret, struct err *e)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event link = {.events = EPOLLIN, .data.fd = fds->link};
	struct epoll_event control = {.events = EPOLLIN, .data.fd = fds->control};

	(void)host;
	if (!w)
		return err_sys(e, ENOMEM, "worker");
	w->conf = *conf;
	w->fds = *fds;
	w->is_deaf = getenv("STANDIN") && strcmp(getenv("STANDIN"), "deaf") == 0;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, fds->link, &link) < 0 ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, fds->control, &control) < 0)
		return err_sys(e, errno, "epoll");
	*ret = w;
	return 0;
}

void worker_free(struct worker *w)
{
	close(w->epoll);
	free(w);
}

static uint16_t sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		s += (uint32_t)p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void send_back(struct worker *w, size_t n)
{
	uint8_t *eth = w->frame + VNET_HDR;

	memset(w->frame, 0, VNET_HDR);
	memcpy(eth, eth + 6, 6);
	memcpy(eth + 6, w->conf.policy.plan.our_mac.b, 6);
	if (write(w->fds.link, w->frame, n) == (ssize_t)n)
		w->stats.n[STAT_FRAMES_OUT]++;
}

static void answer(struct worker *w, size_t n)
{
	const uint8_t *gateway = w->conf.policy.plan.gateway[FAM4].b;
	uint8_t *eth = w->frame + VNET_HDR, *p = eth + 14, swap[4];

	if (n < VNET_HDR + 42)
		return;
	if (eth[12] == 8 && eth[13] == 6 && memcmp(p + 24, gateway, 4) == 0 && p[7] == 1) {
		p[7] = 2;
		memcpy(p + 18, p + 8, 10);
		memcpy(p + 8, w->conf.policy.plan.our_mac.b, 6);
		memcpy(p + 14, gateway, 4);
		send_back(w, n);
	} else if (eth[12] == 8 && eth[13] == 0 && p[0] == 0x45 && p[9] == 1 && p[20] == 8 &&
		   memcmp(p + 16, gateway, 4) == 0) {
		size_t len = (size_t)p[2] << 8 | p[3];

		if (len < 28 || VNET_HDR + 14 + len > n)
			return;
		memcpy(swap, p + 12, 4);
		memcpy(p + 12, p + 16, 4);
		memcpy(p + 16, swap, 4);
		p[20] = 0;
		p[22] = p[23] = 0;
		uint16_t c = sum(p + 20, len - 20);
		p[22] = (uint8_t)(c >> 8);
		p[23] = (uint8_t)c;
		send_back(w, n);
	}
}

static bool obey(struct worker *w)
{
	struct ctlmsg m;
	int r = ctlmsg_recv(w->fds.control, &m, NULL);

	/* PORTS_ADD: its sockets are not taken. */
	if (r == -EPROTO && w->is_deaf)
		close(w->fds.control);
	if (r <= 0)
		return r == -EAGAIN || r == -EPROTO;
	if (m.type == CTLMSG_RESOLVERS)
		w->conf.resolvers = m.resolvers;
	if (m.type == CTLMSG_STATS_GET) {
		uint32_t id = m.id;

		memset(&m, 0, sizeof(m));
		m.type = CTLMSG_STATS;
		m.id = id;
		m.stats.stats = w->stats;
		/* For the test of live resolvers. */
		m.stats.gauges.n_udp = (uint32_t)w->conf.resolvers.n;
		(void)ctlmsg_send(w->fds.control, &m);
	}
	return true;
}

int worker_run(struct worker *w)
{
	struct epoll_event ev;
	ssize_t n;

	for (;;) {
		if (epoll_wait(w->epoll, &ev, 1, -1) < 0)
			continue;
		if (ev.data.fd == w->fds.control) {
			if (!obey(w))
				return 0;
			continue;
		}
		n = read(w->fds.link, w->frame, sizeof(w->frame));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return 71;
		if (n > 0) {
			w->stats.n[STAT_FRAMES_IN]++;
			answer(w, (size_t)n);
		}
	}
}
