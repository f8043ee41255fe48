/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top: rates of two looks, links that are others now; documents of slirp-lite, whatever is in them.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "cli/top_flows.h"
#include "cli/top_rows.h"

static void add(struct top_rows *l, const char *id, uint64_t in, uint64_t out)
{
	const struct engine_traffic t = {
		.in_bytes = in, .out_bytes = out, .in_packets = in / 100, .out_dropped = 3};
	struct attachment a = {.ifname = "eth0", .network = "web"};

	(void)snprintf(a.id, sizeof(a.id), "%s", id);
	assert_int_equal(top_rows_add(l, &a, &t), 0);
}

static void test_rates(void **state)
{
	struct top_rows before = {.at_ms = 1000}, now = {.at_ms = 3000}, none = {0};
	CLEAN_BUF struct buf out = BUF_INIT, two = BUF_INIT;
	CLEAN_JSON json_t *o = NULL;

	(void)state;
	add(&before, "slow", 100, 0);
	add(&before, "other", 5000, 0);
	add(&before, "busy", 0, 0);
	add(&now, "slow", 350, 0);
	add(&now, "new", 70, 0);
	add(&now, "other", 4999, 0); /* back: another link */
	add(&now, "busy", 250000, 1000);
	top_rows_compare(&now, &before);
	assert_string_equal(now.row[0].id, "busy");
	assert_true(now.row[0].has_rate && now.row[0].in == 1e6 && now.row[0].out == 4000);
	assert_string_equal(now.row[1].id, "slow");
	assert_true(now.row[1].in == 1000 && now.row[1].in_packets == 1);
	assert_string_equal(now.row[2].id, "new");
	assert_string_equal(now.row[3].id, "other");
	assert_false(now.row[2].has_rate || now.row[3].has_rate);
	top_rows_put(&now, false, 0, &out);
	assert_non_null(
		strstr(out.p, "\nbusy   eth0            1.0M      4.0k      1.2k         0 "));
	assert_non_null(
		strstr(out.p, "\nnew    eth0               -         -         -         - "));
	top_rows_put(&now, false, 5, &two);
	assert_non_null(strstr(two.p, "\nslow "));
	assert_non_null(strstr(two.p, "\n... and 2 more\n"));
	o = top_row_json(&now.row[2]);
	assert_null(json_object_get(o, "rate"));
	/* None before, no time between them. */
	top_rows_compare(&now, &none);
	before.at_ms = now.at_ms;
	now.row[0].has_rate = false;
	top_rows_compare(&now, &before);
	assert_false(now.row[0].has_rate);
	top_rows_clear(&before);
	top_rows_clear(&now);
}

static void test_amount(void **state)
{
	char s[TOP_AMOUNT_STRLEN];

	(void)state;
	assert_string_equal(top_amount(0, s), "0");
	assert_string_equal(top_amount(999, s), "999");
	assert_string_equal(top_amount(999.6, s), "1.0k");
	assert_string_equal(top_amount(12345678, s), "12.3M");
	assert_string_equal(top_amount(1.8e19, s), "18.0E");
}

static bool whose(const void *arg, const struct ip *guest, const char **ret_name)
{
	const struct ip *known = arg;

	if (!ip_equal(guest, known))
		return false;
	*ret_name = "web";
	return true;
}

static json_t *parsed(const char *text)
{
	json_t *o = NULL;

	assert_int_equal(json_parse(text, strlen(text), &o, NULL), 0);
	return o;
}

#define END "\"guest\":\"10.0.2.100\",\"guest_port\":80,\"peer\":\"2001:db8::1\",\"peer_port\":9"
#define OTHER "\"guest\":\"10.0.2.7\",\"guest_port\":81,\"peer\":\"192.0.2.1\",\"peer_port\":10"

static void test_flows(void **state)
{
	CLEAN_JSON json_t *list = parsed(
		"[{\"proto\":\"udp\"," END ",\"idle_ms\":100},"
		"{\"proto\":\"tcp\"," OTHER
		",\"state\":\"ESTABLISHED\",\"idle_ms\":2500,\"inward\":true,"
		"\"timeouts\":2,\"rtt_us\":1500,\"queued\":7,\"blocked\":8},"
		"{\"proto\":\"tcp\"," END ",\"state\":\"\\u001b[2J\",\"idle_ms\":-4},"
		"{\"proto\":\"sctp\"," END "},{\"proto\":\"tcp\",\"guest\":\"x\",\"peer\":\"::1\"},"
		"{\"proto\":7},null,[]]");
	CLEAN_BUF struct buf out = BUF_INIT, some = BUF_INIT, named = BUF_INIT;
	CLEAN_JSON json_t *picked = NULL;
	struct ip ip;

	(void)state;
	top_flows_put(list, NULL, NULL, 20, &out);
	assert_string_equal(strchr(out.p, '\n'),
			    "\ntcp  in  10.0.2.7:81              192.0.2.1:10                 "
			    "ESTABLISHED      1.5 "
			    "     2.5        7        8 stalled\n"
			    "tcp  out 10.0.2.100:80            [2001:db8::1]:9              -      "
			    "            - "
			    "     0.0        0        0 \n"
			    "udp  out 10.0.2.100:80            [2001:db8::1]:9              -      "
			    "            - "
			    "     0.1        0        0 \n");
	top_flows_put(list, NULL, NULL, 1, &some);
	assert_non_null(strstr(some.p, "stalled\n... and 2 more\n"));
	assert_int_equal(ip_parse("10.0.2.7", &ip, NULL), 0);
	top_flows_put(list, whose, &ip, 20, &named);
	assert_non_null(strstr(named.p, "\ntcp  in  web:81                   192.0.2.1:10 "));
	assert_null(strstr(named.p, "udp"));
	picked = top_flows_pick(list, whose, &ip);
	assert_int_equal(json_array_size(picked), 1);
	buf_free(&out);
	top_flows_put(NULL, NULL, NULL, 20, &out); /* none was told */
	assert_non_null(out.p);
}

static void test_ports(void **state)
{
	CLEAN_JSON json_t *list = parsed(
		"[{\"spec\":\"8080:81/tcp\",\"flows\":3,\"bytes_in\":10,\"bytes_out\":20},"
		"{\"spec\":7},{\"spec\":\"x\"},{\"spec\":\"192.0.2.1:8080:82/tcp\",\"flows\":4}]");
	CLEAN_BUF struct buf out = BUF_INIT;
	struct top_tally t = {0};
	struct publish p;

	(void)state;
	assert_int_equal(publish_parse("8080:80/tcp", &p, NULL), 0);
	assert_true(top_tally_of(list, &p, &t)); /* whatever it leads to */
	top_port_put(&p, &t, "web", &out);
	assert_string_equal(out.p,
			    "published 8080:80/tcp                         3 flows           10 "
			    "bytes in           20 out  web\n");
	assert_int_equal(publish_parse("192.0.2.1:8080:80/tcp", &p, NULL), 0);
	assert_true(top_tally_of(list, &p, &t));
	assert_int_equal(t.flows, 4);
	assert_int_equal(publish_parse("8080:80/udp", &p, NULL), 0);
	assert_false(top_tally_of(list, &p, &t));
	assert_false(top_tally_of(NULL, &p, &t));
}

static void test_drops(void **state)
{
	CLEAN_JSON json_t *now = parsed("{\"drop_udp\":5,\"drop_ip\":2,\"bytes_in\":9,"
					"\"drop_\\u001b\":1,\"drop_arp\":-1}");
	CLEAN_JSON json_t *before = parsed("{\"drop_udp\":3,\"drop_ip\":2}");
	CLEAN_BUF struct buf out = BUF_INIT, first = BUF_INIT;

	(void)state;
	top_drops_put(now, before, &out);
	assert_non_null(strstr(out.p, "drop_udp 5 (+2)\n"));
	assert_non_null(strstr(out.p, "drop_ip 2\n"));
	assert_non_null(strstr(out.p, "drop_arp 0\n"));
	assert_null(strchr(out.p, '\033'));
	assert_null(strstr(out.p, "bytes_in"));
	top_drops_put(now, NULL, &first);
	assert_null(strchr(first.p, '('));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates), cmocka_unit_test(test_amount),
		cmocka_unit_test(test_flows), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
