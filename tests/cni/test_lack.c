/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations and results without memory: each allocation fails in its turn. What comes of it is
 * the fault of an internal error, and never a configuration or a result of which a part is missing.
 */
#include "util.h"

#include "cni-plugin/conf_iface.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/ipam.h"
#include "lack.h"

static const struct plugin bridge = {.name = "bridge", .bridge = "cni0"};

static const char config[] =
	"{'cniVersion':'1.1.0','name':'web','vlanTrunk':[{'id':7}],'noMasq':['10.0.0.0/8'],"
	"'ipam':{'type':'static','addresses':[{'address':'10.1.0.9/24','gateway':'10.1.0.1'}],"
	"'routes':[{'dst':'0.0.0.0/0'}],'dns':{'nameservers':['10.1.0.2']}},"
	"'sysctl':{'net.ipv4.conf.IFNAME.rp_filter':'2'},'dns':{'domain':'a','search':['b','c']},"
	"'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,'protocol':'tcp'}],"
	"'dns':{'servers':['10.0.0.9','10.0.0.8'],'options':['x']},'aliases':['n']},"
	"'prevResult':{'cniVersion':'1.1.0','interfaces':[{'name':'a','mac':'b','sandbox':'c',"
	"'socketPath':'d','pciID':'e'}],'ips':[{'address':'10.1.0.9/24','interface':0}],"
	"'routes':[{'dst':'0.0.0.0/0'}],'dns':{'nameservers':['10.0.0.1']}}}";

struct made {
	struct call call;
	struct ipam ipam;
	struct conf_iface iface;
};

static int make(char *text, struct made *m, struct fault *f)
{
	*m = (struct made){.ipam = IPAM_INIT, .iface = CONF_IFACE_INIT};
	m->call = (struct call){
		.plugin = &bridge,
		.conf = CONF_INIT,
		.env = {.id = "7f3c", .ifname = "eth0", .netns = "/run/netns/x", .path = "/"}};
	if (conf_parse(text, strlen(text), &m->call.conf, f) < 0 ||
	    conf_parse_prev(&m->call.conf, f) < 0 ||
	    ipam_parse(&m->call.conf, &m->call.env, &m->ipam, f) < 0 ||
	    conf_iface_parse(&m->call, &m->ipam, &m->iface, f) < 0)
		return -1;
	return conf_iface_complete(&m->call, &m->ipam, &m->iface, f);
}

static void drop(struct made *m)
{
	conf_iface_clear(&m->iface);
	ipam_clear(&m->ipam);
	conf_clear(&m->call.conf);
}

static void check_whole(const struct made *m)
{
	const struct result_dns *d = &m->iface.dns;
	const struct result *prev = &m->call.conf.prev;

	assert_int_equal(json_array_size(d->nameservers), 2);
	assert_string_equal(json_string_value(json_array_get(d->nameservers, 1)), "10.0.0.8");
	assert_int_equal(json_array_size(d->search), 2);
	assert_int_equal(json_array_size(d->options), 1);
	assert_string_equal(d->domain, "a");
	assert_int_equal(m->iface.req.n_publish, 1);
	assert_int_equal(m->iface.req.n_sysctl, 1);
	assert_int_equal(m->iface.req.n_given, 1);
	assert_int_equal(m->iface.req.n_route, 1);
	assert_int_equal(json_array_size(m->ipam.dns.nameservers), 1);
	assert_int_equal(prev->n_ifaces, 1);
	assert_string_equal(prev->iface[0].name, "a");
	assert_string_equal(prev->iface[0].pci_id, "e");
	assert_int_equal(prev->n_ips, 1);
	assert_int_equal(prev->n_routes, 1);
	assert_int_equal(json_array_size(prev->dns.nameservers), 1);
}

/* How many allocations the library's parser makes of it: that one is not what is tried out here. */
static size_t count_parser(void)
{
	CLEAN_JSON json_t *doc = NULL;
	char *text = quoted(config);

	lack_begin(SIZE_MAX, false);
	assert_int_equal(gojson_parse(text, strlen(text), &doc, NULL), 0);
	(void)lack_end();
	free(text);
	return lack_count();
}

static void test_configuration(void **state)
{
	size_t first = count_parser(), nth;
	bool has_failed = true;

	(void)state;
	for (nth = first + 1; has_failed; nth++) {
		char *text = quoted(config);
		struct fault f = FAULT_INIT;
		struct made m;
		int r;

		lack_begin(nth, false);
		r = make(text, &m, &f);
		has_failed = lack_end();
		if (r == 0)
			check_whole(&m);
		else if (!has_failed || f.code != FAULT_INTERNAL)
			fail_msg("allocation %zu: code %d, %s: %s", nth, f.code, f.msg, f.details);
		drop(&m);
	}
	assert_true(nth > first + 20);
}

static const char answer[] =
	"{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','mac':'0a:00:00:00:00:02'}],"
	"'ips':[{'address':'10.83.4.7/24','gateway':'10.83.4.1','interface':0}],"
	"'routes':[{'dst':'0.0.0.0/0','gw':'10.83.4.1'}],"
	"'dns':{'nameservers':['10.0.0.2','10.0.0.3'],'domain':'a.b','search':['a.b','c.d'],"
	"'options':['ndots:1']}}";

/* The answer to the runtime is printed as a whole, and that of an IPAM plugin taken over so. */
static void test_result(void **state)
{
	CLEAN_RESULT struct result r = RESULT_INIT;
	CLEAN_JSON json_t *doc = NULL;
	char *q = quoted(answer);
	bool has_failed = true;
	size_t nth;

	(void)state;
	assert_int_equal(gojson_parse(q, strlen(q), &doc, NULL), 0);
	assert_int_equal(result_parse(doc, "", V110, &r, NULL), 0);
	for (nth = 1; has_failed; nth++) {
		CLEAN_JSON json_t *out = NULL;

		lack_begin(nth, false);
		out = result_json(&r, V110);
		has_failed = lack_end();
		assert_int_equal(out == NULL, has_failed);
		assert_true(has_failed || json_equal(out, doc));
	}
	assert_true(nth > 20);
	has_failed = true;
	for (nth = 1; has_failed; nth++) {
		CLEAN_IPAM struct ipam i = IPAM_INIT;
		struct fault f = FAULT_INIT;
		int took;

		lack_begin(nth, false);
		took = ipam_take_result(&r, &i, &f);
		has_failed = lack_end();
		assert_int_equal(took, has_failed ? -1 : 0);
		assert_int_equal(f.code, has_failed ? FAULT_INTERNAL : 0);
		if (has_failed)
			continue;
		assert_string_equal(i.dns.domain, "a.b");
		assert_int_equal(json_array_size(i.dns.search), 2);
		assert_int_equal(i.n_route, 1);
	}
	free(q);
}

/* The shape of 0.2.0, and a text that is read. */
static void test_reading(void **state)
{
	static const char old[] = "{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.2/8',"
				  "'routes':[{'dst':'0.0.0.0/0'}]},'dns':{'domain':'a'}}";
	CLEAN_JSON json_t *doc = NULL;
	char *q = quoted(old);
	bool has_failed = true;

	(void)state;
	assert_int_equal(gojson_parse(q, strlen(q), &doc, NULL), 0);
	free(q);
	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_RESULT struct result r = RESULT_INIT;
		struct fault f = FAULT_INIT;
		int took;

		lack_begin(nth, false);
		took = result_parse(doc, "", V110, &r, &f);
		has_failed = lack_end();
		assert_int_equal(took, has_failed ? -1 : 0);
		assert_int_equal(f.code, has_failed ? FAULT_INTERNAL : 0);
		assert_true(has_failed || (r.n_ips == 1 && r.n_routes == 1 && r.dns.domain));
	}
	has_failed = true;
	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_JSON json_t *v = NULL;
		struct fault f = FAULT_INIT;
		int took;

		lack_begin(nth, false);
		took = gojson_parse("{\"a\":[1]}", 9, &v, &f);
		has_failed = lack_end();
		assert_int_equal(took, has_failed ? -1 : 0);
		assert_int_equal(v == NULL, has_failed);
		assert_int_equal(f.code, has_failed ? FAULT_INTERNAL : 0);
	}
}

static void test_environment(void **state)
{
	struct fault f = FAULT_INIT;
	struct env v = {0};

	(void)state;
	lack_begin(1, false);
	assert_int_equal(env_parse_args("IP=10.0.0.1", &v, &f), -1);
	assert_true(lack_end());
	assert_int_equal(f.code, FAULT_INTERNAL);
	assert_int_equal(v.n_ips, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_environment),
	};

	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
