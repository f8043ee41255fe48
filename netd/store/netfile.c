/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netfile: the records of networks: networks/NAME. Like those of attachments, a record must say the
 * name it is stored under. The cursor of a network goes with it.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "model/codec.h"
#include "store/file.h"
#include "store/record.h"

int store_put_network(struct store *s, const struct network *n, struct err *e)
{
	int r = name_check_network(n->name, "network name", e);

	return r < 0 ? r : record_put(s, SUB_NETWORKS, n->name, codec_network(n), e);
}

int store_get_network(struct store *s, const char *name, struct network *ret, struct err *e)
{
	CLEAN_JSON json_t *doc = NULL;
	struct network n = {0};
	int r;

	r = name_check_network(name, "network name", e);
	if (r < 0)
		return r;
	r = record_get(s, SUB_NETWORKS, name, &doc, e);
	if (r != 0)
		return r;
	r = codec_parse_network(doc, &n, e);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (e)
			e->kind = ERR_PROTOCOL;
		return dir_ctx(s, SUB_NETWORKS, name, r, e);
	}
	if (strcmp(n.name, name) != 0)
		return dir_ctx(s, SUB_NETWORKS, name,
			       err_set(e, ERR_PROTOCOL, 0, "the record is that of %s", n.name), e);
	*ret = n;
	return 0;
}

int store_del_network(struct store *s, const char *name, struct err *e)
{
	struct err cursor = ERR_INIT;
	int r, c;

	r = name_check_network(name, "network name", e);
	if (r < 0)
		return r;
	c = record_del(s, SUB_CURSORS, name, &cursor);
	r = record_del(s, SUB_NETWORKS, name, e);
	if (c < 0 && r >= 0) {
		if (e)
			*e = cursor;
		return c;
	}
	return r;
}

int store_each_network(struct store *s, int (*fn)(const struct network *n, void *arg), void *arg,
		       struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	struct err all = ERR_INIT;
	int fd, r, first = 0;

	r = dir_sub(s, SUB_NETWORKS, false, &fd, e);
	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < l.n; i++) {
		struct err why = ERR_INIT;
		struct network n;

		if (l.name[i][0] == '.')
			continue;
		if (name_check_network(l.name[i], "network name", &why) < 0) {
			why.kind = ERR_PROTOCOL;
			r = dir_ctx(s, SUB_NETWORKS, l.name[i], -EIO, &why);
		} else {
			r = store_get_network(s, l.name[i], &n, &why);
		}
		if (r < 0) {
			err_gather(&all, &why);
			first = first ? first : r;
		}
		if (r != 0)
			continue;
		r = fn(&n, arg);
		if (r != 0)
			return r;
	}
	if (first < 0 && e)
		*e = all;
	return first;
}

int netfile_forget(struct store *s, size_t *ret_left, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	size_t left = 0;
	int fd, r;

	r = dir_sub(s, SUB_NETWORKS, false, &fd, e);
	if (r == 0)
		r = file_list(fd, &l, e);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		struct network n;
		int k = store_get_network(s, l.name[i], &n, NULL);

		if (k == -ENOMEM)
			r = err_sys(e, ENOMEM, "networks of another boot");
		else if (k == 0 && !n.implicit)
			left++;
		else
			r = file_remove_tree(fd, l.name[i], e);
	}
	if (r < 0)
		return r;
	*ret_left = left;
	return 0;
}
