/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys: the names of all attachments, without reading a record: a directory listing. */
#include "store/keys.h"

#include "model/name.h"
#include "store/dir.h"
#include "store/file.h"

int store_each_key(struct store *s, const char *begin,
		   int (*fn)(const char *id, const char *ifname, void *arg), void *arg,
		   struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	int fd;
	int r = dir_sub(s, SUB_ATTACHMENTS, false, &fd, e);

	if (r == 0)
		r = file_list_of(fd, begin, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && i < l.n; i++)
		if (name_parse_key(l.name[i], id, ifname) == 0)
			r = fn(id, ifname, arg);
	return r;
}
