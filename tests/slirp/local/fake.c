/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake: see fake.h. A call that no honest code makes (a socket of another kind, a closed one)
 * aborts. */
#include "fake.h"

#include <errno.h>
#include <netinet/in.h>

#include "hex.h"

struct fake fake;

static struct fake_frame *new_frame(void)
{
	return &fake.frames[fake.n_frames++ % 64];
}

int emit_packet(struct emit *x, const struct emit_ip *h, const void *l4, size_t l4_len,
		const struct iovec *data, int n_data)
{
	struct fake_frame *f = new_frame();

	(void)x;
	f->ethertype = 0;
	f->h = *h;
	f->len = l4_len;
	memcpy(f->data, l4, l4_len);
	for (int i = 0; i < n_data; i++) {
		if (f->len + data[i].iov_len > sizeof(f->data))
			abort();
		memcpy(f->data + f->len, data[i].iov_base, data[i].iov_len);
		f->len += data[i].iov_len;
	}
	return 0;
}

int emit_frame(struct emit *x, const struct mac *dst, uint16_t ethertype, const void *data,
	       size_t len)
{
	struct fake_frame *f = new_frame();

	(void)x;
	if (len > sizeof(f->data))
		abort();
	f->ethertype = ethertype;
	f->dst = *dst;
	f->len = len;
	memcpy(f->data, data, len);
	return 0;
}

void emit_learn(struct emit *x, const struct ip *ip, const struct mac *mac)
{
	(void)x;
	fake.learned[fake.n_learned++ % 16] = (struct fake_learned){*ip, *mac};
}

bool emit_has(const struct emit *x, const struct ip *ip)
{
	(void)x;
	for (size_t i = 0; i < fake.n_learned && i < 16; i++)
		if (ip_equal(&fake.learned[i].ip, ip))
			return true;
	return false;
}

bool emit_is_near(const struct emit *x, const struct ip *ip)
{
	return ip_equal(&fake.near, ip) && !emit_has(x, ip);
}

static struct fake_socket *of(int fd)
{
	struct fake_socket *s = &fake.sockets[fd - 1000];

	if (fd < 1000 || fd >= 1000 + FAKE_SOCKETS || !s->is_open)
		abort();
	return s;
}

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events)
{
	(void)l;
	s->fd = fd;
	s->events = events;
	of(fd)->source = s;
	return 0;
}

void loop_remove(struct loop *l, struct source *s)
{
	(void)l;
	if (s->fd >= 0)
		of(s->fd)->source = NULL;
	s->fd = -1;
}

socklen_t host_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		memcpy(&in4->sin_addr, ip->b, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip->b, 16);
	return sizeof(*in6);
}

static int fake_socket(int family, enum host_kind kind)
{
	if (fake.socket_error)
		return -fake.socket_error;
	if (kind != HOST_UDP)
		abort();
	if (fake.n_sockets == FAKE_SOCKETS)
		return -EMFILE;
	fake.sockets[fake.n_sockets] = (struct fake_socket){.is_open = true, .family = family};
	fake.n_open++;
	return 1000 + (int)fake.n_sockets++;
}

static int fake_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct fake_socket *s = of(fd);
	struct sockaddr_storage bad;

	if (sa->sa_family != s->family)
		abort();
	if (fake.unreachable.family == s->family) {
		host_sockaddr(&fake.unreachable, 53, &bad);
		if (memcmp(&bad, sa, len) == 0)
			return -ENETUNREACH;
	}
	memcpy(&s->to, sa, len);
	s->is_connected = true;
	return 0;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct fake_socket *s = of(fd);

	(void)flags;
	if (!s->is_connected || m->msg_name || m->msg_iovlen != 1 ||
	    m->msg_iov->iov_len > sizeof(s->sent))
		abort();
	memcpy(s->sent, m->msg_iov->iov_base, m->msg_iov->iov_len);
	s->n_sent = m->msg_iov->iov_len;
	return (ssize_t)s->n_sent;
}

static ssize_t fake_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct fake_socket *s = of(fd);
	size_t n = s->inbox_len;
	int r = s->inbox_error;

	(void)flags;
	s->inbox_error = 0;
	if (r)
		return -r;
	if (!s->inbox)
		return -EAGAIN;
	if (n > m->msg_iov->iov_len)
		n = m->msg_iov->iov_len;
	memcpy(m->msg_iov->iov_base, s->inbox, n);
	s->inbox = NULL;
	return (ssize_t)n;
}

int host_from_sockaddr(const struct sockaddr_storage *sa, socklen_t len, struct ip *ret_ip,
		       uint16_t *ret_port)
{
	(void)len;
	*ret_ip = (struct ip){.family = sa->ss_family};
	*ret_port = 0;
	if (sa->ss_family == AF_INET)
		memcpy(ret_ip->b, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	else
		memcpy(ret_ip->b, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	return 0;
}

/* The host speaks to its own address from that address. */
static int fake_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	const struct fake_socket *s = of(fd);
	struct ip from = hex_ip(s->family == AF_INET ? "198.51.100.200" : "2001:db8:9::1"), to;
	struct sockaddr_storage ss;
	uint16_t port;

	host_from_sockaddr(&s->to, sizeof(s->to), &to, &port);
	if (ip_equal(&to, &fake.own))
		from = to;
	*len = host_sockaddr(&from, 5000, &ss);
	memcpy(sa, &ss, *len);
	return 0;
}

static void fake_close(int fd)
{
	struct fake_socket *s = of(fd);

	if (s->source) /* it must leave the loop first */
		abort();
	s->is_open = false;
	fake.n_open--;
}

static const struct host_ops fake_ops = {
	.socket = fake_socket,
	.connect = fake_connect,
	.sendmsg = fake_sendmsg,
	.recvmsg = fake_recvmsg,
	.close = fake_close,
	.getsockname = fake_getsockname,
};

int fake_setup(void **state)
{
	struct local_env env = {.plan = &fake.plan,
				.policy = &fake.policy,
				.stats = &fake.stats,
				.host = &fake_ops};

	(void)state;
	memset(&fake, 0, offsetof(struct fake, frames));
	fake.now = 1000;
	fake.plan = (struct plan){
		.net = {{hex_ip("10.0.2.0"), 24}, {hex_ip("fd00::"), 64}},
		.gateway = {hex_ip("10.0.2.2"), hex_ip("fd00::2")},
		.dns = {hex_ip("10.0.2.3"), hex_ip("fd00::3")},
		.guest = {hex_ip("10.0.2.100"), hex_ip("fd00::64")},
		.our_mac = hex_mac("52550a000202"),
		.mtu = 1500,
		.is_dhcp = {true, true},
		.is_ra = true,
	};
	fake.policy.plan = fake.plan;
	if (wheel_new(fake.now, &fake.wheel, NULL) < 0)
		return -1;
	env.wheel = fake.wheel;
	return local_new(&env, &fake.local, NULL);
}

int fake_teardown(void **state)
{
	(void)state;
	local_free(fake.local);
	wheel_free(fake.wheel);
	return fake.n_open == 0 ? 0 : -1;
}

void fake_advance(uint64_t ms)
{
	uint64_t until = fake.now + ms;

	while (wheel_next(fake.wheel) <= until) {
		if (wheel_next(fake.wheel) > fake.now)
			fake.now = wheel_next(fake.wheel);
		wheel_run(fake.wheel, fake.now);
	}
	fake.now = until;
	wheel_run(fake.wheel, fake.now);
}

struct fake_frame *fake_last(void)
{
	return fake.n_frames == 0 ? NULL : &fake.frames[--fake.n_frames % 64];
}

struct fake_socket *fake_socket_at(size_t i)
{
	if (i >= fake.n_sockets)
		abort();
	return &fake.sockets[i];
}

void fake_receive(struct fake_socket *s, const uint8_t *message, size_t len)
{
	if (!s->is_open || !s->source)
		abort();
	s->inbox = message;
	s->inbox_len = len;
	s->source->fn(s->source, EPOLLIN, fake.now);
}

void fake_fail(struct fake_socket *s, int error)
{
	if (!s->is_open || !s->source)
		abort();
	s->inbox_error = error;
	s->source->fn(s->source, EPOLLERR, fake.now);
}

void fake_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport, const uint8_t *data,
	      size_t len)
{
	uint8_t *copy = hex_exact(data, len);
	struct ip_packet k = {.src = hex_ip(src), .dst = hex_ip(dst), .proto = IPPROTO_UDP};
	struct udphdr_v u = {.sport = sport, .dport = dport, .payload = copy, .len = len};

	if (dport == 53)
		local_dns_udp(fake.local, &k, &u, fake.now);
	else if (!local_dhcp(fake.local, &k, &u, fake.now))
		fake.stats.n[STAT_DROP_UDP]++; /* not taken: the test sees it here */
	free(copy);
}
