/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path: PURE. One function a stretch of the way, in the order in which a packet takes it. */
#include "doctor/path.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/walk.h"
#include "net/ruleset.h"

#define FORWARD_MAX 256 /* chains that are shown */

static const char *const families[] = {[FAM4] = "IPv4", [FAM6] = "IPv6"};

static enum step_state state_of(bool is_good)
{
	return is_good ? STEP_OK : STEP_MISSING;
}

static const char *addr_of(const struct path *p, int fam, char out[IP_STRLEN])
{
	return ip_str(&p->a->addr[fam].ip, out);
}

static void say_query(const struct path *p, char out[96])
{
	char ip[IP_STRLEN] = "";
	const char *proto = proto_str(p->q->proto);

	if (p->q->ip.family)
		ip_str(&p->q->ip, ip);
	if (!p->q->port)
		(void)snprintf(out, 96, "%s", ip);
	else if (p->q->ip.family == AF_INET6)
		(void)snprintf(out, 96, "[%s]:%u/%s", ip, p->q->port, proto);
	else
		(void)snprintf(out, 96, "%s%s%u/%s", ip, ip[0] ? ":" : "", p->q->port, proto);
}

static void step_record(const struct path *p, struct steps *out)
{
	char run[PUBLISH_STRLEN];
	const struct attachment *a = p->a;

	if (a->phase != ATTACH_COMMITTED)
		steps_add(out, STEP_MISSING, "record: %s %s is %s; `netns-up gc` removes it", a->id,
			  a->ifname, attach_phase_str(a->phase));
	else if (p->is_host)
		steps_add(out, STEP_OK, "record: %s %s on network %s publishes %s", a->id,
			  a->ifname, a->network, publish_str(&p->run, run));
	else
		steps_add(out, STEP_OK, "record: %s %s on network %s (%s%s%s)", a->id, a->ifname,
			  a->network, net_mode_str(a->mode), a->internal ? ", internal" : "",
			  a->isolate ? ", isolated" : "");
}

static void step_tables(const struct path *p, struct steps *out)
{
	if (p->f->is_elsewhere)
		steps_add(out, STEP_MISSING, "tables: %s", p->f->elsewhere);
	else
		steps_add(out, state_of(p->f->tables == TABLES_OK),
			  "tables: inet netd and bridge netd %s",
			  p->f->tables == TABLES_OK ? "are loaded"
			  : p->f->tables == TABLES_ABSENT
				  ? "are missing (`netns-up gc`)"
				  : "are of another version (`netns-up gc`)");
}

static void step_local(const struct path *p, struct steps *out)
{
	if (p->n_local_want == 0)
		steps_add(out, STEP_NOTE,
			  "127.0.0.1 and ::1: not served (sctp, a long range, or a "
			  "port that is not held)");
	else
		steps_add(out, state_of(p->n_local == p->n_local_want),
			  "127.0.0.1 and ::1: the local forwarder holds %zu of %zu sockets",
			  p->n_local, p->n_local_want);
}

static void step_dnat(const struct path *p, struct steps *out)
{
	char ip[IP_STRLEN];

	for (int fam = 0; fam < N_FAM; fam++) {
		if (!p->is_wanted[fam])
			continue;
		addr_of(p, fam, ip);
		steps_add(out, state_of(p->has_dnat[fam] == SEEN_YES),
			  "prerouting, %s: map entry to %s%s%s:%u%s", families[fam],
			  fam == FAM6 ? "[" : "", ip, fam == FAM6 ? "]" : "", p->ctr_port,
			  p->has_dnat[fam] == SEEN_YES ? "" : " is missing (`netns-up gc`)");
	}
}

/* ---- chains ---- */

struct ordered {
	const struct nftlook_chain *c;
};

/* The kernel's order; of equal priority, as they were made. */
static int by_priority(const void *a, const void *b)
{
	const struct nftlook_chain *x = ((const struct ordered *)a)->c;
	const struct nftlook_chain *y = ((const struct ordered *)b)->c;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x < y ? -1 : x > y;
}

static enum passage passage(const struct path *p, uint32_t chain, int fam)
{
	const struct attachment *a = p->a;
	const char *in = a->mode == NET_BRIDGE ? a->bridge : a->host_ifname;
	const char *up = p->f->uplink[fam];
	struct flow w = {.family = fam == FAM4 ? LOOK_IP : LOOK_IP6,
			 .iif = p->is_host ? up : in,
			 .oif = p->is_host ? in : up,
			 .state = LOOK_NEW,
			 .is_dnat = p->is_host};

	return walk_sees(&p->f->rules.chain[chain], &w) ? walk_chain(&p->f->rules, chain, &w, NULL)
							: PASSES;
}

static void step_chain(const struct path *p, const struct nftlook_chain *c, struct steps *out)
{
	static const char *const says[] = {[PASSES] = "passes",
					   [MAY_BE_DROPPED] = "may be dropped",
					   [IS_DROPPED] = "is dropped"};
	bool is_ours = c->family == LOOK_INET && (strcmp(c->table, RULESET_TABLE) == 0 ||
						  strcmp(c->table, RULESET_KEEP) == 0);
	uint32_t i = (uint32_t)(c - p->f->rules.chain);
	enum passage worst = PASSES;

	for (int fam = 0; fam < N_FAM; fam++) {
		enum passage one = p->a->addr[fam].ip.family ? passage(p, i, fam) : PASSES;
		if (one > worst)
			worst = one;
	}
	if (is_ours)
		steps_add(
			out, STEP_OK, "forward, priority %d: inet %s forward: ours, %s",
			c->priority, c->table,
			!p->is_host ? "the way out is open to containers"
			: p->a->internal
				? "to_container: the network is internal"
				: "to_container accepts translated destinations (ct status dnat)");
	else
		steps_add(out,
			  worst == PASSES           ? STEP_OK
			  : worst == MAY_BE_DROPPED ? STEP_NOTE
						    : STEP_MISSING,
			  "forward, priority %d: %s %s %s, policy %s: %s%s", c->priority,
			  nftlook_family_str(c->family), c->table, c->name,
			  c->is_drop ? "drop" : "accept", says[worst],
			  worst == PASSES ? "" : " (`netns-up doctor` has the remedy)");
}

static bool is_dormant(const struct facts *f, const struct nftlook_chain *c)
{
	for (size_t i = 0; i < f->rules.n_table; i++)
		if (f->rules.table[i].family == c->family &&
		    strcmp(f->rules.table[i].name, c->table) == 0)
			return f->rules.table[i].is_dormant;
	return false;
}

static void steps_forward(const struct path *p, struct steps *out)
{
	struct ordered list[FORWARD_MAX] = {{NULL}};
	size_t n = 0;

	for (size_t i = 0; i < p->f->rules.n_chain && n < FORWARD_MAX; i++) {
		const struct nftlook_chain *c = &p->f->rules.chain[i];
		if (c->is_base && c->is_filter && c->hook == LOOK_FORWARD &&
		    (c->family == LOOK_INET || c->family == LOOK_IP || c->family == LOOK_IP6) &&
		    !is_dormant(p->f, c))
			list[n++].c = c;
	}
	qsort(list, n, sizeof(list[0]), by_priority);
	for (size_t i = 0; i < n; i++)
		step_chain(p, list[i].c, out);
	for (int fam = 0; fam < N_FAM; fam++)
		if (p->f->is_legacy_drop[fam] && p->a->addr[fam].ip.family)
			steps_add(out, STEP_NOTE,
				  "forward, %s: iptables-legacy, policy drop: may be dropped",
				  families[fam]);
}

/* ---- the last stretch ---- */

static void step_route(const struct path *p, struct steps *out)
{
	const struct attachment *a = p->a;
	char ip[IP_STRLEN];

	for (int fam = 0; fam < N_FAM; fam++) {
		if (p->has_route[fam] == SEEN_NOT)
			continue;
		steps_add(out, state_of(p->has_route[fam] == SEEN_YES), "route: %s %s %s",
			  addr_of(p, fam, ip),
			  p->has_route[fam] == SEEN_YES ? "leads to" : "does not lead to",
			  a->mode == NET_BRIDGE ? a->bridge : a->host_ifname);
	}
}

static void step_port(const struct path *p, struct steps *out)
{
	const struct attachment *a = p->a;

	if (a->kind != ATTACH_VETH)
		return;
	if (p->has_link != SEEN_YES) {
		steps_add(out, STEP_MISSING, "link: %s is gone", a->host_ifname);
		return;
	}
	steps_add(out, state_of(p->is_link_up == SEEN_YES), "link: %s is %s", a->host_ifname,
		  p->is_link_up == SEEN_YES ? "up" : "down");
	if (a->mode == NET_BRIDGE)
		steps_add(out, state_of(p->has_master == SEEN_YES), "bridge: %s is %s port of %s",
			  a->host_ifname, p->has_master == SEEN_YES ? "a" : "no", a->bridge);
	if (!a->is_unguarded)
		steps_add(out, state_of(p->has_guard == SEEN_YES),
			  "guard: the elements of %s are %s", a->host_ifname,
			  p->has_guard == SEEN_YES ? "there" : "missing (`netns-up gc`)");
}

static void step_inside(const struct path *p, struct steps *out)
{
	const struct attachment *a = p->a;
	char ip[IP_STRLEN];

	if (a->kind != ATTACH_VETH)
		return;
	if (p->can_enter != SEEN_YES) {
		steps_add(out, STEP_NOTE, "inside: the namespace was not found by its path");
		return;
	}
	if (p->has_inside != SEEN_YES) {
		steps_add(out, STEP_MISSING, "inside: there is no %s", a->ifname);
		return;
	}
	steps_add(out, state_of(p->is_inside_up == SEEN_YES), "inside: %s is %s", a->ifname,
		  p->is_inside_up == SEEN_YES ? "up" : "down");
	for (int fam = 0; fam < N_FAM; fam++)
		if (a->addr[fam].ip.family)
			steps_add(out, state_of(p->has_addr[fam] == SEEN_YES), "inside: %s %s %s",
				  a->ifname, p->has_addr[fam] == SEEN_YES ? "has" : "lacks",
				  addr_of(p, fam, ip));
	if (p->ctr_port && p->q->proto != IPPROTO_SCTP)
		steps_add(out, state_of(p->listener[0]), "inside: %s listens on %u/%s",
			  p->listener[0] ? p->listener : "nobody", p->ctr_port,
			  proto_str(p->q->proto));
}

static void step_verdict(const struct path *p, struct steps *out)
{
	size_t n = steps_missing(out);
	char what[96];

	say_query(p, what);
	if (n)
		steps_add(out, STEP_MISSING, "verdict: %s does not reach %s: %zu step%s missing",
			  what, p->a->id, n, n == 1 ? " is" : "s are");
	else if (p->is_host)
		steps_add(out, STEP_OK, "verdict: %s reaches %s", what, p->a->id);
	else
		steps_add(out, STEP_OK, "verdict: %s is %s's, and connected", what, p->a->id);
}

static void steps_nobody(const struct path *p, struct steps *out)
{
	char what[96];

	say_query(p, what);
	if (!p->q->port)
		steps_add(out, STEP_MISSING, "record: no container has the address %s", what);
	else if (p->host_listener[0])
		steps_add(out, STEP_MISSING,
			  "record: no container publishes %s; on the host %s listens there", what,
			  p->host_listener);
	else
		steps_add(out, STEP_MISSING, "record: no container publishes %s", what);
	steps_add(out, STEP_MISSING, "verdict: %s reaches no container", what);
}

void path_steps(const struct path *p, struct steps *out)
{
	if (!p->a) {
		steps_nobody(p, out);
		return;
	}
	step_record(p, out);
	step_tables(p, out);
	if (p->is_host) {
		step_local(p, out);
		step_dnat(p, out);
	} else if (!p->a->internal) {
		steps_add(out, STEP_NOTE,
			  "from elsewhere: published ports alone are reached; what follows is the "
			  "way out");
	}
	if (!p->a->internal)
		steps_forward(p, out);
	step_route(p, out);
	step_port(p, out);
	step_inside(p, out);
	step_verdict(p, out);
}
