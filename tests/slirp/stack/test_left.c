/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker that died leaves of connections: the next one asks each end in the container, and
 * the answer is reset; frame by frame through a whole worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stack/internal.h"
#include "stack/rig.h"
#include "tcp/flow.h"
#include "tcp/left.h"

#define HEAD (LEFT_BYTES + 4096) /* of the file, before the slots */
#define AT_N_EVER (LEFT_BYTES + 12)
#define LEFT_MAX 65536u
#define MANY 200

static struct rig_packet packet;

/* The memory of a worker as it is now, which dies: what it does at an orderly end is not to count.
 */
static int killed(int file)
{
	int copy = memfd_create("left", MFD_CLOEXEC);
	struct stat st;
	char *p;

	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(ftruncate(copy, st.st_size), 0);
	p = malloc(65536);
	for (off_t at = 0; (at = lseek(file, at, SEEK_DATA)) >= 0;) {
		ssize_t n = pread(file, p, 4096, at);

		assert_int_equal(pwrite(copy, p, (size_t)n, at), n);
		at += n;
	}
	free(p);
	rig_stop();
	close(file);
	return copy;
}

static int start(int file)
{
	struct rig_conf c = {.kept_fd = file};

	rig_start(&c);
	return file;
}

/* All questions that are there now; each must be of one of the peers, which is counted there. */
static unsigned questions(struct peer *const p[], unsigned n[], size_t n_peers)
{
	unsigned all = 0;

	while (rig_read(&packet)) {
		size_t i = 0;

		assert_int_equal(packet.ip.proto, IPPROTO_TCP);
		while (i < n_peers &&
		       (packet.tcp.dport != p[i]->sport || !ip_equal(&packet.ip.src, &p[i]->dst)))
			i++;
		assert_true(i < n_peers);
		assert_int_equal(packet.tcp.flags, TCP_ACK);
		assert_int_equal(packet.tcp.seq, p[i]->rcv_nxt - 1);
		assert_int_equal(packet.tcp.ack, p[i]->snd_nxt);
		assert_int_equal(packet.len, 0);
		n[i]++;
		all++;
	}
	return all;
}

/* Its answer, as to any keep-alive probe, and what follows: a reset with the right number. */
static void answer(struct peer *p)
{
	peer_send(p, TCP_ACK, p->snd_nxt, NULL, 0);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags & (TCP_RST | TCP_SYN | TCP_FIN), TCP_RST);
	assert_int_equal(packet.tcp.seq, p->rcv_nxt);
	assert_int_equal(packet.tcp.dport, p->sport);
	assert_false(rig_read(&packet));
}

static void reset_both(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer four, six, closed, half;
	struct peer *const all[] = {&four, &six, &half};
	unsigned n[3] = {0};

	(void)state;
	peer_init(&four, "198.51.100.1", 80, 40001);
	peer_init(&six, "2001:db8::1", 80, 40002);
	peer_init(&closed, "198.51.100.2", 80, 40003);
	peer_init(&half, "198.51.100.2", 80, 40004);
	peer_open(&four);
	peer_data(&four, "hello", 5);
	peer_run(&four);
	peer_open(&six);
	assert_int_equal(write(rig_last()->peer, "word", 4), 4);
	peer_run(&six);
	assert_int_equal(six.n_in, 4);
	/* One that both sides have ended, one that one has, and one that the host has not answered.
	 */
	peer_open(&closed);
	close(rig_last()->peer);
	rig_last()->peer = -1;
	peer_run(&closed);
	peer_fin(&closed);
	peer_run(&closed);
	peer_open(&half);
	peer_fin(&half);
	peer_run(&half);
	rig.how = RIG_PENDING;
	{
		struct peer held;

		peer_init(&held, "198.51.100.3", 80, 40005);
		peer_syn(&held);
		rig_settle();
	}
	file = start(killed(file));
	rig_settle();
	assert_int_equal(questions(all, n, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(n[i], 1);
	assert_int_equal(rig_stat(STAT_TCP_LEFT), 3);
	answer(&four);
	answer(&six);
	/* An answer that was lost is asked for again, after pauses that grow, and that is all. */
	for (unsigned pause = 1000; pause <= 8000; pause *= 2) {
		rig_pass(pause + 100);
		assert_int_equal(questions(all, n, 3), 3);
	}
	answer(&half);
	rig_pass(60000);
	assert_int_equal(questions(all, n, 3), 0);
	rig_stop();
	close(file);
}

/* One that the container has opened anew by then is no business of the question's. */
static void opened_again(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer old, new;
	struct peer *const all[] = {&old};
	unsigned n[1] = {0};

	(void)state;
	peer_init(&old, "198.51.100.1", 80, 40001);
	peer_open(&old);
	file = start(killed(file));
	rig_settle();
	assert_int_equal(questions(all, n, 1), 1);
	peer_init(&new, "198.51.100.1", 80, 40001);
	new.iss += 1 << 20;
	new.snd_nxt = new.snd_una = new.iss;
	peer_open(&new);
	rig_pass(3000);
	peer_run(&new);
	assert_int_equal(new.n_probes, 0);
	assert_false(new.is_reset);
	peer_data(&new, "x", 1);
	peer_run(&new);
	assert_int_equal(new.snd_una, new.snd_nxt);
	rig_stop();
	close(file);
}

/* Clients whose addresses are of the container's own link, which it may not connect to: asked and
 * reset as any, and found at our address for as long as that takes. */
static void near(void **state)
{
	static const char *const clients[] = {"10.0.2.7", "fd00::7", "fe80::7"};
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer p[3];
	struct peer *const all[] = {&p[0], &p[1], &p[2]};
	unsigned n[3] = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct flow_key k;

		peer_init(&p[i], clients[i], 51000, 80);
		k = (struct flow_key){
			.guest = p[i].src, .peer = p[i].dst, .guest_port = 80, .peer_port = 51000};
		assert_int_equal(tcp_dial(rig.worker->tcp, &k, rig_accepted()->fd, NULL, rig.now),
				 0);
		rig_settle();
		assert_true(rig_read(&packet));
		assert_int_equal(packet.tcp.flags, TCP_SYN);
		p[i].rcv_nxt = packet.tcp.seq + 1;
		peer_send(&p[i], TCP_SYN | TCP_ACK, p[i].iss, NULL, 0);
		p[i].snd_nxt = p[i].snd_una = p[i].iss + 1;
		peer_run(&p[i]);
	}
	file = start(killed(file));
	rig_settle();
	assert_int_equal(questions(all, n, 3), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(n[i], 1);
		assert_true(emit_is_near(rig.worker->emit, &p[i].dst));
		answer(&p[i]);
	}
	assert_int_equal(rig_stat(STAT_DROP_POLICY), 0);
	rig_pass(60000);
	assert_int_equal(questions(all, n, 3), 12);
	for (size_t i = 0; i < 3; i++) {
		assert_false(emit_is_near(rig.worker->emit, &p[i].dst));
		peer_send(&p[i], TCP_ACK, p[i].snd_nxt, NULL, 0);
	}
	rig_settle();
	assert_false(rig_read(&packet)); /* nobody is there any more */
	rig_stop();
	close(file);
}

/* The handshake's last segment died with the worker, and the tap: the container's end is open. */
static void just_opened(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer p;
	struct peer *const all[] = {&p};
	unsigned n[1] = {0};

	(void)state;
	peer_init(&p, "198.51.100.1", 80, 40001);
	peer_syn(&p);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_SYN | TCP_ACK);
	p.rcv_nxt = packet.tcp.seq + 1;
	p.snd_nxt = packet.tcp.ack;
	file = start(killed(file));
	rig_settle();
	assert_int_equal(questions(all, n, 1), 1);
	answer(&p);
	rig_stop();
	close(file);
}

/* Bytes of the file that are memory. */
static size_t in_memory(int file)
{
	struct stat st;

	assert_int_equal(fstat(file, &st), 0);
	return (size_t)st.st_blocks * 512;
}

/* Many are asked some at a time; a third worker asks again whom the second had not asked often
 * enough when it died, and a fourth nobody. */
static void many(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	static struct peer peer[MANY];
	struct peer *all[MANY];
	unsigned n[MANY] = {0};

	(void)state;
	for (int i = 0; i < MANY; i++) {
		peer_init(&peer[i], "198.51.100.1", 80, (uint16_t)(40000 + i));
		peer_open(&peer[i]);
		all[i] = &peer[i];
	}
	file = start(killed(file));
	rig_settle();
	assert_in_range(questions(all, n, MANY), 1, MANY / 2);
	rig_pass(900);
	(void)questions(all, n, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(n[i], 1);
	file = start(killed(file));
	for (int i = 0; i < 40; i++) {
		rig_pass(1000);
		(void)questions(all, n, MANY);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(n[i], 6);
	assert_int_equal(in_memory(file), sysconf(_SC_PAGESIZE)); /* the table's first */
	file = start(killed(file));
	rig_pass(5000);
	assert_int_equal(questions(all, n, MANY), 0);
	rig_stop();
	close(file);
}

/* A worker that dies before it has asked anybody often enough: the next one asks for its own, those
 * of the one before, and both where the container opened one anew in between. */
static void twice(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer old, again, new, now;
	unsigned n_old = 0, n_again[2] = {0}, n_new = 0;

	(void)state;
	peer_init(&old, "198.51.100.1", 80, 40001);
	peer_open(&old);
	peer_init(&again, "198.51.100.1", 80, 40002);
	peer_open(&again);
	file = start(killed(file));
	assert_int_equal(rig_stat(STAT_TCP_LEFT), 2);
	while (rig_read(&packet))
		;
	peer_init(&new, "198.51.100.1", 80, 40003);
	peer_open(&new);
	peer_init(&now, "198.51.100.1", 80, 40002);
	now.iss += 1 << 20;
	now.snd_nxt = now.snd_una = now.iss;
	peer_open(&now);
	file = start(killed(file));
	assert_int_equal(rig_stat(STAT_TCP_LEFT), 4);
	rig_settle();
	while (rig_read(&packet)) {
		assert_int_equal(packet.tcp.flags, TCP_ACK);
		n_old += packet.tcp.dport == 40001 && packet.tcp.seq == old.rcv_nxt - 1;
		n_again[0] += packet.tcp.dport == 40002 && packet.tcp.seq == again.rcv_nxt - 1;
		n_again[1] += packet.tcp.dport == 40002 && packet.tcp.seq == now.rcv_nxt - 1;
		n_new += packet.tcp.dport == 40003 && packet.tcp.seq == new.rcv_nxt - 1;
	}
	assert_int_equal(n_old, 1);
	assert_int_equal(n_again[0], 1);
	assert_int_equal(n_again[1], 1);
	assert_int_equal(n_new, 1);
	answer(&old);
	answer(&now);
	answer(&new);
	/* At an orderly end there is nobody but those of the table that are told of no more. */
	rig_stop();
	start(file);
	assert_int_equal(rig_stat(STAT_TCP_LEFT), 4);
	rig_pass(60000);
	rig_stop();
	start(file);
	assert_int_equal(rig_stat(STAT_TCP_LEFT), 0);
	rig_stop();
	close(file);
}

/* Where two stand in the file: how far the second is from the first. */
static size_t size_of_one(int file)
{
	uint32_t mark, other = 0;
	size_t at = 0;

	assert_int_equal(pread(file, &mark, sizeof(mark), 0), sizeof(mark));
	assert_true(mark != 0);
	do {
		at += 4;
		assert_int_equal(pread(file, &other, sizeof(other), (off_t)at), sizeof(other));
	} while (other != mark && at < 4096);
	assert_true(at < 4096);
	return at;
}

static void open_two(struct peer p[2])
{
	for (int i = 0; i < 2; i++) {
		peer_init(&p[i], "198.51.100.1", 80, (uint16_t)(40001 + i));
		peer_open(&p[i]);
	}
}

/* More than there is room for: the oldest make way. */
static void too_many(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer p[2], newest;
	uint8_t one[4096];
	size_t size;

	(void)state;
	open_two(p);
	file = start(killed(file));
	peer_init(&newest, "198.51.100.1", 80, 40003);
	while (rig_read(&packet))
		;
	peer_open(&newest);
	file = killed(file);
	size = size_of_one(file);
	assert_int_equal(pread(file, one, size, 0), size);
	for (size_t i = 1; i < LEFT_MAX; i++)
		assert_int_equal(pwrite(file, one, size, (off_t)(i * size)), size);
	start(file);
	assert_int_equal(rig_stat(STAT_TCP_LEFT), LEFT_MAX);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.dport, 40003);
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.dport, 40001);
	rig_stop();
	close(file);
}

/* Where files may not be as long as it would be (ulimit -f) there is none, and all else is as ever;
 * what is in it already is asked for. */
static void too_long(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer old, new;
	struct peer *const all[] = {&old};
	unsigned n[1] = {0};
	struct rlimit before, shorter;

	(void)state;
	peer_init(&old, "198.51.100.1", 80, 40001);
	peer_open(&old);
	file = killed(file);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	shorter = (struct rlimit){.rlim_cur = 65536, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &shorter), 0);
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	start(file);
	assert_false(tcp_is_kept(rig.worker->tcp));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	rig_settle();
	assert_int_equal(questions(all, n, 1), 1);
	answer(&old);
	peer_init(&new, "198.51.100.1", 80, 40002);
	peer_open(&new);
	peer_data(&new, "x", 1);
	peer_run(&new);
	assert_int_equal(new.snd_una, new.snd_nxt);
	rig_stop();
	close(file);
}

/* Whatever a dying worker has left in it: nothing of it is believed that would do harm. */
static void garbage(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer p;
	struct stat st;

	(void)state;
	peer_init(&p, "198.51.100.1", 80, 40001);
	peer_open(&p);
	file = killed(file);
	assert_int_equal(fstat(file, &st), 0);
	srand(7);
	for (int round = 0; round < 200; round++) {
		uint8_t slot[sizeof(struct tcp_flow)];
		uint32_t n_ever = 1;
		struct rig_conf c = {.kept_fd = file};

		for (size_t i = 0; i < sizeof(slot); i++)
			slot[i] = (uint8_t)rand();
		slot[offsetof(struct tcp_flow, node.next) + 3] &= 0x7f; /* in use */
		slot[offsetof(struct tcp_flow, tcb.state)] = TCP_ESTABLISHED;
		if (round & 1)
			slot[offsetof(struct tcp_flow, node.key.guest.family)] = AF_INET;
		assert_int_equal(pwrite(file, slot, sizeof(slot), HEAD), sizeof(slot));
		assert_int_equal(pwrite(file, &n_ever, sizeof(n_ever), AT_N_EVER), sizeof(n_ever));
		rig_start(&c);
		rig_settle();
		assert_true(rig_stat(STAT_TCP_LEFT) <= 1);
		rig_stop();
	}
	close(file);
}

/* The same of what stands there to be asked. */
static void garbage_again(void **state)
{
	int file = start(memfd_create("flows", MFD_CLOEXEC));
	struct peer p[2];
	size_t size;

	(void)state;
	open_two(p);
	file = start(killed(file));
	file = killed(file);
	size = size_of_one(file);
	srand(8);
	for (int round = 0; round < 200; round++) {
		uint8_t some[4096], whole[4096];
		size_t n = sizeof(some) / size, n_spoilt;

		assert_true(pread(file, whole, size, 0) == (ssize_t)size);
		for (size_t i = 0; i < n; i++) {
			memcpy(some + i * size, whole, size);
			/* Not what marks it; anything else, or a few bytes. */
			n_spoilt = round & 1 ? size - 4 : (size_t)rand() % 4;
			for (size_t k = 0; i > 0 && k < n_spoilt; k++)
				some[i * size + 4 + (size_t)rand() % (size - 4)] = (uint8_t)rand();
		}
		assert_int_equal(pwrite(file, some, n * size, 0), n * size);
		start(file);
		assert_in_range(rig_stat(STAT_TCP_LEFT), 1, n);
		rig_pass(100);
		rig_stop();
	}
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_both), cmocka_unit_test(opened_again),
		cmocka_unit_test(near),       cmocka_unit_test(just_opened),
		cmocka_unit_test(many),       cmocka_unit_test(too_long),
		cmocka_unit_test(garbage),    cmocka_unit_test(twice),
		cmocka_unit_test(too_many),   cmocka_unit_test(garbage_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
