/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: attachments as samples: each name once, its samples together, sums by user and network.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/metrics.h"
#include "model/codec.h"

static void add(struct metrics *m, uint32_t uid, const char *id, const char *network,
		struct publish *p, size_t n, const uint64_t *flows)
{
	struct attachment a = {.uid = uid, .n_publish = n, .publish = p};

	strcpy(a.id, id);
	strcpy(a.ifname, "eth0");
	strcpy(a.network, network);
	assert_int_equal(metrics_add(m, &a, flows), 0);
}

static void test_print(void **state)
{
	struct publish p[] = {{.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1},
			      {.proto = IPPROTO_UDP, .host_port = 53, .ctr_port = 53, .count = 10}};
	const uint64_t flows[] = {UINT64_MAX - 1, FLOWS_UNKNOWN}, none[] = {0, 7};
	CLEAN_METRICS struct metrics m = {0};
	CLEAN_BUF struct buf out = BUF_INIT;

	(void)state;
	add(&m, 1000, "user-1000.web", "default", p, 2, flows);
	add(&m, 0, "db", "back", NULL, 0, NULL);
	add(&m, 1000, "user-1000.two", "default", p, 2, none);
	add(&m, 0, "db2", "a", NULL, 0, NULL);
	metrics_print(&m, "# TYPE x gauge\nx 1\n", &out);
	assert_string_equal(out.p, "# TYPE netd_up gauge\nnetd_up 1\n# TYPE x gauge\nx 1\n"
				   "# TYPE netd_attachments gauge\n"
				   "netd_attachments{uid=\"0\",network=\"a\"} 1\n"
				   "netd_attachments{uid=\"0\",network=\"back\"} 1\n"
				   "netd_attachments{uid=\"1000\",network=\"default\"} 2\n"
				   "# TYPE netd_ports gauge\n"
				   "netd_ports{uid=\"0\",network=\"a\"} 0\n"
				   "netd_ports{uid=\"0\",network=\"back\"} 0\n"
				   "netd_ports{uid=\"1000\",network=\"default\"} 22\n"
				   "# TYPE netd_port_flows_total counter\n"
				   "netd_port_flows_total{uid=\"1000\",id=\"user-1000.web\",ifname="
				   "\"eth0\",port=\"8080:80/"
				   "tcp\"} 18446744073709551614\n"
				   "netd_port_flows_total{uid=\"1000\",id=\"user-1000.two\",ifname="
				   "\"eth0\",port=\"8080:80/"
				   "tcp\"} 0\n"
				   "netd_port_flows_total{uid=\"1000\",id=\"user-1000.two\",ifname="
				   "\"eth0\",port=\"53-62:53-"
				   "62/udp\"} 7\n");
}

static void test_more(void **state)
{
	const struct engine_traffic t = {1, 2, 3, 4, 5, 6};
	struct attachment a = {.uid = 7, .id = "web", .ifname = "eth0", .network = "n"};
	const struct publish p = {
		.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1};
	CLEAN_METRICS struct metrics m = {0};
	CLEAN_BUF struct buf out = BUF_INIT;
	json_t *doc = json_pack("{s:I,s:I,s:b,s:i,s:i,s:{s:I,s:I,s:s},s:[{s:s,s:I,s:I,s:I},{s:s}]}",
				"uptime_ms", (json_int_t)2999, "restarts", (json_int_t)1, "ready",
				1, "tcp_flows", 2, "through_flows", 3, "counters", "drop_ip",
				(json_int_t)4, "x\"} 1\n", (json_int_t)5, "bytes_in", "no number",
				"ports", "spec", "8080:80", "flows", (json_int_t)6, "bytes_in",
				(json_int_t)7, "bytes_out", (json_int_t)8, "spec", "\"");

	(void)state;
	assert_non_null(doc);
	assert_int_equal(metrics_add_traffic(&m, &a, &t), 0);
	assert_int_equal(metrics_add_slirp(&m, "alone", "eth0", doc), 0);
	assert_int_equal(metrics_add_slirp(&m, NULL, NULL, doc), 0);
	assert_int_equal(metrics_add_port_bytes(&m, &a, &p, 9, 10), 0);
	metrics_print(&m, NULL, &out);
	json_decref(doc);
	assert_string_equal(
		strstr(out.p, "# TYPE netd_bytes_total"),
		"# TYPE netd_bytes_total counter\n"
		"netd_bytes_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"in\"} 1\n"
		"netd_bytes_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"out\"} 4\n"
		"# TYPE netd_packets_total counter\n"
		"netd_packets_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"in\"} 2\n"
		"netd_packets_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"out\"} 5\n"
		"# TYPE netd_dropped_total counter\n"
		"netd_dropped_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"in\"} 3\n"
		"netd_dropped_total{uid=\"7\",id=\"web\",ifname=\"eth0\",direction=\"out\"} 6\n"
		"# TYPE slirp_uptime_seconds gauge\n"
		"slirp_uptime_seconds{id=\"alone\",ifname=\"eth0\"} 2\n"
		"slirp_uptime_seconds{of=\"networks\"} 2\n"
		"# TYPE slirp_worker_restarts_total counter\n"
		"slirp_worker_restarts_total{id=\"alone\",ifname=\"eth0\"} 1\n"
		"slirp_worker_restarts_total{of=\"networks\"} 1\n"
		"# TYPE slirp_ready gauge\n"
		"slirp_ready{id=\"alone\",ifname=\"eth0\"} 1\n"
		"slirp_ready{of=\"networks\"} 1\n"
		"# TYPE slirp_events_total counter\n"
		"slirp_events_total{id=\"alone\",ifname=\"eth0\",event=\"drop_ip\"} 4\n"
		"slirp_events_total{id=\"alone\",ifname=\"eth0\",event=\"bytes_in\"} 0\n"
		"slirp_events_total{of=\"networks\",event=\"drop_ip\"} 4\n"
		"slirp_events_total{of=\"networks\",event=\"bytes_in\"} 0\n"
		"# TYPE slirp_flows gauge\n"
		"slirp_flows{id=\"alone\",ifname=\"eth0\",proto=\"tcp\"} 5\n"
		"slirp_flows{id=\"alone\",ifname=\"eth0\",proto=\"udp\"} 0\n"
		"slirp_flows{id=\"alone\",ifname=\"eth0\",proto=\"icmp\"} 0\n"
		"slirp_flows{of=\"networks\",proto=\"tcp\"} 5\n"
		"slirp_flows{of=\"networks\",proto=\"udp\"} 0\n"
		"slirp_flows{of=\"networks\",proto=\"icmp\"} 0\n"
		"# TYPE slirp_held_bytes gauge\n"
		"slirp_held_bytes{id=\"alone\",ifname=\"eth0\"} 0\n"
		"slirp_held_bytes{of=\"networks\"} 0\n"
		"# TYPE slirp_port_flows_total counter\n"
		"slirp_port_flows_total{id=\"alone\",ifname=\"eth0\",port=\"8080:80/tcp\"} 6\n"
		"# TYPE slirp_port_bytes_total counter\n"
		"slirp_port_bytes_total{id=\"alone\",ifname=\"eth0\",port=\"8080:80/"
		"tcp\",direction="
		"\"in\"} 7\n"
		"slirp_port_bytes_total{id=\"alone\",ifname=\"eth0\",port=\"8080:80/"
		"tcp\",direction="
		"\"out\"} 8\n"
		"slirp_port_bytes_total{id=\"web\",ifname=\"eth0\",port=\"8080:80/tcp\",direction="
		"\"in\"} 9\n"
		"slirp_port_bytes_total{id=\"web\",ifname=\"eth0\",port=\"8080:80/tcp\",direction="
		"\"out\"} 10\n");
}

static void test_none(void **state)
{
	CLEAN_METRICS struct metrics m = {0};
	CLEAN_BUF struct buf out = BUF_INIT;

	(void)state;
	metrics_print(&m, NULL, &out);
	assert_string_equal(out.p,
			    "# TYPE netd_up gauge\nnetd_up 0\n# TYPE netd_attachments gauge\n"
			    "# TYPE netd_ports gauge\n# TYPE netd_port_flows_total counter\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
