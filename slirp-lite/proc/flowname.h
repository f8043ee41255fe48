/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flowname: one conversation as JSON. Pure. */
#ifndef SLIRP_PROC_FLOWNAME_H
#define SLIRP_PROC_FLOWNAME_H

#include <jansson.h>

#include "stack/ctlmsg.h"

/* A new reference, NULL without memory. Nothing of it is trusted: unknown states have no name. */
json_t *flowname_json(const struct ctlmsg_flow *f);

#endif
