/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unshare_split: RUN_SPLIT: the network namespace belongs to a user namespace of its own, the
 * command runs in another one inside of that, so root in it has no power over its network. A
 * short-lived process, the owner, is cloned into the outer user namespace and the network
 * namespace; it lets what runs inside bind low ports and ping, clones the child as the caller's own
 * (CLONE_PARENT), writes the inner id maps (every outer id to itself) and ends. Read clone(2),
 * user_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "sys/fdpass.h"
#include "sys/fork.h"
#include "sys/unshare.h"
#include "sys/unshare_int.h"
#include "sys/userns.h"

#define OWNER_MS 10000
#define MAP_MAX 4096

/* The owner's answer; with it comes the child's pidfd when there is a child. */
struct answer {
	int32_t pid;
	int32_t sys; /* what failed, 0 when all went well */
	char what[24];
};

/* ---- the owner's side ---- */

static int write_file(const char *path, const char *text)
{
	CLEAN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Reads "INSIDE OUTSIDE COUNT" lines of /proc/self/NAME and makes the map that gives every inside
 * id to itself. Returns the highest of them. */
static int same_map(const char *name, char out[MAP_MAX], uint64_t *ret_last)
{
	CLEAN_FREE char *text = NULL;
	char path[32], *save = NULL, *line;
	size_t len, used = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (fd_read_file(AT_FDCWD, path, MAP_MAX, &text, &len, NULL) < 0)
		return -EIO;
	*ret_last = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char first[16], count[16];
		uint64_t f, n;

		if (sscanf(line, " %15[0-9] %*[0-9] %15[0-9]", first, count) != 2 ||
		    parse_u64(first, 0, UINT32_MAX, &f) < 0 ||
		    parse_u64(count, 1, UINT32_MAX, &n) < 0)
			return -EPROTO;
		used += (size_t)snprintf(out + used, MAP_MAX - used, "%s %s %s\n", first, first,
					 count);
		if (used >= MAP_MAX)
			return -E2BIG;
		if (f + n - 1 > *ret_last)
			*ret_last = f + n - 1;
	}
	return used ? 0 : -EPROTO;
}

/* What the one inside can no longer set for itself. Where /proc/sys may not be written (inside
 * another container) it stays as it is: low ports and ping then need what they always needed. */
static void open_up(uint64_t last_gid)
{
	static const char ping[] = "/proc/sys/net/ipv4/ping_group_range";
	CLEAN_FREE char *text = NULL;
	unsigned long long last = 0;
	char range[48];
	size_t len;

	(void)snprintf(range, sizeof(range), "0 %llu", (unsigned long long)last_gid);
	(void)write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	(void)write_file(ping, range);
	/* A range is one of the host's groups: nobody is in it where the user's own is above his
	 * subordinate ones, and the kernel says so only to who reads it. Then root pings alone. */
	if (fd_read_file(AT_FDCWD, ping, MAP_MAX, &text, &len, NULL) == 0 &&
	    (sscanf(text, "0 %llu", &last) != 1 || last != last_gid))
		(void)write_file(ping, "0 0");
}

static int write_inner(pid_t pid, const char *name, const char *text)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return write_file(path, text);
}

static int make_inner(const struct run_spec *spec, const struct run_child *c, unsigned long flags,
		      int theirs, pid_t caller, int *ret_pidfd, struct answer *a)
{
	char uids[MAP_MAX], gids[MAP_MAX];
	uint64_t last_uid, last_gid;
	int r = same_map("uid_map", uids, &last_uid);
	pid_t pid;

	(void)snprintf(a->what, sizeof(a->what), "read the id maps");
	if (r == 0)
		r = same_map("gid_map", gids, &last_gid);
	if (r < 0)
		return r;
	open_up(last_gid);
	(void)snprintf(a->what, sizeof(a->what), "new namespaces");
	/* With CLONE_PARENT the signal at its end is the owner's own, SIGCHLD. */
	pid = fork_into((flags & ~(unsigned long)CLONE_NEWNET) | CLONE_NEWUSER | CLONE_PARENT,
			ret_pidfd);
	if (pid == 0)
		unshare_child(spec, c, theirs, caller);
	if (pid < 0)
		return -errno;
	a->pid = pid;
	(void)snprintf(a->what, sizeof(a->what), "write the id maps");
	r = write_inner(pid, "uid_map", uids);
	return r < 0 ? r : write_inner(pid, "gid_map", gids);
}

static _Noreturn void owner(const struct run_spec *spec, const struct run_child *c,
			    unsigned long flags, int theirs, int channel, pid_t caller)
{
	struct answer a = {0};
	char word = 0;
	int pidfd = -1;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != caller)
		_exit(RUN_STATUS_SELF);
	if (recv(channel, &word, 1, 0) != 1)
		_exit(RUN_STATUS_SELF);
	a.sys = -make_inner(spec, c, flags, theirs, caller, &pidfd, &a);
	(void)fdpass_send(channel, &a, sizeof(a), &pidfd, pidfd >= 0);
	_exit(0);
}

/* ---- the caller's side ---- */

static int hear(int channel, struct answer *ret, int *ret_pidfd, struct err *e)
{
	int r = fd_await(channel, POLLIN, clock_ms() + OWNER_MS);
	ssize_t n;

	if (r < 0)
		return err_sys(e, -r, "poll");
	if (r == 0)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "owner of the network namespace");
	n = fdpass_recv(channel, ret, sizeof(*ret), ret_pidfd, 1);
	if (n != (ssize_t)sizeof(*ret))
		return err_set(e, ERR_KERNEL, 0, "owner of the network namespace: it ended early");
	ret->what[sizeof(ret->what) - 1] = '\0';
	return 0;
}

static int instruct(pid_t pid, int channel, struct run_child *c, struct err *e)
{
	enum userns_map map;
	struct answer a = {0};
	const char word = RUN_GO;
	int pidfd = -1;
	int r = userns_write_maps(pid, true, &map, &c->n_ids, e);

	if (r < 0)
		return r;
	if (send(channel, &word, 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "owner of the network namespace");
	r = hear(channel, &a, &pidfd, e);
	if (r < 0)
		return r;
	/* From here on it is the caller's to end and reap, whatever else failed. */
	if (pidfd >= 0) {
		c->pid = a.pid;
		c->pidfd = pidfd;
	}
	if (a.sys && !a.pid)
		return unshare_refused(RUN_SPLIT, a.sys, e);
	if (a.sys)
		return err_sys(e, a.sys, "%s", a.what);
	return pidfd >= 0 ? 0 : err_set(e, ERR_INTERNAL, EPROTO, "owner of the network namespace");
}

int unshare_split(const struct run_spec *spec, struct run_child *c, unsigned long flags, int theirs,
		  struct err *e)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int owners = -1;
	CLEAN_FD int pidfd = -1;
	pid_t self = getpid(), pid;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	ours = pair[0];
	owners = pair[1];
	pid = fork_into(CLONE_NEWUSER | CLONE_NEWNET, &pidfd);
	if (pid == 0)
		owner(spec, c, flags, theirs, owners, self);
	if (pid < 0)
		return unshare_refused(spec->flags, errno, e);
	fd_closep(&owners);
	r = instruct(pid, ours, c, e);
	if (r < 0)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
