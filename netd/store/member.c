/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * member: directories as counters. A name in members/NETWORK is one system call to enter and one to
 * leave whatever the number of containers, and a killed process leaves at most a name whose owner
 * has no record, which sweeping finds.
 */
#include "store/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "model/name.h"
#include "store/file.h"

#define MEMBERS "members"
#define GENERATION "generation"

struct path {
	char p[sizeof(MEMBERS) + 1 + NETNAME_STRLEN + 1 + KEY_STRLEN];
};

static struct path member_path(const char *network, const char *key)
{
	struct path r;

	if (key)
		snprintf(r.p, sizeof(r.p), MEMBERS "/%s/%s", network, key);
	else
		snprintf(r.p, sizeof(r.p), MEMBERS "/%s", network);
	return r;
}

static int see_any(const char *name, void *arg)
{
	(void)arg;
	return name[0] != '.';
}

/* 1 when the directory has no entry (or is not there), 0 when it has one. */
static int dir_is_empty(struct store *s, const char *path, struct err *e)
{
	CLEAN_FD int fd =
		openat(store_dirfd(s), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : err_sys(e, errno, "cannot open %s", path);
	int r = file_each(fd, see_any, NULL, e);
	return r < 0 ? err_ctx(e, r, "%s", path) : r == 0;
}

int member_peek(struct store *s, const char *network, struct err *e)
{
	struct path net = member_path(network, NULL);
	int r = dir_is_empty(s, net.p, e);

	if (r <= 0)
		return r < 0 ? r : MEMBER_OTHERS;
	/* An empty directory of this network does not count as a member of the host. */
	if (unlinkat(store_dirfd(s), net.p, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove %s", net.p);
	r = dir_is_empty(s, MEMBERS, e);
	if (r < 0)
		return r;
	return r ? MEMBER_FIRST_OF_HOST : MEMBER_FIRST_OF_NETWORK;
}

int member_has(struct store *s, const char *network, const char *key, struct err *e)
{
	struct path entry = member_path(network, key);
	struct stat st;

	if (fstatat(store_dirfd(s), entry.p, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, errno, "cannot look for %s", entry.p);
}

static int make_dir(struct store *s, const char *path, struct err *e)
{
	if (mkdirat(store_dirfd(s), path, 0755) < 0)
		return errno == EEXIST ? 0 : err_sys(e, errno, "cannot make directory %s", path);
	/* The caller's umask must not lock us out. */
	if (fchmodat(store_dirfd(s), path, 0755, 0) < 0)
		return err_sys(e, errno, "cannot set the mode of %s", path);
	return 0;
}

/* 0 when key is one of the network's now, or has been before; else -1 and errno. */
static int enter(struct store *s, const char *network, const char *key)
{
	struct path entry = member_path(network, key);
	int sys;

	if (symlinkat("-", store_dirfd(s), entry.p) == 0)
		return 0;
	sys = errno;
	if (sys == EEXIST && member_has(s, network, key, NULL) == 1)
		return 0;
	errno = sys;
	return -1;
}

int member_join(struct store *s, const char *network, const char *key, struct err *e)
{
	struct path net = member_path(network, NULL), entry = member_path(network, key);
	int first = MEMBER_OTHERS;

	/* The usual case, one call: the directory is there, so there are members. */
	if (enter(s, network, key) == 0)
		return first;
	if (errno != ENOENT)
		return err_sys(e, errno, "cannot enter %s", entry.p);
	first = member_peek(s, network, e);
	if (first < 0)
		return first;
	int r = make_dir(s, MEMBERS, e);
	if (r == 0)
		r = make_dir(s, net.p, e);
	if (r < 0)
		return r;
	if (enter(s, network, key) < 0)
		return err_sys(e, errno, "cannot enter %s", entry.p);
	return first;
}

int member_leave(struct store *s, const char *network, const char *key, struct err *e)
{
	struct path net = member_path(network, NULL), entry = member_path(network, key);

	if (unlinkat(store_dirfd(s), entry.p, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove %s", entry.p);
	if (unlinkat(store_dirfd(s), net.p, AT_REMOVEDIR) < 0) {
		if (errno == ENOTEMPTY || errno == EEXIST)
			return MEMBER_OTHERS;
		if (errno != ENOENT)
			return err_sys(e, errno, "cannot remove %s", net.p);
	}
	if (unlinkat(store_dirfd(s), MEMBERS, AT_REMOVEDIR) < 0) {
		if (errno == ENOTEMPTY || errno == EEXIST)
			return MEMBER_FIRST_OF_NETWORK;
		if (errno != ENOENT)
			return err_sys(e, errno, "cannot remove " MEMBERS);
	}
	unlinkat(store_dirfd(s), GENERATION, 0);
	return MEMBER_FIRST_OF_HOST;
}

struct network_walk {
	int (*fn)(const char *network, void *arg);
	void *arg;
};

static int see_network(const char *name, void *arg)
{
	struct network_walk *w = arg;

	return name[0] != '.' && name_check_network(name, "network name", NULL) == 0
		       ? w->fn(name, w->arg)
		       : 0;
}

int member_each_network(struct store *s, int (*fn)(const char *network, void *arg), void *arg,
			struct err *e)
{
	struct network_walk w = {.fn = fn, .arg = arg};
	CLEAN_FD int fd =
		openat(store_dirfd(s), MEMBERS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open " MEMBERS);
	return file_each(fd, see_network, &w, e);
}

struct member_walk {
	struct store *s;
	const char *begin;
	int (*fn)(const char *network, const char *key, void *arg);
	void *arg;
	struct err *e;
};

static int walk_network(const char *network, void *arg)
{
	CLEAN_NAMES struct file_names l = {0};
	struct member_walk *w = arg;
	struct path net = member_path(network, NULL);
	CLEAN_FD int fd =
		openat(store_dirfd(w->s), net.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(w->e, errno, "cannot open %s", net.p);
	int r = file_list_of(fd, w->begin, &l, w->e);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		if (l.name[i][0] != '.')
			r = w->fn(network, l.name[i], w->arg);
	return r;
}

int member_each(struct store *s, const char *begin,
		int (*fn)(const char *network, const char *key, void *arg), void *arg,
		struct err *e)
{
	struct member_walk w = {.s = s, .begin = begin, .fn = fn, .arg = arg, .e = e};

	return member_each_network(s, walk_network, &w, e);
}

static int prune_network(const char *network, void *arg)
{
	struct store *s = arg;
	struct path net = member_path(network, NULL);

	unlinkat(store_dirfd(s), net.p, AT_REMOVEDIR); /* only if it is empty */
	return 0;
}

bool member_any(struct store *s, const char *network)
{
	if (network && name_check_network(network, "network name", NULL) == 0) {
		struct path net = member_path(network, NULL);

		if (unlinkat(store_dirfd(s), net.p, AT_REMOVEDIR) < 0 &&
		    (errno == ENOTEMPTY || errno == EEXIST))
			return true;
	}
	member_each_network(s, prune_network, s, NULL);
	return unlinkat(store_dirfd(s), MEMBERS, AT_REMOVEDIR) < 0 && errno != ENOENT;
}

/* The number is a link's target: replaced by one rename, never half written. */
int member_generation(struct store *s, uint64_t *ret, struct err *e)
{
	char text[24];
	ssize_t n = readlinkat(store_dirfd(s), GENERATION, text, sizeof(text) - 1);

	if (n < 0 && errno != ENOENT && errno != EINVAL)
		return err_sys(e, errno, "cannot read " GENERATION);
	if (n < 0 || parse_u64_n(text, (size_t)n, 0, UINT64_MAX, ret) < 0)
		*ret = 0;
	return 0;
}

int member_raise_generation(struct store *s, struct err *e)
{
	uint64_t now;
	char text[24];
	int r = member_generation(s, &now, e);

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)now + 1);
	unlinkat(store_dirfd(s), ".generation", 0);
	if (symlinkat(text, store_dirfd(s), ".generation") < 0 ||
	    renameat(store_dirfd(s), ".generation", store_dirfd(s), GENERATION) < 0)
		return err_sys(e, errno, "cannot write " GENERATION);
	return 0;
}
