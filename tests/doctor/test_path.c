/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person asks `explain` for, and the steps that follow from what was seen. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/path.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		const char *ip; /* NULL: none */
		uint16_t port;
		uint8_t proto;
	} good[] = {
		{"80", NULL, 80, IPPROTO_TCP},
		{"65535/udp", NULL, 65535, IPPROTO_UDP},
		{"7/sctp", NULL, 7, IPPROTO_SCTP},
		{"192.0.2.1", "192.0.2.1", 0, IPPROTO_TCP},
		{"192.0.2.1:80", "192.0.2.1", 80, IPPROTO_TCP},
		{"192.0.2.1:80/udp", "192.0.2.1", 80, IPPROTO_UDP},
		{"2001:db8::1", "2001:db8::1", 0, IPPROTO_TCP},
		{"::1", "::1", 0, IPPROTO_TCP},
		{"[2001:db8::1]", "2001:db8::1", 0, IPPROTO_TCP},
		{"[2001:db8::1]:80/udp", "2001:db8::1", 80, IPPROTO_UDP},
	};
	static const char *const bad[] = {
		"",       "0",       "65536",        "80/",           "80/icmp",
		"eighty", "192.0.2", "192.0.2.1:",   "192.0.2.1:0",   ":80",
		"[::1",   "[::1]x",  "[::1]:",       "[]:80",         "192.0.2.1:80:90",
		"-80",    "80 ",     "192.0.2.1/24", "[192.0.2.1:80", "::1]:80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct explain_query q;
		struct ip ip = {0};

		if (explain_parse(good[i].text, &q, NULL) != 0)
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(q.port, good[i].port);
		assert_int_equal(q.proto, good[i].proto);
		if (good[i].ip)
			assert_int_equal(ip_parse(good[i].ip, &ip, NULL), 0);
		assert_memory_equal(&q.ip, &ip, sizeof(ip));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct explain_query q;
		struct err e = ERR_INIT;

		if (explain_parse(bad[i], &q, &e) == 0)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static struct facts *f;
static struct attachment a;
static struct explain_query q;
static struct path p;

/* A published port of a bridged container, with every stretch in order. */
static void whole(void)
{
	memset(f, 0, sizeof(*f));
	f->tables = TABLES_OK;
	a = (struct attachment){.phase = ATTACH_COMMITTED,
				.id = "web",
				.ifname = "eth0",
				.network = "default",
				.bridge = "nb-default",
				.host_ifname = "nu1",
				.addr = {{{AF_INET, {10, 77, 0, 2}}, 16}}};
	q = (struct explain_query){.port = 8080, .proto = IPPROTO_TCP};
	p = (struct path){
		.q = &q,
		.a = &a,
		.is_host = true,
		.run = {.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1},
		.ctr_port = 80,
		.f = f,
		.is_wanted = {true, false},
		.has_dnat = {SEEN_YES},
		.n_local = 1,
		.n_local_want = 1,
		.has_guard = SEEN_YES,
		.has_link = SEEN_YES,
		.is_link_up = SEEN_YES,
		.has_master = SEEN_YES,
		.has_route = {SEEN_YES},
		.can_enter = SEEN_YES,
		.has_inside = SEEN_YES,
		.is_inside_up = SEEN_YES,
		.has_addr = {SEEN_YES},
		.listener = "httpd (pid 7)",
	};
}

/* One step is missing, the one that says so; then the verdict. */
static void expect(const char *what)
{
	CLEAN_STEPS struct steps l = {0};
	size_t n = 0;

	path_steps(&p, &l);
	assert_true(l.n > 1);
	for (size_t i = 0; i + 1 < l.n; i++) {
		if (l.v[i].state != STEP_MISSING)
			continue;
		n++;
		if (!what || !strstr(l.v[i].text.p, what))
			fail_msg("missing: %s", l.v[i].text.p);
	}
	assert_int_equal(n, what ? 1 : 0);
	assert_int_equal(l.v[l.n - 1].state, what ? STEP_MISSING : STEP_OK);
	assert_non_null(strstr(l.v[l.n - 1].text.p, "verdict: 8080/tcp"));
}

static void test_steps(void **state)
{
	(void)state;
	whole();
	expect(NULL);
	whole();
	a.phase = ATTACH_INTENT;
	expect("half made");
	a.phase = ATTACH_LEAVING;
	expect("leaving");
	whole();
	f->tables = TABLES_ABSENT;
	expect("netns-up gc");
	whole();
	f->is_elsewhere = true;
	(void)snprintf(f->elsewhere, sizeof(f->elsewhere), "another's, says the engine");
	expect("another's, says the engine");
	whole();
	p.n_local = 0;
	expect("127.0.0.1");
	p.n_local_want = 0; /* such ports are not served there */
	expect(NULL);
	whole();
	p.has_dnat[FAM4] = SEEN_NO;
	expect("map entry");
	whole();
	p.has_route[FAM4] = SEEN_NO;
	expect("does not lead to nb-default");
	whole();
	p.has_link = SEEN_NO;
	expect("nu1 is gone");
	whole();
	p.is_link_up = SEEN_NO;
	expect("nu1 is down");
	whole();
	p.has_master = SEEN_NO;
	expect("no port of nb-default");
	whole();
	p.has_guard = SEEN_NO;
	expect("guard");
	a.is_unguarded = true;
	expect(NULL);
	whole();
	p.can_enter = SEEN_NO;
	expect(NULL); /* a note */
	whole();
	p.has_inside = SEEN_NO;
	expect("there is no eth0");
	whole();
	p.is_inside_up = SEEN_NO;
	expect("eth0 is down");
	whole();
	p.has_addr[FAM4] = SEEN_NO;
	expect("lacks 10.77.0.2");
	whole();
	p.listener[0] = '\0';
	expect("nobody listens on 80/tcp");
	whole();
	p.a = NULL;
	expect("no container publishes 8080/tcp");
	(void)snprintf(p.host_listener, sizeof(p.host_listener), "nginx (pid 3)");
	expect("on the host nginx (pid 3) listens there");
}

static void test_chains(void **state)
{
	static struct nftlook_chain c[3];
	CLEAN_STEPS struct steps l = {0};

	(void)state;
	whole();
	for (int i = 0; i < 3; i++)
		c[i] = (struct nftlook_chain){.family = LOOK_INET,
					      .is_base = true,
					      .is_filter = true,
					      .hook = LOOK_FORWARD,
					      .priority = i == 1 ? -5 : i};
	(void)snprintf(c[0].table, NFTLOOK_NAME, "netd");
	(void)snprintf(c[1].table, NFTLOOK_NAME, "first");
	(void)snprintf(c[2].table, NFTLOOK_NAME, "last");
	c[2].is_drop = true;
	f->rules = (struct nftlook){.chain = c, .n_chain = 3};
	expect("inet last");
	path_steps(&p, &l);
	const char *const order[] = {"first", "netd", "last"};
	size_t k = 0;
	for (size_t i = 0; i < l.n; i++)
		if (strncmp(l.v[i].text.p, "forward", 7) == 0)
			assert_non_null(strstr(l.v[i].text.p, order[k++]));
	assert_int_equal(k, 3);
	/* Through an internal network nothing is forwarded. */
	a.internal = true;
	expect(NULL);
}

static int setup(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	return f ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_chains),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
