/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host: finds, makes, enters and ends a user's host. Ports are hostports.c's, processes keep.c's.
 * It never configures a network: that is the engine's, in it. Read user_namespaces(7), setns(2).
 */
#include "rootless/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "rootless/host_int.h"
#include "store/file.h"
#include "sys/outside.h"
#include "sys/sysctl.h"

#define HOST_DIR "host"

/* ---- opening ---- */

static int open_base(struct host *h, const char *dir, bool is_made, struct err *e)
{
	char base[ROOTLESS_DIR_MAX + 1];
	struct stat st;
	int n, r = dir_open(dir, !is_made, base, &h->base_fd, e);

	if (r != 0)
		return r;
	n = snprintf(h->path, sizeof(h->path), "%s/" HOST_DIR, base);
	if (n < 0 || (size_t)n >= sizeof(h->path))
		return err_set(e, ERR_USAGE, ENAMETOOLONG, "state directory %s", base);
	(void)snprintf(h->state, sizeof(h->state), "%s/" HOST_STATE, h->path);
	/* Who only looks leaves no lock behind where there is nothing to see. */
	if (!is_made && fstatat(h->base_fd, HOST_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : err_sys(e, errno, "%s", h->path);
	return dir_lock(h->base_fd, &h->lock_fd, e);
}

static int open_own(struct host *h, bool is_made, struct err *e)
{
	char path[ROOTLESS_DIR_MAX + 1];
	int r = rootless_open(h->path, !is_made, &h->uplink, e);

	return r == 0 ? dir_open(h->path, true, path, &h->fd, e) : r;
}

static void close_own(struct host *h)
{
	keep_close(&h->keep);
	h->keep = (struct keep)KEEP_INIT;
	rootless_closep(&h->uplink);
	fd_closep(&h->fd);
}

/* The uplink ends by itself when nobody keeps the namespaces; it is waited for. */
static int remove_all(struct host *h, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;

	if (h->uplink && rootless_down(h->uplink, UPLINK_ID, UPLINK_IFNAME, &one) < 0)
		err_gather(&all, &one);
	close_own(h);
	err_reset(&one);
	if (file_remove_tree(h->base_fd, HOST_DIR, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : -EIO;
}

static int make(struct host *h, struct err *e)
{
	int r = open_own(h, true, e);

	if (r == 0)
		r = keep_start(h->fd, e);
	if (r == 0)
		r = keep_find(h->fd, &h->keep, e);
	if (r > 0)
		r = err_set(e, ERR_KERNEL, 0, "the processes that keep the namespaces have ended");
	if (r < 0)
		(void)remove_all(h, NULL);
	return r;
}

static int find(struct host *h, bool is_made, bool *ret_was_lost, struct err *e)
{
	int r = open_own(h, false, e);

	if (r == 0)
		r = keep_find(h->fd, &h->keep, e);
	if (r <= 0)
		return r;
	/* Gone, or killed before it was on record. */
	*ret_was_lost = r == 2;
	if (h->fd >= 0) {
		r = remove_all(h, e);
		if (r < 0)
			return r;
	}
	return is_made ? make(h, e) : 1;
}

int host_open(const char *dir, bool is_made, struct host **ret, bool *ret_was_lost, struct err *e)
{
	CLEAN_HOST struct host *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_set(e, ERR_INTERNAL, ENOMEM, "state directory");
	*h = (struct host){
		.base_fd = -1, .lock_fd = -1, .fd = -1, .keep = KEEP_INIT, .lookout = LOOKOUT_INIT};
	*ret_was_lost = false;
	r = open_base(h, dir, is_made, e);
	if (r == 0)
		r = find(h, is_made, ret_was_lost, e);
	if (r == 0) {
		*ret = h;
		h = NULL;
	}
	return r;
}

void host_closep(struct host **p)
{
	struct host *h = *p;

	if (!h)
		return;
	lookout_end(&h->lookout);
	close_own(h);
	fd_closep(&h->lock_fd);
	fd_closep(&h->base_fd);
	free(h);
	*p = NULL;
}

/* Names are those of the engine's files (store/store.h). */
static bool has_record(const char *dir, const char *kind, const char *name)
{
	char base[ROOTLESS_DIR_MAX + 1], path[KEY_STRLEN + 64];
	CLEAN_FD int fd = -1;

	if (dir_open(dir, true, base, &fd, NULL) != 0)
		return false;
	(void)snprintf(path, sizeof(path), HOST_DIR "/" HOST_STATE "/%s/%s", kind, name);
	return faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool host_has_network(const char *dir, const char *network)
{
	return has_record(dir, "networks", network);
}

bool host_has_attachment(const char *dir, const char *id, const char *ifname)
{
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	return has_record(dir, "attachments", key);
}

const char *host_state_dir(const struct host *h)
{
	return h->state;
}

int host_end_fd(const struct host *h)
{
	return h->keep.pipe_fd;
}

/* ---- entering ---- */

/* Frames between containers of one network are the bridge's and its guard's; the hooks of IP, which
 * see them too where br_netfilter is loaded, have nothing to say about them and take their time. */
static void set_bridges(void)
{
	static const char *const keys[] = {"net/bridge/bridge-nf-call-iptables",
					   "net/bridge/bridge-nf-call-ip6tables",
					   "net/bridge/bridge-nf-call-arptables"};
	int value;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (sysctl_get_int(keys[i], &value, NULL) == 0 && value)
			(void)sysctl_set_int(keys[i], 0, NULL);
}

int host_enter(struct host *h, bool with_outside, struct err *e)
{
	int r = with_outside ? outside_start(e) : 0;

	if (r < 0)
		return r;
	if (h->keep.userns_fd >= 0 && setns(h->keep.userns_fd, CLONE_NEWUSER) < 0)
		return err_sys(e, errno, "enter the user namespace of the user's networks");
	if (setns(h->keep.netns_fd, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter the network namespace of the user's networks");
	set_bridges();
	return 0;
}

int host_stay(struct host *h, struct err *e)
{
	return lookout_start(&h->lookout, h->fd, e);
}

int host_leave(struct host *h, struct err *e)
{
	keep_close(&h->keep);
	h->keep = (struct keep)KEEP_INIT;
	fd_closep(&h->lock_fd);
	return unshare(CLONE_NEWNET) < 0 ? err_sys(e, errno, "new network namespace") : 0;
}

int host_return(struct host *h, struct err *e)
{
	int r = dir_lock(h->base_fd, &h->lock_fd, e);

	/* The directory of one that has ended has no record, whatever is in its place now. */
	if (r == 0)
		r = lookout_find(&h->lookout, &h->keep, e);
	if (r > 0)
		return 1;
	if (r == 0 && setns(h->keep.netns_fd, CLONE_NEWNET) < 0)
		r = err_sys(e, errno, "enter the network namespace of the user's networks");
	return r;
}

/* ---- the end ---- */

int host_end_if_unused(struct host *h, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	struct stat st;

	if (fstatat(h->fd, HOST_STATE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	/* The way out first, so that nobody is left who could ask for it; without a record it is
	 * not started again. */
	if (file_unlink(h->fd, UPLINK_FILE, false, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (rootless_down(h->uplink, UPLINK_ID, UPLINK_IFNAME, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (keep_stop(&h->keep, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (remove_all(h, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : -EIO;
}
