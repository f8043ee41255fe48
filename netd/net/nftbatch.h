/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftbatch: element transactions encoded with libmnl (8-17 us, whatever the number of containers).
 * One NETLINK_NETFILTER socket; one batch is one transaction: all or nothing.
 */
#ifndef NETD_NET_NFTBATCH_H
#define NETD_NET_NFTBATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/elem.h"
#include "net/ruleset.h"

struct nftbatch;

int nftbatch_open(struct nftbatch **ret, struct err *e);
void nftbatch_closep(struct nftbatch **n);
#define CLEAN_NFTBATCH __attribute__((cleanup(nftbatch_closep)))
int nftbatch_fd(const struct nftbatch *n);
/* Tables that are held (nftshare.h) take writes from one socket alone. What the kernel refuses to
 * ours goes through that one: share (borrowed), or what is handed out at door; both may be NULL.
 * From then on every transaction does; questions never do. */
struct nftshare;
int nftbatch_use(struct nftbatch *n, const char *door, struct nftshare *share, struct err *e);

/* Adds all in one transaction. Key present with the same data: success (the kernel's rule). Present
 * with other data: -EEXIST, ERR_CONFLICT, *ret_bad (may be NULL) is the index of the element. Table
 * or set missing: -ENOENT, ERR_ABSENT. Too large for the socket buffer: SO_SNDBUFFORCE, else the
 * buffer is raised as far as allowed and the error says so. */
int nftbatch_add(struct nftbatch *n, const struct elem_list *l, size_t *ret_bad, struct err *e);
/* Deletes all in one transaction; elements that are not there (or a missing table) are no error:
 * the absent ones are left out and the rest is tried again. */
int nftbatch_del(struct nftbatch *n, const struct elem_list *l, struct err *e);
/* ret_has[i] tells whether element i exists with this data. Asks for the elements singly, no dump.
 */
int nftbatch_has(struct nftbatch *n, const struct elem_list *l, bool *ret_has, struct err *e);
/* ret[i]: how often element i has matched a packet; NFTBATCH_UNKNOWN: it is not there, or the
 * kernel does not count. */
#define NFTBATCH_UNKNOWN UINT64_MAX
int nftbatch_packets(struct nftbatch *n, const struct elem_list *l, uint64_t *ret, struct err *e);
/* Elements of timed sets, none twice: each is there for its timeout_s from now on, or longer if it
 * was to be, or as it was when that is no more than slack_s less. One transaction: none is missing
 * in between. */
int nftbatch_prolong(struct nftbatch *n, const struct elem_list *l, uint32_t slack_s,
		     struct err *e);
/* All elements of timed sets whose first key is one of these addresses go. */
int nftbatch_del_timed(struct nftbatch *n, const struct ip *own, size_t n_own, struct err *e);
/* 0: both tables are there with this version and owner in their comment, 1: absent, 2: another
 * version, or half of it, 3: another owner's. */
int nftbatch_tables(struct nftbatch *n, uint32_t version, uint32_t owner, struct err *e);
#define NFTBATCH_DORMANT 1u /* NFT_TABLE_F_DORMANT */
#define NFTBATCH_OWNER 2u   /* NFT_TABLE_F_OWNER, Linux 5.12 */
#define NFTBATCH_PERSIST 4u /* NFT_TABLE_F_PERSIST, Linux 6.9 */
struct nftbatch_table {
	bool is_there;
	uint32_t flags;                       /* NFTBATCH_OWNER, _PERSIST, _DORMANT */
	uint32_t owner;                       /* port of the socket that it belongs to; 0: none */
	char comment[RULESET_COMMENT_STRLEN]; /* "": none, or none of ours */
};
/* Of the inet table, then of the bridge table. */
int nftbatch_holders(struct nftbatch *n, struct nftbatch_table ret[2], struct err *e);
/* Makes both tables what they are without flags, with all that is in them, so that anybody may
 * change them: libnftables replaces no others. */
int nftbatch_release(struct nftbatch *n, struct err *e);
/* Gives both to the share of nftbatch_use, with `owner` and `persist`. 0: they are its; 1: there
 * are none; 2: they are another socket's. */
int nftbatch_adopt(struct nftbatch *n, struct err *e);
/* 1: the kernel knows both flags, 0: not. Leaves no trace. */
int nftbatch_can_hold(struct nftbatch *n, struct err *e);
/* The stand-in (RULESET_KEEP), which belongs to the share of nftbatch_use. can_keep: 1: the kernel
 * knows the flag `owner`, 0: not; leaves no trace. keeps: 1: it is there, belongs to that port and
 * has this comment; asks for no share. keep: makes it, or makes it anew, by messages of nftclone.h
 * (which may make other tables, too).
 * drop: 1 when there was none. */
int nftbatch_can_keep(struct nftbatch *n, struct err *e);
int nftbatch_keeps(struct nftbatch *n, uint32_t port, const char *comment, struct err *e);
int nftbatch_keep(struct nftbatch *n, const void *run, size_t len, struct err *e);
int nftbatch_keep_drop(struct nftbatch *n, struct err *e);
/* Deletes both tables. 1 when there were none. */
int nftbatch_drop_tables(struct nftbatch *n, struct err *e);

#endif
