/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostports: ports of the user's containers at the uplink, and their record. A port goes two steps:
 * the uplink listens outside and hands its clients over, with their own addresses, on a port of the
 * user's host; there the engine leads them on to the container. That port has the same number, but
 * where another has it there: the user's host has one address, outside there are many. The record
 * is written before a port is asked for and after it is given back, so it never says less than
 * there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/grow.h"
#include "base/json.h"
#include "rootless/host_int.h"
#include "store/file.h"

#define PORTS_FILE "ports"
#define PICK_FROM 32768u
#define PICK_TO 61000u
#define PICK_TRIES 16

struct entry {
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	struct publish p;
	uint16_t inner; /* its first port in the user's host */
};

struct book {
	size_t n, cap;
	struct entry *v;
};

static void book_free(struct book *b)
{
	free(b->v);
	*b = (struct book){0};
}
#define CLEAN_BOOK __attribute__((cleanup(book_free)))

static int book_add(struct book *b, const char *id, const char *ifname, const struct publish *p,
		    uint16_t inner, struct err *e)
{
	struct entry *at;

	if (!GROW(b->v, b->n, b->cap))
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	at = &b->v[b->n++];
	(void)snprintf(at->id, sizeof(at->id), "%s", id);
	(void)snprintf(at->ifname, sizeof(at->ifname), "%s", ifname);
	at->p = *p;
	at->inner = inner;
	return 0;
}

static bool is_of(const struct entry *t, const char *id, const char *ifname)
{
	return strcmp(t->id, id) == 0 && strcmp(t->ifname, ifname) == 0;
}

/* ---- the record ---- */

static int load_one(struct book *b, json_t *o, struct err *e)
{
	const char *id = "", *ifname = "", *spec = "";
	struct publish p = {0};
	uint64_t inner = 0;
	int r = json_get_str(o, "ports", "id", JSON_REQUIRED, &id, e);

	if (r == 0)
		r = json_get_str(o, "ports", "interface", JSON_REQUIRED, &ifname, e);
	if (r == 0)
		r = json_get_str(o, "ports", "spec", JSON_REQUIRED, &spec, e);
	if (r == 0)
		r = name_check_id(id, "id", e);
	if (r == 0)
		r = name_check_ifname(ifname, "interface", e);
	if (r == 0)
		r = publish_parse(spec, &p, e);
	if (r == 0)
		r = json_get_u64(o, "ports", "inner", JSON_OPTIONAL, 1, UINT16_MAX, &inner, e);
	if (r == 1) { /* the same */
		inner = p.host_port;
		r = 0;
	}
	if (r == 0 && inner + p.count > UINT16_MAX + 1u)
		r = json_bad("ports", "inner", e, "is no port");
	return r < 0 ? r : book_add(b, id, ifname, &p, (uint16_t)inner, e);
}

static int load(struct host *h, struct book *b, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	CLEAN_JSON json_t *doc = NULL;
	json_t *list = NULL;
	size_t len;
	int r = file_get(h->fd, PORTS_FILE, &line, &len, e);

	if (r == 1)
		return 0;
	if (r == 0)
		r = json_parse(line, len, &doc, e);
	if (r == 0)
		r = json_get_arr(doc, "", "ports", JSON_REQUIRED, &list, e);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = load_one(b, json_array_get(list, i), e);
	return r < 0 ? err_ctx(e, r, "record of published ports") : 0;
}

static int save(struct host *h, const struct book *b, struct err *e)
{
	json_t *list = json_array();
	CLEAN_JSON json_t *doc = json_pack("{s:o}", "ports", list);
	CLEAN_FREE char *line = NULL;
	char spec[PUBLISH_STRLEN];
	int bad = 0;

	for (size_t i = 0; i < b->n; i++)
		bad |= json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i}", "id", b->v[i].id,
							     "interface", b->v[i].ifname, "spec",
							     publish_str(&b->v[i].p, spec), "inner",
							     (int)b->v[i].inner));
	line = bad == 0 ? json_print(doc) : NULL;
	if (!line)
		return err_set(e, ERR_INTERNAL, ENOMEM, "record of published ports");
	return err_ctx(e, file_put(h->fd, PORTS_FILE, line, strlen(line), false, e),
		       "record of published ports");
}

/* ---- at the uplink ---- */

static struct publish outer(const struct entry *t)
{
	struct publish o = t->p;

	o.ctr_port = t->inner;
	o.is_unheld = false;
	return o;
}

static int ask_uplink(struct host *h, const struct entry *list, size_t n, bool is_back,
		      struct err *e)
{
	CLEAN_FREE struct publish *out = calloc(n ? n : 1, sizeof(*out));
	struct rootless_state s = {0};
	int r;

	if (!out)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	for (size_t i = 0; i < n; i++)
		out[i] = outer(&list[i]);
	r = n ? rootless_publish(h->uplink, UPLINK_ID, UPLINK_IFNAME, out, n, is_back, &s, e) : 0;
	rootless_state_clear(&s);
	return r;
}

int hostports_again(struct host *h, struct err *e)
{
	CLEAN_BOOK struct book b = {0};
	struct err all = ERR_INIT, one = ERR_INIT;
	int n = 0;

	if (load(h, &b, &all) < 0)
		n++;
	for (size_t i = 0; i < b.n; i++) {
		err_reset(&one);
		if (ask_uplink(h, &b.v[i], 1, false, &one) < 0) {
			err_gather(&all, &one);
			n++;
		}
	}
	err_gather(e, &all);
	return n;
}

/* ---- publishing ---- */

static int conflict(const struct entry *t, struct err *e)
{
	char spec[PUBLISH_STRLEN];

	return err_what(e,
			err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is published by %s %s already",
				publish_str(&t->p, spec), t->id, t->ifname),
			WHAT_PORT);
}

/* 0; 1: this attachment has it already. */
static int look_up(const struct book *b, const char *id, const char *ifname,
		   const struct publish *p, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		if (!publish_overlaps(&b->v[i].p, p))
			continue;
		return is_of(&b->v[i], id, ifname) && publish_equal(&b->v[i].p, p)
			       ? 1
			       : conflict(&b->v[i], e);
	}
	return 0;
}

/* Whose inner ports those of p from `first` on would meet, NULL: nobody's. */
static const struct entry *meets(const struct book *b, const struct publish *p, uint32_t first)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct entry *t = &b->v[i];

		if (t->p.proto == p->proto && first < (uint32_t)t->inner + t->p.count &&
		    t->inner < first + p->count)
			return t;
	}
	return NULL;
}

/* The same number where that is free in the user's host, else the next free ones above `from`. */
static bool choose_inner(const struct book *b, const struct publish *p, uint32_t from,
			 uint16_t *ret)
{
	const struct entry *t = meets(b, p, p->host_port);
	uint32_t first = t ? from : p->host_port;

	while (t && first + p->count <= UINT16_MAX + 1u) {
		t = meets(b, p, first);
		first = t ? (uint32_t)t->inner + t->p.count : first;
	}
	*ret = (uint16_t)first;
	return !t;
}

/* As an entry, whose port is nobody's outside. */
static int enter(struct book *b, const char *id, const char *ifname, const struct publish *p,
		 struct err *e)
{
	uint16_t inner;

	if (choose_inner(b, p, PICK_FROM, &inner) || choose_inner(b, p, 1, &inner))
		return book_add(b, id, ifname, p, inner, e);
	return conflict(meets(b, p, p->host_port), e);
}

static int pick(const struct book *b, struct publish *p, struct err *e)
{
	for (int i = 0; i < PICK_TRIES; i++) {
		uint16_t number;

		if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
			break;
		p->host_port = (uint16_t)(PICK_FROM + number % (PICK_TO - PICK_FROM - p->count));
		if (look_up(b, "", "", p, NULL) == 0)
			return 0;
	}
	p->host_port = 0;
	return err_set(e, ERR_QUOTA, 0, "no free port was found");
}

/* One that was picked before, by the same request, and that no other of this one stands for. */
static bool was_picked(const struct book *b, const char *id, const char *ifname,
		       const struct publish *list, size_t i, struct publish *ret)
{
	for (size_t k = 0; k < b->n; k++) {
		struct publish p = b->v[k].p;
		bool is_used = false;

		for (size_t j = 0; j < i; j++)
			is_used = is_used || publish_equal(&list[j], &p);
		p.host_port = 0;
		if (!is_used && is_of(&b->v[k], id, ifname) && publish_equal(&p, &list[i])) {
			*ret = b->v[k].p;
			return true;
		}
	}
	return false;
}

/* Adds what is new to the record, at its end, and to add[]. The number, or an error. */
static int enter_all(struct book *b, const char *id, const char *ifname, struct publish *list,
		     size_t n, struct publish *add, struct err *e)
{
	int count = 0;

	for (size_t i = 0; i < n; i++) {
		int r;

		if (list[i].host_port == 0 && was_picked(b, id, ifname, list, i, &list[i]))
			continue;
		r = list[i].host_port ? look_up(b, id, ifname, &list[i], e) : pick(b, &list[i], e);
		if (r == 1)
			continue;
		if (r == 0)
			r = enter(b, id, ifname, &list[i], e);
		if (r < 0)
			return r;
		add[count++] = list[i];
	}
	return count;
}

static int publish_once(struct host *h, const char *id, const char *ifname, struct publish *list,
			size_t n, struct publish *add, size_t *ret_n, struct err *e)
{
	CLEAN_BOOK struct book b = {0};
	size_t before;
	int r = load(h, &b, e);

	if (r < 0)
		return r;
	before = b.n;
	r = enter_all(&b, id, ifname, list, n, add, e);
	if (r < 0)
		return r;
	n = *ret_n = (size_t)r;
	if (n == 0)
		return 0;
	r = save(h, &b, e);
	if (r == 0)
		r = ask_uplink(h, &b.v[before], n, false, e);
	if (r < 0) {
		b.n = before;
		(void)save(h, &b, NULL);
	}
	return r < 0 ? r : 0;
}

int host_publish(struct host *h, const char *id, const char *ifname, struct publish *list, size_t n,
		 struct publish *added, size_t *ret_n, struct err *e)
{
	CLEAN_FREE struct publish *want = calloc(n ? n : 1, sizeof(*want));
	bool is_picked = false;
	int r = -EIO;

	if (!want)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	if (n)
		memcpy(want, list, n * sizeof(*want));
	for (size_t i = 0; i < n; i++)
		is_picked = is_picked || want[i].host_port == 0;
	/* A port that was picked may be somebody's outside. */
	for (int i = 0; i < (is_picked ? PICK_TRIES : 1); i++) {
		struct err one = ERR_INIT;

		if (n)
			memcpy(list, want, n * sizeof(*list));
		r = publish_once(h, id, ifname, list, n, added, ret_n, &one);
		err_reset(e);
		if (r < 0)
			err_gather(e, &one);
		if (r >= 0 || one.kind != ERR_CONFLICT)
			break;
	}
	return r;
}

/* The same ports of the host, whatever they lead to. */
static bool is_same_side(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && a->host_port == b->host_port && a->count == b->count;
}

static bool is_listed(const struct publish *p, const struct publish *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_same_side(p, &list[i]) && ip_equal(&p->host_ip, &list[i].host_ip))
			return true;
	return !list;
}

static const struct entry *find(const struct book *b, const char *id, const char *ifname,
				const struct publish *p)
{
	for (size_t k = 0; k < b->n; k++)
		if (is_of(&b->v[k], id, ifname) && is_listed(&b->v[k].p, p, 1))
			return &b->v[k];
	return NULL;
}

static int not_published(const struct publish *p, const char *id, const char *ifname, struct err *e)
{
	char spec[PUBLISH_STRLEN];

	return err_what(e,
			err_set(e, ERR_ABSENT, 0, "%s is not published by %s %s",
				publish_str(p, spec), id, ifname),
			WHAT_PORT);
}

int host_has_ports(struct host *h, const char *id, const char *ifname, const struct publish *list,
		   size_t n, struct err *e)
{
	CLEAN_BOOK struct book b = {0};
	int r = load(h, &b, e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!find(&b, id, ifname, &list[i]))
			r = not_published(&list[i], id, ifname, e);
	return r;
}

int host_unpublish(struct host *h, const char *id, const char *ifname, const struct publish *list,
		   size_t n, struct err *e)
{
	CLEAN_BOOK struct book b = {0}, left = {0};
	struct err all = ERR_INIT, one = ERR_INIT;
	int r = load(h, &b, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < b.n; i++) {
		struct entry *t = &b.v[i];

		if (!is_of(t, id, ifname) || !is_listed(&t->p, list, n)) {
			r = book_add(&left, t->id, t->ifname, &t->p, t->inner, e);
			if (r < 0)
				return r;
			continue;
		}
		err_reset(&one);
		/* An uplink that is not there has none. */
		if (ask_uplink(h, t, 1, true, &one) < 0 && one.kind != ERR_ABSENT)
			err_gather(&all, &one);
	}
	if (left.n != b.n && all.kind == ERR_NONE && save(h, &left, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : -EIO;
}

/* ---- two views ---- */

int host_inner_ports(struct host *h, const char *id, const char *ifname, struct publish *list,
		     size_t n, struct err *e)
{
	CLEAN_BOOK struct book b = {0};
	int r = n ? load(h, &b, e) : 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct entry *t = find(&b, id, ifname, &list[i]);

		if (!t)
			return not_published(&list[i], id, ifname, e);
		list[i].host_port = t->inner;
		memset(&list[i].host_ip, 0, sizeof(list[i].host_ip));
		list[i].is_unheld = true;
	}
	return r;
}

static bool is_inner(const struct entry *t, const struct publish *p)
{
	return t->p.proto == p->proto && t->inner == p->host_port && t->p.count == p->count;
}

void host_outer_ports(struct host *h, const struct attachment *a)
{
	CLEAN_BOOK struct book b = {0};

	(void)load(h, &b, NULL);
	for (size_t i = 0; i < a->n_publish; i++) {
		struct publish *p = &a->publish[i];

		p->is_unheld = false;
		for (size_t k = 0; k < b.n; k++)
			if (is_of(&b.v[k], a->id, a->ifname) && is_inner(&b.v[k], p)) {
				p->host_ip = b.v[k].p.host_ip;
				p->host_port = b.v[k].p.host_port;
				break;
			}
	}
}

int host_sweep_ports(struct host *h, int (*has)(const char *id, const char *ifname, void *arg),
		     void *arg, struct err *e)
{
	CLEAN_BOOK struct book b = {0};
	struct err all = ERR_INIT, one = ERR_INIT;
	int n = 0, r = load(h, &b, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < b.n; i++) {
		if (has(b.v[i].id, b.v[i].ifname, arg) != 0)
			continue;
		err_reset(&one);
		if (host_unpublish(h, b.v[i].id, b.v[i].ifname, &b.v[i].p, 1, &one) < 0)
			err_gather(&all, &one);
		else
			n++;
	}
	err_gather(e, &all);
	return all.kind == ERR_NONE ? n : -EIO;
}
