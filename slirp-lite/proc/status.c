/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status: values to JSON (jansson quotes the texts). Keys are stable; zero counters are left out,
 * so that what is there is worth reading. It reads nothing from anywhere.
 */
#include "proc/status.h"

#include <unistd.h>

static void set_ip(json_t *to, const char *key, const struct ip *ip)
{
	char text[IP_STRLEN];

	if (ip->family)
		(void)json_object_set_new(to, key, json_string(ip_str(ip, text)));
}

static json_t *addresses(const struct plan *p, int f)
{
	json_t *o = json_object();
	char text[PREFIX_STRLEN];

	if (!p->net[f].ip.family)
		return o;
	(void)json_object_set_new(o, "net", json_string(prefix_str(&p->net[f], text)));
	set_ip(o, "gateway", &p->gateway[f]);
	set_ip(o, "dns", &p->dns[f]);
	set_ip(o, "guest", &p->guest[f]);
	return o;
}

static json_t *resolver_list(const struct resolvers *r)
{
	json_t *list = json_array();
	char text[IP_STRLEN];

	for (size_t i = 0; i < r->n; i++)
		(void)json_array_append_new(list, json_string(ip_str(&r->ip[i], text)));
	return list;
}

/* As the engine has it on record. */
static json_t *egress_list(const struct attach_egress *x, const struct attach_names *names)
{
	json_t *list = json_array();
	char text[ATTACH_DEST_STRLEN];

	for (size_t i = 0; i < x->n; i++)
		(void)json_array_append_new(list, json_pack("{s:s}",
							    x->dest[i].is_denied ? "notTo" : "to",
							    attach_dest_str(x, names, i, text)));
	return list;
}

static json_t *counters(const struct stats *s)
{
	json_t *o = json_object();

	for (int i = 0; i < N_STATS; i++)
		if (s->n[i] > 0)
			(void)json_object_set_new(o, stats_name((enum stat_id)i),
						  json_integer((json_int_t)s->n[i]));
	return o;
}

static void set_gauges(json_t *to, const struct ctlmsg_gauges *g)
{
	(void)json_object_set_new(to, "tcp_flows", json_integer(g->n_tcp));
	(void)json_object_set_new(to, "udp_flows", json_integer(g->n_udp));
	(void)json_object_set_new(to, "ping_flows", json_integer(g->n_ping));
	(void)json_object_set_new(to, "through_flows", json_integer(g->n_through));
	(void)json_object_set_new(to, "local_flows", json_integer(g->n_local));
	(void)json_object_set_new(to, "memory", json_integer((json_int_t)g->memory));
}

/* Which, and why that one. */
static void set_engine(json_t *to, const struct status *s)
{
	static const char *const names[] = {"auto", "tap", "relay"};
	const char *why = "asked for";

	if (s->is_relay && s->options->engine == ENGINE_RELAY && !s->options->is_network)
		why = "asked for, for what is behind the namespace";
	else if (s->options->engine == ENGINE_AUTO)
		why = "the default";
	(void)json_object_set_new(to, "engine", json_string(s->is_relay ? "relay" : "tap"));
	(void)json_object_set_new(to, "engine_why", json_string(why));
	(void)json_object_set_new(to, "engine_asked", json_string(names[s->options->engine]));
}

/* As the engine has it on record: bits a second. */
static void set_rate(json_t *to, const struct rates *r)
{
	json_t *rate = r->in || r->out ? json_object() : NULL;

	if (!rate)
		return;
	if (r->in)
		(void)json_object_set_new(rate, "in", json_integer((json_int_t)r->in));
	if (r->out)
		(void)json_object_set_new(rate, "out", json_integer((json_int_t)r->out));
	(void)json_object_set_new(to, "limit", rate);
}

json_t *status_json(const struct status *s)
{
	const struct plan *p = &s->config->policy.plan;
	json_t *o = json_object();

	(void)json_object_set_new(o, "pid", json_integer(getpid()));
	(void)json_object_set_new(o, "worker", json_integer(s->worker));
	(void)json_object_set_new(o, "ready", json_boolean(s->is_ready));
	(void)json_object_set_new(o, "restarts", json_integer(s->n_restarts));
	(void)json_object_set_new(o, "uptime_ms", json_integer((json_int_t)s->uptime_ms));
	if (s->options->name)
		(void)json_object_set_new(o, "name", json_string(s->options->name));
	(void)json_object_set_new(o, "target", json_string(s->options->target));
	(void)json_object_set_new(o, "interface", json_string(s->options->tap));
	if (s->netns_ino) {
		(void)json_object_set_new(o, "netns_dev", json_integer((json_int_t)s->netns_dev));
		(void)json_object_set_new(o, "netns_ino", json_integer((json_int_t)s->netns_ino));
	}
	set_engine(o, s);
	(void)json_object_set_new(o, "mtu", json_integer(p->mtu));
	set_rate(o, &s->rates);
	(void)json_object_set_new(o, "ipv4", addresses(p, FAM4));
	(void)json_object_set_new(o, "ipv6", addresses(p, FAM6));
	(void)json_object_set_new(o, "resolvers", resolver_list(s->resolvers));
	if (s->config->policy.egress.n > 0)
		(void)json_object_set_new(
			o, "egress",
			egress_list(&s->config->policy.egress, &s->config->policy.names));
	if (s->gauges)
		set_gauges(o, s->gauges);
	if (s->stats)
		(void)json_object_set_new(o, "counters", counters(s->stats));
	if (s->is_silent)
		(void)json_object_set_new(o, "silent", json_true());
	if (s->ports)
		(void)json_object_set_new(o, "ports", s->ports);
	return o;
}
