/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: networks. Documents are pinned byte for byte, values survive the round trip, and each
 * field of a good document is replaced by wrong values: the text must begin with the place.
 */
#include <errno.h>

#include "model/codec.h"

#include "codec_check.h"

static const char network_doc[] =
	"{\"version\":1,\"name\":\"blue\",\"mode\":\"bridge\",\"bridge\":\"nb-blue\",\"subnets\":[{"
	"\"subnet\":"
	"\"10.88.0.0/16\",\"gateway\":\"10.88.0.1\"},{\"subnet\":\"2001:db8:1::/64\",\"gateway\":"
	"\"2001:db8:1::1\"}],\"internal\":false,\"isolate\":true,\"masquerade\":true,"
	"\"noMasquerade\":["
	"\"10.0.0.0/8\",\"2001:db8::/32\"],\"mtu\":1400,\"implicit\":false}";

static const char routed_network_doc[] =
	"{\"version\":1,\"name\":\"r\",\"mode\":\"routed\",\"subnets\":[{\"subnet\":\"10.9.0.0/"
	"24\","
	"\"gateway\":\"169.254.1.1\"}],\"internal\":true,\"isolate\":false,\"masquerade\":false,"
	"\"noMasquerade\":[],\"mtu\":0,\"implicit\":true}";

/* Everything of one family excepted. */
static const char half_network_doc[] =
	"{\"version\":1,\"name\":\"h\",\"mode\":\"routed\",\"subnets\":[{\"subnet\":\"10.9.0.0/"
	"24\","
	"\"gateway\":\"169.254.1.1\"}],\"internal\":false,\"isolate\":false,\"masquerade\":true,"
	"\"noMasquerade\":[\"0.0.0.0/0\",\"2001:db8::/32\"],\"mtu\":0,\"implicit\":false}";

static void test_round_trips(void **state)
{
	static const char *const networks[] = {network_doc, routed_network_doc, half_network_doc};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N(networks); i++) {
		CLEAN_JSON json_t *doc = parse(networks[i]);
		struct network n;

		if (codec_parse_network(doc, &n, &e) != 0)
			fail_msg("%s", e.text);
		check_dump(codec_network(&n), networks[i]);
	}
}

static void test_network_values(void **state)
{
	CLEAN_JSON json_t *doc = parse(network_doc);
	struct err e = ERR_INIT;
	char s[PREFIX_STRLEN];
	struct network n;

	(void)state;
	assert_int_equal(codec_parse_network(doc, &n, &e), 0);
	assert_string_equal(n.name, "blue");
	assert_int_equal(n.mode, NET_BRIDGE);
	assert_string_equal(n.bridge, "nb-blue");
	assert_string_equal(prefix_str(&n.subnet[FAM4], s), "10.88.0.0/16");
	assert_string_equal(ip_str(&n.gateway[FAM6], s), "2001:db8:1::1");
	assert_true(n.isolate && n.masquerade);
	assert_false(n.internal || n.implicit);
	assert_int_equal(n.n_nomasq, 2);
	assert_string_equal(prefix_str(&n.nomasq[1], s), "2001:db8::/32");
	assert_int_equal(n.mtu, 1400);
}

static void refuse_networks(const char *good, const struct wrong *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN_JSON json_t *doc = parse(good);
		struct network net = {.mtu = 4711};
		struct err e = ERR_INIT;

		patch(doc, table[i].place, table[i].value);
		if (codec_parse_network(doc, &net, &e) != -EINVAL)
			fail_msg("%s = %s is accepted", table[i].place,
				 table[i].value ? table[i].value : "(absent)");
		assert_int_equal(net.mtu, 4711);
		check_text(&table[i], &e);
	}
}

static void test_network_refused(void **state)
{
	static const struct wrong table[] = {
		{"version", "9", "this program reads version 1, found 9"},
		{"version", NULL, "expected an integer"},
		{"name", "\"a b\"", "expected 1..64 of"},
		{"name", "\"red\"", "=bridge: not the bridge of the network of this name"},
		{"name", NULL, "expected a string, found nothing"},
		{"mode", "\"vlan\"", "expected bridge or routed"},
		{"mode", "\"routed\"", "=bridge: a routed network has none"},
		{"bridge", "\"nb-red\"", "not the bridge of the network"},
		{"bridge", "\"docker0\"", "not the bridge of the network"},
		{"bridge", NULL, "expected a string, found nothing"},
		{"subnets", "[]", "expected one subnet, or one of each family"},
		{"subnets", "5", "expected an array, found integer"},
		{"subnets[0]", "\"10.0.0.0/8\"", "expected an object"},
		{"subnets[1]", "{\"subnet\":\"10.9.0.0/16\",\"gateway\":\"10.9.0.1\"}",
		 "=subnets[1].subnet: a second subnet of one family"},
		{"subnets[2]", "{}", "=subnets: expected one subnet"},
		{"subnets[0].subnet", "\"10.88.0.1/16\"", "has host bits set"},
		{"subnets[0].subnet", "\"10.88.0.0/31\"", "expected a prefix length 8..30"},
		{"subnets[0].subnet", "\"127.0.0.0/8\"", "the loopback range"},
		{"subnets[0].subnet", NULL, "expected a string, found nothing"},
		{"subnets[0].gateway", "\"10.88.0.2\"",
		 "expected the gateway 10.88.0.1, found 10.88.0.2"},
		{"subnets[0].gateway", "\"169.254.1.1\"", "expected the gateway 10.88.0.1"},
		{"subnets[0].gateway", NULL, "expected a string, found nothing"},
		{"subnets[1].gateway", "\"10.88.0.1\"", "expected the gateway 2001:db8:1::1"},
		{"internal", "0", "expected true or false, found integer"},
		{"internal", NULL, "expected true or false, found nothing"},
		{"isolate", "\"yes\"", "expected true or false, found string"},
		{"isolate", NULL, "expected true or false, found nothing"},
		{"masquerade", "null", "expected true or false, found null"},
		{"implicit", NULL, "expected true or false, found nothing"},
		{"noMasquerade", NULL, "expected an array, found nothing"},
		{"noMasquerade[0]", "5", "expected a string"},
		{"noMasquerade[0]", "\"10.0.0.1\"", "ADDRESS/LENGTH"},
		{"noMasquerade[1]", "\"10.0.0.1/8\"", "has host bits set"},
		{"noMasquerade[1]", "\"10.1.0.0/16\"", "overlap"},
		{"mtu", "67", "MTU: expected 1280..65535, found 67"},
		{"mtu", "1279", "MTU: expected 1280..65535, found 1279"},
		{"mtu", "65536", "expected an integer 0..65535, found 65536"},
		{"mtu", NULL, "expected an integer"},
	};
	static const struct wrong routed[] = {
		{"bridge", "\"nb-r\"", "a routed network has none"},
		{"mode", "\"bridge\"", "=bridge: expected a string, found nothing"},
		{"subnets[0].gateway", "\"10.9.0.1\"", "expected the gateway 169.254.1.1"},
		{"mtu", "67", "MTU: expected 68..65535"},
	};
	CLEAN_JSON json_t *doc = parse(network_doc), *list = json_array();
	struct err e = ERR_INIT;
	struct network n;

	(void)state;
	refuse_networks(network_doc, table, N(table));
	refuse_networks(routed_network_doc, routed, N(routed));
	for (int i = 0; i < 33; i++) {
		char s[PREFIX_STRLEN];

		snprintf(s, sizeof(s), "10.%d.0.0/16", i);
		json_array_append_new(list, json_string(s));
	}
	json_object_set(doc, "noMasquerade", list);
	assert_int_equal(codec_parse_network(doc, &n, &e), -EINVAL);
	assert_string_equal(e.text, "noMasquerade: more than 32 destinations");
	json_array_remove(list, 32);
	assert_int_equal(codec_parse_network(doc, &n, &e), 0);
	assert_int_equal(n.n_nomasq, 32);
}

static void test_not_objects(void **state)
{
	static const char *const docs[] = {"[]", "[{}]", "{}"};

	(void)state;
	for (size_t i = 0; i < N(docs); i++) {
		CLEAN_JSON json_t *doc = parse(docs[i]);
		struct err e = ERR_INIT;
		struct network n;

		assert_int_equal(codec_parse_network(doc, &n, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_PROTOCOL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_network_values),
		cmocka_unit_test(test_network_refused),
		cmocka_unit_test(test_not_objects),
	};

	return cmocka_run_group_tests_name("codec network", tests, NULL, NULL);
}
