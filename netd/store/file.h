/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file: the store's files and directories, one level above the system calls. Private to the store,
 * but for records of rootless/ that are replaced whole.
 *
 * A record file is one line, then "crc32c XXXXXXXX\n" over that line with its newline. It is
 * replaced whole: written to "." + its name, then renamed. Names that begin with "." are therefore
 * temporary: no reader looks at them, the next writer of the same name or claim_sweep() removes
 * them.
 */
#ifndef NETD_STORE_FILE_H
#define NETD_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define FILE_LINE_MAX (1u << 20)

/* Replaces dirfd/name by line[0..len), which has no newline. sync: fsync file and directory. */
int file_put(int dirfd, const char *name, const char *line, size_t len, bool sync, struct err *e);
/* Reads the line into a malloc'd, NUL-terminated buffer. 1: no such file. ERR_PROTOCOL: not a plain
 * file of its own (link, FIFO, directory...), too long, truncated, or the CRC is wrong. */
int file_get(int dirfd, const char *name, char **ret, size_t *ret_len, struct err *e);
/* 0, 1 when there is none, or negative. */
int file_unlink(int dirfd, const char *name, bool sync, struct err *e);

/* Opens the directory dirfd/name, never through a symbolic link, and makes it (0755 whatever the
 * umask) when create is set. 1: absent and not to be made. */
int file_open_dir(int dirfd, const char *name, bool create, int *ret, struct err *e);
/* Opens the plain file dirfd/name for reading and writing, made with mode when create is set. 1:
 * absent and not to be made. */
int file_open_rw(int dirfd, const char *name, bool create, mode_t mode, int *ret, struct err *e);
/* Writes all at offset at. A file size limit gives EFBIG; SIGXFSZ does not reach the process. */
int file_write_at(int fd, const void *data, size_t len, off_t at, struct err *e);
/* Removes name and, if it is a directory, all below it. Absent: success. */
int file_remove_tree(int dirfd, const char *name, struct err *e);

struct file_names {
	size_t n;
	char **name; /* sorted by strcmp */
};
/* All names of the directory but "." and "..". Release with file_names_free. */
int file_list(int dirfd, struct file_names *ret, struct err *e);
/* Of these, those that begin so: the others cost their reading and nothing else. NULL: all. */
int file_list_of(int dirfd, const char *begin, struct file_names *ret, struct err *e);
void file_names_free(struct file_names *l);
#define CLEAN_NAMES __attribute__((cleanup(file_names_free)))

/* Calls fn(name) in directory order; non-zero stops and is passed on. fn must not change the
 * directory. */
int file_each(int dirfd, int (*fn)(const char *name, void *arg), void *arg, struct err *e);

#endif
