/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a whole worker does with frames that break a rule, each counted for its reason and none
 * answered that should not be; with what the egress policy forbids; with a source that was chosen
 * for it; and how connections are shown, and cut with their port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hex.h"
#include "stack/internal.h"
#include "stack/rig.h"
#include "wire/cksum.h"
#include "wire/eth.h"
#include "wire/udphdr.h"

#define IP_AT ETH_HDR_LEN
#define L4_AT (ETH_HDR_LEN + IP4_HDR_LEN)

static struct rig_packet packet;

/* A good datagram of the container's, which is spoilt then. */
static size_t datagram(uint8_t frame[128], size_t n_data)
{
	const struct mac ours = hex_mac("020000000002"), guest = hex_mac("020000000064");
	struct ip_build b = {.src = hex_ip("10.0.2.100"),
			     .dst = hex_ip("198.51.100.7"),
			     .proto = IPPROTO_UDP,
			     .ttl = 64};

	memset(frame, 0, 128);
	eth_build(frame, &ours, &guest, ETH_TYPE_IP4);
	udphdr_build(frame + L4_AT, 5000, 7000, 0, n_data);
	ip_build4(frame + IP_AT, &b, UDP_HDR_LEN + n_data);
	return L4_AT + UDP_HDR_LEN + n_data;
}

static void mend_sum(uint8_t *frame)
{
	uint16_t sum;

	frame[IP_AT + 10] = frame[IP_AT + 11] = 0;
	sum = cksum_fold(cksum_add(0, frame + IP_AT, IP4_HDR_LEN));
	frame[IP_AT + 10] = (uint8_t)(sum >> 8);
	frame[IP_AT + 11] = (uint8_t)sum;
}

static void put(const uint8_t *frame, size_t len)
{
	assert_int_equal(write(rig.link, frame, len), len);
	rig_settle();
}

static uint64_t drops(void)
{
	uint64_t n = 0;

	for (int i = STAT_DROP_ETH; i <= STAT_DROP_ANSWER; i++)
		n += rig_stat((enum stat_id)i);
	return n;
}

static void spoilt(void **state)
{
	static const struct {
		const char *what;
		uint16_t at;
		uint8_t value[2];
		uint8_t n;
		uint8_t cut; /* so many bytes of the frame are missing */
		bool is_unmended;
		enum stat_id why;
	} table[] = {
		{"for another station", 5, {9}, 1, 0, false, STAT_DROP_ETH},
		{"of a type that nobody speaks", 12, {0x88, 0xcc}, 2, 0, false, STAT_DROP_ETH},
		{"shorter than a header", 0, {2}, 1, 128, false, STAT_DROP_ETH},
		{"a header alone", 0, {2}, 1, 32, false, STAT_DROP_IP},
		{"version 5", IP_AT, {0x55}, 1, 0, false, STAT_DROP_IP},
		{"version 6 where it says 4", IP_AT, {0x65}, 1, 0, false, STAT_DROP_IP},
		{"a header of 16 bytes", IP_AT, {0x44}, 1, 0, false, STAT_DROP_IP},
		{"a header longer than the packet", IP_AT, {0x4f}, 1, 0, false, STAT_DROP_IP},
		{"longer than the frame", IP_AT + 2, {0, 33}, 2, 0, false, STAT_DROP_IP},
		{"shorter than its header", IP_AT + 2, {0, 19}, 2, 0, false, STAT_DROP_IP},
		{"a wrong sum", IP_AT + 11, {0xaa}, 1, 0, true, STAT_DROP_CHECKSUM},
		{"from 127.0.0.1", IP_AT + 12, {127}, 1, 0, false, STAT_DROP_SOURCE},
		{"from a group", IP_AT + 12, {224}, 1, 0, false, STAT_DROP_SOURCE},
		{"from the gateway", IP_AT + 15, {2}, 1, 0, false, STAT_DROP_SOURCE},
		{"to 127.0.2.100", IP_AT + 16, {127}, 1, 0, false, STAT_DROP_POLICY},
		{"to a group", IP_AT + 16, {239}, 1, 0, false, STAT_DROP_POLICY},
		{"from port 0", L4_AT, {0, 0}, 2, 0, false, STAT_DROP_UDP},
		{"to port 0", L4_AT + 2, {0, 0}, 2, 0, false, STAT_DROP_UDP},
		{"longer than the packet", L4_AT + 4, {0, 13}, 2, 0, false, STAT_DROP_UDP},
		{"shorter than its own header", L4_AT + 4, {0, 7}, 2, 0, false, STAT_DROP_UDP},
		{"a wrong sum of its own", L4_AT + 6, {1, 2}, 2, 0, false, STAT_DROP_CHECKSUM},
		{"DHCP with a wrong sum", L4_AT + 2, {0, 67}, 2, 0, true, STAT_DROP_CHECKSUM},
		{"the last fragment of one of 127/8", IP_AT + 6, {0, 1}, 2, 0, false, N_STATS},
		{"a fragment beyond the end", IP_AT + 6, {0x1f, 0xff}, 2, 0, false, STAT_DROP_IP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t all = drops(), these;
		uint8_t frame[128];
		size_t len = datagram(frame, 4);
		enum stat_id why = table[i].why;

		memcpy(frame + table[i].at, table[i].value, table[i].n);
		if (why == N_STATS) { /* of a source that may not speak: not worth memory */
			frame[IP_AT + 12] = 127;
			why = STAT_DROP_SOURCE;
		}
		if (table[i].is_unmended && table[i].at > L4_AT)
			frame[L4_AT + 7] = 1;
		else if (!table[i].is_unmended)
			mend_sum(frame);
		these = rig_stat(why);
		put(frame, table[i].cut > len ? 5 : len - table[i].cut);
		if (rig_stat(why) != these + 1 || drops() != all + 1)
			fail_msg("%s: %d of its kind, %d in all", table[i].what,
				 (int)(rig_stat(why) - these), (int)(drops() - all));
		if (rig_read(&packet))
			fail_msg("%s: it was answered", table[i].what);
		assert_int_equal(rig.n_sockets + rig.n_datagrams, 0);
	}
}

/* What there is no transport for is told so; a datagram that is whole goes on. */
static void sound(void **state)
{
	uint8_t frame[128];
	size_t len = datagram(frame, 4);

	(void)state;
	put(frame, len);
	assert_int_equal(rig.n_datagrams, 1);
	assert_int_equal(drops(), 0);
	frame[IP_AT + 9] = 99;
	mend_sum(frame);
	put(frame, len);
	assert_int_equal(rig_stat(STAT_DROP_PROTO), 1);
	assert_true(rig_read(&packet));
	assert_int_equal(packet.icmp.type, ICMP_V4_UNREACH);
	assert_int_equal(packet.icmp.code, ICMP_V4_UNREACH_PROTO);
	/* Without a network of IPv4, nothing of it is looked at. */
	rig.worker->conf.policy.plan.net[FAM4].ip.family = 0;
	put(frame, len);
	assert_int_equal(rig_stat(STAT_DROP_IP), 1);
	assert_false(rig_read(&packet));
	rig.worker->conf.policy.plan.net[FAM4].ip.family = AF_INET;
}

/* Two fragments; the second may overlap the first. */
static void fragments(void **state)
{
	(void)state;
	for (int is_overlapping = 0; is_overlapping < 2; is_overlapping++) {
		uint8_t frame[128];
		size_t len = datagram(frame, 8);
		unsigned before = rig.n_datagrams;
		uint8_t second[128];

		memcpy(second, frame, sizeof(second));
		frame[IP_AT + 5] = second[IP_AT + 5] = (uint8_t)(is_overlapping + 1); /* ids */
		frame[IP_AT + 6] = second[IP_AT + 6] = 0;
		if (is_overlapping) {
			frame[IP_AT + 6] = 0x20; /* 16 bytes, then bytes 8 to 23 */
			second[IP_AT + 7] = 1;
			mend_sum(frame);
			mend_sum(second);
			put(frame, len);
			put(second, len);
			assert_int_equal(rig.n_datagrams, before);
			assert_true(rig_stat(STAT_DROP_FRAGMENT) > 0);
		} else {
			frame[IP_AT + 6] = 0x20;
			frame[IP_AT + 3] = second[IP_AT + 3] = IP4_HDR_LEN + 8;
			second[IP_AT + 7] = 1;
			memcpy(second + L4_AT, frame + L4_AT + 8, 8);
			mend_sum(frame);
			mend_sum(second);
			put(second, len - 8); /* in any order */
			assert_int_equal(rig.n_datagrams, before);
			put(frame, len - 8);
			assert_int_equal(rig.n_datagrams, before + 1);
			assert_int_equal(rig_stat(STAT_DROP_FRAGMENT), 0);
		}
		assert_false(rig_read(&packet));
	}
}

/* ---- the egress policy ---- */

static char said[AUDIT_STRLEN];
static unsigned n_said;

static void note(void *arg, const char *line)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s", line);
	n_said++;
}

/* What is said is said once a second for each place, and destinations share places. */
static void check_said(const char *line)
{
	assert_string_equal(said, line);
	assert_int_equal(n_said, 1);
	n_said = 0;
	rig_pass(AUDIT_MS);
}

static void ping(const char *dst)
{
	uint8_t frame[128];
	size_t len = datagram(frame, 0);
	struct ip to = hex_ip(dst);
	uint16_t sum;

	memcpy(frame + IP_AT + 16, to.b, 4);
	frame[IP_AT + 9] = IPPROTO_ICMP;
	mend_sum(frame);
	icmp_build(frame + L4_AT, ICMP_V4_ECHO, 0, 7u << 16 | 1);
	sum = cksum_fold(cksum_add(0, frame + L4_AT, 8));
	frame[L4_AT + 2] = (uint8_t)(sum >> 8);
	frame[L4_AT + 3] = (uint8_t)sum;
	put(frame, len);
}

static void forbidden(void **state)
{
	struct policy *policy = &rig.worker->conf.policy;
	struct peer p;

	(void)state;
	assert_int_equal(attach_egress_parse("198.51.100.0/24", false, &policy->egress, NULL, NULL),
			 0);
	assert_int_equal(audit_new(note, NULL, &policy->audit, NULL), 0);
	n_said = 0;
	peer_init(&p, "203.0.113.9", 80, 40000);
	peer_syn(&p);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_RST | TCP_ACK);
	check_said("refused tcp 10.0.2.100 to 203.0.113.9:80");
	rig_datagram("203.0.113.9", 53, 40000);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.icmp.type, ICMP_V4_UNREACH);
	assert_int_equal(packet.icmp.code, ICMP_V4_UNREACH_ADMIN);
	check_said("refused udp 10.0.2.100 to 203.0.113.9:53");
	ping("203.0.113.9");
	assert_true(rig_read(&packet));
	assert_int_equal(packet.icmp.type, ICMP_V4_UNREACH);
	assert_int_equal(packet.icmp.code, ICMP_V4_UNREACH_ADMIN);
	check_said("refused ping 10.0.2.100 to 203.0.113.9");
	peer_init(&p, "2001:db8::9", 443, 40001);
	peer_syn(&p);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_RST | TCP_ACK);
	check_said("refused tcp fd00::100 to [2001:db8::9]:443");
	assert_int_equal(rig_stat(STAT_DROP_EGRESS), 4);
	assert_int_equal(rig.n_sockets + rig.n_datagrams, 0);
	/* The rest goes on. */
	peer_init(&p, "198.51.100.7", 80, 40002);
	peer_open(&p);
	rig_datagram("198.51.100.7", 53, 40000);
	rig_settle();
	assert_int_equal(rig.n_datagrams, 1);
	assert_int_equal(rig_stat(STAT_DROP_EGRESS), 4);
	assert_int_equal(n_said, 0);
}

/* A connection leaves from the address that was chosen; to the host's loopback it cannot. */
static void outbound(void **state)
{
	struct policy *policy = &rig.worker->conf.policy;
	struct peer p;

	(void)state;
	policy->outbound[FAM4] = hex_ip("192.0.2.77");
	policy->outbound[FAM6] = hex_ip("2001:db8:77::1");
	policy->is_loopback_open = true;
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	assert_ip(rig_last()->from, "192.0.2.77");
	peer_init(&p, "2001:db8::9", 80, 40001);
	peer_open(&p);
	assert_ip(rig_last()->from, "2001:db8:77::1");
	peer_init(&p, "10.0.2.2", 80, 40002);
	peer_open(&p);
	assert_ip(rig_last()->to, "127.0.0.1");
	assert_int_equal(rig_last()->from.family, 0);
}

/* ---- connections, shown and cut ---- */

static void dial(struct peer *p, uint16_t port, struct port_tally *tally)
{
	struct rig_socket *s = rig_accepted();
	struct flow_key k;

	peer_init(p, "203.0.113.9", port, 80);
	k = (struct flow_key){.guest = p->src, .peer = p->dst, .guest_port = 80, .peer_port = port};
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, tally, rig.now), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_SYN);
	p->rcv_nxt = packet.tcp.seq + 1;
	peer_send(p, TCP_SYN | TCP_ACK, p->iss, NULL, 0);
	p->snd_nxt = p->snd_una = p->iss + 1;
	peer_run(p);
}

static void shown_and_cut(void **state)
{
	struct port_tally web = {0}, other = {0};
	struct peer own, in[3];
	struct tcp_seen seen;
	uint32_t cursor = 0;
	unsigned n_in = 0, n = 0;

	(void)state;
	peer_init(&own, "198.51.100.7", 443, 40000);
	peer_open(&own);
	dial(&in[0], 51000, &web);
	dial(&in[1], 51001, &web);
	dial(&in[2], 51002, &other);
	assert_int_equal(web.flows, 2);
	assert_int_equal(write(rig.sockets[1].peer, "hello", 5), 5);
	peer_run(&in[0]);
	assert_int_equal(in[0].n_in, 5);
	assert_int_equal(web.in, 5);
	rig_pass(700);
	while (tcp_list(rig.worker->tcp, &cursor, rig.now, &seen)) {
		n++;
		n_in += seen.is_inward;
		assert_int_equal(seen.state, TCP_ESTABLISHED);
		assert_int_equal(seen.idle_ms, 700);
		assert_int_equal(seen.queued + seen.blocked + seen.n_timeout, 0);
		assert_int_equal(seen.is_inward, seen.key.guest_port == 80);
	}
	assert_int_equal(n, 4);
	assert_int_equal(n_in, 3);
	/* The port is taken back: both ends of its connections hear of it, and nobody else. */
	tcp_cut(rig.worker->tcp, &web, rig.now);
	rig_settle();
	n = 0;
	while (rig_read(&packet)) {
		n++;
		assert_true(packet.tcp.flags & TCP_RST);
		assert_true(packet.tcp.sport == 51000 || packet.tcp.sport == 51001);
	}
	assert_int_equal(n, 2);
	for (size_t i = 0; i < 4; i++) {
		bool is_cut = i == 1 || i == 2;

		assert_int_equal(rig.sockets[i].is_closed, is_cut);
		assert_int_equal(is_cut && !rig.sockets[i].is_aborted, 0);
	}
	assert_int_equal(tcp_count(rig.worker->tcp), 2);
	peer_data(&in[2], "x", 1);
	peer_run(&in[2]);
	assert_false(in[2].is_reset);
	assert_int_equal(other.out, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(spoilt), T(sound), T(fragments), T(forbidden), T(outbound), T(shown_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
