/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_may: whether a call may be carried out, and within which limits: the policy, read anew,
 * asked for who the kernel says is there and for what he holds already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/back_int.h"
#include "broker/login.h"
#include "broker/policy.h"
#include "sys/sysctl.h"

#define FIRST_FREE_PORT 1024

static unsigned verbs_of(const struct call *c)
{
	static const struct mac none;
	unsigned v = 0;

	if (c->verb == CALL_ATTACH || c->verb == CALL_PUBLISH || c->verb == CALL_LIMIT)
		v |= POLICY_ATTACH;
	if (c->rate_set)
		v |= POLICY_SHAPE;
	if (c->n_publish && c->verb != CALL_UNPUBLISH)
		v |= POLICY_PUBLISH;
	if (c->ip[FAM4].family || c->ip[FAM6].family)
		v |= POLICY_ADDRESS;
	if (memcmp(&c->mac, &none, sizeof(none)) != 0)
		v |= POLICY_MAC;
	return v;
}

static uint16_t first_free_port(void)
{
	int v = FIRST_FREE_PORT;

	if (sysctl_get_int("net/ipv4/ip_unprivileged_port_start", &v, NULL) < 0 || v < 0 ||
	    v > UINT16_MAX)
		v = FIRST_FREE_PORT;
	return (uint16_t)v;
}

/* The verdict on a wish; writes down who is charged with what when it is granted. */
static enum err_kind judge(struct back *b, struct job *j, const char *id, char why[256])
{
	const struct call *c = j->call;
	struct holding *have = holdings_find(&b->held, id, c->ifname);
	bool is_attach = c->verb == CALL_ATTACH;
	struct charge charge =
		holdings_charge(&b->held, j->peer.who.uid, is_attach ? id : NULL, c->ifname);
	CLEAN_POLICY struct policy p = {0};
	struct policy_want w = {
		.network = is_attach ? c->network
			   : have    ? have->network
				     : "",
		.verbs = verbs_of(c),
		.is_new = is_attach && !have,
		.is_logged_in = login_has(j->peer.who.uid) == 1,
		.n_publish = c->n_publish,
		.publish = c->publish,
		.bandwidth = {.in_rate = c->rate[CALL_RATE_IN], .out_rate = c->rate[CALL_RATE_OUT]},
		.nics_held = charge.nics,
		.ports_held = charge.ports,
		.first_free_port = first_free_port()};
	struct policy_verdict v;
	struct err e = ERR_INIT;

	if (policy_load(b->c->policy_dir, &p, &e) < 0) {
		snprintf(why, 256, "%.200s", e.text);
		return ERR_INTERNAL;
	}
	policy_judge(&p, &j->peer.who, &w, &v);
	snprintf(why, 256, "%s", v.why);
	if (v.result != POLICY_GRANTED)
		return v.result == POLICY_OVER ? ERR_QUOTA : ERR_DENIED;
	j->limits = (struct work_limits){.cap = v.limits.cap,
					 .bandwidth = v.limits.bandwidth,
					 .is_until_logout = v.limits.is_until_logout};
	j->egress = v.limits.egress;
	if (attach_egress_has_names(&j->egress)) {
		j->names = malloc(sizeof(*j->names));
		if (!j->names) {
			snprintf(why, 256, "no memory");
			return ERR_INTERNAL;
		}
		*j->names = v.limits.names;
	}
	if (bucket_take(&b->rate, j->peer.who.uid, b->now_ms, v.limits.rate, v.limits.rate))
		return ERR_NONE;
	j->is_too_often = true;
	snprintf(why, 256, "more than %u requests a minute", v.limits.rate);
	return ERR_QUOTA;
}

/* Root has no need of a broker, and its namespaces are nobody's to check. Whether what was passed
 * is the user's is for the worker to see. */
enum err_kind back_may(struct back *b, struct job *j, const char *id, char why[256])
{
	const struct call *c = j->call;

	why[0] = '\0';
	if (c->verb == CALL_LIST || c->verb == CALL_STATUS || c->verb == CALL_METRICS)
		return ERR_NONE;
	if (j->peer.who.uid == 0) {
		snprintf(why, 256, "root does it itself");
		return ERR_UNSUPPORTED;
	}
	if (c->verb != CALL_ATTACH && !holdings_find(&b->held, id, c->ifname))
		return c->verb == CALL_DETACH ? ERR_NONE : ERR_ABSENT;
	if (c->verb == CALL_DETACH || c->verb == CALL_UNPUBLISH)
		return ERR_NONE;
	return judge(b, j, id, why);
}
