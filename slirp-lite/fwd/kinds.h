/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kinds: what else than connections and flows the forwarder's epoll instance watches. */
#ifndef SLIRP_LITE_FWD_KINDS_H
#define SLIRP_LITE_FWD_KINDS_H

#include "relay/watch.h"

enum {
	FWD_CONTROL = WATCH_OTHER, /* the listening control socket */
	FWD_REQUESTER,             /* a connection of the engine */
	FWD_PORT,                  /* a published socket */
};

#endif
