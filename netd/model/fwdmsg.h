/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwdmsg: the fixed-layout messages between the engine and the local forwarder, over a
 * SOCK_SEQPACKET socket at an abstract address (unix(7)), so that it belongs to one network
 * namespace. Requests are answered in order and may be sent ahead of the answers. An ADD carries
 * exactly one descriptor (SCM_RIGHTS): the bound socket that is reservation and listener at once (a
 * TCP one listens already, a UDP one has its PKTINFO option set). All integers in host order (both
 * ends run on one machine from one build; version is checked).
 */
#ifndef NETD_MODEL_FWDMSG_H
#define NETD_MODEL_FWDMSG_H

#include <stdint.h>

#include "model/addr.h"
#include "model/name.h"

#define FWDMSG_VERSION 1

/* The listening control socket as the forwarder finds it when it starts. */
#define FWDMSG_CONTROL_FD 3
/* "\0netns-up/forwarder/UID", UID: effective user of whoever started it */
#define FWDMSG_ADDRESS "netns-up/forwarder/"
#define FWDMSG_PROGRAM "netns-up-forwarder"

enum fwdmsg_op {
	FWDMSG_ADD =
		1,     /* serve this socket; identical (key, proto, host_ip, host_port): replaced */
	FWDMSG_REMOVE, /* close the socket of (key, proto, host_ip, host_port) and cut its flows;
			  proto 0: all of key. Nothing there: FWDMSG_OK as well */
	FWDMSG_LIST,   /* answered by one FWDMSG_ITEM a socket of key ("": of every key), then
			  FWDMSG_OK */
	FWDMSG_ITEM,
	FWDMSG_OK,
	FWDMSG_ERROR, /* sys says why; key is then the name of the step that failed, or "" */
};

struct fwdmsg {
	uint32_t version;
	uint32_t op;
	int32_t sys; /* errno of FWDMSG_ERROR */
	uint8_t proto;
	uint8_t pad[3];
	struct ip host_ip; /* what the socket is bound to; family 0: both */
	uint16_t host_port;
	uint16_t ctr_port;
	struct ip target[N_FAM]; /* the container's addresses; family 0: none */
	char key[KEY_STRLEN];    /* ID@IFNAME, NUL-terminated */
};

#endif
