/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holdings: a plain array: a host has a few thousand at most, and requests are limited by rate. */
#include "broker/holdings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "engine/engine.h"

void holdings_clear(struct holdings *l)
{
	free(l->h);
	*l = (struct holdings){0};
}

struct holding *holdings_find(struct holdings *l, const char *id, const char *ifname)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->h[i].id, id) == 0 && strcmp(l->h[i].ifname, ifname) == 0)
			return &l->h[i];
	return NULL;
}

int holdings_put(struct holdings *l, const struct holding *h, struct err *e)
{
	struct holding *have = holdings_find(l, h->id, h->ifname);

	if (have) {
		*have = *h;
		return 0;
	}
	if (!GROW(l->h, l->n, l->cap))
		return err_set(e, ERR_INTERNAL, ENOMEM, "holdings");
	l->h[l->n++] = *h;
	return 0;
}

void holdings_drop(struct holdings *l, const char *id, const char *ifname)
{
	struct holding *h = holdings_find(l, id, ifname);

	if (h)
		*h = l->h[--l->n];
}

struct holding *holdings_by_link(struct holdings *l, uint32_t ifindex)
{
	for (size_t i = 0; ifindex && i < l->n; i++)
		if (l->h[i].ifindex == ifindex)
			return &l->h[i];
	return NULL;
}

const struct holding *holdings_by_ip(const struct holdings *l, const struct ip *ip)
{
	for (size_t i = 0; i < l->n; i++)
		for (int f = 0; f < N_FAM; f++)
			if (l->h[i].ip[f].family && ip_equal(&l->h[i].ip[f], ip))
				return &l->h[i];
	return NULL;
}

struct charge holdings_charge(const struct holdings *l, uint32_t uid, const char *but_id,
			      const char *but_ifname)
{
	struct charge c = {0};

	for (size_t i = 0; i < l->n; i++) {
		const struct holding *h = &l->h[i];

		if (h->uid != uid ||
		    (but_id && strcmp(h->id, but_id) == 0 && strcmp(h->ifname, but_ifname) == 0))
			continue;
		c.nics++;
		c.ports += h->n_ports;
	}
	return c;
}

bool holding_of(const struct attachment *a, struct holding *ret)
{
	*ret = (struct holding){.uid = a->uid,
				.ifindex = a->host_ifindex,
				.is_until_logout = a->is_until_logout,
				.has_egress = a->egress.n > 0,
				.ip = {a->addr[FAM4].ip, a->addr[FAM6].ip},
				/* What was half made when its maker died. */
				.is_doomed = a->phase != ATTACH_COMMITTED};
	memcpy(ret->id, a->id, sizeof(ret->id));
	memcpy(ret->ifname, a->ifname, sizeof(ret->ifname));
	memcpy(ret->network, a->network, sizeof(ret->network));
	for (size_t i = 0; i < a->n_publish; i++)
		ret->n_ports += a->publish[i].count;
	return a->uid != 0;
}

struct load {
	struct holdings *l;
	struct err *e;
};

static int see(const struct attachment *a, void *arg)
{
	struct load *load = arg;
	struct holding h;

	return holding_of(a, &h) ? holdings_put(load->l, &h, load->e) : 0;
}

int holdings_load(struct holdings *l, const char *state_dir, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct load load = {.l = l, .e = e};
	int r = engine_open(state_dir, true, &g, e);

	return r == 0 ? engine_each(g, see, NULL, &load, e) : r < 0 ? r : 0;
}

void holdings_tidy(const char *state_dir)
{
	CLEAN_ENGINE struct engine *g = NULL;

	/* Closing does it. */
	(void)engine_open(state_dir, false, &g, NULL);
}
