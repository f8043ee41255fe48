/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: without memory. Each allocation fails in its turn: no half document and no half value
 * comes of it, and what was read is never called damaged, for who reads a damaged record throws
 * away what it says.
 */
#include <errno.h>

#include "lack.h"
#include "model/codec.h"

#include "codec_check.h"

/* A record with everything that is on the heap. */
static const char attachment_doc[] =
	"{\"version\":1,\"phase\":\"leaving\",\"request\":\"7\",\"id\":\"p\",\"ifname\":\"eth0\","
	"\"network\":\"web\",\"mode\":\"bridge\",\"bridge\":\"cni0\",\"internal\":false,"
	"\"isolate\":false,\"hostIfname\":\"nu1\",\"hostIfindex\":7,\"ifindex\":2,"
	"\"mac\":\"72:6e:0a:58:00:02\",\"addresses\":[{\"address\":\"10.83.4.7/24\","
	"\"gateway\":\"10.83.4.1\"},{\"address\":\"2001:db8::7/64\",\"gateway\":\"2001:db8::1\"}],"
	"\"mtu\":1400,\"netnsCookie\":\"5\",\"bootId\":\"01234567-89ab-cdef-0123-456789abcdef\","
	"\"created\":1,\"resolver4\":\"10.83.4.1\",\"resolver6\":\"2001:db8::1\","
	"\"ports\":[{\"proto\":\"tcp\",\"hostPort\":8080,\"containerPort\":80,\"count\":1}],"
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
	"\"sysctls\":[{\"key\":\"net/ipv4/conf/eth0/rp_filter\",\"value\":\"2\"}],"
	"\"tune\":{\"promisc\":false,\"allmulti\":true},"
	"\"egress\":[{\"to\":\"192.0.2.0/24:80-443\"}],\"trunk\":[{\"min\":7,\"max\":7}],"
	"\"aliases\":[\"web\",\"a.b\"],\"note\":\"{}\",\"hairpin\":true}";

static const char network_doc[] =
	"{\"version\":1,\"name\":\"blue\",\"mode\":\"bridge\",\"bridge\":\"nb-blue\","
	"\"subnets\":[{\"subnet\":\"10.88.0.0/16\",\"gateway\":\"10.88.0.1\"}],"
	"\"internal\":false,\"isolate\":true,\"masquerade\":true,"
	"\"noMasquerade\":[\"10.0.0.0/8\"],\"mtu\":1400,\"names\":true,\"namesPort\":53,"
	"\"implicit\":false}";

static void test_reading(void **state)
{
	CLEAN_JSON json_t *doc = parse(attachment_doc);
	size_t n_failed = 0;
	bool has_failed = true;

	(void)state;
	for (size_t nth = 1; has_failed; nth++) {
		struct attachment *a = NULL;
		struct err e = ERR_INIT;
		int r;

		lack_begin(nth, false);
		r = codec_parse_attachment(doc, &a, &e);
		has_failed = lack_end();
		if (!has_failed) {
			assert_int_equal(r, 0);
			check_dump(codec_attachment(a), attachment_doc);
			attachment_free(a);
			continue;
		}
		n_failed++;
		assert_null(a);
		if (r != -ENOMEM || e.kind != ERR_INTERNAL)
			fail_msg("allocation %zu: %d, %s", nth, r, e.text);
	}
	/* The attachment, ports, routes, sysctls, aliases and the note. */
	assert_int_equal(n_failed, 6);
}

static void test_writing(void **state)
{
	CLEAN_JSON json_t *doc = parse(attachment_doc), *net_doc = parse(network_doc);
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct network n;
	bool has_failed = true;
	size_t nth;

	(void)state;
	assert_int_equal(codec_parse_attachment(doc, &a, NULL), 0);
	assert_int_equal(codec_parse_network(net_doc, &n, NULL), 0);
	for (nth = 1; has_failed; nth++) {
		json_t *out;

		lack_begin(nth, false);
		out = codec_attachment(a);
		has_failed = lack_end();
		if (has_failed)
			assert_null(out);
		else
			check_dump(out, attachment_doc);
	}
	assert_true(nth > 100); /* each of its values was one */
	has_failed = true;
	for (nth = 1; has_failed; nth++) {
		json_t *out;

		lack_begin(nth, false);
		out = codec_network(&n);
		has_failed = lack_end();
		if (has_failed)
			assert_null(out);
		else
			check_dump(out, network_doc);
	}
	assert_true(nth > 20);
}

/* Counts that could not be put down are said to be missing. */
static void test_flows(void **state)
{
	const uint64_t flows[1] = {7};
	bool has_failed = true;

	(void)state;
	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_JSON json_t *doc = parse(attachment_doc);
		uint64_t got[1];
		int r;

		lack_begin(nth, false);
		r = codec_put_flows(doc, flows, 1);
		has_failed = lack_end();
		assert_int_equal(r, has_failed ? -ENOMEM : 0);
		assert_int_equal(codec_get_flows(doc, got, 1, NULL), 0);
		assert_true(got[0] == (has_failed ? FLOWS_UNKNOWN : 7));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_flows),
	};

	json_prepare();
	return cmocka_run_group_tests_name("codec without memory", tests, NULL, NULL);
}
