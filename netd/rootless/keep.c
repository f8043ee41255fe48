/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep: the caller's side of keep.h: making the namespaces, finding who is on record, ending them.
 * A number is believed only together with the start time of its process and the inode of the
 * namespace it holds, all read through one pidfd. Read pidfd_open(2), proc(5), ioctl_ns(2).
 */
#include "rootless/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/parse.h"
#include "rootless/keeper.h"
#include "store/file.h"
#include "sys/bootid.h"
#include "sys/fork.h"
#include "sys/netns.h"
#include "sys/userns.h"

#define START_MS 10000
#define STOP_MS 3000
#define STAT_MAX 4096

/* ---- the record ---- */

int keep_start_time(int32_t pid, uint64_t *ret)
{
	CLEAN_FREE char *text = NULL;
	char path[32], *at;
	size_t len;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fd_read_file(AT_FDCWD, path, STAT_MAX, &text, &len, NULL) < 0)
		return -ESRCH;
	/* The name in brackets may hold anything; the start is the 20th word after it. */
	at = strrchr(text, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EPROTO;
	return parse_u64_n(at + 1, strcspn(at + 1, " \n"), 0, UINT64_MAX, ret) < 0 ? -EPROTO : 0;
}

int keep_write(int dir_fd, const struct keep_record *k, struct err *e)
{
	CLEAN_JSON json_t *doc = json_pack(
		"{s:s,s:I,s:I,s:I,s:[i,i],s:[I,I]}", "boot_id", k->boot_id, "pidns",
		(json_int_t)k->pidns_ino, "netns_dev", (json_int_t)k->netns_dev, "netns_ino",
		(json_int_t)k->netns_ino, "pids", (int)k->pid[0], (int)k->pid[1], "starts",
		(json_int_t)k->start[0], (json_int_t)k->start[1]);
	CLEAN_FREE char *line = json_print(doc);

	if (!line)
		return err_set(e, ERR_INTERNAL, ENOMEM, KEEP_FILE);
	return file_put(dir_fd, KEEP_FILE, line, strlen(line), false, e);
}

static int parse(json_t *doc, struct keep_record *r, struct err *e)
{
	json_t *pids = NULL, *starts = NULL;
	const char *boot;
	int k = json_get_str(doc, "", "boot_id", JSON_REQUIRED, &boot, e);

	if (k == 0)
		k = json_get_u64(doc, "", "pidns", JSON_REQUIRED, 0, INT64_MAX, &r->pidns_ino, e);
	if (k == 0)
		k = json_get_u64(doc, "", "netns_dev", JSON_REQUIRED, 0, INT64_MAX, &r->netns_dev,
				 e);
	if (k == 0)
		k = json_get_u64(doc, "", "netns_ino", JSON_REQUIRED, 0, INT64_MAX, &r->netns_ino,
				 e);
	if (k == 0)
		k = json_get_arr(doc, "", "pids", JSON_REQUIRED, &pids, e);
	if (k == 0)
		k = json_get_arr(doc, "", "starts", JSON_REQUIRED, &starts, e);
	if (k < 0)
		return k;
	(void)snprintf(r->boot_id, sizeof(r->boot_id), "%s", boot);
	for (size_t i = 0; i < KEEP_N; i++) {
		json_int_t pid = json_integer_value(json_array_get(pids, i));

		r->pid[i] = pid > 0 && pid <= INT32_MAX ? (int32_t)pid : 0;
		r->start[i] = (uint64_t)json_integer_value(json_array_get(starts, i));
	}
	return 0;
}

/* 1: there is none. */
static int read_record(int dir_fd, struct keep_record *ret, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	CLEAN_JSON json_t *doc = NULL;
	size_t len;
	int r = file_get(dir_fd, KEEP_FILE, &line, &len, e);

	if (r == 0)
		r = json_parse(line, len, &doc, e);
	if (r == 0)
		r = parse(doc, ret, e);
	return r < 0 ? err_ctx(e, r, "record of the user's networks") : r;
}

static bool is_pidns(uint64_t ino)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == ino;
}

/* ---- finding ---- */

/* The process on record, if it still is that one: its pidfd, and its namespace. */
static bool find_one(const struct keep_record *r, int i, int *ret_pidfd, int *ret_netns)
{
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	struct stat st;
	uint64_t start;
	char path[40];

	if (r->pid[i] <= 0)
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, r->pid[i], 0);
	if (pidfd < 0 || keep_start_time(r->pid[i], &start) < 0 || start != r->start[i])
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)r->pid[i], KEEPER_NETNS);
	/* The number was the process's when its start was read, if it is there still. */
	if (netns_open_path(path, &fd, NULL) < 0 || fstat(fd, &st) < 0 ||
	    st.st_ino != r->netns_ino || st.st_dev != r->netns_dev ||
	    syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return false;
	*ret_pidfd = fd_take(&pidfd);
	*ret_netns = fd_take(&fd);
	return true;
}

static int open_pipe(struct keep *k, struct err *e)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)k->pid, KEEPER_PIPE);
	k->pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return k->pipe_fd < 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* Opened anew, for the numbers are the keeper's. */
static int open_flows(const struct keep *k)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)k->pid, KEEPER_FLOWS);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int open_found(struct keep *k, struct err *e)
{
	int r = userns_of(k->netns_fd, &k->userns_fd, e);

	if (r == 2)
		return err_set(e, ERR_DENIED, 0,
			       "the user's networks were made outside of this user namespace");
	k->flows_fd = open_flows(k);
	/* 1: the caller is in it. */
	return r < 0 ? r : open_pipe(k, e);
}

static int look(struct keep *k, struct err *e)
{
	char boot[37];
	int r = bootid_get(boot, e);

	if (r < 0)
		return r;
	if (strcmp(boot, k->record.boot_id) != 0)
		return 2;
	if (!is_pidns(k->record.pidns_ino))
		return err_set(e, ERR_DENIED, 0,
			       "the user's networks were made in another pid namespace");
	for (int i = 0; i < KEEP_N; i++) {
		CLEAN_FD int netns = -1;

		if (!find_one(&k->record, i, &k->pidfd[i], &netns))
			continue;
		if (k->netns_fd < 0) {
			k->netns_fd = fd_take(&netns);
			k->pid = k->record.pid[i];
		}
	}
	return k->netns_fd < 0 ? 2 : open_found(k, e);
}

int keep_find(int dir_fd, struct keep *ret, struct err *e)
{
	/* Between the end of one and the new record both may seem gone. */
	for (int i = 0;; i++) {
		uint64_t deadline = clock_ms() + 50;
		int r = read_record(dir_fd, &ret->record, e);

		if (r == 0)
			r = look(ret, e);
		if (r != 2 || i == 2)
			return r;
		while (clock_left(deadline) > 0)
			(void)poll(NULL, 0, clock_left(deadline));
	}
}

void keep_close(struct keep *k)
{
	for (int i = 0; i < KEEP_N; i++)
		fd_closep(&k->pidfd[i]);
	fd_closep(&k->netns_fd);
	fd_closep(&k->userns_fd);
	fd_closep(&k->pipe_fd);
	fd_closep(&k->flows_fd);
}

/* ---- ending ---- */

static bool are_gone(const struct keep *k, int ms)
{
	return fd_await(k->pipe_fd, 0, clock_ms() + (uint64_t)ms) > 0; /* its end alone */
}

static void signal_all(const struct keep *k, int sig)
{
	for (int i = 0; i < KEEP_N; i++)
		if (k->pidfd[i] >= 0)
			(void)syscall(SYS_pidfd_send_signal, k->pidfd[i], sig, NULL, 0);
}

int keep_stop(struct keep *k, struct err *e)
{
	signal_all(k, SIGTERM);
	if (are_gone(k, STOP_MS))
		return 0;
	signal_all(k, SIGKILL);
	return are_gone(k, STOP_MS) ? 0
				    : err_set(e, ERR_BUSY, ETIMEDOUT,
					      "the processes that keep the user's networks stay");
}

/* ---- starting ---- */

static int await_word(int sock, struct err *e)
{
	int r = fd_await(sock, POLLIN, clock_ms() + START_MS);
	char word = 0;

	if (r <= 0 || recv(sock, &word, 1, MSG_DONTWAIT) != 1 || word != KEEPER_READY)
		return err_set(e, ERR_KERNEL, 0, "the process that keeps the namespaces: %s",
			       r == 0 ? "it does not get ready" : "it ended early");
	return 0;
}

static int refused(int sys, struct err *e)
{
	if (sys == ENOSPC || sys == EUSERS)
		return err_set(e, ERR_QUOTA, sys, "new namespaces (see /proc/sys/user/max_*)");
	return err_sys(e, sys, "new user and network namespace");
}

/* The namespaces, by a process that is born in them and ends when they have their ids. */
static int make_namespaces(int *ret_netns, struct err *e)
{
	enum userns_map map;
	unsigned n_ids;
	int pair[2], r;
	char word;
	CLEAN_FD int pidfd = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	pid = fork_into(CLONE_NEWUSER | CLONE_NEWNET, &pidfd);
	if (pid == 0) {
		close(pair[0]);
		(void)recv(pair[1], &word, 1, 0); /* until the other end is closed */
		_exit(0);
	}
	r = pid < 0 ? refused(errno, e) : 0;
	close(pair[1]);
	if (r == 0)
		r = userns_write_maps(pid, true, &map, &n_ids, e);
	if (r >= 0)
		r = netns_open_pid(pid, ret_netns, NULL, e);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : 0;
}

/* In a process between, so that the keepers are no children of a caller who stays. */
static int start_between(struct keeper *k, struct err *e)
{
	int pair[2], pidfd = -1, r = make_namespaces(&k->netns_fd, e);
	pid_t pid;

	if (r < 0)
		return r;
	k->flows_fd = memfd_create("netns-up-flows", MFD_CLOEXEC);
	if (k->flows_fd < 0)
		return err_sys(e, errno, "memory file");
	if (pipe2(k->pipe, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	k->sock = pair[1];
	pid = fork_into(0, &pidfd);
	if (pid == 0)
		keeper_first(k);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	close(pair[1]);
	r = await_word(pair[0], e);
	/* Its partner, if it has one already, goes with it: nothing is on record. */
	if (r < 0)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	return r;
}

int keep_start(int dir_fd, struct err *e)
{
	struct keeper_shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct keeper k = {.dir_fd = dir_fd, .shared = s};
	int status = 0, r;
	pid_t pid;

	if (s == MAP_FAILED)
		return err_sys(e, errno, "shared memory");
	s->result = -EIO;
	pid = fork();
	if (pid == 0) {
		s->result = start_between(&k, &s->error);
		_exit(0);
	}
	r = pid < 0 ? err_sys(e, errno, "fork") : 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && s->result < 0) {
		r = s->result;
		if (s->error.kind == ERR_NONE)
			(void)err_set(&s->error, ERR_KERNEL, 0, "it ended early");
		err_gather(e, &s->error);
	}
	(void)munmap(s, sizeof(*s));
	return r;
}
