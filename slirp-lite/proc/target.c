/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target: opens what the command line names, once, and watches it. It never enters the namespace;
 * that is setup.c's. Read pidfd_open(2), inotify(7), proc(5) on /proc/PID/mounts.
 */
#include "proc/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "sys/netns.h"
#include "sys/tun.h"
#include "sys/userns.h"

#define NAMES (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

static bool is_same(const struct stat *st, const struct target *t)
{
	return st->st_dev == t->dev && st->st_ino == t->ino;
}

/* A tap, a default route and an address of ours have no business in the host's own namespace. */
static int check_foreign(struct target *t, const char *name, struct err *e)
{
	struct stat st, own;

	if (fstat(t->netns_fd, &st) < 0 || stat("/proc/self/ns/net", &own) < 0)
		return err_sys(e, errno, "%s", name);
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	if (is_same(&own, t))
		return err_invalid(
			e, ERR_USAGE,
			"%s: that is the network namespace that slirp-lite runs in itself", name);
	return 0;
}

/* A path like /proc/PID/ns/net ends with its process, and no file system says so. */
static int watch_proc(struct target *t, const char *path)
{
	const char *rest = strncmp(path, "/proc/", 6) == 0 ? path + 6 : NULL;
	size_t n = rest ? strspn(rest, "0123456789") : 0;
	uint64_t pid;

	if (n == 0 || rest[n] != '/' || parse_u64_n(rest, n, 1, INT_MAX, &pid) < 0)
		return 1;
	t->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	return t->pidfd < 0 ? 1 : 0;
}

/* A symbolic link to a namespace can go without a change of mounts. */
static void watch_link(struct target *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEAN_FREE char *dir =
		slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return;
	t->names_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!dir || t->names_fd < 0 || inotify_add_watch(t->names_fd, dir, NAMES | IN_ONLYDIR) < 0)
		log_warn("%s: its removal will not be noticed: %s", path, strerror(errno));
}

/* Anything else that leads to a namespace is a mount, and nobody can take it away without changing
 * our mount table: unmounting is that, and so is unlinking where the mount is not seen. */
static int watch_path(struct target *t, const char *path, struct err *e)
{
	t->path = path;
	watch_link(t, path);
	do
		t->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	while (t->mounts_fd < 0 && errno == EINTR);
	return t->mounts_fd < 0 ? err_sys(e, errno, "/proc/self/mountinfo") : 0;
}

static int open_path(const struct options *o, struct target *t, struct err *e)
{
	struct stat st;
	int r = netns_open_path(o->target, &t->netns_fd, e);

	if (r == 0)
		r = check_foreign(t, o->target, e);
	if (r < 0)
		return r;
	r = o->is_netns_kept ? 0 : watch_proc(t, o->target);
	if (o->pasta.is_netns_kept)
		r = 0;
	if (r > 0)
		r = watch_path(t, o->target, e);
	/* Gone between the opening and the watch, or the number another process's by now: nothing
	 * would ever say so. */
	if (r == 0 && (stat(o->target, &st) < 0 || !is_same(&st, t)))
		return err_set(e, ERR_ABSENT, ENOENT, "%s", o->target);
	return r;
}

static int open_userns(const struct options *o, struct target *t, struct err *e)
{
	int r;

	if (o->pasta.is_netns_only)
		return 0;
	if (o->userns_path)
		return err_ctx(e, userns_open_path(o->userns_path, &t->userns_fd, e),
			       "--userns-path");
	r = userns_of(t->netns_fd, &t->userns_fd, e);
	return r < 0 ? r : 0;
}

int target_open(const struct options *o, struct target *t, struct err *e)
{
	char name[TUN_NAME_STRLEN];
	int r;

	t->kind = o->kind;
	switch (o->kind) {
	case TARGET_TAPFD:
		r = tun_check(o->target_fd, name, e);
		if (r < 0)
			return err_ctx(e, r, "FD");
		/* The number was lent to us: it is ours from now on. */
		t->tap_fd = o->target_fd;
		return fcntl(t->tap_fd, F_SETFD, FD_CLOEXEC) < 0 ? err_sys(e, errno, "FD") : 0;
	case TARGET_BESS: /* who will be there connects later */
		return 0;
	case TARGET_PID:
		r = netns_open_pid(o->target_pid, &t->netns_fd, &t->pidfd, e);
		if (r == 0)
			r = check_foreign(t, o->target, e);
		if (o->is_netns_kept)
			fd_closep(&t->pidfd);
		break;
	default:
		r = open_path(o, t, e);
	}
	return r < 0 ? r : open_userns(o, t, e);
}

void target_release(struct target *t)
{
	fd_closep(&t->netns_fd);
	fd_closep(&t->userns_fd);
}

void target_close(struct target *t)
{
	target_release(t);
	fd_closep(&t->tap_fd);
	fd_closep(&t->pidfd);
	fd_closep(&t->names_fd);
	fd_closep(&t->mounts_fd);
}

void target_poll(const struct target *t, struct pollfd p[TARGET_N_POLL])
{
	p[0] = (struct pollfd){.fd = t->pidfd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = t->names_fd, .events = POLLIN};
	p[2] = (struct pollfd){.fd = t->mounts_fd, .events = POLLPRI};
}

const char *target_ended(struct target *t, const struct pollfd p[TARGET_N_POLL])
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct stat st;

	if (p[0].revents)
		return "the process is gone";
	if (p[1].revents)
		/* What happened does not matter: the path is looked at. */
		while (read(t->names_fd, events, sizeof(events)) > 0)
			;
	if (!p[1].revents && !p[2].revents)
		return NULL;
	if (stat(t->path, &st) == 0 && is_same(&st, t))
		return NULL;
	return "the path is gone";
}
