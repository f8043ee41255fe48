/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump: reads a whole table of the kernel into plain values, then hands them out. Nothing is handed
 * out before the dump is complete, so the callback may use the socket, and a repeated dump shows no
 * value twice. Not for other rooms.
 */
#ifndef NETD_NET_DUMP_H
#define NETD_NET_DUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/rtnl.h"

struct dump_spec {
	const char *what;
	size_t size;     /* of an item, a plain value that is zeroed before parse */
	size_t key_size; /* leading bytes of an item that tell it from others */
	/* False: this message holds nothing of interest. */
	bool (*parse)(const struct nlmsghdr *h, void *item);
};

/* m is a request with NLM_F_DUMP; consumed. On a machine where the table changes faster than it can
 * be read, the union of five dumps is handed out: whatever was there all the time is in it, each
 * key once and as seen last. fn returns non-zero to stop; that value is returned, else 0 or a
 * negative errno. */
int dump_run(struct rtnl *r, struct nl_msg *m, const struct dump_spec *s,
	     int (*fn)(const void *item, void *arg), void *arg, struct err *e);

#endif
