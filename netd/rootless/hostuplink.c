/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostuplink: the way out of a user's host. It is one for all of his networks, so the first that
 * asks for an engine says it for all, until the last one goes; that is on record before the uplink
 * is started, and whoever starts it again goes by it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "rootless/host_int.h"
#include "rootless/keeper.h"

static int ask_for(struct host *h, const char *engine, struct uplink_record *u, struct err *e)
{
	if (!engine || strcmp(u->engine, engine) == 0)
		return 0;
	if (u->engine[0])
		return err_set(e, ERR_CONFLICT, EEXIST,
			       "your networks have one way out, for which the %s engine was asked "
			       "for already",
			       u->engine);
	h->before = *u;
	(void)snprintf(u->engine, sizeof(u->engine), "%s", engine);
	h->is_changed = true;
	return uplink_save(h->fd, u, e);
}

void host_uplink_unask(struct host *h)
{
	struct uplink_record u;

	if (h->is_changed && uplink_load(h->fd, &u, NULL) >= 0) {
		memcpy(u.engine, h->before.engine, sizeof(u.engine));
		(void)uplink_save(h->fd, &u, NULL);
	}
	h->is_changed = false;
}

/* ---- the process ---- */

/* Who keeps the host looks after the process that is on record. */
static int note(struct host *h, struct uplink_record *u, int32_t pid, struct err *e)
{
	uint64_t start = 0;

	(void)keep_start_time(pid, &start);
	if (u->pid == pid && u->start == start)
		return 0;
	u->pid = pid;
	u->start = start;
	return uplink_save(h->fd, u, e);
}

int host_note_names(struct host *h, int32_t pid, struct err *e)
{
	struct uplink_record u;
	uint64_t start = 0;
	int r = uplink_load(h->fd, &u, e);

	if (r < 0 || (pid == 0 && u.names_pid == 0))
		return r < 0 ? r : 0;
	if (pid != 0)
		(void)keep_start_time(pid, &start);
	if (u.names_pid == pid && u.names_start == start)
		return 0;
	u.names_pid = pid;
	u.names_start = start;
	return uplink_save(h->fd, &u, e);
}

/* One that was stopped would not answer, and all that is to be done would wait for it. */
static void wake(int32_t pid, uint64_t on_record)
{
	CLEAN_FD int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	uint64_t start;

	if (pidfd >= 0 && keep_start_time(pid, &start) == 0 && start == on_record)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
}

static int up(struct host *h, struct uplink_record *u, struct err *e)
{
	char path[40];
	struct rootless_state s = {0};
	struct rootless_request q = {.id = UPLINK_ID,
				     .ifname = UPLINK_IFNAME,
				     .path = path,
				     .netns_dev = h->keep.record.netns_dev,
				     .netns_ino = h->keep.record.netns_ino,
				     .engine = u->engine[0] ? u->engine : NULL,
				     .end_fd = h->keep.pipe_fd,
				     .flows_fd = h->keep.flows_fd};
	int r;

	wake(u->pid, u->start);
	wake(u->names_pid, u->names_start);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)h->keep.pid, KEEPER_NETNS);
	r = rootless_up(h->uplink, &q, &s, e);
	if (r >= 0 && note(h, u, s.pid, e) < 0)
		r = -EIO;
	rootless_state_clear(&s);
	return r;
}

int host_uplink(struct host *h, const char *engine, struct err *e)
{
	struct uplink_record u;
	int r = uplink_load(h->fd, &u, e);

	if (r >= 0)
		r = ask_for(h, engine, &u, e);
	if (r == 0)
		r = up(h, &u, e);
	if (r < 0) {
		host_uplink_unask(h);
		return err_ctx(e, r, "uplink of the user's networks");
	}
	if (r == 1)
		return 0;
	(void)hostports_again(h, e);
	return 1;
}

bool host_uplink_state(struct host *h, struct rootless_state *ret)
{
	return rootless_get(h->uplink, UPLINK_ID, UPLINK_IFNAME, ret, NULL) == 0;
}

int host_uplink_flows(struct host *h, json_t **ret, struct err *e)
{
	return rootless_ask(h->uplink, UPLINK_ID, UPLINK_IFNAME, "flows", ret, e);
}
