/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake: sockets with the queues, options and errors of a kernel, an emit that keeps what it is
 * given, a loop that is polled by the test, and packets built by the codecs of wire/. Tests
 * nothing.
 */
#include "dgram/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <linux/errqueue.h>

#include "flow/wheel.h"
#include "wire/cksum.h"

/* Broken by a test's own mistake, or by the room: a socket used after its end. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

struct fake fake;

struct ip ip_of(const char *s)
{
	struct ip ip = {0};

	ip.family = strchr(s, ':') ? AF_INET6 : AF_INET;
	MUST(inet_pton(ip.family, s, ip.b) == 1);
	return ip;
}

static struct prefix prefix_of(const char *s, uint8_t len)
{
	return (struct prefix){.ip = ip_of(s), .len = len};
}

int fake_setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.now = 1000;
	fake.socket_max = FAKE_SOCKETS;
	fake.caps = (struct link_caps){true, true, true, true};
	fake.policy.plan = (struct plan){
		.net = {prefix_of("10.0.2.0", 24), prefix_of("fd00::", 64)},
		.gateway = {ip_of("10.0.2.2"), ip_of("fd00::2")},
		.dns = {ip_of("10.0.2.3"), ip_of("fd00::3")},
		.guest = {ip_of("10.0.2.100"), ip_of("fd00::100")},
		.our_mac = {{2, 0, 0, 0, 0, 1}},
		.mtu = 1500,
	};
	return wheel_new(fake.now, &fake.wheel, NULL);
}

void fake_forget(void)
{
	for (unsigned i = 0; i < fake.n_sent; i++)
		free(fake.sent[i].data);
	for (unsigned i = 0; i < fake.n_frame; i++)
		free(fake.frame[i].data);
	fake.n_sent = fake.n_frame = fake.send_calls = 0;
}

int fake_teardown(void **state)
{
	(void)state;
	fake_forget();
	wheel_free(fake.wheel);
	return 0;
}

void fake_time(uint64_t ms)
{
	fake.now += ms;
	wheel_run(fake.wheel, fake.now);
}

static struct fake_socket *socket_at(int fd)
{
	MUST(fd >= 0 && fd < FAKE_SOCKETS);
	MUST(fake.socket[fd].is_open);
	return &fake.socket[fd];
}

int fake_option(int fd, int level, int name)
{
	struct fake_socket *s = socket_at(fd);

	for (int i = s->n_option - 1; i >= 0; i--) {
		if (s->option[i].level == level && s->option[i].name == name)
			return s->option[i].value;
	}
	return -1;
}

void fake_fail(int fd, const struct fake_error *e)
{
	struct fake_socket *s = socket_at(fd);

	MUST(s->n_error <= FAKE_QUEUE - 1);
	s->error[s->n_error++] = *e;
	s->sys = (int)e->sys;
}

void fake_arrive(int fd, const struct fake_datagram *d)
{
	struct fake_socket *s = socket_at(fd);

	MUST(s->n_in <= FAKE_QUEUE - 1);
	s->in[s->n_in++] = *d;
}

void fake_poll(int fd)
{
	struct fake_socket *s = socket_at(fd);
	const uint32_t events = (s->n_in ? EPOLLIN : 0u) | (s->n_error || s->sys ? EPOLLERR : 0u);

	MUST(s->source != NULL);
	s->source->fn(s->source, events, fake.now);
}

/* --- loop ---------------------------------------------------------------------------------- */

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events)
{
	MUST(l == FAKE_LOOP);
	MUST(events == EPOLLIN);
	MUST(s->fn != NULL);
	s->fd = fd;
	socket_at(fd)->source = s;
	return 0;
}

void loop_remove(struct loop *l, struct source *s)
{
	MUST(l == FAKE_LOOP);
	socket_at(s->fd)->source = NULL;
	s->fd = -1;
}

/* --- emit ---------------------------------------------------------------------------------- */

static struct fake_frame *new_frame(void)
{
	MUST(fake.n_frame <= FAKE_FRAMES - 1);
	memset(&fake.frame[fake.n_frame], 0, sizeof(fake.frame[0]));
	return &fake.frame[fake.n_frame++];
}

const struct link_caps *emit_caps(const struct emit *x)
{
	MUST(x == FAKE_EMIT);
	return &fake.caps;
}

int emit_packet(struct emit *x, const struct emit_ip *h, const void *l4, size_t l4_len,
		const struct iovec *data, int n_data)
{
	struct fake_frame *f = new_frame();

	MUST(x == FAKE_EMIT);
	MUST(n_data <= EMIT_IOV_MAX);
	f->h = *h;
	memcpy(f->l4, l4, l4_len);
	f->l4_len = l4_len;
	for (int i = 0; i < n_data; i++)
		f->len += data[i].iov_len;
	f->data = malloc(f->len + 1);
	for (size_t i = 0, at = 0; i < (size_t)n_data; at += data[i++].iov_len)
		memcpy(f->data + at, data[i].iov_base, data[i].iov_len);
	return 0;
}

bool emit_near_hold(struct emit *x, const struct ip *ip)
{
	MUST(x == FAKE_EMIT);
	if (fake.is_near_refused)
		return false;
	MUST(fake.n_near == 0 || ip_equal(&fake.near, ip));
	fake.near = *ip;
	fake.n_near++;
	return true;
}

void emit_near_release(struct emit *x, const struct ip *ip)
{
	MUST(x == FAKE_EMIT);
	MUST(fake.n_near > 0 && ip_equal(&fake.near, ip));
	fake.n_near--;
}

int emit_icmp_error(struct emit *x, const struct ip *from, uint8_t type, uint8_t code,
		    uint32_t info, const uint8_t *cause, size_t cause_len, uint64_t now)
{
	struct fake_frame *f = new_frame();

	MUST(x == FAKE_EMIT);
	MUST(now == fake.now);
	f->is_error = true;
	f->from = *from;
	f->type = type;
	f->code = code;
	f->info = info;
	f->len = cause_len;
	f->data = malloc(cause_len + 1);
	memcpy(f->data, cause, cause_len);
	return 0;
}

/* --- host ---------------------------------------------------------------------------------- */

static int fake_socket(int family, enum host_kind kind)
{
	if (fake.socket_sys)
		return -fake.socket_sys;
	if (fake.n_open >= fake.socket_max)
		return -EMFILE;
	for (int fd = 0; fd < FAKE_SOCKETS; fd++) {
		struct fake_socket *s = &fake.socket[fd];

		if (s->is_open)
			continue;
		memset(s, 0, sizeof(*s));
		s->is_open = true;
		s->family = family;
		s->kind = kind;
		fake.n_open++;
		return fd;
	}
	return -EMFILE;
}

static int fake_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage ss = {0};
	uint16_t port;

	memcpy(&ss, sa, len);
	return host_from_sockaddr(&ss, len, &socket_at(fd)->bound, &port);
}

static void fake_close(int fd)
{
	MUST(socket_at(fd)->source == NULL); /* out of the loop before */
	fake.socket[fd].is_open = false;
	fake.n_open--;
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct fake_socket *s = socket_at(fd);
	struct fake_option *o;

	s->n_setsockopt++;
	MUST(len == sizeof(int));
	for (int i = 0; i < s->n_option; i++) {
		if (s->option[i].level == level && s->option[i].name == name) {
			memcpy(&s->option[i].value, value, len);
			return 0;
		}
	}
	MUST(s->n_option <= 31);
	o = &s->option[s->n_option++];
	o->level = level;
	o->name = name;
	memcpy(&o->value, value, len);
	return 0;
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct fake_socket *s = socket_at(fd);

	MUST(level == SOL_SOCKET);
	MUST(name == SO_ERROR);
	MUST(*len == sizeof(int));
	memcpy(value, &s->sys, sizeof(int));
	s->sys = 0;
	return 0;
}

/* Where it is to come from. */
static bool take_source(const struct cmsghdr *c, struct ip *ret)
{
	struct in_pktinfo v4;
	struct in6_pktinfo v6;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&v4, CMSG_DATA(c), sizeof(v4));
		ret->family = AF_INET;
		memcpy(ret->b, &v4.ipi_spec_dst, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&v6, CMSG_DATA(c), sizeof(v6));
		ret->family = AF_INET6;
		memcpy(ret->b, &v6.ipi6_addr, 16);
	} else {
		return false;
	}
	return true;
}

static uint16_t segment_of(const struct msghdr *h, struct ip *ret_from)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR((struct msghdr *)h, c)) {
		uint16_t seg;

		if (take_source(c, ret_from))
			continue;
		MUST(c->cmsg_level == IPPROTO_UDP);
		MUST(c->cmsg_type == UDP_SEGMENT);
		MUST(c->cmsg_len == CMSG_LEN(sizeof(seg)));
		memcpy(&seg, CMSG_DATA(c), sizeof(seg));
		return seg;
	}
	return 0;
}

static bool is_df(int fd)
{
	return socket_at(fd)->family == AF_INET
		       ? fake_option(fd, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_DO
		       : fake_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER) == IPV6_PMTUDISC_DO;
}

/* As a kernel would answer; 0: goes. */
static int verdict(int fd, const struct fake_sent *f)
{
	struct fake_socket *s = socket_at(fd);
	const size_t hdr = s->family == AF_INET ? 28 : 48;
	const int sys = s->sys;

	s->sys = 0;
	if (sys)
		return sys;
	if (fake.send_sys) {
		if (fake.reject_code)
			fake_fail(fd, &(struct fake_error){.sys = EHOSTUNREACH,
							   .type = ICMP_V4_UNREACH,
							   .code = (uint8_t)fake.reject_code,
							   .from = ip_of("198.51.100.1"),
							   .dst = f->to,
							   .port = f->port});
		return fake.send_sys;
	}
	if (f->seg && fake.gso_sys)
		return fake.gso_sys;
	if (f->seg && fake.mtu && f->seg + hdr > fake.mtu)
		return EINVAL;
	if (!f->seg && fake.mtu && f->len + hdr > fake.mtu && is_df(fd)) {
		/* Without a port, as ip_local_error does of a socket that is not connected. */
		fake_fail(fd, &(struct fake_error){.is_local = true,
						   .sys = EMSGSIZE,
						   .info = (uint32_t)fake.mtu,
						   .dst = f->to});
		s->sys = 0;
		return EMSGSIZE;
	}
	return 0;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *h, int flags)
{
	struct fake_sent *f = &fake.sent[fake.n_sent];
	struct sockaddr_storage ss = {0};
	struct fake_socket *s = socket_at(fd);
	int sys;

	(void)flags;
	fake.send_calls++;
	MUST(fake.n_sent <= FAKE_SENT - 1);
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	f->kind = s->kind;
	memcpy(&ss, h->msg_name, h->msg_namelen);
	MUST(host_from_sockaddr(&ss, h->msg_namelen, &f->to, &f->port) == 0);
	f->seg = segment_of(h, &f->from);
	for (size_t i = 0; i < h->msg_iovlen; i++)
		f->len += h->msg_iov[i].iov_len;
	sys = verdict(fd, f);
	if (sys)
		return -sys;
	MUST(f->len <= 65527);
	f->data = malloc(f->len + 1);
	for (size_t i = 0, at = 0; i < h->msg_iovlen; at += h->msg_iov[i++].iov_len)
		memcpy(f->data + at, h->msg_iov[i].iov_base, h->msg_iov[i].iov_len);
	f->ttl = s->family == AF_INET ? fake_option(fd, IPPROTO_IP, IP_TTL)
				      : fake_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
	f->tos = s->family == AF_INET ? fake_option(fd, IPPROTO_IP, IP_TOS)
				      : fake_option(fd, IPPROTO_IPV6, IPV6_TCLASS);
	f->df = is_df(fd);
	fake.n_sent++;
	return (ssize_t)f->len;
}

static int fake_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	for (unsigned i = 0; i < n; i++) {
		ssize_t r = fake_sendmsg(fd, &m[i].msg_hdr, flags);

		if (r < 0)
			return i ? (int)i : (int)r;
		m[i].msg_len = (unsigned)r;
	}
	return (int)n;
}

static void put_cmsg(struct msghdr *h, size_t *used, int level, int type, const void *p, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)h->msg_control + *used);

	MUST(*used + CMSG_SPACE(len) <= h->msg_controllen);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), p, len);
	*used += CMSG_SPACE(len);
}

static ssize_t take_error(struct fake_socket *s, struct msghdr *h)
{
	struct fake_error e = s->error[0];
	struct {
		struct sock_extended_err ee;
		struct sockaddr_storage from;
	} c = {0};
	const bool is_v4 = s->family == AF_INET;
	struct sockaddr_storage ss;
	size_t used = 0, len = sizeof(c.ee);

	if (!s->n_error)
		return -EAGAIN;
	memmove(&s->error[0], &s->error[1], --s->n_error * sizeof(s->error[0]));
	s->sys = s->n_error && !s->error[0].is_local ? (int)s->error[0].sys : 0;
	c.ee.ee_errno = e.sys;
	c.ee.ee_origin =
		e.is_local ? SO_EE_ORIGIN_LOCAL : (is_v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
	c.ee.ee_type = e.type;
	c.ee.ee_code = e.code;
	c.ee.ee_info = e.info;
	if (e.from.family)
		len += host_sockaddr(&e.from, 0, &c.from);
	if (e.dst.family) {
		h->msg_namelen = host_sockaddr(&e.dst, e.port, &ss);
		memcpy(h->msg_name, &ss, h->msg_namelen);
	} else {
		h->msg_namelen = 0;
	}
	memset(h->msg_control, 0, h->msg_controllen);
	put_cmsg(h, &used, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, &c,
		 len);
	h->msg_controllen = used;
	h->msg_flags = MSG_ERRQUEUE;
	memcpy(h->msg_iov[0].iov_base, e.data, e.len);
	return (ssize_t)e.len;
}

static ssize_t fake_recvmsg(int fd, struct msghdr *h, int flags)
{
	struct fake_socket *s = socket_at(fd);
	struct fake_datagram d = s->in[0];
	struct in_pktinfo v4 = {0};
	struct in6_pktinfo v6 = {0};
	struct sockaddr_storage ss;
	size_t used = 0;
	int seg = d.seg;

	if (flags & MSG_ERRQUEUE)
		return take_error(s, h);
	if (s->sys) {
		int sys = s->sys;

		s->sys = 0;
		return -sys;
	}
	if (!s->n_in)
		return -EAGAIN;
	memmove(&s->in[0], &s->in[1], --s->n_in * sizeof(s->in[0]));
	h->msg_namelen = host_sockaddr(&d.from, d.port, &ss);
	memcpy(h->msg_name, &ss, h->msg_namelen);
	memset(h->msg_control, 0, h->msg_controllen);
	if (d.tos && s->family == AF_INET) {
		uint8_t tos = (uint8_t)d.tos;

		put_cmsg(h, &used, IPPROTO_IP, IP_TOS, &tos, 1);
	} else if (d.tos) {
		put_cmsg(h, &used, IPPROTO_IPV6, IPV6_TCLASS, &d.tos, sizeof(d.tos));
	}
	if (d.seg)
		put_cmsg(h, &used, IPPROTO_UDP, UDP_GRO, &seg, sizeof(seg));
	memcpy(&v4.ipi_spec_dst, d.local.b, 4);
	memcpy(&v6.ipi6_addr, d.local.b, 16);
	if (d.local.family == AF_INET)
		put_cmsg(h, &used, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	else if (d.local.family == AF_INET6)
		put_cmsg(h, &used, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
	h->msg_controllen = used;
	h->msg_flags = 0;
	MUST(d.len <= h->msg_iov[0].iov_len);
	memcpy(h->msg_iov[0].iov_base, d.data, d.len);
	return (ssize_t)d.len;
}

static int fake_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	for (unsigned i = 0; i < n; i++) {
		ssize_t r = fake_recvmsg(fd, &m[i].msg_hdr, flags);

		if (r < 0)
			return i ? (int)i : (int)r;
		m[i].msg_len = (unsigned)r;
	}
	return (int)n;
}

const struct host_ops fake_host = {
	.socket = fake_socket,
	.bind = fake_bind,
	.sendmsg = fake_sendmsg,
	.recvmsg = fake_recvmsg,
	.sendmmsg = fake_sendmmsg,
	.recvmmsg = fake_recvmmsg,
	.setsockopt = fake_setsockopt,
	.getsockopt = fake_getsockopt,
	.close = fake_close,
};

/* --- packets of the container -------------------------------------------------------------- */

static uint8_t buffer[66000];

static const struct ip_packet *finish(const struct packet *p, uint8_t proto, size_t csum_at,
				      size_t l4_len)
{
	static struct ip_packet k;
	const struct ip_build b = {
		.src = ip_of(p->src),
		.dst = ip_of(p->dst),
		.proto = proto,
		.ttl = p->ttl ? p->ttl : 64,
		.tos = p->tos,
		.is_df = p->is_df,
		.id = p->id,
	};
	const bool is_v4 = b.src.family == AF_INET;
	const size_t hdr = is_v4 ? IP4_HDR_LEN : IP6_HDR_LEN;
	uint8_t *l4 = buffer + hdr;
	struct ip_problem problem;
	uint32_t sum = proto == IPPROTO_ICMP ? 0 : ip_pseudo_sum(&b.src, &b.dst, proto, l4_len);
	uint16_t csum = cksum_fold(cksum_add(sum, l4, l4_len));

	if (proto == IPPROTO_UDP && csum == 0)
		csum = 0xffff;
	if (p->has_bad_csum)
		csum ^= 0x0101;
	if (!p->has_no_csum) {
		l4[csum_at] = (uint8_t)(csum >> 8);
		l4[csum_at + 1] = (uint8_t)csum;
	}
	if (is_v4) {
		ip_build4(buffer, &b, l4_len);
		MUST(ip_parse4(buffer, hdr + l4_len, &k) == IP_OK);
	} else {
		ip_build6(buffer, &b, l4_len);
		MUST(ip_parse6(buffer, hdr + l4_len, &k, &problem) == IP_OK);
	}
	return &k;
}

static uint8_t *l4_of(const struct packet *p)
{
	return buffer + (strchr(p->src, ':') ? IP6_HDR_LEN : IP4_HDR_LEN);
}

const struct ip_packet *packet_udp(const struct packet *p)
{
	uint8_t *l4 = l4_of(p);

	udphdr_build(l4, p->sport, p->dport, 0, p->len);
	if (p->len)
		memcpy(l4 + UDP_HDR_LEN, p->data, p->len);
	return finish(p, IPPROTO_UDP, 6, UDP_HDR_LEN + p->len);
}

const struct ip_packet *packet_echo(const struct packet *p)
{
	const bool is_v4 = !strchr(p->src, ':');
	uint8_t *l4 = l4_of(p);

	icmp_build(l4, is_v4 ? ICMP_V4_ECHO : ICMP_V6_ECHO, 0, (uint32_t)p->sport << 16 | p->dport);
	if (p->len)
		memcpy(l4 + ICMP_HDR_LEN, p->data, p->len);
	return finish(p, is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 2, ICMP_HDR_LEN + p->len);
}
