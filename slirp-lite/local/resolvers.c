/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolvers: the host's list and its order of the moment: as the host has it, but those that failed
 * lately come last. A query sees the order of when it began, so that none is skipped or asked twice
 * while others fail around it.
 */

#include "local/inside.h"
#include "wire/dns.h"

static bool is_down(const struct resolver *r, uint64_t began)
{
	return r->has_failed && r->failed_at < began && began - r->failed_at < DNS_DOWN_MS;
}

void local_set_resolvers(struct local *l, const struct ip *ip, const uint32_t *scope, size_t n)
{
	struct local_dns *d = &l->dns;

	if (n > LOCAL_RESOLVERS_MAX)
		n = LOCAL_RESOLVERS_MAX;
	for (size_t i = 0; i < n; i++)
		d->resolver[i] = (struct resolver){.ip = ip[i], .scope = scope[i]};
	d->n_resolvers = n;
	d->generation++;
}

bool resolver_pick(const struct local *l, unsigned attempt, uint64_t began, uint8_t *ret)
{
	const struct local_dns *d = &l->dns;

	for (unsigned down = 0; down < 2; down++) {
		for (uint8_t i = 0; i < d->n_resolvers; i++) {
			if (is_down(&d->resolver[i], began) != down || attempt-- > 0)
				continue;
			*ret = i;
			return true;
		}
	}
	return false;
}

bool local_pick_resolver(const struct local *l, unsigned attempt, uint64_t began, struct ip *ret_ip,
			 uint32_t *ret_scope, uint16_t *ret_port)
{
	uint8_t i;

	if (!resolver_pick(l, attempt, began, &i))
		return false;
	*ret_ip = l->dns.resolver[i].ip;
	*ret_scope = l->dns.resolver[i].scope;
	*ret_port = DNS_PORT;
	return true;
}

void local_resolver_failed(struct local *l, const struct ip *ip, uint64_t now)
{
	for (size_t i = 0; i < l->dns.n_resolvers; i++) {
		if (!ip_equal(&l->dns.resolver[i].ip, ip))
			continue;
		l->dns.resolver[i].has_failed = true;
		l->dns.resolver[i].failed_at = now;
	}
}
