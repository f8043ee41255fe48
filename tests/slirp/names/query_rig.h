/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query_rig: a responder whose clients, resolvers and keeper are played: the linker puts the
 * functions below in the place of the system's. One for each test program.
 */
#ifndef TESTS_SLIRP_NAMES_QUERY_RIG_H
#define TESTS_SLIRP_NAMES_QUERY_RIG_H

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
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "names/server.h"

#include "hex.h"
#include "wrap.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* not each program needs all */

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len);
ssize_t __wrap_recv(int fd, void *room, size_t size, int flags);
ssize_t __wrap_recvfrom(int fd, void *room, size_t size, int flags, struct sockaddr *from,
			socklen_t *from_len);

#define LISTEN4 1000 /* numbers of sockets that nothing but the functions below sees */
#define LISTEN6 1002

struct message {
	int sys; /* instead of it */
	size_t len;
	uint8_t bytes[2100];
	struct sockaddr_storage peer;
};

static struct {
	int socket_errno, send_errno;
	int n_refusing; /* so many resolvers cannot be connected to */
	struct message in[200], reply[200];
	size_t n_in, in_at, n_reply, reply_at;
	/* What came. */
	size_t n_asked, n_sent;
	struct message asked, sent;
	int sent_by;
} k;

static struct server *s;
static uint32_t net, web, db;
static int lowest;

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	assert_int_equal(type, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(protocol, IPPROTO_UDP);
	return k.socket_errno ? refuse(k.socket_errno) : eventfd(0, EFD_CLOEXEC);
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)fd;
	memset(&k.asked.peer, 0, sizeof(k.asked.peer));
	memcpy(&k.asked.peer, sa, len);
	return k.n_refusing > 0 && k.n_refusing-- ? refuse(ENETUNREACH) : 0;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	(void)fd;
	assert_int_equal(flags, MSG_DONTWAIT | MSG_NOSIGNAL);
	assert_true(len <= sizeof(k.asked.bytes));
	if (k.send_errno)
		return refuse(k.send_errno);
	memcpy(k.asked.bytes, data, len);
	k.asked.len = len;
	k.n_asked++;
	return (ssize_t)len;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len)
{
	assert_int_equal(flags, MSG_DONTWAIT | MSG_NOSIGNAL);
	assert_true(len <= sizeof(k.sent.bytes));
	memcpy(k.sent.bytes, data, len);
	k.sent.len = len;
	memset(&k.sent.peer, 0, sizeof(k.sent.peer));
	memcpy(&k.sent.peer, to, to_len);
	k.sent_by = fd;
	k.n_sent++;
	return (ssize_t)len;
}

static ssize_t next(const struct message *list, size_t n, size_t *at, void *room, size_t size,
		    const struct message **ret)
{
	const struct message *m = &list[*at];

	if (*at == n)
		return refuse(EAGAIN);
	++*at;
	if (m->sys)
		return refuse(m->sys);
	assert_true(m->len <= size);
	memcpy(room, m->bytes, m->len);
	*ret = m;
	return (ssize_t)m->len;
}

ssize_t __wrap_recv(int fd, void *room, size_t size, int flags)
{
	const struct message *m;

	(void)fd;
	(void)flags;
	return next(k.reply, k.n_reply, &k.reply_at, room, size, &m);
}

ssize_t __wrap_recvfrom(int fd, void *room, size_t size, int flags, struct sockaddr *from,
			socklen_t *from_len)
{
	const struct message *m = NULL;
	ssize_t n = next(k.in, k.n_in, &k.in_at, room, size, &m);

	(void)flags;
	assert_true(fd == LISTEN4 || fd == LISTEN6);
	if (n >= 0) {
		memcpy(from, &m->peer, sizeof(m->peer));
		*from_len = sizeof(m->peer);
	}
	return n;
}

/* ---- the responder ---- */

static void set_resolvers(const char *one, const char *two)
{
	struct resolvers list = {0};

	list.ip[list.n++] = hex_ip(one);
	if (two)
		list.ip[list.n++] = hex_ip(two);
	resolvers_set(s, &list);
}

/* That the next descriptor would have: with all sockets closed, the one of before. */
static int set_up(void **state)
{
	struct ip ip[2] = {hex_ip("10.1.0.2"), hex_ip("fd00::2")}, other = hex_ip("10.1.0.3");
	struct table_net *n;

	(void)state;
	memset(&k, 0, sizeof(k));
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	lowest = lowest_fd();
	s->now_ms = 100000;
	s->strangers = (struct bucket)BUCKET_FULL(1, 10);
	assert_int_equal(table_init(&s->table), 0);
	assert_int_equal(slots_init(&s->queries, SERVER_QUERIES_MAX, sizeof(struct query)), 0);
	assert_int_equal(slots_init(&s->held, SERVER_HELD_MAX, sizeof(struct held)), 0);
	s->keeper_fd = -1;
	for (size_t i = 0; i < TABLE_NETS_MAX; i++)
		memset(s->place[i].fd, 0xff, sizeof(s->place[i].fd));
	net = table_add_net(&s->table, "n");
	n = table_net_at(&s->table, net);
	n->n_subnet = 1;
	n->subnet[0] = (struct prefix){hex_ip("10.1.0.0"), 16};
	s->place[net].fd[0] = LISTEN4;
	s->place[net].fd[2] = LISTEN6;
	assert_int_equal(table_put_entry(&s->table, net, "web@eth0", 0, ip, 2, &web), 0);
	assert_int_equal(table_put_entry(&s->table, net, "db@eth0", 0, &other, 1, &db), 0);
	table_add_name(&s->table, web, "web");
	set_resolvers("192.0.2.53", "2001:db8::53");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	query_forget(s, net, SLOT_NONE);
	assert_int_equal(s->queries.n_used, 0);
	assert_int_equal(table_entry_at(&s->table, web)->n_waiting, 0);
	assert_int_equal(lowest_fd(), lowest);
	table_free(&s->table);
	slots_free(&s->queries);
	assert_int_equal(s->held.n_used, 0);
	slots_free(&s->held);
	close(s->epoll_fd);
	free(s);
	return 0;
}

static struct message query_of(uint16_t id, const char *label, const char *from, uint16_t port)
{
	struct message m = {.len = 12};
	struct ip ip = hex_ip(from);
	size_t n = strlen(label);

	hex_bytes("0000 0100 0001 0000 0000 0000", m.bytes, 12);
	m.bytes[0] = (uint8_t)(id >> 8);
	m.bytes[1] = (uint8_t)id;
	m.bytes[m.len++] = (uint8_t)n;
	memcpy(m.bytes + m.len, label, n);
	m.len += n;
	m.len += hex_bytes("03 636f6d 00 0001 0001", m.bytes + m.len, 32); /* .com, A */
	if (ip.family == AF_INET) {
		struct sockaddr_in *a = (struct sockaddr_in *)&m.peer;

		a->sin_family = AF_INET;
		a->sin_port = htons(port);
		memcpy(&a->sin_addr, ip.b, 4);
	} else {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&m.peer;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(port);
		memcpy(&a->sin6_addr, ip.b, 16);
	}
	return m;
}

static void send_message(const struct message *m)
{
	k.in[0] = *m;
	k.n_in = 1;
	k.in_at = 0;
	query_udp_event(s, net * N_FAM + (m->peer.ss_family == AF_INET6));
}

static void send_query(uint16_t id, const char *label, const char *from)
{
	struct message m = query_of(id, label, from, 40000);

	send_message(&m);
}

/* The resolver's answer to what it was asked last, with an rcode and so many bytes more. */
static struct message answer_of(unsigned rcode, size_t more)
{
	struct message m = k.asked;

	m.sys = 0;
	m.bytes[2] |= 0x80;
	m.bytes[3] = (uint8_t)rcode;
	memset(m.bytes + m.len, 0, more);
	m.len += more;
	return m;
}

static uint32_t the_query(void)
{
	uint32_t i = slots_next(&s->queries, 0);

	assert_int_not_equal(i, SLOT_NONE);
	return i;
}

static void event(void)
{
	uint32_t i = the_query();

	query_event(s, i, ((struct query *)slots_at(&s->queries, i))->slot.gen);
}

static void reply(struct message m)
{
	k.reply[0] = m;
	k.n_reply = 1;
	k.reply_at = 0;
	event();
}

static unsigned sent_id(void)
{
	return (unsigned)(k.sent.bytes[0] << 8 | k.sent.bytes[1]);
}

/* The one query has ended with this rcode. */
static void check_done(unsigned rcode)
{
	assert_int_equal(s->queries.n_used, 0);
	assert_int_equal(table_entry_at(&s->table, web)->n_waiting, 0);
	assert_int_equal(sent_id(), 0x1234);
	assert_int_equal(k.sent.bytes[3] & 0xf, rcode);
	assert_true(k.sent.bytes[2] & 0x80);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
