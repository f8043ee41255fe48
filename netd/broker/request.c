/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request: JSON to calls and back. Everything becomes a checked value here, in the process that has
 * no privilege; the back checks the values once more. PURE.
 */
#include "broker/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/network.h"

/* Keys by what a verb has; the bit tells which of call_rule's it belongs to. */
enum { KEY_ALWAYS = 1, KEY_ID = 2, KEY_ATTACH = 4, KEY_PUBLISH = 8, KEY_RATE = 16, KEY_PAGE = 32 };
static const struct {
	const char *name;
	unsigned group;
} keys[] = {
	{"netd", KEY_ALWAYS}, {"verb", KEY_ALWAYS},     {"id", KEY_ID},       {"ifname", KEY_ID},
	{"ip", KEY_ATTACH},   {"network", KEY_ATTACH},  {"ip6", KEY_ATTACH},  {"mac", KEY_ATTACH},
	{"mtu", KEY_ATTACH},  {"publish", KEY_PUBLISH}, {"rateIn", KEY_RATE}, {"rateOut", KEY_RATE},
	{"after", KEY_PAGE},  {"alias", KEY_ATTACH},    {"flows", KEY_PAGE},
};

static int check_keys(json_t *doc, const struct call_rule *r, struct err *e)
{
	unsigned may = KEY_ALWAYS | (r->has_id ? KEY_ID : 0) | (r->has_attach ? KEY_ATTACH : 0) |
		       (r->has_publish ? KEY_PUBLISH : 0) | (r->has_rate ? KEY_RATE : 0) |
		       (r->has_pages ? KEY_PAGE : 0);
	const char *key;
	json_t *value;

	json_object_foreach(doc, key, value)
	{
		size_t i = 0;

		while (i < sizeof(keys) / sizeof(keys[0]) &&
		       (strcmp(keys[i].name, key) != 0 || !(keys[i].group & may)))
			i++;
		if (i == sizeof(keys) / sizeof(keys[0]))
			return json_bad("", key, e, "is not known to this verb");
	}
	return 0;
}

/* Strings from jansson may hold NULs: those that do are shorter than they say. */
static int get_name(json_t *doc, const char *key, const char *fallback,
		    int (*check)(const char *, const char *, struct err *), char *ret, size_t size,
		    struct err *e)
{
	const char *s = fallback;
	int r = json_get_str(doc, "", key, fallback ? JSON_OPTIONAL : JSON_REQUIRED, &s, e);

	if (r < 0 || check(s, key, e) < 0)
		return -EINVAL;
	if (strlen(s) >= size)
		return json_bad("", key, e, "is too long");
	(void)snprintf(ret, size, "%s", s);
	return 0;
}

static int get_ip(json_t *doc, const char *key, int fam, struct ip *ret, struct err *e)
{
	const char *s;
	int r = json_get_str(doc, "", key, JSON_OPTIONAL, &s, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (ip_parse(s, ret, e) < 0)
		return -EINVAL;
	return ip_fam(ret) == fam ? 0 : json_bad("", key, e, "is of the other family");
}

static int get_aliases(json_t *doc, struct call *c, struct err *e)
{
	json_t *list = NULL;
	int r = json_get_arr(doc, "", "alias", JSON_OPTIONAL, &list, e);

	for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);
		const char *s = json_string_value(one);

		if (!s || strlen(s) != json_string_length(one))
			return json_bad("", "alias", e, "holds something that is no name");
		r = call_add_alias(c, s, e);
	}
	return r < 0 ? r : 0;
}

static int get_attach(json_t *doc, struct call *c, struct err *e)
{
	const char *mac;
	uint64_t mtu = 0;
	int r = get_name(doc, "network", NETWORK_DEFAULT, name_check_network, c->network,
			 sizeof(c->network), e);

	if (r >= 0)
		r = get_ip(doc, "ip", FAM4, &c->ip[FAM4], e);
	if (r >= 0)
		r = get_ip(doc, "ip6", FAM6, &c->ip[FAM6], e);
	if (r >= 0)
		r = json_get_str(doc, "", "mac", JSON_OPTIONAL, &mac, e);
	if (r == 0)
		r = mac_parse(mac, &c->mac, e);
	if (r >= 0)
		r = json_get_u64(doc, "", "mtu", JSON_OPTIONAL, 68, 65535, &mtu, e);
	c->mtu = (uint32_t)mtu;
	return r < 0 ? r : get_aliases(doc, c, e);
}

static int get_publish(json_t *doc, struct call *c, struct err *e)
{
	json_t *list = NULL;
	int r = json_get_arr(doc, "", "publish", JSON_OPTIONAL, &list, e);

	if (r < 0)
		return r;
	if (json_array_size(list) > CALL_PUBLISH_MAX)
		return json_bad("", "publish", e, "has too many entries");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s)
			return json_bad("", "publish", e, "holds something that is no string");
		if (publish_parse(s, &c->publish[i], e) < 0)
			return -EINVAL;
		c->n_publish++;
	}
	return 0;
}

static const char *const rate_key[2] = {[CALL_RATE_IN] = "rateIn", [CALL_RATE_OUT] = "rateOut"};

static int get_rates(json_t *doc, struct call *c, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		int r = json_get_u64(doc, "", rate_key[i], JSON_OPTIONAL, 0, INT64_MAX, &c->rate[i],
				     e);

		if (r < 0)
			return r;
		c->rate_set |= r == 0 ? 1u << i : 0;
	}
	return 0;
}

static int get_page(json_t *doc, struct call *c, struct err *e)
{
	const char *s;
	bool is_counted = false;
	int r = json_get_bool(doc, "", "flows", JSON_OPTIONAL, &is_counted, e);

	c->is_counted = is_counted;
	if (r >= 0)
		r = json_get_str(doc, "", "after", JSON_OPTIONAL, &s, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (strlen(s) >= sizeof(c->after))
		return json_bad("", "after", e, "is too long");
	c->is_paged = 1;
	(void)snprintf(c->after, sizeof(c->after), "%s", s);
	return 0;
}

static int get_verb(json_t *doc, struct call *c, struct err *e)
{
	const char *verb;
	uint64_t version;
	int r = json_get_u64(doc, "", "netd", JSON_REQUIRED, REQUEST_VERSION, REQUEST_VERSION,
			     &version, e);

	if (r == 0)
		r = json_get_str(doc, "", "verb", JSON_REQUIRED, &verb, e);
	if (r < 0)
		return r;
	c->verb = call_find(verb);
	return c->verb ? 0 : err_invalid(e, ERR_UNSUPPORTED, "verb \"%s\" is not known here", verb);
}

int request_parse(const char *text, size_t len, struct call *ret, struct err *e)
{
	CLEAN_JSON json_t *doc = NULL;
	struct call c = {.magic = CALL_MAGIC};
	const struct call_rule *rule;
	int r;

	memset(&c, 0, sizeof(c)); /* the holes too */
	c.magic = CALL_MAGIC;
	r = json_parse(text, len, &doc, e);
	if (r >= 0)
		r = json_is_object(doc) ? get_verb(doc, &c, e)
					: json_bad("", "", e, "expected an object");
	if (r < 0)
		return r;
	rule = call_rule(c.verb);
	r = check_keys(doc, rule, e);
	if (r >= 0 && rule->has_id)
		r = get_name(doc, "id", NULL, name_check_id, c.id, sizeof(c.id), e);
	if (r >= 0 && rule->has_id)
		r = get_name(doc, "ifname", "eth0", name_check_ifname, c.ifname, sizeof(c.ifname),
			     e);
	if (r >= 0 && rule->has_attach)
		r = get_attach(doc, &c, e);
	if (r >= 0 && rule->has_publish)
		r = get_publish(doc, &c, e);
	if (r >= 0 && rule->has_rate)
		r = get_rates(doc, &c, e);
	if (r >= 0 && rule->has_pages)
		r = get_page(doc, &c, e);
	if (r >= 0)
		r = call_check(&c, sizeof(c), CALL_FDS, e);
	if (r >= 0)
		memcpy(ret, &c, sizeof(c));
	return r;
}

/* ---- the other direction ---- */

static void put(json_t *doc, const char *key, json_t *value, int *r)
{
	if (json_object_set_new(doc, key, value) < 0)
		*r = -ENOMEM;
}

static void put_aliases(json_t *doc, const struct call *c, int *r)
{
	const char *name[CALL_ALIAS_MAX];
	size_t n = call_aliases(c, name);
	json_t *list = json_array();

	put(doc, "alias", list, r);
	for (size_t i = 0; *r == 0 && i < n; i++)
		if (json_array_append_new(list, json_string(name[i])) < 0)
			*r = -ENOMEM;
}

static void put_attach(json_t *doc, const struct call *c, int *r)
{
	static const struct mac none;
	char s[IP_STRLEN];

	put(doc, "network", json_string(c->network), r);
	if (c->ip[FAM4].family)
		put(doc, "ip", json_string(ip_str(&c->ip[FAM4], s)), r);
	if (c->ip[FAM6].family)
		put(doc, "ip6", json_string(ip_str(&c->ip[FAM6], s)), r);
	if (memcmp(&c->mac, &none, sizeof(none)) != 0)
		put(doc, "mac", json_string(mac_str(&c->mac, s)), r);
	if (c->mtu)
		put(doc, "mtu", json_integer(c->mtu), r);
	if (c->n_alias)
		put_aliases(doc, c, r);
}

int request_print(const struct call *c, struct buf *out, struct err *e)
{
	const struct call_rule *rule = call_rule(c->verb);
	CLEAN_JSON json_t *doc = json_object(), *list = json_array();
	char s[PUBLISH_STRLEN], *text;
	int r = doc && list && rule ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < c->n_publish; i++)
		if (json_array_append_new(list, json_string(publish_str(&c->publish[i], s))) < 0)
			r = -ENOMEM;
	if (r == 0) {
		put(doc, "netd", json_integer(REQUEST_VERSION), &r);
		put(doc, "verb", json_string(rule->name), &r);
		if (rule->has_id) {
			put(doc, "id", json_string(c->id), &r);
			put(doc, "ifname", json_string(c->ifname), &r);
		}
		if (rule->has_attach)
			put_attach(doc, c, &r);
		if (rule->has_publish)
			put(doc, "publish", json_incref(list), &r);
		for (unsigned i = 0; i < 2; i++)
			if (c->rate_set & 1u << i)
				put(doc, rate_key[i], json_integer((json_int_t)c->rate[i]), &r);
		if (c->is_paged)
			put(doc, "after", json_string(c->after), &r);
		if (c->is_counted)
			put(doc, "flows", json_true(), &r);
	}
	text = r == 0 ? json_print(doc) : NULL;
	if (!text)
		return err_set(e, ERR_INTERNAL, ENOMEM, "request");
	buf_add(out, text, strlen(text));
	free(text);
	return out->failed ? err_set(e, ERR_INTERNAL, ENOMEM, "request") : 0;
}

static const char *const whats[] = {
	[WHAT_PORT] = "port",           [WHAT_POOL] = "pool",       [WHAT_ADDRESS] = "address",
	[WHAT_INTERFACE] = "interface", [WHAT_NETNS] = "namespace", [WHAT_NETWORK] = "network",
};
#define N_WHATS (sizeof(whats) / sizeof(whats[0]))

enum err_what request_what(const char *name)
{
	for (size_t i = 0; name && i < N_WHATS; i++)
		if (whats[i] && strcmp(whats[i], name) == 0)
			return (enum err_what)i;
	return WHAT_NONE;
}

void request_refusal(enum err_kind kind, enum err_what what, struct buf *out)
{
	static const struct {
		enum err_kind kind;
		const char *text;
	} texts[] = {
		{ERR_USAGE, "the request is not one that can be carried out"},
		{ERR_DENIED, "not permitted"},
		{ERR_CONFLICT, "the name, interface, address or port is taken"},
		{ERR_ABSENT, "there is no such attachment or network"},
		{ERR_BUSY, "busy, try again"},
		{ERR_QUOTA, "that is more than is allowed, or left"},
		{ERR_UNSUPPORTED, "that is not supported here"},
		{ERR_PROTOCOL, "that is no request"},
	};
	const char *text = "it failed; the log of netd says why";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].kind == kind)
			text = texts[i].text;
	buf_printf(out, "{\"error\":{\"kind\":\"%s\",\"text\":\"%s\"", err_kind_name(kind), text);
	if (kind != ERR_DENIED && what < N_WHATS && whats[what])
		buf_printf(out, ",\"what\":\"%s\"", whats[what]);
	buf_printf(out, "}}");
}
