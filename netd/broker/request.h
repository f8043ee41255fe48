/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request: what client and daemon say to each other: one JSON object a message, of at most 64 KiB.
 *
 *     {"netd": 1, "verb": "attach", "id": "web", "ifname": "eth0", "network": "default",
 *      "ip": A, "ip6": A, "mac": M, "mtu": N, "publish": [SPEC...], "rateIn": N, "rateOut": N,
 *      "alias": [NAME...]}
 *
 * with the descriptors of the network namespace and, if there is one, of a process in it. A list
 * with "after": "ID@IFNAME" is as much of what comes after that one as fits into an answer, in the
 * order of these names ("": from the first one), and has "more": true when that is not all; with
 * "flows": true it tells how many connections each of their published ports has had. Keys
 * that a verb has no use for, unknown keys and keys given twice are refused. Answers are
 * {"ok": true, ...} or {"error": {"kind": K, "text": T}}, where each kind has one text. PURE.
 */
#ifndef NETD_BROKER_REQUEST_H
#define NETD_BROKER_REQUEST_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "broker/call.h"

#define REQUEST_VERSION 1
#define REQUEST_BYTES ((size_t)64 * 1024)
#define REQUEST_SOCKET "/run/netd/netd.sock"

/* Of a client's text. Fields that are not given get their defaults; slot and turn stay 0. */
int request_parse(const char *text, size_t len, struct call *ret, struct err *e);
/* The text of a call that passes call_check. */
int request_print(const struct call *c, struct buf *out, struct err *e);

/* The answer that an error gives. A client learns the kind, and which of the things that he named
 * himself it was (WHAT_NONE: it does not matter); the rest is for the log. */
void request_refusal(enum err_kind kind, enum err_what what, struct buf *out);
enum err_what request_what(const char *name); /* WHAT_NONE: there is none of that name; or NULL */

#endif
