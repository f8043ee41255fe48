/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learn: members that may go to where names lead: the keeper hears of each answer first; what it
 * says, that it is silent, gone, full or another's program; and how many answers wait.
 */
#include "query_rig.h"

/* An answer with one address. */
static struct message address_of(void)
{
	struct message m = answer_of(0, 0);

	m.bytes[7] = 1;
	m.len += hex_bytes("c00c 0001 0001 0000012c 0004 c0000209", m.bytes + m.len, 16);
	return m;
}

static void with_keeper(void)
{
	table_entry_at(&s->table, web)->is_kept = true;
	learn_take_keeper(s, eventfd(0, EFD_CLOEXEC));
	assert_true(s->keeper_fd >= 0);
}

static void without_keeper(void)
{
	close(s->keeper_fd);
	s->keeper_fd = -1;
}

/* What the keeper was sent last, checked. */
static struct namesmsg_learn told(void)
{
	const struct ip want = hex_ip("192.0.2.9");
	struct namesmsg_learn m;

	assert_int_equal(k.asked.len, sizeof(m));
	memcpy(&m, k.asked.bytes, sizeof(m));
	assert_int_equal(m.version, NAMESMSG_VERSION);
	assert_string_equal(m.network, "n");
	assert_string_equal(m.key, "web@eth0");
	assert_string_equal(m.name, "ex.com");
	assert_int_equal(m.n_ip, 1);
	assert_true(ip_equal(&m.ip[0], &want));
	assert_int_equal(m.ttl_s[0], 300);
	return m;
}

static void keeper_says(const struct namesmsg_learn *to, int sys, size_t len)
{
	struct namesmsg_learned a = {.version = NAMESMSG_VERSION,
				     .kind = to->kind,
				     .index = to->index,
				     .gen = to->gen,
				     .sys = sys};

	memcpy(k.reply[0].bytes, &a, sizeof(a));
	k.reply[0].len = len;
	k.reply[0].sys = 0;
	k.n_reply = 1;
	k.reply_at = 0;
	learn_event(s);
}

static void test_learn(void **state)
{
	struct namesmsg_learn m;

	(void)state;
	with_keeper();
	for (int sys = 0; sys <= EIO; sys += EIO) {
		k.n_sent = 0;
		send_query(0x1234, "Ex", "10.1.0.2");
		reply(address_of());
		assert_int_equal(k.n_sent, 0);
		m = told();
		keeper_says(&m, sys, sizeof(struct namesmsg_learned));
		assert_int_equal(k.n_sent, 1);
		check_done(sys ? 2 : 0);
		assert_int_equal(table_entry_at(&s->table, web)->n_held, 0);
	}
	/* Said once more: nobody waits. */
	keeper_says(&m, 0, sizeof(struct namesmsg_learned));
	assert_int_equal(k.n_sent, 1);
	/* No address, or another member: the keeper is not asked. */
	send_query(0x1234, "ex", "10.1.0.2");
	reply(answer_of(0, 0));
	check_done(0);
	send_query(0x1234, "ex", "10.1.0.3");
	reply(address_of());
	check_done(0);
	assert_int_equal(k.n_sent, 3);
	without_keeper();
}

static void test_no_keeper(void **state)
{
	struct namesmsg_learn m;

	(void)state;
	table_entry_at(&s->table, web)->is_kept = true;
	send_query(0x1234, "ex", "10.1.0.2");
	reply(address_of());
	check_done(2);
	/* It is silent, and too late. */
	with_keeper();
	send_query(0x1234, "ex", "10.1.0.2");
	reply(address_of());
	m = told();
	s->now_ms += SERVER_LEARN_MS - 1;
	query_expire(s);
	assert_int_equal(s->queries.n_used, 1);
	s->now_ms++;
	query_expire(s);
	check_done(2);
	keeper_says(&m, 0, sizeof(struct namesmsg_learned));
	assert_int_equal(k.n_sent, 2);
	/* It speaks otherwise: it is none. */
	keeper_says(&m, 0, sizeof(struct namesmsg_learned) - 1);
	assert_int_equal(s->keeper_fd, -1);
	/* It cannot be told. */
	with_keeper();
	send_query(0x1234, "ex", "10.1.0.2");
	struct message a = address_of();
	k.send_errno = EAGAIN;
	reply(a);
	check_done(2);
	assert_true(s->keeper_fd >= 0);
	k.send_errno = 0;
	send_query(0x1234, "ex", "10.1.0.2");
	a = address_of();
	k.send_errno = EPIPE;
	reply(a);
	check_done(2);
	assert_int_equal(s->keeper_fd, -1);
	k.send_errno = 0;
}

static void test_held(void **state)
{
	(void)state;
	with_keeper();
	for (uint16_t i = 0; i <= SERVER_HELD_EACH; i++) {
		struct message m = query_of(i, "ex", "10.1.0.2", 40000);
		uint32_t at = 0;

		send_message(&m);
		m = address_of();
		for (uint32_t q = 0; (q = slots_next(&s->queries, q)) != SLOT_NONE; q++)
			if (((struct query *)slots_at(&s->queries, q))->fd >= 0)
				at = q;
		k.reply[0] = m;
		k.n_reply = 1;
		k.reply_at = 0;
		query_event(s, at, ((struct query *)slots_at(&s->queries, at))->slot.gen);
	}
	assert_int_equal(s->held.n_used, SERVER_HELD_EACH);
	assert_int_equal(k.n_sent, 1); /* one too many */
	assert_int_equal(k.sent.bytes[3] & 0xf, 2);
	query_forget(s, net, web);
	assert_int_equal(s->held.n_used, 0);
	assert_int_equal(table_entry_at(&s->table, web)->n_held, 0);
	without_keeper();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_learn),
		TEST(test_no_keeper),
		TEST(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
