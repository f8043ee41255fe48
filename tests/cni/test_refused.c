/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations and results, each with one thing wrong in it: every key of another type, numbers
 * beside their range, lists longer than there is room for. The fault names the place.
 */
#include <unistd.h>

#include "util.h"

#include "base/buf.h"
#include "cni-plugin/conf_iface.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/ipam.h"
#include "lack.h"

static const struct plugin bridge = {.name = "bridge", .bridge = "cni0"};

/* All that is read of a configuration for ADD. */
static int read_all(const char *rest, struct fault *f)
{
	struct call c = {
		.plugin = &bridge,
		.env = {.id = "7f3c", .ifname = "eth0", .netns = "/run/netns/x", .path = "/"}};
	struct conf_iface iface = CONF_IFACE_INIT;
	struct prefix ips[ENV_IPS_MAX];
	struct ipam ipam = IPAM_INIT;
	size_t n = 0;
	int r = -1;

	if (parse_conf("1.1.0", rest, &c.conf, f) == 0 && conf_parse_prev(&c.conf, f) == 0 &&
	    ipam_parse(&c.conf, &c.env, &ipam, f) == 0 &&
	    conf_iface_parse(&c, &ipam, &iface, f) == 0 &&
	    conf_ips(&c.conf, &c.env, ips, &n, f) == 0)
		r = conf_iface_complete(&c, &ipam, &iface, f);
	conf_iface_clear(&iface);
	ipam_clear(&ipam);
	conf_clear(&c.conf);
	return r;
}

static void refuse(const char *rest, int code, const char *where)
{
	struct fault f = FAULT_INIT;

	if (read_all(rest, &f) != -1)
		fail_msg("taken: %.200s", rest);
	if (f.code != code)
		fail_msg("%.200s: code %d: %s", rest, f.code, f.msg);
	MUST_HAVE(f.msg, where);
}

static void take(const char *rest)
{
	struct fault f = FAULT_INIT;

	if (read_all(rest, &f) != 0)
		fail_msg("%.200s: %s", rest, f.msg);
}

static void test_types(void **state)
{
	static const struct {
		const char *around, *key;
		char type; /* s i b o a */
	} keys[] = {
		{"%s", "type", 's'},
		{"%s", "args", 'o'},
		{"'args':{%s}", "cni", 'o'},
		{"%s", "runtimeConfig", 'o'},
		{"%s", "ipam", 'o'},
		{"'ipam':{%s}", "type", 's'},
		{"%s", "strict", 'b'},
		{"%s", "delegateTimeout", 'i'},
		{"%s", "prevResult", 'o'},
		{"%s", "mode", 's'},
		{"%s", "bridge", 's'},
		{"%s", "ingressPolicy", 's'},
		{"%s", "ipMasq", 'b'},
		{"%s", "isolate", 'b'},
		{"%s", "internal", 'b'},
		{"%s", "isGateway", 'b'},
		{"%s", "isDefaultGateway", 'b'},
		{"%s", "names", 'b'},
		{"%s", "mtu", 'i'},
		{"%s", "ipMasqBackend", 's'},
		{"%s", "noMasq", 'a'},
		{"%s", "hairpinMode", 'b'},
		{"%s", "promiscMode", 'b'},
		{"%s", "forceAddress", 'b'},
		{"%s", "enabledad", 'b'},
		{"%s", "portIsolation", 'b'},
		{"%s", "disableContainerInterface", 'b'},
		{"%s", "macspoofchk", 'b'},
		{"%s", "preserveDefaultVlan", 'b'},
		{"%s", "vlan", 'i'},
		{"%s", "vlanTrunk", 'a'},
		{"'vlanTrunk':[{'id':1,%s}]", "minID", 'i'},
		{"'vlanTrunk':[{'id':1,%s}]", "maxID", 'i'},
		{"'vlanTrunk':[{%s}]", "id", 'i'},
		{"'runtimeConfig':{%s}", "portMappings", 'a'},
		{"'runtimeConfig':{%s}", "bandwidth", 'o'},
		{"'runtimeConfig':{'portMappings':[{%s}]}", "hostPort", 'i'},
		{"'runtimeConfig':{'portMappings':[{%s}]}", "containerPort", 'i'},
		{"'runtimeConfig':{'portMappings':[{%s}]}", "protocol", 's'},
		{"'runtimeConfig':{'portMappings':[{%s}]}", "hostIP", 's'},
		{"'runtimeConfig':{'bandwidth':{%s}}", "ingressRate", 'i'},
		{"'runtimeConfig':{'bandwidth':{%s}}", "ingressBurst", 'i'},
		{"'runtimeConfig':{'bandwidth':{%s}}", "egressRate", 'i'},
		{"'runtimeConfig':{'bandwidth':{%s}}", "egressBurst", 'i'},
		{"%s", "egressRate", 'i'},
		{"%s", "egressBurst", 'i'},
		{"'runtimeConfig':{%s}", "mac", 's'},
		{"'args':{'cni':{%s}}", "mac", 's'},
		{"%s", "mac", 's'},
		{"'runtimeConfig':{%s}", "ips", 'a'},
		{"'args':{'cni':{%s}}", "ips", 'a'},
		{"'runtimeConfig':{%s}", "dns", 'o'},
		{"'runtimeConfig':{'dns':{%s}}", "servers", 'a'},
		{"'runtimeConfig':{'dns':{%s}}", "searches", 'a'},
		{"'runtimeConfig':{'dns':{%s}}", "options", 'a'},
		{"%s", "dns", 'o'},
		{"'dns':{%s}", "nameservers", 'a'},
		{"'dns':{%s}", "search", 'a'},
		{"'dns':{%s}", "options", 'a'},
		{"'dns':{%s}", "domain", 's'},
		{"'runtimeConfig':{%s}", "aliases", 'a'},
	};
	static const struct {
		const char *value;
		char type;
	} values[] = {{"'x'", 's'}, {"7", 'i'},  {"true", 'b'},
		      {"{}", 'o'},  {"[]", 'a'}, {"7.5", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			char field[128], rest[256];
			const char *hole;
			/* The runtime's names of lists of dns are other ones inside. */
			const char *inside = strcmp(keys[i].key, "servers") == 0    ? "nameservers"
					     : strcmp(keys[i].key, "searches") == 0 ? "search"
										    : keys[i].key;

			if (values[j].type == keys[i].type)
				continue;
			snprintf(field, sizeof(field), "'%s':%s", keys[i].key, values[j].value);
			hole = strstr(keys[i].around, "%s");
			assert_non_null(hole);
			snprintf(rest, sizeof(rest), "%.*s%s%s", (int)(hole - keys[i].around),
				 keys[i].around, field, hole + 2);
			refuse(rest, FAULT_DECODE, inside);
		}
}

static void test_values(void **state)
{
	static const struct {
		const char *rest;
		int code;
		const char *where;
	} table[] = {
		{"'type':'../x'", FAULT_CONFIG, "type"},
		{"'delegateTimeout':601", FAULT_CONFIG, "delegateTimeout"},
		{"'ingressPolicy':'all'", FAULT_CONFIG, "ingressPolicy"},
		{"'ipMasqBackend':'ipfw'", FAULT_CONFIG, "ipMasqBackend"},
		{"'names':true", FAULT_CONFIG, "names"},
		{"'names':true,'isGateway':true,'mode':'routed'", FAULT_CONFIG, "names"},
		{"'noMasq':['10.0.0.0/8','10.0.0.0/9']", FAULT_CONFIG, "noMasq"},
		{"'noMasq':['10.0.0.0/33']", FAULT_CONFIG, "noMasq[0]"},
		{"'noMasq':[7]", FAULT_DECODE, "noMasq[0]"},
		{"'vlanTrunk':[{'minID':1}]", FAULT_CONFIG, "vlanTrunk[0]"},
		{"'vlanTrunk':[{'maxID':1}]", FAULT_CONFIG, "vlanTrunk[0]"},
		{"'vlan':1,'mode':'routed'", FAULT_CONFIG, "vlan"},
		{"'runtimeConfig':{'portMappings':[7]}", FAULT_DECODE, "portMappings[0]"},
		{"'runtimeConfig':{'portMappings':[{'hostPort':1,'containerPort':65536}]}",
		 FAULT_CONFIG, "containerPort"},
		{"'runtimeConfig':{'bandwidth':{'ingressRate':-1}}", FAULT_DECODE,
		 "runtimeConfig.bandwidth.ingressRate"},
		{"'egressRate':-1", FAULT_DECODE, "egressRate"},
		{"'ingressBurst':1", FAULT_CONFIG, "a burst without a rate"},
		{"'egressBurst':1", FAULT_CONFIG, "a burst without a rate"},
		{"'args':{'cni':{'mac':'x'}}", FAULT_CONFIG, "args.cni.mac"},
		{"'mac':'x'", FAULT_CONFIG, "mac"},
		{"'runtimeConfig':{'aliases':[7]}", FAULT_DECODE, "aliases[0]"},
		{"'prevResult':{'interfaces':[7]}", FAULT_DECODE, "interfaces[0]"},
		{"'prevResult':{'routes':[7]}", FAULT_DECODE, "routes[0]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refuse(table[i].rest, table[i].code, table[i].where);
	take("'ingressPolicy':'open'");
	take("'ingressPolicy':'same-bridge'");
	take("'ipMasqBackend':'nftables'");
	take("'ipMasqBackend':'iptables'");
	take("'ingressBurst':9000,'ingressRate':8000,'egressRate':8000,'egressBurst':9000");
	take("'names':true,'isDefaultGateway':true");
}

static void put_prefix(struct buf *b, int i)
{
	buf_printf(b, "'10.%d.0.0/24'", i);
}

static void put_ip(struct buf *b, int i)
{
	buf_printf(b, "'10.7.0.%d'", i + 1);
}

static void put_name(struct buf *b, int i)
{
	buf_printf(b, "'name%d'", i);
}

static void put_interface(struct buf *b, int i)
{
	buf_printf(b, "{'name':'name%d'}", i);
}

/* n entries, and one more. */
static void fill(const char *head, void (*put)(struct buf *b, int i), const char *tail, int n,
		 const char *where)
{
	for (int more = 0; more < 2; more++) {
		CLEAN_BUF struct buf b = BUF_INIT;

		buf_printf(&b, "%s[", head);
		for (int i = 0; i < n + more; i++) {
			buf_printf(&b, "%s", i ? "," : "");
			put(&b, i);
		}
		buf_printf(&b, "]%s", tail);
		if (more)
			refuse(b.p, FAULT_QUOTA, where);
		else
			take(b.p);
	}
}

static void test_lists(void **state)
{
	(void)state;
	fill("'noMasq':", put_prefix, "", NETWORK_NOMASQ_MAX, "noMasq");
	fill("'runtimeConfig':{'ips':", put_ip, "}", ENV_IPS_MAX, "ips");
	fill("'runtimeConfig':{'aliases':", put_name, "}", ATTACH_ALIAS_MAX, "aliases");
	fill("'dns':{'search':", put_name, "}", RESULT_LIST_MAX, "dns.search");
	fill("'prevResult':{'interfaces':", put_interface, "}", RESULT_LIST_MAX,
	     "prevResult.interfaces");
}

/* As many runs as an attachment can have: ports that do not follow each other. */
static void test_runs(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		CLEAN_CONF struct conf c;
		CLEAN_BUF struct buf b = BUF_INIT;
		struct fault f = FAULT_INIT;
		struct publish *p = NULL;
		size_t n = 0;
		char *text;

		buf_printf(&b, "'runtimeConfig':{'portMappings':[");
		for (int i = 0; i < PUBLISH_MAX + more; i++)
			buf_printf(&b, "%s{'hostPort':%d,'containerPort':%d,'protocol':'tcp'}",
				   i ? "," : "", 2 * i + 1, 2 * i + 1);
		buf_printf(&b, "]}");
		text = b.p;
		assert_int_equal(parse_conf("1.1.0", text, &c, &f), 0);
		assert_int_equal(conf_publish(&c, &p, &n, &f), more ? -1 : 0);
		if (more)
			assert_int_equal(f.code, FAULT_QUOTA);
		else
			assert_int_equal(n, PUBLISH_MAX);
		free(p);
	}
}

/* More entries than ports: nobody's list is that long. */
static void test_mappings(void **state)
{
	CLEAN_CONF struct conf c;
	CLEAN_BUF struct buf b = BUF_INIT;
	struct fault f = FAULT_INIT;
	struct publish *p = NULL;
	size_t n = 0;

	(void)state;
	buf_printf(&b, "'runtimeConfig':{'portMappings':[7");
	for (int i = 0; i < CONF_MAPPINGS_MAX; i++)
		buf_printf(&b, ",7");
	buf_printf(&b, "]}");
	assert_int_equal(parse_conf("1.1.0", b.p, &c, &f), 0);
	assert_int_equal(conf_publish(&c, &p, &n, &f), -1);
	assert_int_equal(f.code, FAULT_QUOTA);
	assert_null(p);
}

/* An unknown field inside something is named with its place. */
static void test_unknown(void **state)
{
	static const char *const keys[] = {"type", NULL};
	CLEAN_CONF struct conf c;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(parse_conf("1.1.0", "'ipam':{'TYPE':'x','subnet':7}", &c, &f), 0);
	assert_int_equal(conf_refuse_unknown(c.ipam, "ipam", keys, &f), -1);
	assert_int_equal(f.code, FAULT_UNSUPPORTED);
	MUST_HAVE(f.msg, "ipam.subnet: 7");
	/* No memory for its value: it is refused all the same. */
	lack_begin(1, true);
	assert_int_equal(conf_refuse_unknown(c.ipam, "ipam", keys, &f), -1);
	assert_true(lack_end());
	assert_int_equal(f.code, FAULT_UNSUPPORTED);
	MUST_HAVE(f.msg, "ipam.subnet: ?");
	/* "name" is known at the top alone. */
	conf_clear(&c);
	assert_int_equal(parse_conf("1.1.0", "'ipam':{'name':'x'}", &c, &f), 0);
	assert_int_equal(conf_refuse_unknown(c.ipam, "ipam", keys, &f), -1);
	MUST_HAVE(f.msg, "ipam.name");
	assert_int_equal(conf_refuse_unknown(c.doc, "", (const char *const[]){"ipam", NULL}, &f),
			 0);
}

static void test_results(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *where;
	} table[] = {
		{"{'cniVersion':7}", FAULT_DECODE, "p.cniVersion"},
		{"{'dns':7}", FAULT_DECODE, "p.dns"},
		{"{'interfaces':[{'mac':7}]}", FAULT_DECODE, "interfaces[0].mac"},
		{"{'interfaces':[{'sandbox':7}]}", FAULT_DECODE, "interfaces[0].sandbox"},
		{"{'interfaces':[{'socketPath':7}]}", FAULT_DECODE, "interfaces[0].socketPath"},
		{"{'interfaces':[{'pciID':7}]}", FAULT_DECODE, "interfaces[0].pciID"},
		{"{'interfaces':[{'mtu':-1}]}", FAULT_CONFIG, "interfaces[0].mtu"},
		{"{'ips':[{'address':7}]}", FAULT_DECODE, "ips[0].address"},
		{"{'ips':[{'address':'10.0.0.1/8','gateway':7}]}", FAULT_DECODE, "ips[0].gateway"},
		{"{'ips':[{'address':'10.0.0.1/8','interface':'0'}]}", FAULT_DECODE,
		 "ips[0].interface"},
		{"{'routes':[{'dst':7}]}", FAULT_DECODE, "routes[0].dst"},
		{"{'routes':[{'dst':'0.0.0.0/0','gw':'x'}]}", FAULT_DECODE, "routes[0].gw"},
		{"{'routes':[{'dst':'0.0.0.0/0','advmss':'x'}]}", FAULT_DECODE, "routes[0].advmss"},
		{"{'routes':[{'dst':'0.0.0.0/0','priority':-1}]}", FAULT_CONFIG,
		 "routes[0].priority"},
		{"{'routes':[{'dst':'0.0.0.0/0','table':4294967296}]}", FAULT_CONFIG,
		 "routes[0].table"},
		{"{'routes':[{'dst':'0.0.0.0/0','scope':256}]}", FAULT_CONFIG, "routes[0].scope"},
		{"{'cniVersion':'0.2.0','ip4':7}", FAULT_DECODE, "p.ip4"},
		{"{'cniVersion':'0.2.0','ip6':{'ip':'x'}}", FAULT_DECODE, "p.ip6.ip"},
		{"{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.1/8','gateway':'x'}}", FAULT_DECODE,
		 "p.ip4.gateway"},
		{"{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.1/8','routes':[7]}}", FAULT_DECODE,
		 "p.ip4.routes[0]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_RESULT struct result r = RESULT_INIT;
		CLEAN_JSON json_t *doc = NULL;
		struct fault f = FAULT_INIT;
		char *q = quoted(table[i].text);

		assert_int_equal(gojson_parse(q, strlen(q), &doc, &f), 0);
		free(q);
		if (result_parse(doc, "p", V110, &r, &f) != -1 || f.code != table[i].code)
			fail_msg("%s: code %d", table[i].text, f.code);
		MUST_HAVE(f.msg, table[i].where);
	}
}

/* What is no object is no result, whoever passes it on. */
static void test_no_result(void **state)
{
	CLEAN_RESULT struct result r = RESULT_INIT;
	CLEAN_JSON json_t *list = json_array(), *bare = NULL;
	struct fault f = FAULT_INIT;
	char *q = quoted("{'ips':[{'address':'10.0.0.1/8','gateway':''}]}");

	(void)state;
	assert_int_equal(result_parse(list, "p", V110, &r, &f), -1);
	assert_int_equal(f.code, FAULT_DECODE);
	MUST_HAVE(f.details, "p: expected an object, found an array");
	assert_int_equal(result_parse(NULL, "p", V110, &r, &f), -1);
	MUST_HAVE(f.details, "p: expected an object, found nothing");
	assert_int_equal(r.n_ips, 0);
	/* "" is no gateway, not a wrong one. */
	assert_int_equal(gojson_parse(q, strlen(q), &bare, NULL), 0);
	assert_int_equal(result_parse(bare, "p", V110, &r, NULL), 0);
	assert_int_equal(r.ip[0].gateway.family, 0);
	free(q);
}

/* Letters that begin as those do that fold into ASCII, and places that do not fit. */
static void test_keys(void **state)
{
	char path[2 * GOJSON_PATHLEN], at[GOJSON_PATHLEN];
	bool b = true;

	(void)state;
	assert_true(gojson_is_key("\xc5\xbf", "s"));
	assert_true(gojson_is_key("\xe2\x84\xaa", "K"));
	assert_false(gojson_is_key("\xc5\x80", "s"));
	assert_false(gojson_is_key("\xc5", "s"));
	assert_false(gojson_is_key("\xe2\x84\xab", "k"));
	assert_false(gojson_is_key("\xe2\x85\xaa", "k"));
	assert_false(gojson_is_key("\xe2", "k"));
	assert_int_equal(gojson_bool(NULL, "", "x", &b, NULL), 1);
	assert_true(b);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(strlen(gojson_path(at, path, "key", 1)), GOJSON_PATHLEN - 1);
	path[GOJSON_PATHLEN - 3] = '\0';
	assert_int_equal(strlen(gojson_path(at, path, "", 123)), GOJSON_PATHLEN - 1);
	assert_string_equal(gojson_path(at, "a", "b", 7), "a.b[7]");
}

static int read_args(const char *text, struct fault *f)
{
	struct env v = {0};

	*f = (struct fault)FAULT_INIT;
	return env_parse_args(text, &v, f);
}

static void test_environment(void **state)
{
	char list[ENV_IPS_MAX * 16 + 64] = "IP=";
	struct fault f;
	struct env v;

	(void)state;
	assert_int_equal(read_args("IP=x", &f), -1);
	MUST_HAVE(f.msg, "CNI_ARGS: IP");
	assert_int_equal(read_args("GATEWAY=x", &f), -1);
	MUST_HAVE(f.msg, "CNI_ARGS: GATEWAY");
	assert_int_equal(read_args("GATEWAY=;MAC=", &f), 0);
	assert_int_equal(read_args("=1", &f), -1);
	MUST_HAVE(f.msg, "unknown key \"=\"");
	assert_int_equal(read_args("A=1;B=2;IgnoreUnknown=FALSE", &f), -1);
	MUST_HAVE(f.msg, "unknown key \"A\"");
	for (int i = 0; i <= ENV_IPS_MAX; i++) {
		assert_int_equal(read_args(list, &f), 0);
		sprintf(list + strlen(list), "%s10.0.0.%d", i ? "," : "", i + 1);
	}
	assert_int_equal(read_args(list, &f), -1);
	MUST_HAVE(f.msg, "more than 16 addresses");

	setenv("CNI_COMMAND", "ADD", 1);
	setenv("CNI_CONTAINERID", "a", 1);
	setenv("CNI_IFNAME", "eth0", 1);
	setenv("CNI_PATH", "/x", 1);
	setenv("CNI_NETNS", "/run/netns/\xff", 1);
	assert_int_equal(env_read(false, &v, &f), -1);
	MUST_HAVE(f.msg, "CNI_NETNS: not UTF-8");
	setenv("CNI_NETNS", "/run/netns/x\n", 1);
	assert_int_equal(env_read(false, &v, &f), 0);
	assert_string_equal(env_netns_path(&v), ""); /* in no record */
	setenv("CNI_NETNS", "/run/netns/x", 1);
	setenv("CNI_ARGS", "IP=x", 1);
	assert_int_equal(env_read(false, &v, &f), -1);
	setenv("CNI_ARGS", "", 1);
	assert_int_equal(env_read(false, &v, &f), 0);
	assert_string_equal(env_netns_path(&v), "/run/netns/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),     cmocka_unit_test(test_values),
		cmocka_unit_test(test_lists),     cmocka_unit_test(test_runs),
		cmocka_unit_test(test_unknown),   cmocka_unit_test(test_results),
		cmocka_unit_test(test_mappings),  cmocka_unit_test(test_environment),
		cmocka_unit_test(test_no_result), cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
