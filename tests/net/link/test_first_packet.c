/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first packet to and from a new container, in both families, right after everything has been
 * set up: one that is lost costs a second, until the sender tries again. The layouts: a bridge
 * that floods, the same with its first port, a bridge port with flooding and learning off and
 * everything known to it told in advance, and a routed veth.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/link.h"
#include "net/route.h"
#include "world.h"

#define N_CYCLES 100
/* Far above what it takes, far below the first retransmission. */

enum layout { FLOODING, QUIET, ROUTED };

struct host {
	enum layout layout;
	struct rtnl *r;
	uint32_t bridge;
	struct mac mac;
	struct prefix gw[N_FAM];
};

struct ctr {
	int netns;
	struct rtnl *r;
	struct route_watch *watch;
	uint32_t host_if, ctr_if;
	struct prefix addr[N_FAM];
};

static void host_make(struct host *h, enum layout layout)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct bridge_spec s = {.name = "nb-0", .mac = mac_of("02:00:00:00:00:fe"), .mtu = 1500};
	struct ip ll;
	struct prefix p;

	*h = (struct host){.layout = layout, .mac = s.mac};
	OK(rtnl_open(&h->r, &world_err));
	OK(rtnl_batch_new(h->r, &b, &world_err));
	OK(link_set_up(b, 1, &world_err));
	if (layout == ROUTED) {
		h->gw[FAM4] = prefix_of("169.254.1.1/32");
		h->gw[FAM6] = prefix_of("fe80::1/64");
	} else {
		h->gw[FAM4] = prefix_of("198.51.100.1/24");
		h->gw[FAM6] = prefix_of("2001:db8::1/64");
		OK(link_bridge_add(h->r, &s, &h->bridge, &world_err));
		ll = ip_link_local_from_mac(&s.mac);
		p = (struct prefix){.ip = ll, .len = 64};
		OK(route_addr_add(b, h->bridge, &p, &world_err));
		OK(route_addr_add(b, h->bridge, &h->gw[FAM4], &world_err));
		OK(route_addr_add(b, h->bridge, &h->gw[FAM6], &world_err));
	}
	OK(rtnl_batch_run(b, &world_err));
}

/* What the container would report itself, a little later. */
static void add_groups(const struct host *h, const struct ctr *c, const struct mac *mac,
		       struct rtnl_batch *b)
{
	struct ip ll = ip_link_local_from_mac(mac);
	struct ip of_ll = ip_solicited_node(&ll), of_addr = ip_solicited_node(&c->addr[FAM6].ip);

	OK(link_mdb_add(b, h->bridge, c->host_if, &of_ll, &world_err));
	OK(link_mdb_add(b, h->bridge, c->host_if, &of_addr, &world_err));
}

/* The host's side: the port of the bridge, or the routes to the container. */
static void host_side(struct host *h, struct ctr *c, const struct mac *mac)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct port_spec p = {.index = c->host_if, .hairpin = true, .guard = true};
	unsigned int f;

	OK(rtnl_batch_new(h->r, &b, &world_err));
	p.flood = p.mcast_flood = p.learning = h->layout == FLOODING;
	if (h->layout != ROUTED)
		OK(link_port_set(b, &p, &world_err));
	if (h->layout != ROUTED)
		add_groups(h, c, mac, b);
	if (h->layout == QUIET)
		OK(link_fdb_add(b, c->host_if, mac, &world_err));
	if (h->layout == ROUTED) {
		OK(route_addr_add(b, c->host_if, &h->gw[FAM4], &world_err));
		OK(route_addr_add(b, c->host_if, &h->gw[FAM6], &world_err));
	}
	for (f = 0; f < N_FAM && h->layout != FLOODING; f++) {
		struct route_spec s = {.dst = c->addr[f], .ifindex = c->host_if};

		if (h->layout == ROUTED)
			OK(route_add(b, &s, &world_err));
		OK(route_neigh_add(b, h->layout == ROUTED ? c->host_if : h->bridge, &c->addr[f].ip,
				   mac, NEIGH_PERMANENT, &world_err));
	}
	OK(rtnl_batch_run(b, &world_err));
}

static void ctr_side(const struct host *h, struct ctr *c)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	unsigned int f;

	OK(rtnl_batch_new(c->r, &b, &world_err));
	OK(link_set_addrgen(b, c->ctr_if, LINK_ADDRGEN_EUI64, &world_err));
	OK(link_set_up(b, 1, &world_err));
	OK(link_set_up(b, c->ctr_if, &world_err));
	OK(link_settle(b, c->ctr_if, &world_err));
	for (f = 0; f < N_FAM; f++) {
		struct route_spec s = {.gateway = h->gw[f].ip,
				       .ifindex = c->ctr_if,
				       .onlink = h->layout == ROUTED};

		s.dst.ip.family = c->addr[f].ip.family;
		OK(route_addr_add(b, c->ctr_if, &c->addr[f], &world_err));
		OK(route_add(b, &s, &world_err));
		if (h->layout != FLOODING)
			OK(route_neigh_add(b, c->ctr_if, &h->gw[f].ip, &h->mac, NEIGH_STALE,
					   &world_err));
	}
	OK(rtnl_batch_run(b, &world_err));
}

static void ctr_make(struct host *h, struct ctr *c, unsigned int n, bool is_waiting)
{
	bool is_routed = h->layout == ROUTED;
	char text[PREFIX_STRLEN];
	char name[IFNAME_STRLEN];
	struct veth_spec s = {.host_ifname = name,
			      .ctr_ifname = "eth0",
			      .host_mac = mac_of("02:00:00:00:00:01"),
			      .mtu = 1500,
			      .master = h->bridge};

	(void)snprintf(name, sizeof(name), "nu%u", n);
	(void)snprintf(text, sizeof(text), "198.51.100.%u/%d", n + 2, is_routed ? 32 : 24);
	c->addr[FAM4] = prefix_of(text);
	(void)snprintf(text, sizeof(text), "2001:db8::%x/%d", n + 2, is_routed ? 128 : 64);
	c->addr[FAM6] = prefix_of(text);
	s.ctr_mac = mac_from_ip(&c->addr[FAM4].ip);
	if (is_routed)
		h->mac = s.host_mac;
	c->netns = s.ctr_netns_fd = world_new_netns();
	OK(rtnl_open_in(c->netns, &c->r, &world_err));
	OK(route_watch_open(c->netns, &c->watch, &world_err));
	OK(link_veth_add(h->r, &s, &c->host_if, &c->ctr_if, &world_err));
	host_side(h, c, &s.ctr_mac);
	ctr_side(h, c);
	if (is_waiting) {
		OK(link_wait_carrier(h->r, c->host_if, 2000, &world_err));
		OK(route_watch_wait(c->watch, c->ctr_if, &c->addr[FAM6].ip, 2000, &world_err));
	}
}

static void ctr_close(struct ctr *c)
{
	CLEAN_RTNL struct rtnl *d = NULL;

	OK(rtnl_open(&d, &world_err));
	OK(link_del_echo(d, c->host_if, -1, &world_err));
	route_watch_closep(&c->watch);
	rtnl_close(c->r);
	close(c->netns);
}

static socklen_t sockaddr_of(const struct ip *ip, uint32_t scope, struct sockaddr_storage *ss)
{
	*ss = (struct sockaddr_storage){.ss_family = ip->family};
	if (ip->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_port = htons(7);
		memcpy(&in->sin_addr, ip->b, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	in6->sin6_port = htons(7);
	in6->sin6_scope_id = scope;
	memcpy(&in6->sin6_addr, ip->b, 16);
	return sizeof(*in6);
}

static int bound_socket(const struct ip *ip, uint32_t scope)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(ip, scope, &ss);
	int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		fail_msg("bind: %s", strerror(errno));
	return fd;
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

/* A datagram from a to ip, and the answer. Time until it is there; what is lost is sent again each
 * second, as a TCP handshake would be, and counted: time alone tells nothing on a busy machine. */
static double echo(int a, int b, const struct ip *ip, uint32_t scope, unsigned int *n_late)
{
	struct sockaddr_storage ss, from;
	socklen_t len = sockaddr_of(ip, scope, &ss), from_len = sizeof(from);
	double start = world_ms();
	char byte = 'x';
	int tries;

	for (tries = 0; tries < 5; tries++) {
		assert_int_equal(sendto(a, &byte, 1, 0, (struct sockaddr *)&ss, len), 1);
		if (!is_readable(b, 1000))
			continue;
		assert_int_equal(recvfrom(b, &byte, 1, 0, (struct sockaddr *)&from, &from_len), 1);
		assert_int_equal(sendto(b, &byte, 1, 0, (struct sockaddr *)&from, from_len), 1);
		if (is_readable(a, 1000)) {
			*n_late += tries > 0;
			return world_ms() - start;
		}
	}
	fail_msg("no answer at all");
	return 0;
}

/* Even cycles: the host speaks first. */
static double first_packet(const struct host *h, const struct ctr *c, int f, bool from_host,
			   unsigned int *n_late)
{
	uint32_t host_scope = h->layout == ROUTED ? c->host_if : 0;
	uint32_t ctr_scope = h->layout == ROUTED ? c->ctr_if : 0;
	CLEAN_FD int self = world_self();
	CLEAN_FD int outer = bound_socket(&h->gw[f].ip, host_scope);
	CLEAN_FD int inner = -1;

	world_in(c->netns);
	inner = bound_socket(&c->addr[f].ip, 0);
	world_in(self);
	return from_host ? echo(outer, inner, &c->addr[f].ip, 0, n_late)
			 : echo(inner, outer, &h->gw[f].ip, ctr_scope, n_late);
}

static void new_world(struct host *h)
{
	enum layout layout = h->layout;
	struct link_info li;
	void *none = NULL;

	rtnl_close(h->r);
	assert_int_equal(world_enter(&none), 0);
	host_make(h, layout);
	/* As on a bridge that has been idle, the kernel has acted on the missing carrier. */
	OK(link_get(h->r, "nb-0", &li, &world_err));
	assert_false(li.is_operational);
}

static void cycles(enum layout layout, bool is_waiting, bool is_new, const char *name)
{
	double took[N_FAM][N_CYCLES], make[N_CYCLES], start;
	unsigned int n, n_late = 0;
	char what[96];
	struct host h;
	struct ctr c, stays;
	int f, k;

	host_make(&h, layout);
	if (!is_new) {
		/* A neighbour that stays; after a second the bridge's querier counts, and what
		 * nobody has asked for is not flooded any more. */
		ctr_make(&h, &stays, N_CYCLES, true);
		(void)poll(NULL, 0, layout == ROUTED ? 0 : 1500);
	}
	for (n = 0; n < N_CYCLES; n++) {
		if (is_new)
			new_world(&h);
		start = world_ms();
		ctr_make(&h, &c, n, is_waiting);
		make[n] = world_ms() - start;
		/* Each family is the first one every other time. */
		for (k = 0; k < N_FAM; k++) {
			f = (int)((n / 2 + (unsigned int)k) % N_FAM);
			took[f][n] = first_packet(&h, &c, f, n % 2 == 0, &n_late);
		}
		ctr_close(&c);
	}
	for (f = 0; f < N_FAM; f++) {
		(void)snprintf(what, sizeof(what), "%s, first packet IPv%d", name,
			       f == FAM4 ? 4 : 6);
		world_print(what, took[f], N_CYCLES);
	}
	(void)snprintf(what, sizeof(what), "%s, making the container", name);
	world_print(what, make, N_CYCLES);
	print_message("# %s: %u of %u first packets lost\n", name, n_late, N_FAM * N_CYCLES);
	if (!is_new)
		ctr_close(&stays);
	rtnl_close(h.r);
	if (is_waiting)
		assert_int_equal(n_late, 0);
}

static void test_flooding(void **state)
{
	(void)state;
	cycles(FLOODING, true, false, "flooding bridge");
}

/* A bridge without ports has no carrier, and is another link whose carrier must be waited for. */
static void test_first_port(void **state)
{
	(void)state;
	cycles(FLOODING, true, true, "first port of a bridge");
}

static void test_quiet(void **state)
{
	(void)state;
	cycles(QUIET, true, false, "quiet bridge");
}

static void test_routed(void **state)
{
	(void)state;
	cycles(ROUTED, true, false, "routed");
}

/* Only for the figure: what the waiting is for. */
static void show_no_wait(void **state)
{
	(void)state;
	cycles(ROUTED, false, false, "routed without waiting");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_flooding, world_enter),
		cmocka_unit_test_setup(test_first_port, world_enter),
		cmocka_unit_test_setup(test_quiet, world_enter),
		cmocka_unit_test_setup(test_routed, world_enter),
	};
	const struct CMUnitTest figures[] = {
		cmocka_unit_test_setup(show_no_wait, world_enter),
	};

	if (argc == 2 && strcmp(argv[1], "--no-wait") == 0)
		return cmocka_run_group_tests_name("no wait", figures, NULL, NULL);
	return cmocka_run_group_tests_name("first packet", tests, NULL, NULL);
}
