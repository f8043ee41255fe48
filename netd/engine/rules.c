/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: are our tables, apart from their elements, what we load? The elements are looked at one by
 * one elsewhere; a rule that somebody flushed, removed or inserted shows in no element. What should
 * be there is loaded into a network namespace of a child's own. From there and from the host's it
 * is read as the messages that would make it anew: those of one kernel, so what is alike is alike
 * bit for bit. What is not may still mean the same, where another libnftables than ours loaded it:
 * both runs of messages are loaded into namespaces and listed by libnftables, which is the
 * authority. (In the host's it would list the elements too, and begin anew whenever somebody
 * changes one.) Costs a load of the text by libnftables: for check and gc only.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "engine/internal.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/nftclone.h"
#include "net/nftmsg.h"
#include "net/ruleset.h"

#define CHILD_MS 10000
#define TRIES 3

/* The tables of the namespace that the process is in. 1: there are none, or one sleeps: no chain of
 * it is asked, whatever it says, and no listing of ours shows it. */
static int read_rules(struct nftmsg *ret, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	struct nftbatch_table t[2];
	int r = nftbatch_open(&n, e);

	if (r >= 0)
		r = nftbatch_holders(n, t, e);
	if (r < 0)
		return r;
	if ((t[0].flags | t[1].flags) & NFTBATCH_DORMANT)
		return 1;
	return nftclone_build_rules(nftbatch_fd(n), ret, e);
}

static void child(int to, const void *owner)
{
	CLEAN_NFTMSG struct nftmsg m = {0};

	nft_use_child(false); /* it is one itself */
	if (unshare(CLONE_NEWNET) < 0 ||
	    hostop_load(*(const uint32_t *)owner, NULL, -1, NULL) < 0 ||
	    read_rules(&m, NULL) != 0 || fd_write_all(to, m.p, m.len, NULL) < 0)
		_exit(1);
}

int rules_child(void (*fn)(int to, const void *arg), const void *arg, struct buf *out,
		struct err *e)
{
	CLEAN_FD int from = -1, to = -1;
	int fds[2], status = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	from = fds[0];
	to = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		fn(to, arg);
		_exit(0);
	}
	fd_closep(&to);
	int r = fd_drain(from, clock_ms() + CHILD_MS, SIZE_MAX, out);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_sys(e, -r, "waiting for the child that loads rules");
	if (status != 0)
		return err_set(e, ERR_KERNEL, 0,
			       "rules cannot be loaded in a namespace of their own");
	return 0;
}

struct run {
	const void *p;
	size_t len;
};

/* Writes nothing when the tables cannot be made there: they need what only the host has, such as a
 * hook at one of its links, and nothing of ours does. */
static void list_child(int to, const void *arg)
{
	const struct run *run = arg;
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	CLEAN_BUF struct buf list = BUF_INIT;
	int r;

	nft_use_child(false);
	if (unshare(CLONE_NEWNET) < 0 || nftbatch_open(&n, NULL) < 0)
		_exit(1);
	r = nftbatch_keep(n, run->p, run->len, NULL);
	if (r < 0)
		_exit(r == -ENOMEM || r == -ENOBUFS);
	if (nft_list(&list, NULL) < 0 || list.failed ||
	    fd_write_all(to, list.p, list.len, NULL) < 0)
		_exit(1);
}

static int list(const void *p, size_t len, struct buf *ret, struct err *e)
{
	int r = rules_child(list_child, &(struct run){p, len}, ret, e);

	return r >= 0 && ret->failed ? err_set(e, ERR_INTERNAL, ENOMEM, "rulesets") : r;
}

/* Whether what is there is what should be there. *listed is that, once it was needed. */
static int compare(const struct buf *want, struct buf *listed, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg have = {0};
	CLEAN_BUF struct buf other = BUF_INIT;
	int r = read_rules(&have, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (have.len == want->len && memcmp(have.p, want->p, want->len) == 0)
		return 1;
	if (!listed->p)
		r = list(want->p, want->len, listed, e);
	if (r >= 0 && !listed->p)
		r = err_set(e, ERR_KERNEL, 0, "the model ruleset cannot be listed");
	if (r >= 0)
		r = list(have.p, have.len, &other, e);
	return r < 0 ? r : other.p && strcmp(listed->p, other.p) == 0;
}

/* What somebody changes while it is read may be missing from what was read; not each time. */
int rules_intact(struct engine *g, struct err *e)
{
	CLEAN_BUF struct buf want = BUF_INIT, listed = BUF_INIT;
	int r = rules_child(child, &g->owner, &want, e);

	if (r >= 0 && (want.failed || !want.p))
		r = err_set(e, ERR_INTERNAL, ENOMEM, "rulesets");
	if (r < 0)
		return r;
	r = 0;
	for (int i = 0; i < TRIES && r != 1; i++) {
		err_reset(e);
		r = compare(&want, &listed, e);
	}
	return r;
}
