/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace that forwards for several containers: what one of them holds, of memory and of
 * connections that wait for their host, leaves enough for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "flow/pool.h"
#include "stack/rig.h"

#define CHUNKS 64u
#define GREEDY 80u /* more than there are chunks */

static struct rig_packet packet;
static struct peer greedy[GREEDY];
static uint8_t buf[65536];

/* In the place of the C library's: shares are places of a hash, and one pair of sources in 256 has
 * the same. These have not, with this secret. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	(void)flags;
	memset(out, 7, len);
	return (ssize_t)len;
}

static struct ip address(const char *text)
{
	struct ip ip;
	struct err e = ERR_INIT;

	assert_int_equal(ip_parse(text, &ip, &e), 0);
	return ip;
}

/* Opens a connection of the container with this address. */
static void open_of(struct peer *p, const char *source, uint16_t sport)
{
	peer_init(p, "198.51.100.7", 80, sport);
	p->src = address(source);
	peer_open(p);
}

/* Takes what there is for one of a list of connections, and answers it. */
static void run(struct peer *p, size_t n)
{
	bool is_any;

	do {
		is_any = false;
		rig_settle();
		while (rig_read(&packet))
			for (size_t i = 0; i < n; i++)
				is_any |= ip_equal(&packet.ip.dst, &p[i].src) &&
					  packet.tcp.dport == p[i].sport &&
					  peer_take(&p[i], &packet, true);
	} while (is_any);
}

/* Sends n bytes, as its window allows; how many the host got. */
static uint64_t upload(struct peer *p, struct rig_socket *s, uint64_t n)
{
	uint64_t got = 0;

	for (uint64_t sent = 0; sent < n;) {
		size_t left = p->snd_una + p->wnd - p->snd_nxt, len = left < 1400 ? left : 1400;
		ssize_t k;

		if (len > n - sent)
			len = n - sent;
		if (len == 0)
			break;
		stream_fill(sent, buf, len);
		peer_data(p, buf, len);
		sent += len;
		peer_run(p);
		while ((k = read(s->peer, buf, sizeof(buf))) > 0)
			got += (uint64_t)k;
		peer_run(p);
	}
	return got;
}

/* Sends to servers that do not read, as much as each window promises. */
static void be_greedy(const char *source)
{
	for (unsigned i = 0; i < GREEDY; i++)
		open_of(&greedy[i], source, (uint16_t)(20000 + i));
	for (unsigned i = 0; i < GREEDY; i++)
		for (unsigned k = 0; k < 40; k++) {
			size_t left = greedy[i].snd_una + greedy[i].wnd - greedy[i].snd_nxt;
			size_t len = left < 1400 ? left : 1400;

			if (len == 0)
				break;
			peer_data(&greedy[i], buf, len);
			peer_run(&greedy[i]);
		}
}

static void memory(void **state)
{
	const struct rig_conf conf = {
		.memory_max = CHUNKS * POOL_CHUNK, .host_buffer = 4096, .is_network = true};
	struct peer other;
	uint64_t got = 0;
	size_t n_of_other;

	(void)state;
	rig_need_fds(2 * GREEDY + 100);
	rig_start(&conf);
	be_greedy("10.88.1.2");
	/* Its share is full, and not more: a quarter is there for others. */
	assert_true(worker_memory(rig.worker) >= CHUNKS / 2 * POOL_CHUNK);
	assert_true(worker_memory(rig.worker) <= (CHUNKS / 4 * 3 + 1) * POOL_CHUNK);
	rig.host_buffer = 0;
	n_of_other = rig.n_sockets;
	open_of(&other, "10.88.1.3", 20000);
	assert_int_equal(upload(&other, &rig.sockets[n_of_other], 1000000), 1000000);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(write(rig.sockets[n_of_other].peer, buf, 50000), 50000);
		peer_run(&other);
	}
	assert_int_equal(other.n_in, 500000);
	assert_int_equal(rig_stat(STAT_DROP_MEMORY), 0);
	/* Its own go on when its servers read. */
	for (unsigned round = 0; round < 200 && worker_memory(rig.worker) > 0; round++) {
		for (unsigned i = 0; i < GREEDY; i++)
			for (ssize_t n; (n = read(rig.sockets[i].peer, buf, sizeof(buf))) > 0;)
				got += (uint64_t)n;
		run(greedy, GREEDY);
	}
	assert_int_equal(worker_memory(rig.worker), 0);
	assert_true(got > 0);
	for (unsigned i = 0; i < GREEDY; i++)
		if (greedy[i].snd_una == greedy[i].snd_nxt) {
			assert_true(upload(&greedy[i], &rig.sockets[i], 50000) >= 50000);
			break;
		}
	rig_stop();
}

/* Nobody is sent more than the share of him who does not acknowledge allows; when he does, he gets
 * all. */
static void not_acknowledged(void **state)
{
	const struct rig_conf conf = {.memory_max = CHUNKS * POOL_CHUNK, .is_network = true};
	struct peer other;
	size_t n_of_other;

	(void)state;
	rig_need_fds(2 * GREEDY + 100);
	rig_start(&conf);
	for (unsigned i = 0; i < GREEDY; i++)
		open_of(&greedy[i], "10.88.1.2", (uint16_t)(20000 + i));
	stream_fill(0, buf, 60000);
	for (unsigned i = 0; i < GREEDY; i++) {
		assert_int_equal(write(rig.sockets[i].peer, buf, 60000), 60000);
		rig_settle();
	}
	while (rig_read(&packet))
		; /* lost, all of it */
	assert_true(worker_memory(rig.worker) <= (CHUNKS / 4 * 3 + 1) * POOL_CHUNK);
	n_of_other = rig.n_sockets;
	open_of(&other, "10.88.1.3", 20000);
	assert_int_equal(upload(&other, &rig.sockets[n_of_other], 100000), 100000);
	assert_int_equal(write(rig.sockets[n_of_other].peer, buf, 50000), 50000);
	peer_run(&other);
	assert_int_equal(other.n_in, 50000);
	for (int i = 0; i < 60; i++) {
		run(greedy, GREEDY);
		rig_pass(1000);
	}
	for (unsigned i = 0; i < GREEDY; i++)
		assert_int_equal(greedy[i].n_in, 60000);
	assert_int_equal(worker_memory(rig.worker), 0);
	rig_stop();
}

static bool opens(struct peer *p, const char *source, uint16_t sport)
{
	size_t n = rig.n_sockets;

	peer_init(p, "198.51.100.7", 80, sport);
	p->src = address(source);
	peer_syn(p);
	rig_settle();
	return rig.n_sockets > n;
}

/* Connections whose host does not answer. */
static void opening(void **state)
{
	const struct rig_conf conf = {.tcp_max = 160, .is_network = true};
	struct peer p;

	(void)state;
	rig_start(&conf);
	rig.how = RIG_PENDING;
	for (uint16_t i = 0; i < 11; i++)
		assert_true(opens(&p, "10.88.1.2", (uint16_t)(20000 + i)));
	assert_false(opens(&p, "10.88.1.2", 20100));
	assert_int_equal(rig_stat(STAT_DROP_RATE), 1);
	assert_true(opens(&p, "10.88.1.3", 20100));
	/* One that was answered counts no more, nor does one that was refused. */
	rig_finish(&rig.sockets[0], 0);
	rig_settle();
	assert_true(opens(&p, "10.88.1.2", 20101));
	rig_finish(&rig.sockets[1], ECONNREFUSED);
	rig_settle();
	assert_true(opens(&p, "10.88.1.2", 20102));
	assert_false(opens(&p, "10.88.1.2", 20103));
	rig_stop();
}

/* A container that is alone may have all there is. */
static void alone(void **state)
{
	const struct rig_conf conf = {.tcp_max = 64};
	struct peer p;

	(void)state;
	rig_start(&conf);
	rig.how = RIG_PENDING;
	for (uint16_t i = 0; i < 64; i++)
		assert_true(opens(&p, "10.0.2.100", (uint16_t)(20000 + i)));
	assert_int_equal(rig_stat(STAT_DROP_RATE), 0);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory),
		cmocka_unit_test(not_acknowledged),
		cmocka_unit_test(opening),
		cmocka_unit_test(alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
