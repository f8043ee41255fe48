/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests through the host's ping sockets and back, and the errors in between. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dgram/fake.h"
#include "wire/cksum.h"

#define GUEST "10.0.2.100"
#define GUEST6 "fd00::100"
#define OUT "198.51.100.7"
#define OUT6 "2001:db8::7"

static struct ping *g;
static uint8_t data[65535];

static int set_up(void **state)
{
	int r = fake_setup(state);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 5 + i / 253);
	return r < 0 ? r
		     : ping_new(&(struct ping_env){.emit = FAKE_EMIT,
						   .loop = FAKE_LOOP,
						   .wheel = fake.wheel,
						   .policy = &fake.policy,
						   .host = &fake_host,
						   .stats = &fake.stats,
						   .max = 8},
				&g, NULL);
}

static int tear_down(void **state)
{
	ping_free(g);
	assert_int_equal(fake.n_open, 0);
	return fake_teardown(state);
}

static void give(const struct packet *p)
{
	ping_input(g, packet_echo(p), true, fake.now);
}

static void give_simple(const char *dst, uint16_t id, uint16_t seq)
{
	give(&(struct packet){.src = strchr(dst, ':') ? GUEST6 : GUEST,
			      .dst = dst,
			      .sport = id,
			      .dport = seq,
			      .data = data,
			      .len = 56,
			      .id = 99});
}

/* A reply as the host's kernel hands it over, with the socket's own id. */
static void arrive(int fd, const char *from, uint16_t host_id, uint16_t seq, size_t len)
{
	static uint8_t reply[FAKE_QUEUE][2000];
	static unsigned n;
	uint8_t *p = reply[n++ % FAKE_QUEUE];

	icmp_build(p, strchr(from, ':') ? ICMP_V6_ECHO_REPLY : ICMP_V4_ECHO_REPLY, 0,
		   (uint32_t)host_id << 16 | seq);
	memcpy(p + ICMP_HDR_LEN, data, len);
	fake_arrive(fd, &(struct fake_datagram){
				.from = ip_of(from), .data = p, .len = ICMP_HDR_LEN + len});
}

static void assert_reply(unsigned i, const char *from, const char *to, uint16_t id, uint16_t seq,
			 size_t len)
{
	const struct fake_frame *f = &fake.frame[i];
	const struct ip src = ip_of(from), dst = ip_of(to);
	struct icmp_v v;

	assert_in_range(i, 0, fake.n_frame - 1);
	assert_false(f->is_error);
	assert_true(ip_equal(&f->h.src, &src));
	assert_true(ip_equal(&f->h.dst, &dst));
	assert_int_equal(f->h.csum_offset, 2);
	assert_int_equal(icmp_parse(f->l4, f->l4_len, &v), 0);
	assert_int_equal(v.type, dst.family == AF_INET ? 0 : 129);
	assert_int_equal(v.code, 0);
	assert_int_equal(v.info, (uint32_t)id << 16 | seq);
	assert_int_equal(f->len, len);
	assert_memory_equal(f->data, data, len);
}

static void assert_error(unsigned i, uint8_t type, uint8_t code, uint32_t info, const char *dst,
			 uint16_t id, uint16_t seq, size_t len)
{
	const struct fake_frame *f = &fake.frame[i];
	const struct ip to = ip_of(dst), guest = ip_of(strchr(dst, ':') ? GUEST6 : GUEST);
	const size_t hdr = to.family == AF_INET ? IP4_HDR_LEN : IP6_HDR_LEN;
	struct icmp_cause c;

	assert_in_range(i, 0, fake.n_frame - 1);
	assert_true(f->is_error);
	assert_int_equal(f->type, type);
	assert_int_equal(f->code, code);
	assert_int_equal(f->info, info);
	assert_int_equal(icmp_parse_cause(to.family, f->data, f->len, &c), 0);
	assert_true(ip_equal(&c.src, &guest));
	assert_true(ip_equal(&c.dst, &to));
	assert_int_equal(c.sport, id);
	assert_int_equal(c.dport, seq);
	assert_int_equal(f->data[hdr], to.family == AF_INET ? ICMP_V4_ECHO : ICMP_V6_ECHO);
	assert_in_range(f->len, hdr + ICMP_HDR_LEN, hdr + ICMP_HDR_LEN + len);
	assert_memory_equal(f->data + hdr + ICMP_HDR_LEN, data, f->len - hdr - ICMP_HDR_LEN);
}

static void ids(void **state)
{
	static const char *const out[] = {OUT, OUT6};
	static const char *const guest[] = {GUEST, GUEST6};
	(void)state;

	for (int f = 0; f < 2; f++) {
		for (uint16_t id = 0; id < 3; id++)
			give_simple(out[f], id, (uint16_t)(100 + id));
		give_simple(out[f], 2, 103);
		assert_int_equal(fake.n_sent, 4);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(fake.sent[i].fd, 3 * f + (i == 3 ? 2 : (int)i));
			assert_int_equal(fake.sent[i].len, ICMP_HDR_LEN + 56);
			assert_int_equal(fake.sent[i].ttl, 63);
			assert_memory_equal(fake.sent[i].data + ICMP_HDR_LEN, data, 56);
		}
		assert_int_equal(fake.socket[3 * f].kind, HOST_PING);
		assert_int_equal(fake.sent[3].data[0], f ? 128 : 8);
		for (uint16_t id = 0; id < 3; id++) {
			arrive(3 * f + id, out[f], (uint16_t)(4000 + id), (uint16_t)(100 + id), 56);
			fake_poll(3 * f + id);
			assert_reply(id, out[f], guest[f], id, (uint16_t)(100 + id), 56);
		}
		fake_forget();
	}
	assert_int_equal(ping_count(g), 6);
	assert_int_equal(fake.stats.n[STAT_PING_OPENED], 6);
}

static void strange_answers(void **state)
{
	static const uint8_t other[8] = {ICMP_V4_ECHO};
	(void)state;

	give_simple(OUT, 7, 1);
	arrive(0, "127.0.0.1", 1, 1, 8);
	arrive(0, "10.0.2.2", 1, 1, 8);
	arrive(0, GUEST, 1, 1, 8);
	fake_arrive(0, &(struct fake_datagram){.from = ip_of(OUT), .data = other, .len = 8});
	fake_arrive(0, &(struct fake_datagram){.from = ip_of(OUT), .data = other, .len = 7});
	fake_arrive(0, &(struct fake_datagram){.from = ip_of(OUT), .data = other, .len = 0});
	fake_poll(0);
	assert_int_equal(fake.n_frame, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_ANSWER], 6);
	arrive(0, OUT, 1, 1, 0);
	fake_poll(0);
	assert_reply(0, OUT, GUEST, 7, 1, 0);
}

static void gateway(void **state)
{
	const struct ip link_local = ip_link_local_from_mac(&fake.policy.plan.our_mac);
	char text[IP_STRLEN];
	(void)state;

	give_simple("10.0.2.2", 7, 1);
	give_simple("10.0.2.3", 7, 2);
	give_simple("fd00::2", 7, 3);
	give_simple(ip_str(&link_local, text), 7, 4);
	fake.policy.is_loopback_open = true;
	give_simple("10.0.2.2", 7, 5);
	assert_reply(0, "10.0.2.2", GUEST, 7, 1, 56);
	assert_reply(1, "10.0.2.3", GUEST, 7, 2, 56);
	assert_reply(2, "fd00::2", GUEST6, 7, 3, 56);
	assert_reply(3, text, GUEST6, 7, 4, 56);
	assert_reply(4, "10.0.2.2", GUEST, 7, 5, 56);
	assert_int_equal(fake.n_open, 0);
	give_simple("127.0.0.1", 7, 1);
	give_simple("224.0.0.1", 7, 1);
	give_simple("ff02::1", 7, 1);
	assert_int_equal(fake.stats.n[STAT_DROP_POLICY], 3);
	give(&(struct packet){.src = "fe80::1", .dst = OUT6});
	assert_int_equal(fake.stats.n[STAT_DROP_SOURCE], 1);
	assert_int_equal(fake.n_frame, 5);
}

static void forbidden(void **state)
{
	(void)state;
	fake.socket_sys = EACCES;
	for (uint16_t seq = 0; seq < 50; seq++) {
		give_simple(OUT, 7, seq);
		fake_time(1000);
	}
	assert_int_equal(fake.n_frame, 1);
	assert_error(0, 3, 13, 0, OUT, 7, 0, 56);
	assert_int_equal(fake.stats.n[STAT_DROP_SOCKET], 50);
	give_simple(OUT6, 7, 1);
	give_simple(OUT6, 7, 2);
	assert_int_equal(fake.n_frame, 2);
	assert_error(1, 1, 1, 0, OUT6, 7, 1, 56);
	give_simple(OUT, 8, 1); /* another flow is told, too */
	assert_int_equal(fake.n_frame, 3);
	fake_time(PING_IDLE_MS);
	assert_int_equal(ping_count(g), 0);
	fake.socket_sys = 0;
	give_simple(OUT, 7, 1);
	assert_int_equal(fake.n_sent, 1);
	assert_int_equal(fake.n_frame, 3);
}

static void errors(void **state)
{
	struct fake_error e = {.sys = EHOSTUNREACH,
			       .type = 3,
			       .code = 1,
			       .from = ip_of("203.0.113.1"),
			       .dst = ip_of(OUT),
			       .len = ICMP_HDR_LEN + 56};
	const uint8_t *cause;
	(void)state;

	give_simple(OUT, 7, 1);
	give_simple(OUT, 7, 2);
	memcpy(e.data + ICMP_HDR_LEN, data, 56);
	icmp_build(e.data, ICMP_V4_ECHO, 0, 4711u << 16 | 1); /* as the host sent it */
	fake_fail(0, &e);
	icmp_build(e.data, ICMP_V4_ECHO, 0, 4711u << 16 | 2);
	fake_fail(0, &e);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 2);
	assert_error(0, 3, 1, 0, OUT, 7, 1, 56);
	assert_error(1, 3, 1, 0, OUT, 7, 2, 56);
	assert_true(ip_equal(&fake.frame[1].from, &e.from));
	/* The last one is known to the bit: its id, and a checksum that is right. */
	cause = fake.frame[1].data;
	assert_int_equal(cause[4] << 8 | cause[5], 99);
	assert_int_equal(fake.frame[1].len, 20 + 64);
	assert_int_equal(cksum_fold(cksum_add(0, cause + 20, 64)), 0);
	assert_int_equal(cksum_fold(cksum_add(0, cause, 20)), 0);
	/* An error does not lose the request that meets it. */
	fake_fail(0, &e);
	give_simple(OUT, 7, 3);
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.n_frame, 3);
	fake_forget();

	give_simple(OUT6, 7, 1);
	e = (struct fake_error){.sys = EHOSTUNREACH,
				.type = 3,
				.code = 0,
				.from = ip_of("2001:db8:9::1"),
				.dst = ip_of(OUT6),
				.len = ICMP_HDR_LEN};
	icmp_build(e.data, ICMP_V6_ECHO, 0, 4711u << 16 | 1);
	fake_fail(1, &e);
	fake_poll(1);
	assert_error(0, ICMP_V6_TIME, 0, 0, OUT6, 7, 1, 0);
}

static void refused_at_once(void **state)
{
	(void)state;
	fake.send_sys = ENETUNREACH;
	give_simple(OUT, 7, 1);
	give_simple(OUT6, 7, 1);
	fake.send_sys = EPERM;
	give_simple(OUT, 7, 2);
	fake.send_sys = EAGAIN;
	give_simple(OUT, 7, 3);
	assert_int_equal(fake.n_frame, 3);
	assert_error(0, 3, 0, 0, OUT, 7, 1, 56);
	assert_error(1, 1, 0, 0, OUT6, 7, 1, 56);
	assert_error(2, 3, 13, 0, OUT, 7, 2, 56);
	assert_int_equal(fake.stats.n[STAT_DROP_SEND], 4);
}

static void path_mtu(void **state)
{
	struct packet p = {.src = GUEST, .dst = OUT, .sport = 7, .dport = 1, .data = data};
	(void)state;

	fake.mtu = 1280;
	p.len = 1253; /* with its header in the socket's data */
	p.is_df = true;
	give(&p);
	assert_error(0, 3, 4, 1280, OUT, 7, 1, 0);
	p.is_df = false;
	give(&p);
	assert_int_equal(fake.n_sent, 1);
	p.src = GUEST6;
	p.dst = OUT6;
	give(&p);
	assert_error(1, ICMP_V6_TOO_BIG, 0, 1280, OUT6, 7, 1, 0);
	ping_input(g, packet_echo(&p), false, fake.now);
	assert_int_equal(fake.n_sent, 2);
	p.len = 65000;
	ping_input(g, packet_echo(&p), false, fake.now);
	assert_int_equal(fake.n_sent, 3);
	assert_memory_equal(fake.sent[2].data + ICMP_HDR_LEN, data, 65000);
}

static void hop_limit(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 7, .dport = 1, .ttl = 1, .data = data};
	(void)state;

	give(&p);
	assert_error(0, ICMP_V4_TIME, ICMP_V4_TIME_TTL, 0, OUT, 7, 1, 0);
	p.src = GUEST6;
	p.dst = OUT6;
	give(&p);
	assert_error(1, ICMP_V6_TIME, ICMP_V6_TIME_HOPS, 0, OUT6, 7, 1, 0);
	assert_int_equal(fake.n_open, 0);
	p.dst = "fd00::2"; /* no hop away */
	give(&p);
	assert_reply(2, "fd00::2", GUEST6, 7, 1, 0);
	p.dst = OUT6;
	p.ttl = 2;
	p.tos = 8;
	give(&p);
	assert_int_equal(fake.sent[0].ttl, 1);
	assert_int_equal(fake.sent[0].tos, 8);
}

/* Errors and everything else that the container says: no answer, no change, no crash. */
static void not_echoes(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 7, .dport = 1, .data = data, .len = 60};
	struct ip_packet k;
	uint8_t bytes[100];
	(void)state;

	p.has_bad_csum = true;
	give(&p);
	p.src = GUEST6;
	p.dst = OUT6;
	give(&p);
	assert_int_equal(fake.stats.n[STAT_DROP_CHECKSUM], 2);
	p.has_bad_csum = false;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned type = 0; type < 256; type++) {
			p.src = v6 ? GUEST6 : GUEST;
			p.dst = v6 ? OUT6 : OUT;
			k = *packet_echo(&p);
			memcpy(bytes, k.payload, k.len);
			bytes[0] = (uint8_t)type;
			bytes[1] = type == (v6 ? 128 : 8); /* an echo with a code is none */
			bytes[2] = bytes[3] = 0;
			uint32_t sum =
				v6 ? ip_pseudo_sum(&k.src, &k.dst, IPPROTO_ICMPV6, k.len) : 0;
			uint16_t csum = cksum_fold(cksum_add(sum, bytes, k.len));
			bytes[2] = (uint8_t)(csum >> 8);
			bytes[3] = (uint8_t)csum;
			k.payload = bytes;
			ping_input(g, &k, true, fake.now);
		}
	}
	assert_int_equal(fake.stats.n[STAT_DROP_ICMP], 512);
	assert_int_equal(fake.n_frame + fake.n_sent + fake.n_open, 0);
	k = *packet_echo(&p);
	for (size_t len = 0; len < 8; len++) {
		k.len = len;
		ping_input(g, &k, true, fake.now);
	}
	assert_int_equal(fake.n_frame + fake.n_sent + fake.n_open, 0);
}

static void cap(void **state)
{
	(void)state;
	for (uint16_t id = 0; id < 30; id++) {
		give_simple(OUT, 1000, id); /* in use: it stays */
		give_simple(OUT, id, id);
	}
	assert_int_equal(fake.n_sent, 60);
	assert_int_equal(ping_count(g), 8);
	assert_int_equal(fake.n_open, 8);
	assert_int_equal(fake.stats.n[STAT_PING_OPENED], 31);
	fake_time(PING_IDLE_MS);
	assert_int_equal(fake.n_open, 0);
	assert_int_equal(wheel_next(fake.wheel), UINT64_MAX);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(ids),       T(strange_answers), T(gateway),
		T(forbidden), T(errors),          T(refused_at_once),
		T(path_mtu),  T(hop_limit),       T(not_echoes),
		T(cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
