/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request: PURE. Is what is on record what is asked for again? An attachment of a network that
 * stands by itself is compared part by part; one that was described is compared by a hash of the
 * whole description, because ports and settings may have been added to it since.
 */
#include <string.h>

#include "base/hash.h"
#include "engine/internal.h"

static bool wants_publish(const struct up_request *req, const struct attachment *have)
{
	if (req->n_publish != have->n_publish)
		return false;
	for (size_t i = 0; i < req->n_publish; i++) {
		bool found = false;
		for (size_t k = 0; !found && k < have->n_publish; k++) {
			struct publish p = req->publish[i];
			if (p.host_port == 0)
				p.host_port = have->publish[k].host_port;
			found = publish_equal(&p, &have->publish[k]);
		}
		if (!found)
			return false;
	}
	return true;
}

/* What is not said is as it is. */
static bool is_same_rate(const struct attach_rate *want, const struct attach_rate *have)
{
	return (!want->in_rate || want->in_rate == have->in_rate) &&
	       (!want->out_rate || want->out_rate == have->out_rate) &&
	       (!want->in_burst || want->in_burst == have->in_burst) &&
	       (!want->out_burst || want->out_burst == have->out_burst);
}

static bool same_aliases(const struct up_request *req, const struct attachment *have)
{
	bool same = req->n_alias == have->n_alias;

	for (size_t i = 0; same && i < req->n_alias; i++)
		same = strcmp(req->alias[i], have->alias[i]) == 0;
	return same;
}

bool request_is_same(const struct up_request *req, const struct attachment *have)
{
	static const struct mac none;

	if (request_is_described(req) || have->request || have->kind != ATTACH_VETH)
		return have->kind == req->kind && have->request == request_hash(req);
	for (int f = 0; f < N_FAM; f++)
		if (req->ip[f].family && !ip_equal(&req->ip[f], &have->addr[f].ip))
			return false;
	return strcmp(req->network, have->network) == 0 && wants_publish(req, have) &&
	       same_aliases(req, have) &&
	       (memcmp(&req->mac, &none, sizeof(none)) == 0 ||
		memcmp(&req->mac, &have->mac, sizeof(none)) == 0) &&
	       (req->mtu == 0 || req->mtu == have->mtu) && is_same_rate(&req->rate, &have->rate);
}

bool request_is_described(const struct up_request *req)
{
	return req->net_spec || req->kind != ATTACH_VETH;
}

/* Structures with holes are taken field by field. */
static void mix(uint64_t *h, const void *data, size_t len)
{
	*h = hash64(data, len, *h + 1);
}

static void mix_number(uint64_t *h, uint64_t v)
{
	mix(h, &v, sizeof(v));
}

static void mix_text(uint64_t *h, const char *s)
{
	mix(h, s ? s : "", s ? strlen(s) : 0);
}

static void mix_network(uint64_t *h, const struct network *n)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);

	mix_text(h, n->bridge);
	mix_number(h, n->mode);
	mix_number(h, n->mtu);
	mix_number(h, (uint64_t)(n->internal | n->isolate << 1 | n->masquerade << 2 |
				 n->is_gateway << 3 | n->is_open << 4 | n->names << 5));
	for (size_t i = 0; i < k; i++) {
		mix(h, &list[i].subnet, sizeof(list[i].subnet));
		mix(h, &list[i].gateway, sizeof(list[i].gateway));
	}
	mix(h, n->nomasq, n->n_nomasq * sizeof(n->nomasq[0]));
}

static void mix_ports(uint64_t *h, const struct up_request *req)
{
	for (size_t i = 0; i < req->n_publish; i++) {
		const struct publish *p = &req->publish[i];
		const uint16_t v[] = {p->proto, p->host_port, p->ctr_port, p->count, p->is_unheld};

		mix(h, &p->host_ip, sizeof(p->host_ip));
		mix(h, v, sizeof(v));
	}
}

static void mix_addresses(uint64_t *h, const struct up_request *req)
{
	for (size_t i = 0; i < req->n_set; i++)
		mix(h, req->set[i].r, req->set[i].n * sizeof(req->set[i].r[0]));
	for (size_t i = 0; i < req->n_want; i++)
		mix(h, &req->want[i], sizeof(req->want[i]));
	for (size_t i = 0; i < req->n_given; i++)
		mix(h, &req->given[i], sizeof(req->given[i]));
	for (size_t i = 0; i < req->n_route; i++) {
		const struct attach_route *r = &req->route[i];
		const uint32_t v[] = {r->mtu, r->advmss, r->priority, r->table, (uint32_t)r->scope};

		mix(h, &r->dst, sizeof(r->dst));
		mix(h, &r->gw, sizeof(r->gw));
		mix(h, v, sizeof(v));
	}
}

static void mix_settings(uint64_t *h, const struct up_request *req)
{
	const struct attach_tune *t = &req->tune;

	for (size_t i = 0; i < req->n_sysctl; i++) {
		mix_text(h, req->sysctl[i].key);
		mix_text(h, req->sysctl[i].value);
	}
	mix_number(h, (uint64_t)(t->has_promisc | t->is_promisc << 1 | t->has_allmulti << 2 |
				 t->is_allmulti << 3 | t->has_tx_queue_len << 4));
	mix_number(h, t->tx_queue_len);
	mix_number(h, t->mtu);
	mix(h, &t->mac, sizeof(t->mac));
	mix(h, &req->rate, sizeof(req->rate));
	mix_text(h, req->host_ifname);
}

static void mix_vlan(uint64_t *h, const struct attach_vlan *v)
{
	mix_number(h, v->pvid);
	if (!v->n_trunk && !v->is_alone) /* as records have it that are older than these two */
		return;
	mix_number(h, v->is_alone);
	mix(h, v->trunk, v->n_trunk * sizeof(v->trunk[0]));
}

uint64_t request_hash(const struct up_request *req)
{
	uint64_t h = 0x7265717565737400;

	mix_number(&h, req->kind);
	mix_text(&h, req->network);
	mix(&h, &req->mac, sizeof(req->mac));
	mix_number(&h, req->mtu);
	mix_ports(&h, req);
	if (req->net_spec)
		mix_network(&h, req->net_spec);
	mix_addresses(&h, req);
	mix_number(&h,
		   (uint64_t)(req->is_l2 | req->is_default_route[FAM4] << 1 |
			      req->is_default_route[FAM6] << 2 | req->is_hairpin << 3 |
			      req->is_promisc << 4 | req->is_unguarded << 5 |
			      req->is_port_isolated << 6 | req->is_dad << 7 | req->is_down << 8));
	mix_vlan(&h, &req->vlan);
	for (size_t i = 0; i < req->n_alias; i++)
		mix_text(&h, req->alias[i]);
	mix_settings(&h, req);
	return h ? h : 1;
}
