/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection through a whole worker: opening, every way in which the host says no, both
 * directions, back-pressure, half closes, resets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow/ring.h"
#include "stack/internal.h"
#include "stack/rig.h"
#include "tcp/tcb_parts.h"
#include "wire/eth.h"

static uint8_t buf[200000];
static struct rig_packet packet;

/* Nothing is said before the host's connect() has ended; a repeated SYN opens nothing more. */
static void held(void **state)
{
	struct peer p;

	(void)state;
	rig.how = RIG_PENDING;
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_syn(&p);
	rig_settle();
	peer_syn(&p);
	rig_pass(1500);
	assert_false(rig_read(&packet));
	assert_int_equal(rig.n_sockets, 1);
	assert_int_equal(rig_last()->port, 80);
	rig_finish(rig_last(), 0);
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_SYN | TCP_ACK);
	assert_true(packet.tcp.mss == 1460 && packet.tcp.has_wscale && packet.tcp.has_sack_ok);
	assert_true(peer_take(&p, &packet, true));
	assert_int_equal(rig_stat(STAT_TCP_OPENED), 1);
}

/* Where the container is, is not learnt from a damaged frame: an address that is nobody's would
 * take the place of the right one. It is the last frame for a long time. */
static void damaged_source(void **state)
{
	const struct rig_conf bridged = {.is_bridged = true};
	struct peer p;

	(void)state;
	rig_start(&bridged);
	peer_init(&p, "2001:db8::7", 80, 40000);
	peer_open(&p);
	peer_data(&p, "x", 1);
	peer_run(&p);
	rig.damage = ETH_HDR_LEN + 8 + 12; /* of the source, outside of what the table hashes */
	peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
	rig_settle();
	assert_int_equal(rig_stat(STAT_DROP_CHECKSUM), 1);
	assert_int_equal(write(rig_last()->peer, "y", 1), 1);
	peer_run(&p); /* the frame's destination is looked at there */
	assert_int_equal(p.n_in, 1);
	rig_stop();
}

struct refusal {
	int sys;
	bool is_rst;
	int code4, type6, code6; /* -1: silence */
};

static const struct refusal refusals[] = {
	{ECONNREFUSED, true, 0, 0, 0},
	{ENETUNREACH, false, ICMP_V4_UNREACH_NET, ICMP_V6_UNREACH, ICMP_V6_UNREACH_ROUTE},
	{EHOSTUNREACH, false, ICMP_V4_UNREACH_HOST, ICMP_V6_UNREACH, ICMP_V6_UNREACH_ADDR},
	{EACCES, false, ICMP_V4_UNREACH_ADMIN, ICMP_V6_UNREACH, ICMP_V6_UNREACH_ADMIN},
	{EPERM, false, ICMP_V4_UNREACH_ADMIN, ICMP_V6_UNREACH, ICMP_V6_UNREACH_ADMIN},
	{ENOPROTOOPT, false, ICMP_V4_UNREACH_PROTO, ICMP_V6_UNREACH, ICMP_V6_UNREACH_ADMIN},
	{ETIMEDOUT, false, -1, -1, -1},
};

static void expect_refusal(const struct peer *p, const struct refusal *r)
{
	const bool is_v4 = p->src.family == AF_INET;
	struct icmp_cause cause;

	if (!r->is_rst && r->code4 < 0) {
		assert_false(rig_read(&packet));
		return;
	}
	assert_true(rig_read(&packet));
	if (r->is_rst) {
		assert_int_equal(packet.tcp.flags, TCP_RST | TCP_ACK);
		assert_int_equal(packet.tcp.seq, 0);
		assert_int_equal(packet.tcp.ack, p->iss + 1);
	} else {
		assert_int_equal(packet.icmp.type, is_v4 ? ICMP_V4_UNREACH : r->type6);
		assert_int_equal(packet.icmp.code, is_v4 ? r->code4 : r->code6);
		assert_int_equal(icmp_parse_cause(p->src.family, packet.icmp.payload,
						  packet.icmp.len, &cause),
				 0);
		assert_true(ip_equal(&cause.src, &p->src) && ip_equal(&cause.dst, &p->dst));
		assert_int_equal(cause.sport, p->sport);
		assert_int_equal(cause.dport, p->dport);
		assert_int_equal(cause.seq, p->iss); /* Linux looks at it */
	}
	assert_false(rig_read(&packet));
}

/* connect() fails at once, or later, in both families. Nothing stays. */
static void refused(void **state)
{
	uint16_t sport = 41000;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		for (int v = 0; v < 4; v++) {
			struct peer p;

			peer_init(&p, v & 1 ? "2001:db8::7" : "198.51.100.7", 80, sport++);
			rig.how = RIG_PENDING;
			rig.sys = v & 2 ? refusals[i].sys : 0;
			peer_syn(&p);
			rig_settle();
			if (!(v & 2)) {
				assert_false(rig_read(&packet));
				rig_finish(rig_last(), refusals[i].sys);
			}
			assert_true(rig_last()->is_closed);
			expect_refusal(&p, &refusals[i]);
			/* It is forgotten: what comes now belongs to nothing. */
			peer_send(&p, TCP_ACK, p.iss + 1, NULL, 0);
			rig_settle();
			assert_true(rig_read(&packet));
			assert_true(packet.tcp.flags & TCP_RST);
		}
	rig.sys = 0;
}

/* No descriptor is no refusal: the container's next SYN may find one. */
static void no_socket(void **state)
{
	static const int shortages[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 42000);
	rig.how = RIG_NO_SOCKET;
	for (size_t i = 0; i < 4; i++) {
		rig.sys = shortages[i];
		peer_syn(&p);
		rig_settle();
		assert_false(rig_read(&packet));
		assert_int_equal(rig_stat(STAT_DROP_SOCKET), i + 1);
	}
	rig.how = RIG_AT_ONCE;
	rig.sys = 0;
	peer_open(&p);
}

static void forbidden(void **state)
{
	static const char *const refuse[] = {"127.0.0.1", "0.0.0.0",    "224.0.0.1", "240.0.0.1",
					     "10.0.2.77", "10.0.2.255", "::1",       "ff02::1"};
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(refuse) / sizeof(*refuse); i++) {
		peer_init(&p, refuse[i], 80, 43000);
		peer_syn(&p);
		rig_settle();
		assert_false(rig_read(&packet));
		assert_int_equal(rig_stat(STAT_DROP_POLICY), i + 1);
	}
	/* v4-mapped ::ffff:127.0.0.1, as destination and as source */
	peer_init(&p, "2001:db8::1", 80, 43001);
	memset(p.dst.b, 0, 16);
	p.dst.b[10] = p.dst.b[11] = 0xff;
	p.dst.b[12] = 127;
	p.dst.b[15] = 1;
	peer_syn(&p);
	rig_settle();
	assert_false(rig_read(&packet));
	assert_int_equal(rig_stat(STAT_DROP_POLICY), sizeof(refuse) / sizeof(*refuse) + 1);
	peer_init(&p, "2001:db8::1", 80, 43002);
	memset(p.src.b, 0, 16);
	p.src.b[10] = p.src.b[11] = 0xff;
	p.src.b[12] = 10;
	peer_syn(&p);
	rig_settle();
	assert_int_equal(rig_stat(STAT_DROP_SOURCE), 1);
	/* The gateway's closed ports answer as closed ports do. */
	peer_init(&p, "10.0.2.2", 22, 43003);
	peer_syn(&p);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig.n_sockets, 0);
}

/* A host that takes nothing: the window closes with all that was sent inside kept, and opens again
 * when it takes. */
static void back_pressure(void **state)
{
	struct rig_socket *s;
	struct peer p;
	uint64_t sent = 0, got = 0;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 44000);
	peer_open(&p);
	s = rig_last();
	while (got < 3000000) {
		ssize_t n;

		/* All that the window lets out. */
		while (sent < 3000000) {
			size_t left = p.snd_una + p.wnd - p.snd_nxt,
			       len = left < 1460 ? left : 1460;

			if (len == 0)
				break;
			if (len > 3000000 - sent)
				len = 3000000 - sent;
			stream_fill(sent, buf, len);
			peer_data(&p, buf, len);
			sent += len;
			if (sent % 8 == 0)
				peer_run(&p);
		}
		peer_run(&p);
		if (p.snd_una + p.wnd != p.snd_nxt && sent < 3000000)
			continue;
		rig_pass(50); /* an ACK may be a delayed one */
		peer_run(&p);
		assert_int_equal(p.snd_una, p.snd_nxt); /* everything was kept */
		/* The host reads a little; what it gets is right. */
		n = read(s->peer, buf, 30000);
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], stream_byte(got + (uint64_t)i));
		got += (uint64_t)n;
		peer_run(&p);
	}
	assert_int_equal(rig_stat(STAT_DROP_MEMORY), 0);
	assert_int_equal(worker_memory(rig.worker), 0);
}

/* From the host, through windows large, small and shut. */
static void downwards(void **state)
{
	struct rig_socket *s;
	struct peer p;
	uint64_t sent = 0;
	int turn = 0;

	(void)state;
	peer_init(&p, "2001:db8::7", 80, 45000);
	p.is_budget = true;
	peer_open(&p);
	s = rig_last();
	while (p.n_in < 3000000) {
		size_t len = 3000000 - sent < sizeof(buf) ? 3000000 - sent : sizeof(buf);
		ssize_t n = 0;

		stream_fill(sent, buf, len);
		if (len > 0)
			n = write(s->peer, buf, len);
		if (n > 0)
			sent += (uint64_t)n;
		if (turn % 3 < 2)
			p.own_wnd = turn % 3 ? 5000 : 65535;
		turn++;
		peer_run(&p);
		peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
		peer_run(&p);
		rig_pass(100);
		assert_true(turn < 3000);
	}
	assert_int_equal(p.n_in, 3000000);
	assert_true(p.sum_in == stream_sum(3000000));
	rig_pass(1000);
	peer_run(&p);
	assert_int_equal(worker_memory(rig.worker), 0);
}

/* Bytes that wait for an ACK when the host has more than enough and the container's window is
 * large, once that has come through many times. */
static uint64_t unacknowledged(size_t memory_max)
{
	const struct rig_conf conf = {.memory_max = memory_max};
	struct peer p;
	uint64_t before;
	bool has_more;

	rig_stop();
	rig_start(&conf);
	peer_init(&p, "198.51.100.7", 80, 45100);
	p.own_shift = 7;
	p.own_wnd = 4u << 20;
	peer_open(&p);
	for (int i = 0; i < 20; i++) {
		peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
		before = p.n_in;
		do {
			has_more = write(rig_last()->peer, buf, sizeof(buf)) > 0;
			rig_settle();
			while (rig_read(&packet)) {
				peer_take(&p, &packet, false);
				has_more = true;
			}
		} while (has_more);
		assert_true(worker_memory(rig.worker) <= RING_MAX);
	}
	return p.n_in - before;
}

/* One connection may fill a ring; when memory is scarce it has less, and goes on. */
static void in_flight(void **state)
{
	(void)state;
	assert_in_range(unacknowledged(64u << 20), RING_MAX / 2 + 1, RING_MAX);
	assert_in_range(unacknowledged(2u << 20), POOL_CHUNK, RING_MAX);
	assert_in_range(unacknowledged(1u << 20), POOL_CHUNK, RING_MAX * 3 / 4);
}

/* While the window is shut, the container is asked, and nothing of the host's is held for it. */
/* How many bytes beyond *top come, which moves. */
static uint32_t fresh(uint32_t *top)
{
	uint32_t was = *top;

	rig_settle();
	while (rig_read(&packet))
		*top = seq_max(*top, packet.tcp.seq + (uint32_t)packet.len);
	return *top - was;
}

/* What has left the network makes room for bytes that the host still has, although nothing before
 * them is acknowledged (RFC 3042): else the third SACK, which tells of a loss, would not come of a
 * small window. */
static void room_by_sack(void **state)
{
	enum { M = 1460 };
	struct peer p;
	uint32_t top;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 45200);
	p.own_shift = 7;
	p.own_wnd = 4u << 20;
	peer_open(&p);
	assert_int_equal(write(rig_last()->peer, buf, 50 * M), 50 * M);
	top = p.rcv_nxt;
	assert_int_equal(fresh(&top), 10 * M); /* RFC 6928 */
	p.sack_left = p.sack_right = p.rcv_nxt + M;
	for (int i = 0; i < 2; i++) {
		p.sack_right += M;
		peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
		assert_int_equal(fresh(&top), M);
	}
	p.sack_right += M;
	peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
	assert_int_equal(fresh(&top), 0);
	assert_int_equal(packet.tcp.seq, p.rcv_nxt); /* the lost one, again */
	assert_int_equal(packet.len, M);
}

static void shut_window(void **state)
{
	struct peer p;
	uint64_t before;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 46000);
	peer_open(&p);
	p.own_wnd = 0;
	peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
	rig_settle();
	assert_int_equal(write(rig_last()->peer, buf, 100000), 100000);
	peer_run(&p);
	assert_int_equal(worker_memory(rig.worker), 0);
	before = p.n_probes;
	rig_pass(20000);
	peer_run(&p);
	assert_true(p.n_probes > before);
	assert_int_equal(p.n_in, 0);
	assert_int_equal(worker_memory(rig.worker), 0);
	p.own_wnd = 65535;
	peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
	peer_run(&p);
	assert_int_equal(p.n_in, 100000);
}

static void half_close_container(void **state)
{
	struct rig_socket *s;
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 47000);
	peer_open(&p);
	s = rig_last();
	peer_data(&p, "request", 7);
	peer_fin(&p);
	peer_run(&p);
	assert_int_equal(read(s->peer, buf, 100), 7);
	assert_int_equal(read(s->peer, buf, 100), 0);
	assert_int_equal(p.snd_una, p.snd_nxt);
	assert_false(s->is_closed);
	stream_fill(0, buf, sizeof(buf));
	assert_int_equal(write(s->peer, buf, sizeof(buf)), sizeof(buf));
	peer_run(&p);
	assert_int_equal(p.n_in, sizeof(buf));
	assert_true(p.sum_in == stream_sum(sizeof(buf)));
	assert_false(p.has_fin);
	close(s->peer);
	s->peer = -1;
	peer_run(&p);
	assert_true(p.has_fin);
	assert_true(s->is_closed && !s->is_aborted);
	/* Both FINs are acknowledged: it is over. */
	peer_send(&p, TCP_ACK, p.snd_nxt, NULL, 0);
	rig_settle();
	assert_true(rig_read(&packet) && packet.tcp.flags & TCP_RST);
}

static void half_close_host(void **state)
{
	struct rig_socket *s;
	struct peer p;
	size_t got = 0;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 48000);
	peer_open(&p);
	s = rig_last();
	assert_int_equal(write(s->peer, "bye", 3), 3);
	shutdown(s->peer, SHUT_WR);
	peer_run(&p);
	assert_int_equal(p.n_in, 3);
	assert_true(p.has_fin);
	for (size_t sent = 0; sent < sizeof(buf);) {
		size_t len = sizeof(buf) - sent < 1000 ? sizeof(buf) - sent : 1000;
		ssize_t n;

		peer_data(&p, buf, len);
		peer_run(&p);
		sent += len;
		n = read(s->peer, buf, sizeof(buf));
		if (n > 0)
			got += (size_t)n;
	}
	peer_fin(&p);
	peer_run(&p);
	assert_int_equal(got, sizeof(buf));
	assert_int_equal(read(s->peer, buf, 1), 0);
	assert_true(s->is_closed && !s->is_aborted);
	/* TIME_WAIT: a new SYN opens the same pair again. */
	p.iss += 1000000;
	p.snd_una = p.snd_nxt = p.iss;
	p.is_synced = p.has_fin = false;
	p.wnd = 0;
	peer_open(&p);
	assert_int_equal(rig.n_sockets, 2);
}

/* The container is done before the host has taken everything: it gets it all the same. */
static void last_bytes(void **state)
{
	struct rig_socket *s;
	struct peer p;
	size_t got = 0, sent = 0;

	(void)state;
	rig.host_buffer = 4096;
	peer_init(&p, "198.51.100.7", 80, 49000);
	peer_open(&p);
	s = rig_last();
	shutdown(s->peer, SHUT_WR);
	peer_run(&p);
	while (p.snd_una + p.wnd != p.snd_nxt) {
		size_t left = p.snd_una + p.wnd - p.snd_nxt, len = left < 1460 ? left : 1460;

		stream_fill(sent, buf, len);
		peer_data(&p, buf, len);
		sent += len;
		peer_run(&p);
	}
	peer_fin(&p);
	peer_run(&p);
	assert_int_equal(p.snd_una, p.snd_nxt);
	rig_pass(30000); /* TIME_WAIT is long over */
	assert_false(s->is_closed);
	for (ssize_t n; (n = read(s->peer, buf, 5000)) > 0; rig_settle()) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], stream_byte(got + (uint64_t)i));
		got += (size_t)n;
	}
	assert_int_equal(got, sent);
	assert_true(s->is_closed && !s->is_aborted);
	assert_int_equal(worker_memory(rig.worker), 0);
}

static void resets(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 50000);
	peer_open(&p);
	peer_send(&p, TCP_RST, p.snd_nxt, NULL, 0);
	rig_settle();
	assert_true(rig_last()->is_closed && rig_last()->is_aborted);
	assert_false(rig_read(&packet));

	/* The host's: what it had sent before comes first. A unix socket resets when it is closed
	 * with bytes unread. */
	peer_init(&p, "198.51.100.7", 80, 50001);
	peer_open(&p);
	peer_data(&p, "never read", 10);
	peer_run(&p);
	assert_int_equal(write(rig_last()->peer, "last words", 10), 10);
	close(rig_last()->peer);
	rig_last()->peer = -1;
	peer_run(&p);
	assert_int_equal(p.n_in, 10);
	assert_true(p.is_reset);
	assert_false(p.has_fin);
	assert_true(rig_last()->is_closed);
}

/* Segments permuted and repeated; the host gets them once and in order. */
static void disorder(void **state)
{
	static const int order[] = {3, 1, 2, 5, 0, 4, 4, 0, 7, 6, 7};
	uint8_t seg[500];
	struct peer p;
	ssize_t n;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 51000);
	peer_open(&p);
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		stream_fill((uint64_t)order[i] * 500, seg, 500);
		peer_send(&p, TCP_ACK, p.iss + 1 + (uint32_t)order[i] * 500, seg, 500);
		p.snd_nxt = p.iss + 1 + 4000;
		peer_run(&p);
	}
	assert_int_equal(p.snd_una, p.snd_nxt);
	n = read(rig_last()->peer, buf, sizeof(buf));
	assert_int_equal(n, 4000);
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(buf[i], stream_byte((uint64_t)i));
	assert_int_equal(worker_memory(rig.worker), 0);
}

/* The host has no memory for a while: nothing is lost, not even behind the container's FIN. */
static void no_memory(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 52000);
	peer_open(&p);
	rig.send_sys = ENOBUFS;
	peer_data(&p, "kept", 4);
	peer_fin(&p);
	peer_run(&p);
	rig_pass(1000);
	peer_run(&p);
	assert_int_equal(p.snd_una, p.snd_nxt);
	assert_true(read(rig_last()->peer, buf, 100) < 0);
	rig.send_sys = 0;
	rig_pass(300);
	assert_int_equal(read(rig_last()->peer, buf, 100), 4);
	assert_int_equal(read(rig_last()->peer, buf, 100), 0);
}

static struct flow_key dial_key(const struct peer *p)
{
	return (struct flow_key){
		.guest = p->src, .peer = p->dst, .guest_port = p->sport, .peer_port = p->dport};
}

/* A published port: the host has accepted, the container is asked. */
static void dialled(void **state)
{
	struct rig_socket *s;
	struct flow_key k;
	struct peer p;

	(void)state;
	peer_init(&p, "203.0.113.9", 51000, 80);
	k = dial_key(&p);
	s = rig_accepted();
	assert_int_equal(write(s->peer, "hello", 5), 5);
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, NULL, rig.now), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_SYN);
	assert_true(packet.tcp.sport == 51000 && packet.tcp.dport == 80 && packet.tcp.mss == 1460);
	assert_true(ip_equal(&packet.ip.src, &p.dst));
	p.rcv_nxt = packet.tcp.seq + 1;
	peer_send(&p, TCP_SYN | TCP_ACK, p.iss, NULL, 0);
	p.snd_nxt = p.snd_una = p.iss + 1;
	peer_run(&p);
	assert_int_equal(p.n_in, 5);
	assert_int_equal(rig_stat(STAT_TCP_OPENED), 1);
	peer_data(&p, "world", 5);
	peer_run(&p);
	assert_int_equal(read(s->peer, buf, 100), 5);
	/* The same pair once more is refused while it is there. */
	s = rig_accepted();
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, NULL, rig.now), -EADDRINUSE);
	assert_true(s->is_closed && s->is_aborted);
}

/* The container refuses, or is silent: the host's client is reset. */
static void dialled_in_vain(void **state)
{
	struct rig_socket *s;
	struct flow_key k;
	struct peer p;
	unsigned n = 0;

	(void)state;
	peer_init(&p, "2001:db8::9", 51000, 80);
	k = dial_key(&p);
	s = rig_accepted();
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, NULL, rig.now), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	p.rcv_nxt = packet.tcp.seq + 1;
	peer_send(&p, TCP_RST | TCP_ACK, 0, NULL, 0);
	rig_settle();
	assert_true(s->is_closed && s->is_aborted);

	s = rig_accepted();
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, NULL, rig.now), 0);
	rig_pass(170000); /* RFC 9293 MUST-23: at least three minutes */
	assert_false(s->is_closed);
	rig_pass(130000);
	assert_true(s->is_closed && s->is_aborted);
	while (rig_read(&packet))
		n += packet.tcp.flags == TCP_SYN;
	assert_in_range(n, 5, 12);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(held),
		cmocka_unit_test(damaged_source),
		T(refused),
		T(no_socket),
		T(forbidden),
		T(back_pressure),
		T(downwards),
		T(in_flight),
		T(room_by_sack),
		T(shut_window),
		T(half_close_container),
		T(half_close_host),
		T(last_bytes),
		T(resets),
		T(disorder),
		T(dialled),
		T(dialled_in_vain),
		T(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
