/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach_opts: option texts to typed values; everything is validated here, before anything is
 * opened. */
#include "cli/attach_opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "model/name.h"

int attach_set_publish(void *into, const char *value, struct err *e)
{
	struct attach_opts *o = into;
	struct publish p;
	int r = publish_parse(value, &p, e);

	if (r < 0)
		return r;
	if (o->n_publish == PUBLISH_MAX)
		return err_set(e, ERR_USAGE, 0, "at most %d", PUBLISH_MAX);
	struct publish *list = reallocarray(o->publish, o->n_publish + 1, sizeof(*list));
	if (!list)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	o->publish = list;
	o->publish[o->n_publish++] = p;
	return 0;
}

int attach_set_network(void *into, const char *value, struct err *e)
{
	((struct attach_opts *)into)->network = value;
	return name_check_network(value, "network name", e);
}

static int set_ip(struct attach_opts *o, int f, const char *value, struct err *e)
{
	struct ip ip;
	int r = ip_parse(value, &ip, e);

	if (r < 0)
		return r;
	if (ip_fam(&ip) != f)
		return err_set(e, ERR_USAGE, 0, "expected an IPv%d address", f == FAM4 ? 4 : 6);
	o->ip[f] = ip;
	return 0;
}

int attach_set_ip(void *into, const char *value, struct err *e)
{
	return set_ip(into, FAM4, value, e);
}

int attach_set_ip6(void *into, const char *value, struct err *e)
{
	return set_ip(into, FAM6, value, e);
}

int attach_set_mac(void *into, const char *value, struct err *e)
{
	return mac_parse(value, &((struct attach_opts *)into)->mac, e);
}

int attach_set_mtu(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 68, 65535, &((struct attach_opts *)into)->mtu, e);
}

int attach_set_rate_in(void *into, const char *value, struct err *e)
{
	return attach_rate_parse(value, &((struct attach_opts *)into)->rate.in_rate, e);
}

int attach_set_rate_out(void *into, const char *value, struct err *e)
{
	return attach_rate_parse(value, &((struct attach_opts *)into)->rate.out_rate, e);
}

int attach_set_ifname(void *into, const char *value, struct err *e)
{
	((struct attach_opts *)into)->ifname = value;
	return name_check_ifname(value, "interface name", e);
}

int attach_set_loopback(void *into, const char *value, struct err *e)
{
	struct attach_opts *o = into;
	const char *colon = strchr(value, ':');
	uint32_t port;

	if (!colon || (strncmp(value, "tcp:", 4) != 0 && strncmp(value, "udp:", 4) != 0) ||
	    parse_u32(colon + 1, 1, UINT16_MAX, &port) < 0)
		return err_set(e, ERR_USAGE, 0, "expected tcp:PORT or udp:PORT, found \"%s\"",
			       value);
	if (o->n_loopback == ATTACH_LOOPBACK_MAX)
		return err_set(e, ERR_USAGE, 0, "at most %d", ATTACH_LOOPBACK_MAX);
	o->loopback[o->n_loopback++] = value;
	return 0;
}

int attach_engine_parse(const char *value, const char **ret, struct err *e)
{
	if (strcmp(value, "tap") != 0 && strcmp(value, "relay") != 0)
		return err_set(e, ERR_USAGE, 0, "expected tap or relay, found \"%s\"", value);
	*ret = value;
	return 0;
}

int attach_set_engine(void *into, const char *value, struct err *e)
{
	return attach_engine_parse(value, &((struct attach_opts *)into)->engine, e);
}

int attach_set_to(void *into, const char *value, struct err *e)
{
	struct attach_opts *o = into;

	return attach_egress_parse_list(value, false, &o->egress, &o->names, e);
}

int attach_set_not_to(void *into, const char *value, struct err *e)
{
	struct attach_opts *o = into;

	return attach_egress_parse_list(value, true, &o->egress, &o->names, e);
}

int attach_set_alias(void *into, const char *value, struct err *e)
{
	struct attach_opts *o = into;

	if (o->n_alias == ATTACH_ALIAS_MAX)
		return err_set(e, ERR_USAGE, 0, "at most %d", ATTACH_ALIAS_MAX);
	o->alias[o->n_alias++] = value;
	return name_check_alias(value, "alias", e);
}

int attach_set_name(void *into, const char *value, struct err *e)
{
	((struct attach_opts *)into)->name = value;
	return cli_check_name(value, "name", e);
}

int attach_request(const struct attach_opts *o, const struct target *t, struct up_request *ret,
		   struct err *e)
{
	if (o->n_loopback)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--host-loopback: only for a container that is made without root "
			       "and is on no network");
	if (o->engine)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--engine: only for a container that is made without root and is on "
			       "no network; a network's is asked for by network create --engine");
	*ret = (struct up_request){
		.id = o->name ? o->name : t->id,
		.ifname = o->ifname ? o->ifname : "eth0",
		.network = o->network ? o->network : NETWORK_DEFAULT,
		.netns_fd = t->fd,
		.netns_path = t->path,
		.ip = {o->ip[FAM4], o->ip[FAM6]},
		.mac = o->mac,
		.mtu = o->mtu,
		.rate = o->rate,
		.egress = &o->egress,
		.names = &o->names,
		.n_publish = o->n_publish,
		.publish = o->publish,
		.n_alias = o->n_alias,
		.alias = o->alias,
	};
	if (attach_egress_check(&o->egress, e) < 0)
		return err_ctx(e, -EINVAL, "--to");
	/* The kernel disables IPv6 on a link below 1280 (RFC 8200 section 5). */
	if (o->mtu && o->mtu < 1280 && o->ip[FAM6].family)
		return err_set(e, ERR_USAGE, 0, "--mtu %u: IPv6 needs at least 1280", o->mtu);
	return publish_check_list(o->publish, o->n_publish, e);
}

int attach_check_egress(const struct attach_opts *o, const struct attachment *a, struct err *e)
{
	if (attach_egress_equal(&o->egress, &a->egress) && attach_names_equal(&o->names, &a->names))
		return 0;
	return err_set(e, ERR_CONFLICT, EEXIST,
		       "%s %s is up with other destinations (--to, --not-to): take it down first",
		       a->id, a->ifname);
}

void attach_opts_free(struct attach_opts *o)
{
	free(o->publish);
	o->publish = NULL;
}
