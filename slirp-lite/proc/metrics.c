/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: label values are of our own grammar: no quote, backslash or newline can be in them. */
#include "proc/metrics.h"

#include <inttypes.h>

static void print_counters(const struct stats *s, struct buf *out)
{
	buf_printf(out, "# TYPE slirp_events_total counter\n");
	for (int i = 0; i < N_STATS; i++)
		buf_printf(out, "slirp_events_total{event=\"%s\"} %" PRIu64 "\n",
			   stats_name((enum stat_id)i), s->n[i]);
}

static void print_gauges(const struct ctlmsg_gauges *g, struct buf *out)
{
	buf_printf(out,
		   "# TYPE slirp_flows gauge\nslirp_flows{proto=\"tcp\"} %u\n"
		   "slirp_flows{proto=\"udp\"} %u\nslirp_flows{proto=\"icmp\"} %u\n"
		   "# TYPE slirp_held_bytes gauge\nslirp_held_bytes %" PRIu64 "\n",
		   g->n_tcp, g->n_udp, g->n_ping, g->memory);
}

static void print_ports(const struct published *ports, struct buf *out)
{
	struct published_rule r;
	char text[PUBLISH_STRLEN];
	size_t at;

	buf_printf(out, "# TYPE slirp_port_flows_total counter\n");
	for (at = 0; published_next(ports, &at, &r);)
		buf_printf(out, "slirp_port_flows_total{port=\"%s\"} %" PRIu64 "\n",
			   publish_str(&r.p, text), r.tally.flows);
	buf_printf(out, "# TYPE slirp_port_bytes_total counter\n");
	for (at = 0; published_next(ports, &at, &r);)
		buf_printf(out,
			   "slirp_port_bytes_total{port=\"%s\",direction=\"in\"} %" PRIu64 "\n"
			   "slirp_port_bytes_total{port=\"%s\",direction=\"out\"} %" PRIu64 "\n",
			   publish_str(&r.p, text), r.tally.in, text, r.tally.out);
}

void metrics_print(const struct status *s, const struct published *ports, struct buf *out)
{
	buf_printf(out,
		   "# TYPE slirp_uptime_seconds gauge\nslirp_uptime_seconds %.3f\n"
		   "# TYPE slirp_worker_restarts_total counter\nslirp_worker_restarts_total %u\n"
		   "# TYPE slirp_ready gauge\nslirp_ready %d\n",
		   (double)s->uptime_ms / 1000, s->n_restarts, s->is_ready);
	if (s->stats)
		print_counters(s->stats, out);
	if (s->gauges)
		print_gauges(s->gauges, out);
	print_ports(ports, out);
}
