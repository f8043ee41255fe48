/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: attachments. Documents are pinned byte for byte, values survive the round trip, and each
 * field of a good document is replaced by every kind of wrong value: the text must begin with the
 * place.
 */
#include <errno.h>
#include <netinet/in.h>

#include "model/codec.h"

#include "codec_check.h"

static const char bridge_doc[] =
	"{\"version\":1,\"phase\":\"committed\",\"id\":\"web\",\"ifname\":\"eth0\",\"network\":"
	"\"default\","
	"\"mode\":\"bridge\",\"bridge\":\"nb-default\",\"internal\":false,\"isolate\":true,"
	"\"hostIfname\":\"nu6c69c9b153482\",\"hostIfindex\":7,\"ifindex\":2,\"mac\":\"72:6e:0a:58:"
	"00:02\","
	"\"hostMac\":\"02:00:00:00:00:01\",\"addresses\":[{\"address\":\"10.88.0.2/"
	"16\",\"gateway\":"
	"\"10.88.0.1\"},{\"address\":\"2001:db8:1::2/"
	"64\",\"gateway\":\"2001:db8:1::1\"}],\"mtu\":1500,"
	"\"netnsCookie\":\"18446744073709551615\",\"bootId\":\"01234567-89ab-cdef-0123-"
	"456789abcdef\","
	"\"netnsPath\":\"/run/netns/web\",\"created\":1700000000,\"ports\":[{\"proto\":\"tcp\","
	"\"hostPort\":8080,\"containerPort\":80,\"count\":1},{\"proto\":\"udp\",\"hostIp\":\"203.0."
	"113.7\","
	"\"hostPort\":5000,\"containerPort\":6000,\"count\":10,\"unheld\":true},{\"proto\":"
	"\"sctp\",\"hostIp\":\"::"
	"\","
	"\"hostPort\":1,\"containerPort\":1,\"count\":65535}]}";

static const char routed_doc[] =
	"{\"version\":1,\"phase\":\"intent\",\"id\":\"a\",\"ifname\":\"net1\",\"network\":\"r\","
	"\"mode\":\"routed\",\"internal\":true,\"isolate\":false,\"hostIfname\":\"nu0\","
	"\"hostIfindex\":0,"
	"\"ifindex\":0,\"mac\":\"72:6e:0a:58:00:02\",\"addresses\":[{\"address\":\"2001:db8::5/"
	"128\","
	"\"gateway\":\"fe80::1\"}],\"mtu\":0,\"netnsCookie\":\"1\",\"bootId\":"
	"\"01234567-89ab-cdef-0123-456789abcdef\",\"created\":0,\"ports\":[]}";

static void test_round_trips(void **state)
{
	static const char *const attachments[] = {bridge_doc, routed_doc};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N(attachments); i++) {
		CLEAN_JSON json_t *doc = parse(attachments[i]);
		CLEAN_ATTACHMENT struct attachment *a = NULL;

		if (codec_parse_attachment(doc, &a, &e) != 0)
			fail_msg("%s", e.text);
		check_dump(codec_attachment(a), attachments[i]);
	}
}

static void test_attachment_values(void **state)
{
	CLEAN_JSON json_t *doc = parse(bridge_doc);
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err e = ERR_INIT;
	char s[PREFIX_STRLEN];

	(void)state;
	assert_int_equal(codec_parse_attachment(doc, &a, &e), 0);
	assert_int_equal(a->phase, ATTACH_COMMITTED);
	assert_string_equal(a->id, "web");
	assert_string_equal(a->ifname, "eth0");
	assert_string_equal(a->network, "default");
	assert_int_equal(a->mode, NET_BRIDGE);
	assert_string_equal(a->bridge, "nb-default");
	assert_false(a->internal);
	assert_true(a->isolate);
	assert_string_equal(a->host_ifname, "nu6c69c9b153482");
	assert_int_equal(a->host_ifindex, 7);
	assert_int_equal(a->ctr_ifindex, 2);
	assert_string_equal(mac_str(&a->mac, s), "72:6e:0a:58:00:02");
	assert_string_equal(mac_str(&a->host_mac, s), "02:00:00:00:00:01");
	assert_string_equal(prefix_str(&a->addr[FAM4], s), "10.88.0.2/16");
	assert_string_equal(prefix_str(&a->addr[FAM6], s), "2001:db8:1::2/64");
	assert_string_equal(ip_str(&a->gateway[FAM4], s), "10.88.0.1");
	assert_string_equal(ip_str(&a->gateway[FAM6], s), "2001:db8:1::1");
	assert_int_equal(a->mtu, 1500);
	assert_true(a->netns_cookie == UINT64_MAX);
	assert_string_equal(a->boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	assert_string_equal(a->netns_path, "/run/netns/web");
	assert_int_equal(a->created, 1700000000);
	assert_int_equal(a->n_publish, 3);
	assert_int_equal(a->publish[0].host_ip.family, 0);
	assert_int_equal(a->publish[1].proto, IPPROTO_UDP);
	assert_int_equal(a->publish[1].host_port, 5000);
	assert_int_equal(a->publish[1].ctr_port, 6000);
	assert_int_equal(a->publish[1].count, 10);
	assert_true(a->publish[1].is_unheld);
	assert_false(a->publish[2].is_unheld);
	assert_int_equal(a->publish[2].host_ip.family, AF_INET6);
	assert_int_equal(a->publish[2].count, 65535);
}

/* Beside the document: whoever reads the attachment does not see them. */
static void test_flows(void **state)
{
	static const char *const bad[] = {"-1", "\"1\"", "1.5", "{}", "[]", "true"};
	CLEAN_JSON json_t *doc = parse(bridge_doc);
	uint64_t flows[3] = {7, FLOWS_UNKNOWN, UINT64_MAX - 1}, got[4] = {0};
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(codec_get_flows(doc, got, 4, &e), 0);
	for (size_t i = 0; i < 4; i++)
		assert_true(got[i] == FLOWS_UNKNOWN);
	assert_int_equal(codec_put_flows(doc, flows, 3), 0);
	assert_int_equal(codec_get_flows(doc, got, 4, &e), 0);
	assert_int_equal(got[0], 7);
	assert_true(got[1] == FLOWS_UNKNOWN && got[3] == FLOWS_UNKNOWN);
	assert_int_equal(got[2], INT64_MAX);
	assert_int_equal(codec_parse_attachment(doc, &a, &e), 0);
	check_dump(codec_attachment(a), bridge_doc);
	for (size_t i = 0; i < N(bad); i++) {
		patch(doc, "ports[1].flows", bad[i]);
		assert_int_equal(codec_get_flows(doc, got, 3, &e), -EINVAL);
		assert_non_null(strstr(e.text, "ports[1].flows"));
		err_reset(&e);
	}
	patch(doc, "ports", "1");
	assert_int_equal(codec_get_flows(doc, got, 3, &e), -EINVAL);
	patch(doc, "ports", "[1, null]");
	assert_int_equal(codec_get_flows(doc, got, 3, NULL), -EINVAL);
	patch(doc, "ports", NULL);
	assert_int_equal(codec_get_flows(doc, got, 3, NULL), 0);
}

static void refuse_attachments(const char *good, const struct wrong *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN_JSON json_t *doc = parse(good);
		struct attachment *a = NULL;
		struct err e = ERR_INIT;

		patch(doc, table[i].place, table[i].value);
		if (codec_parse_attachment(doc, &a, &e) != -EINVAL)
			fail_msg("%s = %s is accepted", table[i].place,
				 table[i].value ? table[i].value : "(absent)");
		assert_null(a);
		check_text(&table[i], &e);
	}
}

/* Every required key: absent, null, and each JSON type that is not its own. */
static void test_types(void **state)
{
	static const struct {
		const char *place;
		char type; /* s i b a */
		bool is_optional;
	} fields[] = {
		{"version", 'i', false},
		{"phase", 's', false},
		{"id", 's', false},
		{"ifname", 's', false},
		{"network", 's', false},
		{"mode", 's', false},
		{"bridge", 's', false},
		{"internal", 'b', false},
		{"isolate", 'b', false},
		{"hostIfname", 's', false},
		{"hostIfindex", 'i', false},
		{"ifindex", 'i', false},
		{"mac", 's', false},
		{"hostMac", 's', true},
		{"addresses", 'a', false},
		{"addresses[0].address", 's', false},
		{"addresses[1].address", 's', false},
		{"addresses[1].gateway", 's', true},
		{"mtu", 'i', false},
		{"netnsCookie", 's', false},
		{"bootId", 's', false},
		{"netnsPath", 's', true},
		{"created", 'i', false},
		{"ports", 'a', false},
		{"ports[0].proto", 's', false},
		{"ports[1].hostIp", 's', true},
		{"ports[2].hostPort", 'i', false},
		{"ports[0].containerPort", 'i', false},
		{"ports[1].count", 'i', false},
	};
	static const struct {
		const char *value;
		char type;
	} values[] = {
		{"\"\"", 0},   {"\"x y\"", 0}, {"\"0\"", 0},
		{"-1", 0},     {"1.5", 0},     {"4294967296000", 'i'},
		{"true", 'b'}, {"[]", 0},      {"[[]]", 0},
		{"{}", 0},     {"null", 0},    {NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(fields); i++) {
		for (size_t j = 0; j < N(values); j++) {
			struct wrong w = {fields[i].place, values[j].value, ""};
			bool is_none = !w.value || strcmp(w.value, "null") == 0;

			if (fields[i].is_optional && is_none)
				continue;
			if (fields[i].type == 'b' && values[j].type == 'b')
				continue;
			if (strcmp(w.place, "created") == 0 && values[j].type == 'i')
				continue;
			if (strcmp(w.place, "ports") == 0 && w.value && strcmp(w.value, "[]") == 0)
				continue;
			/* A name may look like a number. */
			if (w.value && strcmp(w.value, "\"0\"") == 0 && fields[i].type == 's' &&
			    (strstr("id ifname network bridge hostIfname netnsPath", w.place)))
				continue;
			if (w.value && strcmp(w.value, "\"x y\"") == 0 &&
			    strcmp(w.place, "netnsPath") == 0)
				continue;
			/* The array's one item is the wrong thing. */
			if (fields[i].type == 'a' && w.value && strcmp(w.value, "[[]]") == 0)
				w.text = strcmp(w.place, "ports") == 0
						 ? "=ports[0]: expected an object"
						 : "=addresses[0]: expected an object";
			refuse_attachments(bridge_doc, &w, 1);
		}
	}
}

static void test_attachment_refused(void **state)
{
	static const struct wrong table[] = {
		{"version", "2", "this program reads version 1, found 2"},
		{"version", "0", "this program reads version 1, found 0"},
		{"phase", "\"done\"", "expected \"intent\", \"committed\" or \"leaving\""},
		{"id", "\"../x\"", "expected 1..100 of"},
		{"id", "\"a\\nb\"", "found \"a?b\""},
		{"ifname", "\"lo\"", "reserved interface name"},
		{"ifname", "\"sixteen-bytes-xy\"", "expected 1..15 of"},
		{"ifname", "\"eth%d\"", "expected 1..15 of"},
		{"network", "\"a/b\"", "expected 1..64 of"},
		{"mode", "\"macvlan\"", "expected bridge or routed"},
		{"mode", "\"routed\"", "=bridge: a routed network has none"},
		{"bridge", "\"br 0\"", "expected 1..15 of"},
		{"bridge", "\"all\"", "reserved"},
		{"hostIfname", "\"a;b\"", "expected 1..15 of"},
		{"hostIfindex", "0", "expected an integer 1..2147483647, found 0"},
		{"hostIfindex", "2147483648", "found 2147483648"},
		{"ifindex", "0", "expected an integer 1..2147483647, found 0"},
		{"mac", "\"01:00:5e:00:00:01\"", "multicast MAC"},
		{"mac", "\"00:00:00:00:00:00\"", "all-zero MAC"},
		{"hostMac", "\"x\"", "not a MAC address"},
		{"addresses", "[]", "expected one address, or one of each family"},
		{"addresses[2]", "{\"address\":\"10.9.0.2/16\"}",
		 "=addresses: expected one address"},
		{"addresses[1]", "{\"address\":\"10.9.0.2/16\"}",
		 "=addresses[1].address: a second address of one family"},
		{"addresses[0]", "5", "expected an object"},
		{"addresses[0].address", "\"10.88.0.2\"", "ADDRESS/LENGTH"},
		{"addresses[0].address", "\"10.88.0.2/33\"", "expected a prefix length 0..32"},
		{"addresses[0].address", "\"10.88.0.2/31\"", "expected a prefix length 8..30"},
		{"addresses[0].address", "\"10.88.0.2/7\"", "expected a prefix length 8..30"},
		{"addresses[0].address", "\"10.88.0.0/16\"", "the network's own"},
		{"addresses[0].address", "\"10.88.255.255/16\"", "the network's own"},
		{"addresses[0].address", "\"127.0.0.5/8\"", "not for hosts"},
		{"addresses[0].address", "\"169.254.0.5/16\"", "not for hosts"},
		{"addresses[0].address", "\"169.1.0.5/8\"", "the link-local range"},
		{"addresses[0].address", "\"224.0.0.5/8\"", "not for hosts"},
		{"addresses[1].address", "\"2001:db8:1::/64\"", "the network's own"},
		{"addresses[1].address", "\"2001:db8:1::2/127\"",
		 "expected a prefix length 48..126"},
		{"addresses[1].address", "\"fe80::2/64\"", "not for hosts"},
		{"addresses[1].address", "\"::ffff:10.0.0.1/96\"", "IPv4-mapped"},
		{"addresses[0].gateway", "\"10.89.0.1\"", "not inside the subnet"},
		{"addresses[0].gateway", "\"2001:db8:1::1\"", "not inside the subnet"},
		{"addresses[0].gateway", "\"10.88.0.2\"", "the address itself"},
		{"addresses[0].gateway", "\"10.88.0.0\"", "no host of its subnet"},
		{"addresses[0].gateway", "\"10.88.255.255\"", "no host of its subnet"},
		{"addresses[1].gateway", "\"2001:db8:2::1\"", "not inside the subnet"},
		{"addresses[1].gateway", "\"2001:db8:1::\"", "no host of its subnet"},
		{"addresses[0].gateway", "\"gw\"", "not an IP address"},
		{"mtu", "67", "expected an integer 68..65535"},
		{"mtu", "0", "expected an integer 68..65535"},
		{"mtu", "65536", "expected an integer 0..65535, found 65536"},
		{"netnsCookie", "5", "expected a string, found integer"},
		{"netnsCookie", "\"0x5\"", "expected a decimal number"},
		{"netnsCookie", "\"-5\"", "expected a decimal number"},
		{"netnsCookie", "\"18446744073709551616\"", "expected a decimal number"},
		{"bootId", "\"01234567-89ab-cdef-0123-456789abcde\"", "expected a UUID"},
		{"bootId", "\"01234567-89ab-cdef-0123-456789abcdef0\"", "expected a UUID"},
		{"bootId", "\"01234567-89AB-cdef-0123-456789abcdef\"", "expected a UUID"},
		{"bootId", "\"012345678-9ab-cdef-0123-456789abcdef\"", "expected a UUID"},
		{"netnsPath", "\"/run/\\\"x\\\"\"", "without quotes"},
		{"netnsPath", "\"/run/\\u001b[31m\"", "printable ASCII"},
		{"netnsPath", "\"/run/\\u00e9\"", "printable ASCII"},
		{"ports[0]", "\"80\"", "expected an object"},
		{"ports[0].proto", "\"icmp\"", "expected the protocol tcp, udp or sctp"},
		{"ports[1].hostIp", "\"224.0.0.1\"", "unicast"},
		{"ports[1].hostIp", "\"host\"", "not an IP address"},
		{"ports[0].hostPort", "0", "expected an integer 1..65535, found 0"},
		{"ports[0].hostPort", "65536", "expected an integer 1..65535"},
		{"ports[0].containerPort", "0", "expected an integer 1..65535"},
		{"ports[0].count", "0", "expected an integer 1..65535"},
		{"ports[0].count", "57457", "beyond port 65535"},
		{"ports[2].hostPort", "2", "=ports[2].count: the run goes beyond"},
		{"ports[2].containerPort", "2", "=ports[2].count: the run goes beyond"},
		{"ports[3]",
		 "{\"proto\":\"tcp\",\"hostIp\":\"203.0.113.7\",\"hostPort\":8080,"
		 "\"containerPort\":1,\"count\":1}",
		 "=ports: published ports 8080:80/tcp and 203.0.113.7:8080:1/tcp overlap"},
	};

	(void)state;
	refuse_attachments(bridge_doc, table, N(table));
}

static void test_routed_refused(void **state)
{
	static const struct wrong table[] = {
		{"bridge", "\"nb-r\"", "a routed network has none"},
		{"bridge", "null", "a routed network has none"},
		{"mode", "\"bridge\"", "=bridge: expected a string, found nothing"},
		{"addresses[0].address", "\"2001:db8::5/64\"", "length 32 or 128"},
		{"addresses[0].address", "\"10.0.0.5/24\"", "length 32 or 128"},
		{"addresses[0].address", "\"fe80::5/128\"", "not for hosts"},
		{"addresses[0].gateway", "\"2001:db8::1\"", "169.254.1.1 and fe80::1"},
		{"addresses[0].gateway", "\"169.254.1.1\"", "169.254.1.1 and fe80::1"},
		{"mtu", "67", "expected an integer 68..65535"},
		{"phase", "\"committed\"", "=hostIfindex: expected an integer 1.."},
	};
	static const struct wrong committed[] = {
		{"hostMac", NULL, "expected a string, found nothing"},
	};
	CLEAN_JSON json_t *doc = parse(routed_doc);
	char *good;

	(void)state;
	refuse_attachments(routed_doc, table, N(table));
	/* From the commit on everything is known. */
	patch(doc, "phase", "\"committed\"");
	patch(doc, "hostIfindex", "3");
	patch(doc, "ifindex", "2");
	patch(doc, "mtu", "1500");
	patch(doc, "hostMac", "\"02:00:00:00:00:01\"");
	good = json_dumps(doc, JSON_COMPACT);
	refuse_attachments(good, committed, N(committed));
	free(good);
}

/* What may differ and is accepted: no gateway, unknown keys, the order of addresses. */
static void test_tolerance(void **state)
{
	static const struct {
		const char *place, *value;
	} table[] = {
		{"addresses[0].gateway", NULL},
		{"addresses[0].gateway", "null"},
		{"hostMac", NULL},
		{"netnsPath", NULL},
		{"future", "{\"a\":[1,2]}"},
		{"ports", "[]"},
		{"ports[1].hostIp", NULL},
		{"mtu", "68"},
		{"mtu", "65535"},
		{"addresses[1].address", "\"2001:db8:1:0:ffff:ffff:ffff:ffff/64\""},
		{"netnsCookie", "\"1\""},
		{"created", "9223372036854775807"},
	};
	static const char swapped[] =
		"[{\"address\":\"2001:db8:1::2/64\"},{\"address\":\"10.88.0.2/16\"}]";

	(void)state;
	for (size_t i = 0; i <= N(table); i++) {
		CLEAN_JSON json_t *doc = parse(bridge_doc);
		CLEAN_ATTACHMENT struct attachment *a = NULL;
		struct err e = ERR_INIT;

		patch(doc, i < N(table) ? table[i].place : "addresses",
		      i < N(table) ? table[i].value : swapped);
		if (codec_parse_attachment(doc, &a, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(a->addr[FAM4].ip.family, AF_INET);
		assert_int_equal(a->addr[FAM6].ip.family, AF_INET6);
	}
}

static void test_not_objects(void **state)
{
	static const char *const docs[] = {"[]", "[{}]", "{}"};

	(void)state;
	for (size_t i = 0; i < N(docs); i++) {
		CLEAN_JSON json_t *doc = parse(docs[i]);
		struct attachment *a = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(codec_parse_attachment(doc, &a, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_null(a);
	}
}

/* As many runs of ports as may be, and one more. */
static void test_many_ports(void **state)
{
	CLEAN_JSON json_t *doc = parse(bridge_doc), *full = NULL;
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL;
	struct err e = ERR_INIT;
	char *s, *t;

	(void)state;
	assert_int_equal(codec_parse_attachment(doc, &a, &e), 0);
	a->n_publish = 0;
	for (uint16_t i = 0; i < PUBLISH_MAX; i++) {
		struct publish p = {IPPROTO_TCP, {0}, (uint16_t)(1000 + i), 1, 1};

		assert_int_equal(attachment_add_publish(a, &p, 1, &e), 0);
	}
	full = codec_attachment(a);
	assert_int_equal(codec_parse_attachment(full, &b, &e), 0);
	assert_int_equal(b->n_publish, PUBLISH_MAX);
	json_decrefp(&doc);
	doc = codec_attachment(b);
	s = json_dumps(full, 0);
	t = json_dumps(doc, 0);
	assert_string_equal(s, t);
	free(s);
	free(t);
	attachment_freep(&b);
	json_array_append_new(json_object_get(full, "ports"), json_object());
	assert_int_equal(codec_parse_attachment(full, &b, &e), -EINVAL);
	assert_string_equal(e.text, "ports: more than 8192 runs of ports");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_attachment_values),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_attachment_refused),
		cmocka_unit_test(test_routed_refused),
		cmocka_unit_test(test_tolerance),
		cmocka_unit_test(test_not_objects),
		cmocka_unit_test(test_many_ports),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
