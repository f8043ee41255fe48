/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tune: settings inside: sysctls of the namespace, and of the interface its flags, queue length,
 * MTU and MAC address. They go with the namespace or the link, so nothing is taken back, but what
 * a call has changed that fails. A sysctl
 * that cannot be written because /proc is read-only, but has the value already, is fine.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

/* White space of any kind separates numbers in the kernel's answers. */
static bool same_value(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " \t\n");
		b += strspn(b, " \t\n");
		size_t n = strcspn(a, " \t\n"), k = strcspn(b, " \t\n");
		if (n != k || memcmp(a, b, n) != 0)
			return false;
		if (n == 0)
			return true;
		a += n;
		b += n;
	}
}

static bool has_value(const struct attach_sysctl *s)
{
	char now[ATTACH_SYSCTL_VALUELEN];

	return sysctl_get_text(s->key, now, sizeof(now), NULL) == 0 && same_value(now, s->value);
}

/* Sysctls that are being set, and what they were. */
struct setting {
	const struct attachment *a;
	size_t done;
	struct attach_sysctl *old; /* key "": cannot be put back (write-only, or too long) */
};

static void note_old(const struct attach_sysctl *s, struct attach_sysctl *old)
{
	old->key[0] = '\0';
	if (sysctl_get_text(s->key, old->value, sizeof(old->value), NULL) == 0)
		memcpy(old->key, s->key, sizeof(old->key));
}

static int put_back(void *arg, struct err *e)
{
	struct setting *t = arg;

	(void)e;
	while (t->done-- > 0)
		if (t->old[t->done].key[0])
			sysctl_set_text(t->old[t->done].key, t->old[t->done].value, NULL);
	t->done = 0;
	return 0;
}

/* All or none: the namespace outlives an attachment that was refused. */
static int write_all(void *arg, struct err *e)
{
	struct setting *t = arg;

	for (; t->done < t->a->n_sysctl; t->done++) {
		const struct attach_sysctl *s = &t->a->sysctl[t->done];
		struct err mine = ERR_INIT;
		int r;

		note_old(s, &t->old[t->done]);
		r = sysctl_set_text(s->key, s->value, &mine);
		if (r == -EROFS && has_value(s))
			continue;
		if (r < 0) {
			put_back(t, NULL);
			err_gather(e, &mine);
			return r;
		}
	}
	return 0;
}

/* 1: all have their values, 0: they have not. */
static int read_all(void *arg, struct err *e)
{
	const struct attachment *a = arg;

	(void)e;
	for (size_t i = 0; i < a->n_sysctl; i++)
		if (!has_value(&a->sysctl[i]))
			return 0;
	return 1;
}

static bool has_mac(const struct attach_tune *t)
{
	static const struct mac none;

	return memcmp(&t->mac, &none, sizeof(none)) != 0;
}

static int set_link(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	const struct attach_tune *t = &w->a->tune;
	unsigned int mask =
		(t->has_promisc ? LINK_PROMISC : 0) | (t->has_allmulti ? LINK_ALLMULTI : 0);
	unsigned int value =
		(t->is_promisc ? LINK_PROMISC : 0) | (t->is_allmulti ? LINK_ALLMULTI : 0);
	struct link_info l = {0};
	int r = work_inside(w, e);

	if (r >= 0)
		r = link_get(w->inside, w->a->ifname, &l, e);
	if (r == 1)
		r = err_what(
			e,
			err_set(e, ERR_ABSENT, 0, "interface %s inside is not there", w->a->ifname),
			WHAT_INTERFACE);
	if (r >= 0)
		r = rtnl_batch_new(w->inside, &b, e);
	if (r >= 0 && mask)
		r = link_set_flags(b, l.index, mask, value, e);
	if (r >= 0 && t->has_tx_queue_len)
		r = link_set_tx_queue_len(b, l.index, t->tx_queue_len, e);
	if (r >= 0 && t->mtu)
		r = link_set_mtu(b, l.index, t->mtu, e);
	if (r >= 0 && has_mac(t))
		r = link_set_mac(b, l.index, &t->mac, e);
	if (r >= 0)
		r = rtnl_batch_run(b, e);
	if (r >= 0 && has_mac(t) && w->a->kind == ATTACH_VETH && w->a->mode == NET_ROUTED)
		r = inside_neighbours(w, l.index, e);
	return r;
}

int tune_make(struct work *w, struct err *e)
{
	struct setting t = {.a = w->a};
	int r = 0;

	if (w->netns_fd < 0)
		return err_set(e, ERR_ABSENT, 0, "the container's namespace cannot be reached");
	if (w->a->n_sysctl) {
		t.old = calloc(w->a->n_sysctl, sizeof(*t.old));
		if (!t.old)
			return err_set(e, ERR_INTERNAL, ENOMEM, "sysctls");
		r = netns_call(w->netns_fd, write_all, &t, e);
	}
	if (r >= 0 && attach_tune_is_set(&w->a->tune)) {
		r = set_link(w, e);
		if (r < 0 && t.done)
			netns_call(w->netns_fd, put_back, &t, NULL);
	}
	free(t.old);
	return r < 0 ? err_ctx(e, r, "in the container") : 0;
}

/* Of the link only what others could change back unnoticed and we can see: MTU and MAC. */
static int link_has(struct work *w, struct err *e)
{
	const struct attach_tune *t = &w->a->tune;
	struct link_info l;
	int r = work_inside(w, e);

	if (r >= 0)
		r = link_get(w->inside, w->a->ifname, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	return (!t->mtu || l.mtu == t->mtu) &&
	       (!has_mac(t) || memcmp(&l.mac, &t->mac, sizeof(l.mac)) == 0);
}

int tune_observe(struct work *w, struct err *e)
{
	int r = 1;

	w->obs.has_tune = true;
	if (w->netns_fd < 0) /* cannot be seen: nothing to say against it */
		return 0;
	if (w->a->n_sysctl)
		r = netns_call(w->netns_fd, read_all, w->a, e);
	if (r == 1 && attach_tune_is_set(&w->a->tune))
		r = link_has(w, e);
	w->obs.has_tune = r == 1;
	return r < 0 ? r : 0;
}
