/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: the optional parts of attachments, and described networks. Documents are pinned byte for
 * byte, survive the round trip, and wrong values are refused with their place.
 */
#include <errno.h>

#include "model/codec.h"

#include "codec_check.h"

/* Every optional part, addresses in an order of their own, several of a family. */
static const char parts_doc[] =
	"{\"version\":1,\"phase\":\"committed\",\"request\":\"18446744073709551615\",\"id\":\"p\","
	"\"ifname\":\"eth0\",\"network\":\"web\",\"mode\":\"bridge\",\"bridge\":\"cni0\","
	"\"internal\":"
	"false,\"isolate\":false,\"hostIfname\":\"nu1\",\"hostIfindex\":7,\"ifindex\":2,\"mac\":"
	"\"72:6e:0a:58:00:02\",\"addresses\":[{\"address\":\"10.83.4.7/"
	"24\",\"gateway\":\"10.83.4.1\"},"
	"{\"address\":\"10.84.4.7/32\"},{\"address\":\"2001:db8::7/"
	"64\",\"gateway\":\"2001:db8::1\"},"
	"{\"address\":\"2001:db8:1::7/64\"},{\"address\":\"10.85.0.1/16\"}],\"mtu\":1400,"
	"\"netnsCookie\":\"5\",\"bootId\":\"01234567-89ab-cdef-0123-456789abcdef\",\"created\":1,"
	"\"madeAt\":86400000000001,\"uid\":1000,\"ports\":[],\"routes\":[{\"dst\":\"0.0.0.0/"
	"0\"},{\"dst\":"
	"\"192.0.2.0/"
	"24\",\"gw\":\"10.83.4.9\",\"mtu\":1300,\"advmss\":1200,\"priority\":5,\"table\":100},"
	"{\"dst\":\"198.51.100.0/24\",\"scope\":253}],\"defaultRoute6\":true,\"sysctls\":[{\"key\":"
	"\"net/ipv4/conf/eth0/"
	"rp_filter\",\"value\":\"2\"}],\"tune\":{\"promisc\":true,\"allmulti\":false,"
	"\"txQueueLen\":0,\"mtu\":1400,\"mac\":\"02:00:00:00:00:09\"},\"rate\":{\"in\":8000000,"
	"\"inBurst\":"
	"800000,\"out\":9000000,\"outBurst\":1600000},\"cap\":{\"conns\":100,"
	"\"connRate\":50,\"packetRate\":4294967295,\"inConns\":7,\"inConnRate\":8},"
	"\"egress\":[{\"to\":\"192.0.2.0/24:80-443\"},{\"notTo\":\"192.0.2.7/"
	"32\"},{\"to\":\"[2001:db8::/32]:53\"},{\"to\":\"*.a.org:443-444\"}],"
	"\"trunk\":[{\"min\":7,\"max\":7},{\"min\":"
	"200,\"max\":300}],\"vlan\":100,\"vlanAlone\":true,\"aliases\":[\"web\",\"a.b\"],\"note\":"
	"\"{\\\"x\\\":1}\",\"down\":true,\"hairpin\":true,"
	"\"promisc\":true,\"dad\":true,\"unguarded\":true,\"portIsolated\":true,"
	"\"untilLogout\":true}";

static const char l2_doc[] =
	"{\"version\":1,\"phase\":\"committed\",\"request\":\"1\",\"layer2\":true,\"id\":\"p\","
	"\"ifname\":"
	"\"eth0\",\"network\":\"web\",\"mode\":\"bridge\",\"bridge\":\"cni0\",\"internal\":false,"
	"\"isolate\":false,\"hostIfname\":\"nu1\",\"hostIfindex\":7,\"ifindex\":2,\"mac\":"
	"\"72:6e:0a:58:00:02\",\"addresses\":[],\"mtu\":1500,\"netnsCookie\":\"5\",\"bootId\":"
	"\"01234567-89ab-cdef-0123-456789abcdef\",\"created\":1,\"ports\":[],\"routes\":[]}";

static const char lease_doc[] =
	"{\"version\":1,\"phase\":\"committed\",\"kind\":\"lease\",\"id\":\"p\",\"ifname\":"
	"\"eth0\","
	"\"network\":\"web\",\"mode\":\"routed\",\"internal\":false,\"isolate\":false,"
	"\"hostIfindex\":0,"
	"\"ifindex\":0,\"addresses\":[{\"address\":\"2001:db8::7/64\"},{\"address\":\"10.83.4.7/"
	"24\"}],"
	"\"mtu\":0,\"bootId\":\"01234567-89ab-cdef-0123-456789abcdef\",\"created\":1,\"ports\":[],"
	"\"leased\":true}";

/* Another plugin's, of whose addresses nothing is known. */
static const char foreign_doc[] =
	"{\"version\":1,\"phase\":\"committed\",\"kind\":\"foreign\",\"id\":\"p\",\"ifname\":"
	"\"eth0\",\"network\":\"web\",\"mode\":\"routed\",\"internal\":false,\"isolate\":false,"
	"\"hostIfindex\":0,\"ifindex\":0,\"addresses\":[],\"mtu\":0,\"netnsCookie\":\"5\","
	"\"bootId\":\"01234567-89ab-cdef-0123-456789abcdef\",\"created\":1,\"ports\":[],"
	"\"sysctls\":[{\"key\":\"net/ipv4/conf/eth0/rp_filter\",\"value\":\"2\"}]}";

static const char spec_doc[] =
	"{\"version\":1,\"name\":\"web\",\"mode\":\"bridge\",\"bridge\":\"cni0\",\"spec\":true,"
	"\"isGateway\":true,\"open\":true,\"adopted\":true,\"vlanFiltering\":true,\"vlan\":100,"
	"\"subnets\":[{\"subnet\":\"10.83.4.0/"
	"24\","
	"\"gateway\":\"10.83.4.254\",\"ownGateway\":true},{\"subnet\":\"2001:db8::/"
	"64\",\"gateway\":"
	"\"2001:db8::1\"},{\"subnet\":\"10.84.0.0/"
	"31\",\"member\":true}],\"internal\":false,\"isolate\":"
	"false,\"masquerade\":true,\"noMasquerade\":[],\"mtu\":1400,\"implicit\":true}";

/* All of its addresses come with its members. */
static const char bare_spec_doc[] = "{\"version\":1,\"name\":\"web\",\"mode\":\"routed\",\"spec\":"
				    "true,\"subnets\":[],\"internal\":"
				    "false,\"isolate\":false,\"masquerade\":false,\"noMasquerade\":"
				    "[],\"mtu\":0,\"implicit\":true}";

static void test_round_trips(void **state)
{
	static const char *const attachments[] = {parts_doc, l2_doc, lease_doc, foreign_doc};
	static const char *const networks[] = {spec_doc, bare_spec_doc};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N(attachments); i++) {
		CLEAN_JSON json_t *doc = parse(attachments[i]);
		CLEAN_ATTACHMENT struct attachment *a = NULL;

		if (codec_parse_attachment(doc, &a, &e) != 0)
			fail_msg("%s", e.text);
		check_dump(codec_attachment(a), attachments[i]);
	}
	for (size_t i = 0; i < N(networks); i++) {
		CLEAN_JSON json_t *doc = parse(networks[i]);
		struct network n;

		if (codec_parse_network(doc, &n, &e) != 0)
			fail_msg("%s", e.text);
		check_dump(codec_network(&n), networks[i]);
	}
}

static void test_order_of_addresses(void **state)
{
	CLEAN_JSON json_t *doc = parse(parts_doc);
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attach_ip list[ATTACH_IP_MAX];
	char s[PREFIX_STRLEN];

	(void)state;
	assert_int_equal(codec_parse_attachment(doc, &a, NULL), 0);
	assert_string_equal(prefix_str(&a->addr[FAM4], s), "10.83.4.7/24");
	assert_string_equal(prefix_str(&a->addr[FAM6], s), "2001:db8::7/64");
	assert_int_equal(a->n_extra, 3);
	assert_int_equal(attachment_ips(a, list), 5);
	assert_string_equal(prefix_str(&list[2].addr, s), "2001:db8::7/64");
	assert_int_equal(list[1].gateway.family, 0);
	assert_true(attachment_has_ip(a, &list[4].addr.ip));
	/* Without positions the families have their usual order, and none gets lost. */
	a->position[FAM4] = a->position[FAM6] = 0;
	assert_int_equal(attachment_ips(a, list), 5);
	assert_string_equal(prefix_str(&list[1].addr, s), "2001:db8::7/64");
	a->position[FAM6] = 200;
	assert_int_equal(attachment_ips(a, list), 5);
	assert_string_equal(prefix_str(&list[4].addr, s), "2001:db8::7/64");
}

static void refuse_attachments(const char *good, const struct wrong *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN_JSON json_t *doc = parse(good);
		struct attachment *a = NULL;
		struct err e = ERR_INIT;

		patch(doc, table[i].place, table[i].value);
		if (codec_parse_attachment(doc, &a, &e) != -EINVAL)
			fail_msg("%s = %s is accepted", table[i].place, table[i].value);
		assert_null(a);
		check_text(&table[i], &e);
	}
}

static void test_wrong_parts(void **state)
{
	static const struct wrong table[] = {
		{"request", "\"0\"", "from 1 on"},
		{"kind", "\"bridge\"", "foreign"},
		{"layer2", "true", "=addresses: "},
		{"addresses[1].address", "\"224.0.0.1/32\"", "not one for an interface"},
		{"addresses[1].address", "\"10.83.4.7/32\"", "twice"},
		{"addresses[1].gateway", "\"::1\"", "=addresses[1].address: "},
		{"routes[1].gw", "\"2001:db8::1\"", "=routes[1].dst: "},
		{"routes[1].dst", "\"192.0.2.1/24\"", "host bits"},
		{"routes[2].scope", "7", "=routes[2].dst: "},
		{"sysctls[0].key", "\"kernel/panic\"", "not a key"},
		{"sysctls[0].key", "\"net/../kernel/panic\"", "not a key"},
		{"sysctls[0].value", "\"a\\nb\"", "=sysctls[0].key: "},
		{"tune", "{\"mtu\":10}", "=tune.mtu: "},
		{"rate", "{\"in\":1}", "8000"},
		{"rate", "{\"inBurst\":800}", "without a rate"},
		{"cap", "{\"conns\":0}", "=cap.conns: "},
		{"cap", "{\"connRate\":-1}", "=cap.connRate: "},
		{"cap", "{\"packetRate\":4294967296}", "=cap.packetRate: "},
		{"cap", "{\"inConns\":0}", "=cap.inConns: "},
		{"cap", "{\"inConnRate\":\"1\"}", "=cap.inConnRate: "},
		{"cap", "7", "expected an object"},
		{"egress[0].to", "\"192.0.2.1/24\"", "=egress[0].to: "},
		{"egress[2].to", "\"192.0.2.0/25:443\"", "overlaps"},
		{"egress[1].notTo", "\"x:1\"", "expected PREFIX"},
		{"egress[1].notTo", NULL, "=egress[1].notTo: "},
		{"egress", "{}", "=egress: "},
		{"egress[0]", "5", "expected an object"},
		{"vlan", "4095", "0..4094"},
		{"trunk[0].min", "0", "1..4094"},
		{"trunk[0].max", "4095", "1..4094"},
		{"trunk[0].max", "6", "=trunk[0].min: VLANs: expected 1..4094, found 7..6"},
		{"trunk[0].max", "200", "=trunk[1].min: VLANs: 200..300 is out of order"},
		{"trunk[0].max", NULL, "=trunk[0].min: expected min and max"},
		{"trunk[1]", "5", "expected an object"},
		{"vlanAlone", "1", "true or false"},
		{"aliases", "[\"a b\"]", "alias: expected 1..253 of"},
		{"aliases", "[7]", "expected strings"},
		{"aliases", "\"a\"", "expected an array"},
		{"note", "7", "expected a string"},
	};

	(void)state;
	refuse_attachments(parts_doc, table, N(table));
}

static void test_wrong_networks(void **state)
{
	static const struct wrong table[] = {
		{"subnets[0].gateway", "\"10.83.5.1\"", "=subnets: "},
		{"subnets[2].subnet", "\"10.83.4.0/25\"", "overlap"},
		{"subnets[2].subnet", "\"10.84.0.1/31\"", "=subnets: "},
		{"subnets[2].member", "1", "true or false"},
		{"bridge", "\"a/b\"", "A-Z"},
		{"mtu", "67", "=subnets: MTU"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		CLEAN_JSON json_t *doc = parse(spec_doc);
		struct err e = ERR_INIT;
		struct network n;

		patch(doc, table[i].place, table[i].value);
		if (codec_parse_network(doc, &n, &e) != -EINVAL)
			fail_msg("%s = %s is accepted", table[i].place, table[i].value);
		check_text(&table[i], &e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_order_of_addresses),
		cmocka_unit_test(test_wrong_parts),
		cmocka_unit_test(test_wrong_networks),
	};

	return cmocka_run_group_tests_name("model/codec_part", tests, NULL, NULL);
}
