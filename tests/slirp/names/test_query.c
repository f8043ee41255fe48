/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query: clients and resolvers over UDP, with sockets that are played (the linker puts the
 * functions below in the place of the system's): who is answered from the table, what is asked of
 * whom under which id, what counts as the answer, and what a client hears when nobody knows.
 */
#include "query_rig.h"

static void test_table(void **state)
{
	struct message m = query_of(0x1234, "web", "10.1.0.3", 40000);

	(void)state;
	/* "web" alone, with nothing below it */
	m.len = 12 + 4 + hex_bytes("00 0001 0001", m.bytes + 16, 16);
	send_message(&m);
	assert_int_equal(k.n_sent, 1);
	assert_int_equal(k.n_asked, 0);
	assert_int_equal(k.sent_by, LISTEN4);
	assert_memory_equal(&k.sent.peer, &m.peer, sizeof(struct sockaddr_in));
	check_done(0);
	assert_memory_equal(k.sent.bytes + k.sent.len - 4, "\x0a\1\0\2", 4);
}

static void test_forward(void **state)
{
	(void)state;
	send_query(0x1234, "Ex", "10.1.0.2");
	assert_int_equal(k.n_sent, 0);
	assert_int_equal(k.n_asked, 1);
	assert_int_equal(table_entry_at(&s->table, web)->n_waiting, 1);
	assert_int_equal(((struct sockaddr_in *)&k.asked.peer)->sin_port, htons(DNS_SERVER_PORT));
	assert_memory_equal(&((struct sockaddr_in *)&k.asked.peer)->sin_addr, "\xc0\0\2\x35", 4);
	/* The answer in another spelling: the client sees its own, and its own id. */
	struct message m = answer_of(0, 0);
	m.bytes[13] = 'e';
	reply(m);
	assert_int_equal(k.n_sent, 1);
	check_done(0);
	assert_memory_equal(k.sent.bytes + 13, "Ex", 2);
	assert_int_equal(query_expire(s), -1);
}

static void test_ipv6(void **state)
{
	struct message m = query_of(0x1234, "ex", "fd00::2", 40000);

	(void)state;
	set_resolvers("2001:db8::53", NULL);
	send_message(&m);
	assert_int_equal(((struct sockaddr_in6 *)&k.asked.peer)->sin6_port, htons(DNS_SERVER_PORT));
	reply(answer_of(0, 0));
	check_done(0);
	assert_int_equal(k.sent_by, LISTEN6);
	assert_memory_equal(&k.sent.peer, &m.peer, sizeof(struct sockaddr_in6));
}

/* What somebody guessed, or answered to something else, is passed over; the query goes on. */
static void test_not_the_answer(void **state)
{
	struct message m;

	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	for (int i = 0; i < 5; i++) {
		m = answer_of(0, 0);
		m.bytes[0] ^= i == 0;
		m.bytes[1] ^= i == 1;
		m.bytes[2] &= i == 2 ? 0x7f : 0xff; /* a query */
		m.bytes[13] ^= i == 3 ? 1 : 0;      /* of another name */
		m.len = i == 4 ? 11 : m.len;
		reply(m);
		assert_int_equal(k.n_sent, 0);
		assert_int_equal(s->queries.n_used, 1);
	}
	/* In one turn, an interruption and wrong ones before the right one. */
	k.reply[0] = (struct message){.sys = EINTR};
	k.reply[1] = m;
	k.reply[2] = answer_of(0, 0);
	k.n_reply = 3;
	k.reply_at = 0;
	event();
	check_done(0);
	assert_int_equal(k.n_asked, 1);
}

/* More than is heard in a turn: the rest is for the next one. */
static void test_flood(void **state)
{
	struct message m;

	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	m = answer_of(0, 0);
	m.bytes[1] ^= 1;
	for (size_t i = 0; i < 199; i++)
		k.reply[i] = m;
	k.reply[199] = answer_of(0, 0);
	k.n_reply = 200;
	k.reply_at = 0;
	event();
	assert_int_equal(k.n_sent, 0);
	assert_in_range(k.reply_at, 1, 199);
	for (int i = 0; i < 200 && k.n_sent == 0; i++)
		event();
	check_done(0);
}

static void test_repeated(void **state)
{
	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	send_query(0x1234, "ex", "10.1.0.2");
	assert_int_equal(k.n_asked, 1);
	/* Another name, id, client, or port of it. */
	send_query(0x1234, "xe", "10.1.0.2");
	send_query(0x1234, "exx", "10.1.0.2");
	send_query(0x1235, "ex", "10.1.0.2");
	send_query(0x1234, "ex", "10.1.0.3");
	struct message m = query_of(0x1234, "ex", "10.1.0.2", 40001);
	send_message(&m);
	assert_int_equal(k.n_asked, 6);
	assert_int_equal(s->queries.n_used, 6);
	assert_int_equal(table_entry_at(&s->table, db)->n_waiting, 1);
}

/* One that is not there, cannot be reached, or does not know: the next one is asked. */
static void test_next_resolver(void **state)
{
	static const uint8_t poor[] = {DNS_RCODE_FAILED, DNS_RCODE_UNKNOWN, DNS_RCODE_REFUSED};

	for (size_t i = 0; i < 5; i++) {
		tear_down(state);
		set_up(state);
		k.n_refusing = i == 0;
		send_query(0x1234, "ex", "10.1.0.2");
		if (i == 1)
			reply((struct message){.sys = ECONNREFUSED});
		else if (i > 1)
			reply(answer_of(poor[i - 2], 0));
		assert_int_equal(k.n_sent, 0);
		assert_int_equal(k.asked.peer.ss_family, AF_INET6);
		reply(answer_of(0, 0));
		check_done(0);
	}
	/* The last one's word stands. */
	send_query(0x1234, "ex", "10.1.0.2");
	reply(answer_of(DNS_RCODE_REFUSED, 0));
	assert_int_equal(s->queries.n_used, 1);
	reply(answer_of(DNS_RCODE_FAILED, 0));
	check_done(DNS_RCODE_FAILED);
}

static void test_nobody(void **state)
{
	for (int i = 0; i < 4; i++) {
		tear_down(state);
		set_up(state);
		k.socket_errno = i == 0 ? EMFILE : 0;
		k.n_refusing = i == 1 ? 100 : 0;
		k.send_errno = i == 2 ? EPERM : 0;
		const int kept = s->epoll_fd;
		if (i == 3) /* nothing can be watched */
			s->epoll_fd = -1;
		send_query(0x1234, "ex", "10.1.0.2");
		s->epoll_fd = kept;
		assert_int_equal(k.n_sent, 1);
		check_done(DNS_RCODE_FAILED);
	}
}

/* Silence: each in its time, and the client hears of it before it gives up. */
static void test_silence(void **state)
{
	uint64_t began = s->now_ms;

	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	assert_int_equal(query_expire(s), SERVER_TICK_MS);
	assert_int_equal(k.n_asked, 1);
	for (int i = 0; i < 1000 && s->queries.n_used; i++) {
		s->now_ms += SERVER_TICK_MS;
		(void)query_expire(s);
	}
	assert_int_equal(k.n_asked, 2);
	check_done(DNS_RCODE_FAILED);
	assert_in_range(s->now_ms - began, SERVER_PATIENCE_MS, 4999);
	/* An answer that comes now is nobody's. */
	k.n_reply = 1;
	k.reply[0] = answer_of(0, 0);
	k.reply_at = 0;
	query_event(s, 1, 0);
	assert_int_equal(k.n_sent, 1);
}

/* As many at once as a member may have, and as there is room for. */
static void test_full(void **state)
{
	char ip[IP_STRLEN], key[32];
	uint32_t e;

	(void)state;
	for (unsigned i = 0; i < SERVER_QUERIES_EACH; i++)
		send_query((uint16_t)(0x2000 + i), "ex", "10.1.0.2");
	assert_int_equal(k.n_sent, 0);
	send_query(0x1234, "ex", "10.1.0.2");
	assert_int_equal(k.n_sent, 1);
	assert_int_equal(k.sent.bytes[3] & 0xf, DNS_RCODE_FAILED);
	assert_int_equal(table_entry_at(&s->table, web)->n_waiting, SERVER_QUERIES_EACH);
	for (unsigned m = 1; m < SERVER_QUERIES_MAX / SERVER_QUERIES_EACH; m++) {
		struct ip a;

		snprintf(ip, sizeof(ip), "10.1.1.%u", m);
		snprintf(key, sizeof(key), "m%u@eth0", m);
		a = hex_ip(ip);
		assert_int_equal(table_put_entry(&s->table, net, key, 0, &a, 1, &e), 0);
		for (unsigned i = 0; i < SERVER_QUERIES_EACH; i++)
			send_query((uint16_t)i, "ex", ip);
	}
	assert_int_equal(k.n_sent, 1);
	assert_int_equal(s->queries.n_used, SERVER_QUERIES_MAX);
	send_query(0x1234, "ex", "10.1.0.3");
	assert_int_equal(k.n_sent, 2);
	assert_int_equal(sent_id(), 0x1234);
	assert_int_equal(k.sent.bytes[3] & 0xf, DNS_RCODE_FAILED);
}

/* Container n of a user asks as often as one may. How many of its questions are under way. */
static uint32_t asks_of(uint32_t uid, unsigned n)
{
	char ip[IP_STRLEN], key[32];
	uint32_t e;
	struct ip a;

	snprintf(ip, sizeof(ip), "10.1.%u.%u", uid % 100 + 1, n);
	snprintf(key, sizeof(key), "user-%u.m%u@eth0", uid, n);
	a = hex_ip(ip);
	assert_int_equal(table_put_entry(&s->table, net, key, uid, &a, 1, &e), 0);
	for (unsigned i = 0; i < SERVER_QUERIES_EACH; i++)
		send_query((uint16_t)i, "ex", ip);
	return table_entry_at(&s->table, e)->n_waiting;
}

/* However many containers a user has: the others' questions find a place. */
static void test_user_has_not_all(void **state)
{
	uint32_t n = 0;

	(void)state;
	for (unsigned m = 1; m <= 2 * SERVER_QUERIES_MAX / SERVER_QUERIES_EACH; m++)
		n += asks_of(1000, m);
	assert_int_equal(asks_of(1001, 1), SERVER_QUERIES_EACH);
	assert_int_equal(n, SERVER_QUERIES_MAX / 2);
	for (unsigned m = 2; m <= SERVER_QUERIES_MAX / SERVER_QUERIES_EACH; m++)
		asks_of(1001, m);
	assert_int_equal(s->queries.n_used, SERVER_QUERIES_MAX * 3 / 4);
	assert_int_equal(asks_of(1002, 1), SERVER_QUERIES_EACH);
	assert_int_equal(asks_of(0, 200), SERVER_QUERIES_EACH);
	/* He has given some back. */
	query_forget(s, net, SLOT_NONE);
	assert_int_equal(asks_of(1000, 1), SERVER_QUERIES_EACH);
}

/* Who is no member is refused, and not for ever; a member has its rate. */
static void test_rates(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		send_query(0x1234, "ex", "10.9.9.9");
	assert_int_equal(k.n_sent, 10);
	assert_int_equal(k.sent.bytes[3] & 0xf, DNS_RCODE_REFUSED);
	assert_int_equal(k.n_asked, 0);
	s->now_ms += 1;
	send_query(0x1234, "ex", "10.9.9.9");
	assert_int_equal(k.n_sent, 11);
	table_entry_at(&s->table, web)->rate.tokens = 1;
	table_entry_at(&s->table, web)->rate.at = s->now_ms;
	send_query(1, "ex", "10.1.0.2");
	send_query(2, "ex", "10.1.0.2");
	assert_int_equal(k.n_asked, 1);
	assert_int_equal(k.n_sent, 11);
}

/* No port, no query, no place, nothing there: no word. */
static void test_nothing(void **state)
{
	struct message m = query_of(0x1234, "ex", "10.1.0.2", 0);

	(void)state;
	send_message(&m);
	m = query_of(0x1234, "ex", "10.1.0.2", 40000);
	m.bytes[2] |= 0x80; /* an answer */
	send_message(&m);
	m.len = 3;
	send_message(&m);
	m.len = 0;
	send_message(&m);
	query_udp_event(s, (net + 1) * N_FAM);
	query_udp_event(s, TABLE_NETS_MAX * N_FAM);
	query_udp_event(s, UINT32_MAX);
	assert_int_equal(k.n_sent + k.n_asked, 0);
	/* An interruption is none of these; and so many are read in a turn. */
	k.in[0] = (struct message){.sys = EINTR};
	for (size_t i = 1; i < 200; i++)
		k.in[i] = query_of((uint16_t)i, "ex", "10.9.9.9", 40000);
	k.n_in = 200;
	k.in_at = 0;
	query_udp_event(s, net * N_FAM);
	assert_in_range(k.in_at, 2, 199);
	assert_int_equal(k.n_sent, 10);
}

/* Too long for a datagram of 512 bytes: the beginning, and word that there is more. */
static void test_long(void **state)
{
	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	size_t len = k.asked.len;
	reply(answer_of(0, 600));
	check_done(0);
	assert_true(k.sent.bytes[2] & 2);
	assert_int_equal(k.sent.len, len);
}

/* A member that goes takes its questions along, and nobody else's. */
static void test_forget(void **state)
{
	uint32_t i, gen;

	(void)state;
	send_query(0x1234, "ex", "10.1.0.2");
	i = the_query();
	gen = ((struct query *)slots_at(&s->queries, i))->slot.gen;
	send_query(0x1234, "ex", "10.1.0.3");
	query_forget(s, net + 1, SLOT_NONE);
	assert_int_equal(s->queries.n_used, 2);
	query_forget(s, net, web);
	assert_int_equal(s->queries.n_used, 1);
	assert_int_equal(table_entry_at(&s->table, web)->n_waiting, 0);
	assert_int_equal(table_entry_at(&s->table, db)->n_waiting, 1);
	/* A late event of what was there. */
	k.n_reply = 1;
	k.reply[0] = answer_of(0, 0);
	k.reply_at = 0;
	query_event(s, i, gen);
	assert_int_equal(k.n_sent, 0);
	/* The entry goes first: nothing is counted down in another one's place. */
	table_del_entry(&s->table, db);
	query_forget(s, net, SLOT_NONE);
	assert_int_equal(s->queries.n_used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table),  TEST(test_forward),        TEST(test_ipv6),
		TEST(test_flood),  TEST(test_not_the_answer), TEST(test_repeated),
		TEST(test_nobody), TEST(test_next_resolver),  TEST(test_silence),
		TEST(test_full),   TEST(test_rates),          TEST(test_nothing),
		TEST(test_long),   TEST(test_forget),         TEST(test_user_has_not_all),
	};

	/* A socket for each query that there can be. */
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
