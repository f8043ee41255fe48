/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer: bytes in, bytes out: names, addresses, what is nobody's, EDNS, what is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "names/answer.h"

#include "hex.h"

enum { A = 1, SOA = 6, PTR = 12, MX = 15, AAAA = 28, IXFR = 251, AXFR = 252, ANY = 255 };

static struct table t;
static uint8_t out[ANSWER_MAX];
static size_t out_len;
static struct answer_client client;
static const char *edns = ""; /* hex, appended to every query */
static uint32_t web;

static uint32_t put(uint32_t net, const char *key, uint32_t uid, const char *ip4, const char *ip6)
{
	struct ip ip[2] = {hex_ip(ip4), hex_ip(ip6 ? ip6 : "::1")};
	uint32_t e = SLOT_NONE;

	assert_int_equal(table_put_entry(&t, net, key, uid, ip, ip6 ? 2 : 1, &e), 0);
	return e;
}

static int set_up(void **state)
{
	struct table_net *n;

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(table_init(&t), 0);
	client = (struct answer_client){.net = table_add_net(&t, "n"), .has_resolvers = true};
	n = table_net_at(&t, client.net);
	n->n_subnet = 2;
	n->subnet[0] = (struct prefix){hex_ip("10.1.0.0"), 16};
	n->subnet[1] = (struct prefix){hex_ip("fd00::"), 64};
	web = client.entry = put(client.net, "web@eth0", 0, "10.1.0.2", "fd00::2");
	table_add_name(&t, web, "web");
	table_add_name(&t, web, "db.prod");
	edns = "";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_free(&t);
	return 0;
}

static size_t build(uint8_t *q, size_t size, const char *name, unsigned int type)
{
	size_t n = hex_bytes("1234 0100 0001 0000 0000 0000", q, size), at = 0;

	while (name[at]) {
		size_t len = strcspn(name + at, ".");

		q[n++] = (uint8_t)len;
		memcpy(q + n, name + at, len); /* the spelling stays */
		n += len;
		at += len + (name[at + len] == '.');
	}
	q[n++] = 0;
	q[n++] = (uint8_t)(type >> 8);
	q[n++] = (uint8_t)type;
	q[n++] = 0;
	q[n++] = 1;
	q[11] = *edns != '\0';
	return n + hex_bytes(edns, q + n, size - n);
}

static enum answer_verdict ask(const char *name, unsigned int type)
{
	uint8_t q[600];
	size_t n = build(q, sizeof(q), name, type);
	uint8_t *copy = hex_exact(q, n);
	enum answer_verdict v = answer_query(&t, &client, copy, n, out, &out_len);

	if (v == ANSWER_SEND) {
		struct dns d, asked;

		assert_int_equal(dns_parse(out, out_len, &d), 0);
		assert_int_equal(dns_parse(q, n, &asked), 0);
		assert_true(d.is_response && d.id == 0x1234);
		if (asked.question_len) /* to the letter */
			assert_memory_equal(d.question, asked.question, asked.question_len);
	}
	free(copy);
	return v;
}

static unsigned int rcode(void)
{
	return out[3] & 0xf;
}

static unsigned int n_answers(void)
{
	return (unsigned int)(out[6] << 8 | out[7]);
}

static void check(const char *name, unsigned int type, unsigned int want_rcode, unsigned int want_n)
{
	assert_int_equal(ask(name, type), ANSWER_SEND);
	assert_int_equal(rcode(), want_rcode);
	assert_int_equal(n_answers(), want_n);
}

static void test_names(void **state)
{
	(void)state;
	check("web", A, 0, 1);
	assert_memory_equal(out + out_len - 4, "\x0a\1\0\2", 4);
	assert_true(out[2] & 4); /* authoritative */
	assert_true(out[3] & 0x80);
	check("wEB", AAAA, 0, 1);
	check("db.PROD", A, 0, 1);
	check("web", ANY, 0, 2);
	check("web", MX, 0, 0); /* NODATA */
	check("web", SOA, 0, 0);
	assert_int_equal(ask("prod", A), ANSWER_FORWARD);
	assert_int_equal(ask("nobody", A), ANSWER_FORWARD);
	assert_int_equal(ask("www.example.com", A), ANSWER_FORWARD);
	client.has_resolvers = false;
	check("www.example.com", A, 2, 0);
	check("web", A, 0, 1);
}

static void test_one_family(void **state)
{
	uint32_t e = put(client.net, "v4@eth0", 0, "10.1.0.9", NULL);

	(void)state;
	table_add_name(&t, e, "v4");
	check("v4", A, 0, 1);
	check("v4", AAAA, 0, 0);
}

static void test_internal(void **state)
{
	(void)state;
	table_net_at(&t, client.net)->is_internal = true;
	check("web", A, 0, 1);
	assert_false(out[3] & 0x80); /* no recursion */
	check("nobody", A, 3, 0);
	check("www.example.com", A, 3, 0);
	check("prod", A, 0, 0); /* db.prod is below */
	check("rod", A, 3, 0);
	check("", A, 0, 0); /* all is below the root */
}

static void test_reverse(void **state)
{
	(void)state;
	check("2.0.1.10.in-addr.arpa", PTR, 0, 1);
	assert_memory_equal(out + out_len - 5, "\3web", 5);
	check("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", PTR, 0,
	      1);
	check("2.0.1.10.in-addr.arpa", A, 0, 0);
	check("3.0.1.10.in-addr.arpa", PTR, 3, 0);
	check("0.1.10.in-addr.arpa", PTR, 0, 0); /* above one that is there */
	check("9.1.10.in-addr.arpa", PTR, 3, 0);
	assert_int_equal(ask("10.in-addr.arpa", PTR), ANSWER_FORWARD); /* not ours alone */
	assert_int_equal(ask("1.2.0.192.in-addr.arpa", PTR), ANSWER_FORWARD);
}

static void test_users(void **state)
{
	uint32_t ann = put(client.net, "a@eth0", 7, "10.1.0.3", NULL);

	(void)state;
	table_add_name(&t, ann, "ann");
	assert_int_equal(ask("ann", A), ANSWER_FORWARD);
	check("3.0.1.10.in-addr.arpa", PTR, 3, 0);
	client.entry = ann;
	check("ann", A, 0, 1);
	assert_int_equal(ask("web", A), ANSWER_FORWARD);
	check("2.0.1.10.in-addr.arpa", PTR, 3, 0);
	client.entry = SLOT_NONE; /* nobody */
	check("ann", A, 5, 0);
	check("www.example.com", A, 5, 0);
}

static void test_refused(void **state)
{
	uint8_t q[64];
	size_t n;

	(void)state;
	check("web", AXFR, 5, 0);
	check("web", IXFR, 5, 0);
	n = build(q, sizeof(q), "web", A);
	q[n - 1] = 3; /* CHAOS */
	assert_int_equal(answer_query(&t, &client, q, n, out, &out_len), ANSWER_SEND);
	assert_int_equal(rcode(), 5);
	q[2] = 0x28; /* an update */
	assert_int_equal(answer_query(&t, &client, q, n, out, &out_len), ANSWER_SEND);
	assert_int_equal(rcode(), 4);
	q[2] = 0x81; /* an answer */
	assert_int_equal(answer_query(&t, &client, q, n, out, &out_len), ANSWER_DROP);
	assert_int_equal(answer_query(&t, &client, q, 11, out, &out_len), ANSWER_DROP);
	q[2] = 1;
	assert_int_equal(answer_query(&t, &client, q, n - 2, out, &out_len), ANSWER_SEND);
	assert_int_equal(rcode(), 1);
	assert_int_equal(out_len, DNS_HDR_LEN);
}

static void test_edns(void **state)
{
	static const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0};

	(void)state;
	edns = "00 0029 1000 00008000 0000";
	check("web", A, 0, 1);
	assert_int_equal(out[11], 1);
	assert_memory_equal(out + out_len - sizeof(opt), opt, sizeof(opt));
	edns = "00 0029 1000 00010000 0000"; /* a version that is not there yet */
	check("web", A, 0, 0);
	assert_int_equal(out[out_len - 6], 1); /* 16: the upper bits are in the option */
	edns = "00 0029 1000 00000000 0000 00";
	check("web", A, 0, 1); /* what is behind the last record is nobody's business */
}

/* 100 containers of one name. */
static void test_long(void **state)
{
	char key[32], ip[32];
	struct dns d;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "p%d@eth0", i);
		snprintf(ip, sizeof(ip), "10.1.1.%d", i);
		table_add_name(&t, put(client.net, key, 0, ip, NULL), "pool");
	}
	assert_int_equal(ask("pool", A), ANSWER_SEND);
	assert_int_equal(dns_parse(out, out_len, &d), 0);
	assert_true(d.is_truncated && out_len <= MSG_UDP_PLAIN);
	assert_in_range(n_answers(), 1, 99);
	edns = "00 0029 ffff 00000000 0000";
	assert_int_equal(ask("pool", A), ANSWER_SEND);
	assert_int_equal(dns_parse(out, out_len, &d), 0);
	assert_true(d.is_truncated && out_len <= MSG_UDP_MOST);
	assert_int_equal(out[out_len - 11], 0); /* the option has its room */
	assert_int_equal(out[out_len - 9], 41);
	client.is_stream = true;
	check("pool", A, 0, 100);
	assert_int_equal(dns_parse(out, out_len, &d), 0);
	assert_false(d.is_truncated);
}

/* Of several who comes first takes turns. */
static void test_turns(void **state)
{
	uint8_t first;

	(void)state;
	table_add_name(&t, put(client.net, "a@eth0", 0, "10.1.2.1", NULL), "pool");
	table_add_name(&t, put(client.net, "b@eth0", 0, "10.1.2.2", NULL), "pool");
	check("pool", A, 0, 2);
	first = out[out_len - 1];
	check("pool", A, 0, 2);
	assert_int_not_equal(out[out_len - 1], first);
}

static void test_cut(void **state)
{
	struct dns d;

	(void)state;
	check("web", A, 0, 1);
	out_len = answer_cut(out, out_len);
	assert_int_equal(dns_parse(out, out_len, &d), 0);
	assert_true(d.is_truncated);
	assert_int_equal(n_answers(), 0);
	assert_int_equal(out_len, DNS_HDR_LEN + d.question_len);
	assert_int_equal(answer_cut(out, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_internal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reverse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_edns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
