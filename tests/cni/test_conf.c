/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf: order of checks, names, and each capability with what is wrong in it. */
#include <netinet/in.h>

#include "util.h"

#include "cni-plugin/conf.h"

static int code_of(const char *text)
{
	CLEAN_CONF struct conf c = CONF_INIT;
	struct fault f = FAULT_INIT;
	char *q = quoted(text);
	int r = conf_parse(q, strlen(q), &c, &f);

	if (r == 0)
		r = conf_parse_prev(&c, &f);
	return r < 0 ? f.code : 0;
}

static void test_common(void **state)
{
	static const struct {
		const char *text;
		int code;
	} table[] = {
		{"{'cniVersion':'1.1.0','name':'web'}", 0},
		{"{'name':'web'}", 0},
		{"{'cniVersion':'9.9.9'}", FAULT_VERSION},
		{"{'cniVersion':1}", FAULT_DECODE},
		{"{'cniVersion':'1.1.0'}", FAULT_CONFIG},
		{"{'cniVersion':'1.1.0','name':''}", FAULT_CONFIG},
		{"{'cniVersion':'1.1.0','name':'..'}", FAULT_CONFIG},
		{"{'cniVersion':'1.1.0','name':'a/b'}", FAULT_CONFIG},
		{"{'cniVersion':'1.1.0','name':7}", FAULT_DECODE},
		{"{'name':'web','ipam':{'type':'../../bin/sh'}}", FAULT_CONFIG},
		{"{'name':'web','ipam':[]}", FAULT_DECODE},
		{"{'name':'web','args':{'cni':7}}", FAULT_DECODE},
		{"{'name':'web','runtimeConfig':'x'}", FAULT_DECODE},
		{"{'name':'web','delegateTimeout':0}", FAULT_CONFIG},
		{"{'name':'web','strict':1}", FAULT_DECODE},
		{"{'name':'web','prevResult':{'ip4':{'ip':'x'}}}", FAULT_DECODE},
		{"{'name':'web','prevResult':null}", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (code_of(table[i].text) != table[i].code)
			fail_msg("%s: code %d", table[i].text, code_of(table[i].text));
}

static void test_strict(void **state)
{
	static const char *const keys[] = {"bridge", NULL};
	CLEAN_CONF struct conf c;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(parse_conf("1.1.0", "'BRIDGE':'x','ipMask':{'a':[1]}", &c, &f), 0);
	assert_int_equal(conf_refuse_unknown(c.doc, "", keys, &f), -1);
	assert_int_equal(f.code, FAULT_UNSUPPORTED);
	MUST_HAVE(f.msg, "ipMask: {\"a\":[1]}");
}

/* Lists of which a plugin can do nothing: empty is fine, and each other is named with how many. */
static void test_refused_lists(void **state)
{
	static const char *const keys[] = {"conditionsV4", "conditionsV6", NULL};
	static const struct {
		const char *rest, *part;
		int code;
	} table[] = {
		{"", NULL, 0},
		{"'conditionsV4':[],'conditionsV6':null", NULL, 0},
		{"'conditionsV4':[],'conditionsV6':['-s','!']", "conditionsV6: 2 conditions",
		 FAULT_UNSUPPORTED},
		{"'CONDITIONSV4':['-s']", "conditionsV4: 1 conditions", FAULT_UNSUPPORTED},
		{"'conditionsV6':'-s'", "conditionsV6", FAULT_DECODE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_CONF struct conf c;
		struct fault f = FAULT_INIT;

		assert_int_equal(parse_conf("1.1.0", table[i].rest, &c, &f), 0);
		assert_int_equal(conf_refuse_lists(&c, keys, "conditions", &f),
				 table[i].code ? -1 : 0);
		assert_int_equal(f.code, table[i].code);
		if (table[i].part)
			MUST_HAVE(f.msg, table[i].part);
	}
}

/* Ports as one text, or the code. */
static void ports(const char *mappings, char out[512], struct fault *f)
{
	CLEAN_CONF struct conf c;
	char rest[2048], s[PUBLISH_STRLEN];
	struct publish *p = NULL;
	size_t n = 0;

	*f = (struct fault)FAULT_INIT;
	out[0] = 0;
	snprintf(rest, sizeof(rest), "'runtimeConfig':{'portMappings':%s}", mappings);
	assert_int_equal(parse_conf("1.1.0", rest, &c, f), 0);
	if (conf_publish(&c, &p, &n, f) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		strcat(out, i ? " " : "");
		strcat(out, publish_str(&p[i], s));
	}
	free(p);
}

static void test_ports(void **state)
{
	static const struct {
		const char *mappings, *wanted;
	} table[] = {
		{"null", ""},
		{"[]", ""},
		/* go-cni's spelling, and an upper-case protocol */
		{"[{'HostPort':8443,'ContainerPort':443,'Protocol':'TCP','HostIP':''}]",
		 "8443:443/tcp"},
		{"[{'hostPort':53,'containerPort':53,'protocol':'Udp'},"
		 "{'hostPort':53,'containerPort':53,'protocol':'tcp'}]",
		 "53:53/tcp 53:53/udp"},
		/* runs */
		{"[{'hostPort':82,'containerPort':2,'protocol':'tcp'},"
		 "{'hostPort':80,'containerPort':0,'containerPort':1,'protocol':'tcp'},"
		 "{'hostPort':81,'containerPort':2,'protocol':'tcp','containerPort':9}]",
		 "80:1/tcp 81:9/tcp 82:2/tcp"},
		{"[{'hostPort':81,'containerPort':2,'protocol':'tcp'},"
		 "{'hostPort':80,'containerPort':1,'protocol':'tcp'},"
		 "{'hostPort':80,'containerPort':1,'protocol':'tcp'}]",
		 "80-81:1-2/tcp"},
		/* said for all addresses already */
		{"[{'hostPort':80,'containerPort':1,'protocol':'tcp','hostIP':'198.51.100.1'},"
		 "{'hostPort':80,'containerPort':1,'protocol':'tcp','hostIP':'0.0.0.0'},"
		 "{'hostPort':80,'containerPort':1,'protocol':'tcp','hostIP':'::'}]",
		 "0.0.0.0:80:1/tcp [::]:80:1/tcp"},
		{"[{'hostPort':80,'containerPort':1,'protocol':'tcp','hostIP':'198.51.100.1'},"
		 "{'hostPort':80,'containerPort':1,'protocol':'tcp'}]",
		 "80:1/tcp"},
	};
	struct fault f;
	char out[512];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ports(table[i].mappings, out, &f);
		if (f.code)
			fail_msg("%s: %s %s", table[i].mappings, f.msg, f.details);
		assert_string_equal(out, table[i].wanted);
	}
}

static void test_port_policy(void **state)
{
	static const struct {
		const char *rest;
		int code; /* 0: fine */
		bool is_unheld;
	} table[] = {
		{"'portPolicy':'reserve',", 0, false},
		{"'portPolicy':'steal',", 0, true},
		{"'PORTPOLICY':'steal',", 0, true},
		{"'portPolicy':'borrow',", FAULT_CONFIG, false},
		{"'portPolicy':1,", FAULT_DECODE, false},
	};
	static const char *const ips[] = {"", "127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_CONF struct conf c;
		struct fault f = FAULT_INIT;
		struct publish *p = NULL;
		char rest[512];
		size_t n = 0;
		int code = table[i / 2].code;

		/* What only the holder of the port can serve is refused. */
		if (i % 2 && table[i / 2].is_unheld)
			code = FAULT_UNSUPPORTED;
		snprintf(rest, sizeof(rest),
			 "%s'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,"
			 "'protocol':'tcp','hostIP':'%s'}]}",
			 table[i / 2].rest, ips[i % 2]);
		assert_int_equal(parse_conf("1.1.0", rest, &c, &f), 0);
		assert_int_equal(conf_publish(&c, &p, &n, &f), code ? -1 : 0);
		assert_int_equal(f.code, code);
		if (!code)
			assert_int_equal(p[0].is_unheld, table[i / 2].is_unheld);
		free(p);
	}
}

static void test_bad_ports(void **state)
{
	static const struct {
		const char *fields;
		int code;
		const char *where;
	} table[] = {
		{"'hostPort':0,'containerPort':80,'protocol':'tcp'", FAULT_CONFIG, "[0].hostPort"},
		{"'hostPort':-1,'containerPort':80,'protocol':'tcp'", FAULT_CONFIG, "[0].hostPort"},
		{"'hostPort':65536,'containerPort':80,'protocol':'tcp'", FAULT_CONFIG, "hostPort"},
		{"'hostPort':70000,'containerPort':80,'protocol':'tcp'", FAULT_CONFIG, "hostPort"},
		{"'hostPort':80,'containerPort':0,'protocol':'tcp'", FAULT_CONFIG, "containerPort"},
		{"'hostPort':8080.0,'containerPort':80,'protocol':'tcp'", FAULT_DECODE, "hostPort"},
		{"'hostPort':1e3,'containerPort':80,'protocol':'tcp'", FAULT_DECODE, "hostPort"},
		{"'hostPort':'80','containerPort':80,'protocol':'tcp'", FAULT_DECODE, "hostPort"},
		{"'hostPort':80,'containerPort':80,'protocol':'icmp'", FAULT_CONFIG, "protocol"},
		{"'hostPort':80,'containerPort':80,'protocol':''", FAULT_CONFIG, "protocol"},
		{"'hostPort':80,'containerPort':80,'protocol':'tcp; add table ip pwn'",
		 FAULT_CONFIG, "protocol"},
		{"'hostPort':80,'containerPort':80,'protocol':'tcp','hostIP':'x'", FAULT_CONFIG,
		 "portMappings[0]"},
		{"'hostPort':80,'containerPort':80,'protocol':'tcp','hostIP':'fe80::1%eth0'",
		 FAULT_CONFIG, "portMappings[0]"},
		{"'hostPort':80,'containerPort':80,'protocol':'tcp','hostIP':'224.0.0.1'",
		 FAULT_CONFIG, "portMappings[0]"},
	};
	struct fault f;
	char out[512], text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(text, sizeof(text), "[{%s}]", table[i].fields);
		ports(text, out, &f);
		assert_int_equal(f.code, table[i].code);
		MUST_HAVE(f.msg, table[i].where);
	}
	ports("[7]", out, &f);
	assert_int_equal(f.code, FAULT_DECODE);
	ports("[{'hostPort':80,'containerPort':1,'protocol':'tcp'},"
	      "{'hostPort':80,'containerPort':2,'protocol':'tcp'}]",
	      out, &f);
	assert_int_equal(f.code, FAULT_PORT);
	ports("[{'hostPort':80,'containerPort':1,'protocol':'tcp'},"
	      "{'hostPort':80,'containerPort':2,'protocol':'tcp','hostIP':'198.51.100.1'}]",
	      out, &f);
	assert_int_equal(f.code, FAULT_PORT);
}

/* 5,000 neighbours are few runs, in whatever order they come. */
static void test_many_ports(void **state)
{
	CLEAN_CONF struct conf c = CONF_INIT;
	struct fault f = FAULT_INIT;
	size_t cap = 5000 * 64 + 256, used, n = 0, sum = 0;
	char *text = malloc(cap);
	struct publish *p = NULL;

	(void)state;
	assert_non_null(text);
	used = (size_t)sprintf(text, "{\"name\":\"web\",\"runtimeConfig\":{\"portMappings\":[");
	for (int i = 0; i < 5000; i++)
		used += (size_t)sprintf(
			text + used,
			"%s{\"hostPort\":%d,\"containerPort\":%d,\"protocol\":\"tcp\"}",
			i ? "," : "", 10000 + (i * 2477) % 5000, 20000 + (i * 2477) % 5000);
	strcpy(text + used, "]}}");
	assert_int_equal(conf_parse(text, strlen(text), &c, &f), 0);
	assert_int_equal(conf_publish(&c, &p, &n, &f), 0);
	assert_int_equal(n, (5000 + PUBLISH_EXPLODE_MAX - 1) / PUBLISH_EXPLODE_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(p[i].count, 1, PUBLISH_EXPLODE_MAX);
		assert_int_equal(p[i].ctr_port, p[i].host_port + 10000);
		sum += p[i].count;
	}
	assert_int_equal(sum, 5000);
	free(p);
}

static void test_fitting(void **state)
{
	struct publish p[4] = {{.proto = IPPROTO_TCP}};
	static const char *const ips[] = {NULL, "0.0.0.0", "::", "::1"};
	const bool only4[N_FAM] = {true, false};

	(void)state;
	for (int i = 0; i < 4; i++) {
		p[i] = (struct publish){
			.proto = IPPROTO_TCP, .host_port = 1, .ctr_port = 1, .count = 1};
		if (ips[i])
			assert_int_equal(ip_parse(ips[i], &p[i].host_ip, NULL), 0);
	}
	assert_int_equal(conf_publish_fitting(p, 4, only4), 3);
	assert_true(ip_is_loopback(&p[2].host_ip));
}

static int rate(const char *rest, struct attach_rate *ret)
{
	CLEAN_CONF struct conf c;
	struct fault f = FAULT_INIT;

	assert_int_equal(parse_conf("1.1.0", rest, &c, &f), 0);
	return conf_rate(&c, ret, &f) < 0 ? f.code : 0;
}

static void test_rate(void **state)
{
	struct attach_rate r = {0};

	(void)state;
	assert_int_equal(rate("", &r), 0);
	assert_false(attach_rate_is_set(&r));
	assert_int_equal(rate("'runtimeConfig':{'bandwidth':{'IngressRate':1000000,"
			      "'IngressBurst':80000,'EgressRate':2000000,'EgressBurst':90000}}",
			      &r),
			 0);
	assert_int_equal(r.in_rate, 1000000);
	assert_int_equal(r.out_burst, 90000);
	/* what the administrator wrote counts */
	assert_int_equal(rate("'ingressRate':5000000,'ingressBurst':80000,"
			      "'runtimeConfig':{'bandwidth':{'ingressRate':1000000}}",
			      &r),
			 0);
	assert_int_equal(r.in_rate, 5000000);
	assert_int_equal(r.out_rate, 0);
	assert_int_equal(rate("'ingressRate':-5", &r), FAULT_DECODE);
	assert_int_equal(rate("'ingressRate':'5'", &r), FAULT_DECODE);
	assert_int_equal(rate("'ingressBurst':5", &r), FAULT_CONFIG);
	assert_int_equal(rate("'ingressRate':1", &r), FAULT_CONFIG);
}

static void test_precedence(void **state)
{
	static const char *const layers[] = {
		"'runtimeConfig':{'mac':'02:00:00:00:00:01','ips':['10.0.0.1']}",
		"'args':{'cni':{'mac':'02:00:00:00:00:02','ips':['10.0.0.2/24']}}",
		"'mac':'02:00:00:00:00:04'",
	};
	struct env with = {.n_ips = 1, .has_mac = true};
	char rest[512], s[IP_STRLEN], wanted[IP_STRLEN];
	struct mac m = {0};

	(void)state;
	with.ips[0].len = ENV_NO_LEN;
	assert_int_equal(ip_parse("10.0.0.3", &with.ips[0].ip, NULL), 0);
	assert_int_equal(mac_parse("02:00:00:00:00:03", &with.mac, NULL), 0);
	for (int first = 1; first <= 4; first++) {
		CLEAN_CONF struct conf c;
		struct fault f = FAULT_INIT;
		struct env none = {0};
		struct prefix ips[ENV_IPS_MAX];
		size_t n = 9;

		snprintf(rest, sizeof(rest), "%s%s%s%s%s", first <= 1 ? layers[0] : "",
			 first <= 1 ? "," : "", first <= 2 ? layers[1] : "", first <= 2 ? "," : "",
			 layers[2]);
		assert_int_equal(parse_conf("1.1.0", rest, &c, &f), 0);
		assert_int_equal(conf_mac(&c, first <= 3 ? &with : &none, &m, &f), 0);
		assert_int_equal(m.b[5], first);
		assert_int_equal(conf_ips(&c, first <= 3 ? &with : &none, ips, &n, &f), 0);
		assert_int_equal(n, first <= 3);
		if (n) {
			snprintf(wanted, sizeof(wanted), "10.0.0.%d", first);
			assert_string_equal(ip_str(&ips[0].ip, s), wanted);
		}
	}
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *rest;
		int code;
	} table[] = {
		{"'runtimeConfig':{'mac':'01:00:5e:00:00:01'}", FAULT_CONFIG},
		{"'runtimeConfig':{'mac':'00:00:00:00:00:00'}", FAULT_CONFIG},
		{"'runtimeConfig':{'mac':7}", FAULT_DECODE},
		{"'runtimeConfig':{'ips':['x']}", FAULT_CONFIG},
		{"'runtimeConfig':{'ips':[7]}", FAULT_DECODE},
		{"'runtimeConfig':{'ips':{}}", FAULT_DECODE},
		{"'runtimeConfig':{'dns':{'servers':[7]}}", FAULT_DECODE},
		{"'runtimeConfig':{'aliases':[7]}", FAULT_DECODE},
		{"'runtimeConfig':{'aliases':['a','b c']}", FAULT_CONFIG},
		{"'runtimeConfig':{'aliases':['']}", FAULT_CONFIG},
		{"'runtimeConfig':{'aliases':'a'}", FAULT_DECODE},
		{"'dns':{'nameservers':'x'}", FAULT_DECODE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_CONF struct conf c;
		struct fault f = FAULT_INIT;
		struct env none = {0};
		struct prefix ips[ENV_IPS_MAX];
		struct result_dns dns = {0};
		const char *alias[ATTACH_ALIAS_MAX];
		struct mac m;
		size_t n;

		assert_int_equal(parse_conf("1.1.0", table[i].rest, &c, &f), 0);
		if (conf_mac(&c, &none, &m, &f) >= 0 && conf_ips(&c, &none, ips, &n, &f) == 0 &&
		    conf_dns(&c, &dns, &f) == 0)
			conf_aliases(&c, alias, &n, &f);
		result_dns_clear(&dns);
		if (f.code != table[i].code)
			fail_msg("%s: code %d %s", table[i].rest, f.code, f.msg);
	}
}

static void test_aliases(void **state)
{
	const char *alias[ATTACH_ALIAS_MAX];
	char text[2048] = "'runtimeConfig':{'aliases':['n'";
	struct fault f = FAULT_INIT;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		CLEAN_CONF struct conf c;

		assert_int_equal(parse_conf("1.1.0",
					    i ? "" : "'runtimeConfig':{'Aliases':['web','a.b-c']}",
					    &c, &f),
				 0);
		assert_int_equal(conf_aliases(&c, alias, &n, &f), 0);
		assert_int_equal(n, i ? 0 : 2);
		if (!i)
			assert_string_equal(alias[1], "a.b-c");
	}
	for (int i = 0; i < ATTACH_ALIAS_MAX; i++)
		strcat(text, ",'n'");
	strcat(text, "]}");
	CLEAN_CONF struct conf c;
	assert_int_equal(parse_conf("1.1.0", text, &c, &f), 0);
	assert_int_equal(conf_aliases(&c, alias, &n, &f), -1);
	assert_int_equal(f.code, FAULT_QUOTA);
}

static void test_shadow(void **state)
{
	static const struct {
		const char *rest;
		int code;
	} table[] = {
		{"'allowShadow':false", 0},
		{"'allowShadow':true", FAULT_UNSUPPORTED},
		{"'allowShadow':1", FAULT_DECODE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_CONF struct conf c;
		struct fault f = FAULT_INIT;
		struct publish *p = NULL;
		size_t n;

		assert_int_equal(parse_conf("1.1.0", table[i].rest, &c, &f), 0);
		if (conf_publish(&c, &p, &n, &f) == 0)
			free(p);
		assert_int_equal(f.code, table[i].code);
		if (f.code == FAULT_UNSUPPORTED)
			MUST_HAVE(f.msg, "allowShadow: true");
	}
}

static void test_dns(void **state)
{
	CLEAN_CONF struct conf c;
	struct fault f = FAULT_INIT;
	struct result_dns dns = {0};

	(void)state;
	assert_int_equal(
		parse_conf("1.1.0",
			   "'dns':{'nameservers':['10.0.0.1'],'domain':'a'},"
			   "'runtimeConfig':{'dns':{'Servers':['10.0.0.9'],'Searches':['b']}}",
			   &c, &f),
		0);
	assert_int_equal(conf_dns(&c, &dns, &f), 0);
	assert_string_equal(json_string_value(json_array_get(dns.nameservers, 0)), "10.0.0.9");
	assert_string_equal(json_string_value(json_array_get(dns.search, 0)), "b");
	assert_string_equal(dns.domain, "a");
	result_dns_clear(&dns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common),     cmocka_unit_test(test_strict),
		cmocka_unit_test(test_ports),      cmocka_unit_test(test_port_policy),
		cmocka_unit_test(test_bad_ports),  cmocka_unit_test(test_many_ports),
		cmocka_unit_test(test_fitting),    cmocka_unit_test(test_rate),
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_dns),        cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_shadow),     cmocka_unit_test(test_refused_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
