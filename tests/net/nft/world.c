/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: see the header. Everything it makes lives in namespaces that die with the process.
 */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/ruleset.h"

/* How long to wait for what must come, and for what must not. */
#define YES_MS 30000
#define NO_MS 250

int world_enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	return ns;
}

void world_sh(int ns, const char *fmt, ...)
{
	int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	char *script, *cmd;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&script, fmt, ap) > 0);
	va_end(ap);
	assert_true(asprintf(&cmd, "set -e\n%s", script) > 0);
	world_enter(ns);
	if (system(cmd) != 0)
		fail_msg("failed: %s", script);
	world_enter(back);
	close(back);
	free(script);
	free(cmd);
}

void world_sysctl(int ns, const char *key, const char *value)
{
	world_sh(ns, "echo %s > /proc/sys/%s", value, key);
}

/* A namespace without duplicate address detection; the process goes back to where it was. */
static int make_ns(void)
{
	int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), ns;

	assert_true(back >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(ns >= 0);
	world_sh(ns, "for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad\n"
		     "echo 0 > /proc/sys/net/ipv6/conf/$i/dad_transmits\n"
		     "echo 0 > /proc/sys/net/ipv6/conf/$i/accept_ra\n"
		     "echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done\n"
		     "ip link set lo up");
	assert_int_equal(setns(back, CLONE_NEWNET), 0);
	close(back);
	return ns;
}

void world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->host = make_ns();
	w->out = make_ns();
	world_enter(w->host);
	world_sh(w->host,
		 "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
		 "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
		 "for i in iptables ip6tables arptables; do "
		 "f=/proc/sys/net/bridge/bridge-nf-call-$i\n"
		 "[ ! -e $f ] || echo 0 > $f; done\n"
		 "ip link add up0 type veth peer name eth0 netns /proc/%d/fd/%d\n"
		 "ip link set up0 up\n"
		 "ip addr add 198.51.100.1/24 dev up0\n"
		 "ip addr add 2001:db8:aaaa::1/64 dev up0 nodad\n"
		 "ip route add 203.0.113.0/24 via 198.51.100.2\n"
		 "ip route add default via 198.51.100.2\n",
		 getpid(), w->out);
	world_sh(w->out, "ip link set eth0 up\n"
			 "ip addr add 198.51.100.2/24 dev eth0\n"
			 "ip addr add 203.0.113.5/32 dev eth0\n"
			 "ip addr add 2001:db8:aaaa::2/64 dev eth0 nodad\n"
			 "ip addr add 2001:db8:bbbb::5/128 dev eth0 nodad\n"
			 "ip route add 10.0.0.0/8 via 198.51.100.1\n"
			 "ip -6 route add 2001:db8::/32 via 2001:db8:aaaa::1\n");
	world_sh(w->host, "ip -6 route add default via 2001:db8:aaaa::2\n");
}

void world_free(struct world *w)
{
	for (unsigned int i = 0; i < w->n_ctrs; i++) {
		close(w->ctr[i].ns);
		attachment_clear(&w->ctr[i].a);
	}
	elem_list_free(&w->elems);
	close(w->out);
	close(w->host);
}

void world_network(struct world *w, const struct network *n)
{
	char s[PREFIX_STRLEN];

	assert_int_equal(elem_of_network(n, &w->elems, NULL), 0);
	if (n->mode != NET_BRIDGE)
		return;
	world_sh(w->host,
		 "ip link add %s type bridge mcast_snooping 0 forward_delay 0\n"
		 "ip link set %s up",
		 n->bridge, n->bridge);
	for (int f = 0; f < N_FAM; f++) {
		struct prefix p = n->subnet[f];

		if (!p.ip.family)
			continue;
		p.ip = n->gateway[f];
		world_sh(w->host, "ip addr add %s dev %s %s", prefix_str(&p, s), n->bridge,
			 f == FAM6 ? "nodad" : "");
	}
}

static void link_bridge(struct world *w, const struct network *n, const struct attachment *a,
			int ns)
{
	char p4[PREFIX_STRLEN], p6[PREFIX_STRLEN], g4[IP_STRLEN], g6[IP_STRLEN];

	world_sh(w->host, "ip link set %s master %s\nip link set %s up", a->host_ifname, n->bridge,
		 a->host_ifname);
	world_sh(ns,
		 "ip addr add %s dev eth0\nip addr add %s dev eth0 nodad\n"
		 "ip route add default via %s\nip -6 route add default via %s",
		 prefix_str(&a->addr[FAM4], p4), prefix_str(&a->addr[FAM6], p6),
		 ip_str(&n->gateway[FAM4], g4), ip_str(&n->gateway[FAM6], g6));
}

static void link_routed(struct world *w, const struct attachment *a, int ns)
{
	char a4[IP_STRLEN], a6[IP_STRLEN];

	ip_str(&a->addr[FAM4].ip, a4);
	ip_str(&a->addr[FAM6].ip, a6);
	world_sh(w->host,
		 "ip link set %s up\nip addr add 169.254.1.1/32 dev %s scope link\n"
		 "ip addr add fe80::1/64 dev %s nodad\n"
		 "ip route add %s dev %s\nip -6 route add %s dev %s",
		 a->host_ifname, a->host_ifname, a->host_ifname, a4, a->host_ifname, a6,
		 a->host_ifname);
	world_sh(ns,
		 "ip addr add %s/32 dev eth0\nip addr add %s/128 dev eth0 nodad\n"
		 "ip route add 169.254.1.1 dev eth0 scope link\n"
		 "ip route add default via 169.254.1.1\n"
		 "ip -6 route add default via fe80::1 dev eth0",
		 a4, a6);
}

unsigned int world_container(struct world *w, const struct network *n, unsigned int k)
{
	struct attachment *a = &w->ctr[w->n_ctrs].a;
	int ns = make_ns();
	char mac[MAC_STRLEN];

	assert_true(w->n_ctrs < WORLD_CTRS);
	w->ctr[w->n_ctrs].ns = ns;
	snprintf(a->id, sizeof(a->id), "%s-%u", n->name, k);
	strcpy(a->ifname, "eth0");
	a->mode = n->mode;
	name_host_ifname(a->id, a->ifname, a->host_ifname);
	for (int f = 0; f < N_FAM; f++) {
		assert_int_equal(prefix_nth(&n->subnet[f], k + 2, &a->addr[f].ip), 0);
		a->addr[f].len = n->subnet[f].len;
	}
	a->mac = mac_from_ip(&a->addr[FAM4].ip);
	world_sh(ns,
		 "ip link add eth0 address %s type veth peer name %s netns /proc/%d/fd/%d\n"
		 "ip link set eth0 up",
		 mac_str(&a->mac, mac), a->host_ifname, getpid(), w->host);
	if (n->mode == NET_BRIDGE)
		link_bridge(w, n, a, ns);
	else
		link_routed(w, a, ns);
	assert_int_equal(elem_of_endpoint(a, &w->elems, NULL), 0);
	return w->n_ctrs++;
}

void world_publish(struct world *w, unsigned int ctr, const char *spec)
{
	struct publish p;

	assert_int_equal(publish_parse(spec, &p, NULL), 0);
	assert_int_equal(elem_of_publish(&w->ctr[ctr].a, &p, 1, &w->elems, NULL), 0);
}

void world_load(struct world *w)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	CLEAN_BUF struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	ruleset_base(7, &b);
	if (nft_run(b.p, &e) < 0 || nftbatch_open(&n, &e) < 0 ||
	    nftbatch_add(n, &w->elems, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

void world_unload(void)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;

	assert_int_equal(nftbatch_open(&n, NULL), 0);
	assert_true(nftbatch_drop_tables(n, NULL) >= 0);
}

/* ---- traffic ---- */

void world_sockaddr(const char *addr, int port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *s4 = (void *)ret;
	struct sockaddr_in6 *s6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, addr, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*s4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, addr, &s6->sin6_addr), 1);
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*s6);
	}
}

int world_socket(struct world *w, int ns, int family, int type, const char *addr, int port)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, one = 1;

	world_enter(ns);
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	world_enter(w->host);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	world_sockaddr(addr ? addr : family == AF_INET ? "0.0.0.0" : "::", port, &sa, &len);
	if ((addr || port) && bind(fd, (struct sockaddr *)&sa, len) < 0)
		fail_msg("bind to %s port %d: %s", addr ? addr : "any", port, strerror(errno));
	if (type == SOCK_STREAM && port)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

bool world_wait(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

static void peer_text(const struct sockaddr_storage *sa, char out[INET6_ADDRSTRLEN])
{
	if (sa->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, out,
			  INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, out,
			  INET6_ADDRSTRLEN);
}

/* The server's half: receives the request, answers it. False when nothing came. */
static bool serve(const struct exchange *x, int server, int ms, struct sockaddr_storage *peer)
{
	socklen_t len = sizeof(*peer);
	char c[8];

	if (!world_wait(server, ms))
		return false;
	if (x->type == SOCK_DGRAM) {
		assert_int_equal(recvfrom(server, c, sizeof(c), 0, (struct sockaddr *)peer, &len),
				 4);
		assert_int_equal(sendto(server, "pong", 4, 0, (struct sockaddr *)peer, len), 4);
	} else {
		int fd = accept(server, (struct sockaddr *)peer, &len);

		assert_true(fd >= 0);
		assert_int_equal(send(fd, "pong", 4, MSG_NOSIGNAL), 4);
		close(fd);
	}
	return true;
}

/* 0: there and back; 1: nothing arrived; 2: no answer. */
static int exchange(struct world *w, const struct exchange *x, int ms, char seen[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage dst, peer = {0};
	int client, server, r = 0;
	socklen_t len;
	char c[8];

	world_sockaddr(x->dst, x->port, &dst, &len);
	server = world_socket(w, x->server, dst.ss_family, x->type, NULL, x->server_port);
	client = world_socket(w, x->from, dst.ss_family, x->type, x->src, 0);
	if (connect(client, (struct sockaddr *)&dst, len) < 0 && errno != EINPROGRESS)
		r = 1;
	else if (x->type == SOCK_DGRAM && send(client, "ping", 4, 0) != 4)
		r = 1;
	if (r == 0 && !serve(x, server, ms, &peer))
		r = 1;
	if (r == 0) {
		peer_text(&peer, seen);
		if (!world_wait(client, ms) || recv(client, c, sizeof(c), 0) != 4)
			r = 2;
	}
	close(client);
	close(server);
	return r;
}

void world_reach(struct world *w, const struct exchange *x, const char *seen_as)
{
	char seen[INET6_ADDRSTRLEN] = "";
	int r = exchange(w, x, YES_MS, seen);

	if (r)
		fail_msg("%s to %s port %d: %s", x->type == SOCK_DGRAM ? "udp" : "tcp", x->dst,
			 x->port, r == 1 ? "did not arrive" : "was not answered");
	if (seen_as && strcmp(seen, seen_as) != 0)
		fail_msg("to %s port %d: seen as %s, not %s", x->dst, x->port, seen, seen_as);
}

void world_no_reach(struct world *w, const struct exchange *x)
{
	char seen[INET6_ADDRSTRLEN] = "";

	if (exchange(w, x, NO_MS, seen) != 1)
		fail_msg("%s to %s port %d arrived from %s", x->type == SOCK_DGRAM ? "udp" : "tcp",
			 x->dst, x->port, seen);
}
