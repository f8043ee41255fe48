/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsdscan with a kernel that is played (the linker puts the functions below in the place of the
 * system's): which sockets count as served and for whom, dumps that end, fail, come from somebody
 * else or never end, and messages that make no sense.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "proc/nsdscan.h"

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
int __wrap_fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
			struct err *e);

#define SEQ 7

static const struct nsdscan_range usual = {32768, 60999};
static struct nsdscan_sets sets;

static struct {
	int socket_errno, bind_errno, send_errno, recv_errno;
	int n_eintr, n_foreign, n_cut; /* before each answer */
	bool is_endless, is_spam;
	int error; /* instead of the end */
	const char *range;
	/* What came. */
	unsigned n_asked;
	uint32_t seq;
	struct inet_diag_req_v2 asked;
	int turn;
} k;

static int refuse(int sys)
{
	errno = sys;
	return sys ? -1 : 0;
}

int __wrap_socket(int domain, int type, int protocol)
{
	assert_int_equal(domain, AF_NETLINK);
	assert_int_equal(type, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(protocol, NETLINK_SOCK_DIAG);
	return k.socket_errno ? refuse(k.socket_errno) : eventfd(0, EFD_CLOEXEC);
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)fd;
	(void)sa;
	(void)len;
	return refuse(k.bind_errno);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct nlmsghdr h;

	(void)fd;
	assert_int_equal(flags, MSG_DONTWAIT);
	memcpy(&h, m->msg_iov[0].iov_base, sizeof(h));
	memcpy(&k.asked, (char *)m->msg_iov[0].iov_base + sizeof(h), sizeof(k.asked));
	assert_int_equal(((struct sockaddr_nl *)m->msg_name)->nl_pid, 0);
	k.seq = h.nlmsg_seq;
	k.n_asked++;
	k.turn = 0;
	return refuse(k.send_errno) < 0 ? -1 : (ssize_t)h.nlmsg_len;
}

/* One message; returns its aligned length. */
static size_t put(void *at, uint16_t type, uint32_t seq, const void *body, size_t len)
{
	struct nlmsghdr h = {
		.nlmsg_len = (uint32_t)(sizeof(h) + len), .nlmsg_type = type, .nlmsg_seq = seq};

	memcpy(at, &h, sizeof(h));
	if (len)
		memcpy((char *)at + sizeof(h), body, len);
	return NLMSG_ALIGN(h.nlmsg_len);
}

static struct inet_diag_msg sock4(uint16_t port, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct inet_diag_msg m = {.idiag_family = AF_INET, .id = {.idiag_sport = htons(port)}};
	const uint8_t ip[4] = {a, b, c, d};

	memcpy(m.id.idiag_src, ip, sizeof(ip));
	return m;
}

static struct inet_diag_msg sock6(uint16_t port, uint8_t first, uint8_t second, uint8_t last)
{
	struct inet_diag_msg m = {.idiag_family = AF_INET6, .id = {.idiag_sport = htons(port)}};
	const uint8_t ip[16] = {first, second, [15] = last};

	memcpy(m.id.idiag_src, ip, sizeof(ip));
	return m;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct sockaddr_nl *from = m->msg_name;
	char *room = m->msg_iov[0].iov_base;
	struct inet_diag_msg one;
	size_t n = 0;

	(void)fd;
	assert_int_equal(flags, MSG_DONTWAIT);
	from->nl_pid = 0;
	m->msg_flags = 0;
	if (k.recv_errno)
		return refuse(k.recv_errno);
	k.turn++;
	if (k.turn <= k.n_eintr)
		return refuse(EINTR);
	one = sock4(99, 0, 0, 0, 0);
	if (k.is_spam || k.turn <= k.n_eintr + k.n_foreign) { /* of somebody in there */
		from->nl_pid = 4711;
		return (ssize_t)put(room, SOCK_DIAG_BY_FAMILY, k.seq, &one, sizeof(one));
	}
	if (k.turn <= k.n_eintr + k.n_foreign + k.n_cut) {
		m->msg_flags = MSG_TRUNC;
		return (ssize_t)put(room, SOCK_DIAG_BY_FAMILY, k.seq, &one, sizeof(one));
	}
	one = k.asked.sdiag_family == AF_INET ? sock4(80, 0, 0, 0, 0) : sock6(443, 0x20, 1, 7);
	n += put(room, SOCK_DIAG_BY_FAMILY, k.seq, &one, sizeof(one));
	if (k.is_endless)
		return (ssize_t)n;
	if (k.error)
		n += put(room + n, NLMSG_ERROR, k.seq, &(int32_t){-k.error}, 4);
	else
		n += put(room + n, NLMSG_DONE, k.seq, &(int32_t){0}, 4);
	return (ssize_t)n;
}

int __wrap_fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
			struct err *e)
{
	(void)dirfd;
	(void)max;
	(void)e;
	assert_string_equal(path, "/proc/sys/net/ipv4/ip_local_port_range");
	if (!k.range)
		return -ENOENT;
	*ret = strdup(k.range);
	*ret_len = strlen(k.range);
	return *ret ? 0 : -ENOMEM;
}

static int play(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	memset(&sets, 0, sizeof(sets));
	return 0;
}

static bool has(int set, uint16_t port)
{
	return sets.bits[set][port / 64] >> (port % 64) & 1;
}

static void test_open(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(nsdscan_open(&fd), 0);
	assert_true(fd >= 0);
	close(fd);
	fd = -1;
	k.bind_errno = EPERM;
	assert_int_equal(nsdscan_open(&fd), -EPERM);
	k.socket_errno = EPROTONOSUPPORT;
	assert_int_equal(nsdscan_open(&fd), -EPROTONOSUPPORT);
	assert_int_equal(fd, -1);
}

static void test_ranges(void **state)
{
	static const struct {
		const char *text;
		uint16_t first, last;
	} table[] = {
		{"1024\t2047\n", 1024, 2047}, {"1024 2047\n", 1024, 2047},
		{"1\t65535\n", 1, 65535},     {"7\t7", 7, 7},
		{NULL, 32768, 60999},         {"", 32768, 60999},
		{"1024\n", 32768, 60999},     {"0\t7\n", 32768, 60999},
		{"8\t7\n", 32768, 60999},     {"8\t65536\n", 32768, 60999},
		{"x\t7\n", 32768, 60999},     {"1\tx\n", 32768, 60999},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct nsdscan_range r;

		k.range = table[i].text;
		r = nsdscan_ephemeral();
		assert_int_equal(r.first, table[i].first);
		assert_int_equal(r.last, table[i].last);
	}
}

static void test_run(void **state)
{
	(void)state;
	k.n_eintr = 2;
	k.n_foreign = 3;
	k.n_cut = 2;
	assert_int_equal(nsdscan_run(5, &usual, &sets), 0);
	assert_int_equal(k.n_asked, 4);
	assert_int_equal(k.asked.sdiag_family, AF_INET6);
	assert_int_equal(k.asked.sdiag_protocol, IPPROTO_UDP);
	assert_true(has(NSDSCAN_TCP4, 80) && has(NSDSCAN_TCP6, 443));
	assert_true(has(NSDSCAN_UDP4, 80) && has(NSDSCAN_UDP6, 443));
	assert_false(has(NSDSCAN_TCP4, 443) || has(NSDSCAN_TCP6, 80));
	assert_false(has(NSDSCAN_TCP4, 99)); /* not the kernel's word */
}

static void test_failures(void **state)
{
	(void)state;
	k.send_errno = ENOBUFS;
	assert_int_equal(nsdscan_run(5, &usual, &sets), -ENOBUFS);
	assert_int_equal(k.n_asked, 1);
	play(state);
	k.recv_errno = EAGAIN;
	assert_int_equal(nsdscan_run(5, &usual, &sets), -EAGAIN);
	play(state);
	k.error = ENOENT;
	assert_int_equal(nsdscan_run(5, &usual, &sets), -ENOENT);
	/* What does not end is given up, the kernel's and that of who floods us. */
	play(state);
	k.is_endless = true;
	assert_int_equal(nsdscan_run(5, &usual, &sets), -EBUSY);
	play(state);
	k.is_spam = true;
	assert_int_equal(nsdscan_run(5, &usual, &sets), -EBUSY);
	assert_false(has(NSDSCAN_TCP4, 99));
}

static void feed(const struct inet_diag_msg *m, uint8_t proto, const void *more, size_t len)
{
	char room[512], body[256];

	memset(&sets, 0, sizeof(sets));
	memcpy(body, m, sizeof(*m));
	if (len)
		memcpy(body + sizeof(*m), more, len);
	assert_int_equal(nsdscan_feed(room,
				      put(room, SOCK_DIAG_BY_FAMILY, SEQ, body, sizeof(*m) + len),
				      SEQ, proto, &usual, &sets),
			 0);
}

/* Bits of families by which port 80 is served. */
static unsigned served(struct inet_diag_msg m, uint8_t proto)
{
	int at = proto == IPPROTO_UDP ? NSDSCAN_UDP4 : NSDSCAN_TCP4;

	feed(&m, proto, NULL, 0);
	return (has(at, 80) ? NSDPORTS_V4 : 0u) | (has(at + 1, 80) ? NSDPORTS_V6 : 0u);
}

static void test_addresses(void **state)
{
	struct inet_diag_msg m = sock6(80, 0, 0, 0);
	struct inet_diag_msg mapped = sock6(80, 0, 0, 1);

	(void)state;
	assert_int_equal(served(sock4(80, 0, 0, 0, 0), IPPROTO_TCP), NSDPORTS_V4);
	assert_int_equal(served(sock4(80, 10, 0, 2, 100), IPPROTO_UDP), NSDPORTS_V4);
	assert_int_equal(served(sock4(80, 127, 0, 0, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock4(80, 223, 0, 0, 1), IPPROTO_TCP), NSDPORTS_V4);
	assert_int_equal(served(sock4(80, 224, 0, 0, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock4(80, 169, 254, 0, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock4(80, 169, 253, 0, 1), IPPROTO_TCP), NSDPORTS_V4);
	assert_int_equal(served(m, IPPROTO_TCP), NSDPORTS_V4 | NSDPORTS_V6);
	assert_int_equal(served(sock6(80, 0x20, 1, 1), IPPROTO_TCP), NSDPORTS_V6);
	assert_int_equal(served(sock6(80, 0, 0, 1), IPPROTO_TCP), 0); /* ::1 */
	assert_int_equal(served(sock6(80, 0, 0, 2), IPPROTO_TCP), NSDPORTS_V6);
	assert_int_equal(served(sock6(80, 0xff, 2, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock6(80, 0xfe, 0x80, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock6(80, 0xfe, 0xbf, 1), IPPROTO_TCP), 0);
	assert_int_equal(served(sock6(80, 0xfe, 0xc0, 1), IPPROTO_TCP), NSDPORTS_V6);
	mapped.id.idiag_src[2] = htonl(0xffff);
	mapped.id.idiag_src[3] = htonl(0x0a000264);
	assert_int_equal(served(mapped, IPPROTO_TCP), NSDPORTS_V4);
	mapped.id.idiag_src[3] = htonl(0x7f000001);
	assert_int_equal(served(mapped, IPPROTO_TCP), 0);
	m.id.idiag_if = 1; /* the loopback device */
	assert_int_equal(served(m, IPPROTO_TCP), 0);
	m.id.idiag_if = 2;
	assert_int_equal(served(m, IPPROTO_TCP), NSDPORTS_V4 | NSDPORTS_V6);
	m.idiag_family = AF_UNIX;
	assert_int_equal(served(m, IPPROTO_TCP), 0);
	assert_int_equal(served(sock4(0, 0, 0, 0, 0), IPPROTO_TCP), 0);
}

/* UDP: clients are not served. */
static void test_clients(void **state)
{
	struct inet_diag_msg m = sock4(80, 0, 0, 0, 0);
	static const uint16_t ports[] = {32767, 32768, 60999, 61000};

	(void)state;
	m.id.idiag_dport = htons(53);
	assert_int_equal(served(m, IPPROTO_UDP), 0);
	assert_int_equal(served(m, IPPROTO_TCP), NSDPORTS_V4);
	for (int i = 0; i < 4; i++) {
		m = sock4(ports[i], 0, 0, 0, 0);
		feed(&m, IPPROTO_UDP, NULL, 0);
		assert_int_equal(has(NSDSCAN_UDP4, ports[i]), i == 0 || i == 3);
		feed(&m, IPPROTO_TCP, NULL, 0);
		assert_true(has(NSDSCAN_TCP4, ports[i]));
	}
}

static size_t attr(char *at, uint16_t type, uint16_t len, uint8_t value)
{
	struct nlattr a = {.nla_len = len, .nla_type = type};

	memset(at, 0, 8);
	memcpy(at, &a, sizeof(a));
	at[sizeof(a)] = (char)value;
	return 8;
}

/* IPV6_V6ONLY, among other attributes and in ones that are broken. */
static void test_v6only(void **state)
{
	static const struct {
		uint16_t first_type, first_len, type, len;
		uint8_t value;
		bool is_only;
	} table[] = {
		{INET_DIAG_TOS, 5, INET_DIAG_SKV6ONLY, 5, 1, true},
		{INET_DIAG_TOS, 5, INET_DIAG_SKV6ONLY, 5, 0, false},
		{INET_DIAG_TOS, 5, INET_DIAG_SKV6ONLY, 4, 1, false},
		{INET_DIAG_SKV6ONLY, 5, INET_DIAG_TOS, 5, 1, true},
		{INET_DIAG_TOS, 3, INET_DIAG_SKV6ONLY, 5, 1, false},
		{INET_DIAG_TOS, 17, INET_DIAG_SKV6ONLY, 5, 1, false},
		{INET_DIAG_TOS, 16, INET_DIAG_SKV6ONLY, 5, 1, false},
		{INET_DIAG_TOS, 5, INET_DIAG_SKV6ONLY, 9, 1, false},
	};
	const struct inet_diag_msg m = sock6(80, 0, 0, 0);
	char more[32];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = attr(more, table[i].first_type, table[i].first_len, 1);

		n += attr(more + n, table[i].type, table[i].len, table[i].value);
		feed(&m, IPPROTO_TCP, more, n);
		assert_true(has(NSDSCAN_TCP6, 80));
		if (has(NSDSCAN_TCP4, 80) == table[i].is_only)
			fail_msg("attributes %zu", i);
	}
	feed(&m, IPPROTO_TCP, more, 3); /* none */
	assert_true(has(NSDSCAN_TCP4, 80));
}

static int feed_bytes(const void *p, size_t len)
{
	return nsdscan_feed(p, len, SEQ, IPPROTO_TCP, &usual, &sets);
}

static void test_messages(void **state)
{
	const struct inet_diag_msg m = sock4(80, 0, 0, 0, 0);
	char room[512] = {0};
	size_t n;

	(void)state;
	assert_int_equal(feed_bytes(room, 0), 0);
	n = put(room, SOCK_DIAG_BY_FAMILY, SEQ + 1, &m, sizeof(m)); /* of another dump */
	n += put(room + n, SOCK_DIAG_BY_FAMILY, SEQ, &m, sizeof(m) - 1);
	n += put(room + n, NLMSG_NOOP, SEQ, &m, sizeof(m));
	n += put(room + n, NLMSG_DONE, SEQ + 1, NULL, 0);
	n += put(room + n, NLMSG_ERROR, SEQ + 1, NULL, 0);
	assert_int_equal(feed_bytes(room, n), 0);
	assert_false(has(NSDSCAN_TCP4, 80));
	/* The last one without the bytes that align it. */
	n = put(room, SOCK_DIAG_BY_FAMILY, SEQ, &m, sizeof(m));
	put(room + n, NLMSG_NOOP, SEQ, &m, 5);
	assert_int_equal(feed_bytes(room, n + sizeof(struct nlmsghdr) + 5), 0);
	assert_true(has(NSDSCAN_TCP4, 80));
	assert_int_equal(feed_bytes(room, n + sizeof(struct nlmsghdr) + 4), -EPROTO);
	memset(room, 0, sizeof(room));
	assert_int_equal(feed_bytes(room, sizeof(struct nlmsghdr)), -EPROTO);
	/* How it ended. */
	assert_int_equal(feed_bytes(room, put(room, NLMSG_DONE, SEQ, NULL, 0)), 1);
	assert_int_equal(feed_bytes(room, put(room, NLMSG_DONE, SEQ, &(int32_t){-EPERM}, 4)),
			 -EPERM);
	assert_int_equal(feed_bytes(room, put(room, NLMSG_DONE, SEQ, &(int32_t){-4096}, 4)), 1);
	assert_int_equal(feed_bytes(room, put(room, NLMSG_ERROR, SEQ, &(int32_t){-EPERM}, 4)),
			 -EPERM);
	assert_int_equal(feed_bytes(room, put(room, NLMSG_ERROR, SEQ, &(int32_t){0}, 4)), -EPROTO);
	assert_int_equal(feed_bytes(room, put(room, NLMSG_ERROR, SEQ, NULL, 0)), -EPROTO);
}

/* In order, each with its families; more than there is room for is counted. */
static void test_list(void **state)
{
	static struct nsdports p;

	(void)state;
	sets.bits[NSDSCAN_TCP4][80 / 64] |= 1ULL << 80 % 64;
	sets.bits[NSDSCAN_TCP6][80 / 64] |= 1ULL << 80 % 64;
	sets.bits[NSDSCAN_TCP6][1] |= 1ULL << 63;
	sets.bits[NSDSCAN_UDP4][65535 / 64] |= 1ULL << 63;
	nsdscan_list(&sets, &p);
	assert_int_equal(p.n, 3);
	assert_int_equal(p.list[0].port, 80);
	assert_int_equal(p.list[0].families, NSDPORTS_V4 | NSDPORTS_V6);
	assert_int_equal(p.list[1].port, 127);
	assert_int_equal(p.list[1].families, NSDPORTS_V6);
	assert_int_equal(p.list[2].port, 65535);
	assert_int_equal(p.list[2].proto, IPPROTO_UDP);
	memset(&sets, 0xff, sizeof(sets));
	nsdscan_list(&sets, &p);
	assert_int_equal(p.n, NSDPORTS_MAX);
	assert_int_equal(p.n_left_out, 2 * 65536 - NSDPORTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open, play),
		cmocka_unit_test_setup(test_ranges, play),
		cmocka_unit_test_setup(test_run, play),
		cmocka_unit_test_setup(test_failures, play),
		cmocka_unit_test_setup(test_addresses, play),
		cmocka_unit_test_setup(test_clients, play),
		cmocka_unit_test_setup(test_v6only, play),
		cmocka_unit_test_setup(test_messages, play),
		cmocka_unit_test_setup(test_list, play),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
