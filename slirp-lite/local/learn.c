/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learn: what the host's resolvers say of names of the egress policy, before the container hears
 * it. Whoever answers for a name chooses its addresses, so none is taken that leads to this host,
 * is nobody's, or is of one link alone: those have to be listed as such.
 */
#include <netinet/in.h>

#include "flow/learned.h"
#include "local/inside.h"
#include "wire/dnsaddr.h"

#define EXPIRE_MS 1000
#define SOME_PORT 9 /* but for DNS's it is the address that is asked about */

/* The host's own: those it had at the start, and what it would speak to as itself. Nothing is sent.
 */
static bool is_host(const struct local *l, const struct ip *ip)
{
	const struct policy *p = l->env.policy;
	const struct host_ops *host = l->env.host;
	struct sockaddr_storage sa;
	socklen_t len = host_sockaddr(ip, SOME_PORT, &sa);
	struct ip own = {0};
	uint16_t port;
	int fd;

	for (size_t i = 0; i < p->n_own; i++)
		if (ip_equal(&p->own[i], ip))
			return true;
	fd = host->socket(ip->family, HOST_UDP);
	if (fd < 0)
		return true;
	if (host->connect(fd, (struct sockaddr *)&sa, len) == 0) {
		len = sizeof(sa);
		if (host->getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
		    host_from_sockaddr(&sa, len, &own, &port) < 0)
			own = *ip;
	}
	host->close(fd);
	return ip_equal(&own, ip);
}

static bool may_stand_for_name(const struct local *l, const struct ip *ip)
{
	struct ip to = {0};

	return policy_map(l->env.policy, IPPROTO_TCP, ip, SOME_PORT, &to) == POLICY_ALLOW &&
	       ip_equal(&to, ip) && !ip_is_link_local(ip) && !is_host(l, ip);
}

static uint32_t names_of(const struct policy *p, const char *name)
{
	uint32_t names = 0;

	for (size_t i = 0; i < p->egress.n; i++)
		if (!p->egress.dest[i].is_denied)
			names |= (uint32_t)attach_names_match(p->names.name[i], name) << i;
	return names;
}

static void on_expire(struct timer *t, uint64_t now)
{
	struct local *l = OWNER(t, struct local, learn_timer);

	if (learned_expire(l->env.policy->learned, now))
		timer_set(l->env.wheel, t, now + EXPIRE_MS);
}

void learn_init(struct local *l)
{
	l->learn_timer.fn = on_expire;
}

bool learn_answer(struct local *l, const uint8_t *message, size_t len, uint64_t now)
{
	const struct policy *p = l->env.policy;
	struct dnsaddr a;
	uint32_t names;

	if (!p || !p->learned || dnsaddr_read(message, len, &a) < 0)
		return true;
	if (attach_names_deny(&p->egress, &p->names, a.name))
		return false;
	names = names_of(p, a.name);
	for (size_t i = 0; names && i < a.n; i++) {
		if (!may_stand_for_name(l, &a.ip[i]))
			local_count(l, STAT_DROP_NAME);
		else if (!learned_add(p->learned, &a.ip[i], names, a.ttl_s[i], now))
			local_count(l, STAT_DROP_TABLE_FULL);
		else if (!timer_is_set(&l->learn_timer))
			timer_set(l->env.wheel, &l->learn_timer, now + EXPIRE_MS);
	}
	return true;
}
