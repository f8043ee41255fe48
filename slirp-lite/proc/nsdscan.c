/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsdscan: netlink messages are copied out of their bytes, each length is checked against what is
 * left. Whoever is root inside may send datagrams to this socket too, so only the kernel's
 * (nl_pid 0) are looked at. Read netlink(7), sock_diag(7).
 */
#include "proc/nsdscan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/parse.h"

/* include/net/tcp_states.h */
#define STATE_CLOSE 7
#define STATE_LISTEN 10
#define LOOPBACK_INDEX 1
#define ROOM 32768
#define DATAGRAMS_MAX 4096 /* a dump that does not end is none */
#define RANGE_FIRST 32768  /* the kernel's defaults */
#define RANGE_LAST 60999

int nsdscan_open(int *ret_fd)
{
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	CLEAN_FD int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

struct nsdscan_range nsdscan_ephemeral(void)
{
	struct nsdscan_range r = {RANGE_FIRST, RANGE_LAST};
	CLEAN_FREE char *text = NULL;
	uint32_t first, last;
	char *rest;
	size_t len;

	/* That of the namespace we are in. */
	if (fd_read_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", 64, &text, &len,
			 NULL) < 0)
		return r;
	rest = strpbrk(text, "\t ");
	if (!rest)
		return r;
	*rest++ = '\0';
	rest[strcspn(rest, "\n")] = '\0';
	if (parse_u32(text, 1, 65535, &first) == 0 && parse_u32(rest, first, 65535, &last) == 0)
		r = (struct nsdscan_range){(uint16_t)first, (uint16_t)last};
	return r;
}

static void set_bit(uint64_t *bits, uint16_t port)
{
	bits[port / 64] |= 1ULL << (port % 64);
}

static bool is_reached4(const uint8_t *a)
{
	return a[0] != 127 && a[0] < 224 && !(a[0] == 169 && a[1] == 254);
}

/* Families in which the socket is reached from outside. */
static unsigned families_of(const struct inet_diag_msg *m, bool is_v6only)
{
	static const uint8_t any[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t a[16];

	memcpy(a, m->id.idiag_src, sizeof(a));
	if (m->id.idiag_if == LOOPBACK_INDEX)
		return 0;
	if (m->idiag_family == AF_INET)
		return is_reached4(a) ? NSDPORTS_V4 : 0;
	if (memcmp(a, any, sizeof(a)) == 0)
		return is_v6only ? NSDPORTS_V6 : NSDPORTS_V4 | NSDPORTS_V6;
	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		return is_reached4(a + 12) ? NSDPORTS_V4 : 0;
	if (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) ||
	    (memcmp(a, any, 15) == 0 && a[15] == 1))
		return 0;
	return NSDPORTS_V6;
}

static bool find_v6only(const uint8_t *p, size_t left)
{
	struct nlattr a;

	while (left >= sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return false;
		if (a.nla_type == INET_DIAG_SKV6ONLY && a.nla_len > sizeof(a))
			return p[sizeof(a)] != 0;
		size_t step = NLA_ALIGN((size_t)a.nla_len);
		if (step >= left)
			return false;
		p += step;
		left -= step;
	}
	return false;
}

static void note(const uint8_t *p, size_t left, uint8_t proto,
		 const struct nsdscan_range *ephemeral, struct nsdscan_sets *sets)
{
	struct inet_diag_msg m;

	if (left < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	uint16_t port = ntohs(m.id.idiag_sport);
	unsigned at = proto == IPPROTO_UDP ? NSDSCAN_UDP4 : NSDSCAN_TCP4;
	if (port == 0 || (m.idiag_family != AF_INET && m.idiag_family != AF_INET6))
		return;
	if (proto == IPPROTO_UDP &&
	    (m.id.idiag_dport != 0 || (port >= ephemeral->first && port <= ephemeral->last)))
		return;
	unsigned families = families_of(&m, find_v6only(p + sizeof(m), left - sizeof(m)));
	if (families & NSDPORTS_V4)
		set_bit(sets->bits[at], port);
	if (families & NSDPORTS_V6)
		set_bit(sets->bits[at + 1], port);
}

/* NLMSG_ERROR and NLMSG_DONE begin with a number. */
static int number_of(const uint8_t *p, size_t left)
{
	int32_t v = 0;

	if (left >= sizeof(v))
		memcpy(&v, p, sizeof(v));
	return v < 0 && v >= -4095 ? v : 0;
}

int nsdscan_feed(const void *data, size_t len, uint32_t seq, uint8_t proto,
		 const struct nsdscan_range *ephemeral, struct nsdscan_sets *sets)
{
	const uint8_t *p = data;
	struct nlmsghdr h;

	while (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EPROTO;
		const uint8_t *body = p + sizeof(h);
		size_t left = h.nlmsg_len - sizeof(h);
		int sys = number_of(body, left);
		if (h.nlmsg_seq == seq && h.nlmsg_type == NLMSG_DONE)
			return sys < 0 ? sys : 1;
		if (h.nlmsg_seq == seq && h.nlmsg_type == NLMSG_ERROR)
			return sys < 0 ? sys : -EPROTO;
		if (h.nlmsg_seq == seq && h.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			note(body, left, proto, ephemeral, sets);
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return 0;
}

static int ask(int fd, uint8_t family, uint8_t proto, uint32_t seq)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 q;
	} m = {
		.h = {.nlmsg_len = sizeof(m),
		      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		      .nlmsg_seq = seq},
		.q = {.sdiag_family = family,
		      .sdiag_protocol = proto,
		      .idiag_states = 1u << (proto == IPPROTO_TCP ? STATE_LISTEN : STATE_CLOSE)},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
	struct msghdr msg = {.msg_name = &kernel,
			     .msg_namelen = sizeof(kernel),
			     .msg_iov = &iov,
			     .msg_iovlen = 1};

	return sendmsg(fd, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* One datagram of the kernel: bytes, or -errno. The kernel makes the next part of a dump when the
 * one before is taken, so there is no waiting. */
static ssize_t receive(int fd, void *room, size_t size)
{
	for (int k = 0; k < DATAGRAMS_MAX; k++) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = room, .iov_len = size};
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (from.nl_pid == 0 && !(msg.msg_flags & MSG_TRUNC))
			return n;
	}
	return -EBUSY;
}

static int dump(int fd, uint8_t family, uint8_t proto, const struct nsdscan_range *ephemeral,
		struct nsdscan_sets *sets)
{
	static _Alignas(8) uint8_t room[ROOM];
	static uint32_t seq;
	int r = ask(fd, family, proto, ++seq);

	for (int k = 0; r == 0 && k < DATAGRAMS_MAX; k++) {
		ssize_t n = receive(fd, room, sizeof(room));
		r = n < 0 ? (int)n : nsdscan_feed(room, (size_t)n, seq, proto, ephemeral, sets);
	}
	return r == 1 ? 0 : r == 0 ? -EBUSY : r;
}

int nsdscan_run(int fd, const struct nsdscan_range *ephemeral, struct nsdscan_sets *ret)
{
	static const uint8_t families[] = {AF_INET, AF_INET6},
			     protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	for (int p = 0; r == 0 && p < 2; p++)
		for (int f = 0; r == 0 && f < 2; f++)
			r = dump(fd, families[f], protos[p], ephemeral, ret);
	return r;
}

void nsdscan_list(const struct nsdscan_sets *sets, struct nsdports *ret)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

	ret->version = NSDPORTS_VERSION;
	ret->sys = 0;
	ret->n = ret->n_left_out = 0;
	for (int p = 0; p < 2; p++) {
		const uint64_t *four = sets->bits[2 * p], *six = sets->bits[2 * p + 1];

		for (unsigned w = 0; w < 65536 / 64; w++)
			for (uint64_t both = four[w] | six[w]; both; both &= both - 1) {
				unsigned bit = (unsigned)__builtin_ctzll(both);
				struct nsdports_entry e = {.port = (uint16_t)(w * 64 + bit),
							   .proto = protos[p]};
				if (four[w] >> bit & 1)
					e.families |= NSDPORTS_V4;
				if (six[w] >> bit & 1)
					e.families |= NSDPORTS_V6;
				if (ret->n < NSDPORTS_MAX)
					ret->list[ret->n++] = e;
				else
					ret->n_left_out++;
			}
	}
}
