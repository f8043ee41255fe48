/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv: the resolv.conf of a container, made from the host's. A nameserver is kept when a
 * container can reach it: an IPv4 or IPv6 address that is not loopback, unspecified, multicast or
 * IPv6 link-local (with a scope or without one: the link is the host's); an address of 127.0.0.0/8
 * in its IPv6-mapped form is loopback too. IPv4 link-local is kept, because clouds serve resolvers
 * there and the host routes to them. search and options are printed again from tokens that passed a
 * check; domain is printed as search, of which the last line counts; sortlist and everything else
 * is left out.
 */
#ifndef NETD_SYS_RESOLV_H
#define NETD_SYS_RESOLV_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define RESOLV_ETC "/etc/resolv.conf"
#define RESOLV_SYSTEMD "/run/systemd/resolve/resolv.conf"
#define RESOLV_MAX ((size_t)64 * 1024) /* bytes of a file that is read */

/* Pure: appends to out what a container may see of text, and returns the number of nameservers in
 * it. An allocation failure shows in out->failed. */
size_t resolv_filter(const char *text, size_t len, struct buf *out);

/* Reads first and, when that has no nameserver to keep, second (each may be absent; a regular file
 * of at most RESOLV_MAX bytes otherwise). Appends the text to out and returns the number of
 * nameservers in it. 0: neither file has any, which the caller warns of; out then has what first
 * says on search and options. */
int resolv_load(const char *first, const char *second, struct buf *out, struct err *e);

#endif
