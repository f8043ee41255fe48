/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transparent: makes a network namespace ready for the kernel's own TCP on the container's side
 * (through/through.h in the worker): what containers that hang on the namespace open to the outside
 * ends in transparent sockets there. Called by the namespace helper, which is in the namespace and
 * has CAP_NET_ADMIN there for as long as it lives; what stays are two listeners.
 *
 * In the namespace: table inet slirp-lite, a routing rule for TRANSPARENT_MARK_IN with table
 * TRANSPARENT_TABLE, one for TRANSPARENT_MARK_BACK, and some of its sysctl values. All of it may be
 * there already, from a start before. Firewall rules of the namespace's owner must let pass: the
 * first packet of a connection on its way from the container to the tap (so forwarding is where
 * destinations are forbidden); to the input hook what carries TRANSPARENT_MARK_IN, from the output
 * hook TRANSPARENT_MARK_OUT. None of these are in conntrack. Clients of published ports come from
 * the output hook with TRANSPARENT_MARK_SHOWN, and have it as their connection's mark.
 */
#ifndef SLIRP_PROC_TRANSPARENT_H
#define SLIRP_PROC_TRANSPARENT_H

#include "base/err.h"
#include "base/buf.h"
#include "flow/plan.h"

#define TRANSPARENT_MARK_IN 0x736c0001u
#define TRANSPARENT_MARK_OUT 0x736c0002u
/* Of sockets here that have the address of a client of a published port: tracked, so that the
 * namespace's rules may lead what they send on to a container. */
#define TRANSPARENT_MARK_SHOWN 0x736c0003u
#define TRANSPARENT_TABLE 0x736c
/* Of connections that come in by the tap: their answers go back there, whatever their client's
 * address means in the namespace; it may be one of its own networks'. */
#define TRANSPARENT_MARK_BACK 0x736c0004u
#define TRANSPARENT_TABLE_BACK 0x736d

/* In the namespace, when the tap is configured. Listeners of the families that the plan has (else
 * -1), the caller's. What the kernel lacks is ERR_UNSUPPORTED or as the kernel says. */
int transparent_prepare(const char *tap, const struct plan *plan, int ret_listen[N_FAM],
			struct err *e);
/* Of that only what the tap engine has use for: connections that come in by the tap, published
 * ports', are answered by it, whatever address their client has. */
int transparent_lead_back(const char *tap, const struct plan *plan, struct err *e);
/* The firewall rules alone. Pure. ports: of the listeners. */
void transparent_rules(const char *tap, const struct plan *plan, const uint16_t ports[N_FAM],
		       struct buf *out);
void transparent_back_rules(const char *tap, struct buf *out);

#endif
