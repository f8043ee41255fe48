/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: the state directory. It knows files, not networks.
 *
 *   DIR/identity            boot id and host namespace cookie the state belongs to
 *   DIR/lock                byte locks: 0 global, the others by hash of the attachment's key;
 *                           0600, so that nobody without privilege can hold it
 *   DIR/attachments/ID@IF   one record each: one line of JSON, then "crc32c XXXXXXXX\n"
 *   DIR/networks/NAME       the same for networks
 *   DIR/cursors/NAME        where the search for a free address goes on: a mere hint
 *   DIR/addrs/ADDRESS       symbolic link to "ID@IF": the claim on an address
 *   DIR/ports, DIR/ranges   symbolic links to "ID@IF": claims on host ports (see claim.h)
 *   DIR/host/...            what was changed on the host, its value before (see hostlog.h)
 *
 * State of another boot is void but for the networks that somebody made by name, which a persistent
 * directory keeps: opening the store then removes the rest under the global lock. State of
 * another host namespace in the same boot is refused. Files are replaced by write to a temporary
 * name and rename; a persistent directory (not tmpfs) is fsynced. RLIMIT_FSIZE and SIGXFSZ are
 * survived. A record whose CRC or content is wrong is never used: readers return ERR_PROTOCOL with
 * the name.
 *
 * Names that begin with "." are files being written, or left behind by a killed writer: readers
 * pass over them, the next writer of the same record or claim_sweep() removes them. Subdirectories
 * are made by the first writer that needs them. An open store outlives its removal by another
 * process: readers then find nothing, and whoever takes a lock next finds (or makes) the new one.
 */
#ifndef NETD_STORE_STORE_H
#define NETD_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attachment.h"
#include "model/network.h"

struct store;

/* Makes DIR (0755, parents must exist, files 0644) when create is set; else ERR_ABSENT is returned
 * as 1 with *ret NULL (what a killed process left of a store without any record, and the state of
 * another boot, are removed on the way). host_cookie: SO_NETNS_COOKIE of the namespace that is "the
 * host". */
int store_open(const char *dir, bool create, uint64_t host_cookie, const char *boot_id,
	       struct store **ret, struct err *e);
void store_closep(struct store **s);
#define CLEAN_STORE __attribute__((cleanup(store_closep)))
int store_dirfd(const struct store *s);
/* Of the lock file, for a process that acts for this one and must hold the locks until it ends,
 * even if this one dies: they last as long as somebody has the descriptor. Borrowed; -1 when there
 * is none. */
int store_lock_fd(const struct store *s);
/* Removes empty directories and files of the store, and DIR itself, when no attachment, no network
 * and no host change is left. Global lock held. 1: something is left, or another process holds the
 * lock of an attachment. After 0 the caller's own attachment locks are void. DIR itself stays,
 * empty, where it cannot be removed (a mount point). */
int store_remove_if_empty(struct store *s, struct err *e);

#define STORE_LOCK_MS 10000
/* Global lock; order: attachment lock first, then global. Not recursive. */
int store_lock(struct store *s, struct err *e);
void store_unlock(struct store *s);
/* The lock of one attachment; held until unlocked or the store is closed. */
int store_lock_key(struct store *s, const char *key, struct err *e);
void store_unlock_key(struct store *s, const char *key);
/* How long the two above wait; STORE_LOCK_MS to begin with. */
void store_set_lock_ms(struct store *s, int ms);

/* Records. Reading and deleting: 0, 1 when there is none, or negative. A put needs no other lock
 * than that of its attachment; networks are written under the global lock. */
int store_put_attachment(struct store *s, const struct attachment *a, struct err *e);
int store_get_attachment(struct store *s, const char *id, const char *ifname,
			 struct attachment **ret, struct err *e);
int store_del_attachment(struct store *s, const char *id, const char *ifname, struct err *e);
/* True also for a broken record: it may still own something. */
bool store_has_attachment(struct store *s, const char *key);
/* fn gets each valid record (borrowed) in name order; a broken one is reported through on_broken
 * (name, error; may be NULL) and skipped. fn returns non-zero to stop, which is passed on. */
int store_each_attachment(struct store *s, int (*fn)(const struct attachment *a, void *arg),
			  void (*on_broken)(const char *name, const struct err *why, void *arg),
			  void *arg, struct err *e);
/* Removes a broken record by name, for repair. */
int store_del_broken(struct store *s, const char *name, struct err *e);

int store_put_network(struct store *s, const struct network *n, struct err *e);
int store_get_network(struct store *s, const char *name, struct network *ret, struct err *e);
int store_del_network(struct store *s, const char *name, struct err *e);
/* In name order. A broken record does not keep the others from fn; its error is returned in the
 * end. */
int store_each_network(struct store *s, int (*fn)(const struct network *n, void *arg), void *arg,
		       struct err *e);

#endif
