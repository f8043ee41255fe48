/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: clients and resolvers over TCP, each played by the other end of a socket pair, which the
 * functions below hand to the responder in the place of the system's. The watches are real: what is
 * done is what epoll has said. Who is let in, how a message is cut in pieces, what is asked of
 * whom, what a client hears when nobody knows, and what ends a connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "names/server.h"

#include "hex.h"
#include "wrap.h"

#define LISTENS 1001 /* the number of a socket that nothing but accept4 below sees */
#define UPS_MAX 8

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);

static struct {
	int accept_errno[3]; /* before each client */
	size_t n_accept_errno;
	int waiting; /* the client that is accepted next; -1 */
	struct ip waiting_ip;
	int socket_errno, n_refusing;
	/* The resolvers' ends, and where they were asked. */
	size_t n_up;
	int up[UPS_MAX];
	struct sockaddr_storage asked[UPS_MAX];
} k;

static struct server *s;
static uint32_t net, web, db;
static int lowest;

static void make_pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(40000)};
	int client = k.waiting;

	assert_int_equal(fd, LISTENS);
	assert_int_equal(flags, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (k.n_accept_errno)
		return refuse(k.accept_errno[--k.n_accept_errno]);
	if (client < 0)
		return refuse(EAGAIN);
	memcpy(&a.sin_addr, k.waiting_ip.b, 4);
	memcpy(sa, &a, sizeof(a));
	*len = sizeof(a);
	k.waiting = -1;
	return client;
}

int __wrap_socket(int domain, int type, int protocol)
{
	int fd[2];

	assert_true(domain == AF_INET || domain == AF_INET6);
	assert_int_equal(type, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(protocol, IPPROTO_TCP);
	if (k.socket_errno)
		return refuse(k.socket_errno);
	make_pair(fd);
	assert_true(k.n_up < UPS_MAX);
	k.up[k.n_up] = fd[1];
	return fd[0];
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)fd;
	memcpy(&k.asked[k.n_up], sa, len);
	if (k.n_refusing > 0) {
		k.n_refusing--;
		close(k.up[k.n_up]);
		return refuse(ENETUNREACH);
	}
	k.n_up++;
	return refuse(EINPROGRESS);
}

static int set_up(void **state)
{
	struct resolvers list = {.n = 2, .ip = {hex_ip("192.0.2.53"), hex_ip("2001:db8::53")}};
	struct ip ip = hex_ip("10.1.0.2"), other = hex_ip("10.1.0.3");

	(void)state;
	memset(&k, 0, sizeof(k));
	k.waiting = -1;
	lowest = lowest_fd();
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->now_ms = 100000;
	s->keeper_fd = -1;
	assert_int_equal(table_init(&s->table), 0);
	assert_int_equal(slots_init(&s->streams, SERVER_STREAMS_MAX, sizeof(struct stream)), 0);
	for (size_t i = 0; i < TABLE_NETS_MAX; i++)
		memset(s->place[i].fd, 0xff, sizeof(s->place[i].fd));
	net = table_add_net(&s->table, "n");
	s->place[net].fd[1] = LISTENS;
	assert_int_equal(table_put_entry(&s->table, net, "web@eth0", 0, &ip, 1, &web), 0);
	assert_int_equal(table_put_entry(&s->table, net, "db@eth0", 0, &other, 1, &db), 0);
	table_add_name(&s->table, web, "web");
	resolvers_set(s, &list);
	return 0;
}

/* Whatever a test has done: no stream is left, and no descriptor. */
static int tear_down(void **state)
{
	(void)state;
	stream_forget(s, net, SLOT_NONE);
	for (size_t i = 0; i < k.n_up; i++)
		close(k.up[i]);
	assert_int_equal(s->streams.n_used, 0);
	assert_int_equal(table_entry_at(&s->table, web)->n_streams, 0);
	assert_int_equal(table_entry_at(&s->table, db)->n_streams, 0);
	table_free(&s->table);
	slots_free(&s->streams);
	close(s->epoll_fd);
	free(s);
	assert_int_equal(lowest_fd(), lowest);
	return 0;
}

/* All that is ready, until nothing is. */
static void turn(void)
{
	struct epoll_event ev[8];
	int n, left = 10000;

	while ((n = epoll_wait(s->epoll_fd, ev, 8, 0)) > 0) {
		assert_true(left-- > 0); /* else it turns for ever */
		for (int i = 0; i < n; i++) {
			struct watch_id id = watch_decode(ev[i].data.u64);

			assert_true(id.kind == SERVER_STREAM || id.kind == SERVER_STREAM_UP);
			stream_event(s, id.index, id.gen, id.kind == SERVER_STREAM_UP);
		}
	}
}

static void later(uint64_t ms)
{
	s->now_ms += ms;
	stream_expire(s);
	turn();
}

/* A client connects; its end. */
static int client_from(const char *ip)
{
	int fd[2];

	make_pair(fd);
	k.waiting = fd[0];
	k.waiting_ip = hex_ip(ip);
	stream_accept(s, net * N_FAM);
	assert_int_equal(k.waiting, -1);
	return fd[1];
}

struct message {
	size_t len; /* with its length in front */
	uint8_t b[2 + ANSWER_MAX];
};

static void put_len(struct message *m)
{
	m->b[0] = (uint8_t)((m->len - 2) >> 8);
	m->b[1] = (uint8_t)(m->len - 2);
}

/* Label, and .com unless it is "web": A. */
static void query(struct message *m, unsigned id, const char *label)
{
	size_t n = strlen(label);

	m->len = 2 + hex_bytes("0000 0100 0001 0000 0000 0000", m->b + 2, 12);
	m->b[2] = (uint8_t)(id >> 8);
	m->b[3] = (uint8_t)id;
	m->b[m->len++] = (uint8_t)n;
	memcpy(m->b + m->len, label, n);
	m->len += n;
	m->len += hex_bytes(strcmp(label, "web") == 0 ? "00 0001 0001" : "03 636f6d 00 0001 0001",
			    m->b + m->len, 16);
	put_len(m);
}

static void say(int fd, const void *p, size_t len)
{
	assert_int_equal(send(fd, p, len, MSG_NOSIGNAL), len);
	turn();
}

static int asks(const char *ip, unsigned id, const char *label)
{
	static struct message m;
	int fd = client_from(ip);

	query(&m, id, label);
	say(fd, m.b, m.len);
	return fd;
}

/* One whole message, while the responder goes on. */
static void hear(int fd, struct message *m)
{
	size_t want = 2;

	for (m->len = 0; m->len < want;) {
		ssize_t n = recv(fd, m->b + m->len, want - m->len, 0);

		if (n < 0)
			turn();
		assert_true(n > 0 || (n < 0 && errno == EAGAIN && s->streams.n_used));
		m->len += n > 0 ? (size_t)n : 0;
		if (m->len == 2)
			want = 2 + (size_t)(m->b[0] << 8 | m->b[1]);
	}
}

static bool is_silent(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The responder has closed the connection, without a word more. */
static void check_closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
	assert_int_equal(s->streams.n_used, 0);
	assert_int_equal(table_entry_at(&s->table, web)->n_streams, 0);
}

static void check_rcode(int fd, unsigned id, unsigned rcode)
{
	static struct message m;

	hear(fd, &m);
	assert_true(m.len >= 14);
	assert_int_equal(m.b[2] << 8 | m.b[3], id);
	assert_true(m.b[4] & 0x80);
	assert_int_equal(m.b[5] & 0xf, rcode);
}

/* What the resolver that was asked last has heard. */
static void asked(struct message *m)
{
	assert_true(k.n_up > 0);
	hear(k.up[k.n_up - 1], m);
}

static void answers(const struct message *asked, unsigned rcode)
{
	static struct message m;

	m = *asked;
	m.b[4] |= 0x80;
	m.b[5] = (uint8_t)rcode;
	say(k.up[k.n_up - 1], m.b, m.len);
}

static void test_table(void **state)
{
	static struct message m, two;
	int fd = client_from("10.1.0.3");

	(void)state;
	/* Byte by byte, then two at once: each is answered, in order. */
	query(&m, 0x1234, "web");
	for (size_t i = 0; i < m.len; i++) {
		assert_true(is_silent(fd));
		say(fd, m.b + i, 1);
	}
	hear(fd, &two);
	assert_int_equal(two.b[2] << 8 | two.b[3], 0x1234);
	assert_memory_equal(two.b + two.len - 4, "\x0a\1\0\2", 4);
	two = m;
	m.b[3] = 0x35;
	memcpy(two.b + two.len, m.b, m.len);
	say(fd, two.b, 2 * m.len);
	check_rcode(fd, 0x1234, 0);
	check_rcode(fd, 0x1235, 0);
	assert_int_equal(k.n_up, 0);
	/* It has its time again for each one, and no more. */
	later(SERVER_STREAM_MS - 1);
	assert_true(is_silent(fd));
	assert_int_equal(stream_expire(s), SERVER_TICK_MS);
	later(1);
	check_closed(fd);
	assert_int_equal(stream_expire(s), -1);
}

static void test_wrong_lengths(void **state)
{
	static const struct {
		const char *text;
		bool ends; /* the client has no more to say */
	} table[] = {
		{"0000", false},    /* nothing */
		{"0001 00", false}, /* no room for an id */
		{"0801", false},    /* longer than any query: not waited for */
		{"ffff", false},     {"0004 1234 8000", false}, /* no query */
		{"00", true},                                   /* ends in the midst of a length */
		{"000c 1234", true},                            /* or of a message */
		{"", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t b[16];
		int fd = client_from("10.1.0.2");
		size_t n = hex_bytes(table[i].text, b, sizeof(b));

		assert_int_equal(table_entry_at(&s->table, web)->n_streams, 1);
		if (n)
			say(fd, b, n);
		if (table[i].ends) {
			assert_true(is_silent(fd));
			shutdown(fd, SHUT_WR);
			turn();
		}
		check_closed(fd);
	}
	assert_int_equal(k.n_up, 0);
}

static void test_who_is_let_in(void **state)
{
	int fd[SERVER_STREAMS_EACH], one;

	(void)state;
	check_closed(client_from("10.1.0.9")); /* a stranger */
	/* One that gave up, and a signal, are passed over. */
	k.accept_errno[0] = ECONNABORTED;
	k.accept_errno[1] = EINTR;
	k.n_accept_errno = 2;
	for (int i = 0; i < SERVER_STREAMS_EACH; i++)
		fd[i] = client_from("10.1.0.2");
	assert_int_equal(s->streams.n_used, SERVER_STREAMS_EACH);
	/* Too many of one member; the others have their places. */
	one = client_from("10.1.0.2");
	assert_int_equal(recv(one, &(char){0}, 1, 0), 0);
	close(one);
	one = asks("10.1.0.3", 7, "web");
	check_rcode(one, 7, 0);
	close(one);
	for (int i = 0; i < SERVER_STREAMS_EACH; i++)
		close(fd[i]);
	turn();
	assert_int_equal(s->streams.n_used, 0);
	/* Nothing is taken from a network that is gone, or a place that never was. */
	k.accept_errno[0] = EMFILE;
	k.n_accept_errno = 1;
	stream_accept(s, net * N_FAM);
	assert_int_equal(k.n_accept_errno, 0);
	stream_accept(s, net * N_FAM + 1);
	stream_accept(s, TABLE_NETS_MAX * N_FAM);
	stream_accept(s, UINT32_MAX);
	assert_int_equal(s->streams.n_used, 0);
}

/* However many containers a user has: the others' clients find a place. */
static void test_user_has_not_all(void **state)
{
	int fd[SERVER_STREAMS_MAX + 1];
	uint32_t e;

	(void)state;
	table_entry_at(&s->table, db)->uid = 1001;
	for (int i = 0; i < SERVER_STREAMS_MAX; i++) {
		char ip[IP_STRLEN], key[32];

		snprintf(ip, sizeof(ip), "10.1.2.%d", i / SERVER_STREAMS_EACH);
		snprintf(key, sizeof(key), "user-1000.m%d@eth0", i / SERVER_STREAMS_EACH);
		if (i % SERVER_STREAMS_EACH == 0)
			assert_int_equal(table_put_entry(&s->table, net, key, 1000,
							 (struct ip[]){hex_ip(ip)}, 1, &e),
					 0);
		fd[i] = client_from(ip);
	}
	assert_int_equal(s->streams.n_used, SERVER_STREAMS_MAX / 2);
	fd[SERVER_STREAMS_MAX] = asks("10.1.0.3", 7, "web");
	assert_int_equal(s->streams.n_used, SERVER_STREAMS_MAX / 2 + 1);
	for (int i = 0; i <= SERVER_STREAMS_MAX; i++)
		close(fd[i]);
	turn();
}

static void test_rate(void **state)
{
	int fd = client_from("10.1.0.2");
	static struct message m;

	(void)state;
	query(&m, 1, "web");
	while (bucket_take(&table_entry_at(&s->table, web)->rate, s->now_ms))
		;
	say(fd, m.b, m.len);
	check_closed(fd);
}

static void test_forward(void **state)
{
	static struct message q, m;
	const struct sockaddr_in *a = (const void *)&k.asked[0];
	int fd = asks("10.1.0.2", 0x1234, "Ex");

	(void)state;
	assert_int_equal(k.n_up, 1);
	assert_int_equal(a->sin_port, htons(DNS_SERVER_PORT));
	assert_memory_equal(&a->sin_addr, "\xc0\0\2\x35", 4);
	asked(&q);
	query(&m, 0x1234, "Ex");
	assert_int_equal(q.len, m.len);
	assert_memory_equal(q.b + 4, m.b + 4, m.len - 4);
	/* The answer in pieces, in another spelling: the client has its own, and its own id. What
	 * it sends ahead waits. */
	say(fd, m.b, m.len);
	q.b[4] |= 0x80;
	q.b[15] = 'e';
	for (size_t i = 0; i < q.len; i++) {
		assert_true(is_silent(fd));
		say(k.up[0], q.b + i, 1);
	}
	hear(fd, &m);
	assert_int_equal(m.b[2] << 8 | m.b[3], 0x1234);
	assert_memory_equal(m.b + 15, "Ex", 2);
	assert_int_equal(recv(k.up[0], &(char){0}, 1, 0), 0); /* asked once for each query */
	assert_int_equal(k.n_up, 2);
	asked(&q);
	answers(&q, 0);
	check_rcode(fd, 0x1234, 0);
	close(fd);
	turn();
	assert_int_equal(s->streams.n_used, 0);
}

/* The next one is asked where one cannot be reached, hangs up, says nothing in time, or something
 * that is not the answer, or that it does not know. */
static void test_next_resolver(void **state)
{
	static struct message q;

	(void)state;
	for (int how = 0; how < 7; how++) {
		k.n_refusing = how == 0;
		int fd = asks("10.1.0.2", 0x1234, "ex");

		if (how > 0)
			asked(&q);
		if (how == 1)
			shutdown(k.up[k.n_up - 1], SHUT_RDWR);
		if (how == 2)
			later(SERVER_PATIENCE_MS / 2);
		if (how == 3) {
			q.b[3] ^= 1; /* another id */
			answers(&q, 0);
			q.b[3] ^= 1;
		}
		if (how == 4)
			say(k.up[k.n_up - 1], "\0\1x", 3);
		if (how == 5)
			say(k.up[k.n_up - 1], "\0\0", 2);
		if (how == 6)
			answers(&q, DNS_RCODE_REFUSED);
		turn();
		assert_int_equal(k.n_up, how ? 2 : 1);
		assert_int_equal(k.asked[k.n_up - 1].ss_family, AF_INET6);
		assert_true(is_silent(fd));
		asked(&q);
		answers(&q, 0);
		check_rcode(fd, 0x1234, 0);
		close(fd);
		turn();
		tear_down(state);
		set_up(state);
	}
}

static void test_nobody_knows(void **state)
{
	static struct message q;
	int fd;

	(void)state;
	/* No way to any of them; no socket for one. */
	k.n_refusing = 2;
	fd = asks("10.1.0.2", 0x1234, "ex");
	check_rcode(fd, 0x1234, DNS_RCODE_FAILED);
	close(fd);
	k.socket_errno = EMFILE;
	fd = asks("10.1.0.2", 0x1234, "ex");
	check_rcode(fd, 0x1234, DNS_RCODE_FAILED);
	k.socket_errno = 0;
	assert_int_equal(k.n_up, 0);
	/* The connection is there, and goes on: both are silent. */
	query(&q, 0x1236, "ex");
	say(fd, q.b, q.len);
	later(SERVER_PATIENCE_MS / 2);
	assert_true(is_silent(fd));
	assert_int_equal(k.n_up, 2);
	later(SERVER_PATIENCE_MS / 2);
	check_rcode(fd, 0x1236, DNS_RCODE_FAILED);
	/* The last one's word stands. */
	q.b[3] = 0x37;
	say(fd, q.b, q.len);
	asked(&q);
	answers(&q, DNS_RCODE_REFUSED);
	asked(&q);
	answers(&q, DNS_RCODE_UNKNOWN);
	check_rcode(fd, 0x1237, DNS_RCODE_UNKNOWN);
	close(fd);
	turn();
	assert_int_equal(s->streams.n_used, 0);
}

/* A client that goes while others are asked takes that connection with it. One that has only said
 * all it has to say is answered. */
static void test_client_goes(void **state)
{
	static struct message q;
	int fd = asks("10.1.0.2", 0x1234, "ex");

	(void)state;
	asked(&q);
	close(fd);
	turn();
	assert_int_equal(s->streams.n_used, 0);
	assert_int_equal(recv(k.up[0], &(char){0}, 1, 0), 0);
	fd = asks("10.1.0.2", 0x1234, "ex");
	asked(&q);
	shutdown(fd, SHUT_WR);
	turn();
	assert_true(is_silent(fd));
	answers(&q, 0);
	check_rcode(fd, 0x1234, 0);
	check_closed(fd);
}

/* The longest answer there is, through a socket that holds a part of it. */
static void test_long_answer(void **state)
{
	static struct message q, m;

	(void)state;
	for (int takes = 1; takes >= 0; takes--) {
		int fd[2], small = 1;

		make_pair(fd);
		setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		k.waiting = fd[0];
		k.waiting_ip = hex_ip("10.1.0.2");
		stream_accept(s, net * N_FAM);
		query(&q, 0x1234, "ex");
		say(fd[1], q.b, q.len);
		asked(&q);
		memset(q.b + q.len, 'x', sizeof(q.b) - q.len);
		q.len = sizeof(q.b);
		put_len(&q);
		answers(&q, 0);
		if (takes) {
			hear(fd[1], &m);
			assert_int_equal(m.len, q.len);
			assert_memory_equal(m.b + 6, q.b + 6, q.len - 6);
			close(fd[1]);
			turn();
		} else {
			later(SERVER_STREAM_MS - 1);
			assert_int_equal(s->streams.n_used, 1);
			later(1);
		}
		assert_int_equal(s->streams.n_used, 0);
		assert_int_equal(table_entry_at(&s->table, web)->n_streams, 0);
		if (!takes)
			close(fd[1]);
	}
}

static void asks_and_learns(int *ret_fd)
{
	static struct message q;

	*ret_fd = asks("10.1.0.2", 0x1234, "ex");
	asked(&q);
	q.b[4] |= 0x80;
	q.b[9] = 1; /* one address */
	q.len += hex_bytes("c00c 0001 0001 0000012c 0004 c0000209", q.b + q.len, 16);
	put_len(&q);
	say(k.up[k.n_up - 1], q.b, q.len);
}

/* A member that may go where names lead hears the answer when the keeper has said so. */
static void test_keeper(void **state)
{
	static const struct {
		int sys;
		unsigned rcode;
	} table[] = {{0, 0}, {EACCES, DNS_RCODE_REFUSED}, {EIO, DNS_RCODE_FAILED}};
	struct namesmsg_learn m;
	int fd, keeper[2];

	(void)state;
	table_entry_at(&s->table, web)->is_kept = true;
	asks_and_learns(&fd); /* there is no keeper */
	check_rcode(fd, 0x1234, DNS_RCODE_FAILED);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper), 0);
	s->keeper_fd = keeper[0];
	for (size_t i = 0; i < 4; i++) {
		asks_and_learns(&fd);
		assert_true(is_silent(fd));
		assert_int_equal(recv(keeper[1], &m, sizeof(m), 0), sizeof(m));
		assert_int_equal(m.kind, SERVER_STREAM);
		assert_string_equal(m.name, "ex.com");
		stream_learned(s, m.index, m.gen + 1, 0); /* for another one */
		assert_true(is_silent(fd));
		if (i < 3)
			stream_learned(s, m.index, m.gen, table[i].sys);
		else
			later(SERVER_LEARN_MS); /* it is too slow */
		check_rcode(fd, 0x1234, i < 3 ? table[i].rcode : DNS_RCODE_FAILED);
		stream_learned(s, m.index, m.gen, 0); /* said once more */
		turn();
		assert_true(is_silent(fd));
		close(fd);
		turn();
		assert_int_equal(s->streams.n_used, 0);
	}
	/* The client goes while the keeper thinks. */
	asks_and_learns(&fd);
	close(fd);
	turn();
	assert_int_equal(s->streams.n_used, 0);
	close(keeper[0]);
	close(keeper[1]);
}

static void test_forget(void **state)
{
	static struct message q;
	int one = asks("10.1.0.2", 1, "ex"), two = client_from("10.1.0.3");

	(void)state;
	asked(&q);
	stream_forget(s, net + 1, SLOT_NONE);
	assert_int_equal(s->streams.n_used, 2);
	stream_forget(s, net, web);
	assert_int_equal(s->streams.n_used, 1);
	assert_int_equal(recv(k.up[0], &(char){0}, 1, 0), 0);
	assert_int_equal(recv(one, &(char){0}, 1, 0), 0);
	assert_true(is_silent(two));
	stream_forget(s, net, SLOT_NONE);
	close(one);
	check_closed(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table),        TEST(test_wrong_lengths), TEST(test_who_is_let_in),
		TEST(test_rate),         TEST(test_forward),       TEST(test_next_resolver),
		TEST(test_nobody_knows), TEST(test_client_goes),   TEST(test_long_answer),
		TEST(test_keeper),       TEST(test_forget),        TEST(test_user_has_not_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
