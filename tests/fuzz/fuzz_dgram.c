/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dgram: a program of events for UDP and ping on the host made of tables of their unit tests:
 * an opcode, a selector, a length, and that many bytes. The container sends datagrams,
 * super-frames, echoes and noise; the host answers, fails, refuses, runs out of sockets; time
 * passes. Whatever comes: nothing goes where the policy does not let it, no datagram is lost
 * without being counted or sent twice, sockets are bounded, and what the container gets is for the
 * container.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dgram/fake.h"
#include "fuzz.h"

#define MAX_UDP 24
#define MAX_PING 4

static const char *const guests[4] = {"10.0.2.100", "fd00::100", "10.0.2.50", "fe80::9"};
static const char *const others[2][8] = {
	{"198.51.100.7", "198.51.100.8", "10.0.2.2", "10.0.2.3", "127.0.0.1", "224.0.0.1",
	 "10.0.2.77", "0.0.0.0"},
	{"2001:db8::7", "2001:db8::8", "fd00::2", "fd00::3", "::1", "ff02::1", "fe80::1",
	 "::ffff:127.0.0.1"},
};

static struct udp *u;
static struct ping *g;
static uint8_t data[65536];
static uint64_t accepted, sent; /* UDP datagrams */
static uint64_t lost_pings;

static void on_dns(void *arg, const struct ip_packet *p, const struct udphdr_v *h, uint64_t now)
{
	(void)arg;
	(void)p;
	(void)now;
	MUST(h->dport == 53);
	fake.n_dns++;
}

static uint64_t refusals(void)
{
	const uint64_t *n = fake.stats.n;

	return n[STAT_DROP_UDP] + n[STAT_DROP_CHECKSUM] + n[STAT_DROP_POLICY] + n[STAT_DROP_TTL] +
	       n[STAT_DROP_SOURCE] + n[STAT_DROP_SOCKET] + n[STAT_DROP_TABLE_FULL] + fake.n_dns;
}

static void give(const struct ip_packet *k, const struct link_meta *m, uint64_t n)
{
	const uint64_t before = refusals();

	udp_input(u, k, m, fake.now);
	if (refusals() == before)
		accepted += n;
}

static void give_ping(const struct ip_packet *k, bool is_whole)
{
	const uint64_t before = fake.stats.n[STAT_DROP_SEND];

	ping_input(g, k, is_whole, fake.now);
	lost_pings += fake.stats.n[STAT_DROP_SEND] - before;
}

static void on_udp(uint8_t select, const uint8_t *p, size_t len)
{
	const int fam = select & 1;
	struct packet k = {.src = guests[select & 3],
			   .dst = others[fam][select >> 2 & 7],
			   .sport = 1,
			   .dport = 53,
			   .data = data,
			   .is_df = select & 0x20};
	struct link_meta m = {.is_partial = select & 0x40};
	uint64_t n = 1;

	if (len > 0)
		k.sport = p[0];
	if (len > 1)
		k.len = p[1] * (size_t)(len > 2 ? p[2] : 1);
	if (len > 3)
		k.ttl = p[3];
	if (len > 4 && p[4] && m.is_partial) {
		m.gso = LINK_GSO_UDP;
		m.gso_size = (uint16_t)(p[4] * 10);
		n = (k.len + m.gso_size - 1u) / m.gso_size;
	}
	give(packet_udp(&k), select & 0x80 ? NULL : &m, select & 0x80 || n == 0 ? 1 : n);
}

/* A header as it comes. */
static void on_noise(uint8_t select, const uint8_t *p, size_t len)
{
	const struct packet like = {.src = guests[select & 1], .dst = others[select & 1][0]};
	struct ip_packet k = *packet_udp(&like);
	const struct link_meta m = {.is_valid = true};

	k.payload = p;
	k.len = len;
	k.ttl = select;
	if (select & 2)
		give_ping(&k, select & 4);
	else
		give(&k, &m, 1);
}

static void on_echo(uint8_t select, const uint8_t *p, size_t len)
{
	struct packet k = {.src = guests[select & 3],
			   .dst = others[select & 1][select >> 2 & 7],
			   .sport = len > 0 ? p[0] % 8 : 0,
			   .dport = len > 1 ? p[1] : 0,
			   .data = data,
			   .len = len > 2 ? p[2] * 8u : 0,
			   .ttl = len > 3 ? p[3] : 64};

	give_ping(packet_echo(&k), select & 0x80);
}

static int socket_of(uint8_t select)
{
	for (int i = 0; i < FAKE_SOCKETS; i++) {
		int fd = (i + select) % FAKE_SOCKETS;

		if (fake.socket[fd].is_open && fake.socket[fd].source)
			return fd;
	}
	return -1;
}

static void on_arrival(uint8_t select, const uint8_t *p, size_t len)
{
	const int fd = socket_of(select);
	struct fake_datagram d = {.port = len > 1 ? p[1] : 9, .data = data};

	if (fd < 0 || fake.socket[fd].n_in == FAKE_QUEUE - 1)
		return;
	const bool is_udp = fake.socket[fd].kind == HOST_UDP;

	d.from = ip_of(others[fake.socket[fd].family == AF_INET6][len > 0 ? p[0] & 7 : 0]);
	d.len = len > 2 ? p[2] * (is_udp ? 250u : 1u) : 0;
	d.seg = is_udp && len > 3 ? (uint16_t)(p[3] * 10) : 0;
	d.tos = len > 4 ? p[4] : 0;
	if (!is_udp && len > 4) {
		d.data = p + 4;
		d.len = len - 4;
	}
	fake_arrive(fd, &d);
	fake_poll(fd);
}

static void on_error(uint8_t select, const uint8_t *p, size_t len)
{
	static const uint32_t errnos[8] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE,
					   EACCES,       EPROTO,       ENOPROTOOPT, EPERM};
	const int fd = socket_of(select);
	struct fake_error e = {.sys = errnos[select & 7]};

	if (fd < 0 || fake.socket[fd].n_error == FAKE_QUEUE - 1)
		return;
	const int fam = fake.socket[fd].family == AF_INET6;

	if (len > 3) {
		e.type = p[0];
		e.code = p[1];
		e.from = ip_of(others[p[3] & 8 ? !fam : fam][p[2] & 7]);
		e.dst = ip_of(others[fam][p[3] & 7]);
		e.info = p[2] * 300u;
		e.port = 53;
		e.len = len - 4 < sizeof(e.data) ? len - 4 : sizeof(e.data);
		memcpy(e.data, p + 4, e.len);
	}
	fake_fail(fd, &e);
	if (select & 0x40)
		fake_poll(fd);
}

static void on_host(const uint8_t *p, size_t len)
{
	static const int gso[4] = {0, EIO, EINVAL, EMSGSIZE};
	static const int send[8] = {0, 0, 0, EAGAIN, ENETUNREACH, EHOSTUNREACH, EPERM, EACCES};
	static const int open[4] = {0, 0, EMFILE, EACCES};

	fake.gso_sys = len > 0 ? gso[p[0] & 3] : 0;
	fake.send_sys = len > 1 ? send[p[1] & 7] : 0;
	fake.socket_sys = len > 2 ? open[p[2] & 3] : 0;
	fake.socket_max = len > 3 ? p[3] % 32u : FAKE_SOCKETS;
	fake.mtu = len > 4 && (p[4] & 1) ? 1280 : 0;
}

static void event(uint8_t op, uint8_t select, const uint8_t *p, size_t len)
{
	switch (op % 8) {
	case 0:
		on_udp(select, p, len);
		break;
	case 1:
		on_noise(select, p, len);
		break;
	case 2:
		on_echo(select, p, len);
		break;
	case 3:
		on_arrival(select, p, len);
		break;
	case 4:
		on_error(select, p, len);
		break;
	case 5:
		udp_flush(u, fake.now);
		on_host(p, len);
		break;
	case 6:
		fake_time(select * 500u);
		break;
	default:
		udp_flush(u, fake.now);
		break;
	}
}

static void check_sent(const struct fake_sent *f)
{
	const struct plan *plan = &fake.policy.plan;

	MUST(!ip_is_any(&f->to) && !ip_is_multicast(&f->to) && !ip_is_link_local(&f->to));
	MUST(!prefix_contains(&plan->net[ip_fam(&f->to)], &f->to));
	MUST(!ip_is_loopback(&f->to) || (f->kind == HOST_UDP && f->port == 53));
	if (f->kind != HOST_UDP)
		return;
	for (size_t at = 0; f->seg && at < f->len; at += f->seg)
		sent++;
	sent += !f->seg;
}

static void check(void)
{
	for (unsigned i = 0; i < fake.n_sent; i++)
		check_sent(&fake.sent[i]);
	for (unsigned i = 0; i < fake.n_frame; i++) {
		const struct fake_frame *f = &fake.frame[i];

		if (f->is_error) {
			MUST(f->len >= 28 && !ip_is_loopback(&f->from) &&
			     !ip_is_multicast(&f->from));
			continue;
		}
		MUST(!ip_is_loopback(&f->h.src) && !ip_is_multicast(&f->h.src));
		MUST(!ip_equal(&f->h.src, &f->h.dst));
		MUST(f->len <= 65535);
	}
	fake_forget();
	MUST(udp_count(u) <= MAX_UDP && ping_count(g) <= MAX_PING);
	MUST(fake.n_open <= udp_count(u) + ping_count(g));
}

static void set_up(void)
{
	MUST(fake_setup(NULL) == 0);
	for (size_t i = 0; data[1] == 0 && i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 255);
	accepted = sent = lost_pings = 0;
	/* One port of the loopback is open. */
	fake.policy.n_loopback = 1;
	fake.policy.loopback[0] = (struct policy_port){IPPROTO_UDP, 53, 53};
	MUST(udp_new(&(struct udp_env){.emit = FAKE_EMIT,
				       .loop = FAKE_LOOP,
				       .wheel = fake.wheel,
				       .policy = &fake.policy,
				       .host = &fake_host,
				       .stats = &fake.stats,
				       .max = MAX_UDP,
				       .once_ms = 30000,
				       .stream_ms = 120000,
				       .dns = on_dns,
				       .arg = &fake},
		     &u, NULL) == 0);
	MUST(ping_new(&(struct ping_env){.emit = FAKE_EMIT,
					 .loop = FAKE_LOOP,
					 .wheel = fake.wheel,
					 .policy = &fake.policy,
					 .host = &fake_host,
					 .stats = &fake.stats,
					 .max = MAX_PING},
		      &g, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	set_up();
	while (size >= 3) {
		uint8_t op = p[0], select = p[1];
		size_t len = p[2];

		p += 3;
		size -= 3;
		if (len > size)
			len = size;
		event(op, select, p, len);
		check();
		p += len;
		size -= len;
	}
	udp_flush(u, fake.now);
	check();
	MUST(fake.n_sent == 0);
	MUST(accepted == sent + fake.stats.n[STAT_DROP_SEND] - lost_pings);
	fake_time(200000);
	MUST(udp_count(u) == 0 && ping_count(g) == 0 && fake.n_open == 0);
	udp_free(u);
	ping_free(g);
	fake_teardown(NULL);
	return 0;
}
