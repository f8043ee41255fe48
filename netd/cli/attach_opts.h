/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach_opts: the options that describe an attachment, for `up` and `run`. */
#ifndef NETD_CLI_ATTACH_OPTS_H
#define NETD_CLI_ATTACH_OPTS_H

#include "cli/cli.h"

#define ATTACH_LOOPBACK_MAX 16

struct attach_opts {
	struct cli_common common; /* first */
	const char *network, *ifname, *name;
	struct ip ip[N_FAM];
	struct mac mac;
	uint32_t mtu;
	struct attach_rate rate;
	size_t n_publish;
	struct publish *publish; /* owned */
	size_t n_loopback;
	const char *loopback[ATTACH_LOOPBACK_MAX]; /* PROTO:PORT */
	const char *engine;                        /* "tap", "relay"; NULL: not asked for */
	struct attach_egress egress;
	struct attach_names names; /* of egress */
	size_t n_alias;
	const char *alias[ATTACH_ALIAS_MAX];
};

int attach_set_publish(void *into, const char *value, struct err *e);
int attach_set_network(void *into, const char *value, struct err *e);
int attach_set_ip(void *into, const char *value, struct err *e);
int attach_set_ip6(void *into, const char *value, struct err *e);
int attach_set_mac(void *into, const char *value, struct err *e);
int attach_set_mtu(void *into, const char *value, struct err *e);
int attach_set_rate_in(void *into, const char *value, struct err *e);
int attach_set_rate_out(void *into, const char *value, struct err *e);
int attach_set_ifname(void *into, const char *value, struct err *e);
int attach_set_loopback(void *into, const char *value, struct err *e);
/* Checks the name of an engine. */
int attach_engine_parse(const char *value, const char **ret, struct err *e);
int attach_set_engine(void *into, const char *value, struct err *e);
int attach_set_to(void *into, const char *value, struct err *e);
int attach_set_not_to(void *into, const char *value, struct err *e);
int attach_set_alias(void *into, const char *value, struct err *e);
int attach_set_name(void *into, const char *value, struct err *e);

#define ATTACH_OPTS                                                                                \
	{'p', "publish", "SPEC", "publish a port or a range (repeatable)", attach_set_publish},    \
		{0, "network", "NAME", "network to attach to (default: default)",                  \
		 attach_set_network},                                                              \
		{0, "ip", "A", "this IPv4 address instead of a free one", attach_set_ip},          \
		{0, "ip6", "A", "this IPv6 address instead of a free one", attach_set_ip6},        \
		{0, "mac", "M", "MAC address inside (default: from the address)", attach_set_mac}, \
		{0, "mtu", "N", "MTU (default: the network's)", attach_set_mtu},                   \
		{0, "rate-in", "RATE", "limit towards the container, as 250mbit",                  \
		 attach_set_rate_in},                                                              \
		{0, "rate-out", "RATE", "limit from the container", attach_set_rate_out},          \
		{0, "to", "DEST[,...]",                                                            \
		 "PREFIX or NAME[:PORT[-PORT]]: there it may open connections to, and nowhere "    \
		 "else",                                                                           \
		 attach_set_to},                                                                   \
		{0, "not-to", "DEST[,...]", "and there it may not, whatever --to says",            \
		 attach_set_not_to},                                                               \
		{0, "host-loopback", "PROTO:PORT",                                                 \
		 "without root: open a port of the host's 127.0.0.1 at the gateway",               \
		 attach_set_loopback},                                                             \
		{0, "engine", "ENGINE", "without root, on no network: tap or relay, that or none", \
		 attach_set_engine},                                                               \
		{0, "alias", "NAME", "further name of it for its neighbours (repeatable)",         \
		 attach_set_alias},                                                                \
		{0, "ifname", "NAME", "interface name inside (default: eth0)", attach_set_ifname}, \
	{                                                                                          \
		0, "name", "ID", "name of the attachment (default: of TARGET, or pid-PID)",        \
			attach_set_name                                                            \
	}

/* Fills a request; strings and the port list are borrowed from o and t. */
int attach_request(const struct attach_opts *o, const struct target *t, struct up_request *ret,
		   struct err *e);
/* One that is up has other destinations than are asked for, and keeps them: ERR_CONFLICT. */
int attach_check_egress(const struct attach_opts *o, const struct attachment *a, struct err *e);
void attach_opts_free(struct attach_opts *o);

#endif
