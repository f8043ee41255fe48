/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim_port: claims on host ports. Equal ports exclude each other by their names; an interval is
 * compared with the names that exist. Whoever is in the way either has a good claim, and the call
 * ends with ERR_CONFLICT, or is evicted. A call that fails takes back what it took.
 */
#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/file.h"
#include "store/slot.h"

#define TAKE_TRIES 8

static bool is_good(struct store *s, const char *owner, const struct slot *sl)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	enum owner_state state = owner_state(s, owner, &a);

	return state == OWNER_LIVE || (state == OWNER_RECORD && owner_lists_slot(a, sl));
}

/* dirfd/name holds the slot `rival`, which excludes what is wanted. 0: it is gone now. */
static int evict(struct store *s, int dirfd, const char *name, const struct slot *rival,
		 struct err *e)
{
	char owner[KEY_STRLEN], text[SLOT_STRLEN];
	int r = owner_read(dirfd, name, owner, e);

	if (r == 1)
		return 0;
	if (r == OWNER_DIR)
		r = err_set(e, ERR_PROTOCOL, 0, "is a directory");
	if (r < 0)
		return err_ctx(e, r, "%s: %s", slot_str(rival, text), name);
	if (is_good(s, owner, rival))
		return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is taken by %s",
			       slot_str(rival, text), owner);
	r = file_unlink(dirfd, name, false, e);
	return r < 0 ? err_ctx(e, r, "%s", slot_str(rival, text)) : 0;
}

/* ports/name is a directory: evicts those of its entries that overlap want; removes it when empty.
 */
static int evict_dir(struct store *s, int portsfd, const char *name, const struct slot *want,
		     struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	CLEAN_FD int fd = -1;
	int r = file_open_dir(portsfd, name, false, &fd, e);

	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? dir_ctx(s, SUB_PORTS, name, r, e) : 0;
	for (size_t i = 0; i < l.n; i++) {
		struct slot rival;

		if (slot_parse_port(name, l.name[i], &rival) < 0)
			r = file_remove_tree(fd, l.name[i], e); /* nothing of ours */
		else if (slot_overlaps(&rival, want))
			r = evict(s, fd, l.name[i], &rival, e);
		if (r < 0)
			return r;
	}
	unlinkat(portsfd, name, AT_REMOVEDIR);
	return 0;
}

/* Everything of ports/ that overlaps the interval `want`. */
static int evict_ports(struct store *s, const struct slot *want, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	int fd, r = dir_sub(s, SUB_PORTS, false, &fd, e);

	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < l.n; i++) {
		char owner[KEY_STRLEN];
		struct slot rival;

		if (slot_parse_port(l.name[i], NULL, &rival) < 0 || !slot_overlaps(&rival, want))
			continue;
		r = owner_read(fd, l.name[i], owner, e);
		if (r == OWNER_DIR)
			r = evict_dir(s, fd, l.name[i], want, e);
		else if (r == 0)
			r = evict(s, fd, l.name[i], &rival, e);
		else if (r < 0)
			dir_ctx(s, SUB_PORTS, l.name[i], r, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Every interval that overlaps want, but an identical one of key itself. */
static int evict_ranges(struct store *s, const struct slot *want, const char *key, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	char own[SLOT_STRLEN], owner[KEY_STRLEN];
	int fd, r = dir_sub(s, SUB_RANGES, false, &fd, e);

	if (r == 0)
		r = file_list(fd, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	slot_range_name(want, own);
	for (size_t i = 0; i < l.n; i++) {
		struct slot rival;

		if (slot_parse_range(l.name[i], &rival) < 0 || !slot_overlaps(&rival, want))
			continue;
		if (want->is_range && strcmp(l.name[i], own) == 0 &&
		    owner_read(fd, own, owner, NULL) == 0 && strcmp(owner, key) == 0)
			continue;
		r = evict(s, fd, l.name[i], &rival, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The steps below return 0 when the link was made, 1 when key had it already. */

/* One link; want is what it stands for. */
static int take_link(struct store *s, int dirfd, const char *name, const struct slot *want,
		     const char *key, struct err *e)
{
	char owner[KEY_STRLEN], text[SLOT_STRLEN];

	for (int i = 0; i < TAKE_TRIES; i++) {
		int r;

		if (symlinkat(key, dirfd, name) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, errno, "cannot claim %s", slot_str(want, text));
		r = owner_read(dirfd, name, owner, NULL);
		if (r == 0 && strcmp(owner, key) == 0)
			return 1;
		if (r == OWNER_DIR && want->host.family == 0 && !want->is_range)
			r = evict_dir(s, dirfd, name, want, e);
		else
			r = evict(s, dirfd, name, want, e);
		if (r < 0)
			return r;
	}
	return err_set(e, ERR_BUSY, EAGAIN, "%s changes hands all the time", slot_str(want, text));
}

/* The directory of a port, for host-address claims. */
static int open_port_dir(struct store *s, int portsfd, const char *name, const struct slot *want,
			 int *ret, struct err *e)
{
	struct slot any = *want;
	char text[SLOT_STRLEN];

	any.host = (struct ip){0};
	for (int i = 0; i < TAKE_TRIES; i++) {
		struct err why = ERR_INIT;
		int r = file_open_dir(portsfd, name, true, ret, &why);

		if (r == 0)
			return 0;
		if (r != -ENOTDIR) {
			if (e)
				*e = why;
			return err_ctx(e, r, "cannot claim %s", slot_str(want, text));
		}
		r = evict(s, portsfd, name, &any, e); /* a wildcard claim */
		if (r < 0)
			return r;
	}
	return err_set(e, ERR_BUSY, EAGAIN, "%s changes hands all the time", slot_str(want, text));
}

static int take_port(struct store *s, int portsfd, const struct slot *want, const char *key,
		     struct err *e)
{
	char name[SLOT_STRLEN], host[IP_STRLEN];
	CLEAN_FD int fd = -1;
	int r;

	slot_port_name(want, want->first, name);
	if (want->host.family == 0)
		return take_link(s, portsfd, name, want, key, e);
	r = open_port_dir(s, portsfd, name, want, &fd, e);
	if (r < 0)
		return r;
	r = take_link(s, fd, ip_str(&want->host, host), want, key, e);
	if (r < 0)
		unlinkat(portsfd, name, AT_REMOVEDIR); /* only if it is empty */
	return r;
}

/* Removes dirfd/name if it is key's. 0, 1: it is not. */
static int drop_link(int dirfd, const char *name, const char *key, struct err *e)
{
	char owner[KEY_STRLEN];
	int r = owner_read(dirfd, name, owner, e);

	if (r < 0)
		return r;
	if (r > 0 || strcmp(owner, key) != 0)
		return 1;
	return file_unlink(dirfd, name, false, e);
}

static int drop_port(struct store *s, int portsfd, const struct slot *sl, const char *key,
		     struct err *e)
{
	char name[SLOT_STRLEN], host[IP_STRLEN];
	CLEAN_FD int fd = -1;
	int r;

	slot_port_name(sl, sl->first, name);
	if (sl->host.family == 0) {
		r = drop_link(portsfd, name, key, e);
	} else {
		r = file_open_dir(portsfd, name, false, &fd, e);
		if (r == -ENOTDIR) {
			err_reset(e);
			return 1; /* a wildcard claim: not this one */
		}
		if (r == 0) {
			r = drop_link(fd, ip_str(&sl->host, host), key, e);
			unlinkat(portsfd, name, AT_REMOVEDIR); /* only if it is empty */
		}
	}
	return r < 0 ? dir_ctx(s, SUB_PORTS, name, r, e) : r;
}

/* One family's share of a run: an interval, or a link for each port. */
static void drop_slot(struct store *s, const struct slot *sl, const uint8_t *which, const char *key,
		      struct err *all)
{
	char name[SLOT_STRLEN];
	int fd, r;

	if (sl->is_range) {
		struct err one = ERR_INIT;

		slot_range_name(sl, name);
		r = dir_sub(s, SUB_RANGES, false, &fd, &one);
		if (r == 0 && drop_link(fd, name, key, &one) < 0)
			dir_ctx(s, SUB_RANGES, name, -EIO, &one);
		err_gather(all, &one);
		return;
	}
	for (unsigned i = 0; i <= (unsigned)(sl->last - sl->first); i++) {
		struct err one = ERR_INIT;
		struct slot port = *sl;

		if (which && !which[i])
			continue;
		port.first = port.last = (uint16_t)(sl->first + i);
		r = dir_sub(s, SUB_PORTS, false, &fd, &one);
		if (r == 0)
			drop_port(s, fd, &port, key, &one);
		err_gather(all, &one);
	}
}

/* made[i] is set for each link that was made (an interval: made[0]). */
static int take_slot(struct store *s, const struct slot *sl, uint8_t *made, const char *key,
		     struct err *e)
{
	char name[SLOT_STRLEN];
	int fd, r;

	r = evict_ranges(s, sl, key, e);
	if (r == 0 && sl->is_range)
		r = evict_ports(s, sl, e);
	if (r == 0)
		r = dir_sub(s, sl->is_range ? SUB_RANGES : SUB_PORTS, true, &fd, e);
	if (r < 0)
		return r;
	if (sl->is_range) {
		slot_range_name(sl, name);
		r = take_link(s, fd, name, sl, key, e);
		made[0] = r == 0;
		return r < 0 ? r : 0;
	}
	for (unsigned i = 0; i <= (unsigned)(sl->last - sl->first); i++) {
		struct slot port = *sl;

		port.first = port.last = (uint16_t)(sl->first + i);
		r = take_port(s, fd, &port, key, e);
		if (r < 0)
			return r;
		made[i] = r == 0;
	}
	return 0;
}

/* The run as slots, one for each family it is claimed in. */
static int slots_of(const struct publish *p, const bool has[N_FAM], struct slot out[N_FAM],
		    struct err *e)
{
	int n = 0;

	if (p->host_port == 0 || p->count == 0 || p->host_port + p->count - 1 > 65535)
		return err_set(e, ERR_INTERNAL, EINVAL, "a run of %u ports from %u", p->count,
			       p->host_port);
	for (int f = 0; f < N_FAM; f++)
		if (has[f] && publish_covers(p, f))
			slot_of(p, f, &out[n++]);
	return n;
}

int claim_ports(struct store *s, const struct publish *p, const bool has[N_FAM], const char *key,
		struct err *e)
{
	CLEAN_FREE uint8_t *made = NULL;
	struct slot sl[N_FAM];
	int n, r;

	r = owner_check_call(s, key, e);
	n = r < 0 ? r : slots_of(p, has, sl, e);
	if (n < 0)
		return n;
	made = calloc(N_FAM, p->count);
	if (!made)
		return err_sys(e, ENOMEM, "no memory for a claim");
	for (int i = 0; i < n && r == 0; i++)
		r = take_slot(s, &sl[i], made + (size_t)i * p->count, key, e);
	for (int i = 0; i < n && r < 0; i++) {
		const uint8_t *which = made + (size_t)i * p->count;

		if (!sl[i].is_range || which[0])
			drop_slot(s, &sl[i], which, key, NULL);
	}
	return r;
}

int claim_drop_ports(struct store *s, const struct publish *p, const bool has[N_FAM],
		     const char *key, struct err *e)
{
	struct err all = ERR_INIT;
	struct slot sl[N_FAM];
	int n, r;

	r = owner_check_call(s, key, e);
	n = r < 0 ? r : slots_of(p, has, sl, e);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		drop_slot(s, &sl[i], NULL, key, &all);
	if (all.kind == ERR_NONE)
		return 0;
	if (e)
		*e = all;
	return all.sys ? -all.sys : -EIO;
}
