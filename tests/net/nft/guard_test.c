/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_test: what a container may send. Every frame is sent from inside a container by AF_PACKET;
 * each is followed by an honest one, so that its absence is known as soon as that arrives. All of
 * them arrive without the tables.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "frame.h"
#include "population.h"
#include "world.h"

#define COOKIE_LEN 8
#define CASES_MAX 64

struct suspect {
	const char *name;
	bool pass;
	struct frame f;
};

/* Cases, and what they are made of. */
struct cases {
	struct suspect v[CASES_MAX];
	unsigned int n;
	struct mac own, other, peer; /* sender, its neighbour, destination */
	struct ip ip4, other4, peer4;
	struct ip ip6, other6, peer6, ll, other_ll, any4, any6;
};

static void cookie_of(unsigned int i, uint8_t out[COOKIE_LEN])
{
	snprintf((char *)out, COOKIE_LEN, "cook%03u", i);
}

static struct suspect *next(struct cases *c, const char *name, bool pass)
{
	assert_true(c->n < CASES_MAX);
	c->v[c->n] = (struct suspect){.name = name, .pass = pass};
	return &c->v[c->n++];
}

static void udp(struct cases *c, const char *name, bool pass, const struct mac *src_mac,
		const struct ip *src, uint16_t sport)
{
	struct suspect *s = next(c, name, pass);
	bool v4 = src->family == AF_INET;
	uint8_t cookie[COOKIE_LEN];

	cookie_of(c->n - 1, cookie);
	frame_eth(&s->f, &c->peer, src_mac, v4 ? ETH_P_IP : ETH_P_IPV6);
	frame_udp(&s->f, src, v4 ? &c->peer4 : &c->peer6, sport, 4000, cookie, COOKIE_LEN);
}

/* Without an address to answer to, one speaks to all. */
static void icmp(struct cases *c, const char *name, bool pass, const struct ip *src, uint8_t type,
		 const struct ip *target)
{
	static const struct mac all_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	struct suspect *s = next(c, name, pass);
	bool v4 = src->family == AF_INET, to_all = ip_is_any(src);
	uint8_t rest[4 + 16 + COOKIE_LEN] = {0};
	struct ip all = population_ip("ff02::1");

	if (target)
		memcpy(rest + 4, target->b, 16);
	cookie_of(c->n - 1, rest + 20);
	frame_eth(&s->f, to_all ? &all_mac : &c->peer, &c->own, v4 ? ETH_P_IP : ETH_P_IPV6);
	frame_icmp(&s->f, src,
		   to_all ? &all
		   : v4   ? &c->peer4
			  : &c->peer6,
		   type, 0, rest, sizeof(rest));
}

static void arp(struct cases *c, const char *name, bool pass, uint16_t htype, uint16_t op,
		const struct mac *sha, const struct ip *spa)
{
	struct suspect *s = next(c, name, pass);
	uint8_t cookie[COOKIE_LEN];

	cookie_of(c->n - 1, cookie);
	frame_eth(&s->f, &c->peer, &c->own, ETH_P_ARP);
	frame_arp(&s->f, htype, op, sha, spa, &c->peer4);
	frame_bytes(&s->f, cookie, COOKIE_LEN);
}

/* A datagram that would be fine without this tag. */
static void vlan(struct cases *c, const char *name, uint16_t tpid, uint16_t vid)
{
	struct suspect *s = next(c, name, false);
	uint8_t cookie[COOKIE_LEN];

	cookie_of(c->n - 1, cookie);
	frame_vlan(&s->f, &c->peer, &c->own, tpid, vid, ETH_P_IP);
	frame_udp(&s->f, &c->ip4, &c->peer4, 4000, 4000, cookie, COOKIE_LEN);
}

static void other_type(struct cases *c, const char *name, uint16_t type)
{
	struct suspect *s = next(c, name, false);
	uint8_t data[60] = {0x42, 0x42, 0x03};

	cookie_of(c->n - 1, data + 40);
	frame_eth(&s->f, &c->peer, &c->own, type);
	frame_bytes(&s->f, data, sizeof(data));
}

static void ip_cases(struct cases *c)
{
	udp(c, "IPv4", true, &c->own, &c->ip4, 4000);
	udp(c, "IPv4 of the neighbour", false, &c->own, &c->other4, 4000);
	udp(c, "IPv4 from a DHCP client's port", true, &c->own, &c->ip4, 68);
	udp(c, "IPv4 from a DHCP server's port", false, &c->own, &c->ip4, 67);
	icmp(c, "ICMP echo", true, &c->ip4, 8, NULL);
	icmp(c, "ICMP redirect", false, &c->ip4, 5, NULL);
	udp(c, "IPv6", true, &c->own, &c->ip6, 4000);
	udp(c, "IPv6 link-local", true, &c->own, &c->ll, 4000);
	udp(c, "IPv6 of the neighbour", false, &c->own, &c->other6, 4000);
	udp(c, "IPv6 link-local of the neighbour", false, &c->own, &c->other_ll, 4000);
	udp(c, "IPv6 from a DHCP client's port", true, &c->own, &c->ll, 546);
	udp(c, "IPv6 from a DHCP server's port", false, &c->own, &c->ll, 547);
	icmp(c, "ICMPv6 echo", true, &c->ip6, 128, NULL);
	icmp(c, "router solicitation", true, &c->ll, 133, NULL);
	icmp(c, "router advertisement", false, &c->ll, 134, NULL);
	icmp(c, "ICMPv6 redirect", false, &c->ll, 137, &c->ip6);
	icmp(c, "neighbour solicitation", true, &c->ip6, 135, &c->peer6);
	icmp(c, "neighbour advertisement", true, &c->ip6, 136, &c->ip6);
	icmp(c, "MLD report", true, &c->ll, 143, NULL);
	icmp(c, "MLD report without address", true, &c->any6, 143, NULL);
	icmp(c, "address detection", true, &c->any6, 135, &c->ip6);
}

static void bridge_cases(struct cases *c)
{
	struct suspect *s;
	uint8_t rest[4 + 16 + COOKIE_LEN] = {0};

	ip_cases(c);
	udp(c, "IPv4 with another MAC", false, &c->other, &c->ip4, 4000);
	udp(c, "IPv4 and MAC of the neighbour", false, &c->other, &c->other4, 4000);
	udp(c, "IPv6 with another MAC", false, &c->other, &c->ip6, 4000);
	udp(c, "IPv4 without address", false, &c->own, &c->any4, 68);
	udp(c, "IPv6 without address", false, &c->own, &c->any6, 4000);
	icmp(c, "router solicitation without address", false, &c->any6, 133, NULL);
	icmp(c, "advertisement of the neighbour", false, &c->ip6, 136, &c->other6);
	icmp(c, "advertisement of the neighbour's link-local", false, &c->ll, 136, &c->other_ll);
	icmp(c, "advertisement of the own link-local", true, &c->ll, 136, &c->ll);
	icmp(c, "address detection of the own link-local", true, &c->any6, 135, &c->ll);
	icmp(c, "address detection for the neighbour", false, &c->any6, 135, &c->other6);
	icmp(c, "advertisement without address", false, &c->any6, 136, &c->ip6);
	arp(c, "ARP request", true, 1, 1, &c->own, &c->ip4);
	arp(c, "ARP reply", true, 1, 2, &c->own, &c->ip4);
	arp(c, "ARP probe", true, 1, 1, &c->own, &c->any4);
	arp(c, "ARP request of the neighbour", false, 1, 1, &c->own, &c->other4);
	arp(c, "ARP reply of the neighbour", false, 1, 2, &c->own, &c->other4);
	arp(c, "ARP with another sender MAC", false, 1, 2, &c->other, &c->ip4);
	arp(c, "ARP probe with another sender MAC", false, 1, 1, &c->other, &c->any4);
	arp(c, "ARP reply without address", false, 1, 2, &c->own, &c->any4);
	arp(c, "reverse ARP", false, 1, 3, &c->own, &c->ip4);
	arp(c, "ARP of another hardware", false, 6, 1, &c->own, &c->ip4);
	vlan(c, "VLAN tag", ETH_P_8021Q, 7);
	vlan(c, "priority tag", ETH_P_8021Q, 0x2000);
	vlan(c, "provider tag", ETH_P_8021AD, 7);
	other_type(c, "LLDP", 0x88cc);
	other_type(c, "PPPoE", 0x8863);
	other_type(c, "LLC (spanning tree)", 60);
	other_type(c, "reverse ARP's type", ETH_P_RARP);

	s = next(c, "router advertisement in a fragment", false);
	cookie_of(c->n - 1, rest + 20);
	frame_eth(&s->f, &c->peer, &c->own, ETH_P_IPV6);
	frame_icmp_fragment(&s->f, &c->ll, &c->peer6, 134, rest, sizeof(rest));
}

/* ---- sending and seeing ---- */

static int packet_socket(struct world *w, int ns)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd, one = 1;

	world_enter(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	assert_true(fd >= 0);
	sa.sll_ifindex = (int)if_nametoindex("eth0");
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	/* Answers quote what they answer. */
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	world_enter(w->host);
	return fd;
}

static void send_frame(int fd, const struct frame *f)
{
	assert_int_equal(send(fd, f->b, f->len, 0), f->len);
}

/* Reads all that is there; does any of it, if from elsewhere, hold the cookie? */
static bool sees(int fd, const uint8_t *cookie)
{
	uint8_t buf[2048];
	bool yes = false;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0 || errno == EINTR) {
		if (n > 0 && memmem(buf, (size_t)n, cookie, COOKIE_LEN - 1))
			yes = true;
	}
	return yes;
}

struct view {
	int to;    /* a packet socket inside the sender */
	int at[4]; /* where a frame may turn up; the honest frame turns up at the first */
	unsigned int n_at;
};

/* Sends the case, then the honest frame (case 0 with another cookie). */
static bool arrives(const struct view *v, const struct cases *c, unsigned int i)
{
	struct frame honest = c->v[0].f;
	uint8_t cookie[COOKIE_LEN];
	bool yes = false, end = false;

	memcpy(honest.b + honest.len - COOKIE_LEN, "honest!", COOKIE_LEN);
	/* No checksum in UDP over IPv4 is fine (RFC 768). */
	memset(honest.b + 14 + 20 + 6, 0, 2);
	cookie_of(i, cookie);
	send_frame(v->to, &c->v[i].f);
	send_frame(v->to, &honest);
	while (!end) {
		uint8_t buf[2048];
		ssize_t n;

		if (!world_wait(v->at[0], 30000))
			fail_msg("after %s: the honest frame did not arrive", c->v[i].name);
		n = recv(v->at[0], buf, sizeof(buf), 0);
		if (n <= 0)
			continue;
		yes |= memmem(buf, (size_t)n, cookie, COOKIE_LEN - 1) != NULL;
		end = memmem(buf, (size_t)n, "honest!", COOKIE_LEN) != NULL;
	}
	for (unsigned int k = 1; k < v->n_at; k++)
		yes |= sees(v->at[k], cookie);
	return yes;
}

static void check(const struct view *v, const struct cases *c, bool all, const char *when)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < c->n; i++) {
		bool pass = arrives(v, c, i);

		if (pass == (all || c->v[i].pass))
			continue;
		print_error("%s: %s %s\n", when, c->v[i].name, pass ? "passed" : "was stopped");
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Frames stay in order when they are all sent on one processor. */
static int pin(void **state)
{
	cpu_set_t set;

	(void)state;
	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static struct network network(enum net_mode mode)
{
	struct network n = {.name = "net", .mode = mode, .masquerade = true};

	n.subnet[FAM4] = population_prefix("10.1.0.0/24");
	n.subnet[FAM6] = population_prefix("2001:db8:1::/64");
	assert_int_equal(network_complete(&n, NULL), 0);
	return n;
}

static void name_parties(struct cases *c, const struct attachment *own,
			 const struct attachment *other)
{
	memset(c, 0, sizeof(*c));
	c->own = own->mac;
	c->other = other->mac;
	c->ip4 = own->addr[FAM4].ip;
	c->ip6 = own->addr[FAM6].ip;
	c->other4 = other->addr[FAM4].ip;
	c->other6 = other->addr[FAM6].ip;
	c->ll = ip_link_local_from_mac(&c->own);
	c->other_ll = ip_link_local_from_mac(&c->other);
	c->any4 = population_ip("0.0.0.0");
	c->any6 = population_ip("::");
}

static void bridge_mode(void **state)
{
	struct network n = network(NET_BRIDGE);
	static struct cases c;
	struct view v = {.n_at = 1};
	struct world w;

	(void)state;
	world_make(&w);
	world_network(&w, &n);
	world_container(&w, &n, 0);
	world_container(&w, &n, 1);
	world_container(&w, &n, 2);
	/* 0 sends, pretends to be 1, and 2 listens. */
	name_parties(&c, &w.ctr[0].a, &w.ctr[1].a);
	c.peer = w.ctr[2].a.mac;
	c.peer4 = w.ctr[2].a.addr[FAM4].ip;
	c.peer6 = w.ctr[2].a.addr[FAM6].ip;
	bridge_cases(&c);
	/* The bridge knows its ports; it must not learn from us, or it would not deliver. */
	for (int i = 0; i < 3; i++) {
		char mac[MAC_STRLEN];

		world_sh(w.host,
			 "bridge link set dev %s learning off\n"
			 "bridge fdb replace %s dev %s master static",
			 w.ctr[i].a.host_ifname, mac_str(&w.ctr[i].a.mac, mac),
			 w.ctr[i].a.host_ifname);
	}
	v.to = packet_socket(&w, w.ctr[0].ns);
	v.at[0] = packet_socket(&w, w.ctr[2].ns);
	check(&v, &c, true, "without tables");
	world_load(&w);
	check(&v, &c, false, "guarded");
	world_sysctl(w.host, "net/bridge/bridge-nf-call-iptables", "1");
	world_sysctl(w.host, "net/bridge/bridge-nf-call-ip6tables", "1");
	world_sysctl(w.host, "net/bridge/bridge-nf-call-arptables", "1");
	check(&v, &c, false, "guarded, with br_netfilter");
	close(v.to);
	close(v.at[0]);
	world_free(&w);
}

/* Frames to a link-local group address are not bridged: the kernel takes them as the port's own. */
static void around_the_bridge(void **state)
{
	struct network n = network(NET_BRIDGE);
	static struct cases c;
	struct view v = {.n_at = 1};
	struct world w;

	(void)state;
	world_make(&w);
	world_network(&w, &n);
	world_container(&w, &n, 0);
	world_container(&w, &n, 1);
	name_parties(&c, &w.ctr[0].a, &w.ctr[1].a);
	world_sh(w.host, "ip link set %s address 02:00:00:00:00:01", n.bridge);
	assert_int_equal(mac_parse("02:00:00:00:00:01", &c.peer, NULL), 0);
	c.peer4 = population_ip("198.51.100.1");
	udp(&c, "to the host", true, &c.own, &c.ip4, 4000);
	for (unsigned int i = 0; i < 4; i++) {
		static const uint8_t last[] = {0x00, 0x01, 0x03, 0x0e};

		c.peer = (struct mac){{0x01, 0x80, 0xc2, 0x00, 0x00, last[i]}};
		udp(&c, "to a group address", false, &c.other, &c.other4, 4000);
	}
	v.to = packet_socket(&w, w.ctr[0].ns);
	v.at[0] = world_socket(&w, w.host, AF_INET, SOCK_DGRAM, NULL, 4000);
	for (int round = 0; round < 2; round++) {
		unsigned int seen = 0;

		for (unsigned int i = 0; i < c.n; i++)
			seen += arrives(&v, &c, i);
		/* 01-80-C2-00-00-01 (pause) never arrives. */
		assert_int_equal(seen, round == 0 ? 4 : 1);
		world_load(&w);
	}
	close(v.to);
	close(v.at[0]);
	world_free(&w);
}

static int raw_socket(struct world *w, int family, int proto)
{
	int fd;

	world_enter(w->host);
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
	assert_true(fd >= 0);
	return fd;
}

static void routed_mode(void **state)
{
	struct network n = network(NET_ROUTED);
	static struct cases c;
	struct view v = {.n_at = 4};
	struct world w;

	(void)state;
	world_make(&w);
	world_network(&w, &n);
	world_container(&w, &n, 0);
	world_container(&w, &n, 1);
	name_parties(&c, &w.ctr[0].a, &w.ctr[1].a);
	world_sh(w.host, "ip link set %s address 02:00:00:00:00:01", w.ctr[0].a.host_ifname);
	assert_int_equal(mac_parse("02:00:00:00:00:01", &c.peer, NULL), 0);
	c.peer4 = population_ip("198.51.100.1");
	c.peer6 = population_ip("2001:db8:aaaa::1");
	ip_cases(&c);
	c.other4 = population_ip("203.0.113.5"); /* a stranger, not a neighbour */
	c.other6 = population_ip("2001:db8:bbbb::5");
	udp(&c, "IPv4 of a stranger", false, &c.own, &c.other4, 4000);
	udp(&c, "IPv6 of a stranger", false, &c.own, &c.other6, 4000);
	v.to = packet_socket(&w, w.ctr[0].ns);
	v.at[0] = world_socket(&w, w.host, AF_INET, SOCK_DGRAM, NULL, 4000);
	v.at[1] = world_socket(&w, w.host, AF_INET6, SOCK_DGRAM, NULL, 4000);
	v.at[2] = raw_socket(&w, AF_INET, IPPROTO_ICMP);
	v.at[3] = raw_socket(&w, AF_INET6, IPPROTO_ICMPV6);
	check(&v, &c, true, "without tables");
	world_load(&w);
	check(&v, &c, false, "guarded");
	for (int i = 0; i < 4; i++)
		close(v.at[i]);
	close(v.to);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bridge_mode, pin),
		cmocka_unit_test_setup(around_the_bridge, pin),
		cmocka_unit_test_setup(routed_mode, pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
