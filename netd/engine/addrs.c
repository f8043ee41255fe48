/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addrs: the addresses of an attachment: claimed from the network's subnet, from sets of ranges, or
 * as somebody else decided; and the routes that follow from them. Global lock held throughout.
 */

#include "engine/internal.h"
#include "store/claim.h"

static uint8_t host_len(const struct ip *ip)
{
	return (uint8_t)(8 * ip_size(ip));
}

static int claim_asked(struct work *w, int f, const struct ip *ip, const char *key, struct err *e)
{
	const struct prefix *net = &w->net.subnet[f];
	struct ip last = prefix_last(net);
	char s[IP_STRLEN], p[PREFIX_STRLEN];
	struct ip resolver;

	if (!net->ip.family)
		return err_set(e, ERR_USAGE, 0, "address %s: network %s has no IPv%d subnet",
			       ip_str(ip, s), w->net.name, f == FAM4 ? 4 : 6);
	if (!prefix_contains(net, ip))
		return err_set(e, ERR_USAGE, 0, "address %s is outside %s of network %s",
			       ip_str(ip, s), prefix_str(net, p), w->net.name);
	if (ip_equal(ip, &net->ip) || (f == FAM4 && ip_equal(ip, &last)) ||
	    ip_equal(ip, &w->net.gateway[f]))
		return err_set(
			e, ERR_USAGE, 0,
			"address %s is the network, broadcast or gateway address of network %s",
			ip_str(ip, s), w->net.name);
	if (network_resolver(&w->net, f, &resolver) && ip_equal(ip, &resolver))
		return err_set(e, ERR_USAGE, 0, "address %s is the names responder's of network %s",
			       ip_str(ip, s), w->net.name);
	return claim_addr(w->g->store, ip, key, e);
}

static int claim_of_network(struct work *w, const struct up_request *req, const char *key,
			    struct err *e)
{
	for (int f = 0; f < N_FAM; f++) {
		struct ip ip = req->ip[f];
		int r = 0;
		if (ip.family)
			r = claim_asked(w, f, &ip, key, e);
		else if (w->net.subnet[f].ip.family)
			r = claim_next_addr(w->g->store, &w->net, f, key, &ip, e);
		if (r < 0)
			return r;
		if (!ip.family)
			continue;
		w->a->addr[f].ip = ip;
		w->a->addr[f].len = w->net.mode == NET_BRIDGE ? w->net.subnet[f].len
				    : f == FAM4               ? 32
							      : 128;
		w->a->gateway[f] = w->net.gateway[f];
	}
	return 0;
}

/* The place in want[] of the first address that the set has and no set before has taken; n_want
 * when there is none. */
static size_t find_want(const struct ip *want, size_t n, const struct addr_set *set, unsigned used)
{
	for (size_t i = 0; i < n; i++)
		if (!(used & 1u << i) && pool_find(set, &want[i]))
			return i;
	return n;
}

/* Every address of want[] has to be in one of the sets. */
static int check_want(const struct ip *want, size_t n, unsigned used, struct err *e)
{
	char s[IP_STRLEN];

	for (size_t i = 0; i < n; i++)
		if (!(used & 1u << i))
			return err_what(e,
					err_set(e, ERR_USAGE, 0,
						"address %s is in no range of this network, or the "
						"gateway of one",
						ip_str(&want[i], s)),
					WHAT_ADDRESS);
	return 0;
}

int addrs_from_sets(struct work *w, const struct addr_set *set, size_t n_set, const struct ip *want,
		    size_t n_want, const char *key, struct err *e)
{
	unsigned used = 0;
	int r = 0;

	if (n_want > ATTACH_IP_MAX || n_set > ADDR_SET_MAX)
		return err_set(e, ERR_QUOTA, 0, "more than %d addresses", ATTACH_IP_MAX);
	for (size_t i = 0; i < n_set; i++) {
		size_t k = find_want(want, n_want, &set[i], used);

		used |= k < n_want ? 1u << k : 0;
	}
	r = check_want(want, n_want, used, e);
	used = 0;
	for (size_t i = 0; r >= 0 && i < n_set; i++) {
		size_t k = find_want(want, n_want, &set[i], used);
		struct attach_ip a = {0};
		const struct addr_range *from;

		if (k < n_want) {
			used |= 1u << k;
			a.addr.ip = want[k];
			r = claim_addr(w->g->store, &want[k], key, e);
		} else {
			r = claim_from_set(w->g->store, w->a->network, &set[i], (unsigned int)i,
					   key, &a.addr.ip, e);
		}
		if (r < 0)
			return r;
		from = pool_find(&set[i], &a.addr.ip);
		a.addr.len = w->net.mode == NET_BRIDGE || w->a->kind == ATTACH_LEASE
				     ? from->subnet.len
				     : host_len(&a.addr.ip);
		a.gateway = w->net.mode == NET_BRIDGE || w->a->kind == ATTACH_LEASE
				    ? from->gateway
				    : network_gateway(NET_ROUTED, &from->subnet);
		r = attachment_add_ip(w->a, &a, e);
	}
	return r < 0 ? r : 0;
}

struct attach_ip addrs_given(const struct network *net, const struct attach_ip *given)
{
	struct attach_ip a = *given;
	struct prefix net_of = prefix_network(&a.addr);

	if (net->mode == NET_ROUTED) {
		a.addr.len = host_len(&a.addr.ip);
		a.gateway = network_gateway(NET_ROUTED, &a.addr);
	} else if (!a.gateway.family && net->is_gateway && a.addr.len <= host_len(&a.addr.ip) - 2) {
		(void)prefix_nth(&net_of, 1, &a.gateway);
	}
	return a;
}

static int claim_given(struct work *w, const struct attach_ip *given, const char *key,
		       struct err *e)
{
	struct attach_ip a = addrs_given(&w->net, given);
	char s[IP_STRLEN];
	int r = attach_ip_check(given, e);

	if (r >= 0 && ip_equal(&a.addr.ip, &a.gateway))
		r = err_set(e, ERR_USAGE, 0, "address %s is its own gateway",
			    ip_str(&a.addr.ip, s));
	if (r >= 0)
		r = claim_addr(w->g->store, &a.addr.ip, key, e);
	return r < 0 ? r : attachment_add_ip(w->a, &a, e);
}

int addrs_claim(struct work *w, const struct up_request *req, const char *key, struct err *e)
{
	int r = 0;

	if (req->kind == ATTACH_FOREIGN) {
		for (size_t i = 0; r >= 0 && i < req->n_given; i++)
			r = attachment_add_ip(w->a, &req->given[i], e);
		return r;
	}
	if (!req->net_spec)
		return claim_of_network(w, req, key, e);
	if (req->is_l2)
		return 0;
	r = addrs_from_sets(w, req->set, req->n_set, req->want, req->n_want, key, e);
	for (size_t i = 0; r >= 0 && i < req->n_given; i++)
		r = claim_given(w, &req->given[i], key, e);
	return r < 0 ? r : 0;
}

void addrs_drop(struct engine *g, const struct attachment *a, struct err *all)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	char key[KEY_STRLEN];

	name_key(a->id, a->ifname, key);
	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;

		if (claim_drop_addr(g->store, &list[i].addr.ip, key, &one) < 0)
			err_gather(all, &one);
	}
}

/* The first gateway of the family; family 0: none. */
static struct ip gateway_of(const struct attachment *a, int f)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);

	for (size_t i = 0; i < n; i++)
		if (ip_fam(&list[i].addr.ip) == f && list[i].gateway.family)
			return list[i].gateway;
	return (struct ip){0};
}

static void resolve(const struct attachment *a, struct attach_route *t)
{
	int f = ip_fam(&t->dst.ip);

	if (t->scope != 0)
		return;
	/* On a routed link nobody but the host is there. */
	if (a->mode == NET_ROUTED || !t->gw.family)
		t->gw = gateway_of(a, f);
}

int addrs_routes(struct attachment *a, const struct up_request *req, struct err *e)
{
	struct attach_route list[ATTACH_ROUTE_MAX];
	bool has_default[N_FAM] = {false, false};
	size_t n = 0;

	if (!request_is_described(req))
		return 0;
	if (req->n_route > ATTACH_ROUTE_MAX)
		return err_set(e, ERR_QUOTA, 0, "more than %d routes", ATTACH_ROUTE_MAX);
	for (size_t i = 0; i < req->n_route; i++) {
		int r = attach_route_check(&req->route[i], e);

		if (r < 0)
			return r;
		list[n] = req->route[i];
		resolve(a, &list[n]);
		if (list[n].dst.len == 0 && list[n].table == 0)
			has_default[ip_fam(&list[n].dst.ip)] = true;
		n++;
	}
	for (int f = 0; f < N_FAM; f++) {
		if (!req->is_default_route[f] || has_default[f] || !a->addr[f].ip.family)
			continue;
		if (!a->gateway[f].family)
			return err_set(e, ERR_USAGE, 0, "a default route without a gateway: IPv%d",
				       f == FAM4 ? 4 : 6);
		a->is_default_route[f] = true;
	}
	a->has_routes = true;
	return attachment_set_routes(a, list, n, e);
}
