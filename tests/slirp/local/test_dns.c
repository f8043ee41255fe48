/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local, DNS over UDP: messages pass unchanged but for the id; every resolver gets its turn;
 * answers that do not belong to a query are not heard; what hostile clients and resolvers send is
 * bounded.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake.h"
#include "hex.h"

#define GUEST "10.0.2.100"
#define SERVER "10.0.2.3"
#define QUESTION "07 6578616d706c65 03 636f6d 00 001c 0001 "
#define EDNS "00 0029 04d0 0000 0000 0000"
#define QUERY "0100 0001 0000 0000 0001" QUESTION EDNS /* behind the id */
#define ANSWER                                                                                     \
	"8180 0001 0001 0000 0001" QUESTION "c00c 001c 0001 0000003c 0010 "                        \
	"20010db8000000000000000000000001" EDNS

static void resolvers(size_t n, const char *a, const char *b, const char *c)
{
	const char *names[] = {a, b, c};
	struct ip ip[3];
	uint32_t scope[3] = {0, 0, 0};

	for (size_t i = 0; i < n; i++) {
		ip[i] = hex_ip(names[i]);
		if (ip_is_link_local(&ip[i]) && ip[i].family == AF_INET6)
			scope[i] = 7;
	}
	local_set_resolvers(fake.local, ip, scope, n);
}

static void ask(uint16_t sport, const char *id_and_query)
{
	uint8_t b[512];

	fake_udp(GUEST, sport, SERVER, 53, b, hex_bytes(id_and_query, b, sizeof(b)));
}

static void check_to(const struct fake_socket *s, const char *text)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s->to;
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&s->to;
	struct ip ip = hex_ip(text);

	assert_true(s->is_connected);
	assert_int_equal(s->to.ss_family, ip.family);
	if (ip.family == AF_INET) {
		assert_int_equal(ntohs(in4->sin_port), 53);
		assert_memory_equal(&in4->sin_addr, ip.b, 4);
	} else {
		assert_int_equal(ntohs(in6->sin6_port), 53);
		assert_memory_equal(&in6->sin6_addr, ip.b, 16);
	}
}

/* The resolver's message: the id of what it was asked, then text. */
static void reply(struct fake_socket *s, const char *text)
{
	uint8_t b[512];

	memcpy(b, s->sent, 2);
	fake_receive(s, b, 2 + hex_bytes(text, b + 2, sizeof(b) - 2));
}

/* The answer that the container got; text: behind the UDP header. */
static void check_answer(uint16_t port, const char *text)
{
	struct fake_frame *f = fake_last();

	assert_non_null(f);
	assert_int_equal(f->ethertype, 0);
	assert_ip(f->h.src, SERVER);
	assert_ip(f->h.dst, GUEST);
	assert_int_equal(f->h.proto, IPPROTO_UDP);
	assert_int_equal(f->data[0] << 8 | f->data[1], 53);
	assert_int_equal(f->data[2] << 8 | f->data[3], port);
	assert_int_equal(f->data[4] << 8 | f->data[5], f->len);
	assert_hex(f->data + 8, f->len - 8, text);
}

static void test_forward(void **state)
{
	struct fake_socket *s;

	(void)state;
	resolvers(2, "198.51.100.53", "203.0.113.53", NULL);
	ask(4000, "beef" QUERY);
	assert_int_equal(fake.n_sockets, 1);
	s = fake_socket_at(0);
	check_to(s, "198.51.100.53");
	assert_hex(s->sent + 2, s->n_sent - 2, QUERY); /* type AAAA and EDNS untouched */
	reply(s, ANSWER);
	check_answer(4000, "beef" ANSWER);
	assert_int_equal(fake.n_open, 0);
	/* TC, flags, rcode NXDOMAIN and whatever is behind the question pass. */
	ask(4001, "0001" QUERY);
	reply(fake_socket_at(1), "8783 0001 0000 0000 0000" QUESTION "ffff");
	check_answer(4001, "0001 8783 0001 0000 0000 0000" QUESTION "ffff");
	/* The case of the name may change on the way. */
	ask(4001, "0002" QUERY);
	reply(fake_socket_at(2),
	      "8180 0001 0000 0000 0000 07 4558616d706c65 03 636f4d 00 001c 0001");
	check_answer(4001,
		     "0002 8180 0001 0000 0000 0000 07 4558616d706c65 03 636f4d 00 001c 0001");
	assert_int_equal(fake.stats.n[STAT_DNS_QUERIES], 3);
	assert_int_equal(fake.stats.n[STAT_DROP_DNS] + fake.stats.n[STAT_DNS_FAILOVER], 0);
	fake_advance(10000);
	assert_int_equal(fake.n_frames, 0);
}

/* IPv6 on the container's side, link-local resolver on the host's. */
static void test_ipv6(void **state)
{
	uint8_t b[512];
	struct fake_frame *f;

	(void)state;
	resolvers(1, "fe80::53", NULL, NULL);
	fake_udp("fd00::64", 4000, "fd00::3", 53, b, hex_bytes("beef" QUERY, b, sizeof(b)));
	check_to(fake_socket_at(0), "fe80::53");
	assert_int_equal(((struct sockaddr_in6 *)&fake_socket_at(0)->to)->sin6_scope_id, 7);
	reply(fake_socket_at(0), ANSWER);
	f = fake_last();
	assert_non_null(f);
	assert_ip(f->h.src, "fd00::3");
	assert_ip(f->h.dst, "fd00::64");
}

static void test_ids(void **state)
{
	static uint16_t seen[65536];
	size_t n_distinct = 0, n_steps = 0;
	uint16_t before = 0;

	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	for (unsigned i = 0; i < 4000; i++) {
		struct fake_socket *s;
		uint16_t id;

		ask((uint16_t)(1024 + i), "beef" QUERY);
		s = fake_socket_at(i);
		id = (uint16_t)(s->sent[0] << 8 | s->sent[1]);
		n_distinct += seen[id]++ == 0;
		n_steps += id == (uint16_t)(before + 1);
		before = id;
		reply(s, ANSWER);
		assert_non_null(fake_last());
	}
	/* 4,000 draws of 65,536: 3,881 distinct ones expected, deviation 11. */
	assert_true(n_distinct > 3800 && n_distinct < 3960);
	assert_true(n_steps < 5);
}

static void test_not_an_answer(void **state)
{
	static const char *const wrong[] = {
		"0100 0001 0000 0000 0000" QUESTION, /* a query */
		"8980 0001 0000 0000 0000" QUESTION, /* another opcode */
		"8180 0001 0000 0000 0000 07 6578616d706c66 03 636f6d 00 001c 0001", /* name */
		"8180 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001", /* type */
		"8180 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 001c 0003", /* class */
		"8180 0002 0000 0000 0000" QUESTION QUESTION,
		"8180 0000 0000 0000 0000", /* no question, and no error that explains it */
		"8180 0001 0000 0000 0000 c00c 001c 0001",
		"8180 0001 0000 0000",
		"",
	};
	const size_t n = sizeof(wrong) / sizeof(wrong[0]);
	struct fake_socket *s;
	uint8_t b[512];

	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	ask(4000, "beef" QUERY);
	s = fake_socket_at(0);
	for (size_t i = 0; i < n; i++)
		reply(s, wrong[i]);
	memcpy(b, s->sent, 2);
	b[1] ^= 1; /* another id */
	fake_receive(s, b, 2 + hex_bytes(ANSWER, b + 2, sizeof(b) - 2));
	assert_int_equal(fake.stats.n[STAT_DROP_DNS], n + 1);
	assert_int_equal(fake.n_frames, 0);
	reply(s, ANSWER); /* the true one still counts */
	check_answer(4000, "beef" ANSWER);
}

static void test_silent(void **state)
{
	(void)state;
	resolvers(2, "198.51.100.53", "203.0.113.53", NULL);
	ask(4000, "beef" QUERY);
	fake_advance(1499);
	assert_int_equal(fake.n_sockets, 1);
	fake_advance(1);
	assert_int_equal(fake.n_sockets, 2);
	check_to(fake_socket_at(1), "203.0.113.53");
	assert_int_equal(fake.n_open, 2); /* the first one may still answer */
	assert_memory_not_equal(fake_socket_at(0)->sent, fake_socket_at(1)->sent, 2);
	assert_int_equal(fake.stats.n[STAT_DNS_FAILOVER], 1);
	reply(fake_socket_at(1), ANSWER);
	check_answer(4000, "beef" ANSWER);
	assert_int_equal(fake.n_open, 0);
	/* The silent one is asked last for a while, then first again. */
	fake_advance(1);
	ask(4000, "0001" QUERY);
	check_to(fake_socket_at(2), "203.0.113.53");
	reply(fake_socket_at(2), ANSWER);
	fake_advance(30000);
	ask(4000, "0002" QUERY);
	check_to(fake_socket_at(3), "198.51.100.53");
	/* Late, but in time: an answer to the first try while the second is under way. */
	fake_advance(1500);
	check_to(fake_socket_at(4), "203.0.113.53");
	reply(fake_socket_at(3), ANSWER);
	check_answer(4000, "0002" ANSWER);
	assert_int_equal(fake.n_open, 0);
	fake_advance(1);
	ask(4000, "0003" QUERY); /* which makes it the first one again */
	check_to(fake_socket_at(5), "198.51.100.53");
}

/* One resolver: it is asked three times; then the container is told, before it gives up at 5 s. */
static void test_nobody_answers(void **state)
{
	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	ask(4000, "beef" QUERY);
	fake_advance(4499);
	assert_int_equal(fake.n_sockets, 3);
	assert_int_equal(fake.n_frames, 0);
	fake_advance(1);
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
	assert_int_equal(fake.n_open, 0);
	assert_int_equal(fake.n_sockets, 3);
}

static void test_all_get_a_turn(void **state)
{
	struct ip ip[LOCAL_RESOLVERS_MAX + 2];
	uint32_t scope[LOCAL_RESOLVERS_MAX + 2] = {0};
	char text[IP_STRLEN];

	(void)state;
	for (unsigned i = 0; i < LOCAL_RESOLVERS_MAX + 2; i++) {
		snprintf(text, sizeof(text), "198.51.100.%u", 1 + i);
		ip[i] = hex_ip(text);
	}
	local_set_resolvers(fake.local, ip, scope, LOCAL_RESOLVERS_MAX + 2); /* too many: cut */
	ask(4000, "beef" QUERY);
	fake_advance(4490);
	assert_int_equal(fake.n_sockets, LOCAL_RESOLVERS_MAX);
	for (unsigned i = 0; i < LOCAL_RESOLVERS_MAX; i++) {
		snprintf(text, sizeof(text), "198.51.100.%u", 1 + i);
		check_to(fake_socket_at(i), text);
	}
	assert_int_equal(fake.n_open, 3); /* no more sockets than that for one query */
	fake_advance(100);
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
	/* Resolvers that come while a query is under way do not make it longer. */
	local_set_resolvers(fake.local, ip, scope, 1);
	ask(4000, "0001" QUERY);
	fake_advance(1500);
	local_set_resolvers(fake.local, ip, scope, LOCAL_RESOLVERS_MAX);
	fake_advance(2999);
	assert_int_equal(fake.n_frames, 0);
	fake_advance(1);
	check_answer(4000, "0001 8182 0001 0000 0000 0000" QUESTION);
}

/* Refused (ICMP), unreachable at connect, SERVFAIL, REFUSED, NOTIMP: the next one at once. */
static void test_errors(void **state)
{
	static const char *const codes[] = {"8182", "8184", "8185"};
	size_t at_first;

	(void)state;
	resolvers(3, "127.0.0.53", "198.51.100.53", "2001:db8::53");
	fake.unreachable = hex_ip("198.51.100.53");
	ask(4000, "beef" QUERY);
	check_to(fake_socket_at(0), "127.0.0.53");
	fake_fail(fake_socket_at(0), ECONNREFUSED);
	assert_int_equal(fake.n_sockets, 3);
	assert_false(fake_socket_at(1)->is_connected);
	check_to(fake_socket_at(2), "2001:db8::53");
	assert_int_equal(fake.n_open, 1);
	reply(fake_socket_at(2), ANSWER);
	check_answer(4000, "beef" ANSWER);
	resolvers(2, "198.51.100.1", "198.51.100.2", NULL);
	for (size_t i = 0; i < 3; i++) {
		char error[200];
		size_t at = fake.n_sockets;

		snprintf(error, sizeof(error), "%s 0001 0000 0000 0000" QUESTION, codes[i]);
		ask(4000, "0001" QUERY);
		check_to(fake_socket_at(at), "198.51.100.1"); /* it is not down */
		reply(fake_socket_at(at), error);
		check_to(fake_socket_at(at + 1), "198.51.100.2");
		assert_int_equal(fake.n_frames, 0);
		/* The last one's word passes. */
		reply(fake_socket_at(at + 1), error);
		snprintf(error, sizeof(error), "0001 %s 0001 0000 0000 0000" QUESTION, codes[i]);
		check_answer(4000, error);
		assert_int_equal(fake.n_open, 0);
	}
	/* An early try that fails late does not cut short the one under way. */
	at_first = fake.n_sockets;
	ask(4000, "0001" QUERY);
	fake_advance(1500);
	fake_fail(fake_socket_at(at_first), EHOSTUNREACH);
	assert_int_equal(fake.n_sockets, at_first + 2);
	assert_int_equal(fake.n_open, 1);
	reply(fake_socket_at(at_first + 1), ANSWER);
	check_answer(4000, "0001" ANSWER);
	/* A server that could not read the question. */
	ask(4000, "0001" QUERY);
	reply(fake_socket_at(fake.n_sockets - 1), "8181 0000 0000 0000 0000");
	check_answer(4000, "0001 8181 0000 0000 0000 0000");
}

static void test_no_way(void **state)
{
	(void)state;
	ask(4000, "beef" QUERY); /* no resolvers */
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
	resolvers(1, "198.51.100.53", NULL, NULL);
	fake.unreachable = hex_ip("198.51.100.53");
	ask(4000, "beef" QUERY);
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
	fake.unreachable.family = 0;
	fake.socket_error = EMFILE;
	ask(4000, "beef" QUERY);
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
	assert_true(fake.stats.n[STAT_DROP_SOCKET] > 0);
	assert_int_equal(fake.n_open, 0);
	fake.socket_error = 0;
	ask(4000, "beef" QUERY); /* it works as soon as it can */
	reply(fake_socket_at(fake.n_sockets - 1), ANSWER);
	check_answer(4000, "beef" ANSWER);
}

static void test_new_resolvers(void **state)
{
	(void)state;
	resolvers(1, "198.51.100.1", NULL, NULL);
	ask(4000, "beef" QUERY);
	resolvers(2, "203.0.113.1", "203.0.113.2", NULL);
	fake_advance(1500);
	check_to(fake_socket_at(1), "203.0.113.1"); /* queries under way go on with the new ones */
	fake_advance(1500);
	check_to(fake_socket_at(2), "203.0.113.2");
	resolvers(0, NULL, NULL, NULL);
	reply(fake_socket_at(0), ANSWER); /* asked before, answered now */
	check_answer(4000, "beef" ANSWER);
	resolvers(1, "198.51.100.1", NULL, NULL);
	ask(4000, "beef" QUERY);
	resolvers(0, NULL, NULL, NULL);
	fake_advance(1500);
	check_answer(4000, "beef 8182 0001 0000 0000 0000" QUESTION);
}

#define HOST_NAME "04 686f7374 0a 636f6e7461696e657273 08 696e7465726e616c 00 "

static void test_host_name(void **state)
{
	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	ask(4000, "beef 0100 0001 0000 0000 0000" HOST_NAME "0001 0001");
	check_answer(4000, "beef 8180 0001 0001 0000 0000" HOST_NAME
			   "0001 0001 c00c 0001 0001 0000003c 0004 0a000202");
	ask(4000, "beef 0100 0001 0000 0000 0001 04 484f5354 0a 434f4e5441494e455253 08 "
		  "494e5445524e414c 00 001c 0001" EDNS);
	check_answer(4000, "beef 8180 0001 0001 0000 0000 04 484f5354 0a 434f4e5441494e455253 08 "
			   "494e5445524e414c 00 001c 0001 c00c 001c 0001 0000003c 0010 "
			   "fd000000000000000000000000000002");
	ask(4000, "beef 0100 0001 0000 0000 0000" HOST_NAME "000f 0001"); /* MX: NODATA */
	check_answer(4000, "beef 8180 0001 0000 0000 0000" HOST_NAME "000f 0001");
	fake.plan.gateway[FAM6] = (struct ip){0};
	ask(4000, "beef 0100 0001 0000 0000 0000" HOST_NAME "001c 0001");
	check_answer(4000, "beef 8180 0001 0000 0000 0000" HOST_NAME "001c 0001");
	fake.plan.host_at[FAM4] = hex_ip("169.254.1.2");
	ask(4000, "beef 0100 0001 0000 0000 0000" HOST_NAME "0001 0001");
	check_answer(4000, "beef 8180 0001 0001 0000 0000" HOST_NAME
			   "0001 0001 c00c 0001 0001 0000003c 0004 a9fe0102");
	assert_int_equal(fake.n_sockets, 0); /* the host's resolvers never hear of it */
	/* Names around it are theirs. */
	ask(4000, "beef 0100 0001 0000 0000 0000 01 61" HOST_NAME "0001 0001");
	assert_int_equal(fake.n_sockets, 1);
	/* Where no address leads to the host it is a name like others. */
	fake.plan.host_at[FAM4] = (struct ip){0};
	fake.plan.is_router[FAM4] = true;
	ask(4001, "beef 0100 0001 0000 0000 0000" HOST_NAME "0001 0001");
	assert_int_equal(fake.n_sockets, 2);
}

static void test_bad_queries(void **state)
{
	uint8_t big[1300];
	size_t n;

	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	ask(4000, "");
	ask(4000, "beef 0100 0001 0000 0000 00");
	ask(4000, "beef" ANSWER); /* a response */
	ask(0, "beef" QUERY);     /* from port 0 */
	assert_int_equal(fake.stats.n[STAT_DROP_DNS], 4);
	assert_int_equal(fake.n_frames, 0);
	ask(4000, "beef 0100 0001 0000 0000 0000 c00c 0001 0001");
	check_answer(4000, "beef 8181 0000 0000 0000 0000");
	ask(4000, "beef 0100 0000 0000 0000 0000");
	check_answer(4000, "beef 8181 0000 0000 0000 0000");
	ask(4000, "beef 2800 0001 0000 0000 0000" QUESTION); /* update */
	check_answer(4000, "beef a884 0001 0000 0000 0000" QUESTION);
	n = hex_bytes("beef" QUERY, big, sizeof(big));
	memset(big + n, 0, sizeof(big) - n);
	fake_udp(GUEST, 4000, SERVER, 53, big, 1233);
	check_answer(4000, "beef 8181 0001 0000 0000 0000" QUESTION);
	assert_int_equal(fake.n_sockets, 0);
	fake_udp(GUEST, 4000, SERVER, 53, big, 1232);
	assert_int_equal(fake.n_sockets, 1);
	assert_int_equal(fake_socket_at(0)->n_sent, 1232);
}

static void test_repeats(void **state)
{
	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	ask(4000, "beef" QUERY);
	ask(4000, "beef" QUERY); /* the same again: one is under way */
	assert_int_equal(fake.n_sockets, 1);
	ask(4000, "beee" QUERY);
	ask(4001, "beef" QUERY);
	ask(4000, "beef 0100 0001 0000 0000 0001 07 6578616d706c65 03 636f6d 00 0001 0001" EDNS);
	assert_int_equal(fake.n_sockets, 4);
	reply(fake_socket_at(0), ANSWER);
	check_answer(4000, "beef" ANSWER);
	ask(4000, "beef" QUERY); /* answered, so it is new */
	assert_int_equal(fake.n_sockets, 5);
}

/* Two thousand queries and no answer: 512 are kept, the oldest go, sockets with them. */
static void test_flood(void **state)
{
	(void)state;
	resolvers(1, "198.51.100.53", NULL, NULL);
	for (unsigned i = 0; i < 2000; i++) {
		ask((uint16_t)(2000 + i), "beef" QUERY);
		fake_advance(1);
		assert_true(fake.n_open <= 512 * 3);
	}
	assert_int_equal(fake.stats.n[STAT_DROP_DNS], 2000 - 512);
	assert_int_equal(fake.n_frames, 0);
	reply(fake_socket_at(fake.n_sockets - 1), ANSWER);
	check_answer(3999, "beef" ANSWER);
	fake_advance(5000);
	assert_int_equal(fake.n_open, 0);
	assert_int_equal(fake.n_frames, 511); /* each was told */
}

static void test_pick(void **state)
{
	struct ip ip, first;
	uint32_t scope;
	uint16_t port;

	(void)state;
	assert_false(local_pick_resolver(fake.local, 0, 0, &ip, &scope, &port));
	resolvers(3, "198.51.100.1", "fe80::53", "198.51.100.3");
	assert_true(local_pick_resolver(fake.local, 0, 100, &first, &scope, &port));
	assert_ip(first, "198.51.100.1");
	assert_int_equal(port, 53);
	assert_int_equal(scope, 0);
	/* Its failure changes nothing for this query, and much for those that begin later. */
	local_resolver_failed(fake.local, &first, 150);
	assert_true(local_pick_resolver(fake.local, 1, 100, &ip, &scope, &port));
	assert_ip(ip, "fe80::53");
	assert_int_equal(scope, 7);
	assert_true(local_pick_resolver(fake.local, 2, 100, &ip, &scope, &port));
	assert_false(local_pick_resolver(fake.local, 3, 100, &ip, &scope, &port));
	assert_true(local_pick_resolver(fake.local, 0, 200, &ip, &scope, &port));
	assert_ip(ip, "fe80::53");
	assert_true(local_pick_resolver(fake.local, 2, 200, &ip, &scope, &port));
	assert_ip(ip, "198.51.100.1");
	assert_true(local_pick_resolver(fake.local, 0, 30150, &ip, &scope, &port));
	assert_ip(ip, "198.51.100.1");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_forward),        CASE(test_ipv6),      CASE(test_ids),
		CASE(test_not_an_answer),  CASE(test_silent),    CASE(test_nobody_answers),
		CASE(test_all_get_a_turn), CASE(test_errors),    CASE(test_no_way),
		CASE(test_new_resolvers),  CASE(test_host_name), CASE(test_bad_queries),
		CASE(test_repeats),        CASE(test_flood),     CASE(test_pick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
