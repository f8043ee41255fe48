/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve: the names responder, as a role of the local forwarder's program. */
#ifndef SLIRP_NAMES_SERVE_H
#define SLIRP_NAMES_SERVE_H

#include <stddef.h>

/* Runs until no network is served and no engine is connected; the exit status. With n resolvers
 * (text) it asks these, and ends with the pipe as well: NAMESMSG_END_FD. */
int names_serve(char *const resolver[], size_t n);

#endif
