/* SPDX-License-Identifier: GPL-2.0-or-later */
/* result: the shape of every version, there and back; what is wrong in a result of another plugin.
 */
#include "util.h"

#include "cni-plugin/gojson.h"
#include "cni-plugin/result.h"

static int parse(const char *text, enum cni_version v, struct result *r, struct fault *f)
{
	CLEAN_JSON json_t *doc = NULL;
	char *q = quoted(text);

	*r = (struct result)RESULT_INIT;
	assert_int_equal(gojson_parse(q, strlen(q), &doc, f), 0);
	free(q);
	return result_parse(doc, "prevResult", v, r, f);
}

static const char full[] =
	"{'cniVersion':'1.1.0','interfaces':[{'name':'br0','mac':'0a:00:00:00:00:01','mtu':1500},"
	"{'name':'eth0','mac':'0a:00:00:00:00:02','mtu':1400,'sandbox':'/run/netns/x',"
	"'socketPath':'/s','pciID':'0000:1'}],"
	"'ips':[{'address':'10.83.4.7/24','gateway':'10.83.4.1','interface':1},"
	"{'address':'fd83:4::7/64','gateway':'fd83:4::1','interface':1}],"
	"'routes':[{'dst':'0.0.0.0/0','gw':'10.83.4.1','mtu':1400,'advmss':1300,'priority':5,"
	"'table':7,'scope':0},{'dst':'fd00:9::/64'}],"
	"'dns':{'nameservers':['10.0.0.2'],'domain':'a.b','search':['a.b'],'options':['ndots:1']}}";

static void prints(const struct result *r, enum cni_version v, const char *wanted)
{
	CLEAN_JSON json_t *doc = result_json(r, v);
	char *q = quoted(wanted), *text;

	assert_non_null(doc);
	text = json_dumps(doc, JSON_COMPACT);
	assert_string_equal(text, q);
	free(text);
	free(q);
}

static void test_shapes(void **state)
{
	struct fault f = FAULT_INIT;
	CLEAN_RESULT struct result r;
	static const char dns[] =
		"'dns':{'nameservers':['10.0.0.2'],'domain':'a.b','search':['a.b'],"
		"'options':['ndots:1']}}";
	static const char *const old[] = {"0.1.0", "0.2.0"}, *const mid[] = {"0.3.0", "0.3.1",
									     "0.4.0"};
	char text[2048];

	(void)state;
	assert_int_equal(parse(full, V100, &r, &f), 0);
	prints(&r, V110, full);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "{'cniVersion':'%s','ip4':{'ip':'10.83.4.7/24','gateway':'10.83.4.1',"
			 "'routes':[{'dst':'0.0.0.0/0','gw':'10.83.4.1'}]},"
			 "'ip6':{'ip':'fd83:4::7/64','gateway':'fd83:4::1',"
			 "'routes':[{'dst':'fd00:9::/64'}]},%s",
			 old[i], dns);
		prints(&r, V010 + (enum cni_version)i, text);
	}
	for (int i = 0; i < 4; i++) {
		bool is_mid = i < 3;
		snprintf(
			text, sizeof(text),
			"{'cniVersion':'%s','interfaces':[{'name':'br0','mac':'0a:00:00:00:00:01'},"
			"{'name':'eth0','mac':'0a:00:00:00:00:02','sandbox':'/run/netns/x'}],"
			"'ips':[{%s'address':'10.83.4.7/24','gateway':'10.83.4.1','interface':1},"
			"{%s'address':'fd83:4::7/64','gateway':'fd83:4::1','interface':1}],"
			"'routes':[{'dst':'0.0.0.0/0','gw':'10.83.4.1'},{'dst':'fd00:9::/64'}],%s",
			is_mid ? mid[i] : "1.0.0", is_mid ? "'version':'4'," : "",
			is_mid ? "'version':'6'," : "", dns);
		prints(&r, V030 + (enum cni_version)i, text);
	}
}

static void test_empty(void **state)
{
	CLEAN_RESULT struct result r = RESULT_INIT;
	struct fault f = FAULT_INIT;

	(void)state;
	prints(&r, V110, "{'cniVersion':'1.1.0'}");
	prints(&r, V040, "{'cniVersion':'0.4.0','dns':{}}");
	assert_int_equal(result_fits(&r, V030, &f), 0);
	assert_int_equal(result_fits(&r, V020, &f), -1);
	assert_int_equal(f.code, FAULT_CONFIG);
}

static void test_old_input(void **state)
{
	struct fault f = FAULT_INIT;
	CLEAN_RESULT struct result r;

	(void)state;
	assert_int_equal(
		parse("{'CNIVersion':'0.2.0','ip4':{'ip':'10.1.0.2/16','gateway':'10.1.0.1',"
		      "'routes':[{'dst':'0.0.0.0/0'}]}}",
		      V110, &r, &f),
		0);
	prints(&r, V100,
	       "{'cniVersion':'1.0.0','ips':[{'address':'10.1.0.2/16','gateway':'10.1.0.1'}],"
	       "'routes':[{'dst':'0.0.0.0/0'}]}");
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *where;
	} table[] = {
		{"{'cniVersion':'7','ips':[]}", FAULT_VERSION, "prevResult"},
		{"{'ips':{}}", FAULT_DECODE, "prevResult.ips"},
		{"{'ips':[1]}", FAULT_DECODE, "prevResult.ips[0]"},
		{"{'ips':[{}]}", FAULT_DECODE, "prevResult.ips[0].address"},
		{"{'ips':[{'address':'10.0.0.1'}]}", FAULT_DECODE, "prevResult.ips[0].address"},
		{"{'ips':[{'address':'10.0.0.1/24','interface':0}]}", FAULT_CONFIG,
		 "ips[0].interface"},
		{"{'interfaces':[{}],'ips':[{'address':'10.0.0.1/24','interface':-1}]}",
		 FAULT_CONFIG, "ips[0].interface"},
		{"{'ips':[{'address':'10.0.0.1/24','gateway':'x'}]}", FAULT_DECODE,
		 "ips[0].gateway"},
		{"{'routes':[{'dst':'0.0.0.0'}]}", FAULT_DECODE, "routes[0].dst"},
		{"{'routes':[{'dst':'0.0.0.0/0','mtu':-1}]}", FAULT_CONFIG, "routes[0].mtu"},
		{"{'interfaces':[{'name':1}]}", FAULT_DECODE, "interfaces[0].name"},
		{"{'dns':{'search':[1]}}", FAULT_DECODE, "prevResult.dns.search[0]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_RESULT struct result r;
		struct fault f = FAULT_INIT;

		assert_int_equal(parse(table[i].text, V110, &r, &f), -1);
		assert_int_equal(f.code, table[i].code);
		MUST_HAVE(f.msg, table[i].where);
	}
}

static void test_versions(void **state)
{
	static const char *const bad[] = {"1.1",    "1.1.0.0", "x",     "9.9.9",
					  "1.1.0 ", "01.1.0",  "v1.0.0"};
	CLEAN_JSON json_t *doc = result_version_json(V031);
	enum cni_version v = V110;

	(void)state;
	for (int i = 0; i < N_VERSIONS; i++) {
		assert_int_equal(version_parse(version_str((enum cni_version)i), &v), 0);
		assert_int_equal(v, i);
		MUST_HAVE(version_list(), version_str(v));
	}
	assert_int_equal(version_parse("", &v), 0);
	assert_int_equal(v, V010);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(version_parse(bad[i], &v), -1);
	assert_string_equal(json_string_value(json_object_get(doc, "cniVersion")), "0.3.1");
	assert_int_equal(json_array_size(json_object_get(doc, "supportedVersions")), 7);
}

static void test_fault(void **state)
{
	struct fault f = FAULT_INIT, more = FAULT_INIT;
	struct err e = ERR_INIT;

	(void)state;
	fault_set(&f, FAULT_PORT, "a\nb");
	fault_details(&f, "by %s", "c\x01");
	CLEAN_JSON json_t *doc = result_fault_json(&f, V100);
	assert_string_equal(json_string_value(json_object_get(doc, "msg")), "a?b");
	assert_string_equal(json_string_value(json_object_get(doc, "details")), "by c?");
	assert_int_equal(json_integer_value(json_object_get(doc, "code")), 100);
	fault_gather(&more, &f);
	fault_gather(&more, &f);
	assert_int_equal(more.code, 100);
	MUST_HAVE(more.details, "by c?; a?b: by c?");
	err_set(&e, ERR_BUSY, 0, "lock");
	assert_int_equal(fault_err(&f, &e), -1);
	assert_int_equal(f.code, FAULT_AGAIN);
	assert_string_equal(f.msg, "lock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),    cmocka_unit_test(test_empty),
		cmocka_unit_test(test_old_input), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_versions),  cmocka_unit_test(test_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
