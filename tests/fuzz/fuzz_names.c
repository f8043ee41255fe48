/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_names: one query of a member, a user's member and a stranger, over UDP and TCP, in a network
 * with a way out and in one without. What is answered is an answer to it, within its limits; what
 * is forwarded is sound. Then the same bytes as a resolver's answer that is cut short.
 */
#include <string.h>

#include "names/answer.h"

#include "fuzz.h"

static struct table t;
static uint32_t nets[2], members[2][2];

static void set_up(void)
{
	static const uint32_t uids[] = {0, 7};

	MUST(table_init(&t) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		nets[i] = table_add_net(&t, i ? "in" : "out");
		struct table_net *n = table_net_at(&t, nets[i]);
		n->is_internal = i;
		n->n_subnet = 1;
		n->subnet[0] = (struct prefix){{AF_INET, {10, 1}}, 16};
		for (uint8_t k = 0; k < 2; k++) {
			struct ip ip[] = {{AF_INET, {10, 1, 0, k}}, {AF_INET6, {0xfd, [15] = k}}};

			MUST(table_put_entry(&t, nets[i], k ? "b@eth0" : "a@eth0", uids[k], ip, 2,
					     &members[i][k]) == 0);
			table_add_name(&t, members[i][k], "web");
			table_add_name(&t, members[i][k], "db.prod");
		}
	}
}

static void one(const uint8_t *data, size_t size, const struct answer_client *c)
{
	static uint8_t out[ANSWER_MAX];
	struct msg m;
	struct dns d;
	size_t n = 0;

	switch (answer_query(&t, c, data, size, out, &n)) {
	case ANSWER_DROP:
		MUST(msg_parse(data, size, &m) < 0);
		break;
	case ANSWER_FORWARD:
		MUST(msg_parse(data, size, &m) == 0 && m.dns.question_len > 0);
		MUST(c->entry != SLOT_NONE && c->net == nets[0] && size <= MSG_QUERY_MAX);
		break;
	case ANSWER_SEND:
		MUST(msg_parse(data, size, &m) == 0 && dns_parse(out, n, &d) == 0);
		MUST(d.is_response && d.id == m.dns.id && d.opcode == m.dns.opcode);
		MUST(d.question_len == m.dns.question_len);
		MUST(c->is_stream || n <= (m.has_opt ? MSG_UDP_MOST : MSG_UDP_PLAIN));
		MUST(d.question_len == 0 ||
		     memcmp(d.question, m.dns.question, d.question_len) == 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[ANSWER_MAX];
	struct answer_client c = {.has_resolvers = true};

	if (!t.nets.max)
		set_up();
	for (int i = 0; i < 12; i++) {
		c.net = nets[i / 6];
		c.entry = i % 3 < 2 ? members[i / 6][i % 3] : SLOT_NONE;
		c.is_stream = i / 3 % 2;
		one(data, size, &c);
	}
	if (size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	size_t n = answer_cut(copy, size);
	MUST(n <= size && (n == 0 || (copy[2] & 2)));
	return 0;
}
