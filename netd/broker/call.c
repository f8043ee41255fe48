/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call: the table of permitted requests, and the second look at each of them. PURE. */
#include "broker/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define MTU_MIN 68
#define MTU_MAX 65535

static const struct call_rule rules[N_CALL_VERBS] = {
	[CALL_STATUS] = {.name = "status"},
	[CALL_ATTACH] = {.name = "attach",
			 .has_id = true,
			 .has_attach = true,
			 .has_publish = true,
			 .has_rate = true,
			 .min_fds = 1,
			 .max_fds = CALL_PASSED_MAX},
	[CALL_DETACH] = {.name = "detach", .has_id = true},
	[CALL_LIST] = {.name = "list", .has_pages = true},
	[CALL_PUBLISH] = {.name = "publish",
			  .has_id = true,
			  .has_publish = true,
			  .needs_publish = true},
	[CALL_UNPUBLISH] = {.name = "unpublish",
			    .has_id = true,
			    .has_publish = true,
			    .needs_publish = true},
	[CALL_METRICS] = {.name = "metrics"},
	[CALL_LIMIT] = {.name = "limit", .has_id = true, .has_rate = true, .needs_rate = true},
};

const struct call_rule *call_rule(uint32_t verb)
{
	return verb < N_CALL_VERBS && rules[verb].name ? &rules[verb] : NULL;
}

uint32_t call_find(const char *name)
{
	for (uint32_t v = 1; v < N_CALL_VERBS; v++)
		if (rules[v].name && strcmp(rules[v].name, name) == 0)
			return v;
	return 0;
}

/* The rest of the array is zero too: no byte of the front's memory comes along. */
static bool is_text(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	for (size_t i = len; i < size; i++)
		if (s[i])
			return false;
	return len < size;
}

static bool is_zero(const void *p, size_t size)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < size; i++)
		if (b[i])
			return false;
	return true;
}

static int bad(struct err *e, const char *what)
{
	return err_invalid(e, ERR_PROTOCOL, "%s", what);
}

static bool is_ip(const struct ip *ip, uint8_t family)
{
	size_t used = family == AF_INET ? 4 : 16;

	if (ip->family == 0)
		return is_zero(ip, sizeof(*ip));
	return ip->family == family && is_zero(ip->b + used, sizeof(ip->b) - used);
}

static bool is_proto(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_run(const struct publish *p)
{
	return is_proto(p->proto) && p->ctr_port && p->count && !p->is_unheld &&
	       p->host_port + p->count <= 65536 && p->ctr_port + p->count <= 65536 &&
	       (p->host_port || p->count == 1) &&
	       (is_ip(&p->host_ip, AF_INET) || is_ip(&p->host_ip, AF_INET6)) &&
	       (!p->host_ip.family || publish_check_host_ip(&p->host_ip, NULL) == 0);
}

static int check_names(const struct call *c, const struct call_rule *r, struct err *e)
{
	if (!is_text(c->id, sizeof(c->id)) || !is_text(c->ifname, sizeof(c->ifname)) ||
	    !is_text(c->network, sizeof(c->network)))
		return bad(e, "a name without end");
	if (!r->has_id && (c->id[0] || c->ifname[0]))
		return bad(e, "a name that is not asked for");
	if (r->has_id && (name_check_id(c->id, "id", e) < 0 ||
			  name_check_ifname(c->ifname, "interface name", e) < 0))
		return -EINVAL;
	if (!r->has_attach)
		return c->network[0] ? bad(e, "a network that is not asked for") : 0;
	return name_check_network(c->network, "network name", e);
}

static int check_attach(const struct call *c, const struct call_rule *r, struct err *e)
{
	if (!r->has_attach) {
		if (!is_zero(c->ip, sizeof(c->ip)) || !is_zero(&c->mac, sizeof(c->mac)) || c->mtu)
			return bad(e, "settings that are not asked for");
		return 0;
	}
	if (!is_ip(&c->ip[FAM4], AF_INET) || !is_ip(&c->ip[FAM6], AF_INET6))
		return bad(e, "an address of no family");
	if (c->mac.b[0] & 1)
		return bad(e, "a MAC address of a group");
	if (c->mtu && (c->mtu < MTU_MIN || c->mtu > MTU_MAX))
		return bad(e, "an MTU out of range");
	return 0;
}

/* The bytes of the first n names; 0: they are not that many. */
static size_t alias_bytes(const struct call *c, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len = strnlen(c->alias + at, sizeof(c->alias) - at);

		if (len == sizeof(c->alias) - at)
			return 0;
		at += len + 1;
	}
	return at;
}

int call_add_alias(struct call *c, const char *name, struct err *e)
{
	size_t at = alias_bytes(c, c->n_alias), len = strlen(name);

	if (name_check_alias(name, "alias", e) < 0)
		return -EINVAL;
	if (c->n_alias == CALL_ALIAS_MAX || len >= sizeof(c->alias) - at)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "more than %d further names, or %d bytes of them", CALL_ALIAS_MAX,
			       CALL_ALIAS_BYTES);
	memcpy(c->alias + at, name, len + 1);
	c->n_alias++;
	return 0;
}

size_t call_aliases(const struct call *c, const char *ret[CALL_ALIAS_MAX])
{
	for (size_t i = 0; i < c->n_alias; i++)
		ret[i] = c->alias + alias_bytes(c, i);
	return c->n_alias;
}

static int check_aliases(const struct call *c, const struct call_rule *r, struct err *e)
{
	const char *name[CALL_ALIAS_MAX];
	size_t used;

	if (c->n_alias > (r->has_attach ? CALL_ALIAS_MAX : 0))
		return bad(e, "a wrong number of further names");
	used = alias_bytes(c, c->n_alias);
	if ((c->n_alias && !used) || !is_zero(c->alias + used, sizeof(c->alias) - used))
		return bad(e, "further names without end");
	(void)call_aliases(c, name);
	for (uint32_t i = 0; i < c->n_alias; i++)
		if (name_check_alias(name[i], "alias", e) < 0)
			return -EINVAL;
	return 0;
}

static int check_ports(const struct call *c, const struct call_rule *r, struct err *e)
{
	if (c->n_publish > CALL_PUBLISH_MAX || (c->n_publish && !r->has_publish) ||
	    (!c->n_publish && r->needs_publish))
		return bad(e, "a wrong number of ports");
	for (uint32_t i = 0; i < c->n_publish; i++)
		if (!is_run(&c->publish[i]))
			return bad(e, "a run of ports that is none");
	return publish_check_list(c->publish, c->n_publish, e);
}

/* A rate that is none can only be asked for in the place of another. */
static int check_rates(const struct call *c, const struct call_rule *r, struct err *e)
{
	const struct attach_rate rate = {.in_rate = c->rate[CALL_RATE_IN],
					 .out_rate = c->rate[CALL_RATE_OUT]};

	if (c->rate_set > 3 || (c->rate_set && !r->has_rate) || (!c->rate_set && r->needs_rate))
		return bad(e, "a wrong number of rates");
	for (unsigned i = 0; i < 2; i++)
		if (c->rate[i] > INT64_MAX || (c->rate[i] && !(c->rate_set & 1u << i)) ||
		    (!c->rate[i] && (c->rate_set & 1u << i) && !r->needs_rate))
			return bad(e, "a rate that is none");
	return attach_rate_check(&rate, e);
}

static int check_page(const struct call *c, const struct call_rule *r, struct err *e)
{
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	if (!is_text(c->after, sizeof(c->after)))
		return bad(e, "a name without end");
	if (c->is_paged > (r->has_pages ? 1u : 0u) || (c->after[0] && !c->is_paged) ||
	    c->is_counted > (r->has_pages ? 1u : 0u))
		return bad(e, "a page that is not asked for");
	return !c->after[0] || name_parse_key(c->after, id, ifname) == 0
		       ? 0
		       : bad(e, "a page after what is no name");
}

int call_check(const struct call *c, size_t len, size_t n_fds, struct err *e)
{
	const struct call_rule *r;
	int w;

	if (len != sizeof(*c) || c->magic != CALL_MAGIC)
		return bad(e, "no request");
	r = call_rule(c->verb);
	if (!r)
		return bad(e, "a request that is not in the table");
	if (n_fds != CALL_FDS)
		return bad(e, "a wrong number of descriptors");
	w = check_names(c, r, e);
	if (w >= 0)
		w = check_attach(c, r, e);
	if (w >= 0)
		w = check_rates(c, r, e);
	if (w >= 0)
		w = check_page(c, r, e);
	if (w >= 0)
		w = check_aliases(c, r, e);
	return w < 0 ? w : check_ports(c, r, e);
}
