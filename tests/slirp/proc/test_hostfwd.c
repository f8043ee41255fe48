/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostfwd: the arguments of requests for published ports, each wrong in its turn, what an entry of
 * the answers says, lists of specifications (pasta's too); and no memory: no entry and no list of
 * which a part is missing.
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

#include <cmocka.h>

#include "base/json.h"
#include "lack.h"
#include "proc/hostfwd.h"
#include "proc/pasta_ports.h"

static struct ip ip(const char *text)
{
	struct ip a;

	assert_int_equal(ip_parse(text, &a, NULL), 0);
	return a;
}

/* With ' in the place of ". */
static json_t *doc_of(const char *text)
{
	char copy[512];
	json_t *doc = NULL;

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	assert_int_equal(json_parse(copy, strlen(copy), &doc, NULL), 0);
	return doc;
}

static struct plan plan(void)
{
	struct plan p = {0};

	p.guest[FAM4] = ip("10.0.2.100");
	p.guest[FAM6] = ip("fd00::100");
	return p;
}

static const char *parse(const char *text, struct publish *p, struct ip *guest)
{
	CLEAN_JSON json_t *doc = doc_of(text);
	const struct plan pl = plan();

	return hostfwd_parse(doc, &pl, p, guest, NULL);
}

#define PORTS "'host_port':8080,'guest_port':80"

static void test_taken(void **state)
{
	static const struct {
		const char *rest, *host, *guest;
		uint8_t proto;
	} table[] = {
		{"'proto':'tcp'", "0.0.0.0", "10.0.2.100", IPPROTO_TCP},
		{"'proto':'udp4'", "0.0.0.0", "10.0.2.100", IPPROTO_UDP},
		{"'proto':'tcp6'", "::", "fd00::100", IPPROTO_TCP},
		{"'proto':'udp6','host_addr':'::1','guest_addr':'fd00::7'", "::1", "fd00::7",
		 IPPROTO_UDP},
		{"'proto':'tcp','host_addr':null,'guest_addr':null", "0.0.0.0", "10.0.2.100",
		 IPPROTO_TCP},
		{"'proto':'tcp4','host_addr':'','guest_addr':''", "0.0.0.0", "10.0.2.100",
		 IPPROTO_TCP},
		{"'proto':'udp','host_addr':'127.0.0.1','guest_addr':'0.0.0.0'", "127.0.0.1",
		 "10.0.2.100", IPPROTO_UDP},
	};
	struct publish p;
	struct ip guest;
	char text[256], s[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(text, sizeof(text), "{%s," PORTS "}", table[i].rest);
		assert_null(parse(text, &p, &guest));
		assert_string_equal(ip_str(&p.host_ip, s), table[i].host);
		assert_string_equal(ip_str(&guest, s), table[i].guest);
		assert_int_equal(p.proto, table[i].proto);
		assert_int_equal(p.host_port, 8080);
		assert_int_equal(p.ctr_port, 80);
		assert_int_equal(p.count, 1);
	}
	assert_null(
		parse("{'proto':'tcp','host_port':'1-65535','guest_port':'1-65535'}", &p, &guest));
	assert_int_equal(p.count, 65535);
	assert_null(parse("{'proto':'tcp','host_port':80.0,'guest_port':8e1}", &p, &guest));
	assert_int_equal(p.ctr_port, 80);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *name;
	} table[] = {
		{"{" PORTS "}", "proto"},
		{"{'proto':7," PORTS "}", "proto"},
		{"{'proto':'TCP'," PORTS "}", "proto"},
		{"{'proto':'tcp','host_addr':7," PORTS "}", "host_addr"},
		{"{'proto':'tcp','host_addr':'x'," PORTS "}", "host_addr"},
		{"{'proto':'tcp','host_addr':'::'," PORTS "}", "host_addr"},
		{"{'proto':'tcp6','host_addr':'0.0.0.0'," PORTS "}", "host_addr"},
		{"{'proto':'tcp','guest_addr':7," PORTS "}", "guest_addr"},
		{"{'proto':'tcp','guest_addr':'fd00::1'," PORTS "}", "guest_addr"},
		{"{'proto':'tcp','guest_addr':'127.0.0.1'," PORTS "}", "guest_addr"},
		{"{'proto':'tcp','guest_addr':'224.0.0.1'," PORTS "}", "guest_addr"},
		{"{'proto':'tcp','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':0,'guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':65536,'guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':1.5,'guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':true,'guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':'80','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':'0-1','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':'2-1','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':'1-','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':'1-65536','guest_port':80}", "host_port"},
		{"{'proto':'tcp','host_port':80}", "guest_port"},
		{"{'proto':'tcp','host_port':'80-81','guest_port':80}", "guest_port"},
		{"{'proto':'tcp','host_port':'80-81','guest_port':'1-3'}", "guest_port"},
	};
	struct publish p = {.count = 99};
	struct ip guest = {.family = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *name = parse(table[i].text, &p, &guest);

		if (!name || strcmp(name, table[i].name) != 0)
			fail_msg("%s: %s", table[i].text, name ? name : "taken");
		assert_int_equal(p.count, 99);
		assert_int_equal(guest.family, 99);
	}
}

/* Of a family that the container has not got. */
static void test_no_guest(void **state)
{
	CLEAN_JSON json_t *six = doc_of("{'proto':'tcp6'," PORTS "}"),
			  *any = doc_of("{'proto':'tcp6','guest_addr':'::'," PORTS "}");
	struct plan pl = plan();
	struct publish p;
	struct ip guest;

	(void)state;
	pl.guest[FAM6] = (struct ip){0};
	assert_string_equal(hostfwd_parse(six, &pl, &p, &guest, NULL), "guest_addr");
	assert_string_equal(hostfwd_parse(any, &pl, &p, &guest, NULL), "guest_addr");
}

static struct published_rule rule(const char *host, const char *guest4, uint16_t count)
{
	struct published_rule r = {.id = 7, .p = {.proto = IPPROTO_TCP}};

	r.p.host_port = 8080;
	r.p.ctr_port = 80;
	r.p.count = count;
	if (host)
		r.p.host_ip = ip(host);
	if (guest4)
		r.guest[FAM4] = ip(guest4);
	r.guest[FAM6] = ip("fd00::100");
	r.n_sockets = 2;
	return r;
}

static void check(json_t *o, const char *want)
{
	CLEAN_JSON json_t *wanted = doc_of(want);
	CLEAN_JSON json_t *got = o;

	assert_non_null(got);
	if (!json_equal(got, wanted))
		fail_msg("%s", json_dumps(got, 0));
}

static void test_entries(void **state)
{
	struct published_rule r = rule(NULL, "10.0.2.100", 1);

	(void)state;
	check(hostfwd_entry(&r), "{'id':7,'proto':'tcp','host_addr':'0.0.0.0','host_port':8080,"
				 "'guest_addr':'10.0.2.100','guest_port':80}");
	r = rule("::1", "10.0.2.100", 3);
	check(hostfwd_entry(&r), "{'id':7,'proto':'tcp6','host_addr':'::1','host_port':'8080-8082',"
				 "'guest_addr':'fd00::100','guest_port':'80-82'}");
	r = rule("192.0.2.1", NULL, 1);
	r.guest[FAM6] = (struct ip){0};
	check(hostfwd_entry(&r), "{'id':7,'proto':'tcp','host_addr':'192.0.2.1','host_port':8080,"
				 "'guest_addr':'','guest_port':80}");
	r.is_auto = true;
	r.tally = (struct port_tally){.flows = 1, .in = 2, .out = 3};
	check(hostfwd_rule(&r),
	      "{'id':7,'spec':'192.0.2.1:8080:80/tcp','proto':'tcp','sockets':2,'flows':1,"
	      "'bytes_in':2,'bytes_out':3,'host_addr':'192.0.2.1','host_port':8080,'guest_port':80,"
	      "'auto':true}");
	r = rule(NULL, NULL, 2);
	check(hostfwd_rule(&r),
	      "{'id':7,'spec':'8080-8081:80-81/tcp','proto':'tcp','sockets':2,'flows':0,"
	      "'bytes_in':0,'bytes_out':0,'host_port':'8080-8081','guest_port':'80-81'}");
}

static void test_entries_without_memory(void **state)
{
	struct published_rule r = rule("192.0.2.1", "10.0.2.100", 2);

	(void)state;
	r.is_auto = true;
	for (int which = 0; which < 2; which++) {
		CLEAN_JSON json_t *whole = which ? hostfwd_rule(&r) : hostfwd_entry(&r);
		bool has_failed = true;

		for (size_t nth = 1; has_failed; nth++) {
			CLEAN_JSON json_t *o = NULL;

			lack_begin(nth, false);
			o = which ? hostfwd_rule(&r) : hostfwd_entry(&r);
			has_failed = lack_end();
			assert_int_equal(o == NULL, has_failed);
			assert_true(has_failed || json_equal(o, whole));
		}
	}
}

static int parse_list(const char *text, struct publish_list *l, struct err *e)
{
	CLEAN_JSON json_t *doc = doc_of(text);

	return hostfwd_parse_list(doc, l, e);
}

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} bad[] = {
		{"{}", ERR_PROTOCOL},
		{"{'ports':7}", ERR_PROTOCOL},
		{"{'ports':[]}", ERR_PROTOCOL},
		{"{'ports':[7]}", ERR_PROTOCOL},
		{"{'ports':['x']}", ERR_USAGE},
		{"{'ports':['80:80/sctp']}", ERR_UNSUPPORTED},
		{"{'ports':['80:80','80:81']}", ERR_USAGE},
	};
	CLEAN_PUBLISH_LIST struct publish_list good = {0};

	(void)state;
	assert_int_equal(parse_list("{'ports':['80:80','81:81/udp']}", &good, NULL), 0);
	assert_int_equal(good.n, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CLEAN_PUBLISH_LIST struct publish_list l = {0};
		struct err e = ERR_INIT;

		assert_true(parse_list(bad[i].text, &l, &e) < 0);
		if (e.kind != bad[i].kind)
			fail_msg("%s: %s: %s", bad[i].text, err_kind_name(e.kind), e.text);
	}
}

static void test_lists_without_memory(void **state)
{
	CLEAN_JSON json_t *doc = doc_of("{'ports':['80:80','81:81/udp']}");
	bool has_failed = true;

	(void)state;
	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_PUBLISH_LIST struct publish_list l = {0}, pasta = {0};
		enum pasta_ports kind = PASTA_PORTS_AUTO;
		struct err e = ERR_INIT;
		int r;

		lack_begin(nth, false);
		r = hostfwd_parse_list(doc, &l, &e);
		has_failed = lack_end();
		assert_int_equal(r, has_failed ? -ENOMEM : 0);
		assert_int_equal(e.kind, has_failed ? ERR_INTERNAL : ERR_NONE);
		e = (struct err)ERR_INIT;
		lack_begin(nth, false);
		r = pasta_ports_parse("20-30,~25,40", IPPROTO_TCP, &pasta, &kind, &e);
		has_failed |= lack_end();
		if (r == 0) {
			assert_int_equal(pasta.n, 3);
			assert_int_equal(kind, PASTA_PORTS_RUNS);
			continue;
		}
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_int_equal(kind, PASTA_PORTS_AUTO);
	}
}

/* Words that are longer than is shown of them, and addresses that are longer than any. */
static void test_long_words(void **state)
{
	static const char *const heads[] = {"", "~", "1-2:", "fe80::1%", "[::"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		for (int slash = 0; slash < 2; slash++) {
			CLEAN_PUBLISH_LIST struct publish_list l = {0};
			enum pasta_ports kind = PASTA_PORTS_AUTO;
			struct err e = ERR_INIT;
			int n = snprintf(text, sizeof(text), "%s", heads[i]);

			memset(text + n, '1', 200);
			strcpy(text + n + 200, slash ? "/80" : "");
			assert_true(pasta_ports_parse(text, IPPROTO_TCP, &l, &kind, &e) < 0);
			assert_int_equal(kind, PASTA_PORTS_AUTO);
			assert_int_equal(l.n, 0);
			assert_true(strlen(e.text) < 200);
		}
	CLEAN_PUBLISH_LIST struct publish_list l = {0};
	enum pasta_ports kind = PASTA_PORTS_AUTO;
	struct err e = ERR_INIT;

	assert_true(pasta_ports_parse("1-3:1-2", IPPROTO_TCP, &l, &kind, &e) < 0);
	assert_non_null(strstr(e.text, "different length"));
	assert_int_equal(pasta_ports_parse("~80", IPPROTO_TCP, &l, &kind, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_int_equal(pasta_ports_parse("all", IPPROTO_TCP, &l, &kind, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_guest),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_entries_without_memory),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_without_memory),
		cmocka_unit_test(test_long_words),
	};

	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
