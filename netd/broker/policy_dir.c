/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_dir: finds the policy's texts and decides whether they may be believed. It follows no
 * symbolic link, opens nothing that is not a plain file, and reads user and group names from
 * /etc/passwd and /etc/group alone: no name service is asked by a process with privilege.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "broker/policy.h"

#define NAMES_BYTES ((size_t)4 * 1024 * 1024)

static const struct policy_text *text_of(struct policy_users *u, bool is_group)
{
	struct policy_text *t = &u->of[is_group];

	if (!u->is_read[is_group]) {
		u->is_read[is_group] = true;
		if (fd_read_file(AT_FDCWD, is_group ? "/etc/group" : "/etc/passwd", NAMES_BYTES,
				 &t->p, &t->len, NULL) < 0)
			t->p = NULL;
	}
	return t->p ? t : NULL;
}

static int find_name(const char *name, bool is_group, uint32_t *ret, void *arg)
{
	const struct policy_text *t = text_of(arg, is_group);

	return t ? policy_find_id(t->p, t->len, name, ret) : -ENOENT;
}

int policy_users_find(struct policy_users *u, struct policy_subject *s)
{
	const struct policy_text *passwd = text_of(u, false), *group = text_of(u, true);

	return passwd && group ? policy_find_groups(passwd, group, s) : -ENOENT;
}

void policy_users_clear(struct policy_users *u)
{
	free(u->of[0].p);
	free(u->of[1].p);
	*u = (struct policy_users){0};
}

static int check_owner(int fd, bool is_dir, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat");
	if (is_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, 0, "it is no %s",
			       is_dir ? "directory" : "plain file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, ERR_DENIED, 0, "it belongs to uid %u, not to root", st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, ERR_DENIED, 0, "others than root may write it (mode %04o)",
			       st.st_mode & 07777);
	return 0;
}

static int read_one(int dir, const char *name, char **ret, size_t *ret_len, struct err *e)
{
	CLEAN_FD int fd =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0)
		return errno == ELOOP ? err_set(e, ERR_DENIED, 0, "it is a symbolic link")
				      : err_sys(e, errno, "open");
	r = check_owner(fd, false, e);
	return r < 0 ? r : fd_read_all(fd, POLICY_FILE_BYTES, ret, ret_len, e);
}

static int add_one(struct policy *p, int dir, const char *path, const char *name,
		   const struct policy_names *names, struct err *e)
{
	CLEAN_FREE char *text = NULL;
	struct err why = ERR_INIT;
	char full[256];
	size_t len = 0;

	if (snprintf(full, sizeof(full), "%s/%s", path, name) >= (int)sizeof(full))
		snprintf(full, sizeof(full), "%.255s", name);
	if (read_one(dir, name, &text, &len, &why) < 0)
		return policy_add_wrong(p, full, &why, e);
	return policy_add_text(p, full, text, len, names, e);
}

static int is_policy(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

/* By bytes, not by the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_all(const char *path, int dir, struct policy *p, struct err *e)
{
	struct policy_users users = {0};
	const struct policy_names names = {.find = find_name, .arg = &users};
	struct dirent **list = NULL;
	int n = scandirat(dir, ".", &list, is_policy, by_name), r = 0;
	struct err why = ERR_INIT;

	if (n < 0) {
		err_sys(&why, errno, "list");
		r = policy_add_wrong(p, path, &why, e);
	} else if (n > POLICY_FILES) {
		err_set(&why, ERR_QUOTA, 0, "more than %d files", POLICY_FILES);
		r = policy_add_wrong(p, path, &why, e);
	}
	for (int i = 0; i < n; i++) {
		if (r >= 0 && n <= POLICY_FILES)
			r = add_one(p, dir, path, list[i]->d_name, &names, e);
		free(list[i]);
	}
	free(list);
	policy_users_clear(&users);
	return r;
}

int policy_load(const char *path, struct policy *ret, struct err *e)
{
	CLEAN_POLICY struct policy p = {0};
	CLEAN_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct err why = ERR_INIT;
	int r = 0;

	if (dir >= 0)
		r = check_owner(dir, true, &why);
	else if (errno != ENOENT)
		r = err_sys(&why, errno, "open");
	if (r < 0)
		r = policy_add_wrong(&p, path, &why, e);
	else if (dir >= 0)
		r = load_all(path, dir, &p, e);
	if (r < 0)
		return r;
	*ret = p;
	p = (struct policy){0};
	return 0;
}
