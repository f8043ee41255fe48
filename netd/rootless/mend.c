/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mend: see mend.h. Read pidfd_open(2), PR_SET_PDEATHSIG in prctl(2). */
#include "rootless/mend.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "rootless/keeper.h"
#include "rootless/start.h"
#include "rootless/uplink.h"
#include "sys/fork.h"

/* What follows so many attempts within the window has to wait so long after the last. */
static const int pause_ms[MEND_MAX] = {0, 200, 1000, 3000, 6000, 12000};

void mend_forget(struct mend *m)
{
	for (int i = 0; i < MEND_N; i++)
		fd_closep(&m->watch[i].pidfd);
	fd_closep(&m->child);
	*m = (struct mend)MEND_INIT;
}

/* The process on record, if it lives. */
static int watch(int32_t pid, uint64_t on_record)
{
	CLEAN_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t start;

	if (pidfd < 0 || keep_start_time(pid, &start) < 0 || start != on_record)
		return -1;
	return fd_take(&pidfd);
}

static void look_at(struct mend_watch *w, int32_t pid, uint64_t start)
{
	if (pid == 0) {
		fd_closep(&w->pidfd);
		w->pid = 0;
		w->is_gone = false;
		return;
	}
	if (pid == w->pid && start == w->start)
		return;
	fd_closep(&w->pidfd);
	w->pidfd = watch(pid, start);
	w->pid = pid;
	w->start = start;
	w->is_gone = w->pidfd < 0;
}

void mend_look(struct mend *m, int dir_fd)
{
	struct uplink_record u = {0};

	/* One that cannot be read is for somebody who can say so. */
	if (uplink_load(dir_fd, &u, NULL) != 0)
		u = (struct uplink_record){0};
	look_at(&m->watch[MEND_UPLINK], u.pid, u.start);
	look_at(&m->watch[MEND_NAMES], u.names_pid, u.names_start);
}

void mend_count(struct mend *m, uint64_t now_ms)
{
	memmove(m->begun + 1, m->begun, sizeof(m->begun) - sizeof(m->begun[0]));
	m->begun[0] = now_ms;
	m->n_begun += m->n_begun < MEND_MAX;
}

int mend_wait(const struct mend *m, uint64_t now_ms)
{
	bool is_gone = false;
	uint64_t until;
	size_t n = 0;

	for (int i = 0; i < MEND_N; i++)
		is_gone = is_gone || m->watch[i].is_gone;
	if (!is_gone || m->child >= 0)
		return -1;
	while (n < m->n_begun && now_ms - m->begun[n] < MEND_WINDOW_MS)
		n++;
	if (n == 0)
		return 0;
	until = m->begun[0] + (uint64_t)pause_ms[n < MEND_MAX ? n : MEND_MAX - 1];
	if (n == MEND_MAX && until < m->begun[MEND_MAX - 1] + MEND_WINDOW_MS)
		until = m->begun[MEND_MAX - 1] + MEND_WINDOW_MS;
	return until > now_ms ? (int)(until - now_ms) : 0;
}

/* The directory of the user's, whose "host" this one is, if it still is. */
static bool find_dir(int dir_fd, char path[PATH_MAX])
{
	struct stat own, there;
	char name[32], *slash;
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", dir_fd);
	n = readlink(name, path, PATH_MAX - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	if (fstat(dir_fd, &own) < 0 || stat(path, &there) < 0 || own.st_dev != there.st_dev ||
	    own.st_ino != there.st_ino)
		return false;
	slash = strrchr(path, '/');
	if (!slash || slash == path)
		return false;
	*slash = '\0';
	return true;
}

static void begin(struct mend *m, int dir_fd)
{
	char path[PATH_MAX];
	pid_t maker = getpid(), pid;

	mend_count(m, clock_ms());
	if (!find_dir(dir_fd, path))
		return;
	pid = fork_into(0, &m->child);
	if (pid == 0) {
		/* Straight away: it has the pipe whose end tells of the keepers' end. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != maker ||
		    close_range(3, ~0U, 0) < 0)
			_exit(1);
		start_gc(path);
	}
	if (pid < 0)
		m->child = -1;
}

void mend_turn(struct mend *m, int dir_fd, const bool has_ended[MEND_N], bool has_child_ended,
	       bool is_changed)
{
	for (int i = 0; i < MEND_N; i++) {
		if (!has_ended[i])
			continue;
		fd_closep(&m->watch[i].pidfd);
		m->watch[i].is_gone = true;
		is_changed = true;
	}
	if (has_child_ended)
		fd_closep(&m->child);
	if (has_child_ended || is_changed)
		mend_look(m, dir_fd);
	if (mend_wait(m, clock_ms()) == 0)
		begin(m, dir_fd);
}
