/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the limits are for: a full table, thousands of readers that have stalled on either side
 * under one memory cap, and what ten thousand idle connections hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow/pool.h"
#include "stack/rig.h"

#define STALLED 4000u
#define CAP (64u << 20)

static struct rig_packet packet;
static uint8_t buf[65536];

static void full_table(void **state)
{
	const struct rig_conf conf = {.tcp_max = 64};
	static struct peer p[65];

	(void)state;
	rig_start(&conf);
	for (uint16_t i = 0; i < 64; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(20000 + i));
		peer_open(&p[i]);
	}
	peer_init(&p[64], "198.51.100.7", 80, 30000);
	peer_syn(&p[64]);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig_stat(STAT_DROP_TABLE_FULL), 1);
	/* The others are unhurt. */
	for (int i = 0; i < 64; i++) {
		peer_data(&p[i], "x", 1);
		peer_run(&p[i]);
		assert_int_equal(read(rig.sockets[i].peer, buf, 10), 1);
	}
	/* One that waits in TIME_WAIT makes way. */
	shutdown(rig.sockets[0].peer, SHUT_WR);
	peer_run(&p[0]);
	peer_fin(&p[0]);
	peer_run(&p[0]);
	assert_true(p[0].has_fin);
	p[64].is_reset = false;
	peer_open(&p[64]);
	rig_stop();
}

/* More new connections than a processor could open: silence, which the container's own
 * retransmission fills. Those that there are go on. */
static void too_many_new(void **state)
{
	enum { TABLE = 16, AT_ONCE = TABLE + 1000, A_MS = 10 };
	const struct rig_conf conf = {.tcp_max = TABLE};
	static struct peer p[TABLE], other;

	(void)state;
	rig_start(&conf);
	for (uint16_t i = 0; i < TABLE; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(20000 + i));
		peer_open(&p[i]);
	}
	for (uint16_t i = TABLE; i < AT_ONCE; i++) {
		peer_init(&other, "198.51.100.7", 80, (uint16_t)(30000 + i));
		peer_syn(&other);
		rig_settle();
		assert_true(rig_read(&packet));
		assert_true(packet.tcp.flags & TCP_RST); /* the table is full */
	}
	assert_int_equal(rig_stat(STAT_DROP_RATE), 0);
	peer_syn(&other);
	rig_settle();
	assert_false(rig_read(&packet));
	assert_int_equal(rig_stat(STAT_DROP_RATE), 1);
	peer_data(&p[3], "x", 1);
	peer_run(&p[3]);
	assert_int_equal(read(rig.sockets[3].peer, buf, 10), 1);
	/* A millisecond later there are a few more, and no more than that. */
	rig_pass(1);
	for (int i = 0; i < A_MS + 5; i++)
		peer_syn(&other);
	rig_settle();
	for (int i = 0; i < A_MS; i++)
		assert_true(rig_read(&packet));
	assert_false(rig_read(&packet));
	assert_int_equal(rig_stat(STAT_DROP_RATE), 6);
	rig_stop();
}

/* Takes and answers what came for all of them. */
static void run_all(struct peer *p, size_t n)
{
	bool is_any;

	do {
		is_any = false;
		rig_settle();
		while (rig_read(&packet)) {
			size_t i = (size_t)(packet.tcp.dport - 10000);

			assert_true(i < n);
			is_any |= peer_take(&p[i], &packet, true);
		}
	} while (is_any);
}

static struct peer *open_all(size_t n)
{
	struct peer *p = calloc(n, sizeof(*p));

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(10000 + i));
		peer_syn(&p[i]);
		if (i % 50 == 49 || i == n - 1)
			run_all(p, i + 1);
	}
	for (size_t i = 0; i < n; i++)
		assert_true(p[i].is_synced);
	return p;
}

/* One more connection works while the others hold what they hold. */
static void one_more(uint16_t sport)
{
	struct peer p;
	uint64_t got = 0;

	peer_init(&p, "198.51.100.9", 80, sport);
	peer_open(&p);
	for (uint64_t sent = 0; sent < 1000000;) {
		size_t left = p.snd_una + p.wnd - p.snd_nxt, len = left < 1400 ? left : 1400;
		ssize_t n;

		stream_fill(sent, buf, len);
		peer_data(&p, buf, len);
		sent += len;
		peer_run(&p);
		while ((n = read(rig_last()->peer, buf, sizeof(buf))) > 0)
			got += (uint64_t)n;
		peer_run(&p);
		if (sent >= 1000000)
			assert_int_equal(got, sent);
	}
	for (int i = 0; i < 10; i++) {
		assert_int_equal(write(rig_last()->peer, buf, 50000), 50000);
		peer_run(&p);
	}
	assert_int_equal(p.n_in, 500000);
}

/* Servers that do not read: each connection is sent all that its window allows. Every byte that was
 * promised room is kept and delivered in the end. */
static void stalled_servers(void **state)
{
	const struct rig_conf conf = {.memory_max = CAP, .host_buffer = 4096};
	struct peer *p;
	uint64_t *sent;

	(void)state;
	rig_need_fds(2 * STALLED + 100);
	rig_start(&conf);
	p = open_all(STALLED);
	sent = calloc(STALLED, sizeof(*sent));
	for (bool is_any = true; is_any;) {
		is_any = false;
		for (size_t i = 0; i < STALLED; i++) {
			size_t left = p[i].snd_una + p[i].wnd - p[i].snd_nxt;
			size_t len = left < 1460 ? left : 1460;

			if (len > 0) {
				stream_fill(sent[i], buf, len);
				peer_data(&p[i], buf, len);
				sent[i] += len;
				is_any = true;
			}
			if (i % 32 == 31 || i == STALLED - 1)
				run_all(p, STALLED);
		}
	}
	assert_true(worker_memory(rig.worker) <= CAP);
	assert_true(worker_memory(rig.worker) >= STALLED * POOL_CHUNK / 2);
	for (size_t i = 0; i < STALLED; i++) {
		assert_int_equal(p[i].snd_una, p[i].snd_nxt); /* nothing was dropped */
		assert_false(p[i].is_reset);
	}
	assert_int_equal(rig_stat(STAT_DROP_MEMORY), 0);
	rig.host_buffer = 0;
	one_more(60000);
	for (size_t i = 0; i < STALLED; i++) {
		uint64_t got = 0;

		for (ssize_t n; (n = read(rig.sockets[i].peer, buf, sizeof(buf))) > 0;) {
			for (ssize_t k = 0; k < n; k++)
				assert_int_equal(buf[k], stream_byte(got + (uint64_t)k));
			got += (uint64_t)n;
			rig_settle();
		}
		assert_int_equal(got, sent[i]);
	}
	run_all(p, STALLED);
	assert_int_equal(worker_memory(rig.worker), 0);
	free(sent);
	free(p);
	rig_stop();
}

/* Containers that do not read: nothing of what the hosts have is held for them. */
static void stalled_containers(void **state)
{
	const struct rig_conf conf = {.memory_max = CAP};
	struct peer *p;

	(void)state;
	rig_need_fds(2 * STALLED + 100);
	rig_start(&conf);
	p = open_all(STALLED);
	stream_fill(0, buf, 60000);
	for (size_t i = 0; i < STALLED; i++) {
		p[i].own_wnd = 0;
		peer_send(&p[i], TCP_ACK, p[i].snd_nxt, NULL, 0);
		assert_int_equal(write(rig.sockets[i].peer, buf, 60000), 60000);
		if (i % 32 == 31 || i == STALLED - 1)
			run_all(p, STALLED);
	}
	assert_true(worker_memory(rig.worker) <= CAP / 8);
	one_more(60000);
	for (size_t i = 0; i < STALLED; i++) {
		p[i].own_wnd = 65535;
		peer_send(&p[i], TCP_ACK, p[i].snd_nxt, NULL, 0);
		if (i % 16 == 15 || i == STALLED - 1)
			run_all(p, STALLED);
	}
	for (size_t i = 0; i < STALLED; i++)
		assert_int_equal(p[i].n_in, 60000);
	assert_int_equal(worker_memory(rig.worker), 0);
	free(p);
	rig_stop();
}

/* A pool of a few chunks and many with much to read: all get everything, in turns. */
static void starved(void **state)
{
	const struct rig_conf conf = {.memory_max = 10 * POOL_CHUNK};
	enum { N = 40 };
	struct peer *p;

	(void)state;
	rig_start(&conf);
	p = open_all(N);
	stream_fill(0, buf, 65000);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(write(rig.sockets[i].peer, buf, 65000), 65000);
	run_all(p, N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(p[i].n_in, 65000);
		assert_true(p[i].sum_in == p[0].sum_in);
	}
	assert_int_equal(worker_memory(rig.worker), 0);
	free(p);
	rig_stop();
}

/* Private memory that is there, counted page by page: the numbers of statm are a sum over
 * processors that is off by some hundred KiB, and have the files that are mapped in them, which
 * come and go. */
static size_t resident(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long kib = 0;
	bool has = false;
	char line[256];

	assert_non_null(f);
	while (!has && fgets(line, sizeof(line), f))
		has = sscanf(line, "Anonymous: %lu kB", &kib) == 1;
	assert_int_equal(fclose(f), 0);
	assert_true(has);
	return (size_t)kib * 1024;
}

/* Each has carried bytes both ways before it became idle. */
static void idle(void **state)
{
	enum { N = 9000 };
	const struct rig_conf conf = {0};
	struct peer *p;
	size_t before, held;

	(void)state;
	rig_need_fds(2 * N + 100);
	rig_start(&conf);
	p = calloc(N, sizeof(*p));
	memset(p, 1, N * sizeof(*p));
	memset(rig.sockets, 0, N * sizeof(*rig.sockets));
	free(p);
	before = resident();
	p = open_all(N);
	for (size_t i = 0; i < N; i++) {
		peer_data(&p[i], buf, 1000);
		assert_int_equal(write(rig.sockets[i].peer, buf, 1000), 1000);
		if (i % 32 == 31 || i == N - 1)
			run_all(p, N);
	}
	assert_int_equal(worker_memory(rig.worker), 0);
	rig_pass(3000);
	held = resident() - before;
	assert_true(held >= N * 256); /* it is they that are measured */
#ifndef __SANITIZE_ADDRESS__
	assert_true(held <= N * (1024 + 64 + sizeof(*p)));
#endif
	free(p);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_table),      cmocka_unit_test(too_many_new),
		cmocka_unit_test(stalled_servers), cmocka_unit_test(stalled_containers),
		cmocka_unit_test(starved),         cmocka_unit_test(idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
