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

/* The tables of the namespace that the process is in. 1: there are none. */
static int read_rules(struct nftmsg *ret, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	int r = nftbatch_open(&n, e);

	return r < 0 ? r : nftclone_build_rules(nftbatch_fd(n), ret, e);
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
		return err_sys(e, -r, "waiting for the model ruleset");
	if (status != 0)
		return err_set(e, ERR_KERNEL, 0, "the model ruleset cannot be loaded");
	return 0;
}

struct run {
	const void *p;
	size_t len;
};

static void list_child(int to, const void *arg)
{
	const struct run *run = arg;
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	CLEAN_BUF struct buf list = BUF_INIT;

	nft_use_child(false);
	if (unshare(CLONE_NEWNET) < 0 || nftbatch_open(&n, NULL) < 0 ||
	    nftbatch_keep(n, run->p, run->len, NULL) < 0 || nft_list(&list, NULL) < 0 ||
	    list.failed || fd_write_all(to, list.p, list.len, NULL) < 0)
		_exit(1);
}

static int same_list(const struct run *a, const struct run *b, struct err *e)
{
	CLEAN_BUF struct buf x = BUF_INIT, y = BUF_INIT;
	int r = rules_child(list_child, a, &x, e);

	if (r >= 0)
		r = rules_child(list_child, b, &y, e);
	if (r < 0)
		return r;
	if (x.failed || y.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "rulesets");
	return x.p && y.p && strcmp(x.p, y.p) == 0;
}

/* Whether what is there is what should be there. */
static int compare(const struct buf *want, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg have = {0};
	int r = read_rules(&have, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (have.len == want->len && memcmp(have.p, want->p, want->len) == 0)
		return 1;
	return same_list(&(struct run){want->p, want->len}, &(struct run){have.p, have.len}, e);
}

/* What somebody changes while it is read may be missing from what was read; not each time. */
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
