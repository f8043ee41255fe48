/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: the rules of range sets. What is left out of a range is filled as host-local does: from the
 * first address for hosts to the last one, the first being the gateway's. It never asks which
 * addresses are taken. Special ranges: RFC 6890.
 */
#include "model/pool.h"

#include "model/network.h"

static int complete_range(struct addr_range *r, struct err *e)
{
	int bits = (int)ip_size(&r->subnet.ip) * 8;
	struct prefix net = prefix_network(&r->subnet);
	struct ip lowest, highest = prefix_last(&r->subnet);
	char s[PREFIX_STRLEN], t[IP_STRLEN], u[IP_STRLEN];

	if (r->subnet.ip.family == 0)
		return err_invalid(e, ERR_USAGE, "a range without a subnet");
	prefix_str(&r->subnet, s);
	if (!prefix_equal(&net, &r->subnet))
		return err_invalid(e, ERR_USAGE, "subnet %s has host bits set", s);
	if (r->subnet.len > bits - 2)
		return err_invalid(e, ERR_USAGE, "subnet %s is too small for a pool", s);
	if (r->subnet.len == 0 || ip_is_multicast(&r->subnet.ip) || ip_is_loopback(&r->subnet.ip) ||
	    ip_is_any(&r->subnet.ip))
		return err_invalid(e, ERR_USAGE, "subnet %s is not one for hosts", s);
	(void)prefix_nth(&r->subnet, 1, &lowest);
	if (bits == 32) /* the broadcast address */
		highest.b[3]--;
	if (!r->first.family)
		r->first = lowest;
	if (!r->last.family)
		r->last = highest;
	if (!r->gateway.family)
		r->gateway = lowest;
	if (!prefix_contains(&r->subnet, &r->gateway))
		return err_invalid(e, ERR_USAGE, "gateway %s is outside of %s",
				   ip_str(&r->gateway, t), s);
	if (!prefix_contains(&r->subnet, &r->first) || ip_cmp(&r->first, &lowest) < 0 ||
	    !prefix_contains(&r->subnet, &r->last) || ip_cmp(&r->last, &highest) > 0)
		return err_invalid(e, ERR_USAGE, "range %s-%s is not inside the hosts of %s",
				   ip_str(&r->first, t), ip_str(&r->last, u), s);
	if (ip_cmp(&r->first, &r->last) > 0)
		return err_invalid(e, ERR_USAGE, "range %s-%s of %s: the start is behind the end",
				   ip_str(&r->first, t), ip_str(&r->last, u), s);
	return 0;
}

static bool overlap(const struct addr_range *a, const struct addr_range *b)
{
	return a->subnet.ip.family == b->subnet.ip.family && ip_cmp(&a->first, &b->last) <= 0 &&
	       ip_cmp(&b->first, &a->last) <= 0;
}

static int check_overlap(const struct addr_range *a, const struct addr_range *b, struct err *e)
{
	char s[PREFIX_STRLEN], t[PREFIX_STRLEN];

	if (overlap(a, b))
		return err_invalid(e, ERR_USAGE, "ranges of %s and %s overlap",
				   prefix_str(&a->subnet, s), prefix_str(&b->subnet, t));
	/* Two ranges of one subnet are fine, one subnet inside another would be two networks. */
	if (prefix_overlaps(&a->subnet, &b->subnet) && !prefix_equal(&a->subnet, &b->subnet))
		return err_invalid(e, ERR_USAGE, "subnets %s and %s overlap",
				   prefix_str(&a->subnet, s), prefix_str(&b->subnet, t));
	return 0;
}

static int complete_set(struct addr_set *set, struct err *e)
{
	int r = 0;

	if (set->n == 0 || set->n > ADDR_RANGE_MAX)
		return err_invalid(e, ERR_USAGE, "expected 1..%d ranges in a set, found %zu",
				   ADDR_RANGE_MAX, set->n);
	for (size_t i = 0; r == 0 && i < set->n; i++) {
		r = complete_range(&set->r[i], e);
		if (r == 0 && set->r[i].subnet.ip.family != set->r[0].subnet.ip.family)
			r = err_invalid(e, ERR_USAGE, "a set with ranges of both families");
		for (size_t k = 0; r == 0 && k < i; k++)
			r = check_overlap(&set->r[k], &set->r[i], e);
	}
	return r;
}

int pool_complete(struct addr_set *sets, size_t n, struct err *e)
{
	int r = 0;

	if (n > ADDR_SET_MAX)
		return err_invalid(e, ERR_USAGE, "more than %d sets of ranges", ADDR_SET_MAX);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = complete_set(&sets[i], e);
		for (size_t j = 0; r == 0 && j < i; j++)
			for (size_t k = 0; r == 0 && k < sets[i].n * sets[j].n; k++)
				r = check_overlap(&sets[j].r[k / sets[i].n],
						  &sets[i].r[k % sets[i].n], e);
		if (r < 0)
			return err_ctx(e, r, "set %zu", i);
	}
	return r;
}

/* The place of ip in the range's first..last; false when it is not among them or is the gateway. */
static bool pool_range_has(const struct addr_range *r, const struct ip *ip)
{
	return ip->family == r->subnet.ip.family && ip_cmp(ip, &r->first) >= 0 &&
	       ip_cmp(ip, &r->last) <= 0 && !ip_equal(ip, &r->gateway);
}

const struct addr_range *pool_find(const struct addr_set *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->n; i++)
		if (pool_range_has(&s->r[i], ip))
			return &s->r[i];
	return NULL;
}

uint64_t pool_size(const struct addr_set *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct addr_range *r = &s->r[i];
		uint64_t from = prefix_index(&r->subnet, &r->first);
		uint64_t n = prefix_index(&r->subnet, &r->last) - from;

		n += n < UINT64_MAX;
		if (ip_cmp(&r->gateway, &r->first) >= 0 && ip_cmp(&r->gateway, &r->last) <= 0)
			n--;
		sum = sum > UINT64_MAX - n ? UINT64_MAX : sum + n;
	}
	return sum;
}
