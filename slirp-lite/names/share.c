/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share: what all networks share is not one user's: he gets no more places than he leaves free, so
 * that half of them is there for others, and half of that when there are two of his kind. Root's
 * containers (uid 0) are bounded each, not together.
 */
#include <string.h>

#include "names/server.h"

static uint32_t uid_at(const struct slots *s, uint32_t i, size_t at)
{
	uint32_t uid;

	memcpy(&uid, (const uint8_t *)slots_at(s, i) + at, sizeof(uid));
	return uid;
}

uint32_t share_take(struct slots *s, size_t at, uint32_t uid)
{
	uint32_t n_free = s->max - s->n_used, n = 0, i;

	/* As long as so few are taken, nobody can have too many. */
	if (uid != 0 && s->n_used >= n_free)
		for (i = 0; (i = slots_next(s, i)) != SLOT_NONE; i++)
			n += uid_at(s, i, at) == uid;
	if (uid != 0 && n >= n_free)
		return SLOT_NONE;
	i = slots_take(s);
	if (i != SLOT_NONE)
		memcpy((uint8_t *)slots_at(s, i) + at, &uid, sizeof(uid));
	return i;
}
