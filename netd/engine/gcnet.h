/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gcnet: for the transactions that found an address or a port taken. */
#ifndef NETD_ENGINE_GCNET_H
#define NETD_ENGINE_GCNET_H

#include "engine/internal.h"

/* The dead may hold what the living need: true when a call that failed with `why` may be tried once
 * more. The caller holds no lock. */
bool gcnet_may_retry(struct engine *g, const char *network, const struct err *why);

#endif
