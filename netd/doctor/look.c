/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look: who asks, what is on record, and the ruleset. Reads only. */
#include "doctor/look.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "net/iptlegacy.h"
#include "net/link.h"
#include "net/ruleset.h"
#include "net/uplink.h"
#include "sys/privilege.h"

/* Number of the first user namespace, the same since there are numbers (Linux 3.8). */
#define USERNS_FIRST 0xeffffffdu

void look_who(struct facts *f)
{
	struct stat st;

	f->uid = geteuid();
	f->is_powerful = privilege_over_network();
	f->is_nested = stat("/proc/self/ns/user", &st) == 0 && st.st_ino != USERNS_FIRST;
	f->is_proc_read_only = f->is_powerful &&
			       access("/proc/sys/net/ipv4/ip_forward", F_OK) == 0 &&
			       access("/proc/sys/net/ipv4/ip_forward", W_OK) < 0;
	for (int fam = 0; fam < N_FAM; fam++)
		f->bridge_nf[fam] = -1;
	f->max_userns = f->userns_clone = f->apparmor_userns = -1;
	f->conntrack_count = f->conntrack_max = -1;
}

/* ---- records ---- */

static void add_inside(struct facts *f, const struct facts_inside *x)
{
	for (size_t i = 0; i < f->n_inside; i++) {
		struct facts_inside *have = &f->inside[i];
		if (strcmp(have->ifname, x->ifname) != 0)
			continue;
		for (int fam = 0; fam < N_FAM; fam++)
			have->has[fam] = have->has[fam] || x->has[fam];
		have->is_internal = have->is_internal && x->is_internal;
		have->is_isolated = have->is_isolated && x->is_isolated;
		return;
	}
	if (f->n_inside < FACTS_INSIDE_MAX)
		f->inside[f->n_inside++] = *x;
}

static int see_network(const struct network *n, void *arg)
{
	struct facts_inside x = {.is_prefix = n->mode == NET_ROUTED,
				 .is_internal = n->internal,
				 .is_isolated = n->isolate};
	struct net_subnet s[NETWORK_SUBNET_MAX];
	size_t n_subnet = network_subnets(n, s);

	for (size_t i = 0; i < n_subnet; i++)
		x.has[ip_fam(&s[i].subnet.ip)] = true;
	memcpy(x.ifname, x.is_prefix ? "nu" : n->bridge, x.is_prefix ? 3 : sizeof(x.ifname));
	if (x.ifname[0])
		add_inside(arg, &x);
	return 0;
}

static void note_needed(struct facts *f, const char *ifname)
{
	for (size_t i = 0; i < f->n_if; i++)
		if (strcmp(f->ifs[i].name, ifname) == 0)
			return;
	if (f->n_if == FACTS_IF_MAX || !ifname[0])
		return;
	struct facts_if *to = &f->ifs[f->n_if++];
	(void)snprintf(to->name, sizeof(to->name), "%s", ifname);
	to->is_inside = to->is_needed = true;
}

static int see_attachment(const struct attachment *a, void *arg)
{
	struct facts *f = arg;

	if (a->kind != ATTACH_VETH || a->phase != ATTACH_COMMITTED)
		return 0;
	f->n_attached++;
	if (!a->internal)
		note_needed(f, a->mode == NET_BRIDGE ? a->bridge : a->host_ifname);
	return 0;
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)why;
	(void)arg;
}

static void look_records(struct facts *f, const char *state_dir)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct network n = {0};

	if (engine_open(state_dir, true, &g, NULL) == 0) {
		engine_network_each(g, see_network, f, NULL);
		engine_each(g, see_attachment, see_broken, f, NULL);
	}
	if (f->n_inside)
		return;
	/* What the first `up` will make: it has both families. */
	engine_network_default(&n);
	struct facts_inside x = {.has = {true, true}};
	memcpy(x.ifname, n.bridge, sizeof(x.ifname));
	if (!x.ifname[0])
		name_bridge(NETWORK_DEFAULT, x.ifname);
	add_inside(f, &x);
}

static void look_uplink(struct facts *f)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct link_info l;
	uint32_t mtu;

	if (rtnl_open(&r, NULL) < 0)
		return;
	for (int fam = 0; fam < N_FAM; fam++)
		if (uplink_find(r, fam, &l, &mtu, NULL) == 0)
			memcpy(f->uplink[fam], l.name, sizeof(f->uplink[fam]));
}

/* ---- the ruleset ---- */

static void look_tables(struct facts *f, const char *state_dir)
{
	char want[RULESET_COMMENT_STRLEN];
	struct err e = ERR_INIT;
	unsigned found = 0, good = 0;

	/* The owner's number is at the end: that is engine_status's to judge. */
	ruleset_comment(ruleset_version(), 0, want);
	char *owner = strrchr(want, ' ');
	size_t len = owner ? (size_t)(owner - want) : strlen(want);
	for (size_t i = 0; i < f->rules.n_table; i++) {
		const struct nftlook_table *t = &f->rules.table[i];
		if (strcmp(t->name, RULESET_TABLE) != 0 ||
		    (t->family != LOOK_INET && t->family != LOOK_BRIDGE))
			continue;
		found++;
		good += strncmp(t->comment, want, len) == 0;
	}
	f->tables = found == 0 ? TABLES_ABSENT : good == 2 ? TABLES_OK : TABLES_OTHER;
	f->is_elsewhere = engine_status(state_dir, NULL, 0, &e) < 0 && e.what == WHAT_TABLE;
	if (f->is_elsewhere)
		(void)snprintf(f->elsewhere, sizeof(f->elsewhere), "%s", e.text);
}

void look_rules(struct facts *f, const char *state_dir)
{
	look_records(f, state_dir);
	look_uplink(f);
	if (!f->is_powerful || nftlook_read(&f->rules, NULL) < 0)
		return;
	f->has_rules = true;
	for (int fam = 0; fam < N_FAM; fam++)
		f->is_legacy_drop[fam] = iptlegacy_drops(fam);
	look_tables(f, state_dir);
}
