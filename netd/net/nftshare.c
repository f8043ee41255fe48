/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftshare: the lock is a byte of a file without a name, which goes along with the socket: it is
 * there as long as somebody has the socket, and leaves nothing behind. Locks belong to an open file
 * description (fcntl(2)), and one that was passed on or inherited is its sender's too; so each
 * process opens the file anew, through /proc.
 *
 * Who is killed while it waits for answers leaves them in the queue: the next one reads them all
 * before it sends, and numbers begin at a place of chance.
 */
#include "net/nftshare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fdpass.h"
#include "sys/lock.h"
#include "sys/sockopt.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define LOCK_MS 10000
#define FETCH_MS 3000
#define BACKLOG 64
#define WORD "nft" /* what comes with the descriptors */

enum { SHARE_SOCKET, SHARE_FILE, SHARE_FDS };

struct nftshare {
	int fd, file; /* the same for all */
	int lock;     /* our own opening of the file */
	pid_t pid;    /* who opened it */
	uint32_t port, seq;
};

static int random_seq(struct nftshare *s, struct err *e)
{
	if (getrandom(&s->seq, sizeof(s->seq), 0) != sizeof(s->seq))
		return err_sys(e, errno, "random number");
	return 0;
}

static int get_port(struct nftshare *s, struct err *e)
{
	struct sockaddr_nl sa = {0};
	socklen_t len = sizeof(sa);

	if (getsockname(s->fd, (struct sockaddr *)&sa, &len) < 0 || sa.nl_family != AF_NETLINK ||
	    sa.nl_pid == 0)
		return err_set(e, ERR_PROTOCOL, 0, "the socket of the tables has no address");
	s->port = sa.nl_pid;
	return random_seq(s, e);
}

static struct nftshare *new_share(struct err *e)
{
	struct nftshare *s = calloc(1, sizeof(*s));

	if (!s)
		err_set(e, ERR_INTERNAL, ENOMEM, "socket of the tables");
	else
		s->fd = s->file = s->lock = -1;
	return s;
}

int nftshare_make(struct nftshare **ret, struct err *e)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	struct nftshare *s = new_share(e);
	int one = 1, r = 0;

	if (!s)
		return -ENOMEM;
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		r = err_sys(e, errno, "socket of the tables");
	if (r == 0) {
		setsockopt(s->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
		setsockopt(s->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
		s->file = memfd_create("netd-nft", MFD_CLOEXEC);
		r = s->file < 0 ? err_sys(e, errno, "lock of the tables") : get_port(s, e);
	}
	if (r < 0)
		nftshare_closep(&s);
	else
		*ret = s;
	return r;
}

void nftshare_closep(struct nftshare **s)
{
	if (!*s)
		return;
	fd_closep(&(*s)->fd);
	fd_closep(&(*s)->file);
	fd_closep(&(*s)->lock);
	free(*s);
	*s = NULL;
}

int nftshare_fd(const struct nftshare *s)
{
	return s->fd;
}

int nftshare_lock_fd(const struct nftshare *s)
{
	return s->file;
}

uint32_t nftshare_port(const struct nftshare *s)
{
	return s->port;
}

/* ---- taking turns ---- */

static int open_lock(struct nftshare *s, struct err *e)
{
	char path[64];

	if (s->lock >= 0 && s->pid == getpid())
		return 0;
	fd_closep(&s->lock);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->file);
	s->lock = open(path, O_RDWR | O_CLOEXEC);
	if (s->lock < 0)
		return err_sys(e, errno, "lock of the tables");
	s->pid = getpid();
	/* A child that goes on where its parent was would have its parent's numbers. */
	return random_seq(s, e);
}

static void drain(int fd)
{
	char data[64];

	for (;;) {
		ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return;
	}
}

int nftshare_begin(struct nftshare *s, uint32_t *ret_seq, struct err *e)
{
	int r = open_lock(s, e);

	if (r == 0)
		r = lock_take(s->lock, 0, LOCK_MS, e);
	if (r < 0)
		return err_ctx(e, r, "socket of the tables");
	drain(s->fd);
	*ret_seq = s->seq;
	return 0;
}

void nftshare_end(struct nftshare *s, uint32_t next_seq)
{
	s->seq = next_seq;
	lock_drop(s->lock, 0);
}

/* ---- asking for it ---- */

static bool is_same_netns(int a, int b)
{
	uint64_t ca = 0, cb = 0;
	socklen_t la = sizeof(ca), lb = sizeof(cb);

	return getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &ca, &la) == 0 &&
	       getsockopt(b, SOL_SOCKET, SO_NETNS_COOKIE, &cb, &lb) == 0 && ca == cb;
}

/* What came is what it should be, and of this namespace. */
static bool is_good(const int fds[SHARE_FDS], int is_like)
{
	struct stat st;

	return sockopt_int(fds[SHARE_SOCKET], SO_DOMAIN) == AF_NETLINK &&
	       sockopt_int(fds[SHARE_SOCKET], SO_PROTOCOL) == NETLINK_NETFILTER &&
	       is_same_netns(fds[SHARE_SOCKET], is_like) && fstat(fds[SHARE_FILE], &st) == 0 &&
	       S_ISREG(st.st_mode) && fcntl(fds[SHARE_FILE], F_GET_SEALS) >= 0;
}

static int name_of(const char *door, struct sockaddr_un *ret, struct err *e)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", door) >=
	    (int)sizeof(ret->sun_path))
		return err_set(e, ERR_USAGE, 0, "%s: the path of a socket has at most %zu bytes",
			       door, sizeof(ret->sun_path) - 1);
	return 0;
}

/* 1: nobody is there. */
static int knock(const char *door, int *ret, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint64_t deadline = clock_ms() + FETCH_MS;
	struct sockaddr_un sa;
	int r = fd < 0 ? err_sys(e, errno, "socket") : name_of(door, &sa, e);

	if (r < 0)
		return r;
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			return 1;
		if ((errno != EAGAIN && errno != EINTR) || clock_left(deadline) == 0)
			return err_sys(e, errno, "%s", door);
		poll(NULL, 0, 5); /* its queue is full */
	}
	if (!sockopt_is_from(fd, 0))
		return err_set(e, ERR_DENIED, 0, "%s: who listens there is not root", door);
	*ret = fd_take(&fd);
	return 0;
}

static int accept_share(int conn, const char *door, int fds[SHARE_FDS], struct err *e)
{
	struct pollfd p = {.fd = conn, .events = POLLIN};
	uint64_t deadline = clock_ms() + FETCH_MS;
	char word[sizeof(WORD)];
	ssize_t n = -EAGAIN;

	while (n == -EAGAIN) {
		int left = clock_left(deadline);

		if (left == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT, "%s: no answer", door);
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return err_sys(e, errno, "%s", door);
		n = fdpass_recv(conn, word, sizeof(word), fds, SHARE_FDS);
	}
	if (n == 0 || n == -ECONNRESET)
		return 1;
	if (n < 0)
		return err_sys(e, (int)-n, "%s", door);
	return 0;
}

int nftshare_fetch(const char *door, int is_like, struct nftshare **ret, struct err *e)
{
	int fds[SHARE_FDS] = {-1, -1}, r;
	CLEAN_FD int conn = -1;
	struct nftshare *s;

	r = knock(door, &conn, e);
	if (r == 0)
		r = accept_share(conn, door, fds, e);
	if (r != 0)
		return r;
	s = new_share(e);
	r = s ? 0 : -ENOMEM;
	if (r == 0 && !is_good(fds, is_like))
		r = err_set(e, ERR_PROTOCOL, EPROTO,
			    "%s: what it hands out is no socket of this host's tables", door);
	if (r == 0) {
		s->fd = fd_take(&fds[SHARE_SOCKET]);
		s->file = fd_take(&fds[SHARE_FILE]);
		r = get_port(s, e);
	}
	for (int i = 0; i < SHARE_FDS; i++)
		fd_closep(&fds[i]);
	if (r < 0)
		nftshare_closep(&s);
	else
		*ret = s;
	return r;
}

int nftshare_adopt(int fd, int lock_fd, struct nftshare **ret, struct err *e)
{
	const int fds[SHARE_FDS] = {fd, lock_fd};
	struct nftshare *s;
	int r;

	/* Of this namespace it is, for so is the process. */
	if (!is_good(fds, fd))
		return err_invalid(e, ERR_PROTOCOL, "descriptor %d is no socket of the tables", fd);
	s = new_share(e);
	if (!s)
		return -ENOMEM;
	s->fd = fd;
	r = get_port(s, e);
	if (r < 0) {
		s->fd = -1;
		nftshare_closep(&s);
		return r;
	}
	s->file = lock_fd;
	*ret = s;
	return 0;
}

/* ---- handing it out ---- */

int nftshare_listen(const char *door, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CLEAN_FD int probe = -1;
	struct sockaddr_un sa;
	mode_t old;
	int r = fd < 0 ? err_sys(e, errno, "socket") : name_of(door, &sa, e);

	if (r < 0)
		return r;
	r = knock(door, &probe, e);
	if (r == 0)
		return err_set(e, ERR_CONFLICT, 0, "%s: somebody else holds the tables", door);
	if (r < 0)
		return r;
	if (unlink(door) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", door);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(old);
	if (r < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, r < 0 ? -r : errno, "%s", door);
	*ret_fd = fd_take(&fd);
	return 0;
}

void nftshare_serve(int door_fd, const struct nftshare *s)
{
	for (int i = 0; i < BACKLOG; i++) {
		CLEAN_FD int conn = accept4(door_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (conn < 0)
			return;
		if (s && sockopt_is_from(conn, 0)) {
			const int fds[SHARE_FDS] = {s->fd, s->file};

			(void)fdpass_send(conn, WORD, sizeof(WORD), fds, SHARE_FDS);
		}
	}
}
