/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userns_map: writes the id maps of a new user namespace. What the kernel lets everybody map, the
 * caller's own id, needs no help; a range of subordinate ids needs the two set-user-ID helpers of
 * shadow, which check it against /etc/subuid and /etc/subgid themselves. They are started with
 * numbers as arguments and an empty environment. Read user_namespaces(7), newuidmap(1), subuid(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "sys/userns.h"

#define N_ALL 65536u
#define SUBID_MAX ((size_t)1024 * 1024) /* bytes of a file that is read */
#define HELPER_MS 5000

/* Where the helpers are looked for: not in PATH, which is the caller's to set. */
static const char *const helper_dirs[] = {"/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"};

static int write_proc(pid_t pid, const char *name, const char *text)
{
	CLEAN_FD int fd = -1;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A map is taken in one write or refused. */
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int map_self(pid_t pid, bool has_groups, struct err *e)
{
	char text[48];
	int r;

	if (has_groups)
		goto users;
	/* Without privilege the group map may be written only once setgroups(2) is off for good. */
	r = write_proc(pid, "setgroups", "deny");
	if (r < 0)
		return err_sys(e, -r, "/proc/%d/setgroups", (int)pid);
	(void)snprintf(text, sizeof(text), "0 %u 1", (unsigned)getegid());
	r = write_proc(pid, "gid_map", text);
	if (r < 0)
		return err_sys(e, -r, "/proc/%d/gid_map", (int)pid);
users:
	(void)snprintf(text, sizeof(text), "0 %u 1", (unsigned)geteuid());
	r = write_proc(pid, "uid_map", text);
	if (r < 0)
		return err_sys(e, -r, "/proc/%d/uid_map", (int)pid);
	return 0;
}

/* "user:first:count" */
static bool parse_line(const char *line, size_t len, const char *user, const char *number,
		       struct subids *ret)
{
	const char *colon = memchr(line, ':', len), *second;
	size_t n = colon ? (size_t)(colon - line) : 0, rest;
	uint64_t first, count;

	if (!colon)
		return false;
	if (!(user && n == strlen(user) && memcmp(line, user, n) == 0) &&
	    !(n == strlen(number) && memcmp(line, number, n) == 0))
		return false;
	rest = len - n - 1;
	second = memchr(colon + 1, ':', rest);
	if (!second)
		return false;
	n = (size_t)(second - colon - 1);
	if (parse_u64_n(colon + 1, n, 1, UINT32_MAX - 1, &first) < 0 ||
	    parse_u64_n(second + 1, rest - n - 1, 1, UINT32_MAX - first, &count) < 0)
		return false;
	*ret = (struct subids){(uint32_t)first, (uint32_t)count};
	return true;
}

bool userns_find_subids(const char *text, size_t len, const char *user, uint32_t uid,
			struct subids *ret)
{
	const char *end = text + len;
	char number[12];

	(void)snprintf(number, sizeof(number), "%u", uid);
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;

		if (parse_line(text, (size_t)(stop - text), user, number, ret))
			return true;
		text = stop + (nl ? 1 : 0);
	}
	return false;
}

static bool load_subids(const char *path, const char *user, uint32_t uid, struct subids *ret)
{
	CLEAN_FREE char *text = NULL;
	size_t len;

	return fd_read_file(AT_FDCWD, path, SUBID_MAX, &text, &len, NULL) == 0 &&
	       userns_find_subids(text, len, user, uid, ret);
}

/* Ends it when it takes too long. True: it ended with status 0. */
static bool await_helper(pid_t pid, int pidfd)
{
	int r = fd_await(pidfd, POLLIN, clock_ms() + HELPER_MS), status = -1;

	if (r <= 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return r > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* program PID 0 OWN 1 1 FIRST COUNT */
static bool run_helper(const char *program, pid_t pid, uint32_t own, const struct subids *s)
{
	char zero[] = "0", one[] = "1", text[4][12];
	char *const argv[] = {(char *)program, text[0], zero, text[1], one, one,
			      text[2],         text[3], NULL};
	static char *const env[] = {NULL};
	char path[64];
	CLEAN_FD int pidfd = -1;
	pid_t child;

	(void)snprintf(text[0], sizeof(text[0]), "%d", (int)pid);
	(void)snprintf(text[1], sizeof(text[1]), "%u", own);
	(void)snprintf(text[2], sizeof(text[2]), "%u", s->first);
	(void)snprintf(text[3], sizeof(text[3]), "%u", s->count);
	child = fork();
	if (child < 0)
		return false;
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		/* What it would print is told by our caller in its own words: the next map is
		 * tried.
		 */
		for (int fd = 0; fd < 3; fd++)
			if (null < 0 || dup2(null, fd) < 0)
				_exit(127);
		(void)close_range(3, ~0U, 0);
		for (size_t i = 0; i < sizeof(helper_dirs) / sizeof(helper_dirs[0]); i++) {
			(void)snprintf(path, sizeof(path), "%s/%s", helper_dirs[i], program);
			execve(path, argv, env);
		}
		_exit(127);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	return await_helper(child, pidfd);
}

/* False: there are no subordinate ids, or nobody to map them. *ret_has_groups: the group map is
 * written all the same. */
static bool map_sub(pid_t pid, unsigned *ret_n_ids, bool *ret_has_groups)
{
	struct passwd pw, *found = NULL;
	struct subids uids, gids;
	char space[4096];

	if (getpwuid_r(geteuid(), &pw, space, sizeof(space), &found) != 0)
		found = NULL;
	if (!load_subids("/etc/subuid", found ? pw.pw_name : NULL, geteuid(), &uids) ||
	    !load_subids("/etc/subgid", found ? pw.pw_name : NULL, geteuid(), &gids))
		return false;
	if (!run_helper("newgidmap", pid, getegid(), &gids))
		return false;
	*ret_has_groups = true;
	if (!run_helper("newuidmap", pid, geteuid(), &uids))
		return false;
	*ret_n_ids = uids.count + 1;
	return true;
}

/* Needs CAP_SETUID and CAP_SETGID here, and that the ids are mapped here themselves. */
static int map_all(pid_t pid, struct err *e)
{
	static const char all[] = "0 0 65536";
	int r;

	if (write_proc(pid, "uid_map", all) < 0)
		return 1;
	r = write_proc(pid, "gid_map", all);
	return r < 0 ? err_sys(e, -r, "/proc/%d/gid_map", (int)pid) : 0;
}

int userns_write_maps(pid_t pid, bool with_helpers, enum userns_map *ret, unsigned *ret_n_ids,
		      struct err *e)
{
	bool has_groups = false;
	int r = map_all(pid, e);

	if (r <= 0) {
		*ret = USERNS_MAP_ALL;
		*ret_n_ids = N_ALL;
		return r;
	}
	if (with_helpers && map_sub(pid, ret_n_ids, &has_groups)) {
		*ret = USERNS_MAP_SUB;
		return 0;
	}
	r = map_self(pid, has_groups, e);
	if (r < 0)
		return r;
	*ret = USERNS_MAP_SELF;
	*ret_n_ids = 1;
	return 0;
}
