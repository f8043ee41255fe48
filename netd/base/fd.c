/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fd: ownership of descriptors and memory by scope, whole-file reads and writes, and the wait for
 * one. It retries on EINTR and never on anything else: a descriptor that may block is the caller's
 * to wait for. Whatever it opens is CLOEXEC, but for standard input, output and error, which are
 * there to be inherited.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

void fd_closep(int *fd)
{
	int saved = errno;

	/* Linux frees the number even when close fails, EINTR included: never close twice. */
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_take(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

void mem_freep(void *p)
{
	void *mem;

	/* p is the address of a pointer of any type: copied as bytes, not through a void ** */
	memcpy(&mem, p, sizeof(mem));
	free(mem);
	mem = NULL;
	memcpy(p, &mem, sizeof(mem));
}

int fd_fill_stdio(void)
{
	for (int i = 0; i <= 2; i++) {
		int fd;

		if (fcntl(i, F_GETFD) >= 0)
			continue;
		if (errno != EBADF)
			return -errno;
		/* The lowest free number is i: all below it are open by now. */
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
		if (fd < 0)
			return -errno;
		if (fd != i) {
			close(fd);
			return -EBADF;
		}
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void fd_keep_only(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < next)
			continue;
		if (keep[i] > next)
			(void)close_range((unsigned)next, (unsigned)keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	(void)close_range((unsigned)next, ~0U, 0);
}

static ssize_t read_some(int fd, char *p, size_t len)
{
	ssize_t n;

	do
		n = read(fd, p, len);
	while (n < 0 && errno == EINTR);
	return n;
}

int fd_read_all(int fd, size_t max, char **ret, size_t *ret_len, struct err *e)
{
	CLEAN_FREE char *p = NULL;
	size_t len = 0, cap = 0;

	if (max > SIZE_MAX / 4)
		max = SIZE_MAX / 4;
	for (;;) {
		ssize_t n;

		/* Room for one byte more than max (to see that there is more) and for the NUL. */
		if (cap - len < 2) {
			size_t grown = cap ? cap * 2 : 4096;
			char *q;

			if (grown > max + 2)
				grown = max + 2;
			q = realloc(p, grown);
			if (!q)
				return err_sys(e, ENOMEM, "reading");
			p = q;
			cap = grown;
		}
		n = read_some(fd, p + len, cap - len - 1);
		if (n < 0)
			return err_sys(e, errno, "reading");
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return err_sys(e, EFBIG, "more than %zu bytes", max);
	}
	p[len] = '\0';
	*ret = p;
	*ret_len = len;
	p = NULL;
	return 0;
}

int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
		 struct err *e)
{
	CLEAN_FD int fd = -1;
	struct stat st;
	int r;

	do
		fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, 0, "%s: not a regular file", path);
	r = fd_read_all(fd, max, ret, ret_len, e);
	if (r < 0)
		return err_ctx(e, r, "%s", path);
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "writing");
		if (n == 0)
			return err_sys(e, EIO, "writing");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_await(int fd, short events, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r;

	do
		r = poll(&p, 1, clock_left(deadline));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int fd_drain(int fd, uint64_t deadline, size_t max, struct buf *out)
{
	char part[16384];

	for (;;) {
		int r = fd_await(fd, POLLIN, deadline);
		ssize_t n;

		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		n = read_some(fd, part, sizeof(part));
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		buf_add(out, part, (size_t)n);
		if (out->failed)
			return -ENOMEM;
		if (n == 0)
			return 0;
		if (out->len > max)
			return -EFBIG;
	}
}
