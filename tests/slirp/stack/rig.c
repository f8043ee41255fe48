/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig: see rig.h. */
#include "stack/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "wire/cksum.h"
#include "wire/eth.h"
#include "wire/udphdr.h"

struct rig rig;

static const struct mac our_mac = {{2, 0, 0, 0, 0, 2}}, guest_mac = {{2, 0, 0, 0, 0, 100}},
			bridge_mac = {{2, 0, 0, 0, 0, 101}};

#define SOCKETS_MAX 20000

static struct rig_socket *find(int fd)
{
	for (size_t i = rig.n_sockets; i-- > 0;)
		if (rig.sockets[i].fd == fd && !rig.sockets[i].is_closed)
			return &rig.sockets[i];
	fail_msg("descriptor %d is no socket of the host", fd);
	return NULL;
}

static int fake_socket(int family, enum host_kind kind)
{
	struct rig_socket *s = &rig.sockets[rig.n_sockets];
	int pair[2];

	(void)family;
	assert_true(kind == HOST_TCP || kind == HOST_UDP);
	if (rig.how == RIG_NO_SOCKET)
		return -rig.sys;
	assert_true(rig.n_sockets < SOCKETS_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	if (rig.host_buffer)
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &rig.host_buffer,
					    sizeof(rig.host_buffer)),
				 0);
	memset(s, 0, sizeof(*s));
	s->fd = pair[0];
	s->peer = pair[1];
	rig.n_sockets++;
	return s->fd;
}

/* A connect() that is under way shows no event: its send buffer is full. */
static void fill_up(int fd)
{
	static const uint8_t zero[4096];

	while (write(fd, zero, sizeof(zero)) > 0)
		;
	while (write(fd, zero, 1) > 0)
		;
}

static int fake_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct rig_socket *s = find(fd);
	struct sockaddr_storage copy = {0};

	memcpy(&copy, sa, len);
	assert_int_equal(host_from_sockaddr(&copy, len, &s->to, &s->port), 0);
	if (rig.sys)
		return -rig.sys;
	if (rig.how == RIG_PENDING)
		fill_up(fd);
	return -EINPROGRESS;
}

static int fake_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct rig_socket *s = find(fd);
	struct sockaddr_storage copy = {0};
	uint16_t port;

	memcpy(&copy, sa, len);
	assert_int_equal(host_from_sockaddr(&copy, len, &s->from, &port), 0);
	assert_int_equal(port, 0);
	return 0;
}

static ssize_t fake_readv(int fd, const struct iovec *iov, int n)
{
	ssize_t r = readv(fd, iov, n);

	return r < 0 ? -errno : r;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t r;

	if (rig.send_sys)
		return -rig.send_sys;
	r = sendmsg(fd, m, flags | MSG_NOSIGNAL);
	return r < 0 ? -errno : r;
}

static int fake_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	(void)flags;
	(void)find(fd);
	for (unsigned i = 0; i < n; i++)
		m[i].msg_len = (unsigned)m[i].msg_hdr.msg_iov->iov_len;
	rig.n_datagrams += n;
	return (int)n;
}

static int fake_shutdown(int fd, int how)
{
	return shutdown(fd, how) < 0 ? -errno : 0;
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct linger linger;

	if (level == SOL_SOCKET && name == SO_LINGER) {
		assert_int_equal(len, sizeof(linger));
		memcpy(&linger, value, sizeof(linger));
		find(fd)->is_aborted = linger.l_onoff && linger.l_linger == 0;
	}
	return 0;
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct rig_socket *s = find(fd);

	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(name, SO_ERROR);
	assert_int_equal(*len, sizeof(int));
	memcpy(value, &s->error, sizeof(int));
	s->error = 0;
	return 0;
}

static int fake_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct rig_client *c = &rig.client[rig.n_accepted];
	struct sockaddr_storage ss;
	uint64_t n;

	assert_int_equal(fd, rig.listener);
	rig.n_accepts++;
	if (rig.n_accepted == rig.n_clients) {
		(void)!read(fd, &n, sizeof(n));
		return -EAGAIN;
	}
	rig.n_accepted++;
	if (c->sys)
		return -c->sys;
	*len = host_sockaddr(&c->from, c->port, &ss);
	memcpy(sa, &ss, *len);
	c->fd = fake_socket(AF_INET, HOST_TCP);
	return c->fd;
}

static int fake_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	const struct rig_client *c = &rig.client[rig.n_accepted - 1];
	struct sockaddr_storage ss;

	assert_int_equal(fd, c->fd);
	if (c->to.family == 0)
		return -EINVAL;
	*len = host_sockaddr(&c->to, 80, &ss);
	memcpy(sa, &ss, *len);
	return 0;
}

static void fake_close(int fd)
{
	find(fd)->is_closed = true;
	close(fd);
}

static const struct host_ops fake_ops = {
	.socket = fake_socket,
	.connect = fake_connect,
	.bind = fake_bind,
	.readv = fake_readv,
	.sendmsg = fake_sendmsg,
	.sendmmsg = fake_sendmmsg,
	.shutdown = fake_shutdown,
	.setsockopt = fake_setsockopt,
	.getsockopt = fake_getsockopt,
	.getsockname = fake_getsockname,
	.accept = fake_accept,
	.close = fake_close,
};

void rig_need_fds(unsigned n)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur >= n)
		return;
	l.rlim_cur = n;
	if (l.rlim_max < n)
		l.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		fail_msg("this test needs %u descriptors", n);
}

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

void rig_start(const struct rig_conf *c)
{
	struct worker_config conf = {.tcp_max = c->tcp_max ? c->tcp_max : 65536,
				     .udp_max = 16,
				     .ping_max = 16,
				     .memory_max = c->memory_max ? c->memory_max : 64u << 20,
				     .rates = {c->rate_in, c->rate_out},
				     .udp_once_s = 30,
				     .udp_stream_s = 120,
				     .is_raw_link = true};
	struct plan *p = &conf.policy.plan;
	struct worker_fds fds = {
		.control = -1, .log = -1, .pcap = -1, .inside = -1, .listen = {-1, -1}, .kept = -1};
	int pair[2], size = 4 << 20;

	p->is_forwarding = c->is_network;
	p->net[FAM4] = (struct prefix){ip_of("10.0.2.0"), 24};
	p->gateway[FAM4] = ip_of("10.0.2.2");
	p->dns[FAM4] = ip_of("10.0.2.3");
	p->guest[FAM4] = ip_of("10.0.2.100");
	p->net[FAM6] = (struct prefix){ip_of("fd00::"), 64};
	p->gateway[FAM6] = ip_of("fd00::2");
	p->dns[FAM6] = ip_of("fd00::3");
	p->guest[FAM6] = ip_of("fd00::100");
	p->our_mac = our_mac;
	p->guest_mac = c->is_bridged ? bridge_mac : guest_mac;
	p->mtu = 1500;
	memset(&rig, 0, sizeof(rig));
	if (c->kept_fd > 0)
		fds.kept = fcntl(c->kept_fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
				setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0,
			0);
	rig.link = pair[1];
	fds.link = pair[0];
	rig.now = UINT32_MAX - 3000ull; /* 32 bits of it come round during the test */
	rig.host_buffer = c->host_buffer;
	rig.sockets = calloc(SOCKETS_MAX, sizeof(*rig.sockets));
	assert_non_null(rig.sockets);
	assert_int_equal(worker_new(&conf, &fds, &fake_ops, &rig.worker, NULL), 0);
	loop_hold(worker_loop(rig.worker), rig.now);
	assert_true(worker_round(rig.worker, 0));
}

void rig_stop(void)
{
	worker_free(rig.worker);
	for (size_t i = 0; i < rig.n_sockets; i++) {
		assert_true(rig.sockets[i].is_closed);
		if (rig.sockets[i].peer >= 0)
			close(rig.sockets[i].peer);
	}
	free(rig.sockets);
	close(rig.link);
	memset(&rig, 0, sizeof(rig));
}

int rig_set_up(void **state)
{
	const struct rig_conf plain = {0};

	(void)state;
	rig_start(&plain);
	return 0;
}

int rig_tear_down(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

void rig_settle(void)
{
	/* Each round reads at most 64 frames; flows take turns. */
	for (int i = 0; i < 8; i++)
		assert_true(worker_round(rig.worker, 0));
}

void rig_pass(uint64_t ms)
{
	for (uint64_t end = rig.now + ms; rig.now < end;) {
		rig.now += end - rig.now < 50 ? end - rig.now : 50;
		loop_hold(worker_loop(rig.worker), rig.now);
		assert_true(worker_round(rig.worker, 0));
	}
}

uint64_t rig_stat(enum stat_id s)
{
	return worker_stats(rig.worker)->n[s];
}

int rig_listener(void)
{
	struct rig_socket *s = &rig.sockets[rig.n_sockets++];

	memset(s, 0, sizeof(*s));
	s->fd = rig.listener = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->peer = -1;
	assert_true(s->fd >= 0);
	return s->fd;
}

static struct rig_client *offer(void)
{
	static const uint64_t one = 1;

	assert_true(rig.n_clients < RIG_CLIENTS);
	assert_int_equal(write(rig.listener, &one, sizeof(one)), sizeof(one));
	return &rig.client[rig.n_clients++];
}

void rig_offer(const char *from, uint16_t port, const char *to)
{
	*offer() = (struct rig_client){
		.from = ip_of(from), .to = to ? ip_of(to) : (struct ip){0}, .port = port};
}

void rig_offer_error(int sys)
{
	*offer() = (struct rig_client){.sys = sys};
}

struct rig_socket *rig_accepted(void)
{
	assert_true(fake_socket(AF_INET, HOST_TCP) >= 0);
	return rig_last();
}

struct rig_socket *rig_last(void)
{
	assert_true(rig.n_sockets > 0);
	return &rig.sockets[rig.n_sockets - 1];
}

void rig_finish(struct rig_socket *s, int sys)
{
	uint8_t buf[65536];

	s->error = sys;
	while (read(s->peer, buf, sizeof(buf)) > 0)
		;
	if (sys) /* shows as EPOLLHUP */
		shutdown(s->peer, SHUT_RDWR);
	rig_settle();
}

bool rig_read(struct rig_packet *ret)
{
	struct ip_problem problem;
	struct eth_frame f;
	size_t head;
	ssize_t n;

	do {
		n = read(rig.link, ret->frame, sizeof(ret->frame));
		if (n < 0)
			return false;
		assert_int_equal(eth_parse(ret->frame, (size_t)n, &f), 0);
	} while (f.type != ETH_TYPE_IP4 && f.type != ETH_TYPE_IP6);
	assert_true(eth_equal(&f.dst, &guest_mac) && eth_equal(&f.src, &our_mac));
	assert_true(f.len <= 1500);
	assert_int_equal(f.type == ETH_TYPE_IP4 ? ip_parse4(f.payload, f.len, &ret->ip)
						: ip_parse6(f.payload, f.len, &ret->ip, &problem),
			 IP_OK);
	assert_true(ip_sum_ok(&ret->ip));
	ret->data = NULL;
	ret->len = 0;
	if (ret->ip.proto == IPPROTO_TCP) {
		assert_int_equal(tcphdr_parse(ret->ip.payload, ret->ip.len, &ret->tcp, &head), 0);
		ret->data = ret->ip.payload + head;
		ret->len = ret->ip.len - head;
	} else {
		assert_int_equal(icmp_parse(ret->ip.payload, ret->ip.len, &ret->icmp), 0);
	}
	return true;
}

void rig_datagram(const char *dst, uint16_t dport, uint16_t sport)
{
	struct ip_build b = {
		.src = ip_of("10.0.2.100"), .dst = ip_of(dst), .proto = IPPROTO_UDP, .ttl = 64};
	uint8_t frame[ETH_HDR_LEN + IP4_HDR_LEN + UDP_HDR_LEN];

	eth_build(frame, &our_mac, &guest_mac, ETH_TYPE_IP4);
	udphdr_build(frame + ETH_HDR_LEN + IP4_HDR_LEN, sport, dport, 0, 0);
	ip_build4(frame + ETH_HDR_LEN, &b, UDP_HDR_LEN);
	assert_int_equal(write(rig.link, frame, sizeof(frame)), sizeof(frame));
}

void peer_init(struct peer *p, const char *dst, uint16_t dport, uint16_t sport)
{
	memset(p, 0, sizeof(*p));
	p->dst = ip_of(dst);
	p->src = ip_of(p->dst.family == AF_INET ? "10.0.2.100" : "fd00::100");
	p->dport = dport;
	p->sport = sport;
	p->iss = p->snd_una = p->snd_nxt = 0xfffff000u + sport;
	p->own_wnd = 65535;
}

void peer_send(struct peer *p, uint8_t flags, uint32_t seq, const void *data, size_t len)
{
	const bool is_v4 = p->src.family == AF_INET;
	const size_t ip_len = is_v4 ? IP4_HDR_LEN : IP6_HDR_LEN;
	struct ip_build b = {.src = p->src, .dst = p->dst, .proto = IPPROTO_TCP, .ttl = 64};
	struct tcphdr_v h = {.sport = p->sport,
			     .dport = p->dport,
			     .seq = seq,
			     .ack = flags & TCP_ACK ? p->rcv_nxt : 0,
			     .wnd = (uint16_t)(p->own_wnd >> (flags & TCP_SYN ? 0 : p->own_shift)),
			     .flags = flags};
	static uint8_t frame[70000];
	uint8_t *l4 = frame + ETH_HDR_LEN + ip_len;
	size_t head;
	uint16_t sum;

	if (flags & TCP_SYN) {
		h.mss = 1460;
		h.has_wscale = h.has_sack_ok = true;
		h.wscale = p->own_shift;
	}
	if (p->sack_left != p->sack_right) {
		h.n_sack = 1;
		h.sack[0].left = p->sack_left;
		h.sack[0].right = p->sack_right;
	}
	eth_build(frame, &our_mac, &guest_mac, is_v4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	head = tcphdr_build(l4, &h);
	if (len > 0)
		memcpy(l4 + head, data, len);
	if (is_v4)
		ip_build4(frame + ETH_HDR_LEN, &b, head + len);
	else
		ip_build6(frame + ETH_HDR_LEN, &b, head + len);
	sum = cksum_fold(cksum_add(ip_pseudo_sum(&p->src, &p->dst, IPPROTO_TCP, head + len), l4,
				   head + len));
	l4[16] = (uint8_t)(sum >> 8);
	l4[17] = (uint8_t)sum;
	if (rig.damage)
		frame[rig.damage] ^= 1;
	rig.damage = 0;
	assert_int_equal(write(rig.link, frame, ETH_HDR_LEN + ip_len + head + len),
			 ETH_HDR_LEN + ip_len + head + len);
}

void peer_syn(struct peer *p)
{
	peer_send(p, TCP_SYN, p->iss, NULL, 0);
	p->snd_nxt = p->iss + 1;
}

void peer_data(struct peer *p, const void *data, size_t len)
{
	peer_send(p, TCP_ACK | TCP_PSH, p->snd_nxt, data, len);
	p->snd_nxt += (uint32_t)len;
}

void peer_fin(struct peer *p)
{
	peer_send(p, TCP_ACK | TCP_FIN, p->snd_nxt, NULL, 0);
	p->snd_nxt++;
}

bool peer_take(struct peer *p, const struct rig_packet *k, bool is_ack)
{
	const struct tcphdr_v *h = &k->tcp;
	uint32_t was = p->rcv_nxt;

	if (k->ip.proto != IPPROTO_TCP || h->dport != p->sport || h->sport != p->dport ||
	    !ip_equal(&k->ip.src, &p->dst))
		return false;
	if (h->flags & TCP_RST) {
		p->is_reset = true;
		return true;
	}
	if (h->flags & TCP_SYN) {
		assert_int_equal(h->ack, p->iss + 1);
		p->rcv_nxt = h->seq + 1;
		p->shift = h->has_wscale ? h->wscale : 0;
		p->is_synced = true;
		p->snd_una = h->ack;
		p->wnd = h->wnd;
		if (is_ack)
			peer_send(p, TCP_ACK, p->snd_nxt, NULL, 0);
		return true;
	}
	assert_true(h->flags & TCP_ACK);
	assert_true(seq_le(p->snd_una, h->ack) && seq_le(h->ack, p->snd_nxt));
	/* What was promised is never taken back but for what the steps of the field cannot say. */
	assert_true(seq_le(p->snd_una + p->wnd,
			   h->ack + ((uint32_t)h->wnd << p->shift) + (1u << p->shift)));
	p->snd_una = h->ack;
	p->wnd = (uint32_t)h->wnd << p->shift;
	if (k->len == 0 && seq_lt(h->seq, p->rcv_nxt))
		p->n_probes++;
	if (h->seq == p->rcv_nxt && k->len <= p->own_wnd) {
		for (size_t i = 0; i < k->len; i++)
			p->sum_in += (p->n_in + i + 1) * k->data[i];
		p->n_in += k->len;
		p->rcv_nxt += (uint32_t)k->len;
		if (p->is_budget)
			p->own_wnd -= (uint32_t)k->len;
		if (h->flags & TCP_FIN) {
			p->has_fin = true;
			p->rcv_nxt++;
		}
	}
	if (is_ack && (p->rcv_nxt != was || seq_lt(h->seq, was) || k->len > 0))
		peer_send(p, TCP_ACK, p->snd_nxt, NULL, 0);
	return true;
}

void peer_run(struct peer *p)
{
	static struct rig_packet k;
	bool is_any;

	do {
		is_any = false;
		rig_settle();
		while (rig_read(&k))
			is_any |= peer_take(p, &k, true);
	} while (is_any);
}

void peer_open(struct peer *p)
{
	peer_syn(p);
	peer_run(p);
	assert_true(p->is_synced);
}

uint8_t stream_byte(uint64_t i)
{
	return (uint8_t)(i * 37 + i / 253);
}

void stream_fill(uint64_t from, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = stream_byte(from + i);
}

uint64_t stream_sum(uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (i + 1) * stream_byte(i);
	return sum;
}
