/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gcnet: for the transactions that found an address or a port taken. */
#ifndef NETD_ENGINE_GCNET_H
#define NETD_ENGINE_GCNET_H

#include "engine/internal.h"

/* Takes away those attachments and leases of a network (NULL: of any) whose namespace or boot is
 * gone, and returns how many; what cannot be removed is left for gc to tell. The caller holds no
 * lock. */
size_t gcnet_heal(struct engine *g, const char *network);
/* The dead may hold what the living need: true when a call that failed with `why` may be tried once
 * more. */
bool gcnet_may_retry(struct engine *g, const char *network, const struct err *why);

#endif
