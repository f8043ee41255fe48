/* SPDX-License-Identifier: GPL-2.0-or-later */
/* near: a plain array, for few are ever in it; the last one moves to where one has gone. */
#include "emit/internal.h"

/* Its place; n_near: it has none. */
static unsigned place_of(const struct emit *x, const struct ip *ip)
{
	unsigned i = 0;

	while (i < x->n_near && !ip_equal(&x->near[i].ip, ip))
		i++;
	return i;
}

bool emit_near_ok(const struct emit *x, const struct ip *ip)
{
	return !emit_has(x, ip) && place_of(x, ip) < NEAR_MAX;
}

bool emit_near_hold(struct emit *x, const struct ip *ip)
{
	const unsigned i = place_of(x, ip);

	if (!emit_near_ok(x, ip))
		return false;
	if (i == x->n_near)
		x->near[x->n_near++] = (struct near){.ip = *ip};
	x->near[i].n_held++;
	return true;
}

void emit_near_release(struct emit *x, const struct ip *ip)
{
	const unsigned i = place_of(x, ip);

	if (i < x->n_near && --x->near[i].n_held == 0)
		x->near[i] = x->near[--x->n_near];
}

bool emit_is_near(const struct emit *x, const struct ip *ip)
{
	return place_of(x, ip) < x->n_near && !emit_has(x, ip);
}
