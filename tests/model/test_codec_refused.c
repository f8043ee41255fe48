/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: every optional key of a document holds, in its turn, a value of each type but its own, and
 * numbers beyond its range. All of them are refused with their place, and nothing is written.
 */
#include <errno.h>

#include "model/codec.h"

#include "codec_check.h"

static const char attachment_doc[] =
	"{\"version\":1,\"phase\":\"leaving\",\"kind\":\"foreign\",\"request\":\"7\","
	"\"layer2\":false,\"id\":\"p\",\"ifname\":\"eth0\",\"network\":\"web\",\"mode\":\"bridge\","
	"\"bridge\":\"cni0\",\"internal\":false,\"isolate\":false,\"hostIfname\":\"nu1\","
	"\"hostIfindex\":7,\"ifindex\":2,\"mac\":\"72:6e:0a:58:00:02\","
	"\"hostMac\":\"72:6e:0a:58:00:03\",\"addresses\":[{\"address\":\"10.83.4.7/24\","
	"\"gateway\":\"10.83.4.1\"}],\"mtu\":1400,\"netnsCookie\":\"5\","
	"\"bootId\":\"01234567-89ab-cdef-0123-456789abcdef\",\"netnsPath\":\"/x\",\"created\":1,"
	"\"madeAt\":1,\"uid\":1,\"resolver4\":\"10.83.4.1\",\"resolver6\":\"2001:db8::1\","
	"\"ports\":[{\"proto\":\"tcp\",\"hostPort\":8080,\"containerPort\":80,\"count\":1,"
	"\"unheld\":true}],\"routes\":[{\"dst\":\"192.0.2.0/24\",\"gw\":\"10.83.4.9\","
	"\"mtu\":1300,\"advmss\":1200,\"priority\":5,\"table\":100,\"scope\":0}],"
	"\"defaultRoute4\":true,\"defaultRoute6\":false,"
	"\"sysctls\":[{\"key\":\"net/ipv4/conf/eth0/rp_filter\",\"value\":\"2\"}],"
	"\"tune\":{},\"rate\":{},\"cap\":{},\"egress\":[{\"to\":\"192.0.2.0/24\"}],"
	"\"trunk\":[{\"min\":7,\"max\":7}],\"vlan\":100,\"vlanAlone\":true,\"aliases\":[\"web\"],"
	"\"note\":\"{}\",\"leased\":true,\"down\":true,\"hairpin\":true,\"promisc\":true,"
	"\"dad\":true,\"unguarded\":true,\"portIsolated\":true}";

static const char network_doc[] =
	"{\"version\":1,\"name\":\"web\",\"mode\":\"bridge\",\"bridge\":\"cni0\",\"spec\":true,"
	"\"isGateway\":true,\"open\":true,\"policy\":true,\"adopted\":true,"
	"\"vlanFiltering\":true,\"vlan\":100,\"subnets\":[{\"subnet\":\"10.83.4.0/24\","
	"\"gateway\":\"10.83.4.254\",\"member\":false,\"ownGateway\":true}],\"internal\":false,"
	"\"isolate\":false,\"masquerade\":true,\"noMasquerade\":[],\"mtu\":1400,"
	"\"names\":true,\"namesPort\":53,\"implicit\":true}";

/* Its own type, and values of that type that are wrong; NULL: none that is. */
struct key {
	const char *place;
	char type; /* s i b a o */
	const char *wrong[3];
};

static int read_attachment(json_t *doc, struct err *e)
{
	struct attachment *a = NULL;
	int r = codec_parse_attachment(doc, &a, e);

	assert_int_equal(a != NULL, r == 0);
	attachment_free(a);
	return r;
}

static int read_network(json_t *doc, struct err *e)
{
	static const struct network was = {.mtu = 4711};
	struct network n = was;
	int r = codec_parse_network(doc, &n, e);

	assert_int_equal(n.mtu == 4711, r < 0);
	return r;
}

static void refuse(int (*read)(json_t *doc, struct err *e), const char *good, const char *place,
		   const char *value)
{
	CLEAN_JSON json_t *doc = parse(good);
	struct err e = ERR_INIT;

	patch(doc, place, value);
	if (read(doc, &e) != -EINVAL)
		fail_msg("%s = %s is accepted", place, value);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	if (strncmp(e.text, place, strlen(place)) != 0)
		fail_msg("%s = %s: %s", place, value, e.text);
}

static void refuse_all(int (*read)(json_t *doc, struct err *e), const char *good,
		       const struct key *keys, size_t n)
{
	static const struct {
		const char *value;
		char type;
	} values[] = {{"\"\"", 's'}, {"7", 'i'}, {"true", 'b'}, {"[]", 'a'},
		      {"{}", 'o'},   {"1.5", 0}, {"-1", 0}};
	CLEAN_JSON json_t *doc = parse(good);
	struct err e = ERR_INIT;

	if (read(doc, &e) != 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < N(values); j++)
			if (values[j].type != keys[i].type)
				refuse(read, good, keys[i].place, values[j].value);
		for (size_t j = 0; j < N(keys[i].wrong) && keys[i].wrong[j]; j++)
			refuse(read, good, keys[i].place, keys[i].wrong[j]);
	}
}

static void test_attachments(void **state)
{
	static const struct key keys[] = {
		{"phase", 's', {"\"gone\"", "\"\"", "\"Leaving\""}},
		{"kind", 's', {"\"veth\"", "\"\""}},
		{"request", 's', {"\"0\"", "\"-1\"", "\"18446744073709551616\""}},
		{"layer2", 'b', {NULL}},
		{"hostIfname", 's', {"\"a/b\"", "\"\""}},
		{"mac", 's', {"\"01:00:00:00:00:00\"", "\"\""}},
		{"hostMac", 's', {"\"00:00:00:00:00:00\""}},
		{"addresses[0].gateway", 's', {"\"10.83.4\""}},
		{"netnsCookie", 's', {"\"0\""}},
		{"netnsPath", 's', {"\"a\\nb\""}},
		{"madeAt", 'i', {"9223372036854775808.0"}},
		{"uid", 'i', {"0", "4294967295", "4294967296"}},
		{"resolver4", 's', {"\"2001:db8::1\"", "\"x\""}},
		{"resolver6", 's', {"\"10.83.4.1\"", "\"x\""}},
		{"ports[0].hostIp", 's', {"\"224.0.0.1\"", "\"x\""}},
		{"ports[0].unheld", 'b', {NULL}},
		{"routes", 'a', {NULL}},
		{"routes[0].dst", 's', {"\"192.0.2.1/24\"", "\"x\""}},
		{"routes[0].gw", 's', {"\"x\""}},
		{"routes[0].mtu", 'i', {"65536"}},
		{"routes[0].advmss", 'i', {"65536"}},
		{"routes[0].priority", 'i', {"4294967296"}},
		{"routes[0].table", 'i', {"4294967296"}},
		{"routes[0].scope", 'i', {"256"}},
		{"defaultRoute4", 'b', {NULL}},
		{"defaultRoute6", 'b', {NULL}},
		{"sysctls", 'a', {NULL}},
		{"sysctls[0]", 'o', {NULL}},
		{"sysctls[0].key", 's', {"\"net\"", "\"\""}},
		{"tune", 'o', {"{\"promisc\":1}", "{\"allmulti\":1}", "{\"txQueueLen\":-1}"}},
		{"tune", 'o', {"{\"mtu\":67}", "{\"mtu\":65536}", "{\"mac\":\"x\"}"}},
		{"rate", 'o', {"{\"in\":-1}", "{\"inBurst\":\"1\"}", "{\"in\":7999}"}},
		{"rate", 'o', {"{\"out\":true}", "{\"outBurst\":1.5}", "{\"outBurst\":1}"}},
		{"cap", 'o', {"{\"conns\":0}"}},
		{"egress", 'a', {"[7]", "[{}]", "[{\"to\":7}]"}},
		{"egress", 'a', {"[{\"notTo\":7}]", "[{\"to\":\"x/\"}]", "[{\"notTo\":\"x:1\"}]"}},
		{"trunk", 'a', {"[7]", "[{}]", "[{\"min\":1}]"}},
		{"trunk[0].min", 'i', {"0", "4095", "8"}},
		{"vlan", 'i', {"4095"}},
		{"vlanAlone", 'b', {NULL}},
		{"aliases", 'a', {"[7]", "[\"\"]", "[\"a b\"]"}},
		{"note", 's', {NULL}},
		{"leased", 'b', {NULL}},
		{"down", 'b', {NULL}},
		{"hairpin", 'b', {NULL}},
		{"promisc", 'b', {NULL}},
		{"dad", 'b', {NULL}},
		{"unguarded", 'b', {NULL}},
		{"portIsolated", 'b', {NULL}},
	};

	(void)state;
	refuse_all(read_attachment, attachment_doc, keys, N(keys));
}

static void test_networks(void **state)
{
	static const struct key keys[] = {
		{"spec", 'b', {NULL}},
		{"isGateway", 'b', {NULL}},
		{"open", 'b', {NULL}},
		{"policy", 'b', {NULL}},
		{"adopted", 'b', {NULL}},
		{"vlanFiltering", 'b', {NULL}},
		{"vlan", 'i', {"4095"}},
		{"subnets", 'a', {"[7]"}},
		{"subnets[0].subnet", 's', {"\"x\""}},
		{"subnets[0].gateway", 's', {"\"x\""}},
		{"subnets[0].member", 'b', {NULL}},
		{"subnets[0].ownGateway", 'b', {NULL}},
		{"noMasquerade", 'a', {"[7]", "[\"x\"]", "[\"10.0.0.0/8\",\"10.0.0.0/9\"]"}},
		{"names", 'b', {NULL}},
		{"namesPort", 'i', {"65536"}},
		{"implicit", 'b', {NULL}},
	};

	(void)state;
	refuse_all(read_network, network_doc, keys, N(keys));
}

/* Longest key and value that a sysctl can have, and one letter more of each. */
static void test_long_sysctls(void **state)
{
	static const char head[] = "net/ipv4/conf/";
	char key[ATTACH_SYSCTL_KEYLEN + 1], value[ATTACH_SYSCTL_VALUELEN + 1];

	(void)state;
	for (int more = 0; more < 3; more++) {
		CLEAN_JSON json_t *doc = parse(attachment_doc);
		json_t *one = json_array_get(json_object_get(doc, "sysctls"), 0);
		struct err e = ERR_INIT;

		memset(key, 'a', sizeof(key));
		memset(value, '1', sizeof(value));
		memcpy(key, head, strlen(head));
		key[sizeof(key) - 2 + (more == 1)] = '\0';
		value[sizeof(value) - 2 + (more == 2)] = '\0';
		json_object_set_new(one, "key", json_string(key));
		json_object_set_new(one, "value", json_string(value));
		assert_int_equal(read_attachment(doc, &e), more ? -EINVAL : 0);
		if (more)
			assert_string_equal(e.text, "sysctls[0].key: too long");
	}
}

/* More of anything than there is room for. */
static void test_too_many(void **state)
{
	static const struct {
		const char *key, *one;
		size_t max;
	} lists[] = {
		{"routes", "{\"dst\":\"192.0.2.0/24\"}", ATTACH_ROUTE_MAX},
		{"sysctls", "{\"key\":\"net/core/somaxconn\",\"value\":\"1\"}", ATTACH_SYSCTL_MAX},
		{"aliases", "\"a\"", ATTACH_ALIAS_MAX},
	};

	(void)state;
	for (size_t i = 0; i < N(lists); i++) {
		CLEAN_JSON json_t *doc = parse(attachment_doc);
		json_t *list = json_array();
		struct err e = ERR_INIT;

		for (size_t k = 0; k < lists[i].max; k++)
			json_array_append_new(list,
					      json_loads(lists[i].one, JSON_DECODE_ANY, NULL));
		json_object_set_new(doc, lists[i].key, list);
		if (read_attachment(doc, &e) != 0)
			fail_msg("%s", e.text);
		json_array_append_new(list, json_loads(lists[i].one, JSON_DECODE_ANY, NULL));
		assert_int_equal(read_attachment(doc, &e), -EINVAL);
		assert_memory_equal(e.text, lists[i].key, strlen(lists[i].key));
		assert_non_null(strstr(e.text, "too many elements"));
	}
}

/* A note is kept as it stands, and of any length that is allowed. */
static void test_long_note(void **state)
{
	CLEAN_JSON json_t *doc = parse(attachment_doc);
	char *note = malloc(ATTACH_NOTE_MAX + 2);
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(note);
	memset(note, 'x', ATTACH_NOTE_MAX + 1);
	note[ATTACH_NOTE_MAX + 1] = '\0';
	json_object_set_new(doc, "note", json_string(note));
	assert_int_equal(read_attachment(doc, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	assert_memory_equal(e.text, "note: ", 6);
	note[ATTACH_NOTE_MAX] = '\0';
	json_object_set_new(doc, "note", json_string(note));
	assert_int_equal(read_attachment(doc, &e), 0);
	free(note);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attachments),  cmocka_unit_test(test_networks),
		cmocka_unit_test(test_long_sysctls), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_long_note),
	};

	return cmocka_run_group_tests_name("codec refuses", tests, NULL, NULL);
}
