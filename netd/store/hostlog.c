/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostlog: see hostlog.h. Keys are sysctl paths ("net/ipv4/conf/eth0/forwarding"). It never touches
 * a sysctl itself.
 */
#include "store/hostlog.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/parse.h"
#include "store/dir.h"
#include "store/file.h"
#include "store/record.h"

#define KEY_MAX 200
#define FILE_MAX (2 * KEY_MAX)

/* No empty, "." or ".." component, no space or control byte. */
static bool key_ok(const char *key)
{
	size_t len = strlen(key), start = 0;

	if (len == 0 || len > KEY_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c == '/' || c == 0) {
			size_t n = i - start;

			if (n == 0 || (n == 1 && key[start] == '.') ||
			    (n == 2 && key[start] == '.' && key[start + 1] == '.'))
				return false;
			start = i + 1;
		} else if (c <= ' ' || c == 0x7f) {
			return false;
		}
	}
	return key[0] != '.';
}

/* 0 or -ENAMETOOLONG: the result is a file's name of at most NAME_MAX bytes. */
static int key_to_file(const char *key, char out[FILE_MAX + 1])
{
	size_t n = 0;

	for (; *key; key++) {
		if (*key == '%' || *key == '=') {
			out[n++] = '=';
			out[n++] = *key == '%' ? 'p' : 'e';
		} else {
			out[n++] = *key == '/' ? '%' : *key;
		}
	}
	out[n] = 0;
	return n < NAME_MAX ? 0 : -ENAMETOOLONG; /* one byte is for the "." of the temporary name */
}

static int file_to_key(const char *file, char out[KEY_MAX + 1])
{
	size_t n = 0;

	for (; *file; file++) {
		if (n == KEY_MAX)
			return -EINVAL;
		if (*file == '=') {
			file++;
			if (*file != 'p' && *file != 'e')
				return -EINVAL;
			out[n++] = *file == 'p' ? '%' : '=';
		} else {
			out[n++] = *file == '%' ? '/' : *file;
		}
	}
	out[n] = 0;
	return key_ok(out) ? 0 : -EINVAL;
}

static int file_of(const char *key, char out[FILE_MAX + 1], struct err *e)
{
	if (!key_ok(key) || key_to_file(key, out) < 0)
		return err_set(e, ERR_USAGE, EINVAL, "'%s' is no sysctl path", key);
	return 0;
}

/* Exactly what printf's %d writes. */
static int parse_int(const char *s, size_t len, int *ret)
{
	bool neg = len > 0 && s[0] == '-';
	uint64_t v;

	if (neg) {
		s++;
		len--;
	}
	if (parse_u64_n(s, len, neg ? 1 : 0, neg ? (uint64_t)INT_MAX + 1 : INT_MAX, &v) < 0)
		return -EINVAL;
	*ret = neg ? (int)-(int64_t)v : (int)v;
	return 0;
}

static int load(struct store *s, int fd, const char *file, int *ret_old, int *ret_new,
		struct err *e)
{
	CLEAN_FREE char *line = NULL;
	int old, new_value, r;
	const char *sp;
	size_t len;

	r = file_get(fd, file, &line, &len, e);
	if (r != 0)
		return r < 0 ? dir_ctx(s, SUB_HOST, file, r, e) : r;
	sp = strchr(line, ' ');
	if (!sp || parse_int(line, (size_t)(sp - line), &old) < 0 ||
	    parse_int(sp + 1, strlen(sp + 1), &new_value) < 0)
		return dir_ctx(s, SUB_HOST, file,
			       err_set(e, ERR_PROTOCOL, 0, "expected two numbers"), e);
	*ret_old = old;
	*ret_new = new_value;
	return 0;
}

int hostlog_put(struct store *s, const char *key, int old, int new_value, struct err *e)
{
	char file[FILE_MAX + 1], line[32];
	int was_old, was_new, fd, n, r;

	r = file_of(key, file, e);
	if (r == 0)
		r = dir_sub(s, SUB_HOST, true, &fd, e);
	if (r == 0)
		r = load(s, fd, file, &was_old, &was_new, e);
	if (r < 0)
		return r;
	if (r == 0) {
		if (was_new == new_value)
			return 0;
		old = was_old;
	}
	n = snprintf(line, sizeof(line), "%d %d", old, new_value);
	r = file_put(fd, file, line, (size_t)n, s->sync, e);
	return r < 0 ? dir_ctx(s, SUB_HOST, file, r, e) : 0;
}

int hostlog_each(struct store *s, int (*fn)(const char *key, int old, int new_value, void *arg),
		 void *arg, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	struct err all = ERR_INIT;
	int fd, r, first = 0;

	r = dir_sub(s, SUB_HOST, false, &fd, e);
	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < l.n; i++) {
		struct err why = ERR_INIT;
		char key[KEY_MAX + 1];
		int old, new_value;

		if (l.name[i][0] == '.')
			continue;
		if (file_to_key(l.name[i], key) < 0)
			r = dir_ctx(s, SUB_HOST, l.name[i],
				    err_set(&why, ERR_PROTOCOL, 0, "not a sysctl's name"), &why);
		else
			r = load(s, fd, l.name[i], &old, &new_value, &why);
		if (r < 0) {
			err_gather(&all, &why);
			first = first ? first : r;
		}
		if (r != 0)
			continue;
		r = fn(key, old, new_value, arg);
		if (r != 0)
			return r;
	}
	if (first < 0 && e)
		*e = all;
	return first;
}

int hostlog_del(struct store *s, const char *key, struct err *e)
{
	char file[FILE_MAX + 1];
	int r = file_of(key, file, e);

	return r < 0 ? r : record_del(s, SUB_HOST, file, e);
}
