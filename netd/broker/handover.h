/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover: what a netd that replaces itself leaves for the program that comes after it in the same
 * process: one record of a fixed layout, in a sealed file of memory, beside the descriptors that it
 * names, which stay open across execve. It is checked before anything in it is believed. The same
 * record is shown to the new program for a trial, while the old one goes on serving.
 */
#ifndef NETD_BROKER_HANDOVER_H
#define NETD_BROKER_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/bucket.h"
#include "broker/front.h"

#define HANDOVER_MAGIC "netd-ho" /* with its NUL */
/* Another one for whatever changes in the record or in what is meant by it. */
#ifndef HANDOVER_LAYOUT
#define HANDOVER_LAYOUT 1
#endif
#define HANDOVER_ENV "NETD_HANDOVER" /* the number of its descriptor */
#define HANDOVER_CONNS FRONT_CONNS
#define HANDOVER_VERSION 32
#define HANDOVER_FILES 1024 /* numbers of descriptors are below it */

enum handover_fd {
	HANDOVER_LISTENER,
	HANDOVER_WATCH, /* of the tables */
	HANDOVER_DOOR,  /* -1, as the next two, where they are only watched */
	HANDOVER_NFT,
	HANDOVER_NFT_LOCK,
	HANDOVER_READY, /* of a trial: where its outcome is told; else -1 */
	N_HANDOVER_FDS
};

struct handover {
	char magic[8];
	uint32_t layout, size, crc; /* crc: of all of it with 0 in its place */
	uint32_t pid;               /* who wrote it */
	char version[HANDOVER_VERSION];
	uint64_t nonce;        /* for the answer of a trial */
	uint64_t wanted, caps; /* capabilities that the back would keep, and those that it has */
	uint64_t dev, ino, mended_ms;
	uint32_t filter; /* crc of the back's filter, which nothing takes off again */
	uint32_t look;   /* what of the tables is to be looked at */
	uint32_t is_trial, is_own, has_made_dir, has_tables; /* 0 or 1 */
	int32_t fd[N_HANDOVER_FDS];
	uint32_t n_conn;
	uint32_t watched;             /* what of the tables is being announced */
	int32_t conn[HANDOVER_CONNS]; /* clients whose request has not been read */
	struct buckets rate;
};

/* Of a trial, through HANDOVER_READY. */
struct handover_ready {
	char magic[8];
	uint64_t nonce;
	char version[HANDOVER_VERSION];
};

/* PURE: fills magic, layout, size and version; the crc comes last. */
void handover_begin(struct handover *h);
void handover_seal(struct handover *h);
/* ERR_UNSUPPORTED: another layout; ERR_PROTOCOL: damaged, or it makes no sense. */
int handover_check(const struct handover *h, size_t len, struct err *e);
bool handover_is_ready(const struct handover_ready *r, size_t len, uint64_t nonce);

/* handover_file.c. make: *ret_fd is close-on-exec. */
int handover_make(const struct handover *h, int *ret_fd, struct err *e);
/* What was left for this process; its descriptors are close-on-exec again. 1: nothing was. */
int handover_take(struct handover *ret, struct err *e);
/* All that is to stay open: FD_CLOEXEC is set, or taken off. 0 or -errno. */
int handover_mark(const struct handover *h, bool is_cloexec);

#endif
