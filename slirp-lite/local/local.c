/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local: what the services share: birth and death, which addresses are ours, sending. The services
 * are in files of their own.
 */
#include "local/local.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>

#include "local/inside.h"

int local_new(const struct local_env *env, struct local **ret, struct err *e)
{
	struct local *l = calloc(1, sizeof(*l)); /* untouched pages cost nothing */

	if (!l)
		return err_sys(e, ENOMEM, "memory for the gateway's services");
	l->env = *env;
	l->link_local = ip_link_local_from_mac(&env->plan->our_mac);
	if (getrandom(&l->dns.key, sizeof(l->dns.key), 0) != sizeof(l->dns.key)) {
		int r = err_sys(e, errno, "random numbers");

		free(l);
		return r;
	}
	dns_init(l);
	learn_init(l);
	*ret = l;
	return 0;
}

void local_free(struct local *l)
{
	if (!l)
		return;
	timer_clear(l->env.wheel, &l->ra_timer);
	timer_clear(l->env.wheel, &l->learn_timer);
	dns_close(l);
	free(l);
}

void local_count(struct local *l, enum stat_id s)
{
	l->env.stats->n[s]++;
}

bool local_is_ours(const struct local *l, const struct ip *ip)
{
	const struct plan *plan = l->env.plan;
	int fam = ip_fam(ip);

	return ip_equal(ip, &plan->gateway[fam]) ||
	       (plan->dns[fam].family && ip_equal(ip, &plan->dns[fam])) ||
	       (plan->loopback_at[fam].family && ip_equal(ip, &plan->loopback_at[fam])) ||
	       (plan->host_at[fam].family && ip_equal(ip, &plan->host_at[fam])) ||
	       (fam == FAM6 && ip_equal(ip, &l->link_local));
}

struct ip local_told_dns(const struct local *l, int fam)
{
	static const struct ip none;

	return l->env.plan->is_dns_untold ? none : l->env.plan->dns[fam];
}

bool local_is_guest(const struct local *l, const struct ip *ip)
{
	const struct plan *plan = l->env.plan;
	int fam = ip_fam(ip);

	if (local_is_ours(l, ip) || plan->net[fam].ip.family == 0)
		return false;
	return prefix_contains(&plan->net[fam], ip) || ip_equal(ip, &plan->guest[fam]) ||
	       (fam == FAM6 && ip_is_link_local(ip));
}

bool local_is_neighbour(const struct local *l, const struct ip *ip, const struct ip *asker)
{
	const struct plan *plan = l->env.plan;
	int fam = ip_fam(ip);

	/* Who asks for its own address, or has none yet, wants to know whether it is free. */
	if (ip_is_any(asker) || ip_equal(ip, asker) || ip_equal(ip, &plan->guest[fam]) ||
	    emit_has(l->env.emit, ip))
		return false;
	return emit_is_near(l->env.emit, ip) ||
	       (plan->is_shared[fam] && prefix_contains(&plan->net[fam], ip));
}

void local_send_udp(struct local *l, const struct ip *src, uint16_t sport, const struct ip *dst,
		    uint16_t dport, const void *data, size_t len)
{
	const struct emit_ip h = {.src = *src, .dst = *dst, .proto = IPPROTO_UDP, .csum_offset = 6};
	const struct iovec iov = {(void *)data, len};
	uint8_t l4[UDP_HDR_LEN];

	udphdr_build(l4, sport, dport, 0, len);
	emit_packet(l->env.emit, &h, l4, sizeof(l4), &iov, 1);
}

bool local_dhcp(struct local *l, const struct ip_packet *k, const struct udphdr_v *u, uint64_t now)
{
	const struct plan *plan = l->env.plan;

	if (!plan->is_dhcp[ip_fam(&k->src)] || plan->net[ip_fam(&k->src)].ip.family == 0)
		return false;
	return k->src.family == AF_INET6 ? dhcp6_input(l, k, u, now) : dhcp4_input(l, k, u, now);
}
