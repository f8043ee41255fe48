/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slot: the claims as values. A slot is what one symbolic link stands for: one port, or one
 * interval of ports, of one protocol and family, on one or every address of the host. Private to
 * the store.
 */
#ifndef NETD_STORE_SLOT_H
#define NETD_STORE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attachment.h"
#include "model/publish.h"
#include "store/dir.h"

struct slot {
	uint8_t proto;
	int fam;       /* FAM4, FAM6 */
	bool is_range; /* lives in ranges/ */
	uint16_t first, last;
	struct ip host; /* family 0: every address */
};

#define SLOT_STRLEN (IP_STRLEN + 32)

/* What p claims in family f (publish_covers(p, f) holds). A run that is no interval is several
 * links: then first and last are its ends and is_range is false. */
void slot_of(const struct publish *p, int f, struct slot *ret);
bool slot_overlaps(const struct slot *a, const struct slot *b);
/* "port 198.51.100.1:80/tcp", "port 10000-20000/udp (IPv6)" */
const char *slot_str(const struct slot *sl, char out[SLOT_STRLEN]);

/* File names: "tcp.4.8080" in ports/, "tcp.4.10000-20000.any" in ranges/. */
void slot_port_name(const struct slot *sl, uint16_t port, char out[SLOT_STRLEN]);
void slot_range_name(const struct slot *sl, char out[SLOT_STRLEN]);
/* And back: 0 or -EINVAL. inner: the name in the directory "tcp.4.8080", NULL for a link. */
int slot_parse_port(const char *name, const char *inner, struct slot *ret);
int slot_parse_range(const char *name, struct slot *ret);

/* Whose a claim is: 0 and the key ("" when the link's target is no key), 1 when nothing is there,
 * OWNER_DIR for a directory, or ERR_PROTOCOL when it is something else. */
#define OWNER_DIR 2
int owner_read(int dirfd, const char *name, char ret[KEY_STRLEN], struct err *e);

/* How far an owner's claims are good. OWNER_DEAD: he has no record, and nobody is at work on him.
 * OWNER_LIVE: they are good (he is being worked on, or his record cannot be read). OWNER_RECORD:
 * those his record lists are good, the others are left over from a killed process. */
enum owner_state { OWNER_DEAD, OWNER_LIVE, OWNER_RECORD };
enum owner_state owner_state(struct store *s, const char *key, struct attachment **ret);
bool owner_lists_addr(const struct attachment *a, const struct ip *ip);
bool owner_lists_slot(const struct attachment *a, const struct slot *sl);

/* ERR_INTERNAL unless the global lock is held and key is one. */
int owner_check_call(const struct store *s, const char *key, struct err *e);

#endif
