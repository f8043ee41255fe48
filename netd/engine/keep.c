/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep: the stand-in: where our tables can be lost, a small one of the resident caller's own that
 * cannot, and keeps closed what is closed until the others are back. Its text is loaded into a
 * network namespace of a child's own, from where it is copied: libnftables could not make it belong
 * to our socket, and so there is no moment in which it belongs to nobody and would stay.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "net/conntrack.h"
#include "net/nft.h"
#include "net/nftclone.h"
#include "net/nftmsg.h"
#include "net/ruleset.h"
#include "sys/probe.h"

int keep_open(struct nftshare **ret, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	int r;

	if (!probe_allowed(PROBE_NFT_KEEP)) {
		err_set(e, ERR_UNSUPPORTED, 0, "%s is forced off", probe_name(PROBE_NFT_KEEP));
		return 1;
	}
	r = nftbatch_open(&n, e);
	if (r >= 0)
		r = nftbatch_can_keep(n, e);
	if (r == 0)
		err_set(e, ERR_UNSUPPORTED, 0,
			"the kernel lacks tables with an owner (Linux 5.12)");
	if (r == 1)
		r = nftshare_make(ret, e) < 0 ? 0 : 1;
	return r == 1 ? 0 : 1;
}

static void child(int to, const void *text)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	CLEAN_NFTMSG struct nftmsg m = {0};
	uint32_t seq = 1;
	size_t n_messages;

	nft_use_child(true);
	if (unshare(CLONE_NEWNET) < 0 || nft_run(text, NULL) < 0 || nftbatch_open(&n, NULL) < 0 ||
	    nftclone_build(nftbatch_fd(n), &seq, RULESET_KEEP, NFTBATCH_OWNER, &m, &n_messages,
			   NULL) != 0 ||
	    fd_write_all(to, m.p, m.len, NULL) < 0)
		_exit(1);
}

int keep_look(struct engine *g, struct kept *k, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = hostop_shared_elements(g, &l, e);

	if (r < 0)
		return r;
	ruleset_keep(&l, &k->text, k->comment);
	return k->text.failed ? err_set(e, ERR_INTERNAL, ENOMEM, "the stand-in") : 0;
}

static int open_writer(struct nftshare *share, struct nftbatch **ret, struct err *e)
{
	int r = nftbatch_open(ret, e);

	return r < 0 ? r : nftbatch_use(*ret, NULL, share, e);
}

int keep_drop(struct nftshare *share, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	int r = open_writer(share, &n, e);

	if (r >= 0)
		r = nftbatch_keep_drop(n, e);
	return r < 0 ? r : 0;
}

int keep_put(struct engine *g, const struct kept *k, struct nftshare *share, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	CLEAN_BUF struct buf run = BUF_INIT;
	int r;

	if (!k->text.p)
		return keep_drop(share, e);
	r = nftbatch_keeps(g->nft, nftshare_port(share), k->comment, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = open_writer(share, &n, e);
	if (r >= 0)
		r = rules_child(child, k->text.p, &run, e);
	if (r >= 0)
		r = nftbatch_keep(n, run.p, run.len, e);
	return r < 0 ? err_ctx(e, r, "the stand-in of the tables") : r;
}

void keep_clear(struct kept *k)
{
	buf_free(&k->text);
	free(k->ports);
}

/* ---- what began while the tables were gone ---- */

static int note_ports(const struct attachment *a, void *arg)
{
	struct kept *k = arg;
	struct publish *more;

	if (a->phase != ATTACH_COMMITTED || a->n_publish == 0)
		return 0;
	more = reallocarray(k->ports, k->n_ports + a->n_publish, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memcpy(more + k->n_ports, a->publish, a->n_publish * sizeof(*more));
	k->ports = more;
	k->n_ports += a->n_publish;
	return 0;
}

int keep_note_ports(struct engine *g, struct kept *k, struct err *e)
{
	return store_each_attachment(g->store, note_ports, NULL, k, e);
}

int keep_forget_flows(struct engine *g, const struct kept *k, struct err *e)
{
	if (k->n_ports == 0)
		return 0;
	return conntrack_flush(nftbatch_fd(g->nft), k->ports, k->n_ports, NULL, false, e);
}
