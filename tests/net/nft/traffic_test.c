/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic_test: the layout under real traffic: published ports, direct access, masquerading,
 * isolation, hairpin, in both families and both modes. Every "does not arrive" has a counterpart
 * that shows the same packet arriving without the tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "population.h"
#include "world.h"

#define HOST4 "198.51.100.1"
#define HOST6 "2001:db8:aaaa::1"
#define OUT4 "198.51.100.2"
#define OUT6 "2001:db8:aaaa::2"
#define FAR4 "203.0.113.5"
#define FAR6 "2001:db8:bbbb::5"

/* A and B are on the bridge, C and D routed. */
enum { A, B, C, D };
static const char *const addr4[] = {"10.1.0.2", "10.1.0.3", "10.2.0.2", "10.2.0.3"};
static const char *const addr6[] = {"2001:db8:1::2", "2001:db8:1::3", "2001:db8:2::2",
				    "2001:db8:2::3"};

struct options {
	bool isolate, internal_routed, no_masquerade;
};

static struct network network(const char *name, enum net_mode mode, unsigned int i)
{
	struct network n = {.mode = mode, .masquerade = true};
	struct err e = ERR_INIT;
	char text[64];

	strcpy(n.name, name);
	snprintf(text, sizeof(text), "10.%u.0.0/24", i);
	n.subnet[FAM4] = population_prefix(text);
	snprintf(text, sizeof(text), "2001:db8:%u::/64", i);
	n.subnet[FAM6] = population_prefix(text);
	n.nomasq[n.n_nomasq++] = population_prefix("203.0.113.0/24");
	n.nomasq[n.n_nomasq++] = population_prefix("2001:db8:bbbb::/48");
	if (network_complete(&n, &e) < 0)
		fail_msg("%s", e.text);
	return n;
}

static void make(struct world *w, const struct options *o)
{
	struct network br = network("br", NET_BRIDGE, 1), rt = network("rt", NET_ROUTED, 2);

	br.isolate = rt.isolate = o->isolate;
	rt.internal = o->internal_routed;
	br.masquerade = rt.masquerade = !o->no_masquerade;
	world_make(w);
	world_network(w, &br);
	world_network(w, &rt);
	world_container(w, &br, 0);
	world_container(w, &br, 1);
	world_container(w, &rt, 0);
	world_container(w, &rt, 1);
}

static void must_reach(struct world *w, int type, int from, const char *dst, int port, int server,
		       int server_port, const char *seen_as)
{
	world_reach(w,
		    &(struct exchange){.type = type,
				       .from = from,
				       .dst = dst,
				       .port = port,
				       .server = server,
				       .server_port = server_port},
		    seen_as);
}

static void must_not_reach(struct world *w, int type, int from, const char *dst, int port,
			   int server, int server_port)
{
	world_no_reach(w, &(struct exchange){.type = type,
					     .from = from,
					     .dst = dst,
					     .port = port,
					     .server = server,
					     .server_port = server_port});
}

static void published(void **state)
{
	static const int both[] = {A, C};
	struct world w;

	(void)state;
	make(&w, &(struct options){0});
	for (unsigned int i = 0; i < 2; i++) {
		char s[64];
		int base = 1000 * (int)(i + 1);

		snprintf(s, sizeof(s), "%d:80/tcp", base);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), "%d:53/udp", base);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), HOST4 ":%d:81/tcp", base + 1);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), "[" HOST6 "]:%d:82/tcp", base + 2);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), "%d-%d/udp", base + 100, base + 299);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), HOST4 ":%d-%d/tcp", base + 300, base + 399);
		world_publish(&w, both[i], s);
		snprintf(s, sizeof(s), "[" HOST6 "]:%d-%d/tcp", base + 400, base + 499);
		world_publish(&w, both[i], s);
	}
	world_load(&w);
	for (unsigned int i = 0; i < 2; i++) {
		int c = w.ctr[both[i]].ns, base = 1000 * (int)(i + 1);

		must_reach(&w, SOCK_STREAM, w.out, HOST4, base, c, 80, OUT4);
		must_reach(&w, SOCK_STREAM, w.out, HOST6, base, c, 80, OUT6);
		must_reach(&w, SOCK_DGRAM, w.out, HOST4, base, c, 53, OUT4);
		must_reach(&w, SOCK_DGRAM, w.out, HOST6, base, c, 53, OUT6);
		must_reach(&w, SOCK_STREAM, w.out, HOST4, base + 1, c, 81, OUT4);
		must_not_reach(&w, SOCK_STREAM, w.out, HOST6, base + 1, c, 81);
		must_reach(&w, SOCK_STREAM, w.out, HOST6, base + 2, c, 82, OUT6);
		must_not_reach(&w, SOCK_STREAM, w.out, HOST4, base + 2, c, 82);
		must_reach(&w, SOCK_DGRAM, w.out, HOST4, base + 100, c, base + 100, OUT4);
		must_reach(&w, SOCK_DGRAM, w.out, HOST6, base + 299, c, base + 299, OUT6);
		must_not_reach(&w, SOCK_DGRAM, w.out, HOST4, base + 99, c, base + 99);
		must_reach(&w, SOCK_STREAM, w.out, HOST4, base + 399, c, base + 399, OUT4);
		must_not_reach(&w, SOCK_STREAM, w.out, HOST6, base + 399, c, base + 399);
		must_reach(&w, SOCK_STREAM, w.out, HOST6, base + 400, c, base + 400, OUT6);
	}
	world_free(&w);
}

/* Nothing but what is published can be reached from outside, or from another network. */
static void direct_access(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct options){0});
	world_publish(&w, A, "1000:80");
	for (int round = 0; round < 2; round++) {
		void (*go)(struct world *, int, int, const char *, int, int, int) = must_not_reach;

		if (round == 1)
			world_load(&w);
		for (int i = A; i <= D; i++) {
			int c = w.ctr[i].ns, other = w.ctr[i <= B ? C : A].ns;

			if (round == 0) { /* without tables it works */
				must_reach(&w, SOCK_STREAM, w.out, addr4[i], 80, c, 80, NULL);
				must_reach(&w, SOCK_STREAM, w.out, addr6[i], 80, c, 80, NULL);
				must_reach(&w, SOCK_DGRAM, other, addr4[i], 53, c, 53, NULL);
				must_reach(&w, SOCK_DGRAM, other, addr6[i], 53, c, 53, NULL);
				continue;
			}
			go(&w, SOCK_STREAM, w.out, addr4[i], 80, c, 80);
			go(&w, SOCK_STREAM, w.out, addr6[i], 80, c, 80);
			go(&w, SOCK_DGRAM, other, addr4[i], 53, c, 53);
			go(&w, SOCK_DGRAM, other, addr6[i], 53, c, 53);
			/* The host itself may. */
			must_reach(&w, SOCK_STREAM, w.host, addr4[i], 80, c, 80, NULL);
			must_reach(&w, SOCK_STREAM, w.host, addr6[i], 80, c, 80, NULL);
		}
	}
	world_free(&w);
}

static void outbound(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct options){0});
	world_publish(&w, B, "7000:7000");
	world_publish(&w, B, "7000:7000/udp");
	world_load(&w);
	for (int i = A; i <= D; i++) {
		int c = w.ctr[i].ns;

		must_reach(&w, SOCK_STREAM, c, OUT4, 80, w.out, 80, HOST4);
		must_reach(&w, SOCK_STREAM, c, OUT6, 80, w.out, 80, HOST6);
		must_reach(&w, SOCK_DGRAM, c, OUT4, 53, w.out, 53, HOST4);
		must_reach(&w, SOCK_STREAM, c, FAR4, 80, w.out, 80, addr4[i]);
		must_reach(&w, SOCK_STREAM, c, FAR6, 80, w.out, 80, addr6[i]);
		/* A published port of this host is not taken from others. */
		must_reach(&w, SOCK_STREAM, c, OUT4, 7000, w.out, 7000, HOST4);
		must_reach(&w, SOCK_DGRAM, c, OUT6, 7000, w.out, 7000, HOST6);
		/* The host's own services. */
		must_reach(&w, SOCK_STREAM, c, HOST4, 22, w.host, 22, addr4[i]);
		must_reach(&w, SOCK_STREAM, c, HOST6, 22, w.host, 22, addr6[i]);
	}
	must_reach(&w, SOCK_STREAM, w.host, OUT4, 7000, w.out, 7000, HOST4);
	world_free(&w);
	make(&w, &(struct options){.no_masquerade = true});
	world_load(&w);
	must_reach(&w, SOCK_STREAM, w.ctr[A].ns, OUT4, 80, w.out, 80, addr4[A]);
	must_reach(&w, SOCK_STREAM, w.ctr[C].ns, OUT6, 80, w.out, 80, addr6[C]);
	world_free(&w);
}

static void between_containers(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct options){0});
	world_load(&w);
	must_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr4[B], 80, w.ctr[B].ns, 80, addr4[A]);
	must_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr6[B], 80, w.ctr[B].ns, 80, addr6[A]);
	must_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr4[D], 80, w.ctr[D].ns, 80, addr4[C]);
	must_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr6[D], 80, w.ctr[D].ns, 80, addr6[C]);
	world_free(&w);

	make(&w, &(struct options){.isolate = true});
	world_publish(&w, C, "1000:80");
	world_load(&w);
	must_not_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr4[D], 80, w.ctr[D].ns, 80);
	must_not_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr6[D], 80, w.ctr[D].ns, 80);
	must_reach(&w, SOCK_STREAM, w.ctr[D].ns, HOST4, 1000, w.ctr[C].ns, 80, addr4[D]);
	must_reach(&w, SOCK_STREAM, w.ctr[D].ns, OUT4, 80, w.out, 80, HOST4);
	/* On a bridge it is the port that is isolated; the sets decide when br_netfilter asks them.
	 */
	world_sysctl(w.host, "net/bridge/bridge-nf-call-iptables", "1");
	world_sysctl(w.host, "net/bridge/bridge-nf-call-ip6tables", "1");
	must_not_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr4[B], 80, w.ctr[B].ns, 80);
	must_not_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr6[B], 80, w.ctr[B].ns, 80);
	world_free(&w);
}

static void internal(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct options){.internal_routed = true});
	world_publish(&w, A, "1000:80");
	world_load(&w);
	for (int v = 4; v <= 6; v += 2) {
		const char *const *addr = v == 4 ? addr4 : addr6;
		const char *out = v == 4 ? OUT4 : OUT6, *far = v == 4 ? FAR4 : FAR6;
		const char *host = v == 4 ? HOST4 : HOST6;

		must_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr[D], 80, w.ctr[D].ns, 80, addr[C]);
		must_reach(&w, SOCK_STREAM, w.host, addr[D], 80, w.ctr[D].ns, 80, NULL);
		must_not_reach(&w, SOCK_DGRAM, w.ctr[C].ns, out, 53, w.out, 53);
		must_not_reach(&w, SOCK_DGRAM, w.ctr[C].ns, far, 53, w.out, 53);
		must_not_reach(&w, SOCK_STREAM, w.ctr[C].ns, addr[A], 80, w.ctr[A].ns, 80);
		must_not_reach(&w, SOCK_STREAM, w.ctr[C].ns, host, 1000, w.ctr[A].ns, 80);
		must_not_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr[C], 80, w.ctr[C].ns, 80);
		must_not_reach(&w, SOCK_STREAM, w.out, addr[C], 80, w.ctr[C].ns, 80);
		must_reach(&w, SOCK_STREAM, w.ctr[A].ns, out, 80, w.out, 80, host);
	}
	world_free(&w);
}

/* A published port as seen by its own container, by its neighbour, by another network and by the
 * host, through each address of the host; with bridged traffic outside and inside the IP hooks. */
static void hairpin(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct options){0});
	world_publish(&w, A, "1000:80");
	world_publish(&w, A, "1000:53/udp");
	world_publish(&w, C, "2000:80");
	world_publish(&w, C, "2000:53/udp");
	world_load(&w);
	for (int i = A; i <= B; i++)
		world_sh(w.host, "bridge link set dev %s hairpin on", w.ctr[i].a.host_ifname);
	for (int nf = 0; nf <= 1; nf++) {
		world_sysctl(w.host, "net/bridge/bridge-nf-call-iptables", nf ? "1" : "0");
		world_sysctl(w.host, "net/bridge/bridge-nf-call-ip6tables", nf ? "1" : "0");
		for (int i = A; i <= D; i++) {
			int c = w.ctr[i].ns;
			bool same_bridge = i <= B, self = i == C;

			must_reach(&w, SOCK_STREAM, c, HOST4, 1000, w.ctr[A].ns, 80,
				   same_bridge ? "10.1.0.1" : addr4[i]);
			must_reach(&w, SOCK_STREAM, c, HOST6, 1000, w.ctr[A].ns, 80,
				   same_bridge ? "2001:db8:1::1" : addr6[i]);
			must_reach(&w, SOCK_DGRAM, c, "10.1.0.1", 1000, w.ctr[A].ns, 53, NULL);
			must_reach(&w, SOCK_STREAM, c, HOST4, 2000, w.ctr[C].ns, 80,
				   self ? NULL : addr4[i]);
			must_reach(&w, SOCK_STREAM, c, HOST6, 2000, w.ctr[C].ns, 80,
				   self ? NULL : addr6[i]);
			must_reach(&w, SOCK_DGRAM, c, HOST6, 2000, w.ctr[C].ns, 53, NULL);
		}
		must_reach(&w, SOCK_STREAM, w.host, HOST4, 1000, w.ctr[A].ns, 80, "10.1.0.1");
		must_reach(&w, SOCK_STREAM, w.host, HOST6, 1000, w.ctr[A].ns, 80, "2001:db8:1::1");
		must_reach(&w, SOCK_STREAM, w.host, "10.1.0.1", 2000, w.ctr[C].ns, 80, NULL);
		must_reach(&w, SOCK_DGRAM, w.host, HOST4, 2000, w.ctr[C].ns, 53, NULL);
		must_reach(&w, SOCK_DGRAM, w.host, HOST6, 2000, w.ctr[C].ns, 53, NULL);
		must_reach(&w, SOCK_STREAM, w.out, HOST4, 1000, w.ctr[A].ns, 80, OUT4);
		must_reach(&w, SOCK_STREAM, w.ctr[A].ns, addr4[B], 80, w.ctr[B].ns, 80, addr4[A]);
		must_reach(&w, SOCK_STREAM, w.ctr[A].ns, OUT6, 80, w.out, 80, HOST6);
		/* Loopback belongs to the local forwarder. */
		must_reach(&w, SOCK_STREAM, w.host, "127.0.0.1", 1000, w.host, 1000, "127.0.0.1");
		must_reach(&w, SOCK_STREAM, w.host, "::1", 1000, w.host, 1000, "::1");
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published), cmocka_unit_test(direct_access),
		cmocka_unit_test(outbound),  cmocka_unit_test(between_containers),
		cmocka_unit_test(internal),  cmocka_unit_test(hairpin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
