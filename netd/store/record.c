/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record: the records of attachments: attachments/ID@IF, one compact JSON document each. The schema
 * is the codec's; this file adds that a record must say the name it is stored under, so that a
 * copied or renamed file is refused like a damaged one. It takes no lock and never looks at claims.
 *
 * A committed attachment is a member of its network. Taking it away begins with the membership, and
 * what it has claimed goes before the record does; so the record of one that is no member may list
 * what others own by now, and is read as leaving.
 */
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "model/codec.h"
#include "store/file.h"
#include "store/member.h"

/* The library may leave parts out when memory runs short; such a record would get a good CRC. So a
 * process that ever ran short (store_open has it counted) reads back what it printed. */
static bool is_whole(const char *line, json_t *doc)
{
	CLEAN_JSON json_t *back = NULL;

	return json_failures() == 0 ||
	       (json_parse(line, strlen(line), &back, NULL) == 0 && json_equal(doc, back));
}

int record_put(struct store *s, enum store_sub sub, const char *name, json_t *doc, struct err *e)
{
	CLEAN_JSON json_t *own = doc;
	CLEAN_FREE char *line = NULL;
	int fd, r;

	line = own ? json_dumps(own, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (!line || !is_whole(line, own))
		return err_sys(e, ENOMEM, "no memory for the record of %s", name);
	r = dir_sub(s, sub, true, &fd, e);
	if (r < 0)
		return r;
	r = file_put(fd, name, line, strlen(line), s->sync, e);
	return r < 0 ? dir_ctx(s, sub, name, r, e) : 0;
}

int record_get(struct store *s, enum store_sub sub, const char *name, json_t **ret, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	size_t len;
	int fd, r;

	r = dir_sub(s, sub, false, &fd, e);
	if (r != 0)
		return r;
	r = file_get(fd, name, &line, &len, e);
	if (r == 0)
		r = json_parse(line, len, ret, e);
	return r < 0 ? dir_ctx(s, sub, name, r, e) : r;
}

int record_del(struct store *s, enum store_sub sub, const char *name, struct err *e)
{
	int fd, r;

	r = dir_sub(s, sub, false, &fd, e);
	if (r != 0)
		return r;
	r = file_unlink(fd, name, s->sync, e);
	return r < 0 ? dir_ctx(s, sub, name, r, e) : r;
}

static int check_names(const char *id, const char *ifname, struct err *e)
{
	int r = name_check_id(id, "container id", e);

	return r < 0 ? r : name_check_ifname(ifname, "interface name", e);
}

int store_put_attachment(struct store *s, const struct attachment *a, struct err *e)
{
	char key[KEY_STRLEN];
	int r = check_names(a->id, a->ifname, e);

	if (r < 0)
		return r;
	name_key(a->id, a->ifname, key);
	return record_put(s, SUB_ATTACHMENTS, key, codec_attachment(a), e);
}

/* key is valid. */
static int load(struct store *s, const char *key, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_JSON json_t *doc = NULL;
	char own[KEY_STRLEN];
	int r;

	r = record_get(s, SUB_ATTACHMENTS, key, &doc, e);
	if (r != 0)
		return r;
	r = codec_parse_attachment(doc, &a, e);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		/* Whatever the codec calls it: bytes of a file broke their format. */
		if (e)
			e->kind = ERR_PROTOCOL;
		return dir_ctx(s, SUB_ATTACHMENTS, key, r, e);
	}
	name_key(a->id, a->ifname, own);
	if (strcmp(own, key) != 0)
		return dir_ctx(s, SUB_ATTACHMENTS, key,
			       err_set(e, ERR_PROTOCOL, 0, "the record is that of %s", own), e);
	if (a->phase == ATTACH_COMMITTED) {
		r = member_has(s, a->network, key, e);
		if (r < 0)
			return r;
		if (r == 0)
			a->phase = ATTACH_LEAVING;
	}
	*ret = a;
	a = NULL;
	return 0;
}

int store_get_attachment(struct store *s, const char *id, const char *ifname,
			 struct attachment **ret, struct err *e)
{
	char key[KEY_STRLEN];
	int r = check_names(id, ifname, e);

	if (r < 0)
		return r;
	name_key(id, ifname, key);
	return load(s, key, ret, e);
}

int store_del_attachment(struct store *s, const char *id, const char *ifname, struct err *e)
{
	char key[1 + KEY_STRLEN];
	int r = check_names(id, ifname, e);

	if (r < 0)
		return r;
	/* A process killed while it wrote leaves the temporary name; with the record both go. */
	key[0] = '.';
	name_key(id, ifname, key + 1);
	r = record_del(s, SUB_ATTACHMENTS, key, e);
	return r < 0 ? r : record_del(s, SUB_ATTACHMENTS, key + 1, e);
}

static bool is_key(const char *name)
{
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	return name_parse_key(name, id, ifname) == 0;
}

bool store_has_attachment(struct store *s, const char *key)
{
	struct stat st;
	int fd;

	return is_key(key) && dir_sub(s, SUB_ATTACHMENTS, false, &fd, NULL) == 0 &&
	       fstatat(fd, key, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_each_attachment(struct store *s, int (*fn)(const struct attachment *a, void *arg),
			  void (*on_broken)(const char *name, const struct err *why, void *arg),
			  void *arg, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	int fd, r;

	r = dir_sub(s, SUB_ATTACHMENTS, false, &fd, e);
	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < l.n; i++) {
		CLEAN_ATTACHMENT struct attachment *a = NULL;
		struct err why = ERR_INIT;

		if (l.name[i][0] == '.')
			continue;
		if (is_key(l.name[i]))
			r = load(s, l.name[i], &a, &why);
		else
			r = dir_ctx(s, SUB_ATTACHMENTS, l.name[i],
				    err_set(&why, ERR_PROTOCOL, 0, "not a key"), &why);
		if (r < 0 && on_broken)
			on_broken(l.name[i], &why, arg);
		if (r != 0)
			continue; /* broken, or gone since it was listed */
		r = fn(a, arg);
		if (r != 0)
			return r;
	}
	return 0;
}

int store_del_broken(struct store *s, const char *name, struct err *e)
{
	struct stat st;
	int fd, r;

	if (name[0] == 0 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERR_USAGE, EINVAL, "'%s' is no record's name", name);
	r = dir_sub(s, SUB_ATTACHMENTS, false, &fd, e);
	if (r != 0)
		return r;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 1;
	r = file_remove_tree(fd, name, e);
	return r < 0 ? dir_ctx(s, SUB_ATTACHMENTS, name, r, e) : 0;
}
