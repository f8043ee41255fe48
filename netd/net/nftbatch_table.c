/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftbatch_table: our two tables as a whole: whose they are, by their comment and by their flags.
 * A table with the flag `owner` takes writes from the socket that made it and from no other; with
 * `persist` it outlives that socket, without an owner then, until the next one takes it over.
 */
#include "net/nftbatch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libmnl/libmnl.h>

#include "base/clock.h"
#include "net/nftbatch_int.h"
#include "net/nftclone.h"
#include "net/nftmsg.h"
#include "net/nftshare.h"
#include "net/ruleset.h"

#define HELD (NFTBATCH_OWNER | NFTBATCH_PERSIST)
#define CLONE_MS 5000

struct tables {
	uint32_t first;
	unsigned int n_absent, n_match, n_other, n_foreign;
	char comment[RULESET_COMMENT_STRLEN];
	int error;
};

/* A comment that we did not write at all, or for another state directory. None is no owner: the
 * table was made anew by hand. */
static bool is_foreign(const char *its, const char *ours)
{
	const char *owner = strrchr(ours, ' '), *its_owner = strrchr(its, ' ');
	size_t name = strcspn(ours, " ") + 1;

	if (!*its)
		return false;
	return strncmp(its, ours, name) != 0 ||
	       (strlen(its) == strlen(ours) && strcmp(its_owner, owner) != 0);
}

static void note_table(const struct answer *a, void *ctx)
{
	struct tables *t = ctx;
	char comment[128];

	if (a->seq - t->first > 1)
		return;
	if (a->msg) {
		nftmsg_table_comment(a->msg, comment, sizeof(comment));
		if (strcmp(comment, t->comment) == 0)
			t->n_match++;
		else if (is_foreign(comment, t->comment))
			t->n_foreign++;
		else
			t->n_other++;
	} else if (a->error == ENOENT) {
		t->n_absent++;
	} else if (a->error) {
		t->error = a->error;
	}
}

int nftbatch_tables(struct nftbatch *n, uint32_t version, uint32_t owner, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
	struct tables t = {.first = n->seq};
	int r;

	ruleset_comment(version, owner, t.comment);
	nftmsg_table(&m, NFTMSG_GET, false);
	nftmsg_table(&m, NFTMSG_GET, true);
	r = nftbatch_ask(n, &m, 2, note_table, &t, e);
	if (r < 0)
		return r;
	/* What nfnetlink says for a subsystem that nobody has registered. */
	if (t.error == EINVAL || t.error == EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the kernel has no nf_tables (CONFIG_NF_TABLES)");
	if (t.error)
		return err_sys(e, t.error, "nftables: get table");
	if (t.n_absent + t.n_match + t.n_other + t.n_foreign != 2)
		return err_set(e, ERR_PROTOCOL, EPROTO, "nftables did not answer for a table");
	if (t.n_foreign)
		return 3;
	return t.n_match == 2 ? 0 : t.n_absent == 2 ? 1 : 2;
}

int nftbatch_drop_tables(struct nftbatch *n, struct err *e)
{
	bool gone[2] = {false, false};

	for (;;) {
		CLEAN_NFTMSG struct nftmsg m = {0};
		struct verdict v = {0};
		int errors[2] = {0}, r;
		unsigned int which[2] = {0}, k = 0;

		for (unsigned int i = 0; i < 2; i++) {
			if (!gone[i])
				which[k++] = i;
		}
		if (k == 0)
			return 1;
		nftbatch_begin(n, &m, &v, k);
		v.errors = errors;
		for (unsigned int i = 0; i < k; i++)
			nftmsg_table(&m, NFTMSG_DELETE, which[i] == 1);
		r = nftbatch_transact(n, &m, &v, e);
		if (r < 0 || !v.error)
			return r;
		if (v.error != ENOENT || v.bad >= k)
			return nftbatch_refused(&v, NULL, e);
		for (unsigned int i = 0; i < k; i++)
			gone[which[i]] |= errors[i] == ENOENT;
	}
}

/* ---- who holds them ---- */

struct flags {
	uint32_t first;
	struct nftbatch_table *t;
	unsigned int n;
	int error;
};

static void note_flags(const struct answer *a, void *ctx)
{
	struct flags *f = ctx;
	size_t i = a->seq - f->first;

	if (i > 1)
		return;
	f->n++;
	if (a->msg) {
		f->t[i].is_there = true;
		nftmsg_table_flags(a->msg, &f->t[i].flags, &f->t[i].owner);
		nftmsg_table_comment(a->msg, f->t[i].comment, sizeof(f->t[i].comment));
	} else if (a->error && a->error != ENOENT) {
		f->error = a->error;
	}
}

int nftbatch_holders(struct nftbatch *n, struct nftbatch_table ret[2], struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
	struct flags f = {.first = n->seq, .t = ret};
	int r;

	memset(ret, 0, 2 * sizeof(*ret));
	nftmsg_table(&m, NFTMSG_GET, false);
	nftmsg_table(&m, NFTMSG_GET, true);
	r = nftbatch_ask(n, &m, 2, note_flags, &f, e);
	if (r < 0)
		return r;
	if (f.error)
		return err_sys(e, f.error, "nftables: get table");
	return f.n == 2 ? 0
			: err_set(e, ERR_PROTOCOL, EPROTO, "nftables did not answer for a table");
}

/* 1: there are none; 2: the rules changed meanwhile. */
static int clone_once(struct nftbatch *n, uint32_t flags, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	int r = nftclone_build(n->fd, &n->seq, NULL, flags, &m, &v.n, e);

	if (r == -EAGAIN) {
		err_reset(e);
		return 2;
	}
	if (r != 0)
		return r;
	nftmsg_number(&m, n->seq);
	v.first = n->seq + 1;
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0 || !v.error)
		return r;
	return v.error == ERESTART || v.error == ENOENT ? 2 : nftbatch_refused(&v, NULL, e);
}

/* 1: there are none. */
static int clone_tables(struct nftbatch *n, uint32_t flags, struct err *e)
{
	uint64_t deadline = clock_ms() + CLONE_MS;
	struct err one = ERR_INIT;
	int r;

	do {
		err_reset(&one);
		r = clone_once(n, flags, &one);
	} while (r == 2 && clock_left(deadline) > 0);
	if (r == 2)
		return err_set(e, ERR_BUSY, EAGAIN, "others keep changing the rules");
	if (r < 0 && e)
		*e = one;
	return r;
}

int nftbatch_release(struct nftbatch *n, struct err *e)
{
	struct nftbatch_table t[2];
	int r = nftbatch_holders(n, t, e);

	if (r < 0 || !((t[0].flags | t[1].flags) & HELD))
		return r;
	r = clone_tables(n, 0, e);
	return r < 0 ? r : 0;
}

static struct nlmsghdr *open_table(struct nftmsg *m, uint16_t type, uint8_t family,
				   const char *name)
{
	struct nlmsghdr *h =
		nftmsg_open(m, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, family, 256);

	if (h)
		mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	if (h && type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(HELD));
	if (h)
		nftmsg_close(m, h);
	return h;
}

/* What a dead holder left: the flag alone is set again. */
static int take_over(struct nftbatch *n, const struct nftbatch_table t[2], struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	int r;

	nftbatch_begin(n, &m, &v, (size_t)t[0].is_there + t[1].is_there);
	for (int i = 0; i < 2; i++)
		if (t[i].is_there)
			open_table(&m, NFT_MSG_NEWTABLE, i ? NFPROTO_BRIDGE : NFPROTO_INET,
				   RULESET_TABLE);
	r = nftbatch_transact(n, &m, &v, e);
	return r < 0 || !v.error ? r : nftbatch_refused(&v, NULL, e);
}

int nftbatch_adopt(struct nftbatch *n, struct err *e)
{
	unsigned int n_there = 0, n_own = 0, n_left = 0;
	struct nftbatch_table t[2];
	int r = nftbatch_holders(n, t, e);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		bool is_owned = t[i].flags & NFTBATCH_OWNER;

		if (is_owned && t[i].owner != nftshare_port(n->share))
			return 2;
		n_there += t[i].is_there;
		n_own += is_owned;
		n_left += !is_owned && (t[i].flags & NFTBATCH_PERSIST);
	}
	if (n_there == 0)
		return 1;
	if (n_own == n_there)
		return 0;
	r = n_left == n_there ? take_over(n, t, e) : clone_tables(n, HELD, e);
	return r;
}

int nftbatch_can_hold(struct nftbatch *n, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	char name[64];
	int r;

	snprintf(name, sizeof(name), RULESET_TABLE "-try-%ld", (long)getpid());
	nftbatch_begin(n, &m, &v, 2);
	open_table(&m, NFT_MSG_NEWTABLE, NFPROTO_INET, name);
	open_table(&m, NFT_MSG_DELTABLE, NFPROTO_INET, name);
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0)
		return r;
	if (v.error == EPERM)
		return nftbatch_refused(&v, NULL, e);
	return v.error == 0;
}
