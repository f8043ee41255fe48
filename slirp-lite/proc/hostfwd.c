/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostfwd: names and defaults of slirp4netns(1), "API socket". */
#include "proc/hostfwd.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"

static bool parse_proto(json_t *o, uint8_t *ret_proto, int *ret_family)
{
	static const struct {
		const char *name;
		uint8_t proto;
		int family;
	} names[] = {
		{"tcp", IPPROTO_TCP, AF_INET},   {"udp", IPPROTO_UDP, AF_INET},
		{"tcp4", IPPROTO_TCP, AF_INET},  {"udp4", IPPROTO_UDP, AF_INET},
		{"tcp6", IPPROTO_TCP, AF_INET6}, {"udp6", IPPROTO_UDP, AF_INET6},
	};
	const char *text = json_string_value(json_object_get(o, "proto"));

	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i].name) == 0) {
			*ret_proto = names[i].proto;
			*ret_family = names[i].family;
			return true;
		}
	return false;
}

/* Missing, null and "" are `otherwise`. */
static bool parse_addr(json_t *o, const char *key, int family, const struct ip *otherwise,
		       struct ip *ret, struct err *e)
{
	json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v) || (json_is_string(v) && !*json_string_value(v))) {
		*ret = *otherwise;
		return otherwise->family != 0;
	}
	return json_is_string(v) && ip_parse(json_string_value(v), ret, e) == 0 &&
	       ret->family == family;
}

bool hostfwd_whole(const json_t *v, uint64_t min, uint64_t max, uint64_t *ret)
{
	/* Up to 2^53 a double has all integers. */
	double d = json_number_value(v);

	if (!json_is_number(v) || !(d >= (double)min && d <= (double)max) ||
	    d != (double)(uint64_t)d)
		return false;
	*ret = (uint64_t)d;
	return true;
}

/* A number, or "FIRST-LAST". */
static bool parse_ports(json_t *o, const char *key, uint16_t *ret_first, uint16_t *ret_count)
{
	json_t *v = json_object_get(o, key);
	const char *text = json_string_value(v), *dash = text ? strchr(text, '-') : NULL;
	uint64_t first, last;

	if (hostfwd_whole(v, 1, UINT16_MAX, &first)) {
		last = first;
	} else if (!dash || parse_u64_n(text, (size_t)(dash - text), 1, UINT16_MAX, &first) < 0 ||
		   parse_u64(dash + 1, first, UINT16_MAX, &last) < 0) {
		return false;
	}
	*ret_first = (uint16_t)first;
	*ret_count = (uint16_t)(last - first + 1);
	return true;
}

const char *hostfwd_parse(json_t *a, const struct plan *plan, struct publish *ret,
			  struct ip *ret_guest, struct err *e)
{
	struct publish p = {0};
	const struct ip *ours;
	struct ip any, guest;
	uint16_t n_guest;
	int family;

	if (!parse_proto(a, &p.proto, &family))
		return "proto";
	ours = &plan->guest[family == AF_INET ? FAM4 : FAM6];
	any = (struct ip){.family = (uint8_t)family};
	if (!parse_addr(a, "host_addr", family, &any, &p.host_ip, e))
		return "host_addr";
	if (!parse_ports(a, "host_port", &p.host_port, &p.count))
		return "host_port";
	if (!parse_addr(a, "guest_addr", family, ours, &guest, e) || ip_is_loopback(&guest) ||
	    ip_is_multicast(&guest))
		return "guest_addr";
	if (ip_is_any(&guest)) /* whoever is there */
		guest = *ours;
	if (guest.family == 0)
		return "guest_addr";
	if (!parse_ports(a, "guest_port", &p.ctr_port, &n_guest) || n_guest != p.count)
		return "guest_port";
	*ret = p;
	*ret_guest = guest;
	return NULL;
}

/* False: no memory. */
static bool set_ports(json_t *o, const char *key, uint16_t first, uint16_t count)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u-%u", first, first + count - 1u);
	return json_object_set_new(o, key, count == 1 ? json_integer(first) : json_string(text)) ==
	       0;
}

/* The ports, then o; NULL without memory. */
static json_t *with_ports(json_t *o, const struct publish *p)
{
	if (set_ports(o, "host_port", p->host_port, p->count) &&
	    set_ports(o, "guest_port", p->ctr_port, p->count))
		return o;
	json_decref(o);
	return NULL;
}

static const char *addr_or(const struct ip *ip, const char *otherwise, char out[IP_STRLEN])
{
	return ip->family ? ip_str(ip, out) : otherwise;
}

json_t *hostfwd_entry(const struct published_rule *r)
{
	const bool is_v6 = r->p.host_ip.family == AF_INET6;
	const struct ip *guest = &r->guest[is_v6 || !r->guest[FAM4].family ? FAM6 : FAM4];
	char proto[8], host[IP_STRLEN], inside[IP_STRLEN];
	json_t *o;

	(void)snprintf(proto, sizeof(proto), "%s%s", proto_str(r->p.proto), is_v6 ? "6" : "");
	o = json_pack("{s:I,s:s,s:s,s:s}", "id", (json_int_t)r->id, "proto", proto, "host_addr",
		      addr_or(&r->p.host_ip, "0.0.0.0", host), "guest_addr",
		      addr_or(guest, "", inside));
	return with_ports(o, &r->p);
}

int hostfwd_parse_list(json_t *arguments, struct publish_list *ret, struct err *e)
{
	json_t *list;
	int r = json_get_arr(arguments, "arguments", "ports", JSON_REQUIRED, &list, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *spec = json_string_value(json_array_get(list, i));
		struct publish p;

		if (!spec)
			return json_bad("arguments", "ports", e, "expected strings");
		r = publish_parse(spec, &p, e);
		if (r == 0 && p.proto == IPPROTO_SCTP)
			r = err_set(e, ERR_UNSUPPORTED, 0,
				    "SCTP cannot be carried without privilege");
		if (r == 0)
			r = publish_list_add(ret, &p, e);
		if (r < 0)
			return r;
	}
	return ret->n ? publish_check_list(ret->p, ret->n, e)
		      : json_bad("arguments", "ports", e, "expected at least one");
}

json_t *hostfwd_rule(const struct published_rule *r)
{
	char text[PUBLISH_STRLEN], a[IP_STRLEN];
	json_t *o =
		json_pack("{s:I,s:s,s:s,s:I,s:I,s:I,s:I}", "id", (json_int_t)r->id, "spec",
			  publish_str(&r->p, text), "proto", proto_str(r->p.proto), "sockets",
			  (json_int_t)r->n_sockets, "flows", (json_int_t)r->tally.flows, "bytes_in",
			  (json_int_t)r->tally.in, "bytes_out", (json_int_t)r->tally.out);

	if (r->p.host_ip.family &&
	    json_object_set_new(o, "host_addr", json_string(ip_str(&r->p.host_ip, a))) < 0) {
		json_decref(o);
		return NULL;
	}
	o = with_ports(o, &r->p);
	if (!r->is_auto || json_object_set_new(o, "auto", json_true()) == 0)
		return o;
	json_decref(o);
	return NULL;
}
