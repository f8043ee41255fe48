/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: sd_listen_fds(3) in a few lines, and unix(7). A socket in the file system is open to
 * all (mode 0666): who may do what is decided for each request.
 */
#include "broker/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "broker/request.h"
#include "sys/sockopt.h"

#define FIRST_FD 3
#define BACKLOG 128
#define TRIES 10
#define PAUSE_NS (50 * 1000 * 1000)

bool listen_is_socket(int fd)
{
	return sockopt_int(fd, SO_DOMAIN) == AF_UNIX &&
	       sockopt_int(fd, SO_TYPE) == SOCK_SEQPACKET && sockopt_int(fd, SO_ACCEPTCONN) == 1;
}

int listen_adopt(int fd, struct listen *ret, struct err *e)
{
	struct sockaddr_un name = {0};
	socklen_t len = sizeof(name);

	if (!listen_is_socket(fd) || getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return err_invalid(e, ERR_PROTOCOL, "descriptor %d does not listen", fd);
	*ret = (struct listen){.fd = fd, .name = name};
	return 0;
}

/* 1: there is none for us. */
static int take_over(struct listen *ret, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint32_t for_pid = 0, n_fds = 0;
	int r = 1;

	if (pid && n && parse_u32(pid, 1, INT32_MAX, &for_pid) == 0 &&
	    parse_u32(n, 0, 1024, &n_fds) == 0 && for_pid == (uint32_t)getpid() && n_fds > 0)
		r = 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (r == 1)
		return 1;
	if (n_fds != 1)
		return err_set(e, ERR_USAGE, 0, "LISTEN_FDS=%u: expected one socket", n_fds);
	if (listen_adopt(FIRST_FD, ret, NULL) < 0)
		return err_set(e, ERR_USAGE, 0,
			       "LISTEN_FDS: expected a listening SOCK_SEQPACKET socket of AF_UNIX");
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, errno, "LISTEN_FDS");
	return 0;
}

/* Nobody answers at the name: what is there is a leftover. 1: somebody does. */
static int drop_dead_once(const struct sockaddr_un *name, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return err_sys(e, errno, "socket");
	if (lstat(name->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", name->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT, 0, "%s is there and no socket", name->sun_path);
	if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 || errno != ECONNREFUSED)
		return 1;
	if (unlink(name->sun_path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", name->sun_path);
	return 0;
}

/* One that has just been killed may take a moment. */
static int drop_dead(const struct sockaddr_un *name, struct err *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int r = 1;

	for (int i = 0; r == 1 && i < TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		r = drop_dead_once(name, e);
	}
	return r == 1 ? err_set(e, ERR_CONFLICT, 0, "%s: another netd is there", name->sun_path)
		      : r;
}

static int make_parent(const char *path, struct err *e)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s", dir);
	return 0;
}

static int make(const char *path, struct listen *ret, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(e, errno, "socket");
	ret->name.sun_family = AF_UNIX;
	if (snprintf(ret->name.sun_path, sizeof(ret->name.sun_path), "%s", path) >=
	    (int)sizeof(ret->name.sun_path))
		return err_set(e, ERR_USAGE, 0, "%s: the path of a socket has at most %zu bytes",
			       path, sizeof(ret->name.sun_path) - 1);
	r = make_parent(path, e);
	if (r >= 0)
		r = drop_dead(&ret->name, e);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&ret->name, sizeof(ret->name)) < 0)
		return err_sys(e, errno, "%s", path);
	ret->is_own = lstat(path, &st) == 0;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	if (!ret->is_own || chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "%s", path);
	ret->fd = fd_take(&fd);
	return 0;
}

int listen_open(const char *path, struct listen *ret, struct err *e)
{
	int r;

	*ret = (struct listen){.fd = -1};
	r = take_over(ret, e);
	return r == 1 ? make(path ? path : REQUEST_SOCKET, ret, e) : r;
}

void listen_close(struct listen *l)
{
	struct stat st;

	if (l->is_own && lstat(l->name.sun_path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->name.sun_path);
	fd_closep(&l->fd);
}
