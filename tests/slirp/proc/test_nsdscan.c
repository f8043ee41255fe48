/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ports that programs in a container serve: real listeners in a namespace of an unprivileged
 * user, as the supervisor hears of them; what an idle namespace costs; and what a hostile sender
 * can say.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "box.h"
#include "proc/nsd.h"
#include "proc/nsdscan.h"

#define WAIT_MS 30000
#define BOTH (NSDPORTS_V4 | NSDPORTS_V6)

struct world {
	struct box box;
	struct nsd nsd;
};

/* What the supervisor would have published: families by protocol and port. */
static uint8_t heard[2][65536];
static unsigned n_changes;
static bool is_gaining; /* within one message */
static struct nsdports known;

static void on_change(void *arg, uint8_t proto, uint16_t port, uint8_t was, uint8_t is)
{
	uint8_t *at = &heard[proto == IPPROTO_UDP][port];

	assert_ptr_equal(arg, heard);
	assert_true(proto == IPPROTO_TCP || proto == IPPROTO_UDP);
	assert_int_equal(*at, was);
	assert_int_not_equal(was, is);
	if (was & ~is)
		assert_false(is_gaining);
	else
		is_gaining = true;
	*at = is;
	n_changes++;
}

static int read_ports(int fd)
{
	is_gaining = false;
	return nsd_ports_read(fd, &known, on_change, heard);
}

/* Messages until the port is served as it should be. */
static void expect(const struct world *w, uint8_t proto, uint16_t port, uint8_t families)
{
	uint64_t deadline = clock_ms() + WAIT_MS;

	while (heard[proto == IPPROTO_UDP][port] != families) {
		struct pollfd p = {.fd = w->nsd.ports_fd, .events = POLLIN};
		if (poll(&p, 1, clock_left(deadline)) != 1)
			fail_msg("%u/%u: %u, expected %u", port, proto,
				 heard[proto == IPPROTO_UDP][port], families);
		assert_int_equal(read_ports(w->nsd.ports_fd), 1);
	}
}

static void start(struct world *w)
{
	struct err e = ERR_INIT;

	*w = (struct world){.nsd = NSD_INIT};
	memset(heard, 0, sizeof(heard));
	memset(&known, 0, sizeof(known));
	box_start(&w->box);
	const struct nsd_spec spec = {w->box.netns_fd, w->box.userns_fd, true};
	if (nsd_start(&spec, &w->nsd, &e) < 0 || nsd_finish(&w->nsd, &e) < 0)
		fail_msg("%s", e.text);
}

static void end(struct world *w)
{
	nsd_end(&w->nsd);
	box_end(&w->box);
}

static void test_served(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	int four = box_listen(&w.box, "0.0.0.0", 80), six = box_listen(&w.box, "::", 443);
	int dns = box_bind(&w.box, "0.0.0.0", 53), dns6 = box_bind(&w.box, "::", 5353);
	/* None of these is for others. */
	assert_true(box_listen(&w.box, "127.0.0.1", 81) >= 0);
	assert_true(box_listen(&w.box, "127.9.9.9", 82) >= 0);
	assert_true(box_listen(&w.box, "::1", 83) >= 0);
	assert_true(box_listen(&w.box, "::ffff:127.0.0.1", 84) >= 0);
	assert_true(box_bind(&w.box, "127.0.0.1", 85) >= 0);
	assert_true(box_bind(&w.box, "0.0.0.0", 40000) >= 0);
	assert_true(box_bind_connected(&w.box, "127.0.0.1", 86) >= 0);
	assert_true(box_listen_v6only(&w.box, 444) >= 0);
	int last = box_listen(&w.box, "0.0.0.0", 40000);
	assert_true(four >= 0 && six >= 0 && dns >= 0 && dns6 >= 0 && last >= 0);
	expect(&w, IPPROTO_TCP, 40000, NSDPORTS_V4);
	expect(&w, IPPROTO_UDP, 5353, BOTH);
	assert_int_equal(heard[0][80], NSDPORTS_V4);
	assert_int_equal(heard[0][443], BOTH);
	assert_int_equal(heard[1][53], NSDPORTS_V4);
	assert_int_equal(heard[0][444], NSDPORTS_V6);
	assert_int_equal(known.n, 6);
	assert_int_equal(known.sys, 0);
	/* Another family of a port that is known, and ends of programs. */
	int more = box_bind(&w.box, "::", 9);
	expect(&w, IPPROTO_UDP, 9, BOTH);
	for (int i = 0; i < 2; i++)
		assert_int_equal(box_close(&w.box, i ? six : four), 0);
	expect(&w, IPPROTO_TCP, 80, 0);
	expect(&w, IPPROTO_TCP, 443, 0);
	assert_int_equal(box_close(&w.box, dns), 0);
	assert_int_equal(box_close(&w.box, more), 0);
	assert_int_equal(box_close(&w.box, dns6), 0);
	expect(&w, IPPROTO_UDP, 53, 0);
	expect(&w, IPPROTO_UDP, 5353, 0);
	expect(&w, IPPROTO_UDP, 9, 0);
	assert_int_equal(known.n, 2);
	end(&w);
	assert_int_equal(read_ports(-1), -EBADF);
}

/* Several datagrams of the kernel, and a list longer than a small one. */
static void test_many(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	assert_int_equal(box_listen_many(&w.box, 1000, 900), 0);
	expect(&w, IPPROTO_TCP, 1899, NSDPORTS_V4);
	for (unsigned port = 1000; port < 1900; port++)
		expect(&w, IPPROTO_TCP, (uint16_t)port, NSDPORTS_V4);
	assert_int_equal(known.n, 900);
	end(&w);
}

static uint64_t cpu_ns(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%llu", &ns), 1);
	fclose(f);
	return ns;
}

/* Nothing changes: nothing is said, and almost nothing is done. */
static void test_idle(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	assert_true(box_listen(&w.box, "0.0.0.0", 80) >= 0);
	expect(&w, IPPROTO_TCP, 80, NSDPORTS_V4);
	n_changes = 0;
	usleep(1600000); /* the interval has grown */
	uint64_t cpu = cpu_ns(w.nsd.pid), began = clock_ns();
	usleep(3000000);
	double share = (double)(cpu_ns(w.nsd.pid) - cpu) / (double)(clock_ns() - began);
	print_message("an idle namespace costs %.4f %% of a processor\n", share * 100);
	assert_true(share < 0.01);
	assert_int_equal(read_ports(w.nsd.ports_fd), -EAGAIN);
	assert_int_equal(n_changes, 0);
	/* And it is still looked at. */
	assert_true(box_listen(&w.box, "0.0.0.0", 81) >= 0);
	expect(&w, IPPROTO_TCP, 81, NSDPORTS_V4);
	end(&w);
}

static size_t message(struct nsdports *m, size_t n)
{
	*m = (struct nsdports){.version = NSDPORTS_VERSION, .n = (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		m->list[i] = (struct nsdports_entry){(uint16_t)(i + 1), IPPROTO_TCP, BOTH};
	return nsdports_size(m);
}

/* Whoever has taken the sender over: a message that is not as it should be changes nothing. */
static void test_hostile(void **state)
{
	static struct nsdports m, before;
	struct nsdports_entry *e = m.list;
	int fd[2];
	size_t len;

	(void)state;
	memset(&known, 0, sizeof(known));
	memset(heard, 0, sizeof(heard));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd),
			 0);
	len = message(&m, 3);
	assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
	assert_int_equal(read_ports(fd[1]), 1);
	assert_int_equal(heard[0][3], BOTH);
	before = known;
	for (int k = 0; k < 16; k++) {
		len = message(&m, 3);
		switch (k) {
		case 0:
			m.version++;
			break;
		case 1:
			len--;
			break;
		case 2:
			len += sizeof(*e);
			break;
		case 3:
			m.n = NSDPORTS_MAX + 1;
			break;
		case 4:
			m.n = UINT32_MAX;
			break;
		case 5:
			e[1].port = 0;
			break;
		case 6:
			e[1].port = 1;
			break;
		case 7:
			e[1].port = 7;
			break;
		case 8:
			e[1].proto = IPPROTO_ICMP;
			break;
		case 9:
			e[1].proto = IPPROTO_UDP;
			break;
		case 10:
			e[2].families = 0;
			break;
		case 11:
			e[2].families = 4;
			break;
		case 12:
			m.sys = -1;
			break;
		case 13:
			m.sys = 5;
			break;
		case 14:
			m.n_left_out = UINT32_MAX;
			break;
		default:
			len = 1;
			break;
		}
		assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
		assert_int_equal(read_ports(fd[1]), -EPROTO);
		assert_memory_equal(&known, &before, sizeof(known));
	}
	/* The largest, and the smallest: an error of the kernel. */
	len = message(&m, NSDPORTS_MAX);
	assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
	assert_int_equal(read_ports(fd[1]), 1);
	assert_int_equal(heard[0][NSDPORTS_MAX], BOTH);
	len = message(&m, 0);
	m.sys = ENOENT;
	assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
	assert_int_equal(read_ports(fd[1]), 1);
	assert_int_equal(known.sys, ENOENT);
	assert_int_equal(heard[0][NSDPORTS_MAX], BOTH); /* what is not known is not gone */
	m.sys = 0;
	assert_int_equal(send(fd[0], &m, len, 0), (ssize_t)len);
	assert_int_equal(read_ports(fd[1]), 1);
	assert_int_equal(known.sys, 0);
	assert_int_equal(heard[0][NSDPORTS_MAX], 0);
	assert_int_equal(read_ports(fd[1]), -EAGAIN);
	close(fd[0]);
	assert_int_equal(read_ports(fd[1]), 0);
	close(fd[1]);
}

/* A container with more listeners than the list has room for: the rest is counted. */
static void test_left_out(void **state)
{
	static struct nsdscan_sets sets;
	static struct nsdports m, got;

	(void)state;
	memset(&sets, 0xff, sizeof(sets));
	for (int i = 0; i < NSDSCAN_SETS; i++)
		sets.bits[i][0] &= ~1ULL;
	nsdscan_list(&sets, &m);
	assert_int_equal(m.n, NSDPORTS_MAX);
	assert_int_equal(m.n_left_out, 2 * 65535 - NSDPORTS_MAX);
	assert_int_equal(nsdports_decode(&m, nsdports_size(&m), &got), 0);
	assert_memory_equal(&m, &got, sizeof(m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_served),   cmocka_unit_test(test_many),
		cmocka_unit_test(test_idle),     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_left_out),
	};

	box_become_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
