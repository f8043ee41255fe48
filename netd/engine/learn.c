/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learn: destinations that are names. Where a name led just now becomes elements that end by
 * themselves, one for each address, before the container hears of it. Who says where it led is the
 * names responder, which reads strangers' bytes and is not believed: the record tells which names a
 * container may reach, and what no name may lead to is left out here (model/attach_egress) and in
 * the rules (the host's own addresses, other containers').
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/grow.h"
#include "engine/internal.h"
#include "model/namesmsg.h"
#include "net/route.h"

/* An element stays this much longer than it has to, so that one that is asked for again and again
 * is not made anew each time. */
#define SLACK_S 10
#define FULL_MS 1000 /* so long a table whose members are all there is not looked through again */

struct place {
	struct ip ip;
	uint16_t low, high;
	uint64_t due_ms;
};

struct member {
	char key[KEY_STRLEN];
	uint32_t ifindex; /* of the attachment: one that is made anew has learned nothing */
	struct place place[LEARN_EACH];
};

/* Large, and its place never changes. */
struct held {
	struct member *member;
};

struct learner {
	struct engine *g;
	struct held *v;
	size_t n, cap;
	uint64_t full_ms; /* until then nobody is looked for who has gone */
};

static struct {
	bool is_set;
	struct rtnl *rtnl; /* NULL: there is none, and nobody to ask */
} machine;

void engine_within(void)
{
	if (!machine.is_set)
		(void)rtnl_open(&machine.rtnl, NULL);
	machine.is_set = true;
}

int learn_machine_fd(void)
{
	return machine.rtnl ? rtnl_fd(machine.rtnl) : -1;
}

/* Of the machine around the host, or of no use there. */
static bool is_machine(const struct ip *ip)
{
	return machine.is_set && (!machine.rtnl || route_is_elsewhere(machine.rtnl, ip, NULL) != 1);
}

int learn_check(struct work *w, const struct attachment *a, struct err *e)
{
	struct ip at;
	int r = attach_egress_check(&a->egress, e);

	if (r < 0 || !attach_egress_has_names(&a->egress) || network_resolver(&w->net, FAM4, &at) ||
	    network_resolver(&w->net, FAM6, &at))
		return r;
	return err_set(
		e, ERR_UNSUPPORTED, 0,
		"destinations by name: network %s has no resolver that would tell where they "
		"lead",
		w->net.name);
}

int learn_forget(struct engine *g, const struct attachment *a, struct err *e)
{
	struct attach_ip list[ATTACH_IP_MAX];
	struct ip own[ATTACH_IP_MAX];
	size_t n = attach_egress_has_names(&a->egress) ? attachment_ips(a, list) : 0;

	for (size_t i = 0; i < n; i++)
		own[i] = list[i].addr.ip;
	return nftbatch_del_timed(g->nft, own, n, e);
}

/* ---- the keeper's ---- */

struct learner *learner_new(struct engine *g)
{
	struct learner *l = calloc(1, sizeof(*l));

	if (l)
		l->g = g;
	return l;
}

static bool is_idle(const struct member *m, uint64_t now)
{
	for (size_t i = 0; i < LEARN_EACH; i++)
		if (m->place[i].due_ms > now)
			return false;
	return true;
}

/* Nobody tells when a container goes: its place is its own until another needs it. */
static void drop_gone(struct learner *l, uint64_t now)
{
	bool is_any = false;

	if (now < l->full_ms)
		return;
	for (size_t i = 0; i < l->n; i++) {
		struct member *m = l->v[i].member;

		if (store_has_attachment(l->g->store, m->key))
			continue;
		memset(m->place, 0, sizeof(m->place));
		is_any = true;
	}
	l->full_ms = is_any ? 0 : now + FULL_MS;
}

static struct member *idle_member(struct learner *l, uint64_t now)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_idle(l->v[i].member, now))
			return l->v[i].member;
	return NULL;
}

static struct member *member_of(struct learner *l, const char *key, const struct attachment *a,
				uint64_t now)
{
	struct member *m = NULL;

	for (size_t i = 0; !m && i < l->n; i++)
		if (strcmp(l->v[i].member->key, key) == 0)
			m = l->v[i].member;
	if (m && m->ifindex == a->host_ifindex)
		return m;
	if (!m)
		m = idle_member(l, now);
	if (!m && l->n == LEARN_MEMBERS) {
		drop_gone(l, now);
		m = idle_member(l, now);
	}
	if (!m && l->n < LEARN_MEMBERS && GROW(l->v, l->n, l->cap)) {
		m = malloc(sizeof(*m));
		if (m)
			l->v[l->n++].member = m;
	}
	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	memcpy(m->key, key, strlen(key) + 1);
	m->ifindex = a->host_ifindex;
	return m;
}

/* Whether there is room for one more address, or it is there. */
static bool note(struct member *m, const struct ip *ip, const struct attach_dest *d, uint32_t ttl_s,
		 uint64_t now)
{
	struct place *to = NULL;

	for (size_t i = 0; i < LEARN_EACH; i++) {
		struct place *p = &m->place[i];

		if (p->due_ms > now && p->low == d->low && p->high == d->high &&
		    ip_equal(&p->ip, ip)) {
			to = p;
			break;
		}
		if (!to && p->due_ms <= now)
			to = p;
	}
	if (!to)
		return false;
	uint64_t due = now + ttl_s * 1000ull;
	*to = (struct place){.ip = *ip,
			     .low = d->low,
			     .high = d->high,
			     .due_ms = to->due_ms > due ? to->due_ms : due};
	return true;
}

static uint32_t names_of(const struct attachment *a, const char *name)
{
	uint32_t names = 0;

	for (size_t i = 0; i < a->egress.n; i++)
		if (a->egress.dest[i].to.ip.family == 0 && !a->egress.dest[i].is_denied &&
		    attach_names_match(a->names.name[i], name))
			names |= 1u << i;
	return names;
}

static uint32_t lifetime(uint32_t ttl_s)
{
	if (ttl_s < ATTACH_NAME_TTL_MIN_S)
		ttl_s = ATTACH_NAME_TTL_MIN_S;
	if (ttl_s > ATTACH_NAME_TTL_MAX_S)
		ttl_s = ATTACH_NAME_TTL_MAX_S;
	return ttl_s + SLACK_S;
}

/* Two names may lead to one address by the same ports: the one that lasts longer counts. */
static void drop_doubles(struct elem_list *l)
{
	size_t n = 0, k;

	for (size_t i = 0; i < l->n; i++) {
		for (k = 0; k < n && !elem_same_key(&l->v[k], &l->v[i]); k++)
			;
		if (k == n)
			l->v[n++] = l->v[i];
		else if (l->v[k].timeout_s < l->v[i].timeout_s)
			l->v[k].timeout_s = l->v[i].timeout_s;
	}
	l->n = n;
}

static int elements(struct learner *l, const struct attachment *a, uint32_t names,
		    const struct namesmsg_learn *m, struct elem_list *out)
{
	uint64_t now = clock_ms();
	struct member *who = member_of(l, m->key, a, now);

	if (!who)
		return -ENOSPC;
	for (uint32_t k = 0; k < m->n_ip; k++) {
		uint32_t ttl_s = lifetime(m->ttl_s[k]);

		if (!attach_name_may_be(&m->ip[k]) || is_machine(&m->ip[k]))
			continue;
		for (size_t i = 0; i < a->egress.n; i++) {
			if (!(names >> i & 1))
				continue;
			if (!note(who, &m->ip[k], &a->egress.dest[i], ttl_s, now))
				return -ENOSPC;
			if (elem_of_named(a, i, &m->ip[k], ttl_s, out, NULL) < 0)
				return -ENOMEM;
		}
	}
	drop_doubles(out);
	return 0;
}

static bool is_its(const struct attachment *a, const struct namesmsg_learn *m)
{
	return a->phase == ATTACH_COMMITTED && strcmp(a->network, m->network) == 0;
}

/* The lock keeps out whoever takes the attachment away, with what was learned until then. */
static int put(struct learner *l, const char *id, const char *ifname,
	       const struct namesmsg_learn *m)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ELEMS struct elem_list out = {0};
	struct store *s = l->g->store;
	int r = store_lock_key(s, m->key, NULL);

	if (r < 0)
		return -EBUSY;
	r = store_get_attachment(s, id, ifname, &a, NULL);
	if (r != 0 || !is_its(a, m))
		r = -ENOENT;
	if (r == 0)
		r = elements(l, a, names_of(a, m->name), m, &out);
	if (r == 0 && out.n && nftbatch_prolong(l->g->nft, &out, SLACK_S, NULL) != 0)
		r = -EIO;
	store_unlock_key(s, m->key);
	return r;
}

static bool is_sound(const struct namesmsg_learn *m)
{
	return m->version == NAMESMSG_VERSION && m->n_ip <= NAMESMSG_LEARN_IPS &&
	       m->network[sizeof(m->network) - 1] == '\0' && m->key[sizeof(m->key) - 1] == '\0' &&
	       m->name[sizeof(m->name) - 1] == '\0';
}

int learner_take(struct learner *l, const struct namesmsg_learn *m)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	if (!is_sound(m) || name_parse_key(m->key, id, ifname) < 0)
		return -EPROTO;
	/* Most names are no business of ours, and need no lock. */
	if (store_get_attachment(l->g->store, id, ifname, &a, NULL) != 0 || !is_its(a, m))
		return -ENOENT;
	if (attach_names_deny(&a->egress, &a->names, m->name))
		return -EACCES;
	return names_of(a, m->name) ? put(l, id, ifname, m) : 0;
}
