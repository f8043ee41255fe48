/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alone: numbers in a network, and RFC 6890 on what is no host's. PURE. */
#include "model/alone.h"

#define NUMBER_SPARE 1
#define NUMBER_GATEWAY 2
#define NUMBER_DNS 3
#define NUMBER_GUEST 100
#define NUMBER_GUEST6 0x100

struct prefix alone_net(int fam, const struct ip *guest)
{
	static const struct prefix usual[N_FAM] = {
		[FAM4] = {{AF_INET, {10, 0, 2, 0}}, 24},
		[FAM6] = {{AF_INET6, {0xfd}}, 64},
	};
	const struct prefix around = {*guest, usual[fam].len};

	return guest->family ? prefix_network(&around) : usual[fam];
}

static struct ip number(const struct prefix *net, uint64_t n)
{
	struct ip ip = {0};

	(void)prefix_nth(net, n, &ip); /* each of ours is inside */
	return ip;
}

static struct ip ours(const struct prefix *net, uint64_t n, const struct ip *guest)
{
	const struct ip ip = number(net, n);

	return ip_equal(&ip, guest) ? number(net, NUMBER_SPARE) : ip;
}

struct alone alone_plan(const struct prefix *net, const struct ip *guest)
{
	struct alone a = {.net = *net, .guest = *guest};

	if (!guest->family)
		a.guest = number(net, ip_fam(&net->ip) == FAM4 ? NUMBER_GUEST : NUMBER_GUEST6);
	a.gateway = ours(net, NUMBER_GATEWAY, &a.guest);
	a.dns = ours(net, NUMBER_DNS, &a.guest);
	return a;
}

bool alone_is_for_hosts(const struct prefix *net)
{
	const struct ip *ip = &net->ip;

	return !ip_is_any(ip) && !ip_is_loopback(ip) && !ip_is_multicast(ip) &&
	       !ip_is_link_local(ip) &&
	       (ip->family != AF_INET || (ip->b[0] != 0 && ip->b[0] < 240));
}

int alone_check(const struct prefix *net, const struct ip *guest, struct err *e)
{
	const struct prefix own = prefix_network(net);
	const struct ip last = prefix_last(net);
	char s[IP_STRLEN], t[PREFIX_STRLEN];

	/* A wide network has such addresses in it. */
	if (!alone_is_for_hosts(&own) || !alone_is_for_hosts(&(struct prefix){*guest, net->len}))
		return err_invalid(e, ERR_USAGE, "%s is no address for a host", ip_str(guest, s));
	if (!prefix_contains(net, guest))
		return err_invalid(e, ERR_USAGE, "%s is outside %s", ip_str(guest, s),
				   prefix_str(net, t));
	if (ip_equal(guest, &own.ip))
		return err_invalid(e, ERR_USAGE, "%s is the address of the network %s itself",
				   ip_str(guest, s), prefix_str(net, t));
	if (guest->family == AF_INET && ip_equal(guest, &last))
		return err_invalid(e, ERR_USAGE, "%s is the broadcast address of %s",
				   ip_str(guest, s), prefix_str(net, t));
	return 0;
}
