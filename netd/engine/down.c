/* SPDX-License-Identifier: GPL-2.0-or-later */
/* down: takes an attachment away by its record; idempotent, and at peace with a namespace, a network
 * or a record that is gone. Owns nothing; see teardown for the order. */
#include <errno.h>

#include "engine/internal.h"

int engine_down(struct engine *g, const char *id, const char *ifname, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, e);
	if (r == 0)
		r = teardown_all(g, a, true, e);
	else if (r == 1)
		r = ENGINE_NOTHING;
	store_unlock_key(g->store, key);
	return r;
}
