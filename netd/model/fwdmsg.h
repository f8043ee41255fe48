/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwdmsg: the fixed-layout messages between the engine and the local forwarder, over a
 * SOCK_SEQPACKET socket. One request, one answer, in order. An ADD carries exactly one descriptor
 * (SCM_RIGHTS): the bound socket that is reservation and listener at once. All integers in host order
 * (both ends run on one machine from one build; version is checked).
 */
#ifndef NETD_MODEL_FWDMSG_H
#define NETD_MODEL_FWDMSG_H

#include <stdint.h>

#include "model/addr.h"
#include "model/name.h"

#define FWDMSG_VERSION 1

enum fwdmsg_op {
	FWDMSG_ADD = 1,	 /* serve this socket; identical (key, proto, host_port, host_ip): replaced */
	FWDMSG_REMOVE,	 /* stop all sockets of key whose proto and host_port match (0: all of key) */
	FWDMSG_LIST,	 /* answered by one FWDMSG_ITEM a socket, then FWDMSG_OK */
	FWDMSG_ITEM,
	FWDMSG_OK,
	FWDMSG_ERROR,
};

struct fwdmsg {
	uint32_t version;
	uint32_t op;
	int32_t sys;		 /* errno of FWDMSG_ERROR */
	uint8_t proto;
	uint8_t pad[3];
	struct ip host_ip;	 /* what the socket is bound to; family 0: both */
	uint16_t host_port;
	uint16_t ctr_port;
	struct ip target[N_FAM]; /* the container's addresses; family 0: none */
	char key[KEY_STRLEN];	 /* ID@IFNAME, NUL-terminated */
};

#endif
