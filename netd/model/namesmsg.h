/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * namesmsg: the fixed-layout messages between the engine and the names responder, over a
 * SOCK_SEQPACKET socket at an abstract address (unix(7)): it belongs to one network namespace. Each
 * request has one answer. A NETWORK brings the sockets that the responder is to listen on, bound by
 * the engine: for each family of listen[] a UDP one and a TCP one that listens, in this order. All
 * integers in host order (both ends run on one machine from one build; version is checked).
 */
#ifndef NETD_MODEL_NAMESMSG_H
#define NETD_MODEL_NAMESMSG_H

#include <stdint.h>

#include "model/addr.h"
#include "model/name.h"

#define NAMESMSG_VERSION 2

/* The listening control socket as the responder finds it when it starts, and its role: it is the
 * program of the local forwarder, told so by its first argument. */
#define NAMESMSG_CONTROL_FD 3
#define NAMESMSG_ROLE "names"
/* Told addresses after its role, it asks these instead of the host's resolvers, and ends when the
 * other end of the pipe at this descriptor is closed: a namespace that others keep is not held by
 * it. */
#define NAMESMSG_END_FD 4
/* "\0netns-up/names/UID", UID: effective user of whoever started it */
#define NAMESMSG_ADDRESS "netns-up/names/"

#define NAMESMSG_FDS (2 * N_FAM)
#define NAMESMSG_IPS 16

enum namesmsg_op {
	NAMESMSG_NETWORK = 1, /* serve this network. With sockets: on these, in place of others;
				 without: it is served already, and its settings change */
	NAMESMSG_DROP,        /* forget the network and its entries; "": all. Not there: fine */
	NAMESMSG_PUT,         /* the entry of (network, key): its addresses; it has no names yet */
	NAMESMSG_NAME,        /* one more name of it */
	NAMESMSG_REMOVE,      /* forget the entry; network "": in all networks. Not there: fine */
	NAMESMSG_ASK,         /* answered by what is known of network, and of key in it */
	NAMESMSG_LIST,        /* the next entry after (network, key) in the table's order at place
				 `at`; answered by ITEM, or OK at the end */
	NAMESMSG_ITEM,        /* network, key ("": the network itself), at: where to go on */
	NAMESMSG_KEEP,        /* who asks is the keeper: once this is answered by OK, it is sent
				 namesmsg_learn, each of which it answers by namesmsg_learned */
	NAMESMSG_OK,
	NAMESMSG_ERROR, /* sys says why; name is then the name of the step that failed, or "" */
};

struct namesmsg {
	uint32_t version;
	uint32_t op;
	int32_t sys; /* errno of NAMESMSG_ERROR */
	uint32_t uid;
	uint32_t at;
	uint32_t n_name; /* of an answer to ASK: that the entry has; 0 addresses: no entry */
	uint16_t port;   /* of listen[] */
	uint8_t is_internal;
	uint8_t n_ip;
	uint8_t is_kept;    /* PUT, ASK with a key: it may go to where names lead, so the keeper
			       hears of each answer before it does */
	uint8_t has_keeper; /* of an answer to ASK */
	struct ip listen[N_FAM]; /* family 0: none */
	/* PUT, and the answer to ASK with a key: addresses of the entry. NETWORK, and the answer to
	 * ASK without: subnets, len[] their prefix lengths. */
	struct ip ip[NAMESMSG_IPS];
	uint8_t len[NAMESMSG_IPS];
	char network[NETNAME_STRLEN];
	char key[KEY_STRLEN];
	char name[ALIAS_STRLEN];
};

/* The keeper is a process with privilege: it lets the container (network, key) reach what a name
 * led to just now, if the container may reach that name, by its own look at the record. */
#define NAMESMSG_LEARN_IPS 64
#define NAMESMSG_LEARN_NAME 256
struct namesmsg_learn {
	uint32_t version;
	uint32_t kind, index, gen; /* who waits: the responder's own */
	uint32_t n_ip;
	struct ip ip[NAMESMSG_LEARN_IPS];
	uint32_t ttl_s[NAMESMSG_LEARN_IPS];
	char network[NETNAME_STRLEN];
	char key[KEY_STRLEN];
	char name[NAMESMSG_LEARN_NAME]; /* that was asked for: lower case, no dot at the end */
};

struct namesmsg_learned {
	uint32_t version;
	uint32_t kind, index, gen;
	int32_t sys; /* 0: the container may hear the answer now; else errno */
};

#endif
