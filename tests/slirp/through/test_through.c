/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wait for the other half: which SYN goes into the tap, what is joined with what, what is given
 * up, and whose share is used up. The host is made of socketpairs, the link of one, the clock is
 * held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "through/through.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcphdr.h"

#define FIRST_MS 5000
#define SOURCE_MAX 3

static struct {
	struct plan plan;
	struct stats stats;
	struct link link;
	struct loop *loop;
	struct wheel *wheel;
	struct emit *emit;
	struct through *through;
	int tap, listener[2]; /* the container's end; [0] is the room's */
	uint64_t now;
	int outer;    /* the room's end of the host's socket that was taken last */
	int accepted; /* what accept() gives, once */
	struct flow_key key;
} t;

static int fake_socket(int family, enum host_kind kind)
{
	(void)family;
	(void)kind;
	return -EMFILE;
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return level == SOL_SOCKET ? setsockopt(fd, level, name, value, len) : 0;
}

static int fake_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_storage ss;
	int r = t.accepted;

	(void)fd;
	*len = host_sockaddr(&t.key.guest, t.key.guest_port, &ss);
	memcpy(sa, &ss, *len);
	t.accepted = -EAGAIN;
	return r;
}

static int fake_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_storage ss;

	(void)fd;
	*len = host_sockaddr(&t.key.peer, t.key.peer_port, &ss);
	memcpy(sa, &ss, *len);
	return 0;
}

static void fake_close(int fd)
{
	close(fd);
}

static const struct host_ops fake = {.socket = fake_socket,
				     .setsockopt = fake_setsockopt,
				     .accept = fake_accept,
				     .getsockname = fake_getsockname,
				     .close = fake_close};

static struct ip ip(const char *text)
{
	struct ip a;

	assert_int_equal(ip_parse(text, &a, NULL), 0);
	return a;
}

static struct flow_key key_of(const char *guest, uint16_t port)
{
	return (struct flow_key){.guest = ip(guest),
				 .peer = ip("198.51.100.7"),
				 .guest_port = port,
				 .peer_port = 80};
}

static void pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static int start(void **state)
{
	struct through_env env = {.max = 65536, .source_max = SOURCE_MAX};
	int fds[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	t.accepted = -EAGAIN;
	t.now = FIRST_MS;
	t.plan.net[FAM4] = (struct prefix){ip("10.0.2.0"), 24};
	t.plan.gateway[FAM4] = ip("10.0.2.2");
	t.plan.guest[FAM4] = ip("10.0.2.100");
	t.plan.our_mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	t.plan.mtu = 1500;
	pair(SOCK_SEQPACKET, fds);
	pair(SOCK_DGRAM, t.listener);
	t.tap = fds[1];
	assert_int_equal(link_init(&t.link, fds[0], true, NULL), 0);
	assert_int_equal(loop_new(&t.loop, NULL), 0);
	assert_int_equal(wheel_new(t.now, &t.wheel, NULL), 0);
	assert_int_equal(emit_new(&t.plan, &t.link, &t.stats, &t.emit, NULL), 0);
	loop_hold(t.loop, t.now);
	env.emit = t.emit;
	env.loop = t.loop;
	env.wheel = t.wheel;
	env.plan = &t.plan;
	env.host = &fake;
	env.stats = &t.stats;
	env.listen[FAM4] = t.listener[0];
	env.listen[FAM6] = -1;
	assert_int_equal(through_new(&env, &t.through, NULL), 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	through_free(t.through);
	emit_free(t.emit);
	wheel_free(t.wheel);
	loop_free(t.loop);
	close(t.link.fd);
	close(t.tap);
	close(t.listener[0]);
	close(t.listener[1]);
	return 0;
}

static void pass(uint64_t ms)
{
	t.now += ms;
	loop_hold(t.loop, t.now);
	(void)loop_round(t.loop, 0);
	(void)loop_round(t.loop, 0);
	wheel_run(t.wheel, t.now);
	through_go_on(t.through);
}

/* The next frame of the tap as TCP; false: there is none. */
static bool read_syn(struct tcphdr_v *ret, struct eth_frame *ret_eth)
{
	static uint8_t frame[2000];
	struct ip_packet k;
	size_t head;
	ssize_t n = read(t.tap, frame, sizeof(frame));

	if (n < 0)
		return false;
	assert_int_equal(eth_parse(frame, (size_t)n, ret_eth), 0);
	if (ret_eth->type == ETH_TYPE_ARP)
		return read_syn(ret, ret_eth);
	assert_int_equal(ip_parse4(ret_eth->payload, ret_eth->len, &k), IP_OK);
	assert_int_equal(k.ttl, 63);
	assert_true(ip_sum_ok(&k));
	assert_int_equal(tcphdr_parse(k.payload, k.len, ret, &head), 0);
	return true;
}

static bool is_syn(void)
{
	struct eth_frame f;
	struct tcphdr_v h;

	return read_syn(&h, &f);
}

/* A connection of the container whose host has connected; the test's end of the host's socket. */
static int take(const struct flow_key *k, int want)
{
	const struct tcphdr_v h = {.sport = k->guest_port,
				   .dport = k->peer_port,
				   .seq = 77,
				   .flags = TCP_SYN,
				   .wnd = 1000,
				   .mss = 1460};
	uint8_t hdr[TCP_HDR_MAX];
	struct syn s;
	int fds[2];

	pair(SOCK_STREAM, fds);
	t.outer = fds[0];
	syn_keep(&s, hdr, tcphdr_build(hdr, &h));
	s.ttl = 63;
	assert_int_equal(through_take(t.through, k, fds[0], &s, 77, t.now), want);
	if (want < 0) {
		through_gone(t.through, k);
		close(fds[0]);
	}
	return fds[1];
}

/* The kernel gives the listener a connection with this key; the test's end of it. */
static int accept_one(const struct flow_key *k)
{
	int fds[2];

	pair(SOCK_STREAM, fds);
	t.accepted = fds[0];
	t.key = *k;
	assert_int_equal(write(t.listener[1], "x", 1), 1);
	pass(0);
	assert_int_equal(read(t.listener[0], fds, 1), 1);
	return fds[1];
}

static bool is_closed(int fd)
{
	char c;
	ssize_t n = read(fd, &c, 1);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void test_join(void **state)
{
	struct flow_key k = key_of("10.88.1.2", 40000);
	struct eth_frame f;
	struct tcphdr_v h;
	int host, guest;
	char buf[16];

	(void)state;
	assert_int_equal(through_wants(t.through, &k), 1);
	host = take(&k, 0);
	assert_true(read_syn(&h, &f));
	assert_int_equal(f.src.b[0], 0x0a); /* not our usual address */
	assert_int_equal(h.flags, TCP_SYN);
	assert_int_equal(h.seq, 77);
	assert_int_equal(h.mss, 1460);
	assert_int_equal(through_gauges(t.through).n_held, 1);
	guest = accept_one(&k);
	assert_int_equal(through_gauges(t.through).n_held, 0);
	assert_int_equal(through_gauges(t.through).n_conns, 1);
	assert_int_equal(write(guest, "there", 5), 5);
	assert_int_equal(write(host, "back", 4), 4);
	pass(1);
	assert_int_equal(read(host, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "there", 5);
	assert_int_equal(read(guest, buf, sizeof(buf)), 4);
	assert_int_equal(t.stats.n[STAT_THROUGH_IN], 4);
	assert_int_equal(t.stats.n[STAT_THROUGH_OUT], 5);
	/* An end is passed on, both ends are the end. */
	assert_int_equal(shutdown(guest, SHUT_WR), 0);
	pass(1);
	assert_true(is_closed(host));
	assert_int_equal(write(host, "more", 4), 4);
	close(host);
	pass(1);
	assert_int_equal(read(guest, buf, sizeof(buf)), 4);
	assert_true(is_closed(guest));
	pass(1);
	assert_int_equal(through_gauges(t.through).n_conns, 0);
	close(guest);
}

static bool is_looked_after(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
	return value;
}

/* Options of a long life: not at once, but when it has lasted, or when much came. */
static void test_settled(void **state)
{
	struct flow_key k[3] = {key_of("10.88.1.2", 40000), key_of("10.88.1.2", 40001),
				key_of("10.88.1.2", 40002)};
	int host[3], guest[3], outer[3];
	static char much[1024];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(through_wants(t.through, &k[i]), 1);
		host[i] = take(&k[i], 0);
		outer[i] = t.outer;
		guest[i] = accept_one(&k[i]);
	}
	assert_int_equal(write(guest[0], "a", 1), 1);
	/* However little at a time. */
	for (int i = 0; i < 16; i++) {
		assert_false(is_looked_after(outer[1]));
		assert_int_equal(write(guest[1], much, sizeof(much)), sizeof(much));
		pass(1);
	}
	assert_false(is_looked_after(outer[0]));
	assert_true(is_looked_after(outer[1]));
	assert_false(is_looked_after(outer[2]));
	pass(4000);
	assert_true(is_looked_after(outer[0]));
	assert_true(is_looked_after(outer[2]));
	/* And so is one that comes afterwards. */
	close(guest[2]);
	close(host[2]);
	pass(1);
	host[2] = take(&k[2], 0);
	outer[2] = t.outer;
	guest[2] = accept_one(&k[2]);
	assert_false(is_looked_after(outer[2]));
	pass(4000);
	assert_true(is_looked_after(outer[2]));
	for (int i = 0; i < 3; i++) {
		close(guest[i]);
		close(host[i]);
	}
}

/* A sweep takes several turns, and who comes meanwhile is in the next. */
static void test_settled_many(void **state)
{
	enum { N = 150 };
	struct flow_key k = key_of("10.88.1.2", 0);
	int host[N + 1], guest[N + 1], outer[N + 1];

	(void)state;
	for (int i = 0; i <= N; i++) {
		if (i == N) {
			pass(3000); /* as many as one turn has */
			assert_true(is_looked_after(outer[0]));
			assert_false(is_looked_after(outer[N - 1]));
		}
		k.guest_port = (uint16_t)(1000 + i);
		host[i] = take(&k, 0);
		assert_true(is_syn());
		outer[i] = t.outer;
		guest[i] = accept_one(&k);
		/* Its share is another's once it is open; it was not asked for here. */
	}
	for (int i = 0; i < 5; i++)
		pass(10);
	for (int i = 0; i < N; i++)
		assert_true(is_looked_after(outer[i]));
	pass(4000);
	pass(10);
	pass(10);
	pass(10);
	assert_true(is_looked_after(outer[N]));
	for (int i = 0; i <= N; i++) {
		close(guest[i]);
		close(host[i]);
	}
}

/* What is listed: first what waits, then what is open. */
static unsigned list(struct through_seen *ret, unsigned max)
{
	uint32_t cursor = 0;
	unsigned n = 0;

	while (n < max && through_list(t.through, &cursor, t.now, &ret[n]))
		n++;
	/* It stays at the end. */
	assert_false(n < max && through_list(t.through, &cursor, t.now, &ret[n]));
	return n;
}

static void test_list(void **state)
{
	struct flow_key k = key_of("10.88.1.2", 40000), other = key_of("10.88.1.3", 40001);
	struct through_seen seen[4];
	int host, guest, host2;

	(void)state;
	assert_int_equal(list(seen, 4), 0);
	assert_int_equal(through_wants(t.through, &k), 1);
	host = take(&k, 0);
	assert_int_equal(list(seen, 4), 1);
	assert_memory_equal(&seen[0].key, &k, sizeof(k));
	assert_false(seen[0].is_open);
	guest = accept_one(&k);
	assert_int_equal(through_wants(t.through, &other), 1);
	host2 = take(&other, 0);
	pass(300);
	assert_int_equal(list(seen, 4), 2);
	assert_memory_equal(&seen[0].key, &other, sizeof(other));
	assert_int_equal(seen[0].idle_ms, 300);
	assert_true(seen[1].is_open && !seen[1].host_ended && !seen[1].guest_ended);
	assert_memory_equal(&seen[1].key, &k, sizeof(k));
	assert_int_equal(seen[1].idle_ms, 300);
	assert_int_equal(write(guest, "there", 5), 5);
	assert_int_equal(shutdown(guest, SHUT_WR), 0);
	pass(1);
	pass(1);
	assert_int_equal(list(seen, 4), 2);
	assert_true(seen[1].guest_ended && !seen[1].host_ended);
	assert_int_equal(seen[1].idle_ms, 1);
	assert_int_equal(seen[1].queued + seen[1].blocked, 0);
	close(host);
	close(guest);
	close(host2);
	pass(1);
	assert_int_equal(list(seen, 4), 1); /* who waits is not looked at */
}

static void test_again(void **state)
{
	struct flow_key k = key_of("10.88.1.2", 40000), other = key_of("10.88.1.2", 40001);
	int host = take(&k, 0);

	(void)state;
	assert_true(is_syn());
	assert_false(through_again(t.through, &other, t.now));
	assert_true(through_again(t.through, &k, t.now));
	assert_false(is_syn()); /* at once: it is on its way */
	pass(250);
	assert_true(through_again(t.through, &k, t.now));
	assert_true(is_syn());
	/* A second socket for the same is one too many. */
	close(take(&k, -EEXIST));
	close(host);
}

static void test_given_up(void **state)
{
	struct flow_key k = key_of("10.88.1.2", 40000);
	int host, guest;

	(void)state;
	assert_int_equal(through_wants(t.through, &k), 1);
	host = take(&k, 0);
	pass(3900);
	assert_false(is_closed(host));
	pass(200);
	assert_true(is_closed(host));
	assert_int_equal(t.stats.n[STAT_THROUGH_LOST], 1);
	/* It comes all the same: nobody waits for it. */
	guest = accept_one(&k);
	assert_true(is_closed(guest));
	close(host);
	close(guest);
}

static void test_whose(void **state)
{
	struct flow_key own = key_of("10.0.2.100", 1), k = key_of("10.88.1.2", 1),
			v6 = {.guest = ip("fd88::2"), .peer = ip("2001:db8::1")},
			other = key_of("10.88.1.9", 1);

	(void)state;
	assert_int_equal(through_wants(t.through, &own), 0);
	assert_int_equal(through_wants(t.through, &v6), 0); /* no listener */
	for (int i = 0; i < SOURCE_MAX; i++)
		assert_int_equal(through_wants(t.through, &k), 1);
	assert_int_equal(through_wants(t.through, &k), -1);
	through_gone(t.through, &k);
	assert_int_equal(through_wants(t.through, &k), 1);
	/* Its neighbour has a share of its own (but for one hash in 256). */
	for (uint8_t i = 9; i < 12 && through_wants(t.through, &other) < 0; i++)
		other.guest.b[3] = i;
	assert_int_equal(through_wants(t.through, &other), 1);
}

static void test_oldest_goes(void **state)
{
	enum { N = 4096 };
	struct rlimit lim;
	static int host[N + 1];
	struct flow_key k = key_of("10.88.1.2", 1);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = 3 * N;
	if (lim.rlim_max < lim.rlim_cur)
		lim.rlim_max = lim.rlim_cur;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	for (int i = 0; i <= N; i++) {
		k.guest_port = (uint16_t)(1000 + i);
		host[i] = take(&k, 0);
		assert_true(is_syn());
	}
	assert_int_equal(through_gauges(t.through).n_held, N);
	assert_true(is_closed(host[0]));
	assert_false(is_closed(host[1]));
	for (int i = 0; i <= N; i++)
		close(host[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_join, start, stop),
		cmocka_unit_test_setup_teardown(test_settled, start, stop),
		cmocka_unit_test_setup_teardown(test_settled_many, start, stop),
		cmocka_unit_test_setup_teardown(test_list, start, stop),
		cmocka_unit_test_setup_teardown(test_again, start, stop),
		cmocka_unit_test_setup_teardown(test_given_up, start, stop),
		cmocka_unit_test_setup_teardown(test_whose, start, stop),
		cmocka_unit_test_setup_teardown(test_oldest_goes, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
