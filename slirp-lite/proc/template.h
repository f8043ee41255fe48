/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template: what of the host's network a namespace may be given a copy of: the address and the
 * router that the host itself uses towards the world, its MTU, its interface's name. Read once, by
 * netlink, in the caller's namespace; nothing is changed.
 */
#ifndef SLIRP_PROC_TEMPLATE_H
#define SLIRP_PROC_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"

struct template
{
	char ifname[IFNAME_STRLEN]; /* "": no way out */
	uint32_t mtu;               /* 0: likewise */
	/* By family; family 0: no way out, or no address fit for others to see. */
	struct prefix addr[N_FAM];
	struct ip gateway[N_FAM]; /* family 0: none, everybody is on the link */
	/* Of the networks that were asked about: the host has an address in it; the length that
	 * the host gives the very address, 0: it has not that address. */
	bool is_own[N_FAM];
	uint8_t own_len[N_FAM];
};

/* ifname: NULL for any; one that is not there is an error. wanted: addresses that the caller has in
 * mind, with their lengths (0: not known yet, then own_len or default_len counts); family 0: none.
 */
int template_read(const char *ifname, const struct prefix wanted[N_FAM], struct template *ret,
		  struct err *e);
/* The length of a network of this address when nobody says it: by its class (RFC 791 3.2), 64. */
uint8_t template_default_len(const struct ip *ip);

#endif
