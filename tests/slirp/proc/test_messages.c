/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between supervisor and worker, descriptors with messages, and the nameservers of a
 * resolv.conf. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/nameservers.h"
#include "stack/ctlmsg.h"
#include "sys/fdpass.h"

static void pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
}

static void test_there_and_back(void **state)
{
	struct ctlmsg m, got;
	int fd[2];

	(void)state;
	pair(fd);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EAGAIN);
	memset(&m, 0, sizeof(m));
	m.type = CTLMSG_RESOLVERS;
	m.resolvers.n = RESOLVERS_MAX;
	for (size_t i = 0; i < RESOLVERS_MAX; i++)
		m.resolvers.ip[i] = (struct ip){AF_INET, {198, 51, 100, (uint8_t)i}};
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), 1);
	assert_memory_equal(&got.resolvers, &m.resolvers, sizeof(m.resolvers));
	memset(&m, 0, sizeof(m));
	m.type = CTLMSG_STATS;
	m.id = 77;
	m.stats.stats.n[N_STATS - 1] = UINT64_MAX;
	m.stats.gauges.memory = 12;
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), 1);
	assert_int_equal(got.id, 77);
	assert_true(got.stats.stats.n[N_STATS - 1] == UINT64_MAX);
	assert_int_equal(got.stats.gauges.memory, 12);
	m.type = CTLMSG_RATES;
	m.rates = (struct rates){.out = RATE_LEAST};
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), 1);
	assert_int_equal(got.rates.in, 0);
	assert_int_equal(got.rates.out, RATE_LEAST);
	m.rates.in = RATE_LEAST - 1;
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EPROTO);
	close(fd[0]);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), 0);
	assert_int_equal(ctlmsg_send(fd[1], &m), -EPIPE);
	close(fd[1]);
}

/* Whatever a worker sends: nothing is stored, and the next message is found. */
static void test_malformed(void **state)
{
	struct ctlmsg m, got = {.id = 4711};
	char big[2 * sizeof(m)] = {CTLMSG_READY};
	int fd[2];

	(void)state;
	pair(fd);
	memset(&m, 0, sizeof(m));
	for (uint32_t type = 0; type < N_CTLMSG + 4; type++)
		for (size_t len = 1; len <= sizeof(m); len++) {
			int r;

			m.type = type;
			assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
			r = ctlmsg_recv(fd[1], &got, NULL);
			if (r == -EPROTO)
				assert_int_equal(got.id, 4711);
			else
				assert_true(r == 1 && type >= 1 && type < N_CTLMSG &&
					    type != CTLMSG_PORTS_ADD);
			got.id = 4711;
		}
	assert_int_equal(send(fd[0], big, sizeof(big), 0), (ssize_t)sizeof(big));
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EPROTO);
	m.type = CTLMSG_RESOLVERS;
	m.resolvers.n = RESOLVERS_MAX + 1;
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EPROTO);
	m.resolvers.n = 1;
	m.resolvers.ip[0].family = AF_UNIX;
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EPROTO);
	m.type = 99;
	assert_int_equal(ctlmsg_send(fd[0], &m), -EINVAL);
	m.type = CTLMSG_READY;
	assert_int_equal(ctlmsg_send(fd[0], &m), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), 1);
	close(fd[0]);
	close(fd[1]);
}

static int judged(const int fd[2], const struct ctlmsg *m)
{
	struct ctlmsg got;

	assert_int_equal(ctlmsg_send(fd[0], m), 0);
	return ctlmsg_recv(fd[1], &got, NULL);
}

/* What a worker lists goes to users: no more than fits, and addresses that are some. */
static void test_lists(void **state)
{
	const struct ip good = {AF_INET, {198, 51, 100, 1}}, none = {.family = AF_UNIX};
	struct ctlmsg m;
	int fd[2];

	(void)state;
	pair(fd);
	memset(&m, 0, sizeof(m));
	m.type = CTLMSG_LIST_FLOWS;
	m.flows.n = CTLMSG_LISTED;
	for (size_t i = 0; i < CTLMSG_LISTED; i++)
		m.flows.flow[i].guest = m.flows.flow[i].peer = good;
	assert_int_equal(judged(fd, &m), 1);
	m.flows.flow[CTLMSG_LISTED - 1].guest = none;
	assert_int_equal(judged(fd, &m), -EPROTO);
	m.flows.flow[CTLMSG_LISTED - 1].guest = good;
	m.flows.flow[CTLMSG_LISTED - 1].peer = none;
	assert_int_equal(judged(fd, &m), -EPROTO);
	m.flows.n--; /* beyond is not looked at */
	assert_int_equal(judged(fd, &m), 1);
	m.flows.n = CTLMSG_LISTED + 1;
	assert_int_equal(judged(fd, &m), -EPROTO);
	m.type = CTLMSG_LIST_PORTS;
	m.ports.n = CTLMSG_LISTED;
	assert_int_equal(judged(fd, &m), 1);
	m.ports.n++;
	assert_int_equal(judged(fd, &m), -EPROTO);
	m.type = CTLMSG_PORTS_DROP;
	m.drop.n = CTLMSG_DROPS;
	assert_int_equal(judged(fd, &m), 1);
	m.drop.n++;
	assert_int_equal(judged(fd, &m), -EPROTO);
	/* Ports go with their descriptors only. */
	assert_int_equal(ctlmsg_send_ports(fd[0], &m, NULL), -EINVAL);
	close(fd[0]);
	close(fd[1]);
}

static size_t count_open(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* As many descriptors as ports, or nothing is kept open. */
static void test_ports(void **state)
{
	struct ctlmsg m, got;
	int fd[2], list[CTLMSG_PORTS], fds[CTLMSG_PORTS];
	size_t before;

	(void)state;
	pair(fd);
	memset(&m, 0, sizeof(m));
	m.type = CTLMSG_PORTS_ADD;
	for (size_t i = 0; i < CTLMSG_PORTS; i++)
		list[i] = fd[0];
	before = count_open();
	assert_int_equal(ctlmsg_send(fd[0], &m), -EINVAL);
	assert_int_equal(ctlmsg_send_ports(fd[0], &m, list), -EINVAL);
	m.add.n = CTLMSG_PORTS + 1;
	assert_int_equal(ctlmsg_send_ports(fd[0], &m, list), -EINVAL);
	m.add.n = CTLMSG_PORTS;
	m.add.port[CTLMSG_PORTS - 1].slot = 99;
	assert_int_equal(ctlmsg_send_ports(fd[0], &m, list), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, fds), 1);
	assert_int_equal(got.add.port[CTLMSG_PORTS - 1].slot, 99);
	for (size_t i = 0; i < CTLMSG_PORTS; i++)
		close(fds[i]);
	/* Nobody who wants them; fewer than said; with a message that has none. */
	assert_int_equal(ctlmsg_send_ports(fd[0], &m, list), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, NULL), -EPROTO);
	assert_int_equal(fdpass_send(fd[0], &m, offsetof(struct ctlmsg, add) + sizeof(m.add), list,
				     CTLMSG_PORTS - 1),
			 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, fds), -EPROTO);
	m.type = CTLMSG_READY;
	assert_int_equal(fdpass_send(fd[0], &m, offsetof(struct ctlmsg, add), list, 3), 0);
	assert_int_equal(ctlmsg_recv(fd[1], &got, fds), -EPROTO);
	assert_int_equal(count_open(), before);
	close(fd[0]);
	close(fd[1]);
}

/* A reader that sleeps never holds up the sender. */
static void test_full(void **state)
{
	struct ctlmsg m = {.type = CTLMSG_STATS_GET};
	int fd[2], r = 0, n = 0;

	(void)state;
	pair(fd);
	while (r == 0 && n++ < 1000000)
		r = ctlmsg_send(fd[0], &m);
	assert_int_equal(r, -EAGAIN);
	close(fd[0]);
	close(fd[1]);
}

static void test_fdpass(void **state)
{
	int fd[2], list[FDPASS_MAX], got[FDPASS_MAX];
	size_t before;
	char text[4];
	struct stat a, b;

	(void)state;
	pair(fd);
	for (size_t i = 0; i < FDPASS_MAX; i++)
		list[i] = fd[0];
	before = count_open();
	assert_int_equal(fdpass_send(fd[0], "abc", 3, list, 2), 0);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), got, 3), 3);
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(fstat(fd[0], &a) | fstat(got[1], &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(got[2], -1);
	close(got[0]);
	close(got[1]);
	/* More than wanted, and a message that is too long: nothing stays open. */
	assert_int_equal(fdpass_send(fd[0], "x", 1, list, FDPASS_MAX), 0);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), got, 1), -EPROTO);
	assert_int_equal(got[0], -1);
	assert_int_equal(fdpass_send(fd[0], "12345", 5, list, 1), 0);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), got, 1), -EPROTO);
	assert_int_equal(fdpass_send(fd[0], "x", 1, list, 1), 0);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), NULL, 0), -EPROTO);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), got, 1), -EAGAIN);
	assert_int_equal(fdpass_send(fd[0], "", 0, list, 1), -EINVAL);
	assert_int_equal(fdpass_send(fd[0], "x", 1, list, FDPASS_MAX + 1), -EINVAL);
	assert_int_equal(count_open(), before);
	close(fd[0]);
	assert_int_equal(fdpass_recv(fd[1], text, sizeof(text), got, 1), 0);
	close(fd[1]);
}

static uint32_t fake_index(const char *name)
{
	return strcmp(name, "eth7") == 0 ? 7 : 0;
}

static void test_nameservers(void **state)
{
	static const char text[] = "# nameserver 203.0.113.9\n"
				   "nameserver 127.0.0.53\n"
				   "nameserver\t198.51.100.1 trailing words\r\n"
				   " nameserver 203.0.113.1\n"
				   "nameserver 198.51.100.1\n"
				   "nameserver fe80::1%eth7\n"
				   "nameserver fe80::2%3\n"
				   "nameserver fe80::3%none\n"
				   "nameserver fe80::4\n"
				   "nameserver 2001:db8::1%3\n"
				   "nameserver ::ffff:198.51.100.2\n"
				   "nameserver 0.0.0.0\n"
				   "nameserver 224.0.0.1\n"
				   "nameserver words\n"
				   "nameserverx 203.0.113.2\n"
				   "nameserver\n"
				   "search nameserver 203.0.113.3\n"
				   "nameserver ::1";
	struct resolvers r;
	char out[IP_STRLEN];

	(void)state;
	nameservers_parse(text, sizeof(text) - 1, fake_index, &r);
	assert_int_equal(r.n, 5);
	assert_string_equal(ip_str(&r.ip[0], out), "127.0.0.53");
	assert_string_equal(ip_str(&r.ip[1], out), "198.51.100.1");
	assert_string_equal(ip_str(&r.ip[2], out), "fe80::1");
	assert_int_equal(r.scope[2], 7);
	assert_string_equal(ip_str(&r.ip[3], out), "fe80::2");
	assert_int_equal(r.scope[3], 3);
	assert_string_equal(ip_str(&r.ip[4], out), "::1");
}

static void test_many_nameservers(void **state)
{
	char text[4096] = "";
	struct resolvers r;

	(void)state;
	for (int i = 1; i < 100; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "nameserver 198.51.100.%d\n", i);
	nameservers_parse(text, strlen(text), fake_index, &r);
	assert_int_equal(r.n, RESOLVERS_MAX);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* In place, by renaming, and through a link that is turned to another directory. */
static void test_watch(void **state)
{
	char dir[] = "/tmp/nameservers.XXXXXX", path[64], other[64], a[64], b[64];
	struct nameservers n = NAMESERVERS_INIT;
	struct resolvers r;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(a, sizeof(a), "%s/a", dir);
	(void)snprintf(b, sizeof(b), "%s/b", dir);
	(void)snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	(void)snprintf(other, sizeof(other), "%s/a/r", dir);
	assert_int_equal(nameservers_watch(path, &n, &e), 0);
	assert_int_equal(nameservers_load(path, &r, &e), 0);
	assert_int_equal(r.n, 0);
	write_file(path, "nameserver 198.51.100.1\n");
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(nameservers_changed(&n, &r, &e), 0);
	assert_int_equal(mkdir(a, 0700) | mkdir(b, 0700), 0);
	write_file(other, "nameserver 198.51.100.2\nnameserver 198.51.100.3\n");
	assert_int_equal(unlink(path) | symlink("a/r", path), 0);
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 2);
	assert_string_equal(n.link_dir, a);
	write_file(other, "nameserver 198.51.100.2\n");
	/* Its own directory is watched now: the event is there without a look at the file. */
	{
		char events[4096];

		assert_true(read(n.fd, events, sizeof(events)) > 0);
	}
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 0);
	nameservers_close(&n);
	assert_int_equal(unlink(other) | rmdir(a) | rmdir(b) | rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_lists),          cmocka_unit_test(test_ports),
		cmocka_unit_test(test_full),           cmocka_unit_test(test_fdpass),
		cmocka_unit_test(test_nameservers),    cmocka_unit_test(test_many_nameservers),
		cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
