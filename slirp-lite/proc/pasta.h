/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta: the command line that clients of pasta(1) pass, for when slirp-lite is called by that
 * name. The values are those of struct options, and what only this form has. What cannot be done as
 * it is asked for is refused by name.
 *
 *     pasta [OPTION]... PID
 *     pasta [OPTION]... --netns PATH|NAME
 *     pasta [OPTION]... [COMMAND [ARG]...]
 */
#ifndef SLIRP_PROC_PASTA_H
#define SLIRP_PROC_PASTA_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"
#include "stack/config.h"

struct buf;
struct options;
struct template;

struct pasta {
	bool is_on; /* it was called by this name */
	bool is_foreground;
	char *const *command;              /* NULL: a target was named */
	char netns[PATH_MAX];              /* --netns NAME as a path */
	bool is_netns_only, is_netns_kept; /* --no-netns-quit */
	const char *pid_file;
	const char *interface; /* of the host, whose addresses and routes are copied; NULL: any */
	uint32_t mtu;          /* 0: the host's */
	uint64_t log_size;
	/* family 0, length 0: not said */
	struct ip addr[N_FAM], gateway[N_FAM], dns[N_FAM], loopback_at[N_FAM], host_at[N_FAM];
	uint8_t len[N_FAM];
	bool is_gateway_mapped;        /* --map-gw: the gateway's address is the host's loopback */
	bool is_only[N_FAM];           /* -4, -6 */
	bool has_tap, has_gateway_mac; /* a name for the interface, a MAC address of ours */
	struct mac gateway_mac;
	bool no_dhcp, no_dhcpv6, no_ndp, no_ra, no_tcp, no_udp, no_icmp;
	bool is_lo_to_lo; /* --host-lo-to-ns-lo */
	bool is_auto[2];  /* ports of TCP, UDP that programs in the namespace listen on */
	bool is_unknown;  /* while parsing: an option is none */
	bool is_dns_told; /* by DHCP and router advertisements */
	bool has_resolvers, has_dns_host; /* in place of resolv.conf: -D, --dns-host */
	struct resolvers resolvers;
};

/* Whether a program called by this argv[0] is to behave as pasta. */
bool pasta_is_name(const char *argv0);

/* As options_parse; 1: an option that is not known, which is worth a usage text. o->target is set
 * for all forms but COMMAND, where it is the caller's to set. */
int pasta_parse(int argc, char **argv, struct options *ret, struct err *e);
void pasta_help_text(const struct options *o, struct buf *out);

/* Pure: addresses, routes, services and policy from the options and from what the host has. Sets
 * o->tap and o->is_ipv6 too. ERR_USAGE when they cannot be had together. */
int pasta_config(struct options *o, const struct template *t, struct worker_config *ret,
		 struct err *e);

#endif
