/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: what the engine tells the responder, over its own sockets: which messages and which
 * sockets are taken, what is told back, what becomes of a network, an entry and a requester, and
 * that no descriptor of a message that is refused stays.
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
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "names/server.h"
#include "sys/fdpass.h"

#include "hex.h"

static struct server *s;
static struct sockaddr_un control;
static socklen_t control_len;
static int engine; /* its connection */
static int lowest;

static int lowest_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* All that is ready. Nothing comes but from this process, so it is there when it was sent. */
static void turn(void)
{
	struct epoll_event ev[8];
	int n, left = 10000;

	while ((n = epoll_wait(s->epoll_fd, ev, 8, 0)) > 0) {
		assert_true(left-- > 0);
		for (int i = 0; i < n; i++) {
			struct watch_id id = watch_decode(ev[i].data.u64);

			if (id.kind == SERVER_CONTROL)
				control_take(s);
			else if (id.kind == SERVER_REQUESTER)
				control_serve(s, id.index, id.gen);
			else
				fail_msg("an event of kind %d", id.kind);
		}
	}
}

static int connects(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&control, control_len), 0);
	turn();
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	lowest = lowest_fd();
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->now_ms = 100000;
	s->keeper_fd = -1;
	s->starter = geteuid();
	assert_int_equal(table_init(&s->table), 0);
	assert_int_equal(slots_init(&s->streams, SERVER_STREAMS_MAX, sizeof(struct stream)), 0);
	assert_int_equal(slots_init(&s->queries, SERVER_QUERIES_MAX, sizeof(struct query)), 0);
	for (size_t i = 0; i < TABLE_NETS_MAX; i++)
		memset(s->place[i].fd, 0xff, sizeof(s->place[i].fd));
	/* At an address that the kernel picks. */
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listen_fd, &(struct sockaddr){AF_UNIX}, sizeof(sa_family_t)), 0);
	control_len = sizeof(control);
	getsockname(s->listen_fd, (struct sockaddr *)&control, &control_len);
	assert_int_equal(listen(s->listen_fd, 64), 0);
	assert_int_equal(control_init(s), 0);
	engine = connects();
	return 0;
}

static void drop_all(void);

static int tear_down(void **state)
{
	(void)state;
	drop_all();
	close(engine);
	turn();
	assert_int_equal(s->requesters.n_used, 0);
	assert_int_equal(s->streams.n_used, 0);
	assert_int_equal(s->table.nets.n_used, 0);
	assert_int_equal(s->table.entries.n_used, 0);
	table_free(&s->table);
	slots_free(&s->requesters);
	slots_free(&s->streams);
	slots_free(&s->queries);
	close(s->listen_fd);
	close(s->epoll_fd);
	free(s);
	assert_int_equal(lowest_fd(), lowest);
	return 0;
}

/* ---- the engine ---- */

static struct namesmsg message(enum namesmsg_op op, const char *network, const char *key)
{
	struct namesmsg m = {.version = NAMESMSG_VERSION, .op = op};

	snprintf(m.network, sizeof(m.network), "%s", network);
	snprintf(m.key, sizeof(m.key), "%s", key);
	return m;
}

static struct namesmsg send_raw(const void *p, size_t len, const int *fd, size_t n)
{
	struct namesmsg a = {0};

	assert_int_equal(fdpass_send(engine, p, len, fd, n), 0);
	turn();
	assert_int_equal(recv(engine, &a, sizeof(a), MSG_DONTWAIT), sizeof(a));
	assert_int_equal(a.version, NAMESMSG_VERSION);
	return a;
}

/* 0, or what an error says. */
static int told(const struct namesmsg *m, const int *fd, size_t n)
{
	struct namesmsg a = send_raw(m, sizeof(*m), fd, n);

	assert_true(a.op == NAMESMSG_OK || (a.op == NAMESMSG_ERROR && a.sys > 0));
	return a.sys;
}

static void drop_all(void)
{
	struct namesmsg m = message(NAMESMSG_DROP, "", "");

	assert_int_equal(told(&m, NULL, 0), 0);
}

static int inet_socket(int type, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

/* UDP and TCP at one port of 127.0.0.1; the latter listens. */
static uint16_t make_sockets(int fd[2])
{
	for (int i = 0; i < 1000; i++) {
		fd[0] = inet_socket(SOCK_DGRAM, 0);
		assert_true(fd[0] >= 0);
		fd[1] = inet_socket(SOCK_STREAM, port_of(fd[0]));
		if (fd[1] >= 0 && listen(fd[1], 4) == 0)
			return port_of(fd[0]);
		if (fd[1] >= 0)
			close(fd[1]);
		close(fd[0]);
	}
	fail_msg("no port");
	return 0;
}

static void close_pair(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static struct namesmsg network_at(const char *name, uint16_t port)
{
	struct namesmsg m = message(NAMESMSG_NETWORK, name, "");

	m.listen[FAM4] = hex_ip("127.0.0.1");
	m.port = port;
	m.n_ip = 1;
	m.ip[0] = hex_ip("10.1.0.0");
	m.len[0] = 16;
	return m;
}

static void add_network(const char *name)
{
	int fd[2];
	struct namesmsg m = network_at(name, make_sockets(fd));

	assert_int_equal(told(&m, fd, 2), 0);
	close_pair(fd);
}

static int put(const char *network, const char *key, const char *ip, const char *more)
{
	struct namesmsg m = message(NAMESMSG_PUT, network, key);

	m.uid = 7;
	m.ip[m.n_ip++] = hex_ip(ip);
	if (more)
		m.ip[m.n_ip++] = hex_ip(more);
	return told(&m, NULL, 0);
}

static struct namesmsg ask(const char *network, const char *key)
{
	struct namesmsg m = message(NAMESMSG_ASK, network, key);

	return send_raw(&m, sizeof(m), NULL, 0);
}

/* ---- tests ---- */

static void test_malformed(void **state)
{
	int fds[NAMESMSG_FDS + 1], free_fd;
	struct namesmsg m = message(NAMESMSG_LIST, "", ""), bad[6];
	char longer[sizeof(m) + 1] = {0};

	(void)state;
	for (size_t i = 0; i < NAMESMSG_FDS + 1; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	free_fd = lowest_fd();
	for (size_t i = 0; i < 6; i++)
		bad[i] = m;
	bad[0].version++;
	bad[1].op = NAMESMSG_ERROR + 1;
	bad[2].op = NAMESMSG_OK;
	memset(bad[3].network, 'a', sizeof(m.network));
	memset(bad[4].key, 'a', sizeof(m.key));
	memset(bad[5].name, 'a', sizeof(m.name));
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(told(&bad[i], fds, NAMESMSG_FDS), EPROTO);
	/* Too short, too long, and more descriptors than any message has. */
	memcpy(longer, &m, sizeof(m));
	assert_int_equal(send_raw(longer, sizeof(m) - 1, fds, 1).sys, EPROTO);
	assert_int_equal(send_raw(longer, sizeof(m) + 1, fds, 1).sys, EPROTO);
	assert_int_equal(send_raw(&m, 1, NULL, 0).sys, EPROTO);
	assert_int_equal(told(&m, fds, NAMESMSG_FDS + 1), EPROTO);
	/* It goes on; and of a message that needs none, none is kept. */
	assert_int_equal(told(&m, fds, NAMESMSG_FDS), 0);
	assert_int_equal(lowest_fd(), free_fd);
	for (size_t i = 0; i < NAMESMSG_FDS + 1; i++)
		close(fds[i]);
}

static void test_sockets(void **state)
{
	int fd[2], other[2], raw, free_fd;
	uint16_t port = make_sockets(fd);
	struct namesmsg m = network_at("n", port), wrong;

	(void)state;
	make_sockets(other);
	raw = inet_socket(SOCK_STREAM, 0);
	free_fd = lowest_fd();
	const int none[][2] = {{fd[1], fd[0]},       {fd[0], fd[0]},      {fd[0], raw},
			       {fd[0], other[1]},    {other[0], fd[1]},   {engine, fd[1]},
			       {s->epoll_fd, fd[1]}, {other[0], other[1]}};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(told(&m, none[i], 2), EBADF);
	assert_int_equal(told(&m, fd, 1), EBADF);
	assert_int_equal(shutdown(other[1], SHUT_RDWR), 0); /* of its own port, but deaf */
	wrong = network_at("n", port_of(other[0]));
	assert_int_equal(told(&wrong, other, 2), EBADF);
	wrong = m;
	wrong.listen[FAM4] = hex_ip("127.0.0.2");
	assert_int_equal(told(&wrong, fd, 2), EBADF);
	wrong = m;
	wrong.listen[FAM6] = hex_ip("::1"); /* of which it brings none */
	assert_int_equal(told(&wrong, fd, 2), EBADF);
	wrong = m;
	wrong.listen[FAM4].family = 0;
	assert_int_equal(told(&wrong, fd, 2), EBADF);
	wrong = m;
	wrong.n_ip = TABLE_SUBNETS_MAX + 1;
	assert_int_equal(told(&wrong, fd, 2), EINVAL);
	wrong = m;
	wrong.network[0] = '\0';
	assert_int_equal(told(&wrong, fd, 2), EINVAL);
	assert_int_equal(told(&m, NULL, 0), ENOENT); /* it is not served */
	assert_int_equal(s->table.nets.n_used, 0);
	assert_int_equal(lowest_fd(), free_fd);
	/* The right ones; then others in their place, and its settings alone. */
	assert_int_equal(told(&m, fd, 2), 0);
	assert_int_not_equal(lowest_fd(), free_fd);
	wrong = network_at("n", port);
	assert_int_equal(told(&wrong, other, 2), EBADF); /* which changes nothing */
	m.is_internal = 1;
	m.len[0] = 24;
	assert_int_equal(told(&m, NULL, 0), 0);
	wrong = ask("n", "");
	assert_int_equal(wrong.port, port);
	assert_int_equal(wrong.is_internal, 1);
	assert_int_equal(wrong.n_ip, 1);
	assert_int_equal(wrong.len[0], 24);
	assert_ip(wrong.listen[FAM4], "127.0.0.1");
	close_pair(other);
	port = make_sockets(other);
	m.port = port;
	assert_int_equal(told(&m, other, 2), 0);
	assert_int_equal(ask("n", "").port, port);
	close_pair(fd);
	close_pair(other);
	close(raw);
}

static void test_entries(void **state)
{
	struct namesmsg m, a;

	(void)state;
	add_network("n");
	assert_int_equal(put("none", "a@eth0", "10.1.0.2", NULL), ENOENT);
	assert_int_equal(put("n", "", "10.1.0.2", NULL), EINVAL);
	m = message(NAMESMSG_PUT, "n", "a@eth0");
	assert_int_equal(told(&m, NULL, 0), EINVAL);
	m.n_ip = NAMESMSG_IPS + 1;
	assert_int_equal(told(&m, NULL, 0), EINVAL);
	assert_int_equal(put("n", "a@eth0", "10.1.0.2", "10.1.0.2"), 0); /* said twice */
	assert_int_equal(put("n", "a@eth0", "10.1.0.2", "fd00::2"), 0);
	m = message(NAMESMSG_NAME, "n", "a@eth0");
	snprintf(m.name, sizeof(m.name), "web");
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(told(&m, NULL, 0), 0);
	snprintf(m.name, sizeof(m.name), "no..name"); /* of which nobody can ask */
	assert_int_equal(told(&m, NULL, 0), 0);
	a = ask("n", "a@eth0");
	assert_int_equal(a.uid, 7);
	assert_int_equal(a.n_ip, 2);
	assert_int_equal(a.n_name, 1);
	assert_ip(a.ip[0], "10.1.0.2");
	assert_ip(a.ip[1], "fd00::2");
	assert_int_equal(ask("n", "b@eth0").n_ip, 0);
	assert_int_equal(ask("none", "").sys, ENOENT);
	snprintf(m.key, sizeof(m.key), "b@eth0");
	assert_int_equal(told(&m, NULL, 0), ENOENT);
	snprintf(m.network, sizeof(m.network), "none");
	assert_int_equal(told(&m, NULL, 0), ENOENT);
	/* Of two that claim an address, the later one has it. */
	assert_int_equal(put("n", "b@eth0", "10.1.0.3", "fd00::2"), 0);
	assert_int_equal(ask("n", "a@eth0").n_ip, 0);
	assert_int_equal(ask("n", "b@eth0").n_ip, 2);
	m = message(NAMESMSG_REMOVE, "none", "b@eth0");
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(s->table.entries.n_used, 1);
	m = message(NAMESMSG_REMOVE, "", "b@eth0");
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(s->table.entries.n_used, 0);
}

/* A member's TCP client, as it is after it was accepted. */
static int add_stream(const char *key)
{
	uint32_t net = table_find_net(&s->table, "n"), i = slots_take(&s->streams);
	struct stream *t = slots_at(&s->streams, i);
	struct table_entry *e;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	t->entry = table_find_entry(&s->table, net, key);
	e = table_entry_at(&s->table, t->entry);
	t->entry_gen = e->slot.gen;
	t->net = net;
	t->fd = fd[0];
	t->up_fd = -1;
	e->n_streams++;
	return fd[1];
}

/* A number that an entry had is soon another's: nothing that was begun for the one goes on for the
 * other, however the entry went. */
static void test_numbers_again(void **state)
{
	int fd;

	(void)state;
	add_network("n");
	for (int how = 0; how < 4; how++) {
		struct namesmsg m = message(NAMESMSG_REMOVE, "n", "a@eth0");

		assert_int_equal(put("n", "b@eth0", "10.1.0.3", NULL), 0);
		assert_int_equal(put("n", "a@eth0", "10.1.0.2", NULL), 0);
		fd = add_stream("a@eth0");
		if (how == 0) /* said again: it is the same one */
			assert_int_equal(put("n", "a@eth0", "10.1.0.4", NULL), 0);
		assert_int_equal(s->streams.n_used, 1);
		if (how <= 1) /* at the address of another */
			assert_int_equal(put("n", "a@eth0", "10.1.0.5", "10.1.0.3"), 0);
		else if (how == 2) /* its address is another's now */
			assert_int_equal(put("n", "c@eth0", "10.1.0.2", NULL), 0);
		else
			assert_int_equal(told(&m, NULL, 0), 0);
		assert_int_equal(s->streams.n_used, 0);
		assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), 0);
		close(fd);
	}
	fd = add_stream("b@eth0");
	drop_all();
	assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void test_list(void **state)
{
	static const char *const want[] = {"n/", "o/", "n/a@eth0", "o/b@eth0"};
	struct namesmsg m = message(NAMESMSG_LIST, "", ""), a;
	char text[NETNAME_STRLEN + KEY_STRLEN + 1];

	(void)state;
	add_network("n");
	add_network("o");
	assert_int_equal(put("n", "a@eth0", "10.1.0.2", NULL), 0);
	assert_int_equal(put("o", "b@eth0", "10.1.0.2", NULL), 0); /* networks may overlap */
	for (size_t i = 0; i < 4; i++) {
		a = send_raw(&m, sizeof(m), NULL, 0);
		assert_int_equal(a.op, NAMESMSG_ITEM);
		snprintf(text, sizeof(text), "%s/%s", a.network, a.key);
		assert_string_equal(text, want[i]);
		m.at = a.at;
	}
	assert_int_equal(send_raw(&m, sizeof(m), NULL, 0).op, NAMESMSG_OK);
	m.at = UINT32_MAX;
	assert_int_equal(send_raw(&m, sizeof(m), NULL, 0).op, NAMESMSG_OK);
	m = message(NAMESMSG_DROP, "n", "");
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(told(&m, NULL, 0), 0);
	assert_int_equal(ask("n", "").sys, ENOENT);
	assert_int_equal(ask("o", "b@eth0").n_ip, 1);
	/* As many as there is room for. */
	for (uint32_t i = s->table.nets.n_used; i < TABLE_NETS_MAX; i++) {
		snprintf(text, sizeof(text), "x%u", i);
		assert_int_not_equal(table_add_net(&s->table, text), SLOT_NONE);
	}
	int fd[2];
	m = network_at("n", make_sockets(fd));
	assert_int_equal(told(&m, fd, 2), ENOSPC);
	close_pair(fd);
}

static void test_keeper(void **state)
{
	struct namesmsg m = message(NAMESMSG_KEEP, "", ""), a;
	int first = connects(), second = connects();

	(void)state;
	add_network("n");
	assert_int_equal(ask("n", "").has_keeper, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(i ? second : first, &m, sizeof(m), 0), sizeof(m));
		turn();
		assert_int_equal(recv(i ? second : first, &a, sizeof(a), MSG_DONTWAIT), sizeof(a));
		assert_int_equal(a.op, NAMESMSG_OK);
		assert_int_equal(ask("n", "").has_keeper, 1);
	}
	/* The later one is it, and neither is a requester any more. */
	assert_int_equal(s->requesters.n_used, 1);
	assert_int_equal(recv(first, &a, sizeof(a), MSG_DONTWAIT), 0);
	assert_int_equal(recv(second, &a, sizeof(a), MSG_DONTWAIT), -1);
	close(s->keeper_fd);
	close(first);
	close(second);
}

static void test_requesters(void **state)
{
	struct namesmsg m = message(NAMESMSG_LIST, "", "");
	int fd = connects();

	(void)state;
	/* One that has no room for its answers is closed. */
	for (int i = 0; i < 10000 && s->requesters.n_used == 2; i++) {
		if (send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			assert_true(errno == EAGAIN || errno == EPIPE);
		turn();
	}
	assert_int_equal(s->requesters.n_used, 1);
	close(fd);
	/* One that says nothing for long, too; the other has spoken meanwhile. */
	fd = connects();
	s->now_ms += CONTROL_QUIET_MS - 1;
	assert_int_equal(control_sweep(s), CONTROL_QUIET_MS);
	assert_int_equal(told(&m, NULL, 0), 0);
	s->now_ms++;
	control_sweep(s);
	assert_int_equal(s->requesters.n_used, 1);
	assert_int_equal(recv(fd, &m, sizeof(m), MSG_DONTWAIT), 0);
	close(fd);
	/* One that goes. */
	fd = connects();
	assert_int_equal(s->requesters.n_used, 2);
	close(fd);
	turn();
	assert_int_equal(s->requesters.n_used, 1);
	/* Late events of it. */
	control_serve(s, 1, 0);
	control_serve(s, UINT32_MAX, 0);
}

static void test_say_no(void **state)
{
	struct namesmsg a;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)state;
	control_say_no(s->listen_fd, ENOMEM, "tables", 0); /* to nobody */
	assert_int_equal(connect(fd, (struct sockaddr *)&control, control_len), 0);
	control_say_no(s->listen_fd, EPERM,
		       "a step whose name is longer than there is room for it, "
		       "which is cut",
		       0);
	assert_int_equal(recv(fd, &a, sizeof(a), 0), sizeof(a));
	assert_int_equal(a.op, NAMESMSG_ERROR);
	assert_int_equal(a.sys, EPERM);
	assert_int_equal(strncmp(a.name, "a step whose name", 17), 0);
	assert_int_equal(a.name[sizeof(a.name) - 1], '\0');
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_malformed),     TEST(test_sockets), TEST(test_entries),
		TEST(test_numbers_again), TEST(test_list),    TEST(test_keeper),
		TEST(test_requesters),    TEST(test_say_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
