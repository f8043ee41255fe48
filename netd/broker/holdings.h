/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holdings: what each user holds: the back's own list of the attachments that it made for somebody,
 * and of those under way. It follows the records, which are written before anything is made and
 * carry the uid; it is filled from them at the start. Charges are counted from it.
 */
#ifndef NETD_BROKER_HOLDINGS_H
#define NETD_BROKER_HOLDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attachment.h"

struct holding {
	uint32_t uid;
	char id[ID_STRLEN]; /* with the user's prefix */
	char ifname[IFNAME_STRLEN];
	char network[NETNAME_STRLEN];
	uint32_t ifindex; /* of its link on the host; 0: not known yet */
	uint32_t n_ports;
	struct ip ip[N_FAM];                 /* family 0: none */
	bool has_egress;                     /* may not go everywhere */
	bool is_busy;                        /* somebody is at work on it */
	bool is_doomed;                      /* its namespace is gone: it is to be taken down */
	bool is_until_logout, is_logged_out; /* ends with its user's login; that has ended */
	bool is_stale; /* what the policy gives it may be something else by now */
};

struct holdings {
	struct holding *h; /* owned */
	size_t n, cap;
};

void holdings_clear(struct holdings *l);
struct holding *holdings_find(struct holdings *l, const char *id, const char *ifname);
/* Adds or replaces by name; h->uid must be the same. Pointers from before are void. */
int holdings_put(struct holdings *l, const struct holding *h, struct err *e);
void holdings_drop(struct holdings *l, const char *id, const char *ifname);
/* Both NULL: none. */
const struct holding *holdings_by_ip(const struct holdings *l, const struct ip *ip);
struct holding *holdings_by_link(struct holdings *l, uint32_t ifindex);

struct charge {
	uint32_t nics, ports;
};
/* Of a user, without the one of that name (NULL: of all). */
struct charge holdings_charge(const struct holdings *l, uint32_t uid, const char *but_id,
			      const char *but_ifname);
/* The record as a holding; false when it was made for nobody. */
bool holding_of(const struct attachment *a, struct holding *ret);

/* All that the records of the state directory say. */
int holdings_load(struct holdings *l, const char *state_dir, struct err *e);
/* Removes the state directory when nothing is on record and nothing else is in it. */
void holdings_tidy(const char *state_dir);

#endif
