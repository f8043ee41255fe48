/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nameservers: the host's resolvers, read from resolv.conf at start and again when it changes
 * (inotify on its directory and on that of the file a symbolic link leads to). Loopback resolvers
 * count: it is the host that asks them.
 */
#ifndef SLIRP_PROC_NAMESERVERS_H
#define SLIRP_PROC_NAMESERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stack/config.h"

#define NAMESERVERS_PATH "/etc/resolv.conf"

/* Pure: the nameserver lines of a resolv.conf, at most RESOLVERS_MAX, each once. ifindex_of tells
 * the index of an interface that a scope names, 0: there is none (the line is left out then). */
void nameservers_parse(const char *text, size_t len, uint32_t (*ifindex_of)(const char *name),
		       struct resolvers *ret);

/* Reads the file; one that is not there has no nameserver. */
int nameservers_load(const char *path, struct resolvers *ret, struct err *e);

bool nameservers_equal(const struct resolvers *a, const struct resolvers *b);

struct nameservers {
	int fd; /* readable when there may be something new; -1: not watched */
	const char *path;
	char link_dir[256]; /* directory that the file's link leads to, or "" */
};

#define NAMESERVERS_INIT                                                                           \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* ret must be NAMESERVERS_INIT. An error (a user may have so many inotify instances only) leaves it
 * usable: nothing is ever noticed then. */
int nameservers_watch(const char *path, struct nameservers *ret, struct err *e);
/* 1 when the list differs from *io, which is replaced then; 0 when not; or negative. */
int nameservers_changed(struct nameservers *n, struct resolvers *io, struct err *e);
void nameservers_close(struct nameservers *n);

#endif
