/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir: what an open store is. Private to the store.
 *
 * The subdirectories are made by the first writer that needs one and may be removed by another
 * process with the whole store, so a descriptor is looked at (fstat) before it is used again; but
 * once only while the global lock is held, under which nobody else makes or removes one.
 */
#ifndef NETD_STORE_DIR_H
#define NETD_STORE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attachment.h"
#include "store/store.h"

enum store_sub {
	SUB_ATTACHMENTS,
	SUB_NETWORKS,
	SUB_CURSORS,
	SUB_ADDRS,
	SUB_PORTS,
	SUB_RANGES,
	SUB_HOST,
	SUB_MEMBERS, /* member.h */
	N_SUB,
};

#define LOCK_GLOBAL 0 /* the byte of the global lock; those of keys follow */

struct store {
	char *path; /* as given, for messages only */
	char *base; /* last component of path, within parentfd */
	int parentfd;
	int dirfd;  /* keeps its number when the store is made anew: store_dirfd() is lasting */
	int lockfd; /* -1: lock_sys tells why */
	int lock_sys;
	int lock_ms;
	int sub[N_SUB];
	unsigned int fresh; /* bit i: sub[i], absence (-1) included, was looked at under the lock */
	char made_cursor[NETNAME_STRLEN]; /* by this process, which may still come to nothing */
	bool sync;                        /* not a tmpfs */
	bool is_locked;
	uint64_t host_cookie;
	char boot_id[BOOT_ID_STRLEN];
	int64_t *held; /* sorted bytes of the attachment locks that this store holds */
	size_t n_held;
};

extern const char *const dir_sub_name[N_SUB];
#define N_DIR_FILES 5
extern const char *const dir_file_name[N_DIR_FILES];

/* Opens (create: makes) DIR and brings it to this boot and host: 0, 1 when there is none and create
 * is not set, or negative. Called again when another process has removed the store. */
int dir_attach(struct store *s, bool create, struct err *e);
/* Borrowed descriptor of a subdirectory in *ret. 1: absent and not to be made. */
int dir_sub(struct store *s, enum store_sub sub, bool create, int *ret, struct err *e);
/* 1 when no attachment, network or host change is left, 0 when there is. */
int dir_is_empty(struct store *s, struct err *e);
/* netfile.c: removes what is no network that somebody made by name (network.implicit is not set);
 * *ret_left: how many there are. No lock looked at. */
int netfile_forget(struct store *s, size_t *ret_left, struct err *e);
/* Removes all that the store owns, DIR too where it can be. Global lock held. */
int dir_remove_all(struct store *s, struct err *e);
/* "PATH/SUB/NAME" in front of the text; returns r. */
int dir_ctx(const struct store *s, enum store_sub sub, const char *name, int r, struct err *e);

/* The global lock on the descriptor that is open now, without looking whether it is still the
 * store's: 0, 1 when the lock file is no longer linked (then nothing is locked), or negative. */
int guard_lock_file(struct store *s, int64_t at, struct err *e);
/* True when another process, or another open of the store, holds the lock of key. */
bool guard_key_is_busy(const struct store *s, const char *key);

#endif
