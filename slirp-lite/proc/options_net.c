/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options_net: texts to networks and addresses; which of them go together. */
#include "proc/options_net.h"

#include <string.h>

#include "flow/plan.h"
#include "model/alone.h"

static int parse_network(const char *value, int family, unsigned min, unsigned max,
			 struct prefix *ret, struct err *e)
{
	struct prefix p, net;
	char text[PREFIX_STRLEN];
	int r = prefix_parse(value, &p, e);

	if (r < 0)
		return r;
	if (p.ip.family != family)
		return err_invalid(e, ERR_USAGE, "expected an IPv%d network, found \"%.80s\"",
				   family == AF_INET ? 4 : 6, value);
	if (p.len < min || p.len > max)
		return err_invalid(e, ERR_USAGE, "expected a prefix length %u..%u, found \"%.80s\"",
				   min, max, value);
	net = prefix_network(&p);
	if (!prefix_equal(&net, &p) || !ip_equal(&net.ip, &p.ip))
		return err_invalid(e, ERR_USAGE,
				   "expected a network address like %s, found \"%.80s\"",
				   prefix_str(&net, text), value);
	if (!alone_is_for_hosts(&p))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is not for hosts", value);
	*ret = p;
	return 0;
}

int options_set_cidr(void *into, const char *value, struct err *e)
{
	return parse_network(value, AF_INET, 1, 25, &((struct options *)into)->net[FAM4], e);
}

int options_set_cidr6(void *into, const char *value, struct err *e)
{
	return parse_network(value, AF_INET6, 64, 64, &((struct options *)into)->net[FAM6], e);
}

static int parse_guest(const char *value, int fam, struct ip *ret, struct err *e)
{
	struct ip ip;
	int r = ip_parse(value, &ip, e);

	if (r < 0)
		return r;
	if (ip_fam(&ip) != fam)
		return err_invalid(e, ERR_USAGE, "expected an IPv%d address, found \"%.80s\"",
				   fam == FAM4 ? 4 : 6, value);
	*ret = ip;
	return 0;
}

int options_set_guest(void *into, const char *value, struct err *e)
{
	return parse_guest(value, FAM4, &((struct options *)into)->guest[FAM4], e);
}

int options_set_guest6(void *into, const char *value, struct err *e)
{
	return parse_guest(value, FAM6, &((struct options *)into)->guest[FAM6], e);
}

/* One MAC address for two would be a link on which nothing is found. */
static int check_mac(const struct options *o, struct err *e)
{
	const struct alone a = alone_plan(&o->net[FAM4], &o->guest[FAM4]);
	const struct plan p = {.our_mac = mac_from_ip(&a.gateway)};
	const struct mac second = plan_second_mac(&p);
	char text[MAC_STRLEN];

	if (!o->has_mac || (memcmp(&o->mac, &p.our_mac, sizeof(o->mac)) != 0 &&
			    memcmp(&o->mac, &second, sizeof(o->mac)) != 0))
		return 0;
	return err_invalid(e, ERR_USAGE, "--macaddress: %s is the gateway's",
			   mac_str(&o->mac, text));
}

int options_settle_net(struct options *o, struct err *e)
{
	static const char *const names[N_FAM] = {"--guest-addr", "--guest-addr6"};

	if (o->guest[FAM6].family && !o->is_ipv6)
		return err_invalid(e, ERR_USAGE, "--guest-addr6: needs --enable-ipv6");
	for (int f = 0; f < N_FAM; f++) {
		int r = 0;

		if (!o->net[f].ip.family)
			o->net[f] = alone_net(f, &o->guest[f]);
		if (o->guest[f].family)
			r = alone_check(&o->net[f], &o->guest[f], e);
		if (r < 0)
			return err_ctx(e, r, "%s", names[f]);
	}
	return check_mac(o, e);
}
