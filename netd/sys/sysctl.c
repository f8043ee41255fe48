/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl: integer values under /proc/sys, of the network namespace that the calling thread is in.
 * Keys are paths below /proc/sys; they are checked here once more, because a component may be an
 * interface name that the kernel gave us. Never retries a refused write. Read the kernel's
 * Documentation/networking/ip-sysctl.rst for the keys.
 */
#include "sys/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define KEY_MAX 200
#define PATH_LEN (sizeof("/proc/sys/") + KEY_MAX)

/* Components are not empty, not "." or "..", and hold printing characters only. */
static bool key_ok(const char *key)
{
	size_t start = 0, len = strlen(key);

	if (len == 0 || len > KEY_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c != '/' && c != '\0') {
			if (c <= ' ' || c == 0x7f)
				return false;
			continue;
		}
		if (i == start || (i - start == 1 && key[start] == '.') ||
		    (i - start == 2 && key[start] == '.' && key[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static int open_key(const char *key, int flags, int *ret_fd, struct err *e)
{
	char path[PATH_LEN];
	int fd;

	if (!key_ok(key))
		return err_set(e, ERR_INTERNAL, EINVAL, "sysctl key");
	(void)snprintf(path, sizeof(path), "/proc/sys/%s", key);
	do
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, errno, "sysctl %s", key);
	*ret_fd = fd;
	return 0;
}

static int parse_int(const char *text, int *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || v < INT_MIN || v > INT_MAX)
		return -EINVAL;
	if (*end != '\0' && strcmp(end, "\n") != 0)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

int sysctl_get_int(const char *key, int *ret, struct err *e)
{
	CLEAN_FD int fd = -1;
	char text[32];
	ssize_t n;
	int r;

	r = open_key(key, O_RDONLY, &fd, e);
	if (r < 0)
		return r;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "sysctl %s: read", key);
	text[n] = '\0';
	if (parse_int(text, ret) < 0)
		return err_invalid(e, ERR_PROTOCOL, "sysctl %s: expected one integer", key);
	return 0;
}

int sysctl_get_text(const char *key, char *ret, size_t size, struct err *e)
{
	CLEAN_FD int fd = -1;
	ssize_t n;
	int r;

	r = open_key(key, O_RDONLY, &fd, e);
	if (r < 0)
		return r;
	do
		n = read(fd, ret, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "sysctl %s: read", key);
	if ((size_t)n == size)
		return err_sys(e, ERANGE, "sysctl %s", key);
	ret[n] = '\0';
	if (n > 0 && ret[n - 1] == '\n')
		ret[n - 1] = '\0';
	return 0;
}

int sysctl_set_text(const char *key, const char *value, struct err *e)
{
	CLEAN_FD int fd = -1;
	size_t len = strlen(value);
	ssize_t n;
	int r;

	r = open_key(key, O_WRONLY, &fd, e);
	if (r < 0)
		return r;
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "sysctl %s: write \"%s\"", key, value);
	if ((size_t)n != len)
		return err_set(e, ERR_KERNEL, EIO, "sysctl %s: write \"%s\"", key, value);
	return 0;
}

int sysctl_set_int(const char *key, int value, struct err *e)
{
	CLEAN_FD int fd = -1;
	char text[16];
	ssize_t n;
	int len, r;

	r = open_key(key, O_WRONLY, &fd, e);
	if (r < 0)
		return r;
	len = snprintf(text, sizeof(text), "%d\n", value);
	do
		n = write(fd, text, (size_t)len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "sysctl %s: write %d", key, value);
	/* A sysctl takes a value in one write; a rest would be read as a second value. */
	if (n != len)
		return err_set(e, ERR_KERNEL, EIO, "sysctl %s: write %d", key, value);
	return 0;
}

int sysctl_set_or_has(const char *key, int value, struct err *e)
{
	struct err mine = ERR_INIT;
	int now, r = sysctl_set_int(key, value, &mine);

	if ((r == -EROFS || r == -EACCES || r == -EPERM) && sysctl_get_int(key, &now, NULL) == 0 &&
	    now == value)
		return 0;
	if (r < 0 && e)
		*e = mine;
	return r;
}
