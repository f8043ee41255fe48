/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP from the container to host sockets and back: which socket, what is sent, what is refused. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dgram/fake.h"

#define GUEST "10.0.2.100"
#define GUEST6 "fd00::100"
#define OUT "198.51.100.7"
#define OUT6 "2001:db8::7"

static struct udp *u;
static uint8_t data[65535];

static void on_dns(void *arg, const struct ip_packet *p, const struct udphdr_v *h, uint64_t now)
{
	(void)p;
	assert_ptr_equal(arg, &fake);
	assert_int_equal(now, fake.now);
	fake.n_dns++;
	fake.dns = *h;
}

static int set_up(void **state)
{
	int r = fake_setup(state);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return r < 0 ? r
		     : udp_new(&(struct udp_env){.emit = FAKE_EMIT,
						 .loop = FAKE_LOOP,
						 .wheel = fake.wheel,
						 .policy = &fake.policy,
						 .host = &fake_host,
						 .stats = &fake.stats,
						 .max = 64,
						 .once_ms = 30000,
						 .stream_ms = 120000,
						 .dns = on_dns,
						 .arg = &fake},
			       &u, NULL);
}

static int tear_down(void **state)
{
	udp_free(u);
	assert_int_equal(fake.n_open, 0);
	return fake_teardown(state);
}

static const struct link_meta plain;

static void give(const struct packet *p)
{
	udp_input(u, packet_udp(p), &plain, fake.now);
}

static void give_simple(uint16_t sport, const char *dst, uint16_t dport, size_t len)
{
	give(&(struct packet){.src = strchr(dst, ':') ? GUEST6 : GUEST,
			      .dst = dst,
			      .sport = sport,
			      .dport = dport,
			      .data = data,
			      .len = len,
			      .is_df = true,
			      .id = 77});
}

static void flush(void)
{
	udp_flush(u, fake.now);
}

static void arrive(int fd, const char *from, uint16_t port, size_t len, uint16_t seg)
{
	fake_arrive(
		fd,
		&(struct fake_datagram){
			.from = ip_of(from), .port = port, .len = len, .data = data, .seg = seg});
}

static void assert_sent(unsigned i, int fd, const char *to, uint16_t port, size_t len, uint16_t seg)
{
	const struct ip ip = ip_of(to);

	assert_in_range(i, 0, fake.n_sent - 1);
	assert_int_equal(fake.sent[i].fd, fd);
	assert_true(ip_equal(&fake.sent[i].to, &ip));
	assert_int_equal(fake.sent[i].port, port);
	assert_int_equal(fake.sent[i].len, len);
	assert_int_equal(fake.sent[i].seg, seg);
}

static const struct fake_frame *frame(unsigned i)
{
	assert_in_range(i, 0, fake.n_frame - 1);
	return &fake.frame[i];
}

static void assert_answer(unsigned i, const char *from, uint16_t sport, uint16_t dport, size_t len,
			  uint16_t seg)
{
	const struct fake_frame *f = frame(i);
	const struct ip ip = ip_of(from);
	struct bytes b = bytes_of(f->l4, f->l4_len);

	assert_false(f->is_error);
	assert_true(ip_equal(&f->h.src, &ip));
	assert_int_equal(f->h.proto, IPPROTO_UDP);
	assert_int_equal(f->h.csum_offset, 6);
	assert_int_equal(f->h.gso_size, seg);
	assert_int_equal(f->l4_len, UDP_HDR_LEN);
	assert_int_equal(bytes_u16(&b), sport);
	assert_int_equal(bytes_u16(&b), dport);
	assert_int_equal(bytes_u16(&b), UDP_HDR_LEN + len);
	assert_int_equal(bytes_u16(&b), 0);
	assert_int_equal(f->len, len);
}

/* An ICMP error about a packet of GUEST: sport to dst:dport, len bytes of transport. */
static struct ip_packet assert_error(unsigned i, uint8_t type, uint8_t code, uint32_t info,
				     const char *from, const char *dst, uint16_t sport,
				     uint16_t dport, size_t len)
{
	const struct fake_frame *f = frame(i);
	const struct ip to = ip_of(dst), guest = ip_of(strchr(dst, ':') ? GUEST6 : GUEST);
	struct bytes b = bytes_of(f->data, f->len);
	struct icmp_cause c;
	struct ip_packet k = {0};

	assert_true(f->is_error);
	assert_int_equal(f->type, type);
	assert_int_equal(f->code, code);
	assert_int_equal(f->info, info);
	if (from)
		assert_true(ip_equal(&f->from, &(struct ip[]){ip_of(from)}[0]));
	else
		assert_int_equal(f->from.family, 0);
	assert_int_equal(icmp_parse_cause(to.family, f->data, f->len, &c), 0);
	assert_true(ip_equal(&c.src, &guest));
	assert_true(ip_equal(&c.dst, &to));
	assert_int_equal(c.proto, IPPROTO_UDP);
	assert_int_equal(c.sport, sport);
	assert_int_equal(c.dport, dport);
	k.start = f->data;
	if (to.family == AF_INET) {
		bytes_take(&b, 2);
		assert_int_equal(bytes_u16(&b), 20 + len);
		k.frag_id = bytes_u16(&b);
		bytes_take(&b, 14);
	} else {
		bytes_take(&b, 4);
		assert_int_equal(bytes_u16(&b), len);
		bytes_take(&b, 34);
	}
	bytes_take(&b, 4);
	assert_int_equal(bytes_u16(&b), len);
	k.proto_at = bytes_u16(&b); /* the checksum, for the caller */
	k.payload = b.p;
	k.len = b.len;
	assert_false(b.is_short);
	return k;
}

static uint64_t stat_of(enum stat_id s)
{
	return fake.stats.n[s];
}

/* --- which socket -------------------------------------------------------------------------- */

static void endpoint_independent(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 10);
	give_simple(5000, "203.0.113.9", 99, 11);
	give_simple(5001, OUT, 53, 12);
	give_simple(5000, OUT6, 53, 13);
	flush();
	assert_int_equal(fake.n_sent, 4);
	assert_sent(0, 0, OUT, 53, 10, 0);
	assert_sent(1, 0, "203.0.113.9", 99, 11, 0);
	assert_sent(2, 1, OUT, 53, 12, 0);
	assert_sent(3, 2, OUT6, 53, 13, 0);
	assert_int_equal(udp_count(u), 3);
	assert_int_equal(stat_of(STAT_UDP_OPENED), 3);
	assert_int_equal(fake.socket[2].family, AF_INET6);
	assert_int_equal(fake.socket[0].kind, HOST_UDP);
	assert_int_equal(fake_option(0, IPPROTO_IP, IP_RECVERR), 1);
	assert_int_equal(fake_option(0, IPPROTO_UDP, UDP_GRO), 1);
	assert_int_equal(fake_option(2, IPPROTO_IPV6, IPV6_RECVERR), 1);
	assert_int_equal(fake_option(2, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(fake.socket[0].bound.family, 0);

	/* Anybody may answer, also whom the container has not written to (RFC 4787 REQ-8). */
	arrive(0, "203.0.113.200", 4711, 20, 0);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 1);
	assert_answer(0, "203.0.113.200", 4711, 5000, 20, 0);
	assert_memory_equal(frame(0)->data, data, 20);
}

static void outbound_address(void **state)
{
	(void)state;
	fake.policy.outbound[FAM4] = ip_of("198.51.100.1");
	give_simple(5000, OUT, 53, 10);
	assert_true(ip_equal(&fake.socket[0].bound, &fake.policy.outbound[FAM4]));
}

static void hop_limit_and_class(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 9, .dport = 33434, .ttl = 2, .tos = 0xb8};
	(void)state;

	give(&p);
	p.ttl = 3;
	give(&p);
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.sent[0].ttl, 1);
	assert_int_equal(fake.sent[0].tos, 0xb8);
	assert_int_equal(fake.sent[1].ttl, 2);
	assert_int_equal(fake.sent[2].ttl, 2);
	assert_int_equal(fake.sent[0].df, 0); /* what came without DF goes without */
	p.ttl = 1;
	give(&p);
	p.src = GUEST6;
	p.dst = OUT6;
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.n_frame, 2);
	assert_error(0, ICMP_V4_TIME, ICMP_V4_TIME_TTL, 0, NULL, OUT, 9, 33434, 8);
	assert_error(1, ICMP_V6_TIME, ICMP_V6_TIME_HOPS, 0, NULL, OUT6, 9, 33434, 8);
	assert_int_equal(stat_of(STAT_DROP_TTL), 2);
	p.ttl = 64;
	give(&p);
	flush();
	assert_int_equal(fake.sent[3].ttl, 63);
	assert_int_equal(fake.sent[3].tos, 0xb8);
}

static void bad_datagrams(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 9, .dport = 9, .data = data, .len = 99};
	struct ip_packet k;
	uint8_t wrong[120];
	(void)state;

	p.has_no_csum = true; /* none is right in IPv4 (RFC 768), wrong in IPv6 (RFC 8200 8.1) */
	give(&p);
	p.src = GUEST6;
	p.dst = OUT6;
	give(&p);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_valid = true}, fake.now);
	assert_int_equal(stat_of(STAT_DROP_CHECKSUM), 2);
	p.has_no_csum = false;
	p.has_bad_csum = true;
	give(&p);
	assert_int_equal(stat_of(STAT_DROP_CHECKSUM), 3);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_valid = true}, fake.now);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_partial = true}, fake.now);
	flush();
	assert_int_equal(fake.n_sent, 2); /* one of each family: the last two are a run */
	assert_int_equal(fake.sent[1].len, 198);
	p.has_bad_csum = false;
	p.sport = 0;
	give(&p);
	p.sport = 9;
	p.dport = 0;
	give(&p);
	assert_int_equal(stat_of(STAT_DROP_UDP), 2);
	p.dport = 9;
	for (uint16_t len = 0; len < 120; len += 1) {
		k = *packet_udp(&p);
		memcpy(wrong, k.payload, k.len);
		wrong[4] = (uint8_t)(len >> 8);
		wrong[5] = (uint8_t)len;
		k.payload = wrong;
		udp_input(u, &k, &(struct link_meta){.is_valid = true}, fake.now);
		flush();
		if (len < 8 || len > 107)
			continue;
		assert_int_equal(fake.sent[fake.n_sent - 1].len, len - 8);
	}
	assert_int_equal(stat_of(STAT_DROP_UDP), 2 + 8 + 12);
	assert_int_equal(fake.n_sent, 2 + 100);
	assert_int_equal(fake.n_frame, 0);
}

static void policy(void **state)
{
	(void)state;
	give_simple(5000, "10.0.2.2", 80, 10);
	assert_error(0, ICMP_V4_UNREACH, ICMP_V4_UNREACH_PORT, 0, NULL, "10.0.2.2", 5000, 80, 18);
	give_simple(5000, "fd00::2", 80, 10);
	assert_error(1, ICMP_V6_UNREACH, ICMP_V6_UNREACH_PORT, 0, NULL, "fd00::2", 5000, 80, 18);
	give_simple(5000, "10.0.2.3", 53, 10);
	assert_int_equal(fake.n_dns, 1);
	assert_int_equal(fake.dns.sport, 5000);
	assert_int_equal(fake.dns.len, 10);
	static const char *const refused[] = {
		"127.0.0.1",           "0.0.0.0",    "224.0.0.251", "255.255.255.255", "240.0.0.1",
		"10.0.2.77",           "::1",        "::",          "ff02::fb",        "fe80::1",
		"::ffff:198.51.100.7", "::127.0.0.1"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		give_simple(5000, refused[i], 80, 10);
	flush();
	assert_int_equal(stat_of(STAT_DROP_POLICY), 12);
	assert_int_equal(fake.n_open, 0);
	assert_int_equal(fake.n_sent, 0);
	give(&(struct packet){.src = "fe80::5", .dst = OUT6, .sport = 5, .dport = 5});
	assert_int_equal(stat_of(STAT_DROP_SOURCE), 1);
	assert_int_equal(fake.n_open, 0);
}

static void host_loopback(void **state)
{
	(void)state;
	fake.policy.n_loopback = 1;
	fake.policy.loopback[0] = (struct policy_port){IPPROTO_UDP, 5353, 5354};
	give(&(struct packet){
		.src = GUEST, .dst = "10.0.2.2", .sport = 5000, .dport = 5353, .ttl = 1});
	give_simple(5000, "fd00::2", 5354, 10);
	flush();
	assert_sent(0, 0, "127.0.0.1", 5353, 0, 0);
	assert_int_equal(fake.sent[0].ttl, 1); /* no hop away */
	assert_sent(1, 1, "::1", 5354, 10, 0);
	arrive(0, "127.0.0.1", 5353, 5, 0);
	arrive(1, "::1", 5354, 5, 0);
	/* None of these may the container have written to. */
	arrive(0, "127.0.0.1", 5355, 5, 0);
	arrive(0, "127.0.0.2", 22, 5, 0);
	arrive(0, "10.0.2.2", 5353, 5, 0);
	arrive(0, "10.0.2.100", 5353, 5, 0);
	arrive(0, OUT, 0, 5, 0);
	arrive(1, "fe80::9", 5354, 5, 0);
	fake_poll(0);
	fake_poll(1);
	assert_int_equal(fake.n_frame, 2);
	assert_answer(0, "10.0.2.2", 5353, 5000, 5, 0);
	assert_answer(1, "fd00::2", 5354, 5000, 5, 0);
	assert_int_equal(stat_of(STAT_DROP_ANSWER), 6);
}

/* --- runs ---------------------------------------------------------------------------------- */

static void runs(void **state)
{
	size_t at = 0;
	(void)state;

	for (int i = 0; i < 10; i++)
		give_simple(5000, OUT, 53, 1000);
	give_simple(5000, OUT, 53, 300); /* the last of the run */
	give_simple(5000, OUT, 53, 300); /* a new one */
	give_simple(5000, OUT, 53, 301); /* longer: another */
	give_simple(5000, OUT, 54, 301); /* another destination */
	give_simple(5000, OUT, 53, 301); /* order is kept: not the run before */
	give_simple(5000, OUT, 53, 0);   /* alone */
	give_simple(5000, OUT, 53, 0);
	assert_int_equal(fake.n_sent, 0);
	flush();
	assert_int_equal(fake.n_sent, 7);
	assert_sent(0, 0, OUT, 53, 10300, 1000);
	assert_sent(1, 0, OUT, 53, 300, 0);
	assert_sent(2, 0, OUT, 53, 301, 0);
	assert_sent(3, 0, OUT, 54, 301, 0);
	assert_sent(4, 0, OUT, 53, 301, 0);
	assert_sent(5, 0, OUT, 53, 0, 0);
	assert_sent(6, 0, OUT, 53, 0, 0);
	for (int i = 0; i < 10; i++, at += 1000)
		assert_memory_equal(fake.sent[0].data + at, data, 1000);
	assert_memory_equal(fake.sent[0].data + at, data, 300);
}

static void runs_of_two_flows(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		give_simple(5000, OUT, 53, 100);
		give_simple(5001, OUT, 53, 200);
	}
	flush();
	assert_int_equal(fake.n_sent, 2);
	assert_sent(0, 0, OUT, 53, 3000, 100);
	assert_sent(1, 1, OUT, 53, 6000, 200);
	for (size_t i = 0; i < 30; i++) {
		assert_memory_equal(fake.sent[0].data + i * 100, data, 100);
		assert_memory_equal(fake.sent[1].data + i * 200, data, 200);
	}
}

/* More than the buffers hold goes out in parts, and nothing is lost or turned round. */
static void long_batches(void **state)
{
	unsigned n = 0;
	size_t bytes = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++)
		give(&(struct packet){.src = GUEST,
				      .dst = OUT,
				      .sport = (uint16_t)(5000 + i % 50),
				      .dport = 53,
				      .data = data + i,
				      .len = 1200});
	flush();
	for (unsigned i = 0; i < fake.n_sent; i++) {
		n += fake.sent[i].seg ? (unsigned)fake.sent[i].len / 1200u : 1;
		bytes += fake.sent[i].len;
	}
	assert_int_equal(n, 1000);
	assert_int_equal(bytes, 1200000);
	fake_forget();
	for (int i = 0; i < 200; i++)
		give_simple(5000, OUT, 53, 1);
	flush();
	assert_int_equal(fake.n_sent, 4);
	assert_sent(0, 0, OUT, 53, 64, 1);
	assert_sent(3, 0, OUT, 53, 8, 1);
}

static void sizes(void **state)
{
	static const size_t size[] = {0, 1, 1472, 1473, 9000, 32500, 32501, 65000, 65001, 65507};
	(void)state;

	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++) {
		for (int n = 0; n < 3; n++) {
			/* Fragmented by the container: the host may do so, too. */
			udp_input(u,
				  packet_udp(&(struct packet){.src = GUEST,
							      .dst = OUT,
							      .sport = 5000,
							      .dport = 53,
							      .data = data,
							      .len = size[i]}),
				  NULL, fake.now);
		}
		flush();
		size_t total = 0;
		for (unsigned k = 0; k < fake.n_sent; k++) {
			assert_true(fake.sent[k].len == size[i] || fake.sent[k].seg == size[i]);
			assert_memory_equal(fake.sent[k].data, data, size[i]);
			assert_int_equal(fake.sent[k].df, 0);
			total += fake.sent[k].len;
		}
		assert_int_equal(total, 3 * size[i]);
		if (size[i] == 0 || size[i] > 32500)
			assert_int_equal(fake.n_sent, 3);
		fake_forget();
	}
	udp_input(u,
		  packet_udp(&(struct packet){.src = GUEST6, .dst = OUT6, .sport = 1, .dport = 2}),
		  NULL, fake.now);
	flush();
	assert_int_equal(fake.sent[0].df, 0);
	give_simple(1, OUT6, 2, 1); /* whole in IPv6: routers do not fragment */
	flush();
	assert_int_equal(fake.sent[1].df, 1);
}

static void give_super(size_t len, uint16_t seg)
{
	const struct link_meta m = {.is_partial = true, .gso = LINK_GSO_UDP, .gso_size = seg};

	udp_input(u,
		  packet_udp(&(struct packet){.src = GUEST,
					      .dst = OUT,
					      .sport = 5000,
					      .dport = 53,
					      .data = data,
					      .len = len,
					      .is_df = true}),
		  &m, fake.now);
}

static void super_frames(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 10);
	give_super(60000, 1400); /* what waits goes first */
	assert_int_equal(fake.n_sent, 2);
	assert_sent(0, 0, OUT, 53, 10, 0);
	assert_sent(1, 0, OUT, 53, 60000, 1400);
	assert_memory_equal(fake.sent[1].data, data, 60000);
	fake_forget();
	give_super(6500, 100); /* 65 of them */
	assert_int_equal(fake.n_sent, 2);
	assert_sent(0, 0, OUT, 53, 6400, 100);
	assert_sent(1, 0, OUT, 53, 100, 0);
	assert_memory_equal(fake.sent[1].data, data + 6400, 100);
	fake_forget();
	give_super(65507, 33000); /* no run can hold two of them */
	flush();
	assert_int_equal(fake.n_sent, 2);
	assert_sent(0, 0, OUT, 53, 33000, 0);
	assert_sent(1, 0, OUT, 53, 32507, 0);
	fake_forget();
	give_super(65507, 1); /* nobody's kernel makes that */
	give_super(129, 1);
	flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(stat_of(STAT_DROP_UDP), 2);
	give_super(100, 100);
	give_super(100, 0);
	give_super(0, 100);
	flush();
	assert_int_equal(fake.n_sent, 2);
	assert_sent(0, 0, OUT, 53, 200, 100);
	assert_sent(1, 0, OUT, 53, 0, 0);
}

/* What the host will not cut is sent one by one, and not tried again. */
static void without_segment(void **state)
{
	static const int sys[] = {EIO, EINVAL, EMSGSIZE};
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		const uint16_t port = (uint16_t)(5000 + i);

		fake.gso_sys = sys[i];
		for (int n = 0; n < 5; n++)
			give_simple(port, OUT, 53, 1000);
		give_simple(port, OUT, 53, 7);
		flush();
		assert_int_equal(fake.n_sent, 6);
		for (unsigned n = 0; n < 6; n++)
			assert_sent(n, (int)i, OUT, 53, n < 5 ? 1000 : 7, 0);
		assert_memory_equal(fake.sent[4].data, data, 1000);
		fake_forget();
		for (int n = 0; n < 5; n++)
			give_simple(port, OUT, 53, 1000);
		flush();
		assert_int_equal(fake.n_sent, 5);
		assert_int_equal(fake.send_calls, 5);
		fake_forget();
		/* A smaller size is worth a try, unless the device cannot at all. */
		fake.gso_sys = 0;
		give_simple(port, OUT, 53, 500);
		give_simple(port, OUT, 53, 500);
		flush();
		assert_int_equal(fake.n_sent, sys[i] == EIO ? 2 : 1);
		fake_forget();
	}
	tear_down(state);
	set_up(state);
	fake.gso_sys = EIO;
	give_super(65000, 600);
	assert_int_equal(fake.n_sent, 109);
	for (unsigned i = 0; i < 109; i++)
		assert_memory_equal(fake.sent[i].data, data + i * 600, i < 108 ? 600 : 200);
}

/* --- errors -------------------------------------------------------------------------------- */

static void icmp_back(void **state)
{
	static const struct {
		uint32_t sys;
		uint8_t type, code;
		uint32_t info, told;
	} kind[] = {
		{ENETUNREACH, 3, 0, 0, 0},    {EHOSTUNREACH, 3, 1, 0, 0},
		{ENOPROTOOPT, 3, 2, 0, 0},    {ECONNREFUSED, 3, 3, 0, 0},
		{EMSGSIZE, 3, 4, 1280, 1280}, {EOPNOTSUPP, 3, 5, 0, 0},
		{ENETUNREACH, 3, 9, 0, 0},    {EHOSTUNREACH, 3, 13, 0, 0},
		{EHOSTUNREACH, 11, 0, 0, 0},  {EPROTO, 12, 0, 20, 20u << 24},
	};
	struct ip_packet k;
	(void)state;

	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		struct fake_error e = {.sys = kind[i].sys,
				       .type = kind[i].type,
				       .code = kind[i].code,
				       .info = kind[i].info,
				       .from = ip_of("203.0.113.1"),
				       .dst = ip_of(OUT),
				       .port = 53,
				       .len = 20};

		memcpy(e.data, data, 20);
		give_simple(5000, OUT, 53, 100);
		flush();
		fake_fail(0, &e);
		fake_poll(0);
		assert_int_equal(fake.n_frame, 1);
		k = assert_error(0, kind[i].type, kind[i].code, kind[i].told, "203.0.113.1", OUT,
				 5000, 53, 108);
		assert_int_equal(k.frag_id, 77); /* as the container sent it */
		assert_int_not_equal(k.proto_at, 0);
		assert_int_equal(k.len, 20);
		assert_memory_equal(k.payload, data, 20);
		assert_int_equal(udp_count(u), 1); /* RFC 4787 REQ-12 */
		assert_int_equal(fake.socket[0].sys, 0);
		fake_forget();
	}
	fake_fail(0, &(struct fake_error){.sys = ECONNREFUSED, .type = 4, .dst = ip_of(OUT)});
	fake_poll(0);
	assert_int_equal(fake.n_frame, 0); /* source quench is nobody's (RFC 6633) */
}

static void icmp6_back(void **state)
{
	static const struct {
		uint32_t sys;
		uint8_t type, code;
		uint32_t info;
	} kind[] = {
		{ENETUNREACH, 1, 0, 0},  {EACCES, 1, 1, 0},       {EHOSTUNREACH, 1, 3, 0},
		{ECONNREFUSED, 1, 4, 0}, {EACCES, 1, 5, 0},       {EACCES, 1, 6, 0},
		{EMSGSIZE, 2, 0, 1280},  {EHOSTUNREACH, 3, 0, 0}, {EPROTO, 4, 1, 40},
	};
	(void)state;

	give_simple(5000, OUT6, 53, 100);
	flush();
	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		fake_fail(0, &(struct fake_error){.sys = kind[i].sys,
						  .type = kind[i].type,
						  .code = kind[i].code,
						  .info = kind[i].info,
						  .from = ip_of("2001:db8:9::1"),
						  .dst = ip_of(OUT6),
						  .port = 53,
						  .len = 100});
		fake_poll(0);
		assert_error((unsigned)i, kind[i].type, kind[i].code, kind[i].info, "2001:db8:9::1",
			     OUT6, 5000, 53, 108);
	}
	assert_int_equal(fake.n_frame, 9);
}

/* An error about an older datagram to somebody else is about what the error says. */
static void icmp_about_another(void **state)
{
	struct ip_packet k;
	struct fake_error e = {.sys = ECONNREFUSED,
			       .type = 3,
			       .code = 3,
			       .from = ip_of("127.0.0.1"),
			       .dst = ip_of("127.0.0.1"),
			       .port = 5353,
			       .len = 12};
	(void)state;

	fake.policy.is_loopback_open = true;
	give_simple(5000, "10.0.2.2", 5353, 12);
	give_simple(5000, OUT, 53, 100);
	flush();
	fake_fail(0, &e);
	e.from = ip_of("10.0.2.100"); /* the guest itself said so, it is told */
	fake_fail(0, &e);
	e.from = (struct ip){0};
	fake_fail(0, &e);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 3);
	k = assert_error(0, 3, 3, 0, "10.0.2.2", "10.0.2.2", 5000, 5353, 20);
	assert_int_equal(k.frag_id, 0);
	assert_int_equal(k.len, 12);
	assert_error(1, 3, 3, 0, NULL, "10.0.2.2", 5000, 5353, 20);
	assert_error(2, 3, 3, 0, NULL, "10.0.2.2", 5000, 5353, 20);
	give_simple(5000, OUT6, 53, 100);
	flush();
	fake_fail(1, &(struct fake_error){.sys = EHOSTUNREACH,
					  .type = 1,
					  .code = 3,
					  .from = ip_of("fe80::1"), /* means nothing inside */
					  .dst = ip_of(OUT6),
					  .port = 53});
	fake_poll(1);
	assert_error(3, 1, 3, 0, NULL, OUT6, 5000, 53, 108);
}

/* The error of an earlier datagram makes the next call fail, which must not lose its datagram. */
static void old_error_at_a_send(void **state)
{
	struct fake_error e = {.sys = ECONNREFUSED,
			       .type = 3,
			       .code = 3,
			       .from = ip_of(OUT),
			       .dst = ip_of(OUT),
			       .port = 53,
			       .len = 5};
	(void)state;

	give_simple(5000, OUT, 53, 5);
	flush();
	fake_fail(0, &e);
	for (int i = 0; i < 3; i++)
		give_simple(5000, OUT, 54, 6);
	give_simple(5000, OUT, 55, 7);
	flush();
	assert_int_equal(fake.n_sent, 3);
	assert_sent(1, 0, OUT, 54, 18, 6);
	assert_sent(2, 0, OUT, 55, 7, 0);
	assert_int_equal(fake.n_frame, 1);
	assert_int_equal(stat_of(STAT_DROP_SEND), 0);
	/* The same without an entry: the queue had no room for it. */
	fake.socket[0].sys = ECONNREFUSED;
	give_simple(5000, OUT, 56, 7);
	flush();
	assert_sent(3, 0, OUT, 56, 7, 0);
	/* And at a receive. */
	fake_fail(0, &e);
	arrive(0, OUT, 56, 9, 0);
	fake.socket[0].source->fn(fake.socket[0].source, EPOLLIN, fake.now);
	assert_int_equal(fake.n_frame, 3);
	assert_answer(2, OUT, 56, 5000, 9, 0);
	assert_int_equal(stat_of(STAT_DROP_SEND), 0);
}

static void refused_at_once(void **state)
{
	static const struct {
		int sys;
		uint8_t code4, code6;
	} kind[] = {
		{ENETUNREACH, 0, 0}, {EHOSTUNREACH, 1, 3}, {EACCES, 13, 1},
		{EPERM, 13, 1},      {EINVAL, 1, 3},       {ENETDOWN, 0, 0},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		fake.send_sys = kind[i].sys;
		give_simple(5000, OUT, 53, 100);
		give_simple(5000, OUT6, 53, 100);
		flush();
		assert_int_equal(fake.n_frame, 2);
		assert_error(0, 3, kind[i].code4, 0, NULL, OUT, 5000, 53, 108);
		assert_error(1, 1, kind[i].code6, 0, NULL, OUT6, 5000, 53, 108);
		assert_in_range(fake.send_calls, 2, 4);
		fake_forget();
	}
	assert_int_equal(stat_of(STAT_DROP_SEND), 12);
	fake.send_sys = EAGAIN;
	give_simple(5000, OUT, 53, 100);
	give_simple(5000, OUT, 53, 100);
	flush();
	assert_int_equal(fake.n_frame, 0);
	assert_int_equal(stat_of(STAT_DROP_SEND), 14);
	/* A firewall that rejects: the call fails with EPERM, the queue has the firewall's answer.
	 */
	fake.send_sys = EPERM;
	fake.reject_code = 10;
	give_simple(5000, OUT, 53, 100);
	flush();
	assert_int_equal(fake.n_frame, 1);
	assert_error(0, 3, 10, 0, "198.51.100.1", OUT, 5000, 53, 108);
}

static void path_mtu(void **state)
{
	struct packet p = {.src = GUEST,
			   .dst = OUT,
			   .sport = 5000,
			   .dport = 53,
			   .data = data,
			   .len = 1400,
			   .is_df = true,
			   .id = 5};
	(void)state;

	fake.mtu = 1280;
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(fake.n_frame, 1);
	assert_error(0, 3, 4, 1280, NULL, OUT, 5000, 53, 1408);
	assert_int_equal(fake.send_calls, 1);
	give(&p); /* a run of two: neither goes */
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(fake.n_frame, 3);
	p.dport = 54; /* two destinations, told apart */
	give(&p);
	p.dport = 53;
	give(&p);
	flush();
	assert_int_equal(fake.n_frame, 5);
	assert_error(3, 3, 4, 1280, NULL, OUT, 5000, 54, 1408);
	assert_error(4, 3, 4, 1280, NULL, OUT, 5000, 53, 1408);
	fake_forget();
	p.is_df = false; /* the network may fragment these */
	give(&p);
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 2);
	assert_int_equal(fake.n_frame, 0);
	p.is_df = true;
	p.len = 1252;
	give(&p);
	give(&p);
	flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.sent[2].seg, 1252);
	p.src = GUEST6;
	p.dst = OUT6;
	p.len = 1400;
	give(&p);
	flush();
	assert_error(0, ICMP_V6_TOO_BIG, 0, 1280, NULL, OUT6, 5000, 53, 1408);
	udp_input(u, packet_udp(&p), NULL, fake.now); /* came in fragments */
	flush();
	assert_int_equal(fake.n_sent, 4);
	assert_int_equal(fake.n_frame, 1);
}

/* --- life ---------------------------------------------------------------------------------- */

static void time_outs(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 1);
	give_simple(5001, OUT, 53, 1);
	flush();
	fake_time(20000);
	arrive(1, OUT, 53, 1, 0); /* answered: used, but said once */
	fake_poll(1);
	fake_time(9999);
	assert_int_equal(udp_count(u), 2);
	fake_time(1);
	assert_int_equal(udp_count(u), 1);
	fake_time(20000);
	assert_int_equal(udp_count(u), 0);
	assert_int_equal(fake.n_open, 0);

	give_simple(5000, OUT, 53, 1);
	flush();
	arrive(0, OUT, 53, 1, 0);
	fake_poll(0);
	give_simple(5000, OUT, 53, 1); /* both have spoken, and the container again: a stream */
	flush();
	fake_time(119999);
	assert_int_equal(udp_count(u), 1);
	arrive(0, OUT, 53, 1, 0); /* what comes keeps it as well */
	fake_poll(0);
	fake_time(119999);
	assert_int_equal(udp_count(u), 1);
	fake_time(1);
	assert_int_equal(udp_count(u), 0);
	assert_int_equal(wheel_next(fake.wheel), UINT64_MAX); /* nothing idle costs */
}

static void cap(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
		flush();
		arrive(i, OUT, 53, 1, 0);
		fake_poll(i);
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
	}
	flush();
	fake_forget();
	/* A flood of others goes round among itself. */
	for (uint16_t i = 0; i < 500; i++)
		give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	flush();
	assert_int_equal(fake.n_sent, 500); /* what waited was sent before the socket went */
	assert_int_equal(udp_count(u), 64);
	assert_int_equal(fake.n_open, 64);
	assert_int_equal(stat_of(STAT_DGRAM_EVICTED), 456);
	assert_int_equal(stat_of(STAT_UDP_OPENED), 520);
	for (uint16_t i = 0; i < 20; i++)
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
	flush();
	assert_int_equal(stat_of(STAT_UDP_OPENED), 520);
}

/* Streams alone in the table: the longest idle one makes room for a newcomer. */
static void cap_of_streams(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 64; i++) {
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
		flush();
		arrive(i, OUT, 53, 1, 0);
		fake_poll(i);
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
	}
	for (uint16_t i = 0; i < 9; i++)
		give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	for (uint16_t i = 0; i < 9; i++)
		give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	flush();
	assert_int_equal(stat_of(STAT_UDP_OPENED), 73); /* the newcomers kept their places */
}

static void no_sockets(void **state)
{
	(void)state;
	fake.socket_max = 3;
	for (uint16_t i = 0; i < 5; i++)
		give_simple((uint16_t)(100 + i), OUT, 53, 1);
	flush();
	assert_int_equal(fake.n_sent, 5); /* the longest idle one makes room */
	assert_int_equal(udp_count(u), 3);
	assert_int_equal(fake.n_frame, 0);
	fake.socket_sys = EMFILE;
	for (uint16_t i = 0; i < 5; i++)
		give_simple((uint16_t)(200 + i), OUT, 53, 1);
	assert_int_equal(fake.n_frame, 5);
	assert_error(0, 3, 13, 0, NULL, OUT, 200, 53, 9);
	assert_int_equal(stat_of(STAT_DROP_SOCKET), 5);
	fake.socket_sys = ENOBUFS;
	give_simple(300, OUT, 53, 1);
	assert_error(5, 3, 13, 0, NULL, OUT, 300, 53, 9);
	fake.socket_sys = EAFNOSUPPORT;
	give_simple(300, OUT6, 53, 1);
	assert_error(6, 1, 0, 0, NULL, OUT6, 300, 53, 9);
	fake.socket_sys = 0;
	give_simple(300, OUT, 53, 1);
	flush();
	assert_int_equal(fake.n_sent, 6);
}

/* --- towards the container ----------------------------------------------------------------- */

static void answers_in_runs(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 1);
	flush();
	for (int i = 0; i < 20; i++)
		arrive(0, OUT, 53, 1000, 0);
	arrive(0, OUT, 53, 10, 0); /* shorter: the last of a run */
	arrive(0, OUT, 53, 10, 0);
	arrive(0, "203.0.113.5", 53, 10, 0); /* somebody else */
	arrive(0, "203.0.113.5", 53, 11, 0); /* longer */
	arrive(0, "203.0.113.5", 53, 0, 0);
	arrive(0, "203.0.113.5", 53, 30000, 1000); /* put together by the host */
	arrive(0, "203.0.113.5", 53, 1500, 1000);
	fake_poll(0);
	/* 16 a batch, 8 a packet. */
	assert_answer(0, OUT, 53, 5000, 8000, 1000);
	assert_answer(1, OUT, 53, 5000, 8000, 1000);
	assert_answer(2, OUT, 53, 5000, 4010, 1000);
	assert_answer(3, OUT, 53, 5000, 10, 0);
	assert_answer(4, "203.0.113.5", 53, 5000, 10, 0);
	assert_answer(5, "203.0.113.5", 53, 5000, 11, 0);
	assert_answer(6, "203.0.113.5", 53, 5000, 0, 0);
	assert_answer(7, "203.0.113.5", 53, 5000, 30000, 1000);
	assert_answer(8, "203.0.113.5", 53, 5000, 1500, 1000);
	assert_int_equal(fake.n_frame, 9);
	assert_memory_equal(frame(7)->data, data, 30000);
	assert_memory_equal(frame(2)->data + 4000, data, 10);
}

static void answers_without_super_frames(void **state)
{
	(void)state;
	fake.caps.has_uso = false;
	give_simple(5000, OUT, 53, 1);
	flush();
	for (int i = 0; i < 5; i++)
		arrive(0, OUT, 53, 1000, 0);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_answer(i, OUT, 53, 5000, 1000, 0);
}

/* Datagrams above the link's MTU are fragmented one by one: no super-frame holds them. */
static void answers_above_the_mtu(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 1);
	give_simple(5000, OUT6, 53, 1);
	flush();
	arrive(0, OUT, 53, 65507, 0);
	arrive(0, OUT, 53, 1473, 0);
	arrive(0, OUT, 53, 1473, 0);
	arrive(0, OUT, 53, 20000, 8000);
	arrive(0, OUT, 53, 2944, 1472);
	arrive(1, OUT6, 53, 2904, 1452);
	arrive(1, OUT6, 53, 2906, 1453);
	fake_poll(0);
	assert_answer(0, OUT, 53, 5000, 65507, 0);
	assert_answer(1, OUT, 53, 5000, 1473, 0);
	assert_answer(2, OUT, 53, 5000, 1473, 0);
	assert_answer(3, OUT, 53, 5000, 8000, 0);
	assert_answer(4, OUT, 53, 5000, 8000, 0);
	assert_answer(5, OUT, 53, 5000, 4000, 0);
	assert_answer(6, OUT, 53, 5000, 2944, 1472);
	assert_int_equal(fake.n_frame, 7);
	assert_memory_equal(frame(4)->data, data + 8000, 8000);
	fake_poll(1);
	assert_answer(7, OUT6, 53, 5000, 2904, 1452);
	assert_answer(8, OUT6, 53, 5000, 1453, 0);
	assert_answer(9, OUT6, 53, 5000, 1453, 0);
}

/* The mark of congestion is the receiver's (RFC 3168, RFC 9000 13.4). */
static void class_of_answers(void **state)
{
	(void)state;
	give_simple(5000, OUT, 53, 1);
	give_simple(5000, OUT6, 53, 1);
	flush();
	for (int i = 0; i < 3; i++) {
		for (int fd = 0; fd < 2; fd++)
			fake_arrive(fd, &(struct fake_datagram){.from = ip_of(fd ? OUT6 : OUT),
								.port = 53,
								.len = 9,
								.data = data,
								.tos = i == 2 ? 3 : 2});
	}
	fake_poll(0);
	fake_poll(1);
	assert_int_equal(fake.n_frame, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(frame(i)->h.tos, i % 2 ? 3 : 2);
		assert_int_equal(frame(i)->len, i % 2 ? 9 : 18);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(endpoint_independent),
		T(outbound_address),
		T(hop_limit_and_class),
		T(bad_datagrams),
		T(policy),
		T(host_loopback),
		T(runs),
		T(runs_of_two_flows),
		T(long_batches),
		T(sizes),
		T(super_frames),
		T(without_segment),
		T(icmp_back),
		T(icmp6_back),
		T(icmp_about_another),
		T(old_error_at_a_send),
		T(refused_at_once),
		T(path_mtu),
		T(time_outs),
		T(cap),
		T(cap_of_streams),
		T(no_sockets),
		T(answers_in_runs),
		T(answers_without_super_frames),
		T(answers_above_the_mtu),
		T(class_of_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
