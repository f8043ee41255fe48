/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir: opens the state directory, decides whether its content belongs to this boot and this host
 * namespace, and removes it again when nothing is left in it.
 *
 * Made in the order DIR, lock, identity; subdirectories follow when they are needed. Removed in the
 * order subdirectories, identity, lock, DIR. So a directory without identity holds no state,
 * whoever was killed half way, and a lock file without a name says that the store was removed:
 * whoever waited for it begins again.
 */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/parse.h"
#include "store/file.h"
#include "sys/lock.h"

#define ATTACH_TRIES 1000
#define LOCK_NAME "lock"
#define IDENT_NAME "identity"
#define UUID_LEN (BOOT_ID_STRLEN - 1)

/* Results of the steps below, besides 0 and negative errors. */
enum { STEP_ABSENT = 1, STEP_AGAIN = 2 };

const char *const dir_sub_name[N_SUB] = {
	[SUB_ATTACHMENTS] = "attachments",
	[SUB_NETWORKS] = "networks",
	[SUB_CURSORS] = "cursors",
	[SUB_ADDRS] = "addrs",
	[SUB_PORTS] = "ports",
	[SUB_RANGES] = "ranges",
	[SUB_HOST] = "host",
	[SUB_MEMBERS] = "members",
};

/* In the order of removal: a directory without identity holds no state, and the lock goes last. */
const char *const dir_file_name[N_DIR_FILES] = {
	".generation", "generation", ("." IDENT_NAME), IDENT_NAME, LOCK_NAME,
};

int dir_ctx(const struct store *s, enum store_sub sub, const char *name, int r, struct err *e)
{
	return err_ctx(e, r, "%s/%s%s%s", s->path, dir_sub_name[sub], name ? "/" : "",
		       name ? name : "");
}

static void dir_close_subs(struct store *s)
{
	for (int i = 0; i < N_SUB; i++)
		fd_closep(&s->sub[i]);
	s->fresh = 0;
}

int dir_sub(struct store *s, enum store_sub sub, bool create, int *ret, struct err *e)
{
	const unsigned int bit = s->is_locked ? 1u << sub : 0;
	bool is_fresh = s->fresh & bit;
	struct stat st;
	int r = 0;

	if (!is_fresh && s->sub[sub] >= 0 && (fstat(s->sub[sub], &st) < 0 || st.st_nlink == 0))
		fd_closep(&s->sub[sub]);
	if (is_fresh && s->sub[sub] < 0 && !create)
		return 1;
	if (s->sub[sub] < 0)
		r = file_open_dir(s->dirfd, dir_sub_name[sub], create, &s->sub[sub], e);
	if (r < 0)
		return dir_ctx(s, sub, NULL, r, e);
	s->fresh |= bit;
	if (r == 0)
		*ret = s->sub[sub];
	return r;
}

static int count_plain(const char *name, void *arg)
{
	(void)arg;
	return name[0] != '.'; /* stops at the first */
}

int dir_is_empty(struct store *s, struct err *e)
{
	static const enum store_sub matter[] = {SUB_ATTACHMENTS, SUB_NETWORKS, SUB_HOST};

	for (size_t i = 0; i < sizeof(matter) / sizeof(matter[0]); i++) {
		int fd = -1, r = dir_sub(s, matter[i], false, &fd, e);

		if (r == 0) {
			r = file_each(fd, count_plain, NULL, e);
			if (r > 0)
				return 0;
		}
		if (r < 0)
			return r;
	}
	return 1;
}

/* keep: bits of subdirectories that stay. */
static int remove_subs(struct store *s, unsigned int keep, struct err *e)
{
	struct err all = ERR_INIT;
	int first = 0;

	dir_close_subs(s);
	for (int i = 0; i < N_SUB; i++) {
		struct err one = ERR_INIT;
		int r = keep & 1u << i ? 0 : file_remove_tree(s->dirfd, dir_sub_name[i], &one);

		if (r < 0) {
			dir_ctx(s, (enum store_sub)i, NULL, r, &one);
			err_gather(&all, &one);
			first = first ? first : r;
		}
	}
	if (first < 0 && e)
		*e = all;
	return first;
}

int dir_remove_all(struct store *s, struct err *e)
{
	int r = remove_subs(s, 0, e);

	for (size_t i = 0; i < N_DIR_FILES && r == 0; i++) {
		r = file_remove_tree(s->dirfd, dir_file_name[i], e);
		if (r < 0)
			err_ctx(e, r, "%s/%s", s->path, dir_file_name[i]);
	}
	/* A mount point, a directory in somebody else's, or one with foreign files stays. */
	if (r == 0 && unlinkat(s->parentfd, s->base, AT_REMOVEDIR) == 0 && s->sync)
		fsync(s->parentfd);
	return r;
}

/* 0: same boot and host; 1: none there; 2: of another boot; 3: of another host namespace. */
enum { IDENT_SAME, IDENT_NONE, IDENT_BOOT, IDENT_HOST };

static int identity_read(struct store *s, uint64_t *ret_cookie, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	uint64_t cookie;
	size_t len;
	int r;

	r = file_get(s->dirfd, IDENT_NAME, &line, &len, e);
	if (r < 0)
		return err_ctx(e, r, "%s/" IDENT_NAME, s->path);
	if (r > 0)
		return IDENT_NONE;
	if (len < UUID_LEN + 2 || line[UUID_LEN] != ' ' ||
	    parse_u64(line + UUID_LEN + 1, 0, UINT64_MAX, &cookie) < 0)
		return err_set(e, ERR_PROTOCOL, 0, "%s/" IDENT_NAME ": not a boot id and a cookie",
			       s->path);
	*ret_cookie = cookie;
	if (memcmp(line, s->boot_id, UUID_LEN) != 0)
		return IDENT_BOOT;
	return cookie == s->host_cookie ? IDENT_SAME : IDENT_HOST;
}

static int identity_write(struct store *s, struct err *e)
{
	char line[UUID_LEN + 32];
	int n = snprintf(line, sizeof(line), "%s %llu", s->boot_id,
			 (unsigned long long)s->host_cookie);

	return err_ctx(e, file_put(s->dirfd, IDENT_NAME, line, (size_t)n, s->sync, e),
		       "%s/" IDENT_NAME, s->path);
}

/* Of another boot only the networks stay that somebody made by name. A process that is killed here
 * leaves the old identity, so the next one does it again. 1 when there are none. */
static int forget_boot(struct store *s, struct err *e)
{
	size_t n = 0;
	int r = remove_subs(s, 1u << SUB_NETWORKS, e);

	if (r == 0)
		r = netfile_forget(s, &n, e);
	return r < 0 ? r : n == 0;
}

/* Global lock held: makes the content that of this boot and host. */
static int settle(struct store *s, bool create, struct err *e)
{
	uint64_t cookie = 0;
	int what = identity_read(s, &cookie, e), r;

	if (what < 0 || what == IDENT_SAME)
		return what;
	if (what != IDENT_BOOT) {
		r = dir_is_empty(s, e);
		if (r < 0)
			return r;
		if (r == 0 && what == IDENT_HOST)
			return err_set(
				e, ERR_CONFLICT, 0,
				"state directory %s belongs to another host network namespace "
				"(cookie %llu, here %llu): use another directory",
				s->path, (unsigned long long)cookie,
				(unsigned long long)s->host_cookie);
		if (r == 0)
			return err_set(e, ERR_PROTOCOL, 0,
				       "%s/" IDENT_NAME " is missing, but there are records",
				       s->path);
	}
	r = what == IDENT_BOOT ? forget_boot(s, e) : 1;
	if (r == 1 && !create) {
		r = dir_remove_all(s, e);
		return r < 0 ? r : STEP_ABSENT;
	}
	if (r == 1)
		r = remove_subs(s, 0, e);
	if (r == 0)
		r = identity_write(s, e);
	if (r < 0 && what == IDENT_NONE)
		dir_remove_all(s, NULL); /* what this call has just made */
	return r;
}

static int open_dir(struct store *s, bool create, int *ret, struct err *e)
{
	struct stat st;
	int r = file_open_dir(s->parentfd, s->base, create, ret, e);

	if (r < 0) {
		if (create)
			unlinkat(s->parentfd, s->base, AT_REMOVEDIR); /* only if it is empty */
		return err_ctx(e, r, "state directory %s", s->path);
	}
	if (r > 0)
		return STEP_ABSENT;
	if (fstat(*ret, &st) < 0)
		return err_sys(e, errno, "state directory %s", s->path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_DENIED, 0, "state directory %s belongs to uid %u", s->path,
			       (unsigned)st.st_uid);
	if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
		return err_set(e, ERR_DENIED, 0,
			       "state directory %s is writable by others (mode %04o)", s->path,
			       (unsigned)(st.st_mode & 07777));
	return 0;
}

/* DIR without lock file, for a caller that makes nothing: nobody has got further than mkdir, or
 * somebody is at it. STEP_ABSENT when nothing is in it, 0 when there is. */
static int drop_bare(struct store *s, int dirfd, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	int r;

	if (unlinkat(s->parentfd, s->base, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return STEP_ABSENT;
	r = file_list(dirfd, &l, e);
	return r < 0 ? r : l.n == 0 ? STEP_ABSENT : 0;
}

/* The lock file is 0600: a reader without privilege must not be able to hold up the owner. Who may
 * not open it gets -1 and can read all the same. */
static int open_lock(struct store *s, int dirfd, bool create, int *ret, int *ret_sys, struct err *e)
{
	struct err why = ERR_INIT;
	int r = file_open_rw(dirfd, LOCK_NAME, false, 0600, ret, &why);

	if (r == STEP_ABSENT && !create) {
		r = drop_bare(s, dirfd, e);
		if (r != 0)
			return r;
		r = STEP_ABSENT;
	}
	if (r == STEP_ABSENT)
		r = file_open_rw(dirfd, LOCK_NAME, true, 0600, ret, &why);
	if (r == -ENOENT)
		return STEP_AGAIN; /* DIR was removed meanwhile */
	if (r == -EACCES || r == -EROFS || r == -EPERM) {
		/* An empty directory is the one just made: nothing that a reader could look at. */
		if (create && unlinkat(s->parentfd, s->base, AT_REMOVEDIR) == 0)
			return err_sys(e, -r, "%s/" LOCK_NAME, s->path);
		*ret_sys = -r;
		return 0;
	}
	if (r < 0) {
		if (e)
			*e = why;
		unlinkat(s->parentfd, s->base, AT_REMOVEDIR); /* only if it is empty */
		return err_ctx(e, r, "%s/" LOCK_NAME, s->path);
	}
	return 0;
}

static bool is_memory_fs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* The new descriptors take the place of the old ones. */
static int adopt(struct store *s, int *dirfd, int *lockfd, int lock_sys, struct err *e)
{
	dir_close_subs(s);
	if (s->dirfd < 0)
		s->dirfd = fd_take(dirfd);
	else if (dup3(*dirfd, s->dirfd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "state directory %s", s->path);
	/* In its place also when it is another file: a killed process lets go of its descriptors
	 * from the last number to the first, and what was opened under the lock must go before it.
	 */
	if (s->lockfd < 0 || *lockfd < 0) {
		fd_closep(&s->lockfd);
		s->lockfd = fd_take(lockfd);
	} else if (dup3(*lockfd, s->lockfd, O_CLOEXEC) < 0) {
		return err_sys(e, errno, "state directory %s", s->path);
	}
	s->lock_sys = lock_sys;
	s->sync = !is_memory_fs(s->dirfd);
	return 0;
}

static int attach_once(struct store *s, bool create, struct err *e)
{
	CLEAN_FD int dirfd = -1;
	CLEAN_FD int lockfd = -1;
	struct err why = ERR_INIT;
	uint64_t cookie;
	int lock_sys = 0, r;

	r = open_dir(s, create, &dirfd, e);
	if (r == 0)
		r = open_lock(s, dirfd, create, &lockfd, &lock_sys, e);
	if (r == 0)
		r = adopt(s, &dirfd, &lockfd, lock_sys, e);
	if (r != 0)
		return r;
	if (identity_read(s, &cookie, &why) == IDENT_SAME)
		return 0;
	/* Missing, foreign or damaged: look again where nobody can change it. */
	r = guard_lock_file(s, LOCK_GLOBAL, e);
	if (r != 0)
		return r < 0 ? r : STEP_AGAIN;
	r = settle(s, create, e);
	lock_drop(s->lockfd, LOCK_GLOBAL);
	return r;
}

int dir_attach(struct store *s, bool create, struct err *e)
{
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int r = attach_once(s, create, e);

		if (r != STEP_AGAIN)
			return r;
	}
	return err_set(e, ERR_BUSY, EAGAIN, "others keep removing the state directory %s", s->path);
}

/* Splits path into the parent, which may be reached through links, and the last component. */
static int split_path(const char *path, struct store *s, struct err *e)
{
	size_t len = strlen(path), at;
	char *parent;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (at = len; at > 0 && path[at - 1] != '/'; at--)
		;
	if (at == len)
		return err_set(e, ERR_USAGE, EINVAL, "state directory '%s'", path);
	s->path = strndup(path, len);
	s->base = strndup(path + at, len - at);
	parent = at ? strndup(path, at) : strdup(".");
	if (!s->path || !s->base || !parent) {
		free(parent);
		return err_sys(e, ENOMEM, "no memory for the store");
	}
	s->parentfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->parentfd < 0 && errno == EACCES)
		s->parentfd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	return s->parentfd < 0 ? -errno : 0;
}

int store_open(const char *dir, bool create, uint64_t host_cookie, const char *boot_id,
	       struct store **ret, struct err *e)
{
	struct store *s;
	int r;

	if (strlen(boot_id) != UUID_LEN)
		return err_set(e, ERR_INTERNAL, EINVAL, "boot id '%s'", boot_id);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, ENOMEM, "no memory for the store");
	json_prepare();
	s->parentfd = s->dirfd = s->lockfd = -1;
	for (int i = 0; i < N_SUB; i++)
		s->sub[i] = -1;
	s->lock_ms = STORE_LOCK_MS;
	s->host_cookie = host_cookie;
	memcpy(s->boot_id, boot_id, BOOT_ID_STRLEN);
	r = split_path(dir, s, e);
	if (r == -ENOENT && !create)
		r = STEP_ABSENT;
	else if (r < 0 && s->parentfd < 0 && s->path)
		err_sys(e, -r, "parent of the state directory %s", s->path);
	if (r == 0)
		r = dir_attach(s, create, e);
	if (r == 0)
		*ret = s;
	else
		store_closep(&s);
	if (r > 0)
		*ret = NULL;
	return r;
}

void store_closep(struct store **p)
{
	struct store *s = *p;

	if (!s)
		return;
	dir_close_subs(s);
	fd_closep(&s->lockfd); /* drops all locks */
	fd_closep(&s->dirfd);
	fd_closep(&s->parentfd);
	free(s->held);
	free(s->base);
	free(s->path);
	free(s);
	*p = NULL;
}

int store_dirfd(const struct store *s)
{
	return s->dirfd;
}

int store_lock_fd(const struct store *s)
{
	return s->lockfd;
}
