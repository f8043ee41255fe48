/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd: scope clean-up for descriptors and memory. A descriptor: -1 when empty, CLOEXEC at birth. */
#ifndef NETD_BASE_FD_H
#define NETD_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

void fd_closep(int *fd); /* closes *fd when >= 0, keeps errno, sets it to -1 */
int fd_take(int *fd);    /* returns *fd and leaves -1 behind: ownership moves to the caller */
void mem_freep(void *p); /* p is the address of a pointer: free(*p), *p = NULL */

#define CLEAN_FD __attribute__((cleanup(fd_closep)))
#define CLEAN_FREE __attribute__((cleanup(mem_freep)))

/* Closes all but 0, 1, 2 and those of keep, which is sorted by it; -1 in there is nothing. For a
 * child that has just been forked. */
void fd_keep_only(int *keep, size_t n);

/* Opens 0, 1 and 2 on /dev/null where they are closed (a socket that lands on 2 would receive our
 * error texts). Every main calls it first. Returns 0 or -errno. */
int fd_fill_stdio(void);

/* Reads all of fd up to max bytes into a malloc'd, NUL-terminated buffer (NUL not counted in
 * *ret_len). -EFBIG when there is more than max. */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_len, struct err *e);

/* Opens dirfd/path, reads it whole as above, closes it. dirfd may be AT_FDCWD. Regular files only
 * (O_NONBLOCK open, S_ISREG test), so that a FIFO or a device cannot hang the caller. */
int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
		 struct err *e);

/* Waits until one of events (poll(2)) is there, or the end or an error, or it is clock_ms() ==
 * deadline: 1, 0 or -errno. Signals do not end it. */
int fd_await(int fd, short events, uint64_t deadline);

/* Adds what fd gives until its end, whether or not it blocks, even if it is nothing: out->p is a
 * text then. 0 or -errno: -ETIMEDOUT at the deadline, -EFBIG when out holds more than max bytes. */
int fd_drain(int fd, uint64_t deadline, size_t max, struct buf *out);

/* Writes all of len bytes, going on after short writes and EINTR. */
int fd_write_all(int fd, const void *data, size_t len, struct err *e);

#endif
