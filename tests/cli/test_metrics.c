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
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
