/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: one interface of one container on one network: the content of a record, and the
 * result that callers see. A plain value but for the publish array, which it owns.
 */
#ifndef NETD_MODEL_ATTACHMENT_H
#define NETD_MODEL_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "model/name.h"
#include "model/network.h"
#include "model/publish.h"

enum attach_phase {
	ATTACH_INTENT, /* written before anything is created: everything in it may or may not exist
			*/
	ATTACH_COMMITTED, /* everything in it exists */
};

#define BOOT_ID_STRLEN 37
#define NETNS_PATH_MAX NAME_PATH_MAX

struct attachment {
	enum attach_phase phase;
	char id[ID_STRLEN];
	char ifname[IFNAME_STRLEN]; /* inside */
	char network[NETNAME_STRLEN];
	enum net_mode mode; /* of the network when made: teardown needs no network */
	char bridge[IFNAME_STRLEN];
	bool internal, isolate;
	char host_ifname[IFNAME_STRLEN];
	uint32_t host_ifindex; /* 0 until created */
	uint32_t ctr_ifindex;
	struct mac mac, host_mac;  /* inside, outside */
	struct prefix addr[N_FAM]; /* inside; len is the subnet's (bridge) or 32 / 128 (routed) */
	struct ip gateway[N_FAM];
	uint32_t mtu;
	uint64_t netns_cookie; /* SO_NETNS_COOKIE: never used twice in one boot */
	char boot_id[BOOT_ID_STRLEN];
	char netns_path[NETNS_PATH_MAX + 1]; /* as given (name_check_path), "" when there is
					      * none. A hint for check, which opens it and
					      * believes the cookie only */
	int64_t created;                     /* seconds since the epoch */
	size_t n_publish;
	struct publish *publish; /* host ports resolved; owned */
};

/* Zeroes and frees what it owns. Accepts NULL and half-built values. */
void attachment_clear(struct attachment *a);
void attachment_free(struct attachment *a); /* clear + free */
/* Appends n runs. -ENOMEM, or ERR_QUOTA above PUBLISH_MAX. */
int attachment_add_publish(struct attachment *a, const struct publish *p, size_t n, struct err *e);

void attachment_freep(struct attachment **a);
#define CLEAN_ATTACHMENT __attribute__((cleanup(attachment_freep)))

#endif
