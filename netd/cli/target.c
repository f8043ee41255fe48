/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target: from what a person types to a namespace descriptor and a name. A pid or a path is only
 * the way in. All digits is a pid, a slash makes it a path, anything else is the name of
 * /run/netns/NAME.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "model/name.h"
#include "sys/netns.h"

static bool is_pid(const char *s, pid_t *ret)
{
	uint32_t pid;

	if (parse_u32(s, 1, INT_MAX, &pid) < 0)
		return false;
	*ret = (pid_t)pid;
	return true;
}

/* "/proc/123/ns/net" -> 123 */
static bool is_proc_path(const char *s, pid_t *ret)
{
	char pid[16];
	int end = 0;

	return strncmp(s, "/proc/", 6) == 0 &&
	       sscanf(s, "/proc/%15[0-9]/ns/net%n", pid, &end) == 1 && end && s[end] == 0 &&
	       is_pid(pid, ret);
}

static bool all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

int cli_check_name(const char *s, const char *what, struct err *e)
{
	int r = name_check_id(s, what, e);

	if (r == 0 && all_digits(s))
		return err_invalid(e, ERR_USAGE,
				   "%s: expected more than digits, which are a pid, found \"%s\"",
				   what, s);
	return r;
}

int target_id(const char *s, struct target *ret, struct err *e)
{
	const char *base = strrchr(s, '/');
	pid_t pid;

	if (is_pid(s, &pid) || is_proc_path(s, &pid)) {
		snprintf(ret->id, sizeof(ret->id), "pid-%d", pid);
		snprintf(ret->path, sizeof(ret->path), "/proc/%d/ns/net", pid);
		return 0;
	}
	if (all_digits(s))
		return err_set(e, ERR_USAGE, 0, "%s: expected a pid between 1 and %d", s, INT_MAX);
	if (!base) {
		int r = name_check_id(s, "target", e);
		if (r < 0)
			return r;
		snprintf(ret->id, sizeof(ret->id), "%s", s);
		snprintf(ret->path, sizeof(ret->path), "/run/netns/%s", s);
		return 0;
	}
	if (name_check_id(base + 1, "target", NULL) == 0)
		snprintf(ret->id, sizeof(ret->id), "%s", base + 1);
	/* Only a hint for `check`; one that cannot be written down is left out. */
	if (name_check_path(s, "path", NULL) == 0)
		snprintf(ret->path, sizeof(ret->path), "%s", s);
	return 0;
}

int target_open(const char *s, struct target *ret, struct err *e)
{
	uint64_t cookie;
	pid_t pid;
	int r = target_id(s, ret, e);

	if (r < 0)
		return r;
	if (is_pid(s, &pid))
		r = netns_open_pid(pid, &ret->fd, NULL, e);
	else if (strchr(s, '/'))
		r = netns_open_path(s, &ret->fd, e);
	else
		r = netns_open_name(s, &ret->fd, e);
	if (r == -ENOENT && !strchr(s, '/') && !is_pid(s, &pid))
		return err_set(e, ERR_ABSENT, 0,
			       "%s: no such name in /run/netns; of a container give the pid", s);
	if (r < 0 || ret->id[0])
		return r;
	/* A path whose last part is no name: the namespace's own number is. */
	if (engine_cookie(ret->fd, &cookie, NULL) < 0) {
		struct stat st;

		/* Not ours to enter: what can be seen from outside. */
		if (fstat(ret->fd, &st) < 0)
			return err_sys(e, errno, "%s", s);
		cookie = st.st_ino;
	}
	snprintf(ret->id, sizeof(ret->id), "ns-%llx", (unsigned long long)cookie);
	return 0;
}

void target_close(struct target *t)
{
	fd_closep(&t->fd);
}

struct match {
	struct engine *g;
	const char *id, *ifname;
	uint64_t cookie;
	int n;
	int (*fn)(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e);
	void *arg;
	struct err *e;
	int r;
};

static void match_call(struct match *m, const char *id, const char *ifname)
{
	int r = m->fn(m->g, id, ifname, m->arg, m->e);

	m->n++;
	if (r < 0)
		m->r = r;
}

static int match_id(const char *id, const char *ifname, void *arg)
{
	struct match *m = arg;

	if (!m->ifname || strcmp(ifname, m->ifname) == 0)
		match_call(m, id, ifname);
	return 0;
}

static int match_cookie(const struct attachment *a, void *arg)
{
	struct match *m = arg;

	if (a->netns_cookie == m->cookie && (!m->ifname || strcmp(a->ifname, m->ifname) == 0))
		match_call(m, a->id, a->ifname);
	return 0;
}

static int each_of_id(struct engine *g, struct match *m, struct err *e)
{
	char begin[ID_STRLEN + 1];

	if (!m->id[0])
		return 0;
	snprintf(begin, sizeof(begin), "%.*s@", ID_MAX, m->id);
	return engine_each_name(g, begin, match_id, m, e);
}

int target_each(struct engine *g, const char *s, const char *ifname,
		int (*fn)(struct engine *g, const char *id, const char *ifname, void *arg,
			  struct err *e),
		void *arg, struct err *e)
{
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct match m = {.g = g, .id = s, .ifname = ifname, .fn = fn, .arg = arg, .e = e};
	int r = target_id(s, &t, e);

	if (r < 0)
		return r;
	m.id = t.id;
	r = each_of_id(g, &m, e);
	/* Attached under another name (`--name`): the namespace tells. */
	if (r >= 0 && m.n == 0 && target_open(s, &t, NULL) >= 0 &&
	    engine_cookie(t.fd, &m.cookie, NULL) >= 0)
		r = engine_each(g, match_cookie, NULL, &m, e);
	if (r < 0 || m.r < 0)
		return r < 0 ? r : m.r;
	return m.n;
}
