/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * divert: policy routing that delivers marked packets here, whomever they are addressed to: what
 * transparent sockets need (the kernel's Documentation/networking/tproxy.rst).
 */
#ifndef NETD_NET_DIVERT_H
#define NETD_NET_DIVERT_H

#include <stdint.h>

#include "base/err.h"
#include "net/rtnl.h"

/* Queues a rule (packets with this mark look into this table) and the table's one route (everything
 * is local, on lo). What is there already counts as success. family: AF_INET, AF_INET6. */
int divert_add(struct rtnl_batch *b, uint8_t family, uint32_t mark, uint32_t table, struct err *e);
/* The rule alone, for a table with routes of the caller's. */
int divert_rule_add(struct rtnl_batch *b, uint8_t family, uint32_t mark, uint32_t table,
		    struct err *e);

#endif
