/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: are our tables, apart from their elements, what we load? The elements are looked at one by
 * one elsewhere; a rule that somebody flushed, removed or inserted shows in no element. What should
 * be there is loaded into a network namespace of a child's own. From there and from the host's it
 * is read as the messages that would make it anew: those of one kernel, so what is alike is alike
 * bit for bit. (libnftables would list it with its elements, and begin anew whenever somebody
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

	nft_use_child(false); /* this is one */
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

/* Whether what is there is what should be there. */
static int compare(const struct buf *want, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg have = {0};
	int r = read_rules(&have, e);

	if (r != 0)
		return r < 0 ? r : 0;
	return have.len == want->len && memcmp(have.p, want->p, want->len) == 0;
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
