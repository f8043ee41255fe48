/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench: a struct udp on the fake host, what is given to it and what is seen of it. Tests nothing.
 */
#include "dgram/bench.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct udp *u;
uint8_t data[65535];

static void on_dns(void *arg, const struct ip_packet *p, const struct udphdr_v *h, uint64_t now)
{
	(void)p;
	assert_ptr_equal(arg, &fake);
	assert_int_equal(now, fake.now);
	fake.n_dns++;
	fake.dns = *h;
}

int bench_set_up(void **state)
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

int bench_tear_down(void **state)
{
	udp_free(u);
	assert_int_equal(fake.n_open, 0);
	return fake_teardown(state);
}

const struct link_meta plain;

void bench_give(const struct packet *p)
{
	udp_input(u, packet_udp(p), &plain, fake.now);
}

void bench_give_simple(uint16_t sport, const char *dst, uint16_t dport, size_t len)
{
	bench_give(&(struct packet){.src = strchr(dst, ':') ? GUEST6 : GUEST,
				    .dst = dst,
				    .sport = sport,
				    .dport = dport,
				    .data = data,
				    .len = len,
				    .is_df = true,
				    .id = 77});
}

void bench_flush(void)
{
	udp_flush(u, fake.now);
}

void bench_arrive(int fd, const char *from, uint16_t port, size_t len, uint16_t seg)
{
	fake_arrive(
		fd,
		&(struct fake_datagram){
			.from = ip_of(from), .port = port, .len = len, .data = data, .seg = seg});
}

void bench_assert_sent(unsigned i, int fd, const char *to, uint16_t port, size_t len, uint16_t seg)
{
	const struct ip ip = ip_of(to);

	assert_in_range(i, 0, fake.n_sent - 1);
	assert_int_equal(fake.sent[i].fd, fd);
	assert_true(ip_equal(&fake.sent[i].to, &ip));
	assert_int_equal(fake.sent[i].port, port);
	assert_int_equal(fake.sent[i].len, len);
	assert_int_equal(fake.sent[i].seg, seg);
}

const struct fake_frame *bench_frame(unsigned i)
{
	assert_in_range(i, 0, fake.n_frame - 1);
	return &fake.frame[i];
}

void bench_assert_answer(unsigned i, const char *from, uint16_t sport, uint16_t dport, size_t len,
			 uint16_t seg)
{
	const struct fake_frame *f = bench_frame(i);
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
struct ip_packet bench_assert_error(unsigned i, uint8_t type, uint8_t code, uint32_t info,
				    const char *from, const char *dst, uint16_t sport,
				    uint16_t dport, size_t len)
{
	const struct fake_frame *f = bench_frame(i);
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

uint64_t bench_stat_of(enum stat_id s)
{
	return fake.stats.n[s];
}
