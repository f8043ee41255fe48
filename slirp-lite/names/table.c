/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: see table.h. Members of a network are a list; names and addresses are found by hashes over
 * the network's index and their bytes. */
#include "names/table.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/pages.h"
#include "names/msg.h"

int table_init(struct table *t)
{
	int r = slots_init(&t->nets, TABLE_NETS_MAX, sizeof(struct table_net));

	if (r == 0)
		r = slots_init(&t->entries, TABLE_ENTRIES_MAX, sizeof(struct table_entry));
	if (r == 0)
		r = slots_init(&t->addrs, TABLE_ADDRS_MAX, sizeof(struct table_addr));
	if (r == 0)
		r = slots_init(&t->names, TABLE_NAMES_MAX, sizeof(struct table_name));
	t->addr_bucket = r == 0 ? pages_map(TABLE_BUCKETS * sizeof(uint32_t)) : NULL;
	t->name_bucket = r == 0 ? pages_map(TABLE_BUCKETS * sizeof(uint32_t)) : NULL;
	return r < 0 ? r : t->addr_bucket && t->name_bucket ? 0 : -ENOMEM;
}

void table_free(struct table *t)
{
	slots_free(&t->nets);
	slots_free(&t->entries);
	slots_free(&t->addrs);
	slots_free(&t->names);
	pages_unmap(t->addr_bucket, TABLE_BUCKETS * sizeof(uint32_t));
	pages_unmap(t->name_bucket, TABLE_BUCKETS * sizeof(uint32_t));
	t->addr_bucket = t->name_bucket = NULL;
}

struct table_net *table_net_at(const struct table *t, uint32_t i)
{
	return slots_at(&t->nets, i);
}

struct table_entry *table_entry_at(const struct table *t, uint32_t i)
{
	return slots_at(&t->entries, i);
}

struct table_addr *table_addr_at(const struct table *t, uint32_t i)
{
	return slots_at(&t->addrs, i);
}

struct table_name *table_name_at(const struct table *t, uint32_t i)
{
	return slots_at(&t->names, i);
}

static uint32_t *addr_bucket(const struct table *t, uint32_t net, const struct ip *ip)
{
	return &t->addr_bucket[hash64(ip->b, sizeof(ip->b), net) % TABLE_BUCKETS];
}

static uint32_t *name_bucket(const struct table *t, uint32_t net, const uint8_t *wire, size_t len)
{
	return &t->name_bucket[hash64(wire, len, net) % TABLE_BUCKETS];
}

/* ---- networks ---- */

uint32_t table_find_net(const struct table *t, const char *name)
{
	for (uint32_t i = 0; (i = slots_next(&t->nets, i)) != SLOT_NONE; i++)
		if (strcmp(table_net_at(t, i)->name, name) == 0)
			return i;
	return SLOT_NONE;
}

uint32_t table_add_net(struct table *t, const char *name)
{
	uint32_t i = slots_take(&t->nets);

	if (i != SLOT_NONE)
		strncpy(table_net_at(t, i)->name, name, NETNAME_STRLEN - 1);
	return i;
}

void table_del_net(struct table *t, uint32_t net)
{
	struct table_net *n = table_net_at(t, net);

	while (n->first_entry)
		table_del_entry(t, n->first_entry - 1);
	slots_give(&t->nets, net);
}

/* ---- entries ---- */

uint32_t table_find_entry(const struct table *t, uint32_t net, const char *key)
{
	for (uint32_t i = table_net_at(t, net)->first_entry; i; i = table_entry_at(t, i - 1)->next)
		if (strcmp(table_entry_at(t, i - 1)->key, key) == 0)
			return i - 1;
	return SLOT_NONE;
}

static void drop_addrs(struct table *t, struct table_entry *e)
{
	while (e->first_addr) {
		uint32_t i = e->first_addr;
		struct table_addr *a = table_addr_at(t, i - 1);
		uint32_t *b = addr_bucket(t, e->net, &a->ip);

		while (*b != i)
			b = &table_addr_at(t, *b - 1)->bucket_next;
		*b = a->bucket_next;
		e->first_addr = a->next;
		slots_give(&t->addrs, i - 1);
	}
	e->n_addr = 0;
}

static void drop_names(struct table *t, struct table_entry *e)
{
	while (e->first_name) {
		uint32_t i = e->first_name;
		struct table_name *n = table_name_at(t, i - 1);
		uint32_t *b = name_bucket(t, e->net, n->wire, n->len);

		while (*b != i)
			b = &table_name_at(t, *b - 1)->bucket_next;
		*b = n->bucket_next;
		e->first_name = n->next;
		slots_give(&t->names, i - 1);
	}
	e->n_name = 0;
}

void table_del_entry(struct table *t, uint32_t entry)
{
	struct table_entry *e = table_entry_at(t, entry);
	struct table_net *n = table_net_at(t, e->net);

	drop_names(t, e);
	drop_addrs(t, e);
	if (e->prev)
		table_entry_at(t, e->prev - 1)->next = e->next;
	else
		n->first_entry = e->next;
	if (e->next)
		table_entry_at(t, e->next - 1)->prev = e->prev;
	slots_give(&t->entries, entry);
}

static uint32_t new_entry(struct table *t, uint32_t net, const char *key)
{
	struct table_net *n = table_net_at(t, net);
	uint32_t i = slots_take(&t->entries);

	if (i == SLOT_NONE)
		return i;
	struct table_entry *e = table_entry_at(t, i);
	e->net = net;
	strncpy(e->key, key, KEY_STRLEN - 1);
	e->rate = (struct bucket)BUCKET_FULL(TABLE_RATE_S / 1000, TABLE_BURST);
	e->next = n->first_entry;
	if (e->next)
		table_entry_at(t, e->next - 1)->prev = i + 1;
	n->first_entry = i + 1;
	return i;
}

static int add_addr(struct table *t, uint32_t entry, const struct ip *ip)
{
	struct table_entry *e = table_entry_at(t, entry);
	uint32_t owner = table_by_ip(t, e->net, ip);

	if (owner == entry)
		return 0;
	if (owner != SLOT_NONE)
		return -EEXIST;
	uint32_t i = slots_take(&t->addrs);
	if (i == SLOT_NONE)
		return -ENOSPC;
	struct table_addr *a = table_addr_at(t, i);
	uint32_t *b = addr_bucket(t, e->net, ip);
	a->entry = entry;
	a->ip = *ip;
	a->bucket_next = *b;
	*b = i + 1;
	a->next = e->first_addr;
	e->first_addr = i + 1;
	e->n_addr++;
	return 0;
}

int table_put_entry(struct table *t, uint32_t net, const char *key, uint32_t uid,
		    const struct ip *ip, size_t n_ip, uint32_t *ret)
{
	uint32_t i = table_find_entry(t, net, key);

	if (i == SLOT_NONE)
		i = new_entry(t, net, key);
	if (i == SLOT_NONE)
		return -ENOSPC;
	struct table_entry *e = table_entry_at(t, i);
	drop_names(t, e);
	drop_addrs(t, e);
	e->uid = uid;
	for (size_t k = n_ip; k-- > 0;) {
		int r = add_addr(t, i, &ip[k]);

		if (r < 0) {
			table_del_entry(t, i);
			return r;
		}
	}
	*ret = i;
	return 0;
}

int table_add_name(struct table *t, uint32_t entry, const char *text)
{
	struct table_entry *e = table_entry_at(t, entry);
	uint8_t wire[DNS_NAME_MAX];
	size_t len = msg_name_of_text(text, wire);
	uint32_t *link = &e->first_name;

	if (len == 0)
		return 1;
	for (; *link; link = &table_name_at(t, *link - 1)->next) {
		const struct table_name *n = table_name_at(t, *link - 1);

		if (n->len == len && memcmp(n->wire, wire, len) == 0)
			return 0;
	}
	uint32_t i = slots_take(&t->names);
	if (i == SLOT_NONE)
		return -ENOSPC;
	struct table_name *n = table_name_at(t, i);
	uint32_t *b = name_bucket(t, e->net, wire, len);
	n->entry = entry;
	n->len = (uint8_t)len;
	memcpy(n->wire, wire, len);
	n->bucket_next = *b;
	*b = i + 1;
	*link = i + 1; /* the first one given stays the first: it is the one for reverse lookups */
	e->n_name++;
	return 0;
}

/* ---- looking up ---- */

uint32_t table_by_ip(const struct table *t, uint32_t net, const struct ip *ip)
{
	for (uint32_t i = *addr_bucket(t, net, ip); i; i = table_addr_at(t, i - 1)->bucket_next) {
		const struct table_addr *a = table_addr_at(t, i - 1);

		if (ip_equal(&a->ip, ip) && table_entry_at(t, a->entry)->net == net)
			return a->entry;
	}
	return SLOT_NONE;
}

uint32_t table_by_name(const struct table *t, uint32_t net, uint32_t uid, const uint8_t *wire,
		       size_t len, uint32_t *at)
{
	uint32_t i = *at ? table_name_at(t, *at - 1)->bucket_next : *name_bucket(t, net, wire, len);

	for (; i; i = table_name_at(t, i - 1)->bucket_next) {
		const struct table_name *n = table_name_at(t, i - 1);
		const struct table_entry *e = table_entry_at(t, n->entry);

		if (n->len != len || memcmp(n->wire, wire, len) != 0 || e->net != net ||
		    e->uid != uid)
			continue;
		*at = i;
		return n->entry;
	}
	return SLOT_NONE;
}

/* wire ends in suffix, at a label's border, and is longer. */
static bool is_below(const struct table_name *n, const uint8_t *suffix, size_t len)
{
	size_t at = 0;

	while (n->len - at > len)
		at += (size_t)n->wire[at] + 1;
	return at > 0 && n->len - at == len && memcmp(n->wire + at, suffix, len) == 0;
}

bool table_has_below(const struct table *t, uint32_t net, uint32_t uid, const uint8_t *wire,
		     size_t len)
{
	for (uint32_t i = table_net_at(t, net)->first_entry; i;
	     i = table_entry_at(t, i - 1)->next) {
		const struct table_entry *e = table_entry_at(t, i - 1);

		for (uint32_t k = e->first_name; e->uid == uid && k;
		     k = table_name_at(t, k - 1)->next)
			if (is_below(table_name_at(t, k - 1), wire, len))
				return true;
	}
	return false;
}

bool table_has_within(const struct table *t, uint32_t net, uint32_t uid, const struct prefix *p)
{
	for (uint32_t i = table_net_at(t, net)->first_entry; i;
	     i = table_entry_at(t, i - 1)->next) {
		const struct table_entry *e = table_entry_at(t, i - 1);

		for (uint32_t k = e->first_addr; e->uid == uid && e->first_name && k;
		     k = table_addr_at(t, k - 1)->next)
			if (prefix_contains(p, &table_addr_at(t, k - 1)->ip))
				return true;
	}
	return false;
}
