/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: are our tables, apart from their elements, what we load? The elements are looked at one by
 * one elsewhere; a rule that somebody flushed, removed or inserted shows in no element. What should
 * be there is loaded into a network namespace of a child's own, and what is there is copied into
 * another one, without elements: both are listed by libnftables, which is the authority, and have
 * the same form. (In the host's it would begin anew whenever somebody changes anything while it
 * reads, elements and all, and not come to an end.) Costs tens of milliseconds: for check and gc
 * only.
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

static void child(int to, const void *owner)
{
	CLEAN_BUF struct buf list = BUF_INIT;

	nft_use_child(true);
	if (unshare(CLONE_NEWNET) < 0 ||
	    hostop_load(*(const uint32_t *)owner, NULL, -1, NULL) < 0 ||
	    nft_list(&list, NULL) < 0 || list.failed ||
	    fd_write_all(to, list.p, list.len, NULL) < 0)
		_exit(1);
}

static void copy_child(int to, const void *none)
{
	CLEAN_NFTBATCH struct nftbatch *from = NULL, *n = NULL;
	CLEAN_NFTMSG struct nftmsg m = {0};
	CLEAN_BUF struct buf list = BUF_INIT;
	int r;

	(void)none;
	nft_use_child(true);
	if (nftbatch_open(&from, NULL) < 0)
		_exit(1);
	r = nftclone_build_rules(nftbatch_fd(from), &m, NULL);
	if (r == 1)
		_exit(0); /* there are none */
	if (r < 0 || unshare(CLONE_NEWNET) < 0 || nftbatch_open(&n, NULL) < 0 ||
	    nftbatch_keep(n, m.p, m.len, NULL) < 0 || nft_list(&list, NULL) < 0 || list.failed ||
	    fd_write_all(to, list.p, list.len, NULL) < 0)
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
		return err_sys(e, -r, "waiting for the model ruleset");
	if (status != 0)
		return err_set(e, ERR_KERNEL, 0, "the model ruleset cannot be loaded");
	return 0;
}

/* Whether a copy of what is there is what should be there. */
static int compare(const struct buf *want, struct err *e)
{
	CLEAN_BUF struct buf have = BUF_INIT;
	int r = rules_child(copy_child, NULL, &have, e);

	if (r < 0)
		return r;
	if (have.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "rulesets");
	return have.p && strcmp(have.p, want->p) == 0;
}

/* What somebody changes while it is copied may be missing from the copy; not each time. */
int rules_intact(struct engine *g, struct err *e)
{
	CLEAN_BUF struct buf want = BUF_INIT;
	int r = rules_child(child, &g->owner, &want, e);

	if (r >= 0 && (want.failed || !want.p))
		r = err_set(e, ERR_INTERNAL, ENOMEM, "rulesets");
	if (r < 0)
		return r;
	r = 0;
	for (int i = 0; i < TRIES && r != 1; i++) {
		err_reset(e);
		r = compare(&want, e);
	}
	return r;
}
