/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: for a resident caller: which links of the host go, and whether one is still there. */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "net/link.h"
#include "net/link_watch.h"
#include "net/rtnl.h"

struct engine_watch {
	struct link_watch *links;
	struct rtnl *r;
};

int engine_watch_open(struct engine_watch **ret, struct err *e)
{
	struct engine_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "watch");
	r = link_watch_open(&w->links, e);
	if (r >= 0)
		r = rtnl_open(&w->r, e);
	if (r < 0)
		engine_watch_closep(&w);
	else
		*ret = w;
	return r < 0 ? r : 0;
}

void engine_watch_closep(struct engine_watch **w)
{
	if (!*w)
		return;
	link_watch_closep(&(*w)->links);
	rtnl_close((*w)->r);
	free(*w);
	*w = NULL;
}

int engine_watch_fd(const struct engine_watch *w)
{
	return link_watch_fd(w->links);
}

int engine_watch_read(struct engine_watch *w, void (*gone)(uint32_t ifindex, void *arg), void *arg,
		      struct err *e)
{
	return link_watch_read(w->links, gone, arg, e);
}

bool engine_watch_came(struct engine_watch *w)
{
	return link_watch_came(w->links);
}

void engine_watch_want(struct engine_watch *w, bool is_coming)
{
	link_watch_want(w->links, is_coming);
}

int engine_watch_has(struct engine_watch *w, uint32_t ifindex, struct err *e)
{
	struct link_info l;
	int r = link_get_index(w->r, ifindex, &l, e);

	return r < 0 ? r : r == 0;
}

void engine_as_owner(bool always)
{
	rtnl_use_owner(always);
}
