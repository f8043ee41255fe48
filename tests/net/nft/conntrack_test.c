/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack_test: stale flows go, all others stay, with real flows; once with the kernel comparing
 * and once with the dump that older kernels need.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>

#include "net/conntrack.h"
#include "net/ctmsg.h"
#include "net/nftbatch.h"
#include "population.h"
#include "world.h"

#define HOST4 "198.51.100.1"
#define HOST6 "2001:db8:aaaa::1"
#define OUT4 "198.51.100.2"
#define OUT6 "2001:db8:aaaa::2"
#define ALT4 "198.51.100.9"

enum { A, B };

/* ---- the table as the kernel shows it ---- */

struct count {
	uint8_t proto;
	uint16_t dport;
	const struct ip *reply_src;
	unsigned int n;
};

static void count_entries(const struct nlmsghdr *h, struct count *c)
{
	struct ctmsg_entry x;

	if (ctmsg_parse(h, &x) && x.proto == c->proto && x.orig_dport == c->dport &&
	    (!c->reply_src || ip_equal(c->reply_src, &x.reply_src)))
		c->n++;
}

/* Entries with this protocol, original destination port and reply source (NULL: any). */
static unsigned int entries(uint8_t proto, uint16_t dport, const char *reply_src)
{
	struct ip ip = reply_src ? population_ip(reply_src) : (struct ip){0};
	struct count c = {.proto = proto, .dport = dport, .reply_src = reply_src ? &ip : NULL};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char buf[32768] __attribute__((aligned(8)));
	size_t len = ctmsg_dump(buf, 1, AF_UNSPEC);
	bool done = false;

	assert_int_equal(send(fd, buf, len, 0), len);
	while (!done) {
		ssize_t r = recv(fd, buf, sizeof(buf), 0);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)r;

		assert_true(r > 0);
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			done |= h->nlmsg_type == NLMSG_DONE;
			count_entries(h, &c);
		}
	}
	close(fd);
	return c.n;
}

/* ---- flows ---- */

/* A client's socket with a port of its own. */
static int client(struct world *w, int ns, const char *dst, int port)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd;

	world_sockaddr(dst, port, &sa, &len);
	fd = world_socket(w, ns, sa.ss_family, SOCK_DGRAM, NULL, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

/* Sends again where the port unreachable of the packet before is still pending. */
static void ping(int fd)
{
	if (send(fd, "ping", 4, 0) != 4)
		assert_int_equal(send(fd, "ping", 4, 0), 4);
}

static bool arrives(int fd)
{
	char c[8];

	if (!world_wait(fd, 250))
		return false;
	while (recv(fd, c, sizeof(c), 0) > 0)
		;
	return true;
}

static void setup_world(struct world *w)
{
	struct network n = {.name = "br", .mode = NET_BRIDGE, .masquerade = true};

	n.subnet[FAM4] = population_prefix("10.1.0.0/24");
	n.subnet[FAM6] = population_prefix("2001:db8:1::/64");
	assert_int_equal(network_complete(&n, NULL), 0);
	world_make(w);
	world_network(w, &n);
	world_container(w, &n, 0);
	world_container(w, &n, 1);
	world_sh(w->host, "ip addr add " ALT4 "/24 dev up0");
	world_load(w);
}

static struct publish run(uint8_t proto, uint16_t port, uint16_t count)
{
	return (struct publish){
		.proto = proto, .host_port = port, .ctr_port = port, .count = count};
}

static void flush(const struct publish *p, size_t n, const struct world *w, int ctr, bool tcp_all)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct err e = ERR_INIT;
	struct ip target[N_FAM];

	assert_true(fd >= 0);
	for (int f = 0; ctr >= 0 && f < N_FAM; f++)
		target[f] = w->ctr[ctr].a.addr[f].ip;
	if (conntrack_flush(fd, p, n, ctr >= 0 ? target : NULL, tcp_all, &e) < 0)
		fail_msg("%s", e.text);
	close(fd);
}

/* A client that has been sending before the port was published gets through after the flush, and
 * only then. Other ports, other addresses and flows to elsewhere stay. */
static void before_publishing(void **state)
{
	static const char *const host[] = {HOST4, HOST6}, *const out[] = {OUT4, OUT6};
	struct publish wide = run(IPPROTO_UDP, 5000, 1);
	struct world w;

	(void)state;
	for (int f = 0; f < N_FAM; f++) {
		int stale, sibling, onward, neighbour, server;

		setup_world(&w);
		stale = client(&w, w.out, host[f], 5000);
		sibling = client(&w, w.out, host[f], 5001);
		onward = client(&w, w.host, out[f], 5000);
		neighbour = client(&w, w.ctr[A].ns, out[f], 5000);
		server = world_socket(&w, w.ctr[A].ns, f == FAM4 ? AF_INET : AF_INET6, SOCK_DGRAM,
				      NULL, 80);
		ping(stale);
		ping(sibling);
		ping(onward);
		ping(neighbour);
		assert_int_equal(entries(IPPROTO_UDP, 5000, NULL), 3);
		world_publish(&w, A, f == FAM4 ? "0.0.0.0:5000:80/udp" : "[::]:5000:80/udp");
		{
			CLEAN_NFTBATCH struct nftbatch *n = NULL;
			struct elem_list last = {&w.elems.v[w.elems.n - 1], 1, 1};

			assert_int_equal(nftbatch_open(&n, NULL), 0);
			assert_int_equal(nftbatch_add(n, &last, NULL, NULL), 0);
		}
		ping(stale);
		assert_false(arrives(server));
		flush(&wide, 1, &w, -1, false);
		assert_int_equal(entries(IPPROTO_UDP, 5000, host[f]), 0);
		assert_int_equal(entries(IPPROTO_UDP, 5000, out[f]), 2);
		assert_int_equal(entries(IPPROTO_UDP, 5001, host[f]), 1);
		ping(stale);
		assert_true(arrives(server));
		/* Now it is translated, and stays. */
		flush(&wide, 1, &w, -1, false);
		assert_int_equal(
			entries(IPPROTO_UDP, 5000, f == FAM4 ? "10.1.0.2" : "2001:db8:1::2"), 1);
		close(stale);
		close(sibling);
		close(onward);
		close(neighbour);
		close(server);
		world_free(&w);
	}
}

/* A host address means that address only. */
static void one_address(void **state)
{
	struct publish p[2] = {run(IPPROTO_UDP, 5000, 1), run(IPPROTO_UDP, 6000, 100)};
	struct world w;
	int fd[6];

	(void)state;
	setup_world(&w);
	p[0].host_ip = population_ip(ALT4);
	p[1].host_ip = population_ip(HOST4);
	fd[0] = client(&w, w.out, HOST4, 5000);
	fd[1] = client(&w, w.out, ALT4, 5000);
	fd[2] = client(&w, w.out, HOST4, 6000);
	fd[3] = client(&w, w.out, HOST4, 6099);
	fd[4] = client(&w, w.out, HOST4, 6100);
	fd[5] = client(&w, w.out, ALT4, 6050);
	for (int i = 0; i < 6; i++)
		ping(fd[i]);
	flush(&p[0], 1, &w, -1, false);
	assert_int_equal(entries(IPPROTO_UDP, 5000, HOST4), 1);
	assert_int_equal(entries(IPPROTO_UDP, 5000, ALT4), 0);
	flush(p, 2, &w, -1, false); /* a range: always by dump */
	assert_int_equal(entries(IPPROTO_UDP, 5000, HOST4), 1);
	assert_int_equal(entries(IPPROTO_UDP, 6000, HOST4), 0);
	assert_int_equal(entries(IPPROTO_UDP, 6099, HOST4), 0);
	assert_int_equal(entries(IPPROTO_UDP, 6100, HOST4), 1);
	assert_int_equal(entries(IPPROTO_UDP, 6050, ALT4), 1);
	for (int i = 0; i < 6; i++)
		close(fd[i]);
	world_free(&w);
}

/* Taking a port down removes the flows to its own container only. */
static void own_flows(void **state)
{
	static const char *const specs[] = {"5000:80/udp", "5001:80/udp"};
	struct publish p = run(IPPROTO_UDP, 5000, 1), both[2];
	struct world w;
	int fd[5];

	(void)state;
	p.ctr_port = 80;
	setup_world(&w);
	world_publish(&w, A, specs[0]);
	world_publish(&w, B, specs[1]);
	world_load(&w);
	fd[0] = client(&w, w.out, HOST4, 5000);
	fd[1] = client(&w, w.out, HOST6, 5000);
	fd[2] = client(&w, w.out, HOST4, 5001);
	fd[3] = client(&w, w.out, HOST6, 5001);
	fd[4] = client(&w, w.host, "10.1.0.2", 5000); /* not through the published port */
	for (int i = 0; i < 5; i++)
		ping(fd[i]);
	assert_int_equal(entries(IPPROTO_UDP, 5000, "10.1.0.2"), 2);
	assert_int_equal(entries(IPPROTO_UDP, 5000, "2001:db8:1::2"), 1);
	flush(&p, 1, &w, A, true);
	assert_int_equal(entries(IPPROTO_UDP, 5000, "10.1.0.2"), 1);
	assert_int_equal(entries(IPPROTO_UDP, 5000, "2001:db8:1::2"), 0);
	assert_int_equal(entries(IPPROTO_UDP, 5001, "10.1.0.3"), 1);
	assert_int_equal(entries(IPPROTO_UDP, 5001, "2001:db8:1::3"), 1);
	/* Over a socket that is also used for transactions. */
	{
		CLEAN_NFTBATCH struct nftbatch *n = NULL;
		struct ip target[N_FAM] = {w.ctr[B].a.addr[FAM4].ip, w.ctr[B].a.addr[FAM6].ip};

		both[0] = run(IPPROTO_TCP, 1, 1);
		both[1] = run(IPPROTO_UDP, 5001, 1);
		both[1].ctr_port = 80;
		assert_int_equal(nftbatch_open(&n, NULL), 0);
		assert_int_equal(nftbatch_del(n, &w.elems, NULL), 0);
		assert_int_equal(conntrack_flush(nftbatch_fd(n), both, 2, target, true, NULL), 0);
		assert_int_equal(entries(IPPROTO_UDP, 5001, NULL), 0);
		assert_int_equal(nftbatch_add(n, &w.elems, NULL, NULL), 0);
	}
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	world_free(&w);
}

static int tcp_client(struct world *w, const char *dst, int port)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd;

	world_sockaddr(dst, port, &sa, &len);
	fd = world_socket(w, w->out, sa.ss_family, SOCK_STREAM, NULL, 0);
	assert_true(connect(fd, (struct sockaddr *)&sa, len) < 0 && errno == EINPROGRESS);
	return fd;
}

/* Established connections stay unless all shall go; half-open ones go. */
static void tcp(void **state)
{
	struct publish p[2] = {run(IPPROTO_TCP, 5000, 1), run(IPPROTO_TCP, 5002, 1)};
	struct world w;
	int listener, fd[3];

	(void)state;
	setup_world(&w);
	/* Established with the host itself; and a client that nobody answers. */
	world_sh(w.host, "nft add table ip f\n"
			 "nft add chain ip f out '{ type filter hook output priority -300; }'\n"
			 "nft add rule ip f out tcp sport 5002 drop");
	listener = world_socket(&w, w.host, AF_INET, SOCK_STREAM, NULL, 5000);
	fd[0] = tcp_client(&w, HOST4, 5000);
	assert_true(world_wait(listener, 30000));
	fd[1] = tcp_client(&w, HOST4, 5002);
	assert_int_equal(entries(IPPROTO_TCP, 5000, HOST4), 1);
	assert_int_equal(entries(IPPROTO_TCP, 5002, HOST4), 1);
	flush(p, 2, &w, -1, false);
	assert_int_equal(entries(IPPROTO_TCP, 5000, HOST4), 1);
	assert_int_equal(entries(IPPROTO_TCP, 5002, HOST4), 0);
	flush(p, 2, &w, -1, true);
	assert_int_equal(entries(IPPROTO_TCP, 5000, HOST4), 0);
	close(listener);
	/* The same with a container behind the port. */
	world_publish(&w, A, "6000:80");
	world_load(&w);
	listener = world_socket(&w, w.ctr[A].ns, AF_INET, SOCK_STREAM, NULL, 80);
	fd[2] = tcp_client(&w, HOST4, 6000);
	assert_true(world_wait(listener, 30000));
	p[0] = run(IPPROTO_TCP, 6000, 1);
	flush(p, 1, &w, A, false);
	assert_int_equal(entries(IPPROTO_TCP, 6000, "10.1.0.2"), 1);
	flush(p, 1, &w, A, true);
	assert_int_equal(entries(IPPROTO_TCP, 6000, "10.1.0.2"), 0);
	close(listener);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	world_free(&w);
}

/* More entries than one delete request takes, and nothing at all. */
static void many_and_none(void **state)
{
	struct publish p = run(IPPROTO_UDP, 5000, 200);
	struct world w;

	(void)state;
	setup_world(&w);
	flush(&p, 1, &w, -1, true);
	flush(&p, 0, &w, -1, true);
	for (int i = 0; i < 1200; i++) {
		int fd = client(&w, w.out, HOST4, 5000 + i % 201);

		ping(fd);
		close(fd);
	}
	assert_int_equal(entries(IPPROTO_UDP, 5000, HOST4), 6);
	flush(&p, 1, &w, -1, false);
	for (uint16_t i = 0; i < 200; i++)
		assert_int_equal(entries(IPPROTO_UDP, 5000 + i, NULL), 0);
	assert_true(entries(IPPROTO_UDP, 5200, HOST4) >= 5);
	world_free(&w);
}

/* However many lines the table's text has, whether they end a page of it or not: every one counts.
 */
static void among_others(void **state)
{
	struct publish p[2] = {run(IPPROTO_UDP, 5000, 1), run(IPPROTO_UDP, 5001, 1)};
	struct world w;
	int others = 0;

	(void)state;
	setup_world(&w);
	for (int total = 12; total < 240; total += total < 32 ? 1 : 100) {
		int victim = client(&w, w.out, total % 2 ? HOST4 : ALT4, 5000 + total % 3 % 2);

		for (; others < total; others++) {
			int fd = client(&w, w.out, HOST4, 20000 + others);

			ping(fd);
			close(fd);
		}
		ping(victim);
		flush(p, 2, &w, -1, false);
		assert_int_equal(entries(IPPROTO_UDP, 5000, NULL), 0);
		assert_int_equal(entries(IPPROTO_UDP, 5001, NULL), 0);
		close(victim);
	}
	for (int i = 0; i < others; i += 20)
		assert_int_equal(entries(IPPROTO_UDP, (uint16_t)(20000 + i), HOST4), 1);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_publishing), cmocka_unit_test(one_address),
		cmocka_unit_test(own_flows),         cmocka_unit_test(tcp),
		cmocka_unit_test(many_and_none),     cmocka_unit_test(among_others),
	};
	int failed;

	unsetenv("NETNS_UP_WITHOUT");
	failed = cmocka_run_group_tests_name("the kernel compares", tests, NULL, NULL);
	setenv("NETNS_UP_WITHOUT", "ct-filter-flush", 1);
	return failed + cmocka_run_group_tests_name("dump and delete", tests, NULL, NULL);
}
