/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file: see file.h. Owns the envelope of records, the order write -> mode -> (fsync) -> rename, and
 * the rule that nothing found on disk is trusted: open without blocking and without following
 * links, look at the type, then read a bounded number of bytes. Knows nothing of what the lines
 * mean.
 */
#include "store/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"

#define TRAILER_LEN 16 /* "crc32c XXXXXXXX\n" */
#define PUT_TRIES 4
#define TREE_DEPTH 8

static void trailer_print(const char *data, size_t len, char out[TRAILER_LEN + 1])
{
	snprintf(out, TRAILER_LEN + 1, "crc32c %08x\n", crc32c(data, len));
}

/* A write beyond RLIMIT_FSIZE sends SIGXFSZ, whose default action kills. Without a limit nothing
 * needs to be done; with one, the signal is blocked during the write and eaten afterwards. */
static bool xfsz_block(sigset_t *old)
{
	struct rlimit lim;
	sigset_t set;

	if (getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur == RLIM_INFINITY)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, old);
	return true;
}

static void xfsz_unblock(const sigset_t *old)
{
	struct timespec now = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	if (!sigismember(old, SIGXFSZ))
		while (sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

int file_write_at(int fd, const void *data, size_t len, off_t at, struct err *e)
{
	const char *p = data;
	sigset_t old;
	bool blocked = xfsz_block(&old);
	int sys = 0;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			sys = n < 0 ? errno : EIO;
			break;
		}
		p += n;
		at += n;
		len -= (size_t)n;
	}
	if (blocked)
		xfsz_unblock(&old);
	return sys ? err_sys(e, sys, "cannot write") : 0;
}

static int sync_fd(int fd, struct err *e)
{
	while (fsync(fd) < 0) {
		if (errno == EINTR)
			continue;
		return err_sys(e, errno, "cannot fsync");
	}
	return 0;
}

/* One try: 0, 1 when the temporary name was swept away under us, or negative. */
static int put_once(int dirfd, const char *tmp, const char *name, const char *data, size_t len,
		    bool sync, struct err *e)
{
	CLEAN_FD int fd = -1;
	struct stat st;
	int r;

	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST) {
		r = file_remove_tree(dirfd, tmp, e); /* of a killed writer */
		return r < 0 ? r : 1;
	}
	if (fd < 0)
		return err_sys(e, errno, "cannot create the temporary file");
	r = file_write_at(fd, data, len, 0, e);
	/* The umask may have taken bits away: one more call only when it has. */
	if (r == 0 &&
	    (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != 0644 && fchmod(fd, 0644) < 0)))
		r = err_sys(e, errno, "cannot set the mode");
	if (r == 0 && sync)
		r = sync_fd(fd, e);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0) {
		if (errno == ENOENT)
			return 1;
		r = errno == EISDIR ? err_set(e, ERR_PROTOCOL, 0, "is a directory")
				    : err_sys(e, errno, "cannot rename the temporary file");
	}
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return r;
	}
	return sync ? sync_fd(dirfd, e) : 0;
}

int file_put(int dirfd, const char *name, const char *line, size_t len, bool sync, struct err *e)
{
	CLEAN_FREE char *data = NULL;
	char tmp[NAME_MAX + 1];

	if ((size_t)snprintf(tmp, sizeof(tmp), ".%s", name) >= sizeof(tmp))
		return err_sys(e, ENAMETOOLONG, "name of a state file");
	if (len > FILE_LINE_MAX)
		return err_set(e, ERR_QUOTA, EFBIG, "a record has at most %u bytes, not %zu",
			       FILE_LINE_MAX, len);
	data = malloc(len + 1 + TRAILER_LEN + 1);
	if (!data)
		return err_sys(e, ENOMEM, "no memory for a record");
	memcpy(data, line, len);
	data[len] = '\n';
	trailer_print(data, len + 1, data + len + 1);
	for (int i = 0; i < PUT_TRIES; i++) {
		int r = put_once(dirfd, tmp, name, data, len + 1 + TRAILER_LEN, sync, e);

		if (r <= 0)
			return r;
	}
	return err_set(e, ERR_BUSY, EAGAIN, "others keep removing the temporary file");
}

/* Reads at most len bytes, one more than there should be; *ret_n tells how many there were. */
static int read_some(int fd, char *p, size_t len, size_t *ret_n, struct err *e)
{
	size_t n = 0;

	while (n < len) {
		ssize_t k = pread(fd, p + n, len - n, (off_t)n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, errno, "cannot read");
		n += (size_t)k;
		/* Short by one: the end, as the size has it. */
		if (k == 0 || n + 1 == len)
			break;
	}
	*ret_n = n;
	return 0;
}

static int envelope_check(const char *data, size_t n, struct err *e)
{
	char want[TRAILER_LEN + 1];
	size_t line;

	if (n <= TRAILER_LEN)
		return err_set(e, ERR_PROTOCOL, 0, "truncated: %zu bytes", n);
	line = n - TRAILER_LEN;
	trailer_print(data, line, want);
	if (memcmp(data + line, want, TRAILER_LEN) != 0)
		return err_set(e, ERR_PROTOCOL, 0, "damaged: the CRC is wrong");
	/* The first newline must be the one before the trailer: one line, no NUL. */
	if (data[line - 1] != '\n' || memchr(data, '\n', line - 1) || memchr(data, 0, line))
		return err_set(e, ERR_PROTOCOL, 0, "damaged: not one line");
	return 0;
}

int file_get(int dirfd, const char *name, char **ret, size_t *ret_len, struct err *e)
{
	const size_t max = FILE_LINE_MAX + 1 + TRAILER_LEN;
	CLEAN_FREE char *data = NULL;
	CLEAN_FD int fd = -1;
	struct stat st;
	size_t n = 0;
	int r;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 && (errno == ELOOP || errno == ENXIO || errno == ENODEV))
		return err_set(e, ERR_PROTOCOL, 0, "not a plain file");
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open");
	/* No name is left (0 links) when a writer has replaced the file since it was opened. */
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return err_set(e, ERR_PROTOCOL, 0, "not a plain file of its own");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, ERR_PROTOCOL, 0, "too long: %lld bytes", (long long)st.st_size);
	data = malloc((size_t)st.st_size + 2);
	if (!data)
		return err_sys(e, ENOMEM, "no memory for a record");
	r = read_some(fd, data, (size_t)st.st_size + 1, &n, e);
	if (r < 0)
		return r;
	r = envelope_check(data, n, e);
	if (r < 0)
		return r;
	n -= TRAILER_LEN + 1;
	data[n] = 0;
	*ret = data;
	*ret_len = n;
	data = NULL;
	return 0;
}

int file_unlink(int dirfd, const char *name, bool sync, struct err *e)
{
	if (unlinkat(dirfd, name, 0) < 0) {
		if (errno == ENOENT)
			return 1;
		if (errno == EISDIR || errno == EPERM) {
			struct stat st;

			if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISDIR(st.st_mode))
				return err_set(e, ERR_PROTOCOL, 0, "is a directory");
			errno = EPERM;
		}
		return err_sys(e, errno, "cannot remove");
	}
	return sync ? sync_fd(dirfd, e) : 0;
}

/* A process killed between creation and fchmod under a strange umask leaves an object that its
 * owner cannot open. True when the mode was wrong and is now right. */
static bool heal_mode(int dirfd, const char *name, mode_t type, mode_t mode)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
	       (st.st_mode & 07777) != mode && fchmodat(dirfd, name, mode, 0) == 0;
}

/* Readable for all: `ls` needs no privilege. */
static int fix_mode(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (st.st_mode & 0777) != 0755 && st.st_uid == geteuid() &&
	    fchmod(fd, 0755) < 0)
		return err_sys(e, errno, "cannot set the mode");
	return 0;
}

/* An empty directory may be removed by another process before it is opened here. */
#define OPEN_TRIES 100

int file_open_dir(int dirfd, const char *name, bool create, int *ret, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	CLEAN_FD int fd = openat(dirfd, name, flags);
	bool made = false;

	for (int i = 0; fd < 0 && errno == ENOENT && i < OPEN_TRIES; i++) {
		if (!create)
			return 1;
		if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make the directory");
		made = true;
		fd = openat(dirfd, name, flags);
	}
	if (fd < 0 && errno == EACCES && heal_mode(dirfd, name, S_IFDIR, 0755))
		fd = openat(dirfd, name, flags);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(e, ERR_PROTOCOL, ENOTDIR, "not a directory of its own");
	if (fd < 0)
		return err_sys(e, errno, "cannot open the directory");
	int r = made ? fix_mode(fd, e) : 0;
	if (r == 0)
		*ret = fd_take(&fd);
	return r;
}

int file_open_rw(int dirfd, const char *name, bool create, mode_t mode, int *ret, struct err *e)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	CLEAN_FD int fd = openat(dirfd, name, flags);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		if (!create)
			return 1;
		fd = openat(dirfd, name, flags | O_CREAT, mode);
	}
	if (fd < 0 && errno == EACCES && heal_mode(dirfd, name, S_IFREG, mode))
		fd = openat(dirfd, name, flags);
	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return err_set(e, ERR_PROTOCOL, 0, "not a plain file");
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open");
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return err_set(e, ERR_PROTOCOL, 0, "not a plain file of its own");
	if ((st.st_mode & 07777) != mode && st.st_uid == geteuid() && fchmod(fd, mode) < 0)
		return err_sys(e, errno, "cannot set the mode");
	*ret = fd_take(&fd);
	return 0;
}

/* The names of one answer of the kernel's. */
static int each_of(const char *buf, ssize_t len, int (*fn)(const char *name, void *arg), void *arg)
{
	int r = 0;

	for (ssize_t at = 0; r == 0 && at < len;) {
		const struct dirent64 *de = (const void *)(buf + at);

		at += de->d_reclen;
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = fn(de->d_name, arg);
	}
	return r;
}

/* Without the C library's DIR, which takes memory: tidying up has to work without any. */
int file_each(int dirfd, int (*fn)(const char *name, void *arg), void *arg, struct err *e)
{
	CLEAN_FD int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buf[8192] __attribute__((aligned(8), uninitialized));
	ssize_t n = 0;
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0; /* the directory itself was removed: nothing is in it */
	if (fd < 0)
		return err_sys(e, errno, "cannot list the directory");
	while (r == 0 && (n = getdents64(fd, buf, sizeof(buf))) > 0)
		r = each_of(buf, n, fn, arg);
	/* Removed while it was read: nothing more is in it. */
	if (n < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot list the directory");
	return r;
}

struct list_build {
	const char *begin;
	size_t begin_len;
	struct file_names l;
	size_t cap;
};

static int list_add(const char *name, void *arg)
{
	struct list_build *b = arg;

	if (strncmp(name, b->begin, b->begin_len) != 0)
		return 0;
	if (b->l.n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		char **p = realloc(b->l.name, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->l.name = p;
		b->cap = cap;
	}
	b->l.name[b->l.n] = strdup(name);
	if (!b->l.name[b->l.n])
		return -ENOMEM;
	b->l.n++;
	return 0;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(int dirfd, struct file_names *ret, struct err *e)
{
	return file_list_of(dirfd, NULL, ret, e);
}

int file_list_of(int dirfd, const char *begin, struct file_names *ret, struct err *e)
{
	struct list_build b = {.begin = begin ? begin : "", .begin_len = begin ? strlen(begin) : 0};
	int r = file_each(dirfd, list_add, &b, e);

	if (r < 0) {
		file_names_free(&b.l);
		return r == -ENOMEM ? err_sys(e, ENOMEM, "no memory for a directory's names") : r;
	}
	if (b.l.n > 1)
		qsort(b.l.name, b.l.n, sizeof(*b.l.name), name_cmp);
	*ret = b.l;
	return 0;
}

void file_names_free(struct file_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
	*l = (struct file_names){0};
}

static int remove_deep(int dirfd, const char *name, int depth, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	CLEAN_FD int fd = -1;
	int first = 0, r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "cannot remove");
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, errno, "cannot remove");
	if (depth == 0)
		return err_set(e, ERR_PROTOCOL, 0, "directories nested too deep");
	r = file_open_dir(dirfd, name, false, &fd, e);
	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < l.n; i++) {
		struct err one = ERR_INIT;

		r = remove_deep(fd, l.name[i], depth - 1, &one);
		if (r < 0 && first == 0) {
			first = r;
			if (e)
				*e = one;
		}
	}
	if (first < 0)
		return first;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove");
	return 0;
}

int file_remove_tree(int dirfd, const char *name, struct err *e)
{
	return remove_deep(dirfd, name, TREE_DEPTH, e);
}
