/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftbatch_keep: the stand-in (ruleset_keep) in the kernel: a table with the flag `owner` alone. It
 * goes with its socket, and until then no flush of everything takes it away. Whoever wants it puts
 * the share that it is to belong to into nftbatch_use first.
 */
#include "net/nftbatch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libmnl/libmnl.h>

#include "net/nftbatch_int.h"
#include "net/nftmsg.h"
#include "net/nftshare.h"

static void put_table(struct nftmsg *m, uint16_t type, const char *name)
{
	struct nlmsghdr *h =
		nftmsg_open(m, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, NFPROTO_INET, 64);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	if (type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFTBATCH_OWNER));
	nftmsg_close(m, h);
}

int nftbatch_can_keep(struct nftbatch *n, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	char name[64];
	int r;

	snprintf(name, sizeof(name), RULESET_KEEP "-try-%ld", (long)getpid());
	nftbatch_begin(n, &m, &v, 2);
	put_table(&m, NFT_MSG_NEWTABLE, name);
	put_table(&m, NFT_MSG_DELTABLE, name);
	r = nftbatch_transact(n, &m, &v, e);
	return r < 0 ? r : v.error == 0;
}

struct kept {
	const char *comment;
	uint32_t port;
	bool is_same;
	int error;
};

static void note(const struct answer *a, void *ctx)
{
	char its[RULESET_COMMENT_STRLEN] = "";
	struct kept *k = ctx;
	uint32_t flags = 0, owner = 0;

	if (a->error && a->error != ENOENT)
		k->error = a->error;
	if (!a->msg)
		return;
	nftmsg_table_comment(a->msg, its, sizeof(its));
	nftmsg_table_flags(a->msg, &flags, &owner);
	k->is_same = (flags & NFTBATCH_OWNER) && owner == k->port && strcmp(its, k->comment) == 0;
}

int nftbatch_keeps(struct nftbatch *n, uint32_t port, const char *comment, struct err *e)
{
	struct kept k = {.comment = comment, .port = port};
	CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
	int r;

	put_table(&m, NFT_MSG_GETTABLE, RULESET_KEEP);
	r = nftbatch_ask(n, &m, 1, note, &k, e);
	if (r < 0)
		return r;
	return k.error ? err_sys(e, k.error, "nftables: get table") : k.is_same;
}

int nftbatch_keep(struct nftbatch *n, const void *run, size_t len, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	int r;

	nftbatch_begin(n, &m, &v, 0);
	r = nftmsg_append(&m, run, len);
	if (r < 0)
		return err_set(e, ERR_INTERNAL, EPROTO, "the messages of the stand-in");
	v.n = (size_t)r;
	nftmsg_number(&m, n->seq);
	r = nftbatch_transact(n, &m, &v, e);
	return r < 0 || !v.error ? r : nftbatch_refused(&v, NULL, e);
}

int nftbatch_keep_drop(struct nftbatch *n, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	int r;

	nftbatch_begin(n, &m, &v, 1);
	put_table(&m, NFT_MSG_DELTABLE, RULESET_KEEP);
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0 || !v.error)
		return r;
	return v.error == ENOENT ? 1 : nftbatch_refused(&v, NULL, e);
}
