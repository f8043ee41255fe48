/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipam and conf_iface: configurations of host-local, static, bridge, ptp and netd as requests, and
 * those that are refused. */
#include "util.h"

#include <unistd.h>

#include "cni-plugin/conf_iface.h"
#include "cni-plugin/ipam.h"
#include "cni-plugin/tune.h"

static const struct plugin netd = {.name = "netd"};
static const struct plugin bridge = {.name = "bridge", .bridge = "cni0"};
static const struct plugin ptp = {.name = "ptp", .is_routed = true};

struct made {
	struct call call;
	struct ipam ipam;
	struct conf_iface iface;
	struct fault f;
};

static int make(const struct plugin *p, const char *version, const char *rest, struct made *m)
{
	*m = (struct made){.ipam = IPAM_INIT};
	m->call.plugin = p;
	m->call.env =
		(struct env){.id = "7f3c", .ifname = "eth0", .netns = "/run/netns/x", .path = "/"};
	if (parse_conf(version, rest, &m->call.conf, &m->f) < 0 ||
	    ipam_parse(&m->call.conf, &m->call.env, &m->ipam, &m->f) < 0 ||
	    conf_iface_parse(&m->call, &m->ipam, &m->iface, &m->f) < 0)
		return -1;
	return conf_iface_complete(&m->call, &m->ipam, &m->iface, &m->f);
}

static void drop(struct made *m)
{
	conf_iface_clear(&m->iface);
	ipam_clear(&m->ipam);
	conf_clear(&m->call.conf);
}

#define DUAL                                                                                       \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.83.4.0/24'}],"                       \
	"[{'subnet':'fd83:4::/64'}]],'routes':[{'dst':'0.0.0.0/0'}]}"

static void test_bridge(void **state)
{
	char s[IP_STRLEN];
	struct made m;

	(void)state;
	assert_int_equal(
		make(&bridge, "1.1.0",
		     "'isDefaultGateway':true,'ipMasq':true,'hairpinMode':true,'mtu':1400," DUAL,
		     &m),
		0);
	const struct up_request *q = &m.iface.req;
	assert_string_equal(q->net_spec->bridge, "cni0");
	assert_string_equal(q->network, "web");
	assert_true(q->net_spec->is_spec && q->net_spec->masquerade && q->net_spec->is_gateway);
	assert_true(q->net_spec->is_open && q->is_hairpin && !q->is_unguarded);
	assert_int_equal(q->net_spec->mtu, 1400);
	assert_string_equal(ip_str(&q->net_spec->gateway[FAM4], s), "10.83.4.1");
	assert_string_equal(ip_str(&q->net_spec->gateway[FAM6], s), "fd83:4::1");
	assert_int_equal(q->n_set, 2);
	/* the one that ipam lists is not made twice */
	assert_int_equal(q->n_route, 1);
	assert_false(q->is_default_route[FAM4]);
	assert_true(q->is_default_route[FAM6]);
	drop(&m);
}

static void test_kinds(void **state)
{
	struct made m;

	(void)state;
	assert_int_equal(make(&netd, "1.1.0", DUAL, &m), 0);
	MUST_HAVE(m.iface.net.bridge, "nb-web");
	assert_false(m.iface.net.is_gateway || m.iface.net.masquerade);
	drop(&m);
	assert_int_equal(make(&ptp, "1.1.0", DUAL, &m), 0);
	assert_int_equal(m.iface.net.mode, NET_ROUTED);
	drop(&m);
	assert_int_equal(make(&bridge, "1.1.0", "'bridge':'br9','macspoofchk':false", &m), 0);
	assert_true(m.iface.req.is_l2 && m.iface.req.is_unguarded);
	assert_string_equal(m.iface.net.bridge, "br9");
	drop(&m);
	assert_int_equal(make(&netd, "1.1.0", "'ingressPolicy':'isolated'," DUAL, &m), 0);
	assert_true(m.iface.net.isolate && !m.iface.net.is_open);
	drop(&m);
}

static void test_vlans(void **state)
{
	const struct attach_vlan *v;
	struct made m;

	(void)state;
	assert_int_equal(make(&bridge, "1.1.0", "'vlan':100,'preserveDefaultVlan':false," DUAL, &m),
			 0);
	v = &m.iface.req.vlan;
	assert_true(v->pvid == 100 && v->is_alone && v->n_trunk == 0);
	assert_true(m.iface.net.is_filtering && m.iface.net.vlan == 100);
	assert_false(m.iface.req.is_unguarded);
	drop(&m);
	/* in any order, joined; a trunk goes without the guard, which is not asked for */
	assert_int_equal(make(&bridge, "1.1.0",
			      "'vlanTrunk':[{'minID':200,'maxID':299},{'id':7},"
			      "{'minID':300,'maxID':310,'id':6},{'id':250}]," DUAL,
			      &m),
			 0);
	v = &m.iface.req.vlan;
	assert_true(v->pvid == 0 && !v->is_alone && v->n_trunk == 2);
	assert_true(v->trunk[0].min == 6 && v->trunk[0].max == 7);
	assert_true(v->trunk[1].min == 200 && v->trunk[1].max == 310);
	assert_true(m.iface.net.is_filtering && m.iface.net.vlan == 0);
	assert_true(m.iface.req.is_unguarded);
	drop(&m);
	/* none at all */
	assert_int_equal(make(&bridge, "1.1.0",
			      "'vlan':0,'vlanTrunk':[],'preserveDefaultVlan':false," DUAL, &m),
			 0);
	assert_false(attach_vlan_is_set(&m.iface.req.vlan) || m.iface.net.is_filtering);
	drop(&m);
}

static void test_ipam(void **state)
{
	char s[PREFIX_STRLEN];
	struct made m;

	(void)state;
	/* the runtime's first, then the plain keys, then `ranges` */
	assert_int_equal(
		make(&bridge, "1.1.0",
		     "'runtimeConfig':{'ipRanges':[[{'subnet':'10.1.0.0/24',"
		     "'rangeStart':'10.1.0.9','rangeEnd':'10.1.0.19','gateway':'10.1.0.254'}]],"
		     "'ips':['10.2.0.7/16']},'ipam':{'type':'host-local',"
		     "'subnet':'10.2.0.0/24','ranges':[[{'subnet':'10.3.0.0/24'}]]}",
		     &m),
		0);
	assert_int_equal(m.ipam.n_set, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(m.ipam.set[i].r[0].subnet.ip.b[1], i + 1);
	assert_int_equal(m.ipam.set[0].r[0].gateway.b[3], 254);
	assert_int_equal(m.ipam.n_want, 1);
	drop(&m);
	assert_int_equal(
		make(&bridge, "1.1.0",
		     "'isGateway':true,'ipam':{'type':'static','addresses':["
		     "{'address':'10.1.0.9/24'},{'address':'fd00::9/64','gateway':'fd00::1'}],"
		     "'dns':{'nameservers':['10.1.0.2']}}",
		     &m),
		0);
	assert_int_equal(m.ipam.n_given, 2);
	assert_string_equal(prefix_str(&m.ipam.given[0].addr, s), "10.1.0.9/24");
	assert_int_equal(m.ipam.given[0].gateway.b[3], 1); /* the bridge's */
	assert_int_equal(json_array_size(m.ipam.dns.nameservers), 1);
	drop(&m);
	assert_int_equal(make(&bridge, "1.1.0", "'ipam':{'type':'dhcp'}", &m), 0);
	assert_int_equal(m.ipam.kind, IPAM_OTHER);
	drop(&m);
}

static void test_refused(void **state)
{
	static const struct {
		const char *version, *rest;
		int code;
	} table[] = {
		{"1.1.0", "'mtu':67," DUAL, FAULT_CONFIG},
		{"1.1.0", "'mtu':65536," DUAL, FAULT_CONFIG},
		{"1.1.0", "'mtu':'big'," DUAL, FAULT_DECODE},
		{"1.1.0", "'vlan':5000," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlan':-1," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlanTrunk':[{'minID':9,'maxID':3}]," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlanTrunk':[{}]," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlanTrunk':[{'id':4095}]," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlanTrunk':[{'minID':9}]," DUAL, FAULT_CONFIG},
		{"1.1.0", "'vlanTrunk':[9]," DUAL, FAULT_DECODE},
		{"1.1.0", "'vlanTrunk':[{'id':9}],'macspoofchk':true," DUAL, FAULT_CONFIG},
		{"1.1.0", "'mode':'routed','vlan':9," DUAL, FAULT_CONFIG},
		{"1.1.0", "'preserveDefaultVlan':1," DUAL, FAULT_DECODE},
		{"1.1.0", "'bridge':'abcdefghijklmnop'," DUAL, FAULT_CONFIG},
		{"1.1.0", "'bridge':'a;b'," DUAL, FAULT_CONFIG},
		{"1.1.0", "'hairpinMode':true,'promiscMode':true," DUAL, FAULT_CONFIG},
		{"1.1.0", "'disableContainerInterface':true," DUAL, FAULT_CONFIG},
		{"1.1.0", "'ipMasqBackend':'pf'," DUAL, FAULT_CONFIG},
		{"1.1.0", "'mode':'vxlan'," DUAL, FAULT_CONFIG},
		{"1.1.0", "'mode':'routed'", FAULT_CONFIG},
		{"1.1.0", "'ingressPolicy':'x'," DUAL, FAULT_CONFIG},
		{"1.1.0", "'noMasq':['x']," DUAL, FAULT_CONFIG},
		{"1.1.0", "'sysctl':{'net/../kernel/x':'1'}," DUAL, FAULT_CONFIG},
		{"1.1.0", "'sysctl':{'../../kernel/core_pattern':'1'}," DUAL, FAULT_CONFIG},
		{"1.1.0", "'sysctl':{'kernel.panic':'1'}," DUAL, FAULT_CONFIG},
		{"1.1.0", "'sysctl':{'net.ipv4.ip_forward':'1\\n'}," DUAL, FAULT_CONFIG},
		{"1.1.0", "'sysctl':{'net.ipv4.ip_forward':1}," DUAL, FAULT_DECODE},
		{"1.1.0", "'ipam':{'type':'host-local'}", FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'host-local','subnet':'10.0.0.0/31'}", FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'host-local','subnet':'10.0.0.0/32'}", FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'host-local','subnet':'10.0.0.1/24'}", FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'host-local','subnet':7}", FAULT_DECODE},
		{"1.1.0", "'ipam':{'type':'host-local','ranges':[{'subnet':'10.0.0.0/24'}]}",
		 FAULT_DECODE},
		{"1.1.0", "'ipam':{'type':'host-local','ranges':[[{'rangeStart':'10.0.0.0'}]]}",
		 FAULT_CONFIG},
		{"1.1.0",
		 "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.0.0.0/24'}],"
		 "[{'subnet':'10.0.0.0/25'}]]}",
		 FAULT_CONFIG},
		{"1.1.0",
		 "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','gateway':'10.1.0.1'}",
		 FAULT_CONFIG},
		{"1.1.0",
		 "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','rangeStart':'10.0.0.9',"
		 "'rangeEnd':'10.0.0.3'}",
		 FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','dataDir':'x'}",
		 FAULT_CONFIG},
		{"1.1.0",
		 "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','resolvConf':'/nope/x'}",
		 FAULT_IO},
		{"1.1.0", "'strict':true,'ipam':{'type':'host-local','subnet':'10.0.0.0/24','x':1}",
		 FAULT_UNSUPPORTED},
		{"1.1.0",
		 "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','routes':[{'dst':'x'}]}",
		 FAULT_DECODE},
		{"1.1.0", "'ipam':{'type':'static'}", FAULT_CONFIG},
		{"1.1.0", "'ipam':{'type':'static','addresses':[{'address':'10.0.0.9'}]}",
		 FAULT_CONFIG},
		{"1.1.0",
		 "'ipam':{'type':'static','addresses':[{'address':'10.0.0.9/24','gateway':'::1'}]}",
		 FAULT_CONFIG},
		/* what an old shape cannot say */
		{"0.2.0", "", FAULT_CONFIG},
		{"0.2.0",
		 "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.0.0.0/24'}],"
		 "[{'subnet':'10.1.0.0/24'}]]}",
		 FAULT_CONFIG},
		{"0.2.0", DUAL, 0},
		{"1.1.0",
		 "'runtimeConfig':{'portMappings':[{'hostPort':1,'containerPort':1,'protocol':'tcp'"
		 "}]}",
		 FAULT_CONFIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct made m;
		int r = make(&bridge, table[i].version, table[i].rest, &m);

		if ((r < 0 ? m.f.code : 0) != table[i].code)
			fail_msg("%s: code %d: %s", table[i].rest, m.f.code, m.f.msg);
		drop(&m);
	}
}

/* Bytes that are no UTF-8 cannot stand in a result: what has them is left out. */
static void test_resolv(void **state)
{
	char path[] = "/tmp/resolvXXXXXX", rest[256];
	static const char text[] = "nameserver 10.0.0.2\ndomain good\ndomain b\xff"
				   "d\n"
				   "search a \xc3( c\noptions ndots:2\n";
	CLEAN_JSON json_t *out = NULL;
	struct made m;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	close(fd);
	snprintf(rest, sizeof(rest),
		 "'ipam':{'type':'host-local','subnet':'10.0.0.0/24','resolvConf':'%s'}", path);
	assert_int_equal(make(&bridge, "1.1.0", rest, &m), 0);
	unlink(path);
	assert_string_equal(m.ipam.dns.domain, "good");
	assert_int_equal(json_array_size(m.ipam.dns.search), 2);
	out = result_dns_json(&m.ipam.dns);
	assert_non_null(out);
	assert_int_equal(json_object_size(out), 4);
	drop(&m);
}

static void test_allow_list(void **state)
{
	CLEAN_JSON json_t *o = json_pack("{s:s}", "net.ipv4.conf.IFNAME.rp_filter", "1");
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(
		tune_check_allowed("^net\\.core\\..*$\n^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$", o,
				   &f),
		0);
	assert_int_equal(tune_check_allowed("^net\\.core\\..*$\n\n", o, &f), -1);
	assert_int_equal(f.code, FAULT_CONFIG);
	assert_int_equal(tune_check_allowed("", o, &f), -1);
	assert_int_equal(tune_check_allowed("(", o, &f), -1);
	MUST_HAVE(f.msg, "no regular expression");
}

static void test_foreign_result(void **state)
{
	CLEAN_IPAM struct ipam i = IPAM_INIT;
	CLEAN_RESULT struct result r = RESULT_INIT;
	struct result_ip ip = {.iface = -1};
	struct result_route route = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(prefix_parse("10.9.0.5/24", &ip.addr, NULL), 0);
	assert_int_equal(prefix_parse("0.0.0.0/0", &route.dst, NULL), 0);
	assert_int_equal(result_add_ip(&r, &ip, &f), 0);
	assert_int_equal(result_add_route(&r, &route, &f), 0);
	assert_int_equal(ipam_take_result(&r, &i, &f), 0);
	assert_int_equal(i.n_given, 1);
	assert_int_equal(i.n_route, 1);
	for (int k = 0; k < ATTACH_IP_MAX; k++)
		assert_int_equal(result_add_ip(&r, &ip, &f), 0);
	assert_int_equal(ipam_take_result(&r, &i, &f), -1);
	assert_int_equal(f.code, FAULT_QUOTA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridge),     cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_vlans),      cmocka_unit_test(test_resolv),
		cmocka_unit_test(test_ipam),       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allow_list), cmocka_unit_test(test_foreign_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
