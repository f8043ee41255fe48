/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dgram: a flow is (published socket, client address, address the client asked) and has a socket of
 * its own, connected to the container, whose ICMP errors end it. Answers leave through the
 * published socket from the address that was asked (IP_PKTINFO of ip(7), RFC 3542 6.1). Flows live
 * on two lists, one for each time-out, oldest first, so that expiry and eviction look at the heads
 * only. A datagram that cannot be sent at once is dropped: UDP's own contract; but the one that
 * begins a flow is kept while the flow waits for its socket.
 */
#include "relay/dgram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/pages.h"
#include "relay/slots.h"
#include "relay/watch.h"

#define BATCH 16
#define DATA_MAX 65536
#define N_BUCKETS 16384
#define CTL_SPACE CMSG_SPACE(sizeof(struct in6_pktinfo))

enum { WAITING, ONE_SHOT, STREAM, N_LISTS };

/* What names a flow; compared as bytes, so it is zeroed before it is filled in. */
struct flow_key {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} client;
	struct in6_addr local;  /* as the published socket sees it: v4-mapped on a dual-stack one */
	uint32_t local_ifindex; /* for a link-local one, else 0 */
	uint32_t port;
};

struct flow {
	struct slot slot;
	struct flow_key key;
	int fd, port_fd; /* fd -1: it waits */
	uint8_t held;    /* its place in dgram.held, then */
	struct sockaddr_in6 to;
	uint32_t bucket_next;
	uint32_t prev, next;
	uint64_t used_ms;
	uint8_t list;
	bool has_reply;
};

struct list {
	uint32_t first, last; /* index + 1 */
};

struct held {
	bool is_used;
	size_t len;
	uint8_t data[DATA_MAX];
};

struct dgram {
	int epoll_fd;
	const struct relay_ops *ops;
	uint64_t seed;
	struct slots flows;
	uint32_t bucket[N_BUCKETS]; /* index + 1 */
	struct list lists[N_LISTS];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in6 name[BATCH];
	_Alignas(struct cmsghdr) uint8_t ctl[BATCH][CTL_SPACE];
	uint8_t data[BATCH][DATA_MAX];
	struct held held[DGRAM_HELD];
};

static const uint64_t after_ms[N_LISTS] = {
	[WAITING] = RELAY_WAIT_MS,
	[ONE_SHOT] = DGRAM_ONE_SHOT_MS,
	[STREAM] = DGRAM_STREAM_MS,
};

int dgram_new(const struct dgram_conf *conf, struct dgram **ret)
{
	struct dgram *d = pages_map(sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->epoll_fd = conf->epoll_fd;
	d->ops = conf->ops;
	d->seed = clock_ns();
	int r = slots_init(&d->flows, conf->max, sizeof(struct flow));
	if (r < 0) {
		pages_unmap(d, sizeof(*d));
		return r;
	}
	*ret = d;
	return 0;
}

uint32_t dgram_count(const struct dgram *d)
{
	return d->flows.n_used;
}

static struct flow *flow_at(const struct dgram *d, uint32_t i)
{
	return slots_at(&d->flows, i);
}

static uint32_t *bucket_of(struct dgram *d, const struct flow_key *k)
{
	return &d->bucket[hash64(k, sizeof(*k), d->seed) % N_BUCKETS];
}

static void list_del(struct dgram *d, uint32_t i)
{
	struct flow *f = flow_at(d, i);
	struct list *l = &d->lists[f->list];

	if (f->prev)
		flow_at(d, f->prev - 1)->next = f->next;
	else
		l->first = f->next;
	if (f->next)
		flow_at(d, f->next - 1)->prev = f->prev;
	else
		l->last = f->prev;
}

static void list_add(struct dgram *d, uint32_t i, uint8_t list, uint64_t now_ms)
{
	struct flow *f = flow_at(d, i);
	struct list *l = &d->lists[list];

	f->list = list;
	f->used_ms = now_ms;
	f->prev = l->last;
	f->next = 0;
	if (l->last)
		flow_at(d, l->last - 1)->next = i + 1;
	else
		l->first = i + 1;
	l->last = i + 1;
}

static void flow_touch(struct dgram *d, uint32_t i, uint8_t list, uint64_t now_ms)
{
	list_del(d, i);
	list_add(d, i, list, now_ms);
}

static void flow_end(struct dgram *d, uint32_t i)
{
	struct flow *f = flow_at(d, i);
	uint32_t *p = bucket_of(d, &f->key);

	while (*p != i + 1)
		p = &flow_at(d, *p - 1)->bucket_next;
	*p = f->bucket_next;
	list_del(d, i);
	if (f->fd >= 0) {
		watch_del(d->epoll_fd, f->fd);
		close(f->fd);
	} else {
		d->held[f->held].is_used = false;
	}
	slots_give(&d->flows, i);
}

/* The flow unused longest, those that wait and questions before streams. False: there is none. */
static bool evict(struct dgram *d)
{
	for (int l = 0; l < N_LISTS; l++)
		if (d->lists[l].first) {
			flow_end(d, d->lists[l].first - 1);
			return true;
		}
	return false;
}

static int client_family(const struct flow_key *k)
{
	struct sockaddr_storage ss = {0};

	memcpy(&ss, &k->client, sizeof(k->client));
	return dest_ip(&ss).family;
}

/* A socket, -EAGAIN: later, or another -errno. Out of descriptors: the oldest flow gives its own.
 */
static int open_socket(struct dgram *d, int family)
{
	int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	if (d->ops)
		return d->ops->socket(d->ops->arg, family, SOCK_DGRAM);
	int fd = socket(family, type, IPPROTO_UDP);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && evict(d))
		fd = socket(family, type, IPPROTO_UDP);
	return fd < 0 ? -errno : fd;
}

/* Takes over fd. False: it cannot be. */
static bool connect_inner(struct dgram *d, uint32_t i, int fd)
{
	struct flow *f = flow_at(d, i);
	socklen_t len = f->to.sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(f->to);

	if (connect(fd, (struct sockaddr *)&f->to, len) == 0 &&
	    watch_add(d->epoll_fd, fd, EPOLLIN, WATCH_FLOW, i, f->slot.gen) == 0) {
		f->fd = fd;
		return true;
	}
	close(fd);
	return false;
}

/* A place for the datagram that begins a flow; false: all are taken. */
static bool hold(struct dgram *d, uint32_t i, const struct iovec *v)
{
	for (uint8_t k = 0; k < DGRAM_HELD; k++) {
		struct held *h = &d->held[k];
		if (h->is_used || v->iov_len > sizeof(h->data))
			continue;
		h->is_used = true;
		h->len = v->iov_len;
		memcpy(h->data, v->iov_base, v->iov_len);
		flow_at(d, i)->held = k;
		return true;
	}
	return false;
}

/* *ret: the flow, or SLOT_NONE when there cannot be one. -errno: there is no socket to be had. */
static int flow_start(struct dgram *d, const struct flow_key *k, int port_fd, const struct dest *to,
		      const struct iovec *v, uint64_t now_ms, uint32_t *ret)
{
	struct sockaddr_storage ss;

	(void)dest_pick(to, client_family(k), &ss);
	*ret = SLOT_NONE;
	int fd = open_socket(d, ss.ss_family);
	if (fd < 0 && fd != -EAGAIN)
		return fd;
	uint32_t i = slots_take(&d->flows);
	if (i == SLOT_NONE && evict(d))
		i = slots_take(&d->flows);
	if (i == SLOT_NONE) {
		if (fd >= 0)
			close(fd);
		return -ENOSPC;
	}
	struct flow *f = flow_at(d, i);
	f->fd = -1;
	memcpy(&f->to, &ss, sizeof(f->to));
	if (fd >= 0 ? !connect_inner(d, i, fd) : !hold(d, i, v)) {
		slots_give(&d->flows, i);
		return 0;
	}
	uint32_t *b = bucket_of(d, k);
	f->key = *k;
	f->port_fd = port_fd;
	f->bucket_next = *b;
	*b = i + 1;
	list_add(d, i, fd >= 0 ? ONE_SHOT : WAITING, now_ms);
	*ret = i;
	return 0;
}

static uint32_t flow_find(struct dgram *d, const struct flow_key *k)
{
	for (uint32_t i = *bucket_of(d, k); i; i = flow_at(d, i - 1)->bucket_next)
		if (memcmp(&flow_at(d, i - 1)->key, k, sizeof(*k)) == 0)
			return i - 1;
	return SLOT_NONE;
}

/* Points the first n messages at their buffers. name and ctl NULL: neither is wanted. */
static void set_buffers(struct dgram *d, bool with_names)
{
	for (size_t i = 0; i < BATCH; i++) {
		d->iov[i] = (struct iovec){.iov_base = d->data[i], .iov_len = DATA_MAX};
		d->msg[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &d->iov[i], .msg_iovlen = 1}};
		if (!with_names)
			continue;
		memset(&d->name[i], 0, sizeof(d->name[i]));
		d->msg[i].msg_hdr.msg_name = &d->name[i];
		d->msg[i].msg_hdr.msg_namelen = sizeof(d->name[i]);
		d->msg[i].msg_hdr.msg_control = d->ctl[i];
		d->msg[i].msg_hdr.msg_controllen = CTL_SPACE;
	}
}

static void map_v4(struct in6_addr *to, const struct in_addr *from)
{
	memset(to, 0, sizeof(*to));
	to->s6_addr[10] = to->s6_addr[11] = 0xff;
	memcpy(to->s6_addr + 12, from, 4);
}

/* The flow's name out of a received datagram; false when it is not from this host. */
static bool read_key(struct msghdr *h, uint32_t port, struct flow_key *ret)
{
	struct flow_key k = {0};
	bool found = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			map_v4(&k.local, &info.ipi_addr);
			found = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			k.local = info.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&k.local))
				k.local_ifindex = info.ipi6_ifindex;
			found = true;
		}
	}
	if (!found || !h->msg_name || h->msg_namelen > sizeof(k.client))
		return false;
	memcpy(&k.client, h->msg_name, h->msg_namelen);
	k.port = port;
	struct sockaddr_storage peer = {0};
	memcpy(&peer, &k.client, sizeof(k.client));
	struct sockaddr_storage own = {.ss_family = AF_INET6};
	((struct sockaddr_in6 *)&own)->sin6_addr = k.local;
	struct ip from = dest_ip(&peer), at = dest_ip(&own);
	*ret = k;
	return dest_is_local(&from, &at);
}

static void account(const struct dgram *d, const struct flow *f, uint64_t n_in, uint64_t n_out)
{
	if (d->ops && d->ops->account)
		d->ops->account(d->ops->arg, f->key.port, n_in, n_out);
}

/* False: the flow is over. */
static bool pass(const struct dgram *d, const struct flow *f, const void *data, size_t len)
{
	ssize_t n;

	do
		n = send(f->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		account(d, f, (uint64_t)n, 0);
	return n >= 0 || errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ||
	       errno == EMSGSIZE || errno == EPERM;
}

/* A refusal that came in meanwhile is reported by send, which then has sent nothing: the flow is
 * over, but this datagram is the first of the next one. */
static int pass_inward(struct dgram *d, const struct flow_key *k, int port_fd,
		       const struct dest *to, const struct iovec *v, uint64_t now_ms)
{
	for (int tries = 0; tries < 2; tries++) {
		uint32_t i = flow_find(d, k);
		int r = i == SLOT_NONE ? flow_start(d, k, port_fd, to, v, now_ms, &i) : 0;
		if (r < 0 || i == SLOT_NONE)
			return r;
		struct flow *f = flow_at(d, i);
		if (f->fd < 0)
			return 0;
		flow_touch(d, i, f->has_reply ? STREAM : f->list, now_ms);
		if (pass(d, f, v->iov_base, v->iov_len))
			return 0;
		flow_end(d, i);
	}
	return 0;
}

int dgram_take(struct dgram *d, int port_fd, uint32_t port, const struct dest *to, struct msghdr *h,
	       const void *data, size_t len, uint64_t now_ms)
{
	struct iovec v = {.iov_base = (void *)data, .iov_len = len};
	struct flow_key k;

	if (!read_key(h, port, &k))
		return 1;
	return h->msg_flags & MSG_TRUNC ? 0 : pass_inward(d, &k, port_fd, to, &v, now_ms);
}

void dgram_receive(struct dgram *d, int port_fd, uint32_t port, const struct dest *to,
		   uint64_t now_ms)
{
	set_buffers(d, true);
	int n = recvmmsg(port_fd, d->msg, BATCH, MSG_DONTWAIT, NULL);

	for (int i = 0; i < n; i++)
		(void)dgram_take(d, port_fd, port, to, &d->msg[i].msg_hdr, d->data[i],
				 d->msg[i].msg_len, now_ms);
}

void dgram_ready(struct dgram *d, uint64_t now_ms)
{
	uint32_t next;

	for (uint32_t i = d->lists[WAITING].first; i; i = next) {
		struct flow *f = flow_at(d, i - 1);
		next = f->next;
		int fd = open_socket(d, f->to.sin6_family);
		if (fd == -EAGAIN)
			continue;
		struct held *h = &d->held[f->held];
		if (fd < 0 || !connect_inner(d, i - 1, fd)) {
			flow_end(d, i - 1);
			continue;
		}
		h->is_used = false;
		flow_touch(d, i - 1, ONE_SHOT, now_ms);
		if (!pass(d, f, h->data, h->len))
			flow_end(d, i - 1);
	}
}

/* PKTINFO that makes the answer leave from the address the client asked. Returns its length. */
static size_t write_source(const struct flow_key *k, void *space)
{
	struct cmsghdr *c = space;

	memset(space, 0, CTL_SPACE);
	if (k->client.sa.sa_family == AF_INET) {
		struct in_pktinfo info = {0};
		memcpy(&info.ipi_spec_dst, k->local.s6_addr + 12, 4);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	struct in6_pktinfo info = {.ipi6_addr = k->local, .ipi6_ifindex = k->local_ifindex};
	*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return CMSG_SPACE(sizeof(info));
}

static void pass_outward(struct dgram *d, const struct flow *f, unsigned int n)
{
	size_t len = write_source(&f->key, d->ctl[0]);
	unsigned int sent = 0;
	uint64_t n_out = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct msghdr *h = &d->msg[i].msg_hdr;
		d->iov[i].iov_len = d->msg[i].msg_len;
		h->msg_name = (void *)&f->key.client;
		h->msg_namelen = f->key.client.sa.sa_family == AF_INET ? sizeof(f->key.client.in)
								       : sizeof(f->key.client.in6);
		h->msg_control = d->ctl[0];
		h->msg_controllen = len;
	}
	/* sendmmsg stops at the first datagram that cannot be sent: that one is dropped. */
	while (sent < n) {
		int k = sendmmsg(f->port_fd, d->msg + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		for (int i = 0; i < k; i++)
			n_out += d->msg[sent + (unsigned int)i].msg_len;
		sent += k > 0 ? (unsigned int)k : 1;
	}
	account(d, f, 0, n_out);
}

void dgram_event(struct dgram *d, uint32_t index, uint32_t gen, uint64_t now_ms)
{
	struct flow *f = slots_live(&d->flows, index, gen);

	if (!f)
		return;
	set_buffers(d, false);
	int n = recvmmsg(f->fd, d->msg, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			flow_end(d, index);
		return;
	}
	f->has_reply = true;
	flow_touch(d, index, f->list, now_ms);
	pass_outward(d, f, (unsigned int)n);
}

uint64_t dgram_due(const struct dgram *d)
{
	uint64_t due = UINT64_MAX;

	for (int l = 0; l < N_LISTS; l++)
		if (d->lists[l].first) {
			uint64_t at = flow_at(d, d->lists[l].first - 1)->used_ms + after_ms[l];
			due = at < due ? at : due;
		}
	return due;
}

int dgram_expire(struct dgram *d, uint64_t now_ms)
{
	for (int l = 0; l < N_LISTS; l++)
		while (d->lists[l].first) {
			uint32_t i = d->lists[l].first - 1;
			if (flow_at(d, i)->used_ms + after_ms[l] > now_ms)
				break;
			flow_end(d, i);
		}
	uint64_t due = dgram_due(d);
	return due == UINT64_MAX ? -1 : (int)(due - now_ms);
}

void dgram_cut(struct dgram *d, uint32_t port)
{
	for (uint32_t i = 0; (i = slots_next(&d->flows, i)) != SLOT_NONE; i++)
		if (flow_at(d, i)->key.port == port)
			flow_end(d, i);
}

void dgram_free(struct dgram *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; (i = slots_next(&d->flows, i)) != SLOT_NONE; i++)
		flow_end(d, i);
	slots_free(&d->flows);
	pages_unmap(d, sizeof(*d));
}
