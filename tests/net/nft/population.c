/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * population: see the header. Values are asserted, not checked: it serves tests only.
 */
#include "population.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct ip population_ip(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

struct prefix population_prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p, NULL), 0);
	return p;
}

void population_network(unsigned int i, struct network *ret)
{
	struct network *n = ret;
	char text[64];

	memset(n, 0, sizeof(*n));
	snprintf(n->name, sizeof(n->name),
		 i % 7 == 3 ? "%u-a-rather-long.name_of-a-network" : "n%u", i);
	n->mode = i & 1 ? NET_ROUTED : NET_BRIDGE;
	if (n->mode == NET_BRIDGE)
		name_bridge(n->name, n->bridge);
	if (i % 5 != 3) {
		snprintf(text, sizeof(text), "10.%u.%u.0/%u", 64 + i / 256, i % 256, 24 + i % 3);
		n->subnet[FAM4] = population_prefix(text);
	}
	if (i % 5 != 4) {
		snprintf(text, sizeof(text), "2001:db8:%x::/%u", i + 1, 64 + i % 3 * 8);
		n->subnet[FAM6] = population_prefix(text);
	}
	n->isolate = i & 2;
	n->is_open = i % 4 == 1;
	if (i % 6 == 1) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", 32 + i / 256, i % 256);
		n->more[0].subnet = population_prefix(text);
		snprintf(text, sizeof(text), "2001:db8:1%03x::/64", i + 1);
		n->more[1].subnet = population_prefix(text);
		n->n_more = 2;
	}
	n->internal = i % 8 == 6;
	n->masquerade = i % 11 != 5;
	if (i % 3 == 0) {
		static const char *const dst[] = {"10.0.0.0/8", "10.1.0.0/16",   "198.51.100.7/32",
						  "10.0.0.0/8", "2001:db8::/32", "2001:db8:1::/48",
						  "2000::1/128"};

		for (size_t k = 0; k < sizeof(dst) / sizeof(dst[0]); k++)
			n->nomasq[n->n_nomasq++] = population_prefix(dst[k]);
	}
}

void population_attachment(const struct network *n, unsigned int i, unsigned int k,
			   struct attachment *ret)
{
	struct attachment *a = ret;

	memset(a, 0, sizeof(*a));
	snprintf(a->id, sizeof(a->id), "%s%u-%u",
		 k % 5 == 2 ? "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			    : "c",
		 i, k);
	snprintf(a->ifname, sizeof(a->ifname), "eth%u", k % 3);
	snprintf(a->network, sizeof(a->network), "%s", n->name);
	a->mode = n->mode;
	name_host_ifname(a->id, a->ifname, a->host_ifname);
	for (int f = 0; f < N_FAM; f++) {
		if (!n->subnet[f].ip.family)
			continue;
		assert_int_equal(prefix_nth(&n->subnet[f], k + 2, &a->addr[f].ip), 0);
		a->addr[f].len = n->subnet[f].len;
	}
	snprintf(a->bridge, sizeof(a->bridge), "%s", n->bridge);
	if (k % 3 == 1) {
		static const char *const to[] = {"198.51.100.0/24", "192.0.2.7:80-443",
						 "2001:db8::/32", "[::/0]:443"};

		for (size_t t = 0; t < sizeof(to) / sizeof(to[0]); t++) {
			assert_int_equal(attach_egress_parse(to[t], true, &a->egress, NULL, NULL),
					 0);
			if (i & 4)
				assert_int_equal(
					attach_egress_parse(to[t], false, &a->egress, NULL, NULL),
					0);
		}
	}
	if (k % 3 == 1) {
		assert_int_equal(
			attach_egress_parse("a.test:8000-8080", false, &a->egress, &a->names, NULL),
			0);
		assert_int_equal(
			attach_egress_parse("*.a.test", false, &a->egress, &a->names, NULL), 0);
		for (int f = 0; f < N_FAM; f++)
			if (n->subnet[f].ip.family)
				assert_int_equal(prefix_nth(&n->subnet[f], 1, &a->resolver[f]), 0);
	}
	a->uid = k % 3 == 1 ? 1000 + k : 0;
	if (k % 3 == 1)
		a->cap = (struct attach_cap){.conns = 1000 + k,
					     .conn_rate = 100 + k,
					     .packet_rate = 10 + k,
					     .in_conns = 2000 + k,
					     .in_conn_rate = 200 + k};
	a->mac = mac_from_ip(&a->addr[n->subnet[FAM4].ip.family ? FAM4 : FAM6].ip);
}

static size_t put(struct publish *out, size_t at, uint8_t proto, const char *host,
		  uint16_t host_port, uint16_t ctr_port, uint16_t count)
{
	out[at] = (struct publish){
		.proto = proto, .host_port = host_port, .ctr_port = ctr_port, .count = count};
	if (host)
		out[at].host_ip = population_ip(host);
	return at + 1;
}

size_t population_publish(unsigned int j, struct publish *out)
{
	uint16_t base = (uint16_t)(1000 + 400 * (j % 150));
	size_t n = 0;

	n = put(out, n, IPPROTO_TCP, NULL, base, 80, 1);
	n = put(out, n, IPPROTO_UDP, "0.0.0.0", base + 1, base + 1, 3);
	n = put(out, n, IPPROTO_UDP, "::", base + 8, 53, 1);
	n = put(out, n, IPPROTO_SCTP, "198.51.100.1", base + 10, 10, 2);
	n = put(out, n, IPPROTO_TCP, "2001:db8::9", base + 20, 2000, 2);
	n = put(out, n, IPPROTO_TCP, NULL, base + 30, base + 30, 65);   /* an interval */
	n = put(out, n, IPPROTO_UDP, NULL, base + 100, base + 101, 66); /* shifted: one a port */
	n = put(out, n, IPPROTO_TCP, j & 1 ? "198.51.100.2" : "2001:db8::8", base + 200, base + 200,
		200);
	return n;
}

/* Layer 2 only; several addresses, and another MAC address on its way; somebody else's interface;
 * one that is not guarded. */
static void unusual(struct elem_list *out)
{
	struct attachment a = {.mode = NET_BRIDGE, .is_l2 = true, .mac = {{2, 1}}};

	strcpy(a.ifname, "eth0");
	strcpy(a.id, "layer2");
	strcpy(a.host_ifname, "nu-layer2");
	assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
	strcpy(a.id, "several");
	strcpy(a.host_ifname, "nu-several");
	a.is_l2 = false;
	a.addr[FAM4] = population_prefix("10.20.0.5/16");
	a.addr[FAM6] = population_prefix("2001:db8:2000::5/64");
	a.n_extra = 2;
	a.extra[0].addr = population_prefix("10.21.0.5/32");
	a.extra[1].addr = population_prefix("2001:db8:2001::5/64");
	a.tune.mac = (struct mac){{2, 2}};
	assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
	strcpy(a.id, "foreign");
	a.kind = ATTACH_FOREIGN;
	assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
	strcpy(a.id, "free");
	strcpy(a.host_ifname, "nu-free");
	a.kind = ATTACH_VETH;
	a.mode = NET_ROUTED;
	a.is_unguarded = true;
	a.addr[FAM4] = population_prefix("10.22.0.5/32");
	a.addr[FAM6] = population_prefix("2001:db8:2002::5/128");
	a.n_extra = 0;
	assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
}

/* Where its names lead; for ever, for what is listed tells the time that is left. */
static void named(const struct attachment *a, struct elem_list *out)
{
	static const char *const to[] = {"203.0.113.9", "203.0.113.10", "2001:db8:9::1"};

	for (size_t i = 0; i < a->egress.n; i++)
		for (size_t k = 0; a->egress.dest[i].to.ip.family == 0 && k < 3; k++) {
			struct ip ip = population_ip(to[k]);

			assert_int_equal(elem_of_named(a, i, &ip, 0, out, NULL), 0);
		}
}

void population_elements(unsigned int n_net, unsigned int n_each, struct elem_list *out)
{
	struct publish p[POPULATION_PUBLISH];
	struct attachment a;
	struct network n;

	assert_int_equal(elem_of_opened(FAM4, "eth0", out, NULL), 0);
	assert_int_equal(elem_of_opened(FAM6, "eth0.100", out, NULL), 0);
	unusual(out);
	for (unsigned int i = 0; i < n_net; i++) {
		population_network(i, &n);
		assert_int_equal(elem_of_network(&n, out, NULL), 0);
		for (unsigned int k = 0; k < n_each; k++) {
			size_t n_p = population_publish(i * n_each + k, p);

			population_attachment(&n, i, k, &a);
			assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
			named(&a, out);
			assert_int_equal(elem_of_publish(&a, p, n_p, out, NULL), 0);
		}
	}
}

void population_plain(unsigned int first, unsigned int n, struct elem_list *out)
{
	struct network net = {.name = "plain", .mode = NET_ROUTED};
	struct publish p = {.proto = IPPROTO_TCP, .ctr_port = 80, .count = 1};
	struct attachment a;

	net.subnet[FAM4] = population_prefix("10.128.0.0/10");
	net.subnet[FAM6] = population_prefix("2001:db8:ffff::/64");
	for (unsigned int k = first; k < first + n; k++) {
		population_attachment(&net, 9999, k, &a);
		p.host_port = (uint16_t)(1024 + k % 60000);
		assert_int_equal(elem_of_endpoint(&a, out, NULL), 0);
		assert_int_equal(elem_of_publish(&a, &p, 1, out, NULL), 0);
	}
}
