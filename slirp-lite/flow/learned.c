/* SPDX-License-Identifier: GPL-2.0-or-later */
/* learned: a table by address; each name of an entry has an end of its own. */
#include "flow/learned.h"

#include <errno.h>
#include <stdlib.h>

#include "flow/table.h"

struct entry {
	struct table_node node;
	uint64_t due[ATTACH_DEST_MAX]; /* 0: not this name's */
};

struct learned {
	struct table *table;
};

int learned_new(struct learned **ret, struct err *e)
{
	struct learned *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, ERR_INTERNAL, ENOMEM, "addresses of names");
	r = table_new(LEARNED_MAX, sizeof(struct entry), &l->table, e);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void learned_free(struct learned *l)
{
	if (!l)
		return;
	table_free(l->table);
	free(l);
}

static struct entry *find(const struct learned *l, const struct ip *ip)
{
	const struct flow_key k = {.peer = *ip};

	return table_find(l->table, &k);
}

bool learned_add(struct learned *l, const struct ip *ip, uint32_t names, uint32_t ttl_s,
		 uint64_t now)
{
	const struct flow_key k = {.peer = *ip};
	struct entry *x = find(l, ip);
	uint64_t due;

	if (ttl_s < LEARNED_TTL_MIN_S)
		ttl_s = LEARNED_TTL_MIN_S;
	if (ttl_s > LEARNED_TTL_MAX_S)
		ttl_s = LEARNED_TTL_MAX_S;
	due = now + ttl_s * 1000ull;
	if (!x)
		x = table_add(l->table, &k);
	if (!x)
		return false;
	for (unsigned i = 0; i < ATTACH_DEST_MAX; i++)
		if ((names >> i & 1) && x->due[i] < due)
			x->due[i] = due;
	return true;
}

uint32_t learned_names(const struct learned *l, const struct ip *ip)
{
	const struct entry *x = find(l, ip);
	uint32_t names = 0;

	for (unsigned i = 0; x && i < ATTACH_DEST_MAX; i++)
		names |= (uint32_t)(x->due[i] != 0) << i;
	return names;
}

bool learned_expire(struct learned *l, uint64_t now)
{
	uint32_t cursor = 0;
	struct entry *x;

	while ((x = table_step(l->table, &cursor))) {
		bool is_used = false;

		for (unsigned i = 0; i < ATTACH_DEST_MAX; i++) {
			if (x->due[i] <= now)
				x->due[i] = 0;
			is_used |= x->due[i] != 0;
		}
		if (!is_used)
			table_remove(l->table, x);
	}
	return table_count(l->table) > 0;
}
