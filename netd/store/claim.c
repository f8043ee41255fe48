/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim: addresses. The search for a free one is a walk from the cursor on; each step is the
 * attempt to make the link. Where many neighbours are taken (the cursor has wrapped into old
 * addresses), the directory is read once into a bitmap instead. Only when no bit is free the owners
 * are looked at.
 *
 * The cursor file has one fixed-width number per family and is overwritten in place: it is a hint,
 * any content of it is harmless.
 */
#include "store/claim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "store/file.h"
#include "store/slot.h"

#define POOL_MAX ((uint64_t)1 << 20)
#define PROBES 64
#define LOOKS 8
#define TAKE_TRIES 8
#define CURSOR_LEN CLAIM_CURSOR_LEN /* "1234567\n" */

int claim_addr_owner(struct store *s, const struct ip *ip, char ret_key[KEY_STRLEN], struct err *e)
{
	char name[IP_STRLEN], key[KEY_STRLEN];
	int fd, r;

	r = dir_sub(s, SUB_ADDRS, false, &fd, e);
	if (r != 0)
		return r;
	r = owner_read(fd, ip_str(ip, name), key, e);
	if (r == OWNER_DIR)
		r = err_set(e, ERR_PROTOCOL, 0, "is a directory");
	if (r < 0)
		return dir_ctx(s, SUB_ADDRS, name, r, e);
	if (r == 0)
		memcpy(ret_key, key, KEY_STRLEN);
	return r;
}

static bool is_good(struct store *s, const char *owner, const struct ip *ip)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	enum owner_state state = owner_state(s, owner, &a);

	return state == OWNER_LIVE || (state == OWNER_RECORD && owner_lists_addr(a, ip));
}

int claim_addr(struct store *s, const struct ip *ip, const char *key, struct err *e)
{
	char name[IP_STRLEN], owner[KEY_STRLEN];
	int fd, r;

	r = owner_check_call(s, key, e);
	if (r == 0)
		r = dir_sub(s, SUB_ADDRS, true, &fd, e);
	if (r < 0)
		return r;
	ip_str(ip, name);
	for (int i = 0; i < TAKE_TRIES; i++) {
		if (symlinkat(key, fd, name) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, errno, "cannot claim the address %s", name);
		r = claim_addr_owner(s, ip, owner, e);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (strcmp(owner, key) == 0)
			return 1;
		if (is_good(s, owner, ip))
			return err_what(e,
					err_set(e, ERR_CONFLICT, EADDRINUSE,
						"address %s is taken by %s", name, owner),
					WHAT_ADDRESS);
		if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "cannot take over the address %s", name);
	}
	return err_set(e, ERR_BUSY, EAGAIN, "address %s changes hands all the time", name);
}

int claim_drop_addr(struct store *s, const struct ip *ip, const char *key, struct err *e)
{
	char name[IP_STRLEN], owner[KEY_STRLEN];
	int fd, r;

	r = owner_check_call(s, key, e);
	if (r == 0)
		r = claim_addr_owner(s, ip, owner, e);
	if (r != 0)
		return r;
	if (strcmp(owner, key) != 0)
		return 1;
	r = dir_sub(s, SUB_ADDRS, false, &fd, e);
	if (r == 0)
		r = file_unlink(fd, ip_str(ip, name), false, e);
	return r < 0 ? dir_ctx(s, SUB_ADDRS, ip_str(ip, name), r, e) : r;
}

/* The search for a free address of a set. The addresses of its ranges are counted from lo on, one
 * range after the other. */
struct pool {
	struct store *s;
	const char *network;
	const struct addr_set *set;
	unsigned int slot; /* of the cursor */
	const char *key;
	int dirfd;
	int cursorfd;
	uint64_t lo, hi, start;
	uint8_t *map; /* one bit for each of 0..hi: a name is there */
};

static uint64_t range_size(const struct addr_range *r)
{
	uint64_t n = prefix_index(&r->subnet, &r->last) - prefix_index(&r->subnet, &r->first);

	return n < POOL_MAX ? n + 1 : POOL_MAX;
}

/* The i-th address; false when it is the gateway. */
static bool pool_addr(const struct pool *p, uint64_t i, struct ip *ret)
{
	i -= p->lo;
	for (size_t k = 0; k < p->set->n; k++) {
		const struct addr_range *r = &p->set->r[k];
		uint64_t size = range_size(r);

		if (i < size)
			return prefix_nth(&r->subnet, prefix_index(&r->subnet, &r->first) + i,
					  ret) == 0 &&
			       !ip_equal(ret, &r->gateway);
		i -= size;
	}
	return false;
}

/* Its place, or 0. */
static uint64_t pool_place(const struct pool *p, const struct ip *ip)
{
	uint64_t before = p->lo;

	for (size_t k = 0; k < p->set->n; k++) {
		const struct addr_range *r = &p->set->r[k];

		if (ip->family == r->first.family && ip_cmp(ip, &r->first) >= 0 &&
		    ip_cmp(ip, &r->last) <= 0) {
			uint64_t i =
				prefix_index(&r->subnet, ip) - prefix_index(&r->subnet, &r->first);

			return i < range_size(r) && before + i <= p->hi ? before + i : 0;
		}
		before += range_size(r);
	}
	return 0;
}

static uint64_t pool_next(const struct pool *p, uint64_t i)
{
	return i >= p->hi ? p->lo : i + 1;
}

/* 0: taken, now key's. 1: not to be had. */
static int pool_try(struct pool *p, uint64_t i, struct ip *ret, struct err *e)
{
	char name[IP_STRLEN], owner[KEY_STRLEN];

	if (!pool_addr(p, i, ret))
		return 1;
	ip_str(ret, name);
	if (symlinkat(p->key, p->dirfd, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, errno, "cannot claim the address %s", name);
	return owner_read(p->dirfd, name, owner, NULL) == 0 && strcmp(owner, p->key) == 0 ? 0 : 1;
}

static int map_name(const char *name, void *arg)
{
	struct pool *p = arg;
	struct ip ip;
	uint64_t i;

	if (ip_parse(name, &ip, NULL) < 0)
		return 0;
	i = pool_place(p, &ip);
	if (i)
		p->map[i / 8] |= (uint8_t)(1u << (i % 8));
	return 0;
}

/* Tries those that have no name in the directory. */
static int pool_search(struct pool *p, uint64_t *ret_i, struct ip *ret, struct err *e)
{
	uint64_t i = p->start;
	int r;

	p->map = calloc(p->hi / 8 + 1, 1);
	if (!p->map)
		return err_sys(e, ENOMEM, "no memory for the map of a subnet");
	r = file_each(p->dirfd, map_name, p, e);
	if (r < 0)
		return r;
	do {
		if (!(p->map[i / 8] & (1u << (i % 8)))) {
			r = pool_try(p, i, ret, e);
			if (r <= 0) {
				*ret_i = i;
				return r;
			}
		}
		i = pool_next(p, i);
	} while (i != p->start);
	return 1;
}

/* All have a name: takes the first whose owner has no record. */
static int pool_reuse(struct pool *p, uint64_t *ret_i, struct ip *ret, struct err *e)
{
	uint64_t i = p->start;

	do {
		char name[IP_STRLEN], owner[KEY_STRLEN];

		if (pool_addr(p, i, ret) &&
		    owner_read(p->dirfd, ip_str(ret, name), owner, NULL) == 0 &&
		    (strcmp(owner, p->key) == 0 || !store_has_attachment(p->s, owner))) {
			int r = claim_addr(p->s, ret, p->key, e);

			if (r >= 0) {
				*ret_i = i;
				return 0;
			}
			if (!e || e->kind != ERR_CONFLICT) /* else somebody is at work on it */
				return r;
			err_reset(e);
		}
		i = pool_next(p, i);
	} while (i != p->start);
	return 1;
}

/* Opens the cursor and sets start. Unreadable content is no cursor. */
static int cursor_open(struct pool *p, bool *ret_known, struct err *e)
{
	char text[CURSOR_LEN];
	uint64_t i;
	int fd, r;

	r = dir_sub(p->s, SUB_CURSORS, true, &fd, e);
	if (r < 0)
		return r;
	r = file_open_rw(fd, p->network, false, 0644, &p->cursorfd, e);
	if (r == 1) {
		r = file_open_rw(fd, p->network, true, 0644, &p->cursorfd, e);
		if (r == 0)
			snprintf(p->s->made_cursor, sizeof(p->s->made_cursor), "%s", p->network);
	}
	if (r < 0)
		return dir_ctx(p->s, SUB_CURSORS, p->network, r, e);
	if (pread(p->cursorfd, text, CURSOR_LEN, (off_t)p->slot * CURSOR_LEN) == CURSOR_LEN &&
	    text[CURSOR_LEN - 1] == '\n') {
		size_t zeros = strspn(text, "0");

		*ret_known =
			parse_u64_n(text + zeros, CURSOR_LEN - 1 - zeros, p->lo, p->hi, &i) == 0;
	}
	p->start = *ret_known ? i : p->lo;
	return 0;
}

static int cursor_move(struct pool *p, uint64_t i, struct err *e)
{
	char text[CURSOR_LEN + 1];
	int r;

	snprintf(text, sizeof(text), "%07u\n", (unsigned)i % 10000000u);
	r = file_write_at(p->cursorfd, text, CURSOR_LEN, (off_t)p->slot * CURSOR_LEN, e);
	return r < 0 ? dir_ctx(p->s, SUB_CURSORS, p->network, r, e) : 0;
}

void claim_undo_cursor(struct store *s)
{
	int fd;

	if (s->made_cursor[0] && dir_sub(s, SUB_CURSORS, false, &fd, NULL) == 0)
		unlinkat(fd, s->made_cursor, 0);
	s->made_cursor[0] = '\0';
}

/* It could not be written: an empty file must not stay behind. */
static void cursor_drop(struct pool *p)
{
	int fd;

	if (dir_sub(p->s, SUB_CURSORS, false, &fd, NULL) == 0)
		unlinkat(fd, p->network, 0);
}

/* The address before the cursor, when an attempt of key took it and was killed. */
static bool pool_again(struct pool *p, struct ip *ret)
{
	uint64_t i = p->start == p->lo ? p->hi : p->start - 1;
	char name[IP_STRLEN], owner[KEY_STRLEN];

	return pool_addr(p, i, ret) && owner_read(p->dirfd, ip_str(ret, name), owner, NULL) == 0 &&
	       strcmp(owner, p->key) == 0;
}

static int pool_take(struct pool *p, struct ip *ret, struct err *e)
{
	char text[PREFIX_STRLEN];
	bool is_known = false;
	uint64_t i;
	int r;

	r = cursor_open(p, &is_known, e);
	if (r < 0 || (is_known && pool_again(p, ret)))
		return r;
	i = p->start;
	for (int k = 0; k < PROBES; k++) {
		r = pool_try(p, i, ret, e);
		if (r <= 0)
			break;
		i = pool_next(p, i);
		if (i == p->start)
			break;
	}
	if (r > 0 && i != p->start)
		r = pool_search(p, &i, ret, e);
	if (r > 0)
		r = pool_reuse(p, &i, ret, e);
	if (r > 0)
		return err_what(e,
				err_set(e, ERR_QUOTA, 0,
					"network %s: every address of %s%s is in use", p->network,
					prefix_str(&p->set->r[0].subnet, text),
					p->set->n > 1 ? " and further ranges" : ""),
				WHAT_POOL);
	if (r < 0)
		return r;
	r = cursor_move(p, pool_next(p, i), e);
	if (r < 0) {
		unlinkat(p->dirfd, ip_str(ret, text), 0);
		cursor_drop(p);
	}
	return r;
}

int claim_from_set(struct store *s, const char *network, const struct addr_set *set,
		   unsigned int slot, const char *key, struct ip *ret, struct err *e)
{
	struct pool p = {.s = s,
			 .network = network,
			 .set = set,
			 .slot = slot,
			 .key = key,
			 .cursorfd = -1,
			 .lo = 1};
	struct ip ip;
	int r;

	r = owner_check_call(s, key, e);
	if (r == 0)
		r = name_check_network(network, "network name", e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < set->n; i++)
		p.hi += range_size(&set->r[i]);
	if (p.hi >= POOL_MAX)
		p.hi = POOL_MAX - 1;
	r = dir_sub(s, SUB_ADDRS, true, &p.dirfd, e);
	if (r == 0)
		r = pool_take(&p, &ip, e);
	fd_closep(&p.cursorfd);
	free(p.map);
	if (r == 0)
		*ret = ip;
	return r;
}

int claim_next_addr(struct store *s, const struct network *n, int fam, const char *key,
		    struct ip *ret, struct err *e)
{
	struct addr_set set = {.n = 1,
			       .r = {{.subnet = n->subnet[fam], .gateway = n->gateway[fam]}}};
	struct addr_range *r = &set.r[0];

	/* That of the names responder is nobody's either; in bridge mode it is the gateway's. */
	(void)network_resolver(n, fam, &r->gateway);

	if (r->subnet.ip.family == 0 || prefix_size(&r->subnet) < 4)
		return err_set(e, ERR_INTERNAL, EINVAL, "network %s has no pool of family IPv%c",
			       n->name, fam == FAM4 ? '4' : '6');
	(void)prefix_nth(&r->subnet, 1, &r->first);
	r->last = prefix_last(&r->subnet);
	if (fam == FAM4)
		r->last.b[3]--; /* broadcast */
	return claim_from_set(s, n->name, &set, (unsigned int)fam, key, ret, e);
}

struct count {
	struct pool pool;
	uint64_t n_taken;
};

static int count_name(const char *name, void *arg)
{
	struct count *c = arg;
	struct ip ip;

	if (ip_parse(name, &ip, NULL) == 0 && pool_find(c->pool.set, &ip))
		c->n_taken++;
	return 0;
}

static int by_name(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

/* Those of dead owners count as free. The records are listed once: a question to the file system
 * for each of a thousand owners would take longer than all the rest. */
static int all_alive(struct pool *p, struct err *e)
{
	CLEAN_NAMES struct file_names l = {0};
	struct ip ip;
	int fd, r = dir_sub(p->s, SUB_ATTACHMENTS, false, &fd, e);

	if (r == 0)
		r = file_list(fd, &l, e);
	if (r < 0)
		return r;
	for (uint64_t i = p->lo; i <= p->hi; i++) {
		char name[IP_STRLEN], owner[KEY_STRLEN];

		if (pool_addr(p, i, &ip) &&
		    (owner_read(p->dirfd, ip_str(&ip, name), owner, NULL) != 0 ||
		     !bsearch(owner, l.name, l.n, sizeof(*l.name), by_name)))
			return 0;
	}
	return 1;
}

/* A look at the last address, and at some that lie far apart. Where one of two is free, one of 256
 * pools is counted all the same; counting takes time with each address that is taken. */
static bool has_free(const struct pool *p)
{
	const uint64_t n = p->hi < POOL_MAX ? p->hi : POOL_MAX;
	uint64_t i = n;

	for (int k = 0; k < LOOKS && n > 0; k++) {
		char name[IP_STRLEN], owner[KEY_STRLEN];
		struct ip ip;

		if (pool_addr(p, i, &ip) &&
		    owner_read(p->dirfd, ip_str(&ip, name), owner, NULL) == 1)
			return true;
		i = 1 + (i + n * 5 / 8) % n;
	}
	return false;
}

int claim_is_full(struct store *s, const struct addr_set *set, struct err *e)
{
	struct count c = {.pool = {.s = s, .set = set, .lo = 1}};
	int r = dir_sub(s, SUB_ADDRS, false, &c.pool.dirfd, e);

	for (size_t i = 0; i < set->n; i++)
		c.pool.hi += range_size(&set->r[i]);
	if (r == 0 && has_free(&c.pool))
		return 0;
	if (r == 0)
		r = file_each(c.pool.dirfd, count_name, &c, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (c.n_taken < pool_size(set))
		return 0;
	return all_alive(&c.pool, e);
}

/* 1: there is none. */
static int cursor_find(struct store *s, const char *network, int *ret, struct err *e)
{
	int fd, r = name_check_network(network, "network name", e);

	if (r == 0)
		r = dir_sub(s, SUB_CURSORS, false, &fd, e);
	if (r == 0)
		r = file_open_rw(fd, network, false, 0644, ret, e);
	return r < 0 ? dir_ctx(s, SUB_CURSORS, network, r, e) : r;
}

int claim_get_cursor(struct store *s, const char *network, struct claim_cursor *ret, struct err *e)
{
	struct claim_cursor c = {.is_known = false};
	CLEAN_FD int fd = -1;
	int r = cursor_find(s, network, &fd, e);

	if (r == 0) {
		ssize_t n = pread(fd, c.text, sizeof(c.text), 0);
		if (n < 0)
			return dir_ctx(s, SUB_CURSORS, network, err_sys(e, errno, "cannot read"),
				       e);
		c.is_known = true;
		c.n = (size_t)n;
	}
	if (r >= 0)
		*ret = c;
	return r < 0 ? r : 0;
}

int claim_put_cursor(struct store *s, const char *network, const struct claim_cursor *c,
		     struct err *e)
{
	CLEAN_FD int fd = -1;
	int dirfd, r = cursor_find(s, network, &fd, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!c->is_known) {
		r = dir_sub(s, SUB_CURSORS, false, &dirfd, e);
		if (r == 0)
			r = file_unlink(dirfd, network, false, e);
	} else {
		r = file_write_at(fd, c->text, c->n, 0, e);
		if (r == 0 && ftruncate(fd, (off_t)c->n) < 0)
			r = err_sys(e, errno, "cannot cut the file");
	}
	return r < 0 ? dir_ctx(s, SUB_CURSORS, network, r, e) : 0;
}
