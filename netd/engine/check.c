/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check: the plan of a healthy attachment is empty; what is in it otherwise is what is missing.
 * Read-only. */
#include <string.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "store/claim.h"
#include "sys/netns.h"

/* The addresses are still this attachment's on record: somebody may have edited the state. */
static int check_claims(struct work *w, struct buf *out, struct err *e)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = w->a->kind == ATTACH_VETH || w->a->is_leased ? attachment_ips(w->a, list) : 0;
	char key[KEY_STRLEN], owner[KEY_STRLEN], s[IP_STRLEN];
	int lost = 0;

	name_key(w->a->id, w->a->ifname, key);
	for (size_t i = 0; i < n; i++) {
		int r = claim_addr_owner(w->g->store, &list[i].addr.ip, owner, e);

		if (r < 0)
			return r;
		if (r == 0 && strcmp(owner, key) == 0)
			continue;
		buf_printf(out, "address %s is leased to %s\n", ip_str(&list[i].addr.ip, s),
			   r == 0 ? owner : "nobody");
		lost = 1;
	}
	return lost;
}

int check_observed(struct work *w, struct buf *out, struct err *e)
{
	int r = store_lock(w->g->store, e);

	if (r < 0)
		return r;
	hostop_network(w->g, w->a, &w->net);
	w->g->deep = true;
	r = observe_host(w, e);
	if (r >= 0)
		r = observe_attachment(w, e);
	store_unlock(w->g->store);
	if (r < 0)
		return r;
	if (w->a->kind == ATTACH_VETH && !w->obs.has_link) {
		buf_printf(out, "link %s is gone, with the container or by somebody's hand\n",
			   w->a->host_ifname);
		return 1;
	}
	plan_up(w->a, &w->obs, &w->plan);
	plan_text(&w->plan, &w->net, w->a, &w->obs, out);
	r = check_claims(w, out, e);
	return r < 0 ? r : w->plan.n || r ? 1 : 0;
}

int engine_check(struct engine *g, const char *id, const char *ifname, int netns_fd,
		 struct buf *out, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_FD int found = -1;
	char key[KEY_STRLEN];
	uint64_t cookie = 0;

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, e);
	if (r == 1)
		r = err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, ifname);
	if (r >= 0 && netns_fd >= 0)
		r = netns_cookie(netns_fd, &cookie, e);
	if (r >= 0 && netns_fd >= 0 && cookie != a->netns_cookie)
		r = err_set(e, ERR_CONFLICT, 0, "%s/%s belongs to another namespace", id, ifname);
	if (r >= 0 && a->phase != ATTACH_COMMITTED) {
		buf_printf(out, "attachment is %s: `gc` or `down` removes it\n",
			   attach_phase_str(a->phase));
		r = 1;
	} else if (r >= 0) {
		found = netns_fd >= 0 ? -1 : attachment_netns(a);
		CLEAN_WORK struct work w = {
			.g = g, .a = a, .netns_fd = netns_fd >= 0 ? netns_fd : found};
		r = check_observed(&w, out, e);
	}
	store_unlock_key(g->store, key);
	return r;
}
