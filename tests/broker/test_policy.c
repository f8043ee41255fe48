/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: what its lines mean, that every error in them denies, which rule decides, limits and
 * their edges, and which files are believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/policy.h"

#define USUAL_CAPS " conns=4096 conn-rate=500 in-conns=8192 in-conn-rate=2000"

static int find_name(const char *name, bool is_group, uint32_t *ret, void *arg)
{
	(void)arg;
	if (strcmp(name, is_group ? "devs" : "alice") != 0)
		return -ENOENT;
	*ret = is_group ? 500 : 1000;
	return 0;
}
static const struct policy_names names = {.find = find_name};

static struct policy policy_of(const char *text)
{
	struct policy p = {0};

	assert_int_equal(policy_add_text(&p, "a.conf", text, strlen(text), &names, NULL), 0);
	return p;
}

static int judge(const struct policy *p, uint32_t uid, uint32_t gid, struct policy_want *w,
		 struct policy_verdict *v)
{
	struct policy_subject s = {.uid = uid, .n_gid = 1, .gid = {gid}};

	w->network = w->network ? w->network : "default";
	w->verbs |= POLICY_ATTACH | (w->n_publish ? POLICY_PUBLISH : 0);
	w->first_free_port = 1024;
	policy_judge(p, &s, w, v);
	return (int)v->result;
}

static int attach(const char *text, uint32_t uid, uint32_t gid, const char *network)
{
	CLEAN_POLICY struct policy p = policy_of(text);
	struct policy_want w = {.network = network, .is_new = true};
	struct policy_verdict v;

	return judge(&p, uid, gid, &w, &v);
}

static void test_subjects(void **state)
{
	(void)state;
	assert_int_equal(attach("", 1000, 1, "default"), POLICY_DENIED);
	assert_int_equal(attach("allow alice default attach", 1000, 1, "default"), POLICY_GRANTED);
	assert_int_equal(attach("allow alice default attach", 1001, 1, "default"), POLICY_DENIED);
	assert_int_equal(attach("allow alice default attach", 1000, 1, "other"), POLICY_DENIED);
	assert_int_equal(attach("allow alice * attach", 1000, 1, "other"), POLICY_GRANTED);
	assert_int_equal(attach("allow 1000 default all", 1000, 1, "default"), POLICY_GRANTED);
	assert_int_equal(attach("allow 1000-1010 default all", 1010, 1, "default"), POLICY_GRANTED);
	assert_int_equal(attach("allow 1000-1010 default all", 1011, 1, "default"), POLICY_DENIED);
	assert_int_equal(attach("allow @devs default all", 7, 500, "default"), POLICY_GRANTED);
	assert_int_equal(attach("allow @500-501 default all", 7, 501, "default"), POLICY_GRANTED);
	assert_int_equal(attach("allow @devs default all", 500, 7, "default"), POLICY_DENIED);
	assert_int_equal(attach("allow * default publish", 7, 7, "default"), POLICY_DENIED);
	assert_int_equal(attach("\t# nothing\n\n allow *\tdefault attach # yes\n", 7, 7, "default"),
			 POLICY_GRANTED);
	/* Without its last newline too. */
	assert_int_equal(attach("deny 8 * all\nallow * * attach", 7, 7, "x"), POLICY_GRANTED);
}

static void test_first_match(void **state)
{
	static const char text[] = "deny alice default attach\n"
				   "allow * default attach nics=1\n"
				   "allow @devs default attach nics=9\n"
				   "deny * default publish\n"
				   "allow * default publish\n";
	CLEAN_POLICY struct policy p = policy_of(text);
	struct publish port = {.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1};
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 1000, 500, &w, &v), POLICY_DENIED);
	assert_int_equal(v.rule[0]->line, 1);
	assert_non_null(strstr(v.why, "a.conf:1"));
	assert_int_equal(judge(&p, 7, 500, &w, &v), POLICY_GRANTED);
	assert_int_equal(v.rule[0]->line, 2);
	assert_int_equal(v.limits.nics, 1);
	w.n_publish = 1;
	w.publish = &port;
	assert_int_equal(judge(&p, 7, 500, &w, &v), POLICY_DENIED);
	assert_int_equal(v.rule[1]->line, 4);
}

static void test_broken(void **state)
{
	static const char *const bad[] = {
		"allow",
		"allow * default",
		"alow * default attach",
		"allow nobody-knows default attach",
		"allow @nobody-knows default attach",
		"allow @ default attach",
		"allow 10-5 default attach",
		"allow 4294967295 default attach",
		"allow 01 default attach",
		"allow * ../x attach",
		"allow * default attach,",
		"allow * default ,attach",
		"allow * default fly",
		"allow * default attach nics",
		"allow * default attach nics=",
		"allow * default attach nics=-1",
		"allow * default attach nics=1025",
		"allow * default attach nics=1 nics=2",
		"allow * default attach colour=red",
		"allow * default publish range=0",
		"allow * default publish range=9-8",
		"allow * default publish range=1-65536",
		"allow * default publish range=1,,2",
		"allow * default publish host=example.org",
		"allow * default publish host=224.0.0.1",
		"allow * default publish range=1,2,3,4,5,6,7,8,9",
		"allow * default publish host=::1,::2,::3,::4,::5,::6,::7,::8,::9",
		"deny * default attach nics=1",
		"deny * default attach rate-in=1mbit",
		"allow * default attach rate-in=",
		"allow * default attach rate-in=20",
		"allow * default attach rate-in=7999bit",
		"allow * default attach rate-out=1mbit rate-out=1mbit",
		"allow * default attach rate-up=1mbit",
		"allow * default attach conns=-1",
		"allow * default attach conns=100000001",
		"allow * default attach packet-rate=1k",
		"deny * default attach conn-rate=1",
		"deny * default attach to=192.0.2.1",
		"allow * default attach to=",
		"allow * default attach not-to=example.org:80",
		"allow * default attach to=*example.org",
		"allow * default attach to=exa_mple..org",
		"allow * default attach to=a.example:80-90,b.example:90-99",
		"allow * default attach to=192.0.2.1,,192.0.2.2",
		"allow * default attach to=192.0.2.0/24,192.0.2.1",
		"allow * default attach not-to=192.0.2.1/24",
		"allow * default attach \x01",
		"allow * default attach \xc3\xa9",
		"allow * default attach a b c d e f g h i j k l m n o p q",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CLEAN_POLICY struct policy p = policy_of("allow 5 default attach\n");
		char text[256];
		struct policy_want w = {.is_new = true};
		struct policy_verdict v;

		/* Good lines beside the bad one count for nothing, later files neither; what came
		 * before does. */
		snprintf(text, sizeof(text), "allow 6 * attach\n%s\nallow 6 * attach\n", bad[i]);
		assert_int_equal(policy_add_text(&p, "b.conf", text, strlen(text), &names, NULL),
				 0);
		assert_int_equal(policy_add_text(&p, "c.conf", "allow * * all\n", 14, &names, NULL),
				 0);
		if (judge(&p, 6, 6, &w, &v) != POLICY_DENIED || p.file[1].wrong.kind == ERR_NONE)
			fail_msg("not refused: %s", bad[i]);
		assert_non_null(strstr(p.file[1].wrong.text, "line 2: "));
		assert_true(v.rule[0]->is_broken);
		assert_int_equal(judge(&p, 5, 6, &w, &v), POLICY_GRANTED);
	}
	/* A NUL in the middle ends nothing. */
	struct policy p = {0};
	assert_int_equal(policy_add_text(&p, "n", "allow * * all\0\n", 15, &names, NULL), 0);
	assert_true(p.rule[0].is_broken);
	policy_clear(&p);
}

static int publish(const struct policy *p, const char *spec, uint32_t held)
{
	struct publish one;
	struct policy_want w = {.n_publish = 1, .publish = &one, .ports_held = held};
	struct policy_verdict v;

	assert_int_equal(publish_parse(spec, &one, NULL), 0);
	return judge(p, 7, 7, &w, &v);
}

static void expect_wrong(const struct policy *p, size_t file, const char *why)
{
	assert_true(p->n_file > file);
	if (!strstr(p->file[file].wrong.text, why))
		fail_msg("\"%s\" where \"%s\" was expected", p->file[file].wrong.text, why);
}

/* A wrong value is named with its key, and with what was expected. */
static void test_wrong_values(void **state)
{
	static const struct {
		const char *limit, *why;
	} bad[] = {
		{"ports=-3", "line 1: ports: expected a number 0..65535, found \"-3\""},
		{"nics=", "line 1: nics: expected a number 0..1024, found \"\""},
		{"range=80,90-85", "line 1: range: expected PORT or LOW-HIGH, found \"90-85\""},
		{"range=x", "line 1: range: expected PORT or LOW-HIGH, found \"x\""},
		{"lifetime=ever", "line 1: lifetime: expected namespace or login, found \"ever\""},
		{"rate-in=much", "line 1: rate-in: "},
		{"rate-out=-1", "line 1: rate-out: "},
		{"host=192.0.2.256", "line 1: host: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[80];

		snprintf(text, sizeof(text), "allow * * attach %s\n", bad[i].limit);
		CLEAN_POLICY struct policy p = policy_of(text);
		expect_wrong(&p, 0, bad[i].why);
	}
}

/* As much of everything as there may be, and one more. */
static void test_most(void **state)
{
	static char text[POLICY_FILE_BYTES];
	static const char rule[] = "deny 1 a all\n";
	const size_t n = sizeof(rule) - 1;
	CLEAN_POLICY struct policy lines = {0};
	CLEAN_POLICY struct policy rules = {0};
	struct err e = ERR_INIT;

	(void)state;
	memset(text, '#', sizeof(text));
	assert_int_equal(policy_add_text(&lines, "a.conf", text, POLICY_LINE - 1, &names, NULL), 0);
	assert_int_equal(lines.n_rule, 0);
	assert_int_equal(policy_add_text(&lines, "b.conf", text, POLICY_LINE, &names, NULL), 0);
	expect_wrong(&lines, 1, "line 1: more than 2047 bytes");
	assert_true(lines.rule[0].is_broken);

	for (size_t i = 0; i <= POLICY_RULES; i++)
		memcpy(text + i * n, rule, n);
	assert_int_equal(policy_add_text(&rules, "a.conf", text, POLICY_RULES * n, &names, NULL),
			 0);
	assert_int_equal(rules.n_rule, POLICY_RULES);
	assert_int_equal(policy_add_text(&rules, "b.conf", text, n, &names, NULL), 0);
	expect_wrong(&rules, 1, "line 1: more than 1024 rules");
	/* What denies all for it is there all the same. */
	assert_int_equal(rules.n_rule, POLICY_RULES + 1);
	assert_true(rules.rule[POLICY_RULES].is_broken);

	/* One more than the directory gives: for what was wrong with the directory. */
	for (size_t i = 2; i <= POLICY_FILES; i++)
		assert_int_equal(policy_add_text(&rules, "x.conf", "", 0, &names, NULL), 0);
	assert_true(policy_add_text(&rules, "y.conf", "", 0, &names, &e) < 0);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_int_equal(rules.n_file, POLICY_FILES + 1);
}

static void test_limits(void **state)
{
	CLEAN_POLICY struct policy p = policy_of(
		"allow * default attach nics=2\n"
		"allow * default publish ports=3 range=80,8000-8100 host=192.0.2.1,0.0.0.0\n");
	CLEAN_POLICY struct policy free = policy_of("allow * default attach,publish nics=0\n");
	struct policy_want w = {.is_new = true, .nics_held = 1};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	w.nics_held = 2;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_OVER);
	w.is_new = false; /* the same once more */
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	w = (struct policy_want){.is_new = true};
	assert_int_equal(judge(&free, 7, 7, &w, &v), POLICY_OVER);

	assert_int_equal(publish(&p, "192.0.2.1:8000:80", 0), POLICY_GRANTED);
	assert_int_equal(publish(&p, "192.0.2.1:80", 2), POLICY_GRANTED);
	assert_int_equal(publish(&p, "192.0.2.1:80", 3), POLICY_OVER);
	assert_int_equal(publish(&p, "0.0.0.0:8100:80", 0), POLICY_GRANTED);
	assert_int_equal(publish(&p, "8000:80", 0), POLICY_DENIED);
	assert_int_equal(publish(&p, "192.0.2.2:8000:80", 0), POLICY_DENIED);
	assert_int_equal(publish(&p, "192.0.2.1:81:80", 0), POLICY_DENIED);
	assert_int_equal(publish(&p, "192.0.2.1:8099-8101", 0), POLICY_DENIED);
	assert_int_equal(publish(&p, "192.0.2.1:8000-8003", 0), POLICY_OVER);
	assert_int_equal(publish(&p, "192.0.2.1:0:80", 0), POLICY_DENIED);

	assert_int_equal(publish(&free, "1024:80", 0), POLICY_GRANTED);
	assert_int_equal(publish(&free, "1023:80", 0), POLICY_DENIED);
	assert_int_equal(publish(&free, "0:80", 0), POLICY_GRANTED);
	assert_int_equal(publish(&free, "1024-1040", 0), POLICY_OVER);
}

static int shape(const struct policy *p, uint32_t uid, uint64_t in, uint64_t out,
		 struct policy_verdict *v)
{
	struct policy_want w = {.is_new = true,
				.verbs = POLICY_SHAPE,
				.bandwidth = {.in_rate = in, .out_rate = out}};

	return judge(p, uid, 7, &w, v);
}

/* Less may be asked for, never more; without the verb nothing may. */
static void test_bandwidth(void **state)
{
	CLEAN_POLICY struct policy p =
		policy_of("allow 7 default attach,shape rate-in=20mbit rate-out=8000bit\n"
			  "allow 8 default attach rate-in=20mbit\n"
			  "allow 9 default all rate-in=none rate-out=1gbit\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_int_equal(v.limits.bandwidth.in_rate, 20000000);
	assert_int_equal(v.limits.bandwidth.out_rate, 8000);
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(
		out.p, "limits: nics=4 rate=60 rate-in=20mbit rate-out=8kbit" USUAL_CAPS "\n"));
	assert_non_null(strstr(out.p, "granted with rate-in=20mbit rate-out=8kbit\n"));
	assert_int_equal(shape(&p, 7, 20000000, 8000, &v), POLICY_GRANTED);
	assert_int_equal(shape(&p, 7, 8000, 0, &v), POLICY_GRANTED);
	assert_int_equal(shape(&p, 7, 20000001, 0, &v), POLICY_OVER);
	assert_non_null(strstr(v.why, "more than 20mbit to"));
	assert_int_equal(shape(&p, 7, 0, 8001, &v), POLICY_OVER);
	assert_non_null(strstr(v.why, "more than 8kbit from"));
	assert_int_equal(shape(&p, 8, 8000, 0, &v), POLICY_DENIED);
	assert_int_equal(shape(&p, 9, UINT64_MAX, 0, &v), POLICY_GRANTED);
	assert_int_equal(shape(&p, 9, 0, 1000000001, &v), POLICY_OVER);

	assert_int_equal(policy_bandwidth(0, 0), 0);
	assert_int_equal(policy_bandwidth(5, 0), 5);
	assert_int_equal(policy_bandwidth(0, 5), 5);
	assert_int_equal(policy_bandwidth(4, 5), 4);
	assert_int_equal(policy_bandwidth(6, 5), 5);
}

static void test_egress(void **state)
{
	CLEAN_POLICY struct policy p = policy_of(
		"allow 7 default attach to=192.0.2.0/24:80-443,[2001:db8::1]:53 not-to=192.0.2.7\n"
		"allow * default attach\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_int_equal(v.limits.egress.n, 3);
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(out.p,
			       "rate=60" USUAL_CAPS " to=192.0.2.0/24:80-443,[2001:db8::1/128]:53 "
			       "not-to=192.0.2.7/32\n"));
	judge(&p, 8, 7, &w, &v);
	assert_int_equal(v.limits.egress.n, 0);
}

static void test_egress_names(void **state)
{
	CLEAN_POLICY struct policy p =
		policy_of("allow 7 default attach to=192.0.2.1,*.Example.org:443,example.net "
			  "not-to=192.0.2.7,ads.example.org\n"
			  "allow * default attach to=192.0.2.1\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_true(attach_egress_has_names(&v.limits.egress));
	assert_string_equal(v.limits.names.name[1], "*.example.org");
	assert_string_equal(v.limits.names.name[2], "example.net");
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(out.p, " to=192.0.2.1/32,*.example.org:443,example.net "
				      "not-to=192.0.2.7/32,ads.example.org\n"));
	judge(&p, 8, 7, &w, &v);
	assert_false(attach_egress_has_names(&v.limits.egress));
	assert_string_equal(v.limits.names.name[1], "");
}

static void test_caps(void **state)
{
	CLEAN_POLICY struct policy p =
		policy_of("allow 7 default attach conns=100 packet-rate=5000\n"
			  "allow 8 default attach conn-rate=7 conns=0\n"
			  "allow 9 default attach conn-rate=0 conns=1\n"
			  "allow 10 default attach conns=0 in-conns=0\n"
			  "allow 11 default attach in-conns=9 conns=0\n"
			  "allow 12 default attach in-conn-rate=3 in-conns=0 packet-rate=0\n"
			  "allow * default attach\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_false(v.limits.cap.is_usual);
	assert_int_equal(v.limits.cap.conns, 100);
	assert_int_equal(v.limits.cap.conn_rate, POLICY_CONN_RATE);
	assert_int_equal(v.limits.cap.packet_rate, 5000);
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(out.p,
			       "limits: nics=4 rate=60 conns=100 conn-rate=500 packet-rate=5000 "
			       "in-conns=8192 in-conn-rate=2000\n"));
	judge(&p, 8, 7, &w, &v);
	assert_int_equal(v.limits.cap.conns, 0);
	assert_int_equal(v.limits.cap.conn_rate, 7);
	/* Who counts connections is never without a limit of their rate. */
	judge(&p, 9, 7, &w, &v);
	assert_int_equal(v.limits.cap.conn_rate, POLICY_CONN_RATE);
	judge(&p, 10, 7, &w, &v);
	assert_false(attach_cap_is_set(&v.limits.cap) || v.limits.cap.is_usual);
	judge(&p, 11, 7, &w, &v);
	assert_int_equal(v.limits.cap.conns + v.limits.cap.conn_rate, 0);
	assert_int_equal(v.limits.cap.in_conns, 9);
	assert_int_equal(v.limits.cap.in_conn_rate, POLICY_IN_CONN_RATE);
	judge(&p, 12, 7, &w, &v);
	assert_int_equal(v.limits.cap.in_conns, 0);
	assert_int_equal(v.limits.cap.in_conn_rate, 3);
	assert_int_equal(v.limits.cap.conns, POLICY_CONNS);
	/* Who says nothing has caps all the same, and a kernel without them is no reason to refuse.
	 */
	judge(&p, 13, 7, &w, &v);
	assert_true(v.limits.cap.is_usual);
	assert_int_equal(v.limits.cap.conns, POLICY_CONNS);
	assert_int_equal(v.limits.cap.conn_rate, POLICY_CONN_RATE);
	assert_int_equal(v.limits.cap.in_conns, POLICY_IN_CONNS);
	assert_int_equal(v.limits.cap.in_conn_rate, POLICY_IN_CONN_RATE);
	assert_int_equal(v.limits.cap.packet_rate, 0);
}

static void test_names(void **state)
{
	static const char text[] = "root:x:0:0::/:\nalice:x:1000:1::/:\nalice2:x:5:\nbad:x:12a:\n"
				   "noid\nlast:x:7:";
	uint32_t id;

	(void)state;
	assert_int_equal(policy_find_id(text, strlen(text), "alice", &id), 0);
	assert_int_equal(id, 1000);
	assert_int_equal(policy_find_id(text, strlen(text), "last", &id), 0);
	assert_int_equal(id, 7);
	assert_int_equal(policy_find_id(text, strlen(text), "ali", &id), -ENOENT);
	assert_int_equal(policy_find_id(text, strlen(text), "bad", &id), -ENOENT);
	assert_int_equal(policy_find_id(text, strlen(text), "noid", &id), -ENOENT);
	assert_int_equal(policy_find_id(text, 0, "root", &id), -ENOENT);
}

static void test_lifetime(void **state)
{
	CLEAN_POLICY struct policy p = policy_of("allow 7 default attach lifetime=login nics=1\n"
						 "allow 8 default attach lifetime=namespace\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(judge(&p, 8, 7, &w, &v), POLICY_GRANTED);
	assert_false(v.limits.is_until_logout);
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_DENIED);
	assert_string_equal(v.why, "uid 7 is not logged in");
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(out.p, " lifetime=login\nrefused: uid 7 is not logged in\n"));
	w.is_logged_in = true;
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_true(v.limits.is_until_logout);
	/* What he has already is not asked about: it ends with his login. */
	w = (struct policy_want){.is_new = false};
	assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_GRANTED);
	assert_int_equal(attach("allow * * all lifetime=", 1, 1, "n"), POLICY_DENIED);
	assert_int_equal(attach("allow * * all lifetime=Login", 1, 1, "n"), POLICY_DENIED);
	assert_int_equal(attach("allow * * all lifetime=namespace lifetime=login", 1, 1, "n"),
			 POLICY_DENIED);
}

/* ---- files ---- */

static char dir[] = "/tmp/test-policy.XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void drop(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* May uid 7? -1: and something is wrong with a file. */
static int may(void)
{
	CLEAN_POLICY struct policy p = {0};
	struct policy_want w = {.is_new = true};
	struct policy_verdict v;

	assert_int_equal(policy_load(dir, &p, NULL), 0);
	for (size_t i = 0; i < p.n_file; i++)
		if (p.file[i].wrong.kind != ERR_NONE) {
			assert_int_equal(judge(&p, 7, 7, &w, &v), POLICY_DENIED);
			return -1;
		}
	return judge(&p, 7, 7, &w, &v) == POLICY_GRANTED;
}

static void test_files(void **state)
{
	static const char yes[] = "allow 7 * all\n";
	char path[256], name[32];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(may(), 0);
	put("b.conf", yes, 0644);
	assert_int_equal(may(), 1);
	put("a.conf", "deny 7 * all\n", 0600);
	assert_int_equal(may(), 0); /* in the order of the names */
	drop("a.conf");
	put("a.conf.bak", "nonsense\n", 0644);
	put(".a.conf", "nonsense\n", 0644);
	put("README", "nonsense\n", 0644);
	assert_int_equal(may(), 1); /* not policies */
	put("a.conf", "nonsense\n", 0644);
	assert_int_equal(may(), -1);
	put("a.conf", yes, 0664);
	assert_int_equal(may(), -1);
	put("a.conf", yes, 0646);
	assert_int_equal(may(), -1);
	put("a.conf", yes, 0644);
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 7, 7), 0);
		assert_int_equal(may(), -1);
	}
	drop("a.conf");
	assert_int_equal(symlink("b.conf", path), 0);
	assert_int_equal(may(), -1);
	drop("a.conf");
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(may(), -1); /* and does not hang */
	drop("a.conf");
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(may(), -1);
	assert_int_equal(rmdir(path), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	close(fd);
	assert_int_equal(may(), -1);
	drop("a.conf");
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(may(), -1);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(may(), 1);
	for (int i = 0; i < POLICY_FILES; i++) {
		snprintf(name, sizeof(name), "c%d.conf", i);
		put(name, yes, 0644);
	}
	assert_int_equal(may(), -1);
	for (int i = 0; i < POLICY_FILES; i++) {
		snprintf(name, sizeof(name), "c%d.conf", i);
		drop(name);
	}
	for (size_t i = 0; i < 4; i++)
		drop(((const char *[]){"b.conf", "a.conf.bak", ".a.conf", "README"})[i]);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(may(), 0); /* no directory: nobody may anything, and nothing is wrong */
}

static void test_explain(void **state)
{
	CLEAN_POLICY struct policy p = policy_of("allow 7 default attach nics=3\n");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct publish port = {.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1};
	struct policy_want w = {.is_new = true, .n_publish = 1, .publish = &port};
	struct policy_verdict v;

	(void)state;
	policy_add_text(&p, "z.conf", "what\n", 5, &names, NULL);
	judge(&p, 7, 7, &w, &v);
	policy_explain(&p, &w, &v, &out);
	assert_non_null(strstr(out.p, "attach on default: allowed by a.conf:1\n"));
	assert_non_null(strstr(out.p, "publish on default: denied by z.conf:1\n"));
	assert_non_null(strstr(out.p, "error: z.conf: line 1: "));
	assert_non_null(strstr(out.p, "limits: nics=3 rate=60" USUAL_CAPS "\n"));
	assert_non_null(strstr(out.p, "refused: publish on default"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects),     cmocka_unit_test(test_first_match),
		cmocka_unit_test(test_broken),       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),        cmocka_unit_test(test_files),
		cmocka_unit_test(test_explain),      cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_caps),         cmocka_unit_test(test_egress),
		cmocka_unit_test(test_egress_names), cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_most),         cmocka_unit_test(test_lifetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
