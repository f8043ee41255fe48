/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve: the names responder, as a role of the local forwarder's program. */
#ifndef SLIRP_NAMES_SERVE_H
#define SLIRP_NAMES_SERVE_H

/* Runs until no network is served and no engine is connected; the exit status. */
int names_serve(void);

#endif
