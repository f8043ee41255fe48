/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gcnet: for the transactions that found no address left. */
#ifndef NETD_ENGINE_GCNET_H
#define NETD_ENGINE_GCNET_H

#include "engine/internal.h"

/* Takes away those attachments and leases of a network whose namespace or boot is gone, and returns
 * how many; what cannot be removed is left for gc to tell. The caller holds no lock. */
size_t gcnet_heal(struct engine *g, const char *network);

#endif
